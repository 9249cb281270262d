"""Lesson 06, Batch normalisation: its three modes as a widget, and the checks of the exercises."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
import numpy as np
import torch
from torch import Tensor, nn

from .. import _check
from ..degrade import add_gaussian_noise
from ..evaluation import Comparison
from ..images import as_batch
from ..model import DnCNN
from ..show.panels import panel
from ..show.pictures import screen_width, side_by_side
from .check import check, exercise

NORM_MODES = ("eval", "train", "folded")
"""How a trained network with batch norm can be applied."""


@torch.no_grad()
def batch_norm_at(
    clean: np.ndarray,
    model: DnCNN,
    mode: str,
    others: Sequence[np.ndarray] = (),
    *,
    sigma: float = 25,
) -> Comparison:
    """Restore ``clean``, (H, W) in [0, 1], with noise of that σ, in one batch with ``others``.

    mode: "eval", with the running statistics; "train", with those of this batch; "folded", without
    batch norm. others: clean pictures of the same size; they get noise, too. ``model`` keeps
    its mode and its running statistics.
    """
    _check.one_of("mode", mode, NORM_MODES)
    pictures = [
        add_gaussian_noise(image, sigma, seed=number)
        for number, image in enumerate((clean, *others))
    ]
    batch = torch.cat([as_batch(picture)[0] for picture in pictures])
    net = model.fold_batch_norm() if mode == "folded" else copy.deepcopy(model)
    restored = net.train(mode == "train")(batch)
    return Comparison(clean, pictures[0], restored[0, 0].numpy())


def batch_norm_words(mode: str, others: int, found: Comparison, in_eval_mode: Comparison) -> str:
    """A sentence with the numbers. others: how many pictures were in the batch beside it."""
    plural = "" if others == 1 else "s"
    company = f"{others} other picture{plural}" if others else "nothing else"
    return (
        f"{mode}, {company} in the batch: {found.psnr:.1f} dB "
        f"({found.psnr - in_eval_mode.psnr:+.1f} dB against eval mode)"
    )


def batch_norm_switch(
    clean: np.ndarray,
    model: DnCNN,
    company: Mapping[str, Sequence[np.ndarray]],
    *,
    sigma: float = 25,
    zoom: int = 3,
) -> ipywidgets.VBox:
    """Two switches over the noisy picture (left) and the restored one (right): the mode of the
    network, and what else is in the batch.

    company: label → the other pictures, as in ``batch_norm_at``. The children are the two switches,
    the sentence with the numbers and the picture.
    """
    modes = ipywidgets.ToggleButtons(options=NORM_MODES, description="mode")
    beside = ipywidgets.ToggleButtons(options=list(company), description="beside it")
    in_eval_mode = batch_norm_at(clean, model, "eval", sigma=sigma)

    def answer() -> tuple[bytes, str]:
        others = company[beside.value]
        found = batch_norm_at(clean, model, modes.value, others, sigma=sigma)
        words = batch_norm_words(modes.value, len(others), found, in_eval_mode)
        return side_by_side(found.degraded, found.restored, zoom=zoom), words

    return panel([modes, beside], answer, width=screen_width(clean, zoom))


@exercise
def normalise(function: Callable[[Tensor, Tensor, Tensor, float], Any]) -> None:
    """(features (N, C, H, W), gamma (C,), beta (C,), eps) → batch norm in train mode."""
    cases = []
    for (count, channels), eps in (((4, 3), 1e-5), ((2, 5), 0.1)):
        generator = torch.Generator().manual_seed(count)
        features = 2 * torch.randn(count, channels, 3, 2, generator=generator) + 1
        gamma, beta = torch.randn((2, channels), generator=generator)
        expected = nn.functional.batch_norm(features, None, None, gamma, beta, True, 0.1, eps)
        cases.append(((features, gamma, beta, eps), expected))
    check(function, cases)


@exercise
def running(function: Callable[[float, Sequence[float], float], Any]) -> None:
    """(start, batches, momentum) → a running mean after those batch means, as PyTorch counts."""
    cases: list[tuple[tuple[float, list[float], float], float]] = [
        ((0.0, [1.0], 0.1), 0.1),
        ((1.0, [2.0], 0.95), 1.95),
        ((4.0, [0.0, 8.0], 0.5), 5.0),
        ((3.0, [], 0.1), 3.0),
    ]
    check(function, cases)


@exercise
def fold(function: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, float], Any]) -> None:
    """(weight (K, C, 3, 3), gamma, beta, mean, var (K,), eps) → (weight, bias) of one convolution
    that equals a bias-free convolution and a batch norm in eval mode."""
    cases = []
    for outputs, inputs, eps in ((4, 2, 1e-5), (3, 3, 0.1)):
        generator = torch.Generator().manual_seed(outputs)
        weight = torch.randn(outputs, inputs, 3, 3, generator=generator)
        gamma, beta, mean = torch.randn((3, outputs), generator=generator)
        var = torch.rand(outputs, generator=generator) + 0.2
        scale = gamma * (var + eps) ** -0.5
        expected = (torch.einsum("kcij,k->kcij", weight, scale), beta - mean * scale)
        cases.append(((weight, gamma, beta, mean, var, eps), expected))
    check(function, cases)
