"""What all checks are made of, and that every check of every lesson keeps to it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import numpy as np
import pytest
import torch
from helpers import raises

from dncnn_lib import lessons
from dncnn_lib.lessons.check import asked, check, describe, exercise

OPEN = "{}: still open. Fill it in and run this cell again.\n"


def double(x):
    return 2 * x


def test_a_right_answer_is_told_what_was_given_and_expected(capsys):
    check(double, [((2,), 4), ((0.5,), 1.0)])
    assert capsys.readouterr().out == (
        "right: double(2) gave 4, expected 4\nright: double(0.5) gave 1, expected 1\n"
    )


def test_a_wrong_answer_is_told_the_same_and_stops():
    with pytest.raises(AssertionError) as error:
        check(double, [((2,), 5)])
    assert str(error.value).splitlines()[0] == "not yet: double(2) gave 4, expected 5"


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
        (torch.ones(2, dtype=torch.int64), np.ones(2), True),
        (torch.ones(2, dtype=torch.bool), np.zeros(2), False),
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
    assert describe(torch.tensor([[1, 2]])) == "tensor 1×2 with mean 1.5"
    assert describe(torch.tensor([True, False])) == "tensor 2 with mean 0.5"
    assert describe(np.float32(0.1)) == "0.1" and describe(torch.tensor(3)) == "3"
    assert describe(np.int64(-1)) == "-1" and describe(np.True_) == "True"
    assert describe((1, [2.0, "a"])) == "(1, [2, 'a'])"
    assert describe(double) == "double"


def test_what_is_asked_about_a_function_is_named(capsys):
    check(asked("sign", double, np.sign), [((-3,), -1)])
    assert capsys.readouterr().out == "right: sign of double(-3) gave -1, expected -1\n"


# --------------------------------------------------------------------------------------- @exercise


@exercise
def doubled(function) -> None:
    """(x) → 2x."""
    check(function, [((1,), 2)])
    check(asked("negative", function, abs), [((-3,), 6)])


def test_an_exercise_keeps_its_name_and_words():
    assert (doubled.__name__, doubled.__doc__) == ("doubled", "(x) → 2x.")


def test_a_right_answer_passes_all_that_is_asked(capsys):
    doubled(double)
    assert capsys.readouterr().out == (
        "right: double(1) gave 2, expected 2\nright: negative of double(-3) gave 6, expected 6\n"
    )


def test_a_wrong_answer_is_not_open(refused):
    assert "wrong(1) gave 3, expected 2" in refused(doubled, wrong)


def wrong(x):
    return x + 2


def later(*_):
    raise NotImplementedError


def test_an_open_answer_is_told_once_and_stops_nothing(capsys):
    doubled(later)
    assert capsys.readouterr().out == OPEN.format("later")


def test_half_an_answer_is_open_too(capsys):
    def half(x):
        if x < 0:
            raise NotImplementedError
        return 2 * x

    doubled(half)
    out = capsys.readouterr().out
    assert out == "right: half(1) gave 2, expected 2\n" + OPEN.format("half")


def test_what_python_cannot_do_is_not_open(refused):
    """PyTorch raises the same error, with a message, for a type that it cannot work on."""

    def booleans(x):
        return torch.ones(2, dtype=torch.bool).round()

    assert "booleans raised NotImplementedError: " in refused(doubled, booleans)


def test_other_errors_are_shown_as_they_are():
    with raises(ZeroDivisionError, "division by zero"):
        doubled(lambda x: x / 0)


# ----------------------------------------------------------------------------- those of the lessons

MODULES = [
    importlib.import_module(f"{lessons.__name__}.{found.name}")
    for found in pkgutil.iter_modules(lessons.__path__)
]
DECORATED = doubled.__code__  # all that ``@exercise`` has made share it
EXERCISES = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in MODULES
    for name, value in vars(module).items()
    if inspect.isfunction(value) and value.__code__ is DECORATED
}


def test_every_lesson_has_its_exercises():
    counts = {name.partition(".")[0]: 0 for name in EXERCISES}
    for name in EXERCISES:
        counts[name.partition(".")[0]] += 1
    assert counts == {
        "before": 3, "blind": 3, "building": 3, "clinic": 3, "inside": 3, "noise": 3,
        "normalisation": 3, "residual": 3, "start": 2, "tasks": 3, "training": 3,
    }  # fmt: skip


@pytest.fixture
def no_network(monkeypatch):
    """Lesson 00 computes what it expects with a pretrained network."""
    monkeypatch.setattr("dncnn_lib.lessons.start.load_pretrained", lambda _: torch.nn.Identity())


@pytest.mark.parametrize("name", EXERCISES)
def test_an_open_exercise_is_told_once_and_stops_nothing(name, no_network, capsys):
    EXERCISES[name](later)
    assert capsys.readouterr().out == OPEN.format("later")


@pytest.mark.parametrize("name", EXERCISES)
def test_no_error_of_pytorch_leaves_an_exercise_open(name, no_network, refused):
    def broken(*_):
        return torch.nn.Module()(0)

    assert 'missing the required "forward" function' in refused(EXERCISES[name], broken)
