"""What must be true of every committed notebook. That they run is tested by ``pytest --nbval``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dncnn_lib.making.notebooks import words

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
    """JupyterLab shows no alternative text, so the next cell says what the figure shows. The same
    words are the alternative text, for pages that are made from the notebook."""
    cells = notebook["cells"]
    for cell, after in zip(cells, cells[1:]):
        for output in cell.get("outputs", []):
            if "image/png" not in output.get("data", {}):
                continue
            assert after["cell_type"] == "markdown" and "*The" in "".join(after["source"])
            alt = output["metadata"].get("image/png", {}).get("alt")
            assert alt == words("".join(after["source"])), "run make execute"
            assert len(alt) > 20


def test_at_least_one_claim_is_asserted(notebook):
    """In the solutions by the checks of the exercises."""
    code = "".join("".join(cell["source"]) for cell in code_cells(notebook))
    assert "assert " in code or "checks." in code


def test_no_state_of_a_widget_is_stored(notebook):
    """It would show controls that do nothing until the cell is run."""
    assert "widgets" not in notebook["metadata"]


LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


def markdown(path: Path, place: int) -> str:
    cell = json.loads(path.read_text("utf-8"))["cells"][place]
    assert cell["cell_type"] == "markdown"
    return "".join(cell["source"])


@pytest.mark.parametrize("number", range(len(LESSONS)), ids=lambda n: LESSONS[n].stem)
def test_a_lesson_leads_to_its_neighbours_and_its_solutions(number):
    """In one line, at the top and at the bottom."""
    links = []
    for word, other in (("Previous", number - 1), ("Next", number + 1)):
        if 0 <= other < len(LESSONS):
            title = re.search(r"^# (\d\db?) · (.+)$", markdown(LESSONS[other], 0), re.MULTILINE)
            links.append(f"[{word}: {title[1]} {title[2]}]({LESSONS[other].name})")
    links.append(f"[Solutions](solutions/{LESSONS[number].name})")
    line = " · ".join(links)
    assert markdown(LESSONS[number], 0).startswith(line + "\n\n# ")
    assert markdown(LESSONS[number], -1).endswith("\n\n" + line)


# ------------------------------------------------------------------------------------ the glossary


def sources(path: Path) -> dict[str, str]:
    """The text of each cell by its id, to which a link leads by ``#cell-id=``: JupyterLab scrolls
    to it even where the notebook has to be opened first, as it does not to a heading."""
    return {c["id"]: "".join(c["source"]) for c in json.loads(path.read_text("utf-8"))["cells"]}


TERMS = {
    name: text
    for name, text in sources(ROOT / "notebooks" / "glossary.ipynb").items()
    if text.startswith("### ")
}


def test_each_term_is_in_the_glossary_once_and_in_order():
    headings = [text.splitlines()[0].removeprefix("### ") for text in TERMS.values()]
    assert headings == sorted(set(headings), key=str.lower)
    assert list(TERMS) == [re.sub("[^a-z0-9]+", "-", head.lower()) for head in headings]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_link_to_the_glossary_leads_to_a_term(path):
    found = re.findall(r"glossary\.ipynb#([^)]*)\)", "\n".join(sources(path).values()))
    assert {link.removeprefix("cell-id=") for link in found} <= set(TERMS)
    assert len(found) == len(set(found)), "linked at its first use, and not again"


@pytest.mark.parametrize("name", TERMS)
def test_a_term_is_a_link_where_it_is_first_taught(name):
    """The glossary leads to that cell, and the cell back to the glossary."""
    (lesson, cell) = re.findall(r"\]\((\w+\.ipynb)#cell-id=([\w-]+)\)", TERMS[name])[-1]
    assert f"](glossary.ipynb#cell-id={name})" in sources(ROOT / "notebooks" / lesson)[cell]
