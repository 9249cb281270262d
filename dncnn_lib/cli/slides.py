"""``slides``: a deck for each lesson."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..teaching import slides

SUMMARY = "a deck of slides for each lesson"
HELP = """\
Make slides of the lessons as they are stored: each question to predict, what its cells print, each
figure with its words. Nothing is executed. The folder can be put on any web server, or opened from
a disk: begin with its index.html. What is in it already is replaced, once the new decks are
complete. Needs npm, and the extras "lab" and "book".

examples:
  $ slides
  $ slides talks --notebooks notebooks"""

DEFAULT = Path("build", "slides")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", nargs="?", type=Path, default=DEFAULT, help=f"folder ({DEFAULT})")
    parser.add_argument("--notebooks", type=Path, default=Path("notebooks"), help="(notebooks)")


def run(options: argparse.Namespace) -> int:
    first, *_ = slides.build(options.notebooks, options.out)
    print(f"The slides begin with {first}")
    return 0
