"""What a network can be trained on: tasks ``(clean, generator) -> (given, target)``.

A degradation alone is the usual task: given the degraded patches, the target is the clean ones. The
functions here make others. ``given`` may be a tuple, and the network is called ``net(*given)``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from . import _check
from .degrade import GaussianNoise, white_noise

Given = Tensor | tuple[Tensor, ...]
Task = Callable[[Tensor, torch.Generator], Tensor | tuple[Given, Tensor]]
"""A degradation, or a function that gives pairs."""


def pair(
    task: Task, clean: Tensor, generator: torch.Generator
) -> tuple[tuple[Tensor, ...], Tensor]:
    """What a task makes of clean patches (B, C, H, W): the network's arguments, and the target."""
    made = task(clean, generator)
    if not isinstance(made, tuple):
        _check.output("the degradation", made, clean)
        return (made,), clean
    if len(made) != 2:
        _check.fail("the length of what the task gives", len(made), "2: (given, target)")
    given, target = made
    return given if isinstance(given, tuple) else (given,), target


def noise2noise(degradation: Task) -> Task:
    """Without clean targets: two degraded versions of the same patches.

    Source: Lehtinen et al., "Noise2Noise: Learning Image Restoration without Clean Data", ICML
    2018. Where the noise has mean zero, the best answer is the same as for clean targets.
    """
    return functools.partial(_noise2noise, degradation)


def _noise2noise(degradation: Task, clean: Tensor, generator: torch.Generator):
    return degradation(clean, generator), degradation(clean, generator)


def with_noise_map(noise: GaussianNoise) -> Task:
    """The network is told σ: it is called ``net(noisy, sigma)`` with a map (B, 1, H, W) in units of
    [0, 1].

    Source: Zhang, Zuo, Zhang, "FFDNet: Toward a Fast and Flexible Solution for CNN-Based Image
    Denoising", IEEE TIP 2018. Raises ``TypeError`` for another degradation, which has no σ.
    """
    if not isinstance(noise, GaussianNoise):
        _check.wrong_type("noise", noise, "a GaussianNoise")
    return functools.partial(_with_noise_map, noise)


def _with_noise_map(noise: GaussianNoise, clean: Tensor, generator: torch.Generator):
    sigma = noise.levels(clean, generator)
    noisy = clean + sigma * white_noise(clean, generator)
    return (noisy, sigma.expand(-1, 1, *clean.shape[-2:])), clean


def with_noise_level(*sigmas: float) -> Task:
    """The network is told σ, the same for all patches of a batch: it is called ``net(noisy,
    sigma)`` with a tensor of one number in units of [0, 1].

    sigmas: the levels, on the 0–255 scale, each equally likely for a batch. For models that have
    parameters of their own for each of a few levels. Raises ``ValueError`` where there is none.
    """
    if not sigmas:
        _check.fail("sigmas", sigmas, "at least one noise level")
    return _WithNoiseLevel(tuple(GaussianNoise(sigma) for sigma in sigmas))


@dataclass(frozen=True, repr=False)
class _WithNoiseLevel:
    noises: tuple[GaussianNoise, ...]

    def __call__(self, clean: Tensor, generator: torch.Generator):
        lot = torch.randint(len(self.noises), (), generator=generator, device=clean.device)
        noise = self.noises[int(lot)]
        return (noise(clean, generator), clean.new_tensor(noise.sigma / 255)), clean

    def __repr__(self) -> str:
        return f"with_noise_level({', '.join(f'{noise.sigma:g}' for noise in self.noises)})"
