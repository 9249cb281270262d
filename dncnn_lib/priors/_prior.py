"""What the priors share: they are told one noise level, and restore one plane after another."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from .. import _check


class Prior(nn.Module, ABC):
    """A denoiser without trained weights; a subclass says in ``restore`` how a plane is restored.

    ``prior(noisy, sigma)``: noisy (B, C, H, W), floating point around [0, 1], any size; sigma, the
    standard deviation of the noise in units of [0, 1], a number or a tensor of one. Returns the
    restored batch, of the shape and dtype of ``noisy``; it is computed in float32, each channel on
    its own, and σ = 0 returns the values of ``noisy``. Raises ``ValueError`` for a negative sigma,
    one that is not finite, and a map: no prior here knows noise that changes over the image.
    """

    about: str
    """One line for people."""

    channels = 1
    """``denoise`` gives it a colour image channel by channel."""

    receptive_field = None
    """``denoise`` does not cut images into tiles: a prior's result depends on the whole image."""

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        level = self._level(sigma)
        if level == 0:
            return noisy.clone()
        with torch.autocast(noisy.device.type, enabled=False):
            planes = noisy.float().reshape(-1, *noisy.shape[-2:])
            restored = torch.stack([self.restore(plane, level) for plane in planes])
        return restored.to(noisy.dtype).reshape(noisy.shape)

    @abstractmethod
    def restore(self, plane: Tensor, sigma: float) -> Tensor:
        """The restored plane. plane: (H, W) float32 around [0, 1]; sigma: above 0, same units."""

    def _level(self, sigma: Tensor | float) -> float:
        if isinstance(sigma, Tensor):
            if sigma.numel() != 1:
                rule = f"one number: {type(self).__name__} knows no map of noise levels"
                _check.fail("sigma's shape", tuple(sigma.shape), rule)
            sigma = sigma.item()
        return _check.real("sigma", sigma, at_least=0.0)
