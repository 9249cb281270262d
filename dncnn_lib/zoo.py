"""Pretrained networks: cards, hashes, load, save, and the formats of other DnCNN code bases.

A shipped network is two files in ``data/weights``: ``NAME.safetensors`` and its card ``NAME.json``.
To add an architecture, write its class and a line in ``ARCHITECTURES``.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from . import _check, _files
from ._files import DATA
from ._formats import State, Unfit, kair_state, read_mat, read_pth
from .ffdnet import FFDNet
from .model import DnCNN

WEIGHTS = DATA / "weights"

ARCHITECTURES: dict[str, type[nn.Module]] = {"dncnn": DnCNN, "ffdnet": FFDNet}
"""What a weights' file can hold, by the key of its metadata. A class has a property ``config``, the
arguments that build it again, and ``reset_parameters(generator)``, which draws its first weights.
"""


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


def load_pretrained(name_or_path: str | os.PathLike) -> nn.Module:
    """A trained network in eval mode, in float32 on the CPU.

    name_or_path: one of ``model_names()``, whose SHA-256 is checked against its card; or a file:

    - ``.safetensors``: written by ``save_pretrained``; its SHA-256 is checked, too, if its card
      lies beside it;
    - ``.pth``, ``.pt``, ``.ckpt`` or ``.pth.tar``: a state dict of DnCNN in KAIR
      (``model.0.weight``), with batch norm or folded, in cszn/DnCNN's PyTorch code or in
      SaoYan/DnCNN-PyTorch (``dncnn.0.weight``); also as ``{"state_dict": ...}`` or under a prefix;
    - ``.mat``: the authors' MatConvNet networks, in MATLAB's format v7.3. Needs h5py.

    For the formats of others the architecture is read off the tensors, and the network is residual.
    No code in a file is ever run.

    Raises ``FileNotFoundError`` for a missing file; ``ValueError`` for an unknown name and for a
    file that is damaged, holds another network, or has NaN weights; ``ImportError`` without h5py.
    """
    if isinstance(name_or_path, str) and not is_path(name_or_path):
        names = model_names()
        if name_or_path not in names:
            rule = f"one of {', '.join(map(repr, names))}, or the path of a file"
            _check.fail("name_or_path", name_or_path, rule)
        path = WEIGHTS / f"{name_or_path}.safetensors"
        return _decode(_verified(path, card(name_or_path).get("sha256")), path)
    path = Path(name_or_path)
    if not path.is_file():
        raise FileNotFoundError(f"name_or_path is {str(path)!r}, but there is no such file")
    if _suffix(path) not in _FORMATS:
        rule = "one of " + ", ".join(map(repr, _FORMATS))
        _check.fail("the suffix of name_or_path", path.suffix, rule)
    beside = path.with_suffix(".json")
    if _suffix(path) == ".safetensors" and beside.is_file():
        return _decode(_verified(path, _read_card(beside).get("sha256")), path)
    return _decode(path.read_bytes(), path)


def save_pretrained(
    net: nn.Module, path: str | os.PathLike, card: dict[str, Any] | None = None, half: bool = False
) -> None:
    """Write ``net`` to ``path``, which ends in .safetensors, and its card beside it, as .json.

    card: what is to be known about the network. "network" (the arguments of its class) and
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
    kind = architecture(net)
    data = safetensors.torch.save(state, {kind: json.dumps(net.config)})
    full = {**(card or {}), "network": net.config, "sha256": hashlib.sha256(data).hexdigest()}
    text = json.dumps(full, indent=2, ensure_ascii=False) + "\n"
    _files.write_together({path: data, path.with_suffix(".json"): text.encode()})


def save_kair(model: DnCNN, path: str | os.PathLike) -> None:
    """Write ``model`` to ``path``, which ends in .pth, as KAIR and spandrel read DnCNN.

    Batch norm is folded. spandrel recognises networks of 8 layers or more.

    Raises ``ValueError`` for another suffix, and for a network that is not residual, because
    KAIR's DnCNN returns x − model(x).
    """
    path = _target(path, ".pth")
    if not model.residual:
        _check.fail("model.residual", False, "True, because KAIR's DnCNN returns x - model(x)")
    state = {key: _finite(key, value) for key, value in kair_state(model).items()}
    file = io.BytesIO()
    torch.save(state, file)
    _files.write_bytes(path, file.getvalue())


def architecture(net: nn.Module) -> str:
    """The name in ``ARCHITECTURES`` of a network's class. Raises ``TypeError`` for others."""
    for name, kind in ARCHITECTURES.items():
        if type(net) is kind:
            return name
    known = ", ".join(kind.__name__ for kind in ARCHITECTURES.values())
    _check.wrong_type("net", net, f"one of {known}")


def is_path(text: str) -> bool:
    """Whether ``load_pretrained`` takes the text for a file's path rather than for a name."""
    return "/" in text or os.sep in text or _suffix(Path(text)) in _FORMATS or os.path.isfile(text)


def _suffix(path: Path) -> str:
    """In small letters, without the ".tar" that old examples of PyTorch put behind."""
    return Path(path.name.lower().removesuffix(".tar")).suffix


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
        raise Unfit(f"{key} has NaN or infinite values")
    return value


# ------------------------------------------------------------------------------------- the readers


def _decode(data: bytes, path: Path) -> nn.Module:
    """The network in the bytes of a file. Raises ``ValueError``, which names ``path``."""
    read, rule = _FORMATS[_suffix(path)]
    try:
        return _build(*read(data))
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # a damaged file makes the libraries raise a dozen kinds
        reason = error if isinstance(error, Unfit) else "it is damaged, or of another kind"
        raise ValueError(f"{path} cannot be read: {reason}; it must be {rule}") from error


def _build(kind: str, config: dict[str, Any], state: State) -> nn.Module:
    """The network with these weights, each key and shape checked. Draws no random numbers."""
    with torch.device("meta"):
        net = ARCHITECTURES[kind](**config)
    wanted = net.state_dict()
    for key in wanted:
        if key.endswith("num_batches_tracked"):
            state.setdefault(key, torch.tensor(0))
    for key in sorted(wanted.keys() ^ state.keys()):
        fault = "missing" if key in wanted else f"not part of a {type(net).__name__}"
        raise Unfit(f"{key.removeprefix('layers.')} is {fault}")
    for key, like in wanted.items():
        found, shape = tuple(state[key].shape), tuple(like.shape)
        if found != shape:
            raise Unfit(f"{key.removeprefix('layers.')} has the shape {found} in place of {shape}")
        state[key] = _finite(key.removeprefix("layers."), state[key].to(like.dtype)).clone(
            memory_format=torch.contiguous_format
        )
        if key.endswith("running_var") and (state[key] < 0).any():
            raise Unfit(f"{key.removeprefix('layers.')} has negative values")
    net.load_state_dict(state, assign=True)
    return net.eval()


def _read_safetensors(data: bytes) -> tuple[str, dict[str, Any], State]:
    import safetensors.torch

    state = safetensors.torch.load(data)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata = header.get("__metadata__", {})
    kind = next((name for name in ARCHITECTURES if name in metadata), None)
    if kind is None:
        raise Unfit(f"its metadata have none of {', '.join(map(repr, ARCHITECTURES))}")
    return kind, json.loads(metadata[kind]), state


def _foreign(
    read: Callable[[bytes], tuple[dict[str, Any], State]],
) -> Callable[[bytes], tuple[str, dict[str, Any], State]]:
    """A reader of a DnCNN by others, whose tensors are those of ``DnCNN.layers``."""

    def reader(data: bytes) -> tuple[str, dict[str, Any], State]:
        config, state = read(data)
        return "dncnn", config, {f"layers.{key}": value for key, value in state.items()}

    return reader


_STATE_DICT = "a state dict of KAIR's DnCNN (model.0.weight ...) or SaoYan's (dncnn.0.weight ...)"
_FORMATS = {
    ".safetensors": (_read_safetensors, "a file that dncnn_lib.save_pretrained wrote"),
    ".pth": (_foreign(read_pth), _STATE_DICT),
    ".pt": (_foreign(read_pth), _STATE_DICT),
    ".ckpt": (_foreign(read_pth), _STATE_DICT),
    ".mat": (_foreign(read_mat), "a MatConvNet DnCNN in MATLAB's format v7.3"),
}
