"""Jain and Seung's network: its 15,697 parameters, and every map by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import raises, seeded
from scipy.signal import correlate2d
from scipy.special import expit

from dncnn_lib.priors.jain_seung import JainSeung, LogisticNetwork, maps_seen

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_number_of_parameters_is_that_of_the_paper():
    net = LogisticNetwork()
    assert sum(p.numel() for p in net.parameters()) == 15_697
    assert sum(p.numel() for p in JainSeung().parameters()) == 3 * 15_697


def test_every_map_by_hand():
    net = LogisticNetwork(seed=3)
    with torch.no_grad():
        for number, bias in enumerate(net.biases):
            bias += 0.3 * torch.randn(bias.shape, generator=seeded(number))
    plane = torch.rand(6, 7, generator=seeded())
    maps = [np.pad(plane.numpy(), 10, constant_values=-1.0)]
    for layer, (weight, bias) in enumerate(zip(net.weights, net.biases)):
        weight, bias = weight.detach().numpy(), bias.detach().numpy()
        after = []
        for kernels, shift, number in zip(weight, bias, range(24)):
            seen = range(len(maps))
            if 0 < layer < 4:
                seen = maps_seen(3)[layer - 1, number].tolist()
            given = zip([maps[i] for i in seen], kernels, strict=True)
            total = sum(correlate2d(m, kernel, mode="valid") for m, kernel in given)
            after.append(total + shift if layer == 4 else expit(total + shift))
        maps = after
    assert np.allclose(net(plane[None])[0].detach().numpy(), maps[0], atol=1e-4)


def test_each_map_sees_eight_others_by_lot():
    for layer, seen in enumerate(maps_seen(0), start=1):
        assert seen.shape == (24, 8) and all(len(set(row.tolist())) == 8 for row in seen)
        assert not torch.equal(seen, maps_seen(1)[layer - 1])
        dense = LogisticNetwork(0).dense(layer)[:, :, 0, 0]
        assert [set(row.nonzero()[:, 0].tolist()) for row in dense] == [
            set(s.tolist()) for s in seen
        ]
    assert layer == 3


def test_one_pixel_reaches_as_far_as_the_receptive_field():
    prior = JainSeung((25,))
    assert prior.receptive_field == 21
    noisy = torch.rand(1, 1, 41, 41, generator=seeded(), requires_grad=True)
    (gradient,) = torch.autograd.grad(prior(noisy, 25 / 255)[0, 0, 20, 20], noisy)
    rows, columns = gradient[0, 0].nonzero(as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 30, 10, 30)


def test_at_first_the_units_are_not_saturated():
    """Logistic units that begin far from 1/2 would not learn."""
    seen = []
    real = torch.sigmoid
    net = LogisticNetwork()
    net.reset_parameters(seeded())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "sigmoid", lambda a: seen.append(real(a)) or seen[-1])
        net(torch.rand(1, 60, 60, generator=seeded(1)))
    assert len(seen) == 4
    for activations in seen:
        inside = activations[..., 10:-10, 10:-10]
        assert 0.02 < inside.var() < 0.2 and abs(inside.mean() - 0.5) < 0.1


def test_a_wrong_seed_is_refused():
    with raises(ValueError, "seed is -1, but must be an integer of at least 0"):
        JainSeung(seed=-1)
