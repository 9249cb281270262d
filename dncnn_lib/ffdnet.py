"""FFDNet: a network that is told the noise level, and works at half the resolution.

Source: Zhang, Zuo, Zhang, "FFDNet: Toward a Fast and Flexible Solution for CNN-Based Image
Denoising", IEEE TIP 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from . import _check
from .model import conv_layers, initialise


class FFDNet(nn.Module):
    """The denoising network of Zhang et al. (2018).

    ``net(noisy, sigma)`` restores a batch (B, C, H, W), around [0, 1], of any size. sigma: the
    standard deviation of the noise in units of [0, 1], a number, (B, 1, 1, 1), or a map (B, 1, H,
    W) with one for each pixel. ``dn.denoise`` passes it, on the 0–255 scale.

    Each square of factor × factor pixels becomes as many channels of an image that is smaller by
    that factor; the noise level is one more channel. The layers are DnCNN's; there is no residual
    skip: the network gives the image.

    depth: number of convolutions, at least 2. width: feature maps in each hidden layer. channels: 1
    for grey, 3 for colour. factor: 2 in the paper; 1 works at full resolution. batch_norm: after
    every convolution but the first and the last.

    Raises ``TypeError`` or ``ValueError`` for sizes that make no network, for a batch of another
    kind, and for a noise level of another shape.
    """

    receptive_field: int | None = None
    """``denoise`` does not cut images into tiles, whose squares would lie elsewhere."""

    def __init__(
        self,
        depth: int = 15,
        width: int = 64,
        channels: int = 1,
        factor: int = 2,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        self.depth = _check.integer("depth", depth, at_least=2)
        self.width = _check.integer("width", width, at_least=1)
        self.channels = _check.integer("channels", channels, at_least=1)
        self.factor = _check.integer("factor", factor, at_least=1)
        self.batch_norm = bool(batch_norm)
        small = self.channels * self.factor**2
        self.layers = conv_layers(
            small + 1, small, self.depth, self.width, self.batch_norm, bias=not self.batch_norm
        )
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """The first weights, drawn as ``DnCNN``'s are."""
        initialise(self, self.width, generator)

    @property
    def config(self) -> dict[str, int | bool]:
        """The arguments that build it again."""
        names = ("depth", "width", "channels", "factor", "batch_norm")
        return {name: getattr(self, name) for name in names}

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.config.items())

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        if not isinstance(noisy, Tensor) or noisy.ndim != 4 or noisy.shape[1] != self.channels:
            shape = getattr(noisy, "shape", type(noisy).__name__)
            _check.fail("noisy's shape", tuple(shape), f"(B, {self.channels}, H, W)")
        batch, _, height, width = noisy.shape
        try:
            level = torch.as_tensor(sigma).to(noisy).expand(batch, 1, height, width)
        except RuntimeError as error:
            rule = f"one that fits ({batch}, 1, {height}, {width})"
            raise ValueError(f"sigma is {tuple(sigma.shape)}, but must be {rule}") from error
        edges = (0, -width % self.factor, 0, -height % self.factor)
        padded = nn.functional.pad(torch.cat([noisy, level], 1), edges, mode="replicate")
        image, level = padded[:, :-1], padded[:, -1:]
        small = nn.functional.pixel_unshuffle(image, self.factor)
        level = nn.functional.avg_pool2d(level, self.factor)
        restored = self.layers(torch.cat([small, level], 1))
        return nn.functional.pixel_shuffle(restored, self.factor)[..., :height, :width]
