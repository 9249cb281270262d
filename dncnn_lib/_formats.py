"""The formats of other DnCNN code bases, read and written: KAIR, cszn's PyTorch code,
SaoYan/DnCNN-PyTorch, MatConvNet.

All number a network's layers alike: convolution 0, ReLU 1, convolution 2, and so on. So each reader
gives the arguments of ``DnCNN`` and tensors under the keys of its ``layers``, such as "0.weight".
No code in a file is ever run.
"""

from __future__ import annotations

import io
import pickle
import re
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import _check
from .model import DnCNN

Config = dict[str, int | bool]
State = dict[str, Tensor]

EPS = 1e-5
"""What ``nn.BatchNorm2d``, and so ``DnCNN``, adds to a variance."""


class Unfit(ValueError):
    """What is wrong with a network's tensors, in words."""


# ------------------------------------------------------------------------------- PyTorch's pickles

_WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "net", "network")
_PREFIX = re.compile(r"^(?:module\.|_orig_mod\.)+")  # of DataParallel and of torch.compile
_NUMBERS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_KEY = re.compile(r"((?:\w+\.)*?)(model|dncnn)\.(\d+\.\w+)")


def read_pth(data: bytes) -> tuple[Config, State]:
    """A state dict, alone or wrapped in one entry of a dict, of

    - KAIR (``model.0.weight``), whose batch norm has ε = 1e-4;
    - cszn/DnCNN's PyTorch code (``dncnn.0.weight``, a bias in the first layer), also 1e-4;
    - SaoYan/DnCNN-PyTorch (``dncnn.0.weight``, no biases), 1e-5.

    ``DnCNN`` adds 1e-5 to every variance, so the stored ones get the difference.
    """
    state = _tensors(_unpickled(data))
    numbered, places = {}, set()
    for key, value in state.items():
        match = _KEY.fullmatch(key)
        if match is None:
            raise Unfit(_what_it_is(state, key))
        places.add((match[1], match[2]))
        numbered[match[3]] = value
    if len(places) > 1:
        names = ", ".join(sorted(repr("".join(place)) for place in places))
        raise Unfit(f"it holds {len(places)} networks, under {names}; save the one that you want")
    (_, author), *_ = places or {("", "")}
    eps = EPS if author == "dncnn" and "0.bias" not in numbered else 1e-4
    for key in numbered:
        if key.endswith("running_var"):
            numbered[key] = numbered[key].float() + (eps - EPS)
    config = deduce(numbered)
    if config["depth"] == 7 and config["width"] == 64 and not config["batch_norm"]:
        _check.warn(
            "the file has 7 convolutions of 64 maps, as IRCNN has, whose convolutions are dilated, "
            "which a file does not tell; it is read as a DnCNN, without dilation"
        )
    return config, numbered


def _unpickled(data: bytes) -> Any:
    if not data.startswith((b"PK\x03\x04", b"\x80")):
        raise Unfit("it is not a file that torch.save writes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a pickle that is then refused
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except RuntimeError as error:
        if "torchscript" in str(error).lower():
            raise Unfit(
                "it holds a TorchScript program, which is not opened; where you trust it, load it "
                "with torch.jit.load(path) and save module.state_dict()"
            ) from error
        raise
    except pickle.UnpicklingError as error:
        if "unsupported" in str(error).lower() or "weights_only" in str(error).lower():
            raise Unfit(
                "it holds pickled Python objects, such as a whole module, and a pickle can run any "
                "code, so it is not opened; where you trust it, load it with "
                "torch.load(path, weights_only=False) and save module.state_dict(), or the state "
                "dict in it, alone"
            ) from error
        raise


def _tensors(saved: Any) -> State:
    """The state dict in what was saved, without the prefixes that wrappers of modules add."""
    if isinstance(saved, Mapping) and "identity" in saved and "optimizer" in saved:
        raise Unfit(
            "it is a checkpoint of dncnn_lib.train, to go on training from; name it as checkpoint= "
            "there, and save the network with save_pretrained"
        )
    if isinstance(saved, Mapping):
        inside = [key for key in _WRAPPERS if isinstance(saved.get(key), Mapping)]
        inside = inside or [key for key, value in saved.items() if _holds_tensors(value)]
        if len(inside) == 1:
            return _tensors(saved[inside[0]])
        if inside:
            some = ", ".join(f"saved[{key!r}]" for key in inside[:3]) + ", ..." * (len(inside) > 3)
            levels = all(str(key).isdigit() for key in inside)
            like = " (as KAIR's IRCNN does, one for each noise level)" if levels else ""
            raise Unfit(
                f"it holds {len(inside)} networks{like}, {some}; save the one that you want alone, "
                "if it is a DnCNN"
            )
    if not isinstance(saved, Mapping):
        raise Unfit(f"it holds a {type(saved).__name__}, not a state dict")
    state = {}
    for key, value in saved.items():
        if not isinstance(value, Tensor):
            raise Unfit(f"it holds {key!r}, a {type(value).__name__}")
        counts = str(key).endswith("num_batches_tracked")
        if value.layout != torch.strided or not (counts or value.dtype in _NUMBERS):
            kind = "a sparse tensor" if value.layout != torch.strided else f"of {value.dtype}"
            raise Unfit(f"it holds {key!r}, {kind}, but weights are dense and floating-point")
        state[_PREFIX.sub("", str(key))] = value
    if not state:
        raise Unfit("it holds no tensors")
    return state


def _holds_tensors(value: object) -> bool:
    """Whether it is a state dict, or a dict with one in it."""
    if not isinstance(value, Mapping) or not value:
        return False
    return all(isinstance(v, Tensor) for v in value.values()) or any(
        isinstance(value.get(key), Mapping) for key in _WRAPPERS
    )


_OTHERS = {
    r"m_head\.|m_down\d|m_body\.": "DRUNet",
    r"conv_first\..*|patch_embed\.|layers\.0\.residual_group": "SwinIR or ESRGAN",
    r"encoder_level\d|refinement\.": "Restormer",
    r"inc\.|down\d\.|outc\.|upconv": "a U-Net",
    r"head\.|body\.|tail\.": "EDSR or a network like it",
    r"intro\.|ending\.|encoders\.": "NAFNet",
}


def _what_it_is(state: State, key: str) -> str:
    """In words, what a state dict with a key that is no DnCNN's looks like."""
    if any(re.search(r"(^|\.)layers\.0\.weight$", k) for k in state):
        return (
            "it is the state dict of a DnCNN of dncnn_lib, which does not say whether the network "
            "is residual; build it, net.load_state_dict(torch.load(path)), and save it with "
            "save_pretrained"
        )
    for pattern, name in _OTHERS.items():
        if any(re.match(pattern, k) for k in state):
            return f"it holds {key!r} and looks like {name}, which is not a DnCNN"
    return f"it holds {key!r}, which no DnCNN has"


def deduce(state: State) -> Config:
    """The architecture of a residual DnCNN, read off its tensors under the keys of ``layers``.

    Where only the first convolution has a bias, the others get one of zeros. Raises ``Unfit`` for
    tensors that look like another network.
    """
    kernels = {key: value for key, value in state.items() if value.ndim == 4}
    first = state.get("0.weight")
    if first is None or first.ndim != 4:
        raise Unfit("it does not begin with a convolution")
    last = kernels[max(kernels, key=lambda key: int(key.split(".")[0]))]
    inputs, outputs = first.shape[1], last.shape[0]
    if inputs != outputs:
        like = {4 * c + 1: "FFDNet" for c in (1, 3)} | {2: "FDnCNN", 4: "FDnCNN"}
        named = "a network with a noise map" if inputs > outputs else "one that enlarges"
        named = like.get(inputs, named) if inputs > outputs else named
        raise Unfit(
            f"its first layer takes {inputs} channels and its last gives {outputs}, as in {named}, "
            "which is not a DnCNN"
        )
    if len(kernels) == 1:
        raise Unfit("it has one convolution, but a DnCNN has at least 2")
    for key, value in kernels.items():
        if value.shape[2:] != (3, 3):
            raise Unfit(
                f"{key} has the shape {tuple(value.shape)}, but a DnCNN has kernels of 3×3 only"
            )
    biases = [key for key in kernels if key.replace("weight", "bias") in state]
    if biases == ["0.weight"]:  # as in the authors' PyTorch code: the others are zero
        for key, value in kernels.items():
            state.setdefault(key.replace("weight", "bias"), torch.zeros(len(value)))
    return {
        "depth": len(kernels),
        "width": first.shape[0],
        "channels": first.shape[1],
        "batch_norm": any(key.endswith("running_mean") for key in state),
        "bias": bool(biases),
    }


# --------------------------------------------------------------------------------------- MatConvNet


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
                dilated = "dilate" in layer and (np.asarray(layer["dilate"]) != 1).any()
                if dilated:
                    raise Unfit(f"layer {index} is dilated, as IRCNN's are; it is not a DnCNN")
                weight = weight.reshape((1,) * (4 - weight.ndim) + weight.shape).transpose(2, 3)
            else:
                mean, deviation = moments[0]
                weight = weight.flatten()
                state[f"{index}.running_mean"] = mean
                state[f"{index}.running_var"] = deviation**2 - EPS
            state[f"{index}.weight"], state[f"{index}.bias"] = weight, bias.flatten()
    return deduce(state), state


# ------------------------------------------------------------------------------------------ to KAIR


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
