"""Lesson 03, Building DnCNN: its diagram, the receptive field as a widget, a DnCNN that works at
half the resolution, the record of such networks, and the checks of the exercises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import torch
from torch import Tensor, nn

from .. import _check
from ..degrade import add_gaussian_noise, white_noise
from ..images import as_float, as_uint8
from ..metrics import psnr
from ..model import DnCNN
from ..records import RECORDS, Runs, read_comparison
from ..samples import held_out_images, small_training_set
from ..show.panels import panel
from ..show.pictures import COLOURS, SERIES, side_by_side
from ..show.plots import plot_seeds
from ..tasks import Task
from ..training import TrainConfig, train
from .check import from_keys
from .experiments import best_rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes


PATCH_SIZES = {"EPLL": 36, "MLP": 47, "BM3D": 49, "CSF": 61, "TNRD": 61, "WNNM": 361}
"""Side in pixels of what each method looks at for one pixel, at σ = 25: Table I of the paper."""


@dataclass(frozen=True)
class FieldView:
    """What one output pixel of a network sees: a picture (H, W, 3) in [0, 1], and the numbers.

    side: of the receptive field, in pixels. parameters: of a grey network 64 wide, with batch norm.
    """

    depth: int
    kernel: int
    side: int
    parameters: int
    picture: np.ndarray

    @property
    def summary(self) -> str:
        """One sentence with the numbers."""
        larger = [name for name, side in PATCH_SIZES.items() if side > self.side]
        return (
            f"{self.depth} layers of {self.kernel}×{self.kernel}: one pixel sees "
            f"{self.side}×{self.side} = {self.side**2:,} pixels, for {self.parameters:,} "
            f"parameters; more is seen by {', '.join(larger) or 'none of the six'}"
        )


def field_view(
    photo: np.ndarray, depth: int, kernel: int = 3, *, centre: tuple[int, int] | None = None
) -> FieldView:
    """The square that one pixel of ``depth`` layers of ``kernel``×``kernel`` sees, on ``photo``.

    photo: (H, W) in [0, 1]. depth: at least 2. kernel: odd. centre: row and column of the pixel,
    by default the middle. For comparison the squares of BM3D, of CSF and TNRD, and of WNNM.
    """
    _check.integer("depth", depth, at_least=2)
    if _check.integer("kernel", kernel, at_least=1) % 2 == 0:
        _check.fail("kernel", kernel, "odd")
    width = 64
    side = 1 + depth * (kernel - 1)
    weights = kernel**2 * (2 * width + (depth - 2) * width**2)
    centre = centre or (photo.shape[0] // 2, photo.shape[1] // 2)
    squares = {"WNNM 361": 361, "CSF, TNRD 61": 61, "BM3D 49": 49}
    picture = _squares(photo, centre, side, squares)
    return FieldView(depth, kernel, side, weights + 2 * width * (depth - 2), picture)


def field_slider(
    photo: np.ndarray,
    *,
    depth: int = 17,
    kernel: int = 3,
    centre: tuple[int, int] | None = None,
) -> ipywidgets.VBox:
    """Sliders for depth and kernel size over what ``field_view`` shows.

    The children are the two sliders, the sentence with the numbers and the picture.
    """
    layout = ipywidgets.Layout(width="480px")
    depths = ipywidgets.IntSlider(depth, 2, 40, description="depth", layout=layout)
    kernels = ipywidgets.IntSlider(kernel, 1, 11, 2, description="kernel", layout=layout)

    def answer() -> tuple[bytes, str]:
        view = field_view(photo, depths.value, kernels.value, centre=centre)
        return side_by_side(view.picture), view.summary

    return panel([depths, kernels], answer)


def _squares(
    photo: np.ndarray, centre: tuple[int, int], field: int, others: dict[str, int]
) -> np.ndarray:
    """``photo`` in pale grey, with a tinted square of side ``field`` and an outline for each of
    ``others``, largest first, whose labels stand outside it but for the first."""
    from PIL import Image, ImageDraw, ImageFont

    pale = as_uint8(0.45 + 0.55 * np.clip(photo, 0, 1))
    canvas = Image.fromarray(np.repeat(pale[..., None], 3, axis=2))

    def box(side: int) -> tuple[int, int, int, int]:
        top, left = (c - side // 2 for c in centre)
        return left, top, left + side - 1, top + side - 1

    tint = Image.new("L", canvas.size, 0)
    ImageDraw.Draw(tint).rectangle(box(field), fill=110)
    canvas.paste(COLOURS["restored"], mask=tint)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(13)
    halo = {"font": font, "stroke_width": 2, "stroke_fill": "white"}
    for side, ink in zip(others.values(), SERIES):
        draw.rectangle(box(side), outline=ink, width=2)
    (_, widest), (_, wide), _ = others.items()
    corner, (_, top, right, bottom) = box(widest), box(wide)
    places = ((corner[0] + 6, corner[1] + 4), (right + 6, top - 2), (right + 6, top + 16))
    for name, place, ink in zip(others, places, SERIES):
        draw.text(place, name, fill=ink, **halo)
    left = box(field)[0]
    below = min(max(bottom, box(field)[3]) + 4, canvas.height - 18)
    words = f"this network {field}"
    draw.text((max(left, 2), below), words, fill=COLOURS["restored"], **halo)
    return as_float(np.asarray(canvas))


def draw_dncnn(
    highlight: str | None = None,
    *,
    depth: int = 17,
    width: int = 64,
    channels: int = 1,
    ax: Axes | None = None,
) -> Axes:
    """A DnCNN as a row of boxes, with the skip from the noisy image y to x̂ = y − v̂.

    highlight: "first", "middle", "last" or "skip" is drawn in colour and the rest in grey; None
    draws everything in colour. depth (convolutions, at least 4), width (feature maps) and
    channels (of the image) are written into the boxes.
    """
    from matplotlib import pyplot as plt

    if highlight is not None:
        _check.one_of("highlight", highlight, ("first", "middle", "last", "skip"))
    _check.integer("depth", depth, at_least=4)
    ax = plt.subplots(figsize=(9.6, 2.5), layout="constrained")[1] if ax is None else ax

    def colour(part: str) -> str:
        name = "noisy" if part == "skip" else "removed"
        return COLOURS[name] if highlight in (None, part) else "#a6a6a6"

    middle = f"Conv {width}→{width}\nBN\nReLU"
    boxes = [
        (1.0, "first", f"Conv {channels}→{width}\nReLU", "1"),
        (2.9, "middle", middle, "2"),
        (5.7, "middle", middle, str(depth - 1)),
        (7.6, "last", f"Conv {width}→{channels}", str(depth)),
    ]
    for left, part, text, number in boxes:
        edge = colour(part)
        ax.add_patch(plt.Rectangle((left, 0), 1.5, 1, fill=False, ec=edge, lw=2))
        ax.text(left + 0.75, 0.5, text, ha="center", va="center", fontsize=9, color=edge)
        ax.text(left + 0.75, -0.25, number, ha="center", fontsize=9, color=edge)
    grey, skip = COLOURS["reference"], colour("skip")
    for start, stop in ((0.35, 1.0), (2.5, 2.9), (4.4, 4.7), (5.4, 5.7), (7.2, 7.6), (9.1, 9.85)):
        _arrow(ax, (start, 0.5), (stop, 0.5), grey)
    ax.plot([0.6, 0.6, 10], [0.5, 1.5, 1.5], color=skip, lw=2)
    _arrow(ax, (10, 1.5), (10, 0.68), skip, lw=2)
    _arrow(ax, (10.15, 0.5), (10.6, 0.5), grey)
    words = {
        (0.15, 0.5, "y"): COLOURS["noisy"],
        (5.05, 0.5, "···"): grey,
        (9.45, 0.75, "v̂"): COLOURS["removed"],
        (10.85, 0.5, "x̂"): COLOURS["restored"],
    }
    for (x, y, text), ink in words.items():
        ax.text(x, y, text, ha="center", va="center", fontsize=14, color=ink)
    ax.text(10, 0.5, "−", ha="center", va="center", fontsize=13, color=skip,
            bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": skip, "lw": 2})  # fmt: skip
    ax.text(5.3, 1.6, "skip: y itself", ha="center", fontsize=9, color=skip)
    ax.set(xlim=(-0.1, 11.1), ylim=(-0.4, 1.9))
    ax.set_axis_off()
    return ax


def _arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, lw: float = 1.2
) -> None:
    arrow = {"arrowstyle": "-|>", "color": colour, "lw": lw, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", end, start, arrowprops=arrow)


WAYS = ("unshuffle", "strided", "pooled", "pooled, skip")


class HalfResolution(nn.Module):
    """A grey DnCNN, (B, 1, H, W) in and out, whose middle layers work at half the height and width.
    ``net(y)`` is the restored image; H and W must be even.

    way: down to half the size and back up.
        "unshuffle": each block of 2×2 pixels becomes four channels, and four channels a block, as
        in FFDNet. "strided": behind the first layer a learned convolution of 2×2 with stride 2, in
        front of the last layer a transposed one. "pooled": of each 2×2 block the largest value, as
        in VGG, and each value four times. "pooled, skip": the same, and what the first layer gave
        is added in front of the last.
    depth, width: of the DnCNN; ``seed`` decides its weights.
    """

    def __init__(self, way: str, depth: int, width: int, seed: int = 0) -> None:
        super().__init__()
        self.way = _check.one_of("way", way, WAYS)
        generator = torch.Generator().manual_seed(_check.seed("seed", seed))
        net = DnCNN(depth, width, channels=4 if way == "unshuffle" else 1)
        net.reset_parameters(generator)
        self.first, self.middle, self.last = net.layers[:2], net.layers[2:-1], net.layers[-1:]
        self.down, self.up = nn.Identity(), nn.Identity()
        if way == "unshuffle":
            self.first.insert(0, nn.PixelUnshuffle(2))
            self.last.append(nn.PixelShuffle(2))
        elif way == "strided":
            self.down = nn.Conv2d(width, width, 2, stride=2, bias=False)
            self.up = nn.ConvTranspose2d(width, width, 2, stride=2, bias=False)
            nn.init.normal_(self.down.weight, 0, (2 / (4 * width)) ** 0.5, generator=generator)
            nn.init.normal_(self.up.weight, 0, (2 / width) ** 0.5, generator=generator)
        else:
            self.down, self.up = nn.MaxPool2d(2), nn.Upsample(scale_factor=2)

    def forward(self, noisy: Tensor) -> Tensor:
        features = self.first(noisy)
        back = self.up(self.middle(self.down(features)))
        if self.way == "pooled, skip":
            back = back + features
        return noisy - self.last(back)


@torch.no_grad()
def multiplications(net: nn.Module, side: int = 32) -> float:
    """How often the convolutions of a grey network multiply for each pixel of a picture; it is run
    on one of ``side``×``side`` pixels."""
    count = 0

    def add(layer: nn.Module, given: tuple[Tensor], output: Tensor) -> None:
        nonlocal count
        places = given[0] if isinstance(layer, nn.ConvTranspose2d) else output
        count += layer.weight.numel() * places[0, 0].numel()

    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    hooks = [m.register_forward_hook(add) for m in net.modules() if isinstance(m, kinds)]
    try:
        net(torch.zeros(1, 1, side, side))
    finally:
        for hook in hooks:
            hook.remove()
    return count / side**2


def by_rate(runs: Runs, network: str, updates: int) -> dict[float, list[float]]:
    """How that network ended after so many steps: learning rate → PSNR in dB, one for each seed."""
    ends: dict[float, list[float]] = {}
    for (name, number, rate, _), steps in runs.items():
        if (name, number) == (network, updates):
            ends.setdefault(rate, []).append(steps[-1].val_psnr)
    return ends


def recorded_architectures() -> dict[int, dict[str, list[float]]]:
    """What ``data/record_architecture.py`` found: steps → network → the PSNR in dB that each seed
    ended with, at the network's best learning rate."""
    runs = read_comparison(RECORDS / "architecture.csv")
    found: dict[int, dict[str, list[float]]] = {}
    for network, updates, *_ in runs:
        ends = by_rate(runs, network, updates)
        found.setdefault(updates, {})[network] = ends[best_rate(ends)]
    return found


def recorded_depths() -> dict[int, dict[int, list[float]]]:
    """Of ``recorded_architectures`` those at full resolution: steps → depth → PSNR in dB."""
    return {
        steps: {int(name[6:]): ends for name, ends in found.items() if name.startswith("depth ")}
        for steps, found in recorded_architectures().items()
    }


STYLES = {600: ("reference", "--s"), 2400: ("restored", "-o")}
"""Colour, line and marker of what was trained for so many steps."""


def plot_depths(curves: Mapping[int, Mapping[int, Sequence[float]]]) -> Axes:
    """PSNR in dB against depth: steps → depth → the PSNR of each seed."""
    named = {f"{steps:,} steps": by_depth for steps, by_depth in curves.items()}
    styles = {f"{steps:,} steps": style for steps, style in STYLES.items()}
    labels = {"xlabel": "depth (convolutions)", "ylabel": "PSNR of held-out images (dB)"}
    ax = plot_seeds(named, styles, **labels)
    ax.set_xticks(sorted({depth for by_depth in curves.values() for depth in by_depth}))
    return ax


def plot_networks(ends: Mapping[str, Sequence[float]]) -> Axes:
    """A row for each network, with a dot for the PSNR in dB of each seed and a line at their mean.

    ends: network → PSNR of each seed; "depth …" is the one at full resolution.
    """
    from matplotlib import pyplot as plt

    ax = plt.subplots(figsize=(7.5, 0.9 + 0.42 * len(ends)), layout="constrained")[1]
    for row, values in enumerate(ends.values()):
        ax.vlines(np.mean(values), row - 0.3, row + 0.3, color=COLOURS["reference"])
        ax.plot(values, [row] * len(values), "o", color=COLOURS["restored"], ms=6, alpha=0.7)
    names = ("full resolution" if name.startswith("depth") else name for name in ends)
    ax.set_yticks(range(len(ends)), names)
    ax.invert_yaxis()
    ax.set_xlabel("PSNR of held-out images (dB)")
    ax.grid(axis="x", alpha=0.3)
    return ax


def pieces() -> dict[str, np.ndarray]:
    """What is measured on: the middle of each held-out picture, (96, 96) in [0, 1]."""
    found = {}
    for name, image in held_out_images().items():
        top, left = ((side - 96) // 2 for side in image.shape)
        found[name] = image[top : top + 96, left : left + 96]
    return found


@torch.no_grad()
def psnr_at(levels: Sequence[float], net: nn.Module) -> np.ndarray:
    """The mean PSNR in dB of ``pieces`` restored by ``net``, at each σ on the 0–255 scale."""
    clean = torch.from_numpy(np.stack(list(pieces().values())))[:, None]
    restored = (net(add_gaussian_noise(clean, sigma, seed=0)) for sigma in levels)
    return np.array([psnr(image, clean, data_range=1.0).mean().item() for image in restored])


def small_network(seed: int) -> DnCNN:
    """Six layers of 16, as training begins."""
    net = DnCNN(depth=6, width=16)
    net.reset_parameters(torch.Generator().manual_seed(_check.seed("seed", seed)))
    return net


def sigma_per_batch(clean: Tensor, generator: torch.Generator) -> Tensor:
    """A task for ``train``: white Gaussian noise with one σ, from 0 to 55, for the whole batch;
    ``GaussianNoise((0, 55))`` draws one for each image."""
    sigma = 55 / 255 * torch.rand((), generator=generator)
    return clean + sigma * white_noise(clean, generator)


def train_quickly(net: nn.Module, task: Task, seed: int) -> nn.Module:
    """``net``, in eval mode, after 250 steps of Adam on eight patches of 24×24 from the small
    training set."""
    config = TrainConfig(steps=250, batch_size=8, patch_size=24, lr=0.01, seed=seed)
    for _ in train(net, small_training_set(), task, config):
        pass
    return net.eval()


def random_squares(
    images: Iterable[np.ndarray], side: int, *, each: int, seed: int = 0
) -> torch.Tensor:
    """``each`` squares of ``side`` pixels from random places of every image, one image after the
    other: (number of images · each, 1, side, side).

    images: (H, W) in [0, 1], each at least so large.
    """
    rng = np.random.default_rng(seed)
    squares = []
    for image in images:
        for _ in range(each):
            top, left = (int(rng.integers(n - side + 1)) for n in image.shape)
            squares.append(image[top : top + side, left : left + side])
    return torch.from_numpy(np.stack(squares))[:, None]


def inner(squares: Tensor, margin: int) -> Tensor:
    """The squares (B, 1, H, W) without a margin of so many pixels on each side: a view."""
    return squares[..., margin:-margin, margin:-margin]


def mirrored(squares: Tensor, margin: int) -> Tensor:
    """The squares (B, 1, H, W), continued by so many pixels on each side as in a mirror."""
    return nn.functional.pad(squares, (margin,) * 4, mode="reflect")


def error_by_distance(result: Tensor, truth: Tensor, *, each: int) -> Tensor:
    """Mean squared error by distance to the nearest border: (images, side // 2); in its first
    column that of the outermost pixels.

    result, truth: (B, 1, side, side), with ``each`` squares of every image one after the other, as
    ``random_squares`` gives them; the squares of an image are averaged.
    """
    side = truth.shape[-1]
    index = torch.arange(side)
    to_edge = torch.minimum(index, side - 1 - index)
    distance = torch.minimum(to_edge[:, None], to_edge)
    squared = (result - truth).square()[:, 0]
    rings = [squared[:, distance == d].mean(dim=1) for d in range(side // 2)]
    return torch.stack(rings, dim=1).unflatten(0, (-1, each)).mean(dim=1)


def lost_by_distance(
    errors: Mapping[str, Tensor], reference: str, *, draws: int = 1000, seed: int = 0
) -> dict[str, Tensor]:
    """By how many dB each error is above the reference, for images drawn anew, with replacement, as
    many as there are: label → (draws, distances), without the reference.

    errors: label → (images, distances), from ``error_by_distance``. All labels have the same draws.
    """
    images = len(errors[reference])
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(images, (draws, images), generator=generator)
    means = {label: error[drawn].mean(dim=1) for label, error in errors.items()}
    base = means.pop(reference)
    return {label: 10 * torch.log10(mean / base) for label, mean in means.items()}


def plot_change(levels: Sequence[float], change: Mapping[str, np.ndarray]) -> Axes:
    """What BN at the end changes in the PSNR, in dB: how σ was drawn → (levels, seeds)."""
    looks = (("restored", "-o"), ("removed", "--s"))
    styles = {f"σ per {way}": look for way, look in zip(change, looks)}
    found = {f"σ per {way}": dict(zip(levels, rows)) for way, rows in change.items()}
    ax = plot_seeds(found, styles, xlabel="σ", ylabel="PSNR with BN at the end − without (dB)")
    ax.axhline(0, color=COLOURS["reference"], lw=1)
    ax.set_xticks(levels)
    return ax


def plot_lost(lost: Mapping[str, Tensor], *, distances: int = 11) -> Axes:
    """What each way of padding loses in dB, by distance to the border: means, with bars of one
    standard deviation to either side.

    lost: label → (draws, distances); at most three labels.
    """
    from matplotlib import pyplot as plt

    ax = plt.subplots(figsize=(7, 3.5), layout="constrained")[1]
    x = np.arange(distances)
    for row, (name, dB) in enumerate(lost.items()):
        mean, spread = dB.mean(dim=0)[:distances].numpy(), dB.std(dim=0)[:distances].numpy()
        ink = (COLOURS["restored"], *SERIES)[row]
        look = {"marker": "osD"[row], "ms": 5, "capsize": 3}
        ax.errorbar(x + 0.08 * (row - 1), mean, spread, color=ink, label=name, **look)
    ax.axhline(0, color=COLOURS["reference"], lw=1)
    ax.set(xlabel="distance to the border (pixels)", ylabel="lost (dB)", xticks=x)
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def squared_gradients(net: DnCNN, sigma: float, *, grid: int = 2) -> Tensor:
    """How much an output pixel depends on each pixel of its receptive field: (field, field), the
    squared gradients, scaled to sum 1, then averaged over ``grid``² pixels of each held-out picture
    with noise of that σ (0–255 scale).

    net: grey, in eval mode, its parameters without ``requires_grad``. The fields of the pixels lie
    side by side, without overlap, so one pass backwards does all of a picture.
    """
    field = net.receptive_field
    maps = []
    for seed, image in enumerate(held_out_images().values()):
        top, left = ((side - grid * field) // 2 for side in image.shape)
        part = image[top : top + grid * field, left : left + grid * field]
        noisy = add_gaussian_noise(torch.from_numpy(part)[None, None], sigma, seed=seed)
        noisy.requires_grad_()
        net(noisy)[:, :, field // 2 :: field, field // 2 :: field].sum().backward()
        cells = noisy.grad[0, 0].reshape(grid, field, grid, field).transpose(1, 2)
        maps.append(cells.reshape(-1, field, field).square())
    found = torch.cat(maps)
    return (found / found.sum(dim=(1, 2), keepdim=True)).mean(dim=0)


__getattr__, __dir__ = from_keys(__name__, "field_side", "mended_layers", "what_to_read")
