"""``course``: the editions for a class."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..making import course

SUMMARY = "the editions of the course for a class"
HELP = """\
Write what a class needs: "student", the copy of the project that students install, without keys
and solutions; "solutions", to be handed out afterwards; "instructor", the lessons with solutions
and explanations in their place; and "nbgrader", a course folder with an assignment for each lesson.
notebooks/instructors/grading.md says how to grade with it. Run it in the folder of the project.

examples:
  $ course
  $ course ~/autumn --project ."""

DEFAULT = Path("build", "editions")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", nargs="?", type=Path, default=DEFAULT, help=f"folder ({DEFAULT})")
    parser.add_argument("--project", type=Path, default=Path(), help="its folder (this one)")


def run(options: argparse.Namespace) -> int:
    course.write(options.project, options.out)
    print(f"The editions are in {options.out}")
    return 0
