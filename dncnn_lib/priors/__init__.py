"""The systems before DnCNN: a file each, each a module that maps a noisy batch to a restored one.

``dn.denoise(noisy, priors.load_model("bm3d"), sigma=25)`` calls them as it calls a network. To add
one, write a class as in ``classical``, and a line in ``PRIORS``; one that is trained, as in
``tnrd``, has a line in ``zoo.ARCHITECTURES`` and a recipe, too.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

from torch import nn

from .. import _check, zoo
from ._prior import Prior
from .bm3d import BM3D
from .classical import GaussianFilter, NonLocalMeans, TotalVariation, WaveletShrinkage
from .csf import CSF
from .fields_of_experts import FieldsOfExperts
from .jain_seung import JainSeung
from .ncsr import NCSR
from .tnrd import TNRD

zoo.ARCHITECTURES |= {
    "fields-of-experts": FieldsOfExperts,
    "csf": CSF,
    "tnrd": TNRD,
    "jain-seung": JainSeung,
}

PRIORS: dict[str, Callable[[], Prior]] = {
    "gaussian-filter": GaussianFilter,
    "total-variation": TotalVariation,
    "wavelet": WaveletShrinkage,
    "nlm": NonLocalMeans,
    "bm3d": BM3D,
    "ncsr": NCSR,
    **{
        name: functools.partial(zoo.load_pretrained, name)
        for name in ("foe", "csf-5x5", "csf-7x7", "tnrd-5x5", "tnrd-7x7", "jain-seung")
    },
}
"""How each is made, by the name that the command line and ``load_model`` know; in the order of
lesson 02."""


def load_model(name_or_path: str | os.PathLike) -> nn.Module:
    """Any model by its name: one of ``PRIORS``, or a network as ``zoo.load_pretrained`` reads it.

    Raises ``ValueError``, with all known names, for others; else as ``zoo.load_pretrained`` does.
    """
    if isinstance(name_or_path, str):
        if name_or_path in PRIORS:
            return PRIORS[name_or_path]()
        names = model_names()
        if name_or_path not in names and not zoo.is_path(name_or_path):
            rule = f"one of {', '.join(map(repr, names))}, or the path of a file"
            _check.fail("name_or_path", name_or_path, rule)
    return zoo.load_pretrained(name_or_path)


def model_names() -> list[str]:
    """What ``load_model`` knows by name: the pretrained networks, then the priors."""
    return [*(name for name in zoo.model_names() if name not in PRIORS), *PRIORS]


def about(name: str) -> str:
    """One of ``model_names()`` in a line. Raises ``ValueError`` for others."""
    _check.one_of("name", name, model_names())
    return zoo.card(name).get("about", "") if name in zoo.model_names() else PRIORS[name].about
