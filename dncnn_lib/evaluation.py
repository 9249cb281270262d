"""Degrade, restore, compare: the one comparison that everything reads, and the papers' protocols.

The protocols are those of the authors' test code (``Demo_test_DnCNN3.m`` of cszn/DnCNN), but that
no restored image is rounded to 8 bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from . import _check
from .camera import PHONE
from .degrade import CameraNoise, GaussianNoise, JPEGCompression, apply
from .images import as_batch, as_float, is_floating
from .metrics import luma, psnr, shave, ssim
from .resize import resize
from .restoring import denoise
from .tasks import Task

Image = TypeVar("Image", np.ndarray, Tensor)


@dataclass(frozen=True, eq=False)
class Comparison:
    """An image before and after: clean x, degraded y, restored x̂, and what can be said of them.

    clean, degraded, restored: arrays (H, W) or (H, W, 3), or tensors (1, C, H, W), all of one
        shape, floating point in units of [0, 1].
    border: pixels on each side that PSNR and SSIM leave out.
    seconds: that the restoring took, where it was timed.

    PSNR (dB) and SSIM are those of the literature: the degraded image is compared as it is, the
    restored one clipped to [0, 1] and not rounded. They are computed when they are first read.
    Raises ``ValueError`` for images of different shapes, and for integers, which clipping destroys.
    """

    clean: Image
    degraded: Image
    restored: Image
    border: int = 0
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("clean", "degraded", "restored"):
            image = getattr(self, name)
            if not is_floating(image):
                shown = str(getattr(image, "dtype", type(image).__name__))
                _check.fail(f"{name}'s dtype", shown, "floating point, values in [0, 1]")
            if image.shape != self.clean.shape:
                rule = f"that of clean, {tuple(self.clean.shape)}"
                _check.fail(f"{name}'s shape", tuple(image.shape), rule)

    def _measured(self, metric: Callable[..., float | Tensor], image: Image) -> float:
        pair = (shave(image, self.border), shave(self.clean, self.border))
        return float(metric(*pair, data_range=1.0))

    @cached_property
    def psnr(self) -> float:
        """Of the restored image."""
        return self._measured(psnr, self.restored.clip(0, 1))

    @cached_property
    def ssim(self) -> float:
        """Of the restored image."""
        return self._measured(ssim, self.restored.clip(0, 1))

    @cached_property
    def degraded_psnr(self) -> float:
        """Of the degraded image."""
        return self._measured(psnr, self.degraded)

    @cached_property
    def degraded_ssim(self) -> float:
        """Of the degraded image."""
        return self._measured(ssim, self.degraded)

    @property
    def gain(self) -> float:
        """By how many dB restoring raised the PSNR."""
        return self.psnr - self.degraded_psnr

    @property
    def noise(self) -> Image:
        """v = y − x: what was added."""
        return self.degraded - self.clean

    @property
    def removed(self) -> Image:
        """v̂ = y − x̂: what the model removed."""
        return self.degraded - self.restored

    @property
    def error(self) -> Image:
        """x̂ − x: what is still wrong."""
        return self.restored - self.clean

    @property
    def summary(self) -> str:
        """The two PSNRs and the gain in words."""
        return f"{self.degraded_psnr:.1f} dB, restored {self.psnr:.1f} dB ({self.gain:+.1f} dB)"


def compare(
    clean: Image,
    degradation: Task,
    model: nn.Module,
    *,
    seed: int = 0,
    sigma: float | None = None,
    precision: str = "fp32",
) -> Comparison:
    """Degrade a clean image, restore it, and compare.

    clean: array (H, W) or (H, W, 3), or tensor (1, C, H, W), floating point in [0, 1].
    degradation, seed: as in ``apply``. model, precision: as in ``denoise``. sigma: what a model
    that takes it is told; None: the degradation's own, if it has one. Errors as in these two.
    """
    degraded = apply(degradation, clean, seed)
    if sigma is None and isinstance(getattr(degradation, "sigma", None), (int, float)):
        sigma = degradation.sigma
    return restored_comparison(clean, degraded, model, sigma=sigma, precision=precision)


def restored_comparison(
    clean: Image,
    degraded: Image,
    model: nn.Module,
    *,
    border: int = 0,
    sigma: float | None = None,
    precision: str = "fp32",
) -> Comparison:
    """Restore a degraded image, timed, and compare it with the clean one. Arguments as above."""
    start = time.perf_counter()
    restored = denoise(degraded, model, sigma=sigma, precision=precision)
    return Comparison(clean, degraded, restored, border, time.perf_counter() - start)


@dataclass(frozen=True)
class Score:
    """A ``Comparison`` in plain numbers: PSNR in dB and SSIM, of the noisy input and the output."""

    psnr: float
    ssim: float
    noisy_psnr: float
    noisy_ssim: float
    seconds: float


def evaluate(
    model: nn.Module,
    images: Sequence[np.ndarray],
    degradation: Task,
    *,
    seed: int = 0,
    precision: str = "fp32",
) -> list[Score]:
    """Degrade each clean image, restore it and compare: one ``Score`` an image.

    images: clean arrays (H, W) or (H, W, 3), float in [0, 1] or uint8. degradation: as in
    ``apply``; image number i is degraded with seed + i. The rest as in ``compare``.
    """
    scores = []
    for index, image in enumerate(images):
        clean, _ = as_batch(image, name=f"images[{index}]")
        number = _check.seed("seed", seed) + index
        found = compare(clean, degradation, model, seed=number, precision=precision)
        scores.append(
            Score(found.psnr, found.ssim, found.degraded_psnr, found.degraded_ssim, found.seconds)
        )
    return scores


# ------------------------------------------------------------------------------------ the protocols


class Case(NamedTuple):
    """One image of a table: what the network gets, (H, W) or (H, W, 3), what the answer is compared
    with, and how many pixels on each side are left out."""

    degraded: np.ndarray
    clean: np.ndarray
    border: int = 0


@dataclass(frozen=True)
class Protocol:
    """How the papers measure one task, from a clean image and a level to one number of a table.

    parameter: what its ``levels`` are, those of the paper; words: the protocol for people; case:
    (image float32 in [0, 1], level, seed) → ``Case``.
    """

    name: str
    parameter: str
    levels: tuple[int, ...]
    words: str
    case: Callable[[np.ndarray, float, int], Case]

    def compare(
        self, model: nn.Module, image: np.ndarray, level: float, *, seed: int = 0
    ) -> Comparison:
        """Degrade, restore and compare one image.

        image: (H, W) or (H, W, 3), float32 in [0, 1] or uint8; but for "gaussian" a colour image is
        measured on its luma. Raises ``ValueError`` for a level that the task cannot have.
        """
        degraded, clean, border = self.case(as_float(image), level, seed)
        sigma = level if self.parameter == "sigma" else None
        return restored_comparison(clean, degraded, model, border=border, sigma=sigma)

    def compare_all(
        self, model: nn.Module, images: Mapping[str, np.ndarray], level: float
    ) -> Iterator[tuple[str, Comparison]]:
        """Each image by name; noise has the seed 0 + the number of the image, from 0."""
        for number, (name, image) in enumerate(images.items()):
            yield name, self.compare(model, image, level, seed=number)


def gaussian_case(image: np.ndarray, sigma: float, seed: int = 0) -> Case:
    """image: (H, W) or (H, W, 3), float32 in [0, 1]; sigma: on the 0–255 scale."""
    return Case(apply(GaussianNoise(sigma), image, seed), image)


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
    clean = _rounded(torch.from_numpy(grey)).float().numpy()
    return Case(apply(JPEGCompression(quality), clean), clean)


def camera_case(image: np.ndarray, iso: float, seed: int = 0) -> Case:
    """image: (H, W) or (H, W, 3), float32 in [0, 1]; iso: of a phone's camera."""
    return Case(apply(CameraNoise(iso, PHONE), image, seed), image)


def _rounded(image: Tensor) -> Tensor:
    """To 8 bits, halves away from zero as in MATLAB."""
    return (image.clamp(0, 1) * 255 + 0.5).floor() / 255


_GAUSSIAN = (
    "Gaussian noise of standard deviation sigma on the 0-255 scale, drawn on the CPU with the "
    "seed 0 + the number of the image in its set, from 0; the noisy image is neither clipped "
    "nor rounded, the restored one is clipped to [0, 1] and not rounded; mean over the images"
)
_SUPER_RESOLUTION = (
    "The image is cropped to a multiple of the scale, reduced by it (bicubic, antialiased, as "
    "MATLAB does), rounded to 8 bits and enlarged again; the network gets the luma (MATLAB's "
    "rgb2ycbcr) of that and is compared with the luma of the original, but for a border as "
    "wide as the scale; not rounded; mean over the images"
)
_DEBLOCKING = (
    "The luma (MATLAB's rgb2ycbcr), rounded to 8 bits, is coded as a grey JPEG of that quality "
    "(libjpeg); the restored image is not rounded; mean over the images"
)
_CAMERA = (
    "CameraNoise of a phone at that ISO, drawn on the CPU with the seed 0 + the number of the "
    "image in its set, from 0; the restored image is clipped to [0, 1] and not rounded; mean over "
    "the images"
)
PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("gaussian", "sigma", (15, 25, 50), _GAUSSIAN, gaussian_case),
        Protocol("super-resolution", "scale", (2, 3, 4), _SUPER_RESOLUTION, super_resolution_case),
        Protocol("deblocking", "quality", (10, 20, 30, 40), _DEBLOCKING, deblocking_case),
        Protocol("camera", "ISO", (1600, 6400, 25600), _CAMERA, camera_case),
    )
}
"""By the task's name."""
