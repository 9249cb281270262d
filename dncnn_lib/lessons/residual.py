"""Lesson 05, Residual or direct: what is raced and copied, the recorded races,
snapshots of a training as a widget, and the checks of the exercises."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import ipywidgets
import numpy as np
import torch
from torch import Tensor, nn

from .. import _check
from ..degrade import white_noise
from ..evaluation import Comparison
from ..model import DnCNN
from ..records import RECORDS, read_comparison
from ..restoring import denoise
from ..samples import held_out_images, small_training_set
from ..show.panels import Frame, frame_slider
from ..tasks import Task
from ..training import TrainConfig, train
from .check import from_keys
from .experiments import best_rate


def pieces(contrast: float = 1.0) -> dict[str, np.ndarray]:
    """Four pieces of held-out pictures, (96, 96), values in [0, 1], around grey.

    contrast: what their distance from grey is multiplied by, within (0, 1].
    """
    names = ("camera", "dogs", "pagoda", "drum")
    pictures = held_out_images()
    return {name: 0.5 + contrast * (pictures[name][100:196, 100:196] - 0.5) for name in names}


def pale_photographs(contrast: float) -> list[np.ndarray]:
    """The small training set, (H, W) uint8, with that contrast, as in ``pieces``."""
    return [
        np.round(128 + contrast * (photograph - 128.0)).astype(np.uint8)
        for photograph in small_training_set()
    ]


def recorded(
    experiment: str, path: str | os.PathLike = RECORDS / "residual.csv"
) -> dict[str, dict[float, list[float]]]:
    """What ``data/record_residual.py`` recorded of an experiment, such as "sigma 25": network →
    learning rate → PSNR in dB at the end, one number for each seed.

    Raises ``ValueError`` for an experiment that the record does not have.
    """
    found: dict[str, dict[float, list[float]]] = {}
    runs = read_comparison(path)
    for (name, network, rate, _), steps in runs.items():
        if name == experiment:
            found.setdefault(network, {}).setdefault(rate, []).append(steps[-1].val_psnr)
    if not found:
        known = ", ".join(sorted({str(name) for name, *_ in runs}))
        _check.fail("experiment", experiment, f"one of {known}")
    return found


def at_best(experiment: str) -> dict[str, np.ndarray]:
    """Of a recorded experiment: network → PSNR in dB, (seeds,), at its own ``best_rate``."""
    return {net: np.array(ends[best_rate(ends)]) for net, ends in recorded(experiment).items()}


def _shuffled(clean: Tensor, generator: torch.Generator) -> Tensor:
    pixels = clean.flatten(1)
    order = torch.rand(pixels.shape, generator=generator).argsort(1)
    return pixels.gather(1, order).view_as(clean)


def _centred(patches: Tensor) -> Tensor:
    return patches - patches.mean((1, 2, 3), keepdim=True)


def _noise(sigma: float) -> Callable[[Tensor, torch.Generator], Tensor]:
    return lambda clean, generator: sigma / 255 * white_noise(clean, generator)


SIGNALS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "image": lambda clean, generator: clean,
    "image - 1/2": lambda clean, generator: clean - 0.5,
    "image - patch mean": lambda clean, generator: _centred(clean),
    "shuffled image": _shuffled,
    "shuffled image - patch mean": lambda clean, generator: _centred(_shuffled(clean, generator)),
    "noise 50": _noise(50),
    "noise 25": _noise(25),
}
"""What a network can be asked to copy, made from clean patches (N, 1, H, W) in [0, 1]. Shuffled:
the pixels of each patch in random order. Noise: σ on the 0–255 scale, around 0."""


def copying(signal: str) -> Task:
    """The task of giving back what is given, one of ``SIGNALS``."""

    def task(clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        given = SIGNALS[signal](clean, generator)
        return given, given

    return task


def copy_psnr(signal: str) -> Callable[[nn.Module], float]:
    """A ``validation``: how well a network copies one of ``SIGNALS``, made from the 32×32 patches
    of ``pieces``; the PSNR in dB of all of them together, or NaN for a network that diverged."""
    whole = torch.from_numpy(np.stack(list(pieces().values())))
    patches = whole.unfold(1, 32, 32).unfold(2, 32, 32).reshape(-1, 1, 32, 32)
    given = SIGNALS[signal](patches, torch.Generator().manual_seed(0))

    @torch.no_grad()
    def validation(net: nn.Module) -> float:
        return -10 * math.log10(float(((net(given) - given) ** 2).mean()))

    return validation


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


__getattr__, __dir__ = from_keys(__name__, "start_psnr", "with_skip", "equivalent_sigma")
