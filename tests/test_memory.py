"""Reuse of freed memory, measured by what the system counts: page faults and resident memory."""

import platform
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dncnn_lib import _memory

MEASURE = '''
import ctypes, importlib.util, resource, sys

spec = importlib.util.spec_from_file_location("_memory", sys.argv[1])
memory = importlib.util.module_from_spec(spec)
spec.loader.exec_module(memory)  # by itself: without torch it takes a tenth of a second
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
PAGE = resource.getpagesize()

def count():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def faults(mebibytes, times=3):
    """Page faults for each page of a block that is taken, written and given back."""
    before = count()
    for _ in range(times):
        block = libc.malloc(mebibytes << 20)
        libc.memset(block, 1, mebibytes << 20)
        libc.free(block)
    return (count() - before) / times / ((mebibytes << 20) // PAGE)

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * PAGE >> 20
'''

glibc = pytest.mark.skipif(
    platform.system() != "Linux" or platform.libc_ver()[0] != "glibc",
    reason="measures glibc's malloc",
)


def measure(code: str) -> list[float]:
    module = str(Path(_memory.__file__))
    run = subprocess.run(
        [sys.executable, "-c", MEASURE + code, module], capture_output=True, text=True, check=True
    )
    return [float(number) for number in run.stdout.split()]


@glibc
def test_large_blocks_are_faulted_in_once_only():
    usual, reused = measure(
        "print(faults(64))\nwith memory.reused():\n    faults(64)\n    print(faults(64))"
    )
    assert usual > 0.9  # every page at every use, or this test says nothing
    assert reused < 0.01


@glibc
def test_afterwards_the_process_is_as_quick_as_before():
    """glibc learns to keep blocks of a few mebibytes; that must not be unlearned."""
    (usual,) = measure("faults(4)\nprint(faults(4))")
    (after,) = measure("with memory.reused(): pass\nfaults(4)\nprint(faults(4))")
    assert usual < 0.01
    assert after < 0.01


@glibc
def test_afterwards_most_memory_goes_back():
    before, inside, after = measure(
        "print(resident())\n"
        "with memory.reused():\n    faults(600, 1)\n    print(resident())\n"
        "print(resident())"
    )
    assert inside - before >= 590
    assert after - before <= 300


def test_nested_and_after_an_error_it_is_released_once(malloc):
    with pytest.raises(KeyError), _memory.reused():
        with _memory.reused():
            pass
        assert malloc.changes == ["keep"]
        raise KeyError
    assert malloc.changes == ["keep", "release"]


def test_two_threads_share_it(malloc):
    entered, leave = threading.Event(), threading.Event()

    def work():
        with _memory.reused():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    assert entered.wait(10)
    with _memory.reused():
        pass
    assert malloc.changes == ["keep"]
    leave.set()
    thread.join()
    assert malloc.changes == ["keep", "release"]


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(_memory, "_glibc", lambda: None)
    with _memory.reused():
        pass
