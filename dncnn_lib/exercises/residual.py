"""Checks for the exercises of lesson 05, residual or direct."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from . import check


def start_psnr(function: Callable[[Tensor, Tensor], Any]) -> None:
    """(clean, noisy), tensors (N, 1, H, W) → PSNR in dB (residual, direct) where layers give 0."""
    cases = []
    for seed, (brightness, sigma) in enumerate([(0.5, 25), (0.2, 25), (0.5, 75)]):
        generator = torch.Generator().manual_seed(seed)
        clean = brightness * torch.rand((4, 1, 8, 8), generator=generator)
        noise = sigma / 255 * torch.randn(clean.shape, generator=generator)
        expected = tuple(-10 * math.log10(float((v**2).mean())) for v in (noise, clean))
        cases.append(((clean, clean + noise), expected))
    check(function, cases, tolerance=1e-3)


def with_skip(function: Callable[[nn.Module], nn.Module]) -> None:
    """(layers) → a module that gives y − layers(y) and trains the parameters of ``layers``."""
    noisy = torch.rand((2, 1, 6, 6), generator=torch.Generator().manual_seed(0))

    def about(question: str, answer: Callable[[nn.Module], Any]) -> Callable[[str], Any]:
        def asked(name: str) -> Any:
            return answer(function(layers[name]))

        asked.__name__ = f"{question} of {function.__name__}"
        return asked

    conv = nn.Conv2d(1, 1, 3, padding=1)
    nn.init.constant_(conv.weight, 0.1)  # what is printed is the same every time
    nn.init.constant_(conv.bias, 0.2)
    layers: dict[str, nn.Module] = {"half": Half(), "conv": conv}
    try:
        function(conv)
    except NotImplementedError:
        check(function, [((conv,), None)])  # says that it is open
        return
    expected = {name: noisy - module(noisy) for name, module in layers.items()}
    check(about("output", lambda net: net(noisy)), [((name,), expected[name]) for name in layers])
    check(
        about("number of parameters", lambda net: sum(p.numel() for p in net.parameters())),
        [(("half",), 0), (("conv",), 10)],
    )


class Half(nn.Module):
    """Gives half of its input."""

    def forward(self, noisy: Tensor) -> Tensor:
        """noisy: any shape; the same shape out."""
        return noisy / 2


def equivalent_sigma(function: Callable[[float, float], Any]) -> None:
    """(sigma, contrast) → the σ that is as strong beside pictures of full contrast."""
    check(function, [((25.0, 1.0), 25.0), ((25.0, 0.25), 100.0), ((10.0, 0.5), 20.0)])
