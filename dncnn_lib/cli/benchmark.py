"""``benchmark``: how fast this machine denoises and trains."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from ..hardware import describe_environment
from ..zoo import model_names
from . import _timing
from ._terminal import bar, table
from ._timing import Row

SUMMARY = "how fast this machine denoises and trains"
HELP = """\
Time this library beside code as it is usually written (eager, fp32, contiguous memory,
batch norm not folded), the two taking turns; medians.

examples:
  $ benchmark --quick"""

NETWORK = (17, 64)
"""Depth and width of the network that is timed."""
SIZES = ((128, 128), (180, 180), (256, 256), (321, 481), (512, 512))
QUICK_SIZES = SIZES[:2]
PATCH_SIZE = 40

_USUAL = """
As usual: eager, fp32, contiguous memory, batch norm not folded, in a process of its own."""
_OTHER_LOOP = """
The other loop is written as in other code bases, such as SaoYan/DnCNN-PyTorch: worker
processes read patches, cut beforehand, one by one from a file; Adam in eager fp32 and
contiguous memory; after each update the network runs once more, in eval mode, only to report
the PSNR of the batch."""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--quick",
        action="store_true",
        help="two small sizes, small batches: half a minute instead of minutes",
    )


def run(options: argparse.Namespace) -> int:
    depth, width = NETWORK
    print(f"{describe_environment()['processor']}; DnCNN of {depth} layers, {width} wide, grey")
    sizes, repeats = (QUICK_SIZES, 3) if options.quick else (SIZES, 7)
    timed = _timing.inference(sizes, NETWORK, repeats)
    rows = list(bar(timed, "timing", "size", len(sizes)))
    print("\nTime for an image, milliseconds")
    print(_comparison(rows, lambda row, seconds: f"{1000 * seconds:.0f}"))
    arithmetic = _timing.operations(sizes[-1], NETWORK) / rows[-1].ours["fp32"]
    print(
        f"\nArithmetic of the last fp32 figure: {arithmetic:.0f} GFLOP/s; in a large matrix "
        f"product this processor reaches {_timing.peak(repeats):.0f}."
    )
    row = _timing.training_step(16, PATCH_SIZE, NETWORK, repeats)
    print("\nTraining, patches per second")
    print(_comparison([row], _patches_per_second))
    print(_USUAL)
    _benchmark_loop(options.quick)
    _benchmark_explorer(repeats)
    return 0


def _benchmark_loop(quick: bool) -> None:
    batch_size, repeats = (16, 2) if quick else (128, 3)
    row = _timing.training_loop(batch_size, PATCH_SIZE, NETWORK, repeats)
    ((precision, seconds),) = row.ours.items()
    print("\nA whole training loop, patches per second")
    header = ["batches of", "another loop", f"train, {precision}", "times"]
    line = [row.task, _patches_per_second(row, row.usual), _patches_per_second(row, seconds)]
    print(table(header, [[*line, f"{row.usual / seconds:.1f}x"]], texts=1))
    print(_OTHER_LOOP)


def _benchmark_explorer(repeats: int) -> None:
    try:
        from ..explorer import timing
    except ImportError:  # the extra "lab" is not installed
        return
    methods = [name for name in ("dncnn-b", "dncnn-3-small") if name in model_names()]
    jobs = [(method, side) for method in methods for side in (170, 256)]
    lines = []
    for method, side in bar(jobs, "timing the explorer", "size"):
        parts = timing.shares(side, method, repeats=repeats)
        lines.append([f"{method} {side}×{side}", *(f"{1000 * s:.0f}" for s in parts.values())])
    print(
        "\nThe explorer, milliseconds from a moved slider to a picture, without the browser's share"
    )
    print(table(["restored by", *parts], lines, texts=1))
    print("The numbers follow once the picture is shown and the slider rests.")


def _patches_per_second(row: Row, seconds: float) -> str:
    rate = row.images / seconds
    return f"{rate:.1f}" if rate < 10 else f"{rate:.0f}"


def _comparison(rows: Sequence[Row], show: Callable[[Row, float], str]) -> str:
    """A table of rows; beside each of our figures, how many times as fast as usual it is."""
    header = ["task", "as usual", "fp32", "times", "bf16", "times"]
    lines = []
    for row in rows:
        line = [row.task, show(row, row.usual)]
        for precision in ("fp32", "bf16"):
            seconds = row.ours.get(precision)
            timed = seconds is not None
            line += [show(row, seconds), f"{row.usual / seconds:.1f}x"] if timed else ["-", "-"]
        lines.append(line)
    return table(header, lines, texts=1)
