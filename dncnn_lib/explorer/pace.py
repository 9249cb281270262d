"""How much computing a picture may take while the slider moves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch.overrides import TorchFunctionMode

BUDGET = 0.06
"""Seconds of computing for a picture that follows the slider. Showing it comes on top."""


class Pace:
    """Learns how long each method takes per pixel on this machine, and says what is affordable.

    budget: seconds for one picture.
    """

    def __init__(self, budget: float = BUDGET) -> None:
        self.budget = budget
        self._seconds_per_pixel: dict[str, float] = {}

    def expected(self, method: str, pixels: int) -> float:
        """Seconds; infinite for a method that was not timed yet, which may take minutes."""
        return self._seconds_per_pixel.get(method, math.inf) * pixels

    def affords(self, method: str, pixels: int) -> bool:
        """Whether the method is known to keep to the budget for so many pixels."""
        return self.expected(method, pixels) <= self.budget

    def learn(self, method: str, pixels: int, seconds: float) -> None:
        """Remember how long a restoration of so many pixels took, smoothed over the last few."""
        rate = seconds / pixels
        known = self._seconds_per_pixel.get(method, rate)
        # faster at once, slower by steps: one hiccup must not switch to a smaller network
        self._seconds_per_pixel[method] = min(rate, 0.7 * known + 0.3 * rate)


class Stale(Exception):
    """What is being computed is no longer wanted."""


class Stoppable(TorchFunctionMode):
    """In this context, each function of PyTorch first asks whether its answer is still wanted.

    wanted: ``Stale`` is raised once it returns False. That stops any model between two layers or
    steps, but not what SciPy or scikit-image have begun. Other threads are not affected.
    """

    def __init__(self, wanted: Callable[[], bool]) -> None:
        super().__init__()
        self._wanted = wanted

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Iterable[type],
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if not self._wanted():
            raise Stale
        return function(*args, **(kwargs or {}))
