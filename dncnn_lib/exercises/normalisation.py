"""Checks for the exercises of lesson 06, batch normalisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from . import check


def normalise(function: Callable[[Tensor, Tensor, Tensor, float], Any]) -> None:
    """(features (N, C, H, W), gamma (C,), beta (C,), eps) → batch norm in train mode."""
    cases = []
    for (count, channels), eps in (((4, 3), 1e-5), ((2, 5), 0.1)):
        generator = torch.Generator().manual_seed(count)
        features = 2 * torch.randn(count, channels, 3, 2, generator=generator) + 1
        gamma, beta = torch.randn((2, channels), generator=generator)
        expected = nn.functional.batch_norm(features, None, None, gamma, beta, True, 0.1, eps)
        cases.append(((features, gamma, beta, eps), expected))
    check(function, cases)


def running(function: Callable[[float, Sequence[float], float], Any]) -> None:
    """(start, batches, momentum) → a running mean after those batch means, as PyTorch counts."""
    cases: list[tuple[tuple[float, list[float], float], float]] = [
        ((0.0, [1.0], 0.1), 0.1),
        ((1.0, [2.0], 0.95), 1.95),
        ((4.0, [0.0, 8.0], 0.5), 5.0),
        ((3.0, [], 0.1), 3.0),
    ]
    check(function, cases)


def fold(function: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, float], Any]) -> None:
    """(weight (K, C, 3, 3), gamma, beta, mean, var (K,), eps) → (weight, bias) of one convolution
    that equals a bias-free convolution and a batch norm in eval mode."""
    cases = []
    for outputs, inputs, eps in ((4, 2, 1e-5), (3, 3, 0.1)):
        generator = torch.Generator().manual_seed(outputs)
        weight = torch.randn(outputs, inputs, 3, 3, generator=generator)
        gamma, beta, mean = torch.randn((3, outputs), generator=generator)
        var = torch.rand(outputs, generator=generator) + 0.2
        scale = gamma * (var + eps) ** -0.5
        expected = (torch.einsum("kcij,k->kcij", weight, scale), beta - mean * scale)
        cases.append(((weight, gamma, beta, mean, var, eps), expected))
    check(function, cases)
