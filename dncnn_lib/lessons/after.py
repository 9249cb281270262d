"""Lesson 12, After DnCNN: trainings without clean images, a slider for the σ that is told, what
came later; and the checks of the exercises."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import torch
from torch import Tensor, nn

from .._files import DATA
from ..degrade import GaussianNoise
from ..evaluation import Comparison, compare
from ..model import DnCNN
from ..show.panels import panel
from ..show.pictures import COLOURS, screen_width, side_by_side
from ..tasks import Task, noise2void
from .check import from_keys

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def small_network(seed: int) -> DnCNN:
    """Eight layers of 16 maps without batch norm. The seed decides its weights."""
    net = DnCNN(depth=8, width=16, batch_norm=False)
    net.reset_parameters(torch.Generator().manual_seed(seed))
    return net


# --------------------------------------------------------------------------------- the level, told


def told_words(true: float, told: float, found: Comparison) -> str:
    """A sentence with the numbers. true, told: σ on the 0–255 scale."""
    removed = 255 * found.removed.std()
    return f"σ = {true:g}, told {told:g}: noisy {found.summary}; removed: std {removed:.1f}"


def told_slider(
    clean: np.ndarray, net: nn.Module, *, sigma: int = 25, zoom: int = 2
) -> ipywidgets.VBox:
    """A slider for the true σ and one for the σ that the network is told, over the noisy picture,
    the restored one and what was removed (0 as middle grey), from left to right.

    clean: (H, W) in [0, 1]; some 96×96 pixels follow the hand on a laptop. net: takes σ. sigma:
    where both sliders begin. The children are the two sliders, the sentence with the numbers and
    the picture.
    """
    wide = ipywidgets.Layout(width="480px")
    true, told = (
        ipywidgets.IntSlider(sigma, 0, 75, description=name, layout=wide)
        for name in ("true σ", "told σ")
    )

    def answer() -> tuple[bytes, str]:
        found = compare(clean, GaussianNoise(true.value), net, sigma=told.value)
        pictures = (found.degraded, found.restored, found.removed + 0.5)
        return side_by_side(*pictures, zoom=zoom), told_words(true.value, told.value, found)

    return panel([true, told], answer, width=screen_width(clean, zoom, 3))


# ---------------------------------------------------------------------------- without clean images


def at_hidden_pixels(degradation: Task, *, hide: bool) -> Task:
    """As ``noise2void``, but with clean targets: for a ``BlindSpot`` network, whose answer counts
    at some pixels alone. hide: whether the network is denied them, as there, or sees all."""
    hidden = noise2void(degradation)

    def clean_targets(clean: Tensor, generator: torch.Generator):
        (masked, noisy, where), _ = hidden(clean, generator)
        return (masked if hide else noisy, clean, where), clean

    return clean_targets


# ---------------------------------------------------------------------------------- what came later


@dataclass(frozen=True)
class Later:
    """A method of the literature. parameters: those that are trained; training_images: how many, of
    what it is best known for; sidd_benchmark, sidd_validation: PSNR in dB on the two sets of SIDD,
    real photographs; idea: in a few words; source: of all these numbers. None: not known to us."""

    method: str
    year: int
    parameters: int
    training_images: int | None
    sidd_benchmark: float | None
    sidd_validation: float | None
    idea: str
    source: str


def later_methods() -> list[Later]:
    """BM3D, DnCNN and what came after them, by year: ``data/published/later.csv``."""
    with open(DATA / "published" / "later.csv", newline="", encoding="utf-8") as file:
        return [
            Later(
                row["method"],
                int(row["year"]),
                int(row["parameters"]),
                int(row["training_images"]) if row["training_images"] else None,
                float(row["sidd_benchmark"]) if row["sidd_benchmark"] else None,
                float(row["sidd_validation"]) if row["sidd_validation"] else None,
                row["idea"],
                row["source"],
            )
            for row in csv.DictReader(file)
        ]


LABELS = {"DnCNN": (4, 5, "left"), "Restormer": (4, 5, "left"), "SwinIR": (-4, -12, "right")}
"""Where a method's name stands beside its dot, in points, and how it is aligned; the others' stand
below on the right. These would lie on one another there."""


def plot_later(methods: Sequence[Later], psnr: Mapping[str, float]) -> Axes:
    """PSNR in dB against the number of parameters, on a logarithmic scale; a method without any is
    a dotted line. psnr: by method; others are left out."""
    from matplotlib import pyplot as plt

    ax = plt.subplots(figsize=(7.5, 4), layout="constrained")[1]
    for found in methods:
        name, value = found.method, psnr.get(found.method)
        if value is None:
            continue
        if not found.parameters:
            ax.axhline(value, color=COLOURS["reference"], ls=":")
            place = {"xy": (0.01, value), "xycoords": ("axes fraction", "data")}
        else:
            colour = COLOURS["removed" if name == "DnCNN" else "restored"]
            ax.plot(found.parameters, value, "o", color=colour)
            place = {"xy": (found.parameters, value)}
        *offset, side = LABELS.get(name, (4, -12, "left"))
        place |= {"xytext": offset, "textcoords": "offset points", "ha": side}
        ax.annotate(f"{name} {found.year}", **place, fontsize=9)
    ax.set(xscale="log", xlabel="parameters", ylabel="PSNR on BSD68, σ = 25 (dB)", xlim=(1e5, 2e8))
    ax.margins(y=0.15)
    ax.grid(alpha=0.3)
    return ax


__getattr__, __dir__ = from_keys(__name__, "noise_map", "clean_psnr", "hide")
