"""Usage, help, and what is said when something goes wrong."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dncnn_lib import _files, cli, restoring
from dncnn_lib.cli import info

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_has_help_with_examples(call, command):
    code, out, err = call(command, "--help")
    assert (code, err) == (0, [])
    assert re.search(rf"examples:\n  \S.* {command}\b", out)
    assert command in call("--help")[1]


@pytest.mark.parametrize(
    "words", [[], ["paint"], ["denoise", "a.png"], ["evaluate", "--sigma", "x"]]
)
def test_wrong_usage(call, words):
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert err[0].startswith("usage: ") and "error: " in err[-1]


def test_help_loads_nothing_that_is_slow_to_import():
    slow = ("matplotlib", "ipywidgets", "IPython", "skimage", "PIL", "h5py", "pooch", "requests")
    script = f"""
import sys
from dncnn_lib import cli
cli.main(["denoise", "--help"])
print([name for name in {slow!r} if name in sys.modules])
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_as_a_program(tmp_path):
    command = [sys.executable, "-m", "dncnn_lib", "denoise", "none.png", "out.png"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: none.png does not exist; IN is an image file or a folder of them\n"
    )


def test_a_full_disk_or_memory(call, weights, monkeypatch, write):
    write("in.png", 8, 8)
    words = ("denoise", "in.png", "out.png", "--model", weights)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(_files.os, "fsync", full)
        code, _, err = call(*words)
        message = "cannot write out.png: No space left on device; what was there is unchanged"
        assert (code, err) == (1, [f"error: {message}"])

    def greedy(*_: object, **__: object) -> None:
        torch.empty(1 << 60, dtype=torch.uint8)

    monkeypatch.setattr(restoring, "denoise", greedy)
    code, _, err = call(*words)
    message = "out of memory; smaller pieces help (denoise --tile 256), or a smaller image"
    assert (code, err) == (1, [f"error: {message}"])


def test_interruptions_and_bugs(call, monkeypatch):
    def raise_(error: BaseException) -> None:
        raise error

    monkeypatch.setattr(info, "run", lambda _: raise_(KeyboardInterrupt()))
    assert call("info") == (130, "", ["stopped"])
    monkeypatch.setattr(info, "run", lambda _: raise_(ZeroDivisionError("a mistake")))
    with pytest.raises(ZeroDivisionError, match="^a mistake$"):
        call("info")
