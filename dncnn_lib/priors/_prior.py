"""What the priors share: they are told one noise level, and restore one plane after another."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .. import _check


class Prior(nn.Module, ABC):
    """A denoiser that is told σ; a subclass says in ``restore`` how a plane is restored.

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

    receptive_field: int | None = None
    """``denoise`` does not cut images into tiles: most priors' results depend on the whole image.
    """

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        level = self._level(sigma)
        if level == 0:
            return noisy.clone()
        with torch.autocast(noisy.device.type, enabled=False):
            planes = noisy.float().reshape(-1, *noisy.shape[-2:])
            restored = self.restore_all(planes, level)
        return restored.to(noisy.dtype).reshape(noisy.shape)

    def restore_all(self, planes: Tensor, sigma: float) -> Tensor:
        """The restored planes, (N, H, W); one by one, where a subclass does not do better."""
        return torch.stack([self.restore(plane, sigma) for plane in planes])

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


def grey_levels(sigma: float) -> float:
    """σ on the 0–255 scale, to a thousandth, to choose a setting by: what float32 makes of 50 / 255
    is a little more. sigma: in units of [0, 1]."""
    return round(255 * sigma, 3)


class TrainedPrior(Prior):
    """A prior with trained parameters, a set of them for each of a few noise levels.

    levels: those, on the 0–255 scale, in rising order. σ says which set is used: that of the
    nearest level, by the ratio. A subclass makes a set in ``part``: a module which maps planes (N,
    H, W) to restored ones, with a method ``reset_parameters(generator)``.
    """

    def __init__(self, levels: Sequence[float]) -> None:
        super().__init__()
        self.levels = checked_levels(levels)
        self.parts = nn.ModuleList(self.part(level) for level in self.levels)

    @abstractmethod
    def part(self, level: float) -> nn.Module:
        """The module for a noise level on the 0–255 scale, with its first parameters."""

    @property
    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The arguments that build it again."""

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """The parameters as training begins."""
        for part in self.parts:
            part.reset_parameters(generator)

    def restore_all(self, planes: Tensor, sigma: float) -> Tensor:
        away = [abs(math.log(255 * sigma / level)) for level in self.levels]
        return self.parts[away.index(min(away))](planes)

    def restore(self, plane: Tensor, sigma: float) -> Tensor:
        return self.restore_all(plane[None], sigma)[0]

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.config.items())


class StagedPrior(TrainedPrior):
    """A trained prior whose parts are ``stages`` in a row, each with filters of ``size`` × size."""

    def __init__(
        self, size: int = 7, stages: int = 5, levels: Sequence[float] = (15, 25, 50)
    ) -> None:
        self.size = _check.integer("size", size, at_least=2)
        self.stages = _check.integer("stages", stages, at_least=1)
        super().__init__(levels)

    @property
    def config(self) -> dict[str, Any]:
        return {"size": self.size, "stages": self.stages, "levels": list(self.levels)}


def checked_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """Noise levels on the 0–255 scale, at least one, in rising order."""
    if not isinstance(levels, (list, tuple)) or not levels:
        _check.fail("levels", levels, "a list of noise levels")
    found = tuple(_check.real("levels", level, above=0.0) for level in levels)
    if list(found) != sorted(set(found)):
        _check.fail("levels", levels, "in rising order")
    return found
