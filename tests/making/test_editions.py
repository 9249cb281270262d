"""The exercises: one source for the lesson, for instructors and for nbgrader."""

from __future__ import annotations

import copy
import importlib
import re
from pathlib import Path

import pytest
import torch
from helpers import raises

import dncnn_lib as dn
from dncnn_lib import keys
from dncnn_lib.lessons.check import graded
from dncnn_lib.making import editions

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SOURCES = sorted((NOTEBOOKS / "solutions").glob("*.ipynb"))

ASKED = "## Exercises\n\nFill in.\n\n**1.** [Double]({}glossary.ipynb#d)."
CHECK = "from dncnn_lib.lessons import noise as checks\n\nchecks.twice(double)"
STUB = 'def double(x):\n    """Twice x."""\n    raise NotImplementedError'
SOLUTION = STUB.replace(
    "raise NotImplementedError",
    "### BEGIN SOLUTION\n    y = 2 * x\n    return y\n    ### END SOLUTION",
)


def cell(kind: str, cell_id: str, source: str, *tags: str, outputs: tuple = ()) -> dict:
    made = {"cell_type": kind, "id": cell_id, "metadata": {"tags": list(tags)} if tags else {}}
    made["source"] = source.splitlines(keepends=True)
    return made | ({"execution_count": 1, "outputs": list(outputs)} if kind == "code" else {})


@pytest.fixture
def source() -> dict:
    cells = [
        cell("markdown", "s0", "# 01 · Noise: solutions\n\n[Back](../01_noise.ipynb)"),
        cell("code", "s1", "import numpy as np", "setup"),
        cell("markdown", "e1", ASKED.format("../"), "exercise"),
        cell("code", "e2", SOLUTION, "solution"),
        cell("code", "e3", CHECK, "check"),
        cell("markdown", "s2", "Multiply.", "explanation"),
        cell("code", "s3", "double(3)", "explanation"),
        cell("markdown", "e4", "**2.** *To think about.* Why?", "exercise"),
        cell("markdown", "s4", "Because.", "explanation"),
        cell("markdown", "s5", "Therefore.", "explanation"),
    ]  # fmt: skip
    about = {"kernelspec": {"name": "python3"}, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def lesson() -> dict:
    said = {"output_type": "stream", "name": "stdout", "text": ["double: still open.\n"]}
    cells = [
        cell("markdown", "a", "[Next](02.ipynb) · [Solutions](solutions/01_noise.ipynb)\n\n# 01"),
        cell("markdown", "b", "## What we saw\n\nSee the [solutions](solutions/01_noise.ipynb)."),
        cell("markdown", "e1", ASKED.format("")),
        cell("code", "e2", "def old(): ..."),
        cell("code", "e3", CHECK, outputs=(said,)),
        cell("markdown", "c", "## Where to go next"),
    ]  # fmt: skip
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def texts(cells: list[dict]) -> list[str]:
    return ["".join(c["source"]) for c in cells]


def test_a_stub_keeps_signature_and_words():
    assert editions.stub(SOLUTION) == STUB
    assert (
        editions.plain(SOLUTION)
        == 'def double(x):\n    """Twice x."""\n    y = 2 * x\n    return y'
    )


def test_a_student_gets_what_is_asked_a_stub_and_a_check(source):
    section = editions.student(source)
    assert [c["id"] for c in section] == ["e1", "e2", "e3", "e4"]
    assert texts(section)[1] == STUB
    assert "](glossary.ipynb#d)" in texts(section)[0]  # seen from the lesson
    assert all(not c["metadata"] and not c.get("outputs") for c in section)


def test_other_tags_stay(source):
    source["cells"][4]["metadata"]["tags"].append("nbval-ignore-output")
    assert editions.student(source)[2]["metadata"] == {"tags": ["nbval-ignore-output"]}


def test_the_section_is_written_into_the_lesson_and_outputs_stay_where_nothing_changed(
    lesson, source
):
    assert editions.stale(lesson, source) == ["e2", "e4"]
    before = copy.deepcopy(lesson)
    made = editions.splice(lesson, editions.student(source))
    assert lesson == before
    assert [c["id"] for c in made["cells"]] == ["a", "b", "e1", "e2", "e3", "e4", "c"]
    assert made["cells"][3]["execution_count"] is None and made["cells"][4]["outputs"]
    assert not editions.stale(made, source)


def test_cells_that_are_gone_or_moved_are_stale(lesson, source):
    made = editions.splice(lesson, editions.student(source))
    made["cells"].insert(3, cell("markdown", "x", "More."))
    assert editions.stale(made, source) == ["x"]
    made["cells"][3:5] = [made["cells"][5], made["cells"][4]]
    made["cells"].pop(5)
    assert editions.stale(made, source) == ["order"]


def test_a_lesson_begins_with_a_heading_alone(source):
    lesson = {"cells": [cell("markdown", "a", "# 01"), cell("markdown", "b", "## Exercises")]}
    made = editions.splice(lesson, editions.student(source))
    assert [c["id"] for c in made["cells"]] == ["a", "e1", "e2", "e3", "e4"]


def test_a_lesson_without_exercises_is_refused(source):
    said = "lesson is '0 of them', but must be a notebook with one section Exercises"
    with raises(ValueError, said):
        editions.splice({"cells": [cell("markdown", "a", "## Another")]}, editions.student(source))


def test_an_instructor_sees_solution_and_explanation_in_their_place(lesson, source):
    made = editions.instructor(lesson, source)
    ids = ["a", "b", "s1", "e1", "e2", "e3", "s2", "s3", "e4", "s4", "s5", "c"]
    assert [c["id"] for c in made["cells"]] == ids
    assert "y = 2 * x" in texts(made["cells"])[4] and "SOLUTION" not in "".join(
        texts(made["cells"])
    )


def test_students_find_no_link_to_the_solutions(lesson):
    first, said, *_ = texts(editions.without_solutions(lesson)["cells"])
    assert first == "[Next](02.ipynb)\n\n# 01"
    assert said == "## What we saw\n\nSee the solutions."


def about(cells: list[dict]) -> dict[str, tuple]:
    found = (c["metadata"]["nbgrader"] for c in cells)
    return {a["grade_id"]: (a["grade"], a["solution"], a["locked"], a.get("points")) for a in found}


def test_an_assignment_is_what_nbgrader_takes(source):
    made = editions.assignment(source, points=4)
    assert about(made["cells"]) == {
        "title": (False, False, True, None),
        "setup": (False, False, True, None),
        "e1": (False, False, True, None),
        "e2": (False, True, False, None),
        "e3": (False, False, True, None),
        "double": (True, False, True, 4),
        "e4": (False, False, True, None),
        "question-2": (True, True, False, 4),
    }
    title, setup, asked, _, check, points, _, answer = texts(made["cells"])
    assert title == "# 01 · Noise: exercises"
    assert setup == editions.COMMON  # which has what this one needs
    assert (
        asked == "Fill in.\n\n**1.** Double."
    )  # students of a class may not have the lesson there
    assert check.endswith("checks.twice(double)") and "HIDDEN" not in check
    assert points.endswith("graded(keys.twice, double, seed=SEED, points=4)\n### END HIDDEN TESTS")
    assert answer == "Because.\n\nTherefore."


# --------------------------------------------------------------------------------- the course's own


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_the_section_of_a_lesson_is_that_of_its_source(path):
    lesson = NOTEBOOKS / path.name
    assert not editions.stale(editions.read(lesson), editions.read(path)), "run make sections"


def test_every_lesson_has_a_source():
    assert {p.name for p in SOURCES} == {p.name for p in NOTEBOOKS.glob("[0-9]*.ipynb")}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_source_has_what_its_editions_need(path):
    source = editions.read(path)
    assert re.match(r"# \d\db? · .+: solutions\n", "".join(source["cells"][0]["source"]))
    made = editions.assignment(source)
    points = [c for c in made["cells"] if "points" in c["metadata"]["nbgrader"]]
    solutions = [c for c in source["cells"] if editions.role(c) == "solution"]
    assert len(points) >= len(solutions) >= 1
    for c in solutions:
        assert len(editions.REGION.findall(editions.text(c))) == 1
        assert "raise NotImplementedError" in editions.stub(editions.text(c))
    released = [re.sub("### BEGIN HIDDEN.*", "", t, flags=re.DOTALL) for t in texts(made["cells"])]
    assert not [text for text in map(editions.stub, released) if "dncnn_lib.keys" in text]
    ids = [c["metadata"]["nbgrader"]["grade_id"] for c in made["cells"]]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"[\w-]+", name) for name in ids)


class Pale(torch.nn.Module):
    """Not a denoiser, but quick; what it gives needs no clipping."""

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return 0.3 * noisy + 0.3


@pytest.fixture
def quick(monkeypatch):
    for module in (dn, importlib.import_module(f"{keys.__name__}.start")):
        monkeypatch.setattr(module, "load_pretrained", lambda name: Pale())


@pytest.mark.usefixtures("quick", "one_thread")
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_an_assignment_gives_all_points_to_its_solution_and_none_to_its_stub(path, capsys):
    made = editions.assignment(editions.read(path))["cells"]
    code = {c["metadata"]["nbgrader"]["grade_id"]: editions.text(c) for c in made if "outputs" in c}
    points = {name: text for name, text in code.items() if "HIDDEN" in text}
    assert points
    for handed_in, score in ((editions.plain, editions.POINTS), (editions.stub, 0)):
        names: dict = {"graded": graded}
        for text in code.values():
            if "checks." not in text and "HIDDEN" not in text:
                exec(handed_in(text), names)
        for text in points.values():
            (lesson,) = re.findall(
                r"^from dncnn_lib.keys import (\w+) as keys$", text, re.MULTILINE
            )
            names["keys"] = importlib.import_module(f"{keys.__name__}.{lesson}")
            for names["SEED"] in (3, 2**31 - 1):
                assert eval(text.splitlines()[-2], names) == score
