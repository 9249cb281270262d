"""Checks for the exercises: what was given, what came out, and what may have been overlooked.

A lesson imports its module as ``checks`` and calls ``checks.NAME(your_function)``. The cases are
drawn from a seed, another one with ``seed=1``. What would be right is never told. An exercise that
is still open is named, and stops nothing.

In a class ``graded`` calls the same checks: every case counts, and what is open scores 0.

The checks themselves are the keys, and have a wing of their own, ``dncnn_lib.keys``: a lesson finds
them by ``from_keys``. The copy that students of a class install goes without.
"""

from __future__ import annotations

import contextvars
import copy
import functools
import importlib
import importlib.util
import sys
import textwrap
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

Answer = Callable[..., Any]
"""A student's function, or one that stands for it."""


_tally: contextvars.ContextVar[list[bool] | None] = contextvars.ContextVar("tally", default=None)
"""While an answer is graded: of each case so far, whether it was right."""


class NotYet(AssertionError):
    """What a student is told about a wrong answer."""

    def __init__(self, said: str) -> None:
        super().__init__(f"not yet: {said}")

    def _render_traceback_(self) -> list[str]:
        """In a notebook the sentence alone, without the lines of the keys that it comes from."""
        return [str(self)]


def exercise(checks: Callable[..., None]) -> Callable[..., None]:
    """For a function ``(function, *, seed=0)`` that checks a student's function on cases that are
    drawn from ``seed``. A wrong answer raises ``NotYet``, whatever it does.

    Where it raises ``NotImplementedError``, the exercise is still open, and that is all that is
    said. (PyTorch raises the same error, with a message, for what it cannot compute: that answer is
    wrong.) So is what ``unrepaired`` finds.
    """

    @functools.wraps(checks)
    def checked(function: Answer, **seed: int) -> None:
        if not callable(function):
            raise NotYet(f"{checks.__name__} checks a function, not {describe(function)}")
        try:
            checks(function, **seed)
        except NotImplementedError as still:
            if (tally := _tally.get()) is not None:
                tally.append(False)
            said = str(still) or "Fill it in and run this cell again."
            print(f"{_name(function)}: still open. {said}")

    return checked


def from_keys(
    lesson: str, *names: str
) -> tuple[Callable[[str], Callable[..., None]], Callable[[], list[str]]]:
    """A lesson's ``__getattr__`` and ``__dir__``: its checks, looked up when they are asked for in
    the module of the same name in ``dncnn_lib.keys``.

    lesson: the module's ``__name__``; names: of its checks. In a copy without keys a check says
    that, or that the exercise is still open.
    """
    keys = lesson.replace(".lessons.", ".keys.")

    def look_up(name: str) -> Callable[..., None]:
        if name not in names:
            raise AttributeError(f"module {lesson!r} has no attribute {name!r}")
        if importlib.util.find_spec(keys.rpartition(".")[0]) is None:
            return _without_keys(name)
        found = getattr(importlib.import_module(keys), name)
        found.__module__ = lesson  # so that help(lesson) lists it
        return found

    return look_up, lambda: sorted({*vars(sys.modules[lesson]), *names})


def _without_keys(name: str) -> Callable[..., None]:
    def check(*answer: Any, **seed: int) -> None:
        if _tally.get() is not None:
            raise ImportError("grading needs dncnn_lib.keys, which this copy goes without")
        function = answer[-1] if answer else None
        if getattr(getattr(function, "__code__", None), "co_names", ()) == ("NotImplementedError",):
            print(f"{_name(function)}: still open. Fill it in and run this cell again.")
        else:
            print("This copy has no keys: the exercise is checked when it is handed in.")

    check.__name__ = check.__qualname__ = name
    check.__doc__ = "Says that this copy has no keys, or that the exercise is still open."
    return check


def graded(
    exercise: Callable[..., None], function: Answer, *, seed: int, points: float = 1
) -> float:
    """What an answer is worth: the share of right cases in ``exercise``, times points.

    exercise: one of a lesson's checks; seed: of its cases. An answer that is still open has 0. What
    the student would read of the first wrong case in the lesson is printed.
    """
    tally: list[bool] = []
    token = _tally.set(tally)
    try:
        exercise(function, seed=seed)
    except NotYet as wrong:
        print(wrong)
        tally.append(False)
    finally:
        _tally.reset(token)
    return round(points * sum(tally) / len(tally), 2) if tally else 0.0


def asked(question: str, function: Answer, answer: Answer, kind: str) -> Answer:
    """``answer(result, *arguments)`` of what ``function(*arguments)`` gave, as a function to
    ``check``, named after the question. kind: what the result must be, in words, for where
    ``answer`` fails on it."""

    def ask(*arguments: Any) -> Any:
        result = function(*arguments)
        try:
            return answer(result, *arguments)
        except Exception as error:
            if _still_open(error):
                raise
            said = f"{_called(function, arguments)} gave {describe(result)}, but must give {kind}"
            raise NotYet(f"{said} ({type(error).__name__}: {error})") from error

    ask.__name__ = f"{question} of {_name(function)}"
    return ask


def check(
    function: Answer,
    cases: Sequence[Sequence[Any]],
    right: Answer,
    mistakes: Mapping[str, Answer] | None = None,
    *,
    hint: str = "",
    tolerance: float = 1e-4,
) -> None:
    """Call a student's function on each case and compare its results with those of ``right``.

    cases: the arguments of each call. mistakes: what may have been overlooked → a function that
    overlooks it. The one that gives what the student's gave names the mistake; of several, the one
    that does so in most cases. hint: said where none does. Results are numbers, arrays and tensors,
    texts, and sequences of these; arrays are compared by shape, numbers to within ``tolerance``,
    absolute plus relative.

    Prints a line for each case. Raises ``NotYet`` at the first that is wrong, also where the
    function raises an error or changes its arguments.
    """
    for arguments in cases:
        try:
            said = _verdict(function, arguments, cases, right, mistakes or {}, hint, tolerance)
        except NotYet as wrong:
            if (tally := _tally.get()) is None:
                raise
            if False not in tally:
                print(wrong)
            tally.append(False)
        else:
            print(f"right: {said}")
            if (tally := _tally.get()) is not None:
                tally.append(True)


def _verdict(
    function: Answer,
    arguments: Sequence[Any],
    cases: Sequence[Sequence[Any]],
    right: Answer,
    mistakes: Mapping[str, Answer],
    hint: str,
    tolerance: float,
) -> str:
    """What a student's function gave in one case, in words. Raises ``NotYet`` if it is wrong."""
    called = _called(function, arguments)
    given = copy.deepcopy(arguments)
    try:
        result = function(*given)
    except Exception as error:
        if isinstance(error, NotYet) or _still_open(error):
            raise
        raise NotYet(f"{called} raised {type(error).__name__}: {error}") from error
    if not _unchanged(given, arguments):
        raise NotYet(f"{called} changed what it was given: leave that as it is")
    said = f"{called} gave {describe(result)}"
    wrong = _wrong(result, right(*copy.deepcopy(arguments)), tolerance)
    if not wrong:
        return said
    results = [(case, _quietly(function, case)) for case in cases]
    fitting = {  # in how many cases it does
        sentence: sum(not _wrong(r, _quietly(mistake, case), tolerance) for case, r in results)
        for sentence, mistake in mistakes.items()
        if not _wrong(result, _quietly(mistake, arguments), tolerance)
    }
    if fitting:
        raise NotYet(f"{said}: {max(fitting, key=fitting.__getitem__)}")
    raise NotYet(f"{said}, {wrong}" + (f": {hint}" if hint else ""))


def unrepaired(
    function: Answer, cases: Sequence[Sequence[Any]], broken: Answer, symptom: str
) -> None:
    """For an exercise that gives broken code to repair: where a student's function still does in
    every case what ``broken`` does, the exercise is open, and the symptom is what is said."""
    for arguments in cases:
        try:
            result = function(*copy.deepcopy(arguments))
        except Exception as error:
            if _still_open(error):
                raise
            return  # ``check`` names it
        if _wrong(result, broken(*copy.deepcopy(arguments)), tolerance=1e-4):
            return
    raise NotImplementedError(symptom)


def describe(value: Any) -> str:
    """A value in a few words: a number with 4 digits, an array by its kind, shape and mean."""
    if isinstance(value, nn.Module):
        return f"{type(value).__name__}({value.extra_repr()})"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (np.ndarray, torch.Tensor)):
        numbers = _numbers(value)
        if not value.ndim and numbers is not None:
            return f"{numbers:.4g}"
        kind = "tensor" if isinstance(value, torch.Tensor) else f"{value.dtype} array"
        mean = f" with mean {numbers.mean():.4g}" if numbers is not None and numbers.size else ""
        return f"{kind} {'×'.join(map(str, value.shape))}{mean}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (tuple, list)):
        inner = ", ".join([*map(describe, value[:6]), *["…"] * (len(value) > 6)])
        return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    if value is None or isinstance(value, (str, int, complex)):
        return textwrap.shorten(repr(value), 80)
    return getattr(value, "__name__", None) or f"a {type(value).__name__}"


def _name(function: Answer) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _called(function: Answer, arguments: Sequence[Any]) -> str:
    return f"{_name(function)}({', '.join(map(describe, arguments))})"


def _still_open(error: Exception) -> bool:
    return isinstance(error, NotImplementedError) and not error.args


def _quietly(mistake: Answer, arguments: Sequence[Any]) -> Any:
    """What a mistake gives; None where it gives an error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return mistake(*copy.deepcopy(arguments))
    except Exception:
        return None


def _unchanged(given: Any, before: Any) -> bool:
    """Whether the numbers and arrays among these values are what they were."""
    if isinstance(before, (tuple, list)):
        return len(given) == len(before) and all(map(_unchanged, given, before))
    numbers = _numbers(before)
    return numbers is None or np.array_equal(_numbers(given), numbers, equal_nan=True)


def _numbers(value: Any) -> np.ndarray | None:
    """As float64; None for what is no real number and no array of them."""
    try:
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu()
            value = value.double() if value.is_floating_point() else value
        array = np.asarray(value)
        if value is None or array.dtype.kind not in "biufO":
            return None
        return array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError):
        return None


def _values(result: Any) -> list[Any] | None:
    """Of a sequence; None where it is something else."""
    try:
        return None if isinstance(result, str) else list(result)
    except TypeError:
        return None


def _wrong(result: Any, expected: Any, tolerance: float) -> str:
    """What is wrong with a result, without telling what is right; empty if nothing is."""
    if isinstance(expected, str):
        same = isinstance(result, str) and result == expected
        return "" if same else "which is not right"
    if isinstance(expected, (tuple, list)):
        values = _values(result)
        if values is None or len(values) != len(expected):
            return f"but must give {len(expected)} values"
        parts = [_wrong(value, e, tolerance) for value, e in zip(values, expected)]
        first = next((n for n, part in enumerate(parts) if part), None)
        return "" if first is None else f"{parts[first]} (value {first + 1} of {len(parts)})"
    a, b = _numbers(result), _numbers(expected)
    if b is None:
        return "which is something else"
    if a is None or (a.ndim and not b.ndim):
        return f"but must give {'numbers in an array' if b.ndim else 'a number'}"
    if a.shape != b.shape:
        return "which has the wrong shape"
    off = ~np.isclose(a, b, rtol=tolerance, atol=tolerance)
    if not off.any():
        return ""
    place = tuple(int(i) for i in np.argwhere(off)[0])
    direction = "too large" if a[place] > b[place] else "too small"
    if np.isnan(a[place]):
        direction = "NaN"
    if not b.ndim:
        return f"which is {direction}"
    return f"where {off.sum()} of {off.size} values are off; {list(place)} is {direction}"
