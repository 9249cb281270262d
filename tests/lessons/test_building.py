"""Lesson 03: the diagram, the receptive field, and the checks of the exercises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import raises
from torch import nn

from dncnn_lib.lessons import building
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


# ------------------------------------------------------------------------------------ the exercises


def field_side(depth, kernel, dilation):
    """By brute force: what of an impulse comes through, from afar."""
    signal = torch.zeros(1, 1, 101, dtype=torch.float64)
    signal[..., 50] = 1
    ones = torch.ones(1, 1, kernel, dtype=torch.float64)
    for _ in range(depth):
        signal = nn.functional.conv1d(
            signal, ones, padding=dilation * (kernel // 2), dilation=dilation
        )
    spots = signal[0, 0].nonzero()
    return int(spots.max() - spots.min()) + 1


def mended_layers(
    depth, *, one_more=0, first_norm=False, last_relu=False, bias=False, padding=1, no_relu=False
):
    layers = [nn.Conv2d(1, 64, 3, padding=padding, bias=False)]
    layers += [nn.BatchNorm2d(64)] * first_norm + [nn.ReLU()]
    for number in range(depth - 2 + one_more):
        layers += [nn.Conv2d(64, 64, 3, padding=1, bias=bias), nn.BatchNorm2d(64)]
        layers += [nn.ReLU()] * (not no_relu or number > 0)
    return layers + [nn.Conv2d(64, 1, 3, padding=1)] + [nn.ReLU()] * last_relu


def what_to_read(start, stop, length, overlap):
    rows = range(length)[max(start - overlap, 0) : stop + overlap]
    return rows.start, rows.stop, rows.index(start)


@pytest.mark.parametrize(
    ("solution", "cases"), [(field_side, 7), (mended_layers, 14), (what_to_read, 6)]
)
def test_the_solutions_are_accepted(solution, cases, accepted):
    assert len(accepted(getattr(building, solution.__name__), solution)) == cases


def test_layers_may_be_a_sequential(accepted):
    accepted(building.mended_layers, lambda depth: nn.Sequential(*mended_layers(depth)))


@pytest.mark.parametrize(
    ("exercise", "wrong", "said"),
    [
        ("field_side", lambda d, k, s: 2 * d + 1, "(7, 5, 1) gave 15, expected 29"),
        ("field_side", lambda d, k, s: d * (k - 1) * s, "gave 2, expected 3"),
        ("field_side", lambda d, k, s: 1 + d * (k - 1), "(10, 3, 2) gave 21, expected 41"),
        (
            "what_to_read",
            lambda start, stop, length, overlap: (start - overlap, stop + overlap, overlap),
            "gave (-20, 84, 20), expected (0, 84, 0)",
        ),
        (
            "what_to_read",
            lambda start, stop, length, overlap: (
                max(start - overlap, 0),
                min(stop + overlap, length),
                overlap,
            ),
            "gave (0, 84, 20), expected (0, 84, 0)",
        ),
    ],
)
def test_wrong_answers_are_refused(exercise, wrong, said, refused):
    assert said in refused(getattr(building, exercise), wrong)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"one_more": 1}, "number of convolutions of faulty(5) gave 6, expected 5"),
        ({"first_norm": True}, "first three layers of faulty(5) gave ['Conv2d', 'BatchNorm2d'"),
        ({"last_relu": True}, "last two layers of faulty(5) gave ['Conv2d', 'ReLU']"),
        ({"no_relu": True}, "number of ReLUs of faulty(5) gave 3, expected 4"),
        ({"bias": True}, "biases in front of a batch norm of faulty(5) gave 3"),
        ({"padding": 0}, "output shape for 1×1×9×12 of faulty(5) gave [1, 1, 7, 10]"),
    ],
)
def test_faulty_layers_are_refused(fault, said, refused):
    def faulty(depth):
        return mended_layers(depth, **fault)

    assert said in refused(building.mended_layers, faulty)
