"""``evaluate``: tables of PSNR and SSIM on sets of images."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from torch import nn

from .. import _check, _files
from ..datasets import Images, image_set, is_image
from ..evaluation import PROTOCOLS
from ..images import to_colour
from ..making import tables
from ..making.tables import Entry
from ..priors import load_model
from ._terminal import bar, say, table

SUMMARY = "a table of PSNR and SSIM on sets of images"
HELP = """\
Degrade clean images, restore them, and measure both against the clean ones: Gaussian noise
(--sigma, the standard deviation on the 0–255 scale), super-resolution (--scale) and JPEG
deblocking (--quality), each by the paper's protocol, which is printed below the table. Grey
models get colour images converted to grey or, for the last two tasks, to luma. Standard sets
are looked for in $DNCNN_DATA and in the cache, and downloaded if they are not there.

With --paper the tasks, levels and sets are those that the paper has for each model, as far
as the sets are on this machine, and the table shows the paper's numbers beside ours and, for
Gaussian noise, those of the weights that its authors published.

With --csv the rows of the measured models replace theirs in the file, and those of other
models stay.

examples:
  $ evaluate
  $ evaluate --paper --model dncnn-b
  $ evaluate --set Set12 BSD68 --sigma 25 --model dncnn-b bm3d
  $ evaluate --set Set5 --scale 2 3 4
  $ evaluate --model dncnn-b runs/mine.safetensors --per-image --csv table.csv"""


def add(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--model", nargs="+", default=["dncnn-b"], help="names or files (default: dncnn-b)")
    option("--set", nargs="+", help="registered sets, folders, small, bsd432 (default: samples)")
    option(
        "--sigma", nargs="+", type=float, help="noise levels (15 25 50 if no other task is named)"
    )
    option("--scale", nargs="+", type=int, help="super-resolution by these scales")
    option("--quality", nargs="+", type=int, help="deblocking of JPEG of these qualities")
    option("--iso", nargs="+", type=float, help="noise of a phone's camera at these ISO")
    option("--csv", metavar="FILE", help="also write every image's numbers and the means to a file")
    option("--per-image", action="store_true", help="show a row for every image, not only means")
    option("--paper", action="store_true", help="the paper's tables, with its numbers beside ours")


def run(options: argparse.Namespace) -> int:
    asked = (options.set, options.sigma, options.scale, options.quality, options.iso)
    if options.paper and any(asked):
        raise ValueError(
            "--paper has its own sets and levels: leave out --set, --sigma, --scale, --quality and "
            "--iso"
        )
    stored = _stored(options.csv) if options.csv else []
    models = {name: load_model(name) for name in options.model}
    measured = _measure_paper(models) if options.paper else _measure_options(models, options)
    entries = list(measured)
    shown = [entry for entry in entries if entry.image == tables.MEAN or options.per_image]
    print(_table_beside_paper(shown) if options.paper else _table_before_after(shown))
    if options.csv:
        others = [entry for entry in stored if entry.model not in models]
        tables.write_table([*others, *entries], options.csv)
    complete = options.paper or _all_measured(options.set or (), entries)
    if not options.paper:
        print("\nPSNR in dB. The protocol:")
        for task in dict.fromkeys(entry.task for entry in entries):
            words = f"{task}: {PROTOCOLS[task].words}."
            print(textwrap.fill(words, 100, subsequent_indent="  "))
    return 0 if complete else 1


def _all_measured(names: Sequence[str], entries: Sequence[Entry]) -> bool:
    """Whether of every folder every picture was measured by all; says of how many, where not."""
    complete = True
    for name in names:
        if Path(name).is_dir():
            wanted = len([p for p in Path(name).iterdir() if is_image(p)])
            counted = Counter(
                (e.model, e.task, e.level)
                for e in entries
                if e.set == name and e.image != tables.MEAN
            )
            done = min(counted.values())
            if done < wanted:
                say(f"{done} of {wanted} pictures of {name} measured")
                complete = False
    return complete


def _stored(path: str) -> list[Entry]:
    """What the file of --csv holds. Raises ``OSError`` or ``ValueError``, before hours of measuring
    rather than after them, where it cannot be written or is something else."""
    if Path(path).suffix != ".csv":
        _check.fail("--csv", path, "the name of a .csv file")
    return tables.read_table(path) if _files.check_place(path).exists() else []


def _measure_paper(models: dict[str, nn.Module]) -> Iterator[Entry]:
    """The tables that the paper has of the models; names that it has not raise ``ValueError``."""
    for name in models:
        tables.paper_name(name)
    for name, model in models.items():
        yield from bar(tables.measure_table(name, model), name, "image", leave=False)


def _measure_options(models: dict[str, nn.Module], options: argparse.Namespace) -> Iterator[Entry]:
    """Every model on every set of --set, at the levels of --sigma, --scale, --quality and --iso."""
    levels = {
        "gaussian": options.sigma,
        "super-resolution": options.scale,
        "deblocking": options.quality,
        "camera": options.iso,
    }
    if not any(levels.values()):
        levels["gaussian"] = PROTOCOLS["gaussian"].levels
    jobs = [(task, level) for task, some in levels.items() for level in some or ()]
    for task, level in jobs:
        PROTOCOLS[task].case(np.zeros((64, 64), np.float32), level, 0)  # refuses impossible levels

    def grey(model: nn.Module, task: str) -> bool:
        return task == "gaussian" and model.channels == 1

    names, progress = options.set or ["samples"], sys.stderr.isatty()
    kinds = {grey(model, task) for model in models.values() for task, _ in jobs}
    sets: dict[tuple[str, bool], Images] = {
        (name, kind): image_set(name, grey=kind, progress=progress, folder_first=bool(options.set))
        for name in names
        for kind in kinds
    }
    for name, model in models.items():
        for set_name in names:
            for task, level in jobs:
                images, title = sets[set_name, grey(model, task)], f"{set_name}, {task} {level:g}"
                if task in ("gaussian", "camera") and model.channels == 3:
                    images = {image: to_colour(pixels) for image, pixels in images.items()}
                measured = tables.measure_set(name, model, task, set_name, images, level)
                yield from bar(measured, title, "image", len(images) + 1, leave=False)


def _table_beside_paper(entries: Sequence[Entry]) -> str:
    """Our PSNR beside the paper's and that of its authors' weights."""
    header = ["model", "task", "set", "level", "image", "PSNR", "paper", "authors' weights"]
    rows = []
    for entry in entries:
        row = [entry.model, entry.task, entry.set, f"{entry.level:g}", entry.image]
        row.append(f"{entry.psnr:.2f}")
        paper = tables.paper_name(entry.model)
        for method in (paper, f"{paper} (authors' weights)"):
            found = tables.published(method, entry.task, entry.set, entry.level, entry.image)
            row.append(f"{found.psnr:.2f}" if found else "-")
        rows.append(row)
    return table(header, rows, texts=5) + "\n\nPSNR in dB. --csv writes SSIM, too."


def _table_before_after(entries: Sequence[Entry]) -> str:
    """PSNR and SSIM of the degraded and the restored images."""
    header = ["model", "set", "task", "level", "image", "degraded PSNR", "PSNR"]
    header += ["degraded SSIM", "SSIM"]
    rows = [
        [e.model, e.set, e.task, f"{e.level:g}", e.image, f"{e.degraded_psnr:.2f}", f"{e.psnr:.2f}"]
        + [f"{e.degraded_ssim:.4f}", f"{e.ssim:.4f}"]
        for e in entries
    ]
    return table(header, rows, texts=5)
