"""Lesson 10, Bug clinic: its patients, a meter for memory, and the checks of its cases.

``case(number, repair)`` checks what a student made of a broken cell, by what it does. The numbers
run through both notebooks, 10 and 10b.
"""

from __future__ import annotations

import copy
import math
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ipywidgets
import numpy as np
import torch
from torch import Tensor, nn

from .. import _check
from ..degrade import add_gaussian_noise
from ..evaluation import Comparison
from ..metrics import correlation
from ..model import DnCNN
from ..restoring import denoise
from ..show.panels import panel
from ..show.pictures import screen_width, side_by_side
from .check import from_keys

# ------------------------------------------------------------------------------------- the patients


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


Patient = Callable[[np.ndarray, float, nn.Module], tuple[np.ndarray, ...]]
"""A way to make a noisy picture and to restore it, with one fault or with none:
``(clean (H, W), sigma, model) → (noisy, restored)``, with sigma on the 0–255 scale and a model in
eval mode."""

PATIENTS: dict[str, Patient] = {
    "A": _positive,
    "B": _clipped,
    "C": lambda clean, sigma, model: _healthy(clean, math.sqrt(255 * sigma), model),
    "D": _healthy,
    "E": _training_mode,
    "F": _bytes_in,
    "G": _residual_shown,
}
"""By letter, in no telling order."""


def examine(clean: np.ndarray, sigma: float, patient: str, model: nn.Module) -> Comparison:
    """Restore ``clean``, (H, W) in [0, 1], the way that patient does, one of ``PATIENTS``.

    sigma: on the 0–255 scale; model: in eval mode, and left as it is.
    """
    _check.one_of("patient", patient, tuple(PATIENTS))
    return Comparison(clean, *PATIENTS[patient](clean, sigma, model))


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
        kept = _Kept(tensor.detach())  # the tensor itself would keep its own graph alive
        if not (tensor.is_leaf and tensor.requires_grad):
            alive.add(kept)
        return kept

    def held() -> int:
        storages = (kept.tensor.untyped_storage() for kept in alive)
        return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
        yield held


def small_network(depth: int = 4, width: int = 8, *, seed: int = 0) -> DnCNN:
    """A DnCNN of so many layers and feature maps, its weights drawn from that seed."""
    net = DnCNN(depth=depth, width=width)
    net.reset_parameters(torch.Generator().manual_seed(seed))
    return net


def step_on(loss: Tensor, optimiser: torch.optim.Optimizer) -> float:
    """One step of training on that loss; returns its value."""
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


__getattr__, __dir__ = from_keys(
    __name__, "case", "marks", "mended_psnr", "mended_flip", "mended_steps"
)
