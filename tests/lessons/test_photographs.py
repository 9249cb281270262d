"""Lesson 11: noise as strong, noise moved, spectra, the sensors, real pairs, the ISO slider."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from helpers import picture, raises, seeded, smooth

from dncnn_lib import camera, records
from dncnn_lib._files import DATA
from dncnn_lib.degrade import CameraNoise, GaussianNoise, apply, expose
from dncnn_lib.evaluation import restored_comparison
from dncnn_lib.lessons import photographs
from dncnn_lib.lessons.photographs import (
    ELECTRONS,
    ISO,
    WhiteAsStrong,
    character,
    iso_explorer,
    iso_words,
    plot_sensors,
    real_pairs,
    recorded_noise,
    sensor_draw,
    sensor_ratios,
    shuffled,
    spectrum,
)
from dncnn_lib.metrics import psnr
from dncnn_lib.samples import sample_image
from dncnn_lib.show.pictures import side_by_side

PHONE = CameraNoise(6400, camera.PHONE)


def photo(height: int = 64, width: int = 64) -> np.ndarray:
    return smooth(height, width, channels=3)[0].permute(1, 2, 0).numpy()


# ---------------------------------------------------------------------------------------- the noise


def test_white_noise_is_exactly_as_strong_and_white():
    clean = photo(96, 96)
    ours, its = (apply(kind, clean, seed=4) for kind in (WhiteAsStrong(PHONE), PHONE))
    decibels = [psnr(image, clean, data_range=1.0) for image in (ours, its)]
    assert decibels[0] == pytest.approx(decibels[1], abs=1e-3)
    white, phone = (character(image - clean) for image in (ours, its))
    assert abs(white["neighbours"]) < 0.03 and abs(white["colours"]) < 0.03
    assert phone["neighbours"] > 0.3


def test_white_noise_is_as_strong_on_every_image_of_a_batch():
    clean = smooth(32, 32, channels=3, batch=3)
    kind = CameraNoise((100, 25600), camera.PHONE)
    powers = [
        (noise(clean, seeded()) - clean).square().mean((1, 2, 3))
        for noise in (WhiteAsStrong(kind), kind)
    ]
    assert torch.allclose(*powers, rtol=1e-3) and powers[0].max() > 3 * powers[0].min()


def test_the_draw_is_that_of_the_librarys_sensor():
    clean = torch.full((1, 3, 40, 30), 0.5)
    at, light = torch.full((1, 1, 1, 1), 6400.0), torch.full((1, 1, 1, 1), camera.PHONE)
    raw = camera.mosaic(camera.to_linear(clean) / camera.balance(clean))
    a, b = camera.sensor_noise(at)
    draw = torch.from_numpy(sensor_draw(40, 30, seed=7))
    generator = seeded(7)
    torch.rand((1, 1, 1, 1), generator=generator)
    torch.rand((1, 1, 1, 1), generator=generator)
    shot = expose(raw, at, light, generator)
    own = raw + ((a * raw + b) / light).sqrt() * draw
    assert torch.allclose(shot, own.clamp(max=1), atol=1e-6)
    noise = camera.develop(own, 3) - camera.develop(raw, 3)
    file = apply(CameraNoise(6400, camera.PHONE, quality=None), clean, seed=7)
    assert torch.allclose(file, (clean + noise).clamp(0, 1), atol=1e-5)


def test_moved_noise_keeps_its_values_and_loses_its_neighbours():
    clean = photo(96, 96)
    noise = apply(PHONE, clean) - clean
    for together in (False, True):
        moved = shuffled(noise, clean, seed=1, together=together)
        for c in range(3):
            assert np.array_equal(np.sort(moved[..., c].ravel()), np.sort(noise[..., c].ravel()))
        found = character(moved)
        assert found["std"] == pytest.approx(character(noise)["std"], rel=1e-5)
        assert abs(found["neighbours"]) < 0.1 < 0.3 < character(noise)["neighbours"]
        shared = character(noise)["colours"] if together else 0
        assert found["colours"] == pytest.approx(shared, abs=0.04)


def test_noise_moves_among_pixels_of_one_brightness():
    """Where the noise is the brightness itself, nothing changes by more than a group is wide."""
    clean = photo(64, 64)
    step = np.max([np.ptp(np.sort(clean[..., c].ravel())[k : k + 64])
                   for c in range(3) for k in range(0, 4096, 64)])  # fmt: skip
    assert np.abs(shuffled(clean, clean) - clean).max() <= step < np.ptp(clean) / 4


def test_noise_of_another_shape_is_refused():
    rule = "(H, W, 3), and that of clean, (4, 4, 3)"
    with raises(ValueError, f"noise's shape is (4, 5, 3), but must be {rule}"):
        shuffled(np.zeros((4, 5, 3)), np.zeros((4, 4, 3)))


def test_the_character_of_noise_known_by_heart():
    rng = np.random.default_rng(0)
    white = rng.standard_normal((200, 401, 3)) * [1, 1, 1]
    pair = (white[:, 1:] + white[:, :-1]) / 2  # neighbours share one of two terms
    pair[..., 1] += pair[..., 0]
    found = character(pair / 255)
    assert found["neighbours"] == pytest.approx(0.5, abs=0.02)
    assert abs(found["two_apart"]) < 0.02 and abs(found["four_apart"]) < 0.02
    assert found["colours"] == pytest.approx(np.sqrt(0.5) / 2, abs=0.02)
    assert found["std"] == pytest.approx(pair.std())


def test_the_spectrum_of_white_noise_is_level_and_of_a_wave_is_a_line():
    rng = np.random.default_rng(0)
    frequency, power = spectrum([3 * rng.standard_normal((64, 48, 3)) for _ in range(8)])
    assert power == pytest.approx(np.full(12, 9), rel=0.15)
    assert (np.diff(frequency) > 0).all() and 0 < frequency[0] < frequency[-1] < 0.5
    wave = np.sin(2 * np.pi * np.arange(64) * 0.25)[:, None, None] * np.ones((64, 64, 3))
    frequency, power = spectrum([wave + 5], bins=10)  # a mean is left out
    assert power.argmax() == 5 and np.delete(power, 5).max() < 1e-9 * power[5]
    assert frequency[5] == pytest.approx(0.275, abs=0.01)


def test_the_spectrum_adds_up_to_the_variance():
    """Over all frequencies; the rings end at 0.5, and leave out the corners."""
    white = np.random.default_rng(1).standard_normal((64, 64, 3))
    assert spectrum([white], bins=1)[1][0] == pytest.approx(white.var(), rel=0.03)


# -------------------------------------------------------------------------------------- the sensors


def test_our_camera_and_our_phone_are_drawn_as_they_are(figures):
    ax = plot_sensors()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(labels) == 3 + len(ELECTRONS) and "Nikon D3, counted" in labels
    lines = {line.get_label(): line.get_data() for line in ax.lines}
    ours, phone = (lines[f"CameraNoise, light = {light}"][1] for light in ("1", "PHONE"))
    assert np.allclose(phone * camera.PHONE, ours)
    for iso, (low, high) in photographs.BETWEEN.items():
        a = camera.sensor_noise(torch.tensor([float(iso)]))[0].item()
        assert camera.FINEST * low < a < camera.FINEST * high
    at, inverse = lines["Nikon D300, counted"]
    assert at[0] == 200 and 1 / inverse[0] == pytest.approx(16_383 * 1.27)


def test_the_electrons_counted_confirm_the_factor():
    """Camera by camera, though they had no part in it; those at one ISO were counted one by one."""
    ratios = sensor_ratios()
    assert [len(found) for found in ratios.values()] == [7, 6, 4]
    every = np.concatenate(list(ratios.values()))
    assert 0.7 < every.min() and every.max() < 1.4
    assert np.median(every) == pytest.approx(1, abs=0.05)


# ----------------------------------------------------------------------------------- the real pairs


def test_without_the_set_there_are_no_pairs(monkeypatch, tmp_path):
    monkeypatch.setenv("DNCNN_DATA", str(tmp_path))
    monkeypatch.setattr("dncnn_lib.datasets.cache_folder", lambda: tmp_path / "cache")
    assert real_pairs() == {}


def test_the_pairs_belong_together():
    pairs = real_pairs()
    if not pairs:
        pytest.skip("CC15 is not on this machine")
    assert len(pairs) == 15 and "d800_iso6400_2" in pairs
    for noisy, clean in pairs.values():
        assert noisy.shape == clean.shape == (512, 512, 3)
        assert psnr(noisy, clean, data_range=1.0) > 25


def test_the_recorded_noise_is_that_of_the_pairs():
    rows = recorded_noise()
    assert [row["noise"] for row in rows] == ["real", "simulated"] * 15
    pairs = real_pairs()
    if not pairs:
        pytest.skip("CC15 is not on this machine")
    for row in rows[6:8]:
        noisy, clean = pairs[row["pair"]]
        if row["noise"] == "simulated":
            noisy = apply(CameraNoise(int(row["pair"].split("_")[1][3:])), clean)
        for key, value in character(noisy - clean).items():
            assert float(row[key]) == pytest.approx(value, abs=0.01)


def test_the_simulated_noise_is_like_the_real_one():
    """Within a factor of two in strength, and 0.15 in what is shared."""
    with open(DATA / "tables" / "real_noise.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    mean = {
        kind: {
            key: np.mean([float(row[key]) for row in rows if row["noise"] == kind])
            for key in ("std", "neighbours", "two_apart", "four_apart", "colours")
        }
        for kind in ("real", "simulated")
    }
    assert 0.5 < mean["simulated"].pop("std") / mean["real"].pop("std") < 1
    for key, value in mean["real"].items():
        assert mean["simulated"][key] == pytest.approx(value, abs=0.15)


def test_what_is_recorded_of_pairs_and_of_the_cure_is_read():
    rows = photographs.recorded_pairs()
    assert [row["noise"] for row in rows[:30]] == ["real", "simulated"] * 15
    assert [row["noise"] for row in rows[30:]] == ["as strong", "as strong, broader"] * 15
    assert {"noisy", "cdncnn-b", "bm3d", "cdncnn-camera"} < set(rows[0])
    cure = photographs.recorded_cure()
    assert list(cure) == ["nothing", "white", "white, as strong", "camera"]
    assert [len(gain["phone"]) for gain in cure.values()] == [1, 3, 3, 3]


def test_the_gains_of_the_cure_are_those_over_the_noisy_pictures():
    """Which have the same PSNR with either noise."""
    images = [sample_image(name) for name in ("dogs", "pagoda", "dandelion", "drum", "sundial")]
    clean = [photographs.middle(image, 128) for image in images]
    noisy = [psnr(apply(PHONE, x, seed=i), x, data_range=1.0) for i, x in enumerate(clean)]
    path = records.RECORDS / "photographs.csv"
    ends = {key: last.val_psnr for key, (last,) in records.read_comparison(path).items()}
    cure = photographs.recorded_cure()
    for (trained, measured, seed), end in ends.items():
        if trained == "noisy":
            continue
        assert cure[trained][measured][seed] == pytest.approx(end - np.mean(noisy), abs=0.01)


# --------------------------------------------------------------------------------------- the middle


def test_the_middle_of_a_picture():
    image = np.arange(35).reshape(5, 7)
    assert photographs.middle(image, 3).tolist() == [[9, 10, 11], [16, 17, 18], [23, 24, 25]]
    assert photographs.middle(np.zeros((4, 6, 3)), 4).shape == (4, 4, 3)
    with raises(ValueError, "side is 6, but must be at most 5, for image (5, 7)"):
        photographs.middle(image, 6)


# --------------------------------------------------------------------------------------- the slider


def test_the_explorer_follows_its_slider(halve):
    clean = picture(16, 12, 3)
    models = {"half": halve, "none": torch.nn.Identity()}
    slider, words, shown = iso_explorer(clean, models, zoom=1).children
    assert slider.value == 6400 and [value for _, value in slider.options] == list(ISO)
    for iso in (100, 25600):
        slider.value = iso
        noisy = apply(CameraNoise(iso, camera.PHONE), clean)
        found = {name: restored_comparison(clean, noisy, net) for name, net in models.items()}
        assert words.value == shown.alt == iso_words(iso, found)
        assert shown.value == side_by_side(noisy, noisy / 2, noisy)
        assert f"{found['half'].psnr:.1f} dB" in words.value and f"ISO {iso:,}" in words.value


def test_white_noise_of_a_known_strength():
    clean = photo(48, 48)
    noise = apply(WhiteAsStrong(GaussianNoise(20)), clean) - clean
    assert 255 * noise.std() == pytest.approx(20, rel=0.05)
