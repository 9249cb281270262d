"""Answers to the exercises of lesson 12b."""

import numpy as np
import torch
from scipy.ndimage import convolve


def fill_step(y, known, z, r):
    return (known * y + r * z) / (known + r)


def fill_step_by_cases(y, known, z, r):
    return torch.from_numpy(np.where(known == 1, (y + r * z) / (1 + r), z))


def fill_step_by_descent(y, known, z, r):
    x = z.copy()
    for _ in range(300):
        x = x - (known * (x - y) + r * (x - z)) / (1 + r)
    return x


def fill_step_in_place(y, known, z, r):
    z *= r
    return (known * y + z) / (known + r)


def score(noisy, restored, sigma):
    return 255**2 * (restored - noisy) / sigma**2


def score_of_255(noisy, restored, sigma):
    return torch.from_numpy(255 * (255 * restored - 255 * noisy)) / sigma**2


def longest_step(kernel, shape):
    return 2 / np.abs(np.fft.rfft2(kernel, shape)).max() ** 2


def longest_step_of_energy(kernel, shape):
    return torch.tensor(2.0) / torch.fft.fft2(torch.from_numpy(kernel), shape).abs().square().max()


def longest_step_by_iteration(kernel, shape):
    """The largest factor by the power method, on a picture that is all waves."""
    waves = np.abs(np.fft.fft2(kernel, shape)) ** 2
    x = np.ones(shape)
    for _ in range(6000):
        x = waves * x
        x /= np.abs(x).max()
    return 2 * (x**2).sum() / (x * waves * x).sum()


RIGHT = {
    "fill_step": [fill_step, fill_step_by_cases, fill_step_by_descent],
    "score": [score, score_of_255, lambda y, x, s: (x - y) / s / s * 65025],
    "longest_step": [longest_step, longest_step_of_energy, longest_step_by_iteration],
}
WRONG = {
    "fill_step": [
        ("z is all there is", lambda y, m, z, r: (y + r * z) / (1 + r)),
        ("takes y for certain", lambda y, m, z, r: m * y + (1 - m) * z),
        ("r belongs to z", lambda y, m, z, r: (r * m * y + z) / (r * m + 1)),
        ("sum of the weights", lambda y, m, z, r: m * y + r * z),
        ("z is missing", lambda y, m, z, r: m * y / (m + r)),
        ("y is missing", lambda y, m, z, r: z.copy()),
        ("weight as it stands", lambda y, m, z, r: fill_step(y, m, z, r * r)),
        ("known is 1", lambda y, m, z, r: fill_step(y, 1 - m, z, r)),
        ("changed what it was given", fill_step_in_place),
    ],
    "score": [
        ("to the likely ones", lambda y, x, s: 255**2 * (y - x) / s**2),
        ("on the 0–255 scale", lambda y, x, s: (x - y) / s**2),
        ("not by σ", lambda y, x, s: 255 * (x - y) / s),
        ("do not multiply", lambda y, x, s: (x - y) * s**2 / 255**2),
        ("σ² times the score", lambda y, x, s: x - y),
        ("is −σ² times", lambda y, x, s: y - x),
        ("255 is squared", lambda y, x, s: 255 * (x - y) / s**2),
        ("has no factor", lambda y, x, s: score(y, x, s) / 2),
        ("has no direction", lambda y, x, s: 255**2 * x / s**2),
    ],
    "longest_step": [
        ("how far may one go", lambda k, s: longest_step(k, s) / 2),
        ("once turned", lambda k, s: 2 / np.abs(np.fft.fft2(k, s)).max()),
        ("need not be the constant", lambda k, s: 2 / k.sum() ** 2),
        ("flattest wave", lambda k, s: 2 / np.abs(np.fft.fft2(k, s)).min() ** 2),
        ("not at the weights", lambda k, s: 2 / k.max() ** 2),
        ("a mean over the waves", lambda k, s: 2 / (k**2).sum()),
        ("depends on the kernel", lambda k, s: 2.0),
        ("largest factor itself", lambda k, s: 2 / longest_step(k, s)),
        ("too large", lambda k, s: 1e6 + convolve(np.ones(s), k).sum()),
    ],
}
