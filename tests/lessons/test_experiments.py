"""Comparisons: equal seeds give equal trainings, what is changed is changed, curves are kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import raises, seeded
from torch import nn

from dncnn_lib.degrade import add_gaussian_noise
from dncnn_lib.lessons.experiments import (
    Variant,
    best_rate,
    curves,
    final_psnr,
    held_out_psnr,
    layer_inputs,
    train_variants,
)
from dncnn_lib.model import DnCNN
from dncnn_lib.restoring import denoise
from dncnn_lib.training import TrainConfig

pytestmark = pytest.mark.usefixtures("one_thread")
NETWORK = {"depth": 3, "width": 4}
CONFIG = TrainConfig(steps=4, batch_size=2, patch_size=8, log_every=2, validate_every=4)


@pytest.fixture
def images() -> list[np.ndarray]:
    return [np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)]


def test_variants_with_nothing_changed_are_equal_and_seeds_are_not(images):
    same = {"a": Variant(NETWORK, CONFIG), "b": Variant(NETWORK, CONFIG)}
    found = curves(train_variants(same, images, seeds=(0, 5)))
    losses = {
        (name, seed): [step.loss for step in steps]
        for name, runs in found.items()
        for seed, steps in runs.items()
    }
    assert set(losses) == {("a", 0), ("b", 0), ("a", 5), ("b", 5)}
    assert losses["a", 0] == losses["b", 0] and losses["a", 5] == losses["b", 5]
    assert losses["a", 0] != losses["a", 5]
    assert [step.step for step in found["a"][0]] == [2, 4]


def test_the_network_is_changed_before_training():
    def zero(net: nn.Module) -> None:
        for parameter in net.parameters():
            nn.init.zeros_(parameter)

    net = Variant(NETWORK, CONFIG, change=zero).build(0)
    assert all(not parameter.any() for parameter in net.parameters())
    drawn = Variant(NETWORK, CONFIG).build(3)
    again = Variant({**NETWORK, "residual": False}, CONFIG).build(3)
    for a, b in zip(drawn.parameters(), again.parameters()):
        assert torch.equal(a, b)


def test_a_diverged_training_ends_and_the_next_begins(images):
    config = TrainConfig(
        steps=50, batch_size=2, patch_size=8, optimizer="sgd", lr=1e9, clip_norm=None, warmup=0
    )
    wild = {"wild": Variant({**NETWORK, "batch_norm": False}, config)}
    found = curves(train_variants({**wild, "tame": Variant(NETWORK, CONFIG)}, images, seeds=(0,)))
    assert len(found["wild"][0]) < 50 and not np.isfinite(found["wild"][0][-1].loss)
    assert len(found["tame"][0]) == 2


def test_validation_is_the_mean_psnr_of_the_restored_images(images):
    by_name = {"ramp": images[0], "grey": np.full((9, 7), 0.5, np.float32)}
    noisy = [add_gaussian_noise(i, 50, seed=n).clip(0, 1) for n, i in enumerate(by_name.values())]
    mse = [np.mean((n - i) ** 2) for n, i in zip(noisy, by_name.values())]
    wanted = np.mean([-10 * np.log10(m) for m in mse])
    assert held_out_psnr(by_name, 50)(nn.Identity()) == pytest.approx(wanted, abs=1e-4)
    with raises(ValueError, "images is {}, but must be at least one image"):
        held_out_psnr({}, 50)


def test_images_of_one_size_are_restored_together_as_one_by_one():
    """Each with its own noise, colour as well; a network with batch norm is folded."""
    net = DnCNN(depth=4, width=3)
    for shape in ((9, 7), (9, 7, 3)):
        pictures = dict(enumerate(np.random.default_rng(0).random((3, *shape))))
        one_by_one = []
        for seed, clean in pictures.items():
            restored = denoise(add_gaussian_noise(clean, 25, seed=seed), net).clip(0, 1)
            one_by_one.append(-10 * np.log10(np.mean((restored - clean) ** 2)))
        assert held_out_psnr(pictures)(net) == pytest.approx(np.mean(one_by_one), abs=1e-9)


def test_a_network_that_has_diverged_has_no_psnr(images):
    lost = nn.Conv2d(1, 1, 1)
    nn.init.constant_(lost.weight, np.nan)
    assert np.isnan(held_out_psnr({"ramp": images[0]})(lost))


def test_the_last_psnr_of_every_seed(images):
    validation = held_out_psnr({"ramp": images[0]})
    found = curves(
        train_variants({"a": Variant(NETWORK, CONFIG)}, images, seeds=(0, 1), validation=validation)
    )
    values = [steps[-1].val_psnr for steps in found["a"].values()]
    assert final_psnr(found) == {"a": values} and len(set(values)) == 2
    assert final_psnr({}) == {}


@pytest.mark.parametrize("training", [True, False])
def test_layer_inputs_are_what_each_layer_is_given(training):
    net = DnCNN(depth=4, width=3).train(training)
    noisy = torch.rand(2, 1, 8, 8, generator=seeded())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    convolutions = layer_inputs(net, noisy, nn.Conv2d)
    normalisations = layer_inputs(net, noisy, nn.BatchNorm2d)
    activations = layer_inputs(net, noisy, nn.ReLU)  # in place: must have been copied
    assert [len(found) for found in (convolutions, normalisations, activations)] == [4, 2, 3]
    torch.testing.assert_close(convolutions[0], noisy)
    torch.testing.assert_close(activations[0], net.layers[0](noisy))
    torch.testing.assert_close(convolutions[1], activations[0].relu())
    torch.testing.assert_close(normalisations[0], net.layers[2](convolutions[1]))
    assert (activations[-1] < 0).any()
    after = net.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert net.training == training and not any(m._forward_pre_hooks for m in net.modules())


def test_layer_inputs_leave_no_hook_where_the_network_fails():
    net = DnCNN(depth=3, width=2)
    with raises(ValueError, "noisy's shape is (1, 2, 8, 8), but must be (B, 1, H, W)"):
        layer_inputs(net, torch.zeros(1, 2, 8, 8), nn.Conv2d)
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_the_best_rate_is_that_of_the_highest_mean_and_not_one_that_diverged():
    nan = float("nan")
    assert best_rate({0.1: [20, 30], 0.2: [26, 26], 0.3: [29, 20]}) == 0.2
    assert best_rate({0.1: [nan, 40], 0.2: [20, 20], 0.3: [nan, nan]}) == 0.2
