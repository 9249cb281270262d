"""Answers to the exercises of lesson 02."""

import functools

import numpy as np
import torch


def multiplications(reach, size, stride, rounds):
    return (2 * reach + 1) ** 2 * size**2 * rounds / stride**2


def multiplications_counted(reach, size, stride, rounds):
    offsets = range(-reach, reach + 1)
    each = sum(size * size for _ in offsets for _ in offsets)
    return np.float32(rounds * each) / stride / stride


def influence(z, alpha):
    return alpha * z / (1 + z**2 / 2)


def influence_in_torch(z, alpha):
    z = torch.from_numpy(z).requires_grad_()
    return torch.autograd.grad((alpha * torch.log1p(z**2 / 2)).sum(), z)[0]


def influence_in_a_loop(z, alpha):
    found = np.zeros(z.shape)
    for place, value in np.ndenumerate(z):
        found[place] = 2 * alpha * value / (2 + value * value)
    return found.tolist()


def influence_in_place(z, alpha):
    slope = influence(z, alpha)
    z *= 0
    return slope


def unrolled(noisy, stages):
    u = noisy
    for stage in stages:
        u = stage(u, noisy)
    return u


def unrolled_by_itself(noisy, stages):
    """The last stage, of what those before it give."""
    return stages[-1](unrolled_by_itself(noisy, stages[:-1]), noisy) if stages else noisy


def pulled_to_u(noisy, stages):
    for stage in stages:
        noisy = stage(noisy, noisy)
    return noisy


def from_zero(noisy, stages):
    u = 0 * noisy
    for stage in stages:
        u = stage(u, noisy)
    return u


def overwriting(noisy, stages):
    u, y = noisy, noisy.copy()
    for stage in stages:
        u = stage(u, y)
    noisy[:] = u
    return u


RIGHT = {
    "multiplications": [
        multiplications,
        multiplications_counted,
        lambda r, s, t, n: torch.tensor(((2 * r + 1) * s / t) ** 2) * n,
    ],
    "influence": [influence, influence_in_torch, influence_in_a_loop],
    "unrolled": [
        unrolled,
        unrolled_by_itself,
        lambda y, stages: functools.reduce(lambda u, stage: stage(u, y), stages, y.copy()),
    ],
}
WRONG = {
    "multiplications": [
        ("in a row?", lambda r, s, t, n: 4 * r**2 * s**2 * n / t**2),
        ("to both sides", lambda r, s, t, n: ((r + 1) * s) ** 2 * n / t**2),
        ("a window has rows", lambda r, s, t, n: (2 * r + 1) * s**2 * n / t**2),
        ("a patch has rows", lambda r, s, t, n: (2 * r + 1) ** 2 * s * n / t**2),
        ("strides go down", lambda r, s, t, n: (2 * r + 1) ** 2 * s**2 * n / t),
        ("saves patches", lambda r, s, t, n: (2 * r + 1) ** 2 * s**2 * n),
        ("is less work", lambda r, s, t, n: ((2 * r + 1) * s * t) ** 2 * n),
        ("compares anew", lambda r, s, t, n: (2 * r + 1) ** 2 * s**2 / t**2),
        ("whole number", lambda r, s, t, n: (2 * r + 1) ** 2 * s**2 * n // t**2),
        ("is too", lambda r, s, t, n: 4225),
    ],
    "influence": [
        ("not its slope", lambda z, a: a * np.log1p(z**2 / 2)),
        ("of the lesson", lambda z, a: 2 * a * z / (1 + z**2)),
        ("inner derivative is missing", lambda z, a: a / (1 + z**2 / 2)),
        ("really 2z", lambda z, a: 2 * a * z / (1 + z**2 / 2)),
        ("bright and dark", lambda z, a: a * np.abs(z) / (1 + z**2 / 2)),
        ("the sign is wrong", lambda z, a: -a * z / (1 + z**2 / 2)),
        ("α weighs", lambda z, a: z / (1 + z**2 / 2)),
        ("values are off", lambda z, a: a * z),
        ("changed what it was given", influence_in_place),
    ],
    "unrolled": [
        ("pulled to the noisy image", pulled_to_u),
        ("goes on where", lambda y, stages: stages[-1](y, y)),
        ("only one stage", lambda y, stages: stages[0](y, y)),
        ("the first stage comes first", lambda y, stages: unrolled(y, stages[::-1])),
        ("the first u is the noisy image", from_zero),
        ("not what is left", lambda y, stages: y - unrolled(y, stages)),
        ("values are off", lambda y, stages: y),
        ("values are off", lambda y, stages: unrolled(y, stages[:5])),
        ("changed what it was given", overwriting),
    ],
}
