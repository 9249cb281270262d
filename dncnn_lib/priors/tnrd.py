"""TNRD: trainable nonlinear reaction diffusion, a few steps of a gradient descent that is learned.

Source: Chen, Pock, "Trainable Nonlinear Reaction Diffusion: A Flexible Framework for Fast and
Effective Image Restoration", IEEE TPAMI 2017. Written from its formulas and published parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._blocks import mirrored
from ._filters import Filters, RadialBasis, adjoint, responses
from ._prior import StagedPrior

REACH, WIDTH = 310 / 255, 10 / 255
"""Of the centres, and their distance, for σ up to ``ORDINARY``; a quarter more above."""

ORDINARY = 25


class TNRD(StagedPrior):
    """u_t = u_{t−1} − Σ_i k̄_i^t ∗ φ_i^t(k_i^t ∗ u_{t−1}) − λ^t (u_{t−1} − y), from u_0 = y.

    One step is a gradient step on an energy, the image's (a field of experts) and that of the
    noise; but every step has filters k_i^t, influence functions φ_i^t and a λ^t of its own, and all
    are learned together from pairs of noisy and clean images. k̄ is k turned by 180°.

    size: m, of the filters; there are m² − 1, of mean 0 and norm 1; stages: steps; levels: noise
    levels on the 0–255 scale, each with its own parameters, as in ``TrainedPrior``. The image goes
    on as its mirror image. φ_i^t: 63 Gaussians (``RadialBasis``), divided by the number of filters.

    Deviations: trained by Adam, all stages at once, on noise that is new in every step, where the
    paper has L-BFGS, first stage by stage; the data term of the first stage, which is 0, is left
    away.
    """

    about = "trainable nonlinear reaction diffusion (Chen, Pock 2017)"

    @property
    def receptive_field(self) -> int:
        """Side of the square of pixels that one depends on: a step sees m − 1 to each side."""
        return 1 + 2 * self.stages * (self.size - 1)

    def part(self, level: float) -> nn.Module:
        return Diffusion(self.size, self.stages, 1 if level <= ORDINARY else 1.25)


class Diffusion(nn.Module):
    """TNRD for one noise level: planes (N, H, W) to restored ones.

    stretch: of the influence functions' range.
    """

    def __init__(self, size: int, stages: int, stretch: float = 1.0) -> None:
        super().__init__()
        self.stages = nn.ModuleList(Step(size, stretch, first=t == 0) for t in range(stages))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """DCT filters; φ of the penalty log(1 + (z / 20)²), ten times as strong in the first stage
        and five times in the second; λ = 0.1. Nothing is random."""
        for number, step in enumerate(self.stages):
            step.reset(strength={0: 10, 1: 5}.get(number, 1))

    def forward(self, noisy: Tensor) -> Tensor:
        u = noisy
        for step in self.stages:
            u = step(u, noisy)
        return u


class Step(Filters):
    """One step u, y → u of size ``size``; in the first one u = y, and there is no λ."""

    def __init__(self, size: int, stretch: float, *, first: bool) -> None:
        super().__init__(size)
        self.influence = RadialBasis(size * size - 1, stretch * REACH, stretch * WIDTH)
        self.log_trust = None if first else nn.Parameter(torch.tensor(0.1).log())

    @torch.no_grad()
    def reset(self, strength: float) -> None:
        self.coefficients.copy_(torch.eye(len(self.coefficients)))
        z = self.influence.points
        slope = 0.005 * strength * len(self.coefficients)
        self.influence.become(slope * z / (1 + (z * 255 / 20) ** 2))
        if self.log_trust is not None:
            self.log_trust.copy_(torch.tensor(0.1).log())

    def reaction(self, u: Tensor) -> Tensor:
        """Σ_i k̄_i ∗ φ_i(k_i ∗ u), (N, H, W)."""
        border = self.size - 1
        padded = mirrored(u, u.shape[-2:], border)
        side = padded.shape[-2:]
        filters = self.filters
        values = self.influence(responses(padded, filters, self.size))
        total = adjoint(values, filters, self.size, side) / len(filters)
        return total[:, border : side[0] - border, border : side[1] - border]

    def forward(self, u: Tensor, noisy: Tensor) -> Tensor:
        change = self.reaction(u)
        if self.log_trust is not None:
            change = change + self.log_trust.exp() * (u - noisy)
        return u - change
