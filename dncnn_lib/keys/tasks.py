"""The keys to the exercises of ``lessons.tasks``."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from ..lessons.check import Answer, check, exercise
from ..lessons.tasks import to_rgb, to_ycc
from ..metrics import luma
from ..resize import resize


@exercise
def with_luma(function: Answer, *, seed: int = 0) -> None:
    """(rgb (H, W, 3), y (H, W)) → rgb with the luma y of MATLAB's rgb2ycbcr and its own chroma."""
    rng = np.random.default_rng(seed)
    cases = []
    for shape in ((4, 5), (1, 1), (3, 3)):
        rgb = rng.uniform(0.3, 0.7, (*shape, 3))
        y = luma(rgb) + rng.uniform(-0.1, 0.1) + 0.02 * rng.standard_normal(shape)
        cases.append((rgb, y))

    def by_chroma(rgb: np.ndarray, y: np.ndarray) -> np.ndarray:
        ycc = to_ycc(rgb)
        ycc[..., 0] = y
        return to_rgb(ycc)

    def moved(rgb: np.ndarray, change: np.ndarray, stretch: float = 255 / 219) -> np.ndarray:
        return rgb + stretch * change[..., None]

    mistakes = {
        "Y has 219 levels where R, G and B have 255": (
            lambda rgb, y: moved(rgb, y - luma(rgb), stretch=1)
        ),
        "219 levels become 255, not the other way round": (
            lambda rgb, y: moved(rgb, y - luma(rgb), stretch=219 / 255)
        ),
        "is Y raised by what the new one is above the old, or below?": (
            lambda rgb, y: moved(rgb, luma(rgb) - y)
        ),
        "MATLAB's Y begins at 16": lambda rgb, y: moved(rgb, y - (luma(rgb) - 16 / 255)),
        "the new Y is not added; its change is": lambda rgb, y: moved(rgb, y),
        "MATLAB's Y ends at 235, other people's at 255": (
            lambda rgb, y: rgb + (y - rgb @ [0.299, 0.587, 0.114])[..., None]
        ),
        "Y weighs R, G and B differently": lambda rgb, y: moved(rgb, y - rgb.mean(axis=2)),
        "the colour is gone": lambda rgb, y: np.repeat(y[..., None], 3, axis=2),
        "is the new Y used?": lambda rgb, y: rgb,
        "a factor changes the chroma, too": lambda rgb, y: rgb * (y / luma(rgb))[..., None],
        "only one of R, G and B was changed": (
            lambda rgb, y: np.dstack([y, rgb[..., 1], rgb[..., 2]])
        ),
    }
    check(function, cases, by_chroma, mistakes)


@exercise
def enlarged(function: Answer, *, seed: int = 0) -> None:
    """(clean (H, W), scale) → what a network for super-resolution gets, by the paper's protocol."""
    rng = np.random.default_rng(seed)
    sizes = (((12, 18), 2), ((20, 19), 3), ((17, 22), 4), ((13, 9), 2))
    cases = [(_blocks(rng, *size, scale), scale) for size, scale in sizes]

    def unlimited(image: Tensor) -> Tensor:
        return (255 * image).round() / 255

    def cut_off(image: Tensor) -> Tensor:
        return (255 * image.clamp(0, 1)).floor() / 255

    def every_third(clean: Tensor, scale: int) -> Tensor:
        height, width = (side - side % scale for side in clean.shape)
        small = clean[:height:scale, :width:scale]
        return _eight_bits(resize(_eight_bits(small), (height, width)))

    mistakes = {
        "nothing was cropped, so the factor is not the scale": (
            lambda x, scale: _enlarged(x, scale, crop=False)
        ),
        "cropped at the wrong side": (lambda x, scale: _enlarged(x.flip(0, 1), scale).flip(0, 1)),
        "is the small picture rounded to 8 bits?": (
            lambda x, scale: _enlarged(x, scale, first=lambda image: image)
        ),
        "has what the network gets 8 bits?": (
            lambda x, scale: _enlarged(x, scale, second=lambda image: image)
        ),
        "are both pictures rounded to 8 bits?": (
            lambda x, scale: _enlarged(x, scale, lambda image: image, lambda image: image)
        ),
        "8 bits end at 0 and at 1, and bicubic goes beyond": (
            lambda x, scale: _enlarged(x, scale, unlimited, unlimited)
        ),
        "rounded is to the nearest": lambda x, scale: _enlarged(x, scale, cut_off, cut_off),
        "pixels were left out; `resize` averages, too": every_third,
        "is the picture enlarged again?": lambda x, scale: _enlarged(x, scale, again=False),
        "is the picture reduced first?": lambda x, scale: _enlarged(x, 1)[
            : x.shape[0] // scale * scale, : x.shape[1] // scale * scale
        ],
        "these are bytes; values go from 0 to 1": lambda x, scale: 255 * _enlarged(x, scale),
    }
    check(function, cases, _enlarged, mistakes)


def _eight_bits(image: Tensor, half: float = 0.5) -> Tensor:
    return (255 * image.clamp(0, 1) + half).floor() / 255


def _enlarged(
    clean: Tensor,
    scale: int,
    first: Answer = _eight_bits,
    second: Answer = _eight_bits,
    *,
    crop: bool = True,
    again: bool = True,
) -> Tensor:
    """first, second: what is done to the small and to the large picture; crop, again: whether it is
    cropped, and enlarged again."""
    height, width = (side - side % scale if crop else side for side in clean.shape)
    small = first(resize(clean.double()[:height, :width], (height // scale, width // scale)))
    return second(resize(small, (height, width))) if again else small


def _blocks(rng: np.random.Generator, height: int, width: int, scale: int) -> Tensor:
    """Blocks of some black and some white, float32, of which no pixel comes so near to the middle
    between two bytes that its rounding depends on how it is computed."""
    while True:
        coarse = rng.integers(0, 2, (height // 4 + 1, width // 4 + 1))
        sharp = np.kron(coarse, np.ones((4, 4)))[:height, :width]
        clean = torch.from_numpy(np.float32(0.96 * sharp + 0.04 * rng.random(sharp.shape)))

        def rounded(half: float, clean: Tensor = clean) -> Tensor:
            bits = functools.partial(_eight_bits, half=half)
            return _enlarged(clean, scale, bits, bits)

        if torch.equal(rounded(0.499), rounded(0.501)):
            return clean


@exercise
def into_the_box(function: Answer, *, seed: int = 0) -> None:
    """(coefficients, stored, table), each (8, 8) → the nearest coefficients that the encoder would
    have stored as those whole numbers."""
    rng = np.random.default_rng(seed)
    cases = []
    for off in (0.45, 1.5, 3.0):  # in steps: within the box, then beyond it
        table = rng.integers(2, 40, (8, 8))
        stored = np.rint(rng.normal(0, 3, (8, 8))).astype(int)
        cases.append(((stored + rng.uniform(-off, off, (8, 8))) * table, stored, table))

    def clipped(c: np.ndarray, s: np.ndarray, t: np.ndarray, off: float = 0.5) -> np.ndarray:
        return np.clip(c, (s - off) * t, (s + off) * t)

    mistakes = {
        "some of these coefficients would be stored as other numbers": lambda c, s, t: c,
        "this is the middle of the box; what is in the box already stays": lambda c, s, t: s * t,
        "these would be stored as the next number: how wide is a box?": (
            lambda c, s, t: clipped(c, s, t, off=1)
        ),
        "the box ends half a step from the middle, not a quarter": (
            lambda c, s, t: clipped(c, s, t, off=0.25)
        ),
        "a box is as wide as its step in the table": lambda c, s, t: np.clip(c, s - 0.5, s + 0.5),
        "half a step, not half a grey level": (
            lambda c, s, t: np.clip(c, s * t - 0.5, s * t + 0.5)
        ),
        "this is in steps; the coefficients are not": lambda c, s, t: clipped(c, s, t) / t,
        "coefficients are compared in steps": (lambda c, s, t: np.clip(c, s - 0.5, s + 0.5) * t),
        "what is outside goes to the nearest edge of its box, not to the middle": (
            lambda c, s, t: np.where(np.abs(c / t - s) > 0.5, s * t, c)
        ),
        "this rounds to whole steps": lambda c, s, t: np.rint(clipped(c, s, t) / t) * t,
        "boxes have an upper end, too": lambda c, s, t: np.maximum(c, (s - 0.5) * t),
        "boxes have a lower end, too": lambda c, s, t: np.minimum(c, (s + 0.5) * t),
    }
    check(function, cases, clipped, mistakes)
