"""``denoise``: restore an image file, or a folder of them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from torch import nn

from .. import _check, restoring
from ..datasets import image_files
from ..images import SUFFIXES, is_grey, read_picture, to_colour, write_picture
from ..priors import load_model
from ._terminal import bar, reason, say

SUMMARY = "restore a picture, or a folder of them"
HELP = """\
Restore a picture, or every picture in a folder (subfolders are left alone). The noise level
need not be known. Size, transparency, bit depth (8 or 16), colour profile, resolution, date and
camera are kept, as far as the format of OUT has a place for them; a warning names the rest. A
grey --model restores colour pictures channel by channel. The systems before DnCNN, such as
bm3d, are models, too, and have to be told the noise level (--sigma). The suffix of OUT decides
the format. IN is never overwritten. Of a folder, what cannot be read is reported, the others
are restored, and the exit code is 1.

Pictures of more than N×N pixels (--tile N) are restored in overlapping pieces, with the
result of the whole picture; smaller pieces need less memory.

examples:
  $ denoise photo.jpg clean.png
  $ denoise scans/ restored/ --fast
  $ denoise photo.jpg clean.png --model bm3d --sigma 25
  $ denoise night.tif clean.tif --model runs/dncnn-b.safetensors --tile 512"""


def add(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option(
        "input", metavar="IN", help="an image file (PNG, JPEG, TIFF, WebP, BMP) or a folder of them"
    )
    option("output", metavar="OUT", help="the file or folder to write; a missing folder is created")
    option(
        "--model",
        help="a name that info lists, or a file (default: cdncnn-b for colour, dncnn-b for grey)",
    )
    option(
        "--sigma",
        type=float,
        metavar="N",
        help="the noise level, 0 to 255, for models that are told it; blind ones ignore it",
    )
    option(
        "--tile",
        type=int,
        default=1024,
        metavar="N",
        help="side of the pieces, in pixels (default: 1024)",
    )
    option("--fast", action="store_true", help="bf16 where it is faster; costs a little PSNR")
    option("--force", action="store_true", help="overwrite files that exist")


def run(options: argparse.Namespace) -> int:
    for name, value in (("IN", options.input), ("OUT", options.output)):
        if not value:
            _check.fail(name, value, "the name of a file or folder")
    _check.integer("--tile", options.tile, at_least=1)
    if options.sigma is not None:
        _check.real("--sigma", options.sigma, at_least=0.0)
    source, target = Path(options.input), Path(options.output)
    pairs = _pairs(source, target, options.force)
    model = load_model(options.model) if options.model is not None else None
    if not source.is_dir():
        ((file, result),) = pairs
        _restore(file, result, model, options)
        return 0
    target.mkdir(parents=True, exist_ok=True)
    return _restore_folder(target, pairs, model, options)


def _restore_folder(
    target: Path,
    pairs: list[tuple[Path, Path]],
    model: nn.Module | None,
    options: argparse.Namespace,
) -> int:
    """Restore all that can be restored, report the rest; the exit code."""
    written, failures = set(), []
    for file, result in bar(pairs, "denoising", "file"):
        try:
            if result.exists() and _identity(result) in written:
                raise ValueError(f"{file}: {result} already holds another picture of the folder")
            _restore(file, result, model, options)
            written.add(_identity(result))
        except Exception as error:
            text = reason(error)
            if not text:
                raise
            failures.append(text if str(file) in text else f"{file}: {text}")
    print(f"{len(written)} of {len(pairs)} pictures restored in {target}")
    for failure in failures:
        say(f"error: {failure}")
    return 1 if failures else 0


def _restore(
    source: Path, target: Path, model: nn.Module | None, options: argparse.Namespace
) -> None:
    picture = read_picture(source)
    given, as_before = _as_the_model_takes_it(picture.pixels, model)
    large = given.shape[0] * given.shape[1] > options.tile**2
    pixels = restoring.denoise(
        given,
        _blind_model(given.ndim == 3) if model is None else model,
        sigma=options.sigma,
        tile=options.tile,
        precision="auto" if options.fast else "fp32",
        progress=large and sys.stderr.isatty(),
    )
    write_picture(target, picture.with_pixels(as_before(pixels)))


def _as_the_model_takes_it(
    pixels: np.ndarray, model: nn.Module | None
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """The pixels for a model, and the way back to their shape. A picture without colour is grey,
    also where it was saved as RGB; but for a colour model, which gets it three times."""
    if getattr(model, "channels", None) == 3:
        if pixels.ndim == 2:
            return to_colour(pixels), lambda restored: restored.mean(axis=2)
    elif pixels.ndim == 3 and is_grey(pixels):
        return pixels.mean(axis=2), to_colour
    return pixels, lambda restored: restored


@cache
def _blind_model(colour: bool) -> nn.Module:
    """The pretrained network for unknown noise levels."""
    return load_model("cdncnn-b" if colour else "dncnn-b")


def _pairs(source: Path, target: Path, force: bool) -> list[tuple[Path, Path]]:
    """The files to read and to write. Raises ``OSError`` or ``ValueError`` before anything is
    written: for a missing IN or folder of OUT, an impossible OUT, one that is IN itself, and,
    without ``force``, one that exists."""
    if not source.exists():
        raise FileNotFoundError(f"{source} does not exist; IN is an image file or a folder of them")
    if source.is_dir():
        if target.exists() and not target.is_dir():
            raise ValueError(
                f"{source} is a folder, so OUT must be one too, but {target} is a file"
            )
        pairs = [(file, target / file.name) for file in image_files(source)]
    else:
        target = target / source.name if target.is_dir() else target
        if target.suffix.lower() not in SUFFIXES:
            raise ValueError(f"OUT is {target}, but must end in one of {', '.join(SUFFIXES)}")
        if not target.parent.is_dir():
            raise FileNotFoundError(f"the folder of OUT, {target.parent}, does not exist")
        pairs = [(source, target)]
    existing = [(file, result) for file, result in pairs if result.exists()]
    for file, result in existing:
        if os.path.samefile(file, result):
            raise ValueError(f"{result} is the input {file} itself; choose another OUT")
    if existing and not force:
        more = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise FileExistsError(f"{existing[0][1]}{more} exists; --force overwrites")
    return pairs


def _identity(path: Path) -> tuple[int, int]:
    """Equal for two paths of the same file."""
    status = path.stat()
    return status.st_dev, status.st_ino
