"""Lesson 00: the noise slider."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

import dncnn_lib as dn
from dncnn_lib.lessons.start import noise_slider
from dncnn_lib.show.pictures import side_by_side


def test_moving_the_slider_changes_picture_and_words(clean, halve):
    slider, words, picture = noise_slider(clean, halve, sigma=10).children
    before = picture.value
    assert words.value.startswith("σ = 10: noisy ")
    slider.value = 60
    noisy = dn.add_gaussian_noise(clean, 60)
    degraded, restored = (
        peak_signal_noise_ratio(clean, image, data_range=1)
        for image in (noisy, np.clip(noisy / 2, 0, 1))
    )
    assert (
        words.value
        == picture.alt
        == (
            f"σ = 60: noisy {degraded:.1f} dB, restored {restored:.1f} dB "
            f"({restored - degraded:+.1f} dB)"
        )
    )
    assert picture.value == side_by_side(noisy, noisy / 2, zoom=2) != before


def test_colour_pictures_work_too(halve):
    clean = np.random.default_rng(0).random((12, 12, 3), dtype=np.float32)
    _, _, picture = noise_slider(clean, halve).children
    with Image.open(io.BytesIO(picture.value)) as image:
        assert np.asarray(image).shape == (24, 2 * (12 + 8 + 12), 3)
