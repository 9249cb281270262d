"""The editions of the course as files: what a class installs has no answers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import raises

from dncnn_lib.making import course, editions

ROOT = Path(__file__).parents[2]
SOURCES = course.sources(ROOT)

FRESH = """
import importlib, importlib.util, pkgutil
import dncnn_lib
from dncnn_lib import lessons

assert dncnn_lib.__file__.startswith({folder!r}), dncnn_lib.__file__
assert importlib.util.find_spec("dncnn_lib.keys") is None
for found in pkgutil.iter_modules(lessons.__path__):
    importlib.import_module(f"dncnn_lib.lessons.{{found.name}}")
from dncnn_lib.lessons import noise as checks
checks.my_psnr(lambda restored, clean: 0)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("class") / "student"
    course.write_class(ROOT, folder)
    return folder


def texts(folder: Path) -> dict[Path, str]:
    """What can be read in each file, without indentation."""
    found = {}
    for path in folder.rglob("*"):
        if path.suffix == ".ipynb":
            said = "\n".join(map(editions.text, editions.read(path)["cells"]))
        elif path.is_file():
            said = path.read_text("utf-8", errors="replace")
        else:
            continue
        found[path] = "\n".join(line.strip() for line in said.splitlines())
    return found


def test_the_copy_of_a_class_works_and_has_no_keys(copy, tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", FRESH.format(folder=str(copy))],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(copy)},
    )
    said = "This copy has no keys: the exercise is checked when it is handed in.\n"
    assert (run.stdout, run.stderr, run.returncode) == (said, "", 0)


def test_no_file_of_the_copy_has_a_solution_or_an_answer(copy):
    withheld = [body for source in SOURCES.values() for body in editions.solutions(source)]
    for source in SOURCES.values():
        cells = [c for c in source["cells"] if editions.role(c) == "explanation"]
        parts = "\n\n".join(editions.text(c) for c in cells).split("\n\n")
        withheld += [part for part in parts if len(part) > 60]
    assert len(withheld) > 100
    found = texts(copy)
    assert len(found) > 100
    assert not [(path, body) for path, said in found.items() for body in withheld if body in said]


def test_the_copy_has_what_a_class_needs_and_links_to_nothing_else(copy):
    top = {path.name for path in copy.iterdir()}
    assert top == {*course.CLASS_FILES, *course.CLASS_FOLDERS, "README.md"}
    notebooks = copy / "notebooks"
    assert {p.stem for p in notebooks.glob("[0-9]*.ipynb")} == set(SOURCES)
    assert len(list((copy / "data" / "weights").glob("*.safetensors"))) > 5
    for path in notebooks.glob("*.ipynb"):
        said = "\n".join(map(editions.text, editions.read(path)["cells"]))
        for link in re.findall(r"\]\(((?!https?:)[\w./-]+\.ipynb)", said):
            assert (notebooks / link).exists(), f"{path.name} links to {link}"


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_the_copys_makefile_offers_only_what_works_there(copy):
    def made(*arguments: str) -> str:
        command = ["make", "-n", "-C", str(copy), f"VENV={copy}", *arguments]
        english = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(command, capture_output=True, text=True, env=english)
        return done.stdout + done.stderr

    def offered(folder: Path) -> set[str]:
        command = ["make", "-s", "-C", str(folder), "help"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return set(re.findall(r"^make (\w+)  ", said, re.MULTILINE))

    authors = {"editions", "benchmark", "tables", "sections", "execute", "lint"}
    assert offered(ROOT) - offered(copy) == authors
    assert offered(copy) == {
        "lab", "explore", "web", "book", "slides", "train", "info", "test", "clean"
    }  # fmt: skip
    for target in authors | {"unit"}:
        assert f"No rule to make target '{target}'" in made(target)
    assert "--nbval" in made("test") and "unit tests" not in made("test")


def test_the_copys_readme_shows_the_library_as_lesson_00_promises(copy):
    lesson = editions.read(ROOT / "notebooks" / "00_start_here.ipynb")
    assert "`README.md` shows it in ten lines" in "\n".join(map(editions.text, lesson["cells"]))
    example = (copy / "README.md").read_text("utf-8").split("```")[1]
    assert example.startswith("python\nimport dncnn_lib as dn") and "dn.train(" in example


def test_the_copys_readme_has_the_commands_of_the_projects(copy):
    commands = [line.strip() for line in course.CLASS_README.splitlines() if line[:4] == "    "]
    ours = (ROOT / "README.md").read_text("utf-8").replace("lab,matlab,book,test", "lab")
    assert len(commands) == 5 and all(command in ours for command in commands)


def test_instructors_have_solutions_in_place_and_links_that_lead_somewhere(tmp_path):
    course.write_instructor(ROOT, tmp_path / "made")
    for name, source in SOURCES.items():
        cells = editions.read(tmp_path / "made" / f"{name}.ipynb")["cells"]
        said = "\n".join(map(editions.text, cells))
        assert "raise NotImplementedError" not in said.split("## Exercises")[-1]
        for body in editions.solutions(source):
            assert body in "\n".join(line.strip() for line in said.splitlines())
        for link in re.findall(r"\]\(((?!https?:)[\w./-]+\.ipynb)", said):
            assert (tmp_path / "made" / link).exists(), f"{name} links to {link}"


def test_solutions_are_handed_out_without_marks(tmp_path):
    course.write_solutions(ROOT, tmp_path / "made")
    found = texts(tmp_path / "made")
    assert len(found) == len(SOURCES)
    assert not [path for path, said in found.items() if "SOLUTION" in said]


def test_a_course_for_nbgrader_has_every_lesson_and_a_secret_of_its_own(tmp_path):
    for name in ("one", "two"):
        course.write_nbgrader(ROOT, tmp_path / name)
    one = tmp_path / "one"
    assert {path.parent.name for path in one.glob("source/*/*.ipynb")} == set(SOURCES)
    assert (one / "secret").read_text() != (tmp_path / "two" / "secret").read_text()
    compile((one / "nbgrader_config.py").read_text("utf-8"), "config", "exec")
    assert json.loads((one / "source/01_noise/01_noise.ipynb").read_text("utf-8"))["nbformat"] == 4


def test_an_edition_replaces_another_and_nothing_else(tmp_path):
    course.write_solutions(ROOT, tmp_path / "made")
    (tmp_path / "made" / "old.ipynb").write_text("{}")
    course.write_solutions(ROOT, tmp_path / "made")
    assert not (tmp_path / "made" / "old.ipynb").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for write in (course.write_class, course.write_solutions, course.write_instructor):
        said = f"{tmp_path / 'mine'} is there, and is no edition of the course"
        with raises(FileExistsError, said):
            write(ROOT, tmp_path / "mine")


def test_a_copy_without_sources_makes_no_editions(tmp_path):
    said = f"no notebooks/solutions in {tmp_path}: it takes the whole project"
    with raises(FileNotFoundError, said):
        course.write(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
