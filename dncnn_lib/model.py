"""DnCNN: the architecture, its residual contract and batch-norm folding.

Source: Zhang, Zuo, Chen, Meng, Zhang, "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN
for Image Denoising", IEEE TIP 2017, section III.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from . import _check


def conv_layers(
    inputs: int, outputs: int, depth: int, width: int, batch_norm: bool, bias: bool
) -> nn.Sequential:
    """``Conv+ReLU``, then ``depth - 2`` times ``Conv[+BN]+ReLU``, then ``Conv``: (B, inputs, H, W)
    to (B, outputs, H, W). Every convolution is 3×3 with one pixel of zero padding."""

    def conv(inputs: int, outputs: int) -> nn.Conv2d:
        return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=bias)

    layers: list[nn.Module] = [conv(inputs, width), nn.ReLU(inplace=True)]
    for _ in range(depth - 2):
        layers.append(conv(width, width))
        if batch_norm:
            layers.append(nn.BatchNorm2d(width))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers, conv(width, outputs))


def initialise(net: nn.Module, width: int, generator: torch.Generator | None = None) -> None:
    """Draw the first weights as the authors' MatConvNet code does.

    Convolutions: He, N(0, 2 / (9·width)), biases 0. Batch norm: γ from the same law, pushed away
    from zero to |γ| ≥ 0.025, and β = 0. The small γ keep the first answer of the network small,
    without which training is slow to begin; lesson 06 shows it.
    """
    std = math.sqrt(2 / (9 * width))
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0, std, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            nn.init.normal_(module.weight, 0, std, generator=generator)
            with torch.no_grad():
                sign = torch.where(module.weight < 0, -1.0, 1.0)
                module.weight.copy_(sign * module.weight.abs().clamp(min=0.025))
            nn.init.zeros_(module.bias)


class DnCNN(nn.Module):
    """The denoising network of Zhang et al. (2017).

    ``Conv+ReLU``, then ``depth - 2`` times ``Conv+BN+ReLU``, then ``Conv``; every convolution is
    3×3 with one pixel of zero padding, so the output has the size of the input.

    Two methods, two meanings, whichever way the network was trained:

    - ``net(y)`` is the restored image x̂;
    - ``net.predict_residual(y)`` is what the network removes, v̂, and x̂ = y − v̂.

    Parameters
    ----------
    depth: number of convolutions, at least 2 (17 for a known noise level, 20 for blind denoising).
    width: feature maps in each hidden layer.
    channels: image channels, 1 for grey and 3 for colour.
    residual: what the layers compute. True: the residual v̂, as in the paper. False: the image x̂.
    batch_norm: batch normalisation after every convolution but the first and the last.
    bias: additive biases in the convolutions. ``None`` means: only where there is no batch
        normalisation, whose β does the same work.

    Raises ``TypeError`` or ``ValueError`` for sizes that make no network.

    With the defaults there are 556,032 parameters and the receptive field is 35×35.
    """

    def __init__(
        self,
        depth: int = 17,
        width: int = 64,
        channels: int = 1,
        residual: bool = True,
        batch_norm: bool = True,
        bias: bool | None = None,
    ) -> None:
        super().__init__()
        self.depth = _check.integer("depth", depth, at_least=2)
        self.width = _check.integer("width", width, at_least=1)
        self.channels = _check.integer("channels", channels, at_least=1)
        self.residual = bool(residual)
        self.batch_norm = bool(batch_norm)
        self.bias = not self.batch_norm if bias is None else bool(bias)

        self.layers = conv_layers(
            self.channels, self.channels, self.depth, self.width, self.batch_norm, self.bias
        )
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Initialise as the authors' MatConvNet code does: see ``initialise``."""
        initialise(self, self.width, generator)

    @property
    def receptive_field(self) -> int:
        """Side of the square of input pixels that one output pixel depends on: 2·depth + 1."""
        return 2 * self.depth + 1

    @property
    def config(self) -> dict[str, int | bool]:
        """The arguments that build this architecture again: ``DnCNN(**net.config)``."""
        names = ("depth", "width", "channels", "residual", "batch_norm", "bias")
        return {name: getattr(self, name) for name in names}

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.config.items())

    def _check_batch(self, noisy: Tensor) -> None:
        if not isinstance(noisy, Tensor):
            raise TypeError(
                f"noisy is a {type(noisy).__name__}, but must be a tensor (B, {self.channels}, "
                "H, W); for arrays and files use dncnn_lib.denoise"
            )
        if noisy.ndim != 4 or noisy.shape[1] != self.channels:
            _check.fail("noisy's shape", tuple(noisy.shape), f"(B, {self.channels}, H, W)")
        if not noisy.is_floating_point():
            _check.fail("noisy's dtype", noisy.dtype, "floating point, with values around [0, 1]")

    def forward(self, noisy: Tensor) -> Tensor:
        """The restored image x̂. noisy: (B, channels, H, W), around [0, 1]; same shape out."""
        self._check_batch(noisy)
        output = self.layers(noisy)
        return noisy - output if self.residual else output

    def predict_residual(self, noisy: Tensor) -> Tensor:
        """What is removed, v̂ = y − x̂. noisy: (B, channels, H, W); same shape out."""
        self._check_batch(noisy)
        output = self.layers(noisy)
        return output if self.residual else noisy - output

    @torch.no_grad()
    def fold_batch_norm(self) -> DnCNN:
        """An equal network in eval mode with each batch norm folded into the convolution before it.

        BN(w ∗ a + b) = γ (w ∗ a + b − μ) / √(s² + ε) + β, with the running mean μ and variance s²,
        is again a convolution: weights w·γ/√(s² + ε), bias β + (b − μ)·γ/√(s² + ε). The result
        is a copy, on the same device; without batch norm it is a plain copy.
        """
        bias = self.bias or self.batch_norm
        with torch.device("meta"):  # no memory, no random numbers: all of it is overwritten
            folded = DnCNN(**{**self.config, "batch_norm": False, "bias": bias})
        folded = folded.to_empty(device=self.layers[0].weight.device)
        folded = folded.to(self.layers[0].weight.dtype)
        targets = (m for m in folded.layers if isinstance(m, nn.Conv2d))
        layers = list(self.layers)
        for layer, follower in zip(layers, layers[1:] + [None]):
            if not isinstance(layer, nn.Conv2d):
                continue
            target = next(targets)
            weight = layer.weight
            shift = torch.zeros_like(weight[:, 0, 0, 0]) if layer.bias is None else layer.bias
            if isinstance(follower, nn.BatchNorm2d):
                scale = follower.weight / torch.sqrt(follower.running_var + follower.eps)
                weight = weight * scale[:, None, None, None]
                shift = follower.bias + (shift - follower.running_mean) * scale
            target.weight.copy_(weight)
            if target.bias is not None:
                target.bias.copy_(shift)
        return folded.eval()
