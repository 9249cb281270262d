"""What holds for every prior: the contract with ``denoise``, and the one door by name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import integers, picture, raises
from torch import nn

import dncnn_lib as dn
from dncnn_lib import priors, zoo
from dncnn_lib.metrics import psnr
from dncnn_lib.priors import PRIORS
from dncnn_lib.priors._prior import Prior, TrainedPrior
from dncnn_lib.restoring import denoise

pytestmark = pytest.mark.usefixtures("one_thread")
every_prior = pytest.mark.parametrize("name", PRIORS)


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    """Flat sky, and the edges of a tower."""
    return dn.sample_image("camera")[70:122, 150:202]


@every_prior
@pytest.mark.parametrize(("sigma", "least"), [(15, 2.0), (25, 3.5), (50, 6.5)])
def test_noise_is_removed(name, sigma, least, clean):
    noisy = dn.add_gaussian_noise(clean, sigma, seed=0)
    restored = denoise(noisy, priors.load_model(name), sigma=sigma).clip(0, 1)
    assert psnr(restored, clean, data_range=1.0) > psnr(noisy, clean, data_range=1.0) + least


@pytest.mark.parametrize("name", [name for name in PRIORS if name != "jain-seung"])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_flat_image_stays(name, value):
    flat = torch.full((1, 1, 20, 23), value)
    assert (priors.load_model(name)(flat, 0.1) - flat).abs().max() < 2e-5


@every_prior
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (1, 12), (8, 8), (11, 30)])
@pytest.mark.parametrize("sigma", [25, 60])
def test_any_size_batch_and_number_of_channels(name, size, sigma):
    noisy = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    given, prior = noisy.clone(), priors.load_model(name)
    restored = denoise(noisy, prior, sigma=sigma)
    assert restored.shape == noisy.shape and torch.isfinite(restored).all()
    assert torch.equal(noisy, given)
    for channel in (0, 2):
        alone = prior(noisy[1:, channel : channel + 1], sigma / 255)
        assert torch.allclose(restored[1, channel], alone[0, 0], atol=1e-5)


@every_prior
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64"])
def test_every_dtype_that_denoise_takes(name, dtype):
    prior = priors.load_model(name)
    noisy = picture(12, 13)
    if dtype.startswith("uint"):
        noisy = integers(1, np.dtype(dtype).type, 12, 13)
    restored = denoise(noisy, prior, sigma=25)
    assert (restored.dtype, restored.shape) == (np.dtype(dtype) if noisy.dtype.kind == "u"
                                                else np.float32, (12, 13))  # fmt: skip
    if noisy.dtype.kind == "f":
        assert denoise(noisy.astype(dtype), prior, sigma=25).dtype == np.dtype(dtype)
        double = prior(torch.from_numpy(noisy.astype(np.float64))[None, None], 0.1)
        assert double.dtype == torch.float64


@every_prior
def test_no_noise_changes_nothing(name):
    noisy = picture(9, 10, 3)
    assert np.array_equal(denoise(noisy, priors.load_model(name), sigma=0), noisy)


@every_prior
def test_half_precision_is_not_used(name):
    noisy = picture(16, 16)
    prior = priors.load_model(name)
    assert np.array_equal(
        denoise(noisy, prior, sigma=25, precision="bf16"), denoise(noisy, prior, sigma=25)
    )


@every_prior
def test_what_is_not_one_noise_level_is_refused(name):
    prior, noisy = priors.load_model(name), picture(8, 9)
    kind = type(prior).__name__
    rule = f"the noise level on the 0–255 scale: {kind} needs it"
    with raises(ValueError, f"sigma is None, but must be {rule}"):
        denoise(noisy, prior)
    rule = f"one number: {kind} knows no map of noise levels"
    with raises(ValueError, f"sigma's shape is (1, 1, 8, 9), but must be {rule}"):
        denoise(noisy, prior, sigma=np.full((8, 9), 25.0))
    with raises(ValueError, "sigma is -1.0, but must be at least 0"):
        prior(torch.zeros(1, 1, 8, 8), -1)
    with raises(ValueError, "sigma is nan, but must be finite"):
        prior(torch.zeros(1, 1, 8, 8), torch.tensor(torch.nan))
    noisy[3, 4] = np.nan
    with raises(ValueError, "noisy has NaN or infinite values, but must be finite everywhere"):
        denoise(noisy, prior, sigma=25)


# ---------------------------------------------------------------------------------- the one door


def test_one_door_for_networks_and_priors():
    names = priors.model_names()
    assert set(names) == {*zoo.model_names(), *PRIORS} and len(set(names)) == len(names)
    assert names[-len(PRIORS) :] == list(PRIORS)
    for name in ["dncnn-b", "dncnn-s-25", *PRIORS]:
        model = priors.load_model(name)
        assert isinstance(model, nn.Module) and priors.about(name) and type(model).__doc__
        assert isinstance(model, Prior if name in PRIORS else dn.DnCNN)


def test_a_file_is_a_model(tmp_path):
    net = dn.DnCNN(3, 4)
    dn.save_pretrained(net, tmp_path / "bm3d.safetensors")
    for path in (tmp_path / "bm3d.safetensors", str(tmp_path / "bm3d.safetensors")):
        assert priors.load_model(path).config == net.config
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        priors.load_model("missing.pth")


def test_an_unknown_name_lists_all_known_ones():
    names = ", ".join(map(repr, priors.model_names()))
    rule = f"one of {names}, or the path of a file"
    with raises(ValueError, f"name_or_path is 'bm4d', but must be {rule}"):
        priors.load_model("bm4d")
    with raises(ValueError, f"name is 'bm4d', but must be one of {names}"):
        priors.about("bm4d")


# ---------------------------------------------------------------------------------------- trained


@pytest.mark.parametrize("name", [name for name in PRIORS if name in zoo.model_names()])
def test_a_trained_prior_is_saved_and_comes_back(name, tmp_path):
    prior = priors.load_model(name)
    dn.save_pretrained(prior, tmp_path / "mine.safetensors")
    again = priors.load_model(tmp_path / "mine.safetensors")
    noisy = torch.from_numpy(picture(9, 11))[None, None]
    assert again.config == prior.config
    for sigma in (15, 25, 50):
        assert torch.equal(again(noisy, sigma / 255), prior(noisy, sigma / 255))
    fresh = type(prior)(**prior.config)
    assert not torch.allclose(fresh(noisy, 0.1), prior(noisy, 0.1), atol=1e-3)


def test_each_level_is_restored_best_by_its_own_parameters(clean):
    for name in PRIORS:
        prior = priors.load_model(name)
        if not isinstance(prior, TrainedPrior):
            continue
        for sigma in prior.levels:
            noisy = dn.add_gaussian_noise(clean, sigma, seed=0)
            quality = {
                told: psnr(denoise(noisy, prior, sigma=told).clip(0, 1), clean, data_range=1.0)
                for told in prior.levels
            }
            assert max(quality, key=quality.get) == sigma, name
