"""The keys to the exercises of ``lessons.photographs``."""

from __future__ import annotations

import numpy as np
import torch

from ..camera import to_linear, to_srgb
from ..lessons.check import Answer, check, exercise

# ------------------------------------------------------------------------------------ the exercises


def _slope(light: np.ndarray) -> np.ndarray:
    """Of the sRGB curve, over light in [0, 1]."""
    return np.where(
        light <= 0.0031308, 12.92, 1.055 / 2.4 * np.maximum(light, 0.0031308) ** (1 / 2.4 - 1)
    )


def _linear(value: float | np.ndarray) -> np.ndarray:
    return to_linear(torch.as_tensor(value, dtype=torch.float64)).numpy()


@exercise
def noise_in_file(function: Answer, *, seed: int = 0) -> None:
    """(brightness in [0, 1], a, b) → the standard deviation of its noise in the file, 0–255."""
    rng = np.random.default_rng(seed)
    cases = [
        (round(rng.uniform(0.4, 0.9), 2), rng.uniform(1e-3, 3e-3), rng.uniform(1e-6, 1e-4)),
        (round(rng.uniform(0.1, 0.3), 2), rng.uniform(1e-4, 3e-4), rng.uniform(1e-5, 1e-4)),
        (round(rng.uniform(0.01, 0.035), 3), rng.uniform(1e-4, 3e-4), rng.uniform(1e-6, 1e-5)),
    ]

    def right(x: float, a: float, b: float) -> float:
        light = _linear(x)
        return float(255 * _slope(light) * np.sqrt(a * light + b))

    mistakes = {
        "the file's values are not light: the sensor's noise depends on the light": (
            lambda x, a, b: 255 * _slope(np.float64(x)) * np.sqrt(a * x + b)
        ),
        "the slope of the curve is that at the pixel's light, not at its value in the file": (
            lambda x, a, b: 255 * _slope(np.float64(x)) * np.sqrt(a * _linear(x) + b)
        ),
        "this is the noise of the light; the file stretches it": (
            lambda x, a, b: 255 * np.sqrt(a * _linear(x) + b)
        ),
        "a·x + b is a variance": lambda x, a, b: 255 * _slope(_linear(x)) * (a * _linear(x) + b),
        "this is on the scale from 0 to 1": lambda x, a, b: right(x, a, b) / 255,
        "light to file, not file to light: the slope is the inverse": (
            lambda x, a, b: 255 / _slope(_linear(x)) * np.sqrt(a * _linear(x) + b)
        ),
        "near black the curve is a straight line": (
            lambda x, a, b: (
                255 * 1.055 / 2.4 * _linear(x) ** (1 / 2.4 - 1) * np.sqrt(a * _linear(x) + b)
            )
        ),
        "a mean is no deviation: the curve of the noise is not the noise of the curve": (
            lambda x, a, b: 255 * float(to_srgb(torch.tensor(float(np.sqrt(a * _linear(x) + b)))))
        ),
        "deviations do not add; variances do": (
            lambda x, a, b: 255 * _slope(_linear(x)) * (np.sqrt(a * _linear(x)) + np.sqrt(b))
        ),
    }
    check(function, cases, right, mistakes, tolerance=2e-3)


@exercise
def photon_transfer(function: Answer, *, seed: int = 0) -> None:
    """(two raw shots, (steps, pixels) each) → (a, b) of the variance a·mean + b."""
    rng = np.random.default_rng(seed)
    cases = []
    for lamp in (1.0, 1.03):
        gain, read = rng.uniform(0.5, 4), rng.uniform(5, 12)
        levels = np.linspace(300, rng.uniform(9e3, 14e3), 8)[:, None]
        pattern = 1 + 0.02 * rng.standard_normal((8, 1500))  # no two pixels are alike
        shots = []
        for light in (levels * pattern, lamp * levels * pattern):
            noise = np.sqrt(gain * light + read**2) * rng.standard_normal(light.shape)
            shots.append(light + noise)
        cases.append(tuple(shots))

    def fit(x: np.ndarray, y: np.ndarray) -> list[float]:
        return np.polyfit(x, y, 1).tolist()

    def mean(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return (first.mean(axis=1) + second.mean(axis=1)) / 2

    def variance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.var(first - second, axis=1) / 2

    mistakes = {
        "pixels differ among themselves, too; two shots of one pixel do not": (
            lambda f, s: fit(mean(f, s), np.var(f, axis=1))
        ),
        "in the mean of two shots the pixels' own differences stay": (
            lambda f, s: fit(mean(f, s), 2 * np.var((f + s) / 2, axis=1))
        ),
        "a difference of two shots has the noise of both": (
            lambda f, s: fit(mean(f, s), np.var(f - s, axis=1))
        ),
        "the lamp may have changed between the shots: that is no noise": (
            lambda f, s: fit(mean(f, s), np.mean((f - s) ** 2, axis=1) / 2)
        ),
        "the line is in the variance, not in the deviation": (
            lambda f, s: fit(mean(f, s), np.sqrt(variance(f, s)))
        ),
        "first a, then b": lambda f, s: fit(mean(f, s), variance(f, s))[::-1],
        "the variance depends on the mean, not the mean on the variance": (
            lambda f, s: fit(variance(f, s), mean(f, s))
        ),
        "b need not be 0": (lambda f, s: [float((variance(f, s) / mean(f, s)).mean()), 0.0]),
        "each step of the wedge has its own mean and variance": (
            lambda f, s: fit(((f + s) / 2).ravel(), ((f - s) ** 2 / 2).ravel())
        ),
    }
    check(
        function,
        cases,
        lambda f, s: fit(mean(f, s), variance(f, s)),
        mistakes,
        tolerance=5e-3,
    )


@exercise
def interpolated_variance(function: Answer, *, seed: int = 0) -> None:
    """(colour, row, column) → the variance there after bilinear demosaicing, in units of the
    sensor's, far from the border; row 0, column 0 has recorded red."""
    rng = np.random.default_rng(seed)
    colours, places = ("red", "green", "blue"), ((0, 0), (0, 1), (1, 0), (1, 1))
    cases = []
    for colour in colours:
        for row, column in places:
            down, right = (2 * rng.integers(2, 50, 2)).tolist()
            cases.append((colour, row + down, column + right))

    def averaged(colour: str, row: int, column: int) -> int:
        """How many recorded values of the colour the pixel is the mean of."""
        if colour == "green":
            return 1 if (row + column) % 2 else 4
        own = 0 if colour == "red" else 1
        return 2 ** ((row % 2 != own) + (column % 2 != own))

    mistakes = {
        "this is the deviation": lambda *case: averaged(*case) ** -0.5,
        "this is how many values are averaged: what becomes of the variance?": averaged,
        "the mean of n independent values has 1/n of the variance": lambda *case: 1,
        "a value that was recorded is not averaged": (lambda *case: 1 / max(averaged(*case), 2)),
        "red and blue were not recorded in the same place": (
            lambda colour, *place: 1 / averaged("red" if colour == "blue" else colour, *place)
        ),
        "row 0 and column 0 are red": (
            lambda colour, row, column: 1 / averaged(colour, row + 1, column + 1)
        ),
        "green was recorded on every other pixel": (
            lambda colour, *place: 1 / averaged("red" if colour == "green" else colour, *place)
        ),
        "in the middle of four there are four to average": (
            lambda *case: 1 / min(averaged(*case), 2)
        ),
        "beside or above, two of the colour are as near as each other; are there more?": (
            lambda *case: 1 if averaged(*case) == 1 else 1 / 4
        ),
    }
    check(function, cases, lambda *case: 1 / averaged(*case), mistakes)
