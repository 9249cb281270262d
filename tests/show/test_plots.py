"""Figures are checked by what they were drawn from."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from helpers import raises

from dncnn_lib.show.pictures import COLOURS
from dncnn_lib.show.plots import (
    plot_bands,
    plot_curves,
    plot_differences,
    plot_seeds,
    plot_training,
    show_images,
)
from dncnn_lib.training import Step

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    matplotlib.pyplot.close("all")


def test_each_image_pixel_is_one_figure_pixel():
    images = {"a": np.zeros((30, 50)), "b": np.ones((30, 50, 3))}
    figure = show_images(images)
    figure.canvas.draw()
    boxes = [axes.get_window_extent() for axes in figure.axes]
    assert [(round(b.width), round(b.height)) for b in boxes] == [(50, 30)] * 2
    assert [axes.get_title() for axes in figure.axes] == ["a", "b"]


def test_zoom_shows_the_marked_square_enlarged():
    image = np.random.default_rng(0).random((64, 64))
    figure = show_images({"a": image}, zoom=(10, 20, 16), factor=3)
    figure.canvas.draw()
    whole, crop = figure.axes
    np.testing.assert_array_equal(crop.images[0].get_array(), image[10:26, 20:36])
    assert round(crop.get_window_extent().width) == 48
    assert whole.patches[0].get_xy() == (19.5, 9.5)


def test_values_outside_the_range_are_clipped_not_rescaled():
    (axes,) = show_images({"a": np.array([[-1.0, 2.0]])}).axes
    assert axes.images[0].get_clim() == (0, 1)
    assert axes.images[0].get_array().tolist() == [[0, 1]]


def test_show_images_refuses_what_cannot_be_compared():
    with raises(ValueError, "images' sizes is [(2, 2), (3, 3)], but must be all the same"):
        show_images({"a": np.zeros((2, 2)), "b": np.zeros((3, 3))})
    with raises(ValueError, "images is {}, but must be at least one image"):
        show_images({})


def test_plot_training_draws_the_validated_records():
    steps = [Step(i, 3, 0.1, 1e-3, 1.0, 16 * i, psnr) for i, psnr in enumerate([20.0, None, 25.0])]
    (line,) = plot_training(steps).lines
    assert line.get_xydata().tolist() == [[0, 20], [32, 25]]


def test_plot_differences_draws_every_image_and_the_mean():
    ax = plot_differences({"a": [0.1, 0.3], "b": [-0.2]})
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([0.2, -0.2])
    assert ax.lines[0].get_xydata().tolist() == [[0.1, 0], [0.3, 0]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]


def test_plot_curves_draws_and_names_each_line():
    curves = {"a": ([0, 1], [2.0, 3.0]), "b": ([0, 2], [5.0, 4.0])}
    ax = plot_curves(curves, xlabel="step", ylabel="dB", styles={"b": ("noisy", "--")})
    a, b = ax.lines
    assert a.get_xydata().tolist() == [[0, 2], [1, 3]] and b.get_xydata()[1].tolist() == [2, 4]
    assert (b.get_color(), b.get_linestyle()) == (COLOURS["noisy"], "--")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "dB")


def test_bands_run_from_the_worst_seed_to_the_best_around_the_mean():
    def steps(*values):
        return [
            Step(step=n, steps=9, loss=0.1, lr=0.1, seconds=1.0, patches=4 * n, val_psnr=value)
            for n, value in enumerate(values, start=1)
        ]

    runs = {
        "a": {0: steps(20.0, None, 24.0), 1: steps(22.0, None, 30.0)},
        "b": {0: steps(21.0, 25.0), 1: steps(23.0)},
    }
    ax = plot_bands(runs, styles={"b": ("reference", "--")})
    a, b = ax.lines
    assert (list(a.get_xdata()), list(a.get_ydata())) == ([4, 12], [21, 27])
    assert (list(b.get_xdata()), list(b.get_ydata())) == ([4], [22])
    assert b.get_linestyle() == "--" and b.get_color() == COLOURS["reference"]
    corners = {tuple(point) for point in ax.collections[0].get_paths()[0].vertices}
    assert corners == {(4, 20), (4, 22), (12, 24), (12, 30)}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]


def test_every_seed_is_a_dot_and_their_mean_on_the_line():
    results = {"a": {0.2: [4, 6], 0.1: [1, 3]}, "b": {0.1: [0, 0, 9]}}
    styles = {"a": ("restored", "-o"), "b": ("removed", "--s")}
    ax = plot_seeds(results, styles, xlabel="rate", ylabel="dB")
    drawn = [
        (line.get_marker(), line.get_linestyle(), line.get_xydata().tolist()) for line in ax.lines
    ]
    assert ("o", "None", [[0.1, 1], [0.1, 3]]) in drawn and (
        "o",
        "None",
        [[0.2, 4], [0.2, 6]],
    ) in drawn
    assert ("None", "-", [[0.1, 2], [0.2, 5]]) in drawn and ("None", "--", [[0.1, 3]]) in drawn
    assert ("s", "None", [[0.1, 0], [0.1, 0], [0.1, 9]]) in drawn
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]


def test_on_a_logarithmic_axis_every_x_has_its_tick():
    results = {"a": {128: [4.0], 8: [1.0]}, "b": {32: [2.0]}}
    styles = {"a": ("restored", "-o"), "b": ("removed", "--s")}
    ax = plot_seeds(results, styles, xlabel="patches", ylabel="dB", log=True)
    assert ax.get_xscale() == "log"
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["8", "32", "128"]
    assert list(ax.xaxis.get_minorticklocs()) == []
