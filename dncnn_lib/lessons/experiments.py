"""The same training with one thing changed: several networks, several seeds, curves to compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from .. import _check
from ..degrade import GaussianNoise, add_gaussian_noise
from ..evaluation import Comparison
from ..images import as_batch
from ..model import DnCNN
from ..restoring import denoise
from ..tasks import Task
from ..training import Step, TrainConfig, train

Curves = dict[str, dict[int, list[Step]]]
"""Records of training: by variant, then by seed."""


@dataclass(frozen=True)
class Variant:
    """One of the trainings that are compared: arguments of ``DnCNN``, and how it is trained.

    change: applied to the network before training begins, such as another initialisation.
    """

    network: Mapping[str, Any]
    config: TrainConfig
    change: Callable[[nn.Module], object] | None = None

    def build(self, seed: int) -> DnCNN:
        """The network as training begins. The seed decides its random weights."""
        net = DnCNN(**self.network)
        net.reset_parameters(torch.Generator().manual_seed(_check.seed("seed", seed)))
        if self.change is not None:
            self.change(net)
        return net


def train_variants(
    variants: Mapping[str, Variant],
    images: Sequence[np.ndarray],
    degradation: Task = GaussianNoise(25),
    *,
    seeds: Iterable[int] = (0, 1, 2),
    validation: Callable[[nn.Module], float] | None = None,
) -> Iterator[tuple[str, int, Step]]:
    """Train every variant from every seed; yields (variant, seed, ``Step``) as they come.

    images, degradation (its task), validation: as in ``train``. seeds: each decides the initial
    weights, the patches and the noise, the same for all variants. A training that diverges, so that
    its loss is not finite, ends there.
    """
    for seed in seeds:
        for name, variant in variants.items():
            config = replace(variant.config, seed=seed)
            net = variant.build(seed)
            for step in train(net, images, degradation, config, validation=validation):
                yield name, seed, step
                if not np.isfinite(step.loss):
                    break


def curves(steps: Iterable[tuple[str, int, Step]]) -> Curves:
    """What ``train_variants`` yields, by variant and seed."""
    result: Curves = {}
    for name, seed, step in steps:
        result.setdefault(name, {}).setdefault(seed, []).append(step)
    return result


def final_psnr(curves: Curves) -> dict[str, list[float]]:
    """The last validation PSNR in dB of each variant, one number for each seed."""
    return {
        name: [[s.val_psnr for s in steps if s.val_psnr is not None][-1] for steps in runs.values()]
        for name, runs in curves.items()
    }


def best_rate(ends: Mapping[float, Sequence[float]]) -> float:
    """The learning rate with the highest PSNR, on the mean of the seeds.

    ends: learning rate → PSNR in dB at the end, one number for each seed; a rate at which one of
    them diverged to NaN comes last.
    """
    return max(ends, key=lambda rate: np.nan_to_num(np.mean(ends[rate]), nan=-np.inf))


def held_out_psnr(
    images: Mapping[str, np.ndarray], sigma: float = 25
) -> Callable[[nn.Module], float]:
    """A ``validation``: the mean PSNR in dB of images with noise of that σ, once restored.

    images: (H, W) or (H, W, 3) in [0, 1]; number i gets noise with the seed i. The restored image
    is clipped to [0, 1]. A network that has diverged, whose answers are not finite, gets NaN.
    """
    pairs = [
        (image, add_gaussian_noise(image, sigma, seed=number))
        for number, image in enumerate(images.values())
    ]
    if not pairs:
        _check.fail("images", dict(images), "at least one image")
    batches, ways_back = zip(*(as_batch(noisy) for _, noisy in pairs))
    if len({batch.shape for batch in batches}) == 1:  # so that batch norm is folded only once
        batches = [torch.cat(batches)]

    def validation(net: nn.Module) -> float:
        answers = (answer[None] for batch in batches for answer in denoise(batch, net))
        restored = [back(answer) for back, answer in zip(ways_back, answers)]
        if not np.isfinite([image.sum() for image in restored]).all():
            return np.nan
        found = (Comparison(clean, noisy, image) for (clean, noisy), image in zip(pairs, restored))
        return float(np.mean([shown.psnr for shown in found]))

    return validation


@torch.no_grad()
def layer_inputs(net: nn.Module, noisy: torch.Tensor, kind: type[nn.Module]) -> list[torch.Tensor]:
    """The input of every layer of a kind, from first to last, when ``net`` is given ``noisy``.

    kind: such as ``nn.BatchNorm2d`` or ``nn.ReLU``. The network runs in its present mode, and is
    left as it was, running statistics included.
    """
    seen: list[torch.Tensor] = []
    buffers = [buffer.clone() for buffer in net.buffers()]
    layers = [module for module in net.modules() if isinstance(module, kind)]
    hooks = [
        layer.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
        for layer in layers
    ]
    try:
        net(noisy)
    finally:
        for hook in hooks:
            hook.remove()
        for buffer, before in zip(net.buffers(), buffers):
            buffer.copy_(before)
    return seen
