"""Checks for the exercises of lesson 07, blind denoising."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..model import DnCNN
from . import check


def blind_noise(function: Callable[[Tensor, float, float, torch.Generator], Any]) -> None:
    """(clean (N, 1, H, W), low, high, generator) → noisy, with one σ in [low, high] (on the 0–255
    scale) for each image of the batch."""

    def noisy(count: int, low: float, high: float, grey: float = 0.0) -> Any:
        clean = torch.full((count, 1, 64, 64), grey)
        return function(clean, low, high, torch.Generator().manual_seed(0))

    def about(question: str, answer: Callable[[Tensor], Any]) -> Callable[..., Any]:
        def asked(count: int, low: float, high: float) -> Any:
            return answer(255 * noisy(count, low, high))

        asked.__name__ = f"{question} of {function.__name__}"
        return asked

    def levels(noise: Tensor) -> Tensor:
        return noise.flatten(1).std(dim=1)

    def tenths(noise: Tensor) -> int:
        return len({min(int(level / 5.5), 9) for level in levels(noise).tolist()})

    def varies(noise: Tensor) -> bool:
        left, right = (levels(half) for half in noise.chunk(2, dim=3))
        return bool(((left - right).abs() > 0.2 * right + 0.5).any())

    probe = (torch.zeros(1, 1, 2, 2), 0.0, 1.0, torch.Generator())
    try:
        function(*probe)
    except NotImplementedError:
        check(function, [(probe, None)])  # says that it is open
        return
    check(about("shape of the result", lambda v: list(v.shape)), [((3, 0.0, 55.0), [3, 1, 64, 64])])
    middle = about("σ to the nearest 5", lambda v: 5 * round(float(levels(v).mean()) / 5))
    check(middle, [((4, 25.0, 25.0), 25), ((100, 30.0, 40.0), 35)])
    check(about("tenths of the range that occur", tenths), [((200, 0.0, 55.0), 10)])
    check(about("σ inside an image varies", varies), [((20, 0.0, 55.0), False)])
    mean = about("grey of 0.5, its mean in the result", lambda _: noisy(2, 0.0, 1.0, 0.5).mean())
    check(mean, [((2, 0.0, 1.0), 0.5)], tolerance=0.01)
    again = torch.equal(noisy(4, 0.0, 55.0), noisy(4, 0.0, 55.0))
    check(about("equal seeds, equal noise", lambda _: again), [((4, 0.0, 55.0), True)])


def into_range(function: Callable[..., Any]) -> None:
    """(restore, noisy, sigma, highest) → restored; where σ > highest, the picture is scaled so that
    its noise has σ = highest, restored, and scaled back."""

    def limited(noisy: np.ndarray) -> np.ndarray:
        """Stands for a network: not a linear function of its input."""
        return np.minimum(noisy, 0.4)

    noisy = np.linspace(0, 1, 12, dtype=np.float64).reshape(3, 4)
    cases = []
    for sigma, highest in ((25.0, 55.0), (55.0, 55.0), (110.0, 55.0), (75.0, 50.0)):
        gain = min(1.0, highest / sigma)
        cases.append(((limited, noisy, sigma, highest), limited(gain * noisy) / gain))
    check(function, cases)


def constants(function: Callable[[nn.Module], Any]) -> None:
    """(net) → how many numbers a network in eval mode adds to its features."""
    networks: dict[str, nn.Module] = {
        "DnCNN(depth=17)": DnCNN(depth=17),
        "DnCNN(depth=4, width=8, batch_norm=False)": DnCNN(depth=4, width=8, batch_norm=False),
        "DnCNN(depth=4, width=8, bias=True)": DnCNN(depth=4, width=8, bias=True),
        "DnCNN(depth=4, batch_norm=False, bias=False)": DnCNN(
            depth=4, batch_norm=False, bias=False
        ),
    }
    try:
        function(networks["DnCNN(depth=17)"])
    except NotImplementedError:
        check(function, [((networks["DnCNN(depth=17)"],), None)])  # says that it is open
        return

    def asked(name: str) -> Any:
        return function(networks[name])

    asked.__name__ = function.__name__
    expected = [15 * 64 * 2, 3 * 8 + 1, 2 * 8 * 2 + 3 * 8 + 1, 0]
    check(asked, [((name,), number) for name, number in zip(networks, expected)])
