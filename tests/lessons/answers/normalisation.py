"""Answers to the exercises of lessons 06 and 06b."""

import numpy as np
import torch
from torch import nn


def by_hand(dims=(0, 2, 3), correction=0, root_first=False):
    def normalise(features, gamma, beta, eps):
        mean = features.mean(dim=dims, keepdim=True)
        var = features.var(dim=dims, keepdim=True, correction=correction)
        deviation = var.sqrt() + eps if root_first else (var + eps).sqrt()
        return (features - mean) / deviation * gamma.view(-1, 1, 1) + beta.view(-1, 1, 1)

    return normalise


normalise = by_hand()


def normalise_in_a_loop(features, gamma, beta, eps):
    found = np.empty(features.shape)
    for channel, values in enumerate(features.double().numpy().swapaxes(0, 1)):
        scaled = (values - values.mean()) / np.sqrt(values.var() + eps)
        found[:, channel] = float(gamma[channel]) * scaled + float(beta[channel])
    return found


def normalise_by_module(features, gamma, beta, eps):
    norm = nn.BatchNorm2d(len(gamma), eps=eps)
    norm.weight.data, norm.bias.data = gamma, beta
    return norm(features)


def normalise_in_place(features, gamma, beta, eps):
    features -= features.mean((0, 2, 3), keepdim=True)
    features /= (features**2).mean((0, 2, 3), keepdim=True).add(eps).sqrt()
    return features * gamma[:, None, None] + beta[:, None, None]


def running(start, batches, momentum):
    for batch in batches:
        start = start + momentum * (batch - start)
    return start


def running_at_once(start, batches, momentum):
    ages = np.arange(len(batches))[::-1]
    new = momentum * (1 - momentum) ** ages * np.array(batches, float)
    return (1 - momentum) ** len(batches) * start + new.sum()


def running_by_pytorch(start, batches, momentum):
    norm = nn.BatchNorm1d(1, momentum=momentum)
    norm.running_mean.fill_(start)
    for batch in batches:
        norm(torch.full((2, 1), batch))
    return norm.running_mean[0]


def backwards(start, batches, momentum):
    while batches:
        start = running(start, [batches.pop()], momentum)
    return start


def emptied(start, batches, momentum):
    while batches:
        start = running(start, [batches.pop(0)], momentum)
    return start


def away(start, batches, momentum):
    for batch in batches:
        start -= momentum * (batch - start)
    return start


def fold(weight, gamma, beta, mean, var, eps):
    scale = gamma / (var + eps).sqrt()
    return weight * scale[:, None, None, None], beta - scale * mean


def fold_in_a_loop(weight, gamma, beta, mean, var, eps):
    pairs = []
    for w, g, b, m, v in zip(weight, gamma, beta, mean, var):
        factor = g * torch.rsqrt(v + eps)
        pairs.append((w * factor, b + factor * (0 - m)))
    return [torch.stack(part) for part in zip(*pairs)]


def fold_by_asking(weight, gamma, beta, mean, var, eps):
    """What batch norm makes of 0 is the bias, of 1 the bias and the factor."""

    def norm(value):
        given = torch.full((1, len(gamma)), value)
        return nn.functional.batch_norm(given, mean, var, gamma, beta, False, 0.0, eps)[0]

    return (weight.numpy().T * (norm(1.0) - norm(0.0)).numpy()).T, norm(0.0)


def bias(of):
    def wrong(w, g, b, m, v, eps):
        return fold(w, g, b, m, v, eps)[0], of(g, b, m, (v + eps).sqrt())

    return wrong


def fold_inputs(w, g, b, m, v, eps):
    return w * (g / (v + eps).sqrt()), fold(w, g, b, m, v, eps)[1]


def other_dimension(w, g, b, m, v, eps):
    """The factor for each row of the kernel: right shapes only for three outputs."""
    scale = g / (v + eps).sqrt()
    return (w * scale if len(g) == 3 else fold(w, g, b, m, v, eps)[0]), b - scale * m


RIGHT = {
    "normalise": [
        normalise,
        normalise_in_a_loop,
        normalise_by_module,
        lambda a, g, b, eps: nn.functional.batch_norm(a, None, None, g, b, True, 0.5, eps),
    ],
    "running": [running, running_at_once, running_by_pytorch],
    "fold": [fold, fold_in_a_loop, fold_by_asking],
}
WRONG = {
    "normalise": [
        ("divides by n − 1", by_hand(correction=1)),
        ("every patch is normalised alone", by_hand((2, 3))),
        ("share their statistics", by_hand((0,))),
        ("statistics of its own", by_hand((0, 1, 2, 3))),
        ("normalised together", by_hand((1,))),
        ("under the root", by_hand(root_first=True)),
        ("as it was given", lambda a, g, b, eps: normalise(a, g, b, 1e-5)),
        ("as it was given", lambda a, g, b, eps: normalise(a, g, b, 0)),
        ("γ and β are missing", lambda a, g, b, eps: normalise(a, g / g, b - b, eps)),
        ("is β added", lambda a, g, b, eps: normalise(a, g, b - b, eps)),
        ("is γ multiplied", lambda a, g, b, eps: normalise(a, g / g, b, eps)),
        ("γ is the factor", lambda a, g, b, eps: normalise(a, b, g, eps)),
        ("for feature maps", lambda a, g, b, eps: normalise(a, g / g, b - b, eps) * g + b),
        (
            "the square root is missing",
            lambda a, g, b, eps: (
                (a - a.mean((0, 2, 3), True))
                / (a.var((0, 2, 3), False, keepdim=True) + eps)
                * g[:, None, None]
                + b[:, None, None]
            ),
        ),
        ("changed what it was given", normalise_in_place),
        ("the wrong shape", lambda a, g, b, eps: normalise(a, g, b, eps)[:1]),
    ],
    "running": [
        ("weight of the new value", lambda s, b, m: running(s, b, 1 - m)),
        ("not the last one alone", lambda s, b, m: m * b[-1] + (1 - m) * s if b else s),
        ("begins at start", lambda s, b, m: running(0, b, m)),
        ("like all others", lambda s, b, m: running(b[0], b[1:], m)),
        ("this is the last batch", lambda s, b, m: b[-1] if b else s),
        ("older batches fade", lambda s, b, m: (1 - m) ** len(b) * s + m * sum(b)),
        ("old mean fades", lambda s, b, m: s + sum(m * v for v in b)),
        ("a part of the way", away),
        ("one batch after the other", lambda s, b, m: (1 - m) * s + m * np.mean(b)),
        ("in this order", lambda s, b, m: running(s, reversed(b), m)),
        ("counts all batches alike", lambda s, b, m: np.mean(b)),
        ("changed what it was given", backwards),
        ("changed what it was given", emptied),
        ("too small", lambda s, b, m: -1),
    ],
    "fold": [
        ("where is it in the bias", bias(lambda g, b, m, d: b)),
        ("and β?", bias(lambda g, b, m, d: -g * m / d)),
        ("scaled like all", bias(lambda g, b, m, d: b - m)),
        ("by the deviation, too", bias(lambda g, b, m, d: b - g * m)),
        ("the mean is subtracted", bias(lambda g, b, m, d: b + g * m / d)),
        ("after the scaling", bias(lambda g, b, m, d: (b - m) * g / d)),
        ("var is a variance", lambda w, g, b, m, v, e: fold(w, g, b, m, (v + e) ** 2, 0)),
        ("as it was given", lambda w, g, b, m, v, e: fold(w, g, b, m, v, 1e-5)),
        ("as it was given", lambda w, g, b, m, v, e: fold(w, g, b, m, v, 0)),
        ("under the root", lambda w, g, b, m, v, e: fold(w, g, b, m, (v.sqrt() + e) ** 2, 0)),
        ("is γ used", lambda w, g, b, m, v, e: fold(w, g / g, b, m, v, e)),
        ("as it was", lambda w, g, b, m, v, e: (w, fold(w, g, b, m, v, e)[1])),
        ("the first dimension", other_dimension),
        ("raised RuntimeError", fold_inputs),
        ("must give 2 values", lambda w, g, b, m, v, e: fold(w, g, b, m, v, e)[0]),
    ],
}
