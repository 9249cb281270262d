"""Lessons 06 and 06b: networks compared over their rates, and batch norm in its three modes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import raises, seeded, small_net
from skimage.metrics import peak_signal_noise_ratio
from torch import nn

from dncnn_lib.degrade import add_gaussian_noise
from dncnn_lib.evaluation import Comparison
from dncnn_lib.lessons.normalisation import (
    NORM_MODES,
    STYLES,
    GivenBack,
    batch_norm_at,
    batch_norm_switch,
    batch_norm_words,
    best_rate,
    ones,
    ones_and_small_end,
    plot_batches,
    plot_rates,
    plot_seeds,
    plot_spreads,
    recorded_race,
    spread_of_means,
)
from dncnn_lib.model import DnCNN
from dncnn_lib.show.pictures import COLOURS, side_by_side
from dncnn_lib.training import Step


def steps(*psnr: float) -> list[Step]:
    """A record with these validations, 8 patches apart, and a step between that has none."""
    shared = {"steps": len(psnr), "loss": 0.1, "lr": 0.1, "seconds": 1.0}
    validated = [Step(n, patches=8 * n, val_psnr=v, **shared) for n, v in enumerate(psnr, 1)]
    return [Step(0, patches=0, **shared), *validated]


@pytest.fixture
def trained() -> DnCNN:
    """Not trained, but with the running statistics of a few batches."""
    net = small_net(depth=4)
    with torch.no_grad():
        for seed in range(3):
            net(torch.rand(4, 1, 12, 12, generator=seeded(seed)))
    return net.eval()


def test_only_train_mode_looks_at_the_rest_of_the_batch(clean, trained):
    black = [np.zeros_like(clean)] * 2
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    alone = {mode: batch_norm_at(clean, trained, mode) for mode in NORM_MODES}
    beside = {mode: batch_norm_at(clean, trained, mode, black) for mode in NORM_MODES}
    for mode in ("eval", "folded"):
        np.testing.assert_allclose(beside[mode].restored, alone["eval"].restored, atol=1e-5)
    assert np.abs(beside["train"].restored - alone["train"].restored).max() > 1e-3
    assert all(torch.equal(trained.state_dict()[name], value) for name, value in before.items())
    assert not trained.training


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_at_is_the_network_in_that_mode(clean, trained, training):
    noisy = [add_gaussian_noise(image, 10, seed=n) for n, image in enumerate((clean, 1 - clean))]
    trained.train(not training)
    found = batch_norm_at(clean, trained, "train" if training else "eval", [1 - clean], sigma=10)
    assert trained.training == (not training)
    with torch.no_grad():
        batch = torch.from_numpy(np.stack(noisy)[:, None])
        expected = trained.train(training)(batch)[0, 0].numpy()
    np.testing.assert_allclose(found.restored, expected, atol=1e-6)
    np.testing.assert_array_equal(found.degraded, noisy[0])
    assert found.clean is clean


def test_an_unknown_mode_is_refused(clean, trained):
    with raises(ValueError, "mode is 'test', but must be one of 'eval', 'train', 'folded'"):
        batch_norm_at(clean, trained, "test")


def test_the_words_compare_with_eval_mode(clean, found):
    other = Comparison(clean, found.degraded, clean + 0.1)
    psnr, at_eval = (
        peak_signal_noise_ratio(clean, image.clip(0, 1), data_range=1)
        for image in (found.restored, clean + 0.1)
    )
    numbers = f"{psnr:.1f} dB ({psnr - at_eval:+.1f} dB against eval mode)"
    for others, company in ((0, "nothing else"), (1, "1 other picture"), (3, "3 other pictures")):
        words = batch_norm_words("train", others, found, other)
        assert words == f"train, {company} in the batch: {numbers}"


def test_the_switches_choose_mode_and_company(clean, trained):
    company = {"nothing": [], "black": [np.zeros_like(clean)]}
    view = batch_norm_switch(clean, trained, company, sigma=10, zoom=2)
    modes, beside, words, picture = view.children
    in_eval_mode = batch_norm_at(clean, trained, "eval", sigma=10)
    shown = set()
    for mode in NORM_MODES:
        for label, others in company.items():
            modes.value, beside.value = mode, label
            found = batch_norm_at(clean, trained, mode, others, sigma=10)
            told = batch_norm_words(mode, len(others), found, in_eval_mode)
            assert words.value == picture.alt == told
            assert picture.value == side_by_side(found.degraded, found.restored, zoom=2)
            shown.add(picture.value)
    assert len(shown) >= 3


@pytest.mark.parametrize("training", [True, False])
def test_a_network_that_is_given_back_its_statistics_follows_gain_and_shift(training):
    net, batch = small_net(depth=4, residual=False), torch.rand(3, 1, 12, 12, generator=seeded(0))
    both = GivenBack(net, contrast=True).train(training)
    mean = GivenBack(net, contrast=False).train(training)
    with torch.no_grad():
        torch.testing.assert_close(both(3 * batch + 0.5), 3 * both(batch) + 0.5)
        torch.testing.assert_close(mean(batch + 0.5), mean(batch) + 0.5)
    bent = GivenBack(nn.Tanh(), contrast=False)
    assert (bent(3 * batch) - 3 * bent(batch)).abs().max() > 0.1


def test_every_gamma_is_one_and_only_the_last_layer_shrinks():
    before, net = small_net(depth=4), small_net(depth=4)
    assert ones(net) is net
    convolutions = [m.weight for m in net.modules() if isinstance(m, nn.Conv2d)]
    norms = [m.weight for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 2 and all((gamma == 1).all() for gamma in norms)
    old = [m.weight for m in before.modules() if isinstance(m, nn.Conv2d)]
    assert all(torch.equal(a, b) for a, b in zip(convolutions, old))
    ones_and_small_end(net)
    assert all(torch.equal(a, b) for a, b in zip(convolutions[:-1], old))
    torch.testing.assert_close(convolutions[-1], old[-1] / 10)


def test_the_spread_of_means_is_in_units_of_the_deviation():
    """Two batches, one brighter: in front of the norm the means differ by the factor of the
    filter, and the deviation has the same factor."""
    net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1))
    nn.init.constant_(net[0].weight, -7.0)
    pattern = torch.rand(4, 1, 8, 8, generator=seeded(0))
    (spread,) = spread_of_means(net, [pattern, pattern + 0.6])
    assert spread == pytest.approx(0.6 / 2**0.5 / pattern.std().item(), rel=1e-4)
    assert spread_of_means(net, [pattern, pattern]) == [pytest.approx(0, abs=1e-5)]


def test_the_best_rate_has_the_most_seeds_then_the_highest_median():
    assert best_rate({0.1: [20, 21, 30], 0.2: [22, 22, 22]}) == 0.2
    assert best_rate({0.1: [20.0, 21.0], 0.2: [30.0]}) == 0.1
    assert best_rate({0.1: [20.0], 0.2: [float("nan")]}) == 0.1


def test_a_recorded_race_is_told_by_optimiser_network_and_rate():
    runs = {
        ("SGD", "a", 0.1, 0): steps(20, 21),
        ("SGD", "a", 1.0, 0): steps(20, 25),
        ("SGD", "a", 1, 1): steps(20, 24),
        ("Adam", "a", 0.1, 0): steps(20, 23),
        ("Adam", "b", 0.1, 0): steps(20, 22),
    }
    ends, best = recorded_race(runs)
    assert ends == {
        "SGD": {"a": {0.1: [21], 1.0: [25, 24]}},
        "Adam": {"a": {0.1: [23]}, "b": {0.1: [22]}},
    }
    assert best["SGD"] == {"a": {0: runs["SGD", "a", 1.0, 0], 1: runs["SGD", "a", 1, 1]}}
    assert set(best["Adam"]) == {"a", "b"}


def test_batches_are_drawn_as_shares_of_the_pixels(figures):
    clean = torch.rand(2, 1, 8, 8, generator=seeded(0))
    figure = plot_batches([(clean, clean + 0.1), (clean, clean - 0.1)])
    for ax in figure.axes:
        assert len(ax.patches) == 2
        values, edges, _ = ax.patches[0].get_data()
        assert (values * np.diff(edges)).sum() == pytest.approx(100)  # percent
    values, edges, _ = figure.axes[2].patches[1].get_data()
    assert edges[values.argmax()] <= -25.5 <= edges[values.argmax() + 1]


def test_rates_show_every_seed_and_the_median(figures):
    ends = {"residual, BN": {0.1: [20.0, 26.0, 25.0], 0.01: [24.0]}}
    ends["residual, no BN"] = {0.1: [21.0, float("nan")]}
    figure = plot_rates({"left": ends, "right": ends}, styles=STYLES, noisy=20.5)
    assert [ax.get_title() for ax in figure.axes] == ["left", "right"]
    ax = figure.axes[0]
    median, dots, legend = ax.lines[:3]
    np.testing.assert_allclose(median.get_ydata(), [24, 25])
    np.testing.assert_allclose(median.get_xdata(), np.array([0.01, 0.1]) / 1.06**0.5)
    assert sorted(dots.get_ydata()) == [20, 24, 25, 26] and dots.get_linestyle() == "None"
    assert dots.get_markerfacecolor() == COLOURS["restored"] and legend.get_linestyle() == "-"
    assert ax.lines[4].get_markerfacecolor() == "white"
    assert ax.lines[-1].get_ydata() == [20.5, 20.5]
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == [*ends, "noisy input"]


def test_seeds_have_a_line_each_and_one_label(figures):
    curves = {"direct, BN": {0: steps(20, 21), 1: steps(22, 23)}, "direct, no BN": {0: steps(24)}}
    ax = plot_seeds({"SGD": curves}, styles=STYLES, lowest=19).axes[0]
    assert [list(line.get_ydata()) for line in ax.lines] == [[20, 21], [22, 23], [24]]
    assert list(ax.lines[1].get_xdata()) == [8, 16]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(curves)
    assert ax.get_ylim()[0] == 19


def test_spreads_begin_at_layer_two(figures):
    ax = plot_spreads({"direct, BN": [[0.3, 0.2], [0.4, 0.1]]}, styles=STYLES).axes[0]
    assert [list(line.get_xdata()) for line in ax.lines] == [[2, 3], [2, 3]]
    assert [list(line.get_ydata()) for line in ax.lines] == [[0.3, 0.2], [0.4, 0.1]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["direct, BN"]
