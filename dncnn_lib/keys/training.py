"""The keys to the exercises of ``lessons.training``."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ..lessons.check import Answer, check, exercise


@exercise
def paper_loss(function: Answer, *, seed: int = 0) -> None:
    """(predicted, noisy, clean), tensors (N, C, H, W) → 1/(2N)·Σ‖R(y) − (y − x)‖²."""
    rng = np.random.default_rng(seed)
    cases = [
        tuple(torch.from_numpy(rng.random((3, *shape), np.float32)))
        for shape in ((2, 1, 4, 5), (5, 3, 2, 3), (1, 2, 3, 1))
    ]

    def half_sum(error: Tensor) -> float:
        return float((error.double() ** 2).sum()) / 2

    mistakes = {
        "what is predicted is the noise y − x, not x − y": (
            lambda r, y, x: half_sum(r - (x - y)) / len(y)
        ),
        "this compares with the clean image, and R(y) is the noise": (
            lambda r, y, x: half_sum(r - x) / len(y)
        ),
        "this compares with the noisy image, and R(y) is the noise": (
            lambda r, y, x: half_sum(r - y) / len(y)
        ),
        "this is the mean over all pixels; N counts patches": (
            lambda r, y, x: 2 * half_sum(r - (y - x)) / y.numel()
        ),
        "N counts patches, not pixels": lambda r, y, x: half_sum(r - (y - x)) / y.numel(),
        "where is the ½?": lambda r, y, x: 2 * half_sum(r - (y - x)) / len(y),
        "this is the sum over the batch, not divided by N": lambda r, y, x: half_sum(r - (y - x)),
        "‖·‖² is a sum of squares, without a root": (
            lambda r, y, x: (r - (y - x)).flatten(1).norm(dim=1).sum() / (2 * len(y))
        ),
        "squares, not absolute values": lambda r, y, x: (r - (y - x)).abs().sum() / (2 * len(y)),
    }
    check(function, cases, lambda r, y, x: half_sum(r - (y - x)) / len(y), mistakes)


@exercise
def decibels(function: Answer, *, seed: int = 0) -> None:
    """(loss, kind, patch_size, channels) → PSNR in dB; kind "mean" or "paper", pixels in [0, 1]."""
    rng = np.random.default_rng(seed)
    cases = []
    for kind, channels in (("mean", 1), ("mean", 3), ("paper", 1), ("paper", 3)):
        size, mean = int(rng.integers(20, 60)), 10 ** -rng.uniform(1.5, 3.5)
        loss = mean if kind == "mean" else mean * size**2 * channels / 2
        cases.append((float(f"{loss:.3g}"), kind, size, channels))

    def psnr(loss: float, kind: str, size: int, channels: int, half: float = 0.5) -> float:
        return -10 * math.log10(loss if kind == "mean" else loss / (half * size**2 * channels))

    mistakes = {
        "a mean is over the channels already": (
            lambda loss, kind, p, c: psnr(loss / c if kind == "mean" else loss, kind, p, c)
        ),
        "this takes the paper's loss for a mean": lambda loss, *_: psnr(loss, "mean", 1, 1),
        "this takes a mean for the paper's loss": lambda loss, _, *sizes: psnr(
            loss, "paper", *sizes
        ),
        "the paper halves the sum": lambda *case: psnr(*case, half=1),
        "the ½ is taken the wrong way round": lambda *case: psnr(*case, half=2),
        "a patch has rows and columns": lambda loss, kind, p, c: psnr(loss, kind, p**0.5, c),
        "the sum runs over the channels, too": lambda loss, kind, p, c: psnr(loss, kind, p, 1),
        "less error, more decibels: see the sign": lambda *case: -psnr(*case),
        "is it 10 or 20 times the logarithm?": lambda *case: 2 * psnr(*case),
        "white is 1 here, not 255": lambda *case: psnr(*case) + 20 * math.log10(255),
        "the logarithm of decibels has base 10": lambda *case: psnr(*case) * math.log(10),
    }
    check(function, cases, psnr, mistakes)


@exercise
def learning_rate(function: Answer, *, seed: int = 0) -> None:
    """(step, steps, peak, warm) → warm-up over ``warm`` steps, then a cosine to 0; step from 0."""
    rng = np.random.default_rng(seed)
    warm, steps = int(rng.integers(4, 30)), int(rng.integers(60, 400))
    peak = round(rng.uniform(0.01, 2), 3)
    within = (0, warm // 2, warm - 1, warm, (warm + steps) // 2, int(0.8 * steps), steps - 1)
    cases = [(step, steps, peak, warm) for step in within]
    cases += [(step, 3 * steps, 2 * peak, 1) for step in (0, 1, steps)]

    def rate(step: int, steps: int, peak: float, warm: int, more: int = 1) -> float:
        """more: how many steps of the cosine are done before its first."""
        if step < warm:
            return peak * (step + 1) / warm
        return peak * (1 + math.cos(math.pi * (step + more - warm) / (steps - warm))) / 2

    def linear(step: int, steps: int, peak: float, warm: int) -> float:
        return peak * min((step + 1) / warm, (steps - step - 1) / (steps - warm))

    def whole(step: int, steps: int, peak: float, warm: int) -> float:
        return rate(step, steps, peak, warm if step < warm else 0)

    def quarter(step: int, steps: int, peak: float, warm: int) -> float:
        return peak * math.cos(math.pi / 2 * (step + 1 - warm) / (steps - warm))

    def through_zero(step: int, steps: int, peak: float, warm: int) -> float:
        return peak * math.cos(math.pi * (step + 1 - warm) / (steps - warm))

    mistakes = {
        "the first step would learn nothing: count the steps from 1": (
            lambda step, steps, peak, warm: peak * step / warm
        ),
        "the cosine is one step behind: the last step has 0": lambda *case: rate(*case, more=0),
        "the warm-up takes `warm` steps, not always 10": lambda s, n, p, w: rate(s, n, p, 10),
        "there are `steps` steps, not always 100": lambda s, n, p, w: rate(s, 100, p, w),
        "the highest rate is `peak`": lambda s, n, p, w: rate(s, n, 1.0, w),
        "the warm-up is missing": lambda s, n, p, w: rate(s, n, p, 0),
        "after the warm-up the rate falls": lambda s, n, p, w: rate(min(s, w - 1), n, p, w),
        "this falls along a line": linear,
        "the cosine begins where the warm-up ends": whole,
        "this is a quarter of a wave; half a wave goes from 1 to −1": quarter,
        "a rate below 0 unlearns: lift the cosine, and halve it": through_zero,
    }
    check(function, cases, rate, mistakes, tolerance=1e-6)
