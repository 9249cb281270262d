"""``exam``: a paper of closed questions, its answers, and the same for Moodle."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..teaching import exam

SUMMARY = "a paper of questions, its answers, and the same for Moodle"
HELP = """\
Draw a paper from the bank of questions: paper.md without answers, answers.md with what each wrong
answer shows, and moodle.txt in the format GIFT. The same seed gives the same paper. The order of
the questions and of their options is random.

examples:
  $ exam --lessons 01 05 06b --questions 20 --seed 3
  $ exam --questions 30 --out build/resit --seed 4"""

BANK = Path("notebooks", "instructors", "exam.yaml")
DEFAULT = Path("build", "exam")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lessons", nargs="+", default=[], metavar="LESSON", help="(all)")
    parser.add_argument("--questions", type=int, default=20, metavar="N", help="how many (20)")
    parser.add_argument("--seed", type=int, default=0, help="(0)")
    parser.add_argument("--title", default="Examination", help="of the paper (Examination)")
    parser.add_argument("--bank", type=Path, default=BANK, help=f"({BANK})")
    parser.add_argument("--out", type=Path, default=DEFAULT, help=f"folder ({DEFAULT})")


def run(options: argparse.Namespace) -> int:
    questions = exam.read(options.bank)
    items = exam.draw(questions, options.lessons, options.questions, options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, text in {
        "paper.md": exam.student_paper(items, options.title),
        "answers.md": exam.answer_sheet(items, options.title),
        "moodle.txt": exam.gift(each.question for each in items),
    }.items():
        (options.out / name).write_text(text, "utf-8")
        print(options.out / name)
    return 0
