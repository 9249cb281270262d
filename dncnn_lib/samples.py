"""Sample pictures and a small training set under free licences, at hand without a network.

``data/images/attribution.csv`` says which there are, who made each and under what licence. Some are
read from the package of scikit-image, which brings them along; the others lie in ``data/images``.
"""

from __future__ import annotations

import csv
import functools
import importlib.util
from pathlib import Path

import numpy as np

from . import _check
from ._files import DATA
from .images import as_uint8, read_image, to_colour, to_grey


@functools.cache
def _table() -> dict[str, dict[str, str]]:
    with open(DATA / "images" / "attribution.csv", newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def attribution() -> list[dict[str, str]]:
    """One row for each picture, all values as text.

    name; split: "test" or "train"; file, in ``data/images`` or in scikit-image; title, author,
    source, licence, licence_url; original and original_sha256: the photograph that it was made
    from; changes: what was done to that; sha256 of the file.
    """
    return [dict(row) for row in _table().values()]


def sample_names() -> list[str]:
    """The names of all pictures, the held-out ones first."""
    return list(_table())


def sample_image(name: str, *, grey: bool | None = None) -> np.ndarray:
    """A sample picture, float32 in [0, 1]: (H, W) if it is grey, (H, W, 3) if it has colour.

    grey: True makes it grey (``to_grey``), False gives a grey one three equal channels.
    Raises ``ValueError``, with the known names, for others.
    """
    _check.one_of("name", name, sample_names())
    image = read_image(_path(_table()[name]["file"]))
    if grey is False:
        return to_colour(image)
    return to_grey(image) if grey else image


def held_out_images(*, grey: bool = True) -> dict[str, np.ndarray]:
    """The pictures to test on, by name: none was made from a photograph of the training set.

    Values and shapes as in ``sample_image``.
    """
    return {name: sample_image(name, grey=grey) for name in _names("test")}


def small_training_set(*, grey: bool = True) -> list[np.ndarray]:
    """Clean, detailed photographs to train on, for ``train`` and ``PatchSampler``.

    uint8 arrays (H, W), or (H, W, 3) where ``grey`` is False.
    """
    images = (sample_image(name, grey=grey) for name in _names("train"))
    return [as_uint8(image) for image in images]


def _names(split: str) -> list[str]:
    return [name for name, row in _table().items() if row["split"] == split]


def _path(file: str) -> Path:
    folder, name = file.split("/")
    if folder != "scikit-image":
        return DATA / "images" / folder / name
    package = importlib.util.find_spec("skimage")  # found, not imported, which takes a while
    return Path(package.origin).parent / "data" / name
