"""Lesson 00: the noise slider, and the checks of the exercises."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

import dncnn_lib as dn
from dncnn_lib.lessons import start
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


# ------------------------------------------------------------------------------------ the exercises


@pytest.fixture
def small(monkeypatch, halve):
    """Corners of the sample images, and a network that takes no time."""
    monkeypatch.setattr(start, "sample_image", corner)
    monkeypatch.setattr(start, "load_pretrained", {"dncnn-b": halve}.__getitem__)


def corner(name: str) -> np.ndarray:
    return dn.sample_image(name)[:40, :40]


def before_and_after(name, sigma):
    clean = corner(name)
    noisy = dn.add_gaussian_noise(clean, sigma, seed=0)
    return [peak_signal_noise_ratio(clean, image, data_range=1) for image in (noisy, noisy / 2)]


def gain(name, sigma):
    noisy, restored = before_and_after(name, sigma)
    return restored - noisy


def without_noise(name):
    clean = corner(name)
    return peak_signal_noise_ratio(clean, clean / 2, data_range=1)


@pytest.mark.parametrize("solution", [gain, without_noise])
def test_the_solutions_are_accepted(solution, small, accepted):
    assert accepted(getattr(start, solution.__name__), solution)


@pytest.mark.parametrize(
    ("exercise", "wrong"),
    [
        ("gain", lambda name, sigma: -gain(name, sigma)),
        ("gain", lambda name, sigma: gain(name, 25)),
        ("gain", lambda name, sigma: before_and_after(name, sigma)[1]),
        ("without_noise", lambda name: before_and_after(name, 75)[1]),
        ("without_noise", lambda name: float("inf")),
        ("without_noise", lambda name: None),
    ],
)
def test_wrong_answers_are_refused(exercise, wrong, small, refused):
    assert "expected" in refused(getattr(start, exercise), wrong)
