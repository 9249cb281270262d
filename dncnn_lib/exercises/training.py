"""Checks for the exercises of lesson 04, training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import check


def paper_loss(function: Callable[[Tensor, Tensor, Tensor], Any]) -> None:
    """(predicted, noisy, clean), tensors (N, C, H, W) → 1/(2N)·Σ‖R(y) − (y − x)‖²."""
    cases = []
    for shape in ((2, 1, 4, 4), (5, 3, 2, 2)):
        generator = torch.Generator().manual_seed(shape[0])
        predicted, noisy, clean = torch.rand((3, *shape), generator=generator)
        wrong = (predicted + clean - noisy).double().numpy()
        cases.append(((predicted, noisy, clean), float(np.sum(wrong**2)) / (2 * shape[0])))
    check(function, cases, tolerance=1e-3)


def decibels(function: Callable[[float, str, int, int], Any]) -> None:
    """(loss, kind, patch_size, channels) → PSNR in dB; kind "mean" or "paper", pixels in [0, 1]."""
    cases = [
        ((0.001, "mean", 40, 1), 30.0),
        ((0.8, "paper", 40, 1), 30.0),
        ((3.4, "paper", 40, 1), 10 * math.log10(800 / 3.4)),
        ((3.4, "paper", 50, 3), 10 * math.log10(3750 / 3.4)),
    ]
    check(function, cases, tolerance=1e-3)


def learning_rate(function: Callable[[int, int, float, int], Any]) -> None:
    """(step, steps, peak, warm) → warm-up over ``warm`` steps, then a cosine to 0; step from 0."""
    cases: list[tuple[tuple[int, int, float, int], float]] = [
        ((0, 100, 1.0, 10), 0.1),
        ((9, 100, 1.0, 10), 1.0),
        ((54, 100, 1.0, 10), 0.5),
        ((39, 100, 2.0, 10), 1.5),
        ((99, 100, 2.0, 10), 0.0),
    ]
    check(function, cases, tolerance=1e-6)
