"""The keys to the exercises of ``lessons.noise``."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..lessons.check import Answer, check, exercise


@exercise
def sigma_for_psnr(function: Answer, *, seed: int = 0) -> None:
    """(PSNR in dB) → the σ, on the 0–255 scale, of the noise that gives it."""
    drawn = np.random.default_rng(seed).uniform((11, 31, 20), (19, 39, 31)).round(2).tolist()
    mistakes = {
        "this σ belongs to pixels from 0 to 1": lambda db: 1 / 10 ** (db / 20),
        "this is the PSNR of that σ; turn the formula round": lambda db: 20 * math.log10(255 / db),
        "σ² is a power, σ is not: is it 10 or 20 times the logarithm?": (
            lambda db: 255 / 10 ** (db / 10)
        ),
        "this is the variance, σ²": lambda db: 255**2 / 10 ** (db / 10),
        "more decibels are less noise": lambda db: 255 * 10 ** (db / 20),
        "the logarithm of decibels has base 10": lambda db: 255 / math.exp(db / 20),
        "// drops what is behind the point": lambda db: 255 / 10 ** (db // 20),
    }
    cases = [*((decibels,) for decibels in drawn), (0,)]
    check(function, cases, lambda db: 255 / 10 ** (db / 20), mistakes)


@exercise
def my_psnr(function: Answer, *, seed: int = 0) -> None:
    """(restored, clean), both uint8 or both float in [0, 1] → dB, with the peak of that type."""
    rng = np.random.default_rng(seed)
    x = rng.random((5, 7))
    y = x + rng.normal(0, 0.1, x.shape)
    bright, dark = np.uint8([[rng.integers(230, 256)]]), np.uint8([[rng.integers(0, 40)]])
    coarse, black = (rng.integers(0, levels, (2, 6, 4), np.uint8) for levels in (256, 2))
    cases = [
        (y, x),
        (y.astype(np.float32).T, x.astype(np.float32).T),
        tuple(coarse),
        (1 - black[0], black[0]),  # dark enough for floats
        (dark, bright),
    ]

    def decibels(peak: float, error: float) -> float:
        return 10 * np.log10(peak**2 / error)

    mistakes = {
        **byte_mistakes(_peak),
        "the peak belongs to the type of the pixels, not to their values": (
            lambda y, x: decibels(255 if x.max() > 1 else 1, _error(y, x))
        ),
        "the peak is the brightest value possible, not the brightest present": (
            lambda y, x: decibels(x.max(), _error(y, x))
        ),
        "floats go up to 1, float32 included": lambda y, x: decibels(255, _error(y, x)),
        "bytes go further than 1": lambda y, x: decibels(1, _error(y, x)),
        "floats in [0, 1] made into whole numbers are 0 or 1": (
            lambda y, x: decibels(_peak(x), _error(y.astype(int), x.astype(int)))
        ),
        "the error is squared; is the peak?": (lambda y, x: 10 * np.log10(_peak(x) / _error(y, x))),
        "10 goes with squares, 20 with roots: not both": (
            lambda y, x: 2 * decibels(_peak(x), _error(y, x))
        ),
        "the logarithm of decibels has base 10": (
            lambda y, x: 10 * np.log(_peak(x) ** 2 / _error(y, x))
        ),
        "less error, more decibels: see the sign": lambda y, x: -decibels(_peak(x), _error(y, x)),
        "the mean of the squares, not their sum": (
            lambda y, x: decibels(_peak(x), _error(y, x) * x.size)
        ),
    }
    check(function, cases, lambda y, x: decibels(_peak(x), _error(y, x)), mistakes)


def byte_mistakes(peak: Callable[[np.ndarray], float]) -> dict[str, Answer]:
    """What goes wrong in a PSNR of bytes, for ``check``. peak: of an image of that type."""

    def differing(difference: Answer) -> Answer:
        def wrong(restored: np.ndarray, clean: np.ndarray) -> float:
            if clean.dtype != np.uint8:
                raise TypeError("these are mistakes with bytes")
            return 10 * np.log10(peak(clean) ** 2 / np.mean(difference(restored, clean) ** 2))

        return wrong

    return {
        "bytes wrap around, in differences and in squares": differing(lambda y, x: y - x),
        "the difference has wrapped around before it became a float": (
            differing(lambda y, x: (y - x).astype(float))
        ),
        "the squares do not fit into 16 bits": (
            differing(lambda y, x: y.astype(np.int16) - x.astype(np.int16))
        ),
        "int8 ends at 127": (
            differing(lambda y, x: y.astype(np.int8).astype(float) - x.astype(np.int8))
        ),
    }


def _error(restored: np.ndarray, clean: np.ndarray) -> float:
    return np.mean((restored.astype(np.float64) - clean.astype(np.float64)) ** 2)


def _peak(image: np.ndarray) -> float:
    return 255.0 if image.dtype == np.uint8 else 1.0


@exercise
def shots_needed(function: Answer, *, seed: int = 0) -> None:
    """(σ of one shot, wanted PSNR in dB) → how many shots must be averaged, at least 1."""
    rng = np.random.default_rng(seed)

    def shots(sigma: float, decibels: float) -> float:
        return (sigma * 10 ** (decibels / 20) / 255) ** 2

    cases = []
    for low, high in ((0.1, 0.4), (4.01, 4.04), (9.6, 9.9), (110, 390)):
        decibels = round(rng.uniform(20, 35), 1)
        sigma = round(255 / 10 ** (decibels / 20) * rng.uniform(low, high) ** 0.5, 3)
        cases.append((sigma, decibels))
    cases += [(76.5, 20), (153.0, 20)]  # exactly 9 and 36
    mistakes = {
        "shots are whole": shots,
        "so many shots fall just short: which way do you round?": (
            lambda *case: max(1, math.floor(shots(*case)))
        ),
        "one shot is the least": lambda *case: math.floor(shots(*case)),
        "rounding to the nearest sometimes falls short": lambda *case: max(1, round(shots(*case))),
        "one too many where it comes out even": lambda *case: math.floor(shots(*case)) + 1,
        "the σ of a mean of n shots is σ/√n, not σ/n": lambda *case: math.ceil(shots(*case) ** 0.5),
        "is it 10 or 20 times the logarithm?": lambda s, db: math.ceil(shots(s, 2 * db)),
    }
    check(function, cases, lambda *case: max(1, math.ceil(shots(*case))), mistakes)
