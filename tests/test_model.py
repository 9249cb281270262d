"""DnCNN: the paper's architecture, the residual contract and batch-norm folding."""

import math

import pytest
import torch
from helpers import lively, seeded, whole
from torch import nn

from dncnn_lib.model import DnCNN

pytestmark = pytest.mark.usefixtures("one_thread")


# ------------------------------------------------------------------------------------- architecture


def test_parameter_counts():
    def count(**arguments):
        return sum(p.numel() for p in DnCNN(**arguments).parameters())

    grey_17 = 9 * 64 + 15 * (9 * 64 * 64 + 2 * 64) + 9 * 64
    assert count() == grey_17 == 556_032  # the figure of the paper's network
    assert count(depth=20) == grey_17 + 3 * (9 * 64 * 64 + 2 * 64) == 667_008
    assert count(depth=20, bias=True) == 667_008 + 19 * 64 + 1 == 668_225
    assert count(channels=3) == 556_032 + 2 * 2 * 9 * 64
    assert count(batch_norm=False) == 9 * 64 + 15 * 9 * 64 * 64 + 9 * 64 + 16 * 64 + 1
    assert count(batch_norm=False, bias=False) == 9 * 64 + 15 * 9 * 64 * 64 + 9 * 64
    assert count(depth=2, width=3) == 2 * 9 * 3


def test_layers_are_those_of_the_paper():
    kinds = [type(layer).__name__ for layer in DnCNN(depth=5, width=4).layers]
    middle = ["Conv2d", "BatchNorm2d", "ReLU"]
    assert kinds == ["Conv2d", "ReLU", *middle, *middle, *middle, "Conv2d"]
    kinds = [type(layer).__name__ for layer in DnCNN(depth=3, width=4, batch_norm=False).layers]
    assert kinds == ["Conv2d", "ReLU", "Conv2d", "ReLU", "Conv2d"]


@pytest.mark.parametrize("depth", [2, 3, 17, 20])
def test_depth_counts_convolutions_of_3_by_3(depth):
    net = DnCNN(depth, width=4, channels=3)
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == depth
    assert all(c.kernel_size == (3, 3) and c.padding == (1, 1) for c in convolutions)
    assert all(c.stride == (1, 1) and c.padding_mode == "zeros" for c in convolutions)
    assert convolutions[0].in_channels == convolutions[-1].out_channels == 3


@pytest.mark.parametrize(
    "arguments, biased",
    [({}, False), ({"bias": True}, True), ({"batch_norm": False}, True)],
    ids=str,
)
def test_biases_are_only_where_nothing_does_their_work(arguments, biased):
    net = DnCNN(4, 4, **arguments)
    assert all((m.bias is not None) == biased for m in net.layers if isinstance(m, nn.Conv2d))


def test_config_builds_the_same_architecture_again():
    arguments = dict(depth=3, width=5, channels=3, residual=False, batch_norm=True, bias=True)
    net = DnCNN(**arguments)
    assert net.config == arguments
    assert DnCNN(**net.config).load_state_dict(net.state_dict()).missing_keys == []
    assert "depth=3, width=5, channels=3, residual=False" in repr(net)


@pytest.mark.parametrize("depth", [2, 4])
def test_receptive_field_measured_by_gradient(depth):
    net = DnCNN(depth, width=2).double().eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.abs_()  # every ReLU passes, so nothing hides a dependence
    noisy = torch.rand((1, 1, 15, 15), generator=seeded(), dtype=torch.float64).requires_grad_()
    net.predict_residual(noisy)[0, 0, 7, 7].backward()
    rows, columns = torch.nonzero(noisy.grad[0, 0], as_tuple=True)
    assert net.receptive_field == 2 * depth + 1
    assert rows.min() == columns.min() == 7 - depth
    assert rows.max() == columns.max() == 7 + depth


# -------------------------------------------------------------------------------- residual contract


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 1, 7, 3), (1, 3, 8, 9)], ids=str)
def test_restored_is_noisy_minus_residual(residual, shape):
    net = lively(DnCNN(3, 4, channels=shape[1], residual=residual))
    noisy = torch.rand(shape, generator=seeded())
    restored, taken = net(noisy), net.predict_residual(noisy)
    assert restored.shape == taken.shape == shape
    torch.testing.assert_close(noisy - taken, restored, rtol=0, atol=1e-6)
    computed = taken if residual else restored
    assert torch.equal(computed, net.layers(noisy))
    assert not torch.allclose(restored, noisy)


def test_the_input_is_left_as_it_is():
    noisy = torch.rand((1, 1, 6, 6), generator=seeded())
    before = noisy.clone()
    lively(DnCNN(3, 4))(noisy)
    assert torch.equal(noisy, before)


@pytest.mark.parametrize(
    "noisy, message",
    [
        (torch.zeros(1, 3, 8, 8), "noisy's shape is (1, 3, 8, 8), but must be (B, 1, H, W)"),
        (torch.zeros(8, 8), "noisy's shape is (8, 8), but must be (B, 1, H, W)"),
        (
            torch.zeros(1, 1, 8, 8, dtype=torch.uint8),
            "noisy's dtype is torch.uint8, but must be floating point, with values around [0, 1]",
        ),
    ],
)
@pytest.mark.parametrize("method", ["forward", "predict_residual"])
def test_wrong_batches(method, noisy, message):
    with pytest.raises(ValueError, match=whole(message)):
        getattr(DnCNN(2, 2), method)(noisy)


def test_arrays_are_sent_to_denoise():
    message = (
        "noisy is a ndarray, but must be a tensor (B, 1, H, W); "
        "for arrays and files use dncnn_lib.denoise"
    )
    with pytest.raises(TypeError, match=whole(message)):
        DnCNN(2, 2)(torch.zeros(8, 8).numpy())


@pytest.mark.parametrize(
    "arguments, kind, message",
    [
        ({"depth": 1}, ValueError, "depth is 1, but must be an integer of at least 2"),
        ({"width": 0}, ValueError, "width is 0, but must be an integer of at least 1"),
        ({"channels": -1}, ValueError, "channels is -1, but must be an integer of at least 1"),
        ({"depth": 17.0}, TypeError, "depth is 17.0 (float), but must be an integer"),
        ({"width": True}, TypeError, "width is True (bool), but must be an integer"),
    ],
)
def test_sizes_that_make_no_network(arguments, kind, message):
    with pytest.raises(kind, match=whole(message)):
        DnCNN(**arguments)


# ----------------------------------------------------------------------------------- initialisation


def test_initialisation_is_the_authors():
    net = DnCNN(depth=6, width=64)
    net.reset_parameters(seeded())
    std = math.sqrt(2 / (9 * 64))
    for layer in net.layers:
        if isinstance(layer, nn.Conv2d):
            spread = 5 / math.sqrt(2 * layer.weight.numel())
            assert layer.weight.std().item() == pytest.approx(std, rel=spread)
    norms = [layer for layer in net.layers if isinstance(layer, nn.BatchNorm2d)]
    gamma = torch.cat([norm.weight for norm in norms]).detach()
    assert gamma.abs().min().item() == pytest.approx(0.025) and gamma.abs().max() < 5 * std
    assert 0.35 < float((gamma < 0).float().mean()) < 0.65
    # |N(0, σ²)| < 0.025 with σ = 0.0589 for a third of them: those were pushed out to 0.025
    pushed = float((gamma.abs() < 0.02501).float().mean())
    assert pushed == pytest.approx(math.erf(0.025 / std / math.sqrt(2)), abs=0.14)
    assert all((norm.bias == 0).all() for norm in norms)


def test_reset_with_a_generator_is_reproducible_and_leaves_the_global_one():
    first, second = DnCNN(4, 8, bias=True), DnCNN(4, 8, bias=True)
    lively(first)
    state = torch.get_rng_state()
    first.reset_parameters(seeded(3))
    second.reset_parameters(seeded(3))
    assert torch.equal(torch.get_rng_state(), state)
    for a, b in zip(first.state_dict().values(), second.state_dict().values()):
        assert torch.equal(a, b)
    second.reset_parameters(seeded(4))
    assert not torch.equal(first.layers[0].weight, second.layers[0].weight)


# ------------------------------------------------------------------------------------------ folding


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_folded_network_is_equal(residual, bias, batch_norm, channels):
    net = lively(DnCNN(5, 8, channels, residual=residual, batch_norm=batch_norm, bias=bias))
    folded = net.fold_batch_norm()
    noisy = torch.rand((2, channels, 12, 9), generator=seeded())
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    assert folded.config == {**net.config, "batch_norm": False, "bias": bias or batch_norm}
    for method in ("forward", "predict_residual"):
        expected, result = getattr(net, method)(noisy), getattr(folded, method)(noisy)
        tolerance = 1e-5 * expected.abs().max().item()
        torch.testing.assert_close(result, expected, rtol=1e-4, atol=tolerance)


def test_the_full_network_folds_to_float_tolerance():
    net = lively(DnCNN(20, 16)).train()
    with torch.no_grad():  # statistics as training leaves them: those of its own activations
        for _ in range(20):
            net(torch.rand((4, 1, 16, 16), generator=seeded(1)))
    net.eval()
    noisy = torch.rand((1, 1, 16, 16), generator=seeded(2))
    with torch.no_grad():
        unfolded = net.predict_residual(noisy)
        result = net.fold_batch_norm().predict_residual(noisy)
        exact = net.double().predict_residual(noisy.double())
        assert 0.1 < exact.abs().max() < 10
        in_double = net.fold_batch_norm().predict_residual(noisy.double())
    torch.testing.assert_close(in_double, exact)
    rounding = (unfolded - exact).abs().max()  # 20 layers of float32, which differs by processor
    assert rounding < 1e-4 and (result - exact).abs().max() < 4 * rounding


def test_folding_changes_nothing_else():
    net = lively(DnCNN(4, 8)).double().train()
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.get_rng_state()
    folded = net.fold_batch_norm()
    assert torch.equal(torch.get_rng_state(), state)
    assert net.training and not folded.training
    assert all(torch.equal(weights[name], value) for name, value in net.state_dict().items())
    assert all(p.dtype == torch.float64 for p in folded.parameters())
    with torch.no_grad():
        folded.layers[0].weight.zero_()  # a copy, not a view
    assert torch.equal(net.layers[0].weight, weights["layers.0.weight"])


def test_a_folded_network_can_be_trained():
    folded = lively(DnCNN(3, 4)).fold_batch_norm()
    folded(torch.rand((1, 1, 6, 6), generator=seeded())).sum().backward()
    assert all(p.grad is not None for p in folded.parameters())
