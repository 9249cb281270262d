"""BM3D: similar blocks, stacked, are sparse in a 3-D transform.

Source: Dabov, Foi, Katkovnik, Egiazarian, "Image Denoising by Sparse 3-D Transform-Domain
Collaborative Filtering", IEEE TIP 2007. Written from its formulas and the published parameters.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ._blocks import blocks_at, constant, dct, mirrored, nearest
from ._prior import Prior


@dataclass(frozen=True)
class Stage:
    """How one of the two stages looks for blocks.

    size: of a block, in pixels; stride: between reference blocks; group: the most blocks in a
    group; match: the largest mean squared difference, on the 0–255 scale, of two similar blocks.
    """

    size: int
    stride: int
    group: int
    match: float


@dataclass(frozen=True)
class Profile:
    """threshold: λ, the hard threshold in units of σ; basic, final: the two stages."""

    threshold: float
    basic: Stage
    final: Stage


NORMAL = Profile(2.7, Stage(8, 3, 16, 3000), Stage(8, 3, 32, 400))
"""The authors' "np", for σ up to 40."""

VERY_NOISY = Profile(2.8, Stage(8, 4, 32, 25000), Stage(11, 6, 32, 3500))
"""Their "vn", for more: two noisy copies of one block differ by 2σ² = 3,200 at σ = 40, by which the
normal profile would find nothing."""

REACH = 19
"""Blocks are looked for up to so many pixels away, in 39×39 places."""

BETA = 2.0
"""Of the Kaiser window, by which a block counts less towards its edges."""

REFERENCES = 2048
"""About how many groups are in memory at a time."""

Shrink = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(noisy groups, groups of the guide), (n, k, size²) each → filtered ones, weights (n,)."""


class BM3D(Prior):
    """Block matching and 3-D filtering, in two stages.

    1. Basic estimate. For every reference block: group it with the blocks around it that differ
       least; transform the group, (bior1.5 ⊗ bior1.5) of each block and Haar along the group; set
       coefficients |c| ≤ λσ to 0; transform back.
    2. The same with groups found in the basic estimate, the DCT in place of bior1.5, and Wiener's
       c · ĉ² / (ĉ² + σ²) in place of the threshold; c is of the noisy group, ĉ of the same blocks
       in the basic estimate.

    Both end in a weighted mean of all filtered blocks over each pixel. A block counts by the Kaiser
    window times 1 / (number of coefficients kept), or 1 / Σ (ĉ² / (ĉ² + σ²))²: the cleaner the
    group, the more. Parameters are those of the authors' program: ``NORMAL``, ``VERY_NOISY``.

    Deviations: the image continues beyond its borders as its mirror image, and blocks are found
    there, too; groups are cut to a power of two; strides do not grow where groups are sparse.
    """

    about = "block matching and 3-D filtering (Dabov, Foi, Katkovnik, Egiazarian 2007)"

    def restore(self, plane: Tensor, sigma: float) -> Tensor:
        return self.estimates(plane, sigma)[1]

    def estimates(self, plane: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """The basic and the final estimate of a plane. Arguments as in ``restore``."""
        noisy, level = 255 * plane, 255 * sigma
        profile = NORMAL if level <= 40 else VERY_NOISY
        shrink = functools.partial(hard_threshold, threshold=profile.threshold * level)
        basic = collaborative(noisy, noisy, profile.basic, shrink)
        final = collaborative(noisy, basic, profile.final, functools.partial(wiener, sigma=level))
        return basic / 255, final / 255


# ------------------------------------------------------------------------------ groups and back


def collaborative(noisy: Tensor, guide: Tensor, stage: Stage, shrink: Shrink) -> Tensor:
    """One stage: find groups in the guide, shrink those of the noisy plane, put them back.

    noisy, guide: (H, W). Returns (H, W).
    """
    height, width = noisy.shape
    size, stride = stage.size, stage.stride
    rows, columns = (math.ceil(max(side - size, 0) / stride) + 1 for side in noisy.shape)
    inside = (rows - 1) * stride + size, (columns - 1) * stride + size
    noisy, guide = mirrored(noisy, inside, REACH), mirrored(guide, inside, REACH)
    window = torch.outer(*2 * [_kaiser(size, noisy.device)])
    total = torch.zeros(2, *noisy.shape, device=noisy.device)
    step = max(REFERENCES // columns, 1)
    for row in range(0, rows, step):
        below = min(row + step, rows)
        band = slice(row * stride, (below - 1) * stride + size + 2 * REACH)
        total[:, band] += _filtered_band(noisy[band], guide[band], stage, shrink, window)
    total = total[:, REACH : REACH + height, REACH : REACH + width]
    return total[0] / total[1]


def _filtered_band(
    noisy: Tensor, guide: Tensor, stage: Stage, shrink: Shrink, window: Tensor
) -> Tensor:
    """Of the references in a band: the sum of the weighted blocks and of the weights, (2, h, w)."""
    size = stage.size
    found, counts = match(guide, stage)
    places = [side - size + 1 for side in noisy.shape]
    blocks = torch.zeros(places[0] * places[1], size * size, device=noisy.device)
    weights = torch.zeros(places[0] * places[1], device=noisy.device)
    for count in (2**power for power in range(stage.group.bit_length())):
        group = found[counts == count, :count]
        if len(group):
            filtered, weight = shrink(blocks_at(noisy, group, size), blocks_at(guide, group, size))
            weight = weight[:, None].expand(-1, count)
            blocks.index_add_(0, group.flatten(), (weight[..., None] * filtered).flatten(0, 1))
            weights.index_add_(0, group.flatten(), weight.flatten())
    blocks *= window.flatten()
    value = F.fold(blocks.T[None], tuple(noisy.shape), size)[0, 0]
    weight = F.conv_transpose2d(weights.reshape(1, 1, *places), window[None, None])[0, 0]
    return torch.stack([value, weight])


def match(guide: Tensor, stage: Stage) -> tuple[Tensor, Tensor]:
    """The groups of the reference blocks of a band, as ``nearest`` finds them.

    guide: (h, w) with ``REACH`` pixels around the blocks of the grid. Returns the places (n, group)
    and how many of them to take (n,), a power of two.
    """
    found, differences = nearest(guide, stage.size, stage.stride, REACH, stage.group)
    similar = (differences <= stage.match).sum(1)
    return found, 2 ** similar.log2().floor().long()


# ---------------------------------------------------------------------------- shrinking a group


def hard_threshold(noisy: Tensor, guide: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Stage 1: coefficients of at most ``threshold`` become 0."""
    across = haar(noisy.shape[1]).to(noisy)
    block = bior(math.isqrt(noisy.shape[2])).to(noisy)
    block = torch.kron(block, block)
    spectrum = across @ (noisy @ block.T)
    kept = spectrum.abs() > threshold
    weight = 1 / kept.sum((1, 2)).clamp(min=1)
    return across.T @ (spectrum * kept) @ torch.linalg.inv(block).T, weight


def wiener(noisy: Tensor, guide: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Stage 2: coefficients shrink by what the guide says of signal and noise."""
    across = haar(noisy.shape[1]).to(noisy)
    block = dct(math.isqrt(noisy.shape[2])).to(noisy)
    block = torch.kron(block, block)
    power = (across @ (guide @ block.T)) ** 2
    gain = power / (power + sigma**2)
    weight = 1 / (gain * gain).sum((1, 2)).clamp(min=1e-6)
    return across.T @ (gain * (across @ (noisy @ block.T))) @ block, weight


@constant
def haar(n: int) -> Tensor:
    """The orthonormal Haar transform of length n, a power of two, as a matrix (n, n)."""
    if n == 1:
        return torch.ones(1, 1)
    half = n // 2
    low = torch.kron(haar(half), torch.tensor([[1.0, 1.0]]))
    high = torch.kron(torch.eye(half), torch.tensor([[1.0, -1.0]]))
    return torch.cat([low, high]) / math.sqrt(2)


_BIOR_LOW = (3, -3, -22, 22, 128, 128, 22, -22, -3, 3)
"""256/√2 times the low-pass filter of the biorthogonal wavelet 1.5 (Cohen, Daubechies, Feauveau
1992); its high-pass filter is Haar's."""


@constant
def bior(n: int) -> Tensor:
    """The biorthogonal wavelet transform 1.5 of length n, a power of two, as a matrix (n, n).

    All levels, periodic, rows of norm 1, so that white noise keeps its strength in every
    coefficient. Not orthogonal: its inverse is not its transpose.
    """
    levels, low = [], torch.eye(n, dtype=torch.float64)
    for length in (n >> level for level in range(n.bit_length() - 1)):
        step = torch.zeros(2, length // 2, length, dtype=torch.float64)
        for i in range(length // 2):
            for k, value in enumerate(_BIOR_LOW):
                step[0, i, (2 * i + k - 4) % length] += value * math.sqrt(2) / 256
            step[1, i, 2 * i], step[1, i, 2 * i + 1] = 0.5**0.5, -(0.5**0.5)
        levels.append(step[1] @ low)
        low = step[0] @ low
    matrix = torch.cat([low, *reversed(levels)])
    return (matrix / matrix.norm(dim=1, keepdim=True)).float()


def _kaiser(n: int, device: torch.device) -> Tensor:
    return torch.kaiser_window(n, periodic=False, beta=BETA, device=device)
