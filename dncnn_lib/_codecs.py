"""Image files: their bytes to values and back, by Pillow, tifffile and imagecodecs."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
MAX_PIXELS = 150_000_000
"""The largest image that is read, in pixels: more is taken for a decompression bomb."""


class Unsupported(Exception):
    """A whole file of a kind that is not read; the message continues the file's name."""


_TOO_LARGE = f"has more than {MAX_PIXELS:,} pixels, the limit against decompression bombs"


def decode(data: bytes) -> tuple[np.ndarray, bytes | None]:
    """A file's values, upright, uint8 or uint16 (H, W, C) with C = 1 to 4, and its profile."""
    from PIL import Image as PILImage

    kind = _format(data)
    if kind == "TIFF" and (found := _tiff_of_16_bits(data)):
        return found
    try:
        picture = PILImage.open(io.BytesIO(data), formats=[kind])
    except PILImage.DecompressionBombError:  # Pillow's own limit, which is above ours
        raise Unsupported(_TOO_LARGE) from None
    _check_size(picture.width, picture.height)
    # a photograph in the format MPO is a JPEG with further views of it behind
    _check_pages(getattr(picture, "n_frames", 1) if picture.format != "MPO" else 1)
    profile = picture.info.get("icc_profile") if picture.mode != "CMYK" else None
    deep = kind == "PNG" and data[24] == 16  # the bit depth in the IHDR chunk
    values = _png_of_16_bits(data) if deep else _pillow_values(picture)
    # asked for last, because Pillow turns a TIFF itself as it is decoded
    return _upright(values, picture.getexif().get(0x0112, 1)), profile


def _format(data: bytes) -> str:
    """What a file holds, by its first bytes, in Pillow's words."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith(b"BM"):
        return "BMP"
    raise Unsupported("does not hold a PNG, JPEG, TIFF, WebP or BMP image, whatever its name says")


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Unsupported(_TOO_LARGE)


def _check_pages(pages: int) -> None:
    if pages > 1:
        raise Unsupported(f"holds {pages} images, but must hold one; save the one you want")


def _pillow_values(picture) -> np.ndarray:
    """The values of a Pillow image, uint8 (H, W, C): grey or RGB, each with or without alpha."""
    picture.load()
    alpha = picture.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in picture.info
    grey = picture.mode in ("1", "L", "LA")
    if picture.mode in ("P", "PA"):
        palette = np.array(picture.getpalette("RGB")).reshape(-1, 3)
        grey = bool((palette == palette[:, :1]).all())
        picture = picture.convert("RGBA" if alpha else "RGB")
    elif not grey and picture.mode not in ("RGB", "RGBA", "RGBa", "CMYK", "YCbCr"):
        raise Unsupported(f"has values of the kind {picture.mode}, but must be grey or RGB")
    mode = ("L" if grey else "RGB") + ("A" if alpha else "")
    return np.atleast_3d(np.asarray(picture.convert(mode)))


def _png_of_16_bits(data: bytes) -> np.ndarray:
    """The values of a PNG of 16 bits, uint16 (H, W, C); Pillow would reduce colour to 8 bits."""
    import imagecodecs

    return np.atleast_3d(imagecodecs.png_decode(data))


def _tiff_of_16_bits(data: bytes) -> tuple[np.ndarray, bytes | None] | None:
    """Values, upright, uint16 (H, W, C), and profile of a TIFF of 16 bits; None for 8 and less."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        _check_pages(len(file.pages))
        _check_size(page.imagewidth, page.imagelength)
        if page.sampleformat != 1 or page.bitspersample > 16 or 8 < page.bitspersample < 16:
            kind = {1: "unsigned", 2: "signed", 3: "floating-point"}.get(page.sampleformat, "other")
            raise Unsupported(
                f"has {kind} values of {page.bitspersample} bits, but must have unsigned ones of "
                "8 or 16 bits"
            )
        grey, inverted = page.photometric in (0, 1), page.photometric == 0
        if page.samplesperpixel > (2 if grey else 4):
            raise Unsupported(
                f"has {page.samplesperpixel} values a pixel, but must be grey or RGB, with alpha "
                "or none"
            )
        if page.bitspersample < 16:
            return None
        if not (grey or page.photometric == 2) or page.extrasamples not in ((), (0,), (2,)):
            raise Unsupported(
                f"has 16-bit values of the kind {page.photometric.name}, {page.samplesperpixel} a "
                "pixel, but must be grey or RGB, with straight alpha or none"
            )
        values = page.asarray()
        values = np.moveaxis(values, 0, -1) if page.planarconfig == 2 else np.atleast_3d(values)
        if inverted:
            values = np.concatenate([65535 - values[..., :1], values[..., 1:]], axis=2)
        orientation = page.tags.valueof(274, 1)
        return _upright(values, orientation), page.iccprofile


def _upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Apply the EXIF orientation (1 to 8) to (H, W, C)."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def encode(values: np.ndarray, suffix: str, profile: bytes | None) -> bytes:
    """The file, in the format of the suffix, of values uint8 or uint16 (H, W, C), C = 1 to 4."""
    known = _encode_16_bits if values.dtype == np.uint16 else _encode_8_bits
    return known(values, suffix, profile)


def _encode_8_bits(values: np.ndarray, suffix: str, profile: bytes | None) -> bytes:
    from PIL import Image as PILImage

    kind = {".jpg": "JPEG", ".tif": "TIFF"}.get(suffix, suffix[1:].upper())
    options: dict = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True, "exact": True}}.get(
        kind, {}
    )
    if profile:
        options["icc_profile"] = profile
    file = io.BytesIO()
    picture = PILImage.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    picture.save(file, kind, **options)
    return file.getvalue()


def _encode_16_bits(values: np.ndarray, suffix: str, profile: bytes | None) -> bytes:
    colours, alpha = (3 if values.shape[2] >= 3 else 1), values.shape[2] in (2, 4)
    if suffix == ".png":
        import imagecodecs

        data = imagecodecs.png_encode(values if values.shape[2] > 1 else values[..., 0])
        return _with_profile(data, profile) if profile else data
    import tifffile

    file = io.BytesIO()
    tifffile.imwrite(
        file,
        values if values.shape[2] > 1 else values[..., 0],
        photometric="rgb" if colours == 3 else "minisblack",
        planarconfig="contig" if values.shape[2] > 1 else None,
        extrasamples=["unassalpha"] if alpha else None,
        iccprofile=profile,
    )
    return file.getvalue()


def _with_profile(png: bytes, profile: bytes) -> bytes:
    """A PNG file with a colour profile: the chunk iCCP, put behind IHDR."""
    body = b"iCCP" + b"ICC profile\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:33] + chunk + png[33:]
