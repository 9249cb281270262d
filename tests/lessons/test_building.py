"""Lesson 03: the diagram, the receptive field, half the resolution and the border."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import picture, raises

from dncnn_lib.lessons import building
from dncnn_lib.lessons.building import HalfResolution, draw_dncnn, field_slider, field_view
from dncnn_lib.model import DnCNN
from dncnn_lib.show.pictures import COLOURS, side_by_side


def test_field_view_draws_the_square_that_a_pixel_sees():
    photo = np.full((101, 101), 0.5, np.float32)
    view = field_view(photo, 4, 5)
    assert view.side == 17
    coloured = np.abs(np.diff(view.picture, axis=2)).max(axis=2) > 0.05
    assert coloured[50 - 8 : 50 + 9, 50 - 8 : 50 + 9].all()
    np.testing.assert_array_equal(view.picture[0, 0], np.float32(185 / 255))  # paler
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


@pytest.mark.parametrize("way", building.WAYS)
def test_half_the_resolution_costs_what_half_the_width_costs_at_full_resolution(way):
    net = HalfResolution(way, 5, 16)
    noisy = torch.from_numpy(picture(2, 1, 12, 20))
    assert net(noisy).shape == noisy.shape
    inside = []
    net.middle.register_forward_hook(lambda _, given, output: inside.append(output.shape))
    net(noisy)
    assert inside == [(2, 16, 6, 10)]
    full = building.multiplications(DnCNN(5, 8))
    assert full <= building.multiplications(net) < 1.5 * full
    assert not list(net.middle[0]._forward_hooks)


@pytest.mark.parametrize("way", building.WAYS)
def test_the_seed_decides_the_weights(way):
    first, again, other = (HalfResolution(way, 4, 8, seed) for seed in (3, 3, 4))
    noisy = torch.from_numpy(picture(1, 1, 8, 8))
    assert torch.equal(first(noisy), again(noisy)) and not torch.equal(first(noisy), other(noisy))


def test_an_unknown_way_is_refused():
    with pytest.raises(ValueError, match="^way is 'halved', but must be one of 'unshuffle', "):
        HalfResolution("halved", 5, 16)


def test_multiplications_are_those_of_the_weights_where_nothing_is_reduced():
    net = DnCNN(5, 8)
    weights = sum(m.weight.numel() for m in net.modules() if isinstance(m, torch.nn.Conv2d))
    assert building.multiplications(net, side=10) == weights


def test_the_record_gives_each_network_its_best_rate_and_every_seed():
    found = building.recorded_architectures()
    assert set(found) == {"steps", "computing", "long"}
    assert all(len(seeds) == 3 for networks in found.values() for seeds in networks.values())
    assert set(building.WAYS) < set(found["steps"])


def test_the_best_rate_is_that_of_the_seeds_trained_at_every_rate():
    from dncnn_lib.training import Step

    def end(psnr: float) -> list[Step]:
        return [Step(1, 1, 0.1, 0.0, 1.0, 8, psnr)]

    runs = {("a", "steps", 0.01, 0): end(20), ("a", "steps", 0.02, 0): end(21)}
    runs |= {("a", "computing", 0.01, 0): end(30), ("a", "steps", 0.01, 1): end(40)}
    assert building.best_rate(runs, "a", "steps") == 0.02
    runs["a", "steps", 0.02, 1] = end(22)
    assert building.best_rate(runs, "a", "steps") == 0.01


def test_the_figures_show_every_seed(figures):
    ax = building.plot_seeds({"one": [26.0, 27.0], "two": [25.0]}, xlabel="dB")
    assert [len(line.get_xdata()) for line in ax.lines] == [2, 2, 2, 1]
    ax = building.plot_depths({"equal steps": {2: [25.0, 25.5], 8: [27.0, 27.5]}})
    dots = [line.get_ydata() for line in ax.lines if line.get_linestyle() == "None"]
    assert [list(values) for values in dots] == [[25.0, 25.5], [27.0, 27.5]]
    lost = torch.tensor([[2.0, 1.0, 0.5], [4.0, 1.0, 0.5]])
    ax = building.plot_lost({"zeros": lost}, distances=2)
    assert ax.get_legend().get_texts()[0].get_text() == "zeros"
    np.testing.assert_allclose(ax.containers[0].lines[0].get_ydata(), [3, 1])


def test_squares_come_image_after_image():
    images = [np.full((9, 7), level, np.float32) for level in (0.25, 0.75)]
    squares = building.random_squares(images, 5, each=3)
    assert squares.shape == (6, 1, 5, 5)
    assert squares[:, 0, 0, 0].tolist() == [0.25] * 3 + [0.75] * 3
    photo = picture(40, 40)
    a, b = (building.random_squares([photo], 5, each=2, seed=seed) for seed in (0, 1))
    assert torch.equal(a, building.random_squares([photo], 5, each=2)) and not torch.equal(a, b)


def test_the_error_is_found_at_its_distance_from_the_border():
    truth = torch.zeros(4, 1, 6, 6)
    result = truth.clone()
    result[0, 0, 1, 1:5] = 2  # 4 of the 12 pixels at distance 1, in one of the image's two squares
    found = building.error_by_distance(result, truth, each=2)
    assert torch.allclose(found, torch.tensor([[0, 4 * 4 / 12 / 2, 0], [0, 0, 0]]))
