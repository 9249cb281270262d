"""Lesson 04, Training: the live curve, learning rates as a widget, what computing buys, and the
checks of the exercises."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import torch
from torch import Tensor

from ..degrade import GaussianNoise
from ..model import DnCNN
from ..show.panels import PNG, panel
from ..show.pictures import COLOURS
from ..show.plots import plot_curves, plot_training
from ..training import Step, TrainConfig, train
from .check import Answer, check, exercise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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


def best_runs(runs: Iterable[RateRun]) -> dict[tuple[str, str], RateRun]:
    """(optimizer, loss) → the run that ended with the highest PSNR; none where all diverged."""
    best: dict[tuple[str, str], RateRun] = {}
    for run in runs:
        kind = run.optimizer, run.loss
        if not math.isnan(run.final) and (kind not in best or run.final > best[kind].final):
            best[kind] = run
    return best


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


def plot_hills(runs: Sequence[RateRun]) -> Axes:
    """The PSNR at the end of each run against its learning rate: a line for each optimizer and
    loss, and a cross at the bottom for each run that diverged.

    The lines of the paper's loss are dashed; SGD is grey, Adam blue.
    """
    from matplotlib import pyplot as plt

    ax = plt.subplots(figsize=(6.5, 3.8), layout="constrained")[1]
    kinds = sorted({(run.optimizer, run.loss) for run in runs}, reverse=True)
    for row, (optimizer, loss) in enumerate(kinds):
        chosen = [run for run in runs if (run.optimizer, run.loss) == (optimizer, loss)]
        colour = COLOURS["reference" if optimizer == "sgd" else "restored"]
        look = {"color": colour, "ls": "-" if loss == "mean" else "--"}
        label = f"{_OPTIMIZERS[optimizer]}, {_LOSSES[loss]}"
        ax.plot([r.lr for r in chosen], [r.final for r in chosen], marker=".", label=label, **look)
        lost = [run.lr for run in chosen if math.isnan(run.final)]
        ax.plot(lost, [13.5 + 0.6 * row] * len(lost), "x", color=colour)
    ax.axhline(20 * math.log10(255 / 25), ls=":", color=COLOURS["noisy"], label="noisy input")
    ax.plot([], "x", color="black", label="diverged")
    ax.set(xscale="log", ylim=(13, 30))
    ax.set(xlabel="learning rate", ylabel="training PSNR at the end (dB)")
    ax.grid(alpha=0.3)
    ax.legend(loc="upper left", fontsize=8, ncols=3)
    return ax


def plot_continued(
    ways: Mapping[str, Sequence[Sequence[float]]], styles: Mapping[str, tuple[str, str]], start: int
) -> Figure:
    """How trainings go on from step ``start``: a panel for each seed, a line for each way.

    ways: label → for each seed the PSNR in dB of the held-out pieces at that step and those after
    it. styles: as in ``plot_curves``. One legend, under the panels.
    """
    from matplotlib import pyplot as plt

    seeds = range(len(next(iter(ways.values()))))
    size = {"figsize": (3.1 * len(seeds), 3.5), "layout": "constrained"}
    figure, axes = plt.subplots(1, len(seeds), **size, sharey=True, squeeze=False)
    for seed, ax in zip(seeds, axes[0]):
        lines = {label: (range(start, start + len(p[seed])), p[seed]) for label, p in ways.items()}
        plot_curves(
            lines, xlabel="step", ylabel="PSNR of held-out pieces (dB)", styles=styles, ax=ax
        )
        ax.set_title(f"seed {seed}", fontsize=10)
        ax.label_outer()
        ax.get_legend().remove()
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=len(ways))
    return figure


def computing(depth: int, width: int, patches: int, patch_size: int = 40) -> float:
    """How much computing a training of a grey DnCNN takes, as a multiple of that of 100 steps of 16
    patches of 40×40 for 8 layers of 32. patches: seen in all.

    What counts is multiplications, of which each layer needs 9·inputs·outputs for each pixel.
    """

    def multiplications(depth: int, width: int) -> int:
        return 9 * (width + (depth - 2) * width**2 + width)

    pixels = patches * patch_size**2 / (100 * 16 * 40**2)
    return pixels * multiplications(depth, width) / multiplications(8, 32)


def at_best_rate(
    record: Mapping[tuple[str | float, ...], Sequence[Step]],
) -> dict[tuple[str, int], list[dict[str, float]]]:
    """What ``data/runs/computing.csv`` found: (training, times as long) → for each seed, PSNR in dB
    by held-out picture and by set, "samples" being the mean of the pictures.

    record: as read. Of the learning rates that most seeds were trained at, the one with the highest
    mean.
    """
    psnr: dict = {}
    for (training, times, rate, seed, picture), steps in record.items():
        rates = psnr.setdefault((training, times), {})
        rates.setdefault(rate, {}).setdefault(seed, {})[picture] = steps[-1].val_psnr
    found = {}
    for key, rates in psnr.items():
        for pictures in (pictures for seeds in rates.values() for pictures in seeds.values()):
            ours = [value for name, value in pictures.items() if name not in ("Set12", "BSD68")]
            pictures["samples"] = float(np.mean(ours))
        most = max(len(seeds) for seeds in rates.values())
        full = [list(seeds.values()) for seeds in rates.values() if len(seeds) == most]
        found[key] = max(full, key=lambda seeds: np.mean([seed["samples"] for seed in seeds]))
    return found


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
def paper_loss(function: Answer, *, seed: int = 0) -> None:
    """(predicted, noisy, clean), tensors (N, C, H, W) → 1/(2N)·Σ‖R(y) − (y − x)‖²."""
    rng = np.random.default_rng(seed)
    cases = [
        tuple(torch.from_numpy(rng.random((3, *shape), np.float32)))
        for shape in ((2, 1, 4, 5), (5, 3, 2, 3), (1, 2, 3, 1))
    ]

    def half_sum(error: Tensor) -> float:
        return float((error.double() ** 2).sum()) / 2

    mistakes = {
        "what is predicted is the noise y − x, not x − y": (
            lambda r, y, x: half_sum(r - (x - y)) / len(y)
        ),
        "this compares with the clean image, and R(y) is the noise": (
            lambda r, y, x: half_sum(r - x) / len(y)
        ),
        "this compares with the noisy image, and R(y) is the noise": (
            lambda r, y, x: half_sum(r - y) / len(y)
        ),
        "this is the mean over all pixels; N counts patches": (
            lambda r, y, x: 2 * half_sum(r - (y - x)) / y.numel()
        ),
        "N counts patches, not pixels": lambda r, y, x: half_sum(r - (y - x)) / y.numel(),
        "where is the ½?": lambda r, y, x: 2 * half_sum(r - (y - x)) / len(y),
        "this is the sum over the batch, not divided by N": lambda r, y, x: half_sum(r - (y - x)),
        "‖·‖² is a sum of squares, without a root": (
            lambda r, y, x: (r - (y - x)).flatten(1).norm(dim=1).sum() / (2 * len(y))
        ),
        "squares, not absolute values": lambda r, y, x: (r - (y - x)).abs().sum() / (2 * len(y)),
    }
    check(function, cases, lambda r, y, x: half_sum(r - (y - x)) / len(y), mistakes)


@exercise
def decibels(function: Answer, *, seed: int = 0) -> None:
    """(loss, kind, patch_size, channels) → PSNR in dB; kind "mean" or "paper", pixels in [0, 1]."""
    rng = np.random.default_rng(seed)
    cases = []
    for kind, channels in (("mean", 1), ("mean", 3), ("paper", 1), ("paper", 3)):
        size, mean = int(rng.integers(20, 60)), 10 ** -rng.uniform(1.5, 3.5)
        loss = mean if kind == "mean" else mean * size**2 * channels / 2
        cases.append((float(f"{loss:.3g}"), kind, size, channels))

    def psnr(loss: float, kind: str, size: int, channels: int, half: float = 0.5) -> float:
        return -10 * math.log10(loss if kind == "mean" else loss / (half * size**2 * channels))

    mistakes = {
        "a mean is over the channels already": (
            lambda loss, kind, p, c: psnr(loss / c if kind == "mean" else loss, kind, p, c)
        ),
        "this takes the paper's loss for a mean": lambda loss, *_: psnr(loss, "mean", 1, 1),
        "this takes a mean for the paper's loss": lambda loss, _, *sizes: psnr(
            loss, "paper", *sizes
        ),
        "the paper halves the sum": lambda *case: psnr(*case, half=1),
        "the ½ is taken the wrong way round": lambda *case: psnr(*case, half=2),
        "a patch has rows and columns": lambda loss, kind, p, c: psnr(loss, kind, p**0.5, c),
        "the sum runs over the channels, too": lambda loss, kind, p, c: psnr(loss, kind, p, 1),
        "less error, more decibels: see the sign": lambda *case: -psnr(*case),
        "is it 10 or 20 times the logarithm?": lambda *case: 2 * psnr(*case),
        "white is 1 here, not 255": lambda *case: psnr(*case) + 20 * math.log10(255),
        "the logarithm of decibels has base 10": lambda *case: psnr(*case) * math.log(10),
    }
    check(function, cases, psnr, mistakes)


@exercise
def learning_rate(function: Answer, *, seed: int = 0) -> None:
    """(step, steps, peak, warm) → warm-up over ``warm`` steps, then a cosine to 0; step from 0."""
    rng = np.random.default_rng(seed)
    warm, steps = int(rng.integers(4, 30)), int(rng.integers(60, 400))
    peak = round(rng.uniform(0.01, 2), 3)
    within = (0, warm // 2, warm - 1, warm, (warm + steps) // 2, int(0.8 * steps), steps - 1)
    cases = [(step, steps, peak, warm) for step in within]
    cases += [(step, 3 * steps, 2 * peak, 1) for step in (0, 1, steps)]

    def rate(step: int, steps: int, peak: float, warm: int, more: int = 1) -> float:
        """more: how many steps of the cosine are done before its first."""
        if step < warm:
            return peak * (step + 1) / warm
        return peak * (1 + math.cos(math.pi * (step + more - warm) / (steps - warm))) / 2

    def linear(step: int, steps: int, peak: float, warm: int) -> float:
        return peak * min((step + 1) / warm, (steps - step - 1) / (steps - warm))

    def whole(step: int, steps: int, peak: float, warm: int) -> float:
        return rate(step, steps, peak, warm if step < warm else 0)

    def quarter(step: int, steps: int, peak: float, warm: int) -> float:
        return peak * math.cos(math.pi / 2 * (step + 1 - warm) / (steps - warm))

    def through_zero(step: int, steps: int, peak: float, warm: int) -> float:
        return peak * math.cos(math.pi * (step + 1 - warm) / (steps - warm))

    mistakes = {
        "the first step would learn nothing: count the steps from 1": (
            lambda step, steps, peak, warm: peak * step / warm
        ),
        "the cosine is one step behind: the last step has 0": lambda *case: rate(*case, more=0),
        "the warm-up takes `warm` steps, not always 10": lambda s, n, p, w: rate(s, n, p, 10),
        "there are `steps` steps, not always 100": lambda s, n, p, w: rate(s, 100, p, w),
        "the highest rate is `peak`": lambda s, n, p, w: rate(s, n, 1.0, w),
        "the warm-up is missing": lambda s, n, p, w: rate(s, n, p, 0),
        "after the warm-up the rate falls": lambda s, n, p, w: rate(min(s, w - 1), n, p, w),
        "this falls along a line": linear,
        "the cosine begins where the warm-up ends": whole,
        "this is a quarter of a wave; half a wave goes from 1 to −1": quarter,
        "a rate below 0 unlearns: lift the cosine, and halve it": through_zero,
    }
    check(function, cases, rate, mistakes, tolerance=1e-6)
