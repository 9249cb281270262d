"""Make the pictures of ``data/images`` from the photographs they come from, pixel for pixel.

    python data/build_images.py SOURCE [SOURCE ...]

A SOURCE is a folder with original photographs: that of Debian's package lomiri-wallpapers-16.04
(version 20.04.0-2) and that of scikit-learn's sample images. What is done to each photograph stands
in the column ``changes`` of ``data/images/attribution.csv``, in these words:

    averaged KxK          reduced: each pixel is the mean of a square of K×K pixels, which takes
                          away the noise of the sensor and the traces of JPEG
    cropped WxH+X+Y       then cut to width W and height H, with X columns and Y rows left out

Training pictures are written as lossless WebP, which is small, and test pictures as PNG, which
every program opens. A file that already has the right pixels is left alone. The SHA-256 of the
files are then noted in ``attribution.csv``.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import sys
from pathlib import Path

import numpy as np
from PIL import Image

IMAGES = Path(__file__).parent / "images"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def average(image: np.ndarray, k: int) -> np.ndarray:
    """The means of squares of k×k pixels, rounded: (H, W, 3) uint8 to (H // k, W // k, 3) uint8."""
    height, width = (size // k * k for size in image.shape[:2])
    squares = image[:height, :width].reshape(height // k, k, width // k, k, 3)
    return np.rint(squares.mean(axis=(1, 3), dtype=np.float64)).astype(np.uint8)


def change(image: np.ndarray, changes: str) -> np.ndarray:
    """Apply ``changes``, in the words above, to an image (H, W, 3) uint8."""
    if averaged := re.search(r"averaged (\d+)x\1", changes):
        image = average(image, int(averaged[1]))
    if cropped := re.search(r"cropped (\d+)x(\d+)\+(\d+)\+(\d+)", changes):
        width, height, left, top = map(int, cropped.groups())
        image = image[top : top + height, left : left + width]
    return image


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def original(row: dict[str, str], sources: list[str]) -> bytes:
    """The photograph that a picture is made from. Ends the program where there is none such."""
    for path in (Path(source) / row["original"] for source in sources):
        if path.is_file():
            data = path.read_bytes()
            if sha256(data) != row["original_sha256"]:
                sys.exit(f"{path} has another SHA-256 than attribution.csv says")
            return data
    sys.exit(f"{row['original']} is in none of the folders {sources}")


def build(row: dict[str, str], sources: list[str]) -> None:
    """Write the picture of one row of ``attribution.csv``, and put its SHA-256 into the row."""
    path = IMAGES / row["file"]
    image = change(pixels(original(row, sources)), row["changes"])
    if not (path.is_file() and np.array_equal(pixels(path.read_bytes()), image)):
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = {"lossless": True, "quality": 100, "method": 6}
        kind = kind if path.suffix == ".webp" else {"optimize": True}
        Image.fromarray(image).save(path, **kind)
        print(f"{path}: {image.shape[1]}×{image.shape[0]}, {path.stat().st_size:,} bytes")
    row["sha256"] = sha256(path.read_bytes())


def main(sources: list[str]) -> None:
    table = IMAGES / "attribution.csv"
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if not row["file"].startswith("scikit-image/"):
            build(row, sources)
    with open(table, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
