"""``denoise``: any model on any image, in tiles that give the result of the whole image."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from . import _check, _memory
from .hardware import PRECISIONS, autocast, device_of, uses_bf16
from .images import as_batch

Image = TypeVar("Image", np.ndarray, Tensor)


def denoise(
    noisy: Image,
    model: nn.Module,
    *,
    sigma: float | np.ndarray | Tensor | None = None,
    tile: int | None = 1024,
    precision: str = "fp32",
    progress: bool = False,
) -> Image:
    """The restored image, of the shape, type and dtype of ``noisy``.

    noisy: array (H, W) or (H, W, 3), or tensor (B, C, H, W); floating point with values around
        [0, 1], or 8/16-bit integers, which come back rounded. A grey model restores the channels
        of a colour image one by one.
    model: any module that maps a noisy batch (B, C, H, W) to a restored one; in eval mode for the
        time of the call, on the device and in the floating-point type of its parameters. ``DnCNN``
        is folded first.
    sigma: the noise level on the 0–255 scale: a number, or a map (H, W) with one for each pixel. It
        is passed, in units of [0, 1] and shaped (1, 1, 1, 1) or (1, 1, h, w), to models whose
        ``forward`` has a parameter ``sigma``. Other models are blind, and it is not used.
    tile: images of more than tile² pixels are restored in pieces of at most that size, which
        overlap by the receptive field, so that the result is that of the whole image. Needs the
        model's ``receptive_field`` (odd, in pixels). None: never.
    precision: "fp32"; "bf16"; or "auto": bf16 where it is the faster of the two on this
        processor. It rounds more, which costs a little PSNR.
    progress: show a bar over the tiles.

    Floating-point results are not clipped, so that noisy − restored is what the model removed.
    Raises ``TypeError`` or ``ValueError`` for what is not an image, for NaN and infinities, for
    values that are on the 0–255 scale, and where a model needs a ``sigma`` that is not given.
    """
    batch, restore = as_batch(noisy, name="noisy")
    _check.module("model", model)
    if tile is not None:
        _check.integer("tile", tile, at_least=1)
    _check.one_of("precision", precision, PRECISIONS)
    levels = _levels(sigma, model, batch.shape[-2:])
    wanted = getattr(model, "channels", batch.shape[1])
    planes = batch
    if batch.shape[1] != wanted:
        if wanted != 1:
            _check.fail("noisy's channels", batch.shape[1], f"{wanted}, as the model has")
        planes = batch.reshape(-1, 1, *batch.shape[-2:])
    restored = _restored(model, planes, levels, tile, precision, progress)
    return restore(restored.reshape(batch.shape))


def takes_sigma(model: nn.Module) -> bool:
    """Whether the model is told the noise level: its ``forward`` has a parameter ``sigma``."""
    return "sigma" in inspect.signature(model.forward).parameters


def _levels(
    sigma: float | np.ndarray | Tensor | None, model: nn.Module, size: Sequence[int]
) -> Tensor | None:
    """The noise level as the model gets it, (1, 1, 1, 1) or (1, 1, H, W); None for a blind one."""
    if sigma is not None:
        if not isinstance(sigma, (np.ndarray, Tensor)) or sigma.ndim == 0:
            number = sigma if not isinstance(sigma, (np.ndarray, Tensor)) else sigma.item()
            number = _check.real("sigma", number, at_least=0.0)
            _check.warn_of_scale("sigma", number)
            levels = torch.full((1, 1, 1, 1), number / 255)
        else:
            if not isinstance(sigma, Tensor):  # torch takes no array that is read-only or reversed
                sigma = torch.from_numpy(np.array(sigma, np.float32))
            numbers = sigma.detach().cpu().float()
            if numbers.shape[-2:] != size or numbers.numel() != math.prod(size):
                _check.fail("sigma's shape", tuple(numbers.shape), f"that of noisy, {tuple(size)}")
            if not torch.isfinite(numbers).all():
                _check.not_finite("sigma")
            if numbers.min() < 0:
                _check.fail("sigma's smallest value", float(numbers.min()), "at least 0")
            levels = numbers.reshape(1, 1, *size) / 255
        return levels if takes_sigma(model) else None
    if takes_sigma(model):
        wanted = inspect.signature(model.forward).parameters["sigma"]
        if wanted.default is inspect.Parameter.empty:
            rule = f"the noise level on the 0–255 scale: {type(model).__name__} needs it"
            _check.fail("sigma", None, rule)
    return None


def _restored(
    model: nn.Module,
    batch: Tensor,
    levels: Tensor | None,
    tile: int | None,
    precision: str,
    progress: bool,
) -> Tensor:
    """The model over a batch, image by image and tile by tile; of the batch's device."""
    device = device_of(model)
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), batch.dtype)
    bf16 = uses_bf16(precision, device.type)
    modes = [(module, module.training) for module in model.modules()]
    fold = getattr(model, "fold_batch_norm", None)
    net = model.eval() if fold is None else fold()
    net = net.to(memory_format=torch.channels_last)
    field = getattr(model, "receptive_field", None)
    result = torch.empty_like(batch)
    try:
        with torch.inference_mode(), _memory.reused(), autocast(device, bf16):
            pieces = list(_tiles(batch.shape[-2:], tile if field else None, (field or 1) // 2))
            jobs = [(image, piece) for image in range(len(batch)) for piece in pieces]
            if progress:
                from tqdm.auto import tqdm

                jobs = tqdm(jobs, desc="denoising", unit="tile")
            for image, (outer, inner, target) in jobs:
                part = batch[image : image + 1, :, outer[0], outer[1]].to(device, dtype)
                part = part.clone(memory_format=torch.channels_last)  # models may work in place
                if levels is None:
                    restored = net(part)
                else:
                    whole = levels.shape[-1] == levels.shape[-2] == 1
                    level = levels if whole else levels[..., outer[0], outer[1]]
                    restored = net(part, sigma=level.to(device, dtype))
                _check.output("the network", restored, part)
                restored = restored[:, :, inner[0], inner[1]]
                result[image : image + 1, :, target[0], target[1]] = restored
    finally:
        for module, mode in modes:
            module.training = mode
    return result


def _tiles(size: Sequence[int], tile: int | None, halo: int) -> Iterator[tuple]:
    """(outer, inner, target): what to read, what of the result to keep, where it goes."""
    height, width = size
    if tile is None or height * width <= tile * tile:
        whole = (slice(0, height), slice(0, width))
        yield whole, whole, whole
        return
    if tile <= 2 * halo:
        _check.fail("tile", tile, f"more than {2 * halo}, which is what the overlap takes")
    for rows in _cuts(height, tile, halo):
        for columns in _cuts(width, tile, halo):
            yield tuple(zip(rows, columns))


def _cuts(length: int, tile: int, halo: int) -> Iterator[tuple[slice, slice, slice]]:
    count = 1 if length <= tile else math.ceil(length / (tile - 2 * halo))
    edges = [round(i * length / count) for i in range(count + 1)]
    for start, stop in zip(edges, edges[1:]):
        low, high = max(start - halo, 0), min(stop + halo, length)
        yield slice(low, high), slice(start - low, stop - low), slice(start, stop)
