"""The book as Sphinx makes it: whole, and as a reader without a network meets it in Chromium."""

from __future__ import annotations

import html.parser
import re
import urllib.parse
from pathlib import Path

import pytest
from helpers import raises

from dncnn_lib.book import building
from dncnn_lib.making import course

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
WIDTHS = {"projector": (1280, 720), "phone": (390, 844)}

FOLDERS = {"_images", "_sources", "_static"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The book of the project's notebooks; Sphinx made it without a warning."""
    pytest.importorskip("myst_nb", reason='needs the extra "book"')
    out = tmp_path_factory.mktemp("book") / "site"
    building.build(NOTEBOOKS, out)
    return out


class Links(html.parser.HTMLParser):
    """What a page asks for and what can be linked to in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.names: set[str] = set()
        self.images_without_words: list[str] = []
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.names |= {found[key] for key in ("id", "name") if found.get(key)}
        self.targets += [found[key] for key in ("href", "src") if found.get(key)]
        if tag == "img" and not found.get("alt"):
            self.images_without_words.append(found.get("src"))


@pytest.fixture(scope="module")
def pages(site):
    return {page: Links(page) for page in site.rglob("*.html") if "_static" not in page.parts}


def test_every_notebook_has_its_page(site):
    for notebook in [*NOTEBOOKS.glob("*.ipynb"), *NOTEBOOKS.glob("solutions/*.ipynb")]:
        assert (site / notebook.relative_to(NOTEBOOKS)).with_suffix(".html").exists()


def test_instructors_find_their_pages_and_nobody_the_answers_of_the_examination(site):
    written = [*NOTEBOOKS.glob("instructors/*.md")]
    for text in written:
        page = f"instructors/{text.stem}.html"
        assert (site / page).exists() and page in (site / "index.html").read_text("utf-8")
    assert [*site.rglob("exam.*")] == []
    bank = NOTEBOOKS / "instructors" / "exam.yaml"
    if bank.exists():
        exam, _ = bank.read_text("utf-8").split("- votes, two")
        asked = re.findall(r"^  text: (.+)$", exam, re.MULTILINE)
        pages = "\n".join(page.read_text("utf-8") for page in site.rglob("*.html"))
        assert len(asked) > 50 and not [text for text in asked if text in pages]


def test_the_copy_of_a_class_has_a_book_without_solutions(tmp_path):
    pytest.importorskip("myst_nb", reason='needs the extra "book"')
    course.write_class(NOTEBOOKS.parent, tmp_path / "student")
    building.build(tmp_path / "student" / "notebooks", tmp_path / "book")
    index = (tmp_path / "book" / "index.html").read_text("utf-8")
    assert "01_noise.html" in index and "solutions/" not in index and "instructors/" not in index
    assert {page.name for page in (tmp_path / "book").iterdir() if page.is_dir()} == FOLDERS


def test_no_link_is_dead(site, pages):
    for page, links in pages.items():
        for target in links.targets:
            address = urllib.parse.urlsplit(target)
            if address.scheme or target.startswith("//"):
                continue
            there = (page.parent / urllib.parse.unquote(address.path)).resolve()
            there = there if address.path else page
            assert there.exists(), f"{page.name} → {target}"
            if address.fragment and there in pages:
                assert urllib.parse.unquote(address.fragment) in pages[there].names, target


def test_nothing_is_taken_from_another_host(site):
    asks = re.compile(r"""<(?:script|link|img|iframe)[^>]+(?:src|href)=["'](?:https?:)?//""")
    for page in site.rglob("*.html"):
        assert not asks.search(page.read_text("utf-8")), page.name


def test_every_figure_has_words(pages):
    for page, links in pages.items():
        assert links.images_without_words == [], page.name


def test_no_path_of_the_machine_is_in_the_site(site):
    for file in site.rglob("*"):
        if file.suffix in {".html", ".js", ".css", ".txt"}:
            assert str(NOTEBOOKS.parent) not in file.read_text("utf-8"), file.name


def test_a_book_that_fails_leaves_the_old_one(site, tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "index.html").write_text("old")
    with raises(FileNotFoundError, f"no notebooks in {tmp_path}"):
        building.build(tmp_path, tmp_path / "book")
    assert [path.name for path in tmp_path.iterdir()] == ["book"]
    assert (tmp_path / "book" / "index.html").read_text() == "old"


# ------------------------------------------------------------------------------------- in Chromium


@pytest.fixture(params=WIDTHS)
def page(request, chromium):
    """A page without a network, in which nothing may fail."""
    width, height = WIDTHS[request.param]
    context = chromium.new_context(viewport={"width": width, "height": height}, offline=True)
    opened = context.new_page()
    opened.set_default_timeout(30_000)
    failures = []
    opened.on("pageerror", lambda error: failures.append(str(error)))
    opened.on("requestfailed", lambda request: failures.append(request.url))
    yield opened
    assert failures == []
    context.close()


@pytest.mark.parametrize(
    "name", ["index", "01_noise", "glossary", "solutions/01_noise", "instructors/guide"]
)
def test_a_page_fits_its_window_and_breaks_no_serious_rule_of_accessibility(site, page, axe, name):
    page.goto((site / f"{name}.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.add_script_tag(content=axe)
    found = page.evaluate("axe.run({preload: false}).then((result) => result.violations)")
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []


def test_formulas_are_drawn(site, page):
    page.goto((site / "01_noise.html").as_uri())
    page.wait_for_selector("mjx-container svg")


def test_the_receptive_field_follows_its_slider(site, page):
    page.goto((site / "03_building_dncnn.html").as_uri())
    field, depth = page.locator(".receptive-field"), page.locator(".receptive-field input")
    assert "35 × 35" in field.inner_text()
    before = field.locator("canvas").screenshot()
    depth.focus()
    page.keyboard.press("ArrowRight")
    assert "37 × 37" in field.inner_text()
    assert field.locator("canvas").screenshot() != before


def test_the_search_finds_a_word_of_a_lesson(site, page):
    page.goto((site / "search.html").as_uri() + "?q=Poisson")
    page.locator("ul.search a", has_text="01 · Noise").first.wait_for()


def test_the_explorer_starts_in_the_page_and_answers(site, page):
    page.goto((site / "00_start_here.html").as_uri())
    if not (site / "_static" / "explorer").exists():
        pytest.skip("the book was made without npm")
    page.locator(".live button").click()
    explorer = page.frame_locator(".live iframe")
    message = explorer.locator(".dncnn-message.dncnn-error")
    explorer.locator(".dncnn-picture[data-number]").or_(message).first.wait_for(timeout=120_000)
    assert message.all_inner_texts() == []
    level = explorer.get_by_role("slider", name="σ").first
    before = explorer.locator(".dncnn-picture").first.get_attribute("data-number")
    level.press("ArrowRight")
    explorer.locator(f".dncnn-picture:not([data-number='{before}'])").first.wait_for()
