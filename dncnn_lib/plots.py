"""Pictures of arrays and records on matplotlib axes: one style, one colour for one thing."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from . import _check
from .metrics import autocorrelation, spread_by_brightness

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .engine import Step

COLOURS = {
    "clean": "#1b7837",
    "noisy": "#b35806",
    "restored": "#2166ac",
    "removed": "#762a83",
    "reference": "#555555",
}
"""Dark enough on white to read (contrast 4.5:1 or more), told apart by the colour-blind."""

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


SERIES = ("#882255", "#7a5c00", "#006d6d")
"""For lines that are none of the things in ``COLOURS``; as dark, and told apart in the same way."""


def draw_dncnn(
    highlight: str | None = None,
    *,
    depth: int = 17,
    width: int = 64,
    channels: int = 1,
    ax: Axes | None = None,
) -> Axes:
    """A DnCNN as a row of boxes, with the skip from the noisy image y to x̂ = y − v̂.

    highlight: "first", "middle", "last" or "skip" is drawn in colour and the rest in grey; None
    draws everything in colour. depth (convolutions, at least 4), width (feature maps) and
    channels (of the image) are written into the boxes.
    """
    from matplotlib import pyplot as plt

    if highlight is not None:
        _check.one_of("highlight", highlight, ("first", "middle", "last", "skip"))
    _check.integer("depth", depth, at_least=4)
    ax = plt.subplots(figsize=(9.6, 2.5), layout="constrained")[1] if ax is None else ax

    def colour(part: str) -> str:
        name = "noisy" if part == "skip" else "removed"
        return COLOURS[name] if highlight in (None, part) else "#a6a6a6"

    middle = f"Conv {width}→{width}\nBN\nReLU"
    boxes = [
        (1.0, "first", f"Conv {channels}→{width}\nReLU", "1"),
        (2.9, "middle", middle, "2"),
        (5.7, "middle", middle, str(depth - 1)),
        (7.6, "last", f"Conv {width}→{channels}", str(depth)),
    ]
    for left, part, text, number in boxes:
        edge = colour(part)
        ax.add_patch(plt.Rectangle((left, 0), 1.5, 1, fill=False, ec=edge, lw=2))
        ax.text(left + 0.75, 0.5, text, ha="center", va="center", fontsize=9, color=edge)
        ax.text(left + 0.75, -0.25, number, ha="center", fontsize=9, color=edge)
    grey, skip = COLOURS["reference"], colour("skip")
    for start, stop in ((0.35, 1.0), (2.5, 2.9), (4.4, 4.7), (5.4, 5.7), (7.2, 7.6), (9.1, 9.85)):
        _arrow(ax, (start, 0.5), (stop, 0.5), grey)
    ax.plot([0.6, 0.6, 10], [0.5, 1.5, 1.5], color=skip, lw=2)
    _arrow(ax, (10, 1.5), (10, 0.68), skip, lw=2)
    _arrow(ax, (10.15, 0.5), (10.6, 0.5), grey)
    words = {
        (0.15, 0.5, "y"): COLOURS["noisy"],
        (5.05, 0.5, "···"): grey,
        (9.45, 0.75, "v̂"): COLOURS["removed"],
        (10.85, 0.5, "x̂"): COLOURS["restored"],
    }
    for (x, y, text), ink in words.items():
        ax.text(x, y, text, ha="center", va="center", fontsize=14, color=ink)
    ax.text(10, 0.5, "−", ha="center", va="center", fontsize=13, color=skip,
            bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": skip, "lw": 2})  # fmt: skip
    ax.text(5.3, 1.6, "skip: y itself", ha="center", fontsize=9, color=skip)
    ax.set(xlim=(-0.1, 11.1), ylim=(-0.4, 1.9))
    ax.set_axis_off()
    return ax


def _arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, lw: float = 1.2
) -> None:
    arrow = {"arrowstyle": "-|>", "color": colour, "lw": lw, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", end, start, arrowprops=arrow)


def plot_noise(noise: np.ndarray, clean: np.ndarray) -> Figure:
    """The portrait of a noise: its histogram beside the normal law of the same standard deviation,
    its autocorrelation along the rows, and its standard deviation by the brightness of the image.

    noise, clean: (H, W), in units of [0, 1]; shown on the 0–255 scale.
    """
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(9.6, 2.6), layout="constrained")
    values, colour = 255 * noise.ravel().astype(np.float64), COLOURS["noisy"]
    deviation = values.std()
    edges = np.linspace(-4.25 * deviation, 4.25 * deviation, 52)
    heights, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    axes[0].stairs(100 * heights / values.size, edges, fill=True, color=colour, alpha=0.6)
    normal = np.exp(-((edges / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi))
    share = 100 * normal * (edges[1] - edges[0])
    axes[0].plot(edges, share, color=COLOURS["reference"], ls="--", label="normal law, same σ")
    axes[0].set(xlabel="noise v (0–255 scale)", ylabel="pixels (%)", ylim=(0, 2 * share.max()))
    axes[0].legend(fontsize=8, loc="upper right")

    along = autocorrelation(noise)
    axes[1].axhline(0, color=COLOURS["reference"], ls="--")
    axes[1].stem(np.arange(len(along)), along, linefmt=colour, markerfmt="o", basefmt=" ")
    axes[1].set(xlabel="distance in a row (pixels)", ylabel="correlation", ylim=(-0.45, 1.1))

    brightness, spread = spread_by_brightness(noise, clean)
    axes[2].axhline(deviation, color=COLOURS["reference"], ls="--", label="whole image")
    axes[2].plot(255 * brightness, 255 * spread, color=colour, marker="o")
    axes[2].set(xlabel="brightness x (0–255 scale)", ylabel="standard deviation of v")
    axes[2].set(xlim=(0, 255), ylim=(0, 1.25 * max([deviation, *(255 * spread)])))
    axes[2].legend(fontsize=8, loc="lower right")
    return figure


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
    early, its variant's line ends there. styles: as in ``plot_curves``.
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
