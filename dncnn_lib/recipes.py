"""How each pretrained network is trained: named, readable data. ``runs`` carries it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from . import _check
from .degrade import Degradation, GaussianNoise
from .engine import TrainConfig
from .model import DnCNN


@dataclass(frozen=True)
class Recipe:
    """All that decides the weights but the machine.

    name: of the model; about: one line for people; network: arguments of ``DnCNN``; degradation:
    what is undone; stages: how long and how, one training after another, each from the result of
    the one before; training_set: as in ``runs.image_set``; colour: train on colour images;
    validation: a registered set and the noise level for the PSNR on the way; tasks: what the
    finished network is measured on.
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

    def build(self) -> DnCNN:
        """The network with its initial weights, which the first stage's seed decides."""
        net = DnCNN(**self.network)
        net.reset_parameters(torch.Generator().manual_seed(self.stages[0].seed))
        return net


_BATCH: dict[str, Any] = {
    "batch_size": 16,
    "patch_size": 40,
    "warmup": 0.05,
    "log_every": 50,
}

_RECIPES = (
    Recipe(
        name="dncnn-b",
        about="blind grey denoiser, 20 layers, Gaussian noise with sigma in [0, 55]",
        network={"depth": 20, "width": 64, "channels": 1},
        degradation=GaussianNoise((0, 55)),
        stages=(
            TrainConfig(steps=11_000, lr=4e-3, validate_every=1000, checkpoint_every=250, **_BATCH),
            # Small batches make noisy statistics: the second stage keeps those of the first.
            TrainConfig(
                steps=3600,
                lr=7e-4,
                frozen_batch_norm=True,
                seed=1,
                validate_every=600,
                checkpoint_every=150,
                **_BATCH,
            ),
        ),
    ),
)


def recipe_names() -> list[str]:
    """The names of the models that have a recipe."""
    return [recipe.name for recipe in _RECIPES]


def recipe(name: str) -> Recipe:
    """The recipe of that name. Raises ``ValueError``, with the known names, for others."""
    _check.one_of("recipe", name, recipe_names())
    return next(r for r in _RECIPES if r.name == name)
