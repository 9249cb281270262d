"""Images in and out: files, arrays, tensors and the sample images.

The only place where 8- and 16-bit integers become floating point in [0, 1] and back, and where the
channel axis moves between (H, W, C) of arrays and (B, C, H, W) of tensors.
"""

from __future__ import annotations

import io
import os
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from . import _check, _files

Image = TypeVar("Image", np.ndarray, Tensor)

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
MAX_PIXELS = 200_000_000
"""The largest image that is read, in pixels: more is taken for a decompression bomb."""

_GREATEST_VALUE = 16.0  # noise leaves [0, 1], but never as far as images on the 0–255 scale do


# ---------------------------------------------------------------------------- arrays and tensors


def as_batch(image: Image, *, name: str = "image") -> tuple[Tensor, Callable[[Tensor], Image]]:
    """An image as a float32 batch, and the way back.

    image: array (H, W) or (H, W, 3), or tensor (B, C, H, W); floating point around [0, 1], or
    uint8 / uint16. Returns the batch (B, C, H, W) and a function that gives a result of the same
    size the shape, type, dtype and device of ``image`` (integers are clipped and rounded).
    Raises ``TypeError`` or ``ValueError``, with ``name``, for anything else.
    """
    if isinstance(image, Tensor):
        if image.ndim != 4 or 0 in image.shape:
            _check.fail(f"{name}'s shape", tuple(image.shape), "(B, C, H, W), none of them 0")
        batch = image.detach()
        dtype, device, shape = image.dtype, image.device, tuple(image.shape)
    elif isinstance(image, np.ndarray):
        colour = image.ndim == 3 and image.shape[2] == 3
        if not (image.ndim == 2 or colour) or 0 in image.shape:
            _check.fail(f"{name}'s shape", image.shape, "(H, W) or (H, W, 3), none of them 0")
        if image.dtype not in (np.uint8, np.uint16) and not np.issubdtype(image.dtype, np.floating):
            _check.fail(f"{name}'s dtype", str(image.dtype), "floating point, uint8 or uint16")
        native = image.astype(image.dtype.newbyteorder("="), copy=False)
        # float64, float128 and the like: torch knows fewer kinds than NumPy
        if np.issubdtype(image.dtype, np.floating):
            native = native.astype(np.float32)
        batch = torch.from_numpy(np.ascontiguousarray(native))
        batch = batch.permute(2, 0, 1)[None] if colour else batch[None, None]
        dtype, device, shape = image.dtype, None, image.shape
    else:
        raise TypeError(
            f"{name} is a {type(image).__name__}, but must be an array (H, W) or (H, W, 3), or a "
            "tensor (B, C, H, W); read files with dncnn_lib.read_image"
        )
    peak = {torch.uint8: 255.0, torch.uint16: 65535.0}.get(batch.dtype)
    if peak is None and not batch.is_floating_point():
        _check.fail(f"{name}'s dtype", str(dtype), "floating point, uint8 or uint16")
    batch = batch.float()
    if peak is not None:
        batch = batch / peak
    else:
        low, high = (v.item() for v in torch.aminmax(batch))
        if not (np.isfinite(low) and np.isfinite(high)):
            _check.fail(name, "an image with NaN or infinite values", "finite everywhere")
        if max(-low, high) > _GREATEST_VALUE:
            _check.fail(
                f"{name}'s range",
                (round(low, 3), round(high, 3)),
                "around [0, 1]; divide an image on the 0–255 scale by 255",
            )

    def restore(result: Tensor) -> Image:
        if peak is not None:
            result = (result.clamp(0, 1) * peak).round()
        if device is not None:
            # via int32: torch has no direct conversion to uint16 everywhere
            result = result.to(torch.int32) if dtype == torch.uint16 else result
            return result.reshape(shape).to(device=device, dtype=dtype)
        array = result.cpu().float().numpy()
        array = array.reshape(3, *shape[:2]).transpose(1, 2, 0) if len(shape) == 3 else array
        return np.ascontiguousarray(array.reshape(shape)).astype(dtype, copy=False)

    return batch, restore


# ------------------------------------------------------------------------------------------ files


@dataclass(frozen=True)
class Picture:
    """An image file's content, enough to write a result back in the same form.

    pixels: (H, W) or (H, W, 3) float32 in [0, 1]; alpha: (H, W) float32 in [0, 1], or None;
    bits: 8 or 16 for each value; icc_profile: the colour profile, or None.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    bits: int = 8
    icc_profile: bytes | None = None

    def with_pixels(self, pixels: np.ndarray) -> Picture:
        """The same picture with other pixels of the same size."""
        if pixels.shape[:2] != self.pixels.shape[:2]:
            _check.fail("pixels' shape", pixels.shape, f"that of the picture, {self.pixels.shape}")
        return replace(self, pixels=pixels)


def read_image(path: str | os.PathLike) -> np.ndarray:
    """The pixels of an image file: (H, W) if grey, else (H, W, 3); float32 in [0, 1].

    PNG, JPEG, TIFF or WebP, 8 or 16 bit, palette included. The EXIF orientation is applied; alpha
    is left out (``read_picture`` keeps it). Errors as in ``read_picture``.
    """
    return read_picture(path).pixels


def read_picture(path: str | os.PathLike, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """An image file with its alpha channel, bit depth and colour profile.

    Raises ``FileNotFoundError``; or ``ValueError`` for a file that is empty, truncated, not an
    image, of another format, of several pages, or of more than ``max_pixels`` pixels.
    """
    from PIL import Image as PILImage
    from PIL import ImageOps, UnidentifiedImageError

    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, but must be an image file")
    data = path.read_bytes()
    if not data:
        raise ValueError(f"{path} is empty (0 bytes), but must be an image file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the size is checked below, in our own words
            picture = PILImage.open(io.BytesIO(data))
            if picture.format not in ("PNG", "JPEG", "TIFF", "WEBP", "MPO"):
                raise ValueError(
                    f"{path} is in {picture.format} format, but must be PNG, JPEG, TIFF or WebP"
                )
            if picture.width * picture.height > max_pixels:
                raise ValueError(
                    f"{path} has {picture.width}×{picture.height} pixels, but must have at most "
                    f"{max_pixels:,} (max_pixels)"
                )
            orientation = picture.getexif().get(0x0112, 1)
            profile = picture.info.get("icc_profile")
            if picture.format in ("PNG", "TIFF") and (deep := _read_16_bit(picture, data)) is not None:
                values, bits = deep.astype(np.float32) / 65535, 16
            else:
                values, bits = _read_8_bit(ImageOps.exif_transpose(picture)), 8
                orientation = 1
    except PILImage.DecompressionBombError as error:
        raise ValueError(f"{path} has more than {max_pixels:,} pixels (max_pixels)") from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{path} is not an image that can be read: PNG, JPEG, TIFF or WebP") from error
    except (OSError, SyntaxError, EOFError, RuntimeError, IndexError, struct.error) as error:
        raise ValueError(f"{path} is damaged or truncated ({error})") from error
    values = _orient(values, orientation)
    values = values[..., None] if values.ndim == 2 else values
    colours = 3 if values.shape[2] >= 3 else 1
    alpha = values[..., colours] if values.shape[2] > colours else None
    pixels = values[..., :3] if colours == 3 else values[..., 0]
    return Picture(np.ascontiguousarray(pixels), alpha, bits, profile)


def _read_16_bit(picture, data: bytes) -> np.ndarray | None:
    """The values of a PNG or TIFF of 16 bits a channel as uint16 (H, W[, C]); None for others.

    Pillow reduces 16-bit colour to 8 bits, so these go through imagecodecs and tifffile.
    """
    if picture.format == "PNG":
        if len(data) < 25 or data[24] != 16:  # the bit depth in the IHDR chunk
            return None
        import imagecodecs

        values = imagecodecs.png_decode(data)
    else:
        if getattr(picture, "n_frames", 1) > 1:
            raise ValueError(
                f"the TIFF holds {picture.n_frames} pages, but must hold one; save the page you want"
            )
        bits = picture.tag_v2.get(258, (8,))
        if max(bits if isinstance(bits, tuple) else (bits,)) != 16:
            return None
        import tifffile

        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            page = tiff.pages[0]
            values = page.asarray()
            if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
                values = np.iinfo(values.dtype).max - values
            if values.ndim == 3 and page.planarconfig == 2:
                values = np.moveaxis(values, 0, -1)
    return values if values.dtype == np.uint16 and values.ndim in (2, 3) else None


def _read_8_bit(picture) -> np.ndarray:
    """The values of a Pillow image as float32 (H, W[, C]) in [0, 1]: L, LA, RGB or RGBA."""
    transparent = picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info
    if picture.mode in ("I;16", "I;16B", "I;16L", "I"):
        return np.asarray(picture).astype(np.float32) / 65535
    if picture.mode == "F":
        raise ValueError("a TIFF of floating-point values has no stated range; convert it to 16 bits")
    grey = picture.mode in ("1", "L", "LA", "La")
    if picture.mode in ("P", "PA"):
        palette = np.array(picture.getpalette("RGB")).reshape(-1, 3)
        grey = bool((palette == palette[:, :1]).all())
        picture = picture.convert("RGBA" if transparent else "RGB")
    mode = ("LA" if transparent else "L") if grey else ("RGBA" if transparent else "RGB")
    return np.asarray(picture.convert(mode)).astype(np.float32) / 255


def _orient(values: np.ndarray, orientation: int) -> np.ndarray:
    """Apply the EXIF orientation (1 to 8)."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def write_image(path: str | os.PathLike, image: np.ndarray, *, bits: int = 8) -> None:
    """Write (H, W) or (H, W, 3), float in [0, 1] (clipped) or uint8, in the format of the suffix.

    bits: 8, or 16 for PNG and TIFF. The file appears whole or not at all. Raises ``ValueError`` for
    an unknown suffix or an image with NaN, ``OSError`` where it cannot be written.
    """
    batch, _ = as_batch(image)
    pixels = batch[0].permute(1, 2, 0).numpy()
    write_picture(path, Picture(pixels[..., 0] if pixels.shape[2] == 1 else pixels, bits=bits))


def write_picture(path: str | os.PathLike, picture: Picture) -> None:
    """Write a picture in the format of the suffix, with alpha and 16 bits where the format has them.

    JPEG has neither and WebP has 8 bits only: then alpha is dropped with a warning and values are
    rounded to 8 bits. PNG and TIFF are lossless; JPEG is written at quality 95, WebP lossless.
    """
    from PIL import Image as PILImage

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        _check.fail("path's suffix", path.suffix, "one of " + ", ".join(SUFFIXES))
    if picture.bits not in (8, 16):
        _check.fail("bits", picture.bits, "8 or 16")
    alpha = picture.alpha
    if alpha is not None and suffix in (".jpg", ".jpeg"):
        warnings.warn(f"{path}: JPEG has no transparency, so alpha is left out", stacklevel=2)
        alpha = None
    values = picture.pixels if picture.pixels.ndim == 3 else picture.pixels[..., None]
    if alpha is not None:
        values = np.concatenate([values, alpha[..., None]], axis=2)
    values = np.clip(values, 0, 1)
    deep = picture.bits == 16 and suffix in (".png", ".tif", ".tiff")
    kind, peak = (np.uint16, 65535) if deep else (np.uint8, 255)
    values = np.round(values * peak).astype(kind)
    values = values[..., 0] if values.shape[2] == 1 else values
    if deep and suffix == ".png":
        import imagecodecs

        _files.write_bytes(path, imagecodecs.png_encode(values))
        return
    file = io.BytesIO()
    if deep:
        import tifffile

        extra = {"extrasamples": ["unassalpha"]} if alpha is not None else {}
        kind = "minisblack" if values.ndim == 2 or values.shape[2] == 2 else "rgb"
        tifffile.imwrite(file, values, photometric=kind, iccprofile=picture.icc_profile, **extra)
    else:
        options: dict = {"quality": 95} if suffix in (".jpg", ".jpeg") else {}
        if suffix == ".webp":
            options = {"lossless": True}
        if picture.icc_profile:
            options["icc_profile"] = picture.icc_profile
        names = {".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}
        PILImage.fromarray(values).save(file, names.get(suffix, suffix[1:].upper()), **options)
    _files.write_bytes(path, file.getvalue())
