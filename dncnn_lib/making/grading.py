"""What grading does for this course beyond nbgrader's own: every submission has cases of its own,
and only a number is a score.

``nbgrader_config.py`` of a course has ``PREPROCESSORS`` (``making.course``). Needs the extra
"grading".
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import sys
import sysconfig
from pathlib import Path

from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader import preprocessors as nbgrader
from traitlets import Unicode

Done = tuple[NotebookNode, dict]

PROJECT = Path(__file__).parents[2]
"""Where ``dncnn_lib`` is."""


def seed_of(secret: str, student: str, assignment: str, code: str) -> int:
    """What the cases of a submission are drawn by: other ones for every student, for every text
    that is handed in, and for every secret. So what feedback tells of the cases helps nobody."""
    words = "\0".join((student, assignment, code)).encode()
    return int.from_bytes(hmac.digest(secret.encode(), words, hashlib.sha256)[:4], "big") // 2


def is_scored(cell: NotebookNode) -> bool:
    """Whether a cell's last value is the points for an exercise."""
    return cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade", False)


class Seeds(nbgrader.NbGraderPreprocessor):
    """Before a submission is run: a seed in the place of SEED."""

    secret = Unicode("", help="what the cases are drawn by").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> Done:
        if not self.secret:
            raise ValueError("c.Seeds.secret must not be empty: it is what the cases are drawn by")
        code = "\0".join(cell.source for cell in nb.cells if cell.cell_type == "code")
        about = resources["nbgrader"]
        seed = seed_of(self.secret, about["student"], about["assignment"], code)
        for cell in filter(is_scored, nb.cells):
            cell.source = cell.source.replace("seed=SEED", f"seed={seed}")
        return nb, resources


class Scores(nbgrader.NbGraderPreprocessor):
    """After a submission was run: seeds and tracebacks go, and so does what is no score.

    nbgrader gives all points to a cell that shows no number, and none to one that warns. Here a
    cell that does not show one number from 0 to its points has failed, and warnings do not count.
    Tracebacks have lines of the keys, and feedback would show them; it would show folders of this
    machine in warnings and errors, too.
    """

    def preprocess(self, nb: NotebookNode, resources: dict) -> Done:
        for cell in (cell for cell in nb.cells if cell.cell_type == "code"):
            for output in cell.outputs:
                if output.output_type == "error":
                    output.evalue = _without_folders(output.evalue)
                    output.traceback = [f"{output.ename}: {output.evalue}"]
                elif output.output_type == "stream":
                    output.text = _without_folders(output.text)
            if is_scored(cell):
                cell.source = re.sub(r"\bseed=\d+", "seed=SEED", cell.source)
                told = [o for o in cell.outputs if o.output_type == "stream" and o.name == "stdout"]
                cell.outputs = [*told, _score(cell)]
        return nb, resources


def _without_folders(text: str) -> str:
    """Text that names files of this installation and of the course without their folders."""
    inner = (sysconfig.get_path("purelib"), sys.prefix, PROJECT, Path.cwd(), Path.home())
    for folder in map(str, inner):
        text = text.replace(folder + os.sep, "") if folder != os.sep else text
    return text


def _score(cell: NotebookNode) -> NotebookNode:
    """The one output that counts; an error where there is none, or more than one."""
    errors = [output for output in cell.outputs if output.output_type == "error"]
    values = [output for output in cell.outputs if output.output_type == "execute_result"]
    if errors:
        return errors[0]
    try:
        (value,) = (float(output.data["text/plain"]) for output in values)
    except ValueError:
        return _failed("the cell must show one number")
    if not 0 <= value <= cell.metadata.nbgrader.points:
        return _failed("the number must be from 0 to the points of the cell")
    return values[0]


def _failed(said: str) -> NotebookNode:
    return new_output("error", ename="NoScore", evalue=said, traceback=[f"NoScore: {said}"])


PREPROCESSORS = [
    Seeds,
    nbgrader.Execute,
    Scores,
    nbgrader.IgnorePattern,
    ClearMetadataPreprocessor,
    nbgrader.LimitOutput,
    nbgrader.SaveAutoGrades,
    nbgrader.AssignLatePenalties,
    nbgrader.CheckCellMetadata,
]
