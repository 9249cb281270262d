"""Lesson 11, Real photographs: what was measured of sensors, white noise as strong as a camera's,
noise moved to other pixels, spectra, real pairs, the ISO slider; and the checks of the exercises.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import torch
from torch import Tensor, nn

from .. import _check
from .._files import DATA
from ..camera import FINEST, PHONE, sensor_noise
from ..datasets import dataset_presence, load_dataset
from ..degrade import CameraNoise, Degradation, apply, white_noise
from ..evaluation import Comparison, restored_comparison
from ..metrics import autocorrelation, correlation
from ..records import RECORDS, read_comparison
from ..show.panels import panel
from ..show.pictures import COLOURS, SERIES, screen_width, side_by_side
from .check import from_keys

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ISO = (100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600)
"""The settings of a camera, each twice as sensitive as the one before."""

BETWEEN = {
    100: (1.7e-6, 1.4e-5),
    400: (4.9e-6, 4.2e-5),
    1600: (1.8e-5, 1.6e-4),
    3200: (3.1e-5, 2.6e-4),
    6400: (5.4e-5, 4.0e-4),
    12800: (1.2e-4, 7.1e-4),
    25600: (1.9e-4, 7.7e-4),
}
"""By ISO, between which values a of the middle four fifths of 374 cameras lies, as darktable 4.2.1
measured it (``noiseprofiles.json``, green): in its finest band, ``camera.FINEST`` times less than
in a pixel."""

MEASURED = {
    "Canon 5D Mark III": (1.55e-6, 2.68e-6, 4.86e-6, 9.20e-6, 1.76e-5, 3.49e-5, 6.85e-5),
    "Nikon D3": (None, 1.34e-6, 2.60e-6, 5.11e-6, 1.03e-5, 2.12e-5, 4.53e-5),
    "Nikon D300": (None, 3.93e-6, 6.33e-6, 1.15e-5, 2.66e-5),
}
"""The a of three cameras from the same file, for as many of ``ISO``, None where there is none."""

_STEPS = 16_383  # of a raw file with 14 bits
ELECTRONS = {
    "Canon 5D Mark III": (67_684, 34_146, 16_835, 8_735, 4_288, 2_197, 1_085),
    "Nikon D3": (None, *(_STEPS * gain for gain in (3.88, 1.84, 0.91, 0.46, 0.24, 0.12))),
    "Nikon D300": (None, *(_STEPS * gain for gain in (1.27, 0.60, 0.30, 0.15))),
}
"""Electrons in a white pixel of the same cameras at the same ISO, as their owners counted them
without darktable. Canon: forum of Magic Lantern, topic 10111. Nikon: electrons for each step of the
raw file, Bill Claff, photonstophotos.net, "D300 (and D3) Gain", rounded to hundredths."""


def sensor_ratios() -> dict[str, list[float]]:
    """By camera, the shot noise a that darktable's number gives, ``camera.FINEST`` times that, over
    the one that the counted electrons give; for each ISO."""
    return {
        name: [FINEST * a * n for a, n in zip(MEASURED[name], counted) if n is not None]
        for name, counted in ELECTRONS.items()
    }


def plot_sensors(ax: Axes | None = None) -> Axes:
    """The shot noise a against ISO: of three cameras by darktable (lines) and by their
    ``ELECTRONS`` (markers), of four fifths of all, of our camera and of our phone."""
    from matplotlib import pyplot as plt

    ax = plt.subplots(figsize=(7.5, 4.6), layout="constrained")[1] if ax is None else ax
    low, high = FINEST * np.array(list(BETWEEN.values())).T
    ax.fill_between(
        list(BETWEEN), low, high, color=COLOURS["clean"], alpha=0.15, label="of 374 cameras"
    )
    a = sensor_noise(torch.tensor(ISO, dtype=torch.float64))[0].numpy()
    ax.plot(ISO, a, color=COLOURS["clean"], lw=2, label="CameraNoise, light = 1")
    ax.plot(ISO, a / PHONE, "--", color=COLOURS["noisy"], lw=2, label="CameraNoise, light = PHONE")
    for name, colour, marker in zip(ELECTRONS, SERIES, "os^"):
        known = [
            (iso, FINEST * measured, 1 / counted)
            for iso, measured, counted in zip(ISO, MEASURED[name], ELECTRONS[name])
            if counted is not None
        ]
        x, by_darktable, by_electrons = zip(*known)
        ax.plot(x, by_darktable, color=colour, lw=1)
        ax.plot(x, by_electrons, marker, color=colour, ms=5, label=f"{name}, counted")
    ax.set(xscale="log", yscale="log", xlabel="ISO", ylabel="shot noise a")
    ax.set_xticks(ISO, [f"{iso:,}" for iso in ISO], rotation=30)
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)
    return ax


def sensor_draw(height: int, width: int, seed: int = 0) -> np.ndarray:
    """The independent numbers from N(0, 1), (H, W) float32, that ``apply(CameraNoise(...), image,
    seed)`` gives to the pixels of its sensor; before them it draws two more, for ISO and light."""
    generator = torch.Generator().manual_seed(_check.seed("seed", seed))
    torch.rand(2, generator=generator)
    return torch.randn((height, width), generator=generator).numpy()


@dataclass(frozen=True)
class WhiteAsStrong(Degradation):
    """White Gaussian noise, on each image exactly as strong as what another degradation adds.

    like: that other one. With one seed, ``apply`` gives an image the same PSNR by either.
    """

    like: Degradation

    def degrade(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        noise = self.like(clean, generator) - clean
        white = white_noise(clean, generator)
        ratio = noise.square().mean((1, 2, 3)) / white.square().mean((1, 2, 3))
        return clean + ratio.sqrt().view(-1, 1, 1, 1) * white


def shuffled(
    noise: np.ndarray,
    clean: np.ndarray,
    seed: int = 0,
    *,
    together: bool = False,
    group: int = 64,
) -> np.ndarray:
    """The same noise on other pixels of the same brightness: its values, and how they depend on the
    brightness, stay; what neighbours had in common is gone.

    noise, clean: (H, W, 3). together: the three values of a pixel move together, by its mean
    brightness, so that the colours keep what they have in common; else each colour is moved on its
    own. group: the pixels, sorted by brightness, change places within groups of so many.
    """
    if noise.shape != clean.shape or noise.ndim != 3:
        _check.fail("noise's shape", noise.shape, f"(H, W, 3), and that of clean, {clean.shape}")
    rng = np.random.default_rng(_check.seed("seed", seed))
    moved = noise.reshape(-1, noise.shape[2]).copy()
    brightness = clean.reshape(moved.shape)
    places = np.arange(len(moved))
    for channel in range(moved.shape[1]):
        key = brightness.mean(axis=1) if together else brightness[:, channel]
        by_brightness = np.lexsort((rng.random(len(key)), key))
        new_order = np.lexsort((rng.random(len(key)), places // group))
        chosen = slice(None) if together else channel
        moved[by_brightness, chosen] = moved[by_brightness[new_order], chosen]
        if together:
            break
    return moved.reshape(noise.shape)


def character(noise: np.ndarray) -> dict[str, float]:
    """A noise in five numbers: its standard deviation on the 0–255 scale, and how far two pixels of
    a row, one, two and four apart, and the colours of one pixel have it in common.

    noise: (H, W, 3) in units of [0, 1]. The correlations are means over the channels, and over
    red with green and green with blue.
    """
    along = np.mean([autocorrelation(noise[..., c], 4) for c in range(3)], axis=0)
    pairs = [correlation(noise[..., c], noise[..., c + 1]) for c in range(2)]
    return {
        "std": 255 * float(noise.std()),
        "neighbours": float(along[1]),
        "two_apart": float(along[2]),
        "four_apart": float(along[4]),
        "colours": float(np.mean(pairs)),
    }


def spectrum(noises: Sequence[np.ndarray], bins: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """The power of noise by its fineness: white noise of standard deviation s has s² everywhere.

    noises: (H, W, 3), all of one size; averaged over them, their channels and all directions.
    Returns (bins,) frequencies in waves a pixel, up to 0.5, and the power at each, in the square of
    the noises' unit. The mean of a noise is left out.
    """
    height, width = noises[0].shape[:2]
    power = np.mean([np.abs(np.fft.fft2(v, axes=(0, 1))) ** 2 for v in noises], axis=(0, 3))
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    ring = (2 * bins * radius).astype(int)
    seen = (radius > 0) & (ring < bins)
    count = np.bincount(ring[seen], minlength=bins)
    mean = [np.bincount(ring[seen], values[seen], bins) / count for values in (radius, power)]
    return mean[0], mean[1] / (height * width)


def middle(image: np.ndarray, side: int) -> np.ndarray:
    """The square in the middle of a picture. image: (H, W) or (H, W, 3); side in pixels, no more
    than H or W."""
    _check.integer("side", side, at_least=1)
    if side > min(image.shape[:2]):
        _check.fail("side", side, f"at most {min(image.shape[:2])}, for image {image.shape}")
    top, left = ((length - side) // 2 for length in image.shape[:2])
    return image[top : top + side, left : left + side]


def real_pairs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The 15 pairs of CC15 (noisy, mean of many shots), (512, 512, 3) float32, by camera, ISO and
    number; none where the set is not on this machine.

    Source: Nam et al., "A Holistic Approach to Cross-Channel Image Noise Modeling and its
    Application to Image Denoising", CVPR 2016. Not for commercial use; nothing is downloaded here.
    """
    if dataset_presence("CC15")[0] < 30:
        return {}
    images = load_dataset("CC15", download=False)
    names = [name.removesuffix("_real.png") for name in images if name.endswith("_real.png")]
    return {name: (images[f"{name}_real.png"], images[f"{name}_mean.png"]) for name in names}


def recorded_noise() -> list[dict[str, str]]:
    """The rows of ``data/tables/real_noise.csv``: the noise of each real pair, and what
    ``CameraNoise`` makes of its clean picture at the same ISO, as ``character`` describes them."""
    with open(DATA / "tables" / "real_noise.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def recorded_pairs() -> list[dict[str, str]]:
    """The rows of ``data/tables/real_pairs.csv``: PSNR in dB of the middle of each real pair, and
    of the same clean picture with ``CameraNoise``, before (``noisy``) and after each denoiser."""
    with open(DATA / "tables" / "real_pairs.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def recorded_cure() -> dict[str, dict[str, list[float]]]:
    """What ``cdncnn-b-small`` gains in dB after a few steps more, a number for each seed:
    ``data/runs/photographs.csv``, by what those were on, then by what it was measured on.

    "nothing" is the network that all began from, and has one number.
    """
    runs = read_comparison(RECORDS / "photographs.csv")
    noisy = {noise: last.val_psnr for (name, noise, _), (last,) in runs.items() if name == "noisy"}
    gains: dict[str, dict[str, list[float]]] = {}
    for (name, noise, _), (last,) in runs.items():
        if name != "noisy":
            gains.setdefault(name, {}).setdefault(noise, []).append(last.val_psnr - noisy[noise])
    return gains


def iso_words(iso: int, found: Mapping[str, Comparison]) -> str:
    """A sentence with the PSNRs. found: by the name of the network, all of one noisy picture."""
    noisy = next(iter(found.values())).degraded_psnr
    restored = ", ".join(f"{name} {shown.psnr:.1f} dB" for name, shown in found.items())
    return f"a phone at ISO {iso:,}: noisy {noisy:.1f} dB, {restored}"


def iso_explorer(
    clean: np.ndarray, models: Mapping[str, nn.Module], *, iso: int = 6400, zoom: int = 2
) -> ipywidgets.VBox:
    """A slider for the ISO of a phone over the noisy picture and, to its right, what each model
    makes of it.

    clean: (H, W, 3) in [0, 1]; some 128×128 pixels follow the hand on a laptop. The children are
    the slider, the sentence and the picture.
    """
    slider = ipywidgets.SelectionSlider(
        options=[(f"{value:,}", value) for value in ISO],
        value=iso,
        description="ISO",
        layout=ipywidgets.Layout(width="480px"),
    )

    def answer() -> tuple[bytes, str]:
        noisy = apply(CameraNoise(slider.value, PHONE), clean)
        found = {name: restored_comparison(clean, noisy, model) for name, model in models.items()}
        pictures = [noisy, *(shown.restored for shown in found.values())]
        return side_by_side(*pictures, zoom=zoom), iso_words(slider.value, found)

    return panel([slider], answer, width=screen_width(clean, zoom, 1 + len(models)))


__getattr__, __dir__ = from_keys(
    __name__, "noise_in_file", "photon_transfer", "interpolated_variance"
)
