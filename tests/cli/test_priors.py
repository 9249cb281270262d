"""The systems before DnCNN from the command line, by name as the networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dncnn_lib as dn
from dncnn_lib import images, priors
from dncnn_lib.datasets import image_set
from dncnn_lib.degrade import GaussianNoise
from dncnn_lib.evaluation import evaluate
from dncnn_lib.making import tables
from dncnn_lib.priors import PRIORS
from dncnn_lib.restoring import denoise


@pytest.mark.parametrize("name", PRIORS)
def test_a_picture_is_restored_by_a_prior(call, write, name):
    write("in.png", 16, 21, 3)
    words = ("denoise", "in.png", "out.png", "--model", name, "--sigma", "25")
    assert call(*words) == (0, "", [])
    expected = denoise(images.read_image("in.png"), priors.load_model(name), sigma=25).clip(0, 1)
    assert np.abs(images.read_image("out.png") - expected).max() <= 0.5 / 255 + 1e-6


def test_a_prior_has_to_be_told_the_noise_level(call, write):
    write("in.png", 8, 8)
    rule = "the noise level on the 0–255 scale: BM3D needs it"
    message = f"error: sigma is None, but must be {rule}"
    assert call("denoise", "in.png", "out.png", "--model", "bm3d") == (1, "", [message])
    assert not Path("out.png").exists()
    code, _, err = call("evaluate", "--model", "bm3d", "--set", "small", "--quality", "10")
    assert (code, err) == (1, [message])


def test_priors_and_networks_in_one_table(call, weights, album):
    words = ("evaluate", "--set", "album", "--sigma", "25", "--model", "bm3d", weights)
    code, out, err = call(*words)
    assert (code, err) == (0, [])
    rows = [line.split() for line in out.splitlines()[1:3]]
    assert [row[0] for row in rows] == ["bm3d", weights]
    clean = [np.asarray(image) for image in image_set("album", grey=True).values()]
    scores = evaluate(priors.load_model("bm3d"), clean, GaussianNoise(25))
    mean = np.mean([score.psnr for score in scores])
    assert float(rows[0][6]) == pytest.approx(mean, abs=0.011)


def test_an_unknown_model_is_told_of_all(call, write):
    write("in.png", 8, 8)
    code, _, (error,) = call("denoise", "in.png", "out.png", "--model", "bm4d", "--sigma", "25")
    assert code == 1 and all(repr(name) in error for name in priors.model_names())


def test_the_papers_table_has_the_priors(call, monkeypatch):
    tower = {"tower": dn.sample_image("camera")[70:134, 150:214]}
    monkeypatch.setattr(tables, "measured_sets", lambda *_: {"BSD68": tower})
    code, out, _ = call("evaluate", "--paper", "--model", "bm3d")
    rows = [line.split() for line in out.splitlines()[1:4]]
    assert code == 0 and [row[:5] for row in rows] == [
        ["bm3d", "gaussian", "BSD68", level, "mean"] for level in ("15", "25", "50")
    ]
    assert [row[6] for row in rows] == ["31.07", "28.57", "25.62"]


def test_info_lists_them(call, no_download):
    lines = call("info")[1].splitlines()
    for name in priors.model_names():
        assert f"  {name:<16} {priors.about(name)}" in lines
