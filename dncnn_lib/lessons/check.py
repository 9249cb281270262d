"""Checks for the exercises: what was given, what came out, and what was expected.

A lesson imports its module as ``checks`` and calls ``checks.NAME(your_function)``. An exercise
that is still open is named, and stops nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

Case = tuple[tuple[Any, ...], Any]


def exercise(checks: Callable[[Callable[..., Any]], None]) -> Callable[..., None]:
    """For a function that checks a student's function. Where that raises ``NotImplementedError``,
    the exercise is still open, and that is all that is said.

    PyTorch raises the same error, with a message, for what it cannot compute: that answer is wrong.
    """

    @functools.wraps(checks)
    def checked(function: Callable[..., Any]) -> None:
        try:
            checks(function)
        except NotImplementedError as error:
            if error.args:
                told = f"not yet: {function.__name__} raised NotImplementedError: {error}"
                raise AssertionError(told) from error
            print(f"{function.__name__}: still open. Fill it in and run this cell again.")

    return checked


def asked(
    question: str, function: Callable[..., Any], answer: Callable[[Any], Any]
) -> Callable[..., Any]:
    """``answer(function(...))`` as a function to ``check``, named after the question."""

    def ask(*arguments: Any) -> Any:
        return answer(function(*arguments))

    ask.__name__ = f"{question} of {function.__name__}"
    return ask


def check(function: Callable[..., Any], cases: Iterable[Case], *, tolerance: float = 1e-4) -> None:
    """Call a student's function on each case and compare the result with what is expected.

    cases: ``(arguments, expected)``; numbers, strings, booleans, arrays and tensors, compared by
    shape and, within ``tolerance`` (absolute), by value. Prints a line for each case. Raises
    ``AssertionError`` at the first that is wrong.
    """
    for arguments, expected in cases:
        given = ", ".join(describe(argument) for argument in arguments)
        result = function(*arguments)
        said = f"{function.__name__}({given}) gave {describe(result)}"
        said += f", expected {describe(expected)}"
        assert _same(result, expected, tolerance), f"not yet: {said}"
        print(f"right: {said}")


def describe(value: Any) -> str:
    """A value in a few words: a number with 4 digits, an array by its shape and mean."""
    if isinstance(value, torch.Tensor):
        value = value.detach() if value.is_floating_point() else value.double()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (np.ndarray, torch.Tensor)) and value.ndim:
        shape = "×".join(map(str, value.shape))
        return f"{type(value).__name__.lower()} {shape} with mean {float(value.mean()):.4g}"
    if isinstance(value, (float, np.ndarray, torch.Tensor)):
        return f"{float(value):.4g}"
    if isinstance(value, (tuple, list)):
        inner = ", ".join(map(describe, value))
        return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    return getattr(value, "__name__", None) or repr(value)


def _same(result: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, (str, bool)) or expected is None:
        return type(result) is type(expected) and result == expected
    if isinstance(expected, (tuple, list)):
        return (
            isinstance(result, (tuple, list))
            and len(result) == len(expected)
            and all(_same(r, e, tolerance) for r, e in zip(result, expected))
        )
    try:
        a, b = (np.asarray(torch.as_tensor(v).detach(), np.float64) for v in (result, expected))
    except (TypeError, ValueError, RuntimeError):
        return False
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= tolerance))
