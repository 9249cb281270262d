"""A training run from images to card: named image sets, measurement, records, processes."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed
from torch import nn

from . import _check, _files, datasets, samples, zoo
from ._paths import DATA
from .engine import Step, TrainConfig, train, uses_bf16
from .environment import processor_name, usable_cores
from .images import SUFFIXES, read_image, to_grey
from .model import DnCNN
from .protocols import PROTOCOLS, TASKS, scores
from .recipes import Recipe

RECORDS = DATA / "runs"
"""The records of training that ship: of the pretrained networks, and of lesson 04."""

Images = dict[str, np.ndarray]


# ------------------------------------------------------------------------------------------ images


def image_set(
    name: str, *, grey: bool = True, download: bool = True, progress: bool = False
) -> Images:
    """Clean images by name, float32 in [0, 1] or uint8: (H, W) or, if they have colour, (H, W, 3).

    name: "small", the training set that ships; "samples", the images held out from it; "bsd432",
    the images of BSDS500 that are not in BSD68; the name of a registered set; or a folder.
    grey: convert colour images. download, progress: as in ``dataset_paths``.
    Raises ``ValueError`` for other names and for damaged files, ``FileNotFoundError`` for missing
    ones.
    """
    if name == "small":
        return _numbered(samples.small_training_set(grey=grey))
    if name == "samples":
        return samples.held_out_images(grey=grey)
    if name == "bsd432":
        images = datasets.training_images(grey=grey, download=download, progress=progress)
        return _numbered(images)
    if name == "CBSD68" and datasets.dataset_presence(name)[0] < 68:
        try:
            return datasets.colour_bsd68(download=False)
        except FileNotFoundError:
            pass
    if name in datasets.dataset_names():
        return datasets.load_dataset(name, grey=grey, download=download, progress=progress)
    if Path(name).is_dir():
        return _folder(Path(name), grey)
    known = ", ".join(map(repr, ["small", "samples", "bsd432", *datasets.dataset_names()]))
    raise ValueError(f"the image set is {name!r}, but must be a folder of images or one of {known}")


def _numbered(images: Iterable[np.ndarray]) -> Images:
    return {f"{number:03d}": image for number, image in enumerate(images)}


def image_files(folder: Path) -> list[Path]:
    """The image files in a folder, by suffix, sorted. Raises ``ValueError`` if there is none."""
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    if not found:
        raise ValueError(f"{folder} holds no image: no file ends in {', '.join(SUFFIXES)}")
    return found


def _folder(folder: Path, grey: bool) -> Images:
    images = {path.name: read_image(path) for path in image_files(folder)}
    return {name: to_grey(image) for name, image in images.items()} if grey else images


def _licence(name: str) -> str:
    """What is known about the licence of an image set."""
    if name in ("small", "samples"):
        licences = sorted({row["licence"] for row in samples.attribution()})
        return f"{', '.join(licences)}; data/images/attribution.csv names it for each photograph"
    if name == "bsd432":
        return datasets.dataset_licence("BSDS500/train")
    if name in datasets.dataset_names():
        return datasets.dataset_licence(name)
    return "not known: a folder of the user"


# ------------------------------------------------------------------------------------- measurement


def measured_sets(task: str, channels: int) -> dict[str, Images]:
    """The images that a finished network is measured on, by set; nothing is downloaded.

    The held-out samples and, where they are on this machine, the standard sets of the task.
    """
    sets = {}
    for name in (*_SETS[task, channels], "samples"):
        try:
            sets[name] = image_set(name, grey=task == "gaussian" and channels == 1, download=False)
        except FileNotFoundError:
            continue
    return sets


_SETS = {
    ("gaussian", 1): ("Set12", "BSD68"),
    ("gaussian", 3): ("CBSD68", "Kodak24", "McMaster"),
    ("super-resolution", 1): ("Set5", "Set14", "Urban100"),
    ("deblocking", 1): ("classic5", "LIVE1"),
}


def measure(
    net: DnCNN,
    sets: Mapping[str, Images],
    task: str = "gaussian",
    levels: Sequence[float] = (),
    *,
    progress: bool = False,
) -> dict[str, dict[str, float]]:
    """Mean PSNR in dB for each set and level, as ``protocols`` says: {"Set12": {"25": 30.1}}.

    levels: those of the paper unless told otherwise. progress: show a bar.
    """
    jobs = [(name, level) for name in sets for level in levels or TASKS[task].levels]
    if progress:
        from tqdm.auto import tqdm

        jobs = tqdm(jobs, desc=f"measuring, {task}", unit="level")
    psnr: dict[str, dict[str, float]] = {name: {} for name in sets}
    for name, level in jobs:
        psnr[name][f"{level:g}"] = _mean_psnr(net, sets[name], task, level)
    return psnr


def _mean_psnr(net: DnCNN, images: Images, task: str, level: float) -> float:
    return round(float(np.mean([score.psnr for score in scores(net, images, task, level)])), 3)


# ---------------------------------------------------------------------------------------- training


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
    data: the training images, as in ``image_set``, in place of the recipe's.
    device: "cpu", "cuda" or "auto", which is a GPU where torch has one.
    checkpoint: as in ``engine.train``; ``NAME.ckpt`` beside the weights unless told otherwise. A
        run that was interrupted goes on from there.
    validate: measure PSNR on the way: on the recipe's set if it is on this machine, else on the
        held-out samples.
    progress: show a bar over downloads and the final measurement.

    Under ``torchrun``, inside ``processes()``, only the first process writes. Raises ``ValueError``
    where a wish cannot be met or ``out`` holds the result of something else, and
    ``FloatingPointError`` where the training diverges.
    """
    out = Path(out)
    if out.suffix != ".safetensors":
        _check.fail("out", str(out), "the name of a .safetensors file")
    checkpoint = out.with_suffix(".ckpt") if checkpoint is None else Path(checkpoint)
    data, commit, first = data or recipe.training_set, source_commit(), _is_first()
    stages = _stages_in(out, recipe, data)
    if len(stages) == len(recipe.stages):
        return
    where = torch_device(device)
    records = [out.with_name(f"{out.stem}{_suffix(n)}.csv") for n in range(len(recipe.stages))]
    for record in records:
        read_record(record)  # whatever else is there is not written over
    images = image_set(data, grey=not recipe.colour, progress=progress and first)
    out.parent.mkdir(parents=True, exist_ok=True)
    net = zoo.load_pretrained(out) if stages else recipe.build()
    start = zoo.card(recipe.start)["sha256"] if recipe.start and not stages else None
    net.to(where)
    validation = _validation(recipe, net.channels) if validate and first else None
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
        for step in _recorded(steps, record) if first else steps:
            if not math.isfinite(step.loss):
                raise FloatingPointError(
                    f"the loss is {step.loss} at step {step.step}: the training diverged. "
                    f"{state} was not written since; lower the learning rate and start anew"
                )
            yield step
        stages.append(stage_card(config, net, seconds=_seconds(record), commit=commit))
        if number == 0 and start:
            stages[-1]["start"] = {"name": recipe.start, "sha256": start}
    if first:
        psnr = {
            task: measure(
                net,
                measured_sets(task, net.channels),
                task,
                recipe.levels(task),
                progress=progress,
            )
            for task in recipe.tasks
        }
        card = make_card(recipe, net, stages, psnr, data=data, images=len(images))
        zoo.save_pretrained(net, out, card)


def _suffix(stage: int) -> str:
    """What the files of a recipe's stage, counted from 0, have behind their name."""
    return f"-{stage + 1}" if stage else ""


def _validation(recipe: Recipe, channels: int) -> Callable[[DnCNN], float]:
    name, sigma = recipe.validation
    sets = measured_sets("gaussian", channels)
    watched = sets.get(name, sets["samples"])
    return lambda net: _mean_psnr(net, watched, "gaussian", sigma)


def _stages_in(out: Path, recipe: Recipe, data: str) -> list[dict[str, Any]]:
    """The recipe's stages that the network in the file ``out`` has behind it, from its card."""
    if not out.exists():
        return []
    try:
        card = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
        stages = card["stages"]
        configs = [_as_json(config) for config in recipe.stages[: len(stages)]]
        same = (
            [stage["config"] for stage in stages] == configs
            and card["network"] == DnCNN(**recipe.network).config
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


def _as_json(config: TrainConfig) -> dict[str, Any]:
    return json.loads(json.dumps(asdict(config)))


def _seconds(record: Path) -> float | None:
    steps = read_record(record)
    return round(steps[-1].seconds) if steps else None


def stage_card(
    config: TrainConfig, net: nn.Module, *, seconds: float | None = None, commit: str | None = None
) -> dict[str, Any]:
    """A stage's part of the card: how it went, and on what machine, which must be this one."""
    device = next(net.parameters()).device
    return {
        "config": _as_json(config),
        "commit": commit,
        "torch": torch.__version__,
        "precision": "bf16" if uses_bf16(config.precision, device.type) else "fp32",
        "hardware": {
            "processor": processor_name(),
            "cores": usable_cores(),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        },
        "seconds": seconds,
    }


def make_card(
    recipe: Recipe,
    net: DnCNN,
    stages: Sequence[dict[str, Any]],
    psnr: Mapping[str, dict[str, dict[str, float]]],
    *,
    data: str | None = None,
    images: int | None = None,
) -> dict[str, Any]:
    """All that is to be known about a finished network, for ``zoo.save_pretrained``.

    stages: the ``stage_card`` of each; commit and hardware of the last are those of the whole.
    psnr: of each task, what ``measure`` found. data, images: the training set, if it is not the
    recipe's, and how many images it had.
    """
    data = data or recipe.training_set
    seconds = [stage["seconds"] for stage in stages]
    return {
        "name": recipe.name,
        "about": recipe.about,
        "effort": recipe.effort,
        "network": net.config,
        "degradation": repr(recipe.degradation),
        "training_data": {"name": data, "images": images, "licence": _licence(data)},
        "seed": recipe.stages[0].seed,
        "commit": stages[-1]["commit"],
        "hardware": stages[-1]["hardware"],
        "training_seconds": None if None in seconds else sum(seconds),
        "patches": sum(s["config"]["steps"] * s["config"]["batch_size"] for s in stages),
        "psnr": psnr["gaussian"],
        "protocol": PROTOCOLS["gaussian"],
        **{
            task: {"psnr": psnr[task], "protocol": PROTOCOLS[task]}
            for task in psnr.keys() - {"gaussian"}
        },
        "stages": list(stages),
    }


# -------------------------------------------------------------------------- records and processes


def _recorded(steps: Iterable[Step], path: Path) -> Iterator[Step]:
    """Pass the steps on, each written to a row of the CSV file ``path`` first.

    Rows from the first of these steps on are dropped: a run that was interrupted had written them
    after its last checkpoint.
    """
    file = None
    try:
        for step in steps:
            if file is None:
                old = [row for row in read_record(path) if row.step < step.step]
                _files.write_bytes(path, _csv(old, header=True).encode())
                file = open(path, "a", newline="", encoding="utf-8")
            file.write(_csv([step], header=False))
            file.flush()
            yield step
    finally:
        if file is not None:
            file.close()


def _csv(steps: Iterable[Step], header: bool) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Step)], lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(asdict(step) for step in steps)
    return text.getvalue()


def read_record(path: str | os.PathLike) -> list[Step]:
    """The record of training that ``run`` wrote; empty if there is none. A half row is left out.

    Raises ``ValueError`` for another file.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        rows = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]))
        if text and rows.fieldnames != [field.name for field in fields(Step)]:
            raise ValueError(rows.fieldnames)
        return [_step(row) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a record of training; move it away") from error


def read_comparison(path: str | os.PathLike) -> dict[str, dict[str, dict[int, list[Step]]]]:
    """The record of several trainings, by optimizer, network and seed, such as
    ``data/runs/figure-2.csv``.

    Raises ``FileNotFoundError``, and ``ValueError`` for another file.
    """
    found: dict[str, dict[str, dict[int, list[Step]]]] = {}
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                by_seed = found.setdefault(row["optimizer"], {}).setdefault(row["network"], {})
                by_seed.setdefault(int(row["seed"]), []).append(_step(row))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a record of several trainings") from error
    return found


def _step(row: Mapping[str, str]) -> Step:
    return Step(
        step=int(row["step"]),
        steps=int(row["steps"]),
        loss=float(row["loss"]),
        lr=float(row["lr"]),
        seconds=float(row["seconds"]),
        patches=int(row["patches"]),
        val_psnr=float(row["val_psnr"]) if row["val_psnr"] else None,
    )


def source_commit() -> str | None:
    """The commit of the checkout that this code lies in, "-dirty" if it was changed; else None."""
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "--no-optional-locks", "-C", str(root), "describe", "--always", "--dirty"]
    command += ["--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def torch_device(name: str = "auto") -> torch.device:
    """The device that "cpu", "cuda" or "auto" means here. Raises ``ValueError`` for no GPU."""
    _check.one_of("device", name, ("auto", "cpu", "cuda"))
    if name == "cuda" and not torch.cuda.is_available():
        _check.fail("device", name, "'cpu' or 'auto' here, because torch sees no GPU")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))


@contextmanager
def processes(device: str = "auto") -> Iterator[bool]:
    """Join the other processes of ``torchrun``, if it started this one; is this the first?

    device: as in ``run``. The processes talk by NCCL between GPUs and by Gloo otherwise.
    """
    if "WORLD_SIZE" not in os.environ:
        yield True
        return
    where = torch_device(device)
    if where.type == "cuda":
        torch.cuda.set_device(where)
    torch.distributed.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        yield _is_first()
    finally:
        # Gloo's threads may still hold a tensor for a moment, and letting go of it while Python
        # ends aborts the process (pytorch/pytorch#179291); torchrun would then end the others.
        time.sleep(0.5)
        torch.distributed.destroy_process_group()


def _is_first() -> bool:
    joined = torch.distributed.is_available() and torch.distributed.is_initialized()
    return not joined or torch.distributed.get_rank() == 0
