"""Pretrained networks: cards, hashes, load, save, and the formats of other DnCNN code bases.

A shipped network is two files in ``data/weights``: ``NAME.safetensors`` and its card ``NAME.json``.
All formats number a network's layers alike: convolution 0, ReLU 1, convolution 2, and so on. So
each reader below gives a ``State``: tensors under the keys of ``DnCNN.layers``, such as "0.weight".
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import _check, _files
from ._paths import DATA
from .model import DnCNN

WEIGHTS = DATA / "weights"

Config = dict[str, int | bool]
State = dict[str, Tensor]


class _Unfit(ValueError):
    """What is wrong with a network's tensors, in words."""


# --------------------------------------------------------------------------- the shipped networks


def model_names() -> list[str]:
    """The names of the pretrained networks that ship, each with its weights and its card."""
    return sorted(p.stem for p in WEIGHTS.glob("*.safetensors") if p.with_suffix(".json").is_file())


def card(name: str) -> dict[str, Any]:
    """The card of a shipped network: architecture, training, measured PSNR, licence, SHA-256.

    Raises ``ValueError``, with the known names, for others.
    """
    _check.one_of("name", name, model_names())
    return _read_card(WEIGHTS / f"{name}.json")


def _read_card(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is damaged: it holds a {type(found).__name__}, not a card")
    return found


def load_pretrained(name_or_path: str | os.PathLike) -> DnCNN:
    """A trained network in eval mode, in float32 on the CPU.

    name_or_path: one of ``model_names()``, whose SHA-256 is checked against its card; or a file:

    - ``.safetensors``: written by ``save_pretrained``; its SHA-256 is checked, too, if its card
      lies beside it;
    - ``.pth`` or ``.pt``: a state dict of DnCNN in KAIR (``model.0.weight``), with batch norm or
      folded, or in SaoYan/DnCNN-PyTorch (``module.dncnn.0.weight``, with or without ``module.``);
    - ``.mat``: the authors' MatConvNet networks, in MATLAB's format v7.3. Needs h5py.

    For the formats of others the architecture is read off the tensors, and the network is residual.
    No code in a file is ever run.

    Raises ``FileNotFoundError`` for a missing file; ``ValueError`` for an unknown name and for a
    file that is damaged, holds another network, or has NaN weights; ``ImportError`` without h5py.
    """
    if isinstance(name_or_path, str) and not _is_path(name_or_path):
        names = model_names()
        if name_or_path not in names:
            rule = f"one of {', '.join(map(repr, names))}, or the path of a file"
            _check.fail("name_or_path", name_or_path, rule)
        path = WEIGHTS / f"{name_or_path}.safetensors"
        return _decode(_verified(path, card(name_or_path).get("sha256")), path)
    path = Path(name_or_path)
    if not path.is_file():
        raise FileNotFoundError(f"name_or_path is {str(path)!r}, but there is no such file")
    _check.one_of("the suffix of name_or_path", path.suffix, tuple(_FORMATS))
    beside = path.with_suffix(".json")
    if path.suffix == ".safetensors" and beside.is_file():
        return _decode(_verified(path, _read_card(beside).get("sha256")), path)
    return _decode(path.read_bytes(), path)


def save_pretrained(
    net: DnCNN, path: str | os.PathLike, card: dict[str, Any] | None = None, half: bool = False
) -> None:
    """Write ``net`` to ``path``, which ends in .safetensors, and its card beside it, as .json.

    card: what is to be known about the network. "network" (the arguments of ``DnCNN``) and
        "sha256" (of the weights' file) are added.
    half: store float16, in half the space. Running means and variances stay float32, because a
        small variance would come out as 0.

    Raises ``ValueError`` for another suffix or weights that are not finite, ``TypeError`` for a
    card that JSON cannot hold, ``OSError`` where the disk refuses; both are written, or neither.
    """
    import safetensors.torch

    path = _target(path, ".safetensors")
    state = {}
    for key, value in net.state_dict().items():
        if half and value.is_floating_point() and "running" not in key:
            value = _finite(key, value).half()
        state[key] = _finite(key, value.cpu().contiguous())
    data = safetensors.torch.save(state, {"dncnn": json.dumps(net.config)})
    full = {**(card or {}), "network": net.config, "sha256": hashlib.sha256(data).hexdigest()}
    text = json.dumps(full, indent=2, ensure_ascii=False) + "\n"
    _files.write_together({path: data, path.with_suffix(".json"): text.encode()})


def save_kair(model: DnCNN, path: str | os.PathLike) -> None:
    """Write ``model`` to ``path``, which ends in .pth, as KAIR and spandrel read DnCNN.

    Batch norm is folded; convolution number i has the keys ``model.{2i}.weight`` and
    ``model.{2i}.bias``. spandrel recognises networks of 8 layers or more.

    Raises ``ValueError`` for another suffix, and for a network that is not residual, because
    KAIR's DnCNN returns x − model(x).
    """
    path = _target(path, ".pth")
    if not model.residual:
        _check.fail("model.residual", False, "True, because KAIR's DnCNN returns x - model(x)")
    state = OrderedDict()
    for index, layer in enumerate(model.fold_batch_norm().float().layers):
        if isinstance(layer, nn.Conv2d):
            bias = torch.zeros(layer.out_channels) if layer.bias is None else layer.bias
            for name, value in (("weight", layer.weight), ("bias", bias)):
                key = f"model.{index}.{name}"
                state[key] = _finite(key, value.detach().cpu().contiguous())
    file = io.BytesIO()
    torch.save(state, file)
    _files.write_bytes(path, file.getvalue())


def _is_path(text: str) -> bool:
    return "/" in text or os.sep in text or Path(text).suffix in _FORMATS


def _verified(path: Path, wanted: str | None) -> bytes:
    """The bytes of a file with this SHA-256."""
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        rule = f"must have {wanted}, as its card says; it is damaged: fetch it again"
        raise ValueError(f"{path} has SHA-256 {found}, but {rule}")
    return data


def _target(path: str | os.PathLike, suffix: str) -> Path:
    path = Path(path)
    if path.suffix != suffix:
        _check.fail("path", str(path), f"the name of a {suffix} file")
    return path


def _finite(key: str, value: Tensor) -> Tensor:
    if not torch.isfinite(value).all():
        raise _Unfit(f"{key} has NaN or infinite values")
    return value


# ------------------------------------------------------------------------------------- the readers


def _decode(data: bytes, path: Path) -> DnCNN:
    """The network in the bytes of a file. Raises ``ValueError``, which names ``path``."""
    read, rule = _FORMATS[path.suffix]
    try:
        return _build(*read(data))
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # a damaged file makes the libraries raise a dozen kinds
        reason = error if isinstance(error, _Unfit) else "it is damaged, or of another kind"
        raise ValueError(f"{path} cannot be read: {reason}; it must be {rule}") from error


def _build(config: Config, state: State) -> DnCNN:
    """The network with these weights, each key and shape checked. Draws no random numbers."""
    with torch.device("meta"):
        net = DnCNN(**config)
    wanted = net.layers.state_dict()
    for key in wanted:
        if key.endswith("num_batches_tracked"):
            state.setdefault(key, torch.tensor(0))
    for key in sorted(wanted.keys() ^ state.keys()):
        raise _Unfit(f"{key} is {'missing' if key in wanted else 'not part of a DnCNN'}")
    for key, like in wanted.items():
        found, shape = tuple(state[key].shape), tuple(like.shape)
        if found != shape:
            raise _Unfit(f"{key} has the shape {found} in place of {shape}")
        state[key] = _finite(key, state[key].to(like.dtype)).clone(
            memory_format=torch.contiguous_format
        )
        if key.endswith("running_var") and (state[key] < 0).any():
            raise _Unfit(f"{key} has negative values")
    net.layers.load_state_dict(state, assign=True)
    return net.eval()


def _deduce(state: State) -> Config:
    """The architecture of a residual DnCNN, read off its tensors."""
    first = state.get("0.weight")
    if first is None or first.ndim != 4:
        raise _Unfit("it does not begin with a convolution")
    return {
        "depth": sum(value.ndim == 4 for value in state.values()),
        "width": first.shape[0],
        "channels": first.shape[1],
        "batch_norm": any(key.endswith("running_mean") for key in state),
        "bias": "0.bias" in state,
    }


def _read_safetensors(data: bytes) -> tuple[Config, State]:
    import safetensors.torch

    state = safetensors.torch.load(data)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    config = json.loads(header.get("__metadata__", {}).get("dncnn", "null"))
    if config is None:
        raise _Unfit("its metadata have no 'dncnn'")
    return config, {key.removeprefix("layers."): value for key, value in state.items()}


_KEY = re.compile(r"(?:module\.)?(?:model|dncnn)\.(\d+\.\w+)")


def _read_pth(data: bytes) -> tuple[Config, State]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a pickle that is then refused
        saved = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    if not isinstance(saved, dict):
        raise _Unfit(f"it holds a {type(saved).__name__}")
    state = {}
    for key, value in saved.items():
        match = _KEY.fullmatch(str(key))
        if match is None or not isinstance(value, Tensor):
            raise _Unfit(f"it holds {key!r}")
        state[match[1]] = value
    return _deduce(state), state


def _read_mat(data: bytes) -> tuple[Config, State]:
    """MATLAB stores arrays with the axes reversed: filters (h, w, in, out) come as (out, in, w, h),
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


_STATE_DICT = "a state dict of KAIR's DnCNN (model.0.weight ...) or SaoYan's (dncnn.0.weight ...)"
_FORMATS = {
    ".safetensors": (_read_safetensors, "a file that dncnn_lib.save_pretrained wrote"),
    ".pth": (_read_pth, _STATE_DICT),
    ".pt": (_read_pth, _STATE_DICT),
    ".mat": (_read_mat, "a MatConvNet DnCNN in MATLAB's format v7.3"),
}
