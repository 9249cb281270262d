"""FFDNet: its parameters, its noise level, and any size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import picture, raises, seeded
from torch import nn

import dncnn_lib as dn
from dncnn_lib import zoo
from dncnn_lib.ffdnet import FFDNet

pytestmark = pytest.mark.usefixtures("one_thread")


def small(**changes) -> FFDNet:
    net = FFDNet(**{"depth": 4, "width": 6} | changes)
    net.reset_parameters(seeded())
    return net.eval()


def test_the_parameters_of_the_published_network():
    """KAIR's ``ffdnet_gray.pth``: 15 convolutions with biases, 485,316 numbers."""
    first, hidden, last = 9 * 5 * 64 + 64, 9 * 64 * 64 + 64, 9 * 64 * 4 + 4
    net = FFDNet(batch_norm=False)
    assert sum(p.numel() for p in net.parameters()) == first + 13 * hidden + last == 485_316
    assert sum(isinstance(m, nn.Conv2d) for m in net.modules()) == 15


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("size", [(1, 1), (7, 12), (9, 5)], ids=str)
def test_any_size(channels, factor, size):
    noisy = torch.rand((2, channels, *size), generator=seeded())
    restored = small(channels=channels, factor=factor)(noisy, 0.1)
    assert restored.shape == noisy.shape and restored.isfinite().all()


def test_a_number_is_a_map_of_that_number():
    noisy = torch.rand((2, 1, 9, 8), generator=seeded())
    net = small()
    one = net(noisy, 0.1)
    for sigma in (torch.tensor(0.1), torch.full((2, 1, 1, 1), 0.1), torch.full((2, 1, 9, 8), 0.1)):
        assert torch.equal(net(noisy, sigma), one)
    assert not torch.allclose(net(noisy, 0.3), one, atol=1e-4)


def test_the_map_acts_where_it_is():
    noisy = torch.rand((1, 1, 40, 80), generator=seeded())
    sigma = torch.full((1, 1, 40, 80), 0.1)
    sigma[..., 60:] = 0.3
    changed = (small()(noisy, sigma) - small()(noisy, 0.1)).abs().sum((0, 1, 2)) > 0
    reach = 2 * 4 + 1  # four layers at half the resolution
    assert changed[60:].all() and not changed[: 60 - reach - 1].any()


def test_denoise_passes_the_level_in_units_of_one():
    noisy, net = picture(12, 10), small()
    restored = dn.denoise(noisy, net, sigma=51)
    expected = net(torch.from_numpy(noisy)[None, None], 0.2)[0, 0].detach().numpy()
    assert np.allclose(restored, expected, atol=1e-6)
    levels = np.full((12, 10), 51.0)
    assert np.allclose(dn.denoise(noisy, net, sigma=levels), restored, atol=1e-6)
    with pytest.raises(ValueError, match="FFDNet needs it"):
        dn.denoise(noisy, net)


def test_a_few_steps_with_a_noise_map():
    net = small(depth=3)
    images = [np.full((24, 24), 128, np.uint8)]
    config = dn.TrainConfig(steps=60, batch_size=4, patch_size=12, lr=1e-2)
    steps = list(dn.train(net, images, dn.with_noise_map(dn.GaussianNoise((0, 75))), config))
    assert steps[-1].loss < 0.1 * steps[0].loss


def test_saved_and_loaded(tmp_path):
    net = small(channels=3, factor=1, batch_norm=False)
    zoo.save_pretrained(net, tmp_path / "net.safetensors")
    again = dn.load_pretrained(tmp_path / "net.safetensors")
    noisy = torch.rand((1, 3, 8, 8), generator=seeded())
    assert isinstance(again, FFDNet) and again.config == net.config
    assert torch.equal(again(noisy, 0.1), net(noisy, 0.1))


def test_what_it_refuses():
    with raises(ValueError, "noisy's shape is (1, 3, 8, 8), but must be (B, 1, H, W)"):
        small()(torch.zeros(1, 3, 8, 8), 0.1)
    with raises(ValueError, "sigma is (1, 1, 4, 4), but must be one that fits (2, 1, 8, 8)"):
        small()(torch.zeros(2, 1, 8, 8), torch.zeros(1, 1, 4, 4))
    with raises(ValueError, "factor is 0, but must be an integer of at least 1"):
        FFDNet(factor=0)
