"""Small plots as SVG text: the lengths of the bars are the numbers."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dncnn_lib.show.svg import correlation_svg, histogram_svg


def heights(svg: str) -> list[float]:
    return [float(height) for height in re.findall(r'<rect[^>]*height="([0-9.]+)"', svg)]


def test_the_histogram_is_a_share_of_the_pixels():
    svg = histogram_svg(np.full((10, 10), 0.5 / 255), width=200, height=120)
    bars = heights(svg)
    assert len(bars) == 100 and [i for i, bar in enumerate(bars) if bar] == [50]
    assert bars[50] == pytest.approx(98, abs=3)
    assert 'role="img"' in svg and "aria-label" in svg


def test_the_bars_are_the_histogram_of_numpy():
    noise = np.random.default_rng(0).normal(0, 20 / 255, (60, 60))
    bars = np.array(heights(histogram_svg(noise)))
    counts, _ = np.histogram(255 * noise, np.arange(-100, 101, 2))
    np.testing.assert_allclose(bars / bars.sum(), counts / noise.size, atol=1e-3)


def test_what_lies_outside_is_counted_at_the_ends():
    bars = heights(histogram_svg(np.array([[-3.0, -1.0, 1.0, 0.0]]), sigma=0.001))
    assert [i for i, bar in enumerate(bars) if bar] == [0, 50, 99]
    assert bars[0] == pytest.approx(2 * bars[99], abs=0.1) and bars[99] == bars[50]


def test_the_histogram_is_held_against_the_sigma_that_is_given():
    noise = np.random.default_rng(0).normal(0, 20 / 255, (40, 40))
    curves = [
        re.search(r'points="[^"]*"', histogram_svg(noise, sigma=sigma))[0]
        for sigma in (None, noise.std(), 0.2)
    ]
    assert curves[0] == curves[1] != curves[2]


def test_no_noise_at_all_has_a_histogram():
    svg = histogram_svg(np.zeros((24, 16), np.float32))
    assert "standard deviation 0.0 on the 0–255 scale" in svg and "nan" not in svg


def test_correlations_are_bars_up_and_down_from_lag_one():
    svg = correlation_svg(np.array([1, 0.25, -0.25, 0, 0.9]), 400, width=200, height=104)
    bars = re.findall(r'<rect x="[0-9.]+" y="([0-9.]+)" width="[0-9.]+" height="([0-9.]+)"', svg)
    assert bars == [("23.0", "20.0"), ("43.0", "20.0"), ("43.0", "0.0"), ("3.0", "40.0")]
    assert "1, 2 and 3 apart: +0.25, -0.25, +0.00" in svg
    assert re.findall(r'y1="([0-9.]+)"', svg) == ["43.0", "35.0", "51.0"]  # 2/√400 = 0.1


@pytest.mark.parametrize("correlation", [np.full(17, np.nan), np.ones(1)])
def test_where_there_is_no_correlation_that_is_said(correlation):
    assert correlation_svg(correlation, 400).startswith("<p>Nothing was removed")
