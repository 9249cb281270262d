"""Lesson 08, One model, three tasks: detail, JPEG files, colour, the cost of sharing, the task
explorer; and the checks of the exercises."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import torch
from torch import Tensor, nn

from .. import _check
from ..degrade import KINDS, Degradation, apply
from ..evaluation import PROTOCOLS, Comparison, compare
from ..images import as_uint8
from ..metrics import luma, psnr, shave
from ..model import DnCNN
from ..records import Runs
from ..resize import resize
from ..show.panels import kind_controls, panel
from ..show.pictures import COLOURS, SERIES, screen_width, side_by_side
from ..show.plots import plot_differences
from ..tasks import Task
from ..training import TrainConfig, train
from .check import Answer, check, exercise

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.JpegImagePlugin import JpegImageFile

TASKS = ("gaussian", "super-resolution", "deblocking")
"""Those of ``PROTOCOLS`` that DnCNN-3 was made for."""

TASK_KINDS = ("Gaussian", "down-up", "JPEG")
"""Those of ``degrade.KINDS`` that DnCNN-3 was made for."""


def task_words(kind: str, level: int, found: Comparison) -> str:
    """A sentence with the numbers."""
    return f"{kind}, {KINDS[kind].level} {level}: {found.summary}"


def task_explorer(
    clean: np.ndarray, model: nn.Module, *, kind: str = "JPEG", zoom: int = 2
) -> ipywidgets.VBox:
    """A choice of task and a slider for its level, over the degraded picture, the restored one and
    twice what was removed (0 as middle grey), from left to right.

    clean: (H, W) in [0, 1]; some 96×96 pixels follow the hand on a laptop. kind: one of
    ``TASK_KINDS``. The children are the dropdown, the slider, the sentence and the picture.
    """
    kinds, slider = kind_controls(TASK_KINDS, kind, "task")

    def answer() -> tuple[bytes, str]:
        found = compare(clean, KINDS[kinds.value].degradation(slider.value), model)
        pictures = (found.degraded, found.restored, 0.5 + 2 * found.removed)
        words = task_words(kinds.value, slider.value, found)
        return side_by_side(*pictures, zoom=zoom), words

    return panel([kinds, slider], answer, width=screen_width(clean, zoom, 3))


def spread_by_detail(
    noise: np.ndarray, clean: np.ndarray, *, bins: int = 6, block: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """How strong the noise is where the clean image is flat, where it has detail, and in between.

    noise, clean: (H, W), cut into squares of ``block`` pixels (remainders at the right and at the
    bottom are left out), which are sorted by the standard deviation of ``clean`` in them and split,
    in that order, into ``bins`` equal groups. Returns for each group the mean of that standard
    deviation, and the root mean square of the noise, in the units of the two.
    """
    if noise.shape != clean.shape:
        _check.fail("noise's shape", noise.shape, f"that of clean, {clean.shape}")
    if np.prod([side - side % block for side in clean.shape]) < bins * block**2:
        _check.fail("clean's shape", clean.shape, f"room for {bins} squares of {block}×{block}")

    detail = squares(clean, block).std(axis=1)
    power = (squares(noise, block) ** 2).mean(axis=1)
    groups = np.array_split(np.argsort(detail, kind="stable"), bins)
    pairs = [(detail[group].mean(), np.sqrt(power[group].mean())) for group in groups]
    return np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])


def squares(image: np.ndarray, block: int = 8) -> np.ndarray:
    """The squares of ``block`` pixels of an image (H, W), row by row: (squares, block²), float64.
    Remainders at the right and at the bottom are left out."""
    height, width = (side - side % block for side in image.shape)
    cut = image[:height, :width].astype(np.float64)
    cut = cut.reshape(height // block, block, width // block, block)
    return cut.transpose(0, 2, 1, 3).reshape(-1, block * block)


def peak(values: np.ndarray) -> float:
    """mean(v²) / mean(|v|)²: how peaked a distribution around 0 is, for numbers of any shape. For
    the density exp(−|v|ᵖ) it is π/2 at p = 2 and 2 at p = 1."""
    return float((values**2).mean() / np.abs(values).mean() ** 2)


def jpeg_file(image: np.ndarray, quality: int, *, subsampling: str = "4:2:0") -> JpegImageFile:
    """The JPEG file that Pillow makes of a picture, opened: ``np.asarray`` decodes it, and
    ``.quantization`` holds its tables.

    image: (H, W) or (H, W, 3) in [0, 1]; it is rounded to 8 bits. quality: 1 to 100, as libjpeg
    counts. subsampling: "4:2:0" halves the chroma of a colour picture in both directions, "4:4:4"
    keeps it whole.
    """
    from PIL import Image

    file = io.BytesIO()
    pixels = Image.fromarray(as_uint8(image))
    pixels.save(file, "JPEG", quality=quality, subsampling=subsampling)
    return Image.open(file)


def six_parts(
    image: np.ndarray, kinds: Sequence[Degradation]
) -> tuple[np.ndarray, list[tuple[slice, slice]]]:
    """The image in six parts, two rows of three, each cut from the image degraded in its own way,
    from left to right and from top to bottom; and where the parts are.

    image: (H, W), H a multiple of 2 and W of 3.
    """
    height, width = image.shape[0] // 2, image.shape[1] // 3
    patchwork, parts = image.copy(), []
    for number, kind in enumerate(kinds):
        top, left = number // 3 * height, number % 3 * width
        parts.append((slice(top, top + height), slice(left, left + width)))
        patchwork[parts[-1]] = apply(kind, image)[parts[-1]]
    return patchwork, parts


def in_blocks(image: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """The coefficients of JPEG's 8×8 blocks: (rows of blocks, blocks in a row, 8, 8), on the 0–255
    scale.

    image: (H, W) in [0, 1], H and W multiples of 8. waves: (8, 8), the cosines in its rows.
    """
    height, width = image.shape
    blocks = (255 * image - 128).reshape(height // 8, 8, width // 8, 8).transpose(0, 2, 1, 3)
    return waves @ blocks @ waves.T


def mean_decibels(
    images: Sequence[np.ndarray], clean: Sequence[np.ndarray], border: int = 0
) -> float:
    """``decibels`` of each of several images, (H, W) or (H, W, 3), their mean."""
    return float(np.mean([decibels(*pair, border) for pair in zip(images, clean, strict=True)]))


def decibels(image: np.ndarray, clean: np.ndarray, border: int = 0) -> float:
    """The PSNR in dB of an image, clipped to [0, 1], less a border of so many pixels on each side.

    image, clean: (H, W) or (H, W, 3), clean in [0, 1].
    """
    return psnr(shave(image.clip(0, 1), border), shave(clean, border), data_range=1.0)


_WEIGHTS = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112], [112, -93.786, -18.214]])
_OFFSET = np.array([16, 128, 128]) / 255


def to_ycc(rgb: np.ndarray) -> np.ndarray:
    """R, G and B (..., 3) in [0, 1] as Y, Cb and Cr: MATLAB's ``rgb2ycbcr`` over 255, so that Y
    goes from 16/255 to 235/255, and the chroma from 16/255 to 240/255."""
    return rgb @ _WEIGHTS.T / 255 + _OFFSET


def to_rgb(ycc: np.ndarray) -> np.ndarray:
    """What ``to_ycc`` was given; neither clipped nor rounded."""
    return (ycc - _OFFSET) @ np.linalg.inv(_WEIGHTS / 255).T


def small_network(seed: int, width: int = 16) -> DnCNN:
    """The network of the race: eight layers without batch norm. The seed decides its weights."""
    net = DnCNN(depth=8, width=width, batch_norm=False)
    net.reset_parameters(torch.Generator().manual_seed(seed))
    return net


def train_seeds(
    degradation: Task,
    images: Sequence[np.ndarray],
    config: TrainConfig,
    seeds: Sequence[int] = (0, 1, 2),
) -> Iterator[DnCNN]:
    """A ``small_network`` from each seed, yielded when it is trained; the seed decides its patches,
    too."""
    for seed in seeds:
        net = small_network(seed)
        for _ in train(net, images, degradation, replace(config, seed=seed)):
            pass
        yield net


def gains(
    nets: Sequence[nn.Module], images: Mapping[str, np.ndarray], levels: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """``mean_gains`` of several networks: task → a number in dB for each network."""
    found = [mean_gains(net, images, levels) for net in nets]
    return {task: np.array([each[task] for each in found]) for task in levels}


def mean_gains(
    net: nn.Module, images: Mapping[str, np.ndarray], levels: Mapping[str, float]
) -> dict[str, float]:
    """By how many dB a network raises the PSNR of degraded images, on average: task → gain.

    images: (H, W) in [0, 1]. levels: task → level, such as ``{"deblocking": 10}``, each measured as
    ``PROTOCOLS`` says.
    """
    found = {}
    for task, level in levels.items():
        compared = PROTOCOLS[task].compare_all(net, images, level)
        found[task] = float(np.mean([comparison.gain for _, comparison in compared]))
    return found


def plot_race(
    results: Mapping[str, Mapping[str, Sequence[float]]], titles: Mapping[str, str]
) -> Figure:
    """What several networks gain, in dB: a panel for each task, all with the same axes; a row for
    each network, with a dot for each seed and a bar for their mean.

    results: network → task → gains. titles: task → the title of its panel.
    """
    from matplotlib import pyplot as plt

    shape = {"nrows": 1, "ncols": len(titles), "figsize": (11, 3), "layout": "constrained"}
    figure, axes = plt.subplots(**shape, sharex=True, squeeze=False)
    for ax, (task, title) in zip(axes[0], titles.items()):
        plot_differences({name: found[task] for name, found in results.items()}, ax=ax)
        ax.set(title=title, xlabel="gain in PSNR (dB)")
        ax.tick_params(labelleft=ax is axes[0, 0])
    return figure


def ends(runs: Runs, trained_on: str, measured_on: str, width: int, steps: int) -> dict[int, float]:
    """What trainings of one length ended at: seed → PSNR in dB.

    runs: the record ``sharing.csv``, by (trained on, measured on, width, seed): the ends of
    trainings of several lengths.
    """
    return {
        key[3]: step.val_psnr
        for key, found in runs.items()
        for step in found
        if (*key[:3], step.steps) == (trained_on, measured_on, width, steps)
    }


def sharing_costs(
    runs: Runs,
    width: int,
    steps: int,
    shared_steps: int | None = None,
    tasks: Sequence[str] = TASKS,
    shared: str = "all three",
) -> dict[str, list[float]]:
    """By how many dB the specialist for a task is ahead of a shared network: task → one number for
    each seed.

    width, steps: of the specialist. shared_steps: of the shared network; None: as many. tasks:
    those that the shared network was trained on, which the record calls ``shared``.
    """
    costs = {}
    for task in tasks:
        own = ends(runs, task, task, width, steps)
        others = ends(runs, shared, task, width, shared_steps or steps)
        costs[task] = [own[seed] - others[seed] for seed in own if seed in others]
    return costs


PAIR = "super-resolution and deblocking"
"""What ``sharing.csv`` calls the network that was trained on these two."""

Costs = dict[str, dict[int, dict[str, list[float]]]]
"""label → steps or width → what ``sharing_costs`` returns."""


def costs_over_time(runs: Runs, times: Sequence[int] = (250, 750, 2250)) -> Costs:
    """What sharing costs in networks of width 16 after so many steps of the specialist.

    The shared network is trained for as many steps, or for three times as many, so that it sees as
    many patches of each task (but for the longest); or it is trained without noise.
    """
    return {
        "all three, equal steps": {n: sharing_costs(runs, 16, n) for n in times},
        "all three, equal patches of the task": {
            n: sharing_costs(runs, 16, n, 3 * n) for n in times[:-1]
        },
        "without noise, equal steps": {
            n: sharing_costs(runs, 16, n, tasks=TASKS[1:], shared=PAIR) for n in times
        },
    }


def costs_over_width(runs: Runs, steps: int = 750) -> Costs:
    """What sharing costs after so many steps, in networks of width 8, 16 and 32."""
    return {"all three, equal steps": {w: sharing_costs(runs, w, steps) for w in (8, 16, 32)}}


def print_gains(runs: Runs, task: str, start: float, sizes: Sequence[tuple[int, int]]) -> None:
    """What the specialist and the network for all three gain on a task: a line for each size, with
    a number for each seed.

    runs: the record ``sharing.csv``. start: the PSNR in dB of what they are given. sizes: (width,
    steps).
    """
    for width, steps in sizes:
        found = (ends(runs, name, task, width, steps).values() for name in (task, "all three"))
        own, shared = (" ".join(f"{psnr - start:+.1f}" for psnr in seeds) for seeds in found)
        print(f"{task:17s} width {width:2}, {steps:4} steps: alone {own}, all three {shared} dB")


def plot_costs(
    costs: Mapping[str, Mapping[int, Mapping[str, Sequence[float]]]], xlabel: str
) -> Figure:
    """What sharing costs in dB: a panel for each task, all with the same axes; a dot for each seed
    and lines through their means.

    costs: label → x → what ``sharing_costs`` returns. x is drawn on a logarithmic scale.
    """
    from matplotlib import pyplot as plt

    ticks = sorted({x for line in costs.values() for x in line})
    tasks = list({task: None for line in costs.values() for at in line.values() for task in at})
    shape = {"nrows": 1, "ncols": len(tasks), "figsize": (9, 3.4), "layout": "constrained"}
    figure, axes = plt.subplots(**shape, sharex=True, sharey=True, squeeze=False)
    looks = zip(SERIES, ("o-", "s--", "^:"))
    for (label, line), (colour, look) in zip(costs.items(), looks):
        for ax, task in zip(axes[0], tasks):
            points = {x: found[task] for x, found in line.items() if found.get(task)}
            for x, values in points.items():
                ax.plot([x] * len(values), values, look[0], color=colour, alpha=0.5)
            if points:
                means = [np.mean(values) for values in points.values()]
                ax.plot(list(points), means, look, color=colour, ms=3, label=label)
    for ax, task in zip(axes[0], tasks):
        ax.set(title=task, xlabel=xlabel, xscale="log")
        ax.set_xticks(ticks, [f"{x:,}" for x in ticks])
        ax.minorticks_off()
        ax.axhline(0, color=COLOURS["reference"], lw=1)
        ax.grid(alpha=0.3)
    axes[0, 0].set_ylabel("cost of sharing (dB)")
    handles = {h.get_label(): h for ax in axes[0] for h in ax.get_legend_handles_labels()[0]}
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=len(handles))
    return figure


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
