"""Lesson 04, Training: the live curve, learning rates as a widget, the checks of the exercises."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import torch
from torch import Tensor

from ..degrade import GaussianNoise
from ..model import DnCNN
from ..show.panels import PNG, panel
from ..show.pictures import COLOURS
from ..show.plots import plot_training
from ..training import Step, TrainConfig, train
from .check import check, exercise

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def drawn(draw: Callable[[Axes], object], size: tuple[float, float] = (6, 3.2)) -> bytes:
    """What ``draw`` puts on empty axes as a PNG. size: inches, of 100 pixels each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=100, layout="constrained")
    draw(figure.subplots())
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def live_training(
    steps: Iterable[Step], levels: Mapping[str, float] | None = None
) -> Iterator[Step]:
    """Pass on the steps of ``train``, and meanwhile show a bar and a growing curve.

    Interrupted, it ends, and the network keeps what it has learnt; only before the first step is
    ``KeyboardInterrupt`` raised. The curve has a point for each step that was validated. levels:
    label → PSNR in dB, drawn as dashed lines for comparison; "noisy" in its colour.
    """
    from IPython.display import display

    bar = ipywidgets.IntProgress(description="training", layout={"width": "480px"})
    words, picture = ipywidgets.Label("the first step takes longest"), PNG()
    display(ipywidgets.VBox([bar, words, picture]))
    seen: list[Step] = []
    shown = -math.inf
    try:
        for step in steps:
            last = step.step == step.steps
            if step.val_psnr is not None:
                seen.append(step)
                picture.value = drawn(lambda ax: _training_so_far(ax, seen, levels or {}))
            if last or step.val_psnr is not None or time.perf_counter() - shown > 0.3:
                bar.max, bar.value = step.steps, step.step
                words.value = picture.alt = _progress(step, seen)
                shown = time.perf_counter()
            yield step
    except KeyboardInterrupt:
        if shown == -math.inf:  # there is nothing to go on with
            raise
        words.value = picture.alt = f"stopped at {words.value}"


def _progress(step: Step, seen: Sequence[Step]) -> str:
    quality = f", held-out images {seen[-1].val_psnr:.1f} dB" if seen else ""
    left = step.seconds / step.step * (step.steps - step.step)
    return f"step {step.step} of {step.steps}, loss {step.loss:.2g}{quality}, {left:.0f} s to go"


def _training_so_far(ax: Axes, seen: list[Step], levels: Mapping[str, float]) -> None:
    for label, level in levels.items():
        ax.axhline(level, ls="--", color=COLOURS.get(label, COLOURS["reference"]), label=label)
    plot_training(seen, ax)
    ax.set_xlim(0, seen[0].steps / seen[0].step * seen[0].patches)
    if levels:
        ax.legend(loc="lower right")


@dataclass(frozen=True)
class RateRun:
    """One short training at a constant learning rate.

    optimizer, loss: as in ``TrainConfig``; psnr: the loss of each step as a PSNR in dB, NaN from
    where the training diverged.
    """

    optimizer: str
    loss: str
    lr: float
    psnr: tuple[float, ...]

    @property
    def final(self) -> float:
        """The mean PSNR over the last fifth of the steps, in dB; NaN if it diverged."""
        last = self.psnr[-max(len(self.psnr) // 5, 1) :]
        return sum(last) / len(last)

    @property
    def summary(self) -> str:
        """One sentence with the result."""
        how = f"{_OPTIMIZERS[self.optimizer]}, {_LOSSES[self.loss]}, learning rate {self.lr:.2g}"
        if math.isnan(self.final):
            return f"{how}: diverged"
        return f"{how}: {self.final:.1f} dB after {len(self.psnr)} steps"


_OPTIMIZERS = {"sgd": "SGD", "adam": "Adam"}
_LOSSES = {"mean": "mean loss", "paper": "the paper's loss"}


def short_training(
    images: Sequence[np.ndarray],
    optimizer: str,
    loss: str,
    lr: float,
    *,
    steps: int = 100,
    patch_size: int = 24,
    seed: int = 0,
) -> RateRun:
    """Train a tiny network for a few steps, always from the same weights on the same patches.

    images: as in ``train``; optimizer, loss, lr: as in ``TrainConfig``, without gradient clipping,
    warm-up and schedule. The network has 4 layers of 8, a batch has 4 patches, sigma is 25.
    """
    config = TrainConfig(
        steps=steps, batch_size=4, patch_size=patch_size, optimizer=optimizer, loss=loss, lr=lr,
        schedule="constant", warmup=0.0, clip_norm=None, seed=seed,
    )  # fmt: skip
    net = DnCNN(depth=4, width=8)
    net.reset_parameters(torch.Generator().manual_seed(seed))
    pixels = patch_size**2 if loss == "paper" else 2
    quality = []
    for step in train(net, images, GaussianNoise(25), config):
        mean = step.loss * 2 / pixels
        if not mean < 1e3:  # the pictures' range is 1: it will not come back
            break
        quality.append(-10 * math.log10(mean))
    return RateRun(optimizer, loss, lr, (*quality, *[math.nan] * (steps - len(quality))))


def plot_rate(runs: Sequence[RateRun], chosen: RateRun, ax: Axes) -> None:
    """The PSNR of the chosen run against the steps, over the others of its optimizer and loss."""
    for run in runs:
        if (run.optimizer, run.loss) == (chosen.optimizer, chosen.loss):
            ax.plot(range(1, len(run.psnr) + 1), run.psnr, color="#cccccc", lw=1)
    ax.plot(range(1, len(chosen.psnr) + 1), chosen.psnr, color=COLOURS["restored"], lw=2)
    ax.axhline(20 * math.log10(255 / 25), ls="--", color=COLOURS["noisy"], label="noisy")
    ax.set(xlim=(0, len(chosen.psnr)), ylim=(5, 28))
    ax.set(xlabel="step", ylabel="training PSNR (dB)", title=chosen.summary)
    ax.legend(loc="lower right")


def rate_slider(runs: Sequence[RateRun]) -> ipywidgets.VBox:
    """Two switches and a slider over finished runs: optimizer, loss, learning rate.

    runs: one for each combination of their optimizers, losses and rates. The children are the two
    switches, the slider, the sentence with the result and the picture.
    """
    found = {(run.optimizer, run.loss, run.lr): run for run in runs}
    optimizers, losses, rates = (sorted(set(values)) for values in zip(*found))
    optimizer = ipywidgets.ToggleButtons(
        options=[(_OPTIMIZERS[name], name) for name in reversed(optimizers)],
        description="optimiser",
    )
    loss = ipywidgets.ToggleButtons(
        options=[(_LOSSES[name], name) for name in losses], description="loss"
    )
    slider = ipywidgets.SelectionSlider(
        options=[(f"{rate:.2g}", rate) for rate in rates],
        value=rates[len(rates) // 2],
        description="rate",
        layout={"width": "480px"},
    )

    def answer() -> tuple[bytes, str]:
        chosen = found[optimizer.value, loss.value, slider.value]
        return drawn(lambda ax: plot_rate(runs, chosen, ax)), chosen.summary

    return panel([optimizer, loss, slider], answer)


@exercise
def paper_loss(function: Callable[[Tensor, Tensor, Tensor], Any]) -> None:
    """(predicted, noisy, clean), tensors (N, C, H, W) → 1/(2N)·Σ‖R(y) − (y − x)‖²."""
    cases = []
    for shape in ((2, 1, 4, 4), (5, 3, 2, 2)):
        generator = torch.Generator().manual_seed(shape[0])
        predicted, noisy, clean = torch.rand((3, *shape), generator=generator)
        wrong = (predicted + clean - noisy).double().numpy()
        cases.append(((predicted, noisy, clean), float(np.sum(wrong**2)) / (2 * shape[0])))
    check(function, cases, tolerance=1e-3)


@exercise
def decibels(function: Callable[[float, str, int, int], Any]) -> None:
    """(loss, kind, patch_size, channels) → PSNR in dB; kind "mean" or "paper", pixels in [0, 1]."""
    cases = [
        ((0.001, "mean", 40, 1), 30.0),
        ((0.8, "paper", 40, 1), 30.0),
        ((3.4, "paper", 40, 1), 10 * math.log10(800 / 3.4)),
        ((3.4, "paper", 50, 3), 10 * math.log10(3750 / 3.4)),
    ]
    check(function, cases, tolerance=1e-3)


@exercise
def learning_rate(function: Callable[[int, int, float, int], Any]) -> None:
    """(step, steps, peak, warm) → warm-up over ``warm`` steps, then a cosine to 0; step from 0."""
    cases: list[tuple[tuple[int, int, float, int], float]] = [
        ((0, 100, 1.0, 10), 0.1),
        ((9, 100, 1.0, 10), 1.0),
        ((54, 100, 1.0, 10), 0.5),
        ((39, 100, 2.0, 10), 1.5),
        ((99, 100, 2.0, 10), 0.0),
    ]
    check(function, cases, tolerance=1e-6)
