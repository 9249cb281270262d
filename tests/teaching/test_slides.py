"""Decks of slides: what becomes a slide, and all of them in Chromium, without a network."""

from __future__ import annotations

import base64
import html.parser
import json
import re
import struct
import zlib
from pathlib import Path

import pytest
from helpers import raises

from dncnn_lib.teaching import slides

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))


def markdown(source: str, name: str = "m") -> dict:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def code(*outputs: dict, source: str = "f()", tags: tuple = (), name: str = "c") -> dict:
    cell = {"cell_type": "code", "id": name, "source": source, "outputs": [*outputs]}
    return cell | {"metadata": {"tags": [*tags]}}


def printed(text: str) -> dict:
    return {"output_type": "stream", "name": "stdout", "text": [text]}


def png(width: int = 2, height: int = 1, alt: str = "A dog.") -> dict:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(height * (b"\0" + width * b"\x80")))
    data = base64.b64encode(b"\x89PNG\r\n\x1a\n" + header + rows + chunk(b"IEND", b"")).decode()
    metadata = {"image/png": {"alt": alt}}
    return {"output_type": "display_data", "data": {"image/png": data}, "metadata": metadata}


TITLE = markdown(
    "[Next](b.ipynb)\n\n# 01 · Noise\n\n**The question.** What is it?\n\n**Time:** 5", "t"
)


def deck(*cells: dict) -> list[slides.Slide]:
    return slides.deck({"cells": [TITLE, *cells]})


def kinds(found: list[slides.Slide]) -> list[str]:
    return [slide.kind for slide in found]


def test_a_deck_begins_with_title_and_question_and_ends_before_the_exercises():
    found = deck(
        markdown("## What we saw\n\n- It is *v*."),
        markdown("## Exercises\n\n**Predict.** Never shown."),
    )
    assert [(slide.kind, slide.heading, slide.words) for slide in found] == [
        ("title", "01 · Noise", "**The question.** What is it?"),
        ("saw", "What we saw", "- It is *v*."),
    ]


def test_another_notebook_has_no_deck():
    with raises(
        ValueError, "a deck is made of a lesson: its first cell has a title and the question"
    ):
        slides.deck({"cells": [markdown("# Glossary")]})


def test_a_question_stands_alone_with_what_leads_to_it_and_its_answer_repeats_it():
    found = deck(
        markdown("## 1 · One\n\nIt is read.\n\n### Two\n\nTake a ball.\n\n**Predict.** Red?", "a"),
        code(printed("red\n"), name="b"),
        markdown("So it is.", "c"),
        code(printed("still the same question\n"), name="d"),
    )
    title, question, answer, again = found
    assert (question.kind, question.heading, question.cell) == ("predict", "Two", "a")
    assert (question.before, question.words) == ("Take a ball.", "**Predict.** Red?")
    assert (answer.kind, answer.before, answer.text) == ("printed", "**Predict.** Red?", "red")
    assert answer.notes == ["So it is."] and again.text == "still the same question"
    assert title.notes == ["It is read.", "Take a ball."]


@pytest.mark.parametrize("heading", ["## 2 · Two", "### Three"])
def test_a_question_is_not_repeated_under_another_heading(heading):
    found = deck(
        markdown("## 1 · One\n\n**Predict.** Red?"),
        code(printed("red\n")),
        markdown(f"{heading}\n\nSomething else."),
        code(printed("another matter\n")),
    )
    assert [slide.text for slide in found if slide.kind == "printed"] == ["red"]


def test_what_is_printed_without_a_question_is_not_shown_nor_what_is_too_long_beside_a_figure():
    figure = markdown("*The figure:* a dog.\n\nIt sleeps.")
    assert kinds(deck(code(printed("1\n"), name="b"))) == ["title"]
    asked, long = markdown("**Predict.** Red?"), printed("1\n" * 20)
    assert kinds(deck(asked, code(long, png()), figure)) == ["title", "predict", "figure"]
    (shown,) = deck(asked, code(long))[2:]
    assert shown.text.splitlines() == ["1"] * slides.LINES


def test_a_figure_has_its_words_and_at_most_two_pictures():
    found = deck(
        markdown("## 1 · One"),
        code(png(), png(alt="A cat."), png(), name="c"),
        markdown("*The figures:* dogs, and a [cat](glossary.ipynb#cell-id=cat).\n\nMore."),
    )
    assert kinds(found) == ["title", "figure", "figure"]
    assert [[p.name for p in s.pictures] for s in found[1:]] == [
        ["c-1.png", "c-2.png"],
        ["c-3.png"],
    ]
    assert found[1].pictures[1].alt == "A cat." and found[1].pictures[0].size == (2, 1)
    assert found[1].words.startswith("Dogs, and") and found[2].notes == ["More."]
    page = slides.page(found, "01")
    assert '<img src="01/c-2.png" alt="A cat."' in page and "and a cat.</p>" in page


def test_a_case_shows_its_symptom_and_of_its_code_what_may_be_ill():
    source = "import numpy\n\n\n@wrap\ndef f(x):\n    return x\n\n\nprint(f(1))"
    found = deck(
        markdown("### Case 1: low\n\n*Symptom:* 3 dB."),
        code(printed("3 dB\n"), source=source, tags=("broken-1",)),
        markdown("**Your diagnosis:** …"),
        code(printed("f: still open.\n")),
    )
    assert kinds(found) == ["title", "case", "code", "printed"]
    assert found[2].text == "@wrap\ndef f(x):\n    return x" and found[3].text == "3 dB"


def test_a_long_list_is_halved():
    points = "\n".join(f"- {'word ' * 19}end" for _ in range(5))
    found = deck(markdown(f"## What we saw\n\n{points}"))
    assert [slide.words.count("- ") for slide in found[1:]] == [3, 2]


def test_formulas_and_code_reach_the_page_as_they_are():
    page = slides.page(deck(markdown("**Predict.** Is $a_1 < b_1$, and `x < y`?")), "01")
    assert "$a_1 &lt; b_1$" in page and "<code>x &lt; y</code>" in page


def test_pictures_are_shown_as_large_as_the_words_allow():
    def size(width: int, height: int, words: str) -> tuple[int, int]:
        found = deck(code(png(width, height)), markdown(f"*The figure:* {words}"))
        return tuple(map(int, re.findall(r'(?:width|height)="(\d+)"', slides.page(found, "01"))))

    (wide, high), (less, lower) = size(800, 400, "A dog."), size(800, 400, 60 * "many words ")
    assert less < wide <= slides.WIDTH and lower < high <= slides.HEIGHT
    assert size(100, 50, "A dog.") == (400, 200)
    assert size(200, 400, 60 * "many words ")[1] > 0.9 * slides.HEIGHT


# --------------------------------------------------------------------------------- the real lessons


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_lesson_has_its_questions_figures_and_end(path):
    notebook = json.loads(path.read_text("utf-8"))
    found = slides.deck(notebook)
    assert len(found) >= 5 and found[0].kind == "title" and found[-1].kind == "saw"
    assert {"predict", "figure"} <= {*kinds(found)}
    assert all(picture.alt for slide in found for picture in slide.pictures)
    lesson = notebook["cells"]
    end = next(i for i, c in enumerate(lesson) if "".join(c["source"]).startswith("## Exercises"))
    sources = ["".join(c["source"]) for c in lesson[:end] if c["cell_type"] == "markdown"]
    assert kinds(found).count("predict") == sum("**Predict.**" in source for source in sources)


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    pytest.importorskip("nbconvert", reason='needs the extra "lab"')
    pytest.importorskip("myst_nb", reason='needs the extra "book"')
    out = tmp_path_factory.mktemp("slides") / "decks"
    try:
        return slides.build(NOTEBOOKS, out)
    except RuntimeError as error:  # without npm
        pytest.skip(str(error).splitlines()[0])


class Asked(html.parser.HTMLParser):
    """What a page asks for, and its pictures without words."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.files: list[str] = []
        self.silent: list[str] = []
        self.ids: list[str] = []
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.files += [found[key] for key in ("src", "href") if found.get(key)]
        self.ids += [found["id"]] if "id" in found else []
        if tag == "img" and not found.get("alt"):
            self.silent.append(found["src"])


@pytest.mark.slow
def test_no_picture_is_missing_or_without_words_and_no_other_host_is_asked(decks):
    assert [page.stem for page in decks] == ["index", *(path.stem for path in LESSONS)]
    for page in decks:
        asked = Asked(page)
        assert asked.silent == [] and len(asked.ids) == len({*asked.ids})
        for file in asked.files:
            assert file.startswith("data:,") or (page.parent / file).is_file(), f"{page}: {file}"


def test_a_folder_without_lessons_leaves_the_old_decks(tmp_path):
    (tmp_path / "decks").mkdir()
    with raises(FileNotFoundError, f"no lessons in {tmp_path}"):
        slides.build(tmp_path, tmp_path / "decks")
    assert [path.name for path in tmp_path.iterdir()] == ["decks"]


CUT_OFF = """async () => {
  await window.deckIsReady;
  const found = [];
  for (let number = 0; number < Reveal.getTotalSlides(); number++) {
    Reveal.slide(number);
    const slide = Reveal.getCurrentSlide();
    for (const part of slide.querySelectorAll(":not(aside, aside *)")) {
      const {right, bottom} = part.getBoundingClientRect();
      if (right > 1270 || bottom > 716) found.push(`${slide.id} ${part.tagName}`);
    }
    for (const image of slide.querySelectorAll("img"))
      if (!(image.complete && image.naturalWidth)) found.push(image.src);
  }
  return found;
}"""


@pytest.mark.slow
def test_every_slide_fits_a_projector_without_errors_and_without_a_network(decks, chromium):
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    page, failures = context.new_page(), []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("requestfailed", lambda request: failures.append(request.url))
    page.on(
        "request",
        lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else failures.append(r.url),
    )
    for deck in decks[1:]:
        page.goto(deck.as_uri())
        page.wait_for_load_state("load")
        assert page.evaluate(CUT_OFF) == [], deck.name
        assert page.locator("mjx-merror").count() == 0
    assert failures == []
    context.close()


@pytest.mark.slow
def test_formulas_are_drawn_and_no_serious_rule_of_accessibility_is_broken(decks, chromium, axe):
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    page = context.new_page()
    page.goto(decks[1].as_uri())  # 00: its second question has a formula
    page.evaluate("window.deckIsReady.then(() => Reveal.slide(2))")
    assert page.locator("section.present mjx-container svg").count() >= 1
    page.add_script_tag(content=axe)
    for number in range(4):
        page.evaluate(f"Reveal.slide({number})")
        found = page.evaluate("axe.run({preload: false}).then((result) => result.violations)")
        assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
    context.close()
