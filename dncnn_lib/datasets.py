"""The standard image sets: where each file is, whether it is whole, and where it is downloaded from.

A set is looked for in the folder named by ``$DNCNN_DATA``, laid out as ``SET/FILE``; what is not
there is downloaded once, file by file, to the user's cache. Every file is checked against its
SHA-256. The registry is ``data/registry/``; the licences of the sets are their owners'.
"""

from __future__ import annotations

import csv
import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import _check, _files
from ._paths import DATA
from .images import read_image

VARIABLE = "DNCNN_DATA"


@dataclass(frozen=True)
class DatasetFile:
    """One registered file: its set, name, size in bytes, SHA-256 and the address it comes from."""

    set: str
    name: str
    bytes: int
    sha256: str
    url: str


@functools.cache
def _registry() -> dict[str, tuple[DatasetFile, ...]]:
    with open(DATA / "registry" / "files.csv", newline="", encoding="utf-8") as file:
        rows = [
            DatasetFile(row["set"], row["file"], int(row["bytes"]), row["sha256"], row["url"])
            for row in csv.DictReader(file)
        ]
    return {name: tuple(r for r in rows if r.set == name) for name in dict.fromkeys(r.set for r in rows)}


def dataset_names() -> list[str]:
    """The names of the registered sets."""
    return list(_registry())


def dataset_files(name: str) -> tuple[DatasetFile, ...]:
    """What the registry says about a set. Raises ``ValueError``, with the known names, for others."""
    _check.one_of("name", name, dataset_names())
    return _registry()[name]


def dataset_paths(name: str, *, download: bool = True) -> list[Path]:
    """The files of a set, each present and checked, in the order of the registry.

    download: fetch what is missing. Raises ``FileNotFoundError`` where a file is missing and cannot
    be had, ``ValueError`` where one is damaged; both say what to do.
    """
    return [_locate(file, download) for file in dataset_files(name)]


def load_dataset(name: str, *, grey: bool = False, download: bool = True) -> dict[str, np.ndarray]:
    """The images of a set by file name: float32 in [0, 1], (H, W) or (H, W, 3).

    grey: convert colour images as MATLAB's ``rgb2gray`` does and round to 8 bits, which is how
    the grey sets of the literature (BSD68, Train400) were made. Errors as in ``dataset_paths``.
    """
    images = {path.name: read_image(path) for path in dataset_paths(name, download=download)}
    return {key: to_grey(image) for key, image in images.items()} if grey else images


def training_images(*, grey: bool = True, download: bool = True) -> list[np.ndarray]:
    """The 432 images of BSDS500 that are not in BSD68: the training set of CDnCNN-B.

    grey: as in ``load_dataset``. None of them is in BSD68, CBSD68 or Set12.
    """
    with open(DATA / "registry" / "cbsd432_ids.csv", newline="", encoding="utf-8") as file:
        allowed = {(row["split"], row["bsds_id"]) for row in csv.DictReader(file)}
    images = []
    for split in ("train", "val", "test"):
        for file in dataset_files(f"BSDS500/{split}"):
            if (split, Path(file.name).stem) in allowed:
                image = read_image(_locate(file, download))
                images.append(to_grey(image) if grey else image)
    return images


def to_grey(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) in [0, 1] to (H, W) by BT.601 weights, rounded to 8 bits; grey passes unchanged."""
    if image.ndim == 2:
        return image
    grey = image @ np.array([0.2989, 0.5870, 0.1140], dtype=np.float32)
    return (np.round(grey * 255) / 255).astype(np.float32)


def _locate(file: DatasetFile, download: bool) -> Path:
    folder = os.environ.get(VARIABLE)
    if folder:
        path = Path(folder) / file.set / file.name
        if path.is_file():
            return _checked(path, file, f"replace it, or unset {VARIABLE} to download the set")
    path = cache_folder() / file.set / file.name
    if path.is_file():
        return _checked(path, file, "delete it and it will be downloaded again")
    if not download:
        raise FileNotFoundError(_missing(file, "it is not on this machine"))
    return _download(file, path)


def cache_folder() -> Path:
    """The folder that sets are downloaded to: ``dncnn_lib`` in the user's cache."""
    import pooch

    return Path(pooch.os_cache("dncnn_lib"))


def _checked(path: Path, file: DatasetFile, remedy: str) -> Path:
    size = path.stat().st_size
    if size != file.bytes:
        raise ValueError(f"{path} has {size:,} bytes, but must have {file.bytes:,}; {remedy}")
    found = _files.sha256(path)
    if found != file.sha256:
        raise ValueError(f"{path} has SHA-256 {found}, but must have {file.sha256}; {remedy}")
    return path


def _download(file: DatasetFile, path: Path) -> Path:
    import pooch
    import requests

    downloader = pooch.HTTPDownloader(timeout=30)
    try:
        # pooch downloads beside the target, checks the hash and renames
        pooch.retrieve(
            file.url, f"sha256:{file.sha256}", path.name, path.parent, downloader=downloader
        )
    except (OSError, requests.exceptions.RequestException) as error:
        reason = f"downloading {file.url} failed ({type(error).__name__})"
        raise FileNotFoundError(_missing(file, reason)) from error
    except ValueError as error:
        raise ValueError(f"{file.url} no longer holds what was registered: {error}") from error
    return path


def _missing(file: DatasetFile, reason: str) -> str:
    return (
        f"{file.set}/{file.name} is missing: {reason}. With a network connection run "
        f"`python -m dncnn_lib download {file.set}`; or set {VARIABLE} to a folder that holds "
        f"{file.set}/{file.name}"
    )


