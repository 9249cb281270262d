"""What a network can be trained on: tasks ``(clean, generator) -> (given, target)``.

A degradation alone is the usual task: given the degraded patches, the target is the clean ones. The
functions here make others. ``given`` may be a tuple, and the network is called ``net(*given)``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

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


def noise2void(degradation: Task, share: float = 0.02) -> Task:
    """Without clean targets, and with one degraded version only: some pixels are hidden, and what
    they were is what a ``BlindSpot`` network learns to tell from their neighbours.

    share: of the pixels, hidden at random. They are overwritten by a neighbour, at the same place
        of the 5×5 around each in one batch, at another in the next.
    Source: Krull, Buchholz, Jug, "Noise2Void: Learning Denoising from Single Noisy Images", CVPR
    2019, who hide 64 pixels in a patch of 64×64. Works where noise in neighbouring pixels is
    independent, and has mean zero.
    """
    return functools.partial(
        _noise2void, degradation, _check.real("share", share, above=0.0, below=1.0)
    )


def _noise2void(degradation: Task, share: float, clean: Tensor, generator: torch.Generator):
    noisy = degradation(clean, generator)
    batch, _, height, width = noisy.shape
    shape = (batch, 1, height, width)
    hidden = torch.rand(shape, generator=generator, device=noisy.device) < share
    lot = int(torch.randint(24, (), generator=generator, device=noisy.device))
    place = lot + (lot >= 12)  # one of the 24 places around the middle of a square of 5×5
    beside = torch.roll(noisy, (place // 5 - 2, place % 5 - 2), (2, 3))
    return (torch.where(hidden, beside, noisy), noisy, hidden), noisy


class BlindSpot(nn.Module):
    """A network while it learns by ``noise2void``: its answer counts at hidden pixels alone.

    ``BlindSpot(net)(noisy)`` is ``net(noisy)``. ``BlindSpot(net)(masked, noisy, hidden)`` is the
    answer of ``net`` to ``masked`` where ``hidden``, and else ``noisy``, which is the target there.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(
        self, noisy: Tensor, target: Tensor | None = None, hidden: Tensor | None = None
    ) -> Tensor:
        restored = self.net(noisy)
        return restored if hidden is None else torch.where(hidden, restored, target)


def with_noise_map(noise: GaussianNoise) -> Task:
    """The network is told σ: it is called ``net(noisy, sigma)`` with a map (B, 1, H, W) in units of
    [0, 1].

    Source: Zhang, Zuo, Zhang, "FFDNet: Toward a Fast and Flexible Solution for CNN-Based Image
    Denoising", IEEE TIP 2018. Raises ``TypeError`` for another degradation, which has no σ.
    """
    if not isinstance(noise, GaussianNoise):
        _check.wrong_type("noise", noise, "a GaussianNoise")
    return _WithNoiseMap(noise)


@dataclass(frozen=True, repr=False)
class _WithNoiseMap:
    noise: GaussianNoise

    def __call__(self, clean: Tensor, generator: torch.Generator):
        sigma = self.noise.levels(clean, generator)
        noisy = clean + sigma * white_noise(clean, generator)
        return (noisy, sigma.expand(-1, 1, *clean.shape[-2:])), clean

    def __repr__(self) -> str:
        return f"with_noise_map({self.noise})"


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
