"""Metrics of images of two kinds, models of any type of number, pictures without colour."""

import numpy as np
import pytest
import torch
from helpers import lively, picture, raises, seeded, small_net, whole
from torch import nn

from dncnn_lib import metrics, restoring
from dncnn_lib.images import is_grey, to_colour

CLEAN = picture(16, 12)
EIGHT = np.round(CLEAN * 255).astype(np.uint8)
BOTH = pytest.mark.parametrize("measure", [metrics.psnr, metrics.ssim])


# ---------------------------------------------------------------------------------------- metrics


@BOTH
@pytest.mark.parametrize(
    ("a", "b", "kinds"),
    [
        (EIGHT, CLEAN, ("uint8", "float")),
        (CLEAN, EIGHT, ("float", "uint8")),
        (CLEAN.astype(np.float64), EIGHT, ("float", "uint8")),
        (EIGHT, EIGHT.astype(np.uint16), ("uint8", "uint16")),
        (EIGHT > 100, CLEAN, ("bool", "float")),
        (EIGHT > 100, EIGHT, ("bool", "uint8")),
    ],
)
def test_two_kinds_are_refused(measure, a, b, kinds):
    message = f"restored's dtype is {kinds[0]!r}, but must be of the kind of clean, which is "
    with raises(ValueError, message + kinds[1]):
        measure(a, b, data_range=255)
    if a.dtype != bool and b.dtype != np.uint16:
        tensors = (torch.from_numpy(x)[None, None] for x in (a, b))
        with raises(ValueError, message + kinds[1]):
            measure(*tensors, data_range=255)


def test_one_kind_in_other_clothes():
    noisy = CLEAN + np.float32(0.1)
    for a, b in (
        (noisy.astype(np.float64), CLEAN),
        (noisy, CLEAN.astype(">f4")),
        (torch.from_numpy(noisy), torch.from_numpy(CLEAN).double()),
    ):
        assert metrics.psnr(a, b, data_range=1.0) == pytest.approx(20, abs=1e-4)
    shifted = EIGHT // 2
    expected = 10 * np.log10(255**2 / np.mean((EIGHT.astype(float) - shifted) ** 2))
    assert metrics.psnr(shifted, torch.from_numpy(EIGHT), data_range=255) == pytest.approx(expected)
    sixteen = shifted.astype(np.uint16)
    swapped = metrics.psnr(sixteen.astype(">u2"), EIGHT.astype("<u2"), data_range=255)
    assert swapped == pytest.approx(expected)


def test_bool_images_are_0_and_1():
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    a[0] = True
    assert metrics.psnr(a, b, data_range=1) == pytest.approx(10 * np.log10(4))


def test_float64_is_not_rounded():
    clean = np.zeros((4, 4))
    assert metrics.psnr(clean + 1e-12, clean + 0.5 - 0.5, data_range=1.0) == pytest.approx(240)
    exact = torch.full((1, 1, 4, 4), 1.0, dtype=torch.float64)
    assert metrics.psnr(exact + 1e-10, exact, data_range=1.0).item() == pytest.approx(200, abs=1e-4)


@BOTH
def test_a_range_of_255_for_images_in_0_to_1_is_told(measure):
    message = "data_range is 255, but no value is above 1.5: for images in [0, 1] it is 1"
    with pytest.warns(UserWarning, match=whole(message)):
        measure(CLEAN, CLEAN * 0.5, data_range=255)
    measure(CLEAN * 255, CLEAN * 200, data_range=255)
    measure(np.zeros_like(EIGHT), np.ones_like(EIGHT), data_range=255)


@BOTH
def test_a_range_of_1_for_images_to_255_is_told(measure):
    message = "data_range is 1, but both images have values above 16: on the 0–255 scale it is 255"
    with pytest.warns(UserWarning, match=whole(message)):
        measure(CLEAN * 255, CLEAN * 200, data_range=1.0)
    measure(CLEAN * 255, CLEAN, data_range=1.0)  # a network that has diverged
    measure(CLEAN * 3, CLEAN * 2, data_range=1.0)


# -------------------------------------------------------------------------------------- restoring


class Told(nn.Module):
    """Is told the level; notes what it is given."""

    def __init__(self, dtype):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1, bias=False, dtype=dtype)
        self.given = []

    def forward(self, noisy, sigma):
        self.given += [noisy.dtype, sigma.dtype]
        return noisy - sigma * self.conv(noisy)


@pytest.mark.parametrize(
    ("dtype", "atol"), [(torch.float64, 1e-6), (torch.float16, 0.01), (torch.bfloat16, 0.06)]
)
@pytest.mark.parametrize("tile", [None, 16])
def test_a_model_runs_in_its_own_type(dtype, atol, tile):
    net = lively(small_net())
    noisy = torch.rand(2, 1, 20, 18, generator=seeded(1))
    expected = restoring.denoise(noisy, net)
    state = net.to(dtype).state_dict()
    kept = {key: value.clone() for key, value in state.items()}
    found = restoring.denoise(noisy, net, tile=tile)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=atol, rtol=0.02)
    assert all(value.dtype in (dtype, torch.int64) for value in net.state_dict().values())
    assert all(torch.equal(value, kept[key]) for key, value in net.state_dict().items())
    array = restoring.denoise(noisy[0, 0].numpy().astype(np.float64), net)
    assert array.dtype == np.float64


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_the_level_is_given_in_its_type_too(dtype):
    model = Told(dtype)
    for sigma in (25, np.full((6, 5), 25.0)):
        assert restoring.denoise(picture(6, 5), model, sigma=sigma).dtype == np.float32
    assert set(model.given) == {dtype}


def test_models_without_numbers_of_their_own():
    class Half(nn.Module):
        def forward(self, noisy):
            assert noisy.dtype == torch.float32
            return noisy / 2

    class Counts(Half):
        def __init__(self):
            super().__init__()
            self.times = nn.Parameter(torch.tensor(3), requires_grad=False)

    for model in (Half(), Counts()):
        np.testing.assert_array_equal(restoring.denoise(CLEAN, model), CLEAN / 2)


def test_float64_parameters_count_in_float64():
    net = Told(torch.float64)
    with torch.no_grad():
        net.conv.weight.fill_(1 + 1e-12)
    image = np.full((4, 4), 0.5)
    found = restoring.denoise(image, net, sigma=255)
    assert np.abs(found).max() < 1e-6


# ------------------------------------------------------------------------------- without colour


def test_what_counts_as_grey():
    grey = picture(9, 7)
    assert is_grey(grey) and is_grey(to_colour(grey))
    eight = np.round(to_colour(grey) * 250)
    for step, expected in ((1, True), (2, True), (3, False)):
        tinted = eight.copy()
        tinted[4, 3, 1] += step
        assert is_grey((tinted / 255).astype(np.float32)) is expected
    assert not is_grey(picture(9, 7, 3))


def test_to_colour_makes_three_equal_channels():
    grey, colour = picture(9, 7), picture(9, 7, 3)
    assert to_colour(colour) is colour
    np.testing.assert_array_equal(to_colour(grey), np.stack([grey] * 3, axis=2))
