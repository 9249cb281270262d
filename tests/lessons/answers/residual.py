"""Answers to the exercises of lesson 05."""

import copy

import numpy as np
import torch
from skimage.metrics import peak_signal_noise_ratio
from torch import nn


def db(*errors):
    return [-10 * torch.log10((error**2).mean()) for error in errors]


def start_of_skimage(clean, noisy):
    x, y = clean.numpy(), noisy.numpy()
    return [peak_signal_noise_ratio(x, image, data_range=1) for image in (y, np.zeros_like(x))]


def start_by_batches(clean, noisy):
    """The mean of the squared errors of the images, then the logarithm."""
    means = [[(v**2).mean() for v in (y - x, x)] for x, y in zip(clean, noisy)]
    return -10 * torch.tensor(means).mean(dim=0).log10()


class Skip(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, noisy):
        return noisy - self.layers(noisy)


class SkipInAList(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.parts = nn.ModuleList([layers])

    def forward(self, noisy):
        out = noisy
        for part in self.parts:
            out = out - part(noisy)
        return out


def with_forward_replaced(layers):
    net = nn.Sequential(layers)
    net.forward = lambda noisy: torch.sub(noisy, layers(noisy))
    return net


class Unregistered(Skip):
    def __init__(self, layers):
        nn.Module.__init__(self)
        self.hidden = [layers]

    def forward(self, noisy):
        return noisy - self.hidden[0](noisy)


class Detached(Skip):
    def forward(self, noisy):
        return noisy - self.layers(noisy).detach()


class WithoutGradient(Skip):
    def forward(self, noisy):
        with torch.no_grad():
            return noisy - self.layers(noisy)


class InPlace(Skip):
    def forward(self, noisy):
        noisy -= self.layers(noisy)
        return noisy


class Scaled(Skip):
    def __init__(self, layers):
        super().__init__(layers)
        self.scale = nn.Parameter(torch.ones(()))


class WithoutForward(nn.Module):
    """PyTorch raises ``NotImplementedError`` for it."""

    def __init__(self, layers):
        super().__init__()


def gives(output):
    """A class of modules with that ``output(layers, noisy)``."""

    class Net(Skip):
        def forward(self, noisy):
            return output(self.layers, noisy)

    return Net


def frozen(layers):
    return Skip(layers.requires_grad_(False))


RIGHT = {
    "start_psnr": [
        lambda x, y: tuple(db(y - x, x)),
        start_of_skimage,
        start_by_batches,
        lambda x, y: tuple(10 * np.log10(v.numel() / (v**2).sum().item()) for v in (x - y, x)),
    ],
    "with_skip": [
        Skip,
        SkipInAList,
        with_forward_replaced,
        lambda layers: nn.Sequential(Skip(layers)),
    ],
    "equivalent_sigma": [
        lambda s, c: s / c,
        lambda s, c: np.float32(s * c**-1),
        lambda s, c: torch.tensor(1 / c) * s,
        lambda s, c: np.sqrt(s**2 / c**2),
    ],
}
WRONG = {
    "start_psnr": [
        ("residual first", lambda x, y: db(x, y - x)),
        ("then take the logarithm", lambda x, y: np.mean([db(b - a, a) for a, b in zip(x, y)], 0)),
        ("what picture is 0", lambda x, y: db(y - x, y - x)),
        ("not the image itself", lambda x, y: db(y, torch.ones(1))),
        ("network's error is measured", lambda x, y: db(y - x, y)),
        ("what is left", lambda x, y: db(x, x)),
        ("see the sign", lambda x, y: [-v for v in db(y - x, x)]),
        ("not 255", lambda x, y: [v + 20 * np.log10(255) for v in db(y - x, x)]),
        ("10 or 20 times", lambda x, y: [2 * v for v in db(y - x, x)]),
        ("not yet in decibels", lambda x, y: [((y - x) ** 2).mean(), (x**2).mean()]),
        ("must give 2 values", lambda x, y: db(y - x)[0]),
        ("(value 2 of 2)", lambda x, y: (db(y - x)[0], 0.0)),
    ],
    "with_skip": [
        ("not the other way round", gives(lambda layers, y: layers(y) - y)),
        ("the residual is subtracted", gives(lambda layers, y: y + layers(y))),
        ("where is the skip", lambda layers: layers),
        ("where are the layers", gives(lambda layers, y: y)),
        ("applied twice", gives(lambda layers, y: y - layers(layers(y)))),
        ("not asked for", gives(lambda layers, y: (y - layers(y)).clip(0, 1))),
        ("in a plain list", Unregistered),
        ("of a copy", lambda layers: Skip(copy.deepcopy(layers))),
        ("come back to the layers", Detached),
        ("must give an nn.Module", WithoutGradient),
        ("in-place", InPlace),
        ("come back to the layers", frozen),
        ("through the skip", gives(lambda layers, y: y.detach() - layers(y))),
        ("through the layers", gives(lambda layers, y: y - layers(y.detach()))),
        ("(value 2 of 2)", Scaled),
        ('missing the required "forward"', WithoutForward),
        ("must give an nn.Module", lambda layers: lambda noisy: noisy - layers(noisy)),
    ],
    "equivalent_sigma": [
        ("stretches its noise", lambda s, c: s),
        ("stronger or weaker", lambda s, c: s * c),
        ("behind the point", lambda s, c: s // c),
        ("need not be whole", lambda s, c: round(s / c)),
        ("not σ²", lambda s, c: s / c**0.5),
        ("not twice", lambda s, c: s / c**2),
        ("contrast is a factor", lambda s, c: s * (1 + 1 - c)),
        ("from 0 to 1", lambda s, c: s / 255 / c),
        ("too small", lambda s, c: min(s / c, 255)),
        ("too large", lambda s, c: s / c + 1),
    ],
}
