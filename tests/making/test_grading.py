"""A course by nbgrader, from the folder that ``course`` writes to what students read."""

from __future__ import annotations

import contextlib
import html
import importlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import pytest

from dncnn_lib.lessons.check import describe, graded
from dncnn_lib.making import course, editions

pytestmark = [
    pytest.mark.skipif(not importlib.util.find_spec("nbgrader"), reason="needs the extra grading"),
    pytest.mark.slow,
]
ROOT = Path(__file__).parents[2]
NOISE, RESIDUAL = LESSONS = ("01_noise", "05_residual_or_direct")
ALL = {"sigma_for_psnr": 10, "my_psnr": 10, "shots_needed": 10, "question-4": 0}
SECRET = "of this test"

KEY = """
def key(arguments):
    return repr([getattr(a, "tolist", lambda a=a: a)() for a in arguments])
"""

HOSTILE = {
    "mallory": {
        "sigma_for_psnr": "def sigma_for_psnr(decibels:\n    return 1",  # a syntax error
        "my_psnr": """
import dncnn_lib.lessons.check, dncnn_lib.keys.noise
dncnn_lib.lessons.check._wrong = lambda *_: ""
dncnn_lib.lessons.check.graded = lambda *_, points, **__: points
dncnn_lib.keys.noise.my_psnr = lambda function, *, seed=0: print("right")

def my_psnr(restored, clean):
    return 0""",
        "shots_needed": "import sys\n\ndef shots_needed(sigma, decibels):\n    sys.exit(0)",
    },
    "oscar": {
        "sigma_for_psnr": """
class checks:
    sigma_for_psnr = print

graded = lambda *_, **__: 10.0
SEED = 0

def sigma_for_psnr(decibels):
    return 1""",
        "my_psnr": """
import sys

def my_psnr(restored, clean):
    print(10.0)
    print("a warning", file=sys.stderr)
    sys.displayhook(10.0)
    return 10.0""",
        "shots_needed": """
import time

calls = []

def shots_needed(sigma, decibels):
    calls.append(sigma)
    while len(calls) > 10:
        time.sleep(1)""",  # when it is marked; the check above has been satisfied with a few
    },
    "trudy": {
        "sigma_for_psnr": """
get_ipython().ast_node_interactivity = "none"

def sigma_for_psnr(decibels):
    return 1"""
    },
    "victor": {"my_psnr": "import os\n\ndef my_psnr(restored, clean):\n    os._exit(0)"},
}


def nbgrader(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "DNCNN_SECRET": SECRET, "PYTHONPATH": str(ROOT)}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "nbgrader", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def done(folder: Path, *arguments: str) -> None:
    ran = nbgrader(folder, *arguments)
    assert not ran.returncode, ran.stderr[-3000:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A course of two lessons, handed out."""
    folder = tmp_path_factory.mktemp("course")
    course.write_nbgrader(ROOT, folder)
    for other in (folder / "source").iterdir():
        if other.name not in LESSONS:
            shutil.rmtree(other)
    for lesson in LESSONS:
        done(folder, "generate_assignment", lesson)
    return folder


def source(lesson: str) -> dict:
    return editions.read(ROOT / "notebooks" / "solutions" / f"{lesson}.ipynb")


def solution(lesson: str) -> dict[str, str]:
    """The solution to each exercise, by the name of the function."""
    cells = source(lesson)["cells"]
    code = [editions.plain(editions.text(c)) for c in cells if editions.role(c) == "solution"]
    return {re.findall(r"^def (\w+)", text, re.MULTILINE)[-1]: text for text in code}


def hand_in(folder: Path, student: str, lesson: str, answers: dict[str, str]) -> None:
    notebook = editions.read(folder / "release" / lesson / f"{lesson}.ipynb")
    for cell in notebook["cells"]:
        for name, code in answers.items():
            if f"def {name}(" in editions.text(cell):
                cell["source"] = code
    editions.write(folder / "submitted" / student / lesson / f"{lesson}.ipynb", notebook)


def exercises(lesson: str) -> tuple[object, list[str]]:
    (keys,) = editions.KEYS.findall("\n".join(map(editions.text, source(lesson)["cells"])))
    return importlib.import_module(f"dncnn_lib.keys.{keys}"), list(solution(lesson))


def names(lesson: str) -> dict:
    """What the solutions define."""
    found: dict = {}
    exec(editions.COMMON, found)
    for code in solution(lesson).values():
        exec(code, found)
    return found


def table(lesson: str) -> dict[str, str]:
    """Answers that know the cases of the lesson, and nothing else."""
    answers, right = {}, names(lesson)
    exec(KEY, right)
    keys, functions = exercises(lesson)
    for name in functions:
        known: dict = {}

        def noted(*arguments, name=name, known=known):
            result = right[name](*arguments)
            known[right["key"](arguments)] = json.loads(json.dumps(result, default=float))
            return result

        if name != "with_skip":
            with contextlib.redirect_stdout(io.StringIO()):
                assert graded(getattr(keys, name), noted, seed=0) == 1
            looked_up = f"{json.dumps(known)}.get(key(arguments))"
            answers[name] = f"{KEY}\ndef {name}(*arguments):\n    return {looked_up}\n"
    return answers


def scores(folder: Path, student: str, lesson: str) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nbgrader.api import Gradebook

        with Gradebook(f"sqlite:///{folder / 'gradebook.db'}", "dncnn") as gradebook:
            found = gradebook.find_submission_notebook(lesson, lesson, student)
            return {grade.name: grade.score for grade in found.grades}


NEAR = {
    NOISE: {
        "sigma_for_psnr": "def sigma_for_psnr(decibels):\n    return 255 / 10 ** (decibels / 10)",
        "shots_needed": """
def shots_needed(sigma, decibels):
    return max(1, int((sigma * 10 ** (decibels / 20) / 255) ** 2))""",
    },
    RESIDUAL: {
        "equivalent_sigma": "def equivalent_sigma(sigma, contrast):\n    return sigma // contrast"
    },
}


@pytest.fixture(scope="module")
def marked(folder) -> Path:
    """The course, with submissions of all kinds graded and feedback written."""
    for lesson in LESSONS:
        hand_in(folder, "alice", lesson, solution(lesson))
        hand_in(folder, "bob", lesson, {})
        hand_in(folder, "carol", lesson, table(lesson))
        hand_in(folder, "dave", lesson, NEAR[lesson])
    for student, answers in HOSTILE.items():
        hand_in(folder, student, NOISE, solution(NOISE) | answers)
    for lesson in LESSONS:
        nbgrader(folder, "autograde", lesson, "--Execute.timeout=40")  # fails for victor's
        done(folder, "generate_feedback", lesson)
    return folder


def feedback(folder: Path, student: str, lesson: str) -> str:
    """What a student reads, without the markup."""
    page = (folder / "feedback" / student / lesson / f"{lesson}.html").read_text("utf-8")
    return html.unescape(re.sub(r"<[^>]*>", "", page))


def test_a_download_from_moodle_is_collected(folder):
    archive = folder / "downloaded" / NOISE / "archive" / "download.zip"
    archive.parent.mkdir(parents=True)
    notebook = (folder / "release" / NOISE / f"{NOISE}.ipynb").read_text("utf-8")
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(f"Erin O'Neil_4711_assignsubmission_file/{NOISE}.ipynb", notebook)
        made.writestr(f"José de la Cruz_4712_assignsubmission_file_/{NOISE} (1).ipynb", notebook)
    done(folder, "zip_collect", NOISE)
    for student in ("Erin O'Neil", "José de la Cruz"):
        assert (folder / "submitted" / student / NOISE / f"{NOISE}.ipynb").exists()
        shutil.rmtree(folder / "submitted" / student)


def test_feedback_names_no_folder_of_this_machine():
    from nbformat import v4

    from dncnn_lib.making import grading

    said = f"{ROOT / 'dncnn_lib' / 'metrics.py'}:3: UserWarning: no"
    error = v4.new_output("error", ename="E", evalue=f"({ROOT / 'a.py'})", traceback=[])
    cell = v4.new_code_cell("f()", outputs=[v4.new_output("stream", text=said), error])
    (cell,) = grading.Scores().preprocess(v4.new_notebook(cells=[cell]), {})[0].cells
    warned, failed = cell.outputs
    assert warned.text == f"{Path('dncnn_lib', 'metrics.py')}:3: UserWarning: no"
    assert failed.traceback == ["E: (a.py)"]


def test_what_is_handed_out_has_no_answers(folder):
    for lesson in LESSONS:
        text = "".join(map(editions.text, editions.read(
            folder / "release" / lesson / f"{lesson}.ipynb")["cells"]))  # fmt: skip
        assert "SOLUTION" not in text and "HIDDEN" not in text and "keys" not in text
        assert "raise NotImplementedError" in text
        assert not [body for body in editions.solutions(source(lesson)) if body in text]
    assert not list((folder / "release").rglob("secret"))


def test_a_solution_has_all_points_and_what_is_open_none(marked):
    assert scores(marked, "alice", NOISE) == ALL
    assert set(scores(marked, "bob", NOISE).values()) == {0}
    assert sum(scores(marked, "alice", RESIDUAL).values()) == 30
    assert set(scores(marked, "bob", RESIDUAL).values()) == {0}


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_table_of_the_public_cases_has_less_than_half(marked, lesson):
    assert max(scores(marked, "carol", lesson).values()) < 5


def test_a_near_miss_has_some_points(marked):
    near = scores(marked, "dave", NOISE)
    assert 0 < near["sigma_for_psnr"] < 5 and 2 < near["shots_needed"] < 10
    assert 0 < scores(marked, "dave", RESIDUAL)["equivalent_sigma"] < 10


def test_feedback_tells_what_was_overlooked_and_nothing_that_is_right(marked):
    said = feedback(marked, "dave", NOISE)
    assert "is it 10 or 20 times the logarithm?" in said
    cases = {float(db) for db in re.findall(r"sigma_for_psnr\(([\d.]+)\) gave", said)} - {0.0}
    assert len(cases) >= 2  # the lesson's first one, and his own
    for decibels in cases:
        assert describe(255 / 10 ** (decibels / 20)) not in said
    assert "SEED" in said and not re.search(r"seed=\d", said) and SECRET not in said
    assert not [body for body in editions.solutions(source(NOISE)) if body in said]
    assert "keys/noise.py" not in said and "lambda db" not in said


def test_every_student_has_cases_of_their_own(marked):
    carol, dave = (
        set(re.findall(r"sigma_for_psnr\([\d.]+\) gave", feedback(marked, student, NOISE)))
        for student in ("carol", "dave")
    )
    assert len(carol) > 1 and len(dave) > 1
    assert carol - dave and dave - carol


@pytest.mark.parametrize("student", ["mallory", "oscar", "trudy"])
def test_no_trick_brings_points(marked, student):
    found = scores(marked, student, NOISE)
    assert {found[name] for name in HOSTILE[student]} == {0}


def test_a_submission_that_ends_its_kernel_is_not_graded(marked):
    assert not sum(scores(marked, "victor", NOISE).values())


def test_to_write_the_course_again_keeps_secret_and_grades(marked):
    kept = {name: (marked / name).read_bytes() for name in ("secret", "gradebook.db")}
    course.write_nbgrader(ROOT, marked)
    assert {name: (marked / name).read_bytes() for name in kept} == kept
