"""Checks for the exercises of lesson 08, one model and three tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..metrics import luma
from ..protocols import super_resolution_case
from . import check


def with_luma(function: Callable[[np.ndarray, np.ndarray], Any]) -> None:
    """(rgb (H, W, 3), y (H, W)) → rgb with the luma y of MATLAB's rgb2ycbcr and its own chroma."""
    weights = np.array(
        [[65.481, 128.553, 24.966], [-37.797, -74.203, 112], [112, -93.786, -18.214]]
    )
    cases = []
    for seed, shift in enumerate((0.0, 0.1, -0.05)):
        rng = np.random.default_rng(seed)
        rgb = 0.3 + 0.4 * rng.random((4, 5, 3))
        y = luma(rgb) + shift + 0.02 * rng.standard_normal((4, 5))
        planes = rgb @ weights.T / 255
        planes[..., 0] = y - 16 / 255
        cases.append(((rgb, y), planes @ np.linalg.inv(weights / 255).T))
    check(function, cases)


def enlarged(function: Callable[[Tensor, int], Any]) -> None:
    """(clean (H, W), scale) → what a network for super-resolution gets, by the paper's protocol."""
    cases = []
    for (height, width), scale in (((12, 18), 2), ((20, 19), 3), ((17, 22), 4)):
        generator = torch.Generator().manual_seed(scale)
        clean = torch.rand((height, width), generator=generator)
        expected = super_resolution_case(clean.numpy(), scale).degraded
        cases.append(((clean, scale), torch.from_numpy(expected)))
    check(function, cases)


def into_the_box(function: Callable[[np.ndarray, np.ndarray, np.ndarray], Any]) -> None:
    """(coefficients, stored, table), each (8, 8) → the nearest coefficients that the encoder would
    have stored as those whole numbers."""
    rng = np.random.default_rng(0)
    table = rng.integers(2, 40, (8, 8)).astype(float)
    stored = np.rint(rng.normal(0, 3, (8, 8)))
    inside = (stored + rng.uniform(-0.45, 0.45, (8, 8))) * table
    outside = inside + table * rng.choice([-1, 1], (8, 8))
    edge = (stored + np.where(outside > inside, 0.5, -0.5)) * table
    check(function, [((inside, stored, table), inside), ((outside, stored, table), edge)])
