"""What must be true of every committed notebook. That they run is tested by ``pytest --nbval``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(
    path for path in (ROOT / "notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts
)


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def notebook(request) -> dict:
    return json.loads(request.param.read_text("utf-8"))


def code_cells(notebook: dict) -> list[dict]:
    cells = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    return [c for c in cells if "".join(c["source"]).strip()]


def test_every_code_cell_was_executed_in_order(notebook):
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1)), "run it from the top: make execute"


def test_no_errors_and_no_warnings_are_stored(notebook):
    outputs = [o for cell in code_cells(notebook) for o in cell["outputs"]]
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]


def test_outputs_are_small(notebook):
    assert len(json.dumps(notebook)) < 1_500_000


def test_no_path_of_the_machine_that_ran_it(notebook):
    text = json.dumps([cell.get("outputs", []) for cell in notebook["cells"]])
    assert not re.findall(r"(?:/home/|/root/|/Users/|/tmp/|[A-Z]:\\\\)[\w./-]*", text)


def test_cells_are_short(notebook):
    lengths = [len("".join(cell["source"]).splitlines()) for cell in code_cells(notebook)]
    assert max(lengths) <= 30


def test_every_figure_is_followed_by_words(notebook):
    """Outputs carry no alternative text, so the next cell says what the figure shows."""
    cells = notebook["cells"]
    for cell, after in zip(cells, cells[1:]):
        images = [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        assert not images or (
            after["cell_type"] == "markdown" and "*The" in "".join(after["source"])
        )


def test_at_least_one_claim_is_asserted(notebook):
    """In the solutions by the checks of the exercises."""
    code = "".join("".join(cell["source"]) for cell in code_cells(notebook))
    assert "assert " in code or "checks." in code


def test_no_state_of_a_widget_is_stored(notebook):
    """It would show controls that do nothing until the cell is run."""
    assert "widgets" not in notebook["metadata"]
