"""Bicubic resizing as MATLAB's ``imresize`` does it, by which the literature makes its images."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import Tensor

from . import _check


def resize(image: Tensor, size: tuple[int, int], scale: float | None = None) -> Tensor:
    """Bicubic resizing as MATLAB's ``imresize``: a = −1/2, antialiased, symmetric borders.

    image: (..., H, W). size: the new (height, width). scale: the factor, where it is not exactly
    the ratio of the sizes (MATLAB's ``imresize(x, scale)`` rounds the size up, not the factor).
    """
    if not image.is_floating_point():
        _check.fail("image's dtype", image.dtype, "floating point")
    height, width = (_check.integer("size", s, at_least=1) for s in size)
    old_height, old_width = image.shape[-2:]
    rows = _weights(old_height, height, float(scale or height / old_height)).to(image)
    columns = _weights(old_width, width, float(scale or width / old_width)).to(image)
    return rows @ image @ columns.T


@functools.lru_cache(maxsize=128)
def _weights(size: int, new_size: int, scale: float) -> Tensor:
    """The matrix (new_size, size) that resizes a line."""
    stretch = min(scale, 1.0)  # below 1: widen the kernel, which is the antialiasing
    centre = (np.arange(new_size) + 0.5) / scale - 0.5
    taps = int(math.ceil(4 / stretch)) + 2
    index = np.floor(centre - 2 / stretch).astype(int)[:, None] + np.arange(taps)
    distance = np.abs(stretch * (centre[:, None] - index))
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1  # Keys' cubic, a = −1/2
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weight = np.where(distance <= 1, near, np.where(distance <= 2, far, 0.0))
    weight /= weight.sum(1, keepdims=True)
    mirrored = np.concatenate([np.arange(size), np.arange(size)[::-1]])[index % (2 * size)]
    matrix = np.zeros((new_size, size))
    np.add.at(matrix, (np.arange(new_size)[:, None], mirrored), weight)
    return torch.from_numpy(matrix)
