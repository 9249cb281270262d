"""The first denoising CNN: four hidden layers of logistic units, and no residual.

Source: Jain, Seung, "Natural Image Denoising with Convolutional Networks", NIPS 2008.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import _check
from ._blocks import constant
from ._prior import TrainedPrior

SIZE, WIDTH, INPUTS, HIDDEN = 5, 24, 8, 4
"""Side of the filters, maps in each hidden layer, maps that each sees, and hidden layers."""

OUTSIDE = -1.0
"""What the network sees around the image."""


class JainSeung(TrainedPrior):
    """x̂ = w ∗ a_4 + b with a_l = logistic(w_l ∗ a_{l−1} + b_l) and a_0 = y.

    Four hidden layers of 24 maps and filters of 5×5; from the second layer on each map sees eight
    maps of the layer before, drawn once by lot. 15,697 parameters for each level. It returns the
    image itself. What lies around the image is −1.

    levels: noise levels on the 0–255 scale, each with its own network, as in ``TrainedPrior``;
    seed: of the lot.

    Deviations, today's training: weights that begin with the variance that logistic units need,
    Adam, large patches in batches, all layers at once; the paper grew the network layer by layer,
    with one 6×6 patch of each of six images in an update.
    """

    about = "the first denoising CNN (Jain, Seung 2008)"

    def __init__(self, levels: Sequence[float] = (15, 25, 50), seed: int = 0) -> None:
        self.seed = _check.seed("seed", seed)
        super().__init__(levels)

    @property
    def config(self) -> dict[str, Any]:
        return {"levels": list(self.levels), "seed": self.seed}

    @property
    def receptive_field(self) -> int:
        return 1 + (HIDDEN + 1) * (SIZE - 1)

    def part(self, level: float) -> nn.Module:
        return LogisticNetwork(self.seed)


class LogisticNetwork(nn.Module):
    """Jain and Seung's network for one noise level: planes (N, H, W) to restored ones."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed
        inputs = [1] + [INPUTS] * (HIDDEN - 1) + [WIDTH]
        outputs = [WIDTH] * HIDDEN + [1]
        self.weights = nn.ParameterList(
            nn.Parameter(torch.empty(o, i, SIZE, SIZE)) for o, i in zip(outputs, inputs)
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(o)) for o in outputs)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """N(0, 16 / inputs) in the hidden layers, because the slope of a logistic unit is 1/4; a
        small last layer, with the mean of photographs as its bias."""
        with torch.no_grad():
            for weight, bias in zip(self.weights, self.biases):
                fan = weight[0].numel()
                gain = 4 if weight.shape[0] > 1 else 0.5
                weight.normal_(0, gain / math.sqrt(fan), generator=generator)
                bias.copy_(-weight.sum((1, 2, 3)) / 2)
            self.biases[-1] += 0.45

    def dense(self, layer: int) -> Tensor:
        """The weights of a layer (outputs, inputs, 5, 5), with zeros where no map is seen."""
        weight = self.weights[layer]
        if not 0 < layer < HIDDEN:
            return weight
        seen = maps_seen(self.seed)[layer - 1].to(weight.device)
        rows = torch.arange(WIDTH, device=weight.device)[:, None]
        full = weight.new_zeros(WIDTH, WIDTH, SIZE, SIZE)
        return full.index_put((rows, seen), weight)

    def forward(self, noisy: Tensor) -> Tensor:
        reach = (HIDDEN + 1) * (SIZE - 1) // 2
        a = F.pad(noisy[:, None], (reach,) * 4, value=OUTSIDE)
        a = a.contiguous(memory_format=torch.channels_last)
        for layer, bias in enumerate(self.biases):
            a = F.conv2d(a, self.dense(layer), bias)
            if layer < HIDDEN:
                a = torch.sigmoid(a)
        return a[:, 0]


@constant
def maps_seen(seed: int) -> Tensor:
    """By lot: which maps of the layer before each map of the layers 1, 2 and 3 sees, (3, 24, 8)."""
    generator = torch.Generator().manual_seed(seed)
    lots = [torch.randperm(WIDTH, generator=generator) for _ in range((HIDDEN - 1) * WIDTH)]
    return torch.stack(lots)[:, :INPUTS].view(HIDDEN - 1, WIDTH, INPUTS)
