"""Lesson 01, Noise: the noise explorer, three tests of a noise, an estimate of its σ, PSNRs of
several images, and the checks of the exercises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np

from .. import _check
from ..degrade import KINDS, apply
from ..metrics import autocorrelation, correlation, psnr, ssim
from ..show.panels import kind_controls, panel
from ..show.pictures import COLOURS, screen_width, side_by_side
from ..show.svg import histogram_svg
from .check import from_keys

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def noise_words(kind: str, level: int, clean: np.ndarray, noisy: np.ndarray) -> str:
    """A sentence about the noise in a picture of a kind and level of ``degrade.KINDS``: PSNR, SSIM,
    standard deviation on the 0–255 scale, correlation of neighbours and with the picture.

    clean, noisy: (H, W) in units of [0, 1].
    """
    noise = noisy - clean
    return (
        f"{kind}, {KINDS[kind].level} {level}: PSNR {psnr(noisy, clean, data_range=1.0):.1f} dB, "
        f"SSIM {ssim(noisy, clean, data_range=1.0):.2f}, std {255 * noise.std():.1f}; correlation "
        f"of neighbours {autocorrelation(noise, 1)[1]:+.2f}, with the image "
        f"{correlation(noise, clean):+.2f}"
    )


def noise_explorer(clean: np.ndarray, *, kind: str = "Gaussian", zoom: int = 2) -> ipywidgets.VBox:
    """A choice of noise and a slider for its level, over the noisy picture (left), the noise
    (right, 0 as middle grey) and the histogram of the noise.

    clean: (H, W) in [0, 1]; some 160×160 pixels follow the hand on a laptop. The children are the
    dropdown, the slider, the sentence with the numbers, the picture and the histogram.
    """
    kinds, slider = kind_controls(tuple(KINDS), kind, "noise")
    histogram = ipywidgets.HTML()
    width = screen_width(clean, zoom)

    def answer() -> tuple[bytes, str]:
        noisy = apply(KINDS[kinds.value].degradation(slider.value), clean)
        noise = noisy - clean
        histogram.value = histogram_svg(noise, width=width)
        words = noise_words(kinds.value, slider.value, clean, noisy)
        return side_by_side(noisy, noise + 0.5, zoom=zoom), words

    return panel([kinds, slider], answer, width=width, below=[histogram])


def middle(image: np.ndarray, size: int) -> np.ndarray:
    """The square of size×size pixels in the middle of an image (H, W) or (H, W, C)."""
    if not 1 <= size <= min(image.shape[:2]):
        _check.fail("size", size, f"from 1 to {min(image.shape[:2])}, the image's shorter side")
    top, left = ((side - size) // 2 for side in image.shape[:2])
    return image[top : top + size, left : left + size]


def psnrs(images: Iterable[np.ndarray], truths: Iterable[np.ndarray]) -> np.ndarray:
    """The PSNR in dB of each of some images, in units of [0, 1], against its own truth."""
    return np.array([psnr(y, x, data_range=1.0) for y, x in zip(images, truths, strict=True)])


def spread_by_brightness(
    noise: np.ndarray, clean: np.ndarray, *, bins: int = 10, fewest: int = 200
) -> tuple[np.ndarray, np.ndarray]:
    """The standard deviation of the noise where the clean image is dark, where it is bright, and in
    between.

    noise, clean: (H, W) or (H, W, 3), clean in [0, 1], which is cut into ``bins`` equal parts;
    those with fewer than ``fewest`` pixels are left out. Returns the mean brightness of each part
    and the standard deviation of the noise in it, in the units of the two.
    """
    if noise.shape != clean.shape:
        _check.fail("noise's shape", noise.shape, f"that of clean, {clean.shape}")
    part = np.clip((clean * bins).astype(int), 0, bins - 1)
    chosen = [part == b for b in range(bins) if np.count_nonzero(part == b) >= fewest]
    pairs = [(clean[c].mean(), noise[c].std()) for c in chosen]
    brightness, spread = np.array(pairs, np.float64).reshape(-1, 2).T
    return brightness, spread


def plot_noise(noise: np.ndarray, clean: np.ndarray) -> Figure:
    """Three tests of a noise: its histogram beside the normal law of the same standard deviation,
    its autocorrelation along the rows, and its standard deviation by the brightness of the image.

    noise, clean: (H, W), in units of [0, 1]; shown on the 0–255 scale. The histogram has a
    logarithmic axis and ends at 4.25 standard deviations; its title says how much lies beyond.
    """
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.0), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1)
    values, colour = 255 * noise.ravel().astype(np.float64), COLOURS["noisy"]
    deviation = values.std()
    edges = np.linspace(-4.25 * deviation, 4.25 * deviation, 52)
    heights, _ = np.histogram(values, edges)
    axes[0].stairs(100 * heights / values.size, edges, fill=True, color=colour, alpha=0.6)
    normal = np.exp(-((edges / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi))
    share = 100 * normal * (edges[1] - edges[0])
    axes[0].plot(edges, share, color=COLOURS["reference"], ls="--", label="normal law")
    axes[0].set(xlabel="noise v (0–255 scale)", ylabel="pixels (%)")
    axes[0].set(yscale="log", ylim=(0.001, 1000))
    axes[0].set_yticks([0.001, 0.01, 0.1, 1, 10, 100], ["0.001", "0.01", "0.1", "1", "10", "100"])
    axes[0].legend(fontsize=8, loc="upper right")
    beyond = 100 - 100 * heights.sum() / values.size
    axes[0].set_title(f"beyond the axis: {beyond:.1f} %" if beyond > 0.05 else "", fontsize=9)

    along = autocorrelation(noise)
    axes[1].axhline(0, color=COLOURS["reference"], ls="--")
    axes[1].stem(np.arange(len(along)), along, linefmt=colour, markerfmt="o", basefmt=" ")
    axes[1].set(xlabel="distance in a row (pixels)", ylabel="correlation", ylim=(-0.45, 1.1))

    brightness, spread = spread_by_brightness(noise, clean)
    axes[2].axhline(deviation, color=COLOURS["reference"], ls="--", label="whole image")
    axes[2].plot(255 * brightness, 255 * spread, color=colour, marker="o")
    axes[2].set(xlabel="brightness x (0–255 scale)", ylabel="std of v (0–255 scale)")
    axes[2].set(xlim=(0, 255), ylim=(0, 1.25 * max([deviation, *(255 * spread)])))
    axes[2].legend(fontsize=8, loc="lower right")
    return figure


def estimate_sigma(noisy: np.ndarray, *, size: int = 24, share: float = 1 / 12) -> float:
    """σ of white Gaussian noise, on the 0–255 scale, from the noisy image alone.

    noisy: (H, W) in units of [0, 1], at least ``size`` + 3 pixels each way. The image is filtered
    by the third difference along rows and columns and cut into blocks of ``size``² pixels. Each
    block has its median of absolute values (Donoho and Johnstone 1994); the answer is the one that
    a ``share`` of the blocks are quieter than, over what that is in noise of σ = 1.
    """
    unit = np.random.default_rng(9).standard_normal((768, 768))
    return 255 * _quiet_block(noisy, size, share) / _quiet_block(unit, size, share)


def _quiet_block(image: np.ndarray, size: int, share: float) -> float:
    band = image
    for _ in range(2):  # along the columns, then, transposed, along the rows
        band = np.diff(band, n=3, axis=0).T
    rows, columns = (side // size for side in band.shape)
    blocks = band[: rows * size, : columns * size].reshape(rows, size, columns, size)
    return float(np.quantile(np.median(np.abs(blocks), axis=(1, 3)), share))


def plot_estimates(true: Sequence[float], estimated: Mapping[str, Sequence[float]]) -> Axes:
    """Estimated σ of each image against the true one, on two equal logarithmic axes."""
    from matplotlib import pyplot as plt

    ax = plt.subplots(figsize=(5.6, 4.4), layout="constrained")[1]
    ax.plot(true, true, color=COLOURS["reference"], ls="--", label="exact")
    for (name, values), marker in zip(estimated.items(), "^so"):
        ax.plot(true, values, color=COLOURS["noisy"], marker=marker, ms=5, label=name)
    ax.set(xscale="log", yscale="log", xlabel="true σ (0–255)", ylabel="estimated σ (0–255)")
    ticks = [1, 2, 5, 10, 25, 75]
    ax.set_xticks(ticks, ticks)
    ax.set_yticks(ticks, ticks)
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


__getattr__, __dir__ = from_keys(__name__, "sigma_for_psnr", "my_psnr", "shots_needed")
