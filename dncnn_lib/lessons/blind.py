"""Lesson 07, Blind denoising: a widget and figures of networks and noise levels, and the checks of
the exercises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
from torch import nn

from .. import _check
from ..degrade import GaussianNoise
from ..evaluation import Comparison, compare
from ..show.panels import panel
from ..show.pictures import COLOURS, screen_width, side_by_side
from .check import from_keys

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


__getattr__, __dir__ = from_keys(__name__, "blind_noise", "into_range", "constants")
