"""Lesson 10, Bug clinic: its patients, a meter for its memory bug, and the checks of the
exercises."""

from __future__ import annotations

import copy
import math
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np
import torch
from torch import Tensor, nn

from .. import _check
from ..degrade import add_gaussian_noise
from ..evaluation import Comparison
from ..metrics import correlation
from ..restoring import denoise
from ..show.panels import panel
from ..show.pictures import screen_width, side_by_side
from .check import check, exercise


@dataclass(frozen=True)
class Patient:
    """A way to make a noisy picture and to restore it, with one fault or with none.

    diagnosis: the fault in words. treat: ``(clean (H, W), sigma, model) → (noisy, restored)``, with
    sigma on the 0–255 scale and a model in eval mode.
    """

    diagnosis: str
    treat: Callable[[np.ndarray, float, nn.Module], tuple[np.ndarray, ...]]


def _healthy(clean: np.ndarray, sigma: float, model: nn.Module) -> tuple[np.ndarray, ...]:
    noisy = add_gaussian_noise(clean, sigma, seed=0)
    return noisy, denoise(noisy, model)


def _clipped(clean: np.ndarray, sigma: float, model: nn.Module) -> tuple[np.ndarray, ...]:
    noisy = np.round(np.clip(add_gaussian_noise(clean, sigma, seed=0), 0, 1) * 255) / 255
    return noisy, denoise(noisy, model)


def _positive(clean: np.ndarray, sigma: float, model: nn.Module) -> tuple[np.ndarray, ...]:
    noisy, restored = _healthy(clean, sigma, model)
    return noisy, noisy - np.maximum(noisy - restored, 0)


def _residual_shown(clean: np.ndarray, sigma: float, model: nn.Module) -> tuple[np.ndarray, ...]:
    noisy, restored = _healthy(clean, sigma, model)
    return noisy, noisy - restored


def _training_mode(clean: np.ndarray, sigma: float, model: nn.Module) -> tuple[np.ndarray, ...]:
    noisy = add_gaussian_noise(clean, sigma, seed=0)
    return noisy, _applied(copy.deepcopy(model).train(), noisy)


def _bytes_in(clean: np.ndarray, sigma: float, model: nn.Module) -> tuple[np.ndarray, ...]:
    noisy = add_gaussian_noise(clean, sigma, seed=0)
    return noisy, _applied(model, 255 * noisy) / 255


def _applied(net: nn.Module, noisy: np.ndarray) -> np.ndarray:
    """The network as it is, without ``denoise``, which switches to eval mode and refuses 0–255."""
    with torch.no_grad():
        return net(torch.from_numpy(noisy)[None, None])[0, 0].numpy()


PATIENTS = {
    "A": Patient("a ReLU after the last layer: only positive noise is removed", _positive),
    "B": Patient("the noisy image was clipped and rounded to 8 bits", _clipped),
    "C": Patient(
        "σ/255 was used as a variance",
        lambda clean, sigma, model: _healthy(clean, math.sqrt(255 * sigma), model),
    ),
    "D": Patient("healthy", _healthy),
    "E": Patient("model.eval() forgotten", _training_mode),
    "F": Patient("the network got pixels from 0 to 255", _bytes_in),
    "G": Patient("the residual was taken for the image", _residual_shown),
}
"""By letter, in no telling order."""


def examine(clean: np.ndarray, sigma: float, patient: str, model: nn.Module) -> Comparison:
    """Restore ``clean``, (H, W) in [0, 1], the way that patient does, one of ``PATIENTS``.

    sigma: on the 0–255 scale; model: in eval mode, and left as it is.
    """
    _check.one_of("patient", patient, tuple(PATIENTS))
    return Comparison(clean, *PATIENTS[patient].treat(clean, sigma, model))


def examination_words(patient: str, sigma: float, found: Comparison) -> str:
    """A sentence with what can be measured where the clean picture is known."""
    removed = 255 * found.removed
    return (
        f"patient {patient}, σ = {sigma:g}: noise std {255 * found.noise.std():.1f}; "
        f"PSNR {found.degraded_psnr:.1f} → {found.psnr:.1f} dB; removed: "
        f"mean {removed.mean():+.1f}, std {removed.std():.1f}, "
        f"correlation with the image {correlation(removed, found.clean):+.2f}"
    )


def patient_explorer(
    clean: np.ndarray, model: nn.Module, *, patient: str = "A", zoom: int = 2
) -> ipywidgets.VBox:
    """A choice of patient and a slider for σ, over the noisy picture, the restored one and what was
    removed (0 as middle grey), from left to right.

    clean: (H, W) in [0, 1]; some 96×96 pixels follow the hand on a laptop. The children are the
    switch, the slider, the sentence with the numbers and the picture.
    """
    switch = ipywidgets.ToggleButtons(
        options=list(PATIENTS), value=patient, description="patient", style={"button_width": "40px"}
    )
    slider = ipywidgets.IntSlider(
        25, 0, 75, description="noise σ", layout=ipywidgets.Layout(width="480px")
    )

    def answer() -> tuple[bytes, str]:
        found = examine(clean, slider.value, switch.value, model)
        pictures = (found.degraded, found.restored, found.removed + 0.5)
        words = examination_words(switch.value, slider.value, found)
        return side_by_side(*pictures, zoom=zoom), words

    return panel([switch, slider], answer, width=screen_width(clean, zoom, 3))


class _Kept:
    """A tensor for as long as a graph holds it."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


@contextmanager
def kept_for_backward() -> Iterator[Callable[[], int]]:
    """Measures what autograd holds: the value is a function that returns the bytes at that moment.

    It counts the tensors that were saved for a backward pass inside the ``with`` and not released
    since, but not the parameters, which are there anyway.
    """
    alive: weakref.WeakSet[_Kept] = weakref.WeakSet()

    def pack(tensor: Tensor) -> _Kept:
        kept = _Kept(tensor)
        if not (tensor.is_leaf and tensor.requires_grad):
            alive.add(kept)
        return kept

    def held() -> int:
        storages = (kept.tensor.untyped_storage() for kept in alive)
        return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
        yield held


@exercise
def mended_psnr(function: Callable[[np.ndarray, np.ndarray], Any]) -> None:
    """(restored, clean), uint8 arrays (H, W) → PSNR in dB."""
    rng = np.random.default_rng(0)
    pairs = [rng.integers(0, 256, (2, 8, 8)).astype(np.uint8)]
    black, white = np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)
    pairs += [(black, white), (white - 25, white), (white, white - 25)]
    cases = []
    for restored, clean in pairs:
        error = np.mean((restored.astype(float) - clean.astype(float)) ** 2)
        cases.append(((restored, clean), 10 * math.log10(255**2 / error)))
    check(function, cases, tolerance=1e-3)


@exercise
def mended_flip(function: Callable[[Tensor, Tensor, torch.Generator], Any]) -> None:
    """(noisy, clean, generator), tensors (B, C, H, W) → the same two, both flipped left to right or
    neither, with equal probability."""

    def first_pixels(seed: int) -> tuple[float, float]:
        ramp = torch.arange(4.0).expand(1, 1, 2, 4)
        noisy, clean = function(ramp + 10, ramp, torch.Generator().manual_seed(seed))
        return float(noisy[0, 0, 0, 0] - 10), float(clean[0, 0, 0, 0])

    def pairs_that_fit(draws: int) -> int:
        return sum(noisy == clean for noisy, clean in map(first_pixels, range(draws)))

    def seen_both_ways(draws: int) -> bool:
        clean = [pair[1] for pair in map(first_pixels, range(draws))]
        return draws // 4 < sum(value == 3 for value in clean) < 3 * draws // 4

    for ask, expected in ((pairs_that_fit, 100), (seen_both_ways, True)):
        ask.__name__ = f"{ask.__name__} of {function.__name__}"
        check(ask, [((100,), expected)])


@exercise
def mended_steps(function: Callable[..., Any]) -> None:
    """(net, batches, lr): a step of SGD for each batch (noisy, clean), on the mean squared error of
    ``net(noisy)``; the network is changed in place."""
    generator = torch.Generator().manual_seed(0)
    batches = list(torch.rand((3, 2, 2, 1, 4, 4), generator=generator))

    def weight_after(steps: int) -> float:
        net = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(net.weight)
        function(net, batches[:steps], 0.5)
        return net.weight.item()

    weight = 1.0
    cases: list[tuple[tuple[int], float]] = [((0,), weight)]
    for steps, (noisy, clean) in enumerate(batches, start=1):
        weight -= 0.5 * float((2 * noisy * (weight * noisy - clean)).mean())
        cases.append(((steps,), weight))
    weight_after.__name__ = f"weight_after_steps of {function.__name__}"
    check(weight_after, cases)
