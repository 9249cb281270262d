"""A deck of slides for each lesson, from its stored notebook: nothing is executed or written twice.

What becomes a slide, up to the exercises: the title with its question; each *Predict*, alone, and
after it what its cells print; each broken cell of the clinic with its symptom; each figure with the
words under it; what we saw. What the lesson says in between is in the speaker's notes (key S).

Slides are 1280×720 pixels. Pictures are as large as the words leave room for, and text of code is
as large as its longest line allows, so that the back row can read both.
"""

from __future__ import annotations

import ast
import base64
import html
import importlib.util
import json
import re
import shutil
import struct
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

from ..explorer.web.npm import package

HERE = Path(__file__).parent / "deck"
WIDTH, HEIGHT = 1160, 600
"""Of what a slide has below its heading, in pixels."""

WORDS = 26
"""Size of the words under a figure, in pixels."""

MISSING = 'the slides need nbconvert and MathJax: pip install "dncnn-course[lab,book]", or make lab'


@dataclass(frozen=True)
class Picture:
    """A PNG of a cell. name: of its file; width, height: in pixels; alt: what it shows."""

    name: str
    data: bytes
    alt: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, from the PNG's header."""
        return struct.unpack(">II", self.data[16:24])


@dataclass
class Slide:
    """kind: "title", "predict", "case", "code", "printed", "figure" or "saw"; cell: id of the cell
    it is made from; heading: of the section; words: Markdown; before: Markdown that leads up to the
    words; text: code, or what it printed; notes: for the speaker, Markdown.
    """

    kind: str
    cell: str
    heading: str
    words: str = ""
    before: str = ""
    text: str = ""
    pictures: list[Picture] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


# ------------------------------------------------------------------------------ from cell to slide

PREDICT = "**Predict.**"
SYMPTOM = re.compile(r"\*(?:Symptom|As reported):\*")
FIGURE = re.compile(r"\*The figures?:\*\s*")
END = re.compile(r"## (?:Exercises|Further|Where to go next|The course)\b")
SAW = "What we saw"
LINES = 16
"""Of printed text that a slide holds."""


def deck(notebook: dict[str, Any]) -> list[Slide]:
    """The slides of a lesson, as its file is parsed. Raises ``ValueError`` for another notebook."""
    cells = notebook["cells"]
    slides, heading, sub = [_title(cells[0])], "", ""
    asked = ""  # the Predict that waits for its answer
    for number, cell in enumerate(cells[1:], 1):
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            slides += _of_code(cell, source, sub or heading, asked, _is_figure(cells, number))
            continue
        if END.match(source):
            if slides[-1].kind == "saw":
                break
            heading, sub, asked = source.splitlines()[0].removeprefix("## "), "", ""
            continue
        before: list[str] = []
        for part in source.split("\n\n"):
            if part.startswith("## "):
                heading, sub = part.splitlines()[0].removeprefix("## "), ""
                asked, before = "", []
            elif part.startswith("### "):
                sub, asked, before = part.splitlines()[0].removeprefix("### "), "", []
            elif heading == SAW:
                slides += (Slide("saw", cell["id"], SAW, some) for some in _halves(part))
            elif PREDICT in part or SYMPTOM.match(part):
                kind = "predict" if PREDICT in part else "case"
                slides.append(Slide(kind, cell["id"], sub or heading, part, _joined(before)))
                asked, before = part, []
            elif FIGURE.match(part):
                words = FIGURE.sub("", part)
                words = words[:1].upper() + words[1:]
                slides += _figures(cells, number, sub or heading, words)
                asked = ""
            else:
                before.append(part)
                slides[-1].notes.append(part)
                asked = "" if part.startswith("**Your diagnosis") else asked
    return slides


def _halves(points: str, words: int = 75) -> list[str]:
    """The points of a list, or the first and the second half of them where they are long."""
    items = re.split(r"\n(?=- )", points)
    if len(points.split()) <= words or len(items) == 1:
        return [points]
    half = (len(items) + 1) // 2
    return ["\n".join(items[:half]), "\n".join(items[half:])]


def _title(cell: dict[str, Any]) -> Slide:
    source = "".join(cell["source"])
    title = re.search(r"^# (.+)$", source, re.MULTILINE)
    question = next((p for p in source.split("\n\n") if p.startswith("**The question")), None)
    if title is None or question is None:
        raise ValueError("a deck is made of a lesson: its first cell has a title and the question")
    return Slide("title", cell["id"], title[1], question)


def _is_figure(cells: Sequence[dict[str, Any]], number: int) -> bool:
    """Whether a cell's output is told by the words under a figure."""
    after = cells[number + 1] if number + 1 < len(cells) else {"source": "", "cell_type": "raw"}
    return any(_pngs(cells[number])) and after["cell_type"] == "markdown"


def _of_code(
    cell: dict[str, Any], source: str, heading: str, asked: str, has_figure: bool
) -> Iterator[Slide]:
    if any(tag.startswith("broken") for tag in cell["metadata"].get("tags", [])):
        yield Slide("code", cell["id"], heading, text=_definitions(source))
    printed = "".join("".join(o["text"]) for o in cell["outputs"] if o["output_type"] == "stream")
    lines = [line.rstrip() for line in printed.splitlines() if line.strip()]
    if asked and lines and not (has_figure and len(lines) > LINES):
        text = "\n".join(lines[:LINES])
        yield Slide("printed", cell["id"], heading, before=asked, text=text)


def _definitions(source: str) -> str:
    """Of some code the functions and classes: one of them is ill, what follows only shows it."""
    found = [n for n in ast.parse(source).body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
    lines = source.splitlines()
    starts = [min([n.lineno, *(d.lineno for d in n.decorator_list)]) - 1 for n in found]
    return "\n\n".join("\n".join(lines[a : n.end_lineno]) for a, n in zip(starts, found))


def _figures(
    cells: Sequence[dict[str, Any]], number: int, heading: str, words: str
) -> Iterator[Slide]:
    """Two pictures to a slide, each slide with the words under them."""
    before = cells[number - 1]
    pictures = [
        Picture(f"{before['id']}-{place}.png", data, alt)
        for place, (data, alt) in enumerate(_pngs(before), 1)
    ]
    for first in range(0, len(pictures), 2):
        part = pictures[first : first + 2]
        yield Slide("figure", cells[number]["id"], heading, words, pictures=part)


def _pngs(cell: dict[str, Any]) -> Iterator[tuple[bytes, str]]:
    for output in cell.get("outputs", []):
        if png := output.get("data", {}).get("image/png"):
            alt = output["metadata"].get("image/png", {}).get("alt", "")
            yield base64.b64decode("".join(png)), alt


# ------------------------------------------------------------------------------ from slide to page


def page(slides: Sequence[Slide], folder: str) -> str:
    """The deck as one page. folder: of its pictures, beside the page."""
    sections = "\n".join(_section(slide, folder, name) for slide, name in zip(slides, _ids(slides)))
    template = Template((HERE / "deck.html").read_text("utf-8"))
    return template.substitute(title=html.escape(_plain(slides[0].heading)), sections=sections)


def _ids(slides: Sequence[Slide]) -> Iterator[str]:
    """The id of the cell; of its further slides the same with a number."""
    seen: Counter[str] = Counter()
    for slide in slides:
        seen[slide.cell] += 1
        yield slide.cell if seen[slide.cell] == 1 else f"{slide.cell}-{seen[slide.cell]}"


def _section(slide: Slide, folder: str, name: str) -> str:
    level = "h1" if slide.kind == "title" else "h2"
    parts = [f"<{level}>{_inline(slide.heading)}</{level}>"]
    if slide.before:
        parts.append(f'<div class="before">{_html(slide.before)}</div>')
    words = f'<div class="words">{_html(slide.words)}</div>' if slide.words else ""
    if slide.pictures:
        parts.append(_with_pictures(slide, folder, words))
    elif words:
        parts.append(words)
    if slide.text:
        size = _text_size(slide.text, HEIGHT - _high(slide.before, WIDTH))
        parts.append(f'<pre style="font-size: {size}px">{html.escape(slide.text)}</pre>')
    if slide.notes:
        parts.append(f'<aside class="notes">{_html(_joined(slide.notes))}</aside>')
    return f'<section class="{slide.kind}" id="{name}">\n' + "\n".join(parts) + "\n</section>"


def _joined(paragraphs: Sequence[str]) -> str:
    return "\n\n".join(paragraphs)


def _high(words: str, width: float) -> float:
    """About how high words are in a column of that width, in pixels; a letter is half as wide as
    it is large.
    """
    lines = -(-len(_plain(words)) * WORDS * 0.52 // width)
    return lines * WORDS * 1.35 + 20 if words else 0


def _text_size(text: str, room: float) -> int:
    """Pixels: of a fixed-width letter, which is 0.6 times as wide as large."""
    lines = text.splitlines()
    return int(min(34, WIDTH / (0.61 * max(map(len, lines))), room / (1.32 * len(lines))))


def _with_pictures(slide: Slide, folder: str, words: str) -> str:
    """Pictures one above the other, as in the lesson, over their words or beside them, whichever
    shows them larger; at most four times their size.
    """
    sizes = [picture.size for picture in slide.pictures]
    gaps = 16 * (len(sizes) - 1)
    scales = {}
    for beside in (False, True):
        width = 0.6 * WIDTH if beside else WIDTH
        height = HEIGHT - 10 if beside else HEIGHT - _high(slide.words, WIDTH)
        highest = (height - gaps) / sum(h for _, h in sizes)
        scales[beside] = min(4, width / max(w for w, _ in sizes), highest)
    beside = scales[True] > scales[False]
    images = "\n".join(
        f'<img src="{folder}/{p.name}" alt="{html.escape(p.alt)}" '
        f'width="{int(w * scales[beside])}" height="{int(h * scales[beside])}">'
        for p, (w, h) in zip(slide.pictures, sizes)
    )
    shown = f'<div class="pictures">{images}</div>{words}'
    return f'<div class="beside">{shown}</div>' if beside else shown


def _plain(source: str) -> str:
    """Markdown without its links: on a wall they lead nowhere."""
    return re.sub(r"\[((?:[^][]|\[[^]]*\])*)\]\([^)]*\)", r"\1", source)


def _html(source: str) -> str:
    """HTML of Markdown; formulas stay as they are, for MathJax."""
    try:
        from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
    except ImportError as error:
        raise ImportError(MISSING) from error
    return MarkdownWithMath(renderer=IPythonRenderer(escape=False)).render(_plain(source)).strip()


def _inline(source: str) -> str:
    return re.sub(r"</?p>", "", _html(source))


# -------------------------------------------------------------------------------------- the folder


def build(notebooks: Path, out: Path) -> list[Path]:
    """Write a deck for each lesson in a folder of notebooks; the pages, the list of decks first.

    The folder can be put on any web server or opened from a disk: it asks no other host. What is
    in it already is replaced, once the new decks are complete. Raises ``FileNotFoundError`` for a
    folder without lessons, ``RuntimeError`` without npm, ``ImportError`` without nbconvert.
    """
    lessons = sorted(notebooks.glob("[0-9]*.ipynb"))
    if not lessons:
        raise FileNotFoundError(f"no lessons in {notebooks}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        whole = Path(folder, "decks")
        _write_parts(whole / "deck")
        items = []
        for lesson in lessons:
            slides = deck(json.loads(lesson.read_text("utf-8")))
            _write(slides, whole, lesson.stem)
            items.append(f'<li><a href="{lesson.stem}.html">{_inline(slides[0].heading)}</a></li>')
        index = Template((HERE / "index.html").read_text("utf-8"))
        (whole / "index.html").write_text(index.substitute(items="\n".join(items)), "utf-8")
        if out.exists():
            shutil.rmtree(out)
        whole.rename(out)
    return [out / "index.html", *(out / f"{lesson.stem}.html" for lesson in lessons)]


def _write(slides: Sequence[Slide], out: Path, name: str) -> None:
    (out / name).mkdir()
    for slide in slides:
        for picture in slide.pictures:
            (out / name / picture.name).write_bytes(picture.data)
    (out / f"{name}.html").write_text(page(slides, name), "utf-8")


def _write_parts(folder: Path) -> None:
    """What every deck loads: reveal.js, MathJax, our style."""
    reveal = package("reveal.js")
    folder.mkdir(parents=True)
    for file in ("dist/reset.css", "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js"):
        shutil.copy(reveal / file, folder)
    shutil.copy(reveal / "LICENSE", folder / "reveal-licence.txt")
    spec = importlib.util.find_spec("sphinx-mathjax-offline")  # a package with hyphens in its name
    if spec is None:
        raise ImportError(MISSING)
    shutil.copy(Path(spec.submodule_search_locations[0], "static/mathjax/tex-svg.js"), folder)
    shutil.copy(HERE / "deck.css", folder)
