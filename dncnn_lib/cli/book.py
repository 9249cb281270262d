"""``book``: the course as a static site."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..book import building

SUMMARY = "the course as a static site"
HELP = """\
Make pages of the notebooks as they are stored; nothing is executed. The folder can be put on any
web server, or opened from a disk: begin with its index.html. What is in it already is replaced,
once the new site is complete. Needs the extra "book".

examples:
  $ book
  $ book public --notebooks notebooks"""

DEFAULT = Path("build", "book")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", nargs="?", type=Path, default=DEFAULT, help=f"folder ({DEFAULT})")
    parser.add_argument("--notebooks", type=Path, default=Path("notebooks"), help="(notebooks)")


def run(options: argparse.Namespace) -> int:
    building.build(options.notebooks, options.out)
    print(f"The course is in {options.out / 'index.html'}")
    return 0
