"""What all checks are made of. What is true of every exercise is tested in ``test_answers.py``."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import pkgutil
import pydoc

import numpy as np
import pytest
import torch
from helpers import raises

from dncnn_lib import keys, lessons
from dncnn_lib.lessons.check import NotYet, asked, check, describe, exercise, graded, unrepaired

OPEN = "{}: still open. Fill it in and run this cell again.\n"


def double(x):
    return 2 * x


def test_a_right_answer_is_told_what_was_given_and_came_out(capsys):
    check(double, [(2,), (0.5,)], lambda x: x + x)
    assert capsys.readouterr().out == "right: double(2) gave 4\nright: double(0.5) gave 1\n"


@pytest.mark.parametrize(
    ("result", "right", "said"),
    [
        (4, 5, "4, which is too small"),
        (np.float32(6), 5, "6, which is too large"),
        (float("nan"), 5, "nan, which is NaN"),
        (None, 5, "None, but must give a number"),
        ("5", 5, "'5', but must give a number"),
        (np.ones(1), 5, "float64 array 1 with mean 1, but must give a number"),
        (1j, 5, "1j, but must give a number"),
        (5, np.ones(3), "5, which has the wrong shape"),
        (double, np.ones(3), "double, but must give numbers in an array"),
        (torch.ones(3, 1), np.ones(3), "tensor 3×1 with mean 1, which has the wrong shape"),
        (
            torch.tensor([[1.0, 2.0], [0.0, 1.0]]),
            np.ones((2, 2)),
            "tensor 2×2 with mean 1, where 2 of 4 values are off; [0, 1] is too large",
        ),
        ((1, 2), (1, 3), "(1, 2), which is too small (value 2 of 2)"),
        ((1, 2, 3), (1, 2), "(1, 2, 3), but must give 2 values"),
        (torch.tensor(3.0), (1, 2), "3, but must give 2 values"),
        ("ab", ["a", "b"], "'ab', but must give 2 values"),
        (["a", "c"], ["a", "b"], "['a', 'c'], which is not right (value 2 of 2)"),
    ],
)
def test_a_wrong_answer_is_told_how_but_not_what_is_right(result, right, said, capsys):
    def answer():
        return result

    with raises(NotYet, f"not yet: answer() gave {said}"):
        check(answer, [()], lambda: right)
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("result", "right"),
    [
        (np.ones(3), torch.ones(3)),
        (1.00005, 1),
        (torch.ones(2, requires_grad=True), np.ones(2)),
        (torch.ones(2, dtype=torch.bfloat16), [1, 1]),
        (torch.ones(2, dtype=torch.int64), [1.0, 1.0]),
        ([1, 2.0], (1, 2)),
        (np.array([1, 2]), (1, 2)),
        ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]])),
        (float("inf"), np.inf),
        (["a"], ["a"]),
    ],
)
def test_numbers_may_come_in_any_type(result, right):
    check(lambda: result, [()], lambda: right)


def test_the_tolerance_is_absolute_plus_relative():
    for right, near, far in ((100, 102, 102.1), (0, -0.02, -0.03)):
        check(lambda x: x, [(near,)], lambda x, right=right: right, tolerance=0.02)
        with pytest.raises(NotYet):
            check(lambda x: x, [(far,)], lambda x, right=right: right, tolerance=0.02)


# ------------------------------------------------------------------------------------- the mistakes


def told(function, cases=((2,),), right=double, mistakes=None, **options) -> str:
    with pytest.raises(NotYet) as error:
        check(function, cases, right, mistakes, **options)
    return str(error.value)


def test_the_mistake_that_explains_the_result_is_told():
    mistakes = {"tripled": lambda x: 3 * x, "squared": lambda x: x**2}
    assert told(lambda x: x * x, [(3,)], double, mistakes, hint="twice") == (
        "not yet: <lambda>(3) gave 9: tripled"
    )
    assert told(lambda x: x + 7, [(3,)], double, mistakes, hint="twice") == (
        "not yet: <lambda>(3) gave 10, which is too large: twice"
    )


def test_of_several_mistakes_that_of_most_cases_is_told(capsys):
    mistakes = {"tripled": lambda x: 3 * x, "squared": lambda x: x**2}
    assert told(lambda x: x * x, [(2,), (3,), (5,)], double, mistakes).endswith(": squared")
    assert capsys.readouterr().out == "right: <lambda>(2) gave 4\n"


def test_a_mistake_that_gives_an_error_is_not_told():
    mistakes = {"divided": lambda x: 1 / 0, "nothing": lambda x: None}
    assert told(lambda x: None, mistakes=mistakes).endswith("gave None, but must give a number")


def test_arguments_must_stay_as_they_are():
    def overwritten(x):
        x[0] += 1
        return x

    for given in (np.zeros(2), torch.zeros(2), [torch.zeros(()), 5], [1.0, 2.0]):
        assert told(overwritten, [(given,)], lambda x: x).endswith(
            " changed what it was given: leave that as it is"
        )
        assert given[0] in (0, 1)  # it was a copy


def test_generators_begin_anew_for_each_function():
    def draw(generator):
        return torch.rand(3, generator=generator)

    check(draw, 2 * [(torch.Generator().manual_seed(3),)], draw)


def test_errors_are_told_with_their_cause():
    with raises(NotYet, "not yet: <lambda>(0) raised ZeroDivisionError: division by zero") as error:
        check(lambda x: 1 / x, [(0,)], double)
    assert isinstance(error.value.__cause__, ZeroDivisionError)


def test_a_notebook_shows_the_sentence_and_no_code_of_the_keys(capsys):
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.push({"check": check, "double": double})
    shell.run_cell("check(double, [(2,)], lambda x: x + 1)")
    assert capsys.readouterr().out == "not yet: double(2) gave 4, which is too large\n"


def test_values_in_a_few_words():
    assert describe(np.full((2, 3), 0.25, np.float32)) == "float32 array 2×3 with mean 0.25"
    assert describe(torch.zeros(4)) == "tensor 4 with mean 0"
    assert describe(torch.tensor([[1, 2]])) == "tensor 1×2 with mean 1.5"
    assert describe(torch.tensor([True, False])) == "tensor 2 with mean 0.5"
    assert describe(np.zeros((0, 3))) == "float64 array 0×3"
    assert describe(np.float32(0.1)) == "0.1" and describe(torch.tensor(3)) == "3"
    assert describe(np.int64(-1)) == "-1" and describe(np.True_) == "True"
    assert describe((1, [2.0, "a"])) == "(1, [2, 'a'])"
    assert describe(list(range(9))) == "[0, 1, 2, 3, 4, 5, …]"
    assert describe(double) == "double" and describe(torch.Generator()) == "a Generator"
    assert describe(torch.nn.Dropout(0.25)) == "Dropout(p=0.25, inplace=False)"


# ------------------------------------------------------------------------------------------ asked


def test_what_is_asked_about_a_function_is_named(capsys):
    ask = asked("sum with what is given", double, lambda result, x: result + x, "a number")
    check(ask, [(-3,)], lambda x: 3 * x)
    assert capsys.readouterr().out == "right: sum with what is given of double(-3) gave -9\n"


def test_what_cannot_be_asked_is_told():
    ask = asked("length", double, lambda result, _: len(result), "a list")
    said = "double(4) gave 8, but must give a list (TypeError: object of type 'int' has no len())"
    assert told(ask, [(4,)]) == f"not yet: {said}"


# --------------------------------------------------------------------------------------- @exercise


@exercise
def doubled(function, *, seed=0) -> None:
    """(x) → 2x."""
    check(function, [(1 + seed,)], double)
    check(asked("negative", function, lambda result, _: -result, "a number"), [(3,)], lambda x: -6)


def test_an_exercise_keeps_its_name_and_words():
    assert (doubled.__name__, doubled.__doc__) == ("doubled", "(x) → 2x.")


def test_a_right_answer_passes_all_that_is_asked(capsys):
    doubled(double, seed=4)
    assert capsys.readouterr().out == (
        "right: double(5) gave 10\nright: negative of double(3) gave -6\n"
    )


def test_a_function_without_a_name_is_called_by_its_type(capsys):
    doubled(functools.partial(lambda factor, x: factor * x, 2))
    assert "right: partial(1) gave 2\n" in capsys.readouterr().out


def later(*_):
    raise NotImplementedError


def test_an_open_answer_is_told_once_and_stops_nothing(capsys):
    doubled(later)
    assert capsys.readouterr().out == OPEN.format("later")


def test_half_an_answer_is_open_too(capsys):
    def half(x):
        if x > 2:
            raise NotImplementedError
        return 2 * x

    doubled(half)
    assert capsys.readouterr().out == "right: half(1) gave 2\n" + OPEN.format("half")


def test_what_python_cannot_do_is_not_open():
    """PyTorch raises the same error, with a message, for a type that it cannot work on."""

    def booleans(x):
        return torch.ones(2, dtype=torch.bool).round()

    with pytest.raises(NotYet, match="booleans.1. raised NotImplementedError: "):
        doubled(booleans)


def test_what_is_no_function_is_told():
    with raises(NotYet, "not yet: doubled checks a function, not None"):
        doubled(None)


@exercise
def halving(function, *, seed=0):
    """A number → half of it; the broken code doubles it."""
    cases = [(2,), (3.0,)]
    unrepaired(function, cases, double, "It is still too large.")
    check(function, cases, lambda x: x / 2)


def test_broken_code_is_open_with_its_symptom_until_it_does_something_else(capsys):
    halving(double)
    halving(lambda x: x + x)
    said = capsys.readouterr().out
    assert said == "".join(
        f"{n}: still open. It is still too large.\n" for n in ("double", "<lambda>")
    )
    halving(lambda x: x * 0.5)
    assert capsys.readouterr().out.startswith("right: ")


def test_a_repair_that_changes_some_cases_or_fails_is_wrong():
    with pytest.raises(NotYet, match="gave 4, which is too large"):
        halving(lambda x: 2 * x if x == 2 else x)
    with pytest.raises(NotYet, match="raised ZeroDivisionError"):
        halving(lambda x: 1 / 0)


def test_a_repair_that_has_not_been_begun_is_open(capsys):
    def later(x):
        raise NotImplementedError

    halving(later)
    assert capsys.readouterr().out == OPEN.format("later")


# -------------------------------------------------------------------------------------------- keys


def test_a_lesson_offers_the_checks_of_its_keys():
    from dncnn_lib.keys import noise as keys
    from dncnn_lib.lessons import noise as lesson

    assert lesson.my_psnr is keys.my_psnr
    assert {"my_psnr", "noise_explorer"} <= set(dir(lesson))
    assert "my_psnr(function" in pydoc.plain(pydoc.render_doc(lesson))
    with pytest.raises(AttributeError, match="'dncnn_lib.lessons.noise' has no attribute 'his'"):
        lesson.his  # noqa: B018


@pytest.mark.parametrize("name", [found.name for found in pkgutil.iter_modules(keys.__path__)])
def test_a_lesson_names_its_checks_and_no_others(name):
    lesson = importlib.import_module(f"{lessons.__name__}.{name}")
    offered = set(dir(lesson)) - set(vars(lesson))
    of_keys = vars(importlib.import_module(f"{keys.__name__}.{name}"))
    decorated = exercise(print).__code__  # all that ``@exercise`` has made share it
    made = {n for n, value in of_keys.items() if getattr(value, "__code__", None) is decorated}
    made = {n for n in made if not n.startswith("case_")}
    assert offered == made | ({"case", "marks"} if name == "clinic" else set())


@pytest.fixture
def copy_without_keys(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    from dncnn_lib.lessons import clinic

    return clinic


def test_a_copy_without_keys_says_so_and_tells_what_is_open(copy_without_keys, capsys):
    checks = copy_without_keys
    checks.mended_psnr(later)
    checks.case(3, later)
    assert capsys.readouterr().out == 2 * OPEN.format("later")
    checks.mended_psnr(double)
    checks.case(3, double, seed=1)
    checks.marks({"A": 1})
    said = "This copy has no keys: the exercise is checked when it is handed in.\n"
    assert capsys.readouterr().out == 3 * said
    assert "mended_psnr" in dir(checks)


def test_nothing_is_graded_without_keys(copy_without_keys):
    with raises(ImportError, "grading needs dncnn_lib.keys, which this copy goes without"):
        graded(copy_without_keys.mended_psnr, double, seed=1)


# ----------------------------------------------------------------------------------------- grading


@exercise
def halved(function, *, seed=0):
    """(n) → n / 2."""
    numbers = np.random.default_rng(seed).permutation(40)[:4]
    cases = [(2 * int(n) + odd,) for n, odd in zip(numbers, (0, 1, 0, 1))]
    check(function, cases, lambda n: n / 2, {"halves are lost": lambda n: n // 2})


def test_each_right_case_counts_and_what_was_overlooked_is_named_once(capsys):
    assert graded(halved, lambda n: n / 2, seed=3) == 1
    capsys.readouterr()
    assert graded(halved, lambda n: n // 2, seed=3, points=4) == 2
    assert capsys.readouterr().out.count("halves are lost") == 1
    assert graded(halved, lambda n: "none", seed=3) == 0


def test_what_is_open_or_no_function_or_fails_scores_nothing(capsys):
    def still_open(n):
        raise NotImplementedError

    for answer in (still_open, None, 3, lambda: 1, lambda n: 1 / 0):
        assert graded(halved, answer, seed=3) == 0


def test_a_table_of_the_cases_of_one_seed_fails_those_of_another():
    seen = {}

    def spy(n):
        seen[n] = n / 2
        return n / 2

    graded(halved, spy, seed=0)
    table = lambda n: seen.get(n, 0.0)  # noqa: E731
    assert graded(halved, table, seed=0) == 1
    assert max(graded(halved, table, seed=seed) for seed in range(1, 9)) < 0.5


def test_grading_leaves_no_trace():
    graded(halved, lambda n: n // 2, seed=3)
    with pytest.raises(NotYet):
        halved(lambda n: n // 2, seed=3)
