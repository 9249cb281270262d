"""The bank of questions, and the papers that are drawn from it."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from helpers import raises

from dncnn_lib import cli
from dncnn_lib.teaching import exam

yaml = pytest.importorskip("yaml")

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
BANK = NOTEBOOKS / "instructors" / "exam.yaml"
if not BANK.exists():
    pytest.skip("a student's copy has no bank", allow_module_level=True)
QUESTIONS = exam.read(BANK)
EXAM = [question for question in QUESTIONS if question.kind != "vote"]
VOTES = [question for question in QUESTIONS if question.kind == "vote"]
LESSONS = {path.stem.split("_")[0]: path for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))}


def cells(path: Path) -> dict[str, dict]:
    return {cell["id"]: cell for cell in json.loads(path.read_text("utf-8"))["cells"]}


CELLS = {path.stem: cells(path) for path in LESSONS.values()}


def said(notebook: str) -> str:
    """All that a notebook says and prints."""
    parts = []
    for cell in CELLS[notebook].values():
        parts.append("".join(cell["source"]))
        for output in cell.get("outputs", []):
            parts.append("".join(output.get("text", output.get("data", {}).get("text/plain", []))))
    return "\n".join(parts).replace("−", "-")


# ------------------------------------------------------------------------------------- the bank


def test_there_are_enough_questions_and_half_ask_for_the_cause_of_a_symptom():
    assert len(EXAM) >= 66
    assert sum(question.kind == "symptom" for question in EXAM) >= len(EXAM) / 2
    assert {question.kind for question in EXAM} == {"symptom", "choice", "reason", "number"}
    assert {question.difficulty for question in EXAM} == {1, 2, 3}


def test_every_lesson_has_questions_and_two_votes():
    assert Counter(question.lesson for question in VOTES) == dict.fromkeys(LESSONS, 2)
    assert {question.lesson for question in EXAM} == {*LESSONS}
    assert min(Counter(question.lesson for question in EXAM).values()) >= 3


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_its_source_is_a_cell_that_decides_it(question):
    notebook, cell = question.source.split("#")
    assert cell in CELLS[notebook]
    if question.kind == "vote":
        lesson = LESSONS[question.lesson].stem
        assert notebook == lesson
        assert "**Predict.**" in "".join(CELLS[lesson][question.asks]["source"])


@pytest.mark.parametrize("question", EXAM, ids=lambda question: question.id)
def test_it_can_be_read_at_once(question):
    assert len(question.text.split()) <= 75
    assert len({*map(str, (question.right, *question.wrong))}) >= 3
    assert all(2 <= len(shows.split()) <= 25 for shows in [*question.wrong.values(), question.why])


IN_A_FIGURE = {"before-wrong-sigma": {"17.0"}, "train-nan": {"1.3", "1.8"}}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_the_numbers_it_quotes_are_those_of_its_lesson(question):
    """To 3 % or a quarter, as a training may end a little elsewhere on another machine."""
    if question.kind == "number":
        return
    text = question.text.replace("−", "-")
    there = [abs(float(n)) for n in re.findall(r"\d+\.\d+", said(question.source.split("#")[0]))]
    for quoted in re.findall(r"(?<![\d,])\d+\.\d+", text):
        if quoted not in IN_A_FIGURE.get(question.id, ()):
            nearest = min(abs(float(quoted) - number) for number in there)
            assert nearest <= max(0.03 * float(quoted), 0.25 if float(quoted) > 5 else 0)


NUMBERS = [question for question in EXAM if question.kind == "number"]


@pytest.mark.parametrize("question", NUMBERS, ids=lambda question: question.id)
def test_a_number_is_what_its_formula_gives(question):
    assert question.formula
    assert exam.computed(question.formula) == pytest.approx(question.right, abs=question.tolerance)


def test_the_right_option_does_not_stand_out():
    """Neither by its length nor, on paper, by its place."""
    asked = [question for question in EXAM if question.kind != "number"]
    lengths = [[len(str(o)) for o in (q.right, *q.wrong)] for q in asked]
    assert sum(right > max(wrong) for right, *wrong in lengths) < 0.4 * len(asked)
    assert sum(right < min(wrong) for right, *wrong in lengths) < 0.4 * len(asked)
    items = exam.draw(QUESTIONS, count=len(EXAM), seed=1)
    places = Counter(each.letter for each in items if len(each.options) == 4)
    assert {*places} == {*"ABCD"} and max(places.values()) < 0.4 * places.total()


def test_reasons_are_true_as_often_as_false():
    starts = Counter(str(q.right).split(",")[0] for q in EXAM if q.kind == "reason")
    assert min(starts["True"], starts["False"]) >= 3


# -------------------------------------------------------------------------------- what is refused

GOOD = {
    "id": "a",
    "lesson": "01",
    "difficulty": 1,
    "kind": "choice",
    "text": "Which?",
    "right": "this",
    "wrong": {"that": "No.", "those": "Not these."},
    "why": "Because.",
    "source": "01_noise#c000",
}
NUMBER = GOOD | {"kind": "number", "right": 2.0, "tolerance": 0.1, "wrong": {3: "No.", 4: "No."}}


@pytest.mark.parametrize(
    "rule, entry",
    [
        ("kind must be one of symptom, choice, reason, number, vote", GOOD | {"kind": "essay"}),
        ("difficulty must be 1, 2 or 3", GOOD | {"difficulty": 4}),
        ("it needs two wrong options or more", GOOD | {"wrong": {"that": "No."}}),
        ("a text of it is empty", GOOD | {"wrong": {"that": "No.", "those": " "}}),
        ("two of its options are equal", GOOD | {"wrong": {"this": "No.", "those": "No."}}),
        ("source must be NOTEBOOK#CELL", GOOD | {"source": "01_noise"}),
        ("it lacks right, why", {k: v for k, v in GOOD.items() if k not in ("right", "why")}),
        ("no question has hint", GOOD | {"hint": "Think."}),
        ("asks is for votes, all of them", GOOD | {"kind": "vote"}),
        ("only numbers have these", GOOD | {"tolerance": 0.1}),
        (
            "its options must be texts; put quotes around a number, or around yes and no",
            GOOD | {"right": True},
        ),
        ("options begin with True, or with False,", GOOD | {"kind": "reason"}),
        ("its answers must be numbers", NUMBER | {"right": "two"}),
        ("a number needs a tolerance above 0", NUMBER | {"tolerance": 0.0}),
        ("a wrong number is nearly right", NUMBER | {"wrong": {2.1: "No.", 4: "No."}}),
        ("wrong must map each option to what it shows", GOOD | {"wrong": ["that", "those"]}),
    ],
)
def test_a_question_that_breaks_a_rule_is_refused(tmp_path, rule, entry):
    bank = tmp_path / "bank.yaml"
    bank.write_text(yaml.safe_dump([entry], allow_unicode=True), "utf-8")
    with raises(ValueError, f"question a: {rule}"):
        exam.read(bank)


def test_two_questions_cannot_have_one_id_and_another_file_is_no_bank(tmp_path):
    bank = tmp_path / "bank.yaml"
    bank.write_text(yaml.safe_dump([GOOD, GOOD]), "utf-8")
    with raises(ValueError, "question a: its id is that of another question"):
        exam.read(bank)
    bank.write_text("a: b", "utf-8")
    with raises(ValueError, f"{bank} must be a list of questions"):
        exam.read(bank)
    bank.write_text("- a: b: c", "utf-8")
    with pytest.raises(ValueError, match="is not YAML: mapping values are not allowed here"):
        exam.read(bank)


def test_a_formula_has_numbers_and_signs_only():
    assert exam.computed("-20 * log10(1 / 10) ** 2 + pi - pi") == -20
    for formula in ("__import__('os')", "x + 1", "log10(1, 2)", "[1]"):
        with raises(ValueError, f"the formula {formula!r} has more than numbers and signs in it"):
            exam.computed(formula)
    with raises(ValueError, "the formula '1 +' is not one"):
        exam.computed("1 +")


# -------------------------------------------------------------------------------------- the paper


def test_one_seed_is_one_paper_and_another_is_another():
    first, same, other = (exam.draw(QUESTIONS, ["01", "05"], 10, seed) for seed in (3, 3, 4))
    assert first == same != other
    assert {each.question.lesson for each in first} == {"01", "05"}
    assert len({each.question.id for each in first}) == 10
    assert Counter(each.question.lesson for each in first) == {"01": 5, "05": 5}


def test_votes_are_not_examined():
    assert {each.question.kind for each in exam.draw(QUESTIONS, count=len(EXAM))} == {
        "symptom", "choice", "reason", "number",
    }  # fmt: skip


def test_a_paper_that_cannot_be_drawn_is_refused():
    with raises(ValueError, "the bank has no questions on lesson 13"):
        exam.draw(QUESTIONS, ["01", "13"], 2)
    there = sum(question.lesson == "09" for question in EXAM)
    rule = f"questions must be from 1 to {there}, which the bank has; got 50"
    with raises(ValueError, rule):
        exam.draw(QUESTIONS, ["09"], 50)


def test_the_students_paper_has_the_options_and_nothing_of_the_answers():
    items = exam.draw(QUESTIONS, count=40, seed=5)
    paper, answers = exam.student_paper(items, "Test"), exam.answer_sheet(items, "Test")
    for number, each in enumerate(items, 1):
        question = each.question
        assert f"**{number}.** {question.text}" in paper
        assert all(f") {option}" in paper for option in each.options)
        for hidden in (question.why, question.source, question.id, *question.wrong.values()):
            assert hidden not in paper and hidden in answers
        assert f"{number} **{each.letter}**" in answers
        if each.options:
            place = "ABCDEFG".index(each.letter)
            assert each.options[place] == question.right
            assert f"- **{each.letter}) {question.right}**: right." in answers


def test_a_number_has_a_line_to_write_on():
    (question,) = [q for q in EXAM if q.id == "noise-psnr-50"]
    paper = exam.student_paper([exam.Item(question, ())], "Test")
    assert paper.endswith("Answer: __________ dB\n")
    assert "14.15 dB" in exam.answer_sheet([exam.Item(question, ())], "Test")


# --------------------------------------------------------------------------------- Moodle's format


def unescaped(text: str) -> str:
    return re.sub(r"\\([~=#{}:\\])", r"\1", text.replace("\\n", "\n"))


def parsed(text: str) -> list[dict]:
    """GIFT as its documentation describes it: a reader of our own, only for what we write."""
    questions = []
    pattern = r"^::((?:\\.|[^\\:])+)::\[markdown\]((?:\\.|[^\\{}~=#:])+)\{(#?)\n(.*?)\n\}$"
    for name, asked, number, body in re.findall(pattern, text, re.MULTILINE | re.DOTALL):
        answers = []
        for line in body.splitlines():
            form = r"\t(=%0%|=|~)((?:\\.|[^\\~=#{}])+)#((?:\\.|[^\\~=#{}])+)"
            mark, option, shows = re.fullmatch(form, line).groups()
            answers.append((mark, unescaped(option), unescaped(shows)))
        questions.append(
            {"id": name, "text": unescaped(asked), "number": bool(number), "answers": answers}
        )
    return questions


def test_every_question_reaches_moodle_as_it_is():
    found = parsed(exam.gift(QUESTIONS))
    assert [unescaped(each["id"]) for each in found] == [question.id for question in EXAM]
    for each, question in zip(found, EXAM):
        assert each["text"].startswith(question.text)
        assert each["number"] == (question.kind == "number")
        (right,) = [a for a in each["answers"] if a[0] == "="]
        assert right[2] == question.why
        wrong = {a[1]: a[2] for a in each["answers"] if a[0] != "="}
        if each["number"]:
            assert right[1] == f"{question.right}:{question.tolerance}"
            assert [*wrong] == [f"{number}:{question.tolerance}" for number in question.wrong]
        else:
            assert right[1] == question.right and wrong == question.wrong


def test_what_means_something_in_gift_is_escaped():
    asked = GOOD | {"text": "Is {x} = ~y # 1:2 \\ or\nnot?", "right": "a=b", "source": "01#c"}
    text = exam.gift([exam.Question(**asked)])
    assert r"Is \{x\} \= \~y \# 1\:2 \\ or\nnot?{" in text
    assert "\t=a\\=b#Because.\n\t~that#No.\n" in text


# ------------------------------------------------------------------------------------- the command


def test_the_command_writes_a_paper_its_answers_and_the_file_for_moodle(tmp_path, capsys):
    arguments = ["exam", "--lessons", "01", "06b", "--questions", "8", "--seed", "3"]
    assert (
        cli.main([*arguments, "--bank", str(BANK), "--out", str(tmp_path), "--title", "Noise"]) == 0
    )
    assert capsys.readouterr().out.split() == [
        str(tmp_path / name) for name in ("paper.md", "answers.md", "moodle.txt")
    ]
    items = exam.draw(QUESTIONS, ["01", "06b"], 8, 3)
    assert (tmp_path / "paper.md").read_text("utf-8") == exam.student_paper(items, "Noise")
    assert (tmp_path / "answers.md").read_text("utf-8").startswith("# Noise: answers\n")
    assert len(parsed((tmp_path / "moodle.txt").read_text("utf-8"))) == 8


def test_the_command_says_what_it_cannot_do(tmp_path, capsys):
    assert cli.main(["exam", "--bank", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml: No such file or directory" in capsys.readouterr().err
