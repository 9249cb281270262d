"""The card of a network: all that is to be known about how it was made, and what it can do."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..datasets import Images, image_licence
from ..evaluation import PROTOCOLS
from ..hardware import processor_name, usable_cores, uses_bf16
from ..training import TrainConfig
from .recipes import Recipe


def measure(
    net: nn.Module,
    sets: Mapping[str, Images],
    task: str = "gaussian",
    levels: Sequence[float] = (),
    *,
    progress: bool = False,
) -> dict[str, dict[str, float]]:
    """Mean PSNR in dB for each set and level, by the task's protocol: {"Set12": {"25": 30.1}}.

    levels: those of the paper unless told otherwise. progress: show a bar.
    """
    jobs = [(name, level) for name in sets for level in levels or PROTOCOLS[task].levels]
    if progress:
        from tqdm.auto import tqdm

        jobs = tqdm(jobs, desc=f"measuring, {task}", unit="level")
    psnr: dict[str, dict[str, float]] = {name: {} for name in sets}
    for name, level in jobs:
        psnr[name][f"{level:g}"] = mean_psnr(net, sets[name], task, level)
    return psnr


def mean_psnr(net: nn.Module, images: Images, task: str, level: float) -> float:
    """In dB, over the images, by the task's protocol."""
    found = PROTOCOLS[task].compare_all(net, images, level)
    return round(float(np.mean([shown.psnr for _, shown in found])), 3)


def as_json(config: TrainConfig) -> dict[str, Any]:
    """The settings as a card has them."""
    return json.loads(json.dumps(asdict(config)))


def stage_card(
    config: TrainConfig, net: nn.Module, *, seconds: float | None = None, commit: str | None = None
) -> dict[str, Any]:
    """A stage's part of the card: how it went, and on what machine, which must be this one."""
    device = next(net.parameters()).device
    return {
        "config": as_json(config),
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
    net: nn.Module,
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
        "training_data": {"name": data, "images": images, "licence": image_licence(data)},
        "seed": recipe.stages[0].seed,
        "commit": stages[-1]["commit"],
        "hardware": stages[-1]["hardware"],
        "training_seconds": None if None in seconds else sum(seconds),
        "patches": sum(s["config"]["steps"] * s["config"]["batch_size"] for s in stages),
        "psnr": psnr["gaussian"],
        "protocol": PROTOCOLS["gaussian"].words,
        **{
            task: {"psnr": psnr[task], "protocol": PROTOCOLS[task].words}
            for task in psnr.keys() - {"gaussian"}
        },
        "stages": list(stages),
    }


def source_commit() -> str | None:
    """The commit of the checkout that this code lies in, "-dirty" if it was changed; else None."""
    root = Path(__file__).parent.parent.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "--no-optional-locks", "-C", str(root), "describe", "--always", "--dirty"]
    command += ["--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
