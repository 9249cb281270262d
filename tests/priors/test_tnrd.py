"""TNRD: a step against its formula, and what its parameters are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import raises, seeded
from scipy.signal import convolve2d, correlate2d

from dncnn_lib.priors.tnrd import TNRD, Step
from dncnn_lib.restoring import denoise

pytestmark = pytest.mark.usefixtures("one_thread")


def disturbed(module: torch.nn.Module) -> torch.nn.Module:
    with torch.no_grad():
        for number, parameter in enumerate(module.parameters()):
            parameter += 0.1 * torch.randn(parameter.shape, generator=seeded(number))
    return module


@pytest.mark.parametrize(("size", "shape"), [(3, (9, 12)), (5, (11, 7)), (5, (1, 2))])
def test_a_step_is_its_formula(size, shape):
    """Written with SciPy, on the mirrored plane: every response that touches it counts."""
    step = disturbed(Step(size, 1.0, first=False))
    u, noisy = torch.rand(2, *shape, generator=seeded())
    pad, count = size - 1, size**2 - 1
    padded = np.pad(u.numpy(), pad, mode="symmetric")
    centres = np.linspace(-310, 310, 63) / 255
    expected = u - step.log_trust.exp().item() * (u - noisy)
    for kernel, weights in zip(step.filters.detach(), step.influence.weights.detach().numpy()):
        kernel = kernel.view(size, size).numpy()
        z = correlate2d(padded, kernel, mode="valid")
        gaussians = np.exp(-((z[..., None] - centres) ** 2) / (2 * (10 / 255) ** 2))
        back = convolve2d((weights * gaussians).sum(-1), kernel, mode="valid")
        expected = expected - torch.from_numpy(back).float() / count
    found = step(u[None], noisy[None])[0]
    assert (found - u).abs().max() > 0.05
    assert torch.allclose(found, expected, atol=5e-3)


def test_filters_have_no_mean_and_the_norm_one():
    filters = disturbed(Step(7, 1.0, first=True)).filters
    assert filters.shape == (48, 49)
    assert filters.sum(1).abs().max() < 1e-5
    assert torch.allclose(filters.norm(dim=1), torch.ones(48))


def test_the_first_influence_is_that_of_the_student_t_penalty():
    step = Step(5, 1.0, first=True)
    step.reset(strength=10)
    z = 255 * step.influence.points
    expected = 24 * 10 * 0.005 * z / (1 + (z / 20) ** 2) / 255
    inside = z.abs() < 290
    assert (step.influence.table() - expected)[:, inside].abs().max() < 0.01 * expected.max()


@pytest.mark.parametrize(("size", "published"), [(5, 2089), (7, 5329)])
def test_parameters_of_a_stage_are_those_of_the_paper(size, published):
    """In the first stage u = y, so that the published λ has no effect: ours has none."""
    counts = [sum(p.numel() for p in step.parameters()) for step in TNRD(size).parts[0].stages]
    assert counts == [published - 1] + [published] * 4


def test_the_nearest_level_answers():
    tnrd = TNRD(3, 1, (15, 25, 50))
    for part, change in zip(tnrd.parts, (0.1, 0.2, 0.3)):
        part.forward = lambda noisy, change=change: noisy + change
    plane = torch.zeros(1, 1, 4, 4)
    for sigma, expected in [(1, 0.1), (19, 0.1), (20, 0.2), (35, 0.2), (36, 0.3), (200, 0.3)]:
        assert tnrd(plane, sigma / 255).mean().item() == pytest.approx(expected)
    assert tnrd.parts[1].stages[0].influence.reach == pytest.approx(310 / 255)
    assert tnrd.parts[2].stages[0].influence.reach == pytest.approx(387.5 / 255)


def test_a_wrong_architecture_is_refused():
    with raises(ValueError, "size is 1, but must be an integer of at least 2"):
        TNRD(1)
    with raises(ValueError, "stages is 0, but must be an integer of at least 1"):
        TNRD(stages=0)
    with raises(ValueError, "levels is (), but must be a list of noise levels"):
        TNRD(levels=())
    with raises(ValueError, "levels is (25, 15), but must be in rising order"):
        TNRD(levels=(25, 15))
    with raises(ValueError, "levels is 0.0, but must be greater than 0"):
        TNRD(levels=(0,))


def test_a_pixel_depends_on_its_receptive_field():
    tnrd = disturbed(TNRD(3, 2, (25,)))
    assert tnrd.receptive_field == 9 and TNRD(7, 5).receptive_field == 61
    noisy = torch.rand(1, 1, 21, 21, generator=seeded(), requires_grad=True)
    (gradient,) = torch.autograd.grad(tnrd(noisy, 25 / 255)[0, 0, 10, 10], noisy)
    rows, columns = gradient[0, 0].nonzero(as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (6, 14, 6, 14)


def test_a_large_image_is_restored_in_tiles():
    tnrd = disturbed(TNRD(3, 2, (25,)))
    noisy = torch.rand(1, 1, 50, 61, generator=seeded())
    whole, tiled = (denoise(noisy, tnrd, sigma=25, tile=tile) for tile in (None, 20))
    assert torch.allclose(whole, tiled, atol=1e-5)
