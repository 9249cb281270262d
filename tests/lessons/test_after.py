"""Lesson 12: the level that is told, trainings without clean images, what came later."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import seeded
from torch import nn

import dncnn_lib as dn
from dncnn_lib.degrade import GaussianNoise
from dncnn_lib.evaluation import compare
from dncnn_lib.lessons import after
from dncnn_lib.making.tables import published
from dncnn_lib.show.pictures import side_by_side

pytestmark = pytest.mark.usefixtures("one_thread")


class Subtract(nn.Module):
    """Not a denoiser: what it is told is taken off."""

    def forward(self, noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return noisy - sigma


def test_the_words_have_the_numbers(clean, found):
    spread = 255 * np.std(found.degraded - found.restored)
    assert after.told_words(25, 40, found) == (
        f"σ = 25, told 40: noisy {found.degraded_psnr:.1f} dB, restored {found.psnr:.1f} dB "
        f"({found.gain:+.1f} dB); removed: std {spread:.1f}"
    )


def test_two_sliders_choose_the_noise_and_what_the_network_is_told(clean):
    true, told, words, picture = after.told_slider(clean, Subtract(), sigma=10).children
    assert (true.value, told.value, true.max, told.max) == (10, 10, 75, 75)
    for sigma, said in ((10, 30), (60, 30), (0, 0)):
        true.value, told.value = sigma, said
        found = compare(clean, GaussianNoise(sigma), Subtract(), sigma=said)
        assert np.allclose(found.removed, said / 255, atol=1e-6)
        assert words.value == picture.alt == after.told_words(sigma, said, found)
        assert picture.value == side_by_side(
            found.degraded, found.restored, found.removed + 0.5, zoom=2
        )


def test_the_small_network():
    net = after.small_network(0)
    assert (net.depth, net.width, net.batch_norm) == (8, 16, False)
    noisy = torch.rand((1, 1, 9, 9), generator=seeded())
    assert torch.equal(net(noisy), after.small_network(0)(noisy))
    assert not torch.equal(net(noisy), after.small_network(1)(noisy))


@pytest.mark.parametrize("hide", [True, False])
def test_clean_targets_at_hidden_pixels(hide):
    clean = torch.rand((2, 1, 40, 40), generator=seeded())
    noise = GaussianNoise(25)
    given, target = after.at_hidden_pixels(noise, hide=hide)(clean, seeded(1))
    shown, elsewhere, where = given
    assert torch.equal(target, clean) and torch.equal(elsewhere, clean)
    assert 0.005 < where.float().mean() < 0.05
    (masked, noisy, same), _ = dn.noise2void(noise)(clean, seeded(1))
    assert torch.equal(where, same) and torch.equal(shown, masked if hide else noisy)
    answer = dn.BlindSpot(nn.Identity())(*given)
    assert torch.equal(answer[~where], clean[~where])
    assert torch.equal(answer[where], shown[where])


# ---------------------------------------------------------------------------------- what came later


def test_what_came_later_is_told_with_its_sources():
    methods = {found.method: found for found in after.later_methods()}
    assert list(methods)[:2] == ["BM3D", "DnCNN"] and len(methods) >= 9
    assert sorted(m.year for m in methods.values()) == [m.year for m in methods.values()]
    for found in methods.values():
        assert found.source and found.idea and 2000 < found.year < 2030
        for psnr in (found.sidd_benchmark, found.sidd_validation):
            assert psnr is None or 20 < psnr < 45


def test_parameters_are_those_of_the_networks_that_we_can_build():
    counts = {found.method: found.parameters for found in after.later_methods()}

    def size(net: nn.Module) -> int:
        return sum(p.numel() for p in net.parameters())

    assert counts["DnCNN"] == size(dn.DnCNN(depth=17))
    assert counts["FFDNet"] == size(dn.FFDNet(batch_norm=False))
    assert counts["IRCNN"] == size(dn.DnCNN(depth=7, batch_norm=False))  # dilated, as many weights


def test_the_figure_of_what_came_later(figures):
    methods = after.later_methods()
    psnr = {"BM3D": 28.57, "DnCNN": 29.23, "SwinIR": 29.5}
    ax = after.plot_later(methods, psnr)
    dots = [
        tuple(map(float, line.get_xydata()[0])) for line in ax.lines if len(line.get_xydata()) == 1
    ]
    assert dots == [(556_032, 29.23), (11_497_681, 29.5)]
    assert [text.get_text() for text in ax.texts] == ["BM3D 2007", "DnCNN 2017", "SwinIR 2021"]
    assert ax.get_xscale() == "log"


def test_restormer_is_published():
    assert published("Restormer", "gaussian", "BSD68", 25).psnr == 29.52
