"""Lesson 05: what is raced and copied, and snapshots of a training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import picture, raises, seeded, small_net
from skimage.metrics import peak_signal_noise_ratio

import dncnn_lib as dn
from dncnn_lib.evaluation import Comparison
from dncnn_lib.lessons.residual import (
    SIGNALS,
    SNAPSHOT_VIEWS,
    Snapshot,
    at_best,
    copy_psnr,
    copying,
    pale_photographs,
    pieces,
    recorded,
    snapshot_slider,
    snapshot_summary,
    snapshots,
)
from dncnn_lib.records import write_comparison
from dncnn_lib.show.pictures import side_by_side

pytestmark = pytest.mark.usefixtures("one_thread")
IMAGES = [picture(12, 12)]
PICTURE = np.tile(np.linspace(0, 1, 20, dtype=np.float32), (16, 1))


def test_pale_pictures_have_their_contrast_around_grey():
    full, pale = pieces(), pieces(0.25)
    assert {piece.shape for piece in pale.values()} == {(96, 96)}
    for name, piece in full.items():
        np.testing.assert_allclose(pale[name], 0.375 + 0.25 * piece, atol=1e-6)
    for photograph, paler in zip(dn.small_training_set(), pale_photographs(0.25)):
        assert paler.dtype == np.uint8
        assert np.abs(paler - (96 + 0.25 * photograph)).max() <= 0.5
    assert all(map(np.array_equal, pale_photographs(1), dn.small_training_set()))


def test_the_record_is_read_by_experiment_network_and_rate(tmp_path):
    def ends(value: float) -> list[dn.Step]:
        return [dn.Step(n, 2, 0.1, 0.1, 1.0, 8 * n, v) for n, v in ((1, None), (2, value))]

    runs = {("a", "n", 0.1, 0): ends(20), ("a", "n", 0.1, 1): ends(22), ("b", "n", 0.1, 0): ends(9)}
    write_comparison(tmp_path / "a.csv", ("experiment", "network", "rate", "seed"), runs, {})
    assert recorded("a", tmp_path / "a.csv") == {"n": {0.1: [20, 22]}}
    with raises(ValueError, "experiment is 'c', but must be one of a, b"):
        recorded("c", tmp_path / "a.csv")


def test_networks_are_held_against_each_other_at_their_best_rates():
    found = recorded("sigma 75")
    assert {len(seeds) for rates in found.values() for seeds in rates.values()} == {3}
    for network, psnr in at_best("sigma 75").items():
        assert psnr.mean() == max(np.mean(seeds) for seeds in found[network].values())


def test_signals_are_made_of_the_patches():
    clean = torch.from_numpy(picture(3, 1, 40, 40))
    made = {name: make(clean, seeded(0)) for name, make in SIGNALS.items()}
    assert made.pop("image") is clean
    assert torch.equal(made.pop("image - 1/2"), clean - 0.5)
    shuffled = made.pop("shuffled image")
    assert torch.equal(shuffled.flatten(1).sort().values, clean.flatten(1).sort().values)
    assert (shuffled != clean).float().mean() > 0.9
    for name in ("image", "shuffled image"):
        centred, whole = made.pop(f"{name} - patch mean"), SIGNALS[name](clean, seeded(0))
        assert centred.mean((1, 2, 3)).abs().max() < 1e-6
        assert (whole - centred).flatten(1).std(1).max() < 1e-6
    for name, noise in made.items():
        sigma = int(name.removeprefix("noise "))
        assert noise.shape == clean.shape and abs(255 * noise.mean()) < 0.1 * sigma
        assert abs(255 * noise.std() - sigma) < 0.05 * sigma


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_copy_is_held_against_the_signal(signal):
    clean = torch.from_numpy(picture(3, 1, 9, 8))
    given, target = copying(signal)(clean, seeded(0))
    assert given is target and torch.equal(given, SIGNALS[signal](clean, seeded(0)))

    def tenth_off(given):
        assert given.shape == (36, 1, 32, 32)
        return given + 0.1

    assert copy_psnr(signal)(tenth_off) == pytest.approx(20, abs=1e-3)
    assert np.isnan(copy_psnr(signal)(lambda given: given + float("nan")))


def shots(residual: bool, steps=(0, 3, 6)):
    net = small_net(residual=residual)
    config = dn.TrainConfig(steps=6, batch_size=2, patch_size=8, log_every=6)
    noisy = dn.add_gaussian_noise(PICTURE, 25, seed=0)
    return net, noisy, snapshots(net, IMAGES, dn.GaussianNoise(25), config, PICTURE, noisy, steps)


@pytest.mark.parametrize("residual", [True, False])
def test_snapshots_are_what_the_network_makes_of_the_picture(residual):
    net, noisy, taken = shots(residual)
    assert [shot.step for shot in taken] == [0, 3, 6]
    last = taken[-1]
    np.testing.assert_allclose(last.found.restored, dn.denoise(noisy, net), atol=1e-6)
    computed = net.eval().layers(torch.from_numpy(noisy)[None, None])[0, 0].detach().numpy()
    np.testing.assert_allclose(last.output, computed, atol=1e-5)
    assert last.found.clean is PICTURE and last.found.degraded is noisy
    assert not np.allclose(taken[0].found.restored, taken[1].found.restored)


@pytest.mark.parametrize("steps", [(), (7,), (-1, 2)])
def test_snapshots_of_steps_that_are_not_in_the_training_are_refused(steps):
    with pytest.raises(ValueError, match="^steps is "):
        shots(True, steps)


def test_the_words_have_the_step_and_every_psnr(clean, found):
    other = Comparison(clean, found.degraded, clean + 0.1)
    psnr = peak_signal_noise_ratio(clean, found.restored.clip(0, 1), data_range=1)
    clipped = peak_signal_noise_ratio(clean, (clean + 0.1).clip(0, 1), data_range=1)
    row = {"residual": Snapshot(40, found, True), "direct": Snapshot(40, other, False)}
    assert snapshot_summary(row) == (
        f"after step 40: residual {psnr:.1f} dB, direct {clipped:.1f} dB"
    )


def test_views_show_noise_and_errors_around_grey(clean, found):
    shown = {
        name: [view(Snapshot(1, found, residual)) for residual in (True, False)]
        for name, view in SNAPSHOT_VIEWS.items()
    }
    restored, output, error = shown.values()
    np.testing.assert_array_equal(restored, [found.restored] * 2)
    np.testing.assert_allclose(output[0], 0.5 + found.degraded - found.restored, atol=1e-6)
    np.testing.assert_array_equal(output[1], found.restored)
    np.testing.assert_allclose(error, [0.5 + 3 * (found.restored - clean)] * 2, atol=1e-6)


def test_the_slider_shows_the_step_and_the_switch_what_of_it():
    pair = {"residual": shots(True)[2], "direct": shots(False)[2]}
    slider, switch, words, png = snapshot_slider(pair, zoom=2).children
    assert switch.options == tuple(SNAPSHOT_VIEWS) and slider.options[2] == ("6", 2)
    restored, output, error = SNAPSHOT_VIEWS
    for number, name in ((0, restored), (2, restored), (2, output), (1, error)):
        slider.value, switch.value = number, name
        row = {label: taken[number] for label, taken in pair.items()}
        assert words.value == png.alt == snapshot_summary(row)
        shown = [SNAPSHOT_VIEWS[name](shot) for shot in row.values()]
        assert png.value == side_by_side(*shown, zoom=2)
