"""Images in and out: files, arrays and tensors.

The only place where 8- and 16-bit integers become floating point in [0, 1] and back, and where the
channel axis moves between (H, W, C) of arrays and (B, C, H, W) of tensors.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from . import _check, _codecs, _encoders, _files
from ._meta import MAX_PIXELS, SUFFIXES, Meta, Unsupported

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "Meta",
    "Picture",
    "as_batch",
    "as_float",
    "as_uint8",
    "decode_picture",
    "is_floating",
    "is_grey",
    "read_image",
    "read_picture",
    "to_colour",
    "to_grey",
    "write_image",
    "write_picture",
]

Image = TypeVar("Image", np.ndarray, Tensor)

_INTEGERS = (("u", 1), ("u", 2))  # kind and bytes of uint8 and uint16, in either byte order
_GREATEST_VALUE = 16.0  # noise leaves [0, 1], but never as far as images on the 0–255 scale do


# ---------------------------------------------------------------------------- arrays and tensors


def is_floating(image: object) -> bool:
    """Whether it is an array or a tensor of floating-point numbers."""
    if isinstance(image, Tensor):
        return image.is_floating_point()
    return isinstance(image, np.ndarray) and image.dtype.kind == "f"


def as_batch(
    image: Image, *, name: str = "image", keep_float: bool = False
) -> tuple[Tensor, Callable[[Tensor], Image]]:
    """An image as a float32 batch, and the way back.

    image: array (H, W) or (H, W, 3), or tensor (B, C, H, W); floating point around [0, 1], or
    uint8 / uint16. keep_float: leave floating point as it is (for arrays, at least float32).
    Returns the batch (B, C, H, W), which may share memory with ``image``, and a function that gives
    a result of the same size the shape, type, dtype and device of ``image`` (integers are clipped
    and rounded). Raises ``TypeError`` or ``ValueError``, with ``name``, for anything else, NaN and
    infinities included.
    """
    if isinstance(image, Tensor):
        return _tensor_as_batch(image, name, keep_float)
    if isinstance(image, np.ndarray):
        return _array_as_batch(image, name, keep_float)
    raise TypeError(
        f"{name} is a {type(image).__name__}, but must be an array (H, W) or (H, W, 3), or a "
        "tensor (B, C, H, W); read files with dncnn_lib.read_image"
    )


def _tensor_as_batch(
    image: Tensor, name: str, keep_float: bool
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    if image.ndim != 4 or 0 in image.shape:
        _check.fail(f"{name}'s shape", tuple(image.shape), "(B, C, H, W), none of them 0")
    peak = {torch.uint8: 255, torch.uint16: 65535}.get(image.dtype)
    if peak is None and not image.is_floating_point():
        _check.fail(f"{name}'s dtype", str(image.dtype), "floating point, uint8 or uint16")
    batch = image.detach() if keep_float and peak is None else image.detach().float()
    batch = _checked_range(batch, name) if peak is None else batch / peak

    def restore(result: Tensor) -> Tensor:
        if peak is not None:  # by way of int32: few operations know uint16
            result = (result.clamp(0, 1) * peak).round().to(torch.int32)
        return result.reshape(image.shape).to(device=image.device, dtype=image.dtype)

    return batch, restore


def _array_as_batch(
    image: np.ndarray, name: str, keep_float: bool
) -> tuple[Tensor, Callable[[Tensor], np.ndarray]]:
    colour = image.ndim == 3 and image.shape[2] == 3
    if not (image.ndim == 2 or colour) or 0 in image.shape:
        rule = "(H, W) or (H, W, 3), none of them 0" + _shape_hint(image.shape)
        _check.fail(f"{name}'s shape", image.shape, rule)
    dtype = image.dtype
    if dtype.kind != "f" and (dtype.kind, dtype.itemsize) not in _INTEGERS:
        _check.fail(f"{name}'s dtype", str(dtype), "floating point, uint8 or uint16")
    peak = None if dtype.kind == "f" else np.iinfo(dtype).max
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused as infinite, below
        double = keep_float and dtype.itemsize > 4
        kept = np.float64 if double else np.float32
        values = np.ascontiguousarray(image, kept) if peak is None else as_float(image)
    if not values.flags.writeable:  # torch warns of memory that it must not write to
        values = values.copy()
    batch = torch.from_numpy(values)
    batch = batch.permute(2, 0, 1)[None] if colour else batch[None, None]
    batch = _checked_range(batch, name) if peak is None else batch

    def restore(result: Tensor) -> np.ndarray:
        array = result.detach().cpu().to(batch.dtype)[0].permute(1, 2, 0).numpy()
        array = _integers(array, dtype) if peak is not None else array.astype(dtype, copy=False)
        return np.ascontiguousarray(array.reshape(image.shape))

    return batch, restore


def _shape_hint(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[2] == 4:
        return "; leave out alpha with image[..., :3]"
    if len(shape) == 3 and shape[2] == 1:
        return "; leave out the last axis with image[..., 0]"
    if len(shape) == 3 and shape[0] == 3:
        return "; move the channels to the end with image.transpose(1, 2, 0)"
    return ""


def _checked_range(batch: Tensor, name: str) -> Tensor:
    low, high = (v.item() for v in torch.aminmax(batch))
    if not (np.isfinite(low) and np.isfinite(high)):
        _check.not_finite(name)
    if max(-low, high) > _GREATEST_VALUE:
        _check.fail(
            f"{name}'s range",
            (round(low, 3), round(high, 3)),
            "around [0, 1]; divide an image on the 0–255 scale by 255",
        )
    return batch


def as_float(values: np.ndarray) -> np.ndarray:
    """uint8 or uint16 of any shape as a new contiguous float32 array in [0, 1]; floating point
    passes unchanged."""
    if values.dtype.kind == "f":
        return values
    unit = np.empty(values.shape, np.float32)
    return np.divide(values, np.float32(np.iinfo(values.dtype).max), out=unit, dtype=np.float32)


def as_uint8(values: np.ndarray) -> np.ndarray:
    """Floating point of any shape, clipped to [0, 1] and rounded, as uint8, which passes
    unchanged."""
    return values if values.dtype == np.uint8 else _integers(values, np.uint8)


def _integers(values: np.ndarray, dtype: np.dtype | type, white: int | None = None) -> np.ndarray:
    """Floating point of any shape, clipped to [0, 1] and rounded, as uint8 or uint16, of which
    ``white``, the largest unless told otherwise, stands for 1."""
    scaled = np.clip(values, 0, 1)
    scaled *= white or np.iinfo(dtype).max
    return np.rint(scaled, out=scaled).astype(dtype)


def to_grey(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) in [0, 1] to (H, W) by BT.601 weights, rounded to 8 bits; grey passes unchanged.

    This is MATLAB's ``rgb2gray``, by which the grey sets of the literature were made.
    """
    if image.ndim == 2:
        return image
    # term by term: a matrix product rounds otherwise from processor to processor
    parts = image * np.array([0.2989, 0.5870, 0.1140], dtype=np.float32)
    grey = parts[..., 0] + parts[..., 1] + parts[..., 2]
    return (np.round(grey * 255) / 255).astype(np.float32)


def is_grey(image: np.ndarray) -> bool:
    """Whether an image in [0, 1] has no colour: (H, W), or (H, W, 3) with channels that differ by
    no more than 2/255, as JPEG leaves them."""
    return image.ndim == 2 or float(np.ptp(image, axis=2).max()) < 2.5 / 255


def to_colour(image: np.ndarray) -> np.ndarray:
    """(H, W) to (H, W, 3) with three equal channels; colour passes unchanged."""
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


# ------------------------------------------------------------------------------------------ files


@dataclass(frozen=True, eq=False)
class Picture:
    """An image file's content, enough to write a result back in the same form.

    pixels: (H, W) or (H, W, 3) float32 in [0, 1]; alpha: (H, W) float32 in [0, 1], or None;
    bits: 8 or 16 for each value; meta: colour profile, date and camera, resolution.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    bits: int = 8
    meta: Meta = Meta()

    @property
    def icc_profile(self) -> bytes | None:
        """The colour profile, or None."""
        return self.meta.icc_profile

    def with_pixels(self, pixels: np.ndarray) -> Picture:
        """The same picture with other pixels of the same height and width."""
        if pixels.shape[:2] != self.pixels.shape[:2]:
            _check.fail("pixels' shape", pixels.shape, f"that of the picture, {self.pixels.shape}")
        return replace(self, pixels=pixels)


def read_image(path: str | os.PathLike) -> np.ndarray:
    """The pixels of an image file: (H, W) if grey, else (H, W, 3); float32 in [0, 1].

    PNG, JPEG, TIFF, WebP or BMP, 8 or 16 bit, palette included. The EXIF orientation is applied;
    alpha is left out (``read_picture`` keeps it). Errors as in ``read_picture``.
    """
    return read_picture(path).pixels


def read_picture(path: str | os.PathLike) -> Picture:
    """An image file with its alpha channel, bit depth and what it says of its pixels.

    CMYK becomes RGB. White is the largest value of the file's bits, or the one that a TIFF of 16
    bits states (MaxSampleValue). Warns, with the file's name, of what is left out because it is
    malformed or unspecified, and where 16 bits look like a camera's 10 or 12. Raises ``OSError``
    for what is not a file that can be read, and ``ValueError`` for one that is empty, truncated,
    not an image, of another format, of several pages, not of 8 or 16 bits, or of more than
    ``MAX_PIXELS`` pixels.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, but must be an image file")
    return decode_picture(path.read_bytes(), str(path))


def decode_picture(data: bytes, name: str = "the file") -> Picture:
    """As ``read_picture``, from the bytes of the file; ``name`` is what errors call it."""
    if not data:
        raise ValueError(f"{name} is empty (0 bytes), but must be an image file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # decoders warn of what is read or refused here
            values, meta, notes = _codecs.decode(data)
    except Unsupported as error:
        raise ValueError(f"{name} {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # a damaged file makes decoders raise a dozen kinds
        reason = _codecs.without_addresses(error)
        raise ValueError(f"{name} is damaged or truncated ({reason})") from error
    for note in notes:
        _check.warn(f"{name} {note}")
    colours = 3 if values.shape[2] >= 3 else 1
    pixels = as_float(values[..., :colours])
    alpha = as_float(values[..., colours]) if values.shape[2] > colours else None
    if meta.peak:
        pixels *= np.float32(65535 / meta.peak)
        alpha = None if alpha is None else alpha * np.float32(65535 / meta.peak)
    bits = 8 * values.dtype.itemsize
    return Picture(pixels if colours == 3 else pixels[..., 0], alpha, bits, meta)


def write_image(path: str | os.PathLike, image: np.ndarray, *, bits: int = 8) -> None:
    """Write (H, W) or (H, W, 3), float in [0, 1] (clipped) or uint8, in the format of the suffix.

    bits: 8, or 16 for PNG and TIFF. The file appears whole or not at all. Raises ``ValueError`` for
    an unknown suffix or an image with NaN, ``OSError`` where it cannot be written.
    """
    as_batch(image)  # so that an error speaks of the image, not of a picture's pixels
    write_picture(path, Picture(image, bits=bits))


def write_picture(path: str | os.PathLike, picture: Picture) -> None:
    """Write a picture in the format of the suffix, with its alpha, bits and meta data.

    PNG and TIFF are lossless. WebP is too, but has only 8 bits and no grey. BMP is, with 8 bits.
    JPEG is written at quality 95 with whole chroma (4:4:4), with 8 bits. What a format has no place
    for is left out with a warning: alpha in BMP and JPEG, a colour profile that does not fit the
    values, a PNG's own gamma elsewhere. Errors as in ``write_image``.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        _check.fail("path's suffix", path.suffix, "one of " + ", ".join(SUFFIXES))
    if picture.bits not in (8, 16):
        _check.fail("bits", picture.bits, "8 or 16")
    alpha = picture.alpha
    if alpha is not None and suffix in (".jpg", ".jpeg", ".jpe", ".jfif", ".bmp"):
        kind = "BMP" if suffix == ".bmp" else "JPEG"
        _check.warn(f"{path}: {kind} has no transparency, so alpha is left out")
        alpha = None
    dtype = np.uint16 if picture.bits == 16 and suffix in (".png", ".tif", ".tiff") else np.uint8
    peak = picture.meta.peak if dtype == np.uint16 and suffix != ".png" else None
    white = peak or np.iinfo(dtype).max
    values = _file_values("pixels", picture.pixels, dtype, white)
    if alpha is not None:
        if alpha.shape != values.shape[:2]:
            _check.fail("alpha's shape", alpha.shape, f"that of the pixels, {values.shape[:2]}")
        values = np.concatenate([values, _file_values("alpha", alpha, dtype, white)], axis=2)
    try:
        data, notes = _encoders.encode(values, suffix, replace(picture.meta, peak=peak))
    except (OSError, ValueError) as error:  # WebP ends at 16,383 pixels a side, JPEG at 65,500
        height, width = values.shape[:2]
        raise ValueError(f"{path} cannot hold {width}×{height} pixels ({error})") from error
    _files.write_bytes(path, data)
    for note in notes:
        _check.warn(f"{path}: {note}")


def _file_values(name: str, image: np.ndarray, dtype: type, white: int) -> np.ndarray:
    """(H, W) or (H, W, 3) as integers (H, W, C), of which ``white`` stands for 1."""
    batch, _ = as_batch(image, name=name)
    if batch.shape[0] != 1 or batch.shape[1] not in (1, 3):
        _check.fail(f"{name}'s shape", tuple(batch.shape), "one image with 1 or 3 channels")
    return _integers(np.ascontiguousarray(batch[0].permute(1, 2, 0).cpu().numpy()), dtype, white)
