"""The command line: ``python -m dncnn_lib COMMAND``, or ``dncnn COMMAND`` once installed.

Exit codes: 0 done; 1 something could not be done, and standard error says what; 2 wrong usage; 130
interrupted. Every command imports what it needs when it runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _check, _files

if TYPE_CHECKING:
    from torch import nn

    from .engine import Step
    from .model import DnCNN
    from .tables import Entry


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, by default that of ``sys.argv``, and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no σ or ×
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: _say(f"warning: {message}")
        try:
            return options.run(options)
        except KeyboardInterrupt as stop:
            _say(str(stop) or "stopped")
            return 130
        except BrokenPipeError:  # ... | head
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except Exception as error:
            if not (reason := _reason(error)):
                raise
            _say(f"error: {reason}")
            return 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _reason(error: Exception) -> str | None:
    """What to tell people about an error, in a line; None for a mistake in the program itself."""
    text = str(error)
    if isinstance(error, MemoryError) or "can't allocate memory" in text or "out of memory" in text:
        return "out of memory; smaller pieces help (denoise --tile 256), or a smaller image"
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    known = (OSError, ValueError, TypeError, ImportError, FloatingPointError)
    return " ".join(text.split()) if isinstance(error, known) else None


# ----------------------------------------------------------------------------------------- options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dncnn" if Path(sys.argv[0]).stem == "dncnn" else "python -m dncnn_lib",
        description="Remove noise from images with DnCNN; train, measure and time such networks.",
        epilog="COMMAND --help says more and gives examples.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], int], summary: str, text: str
    ) -> Any:
        about, examples = text.split("examples:\n")
        examples = examples.replace("$", parser.prog)
        added = commands.add_parser(
            name,
            help=summary,
            description=about,
            epilog=f"examples:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(run=run)
        return added.add_argument

    add = command("denoise", _denoise, "restore a picture, or a folder of them", _DENOISE)
    add(
        "input", metavar="IN", help="an image file (PNG, JPEG, TIFF, WebP, BMP) or a folder of them"
    )
    add("output", metavar="OUT", help="the file or folder to write; a folder is made")
    add(
        "--model",
        help="a name that info lists, or a file (default: cdncnn-b for colour, dncnn-b for grey)",
    )
    add(
        "--tile",
        type=int,
        default=1024,
        metavar="N",
        help="side of the pieces, in pixels (default: 1024)",
    )
    add("--fast", action="store_true", help="bf16 where it is faster; costs a little PSNR")
    add("--force", action="store_true", help="overwrite files that exist")

    add = command("train", _train, "train a network by its recipe, or go on with it", _TRAIN)
    add("recipe", metavar="RECIPE", help="a name that info lists, such as dncnn-b")
    add(
        "--effort",
        default="cpu",
        help="cpu (hours of two cores), gpu (minutes), paper (hours of a GPU)",
    )
    add("--steps", type=int, metavar="N", help="one stage of so many steps, not the recipe's")
    add("--out", metavar="FILE", help="the weights (default: runs/RECIPE.safetensors)")
    add("--data", metavar="SET", help="a set or a folder of images, in place of the recipe's")
    devices = ("auto", "cpu", "cuda")
    add("--device", default="auto", choices=devices, help="a GPU if there is one (default: auto)")
    add("--precision", choices=("fp32", "bf16", "auto"), help="auto is bf16 where it is faster")
    add("--seed", type=int, metavar="N", help="of everything random, in place of the recipe's")
    add("--checkpoint", metavar="FILE", help="to go on from (default: .ckpt beside the weights)")
    yes_or_no = argparse.BooleanOptionalAction
    add("--validate", action=yes_or_no, default=True, help="measure PSNR on the way (default: do)")

    add = command("evaluate", _evaluate, "a table of PSNR and SSIM on sets of images", _EVALUATE)
    add("--model", nargs="+", default=["dncnn-b"], help="names or files (default: dncnn-b)")
    add(
        "--set",
        nargs="+",
        help="registered sets, folders, small, bsd432 (default: samples)",
    )
    add("--sigma", nargs="+", type=float, help="noise levels (15 25 50 if nothing else is asked)")
    add("--scale", nargs="+", type=int, help="super-resolution by these scales")
    add("--quality", nargs="+", type=int, help="deblocking of JPEG of these qualities")
    add("--csv", metavar="FILE", help="write every image's numbers and the means to a file, too")
    add("--per-image", action="store_true", help="show a row for every image, not only the means")
    add("--paper", action="store_true", help="the paper's tables, with its numbers beside ours")

    command("info", _info, "this machine, the models, the recipes, the image sets", _INFO)

    add = command("download", _download, "fetch standard image sets", _DOWNLOAD)
    add("set", nargs="+", metavar="SET", help="a name that info lists, such as Set12")

    add = command("benchmark", _benchmark, "how fast this machine denoises and trains", _BENCHMARK)
    add("--quick", action="store_true", help="two small sizes: half a minute instead of minutes")
    return parser


_DENOISE = """\
Restore a picture, or every picture of a folder (not of the folders in it). The noise
level need not be known. The size, the transparency, the 8 or 16 bits and the colour
profile stay as they are. A grey --model restores colour channel by channel. OUT's suffix
decides the format. IN is never overwritten. A damaged file in a folder is named, the
others are restored, and the exit code is 1.

Pictures of more than N×N pixels (--tile N) are restored in pieces that overlap, so that
the result is that of the whole picture; smaller pieces need less memory.

examples:
  $ denoise photo.jpg clean.png
  $ denoise scans/ restored/ --fast
  $ denoise night.tif clean.tif --model runs/dncnn-b.safetensors --tile 512"""

_TRAIN = """\
Train a network by its recipe. Interrupt it whenever you like: the same command goes on
from the last checkpoint, and ends with the weights of a run that was not interrupted.
Beside the weights are written the checkpoint (.ckpt), the record of training (.csv, a row
for each report) and at the end the card (.json: how it was trained, and its PSNR).

The PSNR on the way is that of the recipe's set where it is on this machine (Set12 for the grey
networks), else of the samples. Images for --data: 'small', which ships with the course and
needs no network; 'bsd432', which most recipes are made for (BSDS500 without BSD68, downloaded
once, 32 MB); a set that info lists; or a folder.

examples:
  $ train dncnn-b
  $ train dncnn-3 --effort gpu
  $ train dncnn-b --data small --steps 500 --out runs/mine.safetensors
  torchrun --nproc-per-node 2 -m dncnn_lib train dncnn-b"""

_EVALUATE = """\
Degrade clean images, restore them, and measure both against the clean ones: Gaussian noise
(--sigma, the standard deviation on the 0–255 scale), super-resolution (--scale) and JPEG
deblocking (--quality), each by the protocol of the paper, which is printed below the
table. For grey models colour images are converted to grey, or for the last two tasks to
luma. Standard sets are looked for in $DNCNN_DATA and in the cache, and downloaded if they
are not there.

With --paper the tasks, levels and sets are those that the paper has for each model, as far
as the sets are on this machine, and the table has the paper's numbers beside ours and, for
Gaussian noise, those of the weights that its authors published.

With --csv the rows of the models that were measured replace theirs in the file, and those of
other models stay.

examples:
  $ evaluate
  $ evaluate --paper --model dncnn-b
  $ evaluate --set Set12 BSD68 --sigma 25
  $ evaluate --set Set5 --scale 2 3 4
  $ evaluate --model dncnn-b runs/mine.safetensors --per-image --csv table.csv"""

_TIMED = """
As usual: eager, fp32, contiguous memory, batch norm not folded, in a process of its own."""

_INFO = """\
What this machine offers, which models and recipes there are, and which image sets are
here and where. Nothing is downloaded.

examples:
  $ info"""

_DOWNLOAD = """\
Fetch standard image sets to the user's cache, file by file, each checked against its
SHA-256. What is there already, or in $DNCNN_DATA, is checked and not fetched again. The
sets belong to their owners; the README says more.

examples:
  $ download Set12 BSD68
  $ download BSDS500/train BSDS500/val BSDS500/test"""

_BENCHMARK = """\
Time this library beside code as it is usually written (eager, fp32, contiguous memory,
batch norm not folded), both in the same minutes, taking turns; medians.

examples:
  $ benchmark --quick"""


# ---------------------------------------------------------------------------------------- commands


def _denoise(options: argparse.Namespace) -> int:
    from .zoo import load_pretrained

    for name in ("input", "output"):
        if not getattr(options, name):
            _check.fail({"input": "IN", "output": "OUT"}[name], "", "the name of a file or folder")
    _check.integer("--tile", options.tile, at_least=1)
    source, target = Path(options.input), Path(options.output)
    pairs = _pairs(source, target, options.force)
    model = load_pretrained(options.model) if options.model is not None else None
    many, written, failures = source.is_dir(), set(), []
    if many:
        target.mkdir(parents=True, exist_ok=True)
    for file, result in _bar(pairs, "denoising", "file") if many else pairs:
        try:
            if result.exists() and _identity(result) in written:
                raise ValueError(f"{file}: another picture of the folder became {result}")
            _restore(file, result, model, options)
            written.add(_identity(result))
        except Exception as error:
            reason = _reason(error)
            if not many or not reason:
                raise
            failures.append(reason if str(file) in reason else f"{file}: {reason}")
    if many:
        print(f"{len(written)} of {len(pairs)} pictures restored in {target}")
    for failure in failures:
        _say(f"error: {failure}")
    return 1 if failures else 0


@cache
def _blind(colour: bool) -> nn.Module:
    """The pretrained network for an unknown noise level."""
    from .zoo import load_pretrained

    return load_pretrained("cdncnn-b" if colour else "dncnn-b")


def _restore(
    source: Path, target: Path, model: nn.Module | None, options: argparse.Namespace
) -> None:
    from .engine import denoise
    from .images import read_picture, write_picture

    picture = read_picture(source)
    large = picture.pixels.shape[0] * picture.pixels.shape[1] > options.tile**2
    pixels = denoise(
        picture.pixels,
        _blind(picture.pixels.ndim == 3) if model is None else model,
        tile=options.tile,
        precision="auto" if options.fast else "fp32",
        progress=large and sys.stderr.isatty(),
    )
    write_picture(target, picture.with_pixels(pixels))


def _pairs(source: Path, target: Path, force: bool) -> list[tuple[Path, Path]]:
    """What is read and what is written, once nothing stands against it."""
    from .images import SUFFIXES
    from .runs import image_files

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
            raise ValueError(f"{result} is the input {file} itself; name another OUT")
    if existing and not force:
        more = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise FileExistsError(f"{existing[0][1]}{more} exists; --force overwrites")
    return pairs


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _train(options: argparse.Namespace) -> int:
    import json
    from dataclasses import replace

    from . import recipes, runs

    recipe = recipes.recipe(options.recipe, options.effort)
    stages = recipe.stages
    if options.steps is not None:
        stages = (replace(stages[0], steps=options.steps),)
    if options.precision is not None:
        stages = tuple(replace(stage, precision=options.precision) for stage in stages)
    if options.seed is not None:
        stages = tuple(replace(stage, seed=options.seed + i) for i, stage in enumerate(stages))
    recipe = replace(recipe, stages=stages)
    out = Path(options.out or f"runs/{recipe.name}.safetensors")
    checkpoint = Path(options.checkpoint or out.with_suffix(".ckpt"))
    with runs.processes(options.device) as first:
        if first and runs.is_finished(recipe, out, options.data):
            print(f"{out} holds this network, trained to the end; name another --out to train anew")
            return 0
        steps = runs.run(
            recipe,
            out,
            data=options.data,
            device=options.device,
            checkpoint=checkpoint,
            validate=options.validate,
            progress=sys.stderr.isatty(),
        )
        try:
            for _ in _show(steps, recipe.name) if first else steps:
                pass
        except KeyboardInterrupt:
            saved = runs.checkpoints(recipe, checkpoint)
            hint = "the same command goes on from" if saved else "there is not yet a"
            raise KeyboardInterrupt(f"stopped; {hint} checkpoint {checkpoint}") from None
    if first:
        psnr = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))["psnr"]
        rows = [[name, s, f"{v:.2f}"] for name, values in psnr.items() for s, v in values.items()]
        print(_table(["set", "sigma", "PSNR / dB"], rows, texts=1))
        print(f"saved {out}, its card {out.stem}.json and the record of training {out.stem}.csv")
    return 0


def _show(steps: Iterator[Step], name: str) -> Iterator[Step]:
    """Pass the steps on under a progress bar with the loss, the speed and the last PSNR."""
    bar = previous = None
    shown: dict[str, str] = {}
    for step in steps:
        if previous is not None and step.step <= previous.step:  # the next stage begins
            bar.close()
            bar = previous = None
        bar = bar or _bar(None, name, "step", total=step.steps, initial=step.step)
        shown["loss"] = f"{step.loss:.2e}"
        if previous is not None:
            rate = (step.patches - previous.patches) / (step.seconds - previous.seconds)
            shown["patches/s"] = f"{rate:.0f}"
        if step.val_psnr is not None:
            shown["PSNR"] = f"{step.val_psnr:.2f} dB"
        bar.set_postfix(shown, refresh=False)
        bar.update(step.step - bar.n)
        previous = step
        yield step
    if bar is not None:
        bar.close()


def _evaluate(options: argparse.Namespace) -> int:
    from . import tables
    from .protocols import PROTOCOLS
    from .zoo import load_pretrained

    if options.paper and (options.set or options.sigma or options.scale or options.quality):
        raise ValueError(
            "--paper has its own sets and levels: leave out --set, --sigma, --scale, --quality"
        )
    others = []
    if options.csv:  # whatever stands against it is said before hours of measuring, not after
        if Path(options.csv).suffix != ".csv":
            _check.fail("--csv", options.csv, "the name of a .csv file")
        if _files.check_place(options.csv).exists():
            others = tables.read_table(options.csv)
    models = {name: load_pretrained(name) for name in options.model}
    measured = _papers(models) if options.paper else _asked(models, options)
    entries = list(measured)
    shown = [entry for entry in entries if entry.image == tables.MEAN or options.per_image]
    print(_with_the_papers(shown) if options.paper else _qualities(shown))
    if options.csv:
        others = [entry for entry in others if entry.model not in models]
        tables.write_table([*others, *entries], options.csv)
    if not options.paper:
        print("\nPSNR in dB. The protocol:")
        for task in dict.fromkeys(entry.task for entry in entries):
            words = f"{task}: {PROTOCOLS[task]}."
            print(textwrap.fill(words, 100, subsequent_indent="  "))
    return 0


def _papers(models: dict[str, DnCNN]) -> Iterator[Entry]:
    """The paper's tables of some models."""
    from . import tables

    for name in models:
        tables.paper_name(name)
    for name, model in models.items():
        yield from _bar(tables.measure_table(name, model), name, "image", leave=False)


def _asked(models: dict[str, DnCNN], options: argparse.Namespace) -> Iterator[Entry]:
    """What the options ask for."""
    import numpy as np

    from . import tables
    from .protocols import TASKS
    from .runs import image_set

    asked = {
        "gaussian": options.sigma,
        "super-resolution": options.scale,
        "deblocking": options.quality,
    }
    asked = {task: levels for task, levels in asked.items() if levels} or {"gaussian": [15, 25, 50]}
    for task, levels in asked.items():
        for level in levels:
            TASKS[task].case(np.zeros((64, 64), np.float32), level, 0)  # refuses impossible levels
    names, progress = options.set or ["samples"], sys.stderr.isatty()
    sets = {
        (name, grey): image_set(name, grey=grey, progress=progress)
        for name in names
        for grey in {
            task == "gaussian" and model.channels == 1
            for task in asked
            for model in models.values()
        }
    }
    for name, model in models.items():
        for set_name in names:
            for task, levels in asked.items():
                images = sets[set_name, task == "gaussian" and model.channels == 1]
                for level in levels:
                    title = f"{set_name}, {task} {level:g}"
                    measured = tables.measure_set(name, model, task, set_name, images, level)
                    yield from _bar(measured, title, "image", len(images) + 1, leave=False)


def _with_the_papers(entries: Sequence[Entry]) -> str:
    """A table with the paper's numbers, and those of its authors' weights, beside ours."""
    from . import tables

    header = ["model", "task", "set", "level", "image", "PSNR", "paper", "authors' weights"]
    rows = []
    for entry in entries:
        row = [entry.model, entry.task, entry.set, f"{entry.level:g}", entry.image]
        row.append(f"{entry.psnr:.2f}")
        paper = tables.paper_name(entry.model)
        for method in (paper, f"{paper} (authors' weights)"):
            found = tables.published(method, *row[1:3], entry.level, entry.image)
            row.append(f"{found.psnr:.2f}" if found else "-")
        rows.append(row)
    return _table(header, rows, texts=5) + "\n\nPSNR in dB. SSIM is in the file that --csv writes."


def _qualities(entries: Sequence[Entry]) -> str:
    header = ["model", "set", "task", "level", "image", "degraded PSNR", "PSNR"]
    header += ["degraded SSIM", "SSIM"]
    rows = [
        [e.model, e.set, e.task, f"{e.level:g}", e.image, f"{e.degraded_psnr:.2f}", f"{e.psnr:.2f}"]
        + [f"{e.degraded_ssim:.4f}", f"{e.ssim:.4f}"]
        for e in entries
    ]
    return _table(header, rows, texts=5)


def _info(options: argparse.Namespace) -> int:
    from . import datasets, recipes, zoo
    from .environment import describe_environment

    for name, value in describe_environment().items():
        print(f"{name:<10} {value}")
    print("\nModels, for denoise --model NAME and evaluate --model NAME")
    for name in zoo.model_names():
        print(f"  {name:<12} {zoo.card(name).get('about', '')}")
    print("\nRecipes, for train NAME")
    for name in recipes.recipe_names():
        print(f"  {name:<12} {recipes.recipe(name).about}")
    print("\nImage sets, for evaluate --set NAME: samples, which ship; any folder; and")
    for name in datasets.dataset_names():
        print(f"  {name:<14} {_whereabouts(name)}")
    return 0


def _whereabouts(name: str) -> str:
    from . import datasets

    total = len(datasets.dataset_files(name))
    try:
        count, folder = datasets.dataset_presence(name)
    except FileNotFoundError as error:
        return str(error)
    if not count:
        return f"{total} images, not on this machine"
    return f"{f'{count} of ' if count < total else ''}{total} images in {folder}"


def _download(options: argparse.Namespace) -> int:
    from . import datasets

    for name in options.set:
        datasets.dataset_files(name)  # a name that is not known stops everything
    for name in options.set:
        paths = datasets.dataset_paths(name, progress=sys.stderr.isatty())
        print(f"{name}: {len(paths)} images, whole, in {paths[0].parent}")
    return 0


def _benchmark(options: argparse.Namespace) -> int:
    from . import benchmark
    from .environment import describe_environment

    network = depth, width = benchmark.NETWORK
    print(f"{describe_environment()['processor']}; DnCNN of {depth} layers, {width} wide, grey")
    sizes, repeats = (benchmark.QUICK_SIZES, 3) if options.quick else (benchmark.SIZES, 7)
    timed = benchmark.inference(sizes, network=network, repeats=repeats)
    rows = list(_bar(timed, "timing", "size", len(sizes)))
    print("\nTime for an image, milliseconds")
    print(_comparison(rows, lambda row, seconds: f"{1000 * seconds:.0f}"))
    arithmetic = benchmark.operations(sizes[-1], network) / rows[-1].fp32
    print(
        f"\nArithmetic of the last fp32 figure: {arithmetic:.0f} GFLOP/s; in a large product of "
        f"matrices this processor reaches {benchmark.peak(repeats):.0f}."
    )
    row = benchmark.training(network=network, repeats=repeats)
    print("\nTraining, patches per second")
    print(_comparison([row], lambda row, seconds: f"{row.images / seconds:.0f}"))
    print(_TIMED)
    _benchmark_explorer(repeats)
    return 0


def _benchmark_explorer(repeats: int) -> None:
    try:
        from .explorer import timing
    except ImportError:  # the extra "lab" is not installed
        return
    from .zoo import model_names

    methods = [name for name in ("dncnn-b", "dncnn-3-small") if name in model_names()]
    jobs = [(method, side) for method in methods for side in (170, 256)]
    lines = []
    for method, side in _bar(jobs, "timing the explorer", "size"):
        parts = timing.shares(side, method, repeats=repeats)
        lines.append([f"{method} {side}×{side}", *(f"{1000 * s:.0f}" for s in parts.values())])
    print("\nThe explorer, milliseconds from a moved slider to a picture, but for the browser")
    print(_table(["restored by", *parts], lines, texts=1))
    print("The numbers are made after the picture is shown, when the hand rests.")


def _comparison(rows: Sequence[Any], show: Any) -> str:
    """A table of benchmark rows; behind each figure, how many times as fast as usual it is."""
    header = ["task", "as usual", "fp32", "times", "bf16", "times"]
    lines = []
    for row in rows:
        line = [row.task, show(row, row.usual), show(row, row.fp32), f"{row.usual / row.fp32:.1f}x"]
        if row.bf16 is not None:
            line += [show(row, row.bf16), f"{row.usual / row.bf16:.1f}x"]
        lines.append(line + ["-"] * (len(header) - len(line)))
    return _table(header, lines, texts=1)


# ----------------------------------------------------------------------------------------- display


def _bar(items: Any, task: str, unit: str, total: int | None = None, **options: Any) -> Any:
    """A progress bar on standard error, for what takes longer than its pace."""
    from tqdm import tqdm

    pace = _pace()
    return tqdm(items, task, total, unit=unit, mininterval=pace, delay=pace, **options)


def _pace() -> float:
    """Seconds between two updates of a bar: on a terminal it moves, a log gets few lines."""
    return 0.1 if sys.stderr.isatty() else 30


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], texts: int) -> str:
    """Lines of columns; the first ``texts`` of them to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number < texts else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in [header, *rows]
    )
