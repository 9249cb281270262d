"""Lesson 12b: blurs and holes, total variation, textures with a known law."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import picture, raises, seeded
from scipy.ndimage import convolve
from scipy.stats import kurtosis
from torch import nn

import dncnn_lib as dn
from dncnn_lib.lessons import prior
from dncnn_lib.show.pictures import side_by_side

pytestmark = pytest.mark.usefixtures("one_thread")


# -------------------------------------------------------------------------------- blurs and holes


def test_a_shaken_camera_is_a_mean_along_the_diagonal():
    x = np.random.default_rng(0).random((20, 20))
    blurred = np.fft.ifft2(prior.shake(20, 5) * np.fft.fft2(x)).real
    assert np.allclose(blurred, convolve(x, np.eye(5) / 5, mode="wrap"))
    with raises(ValueError, "length is 4, but must be an odd number of at most 20"):
        prior.shake(20, 4)
    with raises(ValueError, "length is 21, but must be an odd number of at most 20"):
        prior.shake(20, 21)


def test_holes_take_the_nearest_known_pixel():
    x = np.arange(12.0).reshape(2, 6)
    known = np.zeros((2, 6), bool)
    known[:, [0, 5]] = True
    assert prior.filled(x, known).tolist() == [[0, 0, 0, 5, 5, 5], [6, 6, 6, 11, 11, 11]]


def total_variation(x: np.ndarray) -> float:
    down, right = np.zeros_like(x), np.zeros_like(x)
    down[:-1], right[:, :-1] = np.diff(x, axis=0), np.diff(x, axis=1)
    return float(np.hypot(down, right).sum())


def test_deblurring_by_total_variation_minimises_its_energy(clean):
    """No other picture nearby, and none that is left after fewer steps, has a smaller one."""
    x, transform, weight = picture(24, 24), prior.shake(24, 3), 0.01
    rng = np.random.default_rng(0)
    y = np.fft.ifft2(transform * np.fft.fft2(x)).real + 0.03 * rng.standard_normal(x.shape)

    def energy(found: np.ndarray) -> float:
        misfit = np.fft.ifft2(transform * np.fft.fft2(found)).real - y
        return float((misfit**2).sum()) / 2 + weight * total_variation(found)

    found = prior.tv_deblurred(y, transform, weight)
    short = prior.tv_deblurred(y, transform, weight, steps=3)
    assert energy(found) < energy(short) < energy(y)
    for size in (0.03, 0.01, 0.003):
        for toward in (rng.standard_normal(x.shape), x - found, y - found, found - found.mean()):
            for sign in (-1, 1):
                assert energy(found + sign * size * toward) > energy(found) - 1e-4
    assert dn.psnr(found.clip(0, 1), x, data_range=1.0) > dn.psnr(y.clip(0, 1), x, data_range=1.0)


def test_filling_by_total_variation_keeps_what_is_known():
    x = np.zeros((16, 16))
    x[:, 8:] = 1
    known = np.random.default_rng(0).random(x.shape) < 0.6
    found = prior.tv_filled(np.where(known, x, 0.3), known, steps=100)
    assert np.array_equal(found[known], x[known])
    inside = np.ones(x.shape, bool)
    inside[:, 7:9] = False
    assert abs(found - x)[inside].max() < 0.05


def test_the_slider_shows_the_iterates_of_each_method(clean):
    paths = {"first": [clean / 2, clean], "second": [1 - clean, clean / 4]}
    slider, switch, words, shown = prior.path_slider(paths, clean, [30.4, 8]).children
    assert switch.options == ("first", "second")
    assert [label for label, _ in slider.options] == ["1", "2"]
    for name, path in paths.items():
        for number, level in enumerate((30, 8)):
            switch.value, slider.value = name, number
            psnr = dn.psnr(path[number], clean, data_range=1.0)
            told = f"{name}, after the step with σ = {level}: {psnr:.1f} dB"
            assert words.value == shown.alt == told
            assert shown.value == side_by_side(path[number], clean, zoom=2)


# --------------------------------------------------------------------------------- pictures by law


def test_clouds_have_the_deviation_and_the_waves_that_are_asked_for():
    x = prior.clouds(64, 0.2, seed=3)
    assert x.mean() == pytest.approx(0.5) and x.std() == pytest.approx(0.2)
    assert not np.array_equal(x, prior.clouds(64, 0.2, seed=4))
    waves = np.mean(
        [np.abs(np.fft.fft2(prior.clouds(64, seed=seed))) ** 2 for seed in range(200)], axis=0
    )
    slope = np.log(waves[0, 4:24].sum() / waves[0, 8:28].sum())
    far, near = waves[0, 16] + waves[16, 0], waves[0, 4] + waves[4, 0]
    assert near / far == pytest.approx(4**3, rel=0.5) and slope > 0


def test_textures_have_their_spectrum():
    textures, spectrum = prior.gaussian_textures(200, 32, seed=1)
    x = np.stack(textures) / 255 - 0.5
    assert textures[0].dtype == np.uint8 and len(textures) == 200
    found = np.mean(np.abs(np.fft.fft2(x)) ** 2, axis=0) / 32**2
    assert np.allclose(found, spectrum, rtol=0.5)
    assert np.mean(found / spectrum) == pytest.approx(1, abs=0.02)
    assert x.std() == pytest.approx(0.13, abs=0.005)
    assert not np.array_equal(textures[0], prior.gaussian_textures(1, 32, seed=2)[0][0])


def test_the_kurtosis_is_that_of_scipy():
    x = np.random.default_rng(0).laplace(size=(30, 40))
    assert prior.kurtosis_of_slopes(x) == pytest.approx(
        kurtosis(np.diff(x, axis=1), axis=None, fisher=False)
    )
    flat = np.random.default_rng(0).standard_normal((200, 200))
    assert prior.kurtosis_of_slopes(flat) == pytest.approx(3, abs=0.1)


class Matrix(nn.Module):
    """Multiplies a picture, as a row of numbers, by a matrix."""

    def __init__(self, matrix: torch.Tensor) -> None:
        super().__init__()
        self.matrix = matrix

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return (noisy.reshape(-1) @ self.matrix).reshape(noisy.shape)


def test_asymmetry_is_that_of_the_jacobian():
    square = torch.randn((60, 60), generator=seeded())
    x = np.random.default_rng(0).random((6, 10))
    assert prior.asymmetry(Matrix(square + square.T), x) < 1e-5
    exact = (torch.linalg.norm(square - square.T) / torch.linalg.norm(square + square.T)).item()
    assert prior.asymmetry(Matrix(square), x, probes=200) == pytest.approx(exact, rel=0.05)
    assert exact == pytest.approx(1, abs=0.1)
    curved = prior.asymmetry(nn.Sequential(Matrix(square), nn.Softplus()), x)
    assert 0.5 < curved < 2


def test_the_textures_score_is_the_best_denoisers_residual():
    """Tweedie's formula: Wiener's filter gives the smallest error, and its residual is −σ² times
    the score of normal numbers, S + σ² their variance in each wave."""
    textures, spectrum = prior.gaussian_textures(20, 32)
    variance = (25 / 255) ** 2
    rng = np.random.default_rng(0)

    def error(strength: float) -> float:
        total = 0.0
        for texture in textures:
            x = texture / 255
            y = x + variance**0.5 * rng.standard_normal(x.shape)
            score = -np.fft.ifft2(np.fft.fft2(y - 0.5) / (spectrum + variance)).real
            total += float(((y + strength * variance * score - x) ** 2).mean())
        return total

    assert error(1.0) < min(error(0.8), error(1.2))
