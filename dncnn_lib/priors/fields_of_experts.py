"""Fields of experts: a Markov random field with learned filters, and the minimum of its energy.

Sources: Roth, Black, "Fields of Experts", IJCV 2009; for the training Samuel, Tappen, "Learning
Optimized MAP Estimates in Continuously-Valued MRF Models", CVPR 2009, and Chen, Ranftl, Pock,
"Insights into Analysis Operator Learning", IEEE TIP 2014.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .. import _check
from ._blocks import mirrored
from ._filters import adjoint, dct_filters, responses
from ._prior import Prior, checked_levels

BORDER = 6
"""Pixels by which the image is continued as its mirror image."""

STEPS, PAIRS = 100, 8
"""Of L-BFGS: the most steps, and the pairs of differences that it keeps."""

SOLVER_STEPS = 40
"""The most steps of the conjugate gradients in training."""


class FieldsOfExperts(Prior):
    """x̂ = argmin_x Σ_i α_i Σ_p log(1 + (f_i ∗ x)²_p) + λ(σ) / 2σ² · ‖x − y‖².

    The first sum is the Gibbs energy of an image: −log of its probability, up to a constant, in a
    Markov random field whose cliques are the windows of size × size pixels. Each filter f_i is an
    expert that finds large responses improbable, but, as they do occur in photographs, not as
    improbable as a Gaussian would. One field serves all noise levels. L-BFGS minimises, from x = y.

    size: m, of the filters; there are m² − 1, of mean 0. levels: noise levels on the 0–255 scale at
    which the weight λ of the data is learned; between them it is interpolated, and beyond them it
    stays.

    Training, after Samuel and Tappen: filters, α and λ are such that the minimum itself has little
    squared error. Its derivative by a parameter θ is −H⁻¹ ∂∇E/∂θ, H the Hessian at the minimum; the
    system is solved by conjugate gradients. Deviation from Roth and Black: they learn the same kind
    of energy as a probability of images, by contrastive divergence. Its minimum is too smooth, so
    that one has to stop on the way there; ours can be reached.
    """

    about = "fields of experts, a Markov random field (Roth, Black 2009; Samuel, Tappen 2009)"

    def __init__(self, size: int = 5, levels: Sequence[float] = (15, 25, 50)) -> None:
        super().__init__()
        self.size = _check.integer("size", size, at_least=2)
        self.levels = checked_levels(levels)
        count = self.size**2 - 1
        self.coefficients = nn.Parameter(torch.eye(count))
        self.log_weights = nn.Parameter(torch.empty(count))
        self.log_trust = nn.Parameter(torch.empty(len(self.levels)))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """The filters of the DCT, for which a response of 20 grey levels is large; α = 0.05 and
        λ = 1. Nothing is random."""
        self.coefficients.copy_(torch.eye(len(self.coefficients)))
        self.log_weights.copy_(torch.tensor(0.05).log())
        self.log_trust.zero_()

    @property
    def config(self) -> dict[str, Any]:
        return {"size": self.size, "levels": list(self.levels)}

    @property
    def filters(self) -> Tensor:
        """f_i, (m² − 1, m²), for images in [0, 1]."""
        return self.coefficients @ dct_filters(self.size).to(self.coefficients) * (255 / 20)

    def trust(self, sigma: float) -> Tensor:
        """λ(σ) / σ², σ in units of [0, 1]."""
        place = float(np.interp(np.log(255 * sigma), np.log(self.levels), range(len(self.levels))))
        low = min(int(place), max(len(self.levels) - 2, 0))
        high = min(low + 1, len(self.levels) - 1)
        return torch.lerp(self.log_trust[low], self.log_trust[high], place - low).exp() / sigma**2

    def restore(self, plane: Tensor, sigma: float) -> Tensor:
        noisy = mirrored(plane, plane.shape, BORDER)
        x = _Minimum.apply(noisy, self.trust(sigma), self.filters, self.log_weights.exp())
        return x[BORDER:-BORDER, BORDER:-BORDER]

    @torch.no_grad()
    def descent(self, plane: Tensor, sigma: float) -> list[tuple[float, Tensor]]:
        """The energy, and the plane, before and after each step of the minimisation.

        plane: (H, W), float32 around [0, 1]; sigma: above 0, same units. The energy is that of the
        continued plane.
        """
        noisy = mirrored(plane, plane.shape, BORDER)
        field = Field(noisy, self.trust(sigma), self.filters, self.log_weights.exp())
        seen = [noisy]
        field.minimum(seen.append)
        return [(field.energy(x).item(), x[BORDER:-BORDER, BORDER:-BORDER]) for x in seen]


class Field:
    """The energy E(x) = Σ_i α_i Σ_p log(1 + (f_i ∗ x)²_p) + trust / 2 · ‖x − noisy‖² of a plane.

    noisy: (H, W); trust: λ / σ²; filters: (K, size²); weights: α (K,).
    """

    def __init__(self, noisy: Tensor, trust: Tensor, filters: Tensor, weights: Tensor) -> None:
        self.noisy, self.trust, self.filters, self.weights = noisy, trust, filters, weights
        self.size = math.isqrt(filters.shape[1])

    def energy(self, x: Tensor) -> Tensor:
        """In float64: what differs from step to step is small."""
        found = self._responses(x)
        prior = torch.log1p(found * found).sum(1, dtype=torch.float64) @ self.weights.double()
        return prior + self.trust / 2 * ((x - self.noisy) ** 2).sum(dtype=torch.float64)

    def gradient(self, x: Tensor) -> Tensor:
        """∇E: Σ_i f̄_i ∗ [α_i 2z / (1 + z²)] + trust (x − noisy), with z = f_i ∗ x."""
        z = self._responses(x)
        slopes = 2 * self.weights[:, None] * z / (1 + z * z)
        return self._back(slopes) + self.trust * (x - self.noisy)

    def curvature(self, x: Tensor) -> Callable[[Tensor], Tensor]:
        """The Hessian at x, as a function of what it is multiplied with."""
        square = self._responses(x) ** 2
        curves = 2 * self.weights[:, None] * (1 - square) / (1 + square) ** 2

        def product(v: Tensor) -> Tensor:
            return self._back(curves * self._responses(v)) + self.trust * v

        return product

    def _responses(self, x: Tensor) -> Tensor:
        return responses(x[None], self.filters, self.size)[0]

    def _back(self, values: Tensor) -> Tensor:
        return adjoint(values[None], self.filters, self.size, self.noisy.shape)[0]

    @torch.no_grad()
    def minimum(self, watch: Callable[[Tensor], None] | None = None) -> Tensor:
        """The x that L-BFGS reaches from ``noisy``. watch: is given x after each step."""
        from scipy.optimize import minimize

        def planes(flat: np.ndarray) -> Tensor:
            return torch.from_numpy(flat).to(self.noisy).view_as(self.noisy)

        def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
            x = planes(flat)
            return self.energy(x).item(), self.gradient(x).flatten().cpu().double().numpy()

        found = minimize(
            evaluate,
            self.noisy.flatten().cpu().double().numpy(),
            jac=True,
            method="L-BFGS-B",
            callback=None if watch is None else lambda flat: watch(planes(flat.copy())),
            options={"maxiter": STEPS, "maxcor": PAIRS, "ftol": 1e-7, "gtol": 1e-4},
        )
        return planes(found.x)


class _Minimum(torch.autograd.Function):
    """The minimum of a ``Field``, with its derivatives by what the field is made of."""

    @staticmethod
    def forward(ctx, noisy: Tensor, *made_of: Tensor) -> Tensor:
        x = Field(noisy, *made_of).minimum()
        ctx.save_for_backward(x, noisy, *made_of)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx, wanted: Tensor) -> tuple[Tensor, ...]:
        x, noisy, *made_of = ctx.saved_tensors
        through = _solve(Field(noisy, *made_of).curvature(x), wanted)
        with torch.enable_grad():
            made_of = [part.detach().requires_grad_() for part in made_of]
            product = (Field(noisy, *made_of).gradient(x) * through).sum()
        gradients = torch.autograd.grad(product, made_of)
        return made_of[0].detach() * through, *(-gradient for gradient in gradients)


def _solve(matrix: Callable[[Tensor], Tensor], right: Tensor) -> Tensor:
    """The solution of matrix(v) = right by conjugate gradients; they stop where the matrix is seen
    not to be positive, as it may be where the minimum is not quite reached."""
    solution, rest = torch.zeros_like(right), right.clone()
    direction, left = rest, (rest * rest).sum()
    goal = 1e-6 * left
    for _ in range(SOLVER_STEPS):
        product = matrix(direction)
        curve = (direction * product).sum()
        if curve <= 0 or left <= goal:
            break
        solution = solution + left / curve * direction
        rest = rest - left / curve * product
        before, left = left, (rest * rest).sum()
        direction = rest + left / before * direction
    return solution
