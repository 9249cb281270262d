"""The keys to the exercises of ``lessons.start``."""

from __future__ import annotations

import functools
import math

import numpy as np

from ..degrade import GaussianNoise
from ..evaluation import Comparison, compare
from ..lessons.check import Answer, check, exercise
from ..metrics import psnr
from ..samples import sample_image
from ..zoo import load_pretrained


@exercise
def gain(function: Answer, *, seed: int = 0) -> None:
    """(name, sigma) → by how many dB ``dncnn-b`` improves that sample image, noisy with seed 0."""
    found = functools.cache(_restored)
    weak, strong = np.random.default_rng(seed).uniform((10, 40), (20, 60)).round(1).tolist()
    mistakes = {
        "what came out against what went in, not the other way round": (
            lambda *case: -found(*case).gain
        ),
        "this is the PSNR of what came out; how much had the noisy picture?": (
            lambda *case: found(*case).psnr
        ),
        "this is the PSNR of the noisy picture alone": lambda *case: found(*case).degraded_psnr,
        "to compare decibels, subtract them": (
            lambda *case: found(*case).psnr / found(*case).degraded_psnr
        ),
        "both PSNRs are measured against the clean picture": (
            lambda *case: _against_noisy(found(*case))
        ),
        "this is the gain at σ = 25; does sigma arrive?": lambda name, _: found(name, 25).gain,
    }
    cases = list(zip(_two_pictures(seed), (weak, strong)))
    hint = "is it `model` that restores, and is the seed 0?"
    check(function, cases, lambda *case: found(*case).gain, mistakes, hint=hint, tolerance=0.001)


@exercise
def without_noise(function: Answer, *, seed: int = 0) -> None:
    """(picture), clean, (H, W) in [0, 1] → the PSNR in dB of what ``dncnn-b`` makes of it."""

    def restored_psnr(picture: np.ndarray, sigma: float = 0) -> float:
        return compare(picture, GaussianNoise(sigma), load_pretrained("dncnn-b")).psnr

    mistakes = {
        "this compares the clean picture with itself": lambda picture: math.inf,
        "the network got a noisy picture": lambda picture: restored_psnr(picture, 25),
        "white is 1 in these pictures, not 255": (
            lambda picture: restored_psnr(picture) + 20 * math.log10(255)
        ),
        "this is a squared error, not yet in decibels": (
            lambda picture: 10 ** (-restored_psnr(picture) / 10)
        ),
        "more decibels are a smaller error: see the sign": lambda picture: -restored_psnr(picture),
    }
    rng = np.random.default_rng(seed)
    places = [rng.integers(0, np.array(sample_image(name).shape) - (29, 39)) for name in PICTURES]
    cases = [
        (sample_image(name)[top : top + 30, left : left + 40].copy(),)
        for name, (top, left) in zip(PICTURES, places)
    ]
    check(function, cases, restored_psnr, mistakes, tolerance=0.005)


PICTURES = ("coins", "page", "text")
"""The smallest samples, which take least time."""


def _two_pictures(seed: int) -> list[str]:
    return np.random.default_rng(seed).permutation(PICTURES)[:2].tolist()


def _restored(name: str, sigma: float) -> Comparison:
    return compare(sample_image(name), GaussianNoise(sigma), load_pretrained("dncnn-b"))


def _against_noisy(found: Comparison) -> float:
    return psnr(found.restored, found.degraded, data_range=1.0) - found.degraded_psnr
