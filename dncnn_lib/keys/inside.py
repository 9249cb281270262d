"""The keys to the exercises of ``lessons.inside``."""

from __future__ import annotations

import numpy as np
import torch

from ..lessons.check import Answer, check, exercise


@exercise
def r_squared(function: Answer, *, seed: int = 0) -> None:
    """(told, wanted), arrays of one shape → 1 − mean squared error / variance of ``wanted``.

    There are so many pixels that n or n − 1 makes no difference.
    """
    rng = np.random.default_rng(seed)
    cases = []
    for shape, noise, offset in (((50, 60), 0.5, 0.5), ((4000,), 9, -1), ((3, 40, 30), 0.2, 2)):
        wanted = rng.uniform(0, 2) + rng.uniform(1.5, 3) * rng.exponential(size=shape)
        cases.append((0.8 * wanted + offset + noise * rng.standard_normal(shape), wanted))
    cases += [(wanted, wanted), (np.full_like(wanted, wanted.mean()), wanted)]

    def read(told: np.ndarray, wanted: np.ndarray) -> float:
        return 1 - np.mean((told - wanted) ** 2) / wanted.var()

    mistakes = {
        "this is the part that is left unexplained": lambda t, w: 1 - read(t, w),
        "the error is compared with that of always saying the mean, not of saying 0": (
            lambda t, w: 1 - np.mean((t - w) ** 2) / np.mean(w**2)
        ),
        "the variance is that of what was wanted": (
            lambda t, w: 1 - np.mean((t - w) ** 2) / t.var()
        ),
        "the mean is that of what was wanted": (
            lambda t, w: 1 - np.mean((t - w) ** 2) / np.mean((w - t.mean()) ** 2)
        ),
        "it is the mean that is always said, not the median": (
            lambda t, w: 1 - np.mean((t - w) ** 2) / np.mean((w - np.median(w)) ** 2)
        ),
        "this is a variance of the error: an offset is an error, too": (
            lambda t, w: 1 - (t - w).var() / w.var()
        ),
        "this is a squared correlation: to that, a factor or an offset is no error": (
            lambda t, w: np.corrcoef(t.ravel(), w.ravel())[0, 1] ** 2
        ),
        "this is a correlation": lambda t, w: np.corrcoef(t.ravel(), w.ravel())[0, 1],
        "compare squared errors, not their roots": (lambda t, w: 1 - (1 - read(t, w)) ** 0.5),
        "the error is compared with the deviation, but is a square": (
            lambda t, w: 1 - np.mean((t - w) ** 2) / w.std()
        ),
        "how large would the error of the mean be?": lambda t, w: 1 - np.mean((t - w) ** 2),
        "a sum of squares is compared with a mean of squares": (
            lambda t, w: 1 - np.sum((t - w) ** 2) / w.var()
        ),
        "which of the two is compared with the other?": lambda t, w: 1 - 1 / (1 - read(t, w)),
        "errors of opposite signs cancel: square them before you average": (
            lambda t, w: 1 - np.mean(t - w) ** 2 / w.var()
        ),
        "two things can vary equally and still disagree": lambda t, w: t.var() / w.var(),
    }
    check(function, cases, read, mistakes, tolerance=1e-3)


@exercise
def turned(function: Answer, *, seed: int = 0) -> None:
    """(filters), a tensor (K, 1, h, w) → each turned by 180°."""
    rng = np.random.default_rng(seed)
    shapes = ((3, 1, 3, 3), (1, 1, 2, 3), (2, 1, 4, 1), (5, 1, 5, 5))
    cases = [(torch.from_numpy(rng.normal(size=shape).round(1)),) for shape in shapes]
    mistakes = {
        "the filters are as they were": lambda f: f,
        "this swaps left and right only": lambda f: f.flip(3),
        "this swaps above and below only": lambda f: f.flip(2),
        "this turns by 90°": lambda f: f.rot90(1, (2, 3)),
        "this turns by 90°, the other way": lambda f: f.rot90(-1, (2, 3)),
        "this swaps rows and columns": lambda f: f.transpose(2, 3),
        "each filter stays in its place": lambda f: f.flip(0, 2, 3),
        "this puts the filters into another order, and turns none": lambda f: f.flip(0),
        "f̄ is turned, not negative": lambda f: -f,
        "turned, but also negative": lambda f: -f.flip(2, 3),
    }
    check(function, cases, lambda f: f.flip(2, 3), mistakes)


@exercise
def tnrd_parameters(function: Answer, *, seed: int = 0) -> None:
    """(stages, filters, side, bumps) → the number of parameters."""
    rng = np.random.default_rng(seed)
    cases = [
        tuple(rng.integers((2, 8, side, 10), (9, 60, side + 1, 64)).tolist()) for side in (5, 3, 7)
    ]
    cases.append((1, 1, 1, 1))
    mistakes = {
        "every filter has a φ of its own": lambda s, f, side, b: s * (f * side**2 + b),
        "every stage has filters of its own": lambda s, f, side, b: s * b * f + f * side**2,
        "every stage has filters and φ of its own": lambda s, f, side, b: f * (side**2 + b),
        "a filter has rows and columns": lambda s, f, side, b: s * f * (side + b),
        "the number of filters is given, and need not be side² − 1": (
            lambda s, f, side, b: s * (side**2 - 1) * (side**2 + b)
        ),
        "where are the bumps of φ?": lambda s, f, side, b: s * f * side**2,
        "where are the weights of the filters?": lambda s, f, side, b: s * f * b,
        "a φ looks at one number, whatever the side": lambda s, f, side, b: s * f * side**2 * b,
        "one weight of a filter is missing": lambda s, f, side, b: s * f * (side**2 - 1 + b),
    }
    check(function, cases, lambda s, f, side, b: s * f * (side**2 + b), mistakes)
