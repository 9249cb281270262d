"""Clean training patches, cut at random from images that are held in memory as 8-bit integers."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from . import _check
from .images import as_uint8


class PatchSampler:
    """Random crops with flips and quarter turns, drawn on the fly, all of a batch in one gather.

    Parameters
    ----------
    images: arrays (H, W) or (H, W, 3), uint8 or floating point in [0, 1], all grey or all colour.
    patch_size: side p of the square patches, in pixels.
    augment: flip and rotate by multiples of 90°, all eight equally likely.
    device: where the images are kept and the patches are made.

    Every position of every image is equally likely. Images smaller than a patch raise
    ``ValueError`` with their index.
    """

    def __init__(
        self,
        images: Sequence[np.ndarray],
        patch_size: int = 40,
        *,
        augment: bool = True,
        device: str | torch.device = "cpu",
    ) -> None:
        self.patch_size = _check.integer("patch_size", patch_size, at_least=1)
        self.augment = bool(augment)
        if len(images) == 0:
            raise ValueError("images is empty, but must hold at least one image")
        pictures = [_to_uint8(image, index) for index, image in enumerate(images)]
        depths = {picture.shape[2] for picture in pictures}
        if len(depths) > 1:
            raise ValueError("images mixes grey and colour, but must be all grey or all colour")
        self.channels = depths.pop()

        for index, (height, width, _) in enumerate(picture.shape for picture in pictures):
            if min(height, width) < self.patch_size:
                raise ValueError(
                    f"images[{index}] is {height}×{width} pixels, but must be at least "
                    f"patch_size={self.patch_size} in both directions"
                )
        flat = [picture.reshape(-1, self.channels) for picture in pictures]
        sizes = [picture.shape[:2] for picture in pictures]
        lengths = [len(f) for f in flat]
        pixels = np.ascontiguousarray(np.concatenate(flat))  # (all pixels, C) uint8
        self._pixels = torch.from_numpy(pixels).to(device)
        self._starts = torch.tensor([0, *np.cumsum(lengths)[:-1]], device=device)
        self._sizes = torch.tensor(sizes, device=device)  # (images, 2): height, width
        places = self._sizes - self.patch_size + 1
        self._cumulative = (places[:, 0] * places[:, 1]).cumsum(0)

    def __len__(self) -> int:
        """The number of different positions that a patch can be cut from."""
        return int(self._cumulative[-1])

    @functools.cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the images as they are offered: sizes and pixels."""
        digest = hashlib.sha256(self._sizes.cpu().numpy().tobytes())
        digest.update(self._pixels.cpu().numpy().data)
        return digest.hexdigest()

    def sample(self, batch_size: int, generator: torch.Generator) -> Tensor:
        """A batch of clean patches: (batch_size, C, p, p) float32 in [0, 1]."""
        batch_size = _check.integer("batch_size", batch_size, at_least=1)
        device, p = self._pixels.device, self.patch_size
        place = torch.randint(len(self), (batch_size,), generator=generator, device=device)
        image = torch.searchsorted(self._cumulative, place, right=True)
        place = place - torch.where(image > 0, self._cumulative[image - 1], 0)
        width = self._sizes[image, 1]
        columns = width - p + 1
        top, left = place // columns, place % columns

        grid = torch.arange(p, device=device)
        row = grid[None, :, None].expand(batch_size, p, p)
        column = grid[None, None, :].expand(batch_size, p, p)
        if self.augment:
            flips = torch.randint(2, (3, batch_size, 1, 1), generator=generator, device=device) > 0
            row, column = torch.where(flips[0], column, row), torch.where(flips[0], row, column)
            row = torch.where(flips[1], p - 1 - row, row)
            column = torch.where(flips[2], p - 1 - column, column)
        offset = (self._starts[image] + top * width + left)[:, None, None]
        index = offset + row * width[:, None, None] + column
        return self._pixels[index].permute(0, 3, 1, 2).float() / 255


def _to_uint8(image: np.ndarray, index: int) -> np.ndarray:
    """An image as (H, W, C) uint8."""
    if not isinstance(image, np.ndarray) or image.ndim not in (2, 3):
        shape = getattr(image, "shape", type(image).__name__)
        _check.fail(f"images[{index}]", shape, "an array (H, W) or (H, W, 3)")
    if 0 in image.shape or (image.ndim == 3 and image.shape[2] not in (1, 3)):
        _check.fail(f"images[{index}]'s shape", image.shape, "(H, W) or (H, W, 3)")
    if image.dtype != np.uint8:
        if not np.issubdtype(image.dtype, np.floating):
            _check.fail(f"images[{index}]'s dtype", str(image.dtype), "uint8 or floating point")
        if not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
            _check.fail(
                f"images[{index}]'s range",
                (float(image.min()), float(image.max())),
                "within [0, 1]",
            )
        image = as_uint8(image)
    return image.reshape(*image.shape[:2], -1)
