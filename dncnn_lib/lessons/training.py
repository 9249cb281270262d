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

from ..degrade import GaussianNoise
from ..model import DnCNN
from ..show.panels import PNG, panel
from ..show.pictures import COLOURS
from ..show.plots import plot_curves, plot_training
from ..training import Step, TrainConfig, train
from .check import from_keys

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


__getattr__, __dir__ = from_keys(__name__, "paper_loss", "decibels", "learning_rate")
