"""Argument checks. Every error names the argument, the value it had and the rule it broke."""

from __future__ import annotations

import math
import numbers
import sys
import warnings
from collections.abc import Collection
from typing import Any, NoReturn

import numpy as np
import torch


def fail(name: str, value: object, rule: str) -> NoReturn:
    """Raise the one kind of ``ValueError`` this library raises for an argument."""
    raise ValueError(f"{name} is {value!r}, but must be {rule}")


def not_finite(name: str) -> NoReturn:
    """``fail`` for an image with NaN or infinite values."""
    raise ValueError(f"{name} has NaN or infinite values, but must be finite everywhere")


def wrong_type(name: str, value: object, rule: str) -> NoReturn:
    """Raise a ``TypeError``: the argument's type is told, and what it must be."""
    raise TypeError(f"{name} is a {type(value).__name__}, but must be {rule}")


def warn(text: str) -> None:
    """A ``UserWarning`` that points at the line which called the library."""
    level, frame = 1, sys._getframe()
    while (
        frame.f_back is not None
        and frame.f_globals.get("__package__", "")
        and (frame.f_globals["__package__"].split(".")[0] == __package__)
    ):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, UserWarning, stacklevel=level)


def integer(name: str, value: Any, *, at_least: int | None = None) -> int:
    """``value`` as an ``int``; booleans and fractions are refused."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}), but must be an integer")
    if at_least is not None and value < at_least:
        fail(name, int(value), f"an integer of at least {at_least}")
    return int(value)


def seed(name: str, value: Any) -> int:
    """``value`` as a seed of ``torch.Generator``."""
    number = integer(name, value, at_least=0)
    if number >= 2**63:
        fail(name, number, "less than 2**63")
    return number


def real(
    name: str,
    value: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> float:
    """``value`` as a finite ``float`` within the stated bounds."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}), but must be a number")
    number = float(value)
    if not math.isfinite(number):
        fail(name, number, "finite")
    if at_least is not None and number < at_least:
        fail(name, number, f"at least {at_least:g}")
    if above is not None and number <= above:
        fail(name, number, f"greater than {above:g}")
    if at_most is not None and number > at_most:
        fail(name, number, f"at most {at_most:g}")
    if below is not None and number >= below:
        fail(name, number, f"less than {below:g}")
    return number


def span(name: str, value: Any, **bounds: float) -> tuple[float, float]:
    """A number, or a pair ``(low, high)`` with low <= high, as a pair."""
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            fail(name, value, "one number or a pair (low, high)")
        low, high = (real(name, v, **bounds) for v in value)
        if low > high:
            fail(name, tuple(value), "a pair (low, high) with low <= high")
        return low, high
    number = real(name, value, **bounds)
    return number, number


def plain(value: Any) -> Any:
    """numpy's number as Python's, which a file can hold and ``repr`` shows as one; of lists and
    tuples each, as a tuple."""
    if isinstance(value, (tuple, list)):
        return tuple(map(plain, value))
    return value.item() if isinstance(value, np.generic) else value


def one_of(name: str, value: Any, allowed: Collection[str]) -> str:
    """``value``, if it is one of the ``allowed`` words."""
    if value not in allowed:
        fail(name, value, "one of " + ", ".join(repr(a) for a in allowed))
    return value


def warn_of_scale(name: str, sigma: float) -> None:
    """A noise level strictly between 0 and 1 is legal on the 0–255 scale, but almost always meant
    on the scale of the image."""
    if 0 < sigma < 1:
        warn(
            f"{name} is {sigma:g} on the 0–255 scale, which is invisible; for images in [0, 1] "
            f"with noise of standard deviation {sigma:g} write {name}={255 * sigma:g}"
        )


def output(who: str, output: Any, like: torch.Tensor, of: str = "its input") -> None:
    """Raise ``TypeError`` or ``ValueError`` unless ``output`` is a tensor of the shape of
    ``like``."""
    if not isinstance(output, torch.Tensor):
        raise TypeError(f"{who} gives a {type(output).__name__}, but must give a tensor")
    if output.shape != like.shape:
        rule = f"that of {of}, {tuple(like.shape)}"
        fail(f"{who}'s output shape", tuple(output.shape), rule)


def module(name: str, model: Any) -> None:
    """Raise ``TypeError`` unless ``model`` is a ``torch.nn.Module``."""
    if not isinstance(model, torch.nn.Module):
        hint = "; load_pretrained gives one by its name" if isinstance(model, str) else ""
        wrong_type(name, model, f"a torch.nn.Module{hint}")
