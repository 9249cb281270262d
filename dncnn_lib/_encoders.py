"""Image files written: values to bytes, by Pillow, tifffile and imagecodecs."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np

from ._codecs import chunk
from ._meta import FOLDERS, SUFFIXES, TOLD, Meta, as_stored


def encode(values: np.ndarray, suffix: str, meta: Meta) -> tuple[bytes, list[str]]:
    """The file, in the format of the suffix, of values uint8 or uint16 (H, W, C), C = 1 to 4; and
    notes in words about what the format has no place for.

    A profile is written only where it fits: grey values beside a profile for RGB become RGB.
    """
    kind = _KINDS[suffix]
    values, meta, notes = _fitting(values, kind, meta)
    if kind != "PNG" and _matters(meta):
        notes.append(f"{kind} has no place for {_matters(meta)}, so it may look different")
    if meta.exif and (kind == "BMP" or (kind == "JPEG" and len(meta.exif) > _MOST_IN_JPEG)):
        notes.append(f"{kind} has no place for its date, camera and text, which are left out")
        meta = replace(meta, exif=None)
    write = _encode_16_bits if values.dtype == np.uint16 else _encode_8_bits
    data = write(values, kind, meta)
    if kind == "PNG":
        data = data[:33] + b"".join(chunk(*item) for item in meta.chunks.items()) + data[33:]
    return data, notes


_MOST_IN_JPEG = 65533
"""The bytes of a segment."""

_KINDS = {suffix: suffix[1:].upper() for suffix in SUFFIXES} | {
    ".tif": "TIFF",
    **dict.fromkeys((".jpg", ".jpe", ".jfif"), "JPEG"),
}


def _fitting(values: np.ndarray, kind: str, meta: Meta) -> tuple[np.ndarray, Meta, list[str]]:
    """Values and meta data of which the colours agree."""
    profile, notes = meta.icc_profile, []
    if profile is None or kind == "BMP":
        if profile is not None:
            notes.append("BMP has no place for the colour profile, which is left out")
        return values, replace(meta, icc_profile=None), notes
    space, grey = profile[16:20], values.shape[2] <= 2
    if profile[36:40] != b"acsp" or int.from_bytes(profile[:4], "big") != len(profile):
        notes.append("its colour profile is malformed and is left out")
        return values, replace(meta, icc_profile=None), notes
    if space == b"RGB " and grey:
        values = np.concatenate([values[..., :1]] * 3 + [values[..., 1:]], axis=2)
    elif space != b"RGB " and not (space == b"GRAY" and grey and kind != "WEBP"):
        what = "grey" if space == b"GRAY" else space.decode("latin-1").strip()
        notes.append(f"its colour profile, for {what}, does not fit RGB values and is left out")
        meta = replace(meta, icc_profile=None)
    return values, meta, notes


def _matters(meta: Meta) -> str | None:
    """Which chunk of a PNG says that its values are not those of sRGB, which viewers expect."""
    if meta.icc_profile or "sRGB" in meta.chunks:
        return None
    if "cICP" in meta.chunks and meta.chunks["cICP"][:2] != b"\x01\x0d":
        return "the PNG's cICP"
    gamma = int.from_bytes(meta.chunks.get("gAMA", b""), "big")
    if gamma and abs(gamma - 45455) > 1000:
        return f"the PNG's gamma of {gamma / 1e5:g}"
    primaries = np.frombuffer(meta.chunks.get("cHRM", b"").ljust(32, b"\0")[:32], ">u4")
    different = primaries.any() and np.abs(primaries - np.array(_SRGB)).max() > 500
    return "the PNG's cHRM" if different else None


_SRGB = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
"""White, red, green and blue, x and y of each, in units of 1e-5."""


def _encode_8_bits(values: np.ndarray, kind: str, meta: Meta) -> bytes:
    from PIL import Image as PILImage

    # 4:4:4: chroma at half the resolution would cost colour edges several dB
    options: dict[str, Any] = {
        "JPEG": {"quality": 95, "subsampling": 0},
        "WEBP": {"lossless": True, "exact": True},
    }.get(kind, {})
    if meta.icc_profile:
        options["icc_profile"] = meta.icc_profile
    if meta.exif:
        options["exif"] = _told(meta) if kind == "TIFF" else meta.exif
    if meta.dpi and kind != "WEBP":
        options["dpi"] = meta.dpi
    file = io.BytesIO()
    picture = PILImage.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    picture.save(file, kind, **options)
    return file.getvalue()


def _encode_16_bits(values: np.ndarray, kind: str, meta: Meta) -> bytes:
    colours, alpha = (3 if values.shape[2] >= 3 else 1), values.shape[2] in (2, 4)
    if kind == "PNG":
        import imagecodecs

        data = imagecodecs.png_encode(values if values.shape[2] > 1 else values[..., 0])
        added = b""
        if meta.icc_profile:
            added += chunk("iCCP", b"ICC profile\0\0" + zlib.compress(meta.icc_profile))
        if meta.dpi:
            per_metre = (round(value / 0.0254) for value in meta.dpi)
            added += chunk("pHYs", struct.pack(">IIB", *per_metre, 1))
        if meta.exif:
            added += chunk("eXIf", meta.exif.removeprefix(b"Exif\0\0"))
        return data[:33] + added + data[33:]
    return _tiff_of_16_bits(values, meta, colours, alpha)


def _tiff_of_16_bits(values: np.ndarray, meta: Meta, colours: int, alpha: bool) -> bytes:
    import tifffile

    told = _told(meta)
    texts = [(tag, "s", 0, told[tag], True) for tag in TOLD if tag in told and tag != 270]
    folders = {tag: told[tag] for tag in FOLDERS if tag in told}
    pointers = [(tag - 1, "I", 1, 0, True) for tag in folders]  # tifffile writes none of its own
    samples = values.shape[2]
    peak = [(281, "H", samples, (meta.peak,) * samples, True)] if meta.peak else []
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        values if samples > 1 else values[..., 0],
        photometric="rgb" if colours == 3 else "minisblack",
        planarconfig="contig" if samples > 1 else None,
        extrasamples=["unassalpha"] if alpha else None,
        iccprofile=meta.icc_profile,
        resolution=meta.dpi,
        resolutionunit="INCH" if meta.dpi else None,
        byteorder="<",
        description=told.get(270),
        software=False,
        metadata=None,
        extratags=texts + pointers + peak,
    )
    return _with_folders(file.getvalue(), folders)


def _told(meta: Meta) -> Any:
    """EXIF as Pillow writes it into a TIFF: texts as bytes, of which it keeps what is not ASCII."""
    from PIL import Image as PILImage

    told = PILImage.Exif()
    told.load(meta.exif or b"")
    for tag in TOLD:
        if tag in told:
            told[tag] = as_stored(told[tag])
    for tag in FOLDERS:
        if tag in told:
            told[tag] = dict(told.get_ifd(tag))
    return told


def _with_folders(data: bytes, folders: dict[int, dict[int, Any]]) -> bytes:
    """A TIFF, little-endian, with folders of EXIF at its end, to which its tags of one number less
    are made to point."""
    import tifffile
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        places = {tag: file.pages[0].tags[tag - 1].offset for tag in folders}
    for tag, values in folders.items():
        data += b"\0" * (len(data) % 2)
        folder = ImageFileDirectory_v2(group=tag)
        folder.update(values)
        place = places[tag]
        entry = struct.pack("<HHII", tag, 4, 1, len(data))
        data = data[:place] + entry + data[place + 12 :] + folder.tobytes(len(data))
    return data
