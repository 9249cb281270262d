"""How each pretrained network is trained: named, readable data. ``runs`` carries it out."""

from __future__ import annotations

from dataclasses import dataclass, replace
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


# Two cores see few patches, so each step has to teach much: hence Muon. At its rates the weights
# move so far that only a short average is of use; one over a thousand steps stays behind them. It
# averages batch norm's statistics, too.
_CPU: dict[str, Any] = {
    "batch_size": 16,
    "patch_size": 50,
    "optimizer": "muon",
    "lr": 1e-2,
    "warmup": 0.05,
    "ema": 0.99,
    "precision": "auto",
    "log_every": 50,
    "validate_every": 1000,
    "checkpoint_every": 250,
}

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
    "recalibrate": 50,
}

# A GPU sees many patches in little time: batches of many, and large ones, in which few pixels are
# near a border, as in a whole image. While the rate is high, an average over a thousand steps stays
# far behind, and so does the PSNR that is reported on the way. One H200 trained the six networks of
# the paper in eleven minutes, four at a time: an eighth of its pixels for dncnn-b, a twentieth for
# dncnn-3.
_GPU: dict[str, Any] = {
    "batch_size": 64,
    "patch_size": 64,
    "optimizer": "muon",
    "lr": 1e-2,
    "warmup": 0.02,
    "ema": 0.999,
    "precision": "auto",
    "log_every": 100,
    "validate_every": 5000,
    "checkpoint_every": 2500,
}
# For the last stage. Smooth pictures gain most.
_PRECISE: dict[str, Any] = {"recalibrate": 50}

_FULL = TrainConfig(steps=7000, **_CPU)
# One noise level is learned sooner than a range of them.
_ONE = TrainConfig(steps=5000, **_CPU)
# For a network that begins from the weights of a related one, or from its own.
_WARM = TrainConfig(**_CPU | {"steps": 9000, "lr": 5e-3, "recalibrate": 200})
_ONE_WARM = replace(_WARM, steps=2000, validate_every=500)
_ONE_MORE = replace(_WARM, steps=4000)
_SMALL_MORE = replace(_WARM, steps=10_000, seed=1)
_ONE_WARM_MORE = replace(_ONE_WARM, steps=2500, seed=1)  # on patches that are new

# On a GPU.
_GPU_ONE = TrainConfig(steps=9500, **_GPU | _PRECISE)
_GPU_ONE_WARM = TrainConfig(**_GPU | _PRECISE | {"steps": 5200, "lr": 5e-3})
_GPU_MORE = TrainConfig(**_GPU | _PRECISE | {"steps": 4000, "lr": 4e-3, "seed": 1})


def _specific(sigma: int, start: str | None = None) -> tuple[Recipe, ...]:
    """DnCNN-S for one noise level; but for "paper", from another level's network, if given."""
    common: dict[str, Any] = {
        "name": f"dncnn-s-{sigma}",
        "about": f"grey denoiser for Gaussian noise of sigma = {sigma}, 17 layers",
        "network": {"depth": 17, "width": 64, "channels": 1},
        "degradation": GaussianNoise(sigma),
        "validation": ("Set12", float(sigma)),
    }
    return (
        Recipe(
            effort="cpu",
            stages=(_ONE_WARM, _ONE_WARM_MORE) if start else (_ONE, _ONE_MORE),
            start=start,
            **common,
        ),
        Recipe(
            effort="gpu",
            stages=(_GPU_ONE_WARM if start else _GPU_ONE,),
            start=start,
            **common,
        ),
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
# Half of the patches are of super-resolution: its errors are the smallest of the three, so the loss
# hardly sees them, and the paper is furthest ahead there.
_THREE_HALF: dict[str, Any] = _THREE | {
    "degradation": RandomChoice(
        GaussianNoise((0, 55)),
        DownUp((2, 3, 4)),
        DownUp((2, 3, 4)),
        JPEGCompression((5, 99)),
    ),
}
# The explorer shows it while a hand is on the slider and the processor too slow for more.
_SMALL: dict[str, Any] = _THREE | {
    "name": "dncnn-3-small",
    "about": "the three tasks of dncnn-3 in 8 layers of 32, for quick looks",
    "network": {"depth": 8, "width": 32, "channels": 1},
}
_COLOUR: dict[str, Any] = {
    "name": "cdncnn-b",
    "about": "blind colour denoiser, 20 layers, Gaussian noise with sigma in [0, 55]",
    "network": {"depth": 20, "width": 64, "channels": 3},
    "degradation": GaussianNoise((0, 55)),
    "colour": True,
    "validation": ("McMaster", 25.0),
}
_COLOUR_SMALL: dict[str, Any] = _COLOUR | {
    "name": "cdncnn-b-small",
    "about": "cdncnn-b in 8 layers of 32, for quick looks",
    "network": {"depth": 8, "width": 32, "channels": 3},
}
# Lesson 04's: what a student trains from scratch in some five minutes of two cores.
_STUDENT = Recipe(
    name="student",
    about="a small grey denoiser for sigma = 25, 10 layers of 48, from the shipped images",
    network={"depth": 10, "width": 48, "channels": 1},
    degradation=GaussianNoise(25),
    stages=(TrainConfig(steps=2000, lr=5e-3, precision="auto", log_every=50, validate_every=250),),
    training_set="small",
    validation=("samples", 25.0),
)

_RECIPES = (
    _STUDENT,
    *_specific(25),
    *_specific(15, start="dncnn-s-25"),
    *_specific(50, start="dncnn-s-25"),
    Recipe(effort="cpu", stages=(_FULL, replace(_WARM, steps=12_000)), **_BLIND),
    Recipe(effort="gpu", stages=(TrainConfig(steps=19_500, **_GPU), _GPU_MORE), **_BLIND),
    Recipe(
        effort="paper",
        stages=(TrainConfig(steps=150_000, patch_size=50, **_PAPER),),
        **_BLIND,
    ),
    Recipe(effort="cpu", stages=(_WARM,), start="dncnn-b", **_THREE_HALF),
    Recipe(effort="gpu", stages=(TrainConfig(steps=18_500, **_GPU), _GPU_MORE), **_THREE_HALF),
    Recipe(
        effort="paper",
        stages=(TrainConfig(steps=400_000, patch_size=50, **_PAPER),),
        **_THREE,
    ),
    Recipe(effort="cpu", stages=(_FULL, _SMALL_MORE), **_SMALL),
    Recipe(effort="cpu", stages=(replace(_FULL, recalibrate=200),), **_COLOUR),
    Recipe(effort="gpu", stages=(TrainConfig(steps=12_500, **_GPU | _PRECISE),), **_COLOUR),
    Recipe(effort="cpu", stages=(_FULL, _SMALL_MORE), **_COLOUR_SMALL),
    Recipe(
        effort="paper",
        stages=(TrainConfig(steps=150_000, patch_size=50, **_PAPER),),
        **_COLOUR,
    ),
)
EFFORTS = ("cpu", "gpu", "paper")


def recipe_names() -> list[str]:
    """The names of the models that have a recipe."""
    return list(dict.fromkeys(recipe.name for recipe in _RECIPES))


def recipe(name: str, effort: str = "cpu") -> Recipe:
    """The recipe of that name.

    effort: "cpu", what two cores do in some hours; "gpu", what one GPU does in some minutes; or
    "paper", the paper's number of patches, for some hours of one. Raises ``ValueError``, with the
    known names, for others.
    """
    _check.one_of("recipe", name, recipe_names())
    efforts = {r.effort: r for r in _RECIPES if r.name == name}
    _check.one_of("effort", effort, tuple(efforts))
    return efforts[effort]
