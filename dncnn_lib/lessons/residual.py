"""Lesson 05, Residual or direct: snapshots of a training as a widget, and the checks of the
exercises."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ipywidgets
import numpy as np
import torch
from torch import Tensor, nn

from .. import _check
from ..evaluation import Comparison
from ..model import DnCNN
from ..restoring import denoise
from ..show.panels import Frame, frame_slider
from ..tasks import Task
from ..training import TrainConfig, train
from .check import asked, check, exercise


@dataclass(frozen=True)
class Snapshot:
    """What a network makes of one noisy picture after ``step`` steps of training.

    found: the picture before and after; residual: whether the layers compute the residual v̂, or the
    image x̂ itself.
    """

    step: int
    found: Comparison
    residual: bool

    @property
    def output(self) -> np.ndarray:
        """(H, W), what the layers compute."""
        return self.found.removed if self.residual else self.found.restored


def snapshots(
    net: DnCNN,
    images: Sequence[np.ndarray],
    degradation: Task,
    config: TrainConfig,
    clean: np.ndarray,
    noisy: np.ndarray,
    steps: Sequence[int],
) -> list[Snapshot]:
    """Train ``net``, and after each of these steps restore ``noisy``; step 0 is before training.

    net, images, degradation, config: as in ``train``, and it is trained to the end; clean, noisy:
    one picture (H, W); steps: within [0, ``config.steps``], in any order.
    """
    for step in steps:
        _check.integer("steps", step, at_least=0)
    if not steps or max(steps) > config.steps:
        _check.fail("steps", tuple(steps), f"some numbers from 0 to {config.steps}")

    def look(step: int) -> Snapshot:
        return Snapshot(step, Comparison(clean, noisy, denoise(noisy, net)), net.residual)

    found = [look(0)] if 0 in steps else []
    for step in train(net, images, degradation, replace(config, log_every=1)):
        if step.step in steps:
            found.append(look(step.step))
    return found


SNAPSHOT_VIEWS: dict[str, Callable[[Snapshot], np.ndarray]] = {
    "restored": lambda snapshot: snapshot.found.restored,
    "layers' output": lambda snapshot: snapshot.output + 0.5 * snapshot.residual,
    "error, 3 times": lambda snapshot: 0.5 + 3 * snapshot.found.error,
}
"""What can be shown of a snapshot; in noise and errors, grey is zero."""


def snapshot_slider(
    trainings: Mapping[str, Sequence[Snapshot]], *, zoom: int = 1
) -> ipywidgets.VBox:
    """``frame_slider`` over the steps of trainings, which are shown side by side.

    trainings: label → its snapshots, at the same steps.
    """
    rows = [dict(zip(trainings, row)) for row in zip(*trainings.values(), strict=True)]
    frames = {
        name: [
            Frame(snapshot_summary(row), tuple(view(shot) for shot in row.values())) for row in rows
        ]
        for name, view in SNAPSHOT_VIEWS.items()
    }
    steps = [str(next(iter(row.values())).step) for row in rows]
    return frame_slider(frames, steps, "step", zoom=zoom)


def snapshot_summary(row: Mapping[str, Snapshot]) -> str:
    """One sentence with the step and the PSNR of each training, from left to right."""
    step = next(iter(row.values())).step
    found = ", ".join(f"{name} {shot.found.psnr:.1f} dB" for name, shot in row.items())
    return f"after step {step}: {found}"


@exercise
def start_psnr(function: Callable[[Tensor, Tensor], Any]) -> None:
    """(clean, noisy), tensors (N, 1, H, W) → PSNR in dB (residual, direct) where layers give 0."""
    cases = []
    for seed, (brightness, sigma) in enumerate([(0.5, 25), (0.2, 25), (0.5, 75)]):
        generator = torch.Generator().manual_seed(seed)
        clean = brightness * torch.rand((4, 1, 8, 8), generator=generator)
        noise = sigma / 255 * torch.randn(clean.shape, generator=generator)
        expected = tuple(-10 * math.log10(float((v**2).mean())) for v in (noise, clean))
        cases.append(((clean, clean + noise), expected))
    check(function, cases, tolerance=1e-3)


@exercise
def with_skip(function: Callable[[nn.Module], nn.Module]) -> None:
    """(layers) → a module that gives y − layers(y) and trains the parameters of ``layers``."""
    noisy = torch.rand((2, 1, 6, 6), generator=torch.Generator().manual_seed(0))

    conv = nn.Conv2d(1, 1, 3, padding=1)
    nn.init.constant_(conv.weight, 0.1)  # what is printed is the same every time
    nn.init.constant_(conv.bias, 0.2)
    layers: dict[str, nn.Module] = {"half": Half(), "conv": conv}

    def mended(name: str) -> nn.Module:
        return function(layers[name])

    mended.__name__ = function.__name__
    expected = {name: noisy - module(noisy) for name, module in layers.items()}
    output = asked("output", mended, lambda net: net(noisy))
    check(output, [((name,), expected[name]) for name in layers])
    count = asked(
        "number of parameters", mended, lambda net: sum(p.numel() for p in net.parameters())
    )
    check(count, [(("half",), 0), (("conv",), 10)])


class Half(nn.Module):
    """Gives half of its input."""

    def forward(self, noisy: Tensor) -> Tensor:
        """noisy: any shape; the same shape out."""
        return noisy / 2


@exercise
def equivalent_sigma(function: Callable[[float, float], Any]) -> None:
    """(sigma, contrast) → the σ that is as strong against pictures of full contrast."""
    check(function, [((25.0, 1.0), 25.0), ((25.0, 0.25), 100.0), ((10.0, 0.5), 20.0)])
