"""Lesson 10, Bug clinic: its patients, a meter for its memory bug, and the checks of the
exercises."""

from __future__ import annotations

import copy
import math
import weakref
from collections.abc import Callable, Iterable, Iterator
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
from .check import Answer, asked, check, exercise
from .noise import byte_mistakes


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
def mended_psnr(function: Answer, *, seed: int = 0) -> None:
    """(restored, clean), uint8 arrays (H, W) → PSNR in dB."""
    rng = np.random.default_rng(seed)
    near = rng.integers(30, 220, (5, 3), np.uint8)
    white = np.full((4, 7), 255, np.uint8)
    cases = [
        tuple(rng.integers(0, 256, (2, 8, 6), np.uint8)),
        (near + rng.integers(1, 30, near.shape, np.uint8), near),
        (white - rng.integers(200, 256, white.shape, np.uint8), white),
        (white[:1, :1] - np.uint8(rng.integers(1, 200)), white[:1, :1]),
    ]

    def psnr(restored: np.ndarray, clean: np.ndarray, peak: float = 255) -> float:
        error = np.mean((restored.astype(float) - clean.astype(float)) ** 2)
        return 10 * math.log10(peak**2 / error)

    mistakes = {
        **byte_mistakes(lambda clean: 255),
        "bytes go further than 1": lambda y, x: psnr(y, x, peak=1),
        "the peak is the brightest value possible, not the brightest present": (
            lambda y, x: psnr(y, x, peak=float(x.max()))
        ),
        "the error is squared; is the peak?": lambda y, x: psnr(y, x, peak=255**0.5),
        "less error, more decibels: see the sign": lambda y, x: -psnr(y, x),
    }
    check(function, cases, psnr, mistakes)


@exercise
def mended_flip(function: Answer, *, seed: int = 0) -> None:
    """(noisy, clean, generator), tensors (B, C, H, W) → the same two, both flipped left to right or
    neither, with equal probability: one coin for the batch, or one for each of its pairs."""
    generator = torch.Generator().manual_seed(seed)
    case = tuple(torch.rand((2, 400, 2, 3, 4, 5), generator=generator))
    kept, flipped = "noisy kept, clean kept", "noisy flipped, clean flipped"
    noisy_only, clean_only = "noisy flipped, clean kept", "noisy kept, clean flipped"

    def drawn(noisy: Tensor, clean: Tensor) -> list[Any]:
        """A result for each batch; two in a row have equal generators."""
        seeds = (1000 * seed + n // 2 for n in range(len(noisy)))
        sources = (torch.Generator().manual_seed(number) for number in seeds)
        return [function(*given) for given in zip(noisy, clean, sources)]

    def happened(results: list[Any], noisy: Tensor, clean: Tensor) -> list[list[str]]:
        """To each pair of images of each batch."""
        return [
            [
                f"noisy {_fate(*of_noisy)}, clean {_fate(*of_clean)}"
                for *of_noisy, of_clean in zip(y, noisy_before, zip(x, clean_before), strict=True)
            ]
            for (y, x), noisy_before, clean_before in zip(results, noisy, clean)
        ]

    def kinds(*drawn: Any) -> list[str]:
        return sorted(set(sum(happened(*drawn), [])))

    def share(*drawn: Any) -> float:
        events = sum(happened(*drawn), [])
        return round(events.count(flipped) / len(events), 2)

    def repeated(*drawn: Any) -> int:
        events = happened(*drawn)
        return sum(a == b for a, b in zip(events[::2], events[1::2]))

    mistakes = {
        "how many coins are tossed?": lambda *_: sorted([kept, clean_only, noisy_only, flipped]),
        "what happens to the clean image?": lambda *_: sorted([kept, noisy_only]),
        "what happens to the noisy image?": lambda *_: sorted([kept, clean_only]),
        "nothing is ever flipped": lambda *_: [kept],
        "this is flipped every time": lambda *_: [flipped],
        "one of the two is always flipped, and never both": (
            lambda *_: sorted([clean_only, noisy_only])
        ),
    }
    drawn.__name__ = getattr(function, "__name__", "the function")
    kind = "the two, noisy and clean, every time"
    ask = asked("what happens in 400 batches", drawn, kinds, kind)
    hint = "only left and right are swapped, or nothing is"
    check(ask, [case], lambda *_: sorted([kept, flipped]), mistakes, hint=hint)
    ask = asked("share of flips", drawn, share, kind)
    hint = "heads are as frequent as tails"
    check(ask, [case], lambda *_: 0.5, hint=hint, tolerance=0.08)
    ask = asked("in 200 pairs of equal generators, equal results", drawn, repeated, kind)
    check(ask, [case], lambda *_: 200, hint="the coin is tossed with the generator")


def _fate(image: Tensor, before: Tensor) -> str:
    if torch.equal(image, before):
        return "kept"
    return "flipped" if torch.equal(image, before.flip(-1)) else "another picture"


@exercise
def mended_steps(function: Answer, *, seed: int = 0) -> None:
    """(net, batches, lr): a step of SGD for each batch (noisy, clean), on the mean squared error of
    ``net(noisy)``; the network is changed in place."""
    generator = torch.Generator().manual_seed(seed)
    first, last = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 1, 3, padding=1)
    net = nn.Sequential(first, nn.BatchNorm2d(3), nn.ReLU(), last)
    for parameter in net.parameters():
        nn.init.normal_(parameter, 0, 0.5, generator=generator)
    batches = [tuple(torch.rand((2, n, 1, 5, 4), generator=generator)) for n in (2, 3, 2)]

    def after(steps: Answer) -> Answer:
        def weights(_: Any, net: nn.Module, *rest: Any) -> Tensor:
            return nn.utils.parameters_to_vector(net.parameters()).detach()

        return asked("trained weights", steps, weights, "a trained network")

    mistakes = {
        "the gradients of earlier steps are still there": _sgd(clear=lambda net: None),
        "nothing was learnt: was a copy trained, or .grad cleared before step() read it?": (
            lambda *_: None
        ),
        "each parameter has a gradient, not the first alone": (
            _sgd(clear=lambda net: next(net.parameters()).grad.zero_())
        ),
        "in eval mode, batch norm does not look at the batch": (
            lambda net, batches, lr: _sgd()(net.eval(), batches, lr)
        ),
        "this is the sum of the squares, not their mean": _sgd(reduction="sum"),
        "the learning rate is `lr`": lambda net, batches, lr: _sgd()(net, batches, 2 * lr),
        "one step for each batch, not for the last alone": (
            lambda net, batches, lr: _sgd()(net, batches[-1:], lr)
        ),
        "one step for each batch, not for the first alone": (
            lambda net, batches, lr: _sgd()(net, batches[:1], lr)
        ),
        "plain SGD has no momentum": _sgd(momentum=0.9),
        "downhill, not uphill": lambda net, batches, lr: _sgd(maximize=True)(net, batches, lr),
    }
    cases = [(net, batches, 0.1), (net, batches[:1], 0.05), (net, [], 0.1)]
    wrong = {sentence: after(mistake) for sentence, mistake in mistakes.items()}
    check(after(function), cases, after(_sgd()), wrong)


def _sgd(
    clear: Callable[[nn.Module], Any] = nn.Module.zero_grad,
    reduction: str = "mean",
    **options: Any,
) -> Answer:
    """Steps of SGD. clear: what is done to the network between them."""

    def steps(net: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], lr: float) -> None:
        optimiser = torch.optim.SGD(net.parameters(), lr, **options)
        for number, (noisy, clean) in enumerate(batches):
            if number:
                clear(net)
            nn.functional.mse_loss(net(noisy), clean, reduction=reduction).backward()
            optimiser.step()

    return steps
