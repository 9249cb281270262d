"""Fixtures that several test modules share."""

import ctypes

import browser
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


@pytest.fixture(scope="module")
def chromium():
    """A running Chromium, driven by Playwright; without one the test is skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if not browser.chromium():
        pytest.skip("needs Chromium: apt install chromium")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(
            executable_path=browser.chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        yield running
        running.close()


@pytest.fixture(scope="session")
def axe():
    """The script that finds the faults which a reader without a mouse or without eyes would meet;
    npm fetches it once, and without npm the test is skipped."""
    from dncnn_lib.explorer.web import npm

    try:
        return (npm.package("axe-core") / "axe.min.js").read_text("utf-8")
    except RuntimeError as error:
        pytest.skip(str(error).splitlines()[0])


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
