"""Lesson 02, Before DnCNN: what a system looks at for one pixel, as a widget, too; walks down an
energy; the filters of several systems; the recorded table; and the checks of the exercises."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from .. import _check
from .._files import DATA
from ..degrade import GaussianNoise
from ..evaluation import compare
from ..priors.tnrd import Step
from ..restoring import takes_sigma
from ..show.panels import panel
from ..show.pictures import COLOURS, SERIES, screen_width, side_by_side
from .check import from_keys

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REACH = 30
"""A look is a window of so many pixels to each side of the pixel."""

MARGIN = REACH + 4
"""Pixels that the explorer leaves at the border: the window, and half a patch of up to 9×9 more."""

_ALONG = np.abs(np.arange(-REACH, REACH + 1))
DISTANCE = np.maximum(_ALONG[:, None], _ALONG)
"""Of each pixel of the window from the one in the middle: the larger of rows and columns."""

Look = Callable[[np.ndarray, int, int], np.ndarray]
"""(noisy (H, W), row, column) → how much each pixel of the window counts, (61, 61)."""


def gradient(
    model: nn.Module, noisy: np.ndarray, row: int, column: int, sigma: float = 25
) -> np.ndarray:
    """∂x̂(p) / ∂y(q) of the pixel p at (row, column), for every q of the window around it.

    model: a network, or a prior whose steps PyTorch can differentiate. It is given the window
    alone. noisy: (H, W) around [0, 1]; sigma: what a model that takes it is told, on the 0–255
    scale. Returns (61, 61), p in the middle.
    """
    seen = torch.from_numpy(_window(noisy, row, column).copy())[None, None].requires_grad_()
    told = {"sigma": sigma / 255} if takes_sigma(model) else {}
    restored = model.eval()(seen, **told)[0, 0, REACH, REACH]
    return torch.autograd.grad(restored, seen)[0][0, 0].numpy()


def _window(noisy: np.ndarray, row: int, column: int) -> np.ndarray:
    for name, place, side in (("row", row, noisy.shape[0]), ("column", column, noisy.shape[1])):
        if not REACH <= place < side - REACH:
            _check.fail(name, place, f"between {REACH} and {side - REACH - 1}")
    return noisy[row - REACH : row + REACH + 1, column - REACH : column + REACH + 1]


def window(image: np.ndarray, row: int, column: int) -> np.ndarray:
    """The window around a pixel as a picture (61, 61, 3), the pixel in a yellow frame."""
    picture = np.repeat(np.clip(_window(image, row, column), 0, 1)[..., None], 3, axis=2)
    picture[DISTANCE == 3] = (1, 0.84, 0)
    return picture


def differences(noisy: np.ndarray, row: int, column: int, size: int) -> np.ndarray:
    """Mean squared difference of the patch around a pixel and those around its neighbours.

    noisy: (H, W); size: of the patches, odd. Returns (61, 61), in the units of noisy squared; 0 in
    the middle.
    """
    half = REACH + size // 2
    area = noisy[row - half : row + half + 1, column - half : column + half + 1]
    patches = np.lib.stride_tricks.sliding_window_view(area, (size, size))
    return np.mean((patches - patches[REACH, REACH]) ** 2, axis=(2, 3))


def covered(differences: np.ndarray, size: int, count: int) -> np.ndarray:
    """How many of the ``count`` patches that differ least cover each pixel of the window.

    differences: (61, 61), those of the patches of size×size around each pixel; size: odd.
    """
    half = size // 2
    seen = np.zeros([side + 2 * half for side in differences.shape])
    order = differences.argsort(axis=None)[:count]
    for row, column in zip(*np.unravel_index(order, differences.shape)):
        seen[row : row + size, column : column + size] += 1
    return seen[half:-half, half:-half]


def looks(models: Mapping[str, nn.Module], sigma: float = 25) -> dict[str, Look]:
    """What systems look at, by title: a Gaussian filter of 0.75 pixels; NCSR, the 16 patches most
    like the pixel's own; and each of ``models`` by its ``gradient``, told ``sigma`` (0–255)."""
    found: dict[str, Look] = {
        "Gaussian filter": lambda *_: _gaussian(0.75),
        "NCSR": lambda *at: covered(differences(*at, size=7), size=7, count=16),
    }
    for title, model in models.items():
        found[title] = lambda *at, model=model: gradient(model, *at, sigma)
    return found


def _gaussian(width: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(1.0 * (DISTANCE == 0), width)


def look_picture(weights: np.ndarray) -> np.ndarray:
    """Weights of any sign as a picture in [0, 1]: the root of |w|, so that small ones show."""
    size = np.sqrt(np.abs(weights))
    return (size / max(size.max(), np.finfo(np.float32).tiny)).astype(np.float32)


def look_words(name: str, weights: np.ndarray) -> str:
    """A sentence about a look: the pixel's own share of Σ |w|, and where 90 % of it lie."""
    share = np.abs(weights) / np.abs(weights).sum()
    middle = share[share.shape[0] // 2, share.shape[1] // 2]
    order = share.ravel().argsort()[::-1]
    count = int(np.searchsorted(share.ravel()[order].cumsum(), 0.9)) + 1
    places = np.unravel_index(order[:count], share.shape)
    away = max(np.abs(p - side // 2).max() for p, side in zip(places, share.shape))
    return (
        f"{name}: {100 * middle:.0f} % of the weight on the pixel itself, "
        f"90 % on {count} pixels, up to {away} away"
    )


def look_explorer(
    noisy: np.ndarray, looks: Mapping[str, Look], place: tuple[int, int], *, zoom: int = 4
) -> ipywidgets.VBox:
    """A choice of system and two sliders for a pixel, over the window around it (left) and what the
    system looks at there (right).

    noisy: (H, W) around [0, 1], larger than the window; looks: by name, the first is chosen at
    first; place: row and column at first. The children are the switch, the sliders for row and
    column, the sentence and the picture.
    """
    if not looks:
        _check.fail("looks", dict(looks), "at least one look")
    _window(noisy, *place)
    layout = ipywidgets.Layout(width="480px")
    switch = ipywidgets.Dropdown(options=list(looks), description="system", layout=layout)
    sliders = [
        ipywidgets.IntSlider(start, MARGIN, side - MARGIN - 1, description=name, layout=layout)
        for name, start, side in zip(("row", "column"), place, noisy.shape)
    ]

    def answer() -> tuple[bytes, str]:
        row, column = (slider.value for slider in sliders)
        weights = looks[switch.value](noisy, row, column)
        seen = np.repeat(look_picture(weights)[..., None], 3, axis=2)
        pictures = (window(noisy, row, column), seen)
        return side_by_side(*pictures, zoom=zoom), look_words(switch.value, weights)

    width = screen_width(noisy[: 2 * REACH + 1, : 2 * REACH + 1], zoom)
    return panel([switch, *sliders], answer, width=width)


def responses(photographs: Iterable[np.ndarray], kernel: ArrayLike) -> np.ndarray:
    """What a filter answers at every pixel of some photographs where it lies inside, (n,), in units
    of the standard deviation of all its answers.

    photographs: (H, W), on any scale; kernel: (h, w).
    """
    filters = torch.as_tensor(kernel, dtype=torch.float64)[None, None]
    planes = [torch.as_tensor(photo, dtype=torch.float64)[None, None] for photo in photographs]
    z = torch.cat([nn.functional.conv2d(plane, filters).flatten() for plane in planes])
    return (z / z.std()).numpy()


def plot_responses(z: np.ndarray) -> Axes:
    """The density of filter responses on a logarithmic axis, beside three laws: Gaussian and
    Laplace of the same standard deviation, and the Student-t law that fits best.

    z: in units of its standard deviation; the fit uses one in 500.
    """
    from matplotlib import pyplot as plt
    from scipy import stats

    edges = np.linspace(-10, 10, 101)
    fine = np.linspace(-10, 10, 801)
    freedom, _, width = stats.t.fit(z[::500], floc=0)
    laws = {
        "Gaussian: $z^2$": (stats.norm.pdf(fine), "--", COLOURS["reference"]),
        "Laplace: $|z|$": (stats.laplace.pdf(fine, scale=np.sqrt(0.5)), ":", SERIES[2]),
        "Student-t: $\\log(1+z^2)$": (stats.t.pdf(fine, freedom, 0, width), "-", SERIES[0]),
    }
    ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")[1]
    density = np.histogram(z, edges)[0] / (len(z) * (edges[1] - edges[0]))
    ax.stairs(density, edges, fill=True, alpha=0.5, color=COLOURS["clean"], label="photographs")
    for label, (values, line, colour) in laws.items():
        ax.plot(fine, values, line, color=colour, label=label)
    ax.set(yscale="log", ylim=(1e-6, 30), ylabel="density")
    ax.set(xlim=(-10, 10), xlabel="response z (standard deviations)")
    ax.legend(ncols=2)
    return ax


def timed(walk: Callable[[], Iterable[Tensor]]) -> tuple[float, list[Tensor]]:
    """The seconds that a walk takes, and the image before and after each of its steps."""
    start = time.perf_counter()
    images = list(walk())
    return time.perf_counter() - start, images


def plot_walks(
    walks: Mapping[str, tuple[float, Sequence[Tensor]]],
    energy: Callable[[Tensor], float],
    quality: Callable[[np.ndarray], float],
    marks: Mapping[str, tuple[float, float]],
) -> Figure:
    """Energy and PSNR against seconds, on the way to a minimum.

    walks: label → (seconds in all, image before and after each step), as ``timed`` gives them;
    energy: of an image, a tensor; quality: of an image, an array, in dB; marks: label → (seconds,
    PSNR in dB) of systems that have no such way.
    """
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.4), layout="constrained")
    for (label, (seconds, images)), line in zip(walks.items(), ("-", "--")):
        x = seconds * np.arange(1, len(images)) / (len(images) - 1)
        values = [(energy(image), quality(image.numpy())) for image in images[1:]]
        for ax, heights in zip((left, right), zip(*values)):
            ax.plot(x, heights, line, color=SERIES[0], label=label)
    for (label, place), marker in zip(marks.items(), "os"):
        right.plot(*place, marker, color=COLOURS["restored"], label=label)
    left.set(xscale="log", xlabel="seconds", ylabel="energy")
    right.set(xscale="log", xlabel="seconds", ylabel="PSNR (dB)")
    for ax in (left, right):
        ax.grid(alpha=0.3)
    right.legend()
    return figure


def step_of(stage: Step) -> tuple[Tensor, Callable[[Tensor], Tensor], Tensor | float]:
    """A stage of TNRD as the lesson's ``one_step`` takes it: filters (K, 1, m, m); φ, a function of
    the responses (1, K, h, w); and the pull back to the noisy image."""
    side = stage.size

    def phi(z: Tensor) -> Tensor:
        return stage.influence(z.flatten(2)).view_as(z) / len(stage.filters)

    pull = 0.0 if stage.log_trust is None else stage.log_trust.exp()
    return stage.filters.view(-1, 1, side, side), phi, pull


def mean_psnr(model: nn.Module, pictures: Iterable[np.ndarray], level: float, told: float) -> float:
    """The mean PSNR in dB of pictures with noise, once restored.

    pictures: (H, W) in [0, 1]; number i gets noise with the seed i. level: σ of that noise; told:
    the σ that a model is told if it takes one; both on the 0–255 scale.
    """
    noise = GaussianNoise(level)
    found = [compare(x, noise, model, seed=i, sigma=told) for i, x in enumerate(pictures)]
    return float(np.mean([each.psnr for each in found]))


def wallpaper(period: int, side: int = 128) -> np.ndarray:
    """A random tile of period×period pixels, repeated to (side, side) float32, from 0 to 1."""
    from scipy.ndimage import gaussian_filter

    tile = np.random.default_rng(0).random((period, period))
    tile = gaussian_filter(tile, 0.8, mode="wrap")
    tile = (tile - tile.min()) / (tile.max() - tile.min())
    copies = side // period + 1
    return np.tile(tile, (copies, copies))[:side, :side].astype(np.float32)


def plot_periods(
    periods: Sequence[int], psnr: Mapping[str, Sequence[float]], reach: Mapping[str, int]
) -> Axes:
    """PSNR in dB against the period of a pattern, and dotted lines where a search ends.

    psnr: system → a value for each of ``periods``; reach: system → how far it looks, in pixels.
    """
    from matplotlib import pyplot as plt

    ax = plt.subplots(figsize=(7, 3.5), layout="constrained")[1]
    for (name, values), colour, marker in zip(psnr.items(), (COLOURS["restored"], *SERIES), "os^D"):
        ax.plot(periods, values, marker=marker, color=colour, label=name)
        if name in reach:
            ax.axvline(reach[name], color=colour, ls=":")
    ax.set(xlabel="period of the wallpaper (pixels)", ylabel="PSNR (dB)")
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def plot_filters(systems: Mapping[str, ArrayLike], *, columns: int = 8) -> Figure:
    """The filters of several systems, a panel each; every filter in its own range, 0 is grey.

    systems: title → filters (K, h, w), arrays, or tensors without gradients.
    """
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        1, len(systems), figsize=(2.6 * len(systems), 2.9), layout="constrained", squeeze=False
    )
    for ax, (title, filters) in zip(axes[0], systems.items()):
        ax.imshow(_sheet(np.asarray(filters), columns), cmap="gray", vmin=0, vmax=1)
        ax.set_title(title, fontsize=10)
        ax.set_axis_off()
        ax.set_anchor("N")
    return figure


def _sheet(filters: np.ndarray, columns: int) -> np.ndarray:
    """The filters in rows of so many, each scaled to [0, 1] around 0.5, between white lines."""
    count, height, width = filters.shape
    rows = -(-count // columns)
    scaled = filters / np.abs(filters).max((1, 2), keepdims=True) / 2 + 0.5
    tiles = np.ones((rows * columns, height + 1, width + 1))
    tiles[:count, :height, :width] = scaled
    sheet = tiles.reshape(rows, columns, height + 1, width + 1).transpose(0, 2, 1, 3)
    return sheet.reshape(rows * (height + 1), columns * (width + 1))[:-1, :-1]


def plot_influences(z: ArrayLike, curves: Mapping[str, ArrayLike]) -> Figure:
    """Functions of a filter's response: a panel for each step, with a thin line for each filter and
    a thick one for their mean.

    z: the responses, (n,), on the 0–255 scale; curves: title → (K, n), same scale; arrays, or
    tensors without gradients.
    """
    from matplotlib import pyplot as plt

    columns = min(len(curves), 3)
    rows = -(-len(curves) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(9.6, 2.5 * rows), layout="constrained", squeeze=False, sharex=True
    )
    for ax, (title, values) in zip(axes.flat, curves.items()):
        values = np.asarray(values)
        ax.axhline(0, color="black", lw=0.8)
        ax.plot(z, values.T, color="grey", lw=0.6)
        ax.plot(z, values.mean(0), color=COLOURS["restored"], lw=2)
        ax.set_title(title, fontsize=10)
    for ax in axes.flat[len(curves) :]:
        ax.set_axis_off()
    figure.supxlabel("response of the filter (0–255 scale)", fontsize=10)
    figure.supylabel("φ: removed (0–255 scale)", fontsize=10)
    return figure


@dataclass(frozen=True)
class Recorded:
    """What was recorded of a system on a set: PSNR in dB, the seconds that a picture of 256×256
    took, None where it was not timed, and the trained parameters for all noise levels."""

    psnr: float
    seconds: float | None
    parameters: int


TABLE = DATA / "tables" / "priors.csv"


def _rows(path: str | os.PathLike, set_name: str, sigma: int) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        wanted = set_name, str(sigma)
        return [row for row in csv.DictReader(file) if (row["set"], row["level"]) == wanted]


def recorded(set_name: str, sigma: int, path: str | os.PathLike = TABLE) -> dict[str, Recorded]:
    """The systems before DnCNN, and DnCNN beside them: the mean over a set at a noise level.

    set_name: "BSD68", "Set12" or "samples"; sigma: 15, 25 or 50. The networks for this level alone
    are called "dncnn-s". Raises ``ValueError`` where the table has no such rows.
    """
    found = {
        row["model"].removesuffix(f"-{sigma}"): Recorded(
            float(row["psnr"]),
            float(row["seconds"]) if row["seconds"] else None,
            int(row["parameters"]),
        )
        for row in _rows(path, set_name, sigma)
        if row["image"] == "mean"
    }
    if not found:
        raise ValueError(f"{os.fspath(path)} has no mean over {set_name} at sigma = {sigma}")
    return found


def recorded_images(
    system: str, set_name: str, sigma: int, path: str | os.PathLike = TABLE
) -> dict[str, float]:
    """PSNR in dB of what one of these systems made of each image of a set, by the image's name.

    Raises ``ValueError`` where the table has no such rows.
    """
    found = {
        row["image"]: float(row["psnr"])
        for row in _rows(path, set_name, sigma)
        if row["model"].removesuffix(f"-{sigma}") == system and row["image"] != "mean"
    }
    if not found:
        at = f"at sigma = {sigma}"
        raise ValueError(f"{os.fspath(path)} has no images of {set_name} {at} by {system}")
    return found


__getattr__, __dir__ = from_keys(__name__, "multiplications", "influence", "unrolled")
