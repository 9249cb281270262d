"""Argument checks. Every error names the argument, the value it had and the rule it broke."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Collection
from typing import Any


def fail(name: str, value: object, rule: str) -> None:
    """Raise the one kind of ``ValueError`` this library raises for an argument."""
    raise ValueError(f"{name} is {value!r}, but must be {rule}")


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


def one_of(name: str, value: Any, allowed: Collection[str]) -> str:
    """``value``, if it is one of the ``allowed`` words."""
    if value not in allowed:
        fail(name, value, "one of " + ", ".join(repr(a) for a in allowed))
    return value


def sigma(name: str, value: Any, *, stacklevel: int = 3) -> tuple[float, float]:
    """A noise level, or a range of them, on the 0–255 scale, as a pair.

    A level strictly between 0 and 1 is legal but almost always a mistake of scale, so it warns.
    """
    low, high = span(name, value, at_least=0.0)
    if 0 < high < 1:
        warnings.warn(
            f"{name} is {high:g} on the 0–255 scale, which is invisible; for images in [0, 1] "
            f"with noise of standard deviation {high:g} write {name}={255 * high:g}",
            UserWarning,
            stacklevel=stacklevel,
        )
    return low, high
