"""Recipes: those of the paper's networks, whole, and each of them runs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from helpers import picture, raises

from dncnn_lib import images, zoo
from dncnn_lib.degrade import GaussianNoise
from dncnn_lib.making import card, recipes, run
from dncnn_lib.training import TrainConfig

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_recipe_of_dncnn_b_is_the_papers_network():
    recipe = recipes.recipe("dncnn-b")
    net = recipe.build()
    assert (net.depth, net.width, net.channels, net.residual) == (20, 64, 1, True)
    assert recipe.degradation == GaussianNoise((0, 55)) and recipe.training_set == "bsd432"


TRAINED_PRIORS = ["foe", "csf-5x5", "csf-7x7", "tnrd-5x5", "tnrd-7x7", "jain-seung"]
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
    only_small = {"dncnn-3-small", "cdncnn-b-small"}
    only_small |= {"cdncnn-camera", "ffdnet"}  # not the paper's networks
    only_small |= set(TRAINED_PRIORS)
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
def test_every_recipe_runs(name, tmp_path, monkeypatch):
    """Two steps of a narrow network, from degradation to card."""
    recipe = recipes.recipe(name)
    network = {**recipe.network, **({"width": 4} if "width" in recipe.network else {})}
    tiny = TrainConfig(steps=2, batch_size=8, patch_size=16)
    recipe = replace(recipe, network=network, stages=(tiny,), start=None)
    monkeypatch.setattr(run, "measured_sets", lambda *_: {"none": {}})
    monkeypatch.setattr(card, "mean_psnr", lambda net, images, task, level: 20.0)
    monkeypatch.setattr(run, "_validation", lambda *_: None)
    out, data = tmp_path / "net.safetensors", tmp_path / "colour"
    data.mkdir()
    images.write_image(data / "colour.png", picture(40, 40, 3))
    steps = list(run.run(recipe, out, data=str(data), device="cpu"))
    assert len(steps) == 2 and zoo.load_pretrained(out).channels == (3 if recipe.colour else 1)
    told = json.loads(out.with_suffix(".json").read_text("utf-8"))
    measured = {"gaussian": told["psnr"]} | {t: told[t]["psnr"] for t in recipe.tasks[1:]}
    assert {t: list(levels["none"]) for t, levels in measured.items()} == {
        task: [f"{level}" for level in recipe.levels(task)] for task in recipe.tasks
    }


@pytest.mark.parametrize("name", TRAINED_PRIORS)
def test_a_prior_is_trained_for_the_papers_levels(name):
    recipe = recipes.recipe(name)
    assert repr(recipe.degradation) == "with_noise_level(15, 25, 50)"
    assert tuple(recipe.build().levels) == recipe.levels("gaussian") == (15, 25, 50)
    assert recipe.training_set == "bsd432" and recipe.stages[-1].final_lr == 0


def test_an_unknown_effort_lists_the_known_ones():
    with raises(ValueError, "effort is 'tpu', but must be one of 'cpu', 'gpu', 'paper'"):
        recipes.recipe("dncnn-b", "tpu")


def test_an_unknown_recipe_lists_the_known_ones():
    known = ", ".join(map(repr, recipes.recipe_names()))
    with raises(ValueError, f"recipe is 'dncnn-x', but must be one of {known}"):
        recipes.recipe("dncnn-x")


def test_the_seed_decides_the_initial_weights(tiny):
    torch.manual_seed(1)
    first = tiny.build().state_dict()
    torch.manual_seed(2)
    again = tiny.build().state_dict()
    other = replace(tiny, stages=(TrainConfig(seed=1),)).build().state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["layers.0.weight"], other["layers.0.weight"])


def test_a_network_for_one_noise_level_is_measured_at_that(tiny):
    assert replace(tiny, degradation=GaussianNoise(25)).levels("gaussian") == (25,)
    assert tiny.levels("gaussian") == (15, 25, 50)
    assert recipes.recipe("dncnn-3").levels("deblocking") == (10, 20, 30, 40)
