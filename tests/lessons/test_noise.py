"""Lesson 01: the noise explorer, three tests of a noise, and the estimate of σ."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import raises
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from dncnn_lib.degrade import KINDS, apply
from dncnn_lib.lessons.noise import (
    estimate_sigma,
    middle,
    noise_explorer,
    noise_words,
    plot_estimates,
    plot_noise,
    psnrs,
    spread_by_brightness,
)
from dncnn_lib.show.pictures import side_by_side


@pytest.mark.parametrize("kind", KINDS)
def test_the_words_have_the_numbers_of_other_libraries(clean, kind):
    level = KINDS[kind].start
    noisy = apply(KINDS[kind].degradation(level), clean, 3)
    v, x = (part.astype(np.float64) for part in (noisy - clean, clean))
    psnr = peak_signal_noise_ratio(clean, noisy, data_range=1)
    ssim = structural_similarity(
        noisy, clean, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    centred = v - v.mean()
    neighbours = (centred[:, 1:] * centred[:, :-1]).mean() / centred.var()
    with_image = (centred * (x - x.mean())).mean() / (v.std() * x.std())
    assert noise_words(kind, level, clean, noisy) == (
        f"{kind}, {KINDS[kind].level} {level}: PSNR {psnr:.1f} dB, SSIM {ssim:.2f}, "
        f"std {255 * v.std():.1f}; correlation of neighbours {neighbours:+.2f}, "
        f"with the image {with_image:+.2f}"
    )


def test_no_noise_at_all_has_no_correlation():
    black = np.zeros((24, 16), np.float32)
    assert noise_words("quantisation", 2, black, black) == (
        "quantisation, grey levels 2: PSNR inf dB, SSIM 1.00, std 0.0; "
        "correlation of neighbours +nan, with the image +nan"
    )


def test_the_explorer_follows_its_controls(clean):
    kind, slider, words, picture, histogram = noise_explorer(clean).children
    assert (kind.value, slider.value) == ("Gaussian", 25)
    for name, expected in KINDS.items():
        kind.value = name
        for level in (expected.start, expected.low, expected.high):
            slider.value = level
            noisy = apply(expected.degradation(level), clean, 0)
            noise = noisy - clean
            assert words.value == picture.alt == noise_words(name, level, clean, noisy)
            assert picture.value == side_by_side(noisy, noise + 0.5, zoom=2)
            assert f"standard deviation {255 * noise.std():.1f}" in histogram.value


# -------------------------------------------------------------------------- three tests of a noise


def test_spread_by_brightness_is_the_deviation_in_each_part():
    clean = np.repeat(np.linspace(0, 1, 500), 400).reshape(500, 400)
    noise = np.random.default_rng(0).standard_normal(clean.shape) * (0.1 + clean)
    brightness, spread = spread_by_brightness(noise, clean, bins=20)
    assert brightness.shape == spread.shape == (20,)
    np.testing.assert_allclose(spread, 0.1 + brightness, rtol=0.05)


def test_spread_by_brightness_leaves_out_rare_values():
    clean = np.full((30, 30), 0.25)
    clean[0, :5] = 0.9
    brightness, spread = spread_by_brightness(np.zeros((30, 30)), clean)
    np.testing.assert_allclose(brightness, [0.25])
    assert spread.tolist() == [0]
    nothing = spread_by_brightness(np.zeros((3, 3)), np.zeros((3, 3)))
    assert [part.size for part in nothing] == [0, 0]


def test_spread_by_brightness_needs_two_images_of_one_size():
    with raises(ValueError, "noise's shape is (2, 3), but must be that of clean, (3, 2)"):
        spread_by_brightness(np.zeros((2, 3)), np.zeros((3, 2)))


def test_the_tests_of_a_noise_are_on_the_0_255_scale(figures):
    rng = np.random.default_rng(0)
    clean = rng.random((100, 100))
    noise = rng.normal(0, 20 / 255, clean.shape)
    histogram, correlation, spread = plot_noise(noise, clean).axes
    heights, edges, _ = histogram.patches[0].get_data()
    assert heights.sum() == pytest.approx(100, abs=0.05)
    assert edges[-1] == pytest.approx(4.25 * 20, rel=0.03)
    (normal,) = histogram.lines
    assert np.sum(normal.get_ydata()) == pytest.approx(100, rel=0.01)
    assert histogram.get_title() == ""
    points = correlation.containers[0].markerline.get_xydata()
    assert points[0].tolist() == [0, 1] and np.abs(points[1:, 1]).max() < 0.05
    whole, by_brightness = spread.lines
    np.testing.assert_allclose(whole.get_ydata(), 20, rtol=0.03)
    np.testing.assert_allclose(by_brightness.get_ydata(), 20, rtol=0.1)


def test_the_tests_of_a_noise_tell_what_lies_beyond_the_axis(figures):
    noise = np.zeros((100, 100))
    noise[0, :40] = 0.5  # 0.4 % of the pixels, at 16 standard deviations
    histogram = plot_noise(noise, np.full_like(noise, 0.5)).axes[0]
    assert histogram.get_title() == "beyond the axis: 0.4 %"
    heights, _, _ = histogram.patches[0].get_data()
    assert heights.max() == pytest.approx(99.6) and heights[[0, -1]].tolist() == [0, 0]
    assert heights.max() < histogram.get_ylim()[1]


def test_the_tests_of_a_noise_where_no_brightness_is_frequent(figures):
    noise = np.random.default_rng(0).normal(size=(20, 20))
    whole, by_brightness = plot_noise(noise, np.linspace(0, 1, 400).reshape(20, 20)).axes[2].lines
    np.testing.assert_allclose(whole.get_ydata(), 255 * noise.std())
    assert not len(by_brightness.get_ydata())


# ------------------------------------------------------------------------------------------ σ alone


@pytest.mark.parametrize("sigma", [5, 25, 75])
def test_sigma_is_found_beside_a_smooth_picture_and_a_busy_part(sigma):
    rows, columns = np.mgrid[:240, :240] / 240
    clean = 0.5 + 0.3 * np.sin(3 * rows) * columns**2
    busy = np.random.default_rng(1).random((240, 240))
    clean[:, 100:] = busy[:, 100:]  # more than half, which the median alone would take for noise
    noise = np.random.default_rng(0).normal(0, sigma / 255, clean.shape)
    assert estimate_sigma(clean + noise) == pytest.approx(sigma, rel=0.05)


def test_sigma_is_overestimated_where_no_part_is_quiet():
    busy = np.random.default_rng(0).random((240, 240))
    assert estimate_sigma(busy) == pytest.approx(255 / np.sqrt(12), rel=0.15)
    assert estimate_sigma(np.full((60, 60), 0.5)) == 0


def test_estimates_are_drawn_against_the_truth(figures):
    ax = plot_estimates((1, 10, 75), {"a": [2, 11, 75], "b": [7, 12, 76]})
    drawn = {line.get_label(): line.get_ydata().tolist() for line in ax.lines}
    assert drawn == {"exact": [1, 10, 75], "a": [2, 11, 75], "b": [7, 12, 76]}
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_the_middle_of_an_image():
    image = np.arange(7 * 6 * 3).reshape(7, 6, 3)
    assert np.array_equal(middle(image, 2), image[2:4, 2:4])
    assert np.array_equal(middle(image[..., 0], 6), image[:6, :, 0])
    for size in (0, 7):
        message = f"size is {size}, but must be from 1 to 6, the image's shorter side"
        with raises(ValueError, message):
            middle(image, size)


def test_psnrs_are_those_of_each_image(clean):
    images = [clean + 0.1, np.float32(0.5) * clean]
    expected = [peak_signal_noise_ratio(clean, image, data_range=1) for image in images]
    assert np.allclose(psnrs(iter(images), [clean, clean]), expected)
    with pytest.raises(ValueError, match="shorter"):
        psnrs(images, [clean])
