"""How each pretrained network is trained: named, readable data. ``runs`` carries it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from . import _check
from .degrade import Degradation, DownUp, GaussianNoise, JPEGCompression, RandomChoice
from .engine import TrainConfig
from .model import DnCNN
from .protocols import TASKS
from .zoo import load_pretrained, model_names


@dataclass(frozen=True)
class Recipe:
    """All that decides the weights but the machine.

    name: of the model; about: one line for people; network: arguments of ``DnCNN``; degradation:
    what is undone; stages: how long and how, one training after another, each from the result of
    the one before; training_set: as in ``runs.image_set``; colour: train on colour images;
    validation: a registered set, or "samples", and the noise level for the PSNR on the way; tasks:
    what the finished network is measured on; effort: as in ``recipe``; start: the pretrained
    network that training begins from, or None.
    """

    name: str
    about: str
    network: dict[str, int | bool]
    degradation: Degradation
    stages: tuple[TrainConfig, ...]
    training_set: str = "bsd432"
    colour: bool = False
    validation: tuple[str, float] = ("Set12", 25.0)
    tasks: tuple[str, ...] = ("gaussian",)
    effort: str = "cpu"
    start: str | None = None

    def build(self) -> DnCNN:
        """The network as training begins: the pretrained one named by ``start``, or random weights,
        which the first stage's seed decides."""
        if self.start is not None:
            _check.one_of("start", self.start, model_names())
            return load_pretrained(self.start)
        net = DnCNN(**self.network)
        net.reset_parameters(torch.Generator().manual_seed(self.stages[0].seed))
        return net

    def levels(self, task: str) -> tuple[float, ...]:
        """What the finished network is measured at: a network for one noise level at that, others
        at the paper's."""
        sigma = getattr(self.degradation, "sigma", None)
        one = task == "gaussian" and isinstance(sigma, (int, float))
        return (sigma,) if one else TASKS[task].levels


_CPU: dict[str, Any] = {"batch_size": 16, "patch_size": 40, "warmup": 0.05, "log_every": 50}

# The paper's number of patches: 50 epochs of 1,600 (S), 3,000 (B, colour) or 8,000 (3) batches of
# 128. Its learning rate falls to 1e-4; ours to 0, which ends higher, and an average of the weights
# over the last steps smooths what is left.
_PAPER: dict[str, Any] = {
    "batch_size": 128,
    "lr": 2e-3,
    "warmup": 0.01,
    "ema": 0.999,
    "precision": "auto",
    "log_every": 200,
    "validate_every": 5000,
    "checkpoint_every": 1000,
}


# For a network that begins from the weights of a related one.
_WARM = TrainConfig(steps=5000, lr=2e-3, validate_every=500, checkpoint_every=250, **_CPU)


def _specific(sigma: int, start: str | None = None) -> tuple[Recipe, ...]:
    """DnCNN-S for one noise level; on a CPU beginning from another level's network, if given."""
    common: dict[str, Any] = {
        "name": f"dncnn-s-{sigma}",
        "about": f"grey denoiser for Gaussian noise of sigma = {sigma}, 17 layers",
        "network": {"depth": 17, "width": 64, "channels": 1},
        "degradation": GaussianNoise(sigma),
        "validation": ("Set12", float(sigma)),
    }
    stage = (
        _WARM
        if start
        else TrainConfig(steps=10_000, lr=5e-3, validate_every=1000, checkpoint_every=250, **_CPU)
    )
    return (
        Recipe(effort="cpu", stages=(stage,), start=start, **common),
        Recipe(
            effort="paper",
            stages=(TrainConfig(steps=80_000, patch_size=40, **_PAPER),),
            **common,
        ),
    )


_BLIND: dict[str, Any] = {
    "name": "dncnn-b",
    "about": "blind grey denoiser, 20 layers, Gaussian noise with sigma in [0, 55]",
    "network": {"depth": 20, "width": 64, "channels": 1},
    "degradation": GaussianNoise((0, 55)),
}
_BLIND_CPU = (
    TrainConfig(steps=11_000, lr=4e-3, validate_every=1000, checkpoint_every=250, **_CPU),
    # Small batches make noisy statistics: the second stage keeps those of the first.
    TrainConfig(
        steps=3600,
        lr=7e-4,
        frozen_batch_norm=True,
        seed=1,
        validate_every=600,
        checkpoint_every=150,
        **_CPU,
    ),
    # Once more with the paper's larger patches, in which fewer pixels see the zero padding. The
    # average keeps batch norm's statistics too, which are then those of a thousand batches.
    TrainConfig(
        **_CPU
        | {
            "steps": 9000,
            "patch_size": 50,
            "lr": 2e-3,
            "ema": 0.999,
            "precision": "auto",
            "seed": 2,
            "validate_every": 1000,
            "checkpoint_every": 250,
        }
    ),
)
_THREE: dict[str, Any] = {
    "name": "dncnn-3",
    "about": "Gaussian denoising (sigma in [0, 55]), super-resolution ×2 ×3 ×4 and JPEG deblocking "
    "(quality 5 to 99) in one grey network of 20 layers",
    "network": {"depth": 20, "width": 64, "channels": 1},
    "degradation": RandomChoice(
        GaussianNoise((0, 55)), DownUp((2, 3, 4)), JPEGCompression((5, 99))
    ),
    "tasks": ("gaussian", "super-resolution", "deblocking"),
}
_COLOUR: dict[str, Any] = {
    "name": "cdncnn-b",
    "about": "blind colour denoiser, 20 layers, Gaussian noise with sigma in [0, 55]",
    "network": {"depth": 20, "width": 64, "channels": 3},
    "degradation": GaussianNoise((0, 55)),
    "colour": True,
    "validation": ("McMaster", 25.0),
}
_LONG = TrainConfig(steps=10_000, lr=4e-3, validate_every=1000, checkpoint_every=250, **_CPU)

# Lesson 04's: what a student trains from scratch in some five minutes of two cores.
_STUDENT = Recipe(
    name="student",
    about="a small grey denoiser for sigma = 25, 10 layers of 48, from the shipped images",
    network={"depth": 10, "width": 48, "channels": 1},
    degradation=GaussianNoise(25),
    stages=(TrainConfig(steps=2000, lr=5e-3, precision="auto", validate_every=250, **_CPU),),
    training_set="small",
    validation=("samples", 25.0),
)

_RECIPES = (
    _STUDENT,
    *_specific(25),
    *_specific(15, start="dncnn-s-25"),
    *_specific(50, start="dncnn-s-25"),
    Recipe(effort="cpu", stages=_BLIND_CPU, **_BLIND),
    Recipe(
        effort="paper",
        stages=(TrainConfig(steps=150_000, patch_size=50, **_PAPER),),
        **_BLIND,
    ),
    Recipe(effort="cpu", stages=(_WARM,), start="dncnn-b", **_THREE),
    Recipe(
        effort="paper",
        stages=(TrainConfig(steps=400_000, patch_size=50, **_PAPER),),
        **_THREE,
    ),
    Recipe(effort="cpu", stages=(_LONG,), **_COLOUR),
    Recipe(
        effort="paper",
        stages=(TrainConfig(steps=150_000, patch_size=50, **_PAPER),),
        **_COLOUR,
    ),
)
EFFORTS = ("cpu", "paper")


def recipe_names() -> list[str]:
    """The names of the models that have a recipe."""
    return list(dict.fromkeys(recipe.name for recipe in _RECIPES))


def recipe(name: str, effort: str = "cpu") -> Recipe:
    """The recipe of that name.

    effort: "cpu", what two cores do in some hours; or "paper", the paper's number of patches, for a
    GPU. Raises ``ValueError``, with the known names, for others.
    """
    _check.one_of("recipe", name, recipe_names())
    efforts = {r.effort: r for r in _RECIPES if r.name == name}
    _check.one_of("effort", effort, tuple(efforts))
    return efforts[effort]
