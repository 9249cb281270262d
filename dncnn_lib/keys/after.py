"""The keys to the exercises of ``lessons.after``."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..lessons.check import Answer, asked, check, exercise

# ------------------------------------------------------------------------------------ the exercises


@exercise
def noise_map(function: Answer, *, seed: int = 0) -> None:
    """(image, gain, read), brightness in [0, 1] → σ of each pixel on the 0–255 scale, where the
    variance in [0, 1] is gain · brightness + read², and a brightness below 0 counts as 0."""
    rng = np.random.default_rng(seed)
    cases = []
    for low in (0.0, -0.2, 0.3):
        image = rng.uniform(low, 1, rng.integers(2, 6, 2))
        image.flat[0] = low / 2
        cases.append((image, round(rng.uniform(2e-3, 2e-2), 4), round(rng.uniform(0.02, 0.1), 3)))

    def sigma(x: np.ndarray, gain: float, read: float) -> np.ndarray:
        return 255 * np.sqrt(gain * np.maximum(x, 0) + read**2)

    mistakes: dict[str, Answer] = {
        "the image is in [0, 1], and σ is wanted on the 0–255 scale": lambda *c: sigma(*c) / 255,
        "this is a variance; σ is its root": lambda *c: sigma(*c) ** 2 / 255,
        "a variance on the 0–255 scale is 255² times one in [0, 1]": (
            lambda *c: sigma(*c) / np.sqrt(255)
        ),
        "variances add, not standard deviations": (
            lambda x, g, r: 255 * (np.sqrt(g * np.maximum(x, 0)) + r)
        ),
        "read is a standard deviation, gain · brightness a variance": (
            lambda x, g, r: 255 * np.sqrt(g * np.maximum(x, 0) + r)
        ),
        "where is the noise that does not depend on the brightness?": lambda x, g, r: sigma(
            x, g, 0
        ),
        "where is the noise that grows with the brightness?": (
            lambda x, g, r: np.full_like(x, 255 * r)
        ),
        "a noisy picture has values below 0, and a variance has none": (
            lambda x, g, r: 255 * np.sqrt(g * x + r**2)
        ),
        "the brightness is negative, its noise is not that of |x|": (
            lambda x, g, r: 255 * np.sqrt(g * np.abs(x) + r**2)
        ),
        "one σ for each pixel, not one for the picture": (
            lambda x, g, r: np.full_like(x, sigma(x.mean(), g, r))
        ),
    }
    check(function, cases, sigma, mistakes)


@exercise
def clean_psnr(function: Answer, *, seed: int = 0) -> None:
    """(loss, sigma): the mean squared error against noisy targets, in [0, 1], and σ of their noise
    on the 0–255 scale → the PSNR against the clean pictures, in dB."""
    rng = np.random.default_rng(seed)
    cases = []
    for sigma in rng.integers((5, 20, 40), (15, 35, 60)).tolist():
        error = 10 ** rng.uniform(-3.3, -2.2)
        cases.append((round(error + (sigma / 255) ** 2, 6), sigma))

    def psnr(loss: float, sigma: float) -> float:
        return -10 * np.log10(loss - (sigma / 255) ** 2)

    mistakes: dict[str, Answer] = {
        "the targets' own noise is still in the loss": lambda loss, s: -10 * np.log10(loss),
        "both have noise, but only the targets' is added to the error": (
            lambda loss, s: -10 * np.log10(abs(loss - 2 * (s / 255) ** 2))
        ),
        "a mean squared error and a standard deviation do not add": (
            lambda loss, s: -10 * np.log10(abs(loss - s / 255))
        ),
        "the noise makes the loss larger than the error": (
            lambda loss, s: -10 * np.log10(loss + (s / 255) ** 2)
        ),
        "the loss is in [0, 1], σ is on the 0–255 scale": (
            lambda loss, s: -10 * np.log10(abs(loss - s**2))
        ),
        "the loss is a square already: 10, not 20": lambda *c: 2 * psnr(*c),
        "a PSNR of 20 dB is an error of 0.01: what is the sign?": lambda *c: -psnr(*c),
        "this is the error; the PSNR is wanted": lambda loss, s: loss - (s / 255) ** 2,
        "this is the PSNR of the targets": lambda loss, s: -20 * np.log10(s / 255),
    }
    check(function, cases, psnr, mistakes)


@exercise
def hide(function: Answer, *, seed: int = 0) -> None:
    """(noisy, hidden, generator) → noisy, each hidden pixel overwritten by another one of the 5×5
    around it, drawn at random. noisy: (N, 1, H, W); hidden: True or False, of that shape."""
    side = 24
    images = torch.arange(3 * side * side, dtype=torch.float32).reshape(3, 1, side, side)
    noisy = images + 1000 * (seed % 1000)  # still exact in float32
    chance = torch.rand(noisy.shape, generator=torch.Generator().manual_seed(seed))
    hidden = chance < 0.3
    inner = torch.zeros_like(hidden)
    inner[..., 2:-2, 2:-2] = True  # beyond the border it is a matter of taste
    all_seen = torch.zeros_like(hidden)

    def source(number: int = 0) -> torch.Generator:
        return torch.Generator().manual_seed(100 * seed + number)

    check(
        function,
        [(noisy, all_seen, source()), (noisy[:1], all_seen[:1], source())],
        lambda noisy, *_: noisy,
        {"the pixels that are not hidden stay": lambda noisy, hidden, _: torch.zeros_like(noisy)},
        hint="nothing is hidden here: leave the rest as it is",
    )

    def places(result: Tensor) -> Tensor:
        """(hidden pixels, 2): how far off each one's new value comes from, in rows and columns."""
        moved = (torch.as_tensor(result) - noisy)[hidden & inner]
        rows = torch.round(moved / side)
        return torch.stack([rows, moved - side * rows])

    def changed(result: Tensor, *_: Any) -> list[int]:
        found = torch.as_tensor(result)
        still = (found == noisy) & hidden & inner
        return [int(((found != noisy) & ~hidden).sum()), int(still.sum())]

    def outside(result: Tensor, *_: Any) -> int:
        off = places(result).abs()
        return int(((off > 2) | (off != off.round())).any(0).sum())

    def missing(result: Tensor, *_: Any) -> int:
        found = {tuple(place) for place in places(result).T.tolist()} - {(0.0, 0.0)}
        return 24 - len(found)

    def again(results: list[Tensor], *_: Any) -> list[int]:
        first, second, other = map(torch.as_tensor, results)
        return [int(torch.equal(first, second)), int(torch.equal(first, other))]

    kind = "a tensor like noisy"
    case = (noisy, hidden, source())
    questions: dict[str, tuple[Answer, Any, str]] = {
        "visible pixels that changed, hidden ones that did not": (
            changed,
            [0, 0],
            "hidden pixels lose their value, and no others do",
        ),
        "hidden pixels whose new value is of none of the 5×5": (
            outside,
            0,
            "the new value is a pixel of the neighbourhood, at most two rows and columns away",
        ),
        "places around a pixel that are never drawn": (
            missing,
            0,
            "all 24 neighbours should occur; one place for the whole batch is too few",
        ),
    }
    for question, (answer, right, hint) in questions.items():
        ask = asked(question, function, answer, kind)
        check(ask, [case], lambda *_, right=right: right, hint=hint)

    def three_times(noisy: Tensor, hidden: Tensor) -> list[Tensor]:
        return [function(noisy, hidden, source(number)) for number in (0, 0, 1)]

    three_times.__name__ = getattr(function, "__name__", "the function")
    ask = asked("equal result [by equal, by other generators]", three_times, again, kind)
    hint = "all that is random comes from the generator that is passed on"
    check(ask, [(noisy, hidden)], lambda *_: [1, 0], hint=hint)
