"""Lessons 12 and 12b, After DnCNN: trainings without clean images, a slider for the σ that is told,
blurred and patchy pictures, what came later; and the checks of the exercises."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..degrade import GaussianNoise
from ..model import DnCNN
from ..tasks import Task, noise2void


def small_network(seed: int) -> DnCNN:
    """Eight layers of 16 maps without batch norm. The seed decides its weights."""
    net = DnCNN(depth=8, width=16, batch_norm=False)
    net.reset_parameters(torch.Generator().manual_seed(seed))
    return net


# ---------------------------------------------------------------------------- without clean images


def at_hidden_pixels(degradation: Task, *, hide: bool) -> Task:
    """As ``noise2void``, but with clean targets: for a ``BlindSpot`` network, whose answer counts
    at some pixels alone. hide: whether the network is denied them, as there, or sees all."""
    hidden = noise2void(degradation)

    def clean_targets(clean: Tensor, generator: torch.Generator):
        (masked, noisy, where), _ = hidden(clean, generator)
        return (masked if hide else noisy, clean, where), clean

    return clean_targets


def noisy_pairs(images: Sequence[np.ndarray], sigma: float, seed: int = 0) -> list[np.ndarray]:
    """Pictures of which there are just two noisy versions, for ``from_pairs`` and ``train``: arrays
    (H, W, 3) in [0, 1].

    images: uint8 (H, W), clean. sigma: of the noise, on the 0–255 scale; it is drawn once. The
    channels are (x + 1)/3 of the clean and of the two noisy pictures, so that noise below 0 and
    above 1 has room. Training patches are 8-bit; that rounds the noise to three grey levels.
    """
    noise, generator = GaussianNoise(sigma), torch.Generator().manual_seed(seed)
    found = []
    for image in images:
        clean = torch.from_numpy(image)[None, None].float() / 255
        versions = torch.cat([clean, noise(clean, generator), noise(clean, generator)])
        found.append(((versions[:, 0] + 1) / 3).clamp(0, 1).permute(1, 2, 0).numpy())
    return found


def from_pairs(*, clean_targets: bool) -> Task:
    """A task on patches of ``noisy_pairs``: one noisy version is given, and the other is the
    target, or the clean picture. Which of the two is given is drawn for each patch."""

    def task(patches: Tensor, generator: torch.Generator):
        clean, first, second = (3 * patches - 1).split(1, dim=1)
        chance = torch.rand((len(patches), 1, 1, 1), generator=generator) < 0.5
        given, other = torch.where(chance, first, second), torch.where(chance, second, first)
        return given, clean if clean_targets else other

    return task
