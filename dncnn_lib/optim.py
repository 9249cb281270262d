"""The optimizers that training offers by name, Muon for networks of convolutions among them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

IMAGE_CHANNELS = 3
"""A layer with no more inputs or outputs reads or writes the image, or works on single maps."""


def make_optimizer(
    net: nn.Module, name: str, lr: float, *, momentum: float = 0.9, weight_decay: float = 0.0
) -> torch.optim.Optimizer | Muon:
    """ "adam", "sgd" (with ``momentum``) or "muon". ``weight_decay`` is for the weights of layers;
    biases and batch norm, which are vectors, have none."""
    if name == "muon":
        return Muon(net, lr, weight_decay)
    groups = _groups(net.parameters(), weight_decay)
    if name == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=momentum)
    return torch.optim.Adam(groups, lr=lr)


def _groups(parameters: Iterable[Tensor], weight_decay: float) -> list[dict[str, Any]]:
    found = list(parameters)
    groups = [
        {"params": [p for p in found if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in found if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


class Muon:
    """Muon for the hidden convolutions of a network, and AdamW for all its other parameters.

    Adam scales every number of a gradient by itself. Muon takes the averaged gradient of a layer as
    a matrix G = UΣVᵀ and steps along UVᵀ: all directions count the same, also the many in which the
    gradient is small. (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/; the step
    has the size of Adam's at the same learning rate, after Liu et al., 2025, arXiv:2502.16982.)

    ``torch.optim.Muon`` does the work and takes matrices only; it gets the weights (O, I, h, w) of
    a convolution as a matrix (O, I·h·w) on the same memory. First and last layer, batch norm and
    biases are AdamW's, as Muon's author advises.

    net: the network; lr: of both; weight_decay: on weights of layers, not on biases and batch norm.
    """

    def __init__(self, net: nn.Module, lr: float, weight_decay: float = 0.0) -> None:
        layers = [p for p in net.parameters() if p.ndim > 1]
        self._hidden = [p for p in layers if min(p.shape[:2]) > IMAGE_CHANNELS]
        self._matrices = [nn.Parameter(_as_matrix(p, p)) for p in self._hidden]
        hidden = {id(p) for p in self._hidden}
        groups = _groups((p for p in net.parameters() if id(p) not in hidden), weight_decay)
        self._parts: list[torch.optim.Optimizer] = []
        if self._matrices:
            self._parts += [
                torch.optim.Muon(self._matrices, lr, weight_decay, adjust_lr_fn="match_rms_adamw")
            ]
        if groups:
            self._parts += [torch.optim.AdamW(groups, lr)]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Those of both optimizers, for the learning rate."""
        return [group for part in self._parts for group in part.param_groups]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for part in self._parts:
            part.zero_grad()
        for weight in self._hidden:
            weight.grad = None

    def step(self) -> None:
        """Update the parameters from their gradients."""
        for matrix, weight in zip(self._matrices, self._hidden):
            matrix.data = _as_matrix(weight, weight)
            matrix.grad = None if weight.grad is None else _as_matrix(weight.grad, weight)
        for part in self._parts:
            part.step()

    def state_dict(self) -> list[dict[str, Any]]:
        """What must be kept to go on later."""
        return [part.state_dict() for part in self._parts]

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """Go on from what ``state_dict`` gave."""
        for part, values in zip(self._parts, state, strict=True):
            part.load_state_dict(values)


def _as_matrix(values: Tensor, weight: Tensor) -> Tensor:
    """Values of the shape of ``weight`` as (O, everything else), in the order in which the weight
    lies in memory, so that the weight's own matrix is a view of it."""
    order = sorted(range(1, weight.ndim), key=weight.stride, reverse=True)
    return values.detach().permute(0, *order).flatten(1)
