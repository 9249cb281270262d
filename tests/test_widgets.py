"""The widgets, without a browser: move the slider, decode the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from dncnn_lib.metrics import psnr
from dncnn_lib.widgets import noise_slider, restore_at, side_by_side


class Halve(torch.nn.Module):
    """Not a denoiser: its result is known by heart."""

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return noisy / 2


@pytest.fixture
def clean() -> np.ndarray:
    return np.random.default_rng(0).random((24, 16), dtype=np.float32)


def decode(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image)


def test_restore_at_adds_that_noise_and_applies_the_model(clean):
    result = restore_at(clean, 25, Halve())
    assert np.std(result.noisy - clean) == pytest.approx(25 / 255, rel=0.15)
    np.testing.assert_array_equal(result.restored, result.noisy / 2)
    assert result.noisy_psnr == psnr(result.noisy, clean, data_range=1.0)
    assert "σ = 25" in result.summary


def test_side_by_side_is_the_images_with_a_gap(clean):
    pixels = decode(side_by_side(clean, 1 - clean, zoom=2, gap=3))
    assert pixels.shape == (48, 2 * (16 + 3 + 16))
    np.testing.assert_array_equal(pixels[::2, :32:2], np.round(clean * 255).astype(np.uint8))
    assert (pixels[:, 32:38] == 255).all()


def test_moving_the_slider_changes_picture_and_words(clean):
    slider, words, picture = noise_slider(clean, Halve(), sigma=10).children
    before = picture.value
    slider.value = 60
    assert words.value.startswith("σ = 60")
    assert picture.value != before
    expected = restore_at(clean, 60, Halve())
    assert picture.value == side_by_side(expected.noisy, expected.restored, zoom=2)


def test_colour_pictures_work_too():
    clean = np.random.default_rng(0).random((12, 12, 3), dtype=np.float32)
    _, _, picture = noise_slider(clean, Halve()).children
    assert decode(picture.value).shape == (24, 2 * (12 + 8 + 12), 3)
