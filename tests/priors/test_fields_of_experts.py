"""The field's energy, its gradient, its minimum, and the derivatives of the minimum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import raises, seeded
from scipy.signal import correlate2d

import dncnn_lib as dn
from dncnn_lib.priors import fields_of_experts
from dncnn_lib.priors.fields_of_experts import Field, FieldsOfExperts

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def field() -> Field:
    """Of 3×3 filters, in float64."""
    filters = torch.randn(4, 9, generator=seeded(), dtype=torch.float64)
    weights = torch.rand(4, generator=seeded(1), dtype=torch.float64)
    noisy = torch.rand(8, 9, generator=seeded(2), dtype=torch.float64)
    return Field(noisy, torch.tensor(30.0).double(), filters, weights)


def test_the_energy_is_its_formula(field):
    x = torch.rand(8, 9, generator=seeded(3), dtype=torch.float64)
    expected = 15 * ((x - field.noisy) ** 2).sum().item()
    for kernel, weight in zip(field.filters, field.weights):
        z = correlate2d(x, kernel.view(3, 3), mode="valid")
        expected += weight.item() * np.log(1 + z**2).sum()
    assert field.energy(x).item() == pytest.approx(expected, rel=1e-12)


def test_the_gradient_and_the_hessian_are_those_of_the_energy(field):
    x = torch.rand(8, 9, generator=seeded(3), dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(field.energy(x), x)
    found = field.gradient(x)
    assert torch.allclose(found, expected, atol=1e-12)
    v = torch.randn(8, 9, generator=seeded(4), dtype=torch.float64)
    (expected,) = torch.autograd.grad((found * v).sum(), x)
    assert torch.allclose(field.curvature(x)(v), expected, atol=1e-12)


def test_the_minimum_is_one(field):
    x = field.minimum()
    assert field.gradient(x).abs().max() < 1e-2 * field.gradient(field.noisy).abs().max()
    least = field.energy(x)
    for seed in range(5):
        near = x + 0.01 * torch.randn(8, 9, generator=seeded(seed), dtype=torch.float64)
        assert field.energy(near) > least


def test_derivatives_of_the_minimum_are_differences_of_it(monkeypatch):
    monkeypatch.setattr(fields_of_experts, "STEPS", 2000)
    monkeypatch.setattr(fields_of_experts, "SOLVER_STEPS", 500)
    experts = FieldsOfExperts(3, (15, 50)).double()
    noisy = torch.rand(9, 10, generator=seeded(), dtype=torch.float64)

    def quality() -> torch.Tensor:
        return (experts.restore(noisy, 25 / 255) ** 3).sum()

    quality().backward()
    h = 1e-3
    for parameter, place in [
        (experts.coefficients, (1, 2)),
        (experts.coefficients, (5, 5)),
        (experts.log_weights, 2),
        (experts.log_trust, 0),
        (experts.log_trust, 1),
    ]:
        with torch.no_grad():
            parameter[place] += h
            more = quality()
            parameter[place] -= 2 * h
            less = quality()
            parameter[place] += h
        difference = ((more - less) / (2 * h)).item()
        assert parameter.grad[place].item() == pytest.approx(difference, rel=0.02, abs=2e-4)


def test_trust_is_interpolated_between_the_levels():
    experts = FieldsOfExperts(3, (15, 25, 50))
    with torch.no_grad():
        experts.log_trust.copy_(torch.tensor([1.0, 4.0, 2.0]).log())

    def trust(sigma: float) -> float:
        return experts.trust(sigma / 255).item() * (sigma / 255) ** 2

    found = [trust(sigma) for sigma in (1, 15, 25, 1250**0.5, 50, 100)]
    assert found == pytest.approx([1, 1, 4, 8**0.5, 2, 2], rel=1e-4)


def test_descent_goes_down_to_what_is_restored():
    experts = FieldsOfExperts()
    clean = torch.from_numpy(dn.sample_image("camera")[70:102, 150:182].copy())
    noisy = dn.add_gaussian_noise(clean[None, None], 25, seed=0)
    steps = experts.descent(noisy[0, 0], 25 / 255)
    energies = [energy for energy, _ in steps]
    assert len(steps) > 5 and energies == sorted(energies, reverse=True)
    assert torch.equal(steps[0][1], noisy[0, 0])
    assert torch.allclose(steps[-1][1], experts(noisy, 25 / 255)[0, 0], atol=1e-6)


def test_filters_have_no_mean():
    experts = FieldsOfExperts()
    assert experts.filters.shape == (24, 25)
    assert experts.filters.sum(1).abs().max() < 1e-4
    assert sum(p.numel() for p in experts.parameters()) == 24 * 24 + 24 + 3


def test_a_wrong_architecture_is_refused():
    with raises(ValueError, "size is 1, but must be an integer of at least 2"):
        FieldsOfExperts(1)
    with raises(ValueError, "levels is 0.0, but must be greater than 0"):
        FieldsOfExperts(levels=(0,))
    with raises(ValueError, "levels is (), but must be a list of noise levels"):
        FieldsOfExperts(levels=())
