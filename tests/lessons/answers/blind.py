"""Answers to the exercises of lesson 07."""

import math

import numpy as np
import torch
from torch import nn

from dncnn_lib.degrade import GaussianNoise


def blind(law=None, size=(0, 1, 1, 1), pattern=(0, 1, 2, 3), draw=torch.randn, source=None):
    """Noise for a blind training, or one with faults. law: of σ from u in [0, 1); size: of σ, where
    0 stands for that of the batch; pattern: the dimensions along which the noise changes."""

    def function(clean, low, high, generator):
        chance = source() if source else generator
        sizes = [clean.shape[n] if side == 0 else side for n, side in enumerate(size)]
        u = torch.rand(sizes, generator=chance)
        sigma = law(u, low, high) if law else low + (high - low) * u
        sizes = [side if n in pattern else 1 for n, side in enumerate(clean.shape)]
        return clean + sigma / 255 * draw(sizes, generator=chance)

    return function


def blind_in_a_loop(clean, low, high, generator):
    found = []
    for image in clean:
        sigma = torch.empty(1).uniform_(low, high, generator=generator).item() / 255
        found.append(image + torch.normal(0.0, 1.0, image.shape, generator=generator) * sigma)
    return torch.stack(found)


def blind_of_the_library(clean, low, high, generator):
    return GaussianNoise((low, high))(clean, generator)


def blind_in_numpy(clean, low, high, generator):
    rng = np.random.default_rng(torch.randint(2**31, (1,), generator=generator).item())
    sigma = rng.uniform(low, high, len(clean))
    return clean.numpy() + rng.standard_normal(clean.shape) * sigma[:, None, None, None] / 255


def uniform(sizes, generator):
    return math.sqrt(12) * (torch.rand(sizes, generator=generator) - 0.5)


def positive(sizes, generator):
    return torch.randn(sizes, generator=generator).abs()


def in_order(clean, low, high, generator):
    """As many levels as images, from low to high: the first image always has the least noise."""
    sigma = torch.linspace(low, high, len(clean)).view(-1, 1, 1, 1)
    return clean + sigma / 255 * torch.randn(clean.shape, generator=generator)


def same_levels(clean, low, high, generator):
    sigma = low + (high - low) * torch.rand(len(clean), generator=seeded(0)).view(-1, 1, 1, 1)
    return clean + sigma / 255 * torch.randn(clean.shape, generator=generator)


def same_noise(clean, low, high, generator):
    sigma = low + (high - low) * torch.rand((len(clean), 1, 1, 1), generator=generator)
    return clean + sigma / 255 * torch.randn(clean.shape, generator=seeded(1))


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def blind_by_torch_normal(clean, low, high, generator):
    sigma = torch.empty(len(clean)).uniform_(low, high, generator=generator)[:, None, None, None]
    return torch.normal(clean, (sigma / 255).expand_as(clean), generator=generator)


def clipped(clean, low, high, generator):
    return blind()(clean, low, high, generator).clip(0, 1)


def added_in_place(clean, low, high, generator):
    clean += blind()(clean, low, high, generator) - clean
    return clean


def into_range(restore, noisy, sigma, highest):
    if sigma <= highest:
        return restore(noisy)
    return restore(noisy * highest / sigma) * sigma / highest


def into_range_by_dividing(restore, noisy, sigma, highest):
    strength = np.maximum(sigma / highest, 1)
    return torch.from_numpy(strength * restore(noisy / strength))


def scaled(f, y, gain):
    return f(y * gain) / gain


def overwriting_range(f, y, s, h):
    y *= min(1, h / s)
    return f(y) / min(1, h / s)


def constants(net):
    names = ("bias", "running_mean")
    return sum(v.numel() for k, v in net.state_dict().items() if k.rsplit(".")[-1] in names)


def constants_by_kind(net):
    count = 0
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            count += module.out_channels
        elif isinstance(module, nn.BatchNorm2d):
            count += module.num_features * (2 if module.affine else 1)
    return float(count)


def constants_of_tensors(net):
    found = [p for name, p in net.named_parameters() if name.endswith("bias")]
    found += [b for name, b in net.named_buffers() if name.endswith("mean")]
    return torch.cat([torch.zeros(0), *found]).numel()


def numbers(net, *kinds):
    """Of the entries of the state whose names end like that."""
    return sum(v.numel() for name, v in net.state_dict().items() if name.endswith(kinds))


def of(kind, net, *names):
    parts = [part for part in net.modules() if isinstance(part, kind)]
    found = [getattr(part, name) for part in parts for name in names]
    return sum(tensor.numel() for tensor in found if tensor is not None)


def all_convolutions(net):
    convs = sum(part.out_channels for part in net.modules() if isinstance(part, nn.Conv2d))
    return convs + of(nn.BatchNorm2d, net, "bias", "running_mean")


RIGHT = {
    "blind_noise": [
        blind(),
        blind_in_a_loop,
        blind_of_the_library,
        blind_in_numpy,
        blind_by_torch_normal,
    ],
    "into_range": [
        into_range,
        into_range_by_dividing,
        lambda f, y, s, h: scaled(f, y, h / max(s, h)),
    ],
    "constants": [constants, constants_by_kind, constants_of_tensors],
}
WRONG = {
    "blind_noise": [
        ("added to the image", lambda *case: blind()(*case) - case[0]),
        ("only σ is on the 0–255", lambda x, *case: blind()(255 * x, *case)),
        ("the image is inverted", lambda x, *case: blind()(1 - x, *case)),
        ("one σ for each image", blind(size=(1, 1, 1, 1))),
        ("on the 0–255 scale", blind(lambda u, low, high: 255 * (low + (high - low) * u))),
        ("part of the range", blind(lambda u, low, high: high * u)),
        ("part of the range", blind(lambda u, low, high: low + high * u)),
        ("part of the range", blind(lambda u, low, high: (low**2 + (high**2 - low**2) * u).sqrt())),
        (
            "part of the range",
            blind(lambda u, low, high: low * (high / low) ** u if low else 0 * u),
        ),
        ("part of the range", blind(lambda u, low, high: (low + high) / 2 + 0 * u)),
        ("σ the same in a whole image", blind(draw=uniform)),
        ("both signs", blind(draw=positive)),
        ("both signs", clipped),
        ("of its own", blind(pattern=(1, 2, 3))),
        ("of its own", blind(pattern=(0, 1, 2))),
        ("of its own", blind(pattern=(0, 1, 3))),
        ("σ the same in a whole image", blind(size=(0, 1, 0, 0))),
        ("σ the same in a whole image", blind(size=(0, 1, 0, 1))),
        ("generator that is passed on", blind(source=lambda: None)),
        ("generator that is passed on", blind(source=lambda: torch.Generator().manual_seed(3))),
        ("drawn anew", in_order),
        ("drawn anew", same_levels),
        ("drawn anew", same_noise),
        ("changed what it was given", added_in_place),
        ("the wrong shape", lambda x, *case: blind()(x, *case)[0]),
    ],
    "into_range": [
        ("is left alone", lambda f, y, s, h: f(y * h / s) * s / h),
        ("was not scaled", lambda f, y, s, h: f(y)),
        ("but not back", lambda f, y, s, h: f(y * min(1, h / s))),
        ("but not before", lambda f, y, s, h: f(y) * max(1, s / h)),
        ("the same way twice", lambda f, y, s, h: f(y * min(1, h / s)) * min(1, h / s)),
        ("weaker or stronger", lambda f, y, s, h: scaled(f, y, max(1, s / h))),
        ("is left alone", lambda f, y, s, h: scaled(f, y, h / s) if s < h else f(y)),
        ("σ² like its square", lambda f, y, s, h: scaled(f, y, min(1, h * h / s / s))),
        ("depends on both", lambda f, y, s, h: scaled(f, y, 0.5)),
        ("was not restored", lambda f, y, s, h: y * min(1, h / s) / min(1, h / s)),
        ("was not scaled", lambda f, y, s, h: f(np.minimum(y, min(1, h / s)))),
        ("must see it unclipped", lambda f, y, s, h: into_range(f, y.clip(0, 1), s, h)),
        ("not even the result", lambda f, y, s, h: into_range(f, y, s, h).clip(0, 1)),
        ("changed what it was given", overwriting_range),
    ],
    "constants": [
        ("what does a batch norm subtract", lambda net: numbers(net, "bias")),
        ("add in the end", lambda net: of(nn.Conv2d, net, "bias")),
        ("adds its β", lambda net: of(nn.Conv2d, net, "bias") + numbers(net, "mean")),
        ("may have biases", lambda net: of(nn.BatchNorm2d, net, "bias", "running_mean")),
        ("is something else", lambda net: sum(p.numel() for p in net.parameters())),
        (
            "before it is something else",
            lambda net: of(nn.Conv2d, net, "bias") + of(nn.BatchNorm2d, net, "weight", "bias"),
        ),
        ("running variance", lambda net: numbers(net, "bias", "mean", "var")),
        ("have no bias", all_convolutions),
        ("has no β", lambda net: of(nn.Conv2d, net, "bias") + 2 * numbers(net, "mean")),
        (
            "not tensors",
            lambda net: len([k for k in net.state_dict() if k[-4:] in ("bias", "mean")]),
        ),
        ("too small", lambda net: 1),
    ],
}
