"""Lesson 09, Looking inside: the checks of the exercises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .check import check, exercise


@exercise
def r_squared(function: Callable[[np.ndarray, np.ndarray], Any]) -> None:
    """(told, wanted), arrays of one shape → 1 − mean squared error / variance of ``wanted``."""
    wanted = np.array([[1.0, 2.0], [3.0, 6.0]])
    cases = [
        ((wanted, wanted), 1.0),
        ((np.full((2, 2), 3.0), wanted), 0.0),
        ((np.zeros((2, 2)), wanted), 1 - 12.5 / 3.5),
        ((wanted + 1, wanted), 1 - 1 / 3.5),
    ]
    check(function, cases)


@exercise
def turned(function: Callable[[Tensor], Any]) -> None:
    """(filters), a tensor (K, 1, h, w) → each turned by 180°."""
    cases = []
    for shape in ((1, 1, 2, 3), (4, 1, 3, 3)):
        filters = torch.arange(float(np.prod(shape))).reshape(shape)
        expected = torch.from_numpy(np.rot90(filters.numpy(), 2, axes=(2, 3)).copy())
        cases.append(((filters,), expected))
    check(function, cases)


@exercise
def tnrd_parameters(function: Callable[[int, int, int, int], Any]) -> None:
    """(stages, filters, side, bumps) → the number of parameters."""
    check(function, [((1, 24, 5, 21), 1104), ((5, 24, 5, 63), 10_560), ((5, 48, 7, 63), 26_880)])
