"""Lessons 06 and 06b, batch normalisation: networks compared over their learning rates, the three
modes of a batch norm as a widget, and the checks of the exercises."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import torch
from torch import Tensor, nn

from .. import _check
from ..degrade import add_gaussian_noise
from ..evaluation import Comparison
from ..images import as_batch
from ..model import DnCNN
from ..records import Runs
from ..show.panels import panel
from ..show.pictures import COLOURS, screen_width, side_by_side
from .check import from_keys
from .experiments import Curves, layer_inputs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NORM_MODES = ("eval", "train", "folded")
"""How a trained network with batch norm can be applied."""


Ends = dict[str, dict[float, list[float]]]
"""The PSNR in dB that trainings end with: by network, by learning rate, a number for each seed."""


STYLES = {
    "residual, BN": ("restored", "-"),
    "residual, no BN": ("restored", "--"),
    "direct, BN": ("removed", "-"),
    "direct, no BN": ("removed", "--"),
}
"""The four networks of lesson 06: a name of ``COLOURS`` and a line style of matplotlib for each."""


def four_networks(depth: int, width: int) -> dict[str, dict[str, int | bool]]:
    """The arguments of ``DnCNN`` for each of the four, by the names of ``STYLES``."""
    return {
        name: {
            "depth": depth,
            "width": width,
            "residual": name.startswith("residual"),
            "batch_norm": not name.endswith("no BN"),
        }
        for name in STYLES
    }


def ones(net: DnCNN) -> DnCNN:
    """Set every γ of ``net`` to 1, and return it."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    return net


def ones_and_small_end(net: DnCNN) -> DnCNN:
    """Set every γ of ``net`` to 1, divide the weights of its last layer by 10, and return it."""
    ones(net).layers[-1].weight.data.div_(10)
    return net


class GivenBack(nn.Module):
    """A network that need not know the statistics of its batch: the mean, and where ``contrast`` is
    true the standard deviation, too, are taken from its input and given back to its output.

    The batch is (B, C, H, W) in [0, 1], in train mode and in eval mode; ``net`` sees values of a
    standard deviation of 1/4, which is that of photographs.
    """

    def __init__(self, net: nn.Module, contrast: bool) -> None:
        super().__init__()
        self.net, self.contrast = net, contrast

    def forward(self, noisy: Tensor) -> Tensor:
        mean = noisy.mean()
        scale = 4 * noisy.std() if self.contrast else 1.0
        return self.net((noisy - mean) / scale) * scale + mean


def spread_of_means(net: nn.Module, batches: Sequence[Tensor]) -> list[float]:
    """For each batch norm of ``net``, from first to last: how much the mean of a feature map in
    front of it changes from batch to batch, in units of the feature map's standard deviation; the
    average over the feature maps. The network runs in eval mode, and stays in it."""
    seen = [layer_inputs(net.eval(), batch, nn.BatchNorm2d) for batch in batches]
    spreads = []
    for features in zip(*seen):
        means = torch.stack([a.mean(dim=(0, 2, 3)) for a in features])
        deviation = torch.stack([a.std(dim=(0, 2, 3)) for a in features]).mean(dim=0)
        spreads.append(float((means.std(dim=0) / deviation.clamp(min=1e-6)).mean()))
    return spreads


def best_rate(by_rate: Mapping[float, Sequence[float]]) -> float:
    """Of the rates that were tried from most seeds, the one with the highest median of the PSNRs.
    A training that diverged (NaN) is below all others."""

    def merit(rate: float) -> tuple[int, float]:
        return len(by_rate[rate]), float(np.median(np.nan_to_num(by_rate[rate], nan=-1.0)))

    return max(by_rate, key=merit)


def recorded_race(runs: Runs) -> tuple[dict[str, Ends], dict[str, Curves]]:
    """A record whose trainings go by (optimiser, network, rate, seed): by optimiser, what all of
    them end with, and the steps of those at the ``best_rate`` of each network."""
    ends: dict[str, Ends] = {}
    for (optimiser, network, rate, _), steps in runs.items():
        by_rate = ends.setdefault(str(optimiser), {}).setdefault(str(network), {})
        by_rate.setdefault(float(rate), []).append(steps[-1].val_psnr)
    best: dict[str, Curves] = {optimiser: {} for optimiser in ends}
    for (optimiser, network, rate, seed), steps in runs.items():
        if rate == best_rate(ends[optimiser][network]):
            best[optimiser].setdefault(network, {})[seed] = steps
    return ends, best


def plot_batches(batches: Sequence[tuple[Tensor, Tensor]]) -> Figure:
    """Histograms of clean pictures, noisy ones and their difference, a line for each batch.

    batches: (clean, noisy), both (B, C, H, W) in [0, 1].
    """
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(9.6, 2.8), layout="constrained")
    for clean, noisy in batches:
        kinds = {"clean": clean, "noisy": noisy, "removed": noisy - clean}
        for ax, (name, values) in zip(axes, kinds.items()):
            span = (-100, 100) if name == "removed" else (-75, 330)
            share, edges = np.histogram(255 * values, bins=60, range=span, density=True)
            ax.stairs(100 * share, edges, color=COLOURS[name], alpha=0.7)
            ax.set(title="residual y − x" if name == "removed" else name)
            ax.set(xlabel="value (0–255 scale)")
    axes[0].set_ylabel("pixels (% per grey level)")
    return figure


def _panels(count: int) -> tuple[Figure, Sequence[Axes]]:
    """Panels side by side with the same axes."""
    from matplotlib import pyplot as plt

    size = (1.2 + 4.2 * count, 3.8)
    figure, axes = plt.subplots(
        1, count, figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    return figure, axes[0]


def _legends_below(axes: Sequence[Axes]) -> None:
    for ax in axes:
        ax.grid(alpha=0.3)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, fontsize=9)


def plot_spreads(
    spreads: Mapping[str, Sequence[Sequence[float]]], *, styles: Mapping[str, tuple[str, str]]
) -> Figure:
    """What ``spread_of_means`` finds, by network a line for each seed, against the number of the
    layer; the first batch norm is in layer 2. styles: as in ``plot_rates``."""
    figure, (ax,) = _panels(1)
    for name, by_seed in spreads.items():
        colour, line = COLOURS[styles[name][0]], styles[name][1]
        for number, values in enumerate(by_seed):
            layers = range(2, 2 + len(values))
            ax.plot(layers, values, line, color=colour, label=None if number else name)
    ax.set(xlabel="layer", ylabel="spread of the mean, batch to\nbatch (standard deviations)")
    ax.set_ylim(bottom=0)
    _legends_below([ax])
    return figure


def plot_rates(
    panels: Mapping[str, Ends],
    *,
    styles: Mapping[str, tuple[str, str]],
    noisy: float | None = None,
) -> Figure:
    """The PSNR that trainings end with against their learning rate, a panel for each title: a dot
    for each seed, a line through the medians. A training that diverged (NaN) has no dot.

    styles: network → (a name of ``COLOURS``, a line style of matplotlib); dots are filled where the
    line is solid. The dots of different networks stand a little beside each other. noisy: PSNR in
    dB of the noisy input, a dotted line.
    """
    figure, axes = _panels(len(panels))
    for ax, (title, ends) in zip(axes, panels.items()):
        for place, (name, by_rate) in enumerate(ends.items()):
            colour, line = COLOURS[styles[name][0]], styles[name][1]
            aside = 1.06 ** (place - (len(ends) - 1) / 2)
            rates = sorted(by_rate)
            x = [aside * rate for rate in rates]
            dots = [(at, psnr) for at, rate in zip(x, rates) for psnr in by_rate[rate]]
            look = {"color": colour, "mfc": colour if line == "-" else "white", "ms": 5, "lw": 1.2}
            ax.plot(x, [float(np.median(by_rate[rate])) for rate in rates], line, **look)
            ax.plot(*zip(*dots), "o", **look)
            ax.plot([], [], line, marker="o", label=name, **look)
        if noisy is not None:
            ax.axhline(noisy, ls=":", color=COLOURS["noisy"], label="noisy input")
        ax.set(xscale="log", xlabel="highest learning rate", title=title)
    ticks = sorted({rate for ends in panels.values() for tried in ends.values() for rate in tried})
    axes[0].set_xticks(ticks, [f"{rate:g}" for rate in ticks])
    axes[0].minorticks_off()
    axes[0].set_ylabel("PSNR at the end (dB)")
    _legends_below(axes)
    return figure


def plot_seeds(
    panels: Mapping[str, Curves],
    *,
    styles: Mapping[str, tuple[str, str]],
    lowest: float | None = None,
) -> Figure:
    """Validation PSNR in dB against patches seen, a line for each seed, a panel for each title.

    styles: as in ``plot_rates``. lowest: the PSNR at which the axis begins.
    """
    figure, axes = _panels(len(panels))
    for ax, (title, curves) in zip(axes, panels.items()):
        for name, by_seed in curves.items():
            colour, line = COLOURS[styles[name][0]], styles[name][1]
            for number, steps in enumerate(by_seed.values()):
                seen = [(s.patches, s.val_psnr) for s in steps if s.val_psnr is not None]
                label = None if number else name
                ax.plot(*zip(*seen), line, color=colour, lw=1.2, alpha=0.8, label=label)
        ax.set(xlabel="training patches seen", title=title)
        ax.set_ylim(bottom=lowest)
    axes[0].set_ylabel("PSNR of held-out images (dB)")
    _legends_below(axes)
    return figure


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


__getattr__, __dir__ = from_keys(__name__, "normalise", "running", "fold")
