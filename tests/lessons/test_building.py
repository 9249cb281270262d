"""Lesson 03: the diagram, the receptive field, half the resolution and the border."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import picture, raises, seeded

from dncnn_lib.degrade import GaussianNoise
from dncnn_lib.lessons import building
from dncnn_lib.lessons.building import HalfResolution, draw_dncnn, field_slider, field_view
from dncnn_lib.model import DnCNN
from dncnn_lib.records import RECORDS, read_comparison
from dncnn_lib.show.pictures import COLOURS, side_by_side
from dncnn_lib.training import Step


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
    assert set(found) == {600, 2400} and set(found[2400]) == {"depth 8", "depth 17"}
    assert set(found[600]) > set(building.WAYS)
    depths = building.recorded_depths()
    assert set(depths[600]) == {2, 4, 8, 17}
    assert depths[600][17] == found[600]["depth 17"]
    assert all(len(seeds) == 3 for networks in found.values() for seeds in networks.values())
    runs = read_comparison(RECORDS / "architecture.csv")
    by_rate = building.by_rate(runs, "depth 17", 600)
    assert np.mean(found[600]["depth 17"]) == max(np.mean(ends) for ends in by_rate.values())


def test_what_a_network_ended_with_goes_by_rate():
    def end(psnr: float) -> list[Step]:
        return [Step(1, 1, 0.1, 0.0, 1.0, 8, psnr)]

    runs = {("a", 600, 0.01, 0): end(20), ("a", 600, 0.01, 1): end(21)}
    runs |= {("a", 2400, 0.01, 0): end(30), ("b", 600, 0.01, 0): end(40)}
    runs["a", 600, 0.02, 0] = end(22)
    assert building.by_rate(runs, "a", 600) == {0.01: [20, 21], 0.02: [22]}


def dots(ax) -> list[list[float]]:
    """Of each line of markers the values on the axis of the PSNR."""
    lines = [line for line in ax.lines if line.get_marker() == "o"]
    return [[round(float(x), 3) for x in line.get_xdata()] for line in lines]


def test_the_figure_of_networks_shows_every_seed_and_the_mean(figures):
    ax = building.plot_networks({"depth 8": [26.0, 27.0], "pooled": [25.0]})
    assert dots(ax) == [[26.0, 27.0], [25.0]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["full resolution", "pooled"]
    assert [lines.get_segments()[0][0][0] for lines in ax.collections] == [26.5, 25.0]


def test_the_figure_of_depths_has_a_curve_for_each_budget(figures):
    ax = building.plot_depths({600: {2: [25.0, 26.0], 8: [27.0]}, 2400: {2: [26.0], 8: [28.0]}})
    solid = [line.get_ydata() for line in ax.lines if line.get_linestyle() in ("-", "--")]
    assert [25.5, 27.0] in [list(y) for y in solid] and [26.0, 28.0] in [list(y) for y in solid]
    assert list(ax.get_xticks()) == [2, 8]


def test_the_figure_of_the_last_norm_has_a_line_for_each_way_of_drawing(figures):
    change = {"image": np.array([[0.0, 0.2], [0.1, 0.3]]), "batch": np.array([[-1, -2], [1.0, 0]])}
    ax = building.plot_change((5, 50), change)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["σ per image", "σ per batch"]
    assert [-1.5, 0.5] in [list(line.get_ydata()) for line in ax.lines]


def test_the_figure_of_the_border_has_means_and_one_deviation(figures):
    lost = torch.tensor([[2.0, 1.0, 0.5], [4.0, 1.0, 0.5]])
    ax = building.plot_lost({"zeros": lost}, distances=2)
    assert ax.get_legend().get_texts()[0].get_text() == "zeros"
    np.testing.assert_allclose(ax.containers[0].lines[0].get_ydata(), [3, 1])
    low, high = ax.containers[0].lines[2][0].get_segments()[0][:, 1]
    assert high - low == pytest.approx(2 * 2**0.5)


def test_the_psnr_of_the_pieces_is_that_of_the_noise_for_a_network_that_removes_nothing():
    pieces = building.pieces()
    assert len(pieces) == 14 and {piece.shape for piece in pieces.values()} == {(96, 96)}
    for sigma, found in zip((10, 50), building.psnr_at((10, 50), torch.nn.Identity())):
        assert found == pytest.approx(20 * np.log10(255 / sigma), abs=0.05)


def test_sigma_is_one_for_the_whole_batch():
    clean = torch.full((6, 1, 40, 40), 0.5)
    stds = []
    for seed in range(40):
        added = building.sigma_per_batch(clean, seeded(seed)) - clean
        each = 255 * added.flatten(1).std(dim=1)
        assert each.max() < 1.15 * each.min()
        stds.append(each.mean().item())
    assert min(stds) < 8 and max(stds) < 57 and 20 < np.mean(stds) < 35


def test_a_small_network_learns_and_is_left_in_eval_mode(monkeypatch):
    seen = {}

    def watched(net, images, task, config):
        seen.update(images=len(images), task=task, config=config)
        yield

    monkeypatch.setattr(building, "train", watched)
    net, task = building.small_network(3).train(), GaussianNoise(25)
    assert building.train_quickly(net, task, 7) is net and not net.training
    assert seen["task"] is task and seen["config"].seed == 7 and seen["images"] == 9
    first, again = building.small_network(3), building.small_network(3)
    noisy = torch.from_numpy(picture(1, 1, 12, 12))
    assert torch.equal(first(noisy), again(noisy)) and first.depth == 6


def test_the_squared_gradients_of_a_filter_are_its_squared_weights():
    net = DnCNN(2, 1, batch_norm=False)
    with torch.no_grad():
        for layer in (net.layers[0], net.layers[2]):
            layer.weight.zero_()
            layer.weight[0, 0, 1, 1] = 1
            layer.bias.zero_()
        net.layers[2].weight[0, 0, 1, 2] = -0.5  # the residual: y − y, + half of its neighbour
    found = building.squared_gradients(net.eval().requires_grad_(False), 5, grid=1)
    expected = torch.zeros(5, 5)
    expected[2, 3] = 1
    assert torch.allclose(found, expected, atol=1e-6)


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


def test_the_margin_comes_off_and_a_mirror_goes_on():
    square = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert building.inner(square, 1)[0, 0].tolist() == [[5, 6], [9, 10]]
    larger = building.mirrored(square, 2)
    assert torch.equal(building.inner(larger, 2), square)
    assert larger[0, 0, 2].tolist() == [2, 1, 0, 1, 2, 3, 2, 1]


def test_all_are_compared_on_the_same_draws_of_whole_images():
    reference = torch.tensor([[1.0, 1.0], [100.0, 1.0]])
    lost = building.lost_by_distance({"real": reference, "twice": 2 * reference}, "real")
    assert set(lost) == {"twice"} and lost["twice"].shape == (1000, 2)
    assert torch.allclose(lost["twice"], torch.tensor(10 * np.log10(2), dtype=torch.float32))
    one_bad = {"real": torch.ones(2, 1), "one bad": torch.tensor([[1.0], [3.0]])}
    found = building.lost_by_distance(one_bad, "real", draws=200)["one bad"]
    assert {round(dB) for dB in found.flatten().tolist()} == {0, 3, 5}
    again = building.lost_by_distance(one_bad, "real", draws=200)["one bad"]
    assert torch.equal(found, again)
