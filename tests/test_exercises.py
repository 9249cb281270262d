"""The checks of the exercises, and that every lesson's checks accept its own solutions only."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from dncnn_lib.exercises import check, describe, training


def double(x):
    return 2 * x


def test_a_right_answer_is_told_what_was_given_and_expected(capsys):
    check(double, [((2,), 4), ((0.5,), 1.0)])
    assert capsys.readouterr().out == (
        "right: double(2) gave 4, expected 4\nright: double(0.5) gave 1, expected 1\n"
    )


def test_a_wrong_answer_is_told_the_same_and_stops():
    message = "not yet: double(2) gave 4, expected 5"
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check(double, [((2,), 5)])


def test_an_open_exercise_stops_nothing(capsys):
    def later(x):
        raise NotImplementedError

    check(later, [((2,), 5)])
    assert capsys.readouterr().out == "later: still open. Fill it in and run this cell again.\n"


@pytest.mark.parametrize(
    ("result", "expected", "same"),
    [
        (np.ones(3), torch.ones(3), True),
        (np.ones((3, 1)), np.ones(3), False),
        (1.00005, 1, True),
        (1.001, 1, False),
        (float("nan"), 1.0, False),
        (None, 1.0, False),
        ("a", "a", True),
        (1, True, False),
        ([1, 2.0], (1, 2), True),
        ([1], (1, 2), False),
        (torch.ones(2, requires_grad=True), [1, 1], False),
        (torch.ones(2, requires_grad=True), np.ones(2), True),
    ],
)
def test_what_counts_as_the_same(result, expected, same):
    if same:
        check(lambda: result, [((), expected)])
    else:
        with pytest.raises(AssertionError):
            check(lambda: result, [((), expected)])


def test_values_in_a_few_words():
    assert describe(np.full((2, 3), 0.25)) == "ndarray 2×3 with mean 0.25"
    assert describe(torch.zeros(4)) == "tensor 4 with mean 0"
    assert describe((1, [2.0, "a"])) == "(1, [2, 'a'])"
    assert describe(double) == "double"


# ------------------------------------------------------------------------------ lesson 04, training


def paper_loss(predicted, noisy, clean):
    return ((predicted - (noisy - clean)) ** 2).sum() / (2 * len(noisy))


def decibels(loss, kind, patch_size, channels):
    mean = loss if kind == "mean" else loss * 2 / (patch_size**2 * channels)
    return -10 * np.log10(mean)


def learning_rate(step, steps, peak, warm):
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (1 + np.cos(np.pi * (step + 1 - warm) / (steps - warm))) / 2


@pytest.mark.parametrize("solution", [paper_loss, decibels, learning_rate])
def test_lesson_04_accepts_its_solutions(solution, capsys):
    getattr(training, solution.__name__)(solution)
    assert capsys.readouterr().out.startswith(f"right: {solution.__name__}(")


@pytest.mark.parametrize(
    ("exercise", "wrong", "message"),
    [
        ("paper_loss", lambda r, y, x: ((r - (y - x)) ** 2).mean(), "expected"),
        ("paper_loss", lambda r, y, x: ((r - (y - x)) ** 2).sum() / len(y), "expected"),
        ("paper_loss", lambda r, y, x: ((r - (x - y)) ** 2).sum() / (2 * len(y)), "expected"),
        ("paper_loss", lambda r, y, x: ((r - x) ** 2).sum() / (2 * len(y)), "expected"),
        ("decibels", lambda loss, *_: -10 * np.log10(loss), "gave 0.9691, expected 30"),
        ("decibels", lambda x, k, p, c: decibels(x, k, p, 1), "gave 25.65, expected 30.43"),
        ("learning_rate", lambda n, s, p, w: learning_rate(n - 1, s, p, w), "expected 0.1"),
        ("learning_rate", lambda n, s, p, w: learning_rate(n, s, 1.0, w), "expected 1.5"),
    ],
)
def test_lesson_04_refuses_what_is_wrong(exercise, wrong, message):
    with pytest.raises(AssertionError, match="^not yet: ") as error:
        getattr(training, exercise)(wrong)
    assert message in str(error.value)


def test_lesson_04_leaves_open_exercises_open(capsys):
    def later(*_):
        raise NotImplementedError

    for exercise in ("paper_loss", "decibels", "learning_rate"):
        getattr(training, exercise)(later)
    assert capsys.readouterr().out.count("still open") == 3
