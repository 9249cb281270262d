"""Recipes: the images they name, the run with its record, the card, and two processes."""

from __future__ import annotations

import json
import os
import re
import runpy
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import raises

from dncnn_lib import datasets, images, protocols, recipes, runs, samples, zoo
from dncnn_lib.degrade import GaussianNoise
from dncnn_lib.engine import Step, TrainConfig
from dncnn_lib.recipes import Recipe

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def no_sets(monkeypatch, tmp_path):
    """No standard sets on this machine, and two tiny images for samples."""
    monkeypatch.delenv("DNCNN_DATA", raising=False)
    monkeypatch.setattr(datasets, "cache_folder", lambda: tmp_path / "cache")
    tiny = {name: image[:24, :32] for name, image in photographs(2).items()}
    monkeypatch.setattr(samples, "held_out_images", lambda grey=True: tiny)


def photographs(count: int) -> dict[str, np.ndarray]:
    """Smooth grey images with an edge, 40×48."""
    y, x = np.mgrid[:40, :48] / 48
    return {f"{i}.png": (0.4 * x + 0.4 * (y > i / 9)).astype(np.float32) for i in range(count)}


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three images to train on, and a file that is none."""
    (tmp_path / "data").mkdir()
    for name, image in photographs(3).items():
        images.write_image(tmp_path / "data" / name, image)
    (tmp_path / "data" / "notes.txt").write_text("not an image")
    return tmp_path / "data"


@pytest.fixture
def tiny(folder) -> Recipe:
    config = TrainConfig(
        steps=8, batch_size=2, patch_size=16, log_every=2, validate_every=4, checkpoint_every=4
    )
    network = {"depth": 3, "width": 4}
    return Recipe("tiny", "a test", network, GaussianNoise((5, 50)), (config,), str(folder))


def with_changes(recipe: Recipe, **changes: Any) -> Recipe:
    """The recipe with another first stage."""
    return replace(recipe, stages=(replace(recipe.stages[0], **changes), *recipe.stages[1:]))


# ---------------------------------------------------------------------------------------- recipes


def test_the_recipe_of_dncnn_b_is_the_papers_network():
    recipe = recipes.recipe("dncnn-b")
    net = recipe.build()
    assert (net.depth, net.width, net.channels, net.residual) == (20, 64, 1, True)
    assert recipe.degradation == GaussianNoise((0, 55)) and recipe.training_set == "bsd432"


PAPER_STEPS = {  # 50 epochs of 1,600, 3,000 and 8,000 batches of 128
    "dncnn-s-15": 80_000,
    "dncnn-s-25": 80_000,
    "dncnn-s-50": 80_000,
    "dncnn-b": 150_000,
    "dncnn-3": 400_000,
    "cdncnn-b": 150_000,
}


@pytest.mark.parametrize("name", PAPER_STEPS)
def test_every_recipe_exists_in_three_sizes(name):
    only_small = {"student", "dncnn-3-small", "cdncnn-b-small"}  # not the paper's networks
    assert set(recipes.recipe_names()) == only_small | set(PAPER_STEPS)
    sizes = [recipes.recipe(name, effort) for effort in recipes.EFFORTS]
    assert [size.effort for size in sizes] == ["cpu", "gpu", "paper"]
    cpu, _, paper = sizes
    (stage,) = paper.stages
    assert (stage.steps, stage.batch_size) == (PAPER_STEPS[name], 128)
    for size in sizes:
        kinds = getattr(size.degradation, "degradations", [size.degradation])
        assert set(kinds) == set(getattr(cpu.degradation, "degradations", [cpu.degradation]))
        same = {"effort": size.effort, "stages": size.stages, "start": size.start}
        assert replace(cpu, degradation=size.degradation, **same) == size
        assert all(stage.final_lr == 0 for stage in size.stages)
        assert size.stages[-1].recalibrate > 0
    assert cpu.network["depth"] == (17 if "-s-" in name else 20)


@pytest.mark.parametrize("name", recipes.recipe_names())
def test_every_recipe_runs(name, folder, tmp_path, monkeypatch):
    """Two steps of a narrow network, from degradation to card."""
    recipe = recipes.recipe(name)
    network = {**recipe.network, "width": 4}
    tiny = TrainConfig(steps=2, batch_size=8, patch_size=16)
    recipe = replace(recipe, network=network, stages=(tiny,), start=None)
    monkeypatch.setattr(runs, "measured_sets", lambda *_: {"none": {}})
    monkeypatch.setattr(runs, "_mean_psnr", lambda net, images, task, level: 20.0)
    monkeypatch.setattr(runs, "_validation", lambda *_: None)
    colour = np.random.default_rng(0).random((40, 40, 3), np.float32)
    images.write_image(folder / "colour.png", colour)
    out = tmp_path / "net.safetensors"
    data = tmp_path / "colour"
    data.mkdir()
    (folder / "colour.png").rename(data / "colour.png")
    steps = list(runs.run(recipe, out, data=str(data), device="cpu"))
    assert len(steps) == 2 and zoo.load_pretrained(out).channels == (3 if name[0] == "c" else 1)
    card = json.loads(out.with_suffix(".json").read_text("utf-8"))
    measured = {"gaussian": card["psnr"]} | {t: card[t]["psnr"] for t in recipe.tasks[1:]}
    assert {t: list(levels["none"]) for t, levels in measured.items()} == {
        task: [f"{level}" for level in recipe.levels(task)] for task in recipe.tasks
    }


def test_an_unknown_effort_lists_the_known_ones():
    with raises(ValueError, "effort is 'tpu', but must be one of 'cpu', 'gpu', 'paper'"):
        recipes.recipe("dncnn-b", "tpu")


def test_the_seed_decides_the_initial_weights(tiny):
    torch.manual_seed(1)
    first = tiny.build().state_dict()
    torch.manual_seed(2)
    again = tiny.build().state_dict()
    other = with_changes(tiny, seed=1).build().state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["layers.0.weight"], other["layers.0.weight"])


def test_an_unknown_recipe_lists_the_known_ones():
    known = ", ".join(map(repr, recipes.recipe_names()))
    with raises(ValueError, f"recipe is 'dncnn-x', but must be one of {known}"):
        recipes.recipe("dncnn-x")


# ------------------------------------------------------------------------------------------ images


def test_a_folder_is_read_by_suffix_in_order(folder):
    found = runs.image_set(str(folder))
    assert list(found) == ["0.png", "1.png", "2.png"]
    np.testing.assert_allclose(found["2.png"], photographs(3)["2.png"], atol=0.5 / 255 + 1e-6)


def test_a_folder_in_colour_is_converted_to_grey_on_request(tmp_path):
    red = np.zeros((4, 5, 3), np.float32)
    red[..., 0] = 1
    images.write_image(tmp_path / "red.png", red)
    assert runs.image_set(str(tmp_path), grey=False)["red.png"].shape == (4, 5, 3)
    grey = runs.image_set(str(tmp_path), grey=True)["red.png"]
    np.testing.assert_array_equal(grey, np.full((4, 5), np.round(255 * 0.2989) / 255, np.float32))


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("no image")
    suffixes = ", ".join(images.SUFFIXES)
    message = f"{tmp_path / 'text'} holds no image: no file ends in {suffixes}"
    with raises(ValueError, message):
        runs.image_set(str(tmp_path / "text"))


def test_the_names_of_image_sets(monkeypatch):
    ones = [np.ones((4, 4), np.float32)] * 2
    monkeypatch.setattr(samples, "small_training_set", lambda grey=True: ones)
    monkeypatch.setattr(datasets, "training_images", lambda **_: ones[:1])
    monkeypatch.setattr(datasets, "load_dataset", lambda name, **_: {name: ones[0]})
    assert list(runs.image_set("small")) == ["000", "001"]
    assert list(runs.image_set("bsd432")) == ["000"]
    assert list(runs.image_set("Set12")) == ["Set12"]
    assert list(runs.image_set("samples")) == ["0.png", "1.png"]
    known = ", ".join(map(repr, ["small", "samples", "bsd432", *datasets.dataset_names()]))
    message = f"the image set is 'set12', but must be a folder of images or one of {known}"
    with raises(ValueError, message):
        runs.image_set("set12")


# --------------------------------------------------------------------------------------------- run


def test_a_run_leaves_weights_card_record_and_checkpoint(tiny, tmp_path):
    out = tmp_path / "new" / "net.safetensors"
    steps = list(runs.run(tiny, out, device="cpu"))
    assert [step.step for step in steps] == [2, 4, 6, 8]
    assert [step.val_psnr is not None for step in steps] == [False, True, False, True]
    names = {"net.safetensors", "net.json", "net.csv", "net.ckpt"}
    assert {path.name for path in out.parent.iterdir()} == names
    assert runs.read_record(out.with_suffix(".csv")) == steps

    net = zoo.load_pretrained(out)
    card = json.loads(out.with_suffix(".json").read_text("utf-8"))
    assert card["psnr"] == runs.measure(net, runs.measured_sets("gaussian", 1))
    assert card["psnr"]["samples"]["25"] == pytest.approx(
        runs.measure(net, {"s": samples.held_out_images()}, levels=[25])["s"]["25"], abs=1e-3
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
        "protocol": protocols.PROTOCOLS["gaussian"],
    }
    assert expected.items() <= card.items()
    (stage,) = card["stages"]
    assert stage["config"] == {**asdict(tiny.stages[0]), "scales": [1.0]}
    expected = {
        "torch": torch.__version__,
        "precision": "fp32",
        "seconds": card["training_seconds"],
    }
    assert expected.items() <= stage.items()
    assert stage["commit"] == card["commit"] and stage["hardware"] == card["hardware"]
    assert card["hardware"]["device"] == "cpu" and card["hardware"]["cores"] >= 1
    assert list(card["psnr"]) == ["samples"] and list(card["psnr"]["samples"]) == ["15", "25", "50"]


def test_the_measured_psnr_is_the_mean_over_images(tiny):
    """Against the noise itself: a network that changes nothing has the noisy image's PSNR."""
    net = tiny.build()
    for parameter in net.parameters():
        torch.nn.init.zeros_(parameter)
    middle = {str(i): np.full((64, 64), 0.5, np.float32) for i in range(4)}
    psnr = runs.measure(net, {"flat": middle}, levels=(15, 25))["flat"]
    assert psnr == {
        sigma: pytest.approx(20 * np.log10(255 / float(sigma)), abs=0.1) for sigma in ("15", "25")
    }


def test_an_interrupted_run_goes_on_and_its_record_has_no_duplicates(tiny, tmp_path):
    whole, torn = tmp_path / "whole.safetensors", tmp_path / "torn.safetensors"
    expected = list(runs.run(tiny, whole, device="cpu"))
    run = runs.run(tiny, torn, device="cpu")
    assert [next(run).step for _ in range(3)] == [2, 4, 6]  # 6 is after the checkpoint at 4
    run.close()
    record = torn.with_suffix(".csv")
    assert [row.step for row in runs.read_record(record)] == [2, 4, 6]
    record.write_text(record.read_text() + "7,8,0.1")  # a row that was being written
    assert [step.step for step in runs.run(tiny, torn, device="cpu")] == [6, 8]
    again = runs.read_record(record)
    assert [(row.step, row.loss) for row in again] == [(row.step, row.loss) for row in expected]
    assert [row.val_psnr for row in again] == [row.val_psnr for row in expected]
    assert zoo_hash(torn) == zoo_hash(whole)


def test_a_second_stage_goes_on_from_the_first_and_survives_an_interruption(tiny, tmp_path):
    finish = TrainConfig(
        steps=4, batch_size=2, patch_size=16, checkpoint_every=2, frozen_batch_norm=True, seed=1
    )
    two = replace(tiny, stages=(*tiny.stages, finish))
    whole, torn = tmp_path / "whole.safetensors", tmp_path / "torn.safetensors"
    steps = list(runs.run(two, whole, device="cpu"))
    assert [(step.step, step.steps) for step in steps[-5:]] == [
        (8, 8),
        *((i, 4) for i in range(1, 5)),
    ]
    assert runs.read_record(tmp_path / "whole-2.csv") == steps[4:]
    card = json.loads(whole.with_suffix(".json").read_text("utf-8"))
    assert card["patches"] == 16 + 8
    assert [stage["config"]["frozen_batch_norm"] for stage in card["stages"]] == [False, True]

    once = tmp_path / "once.safetensors"
    list(runs.run(tiny, once, device="cpu"))
    first, second = (zoo.load_pretrained(p).state_dict() for p in (once, whole))
    for key in first:  # the statistics are those of the first training, the weights are not
        assert torch.equal(first[key], second[key]) == ("running" in key or "tracked" in key), key

    run = runs.run(two, torn, device="cpu")
    assert [next(run).step for _ in range(7)][-3:] == [1, 2, 3]
    run.close()
    assert [step.step for step in runs.run(two, torn, device="cpu")] == [3, 4]
    assert zoo_hash(torn) == zoo_hash(whole)

    # a recipe that has grown goes on from the file alone
    for leftover in (*tmp_path.glob("once*.c*"), *tmp_path.glob("torn*")):
        leftover.unlink()
    assert [step.step for step in runs.run(two, once, device="cpu")] == [1, 2, 3, 4]
    assert zoo_hash(once) == zoo_hash(whole)
    again = json.loads(once.with_suffix(".json").read_text("utf-8"))
    assert again["stages"][0] == {**card["stages"][0], "seconds": again["stages"][0]["seconds"]}


def test_a_training_that_begins_from_a_pretrained_network(tiny, tmp_path, monkeypatch):
    list(runs.run(tiny, tmp_path / "base.safetensors", device="cpu"))
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    still = TrainConfig(steps=1, batch_size=2, patch_size=16, lr=1e-30, frozen_batch_norm=True)
    recipe = replace(tiny, name="next", start="base", stages=(still,))
    list(runs.run(recipe, tmp_path / "next.safetensors", device="cpu"))
    base, after = (zoo.load_pretrained(name).state_dict() for name in ("base", "next"))
    assert all(torch.equal(base[key], after[key]) for key in base)
    (stage,) = zoo.card("next")["stages"]
    assert stage["start"] == {"name": "base", "sha256": zoo.card("base")["sha256"]}
    unknown = replace(recipe, start="none")
    with pytest.raises(ValueError, match=r"^start is 'none', but must be one of 'base', 'next'$"):
        list(runs.run(unknown, tmp_path / "x.safetensors", device="cpu"))


def zoo_hash(path: Path) -> str:
    return json.loads(path.with_suffix(".json").read_text("utf-8"))["sha256"]


def test_a_finished_run_is_not_trained_again(tiny, tmp_path):
    out = tmp_path / "net.safetensors"
    steps = list(runs.run(tiny, out, device="cpu"))
    first = json.loads(out.with_suffix(".json").read_text("utf-8"))
    assert list(runs.run(tiny, out, device="cpu")) == []
    assert json.loads(out.with_suffix(".json").read_text("utf-8")) == first
    assert runs.read_record(out.with_suffix(".csv")) == steps


@pytest.mark.parametrize("card", [None, "", "[]", '{"stages": [{}]}', '{"stages": []}'])
def test_the_result_of_something_else_is_not_overwritten(card, tiny, tmp_path):
    out = tmp_path / "net.safetensors"
    out.write_bytes(b"precious")
    if card is not None:
        out.with_suffix(".json").write_text(card)
    with raises(ValueError, not_from_the_recipe(out)):
        next(runs.run(tiny, out))
    assert out.read_bytes() == b"precious"


def not_from_the_recipe(out: Path) -> str:
    return (
        f"{out} exists, and its card does not say that it comes from this recipe; name another "
        "file, or delete it to train anew"
    )


def test_the_result_of_another_recipe_is_not_gone_on_with(tiny, tmp_path):
    out = tmp_path / "net.safetensors"
    list(runs.run(tiny, out, device="cpu"))
    others = [
        with_changes(tiny, steps=10),
        replace(tiny, network={"depth": 3, "width": 5}),
        replace(tiny, degradation=GaussianNoise((5, 60))),
        replace(tiny, training_set="small"),
        replace(tiny, stages=()),
    ]
    for other in others:
        with raises(ValueError, not_from_the_recipe(out)):
            next(runs.run(other, out))


def test_other_suffixes_are_refused(tiny, tmp_path):
    out = str(tmp_path / "net.pth")
    with raises(ValueError, f"out is {out!r}, but must be the name of a .safetensors file"):
        next(runs.run(tiny, out))


def test_a_file_that_is_no_record_is_not_overwritten(tiny, tmp_path):
    other = tmp_path / "net.csv"
    other.write_text("day,rain\nMonday,3\n")
    with raises(ValueError, f"{other} is not a record of training; move it away"):
        next(runs.run(tiny, tmp_path / "net.safetensors", device="cpu"))
    assert other.read_text() == "day,rain\nMonday,3\n"


def test_without_validation_there_is_none_on_the_way(tiny, tmp_path):
    out = tmp_path / "net.safetensors"
    steps = list(runs.run(tiny, out, device="cpu", validate=False))
    assert [step.val_psnr for step in steps] == [None] * 4


def test_divergence_stops_the_run(tiny, tmp_path):
    wild = with_changes(tiny, optimizer="sgd", lr=1e30, clip_norm=None)
    message = r"^the loss is (nan|inf) at step \d: the training diverged\. .*net\.ckpt was not "
    with pytest.raises(FloatingPointError, match=message):
        list(runs.run(wild, tmp_path / "net.safetensors", device="cpu"))
    assert not (tmp_path / "net.safetensors").exists()


def test_the_record_has_the_columns_of_a_step(tiny, tmp_path):
    list(runs.run(tiny, tmp_path / "net.safetensors", device="cpu"))
    header, first, *_ = (tmp_path / "net.csv").read_text("utf-8").split("\n")
    assert header == "step,steps,loss,lr,seconds,patches,val_psnr"
    assert re.fullmatch(r"2,8,0\.\d+,0\.\d+,[\d.]+,4,", first)


def test_no_record_is_an_empty_one(tmp_path):
    assert runs.read_record(tmp_path / "none.csv") == []


def test_a_card_of_several_stages(tiny):
    """As it is made for a network that was trained elsewhere."""
    config, net = tiny.stages[0], tiny.build()
    stages = [
        runs.stage_card(config, net, seconds=61, commit="abc"),
        {**runs.stage_card(config, net, seconds=9, commit="def"), "hardware": {"device": "other"}},
    ]
    card = runs.make_card(tiny, net, stages, {"gaussian": {}}, data="Set12", images=12)
    assert (card["training_seconds"], card["patches"], card["psnr"]) == (70, 32, {})
    assert card["commit"] == "def" and card["hardware"] == {"device": "other"}
    assert card["training_data"] == {"name": "Set12", "images": 12, "licence": "none stated"}
    json.dumps(card)
    stages.append(runs.stage_card(config, net))
    assert runs.make_card(tiny, net, stages, {"gaussian": {}})["training_seconds"] is None


# --------------------------------------------------------------------------- machine and processes


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert runs.torch_device("auto") == runs.torch_device("cpu") == torch.device("cpu")
    message = "device is 'cuda', but must be 'cpu' or 'auto' here, because torch sees no GPU"
    with raises(ValueError, message):
        runs.torch_device("cuda")
    with raises(ValueError, "device is 'tpu', but must be one of 'auto', 'cpu', 'cuda'"):
        runs.torch_device("tpu")


def test_with_a_gpu_each_process_takes_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert runs.torch_device("auto") == torch.device("cuda", 3)
    assert runs.torch_device("cpu") == torch.device("cpu")


def test_the_commit_is_that_of_the_checkout(tmp_path, monkeypatch):
    def git(*words: str) -> str:
        who = ["-c", "user.name=n", "-c", "user.email=e"]
        command = ["git", "-C", str(tmp_path), *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    code = tmp_path / "dncnn_lib" / "runs.py"
    code.parent.mkdir()
    code.write_text("1")
    monkeypatch.setattr(runs, "__file__", str(code))
    assert runs.source_commit() is None  # not a checkout
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    assert runs.source_commit() == git("rev-parse", "HEAD")
    code.write_text("2")
    assert runs.source_commit() == git("rev-parse", "HEAD") + "-dirty"


_TWO = """
import sys
from dncnn_lib import datasets, recipes, runs, samples
from dncnn_lib.degrade import GaussianNoise
from dncnn_lib.engine import TrainConfig

data, out = sys.argv[1:]
samples.held_out_images = lambda grey=True: {}
runs.measure = lambda *_, **__: {}
config = TrainConfig(steps=2, batch_size=4, patch_size=8)
recipe = recipes.Recipe("two", "", {"depth": 3, "width": 4}, GaussianNoise(25), (config,), data)
with runs.processes("cpu") as first:
    steps = list(runs.run(recipe, out, device="cpu", validate=False))
    print("first" if first else "other", [step.patches for step in steps])
"""


def test_a_file_that_is_no_record_is_not_written_over(tiny, tmp_path):
    out, notes = tmp_path / "net.safetensors", tmp_path / "net.csv"
    for text in (b"my only notes", b"a,b\n", b"\xff\xfe1\n"):
        notes.write_bytes(text)
        with raises(ValueError, f"{notes} is not a record of training; move it away"):
            next(runs.run(tiny, out))
        assert notes.read_bytes() == text


def test_nothing_is_made_where_a_wish_cannot_be_met(tiny, tmp_path):
    out = tmp_path / "new" / "net.safetensors"
    with pytest.raises(ValueError, match="^the image set is 'nope'"):
        next(runs.run(tiny, out, data="nope"))
    assert not out.parent.exists()


def test_a_network_for_one_noise_level_is_measured_at_that(tiny):
    assert replace(tiny, degradation=GaussianNoise(25)).levels("gaussian") == (25,)
    assert tiny.levels("gaussian") == (15, 25, 50)
    assert recipes.recipe("dncnn-3").levels("deblocking") == (10, 20, 30, 40)


@pytest.mark.slow
def test_two_processes_train_one_network(folder, tmp_path):
    """In the environment that ``torchrun`` sets."""
    script, out = tmp_path / "two.py", tmp_path / "out" / "net.safetensors"
    script.write_text(_TWO)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    torchrun = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    common = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **torchrun}
    both = [
        subprocess.Popen(
            [sys.executable, str(script), str(folder), str(out)],
            env={**common, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert [text for text, _ in said] == ["first [4, 8]\n", "other [4, 8]\n"]
    assert len(runs.read_record(out.with_suffix(".csv"))) == 2
    assert json.loads(out.with_suffix(".json").read_text("utf-8"))["patches"] == 8


def test_the_record_of_several_trainings_is_read(tmp_path):
    header = "optimizer,network,seed,step,steps,loss,lr,seconds,patches,val_psnr\n"
    file = tmp_path / "several.csv"
    file.write_text(
        f"{header}SGD,a,0,1,2,0.5,0.1,3,16,\nSGD,a,0,2,2,0.4,0,6,32,20.5\nAdam,b,7,2,2,nan,0,1,8,nan\n"
    )
    found = runs.read_comparison(file)
    assert found["SGD"] == {
        "a": {0: [Step(1, 2, 0.5, 0.1, 3, 16, None), Step(2, 2, 0.4, 0.0, 6, 32, 20.5)]}
    }
    (last,) = found["Adam"]["b"][7]
    assert np.isnan(last.loss) and np.isnan(last.val_psnr)
    for text in ("day,rain\nMonday,3\n", header + "SGD,a,0,one,2,0.5,0.1,3,16,\n"):
        file.write_text(text)
        with raises(ValueError, f"{file} is not a record of several trainings"):
            runs.read_comparison(file)
    with pytest.raises(FileNotFoundError):
        runs.read_comparison(tmp_path / "none.csv")


def test_the_record_of_figure_2_has_the_settings_of_its_script():
    script = runpy.run_path(str(ROOT / "data" / "record_figure_2.py"))
    about = json.loads(json.dumps(script["about"](script["STEPS"])))
    told = json.loads((runs.RECORDS / "figure-2.json").read_text("utf-8"))
    assert {key: told[key] for key in about} == about
    found = runs.read_comparison(runs.RECORDS / "figure-2.csv")
    assert list(found) == list(about["config"])
    for optimizer, by_network in found.items():
        assert list(by_network) == list(about["networks"])
        config = about["config"][optimizer]
        rows = [i * config["validate_every"] for i in range(1, 25)]
        for by_seed in by_network.values():
            assert list(by_seed) == [0, 1, 2]
            for records in by_seed.values():
                assert [step.step for step in records] == rows and rows[-1] == config["steps"]
                assert records[-1].patches == config["steps"] * config["batch_size"]
                assert records[-1].lr == 0
                assert all(np.isfinite(s.loss) and 5 < s.val_psnr < 40 for s in records)
