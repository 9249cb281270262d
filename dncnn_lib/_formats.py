"""The formats of other DnCNN code bases, read and written: KAIR, SaoYan/DnCNN-PyTorch, MatConvNet.

All number a network's layers alike: convolution 0, ReLU 1, convolution 2, and so on. So each reader
gives the arguments of ``DnCNN`` and tensors under the keys of its ``layers``, such as "0.weight".
No code in a file is ever run.
"""

from __future__ import annotations

import io
import re
import warnings
from collections import OrderedDict

import numpy as np
import torch
from torch import Tensor, nn

from .model import DnCNN

Config = dict[str, int | bool]
State = dict[str, Tensor]


class Unfit(ValueError):
    """What is wrong with a network's tensors, in words."""


_KEY = re.compile(r"(?:module\.)?(?:model|dncnn)\.(\d+\.\w+)")


def read_pth(data: bytes) -> tuple[Config, State]:
    """A state dict of KAIR (``model.0.weight``) or SaoYan (``module.dncnn.0.weight``)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a pickle that is then refused
        saved = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    if not isinstance(saved, dict):
        raise Unfit(f"it holds a {type(saved).__name__}")
    state = {}
    for key, value in saved.items():
        match = _KEY.fullmatch(str(key))
        if match is None or not isinstance(value, Tensor):
            raise Unfit(f"it holds {key!r}")
        state[match[1]] = value
    return _deduce(state), state


def read_mat(data: bytes) -> tuple[Config, State]:
    """A MatConvNet network in MATLAB's format v7.3.

    MATLAB stores arrays with the axes reversed: filters (h, w, in, out) come as (out, in, w, h),
    without the first axes where they are 1. MatConvNet's ``bnorm`` keeps moments (channels, 2), the
    mean and the deviation √(s² + ε), which is what its ``mergeBatchNorm`` divides by.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError(".mat files are read by h5py: pip install h5py") from error
    state = {}
    with h5py.File(io.BytesIO(data), "r") as file:
        for index, layer in enumerate(file[r] for r in file["net/layers"][()].ravel()):
            kind = "".join(map(chr, layer["type"][()].ravel()))
            if kind not in ("conv", "bnorm"):
                continue  # relu, and the loss that training ends with
            arrays = [file[r][()].astype(np.float32) for r in layer["weights"][()].ravel()]
            weight, bias, *moments = map(torch.from_numpy, arrays)
            if kind == "conv":
                weight = weight.reshape((1,) * (4 - weight.ndim) + weight.shape).transpose(2, 3)
            else:
                mean, deviation = moments[0]
                weight = weight.flatten()
                state[f"{index}.running_mean"] = mean
                state[f"{index}.running_var"] = deviation**2 - 1e-5  # nn.BatchNorm2d adds this ε
            state[f"{index}.weight"], state[f"{index}.bias"] = weight, bias.flatten()
    return _deduce(state), state


def _deduce(state: State) -> Config:
    """The architecture of a residual DnCNN, read off its tensors."""
    first = state.get("0.weight")
    if first is None or first.ndim != 4:
        raise Unfit("it does not begin with a convolution")
    return {
        "depth": sum(value.ndim == 4 for value in state.values()),
        "width": first.shape[0],
        "channels": first.shape[1],
        "batch_norm": any(key.endswith("running_mean") for key in state),
        "bias": "0.bias" in state,
    }


def kair_state(model: DnCNN) -> OrderedDict[str, Tensor]:
    """A residual network as KAIR and spandrel read it: batch norm folded, convolution number i has
    the keys ``model.{2i}.weight`` and ``model.{2i}.bias``."""
    state = OrderedDict()
    for index, layer in enumerate(model.fold_batch_norm().float().layers):
        if isinstance(layer, nn.Conv2d):
            bias = torch.zeros(layer.out_channels) if layer.bias is None else layer.bias
            for name, value in (("weight", layer.weight), ("bias", bias)):
                state[f"model.{index}.{name}"] = value.detach().cpu().contiguous()
    return state
