"""How each pretrained network is trained: named, readable data. ``runs`` carries it out."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from . import _check
from .degrade import Degradation, GaussianNoise
from .engine import TrainConfig
from .model import DnCNN


@dataclass(frozen=True)
class Recipe:
    """All that decides the weights but the machine.

    name: of the model; about: one line for people; network: arguments of ``DnCNN``; degradation:
    what is undone; config: how long and how; training_set: as in ``runs.image_set``; colour: train
    on colour images; validation: a registered set and the noise level for the PSNR on the way;
    finish: a second training, which goes on from the result of the first, or None.
    """

    name: str
    about: str
    network: dict[str, int | bool]
    degradation: Degradation
    config: TrainConfig
    training_set: str = "bsd432"
    colour: bool = False
    validation: tuple[str, float] = ("Set12", 25.0)
    finish: TrainConfig | None = None

    def build(self) -> DnCNN:
        """The network with its initial weights, which ``config.seed`` decides."""
        net = DnCNN(**self.network)
        net.reset_parameters(torch.Generator().manual_seed(self.config.seed))
        return net


_RECIPES = (
    Recipe(
        name="dncnn-b",
        about="blind grey denoiser, 20 layers, Gaussian noise with sigma in [0, 55]",
        network={"depth": 20, "width": 64, "channels": 1},
        degradation=GaussianNoise((0, 55)),
        config=TrainConfig(
            steps=11_000,
            batch_size=16,
            patch_size=40,
            lr=4e-3,
            warmup=0.05,
            log_every=50,
            validate_every=1000,
            checkpoint_every=250,
        ),
        # Small batches make noisy statistics: the second training keeps those of the first.
        finish=TrainConfig(
            steps=3600,
            batch_size=16,
            patch_size=40,
            lr=7e-4,
            warmup=0.05,
            frozen_batch_norm=True,
            seed=1,
            log_every=50,
            validate_every=600,
            checkpoint_every=150,
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
