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
from .check import Answer, asked, check, exercise
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


@exercise
def start_psnr(function: Answer, *, seed: int = 0) -> None:
    """(clean, noisy), tensors (N, 1, H, W) → PSNR in dB (residual, direct) where layers give 0: of
    the squared error, averaged over the batch."""
    rng = np.random.default_rng(seed)
    cases = []
    for count, sigma in ((4, 25), (3, 75), (1, 50)):
        brightness, strength = rng.uniform(0.2, 1, (2, count, 1, 1, 1)).astype(np.float32)
        clean = brightness * rng.random((count, 1, 6, 8), np.float32)
        noise = strength * sigma / 255 * rng.standard_normal(clean.shape, np.float32)
        cases.append((torch.from_numpy(clean), torch.from_numpy(clean + noise)))

    def psnr(*errors: Tensor) -> list[float]:
        return [-10 * math.log10(float((error**2).mean())) for error in errors]

    def mean_psnr(clean: Tensor, noisy: Tensor) -> list[float]:
        each = [psnr(y - x, x) for x, y in zip(clean, noisy)]
        return np.mean(each, axis=0).tolist()

    mistakes = {
        "residual first, then direct": lambda x, y: psnr(x, y - x),
        "this is the mean of the PSNRs; average the squared errors, then take the logarithm": (
            mean_psnr
        ),
        "the direct network gives its layers' output: what picture is 0?": (
            lambda x, y: psnr(y - x, y - x)
        ),
        "the error is what is wrong against the clean image, not the image itself": (
            lambda x, y: psnr(y, torch.zeros(1) + 1)
        ),
        "the direct network's error is measured against the clean image": (
            lambda x, y: psnr(y - x, y)
        ),
        "the residual network subtracts its layers' output from y: what is left?": (
            lambda x, y: psnr(x, x)
        ),
        "less error, more decibels: see the sign": lambda x, y: [-db for db in psnr(y - x, x)],
        "white is 1 here, not 255": (
            lambda x, y: [db + 20 * math.log10(255) for db in psnr(y - x, x)]
        ),
        "the mean of squares is a power: is it 10 or 20 times the logarithm?": (
            lambda x, y: [2 * db for db in psnr(y - x, x)]
        ),
        "this is the squared error, not yet in decibels": (
            lambda x, y: [float(((y - x) ** 2).mean()), float((x**2).mean())]
        ),
    }
    check(function, cases, lambda x, y: psnr(y - x, x), mistakes)


@exercise
def with_skip(function: Answer, *, seed: int = 0) -> None:
    """(layers) → a module that gives y − layers(y) and trains the parameters of ``layers``."""
    generator = torch.Generator().manual_seed(seed)
    noisy = torch.rand((2, 3, 6, 5), generator=generator)
    noisy.requires_grad_()  # then PyTorch does not let it be overwritten

    def conv(inputs: int, outputs: int) -> nn.Conv2d:
        made = nn.Conv2d(inputs, outputs, 3, padding=1)
        for parameter in made.parameters():
            nn.init.normal_(parameter, 0, 0.3, generator=generator)
        return made

    several = nn.Sequential(conv(3, 4), nn.BatchNorm2d(4), nn.ReLU(), conv(4, 3))
    cases = [(nn.Tanh(),), (conv(3, 3),), (several,)]

    def output(net: nn.Module, layers: nn.Module) -> Tensor:
        return net(noisy).detach()

    def found(net: nn.Module, layers: nn.Module) -> list[int]:
        own = {id(parameter) for parameter in layers.parameters()}
        has = {id(parameter) for parameter in net.parameters()}
        return [len(own & has), len(has - own)]

    def gradient(net: nn.Module, layers: nn.Module) -> Tensor:
        """In one vector; zeros where there is none."""
        (net(noisy) ** 2).sum().backward()
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in layers.parameters()]
        return torch.cat([grad.flatten() for grad in grads])

    def gradient_of_input(net: Answer, layers: nn.Module) -> Tensor:
        (grad,) = torch.autograd.grad((net(noisy) ** 2).sum(), noisy, allow_unused=True)
        return torch.zeros_like(noisy) if grad is None else grad

    mistakes = {
        "y − layers(y), not the other way round": lambda layers: layers(noisy) - noisy,
        "the residual is subtracted": lambda layers: noisy + layers(noisy),
        "this is what the layers give; where is the skip?": lambda layers: layers(noisy),
        "this is y; where are the layers?": lambda layers: noisy,
        "the layers are applied twice": lambda layers: noisy - layers(layers(noisy)),
        "clipping was not asked for": lambda layers: (noisy - layers(noisy)).clamp(0, 1),
    }
    overlooked = {
        "PyTorch does not find them: are the layers an attribute, and not in a plain list?": (
            lambda layers: [0, 0]
        ),
        "these are the parameters of a copy": lambda layers: [0, len(list(layers.parameters()))],
    }
    cut = {"does no gradient come back to the layers?": lambda layers: 0 * right(gradient)(layers)}
    cut_off = {
        "no gradient comes back to y through the skip": (
            lambda layers: gradient_of_input(lambda y: y.detach() - layers(y), layers)
        ),
        "no gradient comes back to y through the layers": (
            lambda layers: gradient_of_input(lambda y: y - layers(y.detach()), layers)
        ),
    }

    def right(answer: Answer) -> Answer:
        return lambda layers: answer(_Skip(layers), layers)

    for question, answer, given, wrong in (
        ("output", output, cases, mistakes),
        ("parameters [the layers', others]", found, cases, overlooked),
        ("gradient of the layers", gradient, cases[1:], cut),
        ("gradient of y", gradient_of_input, cases, cut_off),
    ):
        ask = asked(question, function, answer, "an nn.Module")
        check(ask, given, right(answer), wrong)


class _Skip(nn.Module):
    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, noisy: Tensor) -> Tensor:
        return noisy - self.layers(noisy)


@exercise
def equivalent_sigma(function: Answer, *, seed: int = 0) -> None:
    """(sigma, contrast) → the σ that is as strong against pictures of full contrast."""
    rng = np.random.default_rng(seed)
    low, high = rng.uniform((0.1, 0.55), (0.45, 0.95)).round(2).tolist()
    sigma, other = rng.integers((10, 30), (20, 60)).tolist()
    mistakes = {
        "stretching the picture stretches its noise": lambda s, c: s,
        "is the noise stronger or weaker after stretching?": lambda s, c: s * c,
        "// drops what is behind the point": lambda s, c: s // c,
        "a σ need not be whole": lambda s, c: round(s / c),
        "σ, not σ², is stretched like the picture": lambda s, c: s / c**0.5,
        "stretched once, not twice": lambda s, c: s / c**2,
        "contrast is a factor": lambda s, c: s * (2 - c),
        "this is on the scale from 0 to 1": lambda s, c: s / c / 255,
    }
    cases = [(sigma, low), (other, high), (sigma + 0.5, 0.4), (other, 1.0), (other, 0.05)]
    check(function, cases, lambda s, c: s / c, mistakes)
