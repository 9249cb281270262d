"""The measuring behind ``benchmark``."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import torch

from dncnn_lib.cli import _timing


def test_the_arithmetic_of_a_network():
    # by hand: 3 convolutions of 3×3, 1→4, 4→4, 4→1, on 10×20 pixels, 2 operations for each weight
    assert _timing.operations((10, 20), (3, 4)) == 2 * 9 * (4 + 16 + 4) * 200 / 1e9
    assert _timing.peak(repeats=1, side=64) > 0


def test_rows_are_medians_without_the_first_turn(monkeypatch):
    turns = []
    seconds = {
        "usual": iter([9.0, 3.0, 1.0, 2.0]),
        "fp32": iter([9.0, 0.5, 0.1, 0.2]),
        "bf16": iter([9.0, 0.3, 0.4, 0.2]),
    }

    def take(who: str) -> float:
        turns.append(who)
        return next(seconds[who])

    monkeypatch.setattr(_timing, "_other_process", lambda: contextlib.nullcontext(lambda f: f()))
    row = _timing._compare("task", 1, lambda: take("usual"), take, ("fp32", "bf16"), repeats=3)
    assert row == _timing.Row("task", 1, usual=2.0, ours={"fp32": 0.2, "bf16": 0.3})
    assert turns == 4 * ["usual", "fp32", "bf16"]


@pytest.fixture
def patches(tmp_path) -> str:
    """Four patches 16×16, number i of the value i."""
    file = str(tmp_path / "patches.npy")
    np.save(file, np.arange(4, dtype=np.float32).repeat(16 * 16).reshape(4, 1, 16, 16))
    yield file
    _timing._end_workers()


def test_the_other_loop_reads_every_patch_once_in_an_epoch(patches):
    batches = _timing._batches(patches, 2)
    for _ in range(2):
        epoch = torch.cat([next(batches), next(batches)])
        assert epoch.shape == (4, 1, 16, 16) and epoch.dtype == torch.float32
        assert sorted(epoch[:, 0, 0, 0].tolist()) == [0, 1, 2, 3]
        assert torch.equal(epoch, epoch[..., :1, :1].expand_as(epoch))


def test_the_other_loop_trains(patches):
    _timing._network.cache_clear()
    _timing._optimizer.cache_clear()
    net = _timing._network(3, 4)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert _timing._other_training(patches, (3, 4), 2) > 0
    after = net.state_dict()
    assert all(not torch.equal(before[name], after[name]) for name in before)
    assert after["layers.3.num_batches_tracked"] == 1  # the pass for the PSNR is in eval mode


@pytest.mark.slow
def test_the_other_loop_runs_in_another_process():
    row = _timing.training_loop(2, 16, (3, 4), repeats=1)
    assert row.usual > 0 and all(seconds > 0 for seconds in row.ours.values())
