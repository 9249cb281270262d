"""The keys to the exercises of ``lessons.prior``."""

from __future__ import annotations

import numpy as np

from ..lessons.check import Answer, check, exercise

# ------------------------------------------------------------------------------------ the exercises


@exercise
def fill_step(function: Answer, *, seed: int = 0) -> None:
    """(y, known, z, r) → the x that minimises ‖known · (x − y)‖² + r ‖x − z‖²; known is 1 where y
    was measured, else 0."""
    rng = np.random.default_rng(seed)
    cases = []
    for r in (round(rng.uniform(0.1, 0.5), 2), 1.0, round(rng.uniform(2, 6), 1)):
        shape = rng.integers(2, 6, 2)
        known = (rng.random(shape) < 0.5).astype(np.float64)
        known.flat[:2] = 0, 1
        cases.append((known * rng.random(shape), known, rng.random(shape), r))
    mistakes: dict[str, Answer] = {
        "where nothing was measured, z is all there is": lambda y, m, z, r: (y + r * z) / (1 + r),
        "this takes y for certain: with r > 0 there is a compromise": (
            lambda y, m, z, r: np.where(m > 0, y, z)
        ),
        "r belongs to z, not to y": lambda y, m, z, r: (r * m * y + z) / (r * m + 1),
        "set the derivative to 0 and divide by the sum of the weights": (
            lambda y, m, z, r: m * y + r * z
        ),
        "z is missing": lambda y, m, z, r: m * y / (m + r),
        "y is missing": lambda y, m, z, r: z,
        "the squares are in the errors: r is a weight as it stands": (
            lambda y, m, z, r: (m * y + r**2 * z) / (m + r**2)
        ),
        "known is 1 where y was measured": (lambda y, m, z, r: ((1 - m) * y + r * z) / (1 - m + r)),
    }
    check(function, cases, lambda y, m, z, r: (m * y + r * z) / (m + r), mistakes)


@exercise
def score(function: Answer, *, seed: int = 0) -> None:
    """(noisy, restored, sigma): pictures in [0, 1], σ on the 0–255 scale → ∇ log p_σ(noisy)."""
    rng = np.random.default_rng(seed)
    cases = []
    for sigma in rng.integers((5, 20, 40), (15, 35, 60)).tolist():
        restored = rng.random(rng.integers(2, 6, 2))
        noisy = restored + sigma / 255 * rng.standard_normal(restored.shape)
        cases.append((noisy, restored, sigma))

    def of(y: np.ndarray, x: np.ndarray, s: float) -> np.ndarray:
        return (x - y) / (s / 255) ** 2

    mistakes: dict[str, Answer] = {
        "it points from the noisy picture to the likely ones": lambda *c: -of(*c),
        "the pictures are in [0, 1], σ is on the 0–255 scale": lambda y, x, s: (x - y) / s**2,
        "divide by σ², not by σ": lambda y, x, s: (x - y) / (s / 255),
        "divide, do not multiply": lambda y, x, s: (x - y) * (s / 255) ** 2,
        "this is σ² times the score": lambda y, x, s: x - y,
        "this is the residual, which is −σ² times the score": lambda y, x, s: y - x,
        "255 is squared with σ": lambda y, x, s: (x - y) / (s**2 / 255),
        "σ² has no factor here": lambda *c: of(*c) / 2,
        "the restored picture alone has no direction": lambda y, x, s: x / (s / 255) ** 2,
    }
    check(function, cases, of, mistakes)


@exercise
def longest_step(function: Answer, *, seed: int = 0) -> None:
    """(kernel, shape) → the μ beyond which x − μ ∇½‖k ∗ x − y‖² runs away, for pictures of that
    shape, whose convolution is periodic: 2 / max |F(k)|²."""
    rng = np.random.default_rng(seed)
    cases = []
    for size, total in ((3, 1.0), (5, round(rng.uniform(1.5, 3), 1)), (1, 0.5)):
        kernel = rng.random((size, size))
        kernel *= total / kernel.sum()
        cases.append((kernel, (int(rng.integers(8, 12)), int(rng.integers(12, 16)))))
    sharpener = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], np.float64)
    cases.append((sharpener / rng.integers(2, 5), (10, 12)))

    def largest(kernel: np.ndarray, shape: tuple[int, int]) -> float:
        return float(np.abs(np.fft.fft2(kernel, shape)).max())

    mistakes: dict[str, Answer] = {
        "that is the step that gets there fastest; how far may one go?": (
            lambda k, s: 1 / largest(k, s) ** 2
        ),
        "the gradient has the convolution twice, once turned": lambda k, s: 2 / largest(k, s),
        "the steepest wave decides, and it need not be the constant one": (
            lambda k, s: 2 / k.sum() ** 2
        ),
        "the flattest wave does not decide": (
            lambda k, s: 2 / np.abs(np.fft.fft2(k, s)).min() ** 2
        ),
        "look at the waves, not at the weights": lambda k, s: 2 / np.abs(k).max() ** 2,
        "the sum of the squared weights is a mean over the waves": lambda k, s: 2 / (k**2).sum(),
        "it depends on the kernel": lambda k, s: 2,
        "this is the largest factor itself": lambda k, s: largest(k, s) ** 2,
    }
    check(function, cases, lambda k, s: 2 / largest(k, s) ** 2, mistakes)
