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
    weak, strong = np.random.default_rng(seed).integers((10, 40), (21, 61)).tolist()
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
    """(name) → the PSNR in dB of what ``dncnn-b`` makes of the clean sample image."""
    found = functools.cache(_restored)
    mistakes = {
        "this compares the clean picture with itself": lambda name: math.inf,
        "the network got a noisy picture": lambda name: found(name, 25).psnr,
        "white is 1 in these pictures, not 255": (
            lambda name: found(name, 0).psnr + 20 * math.log10(255)
        ),
        "this is a squared error, not yet in decibels": (
            lambda name: 10 ** (-found(name, 0).psnr / 10)
        ),
        "more decibels are a smaller error: see the sign": lambda name: -found(name, 0).psnr,
    }
    cases = [(name,) for name in _two_pictures(seed)]
    check(function, cases, lambda name: found(name, 0).psnr, mistakes, tolerance=0.005)


def _two_pictures(seed: int) -> list[str]:
    """Of the smallest, which take least time."""
    return np.random.default_rng(seed).permutation(["coins", "page", "text"])[:2].tolist()


def _restored(name: str, sigma: float) -> Comparison:
    return compare(sample_image(name), GaussianNoise(sigma), load_pretrained("dncnn-b"))


def _against_noisy(found: Comparison) -> float:
    return psnr(found.restored, found.degraded, data_range=1.0) - found.degraded_psnr
