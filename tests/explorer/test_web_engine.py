"""The browser's degradations and measures beside Python's. Skipped where there is no Node."""

from __future__ import annotations

import node
import numpy as np
import pytest
import torch
from node import WEB, call

import dncnn_lib as dn
from dncnn_lib.degrade import KINDS
from dncnn_lib.explorer import view

pytestmark = pytest.mark.skipif(not node.node(), reason="needs Node: apt install nodejs")

LEVELS = [
    *(("Gaussian", level) for level in (0, 25, 75)),
    *(("Poisson", level) for level in (1, 40, 200)),
    *(("salt and pepper", level) for level in (0, 5, 50)),
    *(("quantisation", level) for level in (2, 6, 64)),
    *(("down-up", level) for level in (2, 3, 8)),
    *(("JPEG", level) for level in (1, 10, 49, 50, 90, 100)),
    *(("phone camera", level) for level in (100, 3200, 25600)),
]
ROUNDED = ("JPEG", "phone camera", "quantisation")
"""Their values are steps, so that what is almost equal before can lie a step apart."""


def crop(grey):
    """A corner of odd size: its last blocks are not whole."""
    return np.ascontiguousarray(dn.sample_image("dogs", grey=grey)[100:169, 80:171])


def degraded(clean, noise, level, seed):
    return (
        dn.apply(KINDS[noise].degradation(level), clean, seed),
        (WEB / "degrade.js", "degrade", clean, {"noise": noise, "level": level, "seed": seed}),
    )


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_the_random_numbers_are_those_of_pytorch(seed):
    file = WEB / "random.js"
    counts = (1, 2, 7, 15, 16, 17, 33, 100_003)
    calls = [(file, "Generator", seed, "uniform", 1000)]
    calls += [(file, "Generator", seed, "normal", count) for count in counts]
    uniform, *normal = call(*calls)
    assert np.array_equal(uniform, torch.rand(1000, generator=generator(seed)).numpy())
    for count, found in zip(counts, normal):
        expected = torch.randn(count, generator=generator(seed)).numpy()
        assert np.abs(found - expected).max() < 4e-6, count


def generator(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("grey", [True, False], ids=["grey", "colour"])
def test_every_kind_degrades_as_python_does(grey):
    cases = [degraded(crop(grey), noise, level, 3) for noise, level in LEVELS]
    for (noise, level), (expected, _), found in zip(LEVELS, cases, call(*[c for _, c in cases])):
        away = np.abs(found - expected)
        assert found.shape == expected.shape, noise
        if noise in ROUNDED:
            assert np.mean(away > 1e-6) < 0.002, (noise, level, np.mean(away > 1e-6))
        else:
            assert away.max() < 4e-6, (noise, level)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (2, 3, 3), (5, 16, 3), (1, 40), (17, 33, 3)])
def test_small_pictures_are_degraded_as_in_python(shape):
    clean = np.random.default_rng(0).random(shape).astype(np.float32)
    cases = [degraded(clean, noise, KINDS[noise].start, 5) for noise in KINDS]
    for noise, (expected, _), found in zip(KINDS, cases, call(*[c for _, c in cases])):
        found = found.reshape(expected.shape)
        away = np.abs(found - expected)
        assert np.mean(away > 4e-6) <= (0.01 if noise in ROUNDED else 0), noise


def test_what_is_measured_is_what_python_measures():
    for grey in (True, False):
        clean = crop(grey)
        noisy = dn.add_gaussian_noise(clean, 40, seed=1)
        restored = dn.denoise(noisy, view.Median())
        shown = view.Comparison(clean, noisy, restored)
        expected = view.Exploration(view.Setting(), "median 3×3", shown).numbers()
        file = WEB / "measures.js"
        images = {"clean": clean, "noisy": noisy, "restored": restored}
        numbers, psnr, noisy_psnr, same = call(
            (file, "numbers", images),
            (file, "psnr", restored, clean, True),
            (file, "psnr", noisy, clean),
            (file, "psnr", clean, clean),
        )
        assert (psnr, noisy_psnr) == pytest.approx((expected.psnr, expected.degraded_psnr), 1e-9)
        assert numbers["ssim"] == pytest.approx(expected.ssim, abs=1e-9)
        assert numbers["noisySsim"] == pytest.approx(expected.degraded_ssim, abs=1e-9)
        assert numbers["noiseStd"] == pytest.approx(expected.noise_std, rel=1e-5)
        assert numbers["autocorrelation"] == pytest.approx(expected.autocorrelation, abs=1e-9)
        removed = 255 * view.first_channel(shown.removed).astype(np.float64)
        assert numbers["removedStd"] == pytest.approx(removed.std(), rel=1e-5)
        counts = np.histogram(np.clip(removed, -100, 100), np.linspace(-100, 100, 101))[0]
        assert numbers["histogram"] == pytest.approx(counts / removed.size, abs=1e-4)
        assert same == np.inf


def test_regions_too_small_to_measure():
    tiny = np.full((7, 3), 0.5, np.float32)
    (numbers,) = call(
        (WEB / "measures.js", "numbers", dict.fromkeys(("clean", "noisy", "restored"), tiny))
    )
    assert np.isnan(numbers["ssim"]) and len(numbers["autocorrelation"]) == 3
    assert np.isnan(numbers["autocorrelation"]).all()


@pytest.mark.parametrize("name", [name for name in view.sample_names()])
def test_grey_is_made_as_in_python(name):
    (grey,) = call((WEB / "image.js", "toGrey", dn.sample_image(name)))
    assert np.array_equal(grey, dn.sample_image(name, grey=True))


@pytest.mark.parametrize("shape", [(30, 40, 3), (700, 1030), (1, 5000, 3), (2047, 1500)])
def test_large_pictures_are_reduced_as_in_python(shape):
    large = np.random.default_rng(0).random(shape).astype(np.float32)
    (small,) = call((WEB / "image.js", "reduced", large, view.LONGEST_SIDE))
    expected = view.reduced(large)
    assert small.reshape(expected.shape) == pytest.approx(expected, abs=1e-6)


def test_bytes_are_those_of_python():
    values = np.linspace(-0.1, 1.1, 3 * 2000, dtype=np.float32).reshape(20, 100, 3)
    (found,) = call((WEB / "image.js", "toBytes", values))
    assert found == dn.images.as_uint8(values).ravel().tolist()
