"""Argument checks: each rule's whole message, and what passes unchanged."""

import runpy
import warnings

import numpy as np
import pytest
import torch
from helpers import raises, whole
from torch import nn

from dncnn_lib import _check


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_integer_gives_a_plain_int(value):
    result = _check.integer("depth", value, at_least=3)
    assert result == 3 and type(result) is int


@pytest.mark.parametrize(
    "value, message",
    [
        (True, "depth is True (bool), but must be an integer"),
        (3.0, "depth is 3.0 (float), but must be an integer"),
        ("3", "depth is '3' (str), but must be an integer"),
        (None, "depth is None (NoneType), but must be an integer"),
    ],
)
def test_integer_refuses_other_types(value, message):
    with pytest.raises(TypeError, match=whole(message)):
        _check.integer("depth", value)


def test_integer_has_a_lower_bound():
    with pytest.raises(ValueError, match=whole("depth is 1, but must be an integer of at least 2")):
        _check.integer("depth", np.int64(1), at_least=2)


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.float64(0.5)])
def test_real_gives_a_plain_float(value):
    result = _check.real("lr", value, above=0.0, at_most=0.5, at_least=0.5)
    assert result == 0.5 and type(result) is float


@pytest.mark.parametrize(
    "value, bounds, message",
    [
        (float("nan"), {}, "lr is nan, but must be finite"),
        (float("inf"), {}, "lr is inf, but must be finite"),
        (-1, {"at_least": 0.0}, "lr is -1.0, but must be at least 0"),
        (0, {"above": 0.0}, "lr is 0.0, but must be greater than 0"),
        (1.5, {"at_most": 1.0}, "lr is 1.5, but must be at most 1"),
        (1, {"below": 1.0}, "lr is 1.0, but must be less than 1"),
    ],
)
def test_real_names_the_broken_bound(value, bounds, message):
    with pytest.raises(ValueError, match=whole(message)):
        _check.real("lr", value, **bounds)


@pytest.mark.parametrize(
    "value, message",
    [
        (True, "lr is True (bool), but must be a number"),
        ("1", "lr is '1' (str), but must be a number"),
        (1j, "lr is 1j (complex), but must be a number"),
    ],
)
def test_real_refuses_other_types(value, message):
    with pytest.raises(TypeError, match=whole(message)):
        _check.real("lr", value)


def test_span_takes_a_number_or_a_pair():
    assert _check.span("peak", 3) == (3.0, 3.0)
    assert _check.span("peak", (1, 3)) == (1.0, 3.0)
    assert _check.span("peak", [1, 1]) == (1.0, 1.0)


@pytest.mark.parametrize(
    "value, message",
    [
        ((1, 2, 3), "peak is (1, 2, 3), but must be one number or a pair (low, high)"),
        ((3, 1), "peak is (3, 1), but must be a pair (low, high) with low <= high"),
        ((-1, 1), "peak is -1.0, but must be at least 0"),
    ],
)
def test_span_refuses_what_is_no_range(value, message):
    with pytest.raises(ValueError, match=whole(message)):
        _check.span("peak", value, at_least=0.0)


def test_one_of_lists_what_is_allowed():
    assert _check.one_of("loss", "mean", ("mean", "paper")) == "mean"
    with pytest.raises(
        ValueError, match=whole("loss is 'sum', but must be one of 'mean', 'paper'")
    ):
        _check.one_of("loss", "sum", ("mean", "paper"))


def test_numbers_of_numpy_become_plain():
    assert repr(_check.plain(np.float64(0.5))) == "0.5"
    assert repr(_check.plain([np.int64(2), 3, (np.bool_(True),)])) == "(2, 3, (True,))"
    assert _check.plain("text") == "text" and _check.plain(None) is None


def test_every_error_names_the_argument_the_value_and_the_rule():
    with raises(ValueError, "peak is 'high', but must be a number"):
        _check.fail("peak", "high", "a number")
    with raises(TypeError, "config is a dict, but must be a TrainConfig"):
        _check.wrong_type("config", {}, "a TrainConfig")
    with raises(ValueError, "clean has NaN or infinite values, but must be finite everywhere"):
        _check.not_finite("clean")


@pytest.mark.parametrize("value", [0, 7, np.int64(7), 2**63 - 1])
def test_a_seed_is_one_that_torch_takes(value):
    assert _check.seed("seed", value) == value
    torch.Generator().manual_seed(_check.seed("seed", value))


def test_other_seeds_are_refused():
    with raises(ValueError, "seed is -1, but must be an integer of at least 0"):
        _check.seed("seed", -1)
    with raises(ValueError, f"seed is {2**63}, but must be less than 2**63"):
        _check.seed("seed", 2**63)
    with raises(TypeError, "seed is 0.0 (float), but must be an integer"):
        _check.seed("seed", 0.0)


@pytest.mark.parametrize("sigma", [0, 1, 25, 255])
def test_levels_on_the_0_to_255_scale_pass_in_silence(sigma):
    _check.warn_of_scale("sigma", sigma)  # pytest turns a warning into an error


@pytest.mark.parametrize("sigma, meant", [(0.1, "25.5"), (0.004, "1.02"), (0.99, "252.45")])
def test_a_level_between_0_and_1_is_warned_of(sigma, meant):
    message = (
        f"sigma is {sigma} on the 0–255 scale, which is invisible; for images in [0, 1] with noise "
        f"of standard deviation {sigma} write sigma={meant}"
    )
    with pytest.warns(UserWarning, match=whole(message)):
        _check.warn_of_scale("sigma", sigma)


def test_a_warning_points_at_the_line_that_called_the_library(tmp_path):
    """From a test, and from a script, which has no package."""
    from dncnn_lib.degrade import add_gaussian_noise

    def called():
        add_gaussian_noise(np.zeros((2, 2)), 0.5)

    with pytest.warns(UserWarning, match="invisible") as caught:
        called()
    line = called.__code__.co_firstlineno + 1
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]

    script = tmp_path / "script.py"
    script.write_text("import dncnn_lib as dn\n\ndn.GaussianNoise(0.5)\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        runpy.run_path(str(script), run_name="__main__")
    assert [(w.filename, w.lineno) for w in caught] == [(str(script), 3)]


def test_an_output_is_a_tensor_of_the_shape_that_it_must_have():
    like = torch.zeros(2, 1, 4, 5)
    _check.output("the network", torch.ones(2, 1, 4, 5), like)
    with raises(
        ValueError,
        "the network's output shape is (2, 4, 5), but must be that of its input, (2, 1, 4, 5)",
    ):
        _check.output("the network", like[:, 0], like)
    with raises(
        ValueError,
        "the network's output shape is (2, 4, 5), but must be that of the target, (2, 1, 4, 5)",
    ):
        _check.output("the network", like[:, 0], like, of="the target")
    with raises(TypeError, "the network gives a tuple, but must give a tensor"):
        _check.output("the network", (like, like), like)


def test_a_module_is_one():
    _check.module("model", nn.Identity())
    message = "model is a str, but must be a torch.nn.Module; load_pretrained gives one by its name"
    with raises(TypeError, message):
        _check.module("model", "dncnn-b")
    with raises(TypeError, "model is a function, but must be a torch.nn.Module"):
        _check.module("model", lambda x: x)
