"""Muon: its step against the singular value decomposition, and which parameters are whose."""

import pytest
import torch
from torch import nn

from dncnn_lib.optim import Muon, make_optimizer


def layer(outputs=6, inputs=5, memory_format=torch.contiguous_format):
    conv = nn.Conv2d(inputs, outputs, 3)
    weight = torch.randn(conv.weight.shape, generator=torch.Generator().manual_seed(0))
    conv.weight.data.copy_(weight)
    conv.bias.data.zero_()
    return conv.to(memory_format=memory_format)


def step_of(conv, gradient, **options):
    """How the weights move in one step of learning rate 0.1."""
    before = conv.weight.detach().clone()
    optimizer = Muon(conv, lr=0.1, **options)
    conv.weight.grad = gradient.clone()
    conv.bias.grad = torch.ones_like(conv.bias)
    optimizer.step()
    return conv.weight.detach() - before


GRADIENT = torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(1))


def test_the_step_has_the_gradients_directions_and_equal_lengths_in_all_of_them():
    """G = UΣVᵀ; the step is −UDVᵀ with D near 1, times Adam's size 0.2·√45 and the rate."""
    u, sizes, v = torch.linalg.svd(GRADIENT.flatten(1).double(), full_matrices=False)
    step = step_of(layer(), GRADIENT).flatten(1).double() / (-0.1 * 0.2 * 45**0.5)
    inside = u.T @ step @ v.T
    assert sizes.max() / sizes.min() > 1.5
    assert torch.allclose(inside, torch.diag(inside.diag()), atol=0.03)  # it computes in bf16
    assert 0.6 < inside.diag().min() and inside.diag().max() < 1.3
    assert torch.allclose(u @ inside @ v, step, atol=0.03)


def test_the_size_of_the_gradient_does_not_matter():
    assert torch.allclose(step_of(layer(), GRADIENT), step_of(layer(), 1000 * GRADIENT), atol=2e-3)


@pytest.mark.parametrize("gradients", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("weights", [torch.contiguous_format, torch.channels_last])
def test_the_order_in_memory_does_not_matter(weights, gradients):
    given = GRADIENT.contiguous(memory_format=gradients)
    moved = step_of(layer(memory_format=weights), given)
    assert torch.allclose(moved, step_of(layer(), GRADIENT), atol=2e-3)


def test_a_network_that_changes_its_order_in_memory_is_still_trained():
    conv = layer()
    optimizer = Muon(conv, lr=0.1)
    conv.to(memory_format=torch.channels_last)
    before = conv.weight.detach().clone()
    conv.weight.grad = GRADIENT.clone()
    optimizer.step()
    assert torch.allclose(conv.weight - before, step_of(layer(), GRADIENT), atol=2e-3)


def test_decay_shrinks_weights_and_not_biases():
    plain, decayed = layer(), layer()
    moved, shrunk = step_of(plain, GRADIENT), step_of(decayed, GRADIENT, weight_decay=0.5)
    assert torch.allclose(shrunk, moved - 0.1 * 0.5 * layer().weight, atol=1e-6)
    assert torch.equal(plain.bias, decayed.bias)


@pytest.mark.parametrize("inputs, outputs", [(1, 6), (3, 6), (6, 3)])
def test_layers_at_the_image_and_biases_move_as_with_adam(inputs, outputs):
    ours, theirs = layer(outputs, inputs), layer(outputs, inputs)
    theirs.load_state_dict(ours.state_dict())
    mine, adam = Muon(ours, lr=0.1), torch.optim.AdamW(theirs.parameters(), 0.1, weight_decay=0)
    for conv, optimizer in ((ours, mine), (theirs, adam)):
        conv.weight.grad, conv.bias.grad = conv.weight.detach() - 1, conv.bias.detach() + 1
        optimizer.step()
    assert torch.equal(ours.weight, theirs.weight) and torch.equal(ours.bias, theirs.bias)


def test_gradients_are_forgotten_and_missing_ones_move_nothing():
    conv = layer()
    optimizer, before = Muon(conv, lr=0.1), conv.weight.detach().clone()
    conv.weight.grad = GRADIENT.clone()
    optimizer.zero_grad()
    assert conv.weight.grad is None
    optimizer.step()
    assert torch.equal(conv.weight, before)


def test_the_learning_rate_reaches_both():
    conv = layer()
    optimizer, before = Muon(conv, lr=0.1), [p.detach().clone() for p in conv.parameters()]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    conv.weight.grad, conv.bias.grad = GRADIENT.clone(), torch.ones(6)
    optimizer.step()
    assert all(torch.equal(p, b) for p, b in zip(conv.parameters(), before))


@pytest.mark.parametrize(
    "name, kind", [("adam", torch.optim.Adam), ("sgd", torch.optim.SGD), ("muon", Muon)]
)
def test_only_the_weights_of_layers_decay(name, kind):
    """Without a gradient nothing but the decay moves."""
    conv = layer()
    conv.bias.data.fill_(1.0)
    optimizer = make_optimizer(conv, name, 0.1, weight_decay=0.5)
    assert type(optimizer) is kind
    before = conv.weight.detach().clone()
    conv.weight.grad, conv.bias.grad = torch.zeros_like(conv.weight), torch.zeros_like(conv.bias)
    optimizer.step()
    assert torch.equal(conv.bias, torch.ones(6))
    assert (conv.weight.abs() < before.abs()).float().mean() > 0.9


def test_sgd_has_momentum():
    conv = layer()
    conv.bias.data.zero_()
    optimizer = make_optimizer(conv, "sgd", 0.1, momentum=0.5)
    for _ in range(2):
        conv.bias.grad = torch.ones(6)
        optimizer.step()
    torch.testing.assert_close(conv.bias.detach(), torch.full((6,), -0.1 - 0.1 * 1.5))


@pytest.mark.parametrize("name", ["adam", "sgd", "muon"])
def test_a_network_without_biases_or_without_layers_has_an_optimizer(name):
    for net in (nn.Conv2d(4, 4, 3, bias=False), nn.BatchNorm2d(4)):
        optimizer = make_optimizer(net, name, 0.1)
        net(torch.rand((2, 4, 5, 5), generator=torch.Generator().manual_seed(0))).sum().backward()
        before = [p.detach().clone() for p in net.parameters()]
        optimizer.step()
        assert any(not torch.equal(p, b) for p, b in zip(net.parameters(), before))
