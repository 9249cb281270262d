"""Degradations: frozen callables ``(clean, generator) -> degraded``.

Each takes a batch (B, C, H, W) with values in [0, 1] and a ``torch.Generator`` on the same device,
and returns a batch of that shape, neither clipped nor rounded unless the degradation itself does
that. A parameter given as a pair ``(low, high)`` is drawn anew for every image of the batch, which
is how a blind model is trained.

In the paper's words y = x + v: what these functions return is y, and v = y − x is what
``DnCNN.predict_residual`` learns.
"""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from . import _check

Degradation = Callable[[Tensor, torch.Generator], Tensor]
Image = TypeVar("Image", np.ndarray, Tensor)


def _uniform(span: tuple[float, float], clean: Tensor, generator: torch.Generator) -> Tensor:
    """One number for each image of the batch, uniform in span, shaped (B, 1, 1, 1).

    The numbers are spread over the batch: each B-th part of the range has one, in random order. So
    every batch has the same mix of strong and weak, and batch norm's statistics do not jump.
    """
    low, high = span
    u = torch.rand((len(clean), 1, 1, 1), generator=generator, device=clean.device)
    if len(clean) > 1:
        part = torch.randperm(len(clean), generator=generator, device=clean.device)
        u = (part.view(-1, 1, 1, 1) + u) / len(clean)
    return (low + (high - low) * u).to(clean.dtype)


def _freeze(degradation: object, name: str) -> None:
    """A range given as a list becomes a tuple: hashable, and equal to the same tuple."""
    value = getattr(degradation, name)
    object.__setattr__(degradation, name, tuple(value) if isinstance(value, list) else value)


def _per_image(
    function: Callable[[Tensor, float], Tensor], clean: Tensor, parameter: Tensor
) -> Tensor:
    """``function(image (1, C, H, W), number)`` for every image of the batch with its own number."""
    values = parameter.flatten().tolist()
    return torch.cat([function(clean[i : i + 1], v) for i, v in enumerate(values)])


def _check_clean(clean: Tensor) -> None:
    if not isinstance(clean, Tensor) or clean.ndim != 4 or not clean.is_floating_point():
        shape = getattr(clean, "shape", type(clean).__name__)
        _check.fail("clean", shape, "a floating-point tensor (B, C, H, W) with values in [0, 1]")


@dataclass(frozen=True)
class GaussianNoise:
    """Additive white Gaussian noise, y = x + v with v ~ N(0, σ²).

    sigma: standard deviation on the 0–255 scale, one number or a range ``(low, high)``.
    """

    sigma: float | tuple[float, float]

    def __post_init__(self) -> None:
        _check.sigma("sigma", self.sigma, stacklevel=4)  # through the generated __init__
        _freeze(self, "sigma")

    def __call__(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        _check_clean(clean)
        low, high = _check.span("sigma", self.sigma)
        level = _uniform((low / 255, high / 255), clean, generator)
        noise = torch.randn(
            clean.shape, generator=generator, device=clean.device, dtype=clean.dtype
        )
        return clean + level * noise


@dataclass(frozen=True)
class PoissonNoise:
    """Photon noise: y = k / peak with k ~ Poisson(peak · x), so the variance is x / peak.

    peak: expected photons in a white pixel, one number or a range; fewer photons, more noise.
    """

    peak: float | tuple[float, float]

    def __post_init__(self) -> None:
        _check.span("peak", self.peak, above=0.0)
        _freeze(self, "peak")

    def __call__(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        _check_clean(clean)
        peak = _uniform(_check.span("peak", self.peak), clean, generator)
        return torch.poisson(clean.clamp(min=0) * peak, generator=generator) / peak


@dataclass(frozen=True)
class SaltAndPepperNoise:
    """Impulse noise: each pixel is, with probability ``amount``, black or white, half and half.

    amount: probability in [0, 1], one number or a range. All channels of a pixel are hit together.
    """

    amount: float | tuple[float, float]

    def __post_init__(self) -> None:
        _check.span("amount", self.amount, at_least=0.0, at_most=1.0)
        _freeze(self, "amount")

    def __call__(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        _check_clean(clean)
        amount = _uniform(_check.span("amount", self.amount), clean, generator)
        b, _, h, w = clean.shape
        u = torch.rand((b, 1, h, w), generator=generator, device=clean.device)
        salted = torch.where(u < amount / 2, torch.ones_like(clean), clean)
        return torch.where((u >= amount / 2) & (u < amount), torch.zeros_like(clean), salted)


@dataclass(frozen=True)
class DownUp:
    """Super-resolution seen as noise: bicubic reduction by ``scale`` and enlargement to full size.

    Both steps follow MATLAB's ``imresize(..., 'bicubic')``: antialiased when reducing, symmetric
    borders. scale: a number of at least 1, or a sequence of them, one drawn for each image.
    """

    scale: float | Sequence[float] = (2, 3, 4)

    def __post_init__(self) -> None:
        scales = self.scale if isinstance(self.scale, (tuple, list)) else (self.scale,)
        if not scales:
            _check.fail("scale", self.scale, "a number or a sequence of at least one number")
        for scale in scales:
            _check.real("scale", scale, at_least=1.0)
        object.__setattr__(self, "scale", tuple(scales))

    def __call__(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        _check_clean(clean)
        which = torch.randint(
            len(self.scale), (len(clean),), generator=generator, device=clean.device
        )

        def down_up(image: Tensor, index: float) -> Tensor:
            height, width = image.shape[-2:]
            scale = self.scale[int(index)]
            small = resize(image, (math.ceil(height / scale), math.ceil(width / scale)), 1 / scale)
            return resize(small, (height, width), scale)

        return _per_image(down_up, clean, which)


@dataclass(frozen=True)
class JPEGCompression:
    """JPEG seen as noise: coded at ``quality`` and decoded, by Pillow's libjpeg.

    quality: 1 (worst) to 100, one number or a range, drawn as an integer for each image. Colour
    is coded with 4:2:0 chroma subsampling, Pillow's default. The input is rounded to 8 bits.
    """

    quality: float | tuple[float, float] = (5, 99)

    def __post_init__(self) -> None:
        _check.span("quality", self.quality, at_least=1, at_most=100)
        _freeze(self, "quality")

    def __call__(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        _check_clean(clean)
        low, high = _check.span("quality", self.quality)
        quality = _uniform((low, high + 1), clean, generator).clamp(max=high)
        return _per_image(_jpeg, clean, quality.floor())


def _jpeg(image: Tensor, quality: float) -> Tensor:
    from PIL import Image as PILImage

    pixels = image[0].detach().clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    file = io.BytesIO()
    PILImage.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).save(
        file, format="JPEG", quality=int(quality)
    )
    with PILImage.open(file) as decoded:
        coded = np.array(decoded).reshape(pixels.shape)
    return torch.from_numpy(coded).permute(2, 0, 1)[None].to(image) / 255


@dataclass(frozen=True)
class RandomChoice:
    """One of several degradations, drawn with equal probability for each image of the batch."""

    degradations: tuple[Degradation, ...]

    def __init__(self, *degradations: Degradation) -> None:
        if not degradations or not all(callable(d) for d in degradations):
            _check.fail("degradations", degradations, "one or more callables (clean, generator)")
        object.__setattr__(self, "degradations", degradations)

    def __call__(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        _check_clean(clean)
        which = torch.randint(
            len(self.degradations), (len(clean),), generator=generator, device=clean.device
        )
        degraded = clean.clone()
        for index, degradation in enumerate(self.degradations):
            chosen = which == index
            if chosen.any():
                degraded[chosen] = degradation(clean[chosen], generator).to(clean.dtype)
        return degraded


@functools.lru_cache(maxsize=128)
def _resize_weights(size: int, new_size: int, scale: float) -> Tensor:
    """The matrix (new_size, size) that resizes a line as MATLAB's ``imresize`` does."""
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


def resize(image: Tensor, size: tuple[int, int], scale: float | None = None) -> Tensor:
    """Bicubic resizing as MATLAB's ``imresize``: a = −1/2, antialiased, symmetric borders.

    image: (..., H, W). size: the new (height, width). scale: the factor, where it is not exactly
    the ratio of the sizes (MATLAB's ``imresize(x, scale)`` rounds the size up, not the factor).
    """
    if not image.is_floating_point():
        _check.fail("image's dtype", image.dtype, "floating point")
    height, width = (_check.integer("size", s, at_least=1) for s in size)
    old_height, old_width = image.shape[-2:]
    rows = _resize_weights(old_height, height, float(scale or height / old_height)).to(image)
    columns = _resize_weights(old_width, width, float(scale or width / old_width)).to(image)
    return rows @ image @ columns.T


def add_gaussian_noise(clean: Image, sigma: float, *, seed: int | torch.Generator = 0) -> Image:
    """y = x + v with v ~ N(0, σ²): the noisy image, of the shape and type of ``clean``.

    clean: array of any shape or tensor, floating point, values in [0, 1].
    sigma: standard deviation on the 0–255 scale of the papers, so 25 is 25/255.
    seed: an integer, or a ``torch.Generator`` to go on drawing from.

    The result is not clipped: values leave [0, 1], as they must for the noise to stay Gaussian.
    Raises ``TypeError`` for integer images and ``ValueError`` for a negative or non-finite sigma.
    """
    low, high = _check.sigma("sigma", sigma)
    if low != high:
        _check.fail("sigma", sigma, "one number; for a range use GaussianNoise((low, high))")
    if isinstance(clean, np.ndarray) and np.issubdtype(clean.dtype, np.floating):
        dtype = torch.float64 if clean.dtype.itemsize > 4 else torch.float32
        device = torch.device("cpu")
    elif isinstance(clean, Tensor) and clean.is_floating_point():
        dtype, device = clean.dtype, clean.device
    else:
        kind = getattr(clean, "dtype", type(clean).__name__)
        raise TypeError(f"clean is {kind}, but must be floating point with values in [0, 1]")
    if isinstance(seed, torch.Generator):
        generator = seed
    else:
        generator = torch.Generator(device).manual_seed(_check.integer("seed", seed))
    noise = torch.randn(clean.shape, generator=generator, device=device, dtype=dtype)
    if isinstance(clean, Tensor):
        return clean + (high / 255) * noise
    return (clean + (high / 255) * noise.numpy()).astype(clean.dtype)
