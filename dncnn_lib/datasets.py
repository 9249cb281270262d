"""The standard image sets: where each file is, whether it is whole, and where it comes from.

A set is looked for in the folder named by ``$DNCNN_DATA``, laid out as ``SET/FILE``; what is not
there is downloaded once, file by file, to the user's cache. Every file is checked against its
SHA-256. The registry is ``data/registry/``; the licences of the sets are their owners'.
"""

from __future__ import annotations

import csv
import functools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import _check, _files, samples
from ._files import DATA
from .images import SUFFIXES, read_image, to_grey

VARIABLE = "DNCNN_DATA"

Images = dict[str, np.ndarray]
"""Clean images by name."""


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
    sets: dict[str, list[DatasetFile]] = {}
    for row in _table("files.csv"):
        file = DatasetFile(row["set"], row["file"], int(row["bytes"]), row["sha256"], row["url"])
        sets.setdefault(file.set, []).append(file)
    return {name: tuple(files) for name, files in sets.items()}


def _table(name: str) -> list[dict[str, str]]:
    with open(DATA / "registry" / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def dataset_names() -> list[str]:
    """The names of the registered sets."""
    return list(_registry())


def dataset_files(name: str) -> tuple[DatasetFile, ...]:
    """What the registry says about a set. Raises ``ValueError``, which lists them, for others."""
    _check.one_of("name", name, dataset_names())
    return _registry()[name]


def dataset_licence(name: str) -> str:
    """What the source of a set says about its licence. Errors as in ``dataset_files``."""
    _check.one_of("name", name, dataset_names())
    return next(row["licence_statement"] for row in _table("sets.csv") if row["set"] == name)


def dataset_presence(name: str) -> tuple[int, Path | None]:
    """How many files of a set are on this machine, and the folder of the first one, or None.

    A quick look: the files are not opened. Errors as in ``dataset_files``, and
    ``FileNotFoundError`` where ``$DNCNN_DATA`` is no folder.
    """
    found = [path for file in dataset_files(name) if (path := _find(file)) is not None]
    return len(found), found[0].parent if found else None


def dataset_paths(name: str, *, download: bool = True, progress: bool = False) -> list[Path]:
    """The files of a set, each present and checked, in the order of the registry.

    download: fetch what is missing. progress: show a bar over the files that are downloaded.
    Raises ``FileNotFoundError`` where a file is missing and cannot be had, ``ValueError`` where one
    is damaged, ``OSError`` where the cache cannot be written; each says what to do.
    """
    return _locate(dataset_files(name), download, progress)


def load_dataset(
    name: str, *, grey: bool = False, download: bool = True, progress: bool = False
) -> dict[str, np.ndarray]:
    """The images of a set by file name: float32 in [0, 1], (H, W) or (H, W, 3).

    grey: convert colour images as MATLAB's ``rgb2gray`` does and round to 8 bits, which is how
    the grey sets of the literature (BSD68, Train400) were made. The rest as in ``dataset_paths``.
    """
    paths = dataset_paths(name, download=download, progress=progress)
    return {path.name: _read(path, grey) for path in paths}


def training_images(
    *, grey: bool = True, download: bool = True, progress: bool = False
) -> list[np.ndarray]:
    """The 432 images of BSDS500 that are not in BSD68: the training set of CDnCNN-B.

    None of them is in BSD68, CBSD68 or Set12. grey: as in ``load_dataset``. The rest as in
    ``dataset_paths``.
    """
    allowed = {(row["split"], row["bsds_id"]) for row in _table("cbsd432_ids.csv")}
    files = [
        file
        for split in ("train", "val", "test")
        for file in dataset_files(f"BSDS500/{split}")
        if (split, Path(file.name).stem) in allowed
    ]
    return [_read(path, grey) for path in _locate(files, download, progress)]


def colour_bsd68(*, download: bool = True, progress: bool = False) -> dict[str, np.ndarray]:
    """The photographs of BSDS500 that BSD68 was made from, in colour, (H, W, 3): CBSD68.

    The names are those in BSD68. The rest as in ``dataset_paths``.
    """
    places = {
        (split, Path(file.name).stem): file
        for split in ("train", "val", "test")
        for file in dataset_files(f"BSDS500/{split}")
    }
    rows = _table("bsd68_to_bsds_id.csv")
    files = [places[row["split"], row["bsds_id"]] for row in rows]
    paths = _locate(files, download, progress)
    return {row["bsd68"]: _read(path, grey=False) for row, path in zip(rows, paths)}


def image_set(
    name: str,
    *,
    grey: bool = True,
    download: bool = True,
    progress: bool = False,
    folder_first: bool = False,
) -> Images:
    """Clean images by name, float32 in [0, 1] or uint8: (H, W) or, if they have colour, (H, W, 3).

    name: "small", the training set that ships; "samples", the images held out from it; "bsd432",
    the images of BSDS500 that are not in BSD68; the name of a registered set; or a folder.
    grey: convert colour images. download, progress: as in ``dataset_paths``. folder_first: where a
    folder has the name of a set, use the folder, with a warning.
    Raises ``ValueError`` for other names and for damaged files, ``FileNotFoundError`` for missing
    ones.
    """
    if folder_first and Path(name).is_dir():
        if name in ("small", "samples", "bsd432", *dataset_names()):
            _check.warn(f"{name} is your folder here, not the set of that name")
        return _folder(Path(name), grey)
    if name == "small":
        return _numbered(samples.small_training_set(grey=grey))
    if name == "samples":
        return samples.held_out_images(grey=grey)
    if name == "bsd432":
        images = training_images(grey=grey, download=download, progress=progress)
        return _numbered(images)
    if name == "CBSD68" and dataset_presence(name)[0] < 68:
        try:
            return colour_bsd68(download=False)
        except FileNotFoundError:
            pass
    if name in dataset_names():
        return load_dataset(name, grey=grey, download=download, progress=progress)
    if Path(name).is_dir():
        return _folder(Path(name), grey)
    known = ", ".join(map(repr, ["small", "samples", "bsd432", *dataset_names()]))
    raise ValueError(f"the image set is {name!r}, but must be a folder of images or one of {known}")


def _numbered(images: Iterable[np.ndarray]) -> Images:
    return {f"{number:03d}": image for number, image in enumerate(images)}


def is_image(path: Path) -> bool:
    """Whether it is a file that is read as an image, by its name; hidden ones are not."""
    return path.suffix.lower() in SUFFIXES and _is_seen(path)


def _is_seen(path: Path) -> bool:
    """Whether it is a file, or a link to none, and not hidden."""
    file = path.is_file() or (path.is_symlink() and not path.exists())
    return file and not path.name.startswith(".")


def image_files(folder: Path) -> list[Path]:
    """The image files in a folder, by suffix, sorted. Hidden files, such as macOS's
    ``._photo.png``, are passed over; warns of others that are left out. Raises ``ValueError`` if
    there is no image."""
    files = sorted(path for path in folder.iterdir() if _is_seen(path))
    found = [path for path in files if is_image(path)]
    if not found:
        raise ValueError(f"{folder} holds no image: no file ends in {', '.join(SUFFIXES)}")
    others = [path.name for path in files if path not in found]
    if others:
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        _check.warn(
            f"{folder}: {', '.join(others[:5])}{more} left out, because the names do not end in "
            f"{', '.join(SUFFIXES)}"
        )
    return found


def _folder(folder: Path, grey: bool) -> Images:
    """The images that can be read; warns of each that cannot. Raises ``ValueError`` for none."""
    images = {}
    for path in image_files(folder):
        try:
            images[path.name] = _read(path, grey)
        except OSError as error:
            _check.warn(f"left out: {path}: {error.strerror or error}")
        except ValueError as error:
            _check.warn(f"left out: {error}")
    if not images:
        raise ValueError(f"{folder} holds no image that can be read")
    return images


def image_licence(name: str) -> str:
    """What is known about the licence of an image set, by a name as in ``image_set``."""
    if name in ("small", "samples"):
        licences = sorted({row["licence"] for row in samples.attribution()})
        return f"{', '.join(licences)}; data/images/attribution.csv names it for each photograph"
    if name == "bsd432":
        return dataset_licence("BSDS500/train")
    if name in dataset_names():
        return dataset_licence(name)
    return "not known: a folder of the user"


def cache_folder() -> Path:
    """The folder that sets are downloaded to: ``dncnn_lib`` in the user's cache."""
    import pooch

    return Path(pooch.os_cache("dncnn_lib"))


def _read(path: Path, grey: bool) -> np.ndarray:
    image = read_image(path)
    return to_grey(image) if grey else image


def _locate(files: Sequence[DatasetFile], download: bool, progress: bool) -> list[Path]:
    """The files' places, in order; what is there already is checked before anything is fetched."""
    found = {file: path for file in files if (path := _find(file)) is not None}
    for file, path in found.items():
        _verify(path, file)
    missing = [file for file in files if file not in found]
    if missing and not download:
        raise FileNotFoundError(_missing(missing, "it is not on this machine"))
    fetched = missing
    if missing and progress:
        from tqdm.auto import tqdm

        fetched = tqdm(missing, desc="downloading", unit="file")
    for number, file in enumerate(fetched):
        found[file] = _download(missing[number:])
    return [found[file] for file in files]


def _find(file: DatasetFile) -> Path | None:
    """Where the file is: in ``$DNCNN_DATA``, else in the cache."""
    given = os.environ.get(VARIABLE)
    if given and not Path(given).is_dir():
        raise FileNotFoundError(
            f"{VARIABLE} is {given!r}, but there is no such folder; set it to one that holds "
            f"{file.set}/{file.name}, or unset it to download the set"
        )
    folders = [Path(given)] if given else []
    places = (folder / file.set / file.name for folder in [*folders, cache_folder()])
    return next((place for place in places if place.is_file()), None)


def _verify(path: Path, file: DatasetFile) -> None:
    if path.is_relative_to(cache_folder()):
        remedy = "delete it and it will be downloaded again"
    else:
        remedy = f"replace it, or unset {VARIABLE} to download the set"
    size = path.stat().st_size
    if size != file.bytes:
        raise ValueError(f"{path} has {size:,} bytes, but must have {file.bytes:,}; {remedy}")
    found = _files.sha256(path)
    if found != file.sha256:
        raise ValueError(f"{path} has SHA-256 {found}, but must have {file.sha256}; {remedy}")


def _download(files: Sequence[DatasetFile]) -> Path:
    """Fetch the first of the files to the cache, where it appears whole and checked, or not at all.
    The others are those that will be asked for next."""
    import pooch
    import requests

    file = files[0]
    folder, log = cache_folder() / file.set, pooch.get_logger()
    level = log.level
    log.setLevel("WARNING")  # pooch reports every file that it fetches
    try:
        downloader = pooch.HTTPDownloader(timeout=30)
        pooch.retrieve(file.url, f"sha256:{file.sha256}", file.name, folder, downloader=downloader)
    except requests.exceptions.HTTPError as error:
        reason = f"{file.url} answers with status {error.response.status_code}"
        raise FileNotFoundError(_missing(files, reason)) from error
    except requests.exceptions.RequestException as error:
        reason = f"downloading {file.url} failed ({type(error).__name__})"
        raise FileNotFoundError(_missing(files, reason)) from error
    except ValueError as error:
        raise ValueError(
            f"{file.url} sent a file that has not the SHA-256 {file.sha256}, so it was thrown "
            f"away; try again, or set {VARIABLE} to a folder that holds {file.set}/{file.name}"
        ) from error
    except OSError as error:
        raise OSError(
            error.errno,
            f"cannot download to {folder}: {error.strerror or error}; make room or give access, "
            f"or set {VARIABLE} to a folder that holds {file.set}/{file.name}",
        ) from error
    finally:
        log.setLevel(level)
    return folder / file.name


def _missing(files: Sequence[DatasetFile], reason: str) -> str:
    file, sets = files[0], " ".join(dict.fromkeys(file.set for file in files))
    return (
        f"{file.set}/{file.name} is missing: {reason}. With a network connection run "
        f"`python -m dncnn_lib download {sets}`; or set {VARIABLE} to a folder that holds "
        f"{file.set}/{file.name}"
    )
