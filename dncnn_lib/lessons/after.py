"""Lesson 12, After DnCNN: trainings without clean images, a slider for the σ that is told, what
came later; and the checks of the exercises."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
from .check import Answer, asked, check, exercise

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
    noisy = images + 1000 * seed
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
