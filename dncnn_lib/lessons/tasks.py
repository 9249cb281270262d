"""Lesson 08, One model, three tasks: the task explorer, and the checks of the exercises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
import torch
from torch import Tensor, nn

from .. import _check
from ..degrade import KINDS
from ..evaluation import Comparison, compare, super_resolution_case
from ..metrics import luma
from ..show.panels import kind_controls, panel
from ..show.pictures import screen_width, side_by_side
from .check import check, exercise

TASK_KINDS = ("Gaussian", "down-up", "JPEG")
"""Those of ``degrade.KINDS`` that DnCNN-3 was made for."""


def task_words(kind: str, level: int, found: Comparison) -> str:
    """A sentence with the numbers."""
    return f"{kind}, {KINDS[kind].level} {level}: {found.summary}"


def task_explorer(
    clean: np.ndarray, model: nn.Module, *, kind: str = "JPEG", zoom: int = 2
) -> ipywidgets.VBox:
    """A choice of task and a slider for its level, over the degraded picture, the restored one and
    twice what was removed (0 as middle grey), from left to right.

    clean: (H, W) in [0, 1]; some 96×96 pixels follow the hand on a laptop. kind: one of
    ``TASK_KINDS``. The children are the dropdown, the slider, the sentence and the picture.
    """
    kinds, slider = kind_controls(TASK_KINDS, kind, "task")

    def answer() -> tuple[bytes, str]:
        found = compare(clean, KINDS[kinds.value].degradation(slider.value), model)
        pictures = (found.degraded, found.restored, 0.5 + 2 * found.removed)
        words = task_words(kinds.value, slider.value, found)
        return side_by_side(*pictures, zoom=zoom), words

    return panel([kinds, slider], answer, width=screen_width(clean, zoom, 3))


def spread_by_detail(
    noise: np.ndarray, clean: np.ndarray, *, bins: int = 6, block: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """How strong the noise is where the clean image is flat, where it has detail, and in between.

    noise, clean: (H, W), cut into squares of ``block`` pixels (remainders at the right and at the
    bottom are left out), which are sorted by the standard deviation of ``clean`` in them and split,
    in that order, into ``bins`` equal groups. Returns for each group the mean of that standard
    deviation, and the root mean square of the noise, in the units of the two.
    """
    if noise.shape != clean.shape:
        _check.fail("noise's shape", noise.shape, f"that of clean, {clean.shape}")
    height, width = (side - side % block for side in clean.shape)
    if height * width < bins * block**2:
        _check.fail("clean's shape", clean.shape, f"room for {bins} squares of {block}×{block}")

    def squares(image: np.ndarray) -> np.ndarray:
        cut = image[:height, :width].astype(np.float64)
        cut = cut.reshape(height // block, block, width // block, block)
        return cut.transpose(0, 2, 1, 3).reshape(-1, block * block)

    detail, power = squares(clean).std(axis=1), (squares(noise) ** 2).mean(axis=1)
    groups = np.array_split(np.argsort(detail, kind="stable"), bins)
    pairs = [(detail[group].mean(), np.sqrt(power[group].mean())) for group in groups]
    return np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])


@exercise
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


@exercise
def enlarged(function: Callable[[Tensor, int], Any]) -> None:
    """(clean (H, W), scale) → what a network for super-resolution gets, by the paper's protocol."""
    cases = []
    for (height, width), scale in (((12, 18), 2), ((20, 19), 3), ((17, 22), 4)):
        generator = torch.Generator().manual_seed(scale)
        clean = torch.rand((height, width), generator=generator)
        expected = super_resolution_case(clean.numpy(), scale).degraded
        cases.append(((clean, scale), torch.from_numpy(expected)))
    check(function, cases)


@exercise
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
