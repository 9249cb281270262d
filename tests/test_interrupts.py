"""Ctrl-C in a training: no update is left half, and a checkpoint is written."""

import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from helpers import small_net

from dncnn_lib._interrupts import Interrupts
from dncnn_lib.degrade import GaussianNoise
from dncnn_lib.training import TrainConfig, train

IMAGES = [np.random.default_rng(0).random((16, 16), np.float32)]


class Task:
    """Noise; in the update of this number, from 0, and each time that it is asked for after that,
    Ctrl-C is pressed."""

    def __init__(self, at=None, times=1):
        self.at, self.times, self.calls = at, times, 0

    def __call__(self, clean, generator):
        if self.calls == self.at:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)
        self.calls += 1
        return GaussianNoise(25)(clean, generator)

    def __repr__(self):
        return "Task"


def config(**changes):
    small = {"steps": 6, "batch_size": 2, "patch_size": 8, "lr": 1e-2, "log_every": 100}
    return TrainConfig(**{**small, "checkpoint_every": 100, **changes})


def weights(net):
    return {key: value.clone() for key, value in net.state_dict().items()}


def trained(settings, task=None, checkpoint=None, **options):
    net = small_net()
    list(train(net, IMAGES, task or Task(), settings, checkpoint=checkpoint, **options))
    return weights(net)


def interrupted(settings, task, checkpoint, **options):
    net = small_net()
    with pytest.raises(KeyboardInterrupt):
        list(train(net, IMAGES, task, settings, checkpoint=checkpoint, **options))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return weights(net)


def equal(a, b):
    assert a.keys() == b.keys()
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=0, atol=0, msg=key)


EXTRAS = [{}, {"ema": 0.5}, {"recalibrate": 3}, {"ema": 0.5, "recalibrate": 3}]


CASES = [(at, extra) for extra in EXTRAS for at in (0, 2, 5)]
CASES += [(7, extra) for extra in EXTRAS if "recalibrate" in extra]


@pytest.mark.parametrize(("at", "extra"), CASES)
def test_the_run_goes_on_as_if_nothing_had_been(tmp_path, one_thread, at, extra):
    settings, path = config(**extra), tmp_path / "a.ckpt"
    expected = trained(settings)
    stopped = interrupted(settings, Task(at), path)
    updates = min(at + 1, 6)
    assert torch.load(path, weights_only=True)["step"] == updates
    if at >= 5:
        equal(stopped, expected)
    equal(trained(settings, checkpoint=path), expected)


def test_the_update_is_finished(tmp_path, one_thread):
    net = interrupted(config(), Task(2), tmp_path / "a.ckpt")
    equal(torch.load(tmp_path / "a.ckpt", weights_only=True)["net"], net)
    expected = small_net()
    steps = train(expected, IMAGES, Task(), config(log_every=3))
    assert next(steps).step == 3
    equal(net, weights(expected))


def test_the_second_time_it_stops_at_once(tmp_path, one_thread):
    net = interrupted(config(), Task(2, times=2), tmp_path / "a.ckpt")
    assert not (tmp_path / "a.ckpt").exists()
    expected = small_net()
    assert next(train(expected, IMAGES, Task(), config(log_every=2))).step == 2
    for name, value in expected.named_parameters():
        torch.testing.assert_close(net[name], value.detach(), rtol=0, atol=0)


@pytest.mark.parametrize("every", [2, 0])
def test_in_validation(tmp_path, one_thread, every):
    settings, path = config(validate_every=every, ema=0.5), tmp_path / "a.ckpt"

    def press(net):
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("it was not heard at once")

    interrupted(settings, Task(), path, validation=press)
    assert torch.load(path, weights_only=True)["step"] == (every or 6)
    found = trained(settings, checkpoint=path, validation=lambda net: 1.0)
    equal(found, trained(settings, validation=lambda net: 1.0))


def test_between_two_steps_it_is_as_ever(one_thread):
    steps = train(small_net(), IMAGES, Task(), config(log_every=1))
    next(steps)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert next(steps).step == 2


def test_without_a_checkpoint(one_thread):
    interrupted(config(), Task(2), None)


def test_a_handler_of_ones_own_stays(tmp_path, one_thread):
    heard = []
    signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    try:
        equal(trained(config(), Task(2), tmp_path / "a.ckpt"), trained(config()))
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert heard == [1]


def test_a_thread_trains_without_a_handler(one_thread):
    found = []
    thread = threading.Thread(target=lambda: found.append(trained(config())))
    thread.start()
    thread.join()
    equal(found[0], trained(config()))


def test_an_error_gives_ctrl_c_back(one_thread):
    def fails(clean, generator):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        next(train(small_net(), IMAGES, fails, config()))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_hold_and_release():
    with Interrupts() as interrupts:
        interrupts.hold()
        interrupts.hold()
        signal.raise_signal(signal.SIGINT)
        assert interrupts.heard
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        interrupts.release()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


SCRIPT = """
import os, signal, sys
import numpy as np
from dncnn_lib import DnCNN, GaussianNoise, TrainConfig, train
calls = []
def task(clean, generator):
    calls.append(1)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGINT)
    return GaussianNoise(25)(clean, generator)
image = np.zeros((16, 16), np.float32)
settings = TrainConfig(steps=9, batch_size=1, patch_size=8)
for _ in train(DnCNN(depth=2, width=2), [image], task, settings, checkpoint=sys.argv[1]):
    pass
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_in_a_program_of_its_own(tmp_path):
    path = tmp_path / "a.ckpt"
    done = subprocess.run([sys.executable, "-c", SCRIPT, path], capture_output=True, text=True)
    # The status is 130, or 1 where something that torch imported runs code while Python shuts down.
    assert done.returncode != 0 and done.stderr.splitlines()[-1] == "KeyboardInterrupt"
    assert torch.load(path, weights_only=True)["step"] == 3


def test_live_training_keeps_what_was_learnt(one_thread):
    pytest.importorskip("IPython")
    from dncnn_lib.lessons.training import live_training

    net = small_net()
    steps = train(net, IMAGES, Task(4), config(log_every=1))
    assert [step.step for step in live_training(steps)] == [1, 2, 3, 4]
    expected = small_net()
    some = train(expected, IMAGES, Task(), config(log_every=5))
    assert next(some).step == 5
    equal(weights(net), weights(expected))
    with pytest.raises(KeyboardInterrupt):
        list(live_training(train(small_net(), IMAGES, Task(0), config(log_every=1))))
