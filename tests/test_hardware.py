"""What this machine can do: bf16, devices, and the sentences about it."""

import os
import platform
import time

import numpy as np
import pytest
import torch
from helpers import raises
from torch import nn

from dncnn_lib import hardware
from dncnn_lib.hardware import (
    PRECISIONS,
    autocast,
    describe_environment,
    device_of,
    has_bf16,
    prefers_bf16,
    processor_name,
    torch_device,
    usable_cores,
    uses_bf16,
)


@pytest.fixture
def forgotten():
    """The timing of bf16 is done anew, and again for whoever comes next."""
    prefers_bf16.cache_clear()
    yield
    prefers_bf16.cache_clear()


def test_precision_words():
    assert uses_bf16("bf16") and not uses_bf16("fp32")
    assert uses_bf16("auto") == prefers_bf16() in (True, False)
    assert PRECISIONS == ("fp32", "bf16", "auto")
    with raises(ValueError, "precision is 'half', but must be one of 'fp32', 'bf16', 'auto'"):
        uses_bf16("half")


def test_measuring_bf16_leaves_the_process_as_it_was(forgotten):
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    prefers_bf16()
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("ratio, wanted", [(2.0, True), (1.3, True), (1.1, False), (0.5, False)])
def test_bf16_must_win_by_a_fifth(forgotten, monkeypatch, ratio, wanted):
    """By a clock that goes on only while a convolution runs: ``ratio`` longer in fp32."""
    now = 0.0

    def timed(layer, x):
        nonlocal now
        now += ratio if x.dtype == torch.float32 else 1.0
        return x

    monkeypatch.setattr(hardware, "has_bf16", lambda: True)
    monkeypatch.setattr(nn.Conv2d, "forward", timed)
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    assert prefers_bf16() is wanted


def test_without_bf16_nothing_is_timed(forgotten, monkeypatch):
    monkeypatch.setattr(hardware, "has_bf16", lambda: False)
    monkeypatch.setattr(nn.Conv2d, "forward", None)
    assert prefers_bf16() is False and not uses_bf16("auto")


@pytest.mark.parametrize("bf16, dtype", [(False, torch.float32), (True, torch.bfloat16)])
def test_autocast(bf16, dtype):
    layer, image = nn.Conv2d(1, 1, 1), torch.zeros(1, 1, 2, 2)
    with autocast(torch.device("cpu"), bf16):
        assert layer(image).dtype == dtype
    assert layer(image).dtype == torch.float32


def test_the_device_of_a_model():
    assert device_of(nn.Conv2d(1, 1, 1)) == torch.device("cpu")
    assert device_of(nn.Conv2d(1, 1, 1, device="meta")) == torch.device("meta")
    assert device_of(nn.Identity()) == torch.device("cpu")


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert torch_device() == torch_device("auto") == torch_device("cpu") == torch.device("cpu")
    message = "device is 'cuda', but must be 'cpu' or 'auto' here, because torch sees no GPU"
    with raises(ValueError, message):
        torch_device("cuda")
    with raises(ValueError, "device is 'tpu', but must be one of 'auto', 'cpu', 'cuda'"):
        torch_device("tpu")


def test_a_gpu_that_is_there_is_used_unless_told_otherwise(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert torch_device("auto") == torch_device("cuda") == torch.device("cuda")
    assert torch_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("count", "words"), [(1, "1 core, "), (2, "2 cores, ")])
def test_one_core_is_not_cores(monkeypatch, count, words):
    monkeypatch.setattr(hardware, "usable_cores", lambda: count)
    assert describe_environment()["processor"].startswith(f"{processor_name()}, {words}")


def test_the_sentences_tell_the_truth(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    told = describe_environment()
    assert list(told) == ["Python", "packages", "processor", "memory", "bf16", "GPU"]
    assert platform.python_version() in told["Python"]
    assert f"torch {torch.__version__}" in told["packages"]
    assert f"numpy {np.__version__}" in told["packages"]
    assert told["processor"].startswith(f"{processor_name()}, {usable_cores()} core")
    assert 1 <= usable_cores() <= os.cpu_count()
    assert told["bf16"].startswith("available" if has_bf16() else "this processor has no bf16")
    assert told["GPU"] == "none that torch can use; every lesson is made for the processor alone"


@pytest.mark.parametrize(
    "pages, sentence",
    [
        (2**20, "4.0 GiB, enough for every lesson"),
        (943_718, "3.6 GiB, enough for every lesson"),
        (2**19, "2.0 GiB, less than the 4 GiB the lessons may need"),
    ],
)
def test_the_sentence_about_memory(monkeypatch, pages, sentence):
    values = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": pages}
    monkeypatch.setattr(os, "sysconf", values.__getitem__)
    assert describe_environment()["memory"] == sentence


def test_the_sentence_about_memory_that_is_not_known(monkeypatch):
    def unknown(name):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(os, "sysconf", unknown)
    assert describe_environment()["memory"] == "unknown; the lessons need about 4 GiB"


@pytest.mark.parametrize(
    "has, prefers, sentence",
    [
        (False, False, "this processor has no bf16 arithmetic; everything runs in fp32"),
        (True, True, "available and faster than fp32 here: precision='auto' uses it"),
        (
            True,
            False,
            "available but no faster than fp32 here: precision='auto' stays with fp32",
        ),
    ],
)
def test_the_sentence_about_bf16(monkeypatch, has, prefers, sentence):
    monkeypatch.setattr(hardware, "has_bf16", lambda: has)
    monkeypatch.setattr(hardware, "prefers_bf16", lambda: prefers)
    assert describe_environment()["bf16"] == sentence
