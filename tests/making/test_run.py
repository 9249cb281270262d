"""A training run by a recipe: its files, resuming, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import raises

from dncnn_lib import samples, zoo
from dncnn_lib.degrade import GaussianNoise
from dncnn_lib.evaluation import PROTOCOLS
from dncnn_lib.making.card import measure
from dncnn_lib.making.recipes import Recipe
from dncnn_lib.making.run import run
from dncnn_lib.making.tables import measured_sets
from dncnn_lib.records import read_record
from dncnn_lib.training import TrainConfig

pytestmark = pytest.mark.usefixtures("one_thread")


def with_changes(recipe: Recipe, **changes: Any) -> Recipe:
    """The recipe with another first stage."""
    return replace(recipe, stages=(replace(recipe.stages[0], **changes), *recipe.stages[1:]))


def zoo_hash(path: Path) -> str:
    return json.loads(path.with_suffix(".json").read_text("utf-8"))["sha256"]


def not_from_the_recipe(out: Path) -> str:
    return (
        f"{out} exists, and its card does not say that it comes from this recipe; name another "
        "file, or delete it to train anew"
    )


def test_a_run_leaves_weights_card_record_and_checkpoint(tiny, tmp_path):
    out = tmp_path / "new" / "net.safetensors"
    steps = list(run(tiny, out, device="cpu"))
    assert [step.step for step in steps] == [2, 4, 6, 8]
    assert [step.val_psnr is not None for step in steps] == [False, True, False, True]
    names = {"net.safetensors", "net.json", "net.csv", "net.ckpt"}
    assert {path.name for path in out.parent.iterdir()} == names
    assert read_record(out.with_suffix(".csv")) == steps

    net = zoo.load_pretrained(out)
    card = json.loads(out.with_suffix(".json").read_text("utf-8"))
    assert card["psnr"] == measure(net, measured_sets("gaussian", 1))
    assert card["psnr"]["samples"]["25"] == pytest.approx(
        measure(net, {"s": samples.held_out_images()}, levels=[25])["s"]["25"], abs=1e-3
    )
    expected = {
        "name": "tiny",
        "about": "a test",
        "effort": "cpu",
        "network": net.config,
        "degradation": "GaussianNoise(sigma=(5, 50))",
        "training_data": {
            "name": tiny.training_set,
            "images": 3,
            "licence": "not known: a folder of the user",
        },
        "seed": 0,
        "training_seconds": round(steps[-1].seconds),
        "patches": 16,
        "protocol": PROTOCOLS["gaussian"].words,
    }
    assert expected.items() <= card.items()
    (stage,) = card["stages"]
    assert stage["config"] == asdict(tiny.stages[0])
    expected = {
        "torch": torch.__version__,
        "precision": "fp32",
        "seconds": card["training_seconds"],
    }
    assert expected.items() <= stage.items()
    assert stage["commit"] == card["commit"] and stage["hardware"] == card["hardware"]
    assert card["hardware"]["device"] == "cpu" and card["hardware"]["cores"] >= 1
    assert list(card["psnr"]) == ["samples"] and list(card["psnr"]["samples"]) == ["15", "25", "50"]


def test_an_interrupted_run_resumes_and_its_record_has_no_duplicates(tiny, tmp_path):
    whole, torn = tmp_path / "whole.safetensors", tmp_path / "torn.safetensors"
    expected = list(run(tiny, whole, device="cpu"))
    torn_run = run(tiny, torn, device="cpu")
    assert [next(torn_run).step for _ in range(3)] == [2, 4, 6]  # 6 is after the checkpoint at 4
    torn_run.close()
    record = torn.with_suffix(".csv")
    assert [row.step for row in read_record(record)] == [2, 4, 6]
    record.write_text(record.read_text() + "7,8,0.1")  # a row that was being written
    assert [step.step for step in run(tiny, torn, device="cpu")] == [6, 8]
    again = read_record(record)
    assert [(row.step, row.loss) for row in again] == [(row.step, row.loss) for row in expected]
    assert [row.val_psnr for row in again] == [row.val_psnr for row in expected]
    assert zoo_hash(torn) == zoo_hash(whole)


def test_a_second_stage_continues_the_first_and_survives_an_interruption(tiny, tmp_path):
    finish = TrainConfig(
        steps=4, batch_size=2, patch_size=16, checkpoint_every=2, frozen_batch_norm=True, seed=1
    )
    two = replace(tiny, stages=(*tiny.stages, finish))
    whole, torn = tmp_path / "whole.safetensors", tmp_path / "torn.safetensors"
    steps = list(run(two, whole, device="cpu"))
    assert [(step.step, step.steps) for step in steps[-5:]] == [
        (8, 8),
        *((i, 4) for i in range(1, 5)),
    ]
    assert read_record(tmp_path / "whole-2.csv") == steps[4:]
    card = json.loads(whole.with_suffix(".json").read_text("utf-8"))
    assert card["patches"] == 16 + 8
    assert [stage["config"]["frozen_batch_norm"] for stage in card["stages"]] == [False, True]

    once = tmp_path / "once.safetensors"
    list(run(tiny, once, device="cpu"))
    first, second = (zoo.load_pretrained(p).state_dict() for p in (once, whole))
    for key in first:  # the statistics are those of the first training, the weights are not
        assert torch.equal(first[key], second[key]) == ("running" in key or "tracked" in key), key

    torn_run = run(two, torn, device="cpu")
    assert [next(torn_run).step for _ in range(7)][-3:] == [1, 2, 3]
    torn_run.close()
    assert [step.step for step in run(two, torn, device="cpu")] == [3, 4]
    assert zoo_hash(torn) == zoo_hash(whole)

    # a recipe that has grown goes on from the file alone
    for leftover in (*tmp_path.glob("once*.c*"), *tmp_path.glob("torn*")):
        leftover.unlink()
    assert [step.step for step in run(two, once, device="cpu")] == [1, 2, 3, 4]
    assert zoo_hash(once) == zoo_hash(whole)
    again = json.loads(once.with_suffix(".json").read_text("utf-8"))
    assert again["stages"][0] == {**card["stages"][0], "seconds": again["stages"][0]["seconds"]}


def test_a_training_that_begins_from_a_pretrained_network(tiny, tmp_path, monkeypatch):
    list(run(tiny, tmp_path / "base.safetensors", device="cpu"))
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    still = TrainConfig(steps=1, batch_size=2, patch_size=16, lr=1e-30, frozen_batch_norm=True)
    recipe = replace(tiny, name="next", start="base", stages=(still,))
    list(run(recipe, tmp_path / "next.safetensors", device="cpu"))
    base, after = (zoo.load_pretrained(name).state_dict() for name in ("base", "next"))
    assert all(torch.equal(base[key], after[key]) for key in base)
    (stage,) = zoo.card("next")["stages"]
    assert stage["start"] == {"name": "base", "sha256": zoo.card("base")["sha256"]}
    unknown = replace(recipe, start="none")
    with pytest.raises(ValueError, match=r"^start is 'none', but must be one of 'base', 'next'$"):
        list(run(unknown, tmp_path / "x.safetensors", device="cpu"))


def test_a_finished_run_is_not_trained_again(tiny, tmp_path):
    out = tmp_path / "net.safetensors"
    steps = list(run(tiny, out, device="cpu"))
    first = json.loads(out.with_suffix(".json").read_text("utf-8"))
    assert list(run(tiny, out, device="cpu")) == []
    assert json.loads(out.with_suffix(".json").read_text("utf-8")) == first
    assert read_record(out.with_suffix(".csv")) == steps


@pytest.mark.parametrize("card", [None, "", "[]", '{"stages": [{}]}', '{"stages": []}'])
def test_the_result_of_something_else_is_not_overwritten(card, tiny, tmp_path):
    out = tmp_path / "net.safetensors"
    out.write_bytes(b"precious")
    if card is not None:
        out.with_suffix(".json").write_text(card)
    with raises(ValueError, not_from_the_recipe(out)):
        next(run(tiny, out))
    assert out.read_bytes() == b"precious"


def test_the_result_of_another_recipe_is_not_continued(tiny, tmp_path):
    out = tmp_path / "net.safetensors"
    list(run(tiny, out, device="cpu"))
    others = [
        with_changes(tiny, steps=10),
        replace(tiny, network={"depth": 3, "width": 5}),
        replace(tiny, degradation=GaussianNoise((5, 60))),
        replace(tiny, training_set="small"),
        replace(tiny, stages=()),
    ]
    for other in others:
        with raises(ValueError, not_from_the_recipe(out)):
            next(run(other, out))


def test_other_suffixes_are_refused(tiny, tmp_path):
    out = str(tmp_path / "net.pth")
    with raises(ValueError, f"out is {out!r}, but must be the name of a .safetensors file"):
        next(run(tiny, out))


def test_a_file_that_is_not_a_record_is_not_overwritten(tiny, tmp_path):
    out, notes = tmp_path / "net.safetensors", tmp_path / "net.csv"
    for text in (b"my only notes", b"day,rain\nMonday,3\n", b"\xff\xfe1\n"):
        notes.write_bytes(text)
        with raises(ValueError, f"{notes} is not a record of training; move it away"):
            next(run(tiny, out))
        assert notes.read_bytes() == text


def test_nothing_is_written_where_the_images_are_missing(tiny, tmp_path):
    out = tmp_path / "new" / "net.safetensors"
    with pytest.raises(ValueError, match="^the image set is 'nope'"):
        next(run(tiny, out, data="nope"))
    assert not out.parent.exists()


def test_without_validation_there_is_none_on_the_way(tiny, tmp_path):
    out = tmp_path / "net.safetensors"
    steps = list(run(tiny, out, device="cpu", validate=False))
    assert [step.val_psnr for step in steps] == [None] * 4


def test_on_the_way_the_network_is_measured_on_its_own_task(tiny, tmp_path):
    own = replace(tiny, validation=("samples", 10), validation_task="deblocking")
    out = tmp_path / "net.safetensors"
    *_, last = run(own, out, device="cpu")
    finished, found = zoo.load_pretrained(out), {}
    for task in ("gaussian", "deblocking"):
        found[task] = measure(finished, {"s": samples.held_out_images()}, task, [10])["s"]["10"]
    assert last.val_psnr == pytest.approx(found["deblocking"], abs=2e-3)
    assert abs(found["gaussian"] - found["deblocking"]) > 0.1


def test_divergence_stops_the_run(tiny, tmp_path):
    wild = with_changes(tiny, optimizer="sgd", lr=1e30, clip_norm=None)
    message = r"^the loss is (nan|inf) at step \d: the training diverged\. .*net\.ckpt was not "
    with pytest.raises(FloatingPointError, match=message):
        list(run(wild, tmp_path / "net.safetensors", device="cpu"))
    assert not (tmp_path / "net.safetensors").exists()


def test_a_device_that_is_not_there_is_refused(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    out = tmp_path / "new" / "net.safetensors"
    message = "device is 'cuda', but must be 'cpu' or 'auto' here, because torch sees no GPU"
    with raises(ValueError, message):
        next(run(tiny, out, device="cuda"))
    with raises(ValueError, "device is 'tpu', but must be one of 'auto', 'cpu', 'cuda'"):
        next(run(tiny, out, device="tpu"))
    assert not out.parent.exists()
