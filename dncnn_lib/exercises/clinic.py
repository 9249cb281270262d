"""Checks for the exercises of lesson 10, the bug clinic, and what measures its memory bug."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import check


class _Kept:
    """A tensor for as long as a graph holds it."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


@contextmanager
def kept_for_backward() -> Iterator[Callable[[], int]]:
    """Counts what autograd holds: the value is a function that says how many bytes, at any time.

    Of tensors that were saved for a backward pass inside the ``with``, and not released since; the
    parameters, which are there anyway, are not counted.
    """
    alive: weakref.WeakSet[_Kept] = weakref.WeakSet()

    def pack(tensor: Tensor) -> _Kept:
        kept = _Kept(tensor)
        if not (tensor.is_leaf and tensor.requires_grad):
            alive.add(kept)
        return kept

    def held() -> int:
        storages = (kept.tensor.untyped_storage() for kept in alive)
        return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
        yield held


def mended_psnr(function: Callable[[np.ndarray, np.ndarray], Any]) -> None:
    """(restored, clean), uint8 arrays (H, W) → PSNR in dB."""
    rng = np.random.default_rng(0)
    pairs = [rng.integers(0, 256, (2, 8, 8)).astype(np.uint8)]
    black, white = np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)
    pairs += [(black, white), (white - 25, white), (white, white - 25)]
    cases = []
    for restored, clean in pairs:
        error = np.mean((restored.astype(float) - clean.astype(float)) ** 2)
        cases.append(((restored, clean), 10 * math.log10(255**2 / error)))
    check(function, cases, tolerance=1e-3)


def mended_flip(function: Callable[[Tensor, Tensor, torch.Generator], Any]) -> None:
    """(noisy, clean, generator), tensors (B, C, H, W) → the same two, both flipped left to right or
    neither, half and half."""

    def first_pixels(seed: int) -> tuple[float, float]:
        ramp = torch.arange(4.0).expand(1, 1, 2, 4)
        noisy, clean = function(ramp + 10, ramp, torch.Generator().manual_seed(seed))
        return float(noisy[0, 0, 0, 0] - 10), float(clean[0, 0, 0, 0])

    def pairs_that_fit(draws: int) -> int:
        return sum(noisy == clean for noisy, clean in map(first_pixels, range(draws)))

    def seen_both_ways(draws: int) -> bool:
        clean = [pair[1] for pair in map(first_pixels, range(draws))]
        return draws // 4 < sum(value == 3 for value in clean) < 3 * draws // 4

    try:
        first_pixels(0)
    except NotImplementedError:
        nothing = torch.zeros(1, 1, 2, 4)
        check(function, [((nothing, nothing, torch.Generator()), None)])  # says that it is open
        return
    for asked, expected in ((pairs_that_fit, 100), (seen_both_ways, True)):
        asked.__name__ = f"{asked.__name__} of {function.__name__}"
        check(asked, [((100,), expected)])


def mended_steps(function: Callable[..., Any]) -> None:
    """(net, batches, lr): a step of SGD for each batch (noisy, clean), on the mean squared error of
    ``net(noisy)``; the network is changed in place."""
    generator = torch.Generator().manual_seed(0)
    batches = list(torch.rand((3, 2, 2, 1, 4, 4), generator=generator))

    def weight_after(steps: int) -> float:
        net = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(net.weight)
        function(net, batches[:steps], 0.5)
        return net.weight.item()

    try:
        weight_after(0)
    except NotImplementedError:
        check(function, [((nn.Identity(), [], 0.5), None)])  # says that it is open
        return
    weight = 1.0
    cases: list[tuple[tuple[int], float]] = [((0,), weight)]
    for steps, (noisy, clean) in enumerate(batches, start=1):
        weight -= 0.5 * float((2 * noisy * (weight * noisy - clean)).mean())
        cases.append(((steps,), weight))
    weight_after.__name__ = f"weight_after_steps of {function.__name__}"
    check(weight_after, cases)
