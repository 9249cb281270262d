"""What is affordable while the slider moves, and stopping what is stale."""

import itertools

import pytest
import torch

import dncnn_lib as dn
from dncnn_lib.explorer import pace


def test_the_pace_learns_and_one_hiccup_changes_little(monkeypatch):
    ticks = iter([0, 0.1, 1, 1.05, 2, 2.5])
    monkeypatch.setattr(pace.time, "perf_counter", lambda: next(ticks))
    known = pace.Pace(budget=0.06)
    assert known.affords("net", 10**9), "what is not known is tried"
    with known.timed("net", 100):
        pass
    assert known.expected("net", 100) == pytest.approx(0.1) and not known.affords("net", 100)
    with known.timed("net", 100):  # 0.05 s
        pass
    assert known.affords("net", 100) and not known.affords("net", 200)
    with known.timed("net", 100):  # 0.5 s
        pass
    assert known.expected("net", 100) == pytest.approx(0.7 * 0.05 + 0.3 * 0.5)


def test_a_stoppable_network_is_the_network_until_it_is_stopped():
    net = dn.DnCNN(5, 8).eval()
    noisy = torch.rand(1, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    answers = itertools.chain([True] * 20, itertools.repeat(False))
    stoppable = pace.Stoppable(net, lambda: next(answers))
    with torch.no_grad():
        assert torch.equal(stoppable(noisy.clone()), net(noisy))
        with pytest.raises(pace.Stale):
            stoppable(noisy)
