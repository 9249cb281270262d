"""Lesson 01, Noise: the noise explorer, three tests of a noise, an estimate of its σ, PSNRs of
several images, and the checks of the exercises."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np

from .. import _check
from ..degrade import KINDS, apply
from ..metrics import autocorrelation, correlation, psnr, ssim
from ..show.panels import kind_controls, panel
from ..show.pictures import COLOURS, screen_width, side_by_side
from ..show.svg import histogram_svg
from .check import Answer, check, exercise

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


@exercise
def sigma_for_psnr(function: Answer, *, seed: int = 0) -> None:
    """(PSNR in dB) → the σ, on the 0–255 scale, of the noise that gives it."""
    few, many = np.random.default_rng(seed).uniform((11, 31), (19, 39)).round(2).tolist()
    mistakes = {
        "this σ belongs to pixels from 0 to 1": lambda db: 1 / 10 ** (db / 20),
        "this is the PSNR of that σ; turn the formula round": lambda db: 20 * math.log10(255 / db),
        "σ² is a power, σ is not: is it 10 or 20 times the logarithm?": (
            lambda db: 255 / 10 ** (db / 10)
        ),
        "this is the variance, σ²": lambda db: 255**2 / 10 ** (db / 10),
        "more decibels are less noise": lambda db: 255 * 10 ** (db / 20),
        "the logarithm of decibels has base 10": lambda db: 255 / math.exp(db / 20),
        "// drops what is behind the point": lambda db: 255 / 10 ** (db // 20),
    }
    check(function, [(few,), (many,), (30,), (0,)], lambda db: 255 / 10 ** (db / 20), mistakes)


@exercise
def my_psnr(function: Answer, *, seed: int = 0) -> None:
    """(restored, clean), both uint8 or both float in [0, 1] → dB, with the peak of that type."""
    rng = np.random.default_rng(seed)
    x = rng.random((5, 7))
    y = x + rng.normal(0, 0.1, x.shape)
    bright, dark = np.uint8([[rng.integers(230, 256)]]), np.uint8([[rng.integers(0, 40)]])
    coarse, black = (rng.integers(0, levels, (2, 6, 4), np.uint8) for levels in (256, 2))
    cases = [
        (y, x),
        (y.astype(np.float32).T, x.astype(np.float32).T),
        tuple(coarse),
        (1 - black[0], black[0]),  # dark enough for floats
        (dark, bright),
    ]

    def decibels(peak: float, error: float) -> float:
        return 10 * np.log10(peak**2 / error)

    mistakes = {
        **byte_mistakes(_peak),
        "the peak belongs to the type of the pixels, not to their values": (
            lambda y, x: decibels(255 if x.max() > 1 else 1, _error(y, x))
        ),
        "the peak is the brightest value possible, not the brightest present": (
            lambda y, x: decibels(x.max(), _error(y, x))
        ),
        "floats go up to 1, float32 included": lambda y, x: decibels(255, _error(y, x)),
        "bytes go further than 1": lambda y, x: decibels(1, _error(y, x)),
        "floats in [0, 1] made into whole numbers are 0 or 1": (
            lambda y, x: decibels(_peak(x), _error(y.astype(int), x.astype(int)))
        ),
        "the error is squared; is the peak?": (lambda y, x: 10 * np.log10(_peak(x) / _error(y, x))),
        "10 goes with squares, 20 with roots: not both": (
            lambda y, x: 2 * decibels(_peak(x), _error(y, x))
        ),
        "the logarithm of decibels has base 10": (
            lambda y, x: 10 * np.log(_peak(x) ** 2 / _error(y, x))
        ),
        "less error, more decibels: see the sign": lambda y, x: -decibels(_peak(x), _error(y, x)),
        "the mean of the squares, not their sum": (
            lambda y, x: decibels(_peak(x), _error(y, x) * x.size)
        ),
    }
    check(function, cases, lambda y, x: decibels(_peak(x), _error(y, x)), mistakes)


def byte_mistakes(peak: Callable[[np.ndarray], float]) -> dict[str, Answer]:
    """What goes wrong in a PSNR of bytes, for ``check``. peak: of an image of that type."""

    def differing(difference: Answer) -> Answer:
        def wrong(restored: np.ndarray, clean: np.ndarray) -> float:
            if clean.dtype != np.uint8:
                raise TypeError("these are mistakes with bytes")
            return 10 * np.log10(peak(clean) ** 2 / np.mean(difference(restored, clean) ** 2))

        return wrong

    return {
        "bytes wrap around, in differences and in squares": differing(lambda y, x: y - x),
        "the difference has wrapped around before it became a float": (
            differing(lambda y, x: (y - x).astype(float))
        ),
        "the squares do not fit into 16 bits": (
            differing(lambda y, x: y.astype(np.int16) - x.astype(np.int16))
        ),
        "int8 ends at 127": (
            differing(lambda y, x: y.astype(np.int8).astype(float) - x.astype(np.int8))
        ),
    }


def _error(restored: np.ndarray, clean: np.ndarray) -> float:
    return np.mean((restored.astype(np.float64) - clean.astype(np.float64)) ** 2)


def _peak(image: np.ndarray) -> float:
    return 255.0 if image.dtype == np.uint8 else 1.0


@exercise
def shots_needed(function: Answer, *, seed: int = 0) -> None:
    """(σ of one shot, wanted PSNR in dB) → how many shots must be averaged, at least 1."""
    rng = np.random.default_rng(seed)

    def shots(sigma: float, decibels: float) -> float:
        return (sigma * 10 ** (decibels / 20) / 255) ** 2

    cases = []
    for low, high in ((0.1, 0.4), (4.01, 4.04), (9.6, 9.9), (110, 390)):
        decibels = round(rng.uniform(20, 35), 1)
        sigma = round(255 / 10 ** (decibels / 20) * rng.uniform(low, high) ** 0.5, 3)
        cases.append((sigma, decibels))
    cases += [(76.5, 20), (153.0, 20)]  # exactly 9 and 36
    mistakes = {
        "shots are whole": shots,
        "so many shots fall just short: which way do you round?": (
            lambda *case: max(1, math.floor(shots(*case)))
        ),
        "one shot is the least": lambda *case: math.floor(shots(*case)),
        "rounding to the nearest sometimes falls short": lambda *case: max(1, round(shots(*case))),
        "one too many where it comes out even": lambda *case: math.floor(shots(*case)) + 1,
        "the σ of a mean of n shots is σ/√n, not σ/n": lambda *case: math.ceil(shots(*case) ** 0.5),
        "is it 10 or 20 times the logarithm?": lambda s, db: math.ceil(shots(s, 2 * db)),
    }
    check(function, cases, lambda *case: max(1, math.ceil(shots(*case))), mistakes)
