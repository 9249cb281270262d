"""What several test modules share."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from dncnn_lib.model import DnCNN


def whole(message: str) -> str:
    """A pattern that only this message matches."""
    return f"^{re.escape(message)}$"


def raises(kind: type[BaseException], message: str):
    """``pytest.raises`` for exactly this message."""
    return pytest.raises(kind, match=whole(message))


def profile_of(space: bytes) -> bytes:
    """The header of a colour profile for that space, such as b"GRAY" or b"RGB "."""
    header = bytearray(128)
    header[:4], header[16:20], header[36:40] = (128).to_bytes(4, "big"), space, b"acsp"
    return bytes(header)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def picture(*shape: int, seed: int = 0) -> np.ndarray:
    """Random values in [0, 1), float32."""
    return np.random.default_rng(seed).random(shape, np.float32)


def integers(channels: int, dtype: type = np.uint8, height: int = 7, width: int = 5) -> np.ndarray:
    """Random values (H, W) or (H, W, C) that hold the darkest and the brightest."""
    rng = np.random.default_rng(channels)
    shape = (height, width) if channels == 1 else (height, width, channels)
    array = rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    array.flat[0], array.flat[-1] = 0, np.iinfo(dtype).max
    return array


def unit(array: np.ndarray) -> np.ndarray:
    """Integers as float32 in [0, 1]."""
    return (array / np.float64(np.iinfo(array.dtype).max)).astype(np.float32)


def smooth(height: int, width: int, channels: int = 1, batch: int = 1, seed: int = 0):
    """A batch of smooth random images in [0, 1], the kind that JPEG is made for."""
    coarse = torch.rand((batch, channels, 6, 6), generator=seeded(seed))
    return nn.functional.interpolate(coarse, (height, width), mode="bilinear")


def pillow_jpeg(clean: torch.Tensor, quality: int) -> torch.Tensor:
    """An image (C, H, W) coded as JPEG and decoded by Pillow."""
    pixels = np.round(clean.permute(1, 2, 0).numpy().clip(0, 1) * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(
        file, "JPEG", quality=quality
    )
    decoded = np.array(Image.open(file)).reshape(pixels.shape)
    return torch.from_numpy(decoded).permute(2, 0, 1).float() / 255


def pillow_resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """An image (H, W) resized by Pillow's bicubic, which is antialiased with a = −1/2."""
    bicubic = Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(image).resize((width, height), bicubic))


def small_net(seed: int = 0, **arguments) -> DnCNN:
    """A network that is quick to run, with the same weights every time."""
    net = DnCNN(**{"depth": 3, "width": 4, **arguments})
    net.reset_parameters(seeded(seed))
    return net


def lively(net: nn.Module, seed: int = 0) -> nn.Module:
    """The network in eval mode, its biases and batch norm at random and of order 1, half of the γ
    negative: a forgotten or swapped one shows, and the output is far from the input."""
    generator = seeded(seed)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3, generator=generator)
                module.running_var.uniform_(0.2, 2, generator=generator)
                module.weight.normal_(0, 1, generator=generator)
            if isinstance(getattr(module, "bias", None), torch.Tensor):
                module.bias.normal_(0, 0.3, generator=generator)
    return net.eval()


def scramble(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in eval mode with every weight and statistic at random, so that a swapped or
    forgotten tensor shows."""
    generator = seeded(seed)
    for name, value in module.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2, generator=generator)
        elif value.is_floating_point():
            value.normal_(0, 0.3, generator=generator)
    return module.eval()


def is_channels_last(value: torch.Tensor) -> bool:
    """Whether it has that order in memory and no other: only tensors of several channels and
    pixels can tell."""
    assert value.shape[1] > 1 and value.shape[2] * value.shape[3] > 1
    last = value.is_contiguous(memory_format=torch.channels_last)
    return last and not value.is_contiguous()
