"""``benchmark``: its tables, on a network of no size."""

from __future__ import annotations

import contextlib
import re

import pytest

from dncnn_lib.cli import _timing, benchmark


@pytest.fixture
def in_this_process(monkeypatch):
    monkeypatch.setattr(_timing, "_other_process", lambda: contextlib.nullcontext(lambda f: f()))
    yield
    _timing._end_workers()


@pytest.mark.parametrize("faster", [False, True])
def test_the_tables(call, monkeypatch, in_this_process, faster):
    timing = pytest.importorskip("dncnn_lib.explorer.timing")
    shares = {"noise": 0.001, "restoration": 0.25, "picture": 0.002, "numbers": 0.01}
    monkeypatch.setattr(timing, "shares", lambda side, method, repeats: shares)
    monkeypatch.setattr(_timing, "prefers_bf16", lambda: faster)
    monkeypatch.setattr(_timing, "peak", lambda repeats: 61.4)
    monkeypatch.setattr(benchmark, "NETWORK", (3, 4))
    monkeypatch.setattr(benchmark, "QUICK_SIZES", ((8, 8),))
    code, out, err = call("benchmark", "--quick")
    assert (code, err) == (0, [])
    assert "; DnCNN of 3 layers, 4 wide, grey" in out.splitlines()[0]
    assert re.search(
        r"^Arithmetic of the last fp32 figure: \d+ GFLOP/s; .* reaches 61\.$", out, re.MULTILINE
    )
    number, times = r" +\d+(\.\d)?", r" +\d+\.\dx"
    bf16 = number + times if faster else " +- +-"
    for task in ("denoise 8×8", "train on 16 patches of 40×40"):
        assert re.search(f"^{task}{number}{number}{times}{bf16}$", out, re.MULTILINE)
    header = f"^batches of +another loop +train, {'bf16' if faster else 'fp32'} +times$"
    assert re.search(header, out, re.MULTILINE)
    assert re.search(f"^16 patches of 40×40{number}{number}{times}$", out, re.MULTILINE)
    assert re.search(r"^dncnn-b 256×256 +1 +250 +2 +10$", out, re.MULTILINE)


def test_rates_of_slow_machines_keep_a_decimal():
    row = _timing.Row("task", 16, 4.0, {"fp32": 0.5})
    assert benchmark._patches_per_second(row, 6.4) == "2.5"
    assert benchmark._patches_per_second(row, 0.5) == "32"
