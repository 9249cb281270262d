"""CSF: cascade of shrinkage fields, half-quadratic optimisation whose steps are learned.

Source: Schmidt, Roth, "Shrinkage Fields for Effective Image Restoration", CVPR 2014. Written from
its formulas and published parameters.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._filters import Filters, RadialBasis
from ._prior import StagedPrior

REACH, WIDTH = 260 / 255, 10 / 255
"""Of the centres of the shrinkage functions, and their distance: 53 Gaussians."""

BORDER = 10
"""Pixels by which the image is continued, because the Fourier transform sees it as periodic."""


class CSF(StagedPrior):
    """x_t = F⁻¹[ (λ F y + Σ_i F̄_i · F π_i(f_i ∗ x_{t−1})) / (λ + Σ_i |F_i|²) ], from x_0 = y.

    The filters' responses are shrunk by functions π_i; what solves the least-squares problem "the
    responses are these, and the image is near y" is found at once, in the Fourier transform F; F_i
    is that of the filter f_i. Every stage has filters, shrinkage functions and a λ of its own, and
    all are learned together from pairs of noisy and clean images.

    size: m, of the filters; there are m² − 1, of mean 0 and norm 1; stages: how many; levels: noise
    levels on the 0–255 scale, each with its own parameters, as in ``TrainedPrior``. π_i: 53
    Gaussians (``RadialBasis``). The pixels at the border are repeated ten times before each stage.

    Deviations: trained by Adam, all stages at once, on noise that is new in every step, where the
    paper has L-BFGS, stage by stage.
    """

    about = "cascade of shrinkage fields (Schmidt, Roth 2014)"

    def part(self, level: float) -> nn.Module:
        return Cascade(self.size, self.stages)


class Cascade(nn.Module):
    """CSF for one noise level: planes (N, H, W) to restored ones."""

    def __init__(self, size: int, stages: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(Stage(size) for _ in range(stages))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """DCT filters, π_i that leave large responses as they are, and λ = 1. Nothing is random."""
        for stage in self.stages:
            stage.reset()

    def forward(self, noisy: Tensor) -> Tensor:
        x = noisy
        for stage in self.stages:
            x = stage(x, noisy)
        return x


class Stage(Filters):
    """One stage x, y → x."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.shrinkage = RadialBasis(size * size - 1, REACH, WIDTH)
        self.log_trust = nn.Parameter(torch.tensor(0.0))

    @torch.no_grad()
    def reset(self) -> None:
        self.coefficients.copy_(torch.eye(len(self.coefficients)))
        z = self.shrinkage.points
        self.shrinkage.become(z * (1 - torch.exp(-((z * 255 / 10) ** 2) / 2)))
        self.log_trust.zero_()

    def forward(self, x: Tensor, noisy: Tensor) -> Tensor:
        x, y = _continued(x), _continued(noisy)
        side = x.shape[-2:]
        filters = self.filters.view(-1, self.size, self.size)
        spectra = torch.fft.rfft2(filters, s=side).conj()  # the conjugate: of the correlation
        found = torch.fft.irfft2(spectra * torch.fft.rfft2(x)[:, None], s=side)
        shrunk = self.shrinkage(found.flatten(2)).view_as(found)
        trust = self.log_trust.exp()
        above = trust * torch.fft.rfft2(y) + (spectra.conj() * torch.fft.rfft2(shrunk)).sum(1)
        below = trust + (spectra.real**2 + spectra.imag**2).sum(0)
        solved = torch.fft.irfft2(above / below, s=side)
        return solved[:, BORDER:-BORDER, BORDER:-BORDER]


def _continued(planes: Tensor) -> Tensor:
    return F.pad(planes[:, None], (BORDER,) * 4, mode="replicate")[:, 0]
