"""The widgets, without a browser: move the slider, decode the picture."""

from __future__ import annotations

import io
import itertools
import re

import numpy as np
import pytest
import torch
from helpers import raises
from PIL import Image

import dncnn_lib
from dncnn_lib import widgets
from dncnn_lib.degrade import GaussianNoise, add_gaussian_noise
from dncnn_lib.engine import Step, TrainConfig
from dncnn_lib.metrics import psnr
from dncnn_lib.model import DnCNN
from dncnn_lib.widgets import (
    NOISE_KINDS,
    NORM_MODES,
    PATIENTS,
    TASK_KINDS,
    RateRun,
    batch_norm_at,
    batch_norm_switch,
    correlation_svg,
    examine,
    field_slider,
    field_view,
    histogram_svg,
    live_training,
    network_slider,
    noise_at,
    noise_explorer,
    noise_slider,
    plot_rate,
    rate_slider,
    removal_at,
    restore_at,
    short_training,
    side_by_side,
    snapshot_slider,
    snapshots,
    task_at,
    task_explorer,
    ward,
)


class Halve(torch.nn.Module):
    """Not a denoiser: its result is known by heart."""

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return noisy / 2


@pytest.fixture
def clean() -> np.ndarray:
    return np.random.default_rng(0).random((24, 16), dtype=np.float32)


def decode(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image)


def test_restore_at_adds_that_noise_and_applies_the_model(clean):
    result = restore_at(clean, 25, Halve())
    assert np.std(result.noisy - clean) == pytest.approx(25 / 255, rel=0.15)
    np.testing.assert_array_equal(result.restored, result.noisy / 2)
    assert result.noisy_psnr == psnr(result.noisy, clean, data_range=1.0)
    assert "σ = 25" in result.summary


def test_side_by_side_is_the_images_with_a_gap(clean):
    pixels = decode(side_by_side(clean, 1 - clean, zoom=2, gap=3))
    assert pixels.shape == (48, 2 * (16 + 3 + 16))
    np.testing.assert_array_equal(pixels[::2, :32:2], np.round(clean * 255).astype(np.uint8))
    assert (pixels[:, 32:38] == 255).all()


def test_moving_the_slider_changes_picture_and_words(clean):
    slider, words, picture = noise_slider(clean, Halve(), sigma=10).children
    before = picture.value
    slider.value = 60
    assert words.value.startswith("σ = 60")
    assert picture.value != before
    expected = restore_at(clean, 60, Halve())
    assert picture.value == side_by_side(expected.noisy, expected.restored, zoom=2)


def test_colour_pictures_work_too():
    clean = np.random.default_rng(0).random((12, 12, 3), dtype=np.float32)
    _, _, picture = noise_slider(clean, Halve()).children
    assert decode(picture.value).shape == (24, 2 * (12 + 8 + 12), 3)


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
def test_field_view_has_the_numbers_of_the_network(depth):
    net = DnCNN(depth)
    view = field_view(np.zeros((64, 64)), depth)
    assert view.parameters == sum(p.numel() for p in net.parameters())
    assert view.side == net.receptive_field
    assert f"{view.side}×{view.side}" in view.summary


def test_field_view_names_who_sees_more():
    photo = np.zeros((32, 32))
    assert field_view(photo, 24).summary.endswith("more is seen by CSF, TNRD, WNNM")
    assert field_view(photo, 40, 11).summary.endswith("more is seen by none of the six")


def test_field_view_refuses_what_is_no_network():
    with raises(ValueError, "kernel is 4, but must be odd"):
        field_view(np.zeros((8, 8)), 5, 4)
    with raises(ValueError, "depth is 1, but must be an integer of at least 2"):
        field_view(np.zeros((8, 8)), 1)


def test_moving_the_field_sliders_changes_picture_and_words():
    photo = np.random.default_rng(0).random((64, 80))
    depth, kernel, words, picture = field_slider(photo, centre=(30, 40)).children
    for slider, value, wanted in ((depth, 9, (9, 3)), (kernel, 5, (9, 5))):
        before = picture.value
        slider.value = value
        expected = field_view(photo, *wanted, centre=(30, 40))
        assert words.value == expected.summary
        assert picture.value == side_by_side(expected.picture) != before


@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_every_kind_of_noise_at_both_ends_of_its_slider(clean, kind):
    for level in (NOISE_KINDS[kind].low, NOISE_KINDS[kind].high):
        result = noise_at(clean, kind, level)
        np.testing.assert_array_equal(result.noise, result.noisy - clean)
        assert result.psnr == psnr(result.noisy, clean, data_range=1.0)
        assert result.std == pytest.approx(255 * np.std(result.noisy - clean))
        assert f"{kind}, {NOISE_KINDS[kind].level} {level}:" in result.summary


def test_noise_at_measures_what_numpy_does(clean):
    result = noise_at(clean, "Gaussian", 25)
    assert result.std == pytest.approx(25, rel=0.15)
    v = result.noise
    by_numpy = np.corrcoef(v[:, 1:].ravel(), v[:, :-1].ravel())[0, 1]
    assert result.neighbours == pytest.approx(by_numpy, abs=0.02)
    assert result.with_image == pytest.approx(np.corrcoef(v.ravel(), clean.ravel())[0, 1])


def test_no_noise_at_all_has_no_correlation():
    result = noise_at(np.zeros((24, 16), np.float32), "quantisation", 2)
    assert np.isnan([result.neighbours, result.with_image]).all() and result.psnr == np.inf
    assert "PSNR inf dB" in result.summary
    assert histogram_svg(result.noise).startswith("<svg")


def test_the_explorer_follows_its_controls(clean):
    kind, slider, words, picture, histogram = noise_explorer(clean).children
    assert (kind.value, slider.value) == ("Gaussian", 25)
    for name, expected in NOISE_KINDS.items():
        kind.value = name
        limits = (slider.min, slider.max, slider.value, slider.description)
        assert limits == (expected.low, expected.high, expected.start, expected.level)
        assert words.value == noise_at(clean, name, expected.start).summary
        slider.value = expected.high
        result = noise_at(clean, name, expected.high)
        assert words.value == result.summary
        assert picture.value == side_by_side(result.noisy, result.noise + 0.5, zoom=2)
        assert f"standard deviation {result.std:.1f}" in histogram.value


def test_the_histogram_is_a_share_of_the_pixels():
    svg = histogram_svg(np.full((10, 10), 0.5 / 255), width=200, height=120)
    heights = [float(h) for h in re.findall(r'<rect[^>]*height="([0-9.]+)"', svg)]
    assert len(heights) == 100 and [i for i, h in enumerate(heights) if h] == [50]
    assert heights[50] == pytest.approx(98, abs=3)
    assert 'role="img"' in svg and "aria-label" in svg


def test_the_histogram_is_held_against_the_sigma_that_is_given():
    noise = np.random.default_rng(0).normal(0, 20 / 255, (40, 40))
    curves = [
        re.search(r'points="[^"]*"', histogram_svg(noise, sigma=sigma))[0]
        for sigma in (None, noise.std(), 0.2)
    ]
    assert curves[0] == curves[1] != curves[2]


def test_correlations_are_bars_up_and_down_from_lag_one():
    svg = correlation_svg(np.array([1, 0.25, -0.25, 0, 0.9]), 400, width=200, height=104)
    bars = re.findall(r'<rect x="[0-9.]+" y="([0-9.]+)" width="[0-9.]+" height="([0-9.]+)"', svg)
    assert bars == [("23.0", "20.0"), ("43.0", "20.0"), ("43.0", "0.0"), ("3.0", "40.0")]
    assert "1, 2 and 3 apart: +0.25, -0.25, +0.00" in svg
    assert re.findall(r'y1="([0-9.]+)"', svg) == ["43.0", "35.0", "51.0"]  # 2/√400 = 0.1
    for nothing in (np.full(17, np.nan), np.ones(1)):
        assert "Nothing" in correlation_svg(nothing, 400)


# ---------------------------------------------------------------------------------------- training

IMAGES = [np.random.default_rng(1).random((12, 12), dtype=np.float32)]
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
    assert words.value == "step 4 of 4, loss 0.01, held-out images 25.0 dB, 0 s to go"
    assert decode(picture.value).shape == (320, 600, 4)


def test_the_curve_so_far_has_the_validated_steps_and_the_levels():
    seen = [Step(n, 8, 0.01, 1e-3, float(n), 16 * n, 20.0 + n) for n in (2, 4)]
    lines = {}

    def draw(ax):
        widgets._training_so_far(ax, seen, {"noisy": 20.2})
        lines.update({line.get_label(): line.get_ydata() for line in ax.lines})
        assert ax.get_xlim() == (0, 128)

    widgets.drawn(draw)
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
    assert words.value == runs[1].summary
    before = picture.value
    optimizer.value, loss.value = "adam", "paper"
    assert words.value == runs[7].summary and picture.value != before
    assert picture.value == widgets.drawn(lambda ax: plot_rate(runs, runs[7], ax))


# -------------------------------------------------------------------------------------- with a skip

PICTURE = np.tile(np.linspace(0, 1, 20, dtype=np.float32), (16, 1))


def shots(residual: bool, steps=(0, 3, 6)):
    net = DnCNN(depth=3, width=4, residual=residual)
    net.reset_parameters(torch.Generator().manual_seed(0))
    config = TrainConfig(steps=6, batch_size=2, patch_size=8, log_every=6)
    noisy = dncnn_lib.add_gaussian_noise(PICTURE, 25, seed=0)
    return net, noisy, snapshots(net, IMAGES, GaussianNoise(25), config, PICTURE, noisy, steps)


@pytest.mark.parametrize("residual", [True, False])
def test_snapshots_are_what_the_network_makes_of_the_picture(residual):
    net, noisy, found = shots(residual)
    assert [shot.step for shot in found] == [0, 3, 6]
    last = found[-1]
    assert np.allclose(last.restored, dncnn_lib.denoise(noisy, net))
    computed = net.eval().layers(torch.from_numpy(noisy)[None, None])[0, 0].detach().numpy()
    assert np.allclose(last.output, computed, atol=1e-5)
    assert last.psnr == dncnn_lib.psnr(last.restored, PICTURE, data_range=1.0)
    assert not np.allclose(found[0].restored, found[1].restored)


@pytest.mark.parametrize("steps", [(), (7,), (-1, 2)])
def test_snapshots_of_steps_that_are_not_in_the_training_are_refused(steps):
    with pytest.raises(ValueError, match="^steps is "):
        shots(True, steps)


def test_the_slider_shows_the_step_and_the_switch_what_of_it():
    pair = {"residual": shots(True)[2], "direct": shots(False)[2]}
    slider, switch, words, picture = snapshot_slider(PICTURE, pair).children
    a, b = pair["residual"][0], pair["direct"][0]
    assert words.value == f"after step 0: residual {a.psnr:.1f} dB, direct {b.psnr:.1f} dB"
    assert picture.value == side_by_side(a.restored, b.restored)
    slider.value = 2
    a, b = pair["residual"][2], pair["direct"][2]
    assert words.value.startswith("after step 6: ")
    assert picture.value == side_by_side(a.restored, b.restored)
    switch.value = "layers' output"
    assert picture.value == side_by_side(a.output + 0.5, b.output)
    switch.value = "error, 3 times"
    assert picture.value == side_by_side(
        0.5 + 3 * (a.restored - PICTURE), 0.5 + 3 * (b.restored - PICTURE)
    )


def test_frames_need_a_label_each():
    frame = widgets.Frame("one", (PICTURE, PICTURE, PICTURE))
    view = widgets.frame_slider({"a": [frame, frame]}, ["1", "2"], "layer", zoom=2)
    assert int(view.children[3].width) == 3 * 40 + 2 * 16
    with raises(ValueError, "frames['a']'s length is 1, but must be 2, as labels has"):
        widgets.frame_slider({"a": [frame]}, ["1", "2"], "layer")


# ------------------------------------------------------------------------------ batch normalisation


@pytest.fixture
def trained() -> DnCNN:
    """Not trained, but with running statistics of batches of its own noise."""
    net = DnCNN(depth=4, width=4)
    net.reset_parameters(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for _ in range(3):
            net(torch.rand(4, 1, 12, 12, generator=torch.Generator().manual_seed(1)))
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


def test_batch_norm_at_is_the_network_in_that_mode(clean, trained):
    view = batch_norm_at(clean, trained, "train", [1 - clean], sigma=10)
    others = [add_gaussian_noise(image, 10, seed=n) for n, image in enumerate((clean, 1 - clean))]
    with torch.no_grad():
        expected = trained.train()(torch.from_numpy(np.stack(others)[:, None]))[0, 0].numpy()
    np.testing.assert_allclose(view.restored, expected, atol=1e-6)
    np.testing.assert_array_equal(view.noisy, others[0])
    assert view.psnr == psnr(view.restored, clean, data_range=1.0)
    assert view.summary.startswith("train, 1 other picture in the batch: ")
    assert view.summary.endswith(" dB against eval mode)")
    with raises(ValueError, "mode is 'test', but must be one of 'eval', 'train', 'folded'"):
        batch_norm_at(clean, trained, "test")


def test_the_switches_choose_mode_and_company(clean, trained):
    company = {"nothing": [], "black": [np.zeros_like(clean)]}
    modes, beside, words, picture = batch_norm_switch(clean, trained, company, zoom=2).children
    assert words.value == batch_norm_at(clean, trained, "eval").summary
    before = picture.value
    beside.value = "black"
    assert picture.value == before
    modes.value = "train"
    view = batch_norm_at(clean, trained, "train", company["black"])
    assert words.value == view.summary
    assert picture.value == side_by_side(view.noisy, view.restored, zoom=2) != before


# ------------------------------------------------------------------------------ which network


NETWORKS = {"halve": Halve(), "leave": torch.nn.Identity()}


def test_a_removal_is_a_restoration_with_what_was_taken_away(clean):
    found = removal_at(clean, 25, "halve", NETWORKS)
    same = restore_at(clean, 25, Halve())
    np.testing.assert_array_equal(found.noisy, same.noisy)
    np.testing.assert_array_equal(found.removed, found.noisy / 2)
    assert found.restored_psnr == same.restored_psnr
    spread = 255 * np.std(found.noisy) / 2
    assert found.summary == f"halve, {same.summary}; taken away: std {spread:.1f}"
    assert removal_at(clean, 0, "leave", NETWORKS).summary.endswith("taken away: std 0.0")
    with raises(ValueError, "network is 'c', but must be one of 'halve', 'leave'"):
        removal_at(clean, 25, "c", NETWORKS)


def test_switch_and_slider_choose_network_and_noise(clean):
    switch, slider, words, picture = network_slider(clean, NETWORKS, sigma=10).children
    assert switch.value == "halve" and slider.value == 10 and slider.max == 75
    for network, sigma in (("leave", 10), ("leave", 75), ("halve", 0)):
        switch.value, slider.value = network, sigma
        found = removal_at(clean, sigma, network, NETWORKS)
        assert words.value == picture.alt == found.summary
        shown = (found.noisy, found.restored, found.removed + 0.5)
        assert picture.value == side_by_side(*shown, zoom=2)
    with raises(ValueError, "networks is {}, but must be at least one network"):
        network_slider(clean, {})


# -------------------------------------------------------------------------------------- three tasks


@pytest.mark.parametrize("kind", TASK_KINDS)
def test_task_at_degrades_and_restores(clean, kind):
    view = task_at(clean, kind, NOISE_KINDS[kind].start, Halve(), seed=3)
    batch = torch.from_numpy(clean)[None, None]
    degradation = NOISE_KINDS[kind].degradation(NOISE_KINDS[kind].start)
    expected = degradation(batch, torch.Generator().manual_seed(3))[0, 0].numpy()
    np.testing.assert_array_equal(view.degraded, expected)
    np.testing.assert_allclose(view.restored, expected / 2)
    assert view.degraded_psnr == psnr(expected, clean, data_range=1.0)
    assert view.restored_psnr == psnr(view.restored, clean, data_range=1.0)
    assert f"restored {view.restored_psnr:.1f} dB" in view.summary
    assert view.summary.endswith(f"({view.restored_psnr - view.degraded_psnr:+.1f} dB)")


def test_task_at_refuses_an_unknown_kind(clean):
    with pytest.raises(ValueError, match="^kind is 'blur', but must be one of 'Gaussian'"):
        task_at(clean, "blur", 3, Halve())


def test_the_task_explorer_follows_its_controls(clean):
    kinds, slider, words, picture = task_explorer(clean, Halve(), zoom=2).children
    assert (kinds.description, kinds.options, kinds.value) == ("task", TASK_KINDS, "JPEG")
    assert (slider.description, slider.value) == ("quality", 10)
    for kind, level in (("down-up", 4), ("Gaussian", 0), ("Gaussian", 75), ("JPEG", 90)):
        kinds.value = kind
        slider.value = level
        view = task_at(clean, kind, level, Halve())
        assert words.value == picture.alt == view.summary
        removed = 0.5 + 2 * (view.degraded - view.restored)
        assert picture.value == side_by_side(view.degraded, view.restored, removed, zoom=2)


# -------------------------------------------------------------------------------------- the clinic


class Halves(torch.nn.Module):
    """Takes half of the picture away; in training mode, nothing."""

    def forward(self, noisy):
        return noisy if self.training else noisy / 2


WAVES = (0.5 + 0.4 * np.sin(np.arange(40 * 40).reshape(40, 40))).astype(np.float32)


def test_an_examination_measures_what_was_added_and_taken_away():
    found = examine(WAVES, 25, "D", Halves().eval())
    assert found.noise_std == pytest.approx(25, abs=1)
    assert np.array_equal(found.noisy, dncnn_lib.add_gaussian_noise(WAVES, 25, seed=0))
    assert np.allclose(found.removed, found.noisy / 2)
    assert found.removed_mean == pytest.approx(255 * found.removed.mean())
    assert found.with_image == pytest.approx(
        np.corrcoef(WAVES.ravel(), found.removed.ravel())[0, 1]
    )
    assert found.restored_psnr == dncnn_lib.psnr(found.restored, WAVES, data_range=1.0)
    assert found.summary.startswith("patient D, σ = 25: noise std 25.")


def test_every_patient_has_its_fault():
    net = Halves().eval()
    found = {letter: examine(WAVES, 50, letter, net) for letter in PATIENTS}
    assert found["A"].removed.min() == 0 and found["A"].removed.max() > 0.4
    assert found["B"].noisy.min() == 0 and found["B"].noisy.max() == 1
    assert found["C"].noise_std == pytest.approx(np.sqrt(255 * 50), rel=0.05)
    assert np.array_equal(found["E"].restored, found["E"].noisy)
    assert np.allclose(found["F"].restored, found["D"].restored, atol=1e-6)
    assert np.allclose(found["G"].restored, found["D"].removed)
    assert not net.training
    assert np.isnan(found["E"].with_image)


def test_an_unknown_patient_is_refused():
    with pytest.raises(ValueError, match="^patient is 'Z'"):
        examine(WAVES, 25, "Z", Halves())


def test_the_ward_shows_the_examination():
    net = Halves().eval()
    switch, slider, words, picture = ward(WAVES, net).children
    for letter, sigma in (("G", 25), ("G", 0), ("B", 60)):
        switch.value, slider.value = letter, sigma
        found = examine(WAVES, sigma, letter, net)
        assert words.value == found.summary
        shown = side_by_side(found.noisy, found.restored, found.removed + 0.5, zoom=2)
        assert picture.value == shown
