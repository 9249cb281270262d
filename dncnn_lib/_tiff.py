"""TIFF files read: those of 16 bits, and those of 8 that Pillow cannot unpack, by tifffile."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from ._meta import (
    TOLD,
    UNSPECIFIED,
    Meta,
    Unsupported,
    check_pages,
    check_size,
    doubtful,
    dpi_of_pair,
    exif_of,
    upright,
)


def read_tiff(data: bytes) -> tuple[np.ndarray, Meta, list[str]] | int:
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
            notes.append(UNSPECIFIED)
        peak = _stated_peak(page, values) if values.dtype == np.uint16 else None
        if values.dtype == np.uint16 and peak is None:
            notes += doubtful(values)
        if page.photometric == 0:
            white = values.dtype.type(peak or np.iinfo(values.dtype).max)
            values = np.concatenate([white - values[..., :1], values[..., 1:]], axis=2)
        orientation, exif = exif_of(lambda: _exif_of(page, data), notes)
        meta = Meta(page.iccprofile, exif, _dpi_of(page), peak=peak)
        return upright(values, orientation), meta, notes


def _main_page(file: Any) -> tuple[Any, int | None]:
    """The page that is no mask and no reduced copy of another, and its number from 0; None for one
    that lies below another page, as in a camera's DNG."""
    pages = list(file.pages)  # asks for their number first, which ends circles of pages
    # 1 marks a reduced copy of another page, 4 a mask
    found = [(page, number) for number, page in enumerate(pages) if not page.subfiletype & 5]
    if not found:
        below = [below for page in pages for below in page.pages or ()]
        found = [(page, None) for page in below if not page.subfiletype & 5] or [(pages[0], 0)]
    check_pages(len(found))
    return found[0]


def _check_kind(page: Any) -> bool:
    """Whether a page is grey or RGB, with straight alpha, a further channel or neither. Refuses
    what is not read at all."""
    check_size(page.imagewidth, page.imagelength)
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


def _dpi_of(page: Any) -> tuple[int, int] | None:
    if 282 not in page.tags or page.tags.valueof(296, 2) not in (2, 3):  # inch, centimetre
        return None
    try:
        return dpi_of_pair(page.get_resolution("inch"))
    except Exception:  # of a malformed tag, half a dozen kinds
        return None


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
