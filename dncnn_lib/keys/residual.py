"""The keys to the exercises of ``lessons.residual``."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from ..lessons.check import Answer, asked, check, exercise


@exercise
def start_psnr(function: Answer, *, seed: int = 0) -> None:
    """(clean, noisy), tensors (N, 1, H, W) → PSNR in dB (residual, direct) where layers give 0: of
    the squared error, averaged over the batch."""
    rng = np.random.default_rng(seed)
    cases = []
    for count, sigma in ((4, 25), (3, 75), (1, 50)):
        brightness, strength = rng.uniform(0.2, 1, (2, count, 1, 1, 1)).astype(np.float32)
        clean = brightness * rng.random((count, 1, 6, 8), np.float32)
        noise = strength * sigma / 255 * rng.standard_normal(clean.shape, np.float32)
        cases.append((torch.from_numpy(clean), torch.from_numpy(clean + noise)))

    def psnr(*errors: Tensor) -> list[float]:
        return [-10 * math.log10(float((error**2).mean())) for error in errors]

    def mean_psnr(clean: Tensor, noisy: Tensor) -> list[float]:
        each = [psnr(y - x, x) for x, y in zip(clean, noisy)]
        return np.mean(each, axis=0).tolist()

    mistakes = {
        "residual first, then direct": lambda x, y: psnr(x, y - x),
        "this is the mean of the PSNRs; average the squared errors, then take the logarithm": (
            mean_psnr
        ),
        "the direct network gives its layers' output: what picture is 0?": (
            lambda x, y: psnr(y - x, y - x)
        ),
        "the error is what is wrong against the clean image, not the image itself": (
            lambda x, y: psnr(y, torch.zeros(1) + 1)
        ),
        "the direct network's error is measured against the clean image": (
            lambda x, y: psnr(y - x, y)
        ),
        "the residual network subtracts its layers' output from y: what is left?": (
            lambda x, y: psnr(x, x)
        ),
        "less error, more decibels: see the sign": lambda x, y: [-db for db in psnr(y - x, x)],
        "white is 1 here, not 255": (
            lambda x, y: [db + 20 * math.log10(255) for db in psnr(y - x, x)]
        ),
        "the mean of squares is a power: is it 10 or 20 times the logarithm?": (
            lambda x, y: [2 * db for db in psnr(y - x, x)]
        ),
        "this is the squared error, not yet in decibels": (
            lambda x, y: [float(((y - x) ** 2).mean()), float((x**2).mean())]
        ),
    }
    check(function, cases, lambda x, y: psnr(y - x, x), mistakes)


@exercise
def with_skip(function: Answer, *, seed: int = 0) -> None:
    """(layers) → a module that gives y − layers(y) and trains the parameters of ``layers``."""
    generator = torch.Generator().manual_seed(seed)
    noisy = torch.rand((2, 3, 6, 5), generator=generator)
    noisy.requires_grad_()  # then PyTorch does not let it be overwritten

    def conv(inputs: int, outputs: int) -> nn.Conv2d:
        made = nn.Conv2d(inputs, outputs, 3, padding=1)
        for parameter in made.parameters():
            nn.init.normal_(parameter, 0, 0.3, generator=generator)
        return made

    several = nn.Sequential(conv(3, 4), nn.BatchNorm2d(4), nn.ReLU(), conv(4, 3))
    cases = [(nn.Tanh(),), (conv(3, 3),), (several,)]

    def output(net: nn.Module, layers: nn.Module) -> Tensor:
        return net(noisy).detach()

    def found(net: nn.Module, layers: nn.Module) -> list[int]:
        own = {id(parameter) for parameter in layers.parameters()}
        has = {id(parameter) for parameter in net.parameters()}
        return [len(own & has), len(has - own)]

    def gradient(net: nn.Module, layers: nn.Module) -> Tensor:
        """In one vector; zeros where there is none."""
        (net(noisy) ** 2).sum().backward()
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in layers.parameters()]
        return torch.cat([grad.flatten() for grad in grads])

    def gradient_of_input(net: Answer, layers: nn.Module) -> Tensor:
        (grad,) = torch.autograd.grad((net(noisy) ** 2).sum(), noisy, allow_unused=True)
        return torch.zeros_like(noisy) if grad is None else grad

    mistakes = {
        "y − layers(y), not the other way round": lambda layers: layers(noisy) - noisy,
        "the residual is subtracted": lambda layers: noisy + layers(noisy),
        "this is what the layers give; where is the skip?": lambda layers: layers(noisy),
        "this is y; where are the layers?": lambda layers: noisy,
        "the layers are applied twice": lambda layers: noisy - layers(layers(noisy)),
        "clipping was not asked for": lambda layers: (noisy - layers(noisy)).clamp(0, 1),
    }
    overlooked = {
        "PyTorch does not find them: are the layers an attribute, and not in a plain list?": (
            lambda layers: [0, 0]
        ),
        "these are the parameters of a copy": lambda layers: [0, len(list(layers.parameters()))],
    }
    cut = {"does no gradient come back to the layers?": lambda layers: 0 * right(gradient)(layers)}
    cut_off = {
        "no gradient comes back to y through the skip": (
            lambda layers: gradient_of_input(lambda y: y.detach() - layers(y), layers)
        ),
        "no gradient comes back to y through the layers": (
            lambda layers: gradient_of_input(lambda y: y - layers(y.detach()), layers)
        ),
    }

    def right(answer: Answer) -> Answer:
        return lambda layers: answer(_Skip(layers), layers)

    for question, answer, given, wrong in (
        ("output", output, cases, mistakes),
        ("parameters [the layers', others]", found, cases, overlooked),
        ("gradient of the layers", gradient, cases[1:], cut),
        ("gradient of y", gradient_of_input, cases, cut_off),
    ):
        ask = asked(question, function, answer, "an nn.Module")
        check(ask, given, right(answer), wrong)


class _Skip(nn.Module):
    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, noisy: Tensor) -> Tensor:
        return noisy - self.layers(noisy)


@exercise
def equivalent_sigma(function: Answer, *, seed: int = 0) -> None:
    """(sigma, contrast) → the σ that is as strong against pictures of full contrast."""
    rng = np.random.default_rng(seed)
    low, high = rng.uniform((0.1, 0.55), (0.45, 0.95)).round(2).tolist()
    sigma, other = rng.integers((10, 30), (20, 60)).tolist()
    mistakes = {
        "stretching the picture stretches its noise": lambda s, c: s,
        "is the noise stronger or weaker after stretching?": lambda s, c: s * c,
        "// drops what is behind the point": lambda s, c: s // c,
        "a σ need not be whole": lambda s, c: round(s / c),
        "σ, not σ², is stretched like the picture": lambda s, c: s / c**0.5,
        "stretched once, not twice": lambda s, c: s / c**2,
        "contrast is a factor": lambda s, c: s * (2 - c),
        "this is on the scale from 0 to 1": lambda s, c: s / c / 255,
    }
    cases = [(sigma, low), (other, high), (sigma + 0.5, 0.4), (other, 1.0), (other, 0.05)]
    check(function, cases, lambda s, c: s / c, mistakes)
