"""Cards: what a finished network is measured at, and what is told of its making."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest
import torch

from dncnn_lib.making import card

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_measured_psnr_is_the_mean_over_images(tiny):
    """Against the noise itself: a network that changes nothing has the noisy image's PSNR."""
    net = tiny.build()
    for parameter in net.parameters():
        torch.nn.init.zeros_(parameter)
    middle = {str(i): np.full((64, 64), 0.5, np.float32) for i in range(4)}
    psnr = card.measure(net, {"flat": middle}, levels=(15, 25))["flat"]
    assert psnr == {
        sigma: pytest.approx(20 * np.log10(255 / float(sigma)), abs=0.1) for sigma in ("15", "25")
    }


def test_a_card_of_several_stages(tiny):
    """As it is made for a network that was trained elsewhere."""
    config, net = tiny.stages[0], tiny.build()
    stages = [
        card.stage_card(config, net, seconds=61, commit="abc"),
        {**card.stage_card(config, net, seconds=9, commit="def"), "hardware": {"device": "other"}},
    ]
    made = card.make_card(tiny, net, stages, {"gaussian": {}}, data="Set12", images=12)
    assert (made["training_seconds"], made["patches"], made["psnr"]) == (70, 32, {})
    assert made["commit"] == "def" and made["hardware"] == {"device": "other"}
    assert made["training_data"] == {"name": "Set12", "images": 12, "licence": "none stated"}
    json.dumps(made)
    stages.append(card.stage_card(config, net))
    assert card.make_card(tiny, net, stages, {"gaussian": {}})["training_seconds"] is None


def test_the_commit_is_that_of_the_checkout(tmp_path, monkeypatch):
    def git(*words: str) -> str:
        who = ["-c", "user.name=n", "-c", "user.email=e"]
        command = ["git", "-C", str(tmp_path), *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    code = tmp_path / "dncnn_lib" / "making" / "card.py"
    code.parent.mkdir(parents=True)
    code.write_text("1")
    monkeypatch.setattr(card, "__file__", str(code))
    assert card.source_commit() is None  # not a checkout
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    assert card.source_commit() == git("rev-parse", "HEAD")
    code.write_text("2")
    assert card.source_commit() == git("rev-parse", "HEAD") + "-dirty"
