"""Checks of lesson 01, Noise."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from . import check

_PEAKS = {"uint8": 255.0, "float64": 1.0}


def sigma_for_psnr(function: Callable[[float], float]) -> None:
    """(PSNR in dB) → the σ, on the 0–255 scale, of the noise that gives it."""
    check(function, [((db,), 255 / 10 ** (db / 20)) for db in (20.0, 40.0, 28.13)], tolerance=0.01)


def my_psnr(function: Callable[[np.ndarray, np.ndarray], float]) -> None:
    """(restored, clean), both uint8 or both float in [0, 1] → dB, with the peak of that type.

    The third case has restored pixels darker than the clean ones, where uint8 wraps around.
    """
    clean = np.random.default_rng(0).random((32, 32))
    noisy = clean + np.random.default_rng(1).normal(0, 25 / 255, clean.shape)
    coarse = np.round(clean * 200).astype(np.uint8)
    pairs = [(noisy, clean), (coarse + np.uint8(10), coarse), (coarse, coarse + np.uint8(10))]
    check(function, [(pair, _psnr(*pair)) for pair in pairs], tolerance=0.01)


def _psnr(restored: np.ndarray, clean: np.ndarray) -> float:
    error = np.mean((restored.astype(np.float64) - clean.astype(np.float64)) ** 2)
    return 10 * math.log10(_PEAKS[str(clean.dtype)] ** 2 / error)


def shots_needed(function: Callable[[float, float], int]) -> None:
    """(σ of one shot, wanted PSNR in dB) → how many shots must be averaged, at least 1."""
    expected = {(25, 30): 10, (25, 20): 1, (50, 30): 39, (10, 40): 16}
    check(function, list(expected.items()))
