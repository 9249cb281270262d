"""The instructors' guide: its tables are what they are made of, its timetables can be taught."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from helpers import raises

from dncnn_lib.teaching import guide

pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
PATH = NOTEBOOKS / "instructors" / "guide.md"
if not PATH.exists():
    pytest.skip("a student's copy has no guide", allow_module_level=True)
TEXT = PATH.read_text("utf-8")
LESSONS = {path.stem.split("_")[0]: path for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))}
HEADERS = {
    lesson: guide.header(json.loads(path.read_text("utf-8"))) for lesson, path in LESSONS.items()
}


def test_its_blocks_are_up_to_date():
    again = "run python -m dncnn_lib.teaching.guide"
    assert guide.filled(TEXT, NOTEBOOKS) == TEXT, again


def test_every_lesson_has_a_section_with_its_votes():
    for lesson, header in HEADERS.items():
        assert f"\n### {header['title'].replace(' · ', ' ')}\n" in TEXT
        assert TEXT.count(f"<!-- begin votes {lesson} -->") == 1
    assert TEXT.count("**Short of time.**") == TEXT.count("**What goes wrong.**") == len(LESSONS)


def test_what_the_headers_say_is_read():
    told = {lesson: (h["minutes"], h["exercises"], h["further"]) for lesson, h in HEADERS.items()}
    assert told["00"] == (25, 10, 0) and told["01"] == (60, 15, 30) and told["06b"] == (25, 10, 0)
    assert told["10"] == (60, 10, 0) and told["07"] == (60, 15, 30)
    assert guide.needed(HEADERS["10b"]["needs"]) == ["10", "04", "06", "06b"]


TABLES = re.findall(r"^### (.+)\n\n(?:.+\n)+\n((?:\|.*\n)+)\n(.+)", TEXT, re.MULTILINE)
TABLES = [found for found in TABLES if found[1].startswith("| minutes")]


@pytest.mark.parametrize("name, table, after", TABLES, ids=[name for name, *_ in TABLES])
def test_a_timetable_adds_up_and_every_lesson_stands_behind_what_it_needs(name, table, after):
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]
    assert after.startswith(f"{sum(int(minutes) for minutes, *_ in rows)} minutes")
    given = set()
    for _, title, *_ in rows:
        if title.startswith("*"):
            continue
        lesson = title.split()[0]
        assert title == HEADERS[lesson]["title"].replace(" · ", " ")
        lacks = {*guide.needed(HEADERS[lesson]["needs"])} - given
        if (name, lesson) == ("One afternoon", "10"):
            lacks -= {"06b"}  # as the text under it says
        assert lacks <= {lesson}, f"{lesson} comes before {lacks}"
        given.add(lesson)


def test_there_are_three_timetables():
    assert [name for name, *_ in TABLES] == ["One afternoon", "Two days", "Six weeks"]


def test_no_link_of_it_is_dead():
    for path, _, cell in re.findall(r"\]\((\.\./[\w.]+)(#cell-id=([\w-]+))?\)", TEXT):
        there = (PATH.parent / path).resolve()
        assert there.is_file(), path
        if cell:
            ids = {c["id"] for c in json.loads(there.read_text("utf-8"))["cells"]}
            assert cell in ids, f"{path} {cell}"


def test_the_commands_it_names_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"`make (\w+)`", TEXT):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for file in re.findall(r"`((?:data|tests|notebooks)/[\w./]+)`", TEXT):
        named = ROOT / file
        assert named.exists() or file == "data/runs/minutes.json", file


def test_measured_seconds_become_minutes_with_the_cells_that_wait_longest(tmp_path):
    record = tmp_path / "minutes.csv"
    record.write_text("lesson,cell,seconds\n00,start-03,2.0\n00,start-17,61.4\n01,c004,9.9\n")
    lines = guide.minutes_table(LESSONS, guide.read_seconds(record)).splitlines()
    assert "| 1 | [start-17](../00_start_here.ipynb#cell-id=start-17) 61 s |" in lines[2]
    assert lines[3].endswith("| 45 | 15 | 30 | under ½ |  |")
    assert lines[4].endswith("| not yet recorded |  |") and "not yet" in lines[-1]
    assert [guide.minutes_in_words(s) for s in (10, 31, 60, 95, 170)] == [
        "under ½", "½", "1", "1½", "3",
    ]  # fmt: skip


def test_a_block_of_another_name_is_refused():
    with raises(ValueError, "the guide has a block 'songs 01', which is made of nothing"):
        guide.filled("<!-- begin songs 01 -->\n<!-- end -->", NOTEBOOKS)
