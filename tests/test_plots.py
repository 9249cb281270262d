"""Figures are checked by what they were drawn from."""

from __future__ import annotations

import re

import matplotlib
import numpy as np
import pytest

from dncnn_lib.engine import Step
from dncnn_lib.plots import (
    COLOURS,
    SERIES,
    draw_dncnn,
    plot_bands,
    plot_curves,
    plot_differences,
    plot_matrix,
    plot_noise,
    plot_training,
    show_images,
)

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
    message = "images' sizes is [(2, 2), (3, 3)], but must be all the same"
    with pytest.raises(ValueError, match=re.escape(message)):
        show_images({"a": np.zeros((2, 2)), "b": np.zeros((3, 3))})
    with pytest.raises(ValueError, match=re.escape("images is {}, but must be at least one image")):
        show_images({})


def test_plot_training_draws_the_validated_records():
    steps = [Step(i, 3, 0.1, 1e-3, 1.0, 16 * i, psnr) for i, psnr in enumerate([20.0, None, 25.0])]
    (line,) = plot_training(steps).lines
    assert line.get_xydata().tolist() == [[0, 20], [32, 25]]


def test_colours_have_contrast_on_white():
    """WCAG 2: at least 4.5:1 for what must be read."""
    for colour in [*COLOURS.values(), *SERIES]:
        linear = np.array(matplotlib.colors.to_rgb(colour))
        linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
        assert 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) >= 4.5


def test_draw_dncnn_writes_its_sizes_and_lights_one_part():
    ax = draw_dncnn("middle", depth=20, width=32, channels=3)
    colours = {text.get_text(): text.get_color() for text in ax.texts if text.get_text()}
    assert {"Conv 3→32\nReLU", "Conv 32→32\nBN\nReLU", "Conv 32→3", "1", "20"} <= set(colours)
    lit = {text for text, colour in colours.items() if colour == COLOURS["removed"]}
    assert lit == {"Conv 32→32\nBN\nReLU", "2", "19", "v̂"}
    with pytest.raises(ValueError, match="highlight is 'end', but must be one of 'first', "):
        draw_dncnn("end")


def test_the_portrait_of_a_noise_is_on_the_0_255_scale():
    rng = np.random.default_rng(0)
    clean = rng.random((100, 100))
    noise = rng.normal(0, 20 / 255, clean.shape)
    histogram, correlation, spread = plot_noise(noise, clean).axes
    heights, edges, _ = histogram.patches[0].get_data()
    assert heights.sum() == pytest.approx(100)
    assert edges[-1] == pytest.approx(4.25 * 20, rel=0.03)
    points = correlation.containers[0].markerline.get_xydata()
    assert points[0].tolist() == [0, 1] and np.abs(points[1:, 1]).max() < 0.05
    whole, by_brightness = spread.lines
    np.testing.assert_allclose(whole.get_ydata(), 20, rtol=0.03)
    np.testing.assert_allclose(by_brightness.get_ydata(), 20, rtol=0.1)


def test_the_portrait_of_a_noise_where_no_brightness_is_frequent():
    plot_noise(
        np.random.default_rng(0).normal(size=(20, 20)), np.linspace(0, 1, 400).reshape(20, 20)
    )


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


def test_a_matrix_has_every_number_and_frames_the_best_of_each_column():
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
    with pytest.raises(ValueError, match=re.escape("rows['b']'s length is 1, but must be 2, as ")):
        plot_matrix({"a": [1, 2], "b": [1]}, "xy", xlabel="", ylabel="")


def test_a_matrix_can_be_read_on_its_colours():
    """WCAG 2 again, for the numbers in the cells from the best to far behind it."""
    behind = np.linspace(0, 15, 61)
    ax = plot_matrix({"best": [40.0] * 61, "b": 40 - behind}, behind, xlabel="", ylabel="")
    image = ax.images[0]
    for text in ax.texts:
        column, row = map(round, text.get_position())
        shown = image.cmap(image.norm(image.get_array()[row, column]))[:3]
        a, b = (luminance(colour) for colour in (shown, matplotlib.colors.to_rgb(text.get_color())))
        assert (max(a, b) + 0.05) / (min(a, b) + 0.05) >= 4.5


def luminance(colour):
    linear = np.array(colour)
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]
