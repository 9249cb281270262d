"""The DCT's filters, the correlation and its transpose, and functions made of Gaussians."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import seeded
from scipy.fft import idctn
from scipy.signal import convolve2d, correlate2d

from dncnn_lib.priors._blocks import constant
from dncnn_lib.priors._filters import RadialBasis, adjoint, dct_filters, responses

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("size", [2, 5, 7])
def test_the_filters_are_scipys_dct_without_the_mean(size):
    filters = dct_filters(size)
    assert filters.shape == (size**2 - 1, size**2)
    for number, found in enumerate(filters, 1):
        unit = np.zeros(size**2)
        unit[number] = 1
        expected = idctn(unit.reshape(size, size), norm="ortho")
        assert np.allclose(found.reshape(size, size).numpy(), expected, atol=1e-6)
    assert filters.sum(1).abs().max() < 1e-5


def test_responses_are_scipys_correlations():
    planes, filters = torch.rand(2, 9, 8, generator=seeded()), dct_filters(3)[2:5]
    found = responses(planes, filters, 3)
    assert found.shape == (2, 3, 7 * 6)
    for plane, of_plane in zip(planes, found):
        for kernel, values in zip(filters, of_plane):
            expected = correlate2d(plane, kernel.view(3, 3), mode="valid")
            assert np.allclose(values.view(7, 6).numpy(), expected, atol=1e-6)


def test_the_transpose_is_the_full_convolution():
    filters = torch.rand(2, 9, generator=seeded())
    values = torch.rand(1, 2, 7 * 6, generator=seeded(1))
    found = adjoint(values, filters, 3, (9, 8))
    expected = sum(
        convolve2d(v.view(7, 6), f.view(3, 3), mode="full") for v, f in zip(values[0], filters)
    )
    assert np.allclose(found[0].numpy(), expected, atol=1e-5)


# ------------------------------------------------------------------------------------ radial basis


def gaussians(z: np.ndarray, weights: np.ndarray, centres: np.ndarray, width: float) -> np.ndarray:
    return (weights * np.exp(-((z[..., None] - centres) ** 2) / (2 * width**2))).sum(-1)


def test_the_function_is_the_sum_of_its_gaussians():
    basis = RadialBasis(3, 1.0, 0.1)
    assert basis.weights.shape == (3, 21)
    with torch.no_grad():
        basis.weights.copy_(torch.randn(3, 21, generator=seeded()))
    z = torch.rand(2, 3, 500, generator=seeded(1)) * 2 - 1
    found = basis(z).detach().numpy()
    for i in range(3):
        weights = basis.weights[i].detach().numpy()
        expected = gaussians(z[:, i].numpy(), weights, np.linspace(-1, 1, 21), 0.1)
        assert np.abs(found[:, i] - expected).max() < 0.002 * np.abs(weights).sum()


def test_beyond_the_centres_the_function_stays():
    basis = RadialBasis(1, 1.0, 0.5)
    with torch.no_grad():
        basis.weights.copy_(torch.tensor([[3.0, 0, 0, 0, -5.0]]))
    z = torch.tensor([[[-40.0, -1.0, 1.0, 1.5, 1e6]]], requires_grad=True)
    found = basis(z)
    low, high = 3 - 5 * np.exp(-8), 3 * np.exp(-8) - 5
    assert np.allclose(found.detach().numpy(), [low, low, high, high, high], atol=1e-5)
    (gradient,) = torch.autograd.grad(found.sum(), z)
    assert gradient[0, 0, [0, 3, 4]].tolist() == [0, 0, 0]


def test_gradients_of_the_argument_and_of_the_weights():
    """Between two points of the table the function is linear, so differences are exact."""
    basis = RadialBasis(2, 1.0, 0.25).double()
    with torch.no_grad():
        basis.weights.copy_(torch.randn(2, 9, generator=seeded(), dtype=torch.float64))
    step = 0.25 / RadialBasis.FINE
    whole = torch.randint(-31, 31, (2, 2, 40), generator=seeded(1))
    part = 0.1 + 0.8 * torch.rand(2, 2, 40, generator=seeded(2), dtype=torch.float64)
    z = (whole * step + part * step).requires_grad_()

    def of(z: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        basis.weights.data = weights
        return basis(z)

    wanted = torch.randn(2, 2, 40, generator=seeded(3), dtype=torch.float64)
    by_z, by_weights = torch.autograd.grad((basis(z) * wanted).sum(), [z, basis.weights])
    weights, h = basis.weights.detach().clone(), 1e-4
    with torch.no_grad():
        difference = (of(z + h, weights) - of(z - h, weights)) / (2 * h) * wanted
        assert torch.allclose(by_z, difference, atol=1e-8)
        for place in [(0, 0), (0, 5), (1, 8)]:
            more = weights.clone()
            more[place] += 1
            difference = ((of(z, more) - of(z, weights)) * wanted).sum()
            assert by_weights[place].item() == pytest.approx(difference.item(), abs=1e-9)


def test_it_becomes_a_function():
    basis = RadialBasis(4, 1.0, 0.1)
    wanted = basis.points * torch.exp(-8 * basis.points**2)
    basis.become(wanted)
    assert (basis.table() - wanted).abs().max() < 1e-3


def test_a_constant_serves_training_wherever_it_was_first_needed():
    made = constant(lambda n: torch.arange(float(n)))
    with torch.inference_mode(), torch.device("meta"):
        first = made(3)
    assert made(3) is first and first.device.type == "cpu"
    weight = torch.ones(3, requires_grad=True)
    (weight * first).sum().backward()
    assert weight.grad.tolist() == [0, 1, 2]
