"""Lesson 07, Blind denoising: a widget and figures of networks and noise levels, and the checks of
the exercises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import torch
from torch import Tensor, nn

from .. import _check
from ..degrade import GaussianNoise
from ..evaluation import Comparison, compare
from ..model import DnCNN
from ..show.panels import panel
from ..show.pictures import COLOURS, screen_width, side_by_side
from .check import asked, check, exercise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def removal_words(network: str, sigma: float, found: Comparison) -> str:
    """A sentence with the numbers. sigma: on the 0–255 scale."""
    return (
        f"{network}, σ = {sigma:g}: noisy {found.summary}; "
        f"removed: std {255 * found.removed.std():.1f}"
    )


def network_slider(
    clean: np.ndarray, networks: Mapping[str, nn.Module], *, sigma: int = 25, zoom: int = 2
) -> ipywidgets.VBox:
    """A choice of network and a slider for the true σ, over the noisy picture, the restored one and
    what was removed (0 as middle grey), from left to right.

    clean: (H, W) in [0, 1]; some 96×96 pixels follow the hand on a laptop. networks: by name, in
    eval mode; the first is chosen at first. The children are the switch, the slider, the sentence
    with the numbers and the picture.
    """
    if not networks:
        _check.fail("networks", dict(networks), "at least one network")
    switch = ipywidgets.ToggleButtons(options=list(networks), description="network")
    slider = ipywidgets.IntSlider(
        sigma, 0, 75, description="true σ", layout=ipywidgets.Layout(width="480px")
    )

    def answer() -> tuple[bytes, str]:
        found = compare(clean, GaussianNoise(slider.value), networks[switch.value])
        pictures = (found.degraded, found.restored, found.removed + 0.5)
        words = removal_words(switch.value, slider.value, found)
        return side_by_side(*pictures, zoom=zoom), words

    return panel([switch, slider], answer, width=screen_width(clean, zoom, 3))


def plot_matrix(
    rows: Mapping[str, Sequence[float]],
    columns: Sequence[str],
    *,
    xlabel: str,
    ylabel: str,
    deepest: float = 10.0,
    ax: Axes | None = None,
) -> Axes:
    """PSNR in dB as a table in colour: the farther below the best of its column, the darker.

    rows: label → PSNR for each of ``columns``; the best of each column is framed. deepest: decibels
    below the best from which on a cell gets no darker.
    """
    from matplotlib import pyplot as plt

    for name, values in rows.items():
        if len(values) != len(columns):
            _check.fail(f"rows[{name!r}]'s length", len(values), f"{len(columns)}, as columns has")
    size = (2.2 + 0.75 * len(columns), 1.0 + 0.45 * len(rows))
    ax = plt.subplots(figsize=size, layout="constrained")[1] if ax is None else ax
    table = np.array(list(rows.values()), np.float64)
    behind = table.max(axis=0) - table
    shade = np.minimum(behind, deepest)  # the map's lower part, on which black can be read
    ax.imshow(shade, cmap="Oranges", vmin=0, vmax=1.6 * deepest, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        ax.text(column, row, f"{value:.1f}", ha="center", va="center", color="black")
    for column, row in enumerate(table.argmax(axis=0)):
        box = (column - 0.47, row - 0.46)
        ax.add_patch(plt.Rectangle(box, 0.94, 0.92, fill=False, ec=COLOURS["restored"], lw=2.5))
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.tick_params(length=0)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax


def plot_levels(rows: Mapping[str, Any], levels: Sequence[float]) -> Axes:
    """By how many dB networks improve on pictures of several noise levels: a dot for each seed, a
    line for their mean, in a band from the worst seed to the best.

    rows: label → PSNR in dB, a row for each seed and a column for each of ``levels`` (σ on the
    0–255 scale); the noisy picture's 20·log₁₀(255/σ) is taken off.
    """
    from matplotlib import pyplot as plt

    ax = plt.subplots(figsize=(7.5, 4.5), layout="constrained")[1]
    colours = [COLOURS[name] for name in ("removed", "restored", "clean", "noisy")]
    noisy = 20 * np.log10(255 / np.array(levels, np.float64))
    for (name, psnr), colour, marker in zip(rows.items(), colours, "osD^", strict=False):
        gain = np.asarray(psnr, np.float64) - noisy
        ax.plot(levels, gain.mean(axis=0), "-", color=colour, marker=marker, ms=0)
        ax.plot([], [], "-", color=colour, marker=marker, ms=5, label=name)
        ax.plot(levels, gain.T, marker, color=colour, ms=5, alpha=0.7)
        ax.fill_between(levels, gain.min(axis=0), gain.max(axis=0), color=colour, alpha=0.2, lw=0)
    ax.axhline(0, color=COLOURS["reference"], ls="--", label="noisy picture")
    ax.set(xlabel="σ of the noise in the picture (0–255)", ylabel="gain in PSNR (dB)")
    ax.set_xticks(levels)
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def plot_gain_and_shift(
    gains: Sequence[float],
    by_gain: Sequence[float],
    shifts: Sequence[float],
    by_shift: Sequence[float],
    *,
    noisy: float,
) -> Figure:
    """PSNR in dB where the network sees the picture times a gain (left) or plus a shift (right);
    noisy: that of the noisy picture."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
    for ax, x, y in zip(axes, (gains, shifts), (by_gain, by_shift)):
        ax.plot(x, y, "o-", color=COLOURS["restored"], label="restored")
        ax.axhline(noisy, ls=":", color=COLOURS["noisy"], label="noisy")
        ax.grid(alpha=0.3)
    axes[0].set(xscale="log", xlabel="gain", ylabel="PSNR (dB)")
    axes[0].minorticks_off()
    axes[0].set_xticks(gains, gains)
    axes[0].legend()
    axes[1].set(xlabel="shift (white is 1)", xticks=shifts)
    return figure


@exercise
def blind_noise(function: Callable[[Tensor, float, float, torch.Generator], Any]) -> None:
    """(clean (N, 1, H, W), low, high, generator) → noisy, with one σ in [low, high] (on the 0–255
    scale) for each image of the batch."""

    def noisy(count: int, low: float, high: float, grey: float = 0.0) -> Any:
        clean = torch.full((count, 1, 64, 64), grey)
        return function(clean, low, high, torch.Generator().manual_seed(0))

    def noise(count: int, low: float, high: float) -> Tensor:
        return 255 * noisy(count, low, high)

    noise.__name__ = function.__name__

    def levels(noise: Tensor) -> Tensor:
        return noise.flatten(1).std(dim=1)

    def tenths(noise: Tensor) -> int:
        return len({min(int(level / 5.5), 9) for level in levels(noise).tolist()})

    def varies(noise: Tensor) -> bool:
        left, right = (levels(half) for half in noise.chunk(2, dim=3))
        return bool(((left - right).abs() > 0.2 * right + 0.5).any())

    check(
        asked("shape of the result", noise, lambda v: list(v.shape)),
        [((3, 0.0, 55.0), [3, 1, 64, 64])],
    )
    middle = asked("σ to the nearest 5", noise, lambda v: 5 * round(float(levels(v).mean()) / 5))
    check(middle, [((4, 25.0, 25.0), 25), ((100, 30.0, 40.0), 35)])
    check(asked("tenths of the range that occur", noise, tenths), [((200, 0.0, 55.0), 10)])
    check(asked("σ inside an image varies", noise, varies), [((20, 0.0, 55.0), False)])
    mean = asked(
        "grey of 0.5, its mean in the result", noise, lambda _: noisy(2, 0.0, 1.0, 0.5).mean()
    )
    check(mean, [((2, 0.0, 1.0), 0.5)], tolerance=0.01)
    again = torch.equal(noisy(4, 0.0, 55.0), noisy(4, 0.0, 55.0))
    check(asked("equal seeds, equal noise", noise, lambda _: again), [((4, 0.0, 55.0), True)])


@exercise
def into_range(function: Callable[..., Any]) -> None:
    """(restore, noisy, sigma, highest) → restored; where σ > highest, the picture is scaled so that
    its noise has σ = highest, restored, and scaled back."""

    def limited(noisy: np.ndarray) -> np.ndarray:
        """Stands for a network: not a linear function of its input."""
        return np.minimum(noisy, 0.4)

    noisy = np.linspace(0, 1, 12, dtype=np.float64).reshape(3, 4)
    cases = []
    for sigma, highest in ((25.0, 55.0), (55.0, 55.0), (110.0, 55.0), (75.0, 50.0)):
        gain = min(1.0, highest / sigma)
        cases.append(((limited, noisy, sigma, highest), limited(gain * noisy) / gain))
    check(function, cases)


@exercise
def constants(function: Callable[[nn.Module], Any]) -> None:
    """(net) → how many numbers a network in eval mode adds to its features."""
    networks: dict[str, nn.Module] = {
        "DnCNN(depth=17)": DnCNN(depth=17),
        "DnCNN(depth=4, width=8, batch_norm=False)": DnCNN(depth=4, width=8, batch_norm=False),
        "DnCNN(depth=4, width=8, bias=True)": DnCNN(depth=4, width=8, bias=True),
        "DnCNN(depth=4, batch_norm=False, bias=False)": DnCNN(
            depth=4, batch_norm=False, bias=False
        ),
    }

    def counted(name: str) -> Any:
        return function(networks[name])

    counted.__name__ = function.__name__
    expected = [15 * 64 * 2, 3 * 8 + 1, 2 * 8 * 2 + 3 * 8 + 1, 0]
    check(counted, [((name,), number) for name, number in zip(networks, expected)])
