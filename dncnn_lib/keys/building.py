"""The keys to the exercises of ``lessons.building``."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from ..lessons.check import Answer, asked, check, describe, exercise


@exercise
def field_side(function: Answer, *, seed: int = 0) -> None:
    """(depth, kernel, dilation) → the side of the receptive field in pixels; kernel is odd."""
    depths = np.random.default_rng(seed).permutation(np.arange(2, 26)).tolist()
    kernels = [(3, 1), (5, 1), (7, 1), (3, 2), (5, 3), (1, 1), (1, 2)]
    cases = [(depth, *kernel) for depth, kernel in zip(depths, kernels)] + [(1, 3, 1)]
    mistakes = {
        "this is right for kernels of 3×3 only": lambda d, k, s: 1 + 2 * d * s,
        "does dilation widen the field?": lambda d, k, s: 1 + d * (k - 1),
        "and the pixel in the middle?": lambda d, k, s: d * (k - 1) * s,
        "to which sides does a layer reach?": lambda d, k, s: 1 + d * (k // 2) * s,
        "the last layer sees pixels of the layer before it, not of the image": (
            lambda d, k, s: 1 + (k - 1) * s
        ),
        "neighbouring kernels overlap: what does a layer add?": lambda d, k, s: d * k * s,
        "every layer adds the same; it does not multiply": lambda d, k, s: k**d,
        "is the first layer counted?": lambda d, k, s: 1 + (d - 1) * (k - 1) * s,
        "all layers have this dilation; it does not grow from layer to layer": (
            lambda d, k, s: 1 + (k - 1) * sum(s**n for n in range(d))
        ),
        "this is the area; asked is the side": lambda d, k, s: (1 + d * (k - 1) * s) ** 2,
    }
    check(function, cases, lambda d, k, s: 1 + d * (k - 1) * s, mistakes)


@exercise
def mended_layers(function: Answer, *, seed: int = 0) -> None:
    """(depth) → the layers of a grey DnCNN, 64 wide, as a list or ``nn.Sequential``."""
    depths = np.random.default_rng(seed).permutation(np.arange(4, 21))[:3].tolist()

    def kinds(layers: list[nn.Module]) -> list[str]:
        return [type(layer).__name__ for layer in layers]

    def convolutions(layers: list[nn.Module]) -> list[nn.Conv2d]:
        return [layer for layer in layers if isinstance(layer, nn.Conv2d)]

    def middle(layers: list[nn.Module]) -> list[str]:
        names = kinds(layers)[2 : 3 * len(convolutions(layers)) - 4]
        return sorted({" ".join(names[n : n + 3]) for n in range(0, len(names), 3)})

    def maps(layers: list[nn.Module]) -> list[str]:
        convs = convolutions(layers)
        return list(dict.fromkeys(f"{conv.in_channels}→{conv.out_channels}" for conv in convs))

    def windows(layers: list[nn.Module]) -> list[str]:
        usual = {"stride": (1, 1), "dilation": (1, 1), "groups": 1, "padding_mode": "zeros"}
        found = {}
        for conv in convolutions(layers):
            unusual = (f", {k} {getattr(conv, k)}" for k in usual if getattr(conv, k) != usual[k])
            found["×".join(map(str, conv.kernel_size)) + "".join(unusual)] = True
        return list(found)

    def output_shape(layers: list[nn.Module]) -> list[int]:
        return list(nn.Sequential(*layers).eval()(torch.zeros(1, 1, 9, 12)).shape)

    def doubled_biases(layers: list[nn.Module]) -> int:
        return sum(
            isinstance(after, nn.BatchNorm2d) and getattr(layer, "bias", None) is not None
            for layer, after in pairwise(layers)
        )

    def own_weights(layers: list[nn.Module]) -> int:
        weights = (getattr(layer, "weight", None) for layer in layers)
        return len({id(weight) for weight in weights if weight is not None})

    questions: dict[str, tuple[Answer, Answer, str]] = {
        "number of convolutions": (
            lambda layers: len(convolutions(layers)),
            lambda depth: depth,
            "depth counts all of them, the first and the last included",
        ),
        "first three layers": (
            lambda layers: kinds(layers[:3]),
            lambda _: ["Conv2d", "ReLU", "Conv2d"],
            "what follows the first convolution?",
        ),
        "parts in the middle": (
            middle,
            lambda _: ["Conv2d BatchNorm2d ReLU"],
            "what follows each convolution in the middle, and in which order?",
        ),
        "last two layers": (
            lambda layers: kinds(layers[-2:]),
            lambda _: ["ReLU", "Conv2d"],
            "what follows the last convolution, if noise has both signs?",
        ),
        "feature maps": (maps, lambda _: ["1→64", "64→64", "64→1"], "a grey image, 64 wide"),
        "windows": (windows, lambda _: ["3×3"], "every convolution sees its 3×3 neighbours"),
        "output shape for 1×1×9×12": (
            output_shape,
            lambda _: [1, 1, 9, 12],
            "noise and image have one size: is every layer padded?",
        ),
        "biases in front of a batch norm": (
            doubled_biases,
            lambda _: 0,
            "what becomes of a bias if the mean is subtracted next?",
        ),
        "weights of their own": (
            own_weights,
            lambda depth: 2 * depth - 2,
            "each convolution and each batch norm learns its own; the same object twice does not",
        ),
    }
    kind = "a list of layers or an nn.Sequential"
    for question, (answer, right, hint) in questions.items():
        ask = asked(question, function, lambda layers, _, see=answer: see(_flat(layers)), kind)
        check(ask, [(depth,) for depth in depths], right, hint=hint)


def _flat(layers: Iterable[Any]) -> list[nn.Module]:
    """The layers, and those within them, in order; not those that do nothing."""
    flat: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, (list, tuple, nn.Sequential, nn.ModuleList)):
            flat += _flat(layer)
        elif not isinstance(layer, nn.Module):
            raise TypeError(f"{describe(layer)} is no layer")
        elif not isinstance(layer, nn.Identity):
            flat.append(layer)
    return flat


@exercise
def what_to_read(function: Answer, *, seed: int = 0) -> None:
    """(start, stop, length, overlap) → ``(low, high, skip)`` of a tile.

    To get the rows [start, stop) of the result, read the rows [low, high) of an image that has
    ``length`` of them, and drop the first ``skip`` rows of what the network makes of them.
    """
    near, tile, overlap = np.random.default_rng(seed).integers((3, 40, 11), (10, 70, 30)).tolist()
    length = 4 * tile
    cases = [
        (tile, 2 * tile, length, overlap),
        (0, tile, length, overlap),
        (length - tile, length, length, overlap),
        (near, near + tile, length, overlap),
        (length - tile - near, length - near, length, overlap),
        (0, tile, tile, overlap),
        (near, near + 1, near + 3, 5 * overlap),
        (tile, 2 * tile, length, 0),
    ]

    mistakes = {
        "above the first row there is nothing to read": lambda a, b, n, o: (
            a - o,
            min(b + o, n),
            o,
        ),
        "below the last row there is nothing to read": (
            lambda a, b, n, o: (max(a - o, 0), b + o, min(a, o))
        ),
        "high is the first row that is not read": (
            lambda a, b, n, o: (max(a - o, 0), min(b + o, n) - 1, min(a, o))
        ),
        "near the border, are so many rows read in front of start?": (
            lambda a, b, n, o: (max(a - o, 0), min(b + o, n), o)
        ),
        "skip counts rows of the output, and its first is row low": (
            lambda a, b, n, o: (max(a - o, 0), min(b + o, n), a)
        ),
        "low is where reading begins; how many rows is that before start?": (
            lambda a, b, n, o: (max(a - o, 0), min(b + o, n), max(a - o, 0))
        ),
        "nothing is dropped here": lambda a, b, n, o: (max(a - o, 0), min(b + o, n), 0),
        "the network needs rows below the tile, too": (
            lambda a, b, n, o: (max(a - o, 0), b, min(a, o))
        ),
        "the network needs rows above the tile, too": lambda a, b, n, o: (a, min(b + o, n), 0),
        "the overlap is on each side, not shared by the two": (
            lambda a, b, n, o: (max(a - o // 2, 0), min(b + o // 2, n), min(a, o // 2))
        ),
    }

    def read(start: int, stop: int, length: int, overlap: int) -> tuple[int, int, int]:
        low = max(start - overlap, 0)
        return low, min(stop + overlap, length), start - low

    check(function, cases, read, mistakes)
