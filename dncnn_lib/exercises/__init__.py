"""Checks for the exercises: what was given, what came out, and what was expected.

A module for each lesson holds its checks; a lesson imports it as ``checks`` and calls
``checks.NAME(your_function)``. What is not solved yet is named and stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

Case = tuple[tuple[Any, ...], Any]


def check(function: Callable[..., Any], cases: Iterable[Case], *, tolerance: float = 1e-4) -> None:
    """Call a student's function on each case and compare the result with what is expected.

    cases: ``(arguments, expected)``; numbers, strings, booleans, arrays and tensors, compared by
    shape and, within ``tolerance`` (absolute), by value. Prints a line for each case. Raises
    ``AssertionError`` at the first that is wrong; where the function raises ``NotImplementedError``
    the exercise is open, and that is all that is said.
    """
    name = function.__name__
    for arguments, expected in cases:
        given = ", ".join(describe(argument) for argument in arguments)
        try:
            result = function(*arguments)
        except NotImplementedError:
            print(f"{name}: still open. Fill it in and run this cell again.")
            return
        said = f"{name}({given}) gave {describe(result)}, expected {describe(expected)}"
        assert _same(result, expected, tolerance), f"not yet: {said}"
        print(f"right: {said}")


def describe(value: Any) -> str:
    """A value in a few words: a number with 4 digits, an array by its shape and mean."""
    value = value.detach() if isinstance(value, torch.Tensor) else value
    if isinstance(value, (np.ndarray, torch.Tensor)) and value.ndim:
        shape = "×".join(map(str, value.shape))
        return f"{type(value).__name__.lower()} {shape} with mean {float(value.mean()):.4g}"
    if isinstance(value, (float, np.floating, np.ndarray, torch.Tensor)):
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
