"""Fixtures for the lessons: a small picture, and a model known by heart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import picture

from dncnn_lib.evaluation import Comparison


@pytest.fixture
def clean() -> np.ndarray:
    return picture(24, 16)


@pytest.fixture
def found(clean) -> Comparison:
    """Random: both the degraded and the restored picture leave [0, 1]."""
    rng = np.random.default_rng(1)
    noise, left = 0.2 * rng.standard_normal((2, *clean.shape), dtype=np.float32)
    return Comparison(clean, clean + noise, clean + 0.3 * left - 0.02)


class Halve(torch.nn.Module):
    """Not a denoiser: its result is known by heart."""

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return noisy / 2


@pytest.fixture
def halve() -> torch.nn.Module:
    return Halve()


@pytest.fixture
def figures():
    """Draw without a screen, and leave no figure behind."""
    from matplotlib import pyplot

    pyplot.switch_backend("Agg")
    yield
    pyplot.close("all")
