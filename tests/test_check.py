"""Argument checks: each rule's whole message, and what passes unchanged."""

import numpy as np
import pytest
from helpers import whole

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


def test_sigma_passes_levels_on_the_0_to_255_scale():
    assert _check.sigma("sigma", 0) == (0.0, 0.0)  # pytest turns a warning into an error
    assert _check.sigma("sigma", 1) == (1.0, 1.0)
    assert _check.sigma("sigma", (0, 55)) == (0.0, 55.0)


def test_sigma_warns_of_a_level_between_0_and_1():
    message = (
        "sigma is 0.1 on the 0–255 scale, which is invisible; for images in [0, 1] with noise of "
        "standard deviation 0.1 write sigma=25.5"
    )
    with pytest.warns(UserWarning, match=whole(message)):
        assert _check.sigma("sigma", 0.1) == (0.1, 0.1)
