"""CSF: a stage solves its least-squares problem, and what its parameters are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import raises, seeded
from scipy.ndimage import correlate

from dncnn_lib.priors.csf import BORDER, CSF, Stage

pytestmark = pytest.mark.usefixtures("one_thread")


def wrapped(plane: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The correlation of a periodic plane, the kernel's first pixel at each place."""
    size = len(kernel)
    return correlate(plane, kernel, mode="wrap", origin=-(size // 2))


def wrapped_back(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Its transpose."""
    size = len(kernel)
    return correlate(values, kernel[::-1, ::-1].copy(), mode="wrap", origin=size // 2)


def test_the_transpose_of_the_oracle_is_one():
    rng = np.random.default_rng(0)
    x, v, kernel = rng.random((8, 9)), rng.random((8, 9)), rng.random((3, 3))
    assert (wrapped(x, kernel) * v).sum() == pytest.approx((x * wrapped_back(v, kernel)).sum())


def test_a_stage_solves_its_normal_equations(monkeypatch):
    """(λ + Σ A_iᵀ A_i) x = λ y + Σ A_iᵀ π_i(A_i x₀), A_i the correlation of a periodic plane."""
    monkeypatch.setattr("dncnn_lib.priors.csf.BORDER", 0)
    monkeypatch.setattr("dncnn_lib.priors.csf._continued", lambda planes: planes)
    stage = Stage(3)
    with torch.no_grad():
        for number, parameter in enumerate(stage.parameters()):
            parameter += 0.1 * torch.randn(parameter.shape, generator=seeded(number))
    x, y = torch.rand(2, 10, 13, generator=seeded())
    centres = np.linspace(-260, 260, 53) / 255
    solved = []
    real = torch.fft.irfft2

    def inverse(*given, **options):
        solved.append(real(*given, **options))
        return solved[-1]

    monkeypatch.setattr(torch.fft, "irfft2", inverse)
    stage(x[None], y[None])
    found, trust = solved[-1][0].detach().numpy(), stage.log_trust.exp().item()
    left, right = trust * found, trust * y.numpy()
    for kernel, weights in zip(stage.filters.detach(), stage.shrinkage.weights.detach().numpy()):
        kernel = kernel.view(3, 3).numpy()
        z = wrapped(x.numpy(), kernel)
        gaussians = np.exp(-((z[..., None] - centres) ** 2) / (2 * (10 / 255) ** 2))
        shrunk = (weights * gaussians).sum(-1)
        left = left + wrapped_back(wrapped(found, kernel), kernel)
        right = right + wrapped_back(shrunk, kernel)
    assert np.abs(left - right).max() < 5e-3 < np.abs(right - trust * y.numpy()).max() / 10


def test_the_border_is_repeated():
    """A plane and the same plane with its border repeated once more restore to the same inside,
    but for what the far ends of the longer one add."""
    stage, plane = Stage(5), torch.rand(1, 30, 30, generator=seeded())
    wide = torch.nn.functional.pad(plane[None], (BORDER,) * 4, mode="replicate")[0]
    alone, inside = stage(plane, plane), stage(wide, wide)[:, BORDER:-BORDER, BORDER:-BORDER]
    assert (alone - inside).abs().max() < 0.02
    assert (alone - plane).abs().max() > 0.05


def test_large_responses_pass_at_first_and_small_ones_are_shrunk():
    stage = Stage(5)
    stage.reset()
    z, shrunk = 255 * stage.shrinkage.points, 255 * stage.shrinkage.table()[7].detach()
    large = (z.abs() > 50) & (z.abs() < 240)
    assert torch.allclose(shrunk[large], z[large], rtol=0.01)
    small = (z.abs() > 0) & (z.abs() < 8)
    assert (shrunk[small].abs() < 0.5 * z[small].abs()).all()


@pytest.mark.parametrize(("size", "published"), [(5, 1849), (7, 4849)])
def test_parameters_of_a_stage_are_those_of_the_paper(size, published):
    for stage in CSF(size, 2, (25,)).parts[0].stages:
        assert sum(p.numel() for p in stage.parameters()) == published


def test_filters_have_no_mean_and_the_norm_one():
    filters = Stage(7).filters
    assert filters.sum(1).abs().max() < 1e-5
    assert torch.allclose(filters.norm(dim=1), torch.ones(48))


def test_a_wrong_architecture_is_refused():
    with raises(ValueError, "size is 1, but must be an integer of at least 2"):
        CSF(1)
    with raises(ValueError, "stages is 0, but must be an integer of at least 1"):
        CSF(stages=0)
