"""Fixtures that several test modules share."""

import ctypes

import pytest
import torch

from dncnn_lib import _memory


@pytest.fixture(scope="module")
def one_thread():
    """For modules of tests with networks that are so small that several threads slow them down."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Malloc:
    """Stands for the C library, and notes what ``_memory`` asks of it."""

    def __init__(self) -> None:
        self.changes: list[str] = []

    def mallopt(self, name: int, value: int) -> None:
        if name == _memory._MMAP_MAX:
            self.changes.append("keep" if value == 0 else "release")

    def malloc_trim(self, pad: ctypes.c_size_t) -> None:
        pass


@pytest.fixture
def malloc(monkeypatch) -> Malloc:
    """What ``_memory.reused`` asks of malloc, on every system."""
    library = Malloc()
    monkeypatch.setattr(_memory, "_glibc", lambda: library)
    monkeypatch.setattr(_memory, "_users", 0)
    return library
