"""Lesson 06: batch norm in its three modes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import raises, seeded, small_net
from skimage.metrics import peak_signal_noise_ratio

from dncnn_lib.degrade import add_gaussian_noise
from dncnn_lib.evaluation import Comparison
from dncnn_lib.lessons.normalisation import (
    NORM_MODES,
    batch_norm_at,
    batch_norm_switch,
    batch_norm_words,
)
from dncnn_lib.model import DnCNN
from dncnn_lib.show.pictures import side_by_side


@pytest.fixture
def trained() -> DnCNN:
    """Not trained, but with the running statistics of a few batches."""
    net = small_net(depth=4)
    with torch.no_grad():
        for seed in range(3):
            net(torch.rand(4, 1, 12, 12, generator=seeded(seed)))
    return net.eval()


def test_only_train_mode_looks_at_the_rest_of_the_batch(clean, trained):
    black = [np.zeros_like(clean)] * 2
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    alone = {mode: batch_norm_at(clean, trained, mode) for mode in NORM_MODES}
    beside = {mode: batch_norm_at(clean, trained, mode, black) for mode in NORM_MODES}
    for mode in ("eval", "folded"):
        np.testing.assert_allclose(beside[mode].restored, alone["eval"].restored, atol=1e-5)
    assert np.abs(beside["train"].restored - alone["train"].restored).max() > 1e-3
    assert all(torch.equal(trained.state_dict()[name], value) for name, value in before.items())
    assert not trained.training


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_at_is_the_network_in_that_mode(clean, trained, training):
    noisy = [add_gaussian_noise(image, 10, seed=n) for n, image in enumerate((clean, 1 - clean))]
    trained.train(not training)
    found = batch_norm_at(clean, trained, "train" if training else "eval", [1 - clean], sigma=10)
    assert trained.training == (not training)
    with torch.no_grad():
        batch = torch.from_numpy(np.stack(noisy)[:, None])
        expected = trained.train(training)(batch)[0, 0].numpy()
    np.testing.assert_allclose(found.restored, expected, atol=1e-6)
    np.testing.assert_array_equal(found.degraded, noisy[0])
    assert found.clean is clean


def test_an_unknown_mode_is_refused(clean, trained):
    with raises(ValueError, "mode is 'test', but must be one of 'eval', 'train', 'folded'"):
        batch_norm_at(clean, trained, "test")


def test_the_words_compare_with_eval_mode(clean, found):
    other = Comparison(clean, found.degraded, clean + 0.1)
    psnr, at_eval = (
        peak_signal_noise_ratio(clean, image.clip(0, 1), data_range=1)
        for image in (found.restored, clean + 0.1)
    )
    numbers = f"{psnr:.1f} dB ({psnr - at_eval:+.1f} dB against eval mode)"
    for others, company in ((0, "nothing else"), (1, "1 other picture"), (3, "3 other pictures")):
        words = batch_norm_words("train", others, found, other)
        assert words == f"train, {company} in the batch: {numbers}"


def test_the_switches_choose_mode_and_company(clean, trained):
    company = {"nothing": [], "black": [np.zeros_like(clean)]}
    view = batch_norm_switch(clean, trained, company, sigma=10, zoom=2)
    modes, beside, words, picture = view.children
    in_eval_mode = batch_norm_at(clean, trained, "eval", sigma=10)
    shown = set()
    for mode in NORM_MODES:
        for label, others in company.items():
            modes.value, beside.value = mode, label
            found = batch_norm_at(clean, trained, mode, others, sigma=10)
            told = batch_norm_words(mode, len(others), found, in_eval_mode)
            assert words.value == picture.alt == told
            assert picture.value == side_by_side(found.degraded, found.restored, zoom=2)
            shown.add(picture.value)
    assert len(shown) >= 3
