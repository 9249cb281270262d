"""Interactive views over the public functions. No mathematics in here.

Each widget is a pure function from settings to pictures and numbers, and a thin view that shows
what that function returns; the lessons call the same function in plain code.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import ipywidgets
import numpy as np
from torch import nn

from .degrade import add_gaussian_noise
from .engine import denoise
from .metrics import psnr


@dataclass(frozen=True)
class Restoration:
    """One noisy picture and what the model makes of it: arrays (H, W[, 3]), PSNRs in dB."""

    sigma: float
    noisy: np.ndarray
    restored: np.ndarray
    noisy_psnr: float
    restored_psnr: float

    @property
    def summary(self) -> str:
        """One sentence with the numbers."""
        return (
            f"σ = {self.sigma:g}: noisy {self.noisy_psnr:.1f} dB, "
            f"restored {self.restored_psnr:.1f} dB "
            f"({self.restored_psnr - self.noisy_psnr:+.1f} dB)"
        )


def restore_at(clean: np.ndarray, sigma: float, model: nn.Module, *, seed: int = 0) -> Restoration:
    """Add Gaussian noise of that σ (0–255 scale) to ``clean`` and restore it with ``model``."""
    noisy = add_gaussian_noise(clean, sigma, seed=seed)
    restored = denoise(noisy, model)
    return Restoration(
        sigma,
        noisy,
        restored,
        psnr(noisy, clean, data_range=1.0),
        psnr(restored, clean, data_range=1.0),
    )


def noise_slider(
    clean: np.ndarray, model: nn.Module, *, sigma: int = 25, maximum: int = 75, zoom: int = 2
) -> ipywidgets.VBox:
    """A slider for σ over the noisy picture (left) and the restored one (right).

    clean: (H, W) or (H, W, 3) in [0, 1]; some 160×160 pixels follow the hand on a laptop. zoom:
    screen pixels for each pixel of the picture. The children are the slider, the sentence with the
    numbers and the picture.
    """
    slider = ipywidgets.IntSlider(
        value=sigma,
        min=0,
        max=maximum,
        description="noise σ",
        continuous_update=True,
        layout=ipywidgets.Layout(width="480px"),
    )
    words = ipywidgets.Label()
    height, width = clean.shape[:2]
    picture = ipywidgets.Image(
        format="png",
        width=zoom * (2 * width + 8),
        height=zoom * height,
        layout={"max_width": "100%"},
    )

    def update(_change: object = None) -> None:
        result = restore_at(clean, slider.value, model)
        picture.value = side_by_side(result.noisy, result.restored, zoom=zoom)
        words.value = result.summary

    update()
    slider.observe(update, names="value")
    return ipywidgets.VBox([slider, words, picture])


def side_by_side(*images: np.ndarray, zoom: int = 1, gap: int = 8) -> bytes:
    """Images of one height, (H, W) or (H, W, 3) in [0, 1], as one PNG with a white gap between."""
    from PIL import Image

    height = images[0].shape[0]
    white = np.ones((height, gap) + images[0].shape[2:], images[0].dtype)
    columns = [part for image in images for part in (white, image)][1:]
    pixels = np.round(np.clip(np.concatenate(columns, axis=1), 0, 1) * 255).astype(np.uint8)
    pixels = pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()
