"""Pictures as bytes, and the colours of the course. Nothing here knows matplotlib or a browser."""

from __future__ import annotations

import io

import numpy as np

from ..images import as_uint8

COLOURS = {
    "clean": "#1b7837",
    "noisy": "#b35806",
    "restored": "#2166ac",
    "removed": "#762a83",
    "reference": "#555555",
}
"""Dark enough on white to read (contrast 4.5:1 or more), told apart by the colour-blind."""

SERIES = ("#882255", "#7a5c00", "#006d6d")
"""For lines that stand for none of those; as dark, and as easy to tell apart."""


def side_by_side(*images: np.ndarray, zoom: int = 1, gap: int = 8) -> bytes:
    """Images of one height, (H, W) or (H, W, 3) in [0, 1], as one PNG with a white gap between."""
    from PIL import Image

    height = images[0].shape[0]
    white = np.ones((height, gap) + images[0].shape[2:], images[0].dtype)
    columns = [part for image in images for part in (white, image)][1:]
    pixels = as_uint8(np.concatenate(columns, axis=1))
    pixels = pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def screen_width(image: np.ndarray, zoom: int, count: int = 2) -> int:
    """The width on the screen, in pixels, of so many such images put ``side_by_side``."""
    return zoom * (count * image.shape[1] + (count - 1) * 8)
