"""What the tests of the commands share: a quiet machine, tiny weights, pictures, a caller."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from helpers import picture

from dncnn_lib import cli, datasets, images, zoo
from dncnn_lib.cli import _terminal
from dncnn_lib.model import DnCNN


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch, tmp_path):
    """One thread, no standard sets, no bars, and the test's own folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DNCNN_DATA", raising=False)
    monkeypatch.setattr(datasets, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(_terminal, "pace", lambda: 1e9)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def weights(tmp_path) -> str:
    """A file of weights of a tiny grey network."""
    net = DnCNN(3, 8, batch_norm=False)
    net.reset_parameters(torch.Generator().manual_seed(0))
    zoo.save_pretrained(net, tmp_path / "tiny.safetensors", {"name": "tiny"})
    return "tiny.safetensors"


@pytest.fixture
def call(capsys):
    """Run a command line: its exit code, standard output and the lines of standard error."""

    def run(*words: object) -> tuple[int, str, list[str]]:
        code = cli.main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return run


@pytest.fixture
def write() -> Callable[..., str]:
    """Write a random picture of the given shape, and return its path."""

    def write_picture(path: str, *shape: int) -> str:
        images.write_image(path, picture(*shape))
        return path

    return write_picture


@pytest.fixture
def album(write, tmp_path) -> str:
    """A folder of a grey and a colour picture, and a folder."""
    (tmp_path / "album" / "deeper").mkdir(parents=True)
    write("album/a.png", 20, 20)
    write("album/B.JPG", 16, 20, 3)
    write("album/deeper/c.png", 8, 8)
    return "album"


@pytest.fixture
def no_download(monkeypatch):
    """A download fails the test."""

    def refuse(files: list[datasets.DatasetFile]) -> None:
        raise AssertionError(f"{files} were downloaded")

    monkeypatch.setattr(datasets, "_download", refuse)
