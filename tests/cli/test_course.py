"""``course``: the editions for a class. What is in them is tested in ``making/test_course.py``."""

from __future__ import annotations

from pathlib import Path

from dncnn_lib import cli
from dncnn_lib.making import course


def test_the_editions_of_a_project_are_written_to_a_folder(monkeypatch, capsys):
    written = []
    monkeypatch.setattr(course, "write", lambda *paths: written.append(paths))
    assert cli.main(["course"]) == 0
    assert cli.main(["course", "autumn", "--project", "mine"]) == 0
    assert written == [(Path(), Path("build/editions")), (Path("mine"), Path("autumn"))]
    assert capsys.readouterr().out.endswith("The editions are in autumn\n")


def test_a_copy_without_solutions_is_told(tmp_path, capsys):
    assert cli.main(["course", str(tmp_path / "out"), "--project", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said == f"error: no notebooks/solutions in {tmp_path}: it takes the whole project\n"
