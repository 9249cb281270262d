"""From a notebook to a page."""

from __future__ import annotations

import copy
import json
from pathlib import Path

from helpers import raises

from dncnn_lib.book import pages

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def markdown(source: str, name: str = "a") -> dict:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def code(*outputs: dict, name: str = "b") -> dict:
    return {"cell_type": "code", "id": name, "metadata": {}, "source": "f()", "outputs": [*outputs]}


def control(words: str = "VBox(children=())", kind: str = "execute_result") -> dict:
    return {"output_type": kind, "data": {pages.WIDGET: {}, "text/plain": [words]}}


def notebook(*cells: dict) -> dict:
    return {"cells": [*cells], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def sources(page: dict) -> list[str]:
    return ["".join(cell["source"]) for cell in page["cells"]]


def test_a_link_to_a_cell_leads_to_what_stands_above_that_cell():
    (there,) = sources(pages.page(notebook(markdown("**MSE**", "mse")), "glossary"))
    links = "[a](glossary.ipynb#cell-id=mse), [b](../glossary.ipynb#cell-id=mse), [c](b.ipynb)"
    (here,) = sources(pages.page(notebook(markdown(links)), "01_noise"))
    assert there == "(glossary-mse)=\n\n**MSE**"
    assert here == "(01_noise-a)=\n\n[a](#glossary-mse), [b](#glossary-mse), [c](b.ipynb)"


def test_every_page_begins_with_a_title():
    given = notebook(markdown("## The explorer"), markdown("## Next", "c"))
    first, second = sources(pages.page(given, "explorer"))
    assert first.endswith("\n# The explorer") and second.endswith("\n## Next")


def test_letters_of_the_glossary_are_linked_as_sphinx_names_them():
    assert sources(pages.page(notebook(markdown("[A](#A) [x](#Ab)")), "glossary"))[0].endswith(
        "[A](#a) [x](#Ab)"
    )


def test_a_progress_bar_goes_and_a_control_is_replaced():
    stream = {"output_type": "stream", "name": "stdout", "text": ["21 dB\n"]}
    bar = control(" 0%|          | 0/3 [00:00<?, ?it/s]", "display_data")
    page = pages.page(notebook(code(bar, stream, name="p"), code(control(), name="q")), "x")
    assert [cell["id"] for cell in page["cells"]] == ["p", "q", "q-live"]
    assert page["cells"][0]["outputs"] == [stream] and page["cells"][1]["outputs"] == []
    assert pages.NOT_ALIVE in page["cells"][2]["source"]


def test_controls_that_are_alive_are_still_in_the_lessons():
    notebooks = [json.loads(path.read_text("utf-8")) for path in NOTEBOOKS.glob("*.ipynb")]
    controls = {
        cell["id"]
        for lesson in notebooks
        for cell in lesson["cells"]
        if any(map(pages.is_control, cell.get("outputs", [])))
    }
    assert {*pages.LIVE, pages.RECEPTIVE_FIELD} <= controls
    assert len(controls) > 10


def test_a_figure_keeps_its_words():
    figure = {
        "output_type": "display_data",
        "data": {"image/png": ""},
        "metadata": {"image/png": {"alt": "A dog."}},
    }
    (cell,) = pages.page(notebook(code(figure)), "x")["cells"]
    assert cell["metadata"]["mystnb"] == {"image": {"alt": "A dog."}}


def test_a_page_of_text_links_to_the_text_at_a_cell_or_above_it():
    there = {"01_noise": notebook(markdown("**Predict.**", "asked"), code(name="shown"))}
    source = "[a](../01_noise.ipynb#cell-id=asked), [b](../01_noise.ipynb#cell-id=shown), [c](x.md)"
    page = pages.text_page(source, "guide", there)
    assert page == "[a](#01_noise-asked), [b](#01_noise-asked), [c](x.md)"
    with raises(ValueError, "guide links to the cell gone of 01_noise, which has none such"):
        pages.text_page("[d](../01_noise.ipynb#cell-id=gone)", "guide", there)


def test_code_of_solutions_is_folded_and_text_is_not():
    text, answer = pages.folded(notebook(markdown("Hint"), code()))["cells"]
    assert "tags" not in text["metadata"] and answer["metadata"]["tags"] == ["hide-cell"]


def test_a_solution_is_shown_without_its_marks():
    marked = code() | {
        "source": "def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION"
    }
    (shown,) = pages.folded(notebook(marked))["cells"]
    assert shown["source"] == "def f():\n    return 1"


def test_the_notebook_stays_as_it_was():
    given = notebook(markdown("## A"), code(control()))
    before = copy.deepcopy(given)
    pages.folded(pages.page(given, "x"))
    assert given == before


def test_the_map_of_the_course_links_every_lesson():
    start = json.loads((NOTEBOOKS / "00_start_here.ipynb").read_text("utf-8"))
    table = pages.course_map(start)
    for lesson in NOTEBOOKS.glob("*.ipynb"):
        assert f"]({lesson.name})" in table
