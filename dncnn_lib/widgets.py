"""Interactive views over the public functions. No mathematics in here.

Each widget is a pure function from settings to pictures and numbers, and a thin view that shows
what that function returns; the lessons call the same function in plain code.
"""

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
from torch import nn

from .degrade import GaussianNoise, add_gaussian_noise
from .engine import Step, TrainConfig, denoise, train
from .metrics import psnr
from .model import DnCNN
from .plots import COLOURS, plot_training

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Restoration:
    """One noisy picture and what the model makes of it: arrays (H, W[, 3]), PSNRs in dB."""

    sigma: float
    noisy: np.ndarray
    restored: np.ndarray
    noisy_psnr: float
    restored_psnr: float

    @property
    def summary(self) -> str:
        """One sentence with the numbers."""
        return (
            f"σ = {self.sigma:g}: noisy {self.noisy_psnr:.1f} dB, "
            f"restored {self.restored_psnr:.1f} dB "
            f"({self.restored_psnr - self.noisy_psnr:+.1f} dB)"
        )


def restore_at(clean: np.ndarray, sigma: float, model: nn.Module, *, seed: int = 0) -> Restoration:
    """Add Gaussian noise of that σ (0–255 scale) to ``clean`` and restore it with ``model``."""
    noisy = add_gaussian_noise(clean, sigma, seed=seed)
    restored = denoise(noisy, model)
    return Restoration(
        sigma,
        noisy,
        restored,
        psnr(noisy, clean, data_range=1.0),
        psnr(restored, clean, data_range=1.0),
    )


def noise_slider(
    clean: np.ndarray, model: nn.Module, *, sigma: int = 25, maximum: int = 75, zoom: int = 2
) -> ipywidgets.VBox:
    """A slider for σ over the noisy picture (left) and the restored one (right).

    clean: (H, W) or (H, W, 3) in [0, 1]; some 160×160 pixels follow the hand on a laptop. zoom:
    screen pixels for each pixel of the picture. The children are the slider, the sentence with the
    numbers and the picture.
    """
    slider = ipywidgets.IntSlider(
        value=sigma,
        min=0,
        max=maximum,
        description="noise σ",
        continuous_update=True,
        layout=ipywidgets.Layout(width="480px"),
    )
    words = ipywidgets.Label()
    height, width = clean.shape[:2]
    picture = ipywidgets.Image(
        format="png",
        width=zoom * (2 * width + 8),
        height=zoom * height,
        layout={"max_width": "100%"},
    )

    def update(_change: object = None) -> None:
        result = restore_at(clean, slider.value, model)
        picture.value = side_by_side(result.noisy, result.restored, zoom=zoom)
        words.value = result.summary

    update()
    slider.observe(update, names="value")
    return ipywidgets.VBox([slider, words, picture])


def side_by_side(*images: np.ndarray, zoom: int = 1, gap: int = 8) -> bytes:
    """Images of one height, (H, W) or (H, W, 3) in [0, 1], as one PNG with a white gap between."""
    from PIL import Image

    height = images[0].shape[0]
    white = np.ones((height, gap) + images[0].shape[2:], images[0].dtype)
    columns = [part for image in images for part in (white, image)][1:]
    pixels = np.round(np.clip(np.concatenate(columns, axis=1), 0, 1) * 255).astype(np.uint8)
    pixels = pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


# ---------------------------------------------------------------------------------------- training


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
    """Pass the steps of ``train`` on, and meanwhile show a bar and a curve that grows.

    The curve has a point for each step that was validated. levels: label → PSNR in dB, drawn as
    dashed lines to compare with; "noisy" in its colour.
    """
    from IPython.display import display

    bar = ipywidgets.IntProgress(description="training", layout={"width": "480px"})
    words, picture = ipywidgets.Label("the first step takes longest"), ipywidgets.Image()
    display(ipywidgets.VBox([bar, words, picture]))
    seen: list[Step] = []
    shown = -math.inf
    for step in steps:
        last = step.step == step.steps
        if step.val_psnr is not None:
            seen.append(step)
            picture.value = drawn(lambda ax: _training_so_far(ax, seen, levels or {}))
        if last or step.val_psnr is not None or time.perf_counter() - shown > 0.3:
            bar.max, bar.value = step.steps, step.step
            words.value = _progress(step, seen)
            shown = time.perf_counter()
        yield step


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
    """The PSNR of the chosen run against the steps, before the others of its optimizer and loss."""
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
    words, picture = ipywidgets.Label(), ipywidgets.Image(format="png")

    def update(_change: object = None) -> None:
        chosen = found[optimizer.value, loss.value, slider.value]
        picture.value = drawn(lambda ax: plot_rate(runs, chosen, ax))
        words.value = chosen.summary

    update()
    for control in (optimizer, loss, slider):
        control.observe(update, names="value")
    return ipywidgets.VBox([optimizer, loss, slider, words, picture])
