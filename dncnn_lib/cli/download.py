"""``download``: fetch standard image sets."""

from __future__ import annotations

import argparse
import sys

from .. import datasets

SUMMARY = "fetch standard image sets"
HELP = """\
Fetch standard image sets to the user's cache, file by file, each checked against its
SHA-256. Files that are there already, or in $DNCNN_DATA, are checked and not fetched again.
The sets belong to their owners; the README says more.

examples:
  $ download Set12 BSD68
  $ download BSDS500/train BSDS500/val BSDS500/test"""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "set", nargs="+", metavar="SET", help="a name that info lists, such as Set12"
    )


def run(options: argparse.Namespace) -> int:
    for name in options.set:
        datasets.dataset_files(name)  # an unknown name stops everything
    for name in options.set:
        paths = datasets.dataset_paths(name, progress=sys.stderr.isatty())
        print(f"{name}: {len(paths)} images, complete, in {paths[0].parent}")
    return 0
