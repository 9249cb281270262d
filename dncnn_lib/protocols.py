"""How the papers measure: from a clean image and a level to one number of a table.

The protocols are those of the authors' test code (``Demo_test_DnCNN3.m`` of cszn/DnCNN), but that
no restored image is rounded to 8 bits. ``PROTOCOLS`` says each in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from . import _check
from .degrade import GaussianNoise, JPEGCompression, resize
from .engine import Score, score
from .images import as_batch
from .metrics import luma


@dataclass(frozen=True)
class Case:
    """One image of a table: what the network gets, (H, W) or (H, W, 3), what the answer is compared
    with, and how many pixels on each side are left out."""

    degraded: np.ndarray
    clean: np.ndarray
    border: int = 0


@dataclass(frozen=True)
class Task:
    """One kind of table. parameter: what its ``levels`` are, those of the paper; case: (image,
    level, seed) → ``Case``."""

    name: str
    parameter: str
    levels: tuple[int, ...]
    case: Callable[[np.ndarray, float, int], Case]


PROTOCOLS = {
    "gaussian": (
        "Gaussian noise of standard deviation sigma on the 0-255 scale, drawn on the CPU with the "
        "seed 0 + the number of the image in its set, from 0; the noisy image is neither clipped "
        "nor rounded, the restored one is clipped to [0, 1] and not rounded; mean over the images"
    ),
    "super-resolution": (
        "The image is cropped to a multiple of the scale, reduced by it (bicubic, antialiased, as "
        "MATLAB does), rounded to 8 bits and enlarged again; the network gets the luma (MATLAB's "
        "rgb2ycbcr) of that and is compared with the luma of the original, but for a border as "
        "wide as the scale; not rounded; mean over the images"
    ),
    "deblocking": (
        "The luma (MATLAB's rgb2ycbcr), rounded to 8 bits, is coded as a grey JPEG of that quality "
        "(libjpeg); the restored image is not rounded; mean over the images"
    ),
}


def gaussian_case(image: np.ndarray, sigma: float, seed: int = 0) -> Case:
    """image: (H, W) or (H, W, 3), float32 in [0, 1]; sigma: on the 0–255 scale."""
    clean, restore = as_batch(image)
    return Case(restore(GaussianNoise(sigma)(clean, torch.Generator().manual_seed(seed))), image)


def super_resolution_case(image: np.ndarray, scale: int, seed: int = 0) -> Case:
    """image: (H, W) or (H, W, 3), float32 in [0, 1]; scale: an integer of at least 2."""
    scale = _check.integer("scale", int(scale) if scale == int(scale) else scale, at_least=2)
    height, width = (side - side % scale for side in image.shape[:2])
    if not height or not width:
        _check.fail("image's size", image.shape[:2], f"at least {scale}×{scale}")
    image = image[:height, :width]
    planes = torch.from_numpy(np.atleast_3d(image)).double().permute(2, 0, 1)
    small = _rounded(resize(planes, (height // scale, width // scale)))
    large = resize(small, (height, width))
    if image.ndim == 2:  # as the authors do for grey images
        large = _rounded(large)
    enlarged = large.permute(1, 2, 0).numpy()
    clean = image.astype(np.float64)
    pair = (luma(enlarged), luma(clean)) if image.ndim == 3 else (enlarged[..., 0], clean)
    return Case(*(part.astype(np.float32) for part in pair), border=scale)


def deblocking_case(image: np.ndarray, quality: int, seed: int = 0) -> Case:
    """image: (H, W) or (H, W, 3), float32 in [0, 1]; quality: of JPEG, 1 to 100."""
    grey = luma(image.astype(np.float64)) if image.ndim == 3 else image
    clean = _rounded(torch.from_numpy(grey)).float()
    coded = JPEGCompression(quality)(clean[None, None], torch.Generator())
    return Case(coded[0, 0].numpy(), clean.numpy())


def _rounded(image: torch.Tensor) -> torch.Tensor:
    """To 8 bits, halves away from zero as in MATLAB."""
    return (image.clamp(0, 1) * 255 + 0.5).floor() / 255


TASKS = {
    task.name: task
    for task in (
        Task("gaussian", "sigma", (15, 25, 50), gaussian_case),
        Task("super-resolution", "scale", (2, 3, 4), super_resolution_case),
        Task("deblocking", "quality", (10, 20, 30, 40), deblocking_case),
    )
}


def score_image(
    model: nn.Module, image: np.ndarray, task: str, level: float, *, seed: int = 0
) -> Score:
    """Degrade, restore and compare one image by the protocol of a task.

    image: (H, W) or (H, W, 3), float32 in [0, 1] or uint8; of the tasks other than "gaussian" a
    colour image is measured on its luma. Raises ``ValueError`` for an unknown task or a level it
    cannot have.
    """
    _check.one_of("task", task, tuple(TASKS))
    if image.dtype == np.uint8:
        image = image.astype(np.float32) / 255
    case = TASKS[task].case(image, level, seed)
    return score(model, case.degraded, case.clean, border=case.border)


def scores(
    model: nn.Module, images: Mapping[str, np.ndarray], task: str, level: float
) -> list[Score]:
    """One ``Score`` for each image; noise has the seed 0 + the number of the image, from 0."""
    return [
        score_image(model, image, task, level, seed=number)
        for number, image in enumerate(images.values())
    ]
