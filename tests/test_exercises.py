"""The checks of the exercises, and that every lesson's checks accept its own solutions only."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from dncnn_lib.exercises import check, describe


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
