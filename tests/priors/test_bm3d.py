"""BM3D: its transforms, its matching, its stages, and the authors' program where it is there."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import pywt
import torch
from helpers import seeded
from scipy.fft import dct as scipy_dct
from scipy.fft import dctn, idctn

import dncnn_lib as dn
from dncnn_lib.metrics import psnr
from dncnn_lib.priors import _blocks, bm3d
from dncnn_lib.priors.bm3d import BM3D, NORMAL, REACH, VERY_NOISY, Stage

pytestmark = pytest.mark.usefixtures("one_thread")

# ------------------------------------------------------------------------------------- transforms


@pytest.mark.parametrize("n", [1, 2, 4, 8, 16, 32])
def test_haar_is_orthonormal_and_of_the_length(n):
    matrix = bm3d.haar(n)
    assert torch.allclose(matrix @ matrix.T, torch.eye(n), atol=1e-6)
    assert torch.allclose(matrix[0], torch.full((n,), n**-0.5), atol=1e-6)
    if n > 1:
        signal = torch.rand(n, generator=seeded())
        expected = np.concatenate(pywt.wavedec(signal.numpy(), "haar"))
        assert torch.allclose(matrix @ signal, torch.from_numpy(expected), atol=1e-6)


@pytest.mark.parametrize("n", [1, 8, 11])
def test_dct_is_that_of_scipy(n):
    expected = scipy_dct(np.eye(n), axis=0, norm="ortho")
    assert np.allclose(bm3d.dct(n).numpy(), expected, atol=1e-6)


def test_bior_has_the_rows_of_pywavelets():
    """Up to their order, sign and norm. It is not orthogonal, and of a flat block leaves one
    coefficient."""
    matrix = bm3d.bior(8).double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a block of 8 is short for the filter
        columns = [pywt.wavedec(e, "bior1.5", "periodization", level=3) for e in np.eye(8)]
    expected = torch.from_numpy(np.stack([np.concatenate(column) for column in columns], axis=1))
    expected /= expected.norm(dim=1, keepdim=True)
    assert torch.allclose(matrix.norm(dim=1), torch.ones(8).double(), atol=1e-6)
    alike = (matrix @ expected.T).abs() > 1 - 1e-6
    assert alike.sum(0).tolist() == alike.sum(1).tolist() == [1] * 8
    assert not torch.allclose(matrix @ matrix.T, torch.eye(8).double(), atol=0.05)
    flat = matrix @ torch.ones(8).double()
    assert flat[0].abs() > 1 and flat[1:].abs().max() < 1e-6


# --------------------------------------------------------------------------------------- matching


def strip(rows: int, columns: int, stage: Stage) -> torch.Tensor:
    """A random guide for a grid of so many references, on the 0–255 scale."""
    sides = ((n - 1) * stage.stride + stage.size + 2 * REACH for n in (rows, columns))
    return 255 * torch.rand(*sides, generator=seeded())


def test_matching_finds_what_a_search_of_all_places_finds():
    stage = Stage(8, 3, 16, 7600)
    guide = strip(2, 3, stage)
    found, counts = bm3d.match(guide, stage)
    blocks = guide.double().unfold(0, 8, 1).unfold(1, 8, 1)
    for number, (i, j) in enumerate(itertools.product(range(2), range(3))):
        top, left = REACH + 3 * i, REACH + 3 * j
        window = blocks[top - REACH : top + REACH + 1, left - REACH : left + REACH + 1]
        distances = ((window - blocks[top, left]) ** 2).mean((2, 3)).flatten()
        best = distances.argsort()[:16]
        rows, columns = best // 39 + top - REACH, best % 39 + left - REACH
        assert found[number].tolist() == (rows * blocks.shape[1] + columns).tolist()
        similar = int((distances.sort().values[:16] <= 7600).sum())
        assert counts[number] <= similar < 2 * counts[number]
    assert len(set(counts.tolist())) > 1


def test_matching_finds_planted_blocks_and_only_these():
    stage = Stage(8, 3, 16, 400)
    guide = strip(1, 1, stage)
    places = [(REACH, REACH), (0, 0), (2 * REACH, 3), (5, 2 * REACH)]
    for i, j in places[1:]:
        guide[i : i + 8, j : j + 8] = guide[REACH : REACH + 8, REACH : REACH + 8]
    found, counts = bm3d.match(guide, stage)
    assert counts.tolist() == [4]
    width = guide.shape[1] - 7
    assert {(p // width, p % width) for p in found[0, :4].tolist()} == set(places)
    assert found[0, 0] == REACH * width + REACH


@pytest.mark.parametrize(("match", "expected"), [(0, 1), (1e6, 32)])
def test_a_block_is_always_in_its_group_and_groups_have_a_limit(match, expected):
    stage = Stage(11, 6, 32, match)
    _, counts = bm3d.match(strip(2, 2, stage), stage)
    assert counts.tolist() == [expected] * 4


# ----------------------------------------------------------------------------------------- stages


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (8, 8), (33, 50)])
@pytest.mark.parametrize("stage", [NORMAL.basic, VERY_NOISY.final])
def test_blocks_come_back_to_their_places(size, stage):
    """Where nothing is shrunk, the image stays, whatever the weights."""
    plane, generator = torch.rand(*size, generator=seeded()), seeded(1)

    def nothing(noisy, guide):
        assert torch.equal(noisy, guide)
        return noisy, 0.1 + torch.rand(len(noisy), generator=generator)

    found = bm3d.collaborative(plane, plane, stage, nothing)
    assert torch.allclose(found, plane, atol=1e-5)


def test_groups_that_are_taken_in_parts_give_the_same(monkeypatch):
    noisy = torch.rand(40, 50, generator=seeded())
    whole = BM3D().restore(noisy, 0.1)
    monkeypatch.setattr(bm3d, "REFERENCES", 30)
    assert torch.allclose(BM3D().restore(noisy, 0.1), whole, atol=1e-5)


def test_beyond_the_border_lies_the_mirror_image():
    plane = torch.rand(5, 3, generator=seeded())
    expected = np.pad(plane.numpy(), ((REACH, REACH + 3), (REACH, REACH + 8)), mode="symmetric")
    assert np.array_equal(_blocks.mirrored(plane, (8, 11), REACH).numpy(), expected)


def test_hard_threshold():
    groups = 255 * torch.rand(3, 4, 64, generator=seeded())
    same, weight = bm3d.hard_threshold(groups, groups, 0.0)
    assert torch.allclose(same, groups, atol=1e-2)
    assert torch.allclose(weight, torch.full((3,), 1 / 256))
    nothing, weight = bm3d.hard_threshold(groups, groups, 1e6)
    assert not nothing.any() and weight.tolist() == [1, 1, 1]
    spread = 20 * torch.randn(50, 16, 64, generator=seeded())
    kept = 1 / bm3d.hard_threshold(spread, spread, 2 * 20.0)[1] / 1024
    assert kept.mean() == pytest.approx(0.0455, abs=0.004)  # of white noise, beyond 2 σ


def test_wiener():
    noisy, guide = 255 * torch.rand(2, 1, 2, 121, generator=seeded())
    sigma = 30.0

    def spectrum(groups):
        first, second = dctn(groups[0].numpy().reshape(2, 11, 11), axes=(1, 2), norm="ortho")
        return np.stack([first + second, first - second]) / np.sqrt(2)

    power = spectrum(guide) ** 2
    gain = power / (power + sigma**2)
    low, high = gain * spectrum(noisy) / np.sqrt(2)
    expected = idctn(np.stack([low + high, low - high]), axes=(1, 2), norm="ortho")
    found, weight = bm3d.wiener(noisy, guide, sigma)
    assert np.abs(found[0].numpy().reshape(2, 11, 11) - expected).max() < 1e-3
    assert float(weight) == pytest.approx(1 / (gain**2).sum(), rel=1e-4)


# ------------------------------------------------------------------------------------- the whole


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return dn.sample_image("camera")[70:166, 250:346]


@pytest.mark.parametrize(("sigma", "least"), [(15, 9), (25, 10), (50, 11)])
def test_both_stages_gain(clean, sigma, least):
    noisy = dn.add_gaussian_noise(clean, sigma, seed=0)
    values = [
        psnr(x.numpy().clip(0, 1), clean, data_range=1.0)
        for x in BM3D().estimates(torch.from_numpy(noisy), sigma / 255)
    ]
    before = psnr(noisy, clean, data_range=1.0)
    assert before + least < values[0] < values[1] - 0.1


def test_it_treats_rows_as_columns(clean):
    noisy = torch.from_numpy(dn.add_gaussian_noise(clean, 25, seed=0))[:60]
    turned = BM3D().restore(noisy.T.contiguous(), 25 / 255).T
    assert (BM3D().restore(noisy, 25 / 255) - turned).abs().max() < 1e-3


def test_what_repeats_is_found_again():
    """Stripes of a width that no small filter keeps: blocks along them are equal."""
    stripes = np.tile(np.repeat([0.2, 0.8], 3), (64, 11))[:, :64].astype(np.float32)
    noisy = dn.add_gaussian_noise(stripes, 50, seed=0)
    restored = dn.denoise(noisy, BM3D(), sigma=50)
    gain = psnr(restored, stripes, data_range=1.0) - psnr(noisy, stripes, data_range=1.0)
    assert gain > 12


@pytest.mark.parametrize("sigma", [15, 25, 50])
def test_it_is_as_good_as_the_authors_program(clean, sigma):
    """PyPI's ``bm3d``: the algorithm of 2020, which chooses λ by itself. Never a dependency: its
    licence is non-commercial."""
    theirs = pytest.importorskip("bm3d")
    noisy = dn.add_gaussian_noise(clean, sigma, seed=0)
    ours = dn.denoise(noisy, BM3D(), sigma=sigma)
    expected = np.asarray(theirs.bm3d(noisy, sigma / 255), np.float32)
    quality = [psnr(x.clip(0, 1), clean, data_range=1.0) for x in (ours, expected)]
    assert quality[0] > quality[1] - 0.3
    assert psnr(ours, expected, data_range=1.0) > quality[1] + 5
