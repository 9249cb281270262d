"""Lesson 03: the diagram and the receptive field."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import raises

from dncnn_lib.lessons.building import draw_dncnn, field_slider, field_view
from dncnn_lib.model import DnCNN
from dncnn_lib.show.pictures import COLOURS, side_by_side


def test_field_view_draws_the_square_that_a_pixel_sees():
    photo = np.full((101, 101), 0.5, np.float32)
    view = field_view(photo, 4, 5)
    assert view.side == 17
    coloured = np.abs(np.diff(view.picture, axis=2)).max(axis=2) > 0.05
    inside = coloured[50 - 8 : 50 + 9, 50 - 8 : 50 + 9]
    assert inside.mean() > 0.8  # all but a white line
    np.testing.assert_array_equal(view.picture[0, 0], np.float32(128 / 255))
    assert not coloured[50 - 13, 40:60].any()


@pytest.mark.parametrize("depth", [2, 17, 20])
def test_the_words_have_the_numbers_of_the_network(depth):
    net = DnCNN(depth)
    side, parameters = net.receptive_field, sum(p.numel() for p in net.parameters())
    assert field_view(np.zeros((64, 64)), depth).summary.startswith(
        f"{depth} layers of 3×3: one pixel sees {side}×{side} = {side**2:,} pixels, "
        f"for {parameters:,} parameters; more is seen by "
    )


def test_the_words_name_who_sees_more():
    photo = np.zeros((32, 32))
    assert field_view(photo, 24).summary.endswith("more is seen by CSF, TNRD, WNNM")
    assert field_view(photo, 40, 11).summary.endswith("more is seen by none of the six")


def test_field_view_refuses_what_is_no_network():
    with raises(ValueError, "kernel is 4, but must be odd"):
        field_view(np.zeros((8, 8)), 5, 4)
    with raises(ValueError, "depth is 1, but must be an integer of at least 2"):
        field_view(np.zeros((8, 8)), 1)


def test_moving_the_sliders_changes_picture_and_words():
    photo = np.random.default_rng(0).random((64, 80))
    depth, kernel, words, picture = field_slider(photo, centre=(30, 40)).children
    for slider, value, wanted in ((depth, 9, (9, 3)), (kernel, 5, (9, 5))):
        before = picture.value
        slider.value = value
        expected = field_view(photo, *wanted, centre=(30, 40))
        assert words.value == picture.alt == expected.summary
        assert picture.value == side_by_side(expected.picture) != before


def test_the_diagram_has_its_sizes_and_lights_one_part(figures):
    ax = draw_dncnn("middle", depth=20, width=32, channels=3)
    colours = {text.get_text(): text.get_color() for text in ax.texts if text.get_text()}
    assert {"Conv 3→32\nReLU", "Conv 32→32\nBN\nReLU", "Conv 32→3", "1", "20"} <= set(colours)
    lit = {text for text, colour in colours.items() if colour == COLOURS["removed"]}
    assert lit == {"Conv 32→32\nBN\nReLU", "2", "19", "v̂"}
    with pytest.raises(ValueError, match="^highlight is 'end', but must be one of 'first', "):
        draw_dncnn("end")
