"""The command line: ``python -m dncnn_lib COMMAND``, or ``dncnn COMMAND`` once installed.

Exit codes: 0 done; 1 it failed, and standard error says why; 2 wrong usage; 130 interrupted.
Each command is a module with ``SUMMARY``, ``HELP`` (which ends in examples), ``add(parser)`` for
its options, and ``run(options)``, which returns the exit code.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from . import benchmark, book, course, denoise, download, evaluate, exam, info, slides, train
from ._terminal import reason, say

COMMANDS = {
    "denoise": denoise,
    "train": train,
    "evaluate": evaluate,
    "info": info,
    "download": download,
    "benchmark": benchmark,
    "book": book,
    "course": course,
    "slides": slides,
    "exam": exam,
}


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
        warnings.showwarning = lambda message, *_: say(f"warning: {message}")
        try:
            return options.run(options)
        except KeyboardInterrupt as stop:
            say(str(stop) or "stopped")
            return 130
        except BrokenPipeError:  # ... | head
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except Exception as error:
            if not (text := reason(error)):
                raise
            say(f"error: {text}")
            return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dncnn" if Path(sys.argv[0]).stem == "dncnn" else "python -m dncnn_lib",
        description="Remove noise from images with DnCNN; train, measure and time such networks.",
        epilog="COMMAND --help says more and gives examples.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        about, examples = command.HELP.split("examples:\n")
        added = commands.add_parser(
            name,
            help=command.SUMMARY,
            description=about,
            epilog=f"examples:\n{examples}".replace("$ ", f"{parser.prog} "),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add(added)
        added.set_defaults(run=command.run)
    return parser
