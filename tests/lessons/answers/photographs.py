"""Answers to the exercises of lesson 11."""

import math

import numpy as np
import torch

from dncnn_lib import camera


def light_of(x):
    return x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4


def curve(light):
    return 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


def slope(light):
    return 12.92 if light <= 0.0031308 else 1.055 / 2.4 * light ** (1 / 2.4 - 1)


def noise_in_file(x, a, b):
    return 255 * slope(light_of(x)) * math.sqrt(a * light_of(x) + b)


def by_a_small_step(x, a, b):
    light = light_of(x)
    rise = (curve(light + 1e-6) - curve(light - 1e-6)) / 2e-6
    return np.float64(255 * rise * np.sqrt(a * light + b))


def by_the_gradient(x, a, b):
    light = camera.to_linear(torch.tensor(x, dtype=torch.float64)).requires_grad_()
    camera.to_srgb(light).backward()
    return 255 * light.grad * (a * light.detach() + b) ** 0.5


def by_trial(x, a, b):
    """A small share of the noise, so that the curve is straight over it."""
    light = light_of(x)
    z = np.random.default_rng(0).standard_normal(200_000)
    z = (z - z.mean()) / z.std()
    share = 1e-3
    noisy = light + share * np.sqrt(a * light + b) * z
    file = np.where(noisy <= 0.0031308, 12.92 * noisy, 1.055 * abs(noisy) ** (1 / 2.4) - 0.055)
    return 255 * file.std() / share


def photon_transfer(first, second):
    mean = (first.mean(1) + second.mean(1)) / 2
    return tuple(np.polyfit(mean, (first - second).var(1) / 2, 1))


def by_least_squares(first, second):
    mean = np.concatenate([first, second], axis=1).mean(axis=1)
    variance = np.diff([first, second], axis=0)[0].var(axis=1, ddof=1) / 2
    columns = np.stack([mean, np.ones_like(mean)], axis=1)
    return np.linalg.lstsq(columns, variance, rcond=None)[0]


def by_covariance(first, second):
    """The pattern is what two shots have in common."""
    mean, variance = [], []
    for f, s in zip(first, second):
        mean.append((f.mean() + s.mean()) / 2)
        covariance = np.cov(f, s)
        variance.append((covariance[0, 0] + covariance[1, 1]) / 2 - covariance[0, 1])
    line = np.polynomial.Polynomial.fit(mean, variance, 1).convert()
    return list(line.coef[::-1])


def overwriting_shots(first, second):
    first -= second
    return [1.0, 0.0]


def interpolated_variance(colour, row, column):
    if colour == "green":
        return 1 if (row + column) % 2 else 1 / 4
    own = 0 if colour == "red" else 1
    return 0.5 ** ((row % 2 != own) + (column % 2 != own))


def by_table(colour, row, column):
    at = {
        "red": [[1, 1 / 2], [1 / 2, 1 / 4]],
        "green": [[1 / 4, 1], [1, 1 / 4]],
        "blue": [[1 / 4, 1 / 2], [1 / 2, 1]],
    }
    return at[colour][row % 2][column % 2]


def by_impulses(colour, row, column):
    """The sum of squares of the weights with which the pixel's neighbours count."""
    row, column, total = 4 + row % 2, 4 + column % 2, 0.0
    for place in np.ndindex(10, 10):
        raw = torch.zeros(1, 1, 10, 10)
        raw[0, 0][place] = 1
        weight = camera.demosaic(raw)[0, "rgb".index(colour[0]), row, column]
        total += float(weight) ** 2
    return total


RIGHT = {
    "noise_in_file": [noise_in_file, by_a_small_step, by_the_gradient, by_trial],
    "photon_transfer": [photon_transfer, by_least_squares, by_covariance],
    "interpolated_variance": [interpolated_variance, by_table, by_impulses],
}
WRONG = {
    "noise_in_file": [
        ("the file's values are not light", lambda x, a, b: 255 * slope(x) * (a * x + b) ** 0.5),
        (
            "that at the pixel's light",
            lambda x, a, b: 255 * slope(x) * (a * light_of(x) + b) ** 0.5,
        ),
        ("the file stretches it", lambda x, a, b: 255 * (a * light_of(x) + b) ** 0.5),
        ("a·x + b is a variance", lambda x, a, b: 255 * slope(light_of(x)) * (a * light_of(x) + b)),
        ("from 0 to 1", lambda x, a, b: noise_in_file(x, a, b) / 255),
        (
            "the slope is the inverse",
            lambda x, a, b: 255 / slope(light_of(x)) * (a * light_of(x) + b) ** 0.5,
        ),
        (
            "near black",
            lambda x, a, b: (
                255 * 1.055 / 2.4 * light_of(x) ** (1 / 2.4 - 1) * (a * light_of(x) + b) ** 0.5
            ),
        ),
        (
            "is not the noise of the curve",
            lambda x, a, b: 255 * curve((a * light_of(x) + b) ** 0.5),
        ),
        (
            "deviations do not add",
            lambda x, a, b: 255 * slope(light_of(x)) * ((a * light_of(x)) ** 0.5 + b**0.5),
        ),
        ("too", lambda x, a, b: 25.0),
    ],
    "photon_transfer": [
        ("differ among themselves", lambda f, s: np.polyfit(f.mean(1), f.var(1), 1)),
        (
            "own differences stay",
            lambda f, s: np.polyfit((f + s).mean(1) / 2, (f + s).var(1) / 2, 1),
        ),
        ("the noise of both", lambda f, s: np.polyfit((f + s).mean(1) / 2, (f - s).var(1), 1)),
        (
            "the lamp may have changed",
            lambda f, s: np.polyfit((f + s).mean(1) / 2, ((f - s) ** 2).mean(1) / 2, 1),
        ),
        (
            "not in the deviation",
            lambda f, s: np.polyfit((f + s).mean(1) / 2, (f - s).std(1) / 2**0.5, 1),
        ),
        ("first a", lambda f, s: photon_transfer(f, s)[::-1]),
        (
            "not the mean on the variance",
            lambda f, s: np.polyfit((f - s).var(1) / 2, (f + s).mean(1) / 2, 1),
        ),
        (
            "b need not be 0",
            lambda f, s: (np.mean((f - s).var(1) / (f + s).mean(1)), 0),
        ),
        (
            "each step of the wedge",
            lambda f, s: np.polyfit((f + s).ravel() / 2, (f - s).ravel() ** 2 / 2, 1),
        ),
        ("changed what it was given", overwriting_shots),
        ("must give 2 values", lambda f, s: photon_transfer(f, s)[0]),
    ],
    "interpolated_variance": [
        ("the deviation", lambda *case: interpolated_variance(*case) ** 0.5),
        ("how many values", lambda *case: round(1 / interpolated_variance(*case))),
        ("1/n of the variance", lambda *case: 1),
        ("recorded is not averaged", lambda *case: min(interpolated_variance(*case), 1 / 2)),
        (
            "in the same place",
            lambda colour, *at: interpolated_variance(colour.replace("blue", "red"), *at),
        ),
        (
            "row 0 and column 0",
            lambda colour, row, column: interpolated_variance(colour, row + 1, column + 1),
        ),
        (
            "every other pixel",
            lambda colour, *at: interpolated_variance(colour.replace("green", "red"), *at),
        ),
        ("the middle of four", lambda *case: max(interpolated_variance(*case), 1 / 2)),
        (
            "are there more",
            lambda *case: 1 if interpolated_variance(*case) == 1 else 1 / 4,
        ),
        ("too", lambda *case: 0.3),
    ],
}
