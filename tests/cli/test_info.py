"""``info``: everything that there is, by name."""

from __future__ import annotations

import re
import sys

from dncnn_lib import zoo
from dncnn_lib.making import recipes


def test_info_names_machine_models_recipes_and_sets(call, no_download, monkeypatch, tmp_path):
    (tmp_path / "mine" / "Set12").mkdir(parents=True)
    (tmp_path / "mine" / "Set12" / "05.png").write_bytes(b"only its presence counts")
    monkeypatch.setenv("DNCNN_DATA", str(tmp_path / "mine"))
    code, out, err = call("info")
    assert (code, err) == (0, [])
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert any(re.match(rf"Python 3\.{sys.version_info.minor}\.", line) for line in lines)
    assert f"Set12 1 of 12 images in {tmp_path / 'mine' / 'Set12'}" in lines
    assert "BSD68 68 images, not on this machine" in lines
    for name in [*recipes.recipe_names(), *zoo.model_names()]:
        assert any(line.split(" ")[0] == name for line in lines)


def test_info_survives_a_wrong_folder(call, no_download, monkeypatch):
    monkeypatch.setenv("DNCNN_DATA", "typo")
    code, out, _ = call("info")
    assert code == 0 and "DNCNN_DATA is 'typo', but there is no such folder" in out
