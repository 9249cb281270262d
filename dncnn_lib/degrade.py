"""Degradations: frozen callables ``(clean, generator) -> degraded``.

In the paper's words y = x + v: what they return is y, and v = y − x is what
``DnCNN.predict_residual`` learns. ``apply`` degrades one image; ``train`` and ``evaluate`` take the
degradation itself.

To add one, write a class with its formula, and a line in ``KINDS`` if it is to have a slider.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from . import _check, camera
from .images import as_batch, is_floating
from .jpeg import compress
from .resize import resize

Image = TypeVar("Image", np.ndarray, Tensor)
Span = float | tuple[float, float]
"""One number, or a range ``(low, high)`` from which every image of a batch draws its own."""


def parameter(*, default: Any = MISSING, **bounds: float) -> Any:
    """A field of a degradation: a ``Span`` within bounds, as ``_check.real`` names them."""
    return field(default=default, metadata={"bounds": bounds})


@dataclass(frozen=True)
class Degradation(ABC):
    """What all degradations have in common: they are frozen, their parameters are checked once, on
    construction, and the image is checked where it comes in.

    Called with a batch (B, C, H, W) of values in [0, 1] and a ``torch.Generator`` on the same
    device, returns a batch of that shape and dtype, neither clipped nor rounded unless the
    degradation itself does that. A parameter given as a pair ``(low, high)`` is drawn anew for
    every image of the batch, which is how a blind model is trained.
    """

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if "bounds" in entry.metadata:
                _check.span(entry.name, value, **entry.metadata["bounds"])
                value = _check.plain(value)
            # a tuple is hashable, and equal to the same tuple
            object.__setattr__(self, entry.name, tuple(value) if isinstance(value, list) else value)

    def __call__(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        if not isinstance(clean, Tensor) or clean.ndim != 4 or not clean.is_floating_point():
            shape = getattr(clean, "shape", type(clean).__name__)
            rule = "a floating-point tensor (B, C, H, W) with values in [0, 1]"
            _check.fail("clean", shape, rule)
        return self.degrade(clean, generator)

    @abstractmethod
    def degrade(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """The formula, y from x: both (B, C, H, W)."""


def draw(span: Span, clean: Tensor, generator: torch.Generator) -> Tensor:
    """One number for each image of the batch, uniform in ``span``, shaped (B, 1, 1, 1).

    The numbers are spread over the batch: each B-th part of the range has one, in random order. So
    every batch has the same mix of strong and weak, and batch norm's statistics do not jump. A
    single number takes as much from the generator as a range does.
    """
    low, high = span if isinstance(span, tuple) else (span, span)
    u = torch.rand((len(clean), 1, 1, 1), generator=generator, device=clean.device)
    if len(clean) > 1:
        part = torch.randperm(len(clean), generator=generator, device=clean.device)
        u = (part.view(-1, 1, 1, 1) + u) / len(clean)
    return (low + (high - low) * u).to(clean.dtype)


def _logarithms(span: Span) -> Span:
    return tuple(map(math.log, span)) if isinstance(span, tuple) else math.log(span)


def _dealt(
    count: int, clean: Tensor, generator: torch.Generator
) -> Iterator[tuple[int, list[int]]]:
    """The images of the batch dealt out to ``count`` groups at random, as evenly as can be: the
    number of each group that is not empty, and the indices of its images."""
    which = draw((0, count), clean, generator).flatten().clamp(max=count - 1).int().tolist()
    for group in range(count):
        chosen = [index for index, number in enumerate(which) if number == group]
        if chosen:
            yield group, chosen


# ------------------------------------------------------------------------------------- the formulas


@dataclass(frozen=True)
class GaussianNoise(Degradation):
    """Additive white Gaussian noise, y = x + v with v ~ N(0, σ²).

    sigma: standard deviation on the 0–255 scale, one number or a range ``(low, high)``.
    """

    sigma: Span = parameter(at_least=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.warn_of_scale(
            "sigma", self.sigma[1] if isinstance(self.sigma, tuple) else self.sigma
        )

    def levels(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """A σ for each image of the batch, in units of [0, 1]: (B, 1, 1, 1)."""
        low, high = self.sigma if isinstance(self.sigma, tuple) else (self.sigma, self.sigma)
        return draw((low / 255, high / 255), clean, generator)

    def degrade(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        level = self.levels(clean, generator)
        return clean + level * white_noise(clean, generator)


def white_noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Independent numbers from N(0, 1), of the shape, dtype and device of a batch."""
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)


@dataclass(frozen=True)
class PoissonNoise(Degradation):
    """Photon noise: y = k / peak with k ~ Poisson(peak · x), so the variance is x / peak.

    peak: expected photons in a white pixel, one number or a range; fewer photons, more noise.
    """

    peak: Span = parameter(above=0.0)

    def degrade(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        peak = draw(self.peak, clean, generator)
        return torch.poisson(clean.clamp(min=0) * peak, generator=generator) / peak


@dataclass(frozen=True)
class SaltAndPepperNoise(Degradation):
    """Impulse noise: each pixel is, with probability ``amount``, black or white, half and half.

    amount: probability in [0, 1], one number or a range. All channels of a pixel are hit together.
    """

    amount: Span = parameter(at_least=0.0, at_most=1.0)

    def degrade(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        amount = draw(self.amount, clean, generator)
        b, _, h, w = clean.shape
        u = torch.rand((b, 1, h, w), generator=generator, device=clean.device)
        salted = torch.where(u < amount / 2, torch.ones_like(clean), clean)
        return torch.where((u >= amount / 2) & (u < amount), torch.zeros_like(clean), salted)


@dataclass(frozen=True)
class Quantisation(Degradation):
    """Fewer grey levels: y = round(x · (levels − 1)) / (levels − 1), at most half a step away.

    levels: how many values a channel can have, evenly spaced from 0 to 1; at least 2. Where the
    image crosses many steps, the error is spread evenly and its variance is step²/12.
    """

    levels: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", _check.integer("levels", self.levels, at_least=2))

    def degrade(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        return (clean * (self.levels - 1)).round() / (self.levels - 1)


@dataclass(frozen=True)
class DownUp(Degradation):
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
        object.__setattr__(self, "scale", _check.plain(scales))

    def degrade(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        height, width = clean.shape[-2:]
        degraded = clean.clone()
        for index, chosen in _dealt(len(self.scale), clean, generator):
            scale = self.scale[index]
            small = (math.ceil(height / scale), math.ceil(width / scale))
            reduced = resize(clean[chosen], small, 1 / scale)
            degraded[chosen] = resize(reduced, (height, width), scale)
        return degraded


@dataclass(frozen=True)
class JPEGCompression(Degradation):
    """JPEG seen as noise: coded at ``quality`` and decoded (``jpeg.compress``).

    quality: 1 (worst) to 100, one number or a range, drawn as an integer for each image. The input
    is rounded to 8 bits.
    """

    quality: Span = parameter(default=(5, 99), at_least=1, at_most=100)

    def degrade(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        low, high = (
            self.quality if isinstance(self.quality, tuple) else (self.quality, self.quality)
        )
        quality = draw((low, high + 1), clean, generator).clamp(max=high).floor()
        return compress(clean, quality.flatten())


@dataclass(frozen=True)
class CameraNoise(Degradation):
    """The noise of a camera, from its sensor to its file: on linear light x it has the variance
    (a·x + b) / light; then come demosaicing, white balance, sRGB and JPEG (module ``camera``). So
    it depends on the brightness, and neighbouring pixels and colours have it in common.

    What a noise-free recording would lose to demosaicing is not counted: ``clean`` stands for the
    mean of many photographs by the same camera. A grey image is taken by a camera without colours.

    iso: 100 to 25,600; a and b are those of the median of many cameras (``camera.sensor_noise``).
    light: that a pixel gathers, relative to those cameras; ``camera.PHONE`` for a phone.
        Both: one number or a range, drawn evenly on a logarithmic scale.
    quality: of the JPEG file, 1 to 100; None for no file, and a result that is not rounded.
    """

    iso: Span = parameter(default=3200, at_least=100, at_most=25600)
    light: Span = parameter(default=1.0, above=0.0)
    quality: int | None = 95

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.quality is not None:
            quality = _check.integer("quality", self.quality, at_least=1)
            if quality > 100:
                _check.fail("quality", quality, "at most 100")
            object.__setattr__(self, "quality", quality)

    def degrade(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        iso, light = (
            draw(_logarithms(span), clean, generator).exp() for span in (self.iso, self.light)
        )
        raw = camera.mosaic(camera.to_linear(clean.clamp(0, 1)) / camera.balance(clean))
        noisy = expose(raw, iso, light, generator)
        channels = clean.shape[1]
        noise = camera.develop(noisy, channels) - camera.develop(raw, channels)
        degraded = (clean + noise).clamp(0, 1)
        if self.quality is None:
            return degraded
        return compress(degraded, degraded.new_full((len(clean),), self.quality))


def expose(raw: Tensor, iso: Tensor, light: Tensor, generator: torch.Generator) -> Tensor:
    """What a sensor records of ``raw`` (B, 1, H, W), light in [0, 1], at ``iso`` and with the light
    of a pixel ``light``, both (B, 1, 1, 1): y = x + v, v ~ N(0, (a·x + b) / light), and no more
    than white, 1."""
    a, b = camera.sensor_noise(iso)
    deviation = ((a * raw + b) / light).sqrt()
    return (raw + deviation * white_noise(raw, generator)).clamp(max=1)


@dataclass(frozen=True)
class RandomChoice(Degradation):
    """One of several degradations for each image, in equal shares over a batch, in random order."""

    degradations: tuple[Callable[[Tensor, torch.Generator], Tensor], ...]

    def __init__(self, *degradations: Callable[[Tensor, torch.Generator], Tensor]) -> None:
        if not degradations or not all(callable(d) for d in degradations):
            _check.fail("degradations", degradations, "one or more callables (clean, generator)")
        object.__setattr__(self, "degradations", degradations)

    def degrade(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        degraded = clean.clone()
        for index, chosen in _dealt(len(self.degradations), clean, generator):
            degradation = self.degradations[index]
            degraded[chosen] = degradation(clean[chosen], generator).to(clean.dtype)
        return degraded


# ------------------------------------------------------------------------------------- to one image


def apply(
    degradation: Callable[[Tensor, torch.Generator], Tensor],
    clean: Image,
    seed: int | torch.Generator = 0,
) -> Image:
    """The degraded image, of the shape and type of ``clean``, which is left as it is.

    degradation: a ``Degradation``, or any callable ``(clean (B, C, H, W), generator)``.
    clean: array (H, W) or (H, W, 3), or tensor (H, W), (C, H, W) or (B, C, H, W); floating point
        with values in [0, 1].
    seed: an integer, or a ``torch.Generator`` to go on drawing from.

    The same seed gives an array and a tensor of the same dtype the same noise, whoever applies the
    degradation. Raises ``TypeError`` for integer images, which could not hold the result, and
    ``ValueError`` for what is not an image, for NaN, and for values on the 0–255 scale.
    """
    if not is_floating(clean):
        shown = getattr(clean, "dtype", type(clean).__name__)
        raise TypeError(f"clean is {shown}, but must be floating point with values in [0, 1]")
    shape = clean.shape
    if isinstance(clean, Tensor) and clean.ndim in (2, 3):
        clean = clean.reshape((1,) * (4 - clean.ndim) + shape)
    batch, restore = as_batch(clean, name="clean", keep_float=True)
    generator = seed
    if not isinstance(seed, torch.Generator):
        generator = torch.Generator(batch.device).manual_seed(_check.seed("seed", seed))
    degraded = degradation(batch.clone(), generator)  # some work in place
    _check.output("the degradation", degraded, batch)
    return restore(degraded).reshape(shape)


def add_gaussian_noise(clean: Image, sigma: float, *, seed: int | torch.Generator = 0) -> Image:
    """y = x + v with v ~ N(0, σ²): ``apply(GaussianNoise(sigma), clean, seed)``.

    sigma: standard deviation on the 0–255 scale of the papers, so 25 is 25/255. The result is not
    clipped: values leave [0, 1], as they must for the noise to stay Gaussian. The rest as in
    ``apply``; raises ``ValueError`` for a negative or non-finite sigma, too.
    """
    if isinstance(sigma, (tuple, list)):
        rule = "one number; for a range use apply(GaussianNoise((low, high)), clean)"
        _check.fail("sigma", sigma, rule)
    return apply(GaussianNoise(sigma), clean, seed)


# ---------------------------------------------------------------------------------- for the sliders


@dataclass(frozen=True)
class Kind:
    """What a slider needs to know of a degradation: what its level is called, from where to where
    it goes and where it starts, and which degradation a level means."""

    level: str
    low: int
    high: int
    start: int
    degradation: Callable[[int], Degradation]


KINDS = {
    "Gaussian": Kind("σ", 0, 75, 25, GaussianNoise),
    "Poisson": Kind("photons in white", 1, 200, 40, PoissonNoise),
    "salt and pepper": Kind("% of pixels", 0, 50, 5, lambda n: SaltAndPepperNoise(n / 100)),
    "quantisation": Kind("grey levels", 2, 64, 6, Quantisation),
    "JPEG": Kind("quality", 1, 100, 10, JPEGCompression),
    "down-up": Kind("scale", 2, 8, 3, DownUp),
    "phone camera": Kind("ISO", 100, 25600, 3200, lambda iso: CameraNoise(iso, camera.PHONE)),
}
"""The kinds that widgets and the explorer offer, by the name that they show."""
