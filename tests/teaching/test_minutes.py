"""The script that measures how long lessons make a machine wait."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

MINUTES = runpy.run_path(str(Path(__file__).parents[2] / "data" / "record_minutes.py"))


def test_the_seconds_of_a_cell_are_from_busy_to_idle():
    times = {"busy": "2026-01-01T10:00:59.500000Z", "idle": "2026-01-01T10:01:01.750000Z"}
    execution = {f"iopub.status.{state}": time for state, time in times.items()}
    assert MINUTES["seconds_of"](execution) == 2.25


def test_what_is_written_is_read_without_what_nobody_waits_for(tmp_path):
    file = tmp_path / "minutes.csv"
    file.write_text(MINUTES["csv_of"]({"01": {"a": 0.04, "b": 1.26}, "00": {"c": 3.0}}))
    assert file.read_text().splitlines() == ["lesson,cell,seconds", "00,c,3.0", "01,b,1.3"]
    assert MINUTES["read"](file) == {"00": {"c": 3.0}, "01": {"b": 1.3}}


def test_code_has_another_name_when_it_changes_and_words_do_not_matter():
    def notebook(code: str, words: str) -> dict:
        cells = [
            {"cell_type": "code", "source": [code]},
            {"cell_type": "markdown", "source": words},
        ]
        return {"cells": cells}

    name = MINUTES["code_of"]
    assert name(notebook("f()", "a")) == name(notebook("f()", "b")) != name(notebook("g()", "a"))


@pytest.mark.slow
def test_a_lesson_is_measured_cell_by_cell(tmp_path):
    nbformat = pytest.importorskip("nbformat", reason='needs the extra "lab"')
    code = nbformat.v4.new_code_cell("import time\ntime.sleep(0.3)", id="nap")
    path = tmp_path / "00_x.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[code]), path)
    assert 0.3 <= MINUTES["measured"](path)["nap"] < 30
