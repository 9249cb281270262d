"""The systems before DnCNN: a file each, each a module that maps a noisy batch to a restored one.

``dn.denoise(noisy, priors.load_model("bm3d"), sigma=25)`` calls them as it calls a network. To add
one, write a class as in ``classical``, and a line in ``PRIORS``.
"""

from __future__ import annotations

import os

from torch import nn

from .. import _check, zoo
from ._prior import Prior
from .bm3d import BM3D
from .classical import GaussianFilter, NonLocalMeans, TotalVariation, WaveletShrinkage
from .ncsr import NCSR

PRIORS: dict[str, type[Prior]] = {
    "gaussian-filter": GaussianFilter,
    "total-variation": TotalVariation,
    "wavelet": WaveletShrinkage,
    "nlm": NonLocalMeans,
    "bm3d": BM3D,
    "ncsr": NCSR,
}
"""By the name that the command line and ``load_model`` know; from the oldest to the latest."""


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
    """What ``load_model`` knows by name: the pretrained networks, and the priors."""
    return [*zoo.model_names(), *PRIORS]


def about(name: str) -> str:
    """One of ``model_names()`` in a line. Raises ``ValueError`` for others."""
    _check.one_of("name", name, model_names())
    return PRIORS[name].about if name in PRIORS else zoo.card(name).get("about", "")
