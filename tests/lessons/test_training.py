"""Lesson 04: the live curve and learning rates."""

from __future__ import annotations

import io
import itertools
import math

import helpers
import numpy as np
import pytest
from PIL import Image

from dncnn_lib.lessons import training
from dncnn_lib.lessons.training import (
    RateRun,
    at_best_rate,
    best_runs,
    computing,
    drawn,
    live_training,
    plot_continued,
    plot_hills,
    plot_rate,
    rate_slider,
    short_training,
)
from dncnn_lib.model import DnCNN
from dncnn_lib.show.pictures import COLOURS
from dncnn_lib.training import Step

pytestmark = pytest.mark.usefixtures("one_thread")
IMAGES = [helpers.picture(12, 12)]
QUICK = {"steps": 5, "patch_size": 8}


def test_live_training_passes_every_step_on_and_shows_the_last(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    steps = [
        Step(n, 4, 0.01, 1e-3, float(n), 16 * n, 21.0 + n if n % 2 == 0 else None)
        for n in range(1, 5)
    ]
    assert list(live_training(steps, {"noisy": 20.2})) == steps
    bar, words, picture = shown[0].children
    assert (bar.value, bar.max) == (4, 4)
    assert words.value == picture.alt
    assert words.value == "step 4 of 4, loss 0.01, held-out images 25.0 dB, 0 s to go"
    with Image.open(io.BytesIO(picture.value)) as image:
        assert image.size == (600, 320)


def test_the_words_say_how_long_it_will_take(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    running = live_training([Step(2, 12, 0.5, 1e-3, 3.0, 32, None)])
    next(running)
    assert shown[0].children[1].value == "step 2 of 12, loss 0.5, 15 s to go"


def test_the_curve_so_far_has_the_validated_steps_and_the_levels():
    seen = [Step(n, 8, 0.01, 1e-3, float(n), 16 * n, 20.0 + n) for n in (2, 4)]
    lines = {}

    def draw(ax):
        training._training_so_far(ax, seen, {"noisy": 20.2})
        lines.update({line.get_label(): line.get_ydata() for line in ax.lines})
        assert ax.get_xlim() == (0, 128)

    drawn(draw)
    assert list(lines["noisy"]) == [20.2, 20.2]
    assert [22.0, 24.0] in [list(y) for y in lines.values()]


def test_the_factor_of_the_loss_is_a_factor_of_the_rate_under_sgd_and_nothing_under_adam():
    """Patches of 8×8 pixels: the paper's loss is 32 times the mean."""
    mean = short_training(IMAGES, "sgd", "mean", 0.1, **QUICK)
    paper = short_training(IMAGES, "sgd", "paper", 0.1 / 32, **QUICK)
    np.testing.assert_allclose(paper.psnr, mean.psnr, atol=1e-3)
    other = short_training(IMAGES, "sgd", "paper", 0.1 / 16, **QUICK)
    assert abs(other.psnr[-1] - mean.psnr[-1]) > 0.05
    adam = [short_training(IMAGES, "adam", loss, 0.01, **QUICK).psnr for loss in ("mean", "paper")]
    np.testing.assert_allclose(*adam, atol=1e-2)
    assert mean.psnr[0] == pytest.approx(adam[0][0], abs=1e-4)


def test_a_training_that_diverges_is_stopped_and_said_to():
    run = short_training(IMAGES, "sgd", "mean", 1e3, **QUICK)
    assert len(run.psnr) == 5 and np.isnan(run.psnr[-1]) and np.isnan(run.final)
    assert run.summary == "SGD, mean loss, learning rate 1e+03: diverged"


def test_final_is_the_mean_of_the_last_fifth():
    run = RateRun("adam", "paper", 0.01, (1.0,) * 8 + (3.0, 5.0))
    assert run.final == 4
    assert run.summary == "Adam, the paper's loss, learning rate 0.01: 4.0 dB after 10 steps"
    assert RateRun("sgd", "mean", 0.01, (1.0, 3.0)).final == 3


def test_the_best_run_of_each_kind_is_none_that_diverged():
    runs = [
        RateRun("sgd", "mean", 0.1, (20.0, 21.0)),
        RateRun("sgd", "mean", 0.3, (20.0, 23.0)),
        RateRun("sgd", "mean", 1.0, (25.0, math.nan)),
        RateRun("sgd", "paper", 1.0, (25.0, math.nan)),
        RateRun("adam", "mean", 0.1, (10.0, 11.0)),
    ]
    assert best_runs(runs) == {("sgd", "mean"): runs[1], ("adam", "mean"): runs[4]}


def test_the_controls_choose_the_run():
    runs = [
        RateRun(optimizer, loss, rate, (20.0, 20.0 + number))
        for number, (optimizer, loss, rate) in enumerate(
            itertools.product(("sgd", "adam"), ("mean", "paper"), (0.1, 0.01))
        )
    ]
    optimizer, loss, slider, words, picture = rate_slider(runs).children
    assert optimizer.value == "sgd"
    slider.value = 0.01
    assert words.value == picture.alt == runs[1].summary
    before = picture.value
    optimizer.value, loss.value = "adam", "paper"
    assert words.value == picture.alt == runs[7].summary
    assert picture.value == drawn(lambda ax: plot_rate(runs, runs[7], ax)) != before


def test_the_chosen_run_is_drawn_over_the_others_of_its_kind():
    runs = [RateRun("sgd", "mean", rate, (20.0, 20.0 + rate)) for rate in (0.1, 0.2)]
    other = RateRun("adam", "mean", 0.1, (10.0, 11.0))

    def draw(ax):
        plot_rate([*runs, other], runs[0], ax)
        *grey, chosen, noisy = (list(line.get_ydata()) for line in ax.lines)
        assert grey == [list(run.psnr) for run in runs] and chosen == list(runs[0].psnr)
        assert noisy == pytest.approx([-20 * math.log10(25 / 255)] * 2)
        assert ax.get_title() == runs[0].summary

    drawn(draw)


def test_every_hill_has_its_runs_and_a_cross_where_one_diverged():
    lost = (20.0, math.nan)
    runs = [
        RateRun("sgd", "mean", 0.1, (20.0, 21.0)),
        RateRun("sgd", "mean", 1.0, lost),
        RateRun("adam", "paper", 0.1, (20.0, 22.0)),
    ]
    ax = plot_hills(runs)
    drawn = {line.get_label(): line for line in ax.lines}
    np.testing.assert_equal(drawn["SGD, mean loss"].get_ydata(), [21, math.nan])
    assert list(drawn["Adam, the paper's loss"].get_ydata()) == [22]
    assert drawn["Adam, the paper's loss"].get_color() == COLOURS["restored"]
    assert [drawn[label].get_linestyle() for label in list(drawn)[::2][:2]] == ["-", "--"]
    crosses = [list(line.get_xdata()) for line in ax.lines if line.get_marker() == "x"]
    assert [x for x in crosses if x] == [[1.0]]


def test_a_training_goes_on_in_a_panel_for_each_seed():
    ways = {"kept": [[27.0, 28.0], [26.0, 27.0]], "new": [[27.0, 24.0], [26.0, 23.0]]}
    styles = {"kept": ("reference", "-"), "new": ("removed", "--")}
    figure = plot_continued(ways, styles, start=200)
    assert [ax.get_title() for ax in figure.axes] == ["seed 0", "seed 1"]
    for seed, ax in enumerate(figure.axes):
        drawn = {line.get_label(): line for line in ax.lines}
        assert {label: list(line.get_ydata()) for label, line in drawn.items()} == {
            label: psnr[seed] for label, psnr in ways.items()
        }
        assert list(drawn["new"].get_xdata()) == [200, 201]
        assert drawn["new"].get_linestyle() == "--"
    assert [ax.get_legend() for ax in figure.axes] == [None, None]  # it would hide a line
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["kept", "new"]


def test_computing_counts_multiplications_of_a_forward_pass_in_units_of_the_live_network():
    assert computing(8, 32, patches=1600) == 1
    assert computing(8, 32, patches=400, patch_size=80) == 1
    counted = {}
    for depth, width in ((8, 32), (17, 64)):
        net = DnCNN(depth=depth, width=width, batch_norm=False)
        counted[depth] = sum(p.numel() for p in net.parameters() if p.ndim > 1)
    assert computing(17, 64, patches=1600) == pytest.approx(counted[17] / counted[8])


def test_of_the_rates_that_all_seeds_were_trained_at_the_best():
    def last(psnr):
        return [Step(5, 5, 0.01, 0.0, 1.0, 80, psnr)]

    record = {
        ("plain", 10, 0.01, 0, "camera"): last(31.0),
        ("plain", 10, 0.02, 0, "camera"): last(30.0),
        ("plain", 10, 0.02, 0, "coins"): last(28.0),
        ("plain", 10, 0.02, 0, "Set12"): last(27.0),
        ("plain", 10, 0.02, 1, "camera"): last(29.0),
        ("plain", 10, 0.04, 0, "camera"): last(31.0),
        ("plain", 10, 0.04, 1, "camera"): last(20.0),
        ("plain", 100, 0.02, 0, "camera"): last(32.0),
    }
    assert at_best_rate(record) == {
        ("plain", 10): [
            {"camera": 30.0, "coins": 28.0, "Set12": 27.0, "samples": 29.0},
            {"camera": 29.0, "samples": 29.0},
        ],
        ("plain", 100): [{"camera": 32.0, "samples": 32.0}],
    }
