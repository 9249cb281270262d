"""What becomes of a notebook on its way to a page. Dictionaries in, dictionaries out."""

from __future__ import annotations

import copy
import re
from typing import Any

from ..making import editions

Notebook = dict[str, Any]

WIDGET = "application/vnd.jupyter.widget-view+json"

LIVE = {
    "explorer-1": "",
    "start-28": "picture=camera&noise=Gaussian&level=25&method=dncnn-3-small",
    "c034": "picture=camera&noise=Poisson&level=25&method=dncnn-3-small",
    "l08-41": "picture=dogs&noise=JPEG&level=10&method=dncnn-3-small",
}
"""Cell id of a widget → the view of the explorer that takes its place."""

RECEPTIVE_FIELD = "building-39"
"""Cell id of the slider of depth, which a script of the page's own draws."""

NOT_ALIVE = "This control needs Python: it can be moved in JupyterLab."


CELL_LINK = re.compile(r"\]\(((?:[\w./-]+/)?([\w-]+)\.ipynb)#cell-id=([\w-]+)\)")
"""A link of JupyterLab's to a cell of a notebook: its path, the name of the notebook, the cell."""

LETTER_LINK = re.compile(r"\]\(#[A-Z]\)")
"""A link to a letter of the glossary."""


def page(notebook: Notebook, name: str, *, alive: bool = True) -> Notebook:
    """A copy of a notebook as MyST-NB takes it. name: of the file, without folder and ending, in
    the course unique; alive: whether the site has the explorer.

    Every Markdown cell can be linked to, because JupyterLab's links to cells become links to it.
    """
    page = copy.deepcopy(notebook)
    for cell in page["cells"]:
        if cell["cell_type"] == "markdown":
            source = CELL_LINK.sub(r"](#\2-\3)", "".join(cell["source"]))
            source = LETTER_LINK.sub(lambda found: found[0].lower(), source)
            if cell is page["cells"][0]:  # a page has a title
                source = re.sub(r"^## ", "# ", source)
            cell["source"] = f"({name}-{cell['id']})=\n\n{source}"
        elif cell["cell_type"] == "code":
            cell["outputs"] = [output for output in cell["outputs"] if not is_widget(output)]
            if describes := alternative_text(cell["outputs"]):
                cell["metadata"]["mystnb"] = {"image": {"alt": describes}}
    page["cells"] = with_live_cells(notebook, page, alive)
    return page


def text_page(source: str, name: str, notebooks: dict[str, Notebook]) -> str:
    """A page of Markdown, such as the instructors' guide: links of JupyterLab's to cells lead to
    the Markdown cell there or the next one above. name: of the file, without folder and ending;
    notebooks: by the names of their files, without folder and ending.
    """

    def target(found: re.Match[str]) -> str:
        above = ""
        for cell in notebooks[found[2]]["cells"]:
            above = cell["id"] if cell["cell_type"] == "markdown" else above
            if cell["id"] == found[3]:
                return f"](#{found[2]}-{above})"
        raise ValueError(f"{name} links to the cell {found[3]} of {found[2]}, which has none such")

    return CELL_LINK.sub(target, source)


def folded(notebook: Notebook) -> Notebook:
    """A page of solutions with its code folded, so that a reader opens one at a time, and without
    the lines that mark a solution."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["source"] = editions.plain("".join(cell["source"]))
            cell["metadata"].setdefault("tags", []).append("hide-cell")
    return notebook


def is_widget(output: dict[str, Any]) -> bool:
    """Whether an output lives in a kernel: a control, or a progress bar."""
    return WIDGET in output.get("data", {})


def alternative_text(outputs: list[dict[str, Any]]) -> str:
    """Of a cell's figure; "" without one."""
    texts = (output.get("metadata", {}).get("image/png", {}).get("alt") for output in outputs)
    return next(filter(None, texts), "")


def with_live_cells(notebook: Notebook, page: Notebook, alive: bool) -> list[dict[str, Any]]:
    """The cells of a page, with a cell below each control that stands for it."""
    cells = []
    for before, cell in zip(notebook["cells"], page["cells"]):
        cells.append(cell)
        if any(map(is_control, before.get("outputs", []))):
            cells.append(raw_html(before["id"], live_html(before["id"], alive)))
    return cells


def is_control(output: dict[str, Any]) -> bool:
    """Whether an output is a control to be moved, and no progress bar."""
    words = "".join(output.get("data", {}).get("text/plain", ""))
    return is_widget(output) and output["output_type"] == "execute_result" and "(" in words


def live_html(cell_id: str, alive: bool) -> str:
    """What stands on the page for a control."""
    if cell_id in LIVE and alive:
        return f'<div class="live" data-view="{LIVE[cell_id]}"></div>'
    if cell_id == RECEPTIVE_FIELD:
        return '<div class="receptive-field"></div>'
    return f'<p class="not-alive">{NOT_ALIVE}</p>'


def raw_html(cell_id: str, html: str) -> dict[str, Any]:
    """A cell of HTML."""
    source = f"```{{raw}} html\n{html}\n```"
    return {"cell_type": "markdown", "id": f"{cell_id}-live", "metadata": {}, "source": source}


def course_map(start: Notebook) -> str:
    """The table of lessons in lesson 00, in Markdown."""
    sources = ("".join(cell["source"]) for cell in start["cells"])
    (course,) = (source for source in sources if source.startswith("## The course"))
    table = "\n".join(line for line in course.splitlines() if line.startswith("|"))
    return table.replace("**00 Start here**", "[**00 Start here**](00_start_here.ipynb)")
