"""Lesson 09: the maps of every layer, random networks, stages of TNRD and figures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dncnn_lib.degrade import GaussianNoise
from dncnn_lib.lessons import inside
from dncnn_lib.lessons.experiments import held_out_psnr
from dncnn_lib.model import DnCNN
from dncnn_lib.training import Step, TrainConfig


@pytest.fixture
def noisy():
    return torch.rand(2, 1, 12, 10, generator=torch.Generator().manual_seed(0))


def test_the_pieces_are_squares_of_pictures_with_detail():
    clean = inside.pieces()
    assert clean.shape == (8, 1, 96, 96) and clean.dtype == torch.float32
    assert clean.min() >= 0 and clean.max() <= 1 and min(piece.std() for piece in clean) > 0.05


def test_fine_detail_is_what_a_mean_over_9_by_9_leaves():
    image = torch.rand(1, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    detail = inside.fine_detail(image)
    mean = image[0, 0, 3:12, 5:14].mean()
    assert detail[0, 0, 7, 9] == pytest.approx(float(image[0, 0, 7, 9] - mean), abs=1e-6)
    assert inside.fine_detail(torch.full((1, 1, 12, 12), 0.3)).abs().max() < 1e-6


@pytest.mark.parametrize("residual", [True, False])
def test_activations_begin_with_the_input_and_end_with_the_output(noisy, residual):
    net = DnCNN(depth=4, width=3, residual=residual).train()
    found = inside.activations(net, noisy)
    assert not net.training and torch.equal(found[0], noisy)
    assert [maps.shape[1] for maps in found] == [1, 3, 3, 3, 1]
    assert all((maps >= 0).all() for maps in found[1:-1])
    with torch.no_grad():
        torch.testing.assert_close(found[-1], net.layers(noisy))
        torch.testing.assert_close(found[1], net.layers[:2](noisy))


def test_a_random_network_has_the_statistics_of_the_pictures(noisy):
    like = DnCNN(depth=4, width=3)
    net = inside.random_network(like, noisy, 7)
    assert net.config == like.config and not net.training
    other = inside.random_network(like, noisy, 8)
    assert not torch.equal(net.layers[0].weight, other.layers[0].weight)
    with torch.no_grad():
        before = net.layers[:3](noisy)  # what the first batch norm is given
    norm = net.layers[3]
    assert isinstance(norm, nn.BatchNorm2d)
    torch.testing.assert_close(norm.running_mean, before.mean((0, 2, 3)))


def test_a_fit_of_columns_finds_the_weights(noisy):
    maps = torch.cat([noisy, noisy**2, torch.zeros_like(noisy)], dim=1)
    a = inside.columns(maps)
    assert a.shape == (2, 120, 4) and a.dtype == torch.float64 and (a[..., -1] == 1).all()
    torch.testing.assert_close(a.square().mean((0, 1)), torch.tensor([1.0, 1, 0, 1]).double())
    wanted = 3 * a[..., :1] - a[..., 1:2] + 0.5
    weights = inside.solve((a.mT @ a).sum(0), (a.mT @ wanted).sum(0))
    told = (a @ weights).mT.reshape(noisy.shape)
    error = inside.errors(told, wanted.mT.reshape(noisy.shape))
    assert error.shape == (1,) and error[0] < 1e-3


def test_the_pixels_around_are_maps_of_their_own(noisy):
    found = inside.around(torch.cat([noisy, -noisy], dim=1), 3)
    assert found.shape == (2, 18, 12, 10)
    assert torch.equal(found[:, 4], noisy[:, 0]) and torch.equal(found[:, 13], -noisy[:, 0])
    assert torch.equal(found[:, 0, 1:, 1:], noisy[:, 0, :-1, :-1]) and not found[:, 0, 0].any()


def test_the_table_is_in_per_cent(capsys):
    inside.print_table({"y": [0.849, 0.076, -0.1]})
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["R²", "in", "%", "image", "fine", "detail", "noise"]
    assert row.split() == ["y", "85", "8", "-10"]


def test_layers_of_networks_are_rows_of_the_table(capsys):
    inside.print_layers({"a": np.full((4, 3), 0.25), "b": np.eye(4, 3)}, (0, 2))
    _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split()[:3] for row in rows] == [
        [name, "layer", layer] for name in ("a,", "b,") for layer in "02"
    ]
    assert rows[2].split()[3:] == ["100", "0", "0"]


def test_readers_are_sorted_by_network_target_and_layer(capsys):
    def steps(psnr):
        return [Step(2, 2, 0.5, 0.0, 1, 8, psnr)]

    runs = {
        ("dncnn-b", 4, "image", 0): steps(20.0),
        ("dncnn-b", 4, "image", 1): steps(10.0),
        ("random 1", 4, "image", 0): steps(30.0),
        ("random 2", 4, "image", 0): steps(0.0),
    }
    assert inside.reader_errors(runs) == {
        ("dncnn-b", "image"): {4: pytest.approx([0.01, 0.1])},
        ("random", "image"): {4: pytest.approx([0.001, 1.0])},
    }
    scores = inside.reader_scores(runs, [0.1, 9, 9])
    assert scores["dncnn-b", "image"] == {4: pytest.approx([0.9, 0])}
    assert "{4: [99, -900]}" in capsys.readouterr().out


def test_layers_are_drawn_a_line_for_each_network(figures):
    known = {"a": [np.zeros((3, 3)), np.ones((3, 3))], "b": [np.full((3, 3), 0.5)]}
    styles = {"a": ("restored", "-"), "b": ("reference", "--")}
    figure = inside.plot_layers(known, styles, {"level": [0.1, 0.2, 0.3]})
    assert [ax.get_title() for ax in figure.axes] == list(inside.TARGETS)
    for ax, level in zip(figure.axes, (0.1, 0.2, 0.3)):
        labels = [line.get_label() for line in ax.lines if not line.get_label().startswith("_")]
        assert labels == ["level", "a", "b"]
        assert ax.lines[0].get_ydata()[0] == level
        np.testing.assert_array_equal(ax.lines[2].get_ydata(), [1, 1, 1])


def test_readers_are_drawn_a_dot_for_each(figures):
    found = {("a", target): {0: [0.1, 0.3], 4: [0.5]} for target in inside.TARGETS[:2]}
    found |= {("b", "image"): {4: [0.2]}}
    figure = inside.plot_readers(found, {target: [0.0, 0.1] for target in inside.TARGETS})
    image, detail = figure.axes
    dots = [line for line in image.lines if line.get_marker() == "o"]
    assert [list(line.get_ydata()) for line in dots] == [[0.1, 0.3], [0.5], [0.2]]
    np.testing.assert_allclose(image.lines[0].get_ydata(), [0.2, 0.5])
    assert sum(line.get_marker() == "o" for line in detail.lines) == 2


@pytest.mark.parametrize("start", ["cosine", "random"])
def test_filters_have_mean_0_and_norm_1(start):
    found = inside.filters(start, 3)
    assert found.shape == (24, 1, 5, 5) and found.dtype == torch.float32
    torch.testing.assert_close(found.norm(dim=(2, 3)), torch.ones(24, 1))
    assert found.mean((2, 3)).abs().max() < 1e-6
    assert torch.equal(found, inside.filters(start, 4)) == (start == "cosine")


def test_cosine_filters_are_orthogonal():
    flat = inside.filters("cosine", 0).flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(24), atol=1e-6, rtol=0)


def test_a_stage_and_a_pair_begin_as_the_same_function(noisy):
    noisy = 0.05 * noisy  # within the reach of the bumps
    filters = torch.randn(4, 1, 5, 5, generator=torch.Generator().manual_seed(1)) / 5
    stage, pair = inside.Stage(filters, 0.25), inside.Pair(filters, 0.25)
    assert sum(p.numel() for p in stage.parameters()) == 4 * (25 + 21)
    assert sum(p.numel() for p in pair.parameters()) == 8 * 25 + 8 + 8 * 25 + 1
    z = torch.linspace(-0.4, 0.4, 9).view(1, 1, 1, 9).expand(1, 4, 1, 9)
    torch.testing.assert_close(stage.influence(z), z / 4, atol=2e-3, rtol=0.02)
    with torch.no_grad():
        torch.testing.assert_close(stage(noisy), pair(noisy), atol=1e-3, rtol=0.02)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("kind", [inside.Stage, inside.Pair])
def test_a_race_is_run_from_each_seed(kind):
    image = np.random.default_rng(0).random((16, 16), np.float32)
    config = TrainConfig(steps=2, batch_size=1, patch_size=8)
    given = ([image], GaussianNoise(25), config, held_out_psnr({"a": image}))
    first, second = inside.trained_psnr(kind, "cosine", 0.04, *given, seeds=(0, 0))
    (other,) = inside.trained_psnr(kind, "random", 0.04, *given, seeds=(1,))
    assert first == second != other and 5 < first < 40
