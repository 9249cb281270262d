"""The bank of closed questions: read and checked, drawn into a paper, rendered.

The bank is a YAML file, a list of questions with these keys:

- id, lesson ("06b"), difficulty (1: recall, 2: apply, 3: transfer), kind, text;
- kind: "symptom" (what was seen; asked is its cause), "choice", "reason" (true or false, and why),
  "number", or "vote" (asked in class, not in an examination);
- right: the right option, or the number; wrong: each wrong option and what it shows, which is the
  rubric; why: a sentence on the right one;
- source: NOTEBOOK#CELL, the cell of a lesson that decides it;
- of a number also unit (or none), tolerance, and, where there is one, the formula it comes from;
- of a vote also asks: the cell with the *Predict* that it is made from.
"""

from __future__ import annotations

import ast
import math
import operator
import random
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

KINDS = ("symptom", "choice", "reason", "number", "vote")
DIFFICULTIES = (1, 2, 3)
LETTERS = "ABCDEFG"


@dataclass(frozen=True)
class Question:
    """A question of the bank, as the module says. wrong: option, or number, → what it shows."""

    id: str
    lesson: str
    difficulty: int
    kind: str
    text: str
    right: str | float
    wrong: dict[str | float, str]
    why: str
    source: str
    unit: str = ""
    tolerance: float = 0.0
    formula: str = ""
    asks: str = ""

    @property
    def asked(self) -> str:
        """The text as it is asked."""
        return f"{self.text} True or false, and why?" if self.kind == "reason" else self.text

    @property
    def answer(self) -> str:
        """The right answer in words."""
        return self.words(self.right)

    def words(self, option: str | float) -> str:
        """An option in words, a number with its unit."""
        return f"{option:,} {self.unit}".strip() if self.kind == "number" else str(option)


# ------------------------------------------------------------------------------------- the bank


def read(path: Path) -> list[Question]:
    """The questions of a bank, in its order.

    Raises ``ImportError`` without PyYAML, and ``ValueError`` that names the question for one that
    breaks a rule: unique ids, known kinds, three options or more with one right, a sentence for
    each wrong one, and so on.
    """
    try:
        import yaml
    except ImportError as error:
        raise ImportError("the bank is YAML: pip install pyyaml; JupyterLab brings it") from error
    try:
        entries = yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(entries, list):
        raise ValueError(f"{path} must be a list of questions")
    questions: dict[str, Question] = {}
    for entry in entries:
        question = _question(entry)
        _check(question.id not in questions, question.id, "its id is that of another question")
        questions[question.id] = question
    return list(questions.values())


def _question(entry: Any) -> Question:
    name = str(entry.get("id", entry)) if isinstance(entry, dict) else str(entry)
    _check(isinstance(entry, dict), name, "a question is a mapping with an id")
    known = {field.name for field in fields(Question)}
    needed = {field.name for field in fields(Question) if field.default is MISSING}
    _check(not (extra := {*entry} - known), name, f"no question has {', '.join(sorted(extra))}")
    _check(not (lacks := needed - {*entry}), name, f"it lacks {', '.join(sorted(lacks))}")
    _check(isinstance(entry["wrong"], dict), name, "wrong must map each option to what it shows")
    question = Question(**entry)
    _check(question.kind in KINDS, name, f"kind must be one of {', '.join(KINDS)}")
    _check(question.difficulty in DIFFICULTIES, name, "difficulty must be 1, 2 or 3")
    texts = (question.text, question.why, question.source, *question.wrong.values())
    texts += (question.lesson,)
    _check(all(isinstance(t, str) and t.strip() for t in texts), name, "a text of it is empty")
    _check(len(question.wrong) >= 2, name, "it needs two wrong options or more")
    _check(len(question.wrong) < len(LETTERS), name, "it has too many options")
    _check("#" in question.source, name, "source must be NOTEBOOK#CELL")
    _check((question.kind == "vote") == bool(question.asks), name, "asks is for votes, all of them")
    (_check_number if question.kind == "number" else _check_options)(question)
    return question


def _check_number(question: Question) -> None:
    numbers = (question.right, *question.wrong)
    _check(
        all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers),
        question.id,
        "its answers must be numbers",
    )
    _check(question.tolerance > 0, question.id, "a number needs a tolerance above 0")
    apart = min(abs(number - question.right) for number in question.wrong)
    _check(apart > 2 * question.tolerance, question.id, "a wrong number is nearly right")


def _check_options(question: Question) -> None:
    options = (question.right, *question.wrong)
    _check(
        all(isinstance(option, str) and option.strip() for option in options),
        question.id,
        "its options must be texts; put quotes around a number, or around yes and no",
    )
    _check(len({*options}) == len(options), question.id, "two of its options are equal")
    _check(not (question.tolerance or question.formula), question.id, "only numbers have these")
    if question.kind == "reason":
        starts = {option.split(",")[0] for option in options}
        _check(starts == {"True", "False"}, question.id, "options begin with True, or with False,")


def _check(holds: bool, name: str, rule: str) -> None:
    if not holds:
        raise ValueError(f"question {name}: {rule}")


_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_FUNCTIONS = {name: getattr(math, name) for name in ("log10", "sqrt", "ceil", "exp")}


def computed(formula: str) -> float:
    """The value of a formula of numbers, + − * / **, log10, sqrt, ceil, exp and pi.

    Raises ``ValueError`` for anything else: a bank may come from somebody else.
    """

    def value(node: ast.AST) -> float:
        match node:
            case ast.Expression(body):
                return value(body)
            case ast.Constant(int() | float() as number):
                return number
            case ast.Name("pi"):
                return math.pi
            case ast.UnaryOp(ast.USub(), operand):
                return -value(operand)
            case ast.BinOp(left, sign, right) if type(sign) in _OPERATORS:
                return _OPERATORS[type(sign)](value(left), value(right))
            case ast.Call(ast.Name(name), [argument], []) if name in _FUNCTIONS:
                return _FUNCTIONS[name](value(argument))
        raise ValueError(f"the formula {formula!r} has more than numbers and signs in it")

    try:
        return value(ast.parse(formula, mode="eval"))
    except SyntaxError as error:
        raise ValueError(f"the formula {formula!r} is not one") from error


# ------------------------------------------------------------------------------------- the paper


@dataclass(frozen=True)
class Item:
    """A question on a paper. options: in the order of the paper; none for a number."""

    question: Question
    options: tuple[str, ...]

    @property
    def letter(self) -> str:
        """That of the right option, or the number in words."""
        if not self.options:
            return self.question.answer
        return LETTERS[self.options.index(str(self.question.right))]


def item(question: Question, dice: random.Random) -> Item:
    """The question with its options in random order."""
    options = (
        [] if question.kind == "number" else [str(o) for o in (question.right, *question.wrong)]
    )
    dice.shuffle(options)
    return Item(question, tuple(options))


def draw(
    questions: Iterable[Question], lessons: Sequence[str] = (), count: int = 20, seed: int = 0
) -> list[Item]:
    """A paper: as many questions of each lesson as possible, all in random order.

    lessons: such as "06b"; without any, all. Votes are left out. The same seed: the same paper.
    Raises ``ValueError`` for a lesson without questions, and where there are too few.
    """
    dice = random.Random(seed)
    by_lesson: dict[str, list[Question]] = {}
    for question in questions:
        if question.kind != "vote" and (not lessons or question.lesson in lessons):
            by_lesson.setdefault(question.lesson, []).append(question)
    if missing := [lesson for lesson in lessons if lesson not in by_lesson]:
        raise ValueError(f"the bank has no questions on lesson {', '.join(missing)}")
    there = sum(map(len, by_lesson.values()))
    if not 1 <= count <= there:
        raise ValueError(f"questions must be from 1 to {there}, which the bank has; got {count}")
    for found in by_lesson.values():
        dice.shuffle(found)
    drawn: list[Question] = []
    while len(drawn) < count:
        row = [found.pop() for found in by_lesson.values() if found]
        dice.shuffle(row)
        drawn += row[: count - len(drawn)]
    dice.shuffle(drawn)
    return [item(question, dice) for question in drawn]


def student_paper(items: Sequence[Item], title: str) -> str:
    """What the students get, in Markdown."""
    parts = [f"# {title}", "Name: ____________________", "One answer to each question is right."]
    for number, each in enumerate(items, 1):
        question = each.question
        parts.append(f"**{number}.** {question.asked}")
        if each.options:
            parts.append("\n".join(f"- {a}) {o}" for a, o in zip(LETTERS, each.options)))
        else:
            parts.append(f"Answer: __________ {question.unit}".rstrip())
    return "\n\n".join(parts) + "\n"


def answer_sheet(items: Sequence[Item], title: str) -> str:
    """What the examiner gets: the letters, then each question with its rubric, in Markdown."""
    letters = " · ".join(f"{number} **{each.letter}**" for number, each in enumerate(items, 1))
    parts = [f"# {title}: answers", letters]
    for number, each in enumerate(items, 1):
        question = each.question
        about = f"{question.id}; lesson {question.lesson}, difficulty {question.difficulty}"
        lines = [f"- **{each.letter}**: right. {question.why}"]
        if each.options:
            shown = {option: letter for letter, option in zip(LETTERS, each.options)}
            lines[0] = f"- **{each.letter}) {question.answer}**: right. {question.why}"
            lines += [f"- {shown[str(o)]}) {o}: {text}" for o, text in question.wrong.items()]
            lines.sort(key=lambda line: line.removeprefix("- ").removeprefix("**")[0])
        else:
            lines[0] += f" (±{question.tolerance:g})"
            lines += [f"- {question.words(o)}: {text}" for o, text in question.wrong.items()]
        parts += [f"**{number}.** {question.text} *({about}; {question.source})*", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def gift(questions: Iterable[Question]) -> str:
    """The questions in Moodle's format GIFT; votes are left out. Moodle shuffles the options.

    https://docs.moodle.org/en/GIFT_format
    """
    parts = []
    for question in questions:
        if question.kind == "vote":
            continue
        number = question.kind == "number"
        right = (
            f"={question.right}:{question.tolerance}" if number else f"={_escaped(question.right)}"
        )
        lines = [f"{right}#{_escaped(question.why)}"]
        for option, shows in question.wrong.items():
            wrong = f"=%0%{option}:{question.tolerance}" if number else f"~{_escaped(option)}"
            lines.append(f"{wrong}#{_escaped(shows)}")
        unit = f" ({question.unit})" if question.unit else ""
        head = f"::{_escaped(question.id)}::[markdown]{_escaped(question.asked + unit)}"
        body = "\n".join("\t" + line for line in lines)
        category = f"$CATEGORY: $course$/DnCNN/lesson {question.lesson}"
        parts.append(f"{category}\n\n{head}{{{'#' * number}\n{body}\n}}")
    return "\n\n".join(parts) + "\n"


def _escaped(text: object) -> str:
    """Characters that mean something in GIFT stand for themselves."""
    escaped = "".join("\\" + c if c in "\\~=#{}:" else c for c in str(text).strip())
    return escaped.replace("\n", "\\n")
