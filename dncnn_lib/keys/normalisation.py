"""The keys to the exercises of ``lessons.normalisation``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..lessons.check import Answer, check, exercise


@exercise
def normalise(function: Answer, *, seed: int = 0) -> None:
    """(features (N, C, H, W), gamma (C,), beta (C,), eps) → batch norm in train mode."""
    rng = np.random.default_rng(seed)
    cases: list[tuple[Any, ...]] = []
    for shape, eps in (((2, 5, 4, 5), 0.1), ((4, 3, 3, 2), 1e-5), ((1, 2, 3, 4), 1e-5)):
        spread = rng.uniform(0.5, 2, shape[1]).astype(np.float32)
        place, *scale = rng.uniform(-2, 2, (3, shape[1])).astype(np.float32)
        features = rng.standard_normal(shape, np.float32)
        features = features * spread[:, None, None] + place[:, None, None]
        cases.append((*map(torch.from_numpy, (features, *scale)), eps))

    def norm(a: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
        return nn.functional.batch_norm(a, None, None, gamma, beta, True, 0.1, eps)

    def over(*dims: int, root_first: bool = False, unbiased: bool = False) -> Answer:
        """By hand, with one or more mistakes. dims: over which the statistics are taken."""

        def wrong(a: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
            mean = a.mean(dims, keepdim=True)
            var = a.var(dims, correction=int(unbiased), keepdim=True)
            deviation = var.sqrt() + eps if root_first else (var + eps).sqrt()
            return (a - mean) / deviation * gamma[:, None, None] + beta[:, None, None]

        return wrong

    mistakes = {
        "this divides by n − 1; batch norm takes the biased variance": over(0, 2, 3, unbiased=True),
        "every patch is normalised alone; a batch norm looks at the batch": over(2, 3),
        "the pixels of a feature map share their statistics": over(0),
        "each feature map has statistics of its own": over(0, 1, 2, 3),
        "the channels are normalised together; which dimension are they?": over(1),
        "eps belongs to the variance, under the root": over(0, 2, 3, root_first=True),
        "is eps used as it was given?": lambda a, g, b, _: norm(a, g, b, 1e-5),
        "γ and β are missing": lambda a, g, b, eps: norm(a, 1 + 0 * g, 0 * b, eps),
        "is β added?": lambda a, g, b, eps: norm(a, g, 0 * b, eps),
        "is γ multiplied?": lambda a, g, b, eps: norm(a, 1 + 0 * g, b, eps),
        "γ is the factor, β is added": lambda a, g, b, eps: norm(a, b, g, eps),
        "γ and β go along the rows of pixels; they are for feature maps": (
            lambda a, g, b, eps: g * norm(a, 1 + 0 * g, 0 * b, eps) + b
        ),
        "the square root is missing: the variance is a square": (
            lambda a, g, b, eps: norm(a, g / (a.var((0, 2, 3), correction=0) + eps).sqrt(), b, eps)
        ),
    }
    check(function, cases, norm, mistakes)


@exercise
def running(function: Answer, *, seed: int = 0) -> None:
    """(start, batches, momentum) → a running mean after those batch means, as PyTorch counts."""
    rng = np.random.default_rng(seed)
    cases: list[tuple[float, list[float], float]] = []
    for count, momentum in ((1, 0.1), (2, 0.3), (3, 0.95), (5, 0.6), (0, 0.2)):
        start, *batches = rng.uniform(1, 9, count + 1).round(1).tolist()
        cases.append((start, batches, momentum))

    def mean(start: float, batches: Sequence[float], momentum: float) -> float:
        return functools.reduce(lambda m, b: (1 - momentum) * m + momentum * b, batches, start)

    def mean_of_all(start: float, batches: Sequence[float], momentum: float) -> float:
        return mean(start, [sum(batches) / len(batches)], momentum)

    mistakes = {
        "in PyTorch, momentum is the weight of the new value": lambda s, b, m: mean(s, b, 1 - m),
        "every batch mean counts, not the last one alone": lambda s, b, m: mean(s, b[-1:], m),
        "the mean begins at start": lambda s, b, m: mean(0.0, b, m),
        "the first batch moves the mean like all others": lambda s, b, m: mean(b[0], b[1:], m),
        "the running mean is missing; this is the last batch": lambda s, b, m: b[-1],
        "older batches fade, too, with every new one": (
            lambda s, b, m: s * (1 - m) ** len(b) + m * sum(b)
        ),
        "the old mean fades with every batch": lambda s, b, m: s + m * sum(b),
        "it is moved towards the batch mean, by a part of the way": (
            lambda s, b, m: functools.reduce(lambda mean, batch: mean - m * (batch - mean), b, s)
        ),
        "one batch after the other, in their order": mean_of_all,
        "the batches come in this order, not from the last to the first": (
            lambda s, b, m: mean(s, b[::-1], m)
        ),
        "this counts all batches alike": lambda s, b, m: sum(b) / len(b),
    }
    check(function, cases, mean, mistakes)


@exercise
def fold(function: Answer, *, seed: int = 0) -> None:
    """(weight (K, C, 3, 3), gamma, beta, mean, var (K,), eps) → (weight, bias) of one convolution
    that equals a bias-free convolution and a batch norm in eval mode."""
    rng = np.random.default_rng(seed)
    cases: list[tuple[Any, ...]] = []
    for outputs, inputs, eps in ((4, 2, 1e-5), (3, 3, 0.1), (1, 5, 1e-3)):
        weight = rng.standard_normal((outputs, inputs, 3, 3), np.float32)
        gamma, beta, mean, var = rng.uniform(-2, 2, (4, outputs)).astype(np.float32)
        cases.append((*map(torch.from_numpy, (weight, gamma, beta, mean, var**2 + 0.2)), eps))

    def folded(w: Tensor, g: Tensor, b: Tensor, m: Tensor, v: Tensor, eps: float) -> list[Tensor]:
        scale = g / (v + eps).sqrt()
        return [torch.einsum("kcij,k->kcij", w, scale), b - m * scale]

    def bias(of: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Answer:
        """The right weight beside ``of(β, μ, scale, γ)``."""

        def wrong(
            w: Tensor, g: Tensor, b: Tensor, m: Tensor, v: Tensor, eps: float
        ) -> list[Tensor]:
            return [folded(w, g, b, m, v, eps)[0], of(b, m, g / (v + eps).sqrt(), g)]

        return wrong

    mistakes = {
        "the batch norm subtracts its mean; where is it in the bias?": bias(lambda b, m, s, g: b),
        "and β?": bias(lambda b, m, s, g: -m * s),
        "the mean is scaled like all that goes in": bias(lambda b, m, s, g: b - m),
        "the mean is divided by the deviation, too": bias(lambda b, m, s, g: b - m * g),
        "the mean is subtracted": bias(lambda b, m, s, g: b + m * s),
        "β is added after the scaling": bias(lambda b, m, s, g: (b - m) * s),
        "var is a variance: what is divided by?": (
            lambda w, g, b, m, v, eps: folded(w, g, b, m, (v + eps) ** 2 - eps, eps)
        ),
        "is eps used as it was given?": lambda w, g, b, m, v, _: folded(w, g, b, m, v, 1e-5),
        "eps belongs to the variance, under the root": (
            lambda w, g, b, m, v, eps: folded(w, g, b, m, (v.sqrt() + eps) ** 2, 0.0)
        ),
        "is γ used?": lambda w, g, b, m, v, eps: folded(w, 1 + 0 * g, b, m, v, eps),
        "the weight is as it was": lambda w, *rest: [w, folded(w, *rest)[1]],
        "a factor for each output, which is the first dimension of the weight": (
            lambda w, *rest: [
                w * folded(torch.ones(w.shape[:1] + (1, 1, 1)), *rest)[0].view(-1),
                folded(w, *rest)[1],
            ]
        ),
    }
    check(function, cases, folded, mistakes)
