"""The folder of sources for Sphinx, and the site that Sphinx makes of it."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .._files import DATA
from ..explorer.web import build as explorer
from ..images import write_image
from ..samples import sample_image
from . import pages

FIELD = np.s_[75:196, 180:301]
"""Of the photograph under the receptive field: 121 pixels square, for 60 layers."""

TOCTREE = """\
```{{toctree}}
:caption: {caption}
:glob:
:hidden:

{folder}/*
```
"""
"""What lists the pages of a folder that the copy of a class does not have."""

SITE = Path(__file__).parent / "site"

MISSING = 'the book needs Sphinx: pip install "dncnn-course[book]", or make book'


def build(notebooks: Path, out: Path) -> None:
    """Write the site of the notebooks in a folder, and of its ``solutions``, into the folder out.

    Nothing is executed: what the pages show is stored in the notebooks. A site that is there is
    replaced, once the new one is complete. Where npm is missing, which the explorer in the pages
    needs, a warning says so, and pictures stand in for it. Raises ``FileNotFoundError`` for a
    folder without notebooks, ``ImportError`` where Sphinx is missing, and ``ValueError`` with what
    Sphinx said if it warned of anything.
    """
    try:
        import furo  # noqa: F401
        import myst_nb  # noqa: F401
    except ImportError as error:
        raise ImportError(MISSING) from error
    if not any(notebooks.glob("*.ipynb")):
        raise FileNotFoundError(f"no notebooks in {notebooks}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        sources, site = Path(folder, "sources"), Path(folder, "site")
        write_sources(notebooks, sources, alive=write_explorer(sources / "_static" / "explorer"))
        sphinx(sources, site)
        if out.exists():
            shutil.rmtree(out)
        site.rename(out)


def write_explorer(folder: Path) -> bool:
    """Write the explorer that needs no Python; whether that went well."""
    try:
        explorer.build(folder)
    except (ImportError, RuntimeError) as error:
        warnings.warn(f"the book has no explorer: {error}", stacklevel=3)
        shutil.rmtree(folder, ignore_errors=True)
        return False
    return True


def write_sources(notebooks: Path, sources: Path, *, alive: bool) -> None:
    """Write what Sphinx reads: the pages, and how they look.

    alive: whether the explorer is there.
    """
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(SITE, sources, ignore=ignored, dirs_exist_ok=True)
    for file in (notebooks / "explorer.png", mathjax()):
        shutil.copy(file, sources / "_static")
    write_image(sources / "_static" / "receptive-field.png", sample_image("camera")[FIELD])
    shutil.copy(DATA / "quality.md", sources)
    start = json.loads((notebooks / "00_start_here.ipynb").read_text("utf-8"))
    index = (SITE / "index.md").read_text("utf-8").replace("{{lessons}}", pages.course_map(start))
    index = index.replace("{{explorer}}", pages.live_html("explorer-1", alive))
    texts = dict(text_pages(notebooks))
    parts = {"solutions": ("*.ipynb", "Solutions"), "instructors": ("*.md", "For instructors")}
    for folder, (found, caption) in parts.items():
        there = any((notebooks / folder).glob(found))
        toctree = TOCTREE.format(caption=caption, folder=folder) if there else ""
        index = index.replace(f"{{{{{folder}}}}}", toctree)
    (sources / "index.md").write_text(index, "utf-8")
    for path, text in texts.items():
        (sources / path).parent.mkdir(exist_ok=True)
        (sources / path).write_text(text, "utf-8")
    for path, page in all_pages(notebooks, alive=alive):
        target = sources / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(page, ensure_ascii=False), "utf-8")


def mathjax() -> Path:
    """The one file of MathJax that draws formulas without asking for others."""
    spec = importlib.util.find_spec("sphinx-mathjax-offline")  # a package with hyphens in its name
    return Path(spec.submodule_search_locations[0], "static", "mathjax", "tex-svg.js")


def all_pages(notebooks: Path, *, alive: bool) -> Iterator[tuple[Path, pages.Notebook]]:
    """Each notebook's path within the folder, and its page."""
    for path in sorted([*notebooks.glob("*.ipynb"), *notebooks.glob("solutions/*.ipynb")]):
        is_solution = path.parent.name == "solutions"
        name = f"solutions-{path.stem}" if is_solution else path.stem
        page = pages.page(json.loads(path.read_text("utf-8")), name, alive=alive)
        yield path.relative_to(notebooks), pages.folded(page) if is_solution else page


def text_pages(notebooks: Path) -> Iterator[tuple[Path, str]]:
    """The pages for instructors, by their paths within the folder. What else is beside them, the
    questions of the examination, is for nobody who reads the book.
    """
    found = {p.stem: json.loads(p.read_text("utf-8")) for p in sorted(notebooks.glob("*.ipynb"))}
    for path in sorted(notebooks.glob("instructors/*.md")):
        text = pages.text_page(path.read_text("utf-8"), path.stem, found)
        yield path.relative_to(notebooks), text


def sphinx(sources: Path, site: Path) -> None:
    """Run Sphinx in a process of its own. Raises ``ValueError`` where it fails or warns."""
    doctrees = sources.parent / "doctrees"
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", doctrees]
    done = subprocess.run([*command, sources, site], capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"Sphinx does not take the pages: {done.stderr.strip()}")
    (site / ".buildinfo").unlink(missing_ok=True)
