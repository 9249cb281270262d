"""NCSR: its neighbours, its classes and bases, its step, and what it gains."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import seeded
from scipy.fft import dct
from scipy.ndimage import gaussian_filter

import dncnn_lib as dn
from dncnn_lib.metrics import psnr
from dncnn_lib.priors import ncsr
from dncnn_lib.priors.ncsr import NCSR, REACH, SETTINGS

pytestmark = pytest.mark.usefixtures("one_thread")
SETTING = SETTINGS[30]


def plane(height: int, width: int) -> torch.Tensor:
    """Flat on the left, random on the right, on the 0–255 scale."""
    values = torch.full((height, width), 128.0)
    values[:, width // 2 :] += 60 * torch.randn(height, width - width // 2, generator=seeded())
    return values


@pytest.mark.parametrize(("stride", "rows", "columns"), [(1, 9, 11), (2, 5, 6)])
def test_neighbours_are_those_of_a_search_of_all_places(stride, rows, columns, monkeypatch):
    monkeypatch.setattr(ncsr, "PATCHES", 20)  # in several parts
    monkeypatch.setattr(ncsr, "STRIDE", stride)
    image = 255 * torch.rand(15, 17, generator=seeded())
    places, weights = ncsr.neighbours(image, 10.0, SETTING)
    wide = np.pad(image.double().numpy(), REACH, mode="symmetric")
    blocks = np.lib.stride_tricks.sliding_window_view(wide, (7, 7))
    assert places.shape == weights.shape == (rows * columns, 16)
    for number in (0, 17, rows * columns - 1):
        top, left = (stride * n + REACH for n in divmod(number, columns))
        around = blocks[top - REACH : top + REACH + 1, left - REACH : left + REACH + 1]
        distances = ((around - blocks[top, left]) ** 2).mean((2, 3)).ravel()
        least = np.sort(distances)[:16]
        y, x = np.divmod(places[number].numpy(), blocks.shape[1])
        assert (y[0], x[0]) == (top, left)
        found = ((blocks[y, x] - blocks[top, left]) ** 2).mean((1, 2))
        assert np.allclose(found, least, atol=0.05)
        least[0] = least[1]
        expected = np.exp(-least / 120)
        assert np.allclose(weights[number], expected / expected.sum(), atol=1e-3)


@pytest.mark.parametrize(("noise", "floor", "h"), [(1.0, 80, 80), (25.0, 80, 300)])
def test_weights_are_wider_the_stronger_the_noise(noise, floor, h):
    _, weights = ncsr.neighbours(plane(20, 20), noise, SETTING)
    assert SETTING.floor == floor
    assert torch.allclose(weights.sum(1), torch.ones(7 * 7), atol=1e-5)
    assert (weights[:, :-1] >= weights[:, 1:]).all()
    assert torch.allclose(weights[0], torch.full((16,), 1 / 16))  # of the flat corner


def test_classes_and_bases(monkeypatch):
    monkeypatch.setattr(ncsr, "STRIDE", 1)
    monkeypatch.setattr(ncsr, "SMALLER", ())
    image = plane(60, 80)
    classes, bases = ncsr.dictionary(image, 25.0, SETTING)
    count = (60 - 6) * (80 - 6)
    assert classes.shape == (count,) and bases.shape[1:] == (49, 49)
    assert classes.unique().tolist() == list(range(len(bases))) and len(bases) > 5
    same = bases @ bases.transpose(1, 2)
    assert torch.allclose(same, torch.eye(49).expand_as(same), atol=1e-5)
    grid = classes.reshape(54, 74)
    assert not grid[:, :30].any() and grid[:, 44:].all()  # 0 is the class of the flat
    patches = image.unfold(0, 7, 1).unfold(1, 7, 1).reshape(-1, 49)[classes == 1]
    values, vectors = np.linalg.eigh(np.cov(patches.double().numpy().T))
    alike = np.abs(bases[1].double().numpy() @ vectors[:, ::-1])
    assert values.min() > 0 and np.allclose(np.diag(alike)[:5], 1, atol=1e-3)


def test_classes_are_of_the_grid_and_smaller_copies_join_them(monkeypatch):
    image = plane(60, 80)
    monkeypatch.setattr(ncsr, "STRIDE", 1)
    everywhere, bases = ncsr.dictionary(image, 25.0, SETTING)
    monkeypatch.undo()
    classes, same = ncsr.dictionary(image, 25.0, SETTING)
    assert torch.equal(bases, same)
    assert torch.equal(classes, everywhere.view(54, 74)[::2, ::2].flatten())
    monkeypatch.setattr(ncsr, "SMALLER", ())
    assert not torch.equal(ncsr.dictionary(image, 25.0, SETTING)[1][:1], bases[:1])
    monkeypatch.undo()
    sizes = [tuple(copy.shape) for copy in ncsr._copies(image, 20)]
    assert sizes == [(38, 51), (25, 33)]  # 16×21 has no patch of 20×20
    level = torch.full((60, 80), 7.0)
    assert all(torch.allclose(copy, copy.new_tensor(7.0)) for copy in ncsr._copies(level, 20))


@pytest.mark.parametrize("contrast", [0.0, 100.0])
def test_an_image_may_be_flat_or_busy_all_over(contrast):
    image = 128 + contrast * torch.randn(12, 13, generator=seeded())
    classes, bases = ncsr.dictionary(image, 5.0, SETTING)
    assert classes.unique().tolist() == [1 if contrast else 0]
    columns = dct(np.eye(7), axis=0, norm="ortho")
    assert np.allclose(bases[0].numpy(), np.kron(columns, columns), atol=1e-5)  # too few for a PCA


def test_clusters_are_found():
    centres = 100 * torch.randn(5, 49, generator=seeded(1))
    owners = torch.arange(5).repeat(300)
    features = centres[owners] + torch.randn(1500, 49, generator=seeded(2))
    found = ncsr._clusters(features, 100)
    assert found.unique().tolist() == list(range(int(found.max()) + 1))
    assert 5 <= len(found.unique()) <= 15  # a true cluster may be cut, but none are mixed
    for cluster in found.unique():
        assert len(owners[found == cluster].unique()) == 1
    assert torch.equal(found, ncsr._clusters(features, 100))


def test_the_blur_is_a_gaussian():
    image = np.random.default_rng(0).random((30, 31)).astype(np.float32)
    expected = gaussian_filter(image, SETTING.blur, mode="reflect", radius=4)
    found = ncsr._blurred(torch.from_numpy(image), SETTING)
    assert np.abs(found.numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("size", [(7, 7), (7, 21), (15, 13)])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_step_is_its_formula(size, stride, monkeypatch):
    monkeypatch.setattr(ncsr, "STRIDE", stride)
    image, noise = plane(*size), 12.0
    classes, bases = ncsr.dictionary(image, noise, SETTING)
    places, weights = ncsr.neighbours(image, noise, SETTING)
    given = image.clone()
    found = ncsr._step(image, noise, SETTING, classes, bases, places, weights)
    assert torch.equal(image, given)
    wide = np.pad(image.double().numpy(), REACH, mode="symmetric")
    blocks = np.lib.stride_tricks.sliding_window_view(wide, (7, 7))
    total, count = np.zeros(size), np.zeros(size)
    for number, (some, weight) in enumerate(zip(places.numpy(), weights.double().numpy())):
        i, j = (stride * n for n in divmod(number, (size[1] - 7) // stride + 1))
        basis = bases[classes[number]].double().numpy()
        around = blocks[some // blocks.shape[1], some % blocks.shape[1]].reshape(-1, 49)
        beta = basis @ (weight @ around)
        variance = np.mean([(basis @ x - beta) ** 2 for x in around], axis=0) - noise**2
        away = basis @ blocks[REACH + i, REACH + j].ravel() - beta
        with np.errstate(divide="ignore"):
            tau = 0.64 * np.sqrt(2) * noise**2 / np.sqrt(np.maximum(variance, 0))
        code = beta + np.sign(away) * np.maximum(np.abs(away) - tau, 0)
        total[i : i + 7, j : j + 7] += (basis.T @ code).reshape(7, 7)
        count[i : i + 7, j : j + 7] += 1
    assert np.abs(found.numpy() - total / count).max() < 0.05


@pytest.mark.parametrize(("sigma", "size"), [(8, 6), (15, 6), (25, 7), (50, 9), (75, 8)])
def test_the_setting_is_that_of_the_noise(sigma, size, monkeypatch):
    used = []
    monkeypatch.setattr(ncsr, "dictionary", lambda x, s, setting: (used.append(setting), None))
    monkeypatch.setattr(ncsr, "neighbours", lambda *_: (None, None))
    monkeypatch.setattr(ncsr, "_step", lambda x, *_: x)
    NCSR().restore(torch.zeros(9, 9), sigma / 255)
    assert used[0].size == size and len(used) == (4 if sigma > 30 else 3)


@pytest.mark.parametrize(("sigma", "least"), [(15, 9), (50, 11)])
def test_it_gains_what_bm3d_does(sigma, least):
    clean = dn.sample_image("camera")[70:134, 270:334]
    noisy = dn.add_gaussian_noise(clean, sigma, seed=0)
    restored = dn.denoise(noisy, NCSR(), sigma=sigma).clip(0, 1)
    gain = psnr(restored, clean, data_range=1.0) - psnr(noisy, clean, data_range=1.0)
    assert gain > least
