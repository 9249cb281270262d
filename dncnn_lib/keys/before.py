"""The keys to the exercises of ``lessons.before``."""

from __future__ import annotations

import numpy as np

from ..lessons.check import Answer, check, exercise

# --------------------------------------------------------------------------------- the exercises


@exercise
def multiplications(function: Answer, *, seed: int = 0) -> None:
    """(reach, size, stride, rounds) → multiplications for each pixel of the image that it takes to
    compare a patch of size×size, one for every stride×stride pixels, with those up to ``reach``
    pixels away in every direction, in so many rounds."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers((2, 3, 2, 2), (9, 9, 6, 6)).tolist()
    near, far, farther = zip(rng.integers(5, 31, 3).tolist(), rng.integers(4, 9, 3).tolist())
    mistakes: dict[str, Answer] = {
        "the patch's own place is in the middle: how many lie in a row?": (
            lambda r, s, t, n: (2 * r) ** 2 * s**2 * n / t**2
        ),
        "a window reaches to both sides": lambda r, s, t, n: (r + 1) ** 2 * s**2 * n / t**2,
        "a window has rows and columns": lambda r, s, t, n: (2 * r + 1) * s**2 * n / t**2,
        "a patch has rows and columns": lambda r, s, t, n: (2 * r + 1) ** 2 * s * n / t**2,
        "strides go down the image, too": lambda r, s, t, n: (2 * r + 1) ** 2 * s**2 * n / t,
        "the stride saves patches": lambda r, s, t, n: (2 * r + 1) ** 2 * s**2 * n,
        "a larger stride is less work": lambda r, s, t, n: (2 * r + 1) ** 2 * s**2 * n * t**2,
        "every round compares anew": lambda r, s, t, n: (2 * r + 1) ** 2 * s**2 / t**2,
        "a mean need not be a whole number": lambda r, s, t, n: (2 * r + 1) ** 2 * s**2 * n // t**2,
    }
    cases = [(*near, 1, 1), (*far, 3, 1), (*farther, 1, 3), drawn, (drawn[0], 3, 2, 1)]
    check(function, cases, lambda r, s, t, n: (2 * r + 1) ** 2 * s**2 * n / t**2, mistakes)


@exercise
def influence(function: Answer, *, seed: int = 0) -> None:
    """(z, α) → ρ′(z) of ρ(z) = α log(1 + z² / 2), for an array z."""
    rng = np.random.default_rng(seed)
    shapes = ((5,), (3, 4), (2, 2, 3))
    cases = [(rng.normal(0, 2, s), round(rng.uniform(0.2, 3), 2)) for s in shapes]

    def right(z: np.ndarray, alpha: float) -> np.ndarray:
        return alpha * z / (1 + z**2 / 2)

    mistakes: dict[str, Answer] = {
        "this is the penalty, not its slope": lambda z, alpha: alpha * np.log1p(z**2 / 2),
        "this is φ of the lesson; here z² is halved": lambda z, a: 2 * a * z / (1 + z**2),
        "the inner derivative is missing": lambda z, alpha: alpha / (1 + z**2 / 2),
        "is the inner derivative of z² / 2 really 2z?": lambda z, alpha: 2 * right(z, alpha),
        "does it push bright and dark the same way?": lambda z, alpha: np.abs(right(z, alpha)),
        "α weighs the penalty, so it weighs the slope": lambda z, alpha: right(z, 1),
        "the sign is wrong: a step subtracts it, and must lower the penalty": (
            lambda z, alpha: -right(z, alpha)
        ),
    }
    check(function, cases, right, mistakes)


@exercise
def unrolled(function: Answer, *, seed: int = 0) -> None:
    """(noisy, stages) → the last u. A stage is a function of the present u and of the noisy image,
    and returns the next u; the first begins from the noisy image."""
    rng = np.random.default_rng(seed)

    def stages(count: int) -> list[Answer]:
        made = [_stage(*rng.uniform(0.2, 0.9, 3)) for _ in range(count)]
        for number, stage in enumerate(made, 1):
            stage.__name__ = f"stage {number}"
        return made

    def run(u: np.ndarray, noisy: np.ndarray, stages: list[Answer]) -> np.ndarray:
        for stage in stages:
            u = stage(u, noisy)
        return u

    def pulled_to_u(u: np.ndarray, stages: list[Answer]) -> np.ndarray:
        for stage in stages:
            u = stage(u, u)
        return u

    mistakes: dict[str, Answer] = {
        "every stage is pulled to the noisy image, not to the u before": pulled_to_u,
        "a stage goes on where the one before ended": lambda y, stages: stages[-1](y, y),
        "only one stage was run": lambda y, stages: stages[0](y, y),
        "the first stage comes first": lambda y, stages: run(y, y, stages[::-1]),
        "the first u is the noisy image": lambda y, stages: run(0 * y, y, stages),
        "this is what was removed, not what is left": lambda y, stages: y - run(y, y, stages),
    }
    cases = [(rng.random((3, 4)), stages(count)) for count in (1, 2, 7)]
    check(function, cases, lambda noisy, stages: run(noisy, noisy, stages), mistakes)


def _stage(a: float, b: float, c: float) -> Answer:
    return lambda u, noisy: (a * u + b * (u - noisy) + c * u**2) / 2
