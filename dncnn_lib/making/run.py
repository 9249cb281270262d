"""A training run by a recipe: from images to weights, record and card."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import _check, zoo
from ..datasets import Images, image_set
from ..hardware import torch_device
from ..images import to_colour
from ..records import read_record, recorded
from ..training import Step, train
from .card import as_json, make_card, mean_psnr, measure, source_commit, stage_card
from .recipes import Recipe
from .tables import measured_sets


def run(
    recipe: Recipe,
    out: str | os.PathLike,
    *,
    data: str | None = None,
    device: str = "auto",
    checkpoint: str | os.PathLike | None = None,
    validate: bool = True,
    progress: bool = False,
) -> Iterator[Step]:
    """Train by a recipe, measure the network and save it with its card; yields each ``Step``.

    out: the weights' file, ``NAME.safetensors``. The card ``NAME.json`` and the record of training
        ``NAME.csv``, a row for each step that was reported, are written beside it; the record of
        the recipe's second stage is ``NAME-2.csv``, and so on. If the file exists already and its
        card tells of the recipe's first stages, the training goes on from there.
    data: the training images, as in ``datasets.image_set``, in place of the recipe's.
    device: "cpu", "cuda" or "auto", which is a GPU where torch has one.
    checkpoint: as in ``train``; ``NAME.ckpt`` beside the weights unless told otherwise. A
        run that was interrupted goes on from there.
    validate: measure PSNR on the way: on the recipe's set if it is on this machine, else on the
        held-out samples.
    progress: show a bar over downloads and the final measurement.

    Raises ``ValueError`` where a wish cannot be met or ``out`` holds another result, and
    ``FloatingPointError`` where the training diverges.
    """
    out = Path(out)
    if out.suffix != ".safetensors":
        _check.fail("out", str(out), "the name of a .safetensors file")
    checkpoint = out.with_suffix(".ckpt") if checkpoint is None else Path(checkpoint)
    given, data, commit = data is not None, data or recipe.training_set, source_commit()
    stages = _stages_in(out, recipe, data)
    if len(stages) == len(recipe.stages):
        return
    where = torch_device(device)
    records = [out.with_name(f"{out.stem}{_suffix(n)}.csv") for n in range(len(recipe.stages))]
    for record in records:
        read_record(record)  # whatever else is there is not written over
    images = _training_images(recipe, data, given=given, progress=progress)
    out.parent.mkdir(parents=True, exist_ok=True)
    net = zoo.load_pretrained(out) if stages else recipe.build()
    start = zoo.card(recipe.start)["sha256"] if recipe.start and not stages else None
    net.to(where)
    validation = _validation(recipe, net.channels) if validate else None
    for number in range(len(stages), len(recipe.stages)):
        config, record = recipe.stages[number], records[number]
        state = checkpoint.with_stem(checkpoint.stem + _suffix(number))
        steps = train(
            net,
            list(images.values()),
            recipe.degradation,
            config,
            validation=validation,
            checkpoint=state,
        )
        for step in recorded(steps, record):
            if not math.isfinite(step.loss):
                raise FloatingPointError(
                    f"the loss is {step.loss} at step {step.step}: the training diverged. "
                    f"{state} was not written since; lower the learning rate and start anew"
                )
            yield step
        stages.append(stage_card(config, net, seconds=_seconds(record), commit=commit))
        if number == 0 and start:
            stages[-1]["start"] = {"name": recipe.start, "sha256": start}
    psnr = {
        task: measure(
            net, measured_sets(task, net.channels), task, recipe.levels(task), progress=progress
        )
        for task in recipe.tasks
    }
    card = make_card(recipe, net, stages, psnr, data=data, images=len(images))
    zoo.save_pretrained(net, out, card)


def _training_images(recipe: Recipe, data: str, *, given: bool, progress: bool) -> Images:
    """All of one kind, grey or colour, and large enough; warns of those that are too small."""
    images = image_set(data, grey=not recipe.colour, progress=progress, folder_first=given)
    least = max(stage.patch_size for stage in recipe.stages)
    small = [name for name, image in images.items() if min(image.shape[:2]) < least]
    for name in small:
        height, width = images.pop(name).shape[:2]
        _check.warn(f"left out: {name} is {height}×{width} pixels, smaller than a patch of {least}")
    if not images:
        raise ValueError(f"{data} holds no image of at least {least}×{least} pixels, a patch")
    return {n: to_colour(i) for n, i in images.items()} if recipe.colour else images


def _suffix(stage: int) -> str:
    """What the files of a recipe's stage, counted from 0, have behind their name."""
    return f"-{stage + 1}" if stage else ""


def _validation(recipe: Recipe, channels: int) -> Callable[[nn.Module], float]:
    (name, level), task = recipe.validation, recipe.validation_task
    sets = measured_sets(task, channels)
    watched = sets.get(name, sets["samples"])
    return lambda net: mean_psnr(net, watched, task, level)


def _stages_in(out: Path, recipe: Recipe, data: str) -> list[dict[str, Any]]:
    """The recipe's stages that the network in the file ``out`` has behind it, from its card."""
    if not out.exists():
        return []
    try:
        card = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
        stages = card["stages"]
        configs = [as_json(config) for config in recipe.stages[: len(stages)]]
        same = (
            [stage["config"] for stage in stages] == configs
            and card["network"] == _config(recipe)
            and card["degradation"] == repr(recipe.degradation)
            and card["training_data"]["name"] == data
        )
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if not same:
        raise ValueError(
            f"{out} exists, and its card does not say that it comes from this recipe; name another "
            "file, or delete it to train anew"
        )
    return stages


def is_finished(recipe: Recipe, out: str | os.PathLike, data: str | None = None) -> bool:
    """Whether ``run`` would have nothing to do. Errors as there."""
    return len(_stages_in(Path(out), recipe, data or recipe.training_set)) == len(recipe.stages)


def checkpoints(recipe: Recipe, checkpoint: Path) -> list[Path]:
    """The checkpoints that ``run`` has left there, one for each stage that was begun."""
    places = (checkpoint.with_stem(checkpoint.stem + _suffix(n)) for n in range(len(recipe.stages)))
    return [place for place in places if place.exists()]


def _config(recipe: Recipe) -> dict[str, Any]:
    """All arguments of the recipe's network, defaults included."""
    with torch.device("meta"):
        return zoo.ARCHITECTURES[recipe.architecture](**recipe.network).config


def _seconds(record: Path) -> float | None:
    steps = read_record(record)
    return round(steps[-1].seconds) if steps else None
