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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

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


def _groups(
    count: int, clean: Tensor, generator: torch.Generator
) -> Iterator[tuple[int, list[int]]]:
    """The images of the batch dealt out to ``count`` groups at random, as evenly as can be: the
    number of each group that is not empty, and the indices of its images."""
    which = _uniform((0, count), clean, generator).flatten().clamp(max=count - 1).int().tolist()
    for group in range(count):
        chosen = [index for index, number in enumerate(which) if number == group]
        if chosen:
            yield group, chosen


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
    borders. scale: a number of at least 1, or a sequence of them, one for each image, in
    equal shares over a batch.
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
        height, width = clean.shape[-2:]
        degraded = clean.clone()
        for index, chosen in _groups(len(self.scale), clean, generator):
            scale = self.scale[index]
            small = (math.ceil(height / scale), math.ceil(width / scale))
            reduced = resize(clean[chosen], small, 1 / scale)
            degraded[chosen] = resize(reduced, (height, width), scale)
        return degraded


@dataclass(frozen=True)
class JPEGCompression:
    """JPEG seen as noise: coded at ``quality`` and decoded, by Pillow's libjpeg.

    quality: 1 (worst) to 100, one number or a range, drawn as an integer for each image. Colour
    is coded with 4:2:0 chroma subsampling, Pillow's default. The input is rounded to 8 bits. Grey
    images on a GPU stay there, so that it does not wait for libjpeg: ``grey_jpeg``.
    """

    quality: float | tuple[float, float] = (5, 99)

    def __post_init__(self) -> None:
        _check.span("quality", self.quality, at_least=1, at_most=100)
        _freeze(self, "quality")

    def __call__(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        _check_clean(clean)
        low, high = _check.span("quality", self.quality)
        quality = _uniform((low, high + 1), clean, generator).clamp(max=high).floor()
        if clean.is_cuda and clean.shape[1] == 1:
            return grey_jpeg(clean, quality.flatten())
        return _per_image(_jpeg, clean, quality)


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


_QUANTISATION = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)  # of luma, by ITU-T T.81, table K.1


def grey_jpeg(image: Tensor, quality: Tensor) -> Tensor:
    """What a JPEG decoder gives back, computed with tensors, for a whole batch at once.

    image: (B, 1, H, W) in [0, 1], rounded to 8 bits first; quality: (B,), 1 to 100, as libjpeg
    counts it. libjpeg's integers round a coefficient the other way now and then; over all qualities
    the two differ by a fifth of a grey level on average, and are equally far from the image.
    """
    batch, _, height, width = image.shape
    pixels = image.clamp(0, 1).mul(255).round() - 128
    pixels = nn.functional.pad(pixels, (0, -width % 8, 0, -height % 8), mode="replicate")
    blocks = pixels.view(batch, pixels.shape[2] // 8, 8, pixels.shape[3] // 8, 8).transpose(2, 3)
    k = torch.arange(8, device=image.device, dtype=image.dtype)
    dct = torch.cos(math.pi / 8 * (k + 0.5) * k[:, None]) / 2
    dct[0] /= math.sqrt(2)
    percent = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    table = torch.tensor(_QUANTISATION, device=image.device, dtype=image.dtype)
    table = ((table * percent.view(-1, 1, 1, 1, 1) + 50) / 100).floor().clamp(1, 255)
    # as in libjpeg: the transform is rounded to eighths, and halves of a step go away from zero
    steps = (8 * dct @ blocks @ dct.T).round() / (8 * table)
    coefficients = steps.sign() * (steps.abs() + 0.5).floor() * table
    decoded = (dct.T @ coefficients @ dct).transpose(2, 3).reshape(batch, 1, *pixels.shape[2:])
    return ((decoded + 128).round().clamp(0, 255) / 255)[..., :height, :width]


@dataclass(frozen=True)
class RandomChoice:
    """One of several degradations for each image, in equal shares over a batch, in random order."""

    degradations: tuple[Degradation, ...]

    def __init__(self, *degradations: Degradation) -> None:
        if not degradations or not all(callable(d) for d in degradations):
            _check.fail("degradations", degradations, "one or more callables (clean, generator)")
        object.__setattr__(self, "degradations", degradations)

    def __call__(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        _check_clean(clean)
        degraded = clean.clone()
        for index, chosen in _groups(len(self.degradations), clean, generator):
            degradation = self.degradations[index]
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
        generator = torch.Generator(device).manual_seed(_check.seed("seed", seed))
    noise = torch.randn(clean.shape, generator=generator, device=device, dtype=dtype)
    if isinstance(clean, Tensor):
        return clean + (high / 255) * noise
    return (clean + (high / 255) * noise.numpy()).astype(clean.dtype)


@dataclass(frozen=True)
class Quantisation:
    """Fewer grey levels: y = round(x · (levels − 1)) / (levels − 1), at most half a step away.

    levels: how many values a channel can have, evenly spaced from 0 to 1; at least 2. Where the
    image crosses many steps, the error is spread evenly and its variance is step²/12.
    """

    levels: int

    def __post_init__(self) -> None:
        _check.integer("levels", self.levels, at_least=2)

    def __call__(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        _check_clean(clean)
        return (clean * (self.levels - 1)).round() / (self.levels - 1)
