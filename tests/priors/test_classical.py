"""The classical filters against their formulas, computed without SciPy and scikit-image."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from helpers import picture

from dncnn_lib.priors.classical import (
    GaussianFilter,
    NonLocalMeans,
    TotalVariation,
    WaveletShrinkage,
)
from dncnn_lib.priors.classical import _multiple as multiple

pytestmark = pytest.mark.usefixtures("one_thread")


def restored(prior: type, noisy: np.ndarray, sigma: float) -> np.ndarray:
    return prior()(torch.from_numpy(noisy)[None, None], sigma / 255)[0, 0].numpy()


@pytest.mark.parametrize(
    ("sigma", "expected"), [(1, 0.6), (15, 0.6), (20, 0.65), (25, 0.7), (37.5, 0.8), (75, 0.9)]
)
def test_settings_between_those_that_were_measured(sigma, expected):
    assert multiple(sigma / 255, 0.6, 0.7, 0.9) == pytest.approx(expected)


@pytest.mark.parametrize(("sigma", "width"), [(15, 0.6), (25, 0.75), (50, 1.3)])
def test_gaussian_filter_is_a_convolution_with_a_gaussian(sigma, width):
    point = np.zeros((31, 31), np.float32)
    point[15, 15] = 1
    squares = (np.arange(31) - 15.0) ** 2
    expected = np.exp(-(squares[:, None] + squares) / (2 * width**2))
    assert np.abs(restored(GaussianFilter, point, sigma) - expected / expected.sum()).max() < 1e-4


@pytest.mark.parametrize(("sigma", "weight"), [(15, 0.6), (25, 0.7), (50, 0.9)])
def test_total_variation_moves_a_step_as_the_formula_says(sigma, weight):
    """Of a step of height 1 between strips of n columns, min TV + ‖x − y‖² / 2w is two flat strips,
    each w / n nearer to the other."""
    step = np.repeat(np.array([[0.0] * 4 + [1.0] * 4], np.float32), 9, axis=0)
    moved = weight * sigma / 255 / 4
    found = restored(TotalVariation, step, sigma)
    assert np.abs(found - np.where(step > 0.5, 1 - moved, moved)).max() < 0.1 * moved


def haar_once(image: np.ndarray) -> np.ndarray:
    """One level of the orthonormal Haar transform: (4, h/2, w/2), the mean of each 2×2 first."""
    a, b, c, d = (image[i::2, j::2] for i, j in itertools.product((0, 1), repeat=2))
    return np.stack([a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d]) / 2


def haar_back(bands: np.ndarray) -> np.ndarray:
    m, h, v, d = bands
    image = np.empty((2 * m.shape[0], 2 * m.shape[1]))
    for i, j in itertools.product((0, 1), repeat=2):
        image[i::2, j::2] = (m + (-1) ** j * h + (-1) ** i * v + (-1) ** (i + j) * d) / 2
    return image


@pytest.mark.parametrize("sigma", [15, 50])
def test_wavelet_shrinkage_is_bayes_shrink_under_36_shifts(sigma):
    noisy, variance = picture(16, 16), (sigma / 255) ** 2
    total = np.zeros((16, 16))
    for shift in itertools.product(range(6), repeat=2):
        bands = haar_once(np.roll(noisy.astype(np.float64), shift, (0, 1)))
        for band in bands[1:]:
            threshold = variance / np.sqrt(max((band**2).mean() - variance, 1e-12))
            band[...] = np.sign(band) * np.maximum(np.abs(band) - threshold, 0)
        total += np.roll(haar_back(bands), (-shift[0], -shift[1]), (0, 1))
    assert np.abs(restored(WaveletShrinkage, noisy, sigma) - total / 36).max() < 1e-5


@pytest.mark.parametrize(("sigma", "patch", "reach", "times"), [(25, 5, 6, 0.7), (50, 7, 10, 0.5)])
def test_non_local_means_is_its_formula(sigma, patch, reach, times):
    """With the weights that scikit-image cuts off at exp(−5), and the patches of its fast mode."""
    side = 2 * (reach + patch) + 1
    noisy = 0.5 + 0.15 * np.random.default_rng(0).standard_normal((side, side))
    half, middle, level = patch // 2, side // 2, sigma / 255
    blocks = np.lib.stride_tricks.sliding_window_view(noisy, (patch, patch))[..., 1:, 1:]
    own = blocks[middle - half, middle - half]
    value = weight = 0.0
    for i, j in itertools.product(range(middle - reach, middle + reach + 1), repeat=2):
        difference = (blocks[i - half, j - half] - own) ** 2 - 2 * level**2
        exponent = max(difference.sum() / patch**2, 0) / (times * level) ** 2
        w = np.exp(-exponent) if exponent < 5 else 0
        value, weight = value + w * noisy[i, j], weight + w
    found = restored(NonLocalMeans, noisy.astype(np.float32), sigma)[middle, middle]
    assert found == pytest.approx(value / weight, abs=2e-3)
