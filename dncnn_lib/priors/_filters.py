"""What the trained priors are made of: filters without a mean, and functions of one number."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._blocks import constant, dct


@constant
def dct_filters(size: int) -> Tensor:
    """The DCT basis of blocks of size × size but for the flat one: (size² − 1, size²), orthonormal.

    Any combination of these is a filter that gives 0 for a flat image.
    """
    return torch.kron(dct(size), dct(size))[1:]


def responses(planes: Tensor, filters: Tensor, size: int) -> Tensor:
    """The responses f_i ∗ x where the filter lies inside: (N, K, h·w), h = H − size + 1.

    planes: (N, H, W); filters: (K, size²), row by row. As in networks, ∗ is the correlation.
    """
    return filters @ F.unfold(planes[:, None], size)


def adjoint(values: Tensor, filters: Tensor, size: int, side: tuple[int, int]) -> Tensor:
    """Σ_i f̄_i ∗ v_i, the transpose of ``responses``: (N, K, h·w) → (N, H, W), side = (H, W).

    f̄_i is f_i turned by 180°.
    """
    return F.fold(filters.T @ values, side, size)[:, 0]


class Filters(nn.Module):
    """A stage's filters of size × size, m² − 1 of them: trained combinations of the DCT's."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.coefficients = nn.Parameter(torch.eye(size * size - 1))

    @property
    def filters(self) -> Tensor:
        """(m² − 1, m²), row by row: mean 0, norm 1."""
        return F.normalize(self.coefficients) @ dct_filters(self.size).to(self.coefficients)


class RadialBasis(nn.Module):
    """A trained function of one number for each of ``count`` filters.

    φ_i(z) = Σ_j w_ij exp(−(z − μ_j)² / 2γ²), with centres μ_j in steps of γ from −reach to reach;
    beyond them it stays as it is there. It is evaluated by linear interpolation in a table of
    ``FINE`` steps for each γ, which is off by less than 0.2 % of the weights.

    count: of the functions; reach, width (γ): in the units of z. ``weights``: (count, centres).
    """

    FINE = 8

    def __init__(self, count: int, reach: float, width: float) -> None:
        super().__init__()
        self._half = round(reach / width)
        self.reach = self._half * width
        self.weights = nn.Parameter(torch.zeros(count, 2 * self._half + 1))

    @torch.no_grad()
    def become(self, wanted: Tensor) -> None:
        """Take the weights that come nearest to a function, given at ``points``."""
        gaussians = _gaussians(self._half, self.FINE).double()
        fit = torch.linalg.lstsq(gaussians, wanted.double()[:, None]).solution
        self.weights.copy_(fit.T.expand_as(self.weights))

    @property
    def points(self) -> Tensor:
        """Where the table has its values, on the CPU: from −reach to reach."""
        count = 2 * self._half * self.FINE + 1
        return torch.linspace(-self.reach, self.reach, count, device="cpu")

    def table(self) -> Tensor:
        """The functions at ``points``: (count, points)."""
        return self.weights @ _gaussians(self._half, self.FINE).to(self.weights).T

    def forward(self, z: Tensor) -> Tensor:
        """φ_i(z) for z (N, count, places), of the same shape."""
        return _Interpolation.apply(z, self.table(), self.reach)


@constant
def _gaussians(half: int, fine: int) -> Tensor:
    """Those of width 1 around −half … half (columns), in steps of 1 / fine (rows)."""
    steps = torch.arange(-half * fine, half * fine + 1)[:, None] / fine
    return torch.exp(-((steps - torch.arange(-half, half + 1)) ** 2) / 2)


class _Interpolation(torch.autograd.Function):
    """Row i of ``table``, from −reach to reach, at z (N, i, places); with gradients for both."""

    @staticmethod
    def forward(ctx, z: Tensor, table: Tensor, reach: float) -> Tensor:
        rows, last = table.shape[0], table.shape[1] - 1
        place = z.add(reach).mul_(last / (2 * reach)).clamp_(0, last)
        left = place.floor().clamp_(max=last - 1)
        part = place.sub_(left)
        index = left.to(torch.int32) + torch.arange(
            0, rows * (last + 1), last + 1, dtype=torch.int32, device=z.device
        ).view(-1, 1)
        flat, index = table.reshape(-1), index.reshape(-1)
        low = flat.index_select(0, index).view_as(z)
        slope = (flat[1:] - flat[:-1]).index_select(0, index).view_as(z)
        ctx.save_for_backward(z, index, part, slope)
        ctx.reach, ctx.shape = reach, table.shape
        return torch.addcmul(low, part, slope)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        z, index, part, slope = ctx.saved_tensors
        rows, points = ctx.shape
        inside = z.abs() < ctx.reach
        of_z = gradient * slope * inside * ((points - 1) / (2 * ctx.reach))
        right = (gradient * part).reshape(-1)
        both = gradient.reshape(-1) - right
        of_table = torch.bincount(index, both, rows * points)
        of_table[1:] += torch.bincount(index, right, rows * points)[:-1]
        return of_z, of_table.view(rows, points).to(z.dtype), None
