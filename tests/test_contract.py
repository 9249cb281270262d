"""The library as the README and the lessons call it, with the networks that ship."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

import dncnn_lib as dn
from dncnn_lib.evaluation import PROTOCOLS
from dncnn_lib.priors import PRIORS

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def blind() -> dn.DnCNN:
    return dn.load_pretrained("dncnn-b")


def test_every_public_name_exists_and_is_documented():
    assert dn.__all__ == sorted(dn.__all__, key=lambda name: (name.islower(), name))
    for name in dn.__all__:
        assert getattr(dn, name).__doc__, name


def test_a_photograph_is_restored(blind):
    clean = dn.sample_image("camera")[:192, 100:292]
    noisy = dn.add_gaussian_noise(clean, sigma=25, seed=0)
    restored = dn.denoise(noisy, blind)
    assert restored.shape == clean.shape and restored.dtype == np.float32
    before = peak_signal_noise_ratio(clean, noisy, data_range=1.0)
    after = peak_signal_noise_ratio(clean, restored, data_range=1.0)
    assert before == pytest.approx(20.17, abs=0.1)
    assert after > before + 8
    assert dn.psnr(restored, clean, data_range=1.0) == pytest.approx(after, abs=1e-4)
    assert dn.ssim(restored, clean, data_range=1.0) > dn.ssim(noisy, clean, data_range=1.0) + 0.3


@pytest.mark.parametrize(("sigma", "least"), [(5, 1), (15, 4), (25, 6), (50, 8)])
def test_the_blind_network_finds_the_noise_level_by_itself(blind, sigma, least):
    gains = []
    for name in ("dogs", "coins", "pagoda"):
        clean = dn.sample_image(name, grey=True)[:128, :128]
        noisy = dn.add_gaussian_noise(clean, sigma, seed=1)
        restored = np.clip(dn.denoise(noisy, blind), 0, 1)
        gains.append(
            dn.psnr(restored, clean, data_range=1.0) - dn.psnr(noisy, clean, data_range=1.0)
        )
    assert np.mean(gains) > least


def test_a_small_network_learns_from_the_images_that_ship():
    torch.manual_seed(0)
    net = dn.DnCNN(depth=4, width=12)
    config = dn.TrainConfig(steps=120, batch_size=8, patch_size=32, log_every=20)
    steps = list(dn.train(net, dn.small_training_set(), dn.GaussianNoise(25), config=config))
    assert [s.step for s in steps] == [20, 40, 60, 80, 100, 120]
    with pytest.raises(FrozenInstanceError):
        steps[0].loss = 0.0
    (score,) = dn.evaluate(net, [dn.sample_image("coins")[:128, :128]], dn.GaussianNoise(25))
    assert score.psnr > score.noisy_psnr + 4


def test_the_readme_speaks_of_what_exists():
    readme = (ROOT / "README.md").read_text("utf-8")
    for name in set(re.findall(r"\bdn\.(\w+)", readme)):
        assert hasattr(dn, name), name
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", readme):
        assert (ROOT / link).exists(), link


@pytest.mark.parametrize("name", dn.model_names())
def test_a_card_tells_the_truth(name):
    """The card against the file; its PSNR on the samples, measured again on a part of them."""
    card = dn.card(name)
    file = ROOT / "data" / "weights" / f"{name}.safetensors"
    assert card["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert card["network"] == dn.load_pretrained(name).config
    assert file.stat().st_size < 3_000_000
    for key in ("about", "training_data", "commit", "hardware", "psnr", "training_seconds"):
        assert card[key], key
    for number, stage in enumerate(card["stages"], start=1):
        record = ROOT / "data" / "runs" / (f"{name}-{number}.csv" if number > 1 else f"{name}.csv")
        *_, last = csv.DictReader(record.read_text("utf-8").splitlines())
        assert int(last["step"]) == stage["config"]["steps"]
        assert round(float(last["seconds"])) == stage["seconds"] and stage["commit"]
    recipe = dn.recipe(name, card["effort"])
    assert card["degradation"] == repr(recipe.degradation)
    assert [stage["config"] for stage in card["stages"]] == json.loads(
        json.dumps([vars(config) for config in recipe.stages])
    )


def rows(**wanted: str) -> list[dict[str, str]]:
    """Rows of the table of a model's quality that have these values."""
    name = "priors.csv" if wanted["model"] in PRIORS else "quality.csv"
    table = ROOT / "data" / "tables" / name
    found = csv.DictReader(table.read_text("utf-8").splitlines())
    return [row for row in found if wanted.items() <= row.items()]


@pytest.mark.parametrize("name", dn.model_names())
def test_the_weights_give_what_the_table_says(name):
    """On one small picture, at the first level of each task that the network is for."""
    net, image, measured = dn.load_pretrained(name), "pagoda", set()
    for row in rows(model=name, set="samples", image=image):
        if row["task"] in measured:
            continue
        measured.add(row["task"])
        grey = row["task"] == "gaussian" and net.channels == 1
        protocol, pixels = PROTOCOLS[row["task"]], dn.sample_image(image, grey=grey)
        number = list(dn.held_out_images()).index(image)
        shown = protocol.compare(net, pixels, float(row["level"]), seed=number)
        for key, tolerance in (("psnr", 0.002), ("ssim", 2e-4)):
            for which in (key, f"degraded_{key}"):
                value = getattr(shown, which)
                assert value == pytest.approx(float(row[which]), abs=tolerance), (which, row)
    told = {"gaussian", *(task for task in PROTOCOLS if task in dn.card(name))}
    assert measured == told
