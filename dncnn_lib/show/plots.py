"""Images and training records as matplotlib figures: one style, one colour for each thing."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .. import _check
from .pictures import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..training import Step

_DPI = 100


def show_images(
    images: Mapping[str, np.ndarray],
    *,
    zoom: tuple[int, int, int] | None = None,
    factor: int = 3,
    scale: int = 1,
) -> Figure:
    """Images of one size side by side, each pixel of the image ``scale`` pixels of the figure.

    images: title → array (H, W) or (H, W, 3) in [0, 1]; values outside are shown as black or white.
    zoom: ``(top, left, size)`` of a square to show again below, each pixel ``factor`` times as
    large, and to mark in the image above. The pictures are shown without interpolation.
    """
    from matplotlib import pyplot as plt
    from matplotlib.patches import Rectangle

    if not images:
        _check.fail("images", dict(images), "at least one image")
    shapes = {image.shape[:2] for image in images.values()}
    if len(shapes) > 1:
        _check.fail("images' sizes", sorted(shapes), "all the same")
    height, width = (scale * side for side in shapes.pop())
    size = 0 if zoom is None else _check.integer("zoom's size", zoom[2], at_least=1) * factor
    gap, title = 12, 40
    column = max(width, size)
    total_width = len(images) * column + (len(images) - 1) * gap
    total_height = title + height + (gap + size if zoom else 0)
    figure = plt.figure(figsize=(total_width / _DPI, total_height / _DPI), dpi=_DPI)

    def place(left: int, top: int, shown: np.ndarray, side: tuple[int, int]) -> Axes:
        box = (left, total_height - top - side[0], side[1], side[0])
        relative = [b / t for b, t in zip(box, (total_width, total_height) * 2)]
        axes = figure.add_axes(relative)
        axes.imshow(np.clip(shown, 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_axis_off()
        return axes

    for index, (name, image) in enumerate(images.items()):
        left = index * (column + gap)
        axes = place(left + (column - width) // 2, title, image, (height, width))
        axes.set_title(name, fontsize=10)
        if zoom is not None:
            top, start, side = zoom
            axes.add_patch(
                Rectangle((start - 0.5, top - 0.5), side, side, fill=False, color="#ffd500", lw=1.5)
            )
            crop = image[top : top + side, start : start + side]
            place(left + (column - size) // 2, title + height + gap, crop, (size, size))
    return figure


def plot_training(steps: list[Step], ax: Axes | None = None) -> Axes:
    """The validation PSNR in dB of training records against the number of patches seen."""
    from matplotlib import pyplot as plt

    ax = plt.subplots(figsize=(6, 3.5), layout="constrained")[1] if ax is None else ax
    validated = [s for s in steps if s.val_psnr is not None]
    ax.plot(
        [s.patches for s in validated],
        [s.val_psnr for s in validated],
        color=COLOURS["restored"],
        marker="o",
        markersize=3,
    )
    ax.set(xlabel="training patches seen", ylabel="PSNR of held-out images (dB)")
    ax.grid(alpha=0.3)
    return ax


def plot_differences(differences: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """One row for each choice: a dot for each image and a bar for their mean, both in dB.

    differences: name of the choice → its effect on the PSNR of each image, in dB.
    """
    from matplotlib import pyplot as plt

    size = (8, 0.8 + 0.45 * len(differences))
    ax = plt.subplots(figsize=size, layout="constrained")[1] if ax is None else ax
    for row, values in enumerate(differences.values()):
        ax.barh(row, np.mean(values), height=0.55, color=COLOURS["restored"], alpha=0.45)
        ax.plot(values, [row] * len(values), "o", color=COLOURS["restored"], markersize=4)
    ax.axvline(0, color=COLOURS["reference"], lw=1)
    ax.set_yticks(range(len(differences)), list(differences))
    ax.invert_yaxis()
    ax.set_xlabel("change of the PSNR (dB): bar = mean, dots = images")
    ax.grid(axis="x", alpha=0.3)
    return ax


def plot_curves(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    xlabel: str,
    ylabel: str,
    styles: Mapping[str, tuple[str, str]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Lines with a legend: label → (x, y), numbers of any unit, which the axes' labels name.

    styles: label → (a name of ``COLOURS``, a line style of matplotlib); others are solid, in the
    order of ``COLOURS``.
    """
    from matplotlib import pyplot as plt

    ax = plt.subplots(figsize=(6, 3.5), layout="constrained")[1] if ax is None else ax
    plain = itertools.cycle((name, "-") for name in ("restored", "removed", "clean", "reference"))
    for label, (x, y) in curves.items():
        colour, line = (styles or {}).get(label) or next(plain)
        ax.plot(x, y, line, color=COLOURS[colour], label=label)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def plot_bands(
    curves: Mapping[str, Mapping[int, Sequence[Step]]],
    *,
    styles: Mapping[str, tuple[str, str]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Validation PSNR in dB against patches: a line for the mean over the seeds of each variant, in
    a band from the worst seed to the best.

    curves: variant → seed → records, as ``experiments.curves`` gives them; where a training ended
    early, the line of its variant ends there. styles: as in ``plot_curves``.
    """
    lines, bands = {}, []
    for name, runs in curves.items():
        validated = [[s for s in steps if s.val_psnr is not None] for steps in runs.values()]
        points = list(zip(*validated))
        x = [at[0].patches for at in points]
        values = [[step.val_psnr for step in at] for at in points]
        lines[name] = (x, [float(np.mean(at)) for at in values])
        bands.append((x, [min(at) for at in values], [max(at) for at in values]))
    labels = {"xlabel": "training patches seen", "ylabel": "PSNR of held-out images (dB)"}
    ax = plot_curves(lines, styles=styles, ax=ax, **labels)
    for line, (x, low, high) in zip(ax.lines[-len(bands) :], bands):
        ax.fill_between(x, low, high, color=line.get_color(), alpha=0.25, lw=0)
    return ax


def plot_seeds(
    results: Mapping[str, Mapping[float, Sequence[float]]],
    styles: Mapping[str, tuple[str, str]],
    *,
    xlabel: str,
    ylabel: str,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """A dot for each seed, and a line through the means.

    results: label → x → one number for each seed. styles: label → (a name of ``COLOURS``, a line
    and a marker of matplotlib, such as "--s"). log: a logarithmic axis with a tick at every x.
    """
    from matplotlib import pyplot as plt

    ax = plt.subplots(figsize=(6, 3.5), layout="constrained")[1] if ax is None else ax
    for label, by_x in results.items():
        colour, line = styles[label]
        style = {"color": COLOURS[colour], "markersize": 5}
        for x, values in by_x.items():
            ax.plot([x] * len(values), values, line[-1], alpha=0.6, **style)
        means = [np.mean(by_x[x]) for x in sorted(by_x)]
        ax.plot(sorted(by_x), means, line[:-1], color=COLOURS[colour])
        ax.plot([], [], line, label=label, **style)
    if log:
        ticks = sorted(set().union(*results.values()))
        ax.set_xscale("log")
        ax.set_xticks(ticks, [f"{x:g}" for x in ticks])
        ax.minorticks_off()
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.grid(alpha=0.3)
    ax.legend()
    return ax
