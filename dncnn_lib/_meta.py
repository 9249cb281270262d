"""What image files of all formats have beside pixels, and what all of them are checked for."""

from __future__ import annotations

from collections.abc import Callable
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


def too_large() -> str:
    return f"has more than {MAX_PIXELS:,} pixels, the limit against decompression bombs"


def check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Unsupported(too_large())


def check_pages(pages: int) -> None:
    if pages > 1:
        raise Unsupported(f"holds {pages} images, but must hold one; save the one you want")


UNSPECIFIED = "has a further channel of an unspecified kind, which is left out"


def doubtful(values: np.ndarray) -> list[str]:
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


def dpi_of_pair(found: Any) -> tuple[int, int] | None:
    """Pixels per inch as whole numbers; None for what cannot be a resolution."""
    try:
        across, down = (round(float(value)) for value in found)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 65536 and 0 < down < 65536 else None


TOLD = (270, 271, 272, 305, 306, 315, 33432)
"""EXIF: description, maker, model, software, date, artist, copyright."""
FOLDERS = (0x8769, 0x8825)
"""EXIF: exposure, place."""
_UNTRUE = (0x927C, 0xA005, 0xA002, 0xA003)
"""EXIF of exposure that is left out: the maker's notes and a further folder, which hold addresses
within the old file, and the size, which a turned picture has no more."""


def exif_of(load: Callable[[], Any], notes: list[str]) -> tuple[int, bytes | None]:
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


def upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Apply the EXIF orientation (1 to 8) to (H, W, C)."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values
