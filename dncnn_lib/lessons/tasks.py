"""Lesson 08, One model, three tasks: detail, JPEG files, colour, the cost of sharing, the task
explorer; and the checks of the exercises."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import torch
from torch import nn

from .. import _check
from ..degrade import KINDS, Degradation, apply
from ..evaluation import PROTOCOLS, Comparison, compare
from ..images import as_uint8
from ..metrics import psnr, shave
from ..model import DnCNN
from ..records import Runs
from ..show.panels import kind_controls, panel
from ..show.pictures import COLOURS, SERIES, screen_width, side_by_side
from ..show.plots import plot_differences
from ..tasks import Task
from ..training import TrainConfig, train
from .check import from_keys

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


__getattr__, __dir__ = from_keys(__name__, "with_luma", "enlarged", "into_the_box")
