"""Every exercise, with right and wrong answers to it from ``answers/``, a module for each lesson:
``RIGHT``, a list of functions by exercise, and ``WRONG``, what is said of a function, and that."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

import numpy as np
import pytest
import torch

import dncnn_lib as dn
from dncnn_lib import keys
from dncnn_lib.lessons import check
from dncnn_lib.lessons.check import NotYet

MODULES = [
    importlib.import_module(f"{keys.__name__}.{found.name}")
    for found in pkgutil.iter_modules(keys.__path__)
]
DECORATED = check.exercise(print).__code__  # all that ``@exercise`` has made share it
EXERCISES = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in MODULES
    for name, value in vars(module).items()
    if inspect.isfunction(value) and value.__code__ is DECORATED
}
SEEDS = (0, 1, 2)

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]


def answers(kind: str, name: str) -> list:
    lesson, _, exercise = name.partition(".")
    return getattr(importlib.import_module(f"lessons.answers.{lesson}"), kind)[exercise]


def numbered(kind: str) -> list:
    return [
        pytest.param(name, answer, id=f"{name}-{number}")
        for name in EXERCISES
        for number, answer in enumerate(answers(kind, name))
    ]


class Pale(torch.nn.Module):
    """Not a denoiser, but quick; what it gives needs no clipping."""

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return 0.3 * noisy + 0.3


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch):
    """Lesson 00 restores sample images with a pretrained network."""
    monkeypatch.setattr(keys.start, "sample_image", lambda name: dn.sample_image(name)[60:100, :50])
    monkeypatch.setattr(keys.start, "load_pretrained", {"dncnn-b": Pale()}.__getitem__)


def refused(name: str, answer, seed: int = 0) -> str:
    """What is said of a wrong answer."""
    with pytest.raises(NotYet, match="^not yet: ") as error:
        EXERCISES[name](answer, seed=seed)
    return str(error.value)


def test_every_lesson_has_its_exercises():
    counts = dict.fromkeys((name.partition(".")[0] for name in EXERCISES), 0)
    for name in EXERCISES:
        counts[name.partition(".")[0]] += 1
    assert counts == {
        "after": 3, "before": 3, "blind": 3, "building": 3, "clinic": 19, "inside": 3, "noise": 3,
        "normalisation": 3, "photographs": 3, "prior": 3, "residual": 3, "start": 2, "tasks": 3,
        "training": 3,
    }  # fmt: skip


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_has_answers_and_takes_a_seed(name):
    assert len(set(answers("RIGHT", name))) >= 3
    assert len({answer for _, answer in answers("WRONG", name)}) >= 6
    assert EXERCISES[name].__doc__
    seed = inspect.signature(EXERCISES[name]).parameters["seed"]
    assert (seed.kind, seed.default) == (seed.KEYWORD_ONLY, 0)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("name", "answer"), numbered("RIGHT"))
def test_right_answers_are_accepted(name, answer, seed, capsys):
    EXERCISES[name](answer, seed=seed)
    lines = capsys.readouterr().out.splitlines()
    assert lines and all(re.match(r"right: .+ gave .", line) for line in lines)
    assert not [line for line in lines if "0x" in line]  # an address, which changes


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("name", "answer"), numbered("WRONG"))
def test_wrong_answers_are_refused_and_told_what_was_overlooked(name, answer, seed):
    words, wrong = answer
    assert words in refused(name, wrong, seed)


@pytest.mark.parametrize("name", EXERCISES)
def test_every_sentence_is_told_to_some_wrong_answer(name, monkeypatch):
    sentences = []

    def noted(*case, hint="", **options):
        sentences.extend([*(case[3] if len(case) > 3 else ()), *[hint] * bool(hint)])
        check.check(*case, hint=hint, **options)

    module = importlib.import_module(f"{keys.__name__}.{name.partition('.')[0]}")
    with monkeypatch.context() as patched:
        patched.setattr(module, "check", noted)
        EXERCISES[name](answers("RIGHT", name)[0])
    told = [refused(name, wrong, s) for s in SEEDS for _, wrong in answers("WRONG", name)]
    never = {s for s in sentences if not any(each.endswith(f": {s}") for each in told)}
    assert sentences and not never


def table_of(name, seed):
    """A function that knows what is right in the cases of that seed, and nothing else."""
    right, table = answers("RIGHT", name)[0], {}

    def key(arguments) -> str:
        return repr([getattr(a, "tolist", lambda a=a: a)() for a in arguments if not callable(a)])

    def noted(*arguments):
        table[key(arguments)] = right(*arguments)
        return table[key(arguments)]

    EXERCISES[name](noted, seed=seed)
    return lambda *arguments: table.get(key(arguments))


@pytest.mark.parametrize("name", EXERCISES)
def test_a_table_of_the_results_is_refused_with_another_seed(name, capsys):
    assert refused(name, table_of(name, seed=0), seed=1)


@pytest.mark.parametrize("name", [name for name in EXERCISES if ".case_" not in name])
def test_a_table_of_the_results_scores_less_than_half_with_other_seeds(name, capsys):
    """The cases of the lesson are public, those of a grading are not. (The repairs of the clinic
    are not graded.)"""
    table = table_of(name, seed=0)
    assert max(check.graded(EXERCISES[name], table, seed=seed) for seed in (1, 2, 12345)) < 0.5


@pytest.mark.parametrize("name", EXERCISES)
def test_a_right_answer_scores_all_and_an_open_one_nothing(name, capsys):
    for seed in (7, 12345):
        assert check.graded(EXERCISES[name], answers("RIGHT", name)[0], seed=seed) == 1
        assert check.graded(EXERCISES[name], later, seed=seed) == 0


GARBAGE = {
    "nothing": lambda *_: None,
    "words": lambda *_: "twenty-five",
    "NaN": lambda *_: float("nan"),
    "not a number": lambda *_: 1j,
    "a list of all kinds": lambda *_: [None, "a", {}],
    "a picture": lambda *_: np.zeros((2, 3, 5)),
    "NaN everywhere": lambda *case: torch.full((2, 2), float("nan")),
    "an empty tensor": lambda *_: torch.zeros(0),
    "itself": lambda *case: EXERCISES,
    "wrong arguments": lambda: 1,
    "an error": lambda *_: int("x"),
    "an error of PyTorch": lambda *_: torch.nn.Module()(0),
    "an assertion": lambda *_: np.testing.assert_equal(1, 2),
    "endless": lambda *case: GARBAGE["endless"](*case),
}


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("name", EXERCISES)
def test_whatever_comes_back_is_told(name, garbage):
    said = refused(name, GARBAGE[garbage])
    assert re.search(" gave | raised ", said)


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("thing", [None, 3.5, "gain"])
def test_what_is_no_function_is_told(name, thing):
    assert " checks a function, not " in refused(name, thing)


def later(*_):
    raise NotImplementedError


@pytest.mark.parametrize("name", EXERCISES)
def test_an_open_exercise_is_told_once_and_stops_nothing(name, capsys):
    EXERCISES[name](later)
    out = capsys.readouterr().out
    assert out == "later: still open. Fill it in and run this cell again.\n"
