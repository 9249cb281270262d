"""How much computing a picture may take while the slider moves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

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
        """Seconds; 0 for a method that was not timed yet."""
        return self._seconds_per_pixel.get(method, 0.0) * pixels

    def affords(self, method: str, pixels: int) -> bool:
        """Whether the method keeps to the budget for so many pixels."""
        return self.expected(method, pixels) <= self.budget

    @contextmanager
    def timed(self, method: str, pixels: int) -> Iterator[None]:
        """Around a restoration: remembers how long it took, smoothed over the last few."""
        start = time.perf_counter()
        yield
        rate = (time.perf_counter() - start) / max(pixels, 1)
        known = self._seconds_per_pixel.get(method, rate)
        # faster at once, slower by steps: one hiccup must not switch to a smaller network
        self._seconds_per_pixel[method] = min(rate, 0.7 * known + 0.3 * rate)


class Stale(Exception):
    """What is being computed is no longer wanted."""


class Stoppable(nn.Module):
    """A network that asks before each layer whether its answer is still wanted.

    net: a ``DnCNN``; wanted: called before each layer; ``forward`` raises ``Stale`` once it returns
    False.
    """

    def __init__(self, net: nn.Module, wanted: Callable[[], bool]) -> None:
        super().__init__()
        self.net, self._wanted = net, wanted
        self.channels, self.receptive_field = net.channels, net.receptive_field

    def forward(self, noisy: Tensor) -> Tensor:
        values = noisy
        for layer in self.net.layers:
            if not self._wanted():
                raise Stale
            values = layer(values)
        return noisy - values if self.net.residual else values
