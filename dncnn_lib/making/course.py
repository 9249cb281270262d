"""The editions of the course as files: what a class installs, what instructors have, what nbgrader
grades. What is in them is made by ``editions``."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from .. import _files
from . import editions

WITHHELD = ("keys", "solutions", "instructors")
"""Folders that students of a class do not get. (``tests`` is not among what they get.)"""

CLASS_FILES = ("pyproject.toml", "constraints.txt", "environment.yml", "Makefile", "LICENSE")
CLASS_FOLDERS = ("dncnn_lib", "notebooks", "data")
LEFT_BEHIND = shutil.ignore_patterns(
    *WITHHELD, "__pycache__", ".ipynb_checkpoints", "node_modules", "*.egg-info"
)

CLASS_README = """\
# Learn how deep networks remove noise from images

The copy for a class. Open a terminal in this folder. On Linux or macOS, with Python 3.11 or newer
and `make`, this installs the course into `.venv` and opens the first lesson:

    make lab

On Windows:

    py -3.11 -m venv .venv
    .venv\\Scripts\\pip install --no-deps torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
    .venv\\Scripts\\pip install -c constraints.txt -e ".[lab]"
    .venv\\Scripts\\jupyter lab notebooks\\00_start_here.ipynb

With conda: `conda env create -f environment.yml`, `conda activate dncnn`, then
`jupyter lab notebooks/00_start_here.ipynb`.

Only the installation needs the network. `make test FAST=1` runs the first lesson as a test, and
`make` alone lists what else there is.

This copy has no solutions. A check below an exercise says whether the exercise is still open; it is
marked when you hand it in, as your instructor tells you. A notebook that you get to hand in goes
into the folder `notebooks`, where JupyterLab finds it. Keep its name.

"""

CONFIG = '''\
"""nbgrader's configuration of this course. Run nbgrader in this folder."""

import os
from pathlib import Path

from dncnn_lib.making import grading

here = Path(__file__).parent
c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "dncnn"
c.CourseDirectory.root = str(here)
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.Execute.timeout = 60  # seconds for each cell of a submission
c.Autograde.autograde_preprocessors = grading.PREPROCESSORS
# zip_collect: who handed in what, by the folders of a download from Moodle, whose number is another
# one for each assignment: NAME_NUMBER_assignsubmission_file. The browser's "01_noise (1).ipynb" is
# 01_noise, too. Another platform needs another expression.
c.FileNameCollectorPlugin.named_regexp = (
    r".*/(?P<student_id>[^/]+)_[0-9]+_assignsubmission_file_?/(?P<file_id>\\w+)[^/]*$"
)
# What the cases of each submission are drawn by. Keep it to yourself, and make another every year.
c.Seeds.secret = os.environ.get("DNCNN_SECRET") or (here / "secret").read_text().strip()
'''


def write(project: Path, out: Path) -> None:
    """Write all editions of a project into ``out``: ``student``, ``solutions``, ``instructor`` and
    ``nbgrader``. See each for what becomes of one that is there."""
    write_class(project, out / "student")
    write_solutions(project, out / "solutions")
    write_instructor(project, out / "instructor")
    write_nbgrader(project, out / "nbgrader")


def sources(project: Path) -> dict[str, editions.Notebook]:
    """The sources of the exercises, by lesson. Raises ``FileNotFoundError`` in a copy without."""
    paths = sorted((project / "notebooks" / "solutions").glob("*.ipynb"))
    if not paths:
        raise FileNotFoundError(f"no notebooks/solutions in {project}: it takes the whole project")
    return {path.stem: editions.read(path) for path in paths}


def write_class(project: Path, out: Path) -> None:
    """Write the copy of the project that a class installs, without keys and solutions. One that is
    there is replaced."""
    lessons = sources(project)
    _make_way(out)
    out.mkdir(parents=True)
    for name in CLASS_FILES:
        shutil.copy(project / name, out)
    for name in CLASS_FOLDERS:
        shutil.copytree(project / name, out / name, ignore=LEFT_BEHIND)
    (out / "README.md").write_text(CLASS_README + ten_lines(project), "utf-8")
    for path in (out / "notebooks").glob("*.ipynb"):
        notebook = editions.without_solutions(editions.read(path))
        if path.stem in lessons:
            notebook = editions.splice(notebook, editions.student(lessons[path.stem]))
        editions.write(path, notebook)


def ten_lines(project: Path) -> str:
    """Of the project's README the section with the library's example, to which lesson 00 refers."""
    said = (project / "README.md").read_text("utf-8")
    begin = said.index("## The library in ten lines")
    return said[begin : said.index("```\n", said.index("```python", begin)) + 4]


def write_solutions(project: Path, out: Path) -> None:
    """Write the solutions to be handed out afterwards, without nbgrader's marks. Ones that are
    there are replaced."""
    made = sources(project)
    _make_way(out)
    for name, source in made.items():
        for cell in source["cells"]:
            cell["source"] = editions.plain(editions.text(cell)).splitlines(keepends=True)
        editions.write(out / f"{name}.ipynb", source)


def write_instructor(project: Path, out: Path) -> None:
    """Write the lessons with solutions and explanations in their place, beside the other notebooks,
    to which they have links. Ones that are there are replaced."""
    made = sources(project)
    _make_way(out)
    shutil.copytree(project / "notebooks", out, ignore=LEFT_BEHIND)
    for name, source in made.items():
        path = out / f"{name}.ipynb"
        lesson = editions.without_solutions(editions.read(path))
        editions.write(path, editions.instructor(lesson, source))


def write_nbgrader(project: Path, out: Path) -> None:
    """Write a course folder for nbgrader: an assignment for each lesson, the configuration and a
    secret. In one that is there the assignments are replaced, and all else stays."""
    for name, source in sources(project).items():
        editions.write(out / "source" / name / f"{name}.ipynb", editions.assignment(source))
    for path, content in (
        (out / "nbgrader_config.py", CONFIG),
        (out / "secret", secrets.token_hex(16) + "\n"),
    ):
        if not path.exists():
            _files.write_bytes(path, content.encode())


def _make_way(out: Path) -> None:
    """Remove an edition that is there, and nothing that is something else."""
    if out.exists() and any(out.iterdir()):
        if not (out / "00_start_here.ipynb").exists() and not (out / "notebooks").is_dir():
            raise FileExistsError(f"{out} is there, and is no edition of the course")
        shutil.rmtree(out)
