"""The tables of quality: our models measured as the paper's were, and what others published.

``data/tables/quality.csv`` holds our measurements of networks, ``data/tables/priors.csv`` those of
the systems before them, ``data/published/quality.csv`` the numbers of the literature, each with its
source; all have a row for a task, set, level and image.
"""

from __future__ import annotations

import csv
import functools
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from torch import nn

from .. import _check, _files
from .._files import DATA
from ..datasets import Images, image_set
from ..evaluation import PROTOCOLS

MEAN = "mean"
TABLES = DATA / "tables" / "quality.csv"
PRIORS_TABLE = TABLES.with_name("priors.csv")
PUBLISHED = DATA / "published" / "quality.csv"


@dataclass(frozen=True)
class Entry:
    """One measurement: PSNR in dB and SSIM of an image of a set, or of their mean, before and after
    a model restored it."""

    model: str
    task: str
    set: str
    level: float
    image: str
    degraded_psnr: float
    psnr: float
    degraded_ssim: float
    ssim: float


@dataclass(frozen=True)
class PriorEntry(Entry):
    """A row of ``priors.csv``: an ``Entry``, and further

    seconds: for a picture of 256×256 pixels at this level, None until it is timed; parameters:
    trained numbers; published: PSNR in dB that the literature has for it, and its source.
    """

    seconds: float | None
    parameters: int
    published: float | None
    source: str


class Quality(NamedTuple):
    """PSNR in dB, SSIM where it was given, and where the numbers come from."""

    psnr: float
    ssim: float | None
    source: str


Row = TypeVar("Row", bound=Entry)


# Our models by the paper's names, and the tables that the paper has of them.
_LEVELS = {name: protocol.levels for name, protocol in PROTOCOLS.items()}
_THREE = {name: _LEVELS[name] for name in ("gaussian", "super-resolution", "deblocking")}
_PAPER: dict[str, tuple[str, dict[str, tuple[int, ...]]]] = {
    "dncnn-s-15": ("DnCNN-S", {"gaussian": (15,)}),
    "dncnn-s-25": ("DnCNN-S", {"gaussian": (25,)}),
    "dncnn-s-50": ("DnCNN-S", {"gaussian": (50,)}),
    "dncnn-b": ("DnCNN-B", {"gaussian": _LEVELS["gaussian"]}),
    "dncnn-3": ("DnCNN-3", _THREE),
    "dncnn-3-small": ("DnCNN-3", _THREE),
    "cdncnn-b": ("CDnCNN-B", {"gaussian": _LEVELS["gaussian"]}),
    "cdncnn-b-small": ("CDnCNN-B", {"gaussian": _LEVELS["gaussian"]}),
    "ffdnet": ("FFDNet", {"gaussian": _LEVELS["gaussian"]}),
    "cdncnn-camera": ("CDnCNN-B", {name: _LEVELS[name] for name in ("gaussian", "camera")}),
    **{
        name: (paper, {"gaussian": _LEVELS["gaussian"]})
        for name, paper in {
            "gaussian-filter": "Gaussian filter",
            "total-variation": "Total variation",
            "wavelet": "Wavelet shrinkage",
            "nlm": "NLM",
            "bm3d": "BM3D",
            "ncsr": "NCSR",
            "foe": "FoE",
            "csf-5x5": "CSF 5×5",
            "csf-7x7": "CSF",
            "tnrd-5x5": "TNRD 5×5",
            "tnrd-7x7": "TNRD",
            "jain-seung": "Jain & Seung",
        }.items()
    },
}


def paper_name(model: str) -> str:
    """The paper's name of one of our models. Raises ``ValueError`` for others."""
    _check.one_of("model", model, tuple(_PAPER))
    return _PAPER[model][0]


def measured_sets(task: str, channels: int) -> dict[str, Images]:
    """The images that a finished network is measured on, by set; nothing is downloaded.

    The held-out samples and, where they are on this machine, the standard sets of the task.
    """
    sets = {}
    for name in (*_SETS[task, channels], "samples"):
        try:
            sets[name] = image_set(name, grey=task == "gaussian" and channels == 1, download=False)
        except FileNotFoundError:
            continue
    return sets


_SETS = {
    ("gaussian", 1): ("Set12", "BSD68"),
    ("gaussian", 3): ("CBSD68", "Kodak24", "McMaster"),
    ("super-resolution", 1): ("Set5", "Set14", "Urban100"),
    ("deblocking", 1): ("classic5", "LIVE1"),
    ("camera", 3): ("CBSD68", "Kodak24", "McMaster"),
}


def measure_table(name: str, model: nn.Module) -> Iterator[Entry]:
    """Measure a model as the paper does: an ``Entry`` for each image, then that of their mean.

    name: the model's, which decides the tasks and levels. The sets are those on this machine and
    the held-out samples. Errors as in ``paper_name``.
    """
    paper_name(name)
    for task, levels in _PAPER[name][1].items():
        for set_name, images in measured_sets(task, model.channels).items():
            for level in levels:
                yield from measure_set(name, model, task, set_name, images, level)


_LARGE_ENOUGH = 64
"""Pixels: a picture with sides of as many has room for every scale and for the window of SSIM."""


def measure_set(
    name: str, model: nn.Module, task: str, set_name: str, images: Images, level: float
) -> Iterator[Entry]:
    """Measure a model on a set at one level of a task: an ``Entry`` for each image, then of their
    mean. name, set_name: what the entries say. Noise as in ``Protocol.compare_all``. Images that
    are too small are left out, with a warning."""

    def entry(image: str, values: Sequence[float]) -> Entry:
        digits = [round(float(value), places) for value, places in zip(values, (3, 3, 4, 4))]
        return Entry(name, task, set_name, level, image, *digits)

    found = []
    for number, (image, pixels) in enumerate(images.items()):
        try:
            shown = PROTOCOLS[task].compare(model, pixels, level, seed=number)
            found.append((shown.degraded_psnr, shown.psnr, shown.degraded_ssim, shown.ssim))
        except ValueError as error:
            if min(pixels.shape[:2]) >= _LARGE_ENOUGH:
                raise
            _check.warn(f"left out: {image} of {set_name}: {error}")
            continue
        yield entry(image, found[-1])
    if not found:
        raise ValueError(f"{set_name} holds no image that can be measured")
    yield entry(MEAN, np.mean(found, axis=0))


def read_table(path: str | os.PathLike = TABLES, kind: type[Row] = Entry) -> list[Row]:
    """The stored measurements. Raises ``OSError`` or ``ValueError`` for another file.

    kind: ``Entry``, or ``PriorEntry`` for ``PRIORS_TABLE``.
    """
    names = [field.name for field in fields(kind)]
    try:
        with open(path, newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            if table.fieldnames != names:
                raise ValueError(table.fieldnames)
            return [kind(*(_KINDS[f.type](row[f.name]) for f in fields(kind))) for row in table]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a table of quality") from error


_KINDS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "float | None": lambda text: float(text) if text else None,
}


def write_table(entries: Iterable[Entry], path: str | os.PathLike = TABLES) -> None:
    """Write the measurements, all of one kind, whole or not at all."""
    rows = [asdict(entry) | {"level": f"{entry.level:g}"} for entry in entries]
    columns = list(rows[0]) if rows else [field.name for field in fields(Entry)]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    _files.write_bytes(Path(path), text.getvalue().encode())


@functools.cache
def _published() -> dict[tuple[str, str, str, int, str], Quality]:
    with open(PUBLISHED, newline="", encoding="utf-8") as file:
        return {
            (row["method"], row["task"], row["set"], int(row["level"]), row["image"]): Quality(
                float(row["psnr"]), float(row["ssim"]) if row["ssim"] else None, row["source"]
            )
            for row in csv.DictReader(file)
        }


def published(
    method: str, task: str, set_name: str, level: float, image: str = MEAN
) -> Quality | None:
    """What the literature says of a method, such as "BM3D" or "DnCNN-S"; None if it is not known.

    "DnCNN-S (authors' weights)", and B and 3, were measured with the weights that the authors
    published, by the protocol "gaussian".
    """
    return _published().get((method, task, set_name, level, image))
