"""Blocks of a plane, and which of them are alike."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def mirrored(plane: Tensor, inside: tuple[int, int], reach: int) -> Tensor:
    """The plane (..., h, w) continued to the size ``inside``, and by ``reach`` more on each side.

    It goes on as its mirror image, in which the pixels at the border are seen twice.
    """
    for axis, side in zip((-2, -1), inside):
        length = plane.shape[axis]
        pad = (reach, side - length + reach)
        places = torch.from_numpy(np.pad(np.arange(length), pad, mode="symmetric"))
        plane = plane.index_select(axis, places.to(plane.device))
    return plane


def blocks_at(plane: Tensor, places: Tensor, size: int) -> Tensor:
    """The blocks of size × size pixels at these places: (n, k) → (n, k, size²).

    plane: (h, w); a place is row · (w − size + 1) + column of a block's first pixel.
    """
    views = plane.unfold(0, size, 1).unfold(1, size, 1)
    rows, columns = places // views.shape[1], places % views.shape[1]
    return views[rows, columns].flatten(-2)


def nearest(guide: Tensor, size: int, stride: int, reach: int, count: int) -> tuple[Tensor, Tensor]:
    """The blocks that are most similar to each reference block, at most ``reach`` pixels away.

    guide: (h, w), the blocks of the grid and ``reach`` pixels around them. Returns places (n,
    count) as in ``blocks_at``, the reference itself first and then the most similar ones, and their
    mean squared differences, −1 for itself. Those to all places at once are |a|² + |b|² − 2 a·b
    over size², where a·b is the correlation of the window with the reference.
    """
    area = 2 * reach + 1
    centred = guide - guide.mean()
    windows = centred.unfold(0, size + 2 * reach, stride).unfold(1, size + 2 * reach, stride)
    grid = windows.shape[:2]
    windows = windows.flatten(0, 1)
    references = windows[:, reach : reach + size, reach : reach + size].unsqueeze(1)
    products = F.conv2d(windows[None], references, groups=len(references))[0].flatten(1)
    energy = F.avg_pool2d((centred * centred)[None], size, 1)[0]
    energies = energy.unfold(0, area, stride).unfold(1, area, stride).reshape(-1, area * area)
    itself = area * area // 2
    differences = energies + energies[:, itself, None] - products * (2 / size**2)
    differences[:, itself] = -1
    differences, order = differences.topk(min(count, area * area), largest=False, sorted=True)
    top, left = (torch.arange(n, device=guide.device) * stride for n in grid)
    corner = (top[:, None] * energy.shape[1] + left).reshape(-1, 1)
    return corner + order // area * energy.shape[1] + order % area, differences


def constant(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """For a function of numbers whose tensor never changes: it is made once, on the CPU and fit for
    training, whatever mode and default device are in force where it is first asked for."""

    @functools.cache
    def made(*numbers: int) -> Tensor:
        with torch.inference_mode(False), torch.device("cpu"):
            return make(*numbers)

    return functools.wraps(make)(made)


@constant
def dct(n: int) -> Tensor:
    """The orthonormal DCT-II of length n as a matrix (n, n): √(2/n) cos(π (2j + 1) i / 2n), the
    first row divided by √2."""
    j = torch.arange(n, dtype=torch.float64)
    i = j[:, None]
    matrix = math.sqrt(2 / n) * torch.cos(math.pi * (2 * j + 1) * i / (2 * n))
    matrix[0] /= math.sqrt(2)
    return matrix.float()
