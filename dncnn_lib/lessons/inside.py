"""Lesson 09, Looking inside: the maps of every layer, random networks to compare with, figures, and
the checks of the exercises."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.fft import idctn
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d

from ..degrade import Degradation
from ..model import DnCNN
from ..records import Runs
from ..samples import held_out_images
from ..show.pictures import COLOURS
from ..training import TrainConfig, train
from .check import from_keys
from .experiments import layer_inputs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 96
CORNERS = {
    "camera": (30, 90),
    "coins": (64, 64),
    "drum": (64, 64),
    "brick": (64, 64),
    "pagoda": (64, 64),
    "dandelion": (100, 100),
    "sundial": (100, 150),
    "dogs": (60, 110),
}
"""Top and left of a square in each of eight held-out pictures."""

TARGETS = ("image", "fine detail", "noise")


def pieces() -> Tensor:
    """The squares of ``CORNERS``, ``SIDE`` pixels wide: (8, 1, 96, 96) in [0, 1]."""
    pictures = held_out_images()
    squares = [
        pictures[name][top : top + SIDE, left : left + SIDE]
        for name, (top, left) in CORNERS.items()
    ]
    return torch.from_numpy(np.stack(squares))[:, None]


def fine_detail(images: Tensor) -> Tensor:
    """Images (N, 1, H, W) less their mean over the 9×9 around each pixel; of the same shape."""
    return images - avg_pool2d(images, 9, stride=1, padding=4, count_include_pad=False)


def activations(net: DnCNN, noisy: Tensor) -> list[Tensor]:
    """By layer: number 0 is ``noisy`` itself, then the maps after each ReLU, last the output.

    noisy: (N, 1, H, W). The network is put into eval mode. Layers 1 to depth − 1 are (N, width, H,
    W); the output is (N, 1, H, W): the residual v̂, or the image of a direct network.
    """
    inputs = layer_inputs(net.eval(), noisy, nn.Conv2d)
    with torch.no_grad():
        return [*inputs, net.layers[-1](inputs[-1])]


def random_network(like: DnCNN, noisy: Tensor, seed: int) -> DnCNN:
    """A network of the same architecture with random weights, in eval mode; the statistics of its
    batch norms are those of the pictures ``noisy`` (N, 1, H, W)."""
    net = DnCNN(**like.config)
    net.reset_parameters(torch.Generator().manual_seed(seed))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0  # the statistics of the next batch, whole
    with torch.no_grad():
        net.train()(noisy)
    return net.eval()


def columns(maps: Tensor) -> Tensor:
    """Maps (N, C, H, W) as the columns of a linear fit: (N, H·W, C + 1), float64, each map in units
    of its root mean square; the last column is 1."""
    flat = maps.flatten(2).mT.double()
    flat = flat / (flat.square().mean((0, 1)).sqrt() + 1e-12)
    return nn.functional.pad(flat, (0, 1), value=1.0)


def around(maps: Tensor, side: int) -> Tensor:
    """All pixels of the side×side around each pixel, as maps of their own: (N, C, H, W) → (N, C ·
    side², H, W), side odd; beyond the border are zeros."""
    return nn.functional.unfold(maps, side, padding=side // 2).unflatten(2, maps.shape[2:])


def solve(products: Tensor, answers: Tensor) -> Tensor:
    """The weights of a least-squares fit, from AᵀA (C + 1, C + 1) and Aᵀb (C + 1, T) of
    ``columns``: (C + 1, T). A little is added to the diagonal, for maps that are all alike."""
    ridge = 1e-3 * products[-1, -1] * torch.eye(len(products), dtype=products.dtype)
    return torch.linalg.solve(products + ridge, answers)


def errors(told: Tensor, wanted: Tensor) -> np.ndarray:
    """The mean squared error of each channel: (N, T, H, W) twice → (T,)."""
    return ((told - wanted) ** 2).mean((0, 2, 3)).numpy()


def print_table(rows: Mapping[str, Sequence[float]]) -> None:
    """R² in % of each of ``TARGETS``. rows: what was read → the three R², as parts of 1."""
    print(f"R² in % {'':18s}" + "".join(f"{target:>13s}" for target in TARGETS))
    for name, values in rows.items():
        print(f"{name:26s}" + "".join(f"{round(100 * float(value)):13d}" for value in values))


def print_layers(known: Mapping[str, np.ndarray], layers: Sequence[int]) -> None:
    """``print_table`` of some layers of networks. known: network → (depth + 1, 3) of R²."""
    print_table(
        {f"{name}, layer {layer}": r2[layer] for name, r2 in known.items() for layer in layers}
    )


def reader_errors(runs: Runs) -> dict[tuple[str, str], dict[float, list[float]]]:
    """Mean squared errors on ``pieces`` of readers that are networks, one for each reader: by
    network ("dncnn-b" or "random") and target, then by layer.

    runs: the record ``lesson-09.csv`` as ``records.read_comparison`` reads it.
    """
    found: dict[tuple[str, str], dict[float, list[float]]] = {}
    for (network, layer, target, _), (*_, last) in runs.items():
        by_layer = found.setdefault((str(network).split()[0], str(target)), {})
        by_layer.setdefault(layer, []).append(10 ** (-last.val_psnr / 10))
    return found


def reader_scores(
    runs: Runs, blank: Sequence[float]
) -> dict[tuple[str, str], dict[float, list[float]]]:
    """R² of the readers in the order of ``reader_errors``, printed in %. blank: by target, the mean
    squared error of a reader who sees nothing."""
    unseen, found = dict(zip(TARGETS, blank)), {}
    for (network, target), by_layer in reader_errors(runs).items():
        r2 = {layer: [1 - e / unseen[target] for e in each] for layer, each in by_layer.items()}
        found[network, target] = r2
        print(f"R² in %, {network}, {target}, by layer:")
        rounded = {layer: [round(100 * value) for value in each] for layer, each in r2.items()}
        print("   ", rounded)
    return found


def plot_layers(
    known: Mapping[str, Sequence[np.ndarray]],
    styles: Mapping[str, tuple[str, str]],
    levels: Mapping[str, Sequence[float]] | None = None,
) -> Figure:
    """R² against the layer in three panels, one for each of ``TARGETS``.

    known: label → networks of that kind, each an array (layers, 3) of R², from layer 0; a line for
    each network. styles: label → (a name of ``COLOURS``, a line style). levels: label → the three
    R² of something that has no layers, drawn as a level line.
    """
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.6), sharey=True, layout="constrained")
    for column, (ax, target) in enumerate(zip(axes, TARGETS)):
        for label, values in (levels or {}).items():
            ax.axhline(values[column], color="black", ls=":", label=label)
        for label, networks in known.items():
            colour, line = styles[label]
            for number, values in enumerate(networks):
                name = label if number == 0 else None
                ax.plot(values[:, column], line, color=COLOURS[colour], label=name)
        ax.axhline(0, color="black", lw=0.8)
        ax.set(title=target, xlabel="layer", ylim=(-0.15, 1))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("R² of the linear read-out")
    axes[-1].legend(loc="best", fontsize=8)
    return figure


def plot_readers(
    found: Mapping[tuple[str, str], Mapping[float, Sequence[float]]],
    linear: Mapping[str, Sequence[float]],
) -> Figure:
    """R² against the layer in two panels, the image and its fine detail: dots for every reader.

    found: (network, target) → layer → R² of its readers; the first network is drawn in colour, and
    a line joins the means. linear: target → R² of the linear read-out of the first network by
    layer, from 0.
    """
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    first = next(iter(found))[0]
    for ax, target in zip(axes, TARGETS):
        for (network, about), by_layer in found.items():
            if about != target:
                continue
            colour = COLOURS["restored" if network == first else "reference"]
            means = [np.mean(values) for values in by_layer.values()]
            ax.plot(list(by_layer), means, "-", color=colour, label=network)
            for layer, values in by_layer.items():
                ax.plot([layer] * len(values), values, "o", color=colour, ms=4)
        ax.plot(linear[target], "--", color=COLOURS["restored"], label=f"{first}, linear read-out")
        ax.axhline(0, color="black", lw=0.8)
        ax.set(title=target, xlabel="layer (0: the noisy picture)", ylim=(-0.55, 1))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("R² of the reader")
    axes[1].legend(fontsize=8)
    return figure


def filters(start: str, seed: int) -> Tensor:
    """(24, 1, 5, 5), each of mean 0 and norm 1.

    start: "cosine", the waves of the DCT of 5×5 but for the constant one, whatever the seed; or
    "random", normal numbers.
    """
    if start == "cosine":
        waves = [idctn(wave.reshape(5, 5), norm="ortho") for wave in np.eye(25)[1:]]
        return torch.tensor(np.array(waves), dtype=torch.float32)[:, None]
    draw = torch.randn(24, 1, 5, 5, generator=torch.Generator().manual_seed(seed))
    draw = draw - draw.mean((2, 3), keepdim=True)
    return draw / draw.norm(dim=(2, 3), keepdim=True)


class Stage(nn.Module):
    """x₁ = y − Σ f̄ₖ ∗ φₖ(fₖ ∗ y), a stage of TNRD whose filters and φₖ are to be learnt.

    filters: (K, 1, m, m), m odd, as they are at first. slope: φₖ(z) is about slope · z at first;
    it is a sum of 21 Gaussian bumps from −0.5 to 0.5. noisy: (N, 1, H, W); beyond the border are
    zeros.
    """

    def __init__(self, filters: Tensor, slope: float) -> None:
        super().__init__()
        self.filters = nn.Parameter(filters.clone())
        self.register_buffer("centres", torch.linspace(-0.5, 0.5, 21))
        heights = slope / math.sqrt(2 * math.pi) * self.centres
        self.heights = nn.Parameter(heights.repeat(len(filters), 1))

    def influence(self, z: Tensor) -> Tensor:
        """φₖ of the responses (N, K, H, W)."""
        width = self.centres[1] - self.centres[0]
        bumps = zip(self.centres, self.heights.T)
        return sum(h[:, None, None] * torch.exp(-(((z - c) / width) ** 2) / 2) for c, h in bumps)

    def forward(self, noisy: Tensor) -> Tensor:
        border = self.filters.shape[-1] // 2
        responses = conv2d(noisy, self.filters, padding=border)
        return noisy - conv_transpose2d(self.influence(responses), self.filters, padding=border)


class Pair(nn.Module):
    """y less convolution, ReLU, convolution: at first the same function as ``Stage``.

    filters, slope: as there. Each filter is there twice, with either sign, since slope · z is slope
    · (ReLU(z) − ReLU(−z)).
    """

    def __init__(self, filters: Tensor, slope: float) -> None:
        super().__init__()
        both = torch.cat([filters, -filters])
        count, _, side, _ = both.shape
        first = nn.Conv2d(1, count, side, padding=side // 2)
        second = nn.Conv2d(count, 1, side, padding=side // 2)
        with torch.no_grad():
            first.weight.copy_(both)
            second.weight.copy_(slope * both.flip(2, 3).transpose(0, 1))
            first.bias.zero_()
            second.bias.zero_()
        self.layers = nn.Sequential(first, nn.ReLU(), second)

    def forward(self, noisy: Tensor) -> Tensor:
        return noisy - self.layers(noisy)


def trained_psnr(
    kind: type[Stage] | type[Pair],
    start: str,
    slope: float,
    images: Sequence[np.ndarray],
    noise: Degradation,
    config: TrainConfig,
    validation: Callable[[nn.Module], float],
    seeds: Sequence[int] = (0, 1, 2),
) -> list[float]:
    """The last validation PSNR in dB of a ``Stage`` or a ``Pair`` from each seed, which decides its
    patches and, with ``start`` "random", its ``filters``."""
    found = []
    for seed in seeds:
        net = kind(filters(start, seed), slope)
        *_, last = train(net, images, noise, replace(config, seed=seed), validation=validation)
        found.append(last.val_psnr)
    return found


__getattr__, __dir__ = from_keys(__name__, "r_squared", "turned", "tnrd_parameters")
