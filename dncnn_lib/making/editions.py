"""The exercises of a lesson have one source, of which everything else is made.

``notebooks/solutions/LESSON.ipynb`` is the source. Tags say what a cell is:

- ``setup``       what the solutions import and build on
- ``exercise``    what is asked, in Markdown; the first begins with "## Exercises"
- ``solution``    a function, its body between ``### BEGIN SOLUTION`` and ``### END SOLUTION``
- ``check``       ``checks.NAME(function)``
- ``explanation`` what is said or shown beyond that; of a question to think about, its answer

Of it are made the section "Exercises" of the lesson, which a student fills in (``student`` and
``splice``); the lesson with everything that an instructor wants beside it (``instructor``); and the
assignment that nbgrader hands out and marks (``assignment``).

    python -m dncnn_lib.making.editions notebooks/*.ipynb

writes the section into lessons, where it has changed. Notebooks are dictionaries, as in the file.
"""

from __future__ import annotations

import copy
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .. import _check, _files

Cell = dict[str, Any]
Notebook = dict[str, Any]

ROLES = ("setup", "exercise", "solution", "check", "explanation")
POINTS = 10
"""For each exercise, and for each question to think about."""

REGION = re.compile(r"^([ \t]*)### BEGIN SOLUTION\n.*?### END SOLUTION$", re.MULTILINE | re.DOTALL)
CHECK = re.compile(r"^checks\.(\w+)\((\w+)\)$", re.MULTILINE)
KEYS = re.compile(r"^from dncnn_lib\.lessons import (\w+) as checks$", re.MULTILINE)

GRADE = """\
# The points for {name}, which are given when it is handed in.
### BEGIN HIDDEN TESTS
import sys

for module in [name for name in sys.modules if name.split(".")[0] == "dncnn_lib"]:
    del sys.modules[module]  # whatever was changed in them
from dncnn_lib.keys import {lesson} as keys
from dncnn_lib.lessons.check import graded

graded(keys.{check}, {name}, seed=SEED, points={points})
### END HIDDEN TESTS"""
"""A cell of nbgrader, which takes its last value for the points. When a submission is graded,
``making.grading`` puts a number in the place of SEED."""

COMMON = """\
import math

import numpy as np
import torch
from torch import nn

import dncnn_lib as dn"""
"""What every assignment begins with: a lesson has imported it by the time of its exercises."""


def text(cell: Cell) -> str:
    return "".join(cell["source"])


def role(cell: Cell) -> str:
    """One of ``ROLES``; "" for a cell that is of the solutions alone."""
    return next((tag for tag in cell["metadata"].get("tags", []) if tag in ROLES), "")


def stub(code: str) -> str:
    """A solution as it is handed out: signature and docstring, and an exercise that is open."""
    return REGION.sub(r"\1raise NotImplementedError", code)


def plain(code: str) -> str:
    """A solution without the two lines that mark it."""
    return re.sub(r"^[ \t]*### (BEGIN|END) SOLUTION\n?", "", code, flags=re.MULTILINE).rstrip("\n")


def solutions(source: Notebook) -> list[str]:
    """What stands between the marks, without its indentation, of each exercise."""
    cells = (text(cell) for cell in source["cells"] if role(cell) == "solution")
    found = (match[0] for code in cells for match in REGION.finditer(code))
    return ["\n".join(line.strip() for line in body.splitlines()[1:-1]) for body in found]


def student(source: Notebook) -> list[Cell]:
    """The section "Exercises" as students find it in the lesson, nothing executed yet."""
    cells = []
    for cell in source["cells"]:
        if role(cell) not in ("exercise", "solution", "check"):
            continue
        made = _made(cell, stub(text(cell)).replace("](../", "]("))
        tags = [tag for tag in cell["metadata"].get("tags", []) if tag not in ROLES]
        made["metadata"] = {"tags": tags} if tags else {}
        cells.append(made)
    return cells


def splice(lesson: Notebook, section: list[Cell]) -> Notebook:
    """A copy of the lesson with that section. A cell that is what it was keeps its outputs."""
    before, old, after = _parts(lesson)
    known = {cell["id"]: cell for cell in old}
    kept = [known[c["id"]] if _same(c, known.get(c["id"])) else c for c in section]
    return {**lesson, "cells": copy.deepcopy([*before, *kept, *after])}


def stale(lesson: Notebook, source: Notebook) -> list[str]:
    """The ids of the cells of the lesson's section that are not what the source makes of them."""
    old, new = _parts(lesson)[1], student(source)
    known = {cell["id"]: cell for cell in old}
    wrong = [cell["id"] for cell in new if not _same(cell, known.pop(cell["id"], None))]
    return [*wrong, *known] or ["order"] * ([c["id"] for c in old] != [c["id"] for c in new])


def instructor(lesson: Notebook, source: Notebook) -> Notebook:
    """The lesson with all of its source but the title in place of the section."""
    before, _, after = _parts(lesson)
    cells = copy.deepcopy(source["cells"][1:])
    for cell in cells:
        cell["source"] = _lines(plain(text(cell)).replace("](../", "]("))
    return {**lesson, "cells": copy.deepcopy([*before, *cells, *after])}


def without_solutions(lesson: Notebook) -> Notebook:
    """A copy of the lesson with no link to the solutions."""
    lesson = copy.deepcopy(lesson)
    for cell in lesson["cells"]:
        if cell["cell_type"] == "markdown":
            said = re.sub(r"( · )?\[Solutions\]\(solutions/[^)]*\)", "", text(cell))
            cell["source"] = _lines(re.sub(r"\[([^]]*)\]\(solutions/[^)]*\)", r"\1", said))
    return lesson


def assignment(source: Notebook, points: int = POINTS) -> Notebook:
    """The exercises for nbgrader, with solutions and hidden tests, which it takes out itself.

    points: for each exercise, and for each question to think about. After an exercise comes a cell
    that is marked by ``lessons.check.graded``; a question has its answer in the cell that students
    fill in and that is marked by hand.
    """
    whole = "\n".join(text(cell) for cell in source["cells"])
    (lesson,) = set(KEYS.findall(whole))
    title = text(source["cells"][0]).splitlines()[0].replace(": solutions", ": exercises")
    cells = [_graded(_new("markdown", "title", title), "title")]
    for number, asked in enumerate(_exercises(source), 1):
        cells += _handed_out(asked, lesson, number, points)
    cells.insert(1, _graded(_new("code", "setup", _setup(source)), "setup"))
    metadata = {key: source["metadata"][key] for key in ("kernelspec", "language_info")}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _setup(source: Notebook) -> str:
    """``COMMON``, and what the source sets up beyond it."""
    lines = [line for c in source["cells"] if role(c) == "setup" for line in text(c).splitlines()]
    known = COMMON.splitlines()
    return "\n".join([COMMON, *(line for line in lines if line not in known or not line)]).strip()


def _handed_out(asked: list[Cell], lesson: str, number: int, points: int) -> list[Cell]:
    """The cells of one exercise, or question, of an assignment."""
    cells = []
    for cell in asked:
        if role(cell) == "exercise":
            words = re.sub(r"\[([^]]*)\]\([^)]*\.ipynb[^)]*\)", r"\1", text(cell))
            words = words.removeprefix("## Exercises\n\n")
            cells.append(_graded(_made(cell, words), cell["id"]))
        elif role(cell) == "solution":
            cells.append(_graded(_made(cell, text(cell)), cell["id"], solution=True, locked=False))
        elif role(cell) == "check":
            cells.append(_graded(_made(cell, text(cell)), cell["id"]))
            check, name = CHECK.findall(text(cell))[-1]
            code = GRADE.format(lesson=lesson, check=check, name=name, points=points)
            cells.append(_graded(_new("code", f"{cell['id']}-points", code), name, points=points))
    if not any(role(cell) == "solution" for cell in asked):
        said = [text(c) for c in asked if role(c) == "explanation" and c["cell_type"] == "markdown"]
        answer = _new("markdown", f"{asked[0]['id']}-answer", "\n\n".join(said))
        name = f"question-{number}"
        cells.append(_graded(answer, name, points=points, solution=True, locked=False))
    return cells


def _exercises(source: Notebook) -> list[list[Cell]]:
    """The cells of each exercise, from what is asked to the last explanation."""
    found: list[list[Cell]] = []
    before = ""
    for cell in source["cells"]:
        if role(cell) == "exercise" and before != "exercise":
            found.append([])
        if found:
            found[-1].append(cell)
        before = role(cell)
    return found


def _graded(
    cell: Cell, grade_id: str, *, points: int = 0, solution: bool = False, locked: bool = True
) -> Cell:
    """The cell with what nbgrader wants to know of it; one with points is graded."""
    about = {"grade": points > 0, "grade_id": grade_id, "locked": locked, "schema_version": 3}
    about |= {"solution": solution, "task": False} | ({"points": points} if points else {})
    return {**cell, "metadata": {"nbgrader": about}}


def _parts(lesson: Notebook) -> tuple[list[Cell], list[Cell], list[Cell]]:
    """The cells before the section "Exercises", its own, and those from the next heading on."""
    cells = lesson["cells"]
    heads = [n for n, c in enumerate(cells) if c["cell_type"] == "markdown"]
    heads = [n for n in heads if text(cells[n]).startswith("## ")]
    starts = [n for n in heads if text(cells[n]).splitlines()[0] == "## Exercises"]
    if len(starts) != 1:
        _check.fail("lesson", f"{len(starts)} of them", "a notebook with one section Exercises")
    end = next((n for n in heads if n > starts[0]), len(cells))
    return cells[: starts[0]], cells[starts[0] : end], cells[end:]


def _same(cell: Cell, other: Cell | None) -> bool:
    """Whether a reader sees the same, and a notebook does."""
    return other is not None and all(
        f(cell) == f(other) for f in (text, lambda c: c["cell_type"], lambda c: c["metadata"])
    )


def _made(cell: Cell, source: str) -> Cell:
    return _new(cell["cell_type"], cell["id"], source)


def _new(kind: str, cell_id: str, source: str) -> Cell:
    """A cell that was not executed, its keys in the order of the files."""
    code = kind == "code"
    return {
        "cell_type": kind,
        **({"execution_count": None} if code else {}),
        "id": cell_id,
        "metadata": {},
        **({"outputs": []} if code else {}),
        "source": _lines(source),
    }


def _lines(source: str) -> list[str]:
    return source.splitlines(keepends=True)


def read(path: Path) -> Notebook:
    return json.loads(path.read_text("utf-8"))


def write(path: Path, notebook: Notebook) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
    _files.write_bytes(path, written.encode())


def main(paths: Iterable[str]) -> None:
    for path in map(Path, paths):
        source = path.parent / "solutions" / path.name
        if source.exists() and stale(read(path), read(source)):
            write(path, splice(read(path), student(read(source))))
            print(f"{path}: written anew; run make execute where code has changed")


if __name__ == "__main__":
    main(sys.argv[1:])
