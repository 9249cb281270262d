"""Checks for the exercises of lesson 00, Start here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..degrade import add_gaussian_noise
from ..engine import denoise
from ..metrics import psnr
from ..samples import sample_image
from ..zoo import load_pretrained
from . import check


def gain(function: Callable[[str, float], float]) -> None:
    """``function(name, sigma)``: by how many dB ``dncnn-b`` improves that sample image."""
    given = (("coins", 15), ("text", 50))
    check(function, ((case, _gain(*case)) for case in given), tolerance=0.1)


def without_noise(function: Callable[[str], float]) -> None:
    """``function(name)``: the PSNR in dB of what ``dncnn-b`` makes of the clean sample image."""
    check(function, [(("coins",), _restored("coins", 0))], tolerance=0.1)


def _gain(name: str, sigma: float) -> float:
    clean = sample_image(name)
    return _restored(name, sigma) - psnr(_noisy(name, sigma), clean, data_range=1.0)


def _restored(name: str, sigma: float) -> float:
    restored = denoise(_noisy(name, sigma), load_pretrained("dncnn-b"))
    return psnr(restored, sample_image(name), data_range=1.0)


def _noisy(name: str, sigma: float) -> np.ndarray:
    return add_gaussian_noise(sample_image(name), sigma, seed=0)
