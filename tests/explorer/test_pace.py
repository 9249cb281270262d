"""What is affordable while the slider moves, and stopping what is stale."""

import functools
import itertools
import threading

import numpy as np
import pytest
import torch
from helpers import small_net

from dncnn_lib import priors
from dncnn_lib.explorer import pace
from dncnn_lib.restoring import denoise


def test_the_pace_learns_and_one_hiccup_changes_little():
    known = pace.Pace(budget=0.06)
    assert not known.affords("net", 1), "what was never timed may take minutes"
    known.learn("net", 100, 0.1)
    assert known.expected("net", 100) == pytest.approx(0.1) and not known.affords("net", 100)
    known.learn("net", 100, 0.05)
    assert known.affords("net", 100) and not known.affords("net", 200)
    known.learn("net", 100, 0.5)
    assert known.expected("net", 100) == pytest.approx(0.7 * 0.05 + 0.3 * 0.5)
    assert not known.affords("another", 1)


def stopped_after(count):
    answers = itertools.chain([True] * count, itertools.repeat(False))
    return pace.Stoppable(lambda: next(answers))


def test_what_is_wanted_is_computed_and_what_is_not_stops_between_layers():
    net, done = small_net().eval(), []
    noisy = torch.rand(1, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), pace.Stoppable(lambda: True):
        restored = net(noisy)
    assert torch.equal(restored, net(noisy))
    for layer in net.layers:
        layer.register_forward_hook(lambda layer, _, output: done.append(layer))
    with pytest.raises(pace.Stale), pace.Stoppable(lambda: len(done) < 2):
        net(noisy)
    assert done == list(net.layers[:2])


@pytest.mark.parametrize("name", ["bm3d", "ncsr"])
def test_a_slow_prior_stops_long_before_its_end(name):
    noisy = np.random.default_rng(0).random((24, 24), np.float32)
    restore = functools.partial(denoise, noisy, priors.load_model(name), sigma=25)
    asked = []
    with pace.Stoppable(lambda: asked.append(None) is None):
        restored = restore()
    assert np.array_equal(restored, restore())
    assert len(asked) > 100
    with pytest.raises(pace.Stale), stopped_after(50):
        restore()
    assert np.array_equal(restored, restore()), "the next one is not disturbed"


def test_only_the_thread_that_is_stale_is_stopped():
    found = []
    with pace.Stoppable(lambda: False):
        other = threading.Thread(target=lambda: found.append(torch.ones(2).sum().item()))
        other.start()
        other.join()
        with pytest.raises(pace.Stale):
            torch.ones(2)
    assert found == [2]
