"""Image files read: their bytes to values, by Pillow, tifffile and imagecodecs."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp")
MAX_PIXELS = 150_000_000
"""The largest image that is read, in pixels: more is taken for a decompression bomb."""


class Unsupported(Exception):
    """A whole file of a kind that is not read; the message continues the file's name."""


@dataclass(frozen=True, eq=False)
class Meta:
    """What a file says of its pixels beside them.

    icc_profile: the colour profile; exif: date, camera, place and exposure, but no orientation, as
    bytes of EXIF; dpi: pixels per inch, across and down; chunks: of a PNG, those that tell its
    colours (gAMA, cHRM, sRGB, cICP), by name; peak: the value of white, where the file states one
    below the largest of its 16 bits.
    """

    icc_profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[int, int] | None = None
    chunks: dict[str, bytes] = field(default_factory=dict)
    peak: int | None = None


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
        found = _tiff(data)
        if not isinstance(found, int):
            return found
        page = found
    if kind == "JPEG":
        _check_jpeg(data)
    try:
        picture = PILImage.open(io.BytesIO(data), formats=[kind])
    except PILImage.DecompressionBombError:  # Pillow's own limit, which is above ours
        raise Unsupported(_too_large()) from None
    if page:
        picture.seek(page)
    _check_size(picture.width, picture.height)
    # a photograph in the format MPO is a JPEG with further views of it behind
    if picture.format not in ("MPO", "TIFF"):  # of a TIFF the pages are checked already
        _check_pages(getattr(picture, "n_frames", 1))
    notes: list[str] = []
    profile = picture.info.get("icc_profile") if picture.mode != "CMYK" else None
    deep = kind == "PNG" and data[24] == 16  # the bit depth in the IHDR chunk
    values = _png_of_16_bits(data) if deep else _pillow_values(picture)
    if deep:
        notes += _doubtful(values)
    if kind == "TIFF" and 0 in picture.tag_v2.get(338, ()):
        notes.append(_UNSPECIFIED)
    # asked for last, because Pillow turns a TIFF itself as it is decoded
    orientation, exif = _exif(picture.getexif, notes)
    chunks = (
        {name: body for name, body, _ in _chunks(data) if name in _COLOUR} if kind == "PNG" else {}
    )
    dpi = _dpi(picture.info.get("dpi")) if _has_dpi(picture) else None
    meta = Meta(profile or None, exif, dpi, chunks)
    return _upright(values, orientation), meta, notes


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


def _too_large() -> str:
    return f"has more than {MAX_PIXELS:,} pixels, the limit against decompression bombs"


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Unsupported(_too_large())


def _check_pages(pages: int) -> None:
    if pages > 1:
        raise Unsupported(f"holds {pages} images, but must hold one; save the one you want")


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


_UNSPECIFIED = "has a further channel of an unspecified kind, which is left out"


def _tiff(data: bytes) -> tuple[np.ndarray, Meta, list[str]] | int:
    """Values, upright, uint8 or uint16 (H, W, C), of a TIFF of 16 bits, or of 8 that Pillow cannot
    unpack; of any other the number of the page, from 0, that Pillow is to read."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page, number = _main_page(file)
        plain = _check_kind(page)
        if page.bitspersample < 16 and not (plain and (number != 0 or _beyond_pillow(page))):
            if number is None:
                raise Unsupported("holds its image behind a reduced one; save it alone")
            return number
        values = page.asarray()
        values = np.moveaxis(values, 0, -1) if page.planarconfig == 2 else np.atleast_3d(values)
        notes = []
        if page.extrasamples == (0,):
            values = values[..., :-1]
            notes.append(_UNSPECIFIED)
        peak = _stated_peak(page, values) if values.dtype == np.uint16 else None
        if values.dtype == np.uint16 and peak is None:
            notes += _doubtful(values)
        if page.photometric == 0:
            white = values.dtype.type(peak or np.iinfo(values.dtype).max)
            values = np.concatenate([white - values[..., :1], values[..., 1:]], axis=2)
        orientation, exif = _exif(lambda: _exif_of(page, data), notes)
        meta = Meta(page.iccprofile, exif, _dpi_of(page), peak=peak)
        return _upright(values, orientation), meta, notes


def _main_page(file: Any) -> tuple[Any, int | None]:
    """The page that is no mask and no reduced copy of another, and its number from 0; None for one
    that lies below another page, as in a camera's DNG."""
    pages = list(file.pages)  # asks for their number first, which ends circles of pages
    # 1 marks a reduced copy of another page, 4 a mask
    found = [(page, number) for number, page in enumerate(pages) if not page.subfiletype & 5]
    if not found:
        below = [below for page in pages for below in page.pages or ()]
        found = [(page, None) for page in below if not page.subfiletype & 5] or [(pages[0], 0)]
    _check_pages(len(found))
    return found[0]


def _check_kind(page: Any) -> bool:
    """Whether a page is grey or RGB, with straight alpha, a further channel or neither. Refuses
    what is not read at all."""
    _check_size(page.imagewidth, page.imagelength)
    bits, samples = page.bitspersample, page.samplesperpixel
    if page.sampleformat != 1 or bits > 16 or 8 < bits < 16:
        kind = {1: "unsigned", 2: "signed", 3: "floating-point"}.get(page.sampleformat, "other")
        raise Unsupported(
            f"has {kind} values of {bits} bits, but must have unsigned ones of 8 or 16 bits"
        )
    grey = page.photometric in (0, 1)
    if samples > (2 if grey else 4):
        raise Unsupported(
            f"has {samples} values a pixel, but must be grey or RGB, with alpha or none"
        )
    plain = (grey or page.photometric == 2) and page.extrasamples in ((), (0,), (2,))
    if not plain and (bits == 16 or (page.planarconfig == 2 and page.extrasamples)):
        raise Unsupported(
            f"has {bits}-bit values of the kind {page.photometric.name}, {samples} a pixel, but "
            "must be grey or RGB, with straight alpha or none"
        )
    return plain and bits >= 8


def _beyond_pillow(page: Any) -> bool:
    """Whether a page is packed in a way that Pillow does not know."""
    known = (1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34925, 50000)
    further_plane = page.planarconfig == 2 and page.extrasamples
    return page.compression not in known or bool(further_plane) or _is_odd(page)


def _is_odd(page: Any) -> bool:
    """Whether it is of a big-endian BigTIFF, which Pillow does not know."""
    return page.parent.is_bigtiff and page.parent.byteorder == ">"


def _stated_peak(page: Any, values: np.ndarray) -> int | None:
    """The tag MaxSampleValue, where it can be the value of white."""
    stated = page.tags.valueof(281)
    stated = max(stated) if isinstance(stated, tuple) else stated
    usable = isinstance(stated, int) and max(int(values.max()), 255) <= stated < 65535
    return stated if usable else None


def _doubtful(values: np.ndarray) -> list[str]:
    """A note where values of 16 bits look like a camera's 10, 12 or 14."""
    largest = int(values[..., : 3 if values.shape[2] >= 3 else 1].max())
    bits = next((b for b in (10, 12, 14) if largest < 2**b), None)
    if bits is None or largest < 2 ** (bits - 1) or bits == 14:
        return []
    return [
        f"has 16 bits, but no value above {largest:,} of 65,535: if white is {2**bits - 1:,}, as "
        "in a camera's file, noise is measured far too weak; multiply the values by "
        f"{65535 // (2**bits - 1)} first"
    ]


def _dpi(found: Any) -> tuple[int, int] | None:
    try:
        across, down = (round(float(value)) for value in found)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 65536 and 0 < down < 65536 else None


def _has_dpi(picture: Any) -> bool:
    """Whether the file states a resolution: where it does not, Pillow makes one up for some."""
    if picture.format == "TIFF":
        return 282 in picture.tag_v2
    if picture.format in ("JPEG", "MPO"):
        return picture.info.get("jfif_unit") in (1, 2) or 282 in picture.getexif()
    return True


def _dpi_of(page: Any) -> tuple[int, int] | None:
    if 282 not in page.tags or page.tags.valueof(296, 2) not in (2, 3):  # inch, centimetre
        return None
    try:
        return _dpi(page.get_resolution("inch"))
    except Exception:  # of a malformed tag, half a dozen kinds
        return None


TOLD = (270, 271, 272, 305, 306, 315, 33432)
"""EXIF: description, maker, model, software, date, artist, copyright."""
FOLDERS = (0x8769, 0x8825)
"""EXIF: exposure, place."""
_UNTRUE = (0x927C, 0xA005, 0xA002, 0xA003)
"""EXIF of exposure that is left out: the maker's notes and a further folder, which hold addresses
within the old file, and the size, which a turned picture has no more."""


def _exif(load: Callable[[], Any], notes: list[str]) -> tuple[int, bytes | None]:
    """The orientation, 1 to 8, and what else is told of a photograph, as EXIF of its own."""
    from PIL import Image as PILImage

    orientation = 1
    try:
        found = load()
        stated = found.get(0x0112, 1)
        orientation = stated if stated in range(1, 9) else 1
        kept = PILImage.Exif()
        for tag in TOLD:
            text = found.get(tag)
            if isinstance(text, str) and text and not text.startswith('{"shape"'):  # tifffile's
                kept[tag] = as_stored(text)
        for tag in FOLDERS:
            folder = found.get_ifd(tag)
            if folder := {key: folder[key] for key in folder if key not in _UNTRUE}:
                kept[tag] = folder
        return orientation, kept.tobytes() if len(kept) else None
    except Exception:  # a dozen kinds
        notes.append("has malformed EXIF data, which are left out")
        return orientation, None


def as_stored(text: str) -> bytes:
    """The bytes that Pillow has read a text of EXIF from."""
    return text.encode("latin-1", "replace")


def _exif_of(page: Any, data: bytes) -> Any:
    """As Pillow reads it."""
    from PIL import Image as PILImage

    found = PILImage.Exif()
    if _is_odd(page):
        found.update({tag: page.tags.valueof(tag) for tag in (*TOLD, 0x0112) if tag in page.tags})
        return found
    found.endian, found.bigtiff = page.parent.byteorder, page.parent.is_bigtiff
    found.load_from_fp(io.BytesIO(data), page.offset)
    return found


def _upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Apply the EXIF orientation (1 to 8) to (H, W, C)."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def without_addresses(error: object) -> str:
    """The words of an error without the addresses of Python's objects."""
    return re.sub(r"<[\w.]+ object at 0x[0-9a-fA-F]+>", "the data", str(error))
