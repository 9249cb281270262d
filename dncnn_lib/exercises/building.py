"""Checks for lesson 03, Building DnCNN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from . import check


def field_side(function: Callable[[int, int, int], int]) -> None:
    """``function(depth, kernel, dilation)``: the side of the receptive field in pixels."""
    cases = {
        (1, 3, 1): 3,
        (17, 3, 1): 35,
        (20, 3, 1): 41,
        (7, 5, 1): 29,
        (4, 7, 1): 25,
        (10, 3, 2): 41,
        (5, 1, 1): 1,
    }
    check(function, cases.items())


def mended_layers(function: Callable[[int], Sequence[nn.Module]]) -> None:
    """``function(depth)``: the layers of a grey DnCNN, 64 wide, as a list or ``nn.Sequential``."""

    def about(question: str, answer: Callable[[list[nn.Module]], Any]) -> Callable[[int], Any]:
        def asked(depth: int) -> Any:
            return answer(list(function(depth)))

        asked.__name__ = f"{question} of {function.__name__}"
        return asked

    def count(kind: type[nn.Module]) -> Callable[[list[nn.Module]], int]:
        return lambda layers: sum(isinstance(layer, kind) for layer in layers)

    def names(layers: Sequence[nn.Module]) -> list[str]:
        return [type(layer).__name__ for layer in layers]

    def doubled_biases(layers: list[nn.Module]) -> int:
        pairs = pairwise(layers)
        return sum(
            isinstance(after, nn.BatchNorm2d) and getattr(layer, "bias", None) is not None
            for layer, after in pairs
        )

    def output_shape(layers: list[nn.Module]) -> list[int]:
        return list(nn.Sequential(*layers).eval()(torch.zeros(1, 1, 9, 12)).shape)

    questions = [
        ("number of convolutions", count(nn.Conv2d), lambda depth: depth),
        ("first three layers", lambda layers: names(layers[:3]), ["Conv2d", "ReLU", "Conv2d"]),
        ("last two layers", lambda layers: names(layers[-2:]), ["ReLU", "Conv2d"]),
        ("number of batch norms", count(nn.BatchNorm2d), lambda depth: depth - 2),
        ("number of ReLUs", count(nn.ReLU), lambda depth: depth - 1),
        ("biases in front of a batch norm", doubled_biases, 0),
        ("output shape for 1×1×9×12", output_shape, [1, 1, 9, 12]),
    ]
    try:
        function(4)
    except NotImplementedError:
        check(function, [((4,), None)])  # says that it is open
        return
    for question, answer, expected in questions:
        cases = [((d,), expected(d) if callable(expected) else expected) for d in (5, 20)]
        check(about(question, answer), cases)


def what_to_read(function: Callable[[int, int, int, int], tuple[int, int, int]]) -> None:
    """``function(start, stop, length, overlap)``: ``(low, high, skip)`` of a tile.

    To get the rows [start, stop) of the result, read the rows [low, high) of an image that has
    ``length`` of them, and drop the first ``skip`` rows of what the network makes of them.
    """
    cases = {
        (64, 128, 300, 20): (44, 148, 20),
        (0, 64, 300, 20): (0, 84, 0),
        (236, 300, 300, 20): (216, 300, 20),
        (10, 60, 300, 17): (0, 77, 10),
        (0, 50, 50, 20): (0, 50, 0),
        (64, 128, 300, 0): (64, 128, 0),
    }
    check(function, cases.items())
