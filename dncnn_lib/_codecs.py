"""Image files read: their bytes to values, by Pillow, imagecodecs and, for TIFF, tifffile."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ._meta import (
    UNSPECIFIED,
    Meta,
    Unsupported,
    check_pages,
    check_size,
    doubtful,
    dpi_of_pair,
    exif_of,
    too_large,
    upright,
)
from ._tiff import read_tiff


def decode(data: bytes) -> tuple[np.ndarray, Meta, list[str]]:
    """A file's values, upright, uint8 or uint16 (H, W, C) with C = 1 to 4; what it says of them;
    and notes in words about what was left out.

    Where something that is no pixel is malformed, the pixels are read without it.
    """
    kind = _format(data)
    try:
        return _read(data, kind)
    except (Unsupported, MemoryError):
        raise
    except Exception:
        bare = _pixels_only(data, kind)
        if bare is None:
            raise
        values, meta, notes = _read(bare, kind)
        return values, meta, [*notes, "has malformed data beside its pixels, which are left out"]


def _read(data: bytes, kind: str) -> tuple[np.ndarray, Meta, list[str]]:
    from PIL import Image as PILImage

    page = 0
    if kind == "TIFF":
        found = read_tiff(data)
        if not isinstance(found, int):
            return found
        page = found
    if kind == "JPEG":
        _check_jpeg(data)
    try:
        picture = PILImage.open(io.BytesIO(data), formats=[kind])
    except PILImage.DecompressionBombError:  # Pillow's own limit, which is above ours
        raise Unsupported(too_large()) from None
    if page:
        picture.seek(page)
    check_size(picture.width, picture.height)
    # a photograph in the format MPO is a JPEG with further views of it behind
    if picture.format not in ("MPO", "TIFF"):  # of a TIFF the pages are checked already
        check_pages(getattr(picture, "n_frames", 1))
    notes: list[str] = []
    profile = picture.info.get("icc_profile") if picture.mode != "CMYK" else None
    deep = kind == "PNG" and data[24] == 16  # the bit depth in the IHDR chunk
    values = _png_of_16_bits(data) if deep else _pillow_values(picture)
    if deep:
        notes += doubtful(values)
    if kind == "TIFF" and 0 in picture.tag_v2.get(338, ()):
        notes.append(UNSPECIFIED)
    # asked for last, because Pillow turns a TIFF itself as it is decoded
    orientation, exif = exif_of(picture.getexif, notes)
    chunks = (
        {name: body for name, body, _ in _chunks(data) if name in _COLOUR} if kind == "PNG" else {}
    )
    dpi = dpi_of_pair(picture.info.get("dpi")) if _has_dpi(picture) else None
    meta = Meta(profile or None, exif, dpi, chunks)
    return upright(values, orientation), meta, notes


_OTHERS = {
    b"GIF8": "a GIF",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 picture",
    b"\xff\x4f\xff\x51": "a JPEG 2000 picture",
    b"8BPS": "a Photoshop file",
    b"%PDF": "a PDF",
    b"FUJIFILM": "a camera's raw file",
    b"qoif": "a QOI picture",
    b"\x76\x2f\x31\x01": "an OpenEXR picture",
}


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
    named = next((name for start, name in _OTHERS.items() if data.startswith(start)), None)
    if data[4:8] == b"ftyp":
        kinds = {b"avif": "an AVIF picture", b"avis": "an AVIF picture"}
        kinds |= {b"crx ": "a camera's raw file"}
        named = kinds.get(data[8:12], "a HEIC picture or a video")
    if named:
        raise Unsupported(f"is {named}, which is not read here; save it as PNG, JPEG or TIFF")
    raise Unsupported("does not hold a PNG, JPEG, TIFF, WebP or BMP image, whatever its name says")


def _check_jpeg(data: bytes) -> None:
    """Refuse, by name, the kinds of JPEG that are not read."""
    for marker, body, _ in _segments(data):
        if marker == 0xF7:
            raise Unsupported("is a JPEG-LS picture, which is not read here; save it as PNG")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and body:  # frame headers
            lossless = marker in (0xC3, 0xC7, 0xCB, 0xCF)
            kind = "a lossless JPEG" if lossless else f"a JPEG of {body[0]} bits"
            if lossless or body[0] != 8:
                raise Unsupported(f"is {kind}, which is not read here; save it as PNG or TIFF")
            return


def _segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """The marker of each segment of a JPEG, up to its scan, its body and where it begins."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if marker == 0xFF:  # fill
            place += 1
            continue
        yield marker, data[place + 4 : place + 2 + length], place
        if marker == 0xDA:
            return
        place += 2 + length


_COLOUR = ("gAMA", "cHRM", "sRGB", "cICP", "mDCV", "cLLI")
"""Chunks of a PNG that tell what its values mean."""


def _chunks(data: bytes) -> Iterator[tuple[str, bytes, bytes]]:
    """Name and body of each chunk of a PNG, and all of it."""
    place = 8
    while place + 12 <= len(data):
        whole = data[place : place + 12 + int.from_bytes(data[place : place + 4], "big")]
        yield whole[4:8].decode("latin-1"), whole[8:-4], whole
        place += len(whole)


def chunk(name: str, body: bytes) -> bytes:
    """A chunk of a PNG, whole."""
    named = name.encode("latin-1") + body
    return struct.pack(">I", len(body)) + named + struct.pack(">I", zlib.crc32(named))


def _pixels_only(data: bytes, kind: str) -> bytes | None:
    """The file without what is no pixel; None where it cannot be taken apart."""
    apart = {"PNG": _bare_png, "WEBP": _bare_webp, "JPEG": _bare_jpeg}
    return apart[kind](data) if kind in apart else None


def _bare_png(data: bytes) -> bytes:
    """What tells of pixels is kept as it is, wrong check sums included; but transparency gets a
    right one, and is left out where its length is wrong."""
    kept, alpha = data[:8], {0: 2, 2: 6}.get(data[25])  # bytes of tRNS, by the kind of colour
    for name, body, whole in _chunks(data):
        if name in ("IHDR", "PLTE", "IDAT", "IEND"):
            kept += whole
        elif name == "tRNS" and alpha in (None, len(body)):
            kept += chunk(name, body)
    return kept


def _bare_webp(data: bytes) -> bytes:
    kept, place = b"", 12
    while place + 8 <= len(data):
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        name, body = data[place : place + 4], data[place : place + 8 + length + length % 2]
        if name == b"VP8X":  # its flags tell of ICC (32), EXIF (8) and XMP (4)
            body = body[:8] + bytes([body[8] & ~(32 | 8 | 4)]) + body[9:]
        if name not in (b"EXIF", b"XMP ", b"ICCP"):
            kept += body
        place += 8 + length + length % 2
    return b"RIFF" + struct.pack("<I", len(kept) + 4) + b"WEBP" + kept


def _bare_jpeg(data: bytes) -> bytes | None:
    kept = data[:2]
    for marker, body, place in _segments(data):
        if marker == 0xDA:
            return kept + data[place:]
        needed = {0xE0: 14, 0xEE: 12}  # JFIF's and Adobe's tell the colours, where they are whole
        other = 0xE0 <= marker <= 0xEF or marker == 0xFE
        if not other or len(body) >= needed.get(marker, len(body) + 1):
            kept += data[place : place + 4 + len(body)]
    return None


def _pillow_values(picture: Any) -> np.ndarray:
    """The values of a Pillow image, uint8 (H, W, C): grey or RGB, each with or without alpha."""
    picture.load()
    alpha = picture.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in picture.info
    grey = picture.mode in ("1", "L", "LA")
    if picture.mode in ("P", "PA"):
        palette = np.array(picture.getpalette("RGB")).reshape(-1, 3)
        grey = bool((palette == palette[:, :1]).all())
        picture = picture.convert("RGBA" if alpha else "RGB")
    elif not grey and picture.mode not in ("RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"):
        raise Unsupported(f"has values of the kind {picture.mode}, but must be grey or RGB")
    mode = ("L" if grey else "RGB") + ("A" if alpha else "")
    return np.atleast_3d(np.asarray(picture.convert(mode)))


def _png_of_16_bits(data: bytes) -> np.ndarray:
    """The values of a PNG of 16 bits, uint16 (H, W, C); Pillow would reduce colour to 8 bits."""
    import imagecodecs

    return np.atleast_3d(imagecodecs.png_decode(_bare_png(data)))


def _has_dpi(picture: Any) -> bool:
    """Whether the file states a resolution: where it does not, Pillow makes one up for some."""
    if picture.format == "TIFF":
        return 282 in picture.tag_v2
    if picture.format in ("JPEG", "MPO"):
        return picture.info.get("jfif_unit") in (1, 2) or 282 in picture.getexif()
    return True


def without_addresses(error: object) -> str:
    """The words of an error without the addresses of Python's objects."""
    return re.sub(r"<[\w.]+ object at 0x[0-9a-fA-F]+>", "the data", str(error))
