"""``train``: the options, the report, and interruptions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dncnn_lib import samples
from dncnn_lib.cli import _terminal
from dncnn_lib.cli.train import shown
from dncnn_lib.degrade import GaussianNoise
from dncnn_lib.making import recipes, run
from dncnn_lib.making.recipes import Recipe
from dncnn_lib.records import read_record
from dncnn_lib.training import Step, TrainConfig


@pytest.fixture
def tiny(monkeypatch, tmp_path, write) -> Recipe:
    """The only recipe, of a second; and one small image to measure on."""
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png"):
        write(f"photos/{name}", 24, 24)
    config = TrainConfig(steps=6, batch_size=2, patch_size=8, log_every=2, checkpoint_every=2)
    recipe = Recipe(
        name="tiny",
        effort="cpu",
        about="",
        network={"depth": 3, "width": 4},
        degradation=GaussianNoise(25),
        stages=(config,),
        training_set="photos",
    )
    monkeypatch.setattr(recipes, "RECIPES", (recipe,))
    one = {"flat": np.full((16, 16), 0.5, np.float32)}
    monkeypatch.setattr(samples, "held_out_images", lambda grey=True: one)
    return recipe


def test_training_leaves_a_model_that_denoises(call, tiny, write):
    code, out, err = call("train", "tiny")
    assert (code, err) == (0, [])
    psnr = json.loads(Path("runs/tiny.json").read_text("utf-8"))["psnr"]["samples"]
    assert out.splitlines() == [
        "set      sigma  PSNR / dB",
        *(f"samples{sigma:>7}{value:>11.2f}" for sigma, value in psnr.items()),
        "saved runs/tiny.safetensors, its card tiny.json and the record of training tiny.csv",
    ]
    write("in.png", 8, 8)
    assert call("denoise", "in.png", "out.png", "--model", "runs/tiny.safetensors")[0] == 0
    said = "runs/tiny.safetensors is this network, fully trained; choose another --out to train it"
    assert call("train", "tiny") == (0, f"{said} again\n", [])


def test_the_bar_of_a_training(capsys, monkeypatch):
    steps = [Step(s, 60, 0.01, 1e-3, s / 10, 4 * s, p) for s, p in ((20, 27.5), (60, None))]
    monkeypatch.setattr(_terminal, "pace", lambda: 0)
    assert list(shown(iter(steps), "tiny")) == steps
    last = capsys.readouterr().err.split("\r")[-1]
    assert "tiny: 100%" in last and " 60/60 " in last
    assert "loss=1.00e-02, PSNR=27.50 dB, patches/s=40" in last


def test_the_options_of_train_replace_those_of_the_recipe(call, tiny, tmp_path, write):
    (tmp_path / "one").mkdir()
    write("one/a.png", 24, 24)
    options = "--steps 2 --seed 7 --precision bf16 --no-validate --device cpu --data one"
    files = ("--out", "w/x.safetensors", "--checkpoint", "c.ckpt")
    code, _, err = call("train", "tiny", *options.split(), *files)
    assert (code, err) == (0, [])
    card = json.loads(Path("w/x.json").read_text("utf-8"))
    (stage,) = card["stages"]
    assert (stage["config"]["steps"], card["seed"], stage["precision"]) == (2, 7, "bf16")
    assert card["training_data"]["name"] == "one" and card["training_data"]["images"] == 1
    assert Path("c.ckpt").exists()
    assert [step.val_psnr for step in read_record("w/x.csv")] == [None]


def interrupt_after(count: int, monkeypatch) -> None:
    """Ctrl-C in place of the report that comes after ``count`` of them."""
    original = run.train

    def train(*arguments, **options):
        for number, step in enumerate(original(*arguments, **options)):
            if number == count:
                raise KeyboardInterrupt
            yield step

    monkeypatch.setattr(run, "train", train)


def test_an_interrupted_training_resumes(call, tiny, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_after(1, patch)
        code, out, err = call("train", "tiny")
    checkpoint = Path("runs/tiny.ckpt")
    message = f"stopped; the same command resumes from checkpoint {checkpoint}"
    assert (code, out, err) == (130, "", [message])
    assert call("train", "tiny")[0] == 0
    torn = json.loads(Path("runs/tiny.json").read_text("utf-8"))
    assert call("train", "tiny", "--out", "runs/whole.safetensors")[0] == 0
    whole = json.loads(Path("runs/whole.json").read_text("utf-8"))
    assert torn["sha256"] == whole["sha256"]


def test_an_interruption_before_the_first_checkpoint(call, tiny, monkeypatch):
    def train(*_: object, **__: object):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(run, "train", train)
    message = f"stopped; there is no checkpoint {Path('runs/tiny.ckpt')} yet"
    assert call("train", "tiny") == (130, "", [message])


def test_impossible_trainings(call, tiny):
    def error(*words: str) -> str:
        code, out, err = call("train", *words)
        assert (code, out, len(err)) == (1, "", 1)
        return err[0]

    assert error("none") == "error: recipe is 'none', but must be one of 'tiny'"
    assert (
        error("tiny", "--steps", "0") == "error: steps is 0, but must be an integer of at least 1"
    )
    assert error("tiny", "--data", "no").startswith("error: the image set is 'no', but must be ")
    assert error("tiny", "--out", "w.pth").startswith("error: out is 'w.pth', but must be ")
    assert call("train", "tiny", "--steps", "2")[0] == 0
    out = Path("runs/tiny.safetensors")
    assert error("tiny").startswith(f"error: {out} exists, and its card does not say that it ")
    out.unlink()
    checkpoint = Path("runs/tiny.ckpt")
    assert error("tiny").startswith(
        f"error: checkpoint {checkpoint} was made with config.steps = 2"
    )
