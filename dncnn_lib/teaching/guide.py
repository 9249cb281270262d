"""The parts of the instructors' guide that are tables of something else, and are not typed.

    python -m dncnn_lib.teaching.guide

They stand between ``<!-- begin NAME -->`` and ``<!-- end -->``: "minutes", what the headers of the
lessons say and what ``data/record_minutes.py`` measured; "votes 06b", the questions of a lesson
that the bank has for the classroom.
"""

from __future__ import annotations

import csv
import json
import random
import re
from pathlib import Path
from typing import Any

from .. import _files
from ..records import RECORDS
from . import exam

Seconds = dict[str, dict[str, float]]
"""Lesson → cell id → seconds."""

BLOCK = re.compile(r"<!-- begin ([\w ]+) -->\n.*?<!-- end -->", re.DOTALL)

WORDS = {"ten": 10, "fifteen": 15, "twenty": 20, "half an": 30}
"""How lessons tell the minutes of their section "Further"."""

NOT_YET = "not yet recorded"


def filled(text: str, folder: Path, record: Path = RECORDS / "minutes.csv") -> str:
    """The guide with its blocks made anew. folder: of the notebooks, with ``instructors`` in it."""
    lessons = {path.stem.split("_")[0]: path for path in sorted(folder.glob("[0-9]*.ipynb"))}
    questions = exam.read(folder / "instructors" / "exam.yaml")

    def block(found: re.Match[str]) -> str:
        name, _, lesson = found[1].partition(" ")
        if name == "minutes":
            lines = minutes_table(lessons, read_seconds(record))
        elif name == "votes" and lesson in lessons:
            votes = [q for q in questions if (q.kind, q.lesson) == ("vote", lesson)]
            lines = votes_list(votes, lessons[lesson].stem)
        else:
            raise ValueError(f"the guide has a block {found[1]!r}, which is made of nothing")
        return f"<!-- begin {found[1]} -->\n\n{lines}\n\n<!-- end -->"

    return BLOCK.sub(block, text)


# ------------------------------------------------------------------------------------- minutes


def header(notebook: dict[str, Any]) -> dict[str, Any]:
    """What a lesson's first cell says: title, minutes in all, of them exercises, and what it needs;
    further: minutes of what is beyond the hour.
    """
    source = "".join(notebook["cells"][0]["source"])
    time = re.search(r"\*\*Time:\*\* (.+?\.) ", source)[1]
    total, exercises = (
        int(re.search(p, time)[1]) for p in (r"(\d+) minutes", r"(\d+) (?:for the )?exercises")
    )
    if ", and " in time:  # they come on top
        total += exercises
    sources = ("".join(cell["source"]) for cell in notebook["cells"])
    beyond = re.search(
        r"\*Beyond the hour, (?:about |some )?(.+?) (?:minutes|hour) more", "\n".join(sources)
    )
    return {
        "title": re.search(r"^# (.+)$", source, re.MULTILINE)[1],
        "minutes": total,
        "exercises": exercises,
        "further": WORDS[beyond[1]] if beyond else 0,
        "needs": re.search(r"\*\*You need:\*\* (.+)", source)[1],
    }


def needed(needs: str) -> list[str]:
    """The lessons that a header names, as "06b"."""
    return re.findall(r"\b\d\db?\b", needs)


def read_seconds(record: Path) -> Seconds:
    """What ``data/record_minutes.py`` measured; nothing where it was not run yet."""
    seconds: Seconds = {}
    if record.exists():
        with open(record, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                seconds.setdefault(row["lesson"], {})[row["cell"]] = float(row["seconds"])
    return seconds


def minutes_table(lessons: dict[str, Path], seconds: Seconds) -> str:
    """A row for each lesson, in Markdown, and a last one with the sums."""
    rows = [
        "| lesson | reading and thinking | exercises | *Further* | machine | where it waits |",
        "|---|--:|--:|--:|--:|---|",
    ]
    sums = [0, 0, 0]
    for lesson, path in lessons.items():
        told = header(json.loads(path.read_text("utf-8")))
        human = (told["minutes"] - told["exercises"], told["exercises"], told["further"])
        sums = [total + more for total, more in zip(sums, human)]
        cells = seconds.get(lesson, {})
        columns = [f"[{told['title']}](../{path.name})", *(str(n) if n else "–" for n in human)]
        columns += [minutes_in_words(sum(cells.values())) if cells else NOT_YET]
        columns += [slowest(cells, path.name)]
        rows.append(f"| {' | '.join(columns)} |")
    machine = sum(map(sum, (cells.values() for cells in seconds.values())))
    last = minutes_in_words(machine) if {*seconds} == {*lessons} else NOT_YET
    rows.append(f"| together | {' | '.join(map(str, sums))} | {last} | |")
    return "\n".join(rows)


def minutes_in_words(seconds: float) -> str:
    """To half a minute, and "under ½" below it."""
    halves = round(seconds / 30)
    if halves == 0:
        return "under ½"
    return f"{halves // 2 or ''}{'½' if halves % 2 else ''}"


def slowest(cells: dict[str, float], notebook: str, least: float = 10) -> str:
    """The three cells that take longest, of those that take so many seconds."""
    found = sorted(cells, key=lambda cell: -cells[cell])[:3]
    return ", ".join(
        f"[{cell}](../{notebook}#cell-id={cell}) {cells[cell]:.0f} s"
        for cell in found
        if cells[cell] >= least
    )


# ------------------------------------------------------------------------------------- votes


def votes_list(votes: list[exam.Question], notebook: str) -> str:
    """Questions, lettered options, and the answer with the cell that shows it, in Markdown."""
    parts = []
    for number, vote in enumerate(votes, 1):
        each = exam.item(vote, random.Random(vote.id))
        options = "\n".join(f"- {a}) {option}" for a, option in zip(exam.LETTERS, each.options))
        shown = vote.source.split("#")[1]
        links = [
            f"[{word}](../{notebook}.ipynb#cell-id={cell})"
            for word, cell in (("asked", vote.asks), ("shown", shown))
        ]
        parts += [
            f"**Vote {number}.** {vote.text} ({links[0]})",
            options,
            f"*Answer:* **{each.letter}** ({links[1]}). {vote.why}",
            "\n".join(
                f"- {exam.LETTERS[each.options.index(str(option))]}) {shows}"
                for option, shows in sorted(
                    vote.wrong.items(), key=lambda wrong: each.options.index(str(wrong[0]))
                )
            ),
        ]
    return "\n\n".join(parts)


def main() -> None:
    folder = Path(__file__).parents[2] / "notebooks"
    path = folder / "instructors" / "guide.md"
    _files.write_bytes(path, filled(path.read_text("utf-8"), folder).encode())


if __name__ == "__main__":
    main()
