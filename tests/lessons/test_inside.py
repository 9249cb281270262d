"""Lesson 09: the checks of the exercises."""

from __future__ import annotations

import numpy as np
import pytest

from dncnn_lib.lessons import inside


def r_squared(told, wanted):
    return 1 - np.mean((told - wanted) ** 2) / np.var(wanted)


def turned(filters):
    return filters.flip(2, 3)


def tnrd_parameters(stages, filters, side, bumps):
    return stages * filters * (side**2 + bumps)


@pytest.mark.parametrize("solution", [r_squared, turned, tnrd_parameters])
def test_the_solutions_are_accepted(solution, accepted):
    name = solution.__name__
    lines = accepted(getattr(inside, name), solution)
    assert len(lines) >= 2 and lines[0].startswith(f"right: {name}(")


@pytest.mark.parametrize(
    ("exercise", "wrong", "said"),
    [
        ("r_squared", lambda t, w: np.mean((t - w) ** 2) / np.var(w), "gave 0, expected 1"),
        ("r_squared", lambda t, w: 1 - np.mean((t - w) ** 2) / np.mean(w**2), "expected 0"),
        ("turned", lambda f: f.flip(3), "expected"),
        ("turned", lambda f: f.transpose(2, 3), "expected"),
        ("tnrd_parameters", lambda s, f, a, b: s * (f * a**2 + b), "gave 621, expected 1104"),
        ("tnrd_parameters", lambda s, f, a, b: f * (a**2 + b), "gave 2112, expected 10560"),
    ],
)
def test_wrong_answers_are_refused(exercise, wrong, said, refused):
    assert said in refused(getattr(inside, exercise), wrong)
