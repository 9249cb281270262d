"""Lesson 07: which network at which noise, and the figures of both."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
import torch
from helpers import raises
from skimage.metrics import peak_signal_noise_ratio

from dncnn_lib.degrade import GaussianNoise
from dncnn_lib.evaluation import compare
from dncnn_lib.lessons.blind import (
    network_slider,
    plot_gain_and_shift,
    plot_levels,
    plot_matrix,
    removal_words,
)
from dncnn_lib.show.pictures import side_by_side


def test_the_words_have_the_numbers_of_other_libraries(clean, found):
    noisy = peak_signal_noise_ratio(clean, found.degraded, data_range=1)
    restored = peak_signal_noise_ratio(clean, found.restored.clip(0, 1), data_range=1)
    spread = 255 * np.std(found.degraded - found.restored)
    assert removal_words("dncnn-b", 12.5, found) == (
        f"dncnn-b, σ = 12.5: noisy {noisy:.1f} dB, restored {restored:.1f} dB "
        f"({restored - noisy:+.1f} dB); removed: std {spread:.1f}"
    )


def test_switch_and_slider_choose_network_and_noise(clean, halve):
    networks = {"halve": halve, "leave": torch.nn.Identity()}
    switch, slider, words, picture = network_slider(clean, networks, sigma=10).children
    assert switch.value == "halve" and slider.value == 10 and slider.max == 75
    for network, sigma in (("leave", 10), ("leave", 75), ("halve", 0)):
        switch.value, slider.value = network, sigma
        found = compare(clean, GaussianNoise(sigma), networks[network])
        assert words.value == picture.alt == removal_words(network, sigma, found)
        shown = (found.degraded, found.restored, found.degraded - found.restored + 0.5)
        assert picture.value == side_by_side(*shown, zoom=2)
    with raises(ValueError, "networks is {}, but must be at least one network"):
        network_slider(clean, {})


def test_a_matrix_has_every_number_and_frames_the_best_of_each_column(figures):
    rows = {"a": [30.0, 20.0, 9.96], "b": [20.0, 25.04, 9.9]}
    ax = plot_matrix(rows, (5, 25, 50), xlabel="σ", ylabel="trained with")
    texts = {tuple(map(round, text.get_position())): text.get_text() for text in ax.texts}
    assert texts == {
        (0, 0): "30.0", (1, 0): "20.0", (2, 0): "10.0",
        (0, 1): "20.0", (1, 1): "25.0", (2, 1): "9.9",
    }  # fmt: skip
    frames = [(round(p.get_x() + 0.47), round(p.get_y() + 0.46)) for p in ax.patches]
    assert frames == [(0, 0), (1, 1), (2, 0)]
    behind = ax.images[0].get_array()
    np.testing.assert_allclose(behind, [[0, 5.04, 0], [10, 0, 0.06]])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["5", "25", "50"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    with raises(ValueError, "rows['b']'s length is 1, but must be 2, as columns has"):
        plot_matrix({"a": [1, 2], "b": [1]}, "xy", xlabel="", ylabel="")


def test_a_matrix_can_be_read_on_its_colours(figures):
    """WCAG 2: at least 4.5:1 for the numbers in the cells, from the best to far behind it."""
    behind = np.linspace(0, 15, 31)
    ax = plot_matrix({"best": [40.0] * 31, "b": 40 - behind}, behind, xlabel="", ylabel="")
    image = ax.images[0]
    for text in ax.texts:
        column, row = map(round, text.get_position())
        shown = image.cmap(image.norm(image.get_array()[row, column]))[:3]
        a, b = (luminance(colour) for colour in (shown, matplotlib.colors.to_rgb(text.get_color())))
        assert (max(a, b) + 0.05) / (min(a, b) + 0.05) >= 4.5


def test_levels_show_every_seed_their_mean_and_the_noisy_picture(figures):
    noisy = np.array([20 * np.log10(255 / 5), 20 * np.log10(255 / 50)])
    gains = {"a": np.array([[1.0, 2.0], [3.0, 6.0]]), "b": np.array([[-1.0, 0.0]])}
    ax = plot_levels({name: noisy + gain for name, gain in gains.items()}, (5, 50))
    lines = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_markersize() == 0]
    np.testing.assert_allclose([line.get_ydata() for line in lines], [[2, 4], [-1, 0]], atol=1e-9)
    dots = [line.get_ydata() for line in ax.lines if line.get_linestyle() == "None"]
    np.testing.assert_allclose(dots, [[1, 2], [3, 6], [-1, 0]], atol=1e-9)
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(1) and band[:, 1].max() == pytest.approx(6)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "noisy picture"]


def test_gain_and_shift_are_drawn_above_the_noisy_picture(figures):
    left, right = plot_gain_and_shift((0.5, 1), (28, 30), (-1, 0, 1), (11, 30, 15), noisy=20).axes
    assert left.lines[0].get_xydata().tolist() == [[0.5, 28], [1, 30]]
    assert right.lines[0].get_xydata().tolist() == [[-1, 11], [0, 30], [1, 15]]
    assert all(ax.lines[1].get_ydata() == [20, 20] for ax in (left, right))


def luminance(colour):
    linear = np.array(colour)
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]
