"""Interactive views over the public functions. No mathematics in here.

Each widget is a pure function from settings to pictures and numbers, and a thin view that shows
what that function returns; the lessons call the same function in plain code.
"""

from __future__ import annotations

import copy
import html
import io
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anywidget
import ipywidgets
import numpy as np
import torch
import traitlets
from torch import nn

from . import _check
from .degrade import (
    Degradation,
    DownUp,
    GaussianNoise,
    JPEGCompression,
    PoissonNoise,
    Quantisation,
    SaltAndPepperNoise,
    add_gaussian_noise,
)
from .engine import Step, TrainConfig, denoise, train
from .images import as_batch
from .metrics import autocorrelation, psnr, ssim
from .model import DnCNN
from .plots import COLOURS, SERIES, plot_training

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# ----------------------------------------------------------------------------------- the thin view


class PNG(anywidget.AnyWidget):
    """A picture on the page, and in words for those who do not see it.

    value: the bytes of a PNG; alt: the words; width: on the screen, in pixels, 0 for the picture's
    own; it shrinks where there is less room.
    """

    _esm = """
    export default {
      render({ model, el }) {
        const image = document.createElement("img");
        image.style.cssText = "max-width: 100%; height: auto; display: block";
        el.append(image);
        function show() {
          const before = image.src;
          image.src = URL.createObjectURL(new Blob([model.get("value")], { type: "image/png" }));
          if (before) URL.revokeObjectURL(before);
        }
        const describe = () => (image.alt = model.get("alt"));
        if (model.get("width")) image.width = model.get("width");
        model.on("change:value", show);
        model.on("change:alt", describe);
        show();
        describe();
      },
    };
    """

    value = traitlets.Bytes().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    width = traitlets.Int().tag(sync=True)


def panel(
    controls: Sequence[ipywidgets.Widget],
    answer: Callable[[], tuple[bytes, str]],
    *,
    width: int = 0,
    below: Sequence[ipywidgets.Widget] = (),
) -> ipywidgets.VBox:
    """Controls over a sentence and a picture that follow them.

    answer: the PNG and the sentence for what the controls say; it is asked at once and whenever the
    ``value`` of one of them changes. width: of the picture on the screen, 0 for its own. below:
    what else is shown. The children are the controls, the sentence, the picture and what is below.
    """
    words, picture = ipywidgets.HTML(), PNG(width=width)

    def update(_change: object = None) -> None:
        png, told = answer()
        words.value = html.escape(told, quote=False)
        with picture.hold_sync():
            picture.value, picture.alt = png, told

    update()
    for control in controls:
        control.observe(update, names="value")
    return ipywidgets.VBox([*controls, words, picture, *below])


def _wide(image: np.ndarray, zoom: int, count: int = 2) -> int:
    """Screen pixels that so many pictures take as ``side_by_side`` puts them."""
    return zoom * (count * image.shape[1] + (count - 1) * 8)


def _before_and_after(before: float, after: float) -> str:
    """Two PSNRs in dB and the gain, in words."""
    return f"{before:.1f} dB, restored {after:.1f} dB ({after - before:+.1f} dB)"


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
        return f"σ = {self.sigma:g}: noisy {_before_and_after(self.noisy_psnr, self.restored_psnr)}"


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

    def answer() -> tuple[bytes, str]:
        result = restore_at(clean, slider.value, model)
        return side_by_side(result.noisy, result.restored, zoom=zoom), result.summary

    return panel([slider], answer, width=_wide(clean, zoom))


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
    """``photo`` in grey, with a tinted square of side ``field`` and an outline for each other."""
    from PIL import Image, ImageDraw, ImageFont

    grey = np.round(np.clip(photo, 0, 1) * 255).astype(np.uint8)
    canvas = Image.fromarray(np.repeat(grey[..., None], 3, axis=2))

    def box(side: int) -> tuple[int, int, int, int]:
        top, left = (c - side // 2 for c in centre)
        return left, top, left + side - 1, top + side - 1

    tint = Image.new("L", canvas.size, 0)
    ImageDraw.Draw(tint).rectangle(box(field), fill=75)
    canvas.paste(COLOURS["restored"], mask=tint)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(13)
    halo = {"font": font, "stroke_width": 2, "stroke_fill": "white"}
    for row, (name, side) in enumerate(others.items()):
        ink = SERIES[row]
        draw.rectangle(box(side), outline="white", width=3)
        draw.rectangle(box(side), outline=ink, width=2)
        left, top, right, _ = box(side)
        place = {0: (left + 6, top + 4), 1: (right + 5, top - 4), 2: (right + 11, top + 16)}[row]
        draw.text(place, name, fill=ink, **halo)
    draw.rectangle(box(field), outline="white", width=3)
    draw.rectangle(box(field), outline=COLOURS["restored"], width=2)
    left, _, _, bottom = box(field)
    draw.text((left, bottom + 4), f"this network {field}", fill=COLOURS["restored"], **halo)
    return np.asarray(canvas).astype(np.float32) / 255


@dataclass(frozen=True)
class NoiseKind:
    """What a slider needs to know of a kind of noise: what its level is called, from where to where
    it goes and where it starts, which degradation a level means, and how that is written, with {}
    for the level."""

    level: str
    low: int
    high: int
    start: int
    degradation: Callable[[int], Degradation]
    code: str


def _impulses(percent: int) -> SaltAndPepperNoise:
    return SaltAndPepperNoise(percent / 100)


NOISE_KINDS = {
    "Gaussian": NoiseKind("σ", 0, 75, 25, GaussianNoise, "GaussianNoise({})"),
    "Poisson": NoiseKind("photons in white", 1, 200, 40, PoissonNoise, "PoissonNoise({})"),
    "salt and pepper": NoiseKind(
        "% of pixels", 0, 50, 5, _impulses, "SaltAndPepperNoise({} / 100)"
    ),
    "quantisation": NoiseKind("grey levels", 2, 64, 6, Quantisation, "Quantisation({})"),
    "JPEG": NoiseKind("quality", 1, 100, 10, JPEGCompression, "JPEGCompression({})"),
    "down-up": NoiseKind("scale", 2, 8, 3, DownUp, "DownUp({})"),
}


@dataclass(frozen=True)
class NoiseView:
    """A picture with one kind of noise. noisy, noise: (H, W), noise = noisy − clean; psnr in dB;
    std: of the noise, on the 0–255 scale; neighbours: correlation of pixels side by side;
    with_image: correlation of noise and clean picture."""

    kind: str
    level: int
    noisy: np.ndarray
    noise: np.ndarray
    psnr: float
    ssim: float
    std: float
    neighbours: float
    with_image: float

    @property
    def summary(self) -> str:
        """One sentence with the numbers."""
        return (
            f"{self.kind}, {NOISE_KINDS[self.kind].level} {self.level}: PSNR {self.psnr:.1f} dB, "
            f"SSIM {self.ssim:.2f}, std {self.std:.1f}; correlation of neighbours "
            f"{self.neighbours:+.2f}, with the image {self.with_image:+.2f}"
        )


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Of the pixels of two images; NaN where one of them is constant."""
    constant = np.ptp(a) == 0 or np.ptp(b) == 0
    return float("nan") if constant else float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def noise_at(clean: np.ndarray, kind: str, level: int, *, seed: int = 0) -> NoiseView:
    """Degrade ``clean``, (H, W) in [0, 1], by a kind of ``NOISE_KINDS`` at that level, and measure
    what was added."""
    batch, restore = as_batch(clean)
    generator = torch.Generator().manual_seed(seed)
    noisy = restore(NOISE_KINDS[kind].degradation(level)(batch, generator))
    noise = noisy - clean
    return NoiseView(
        kind,
        level,
        noisy,
        noise,
        psnr(noisy, clean, data_range=1.0),
        ssim(noisy, clean, data_range=1.0),
        255 * float(noise.std()),
        float(autocorrelation(noise, 1)[1]),
        _correlation(noise, clean),
    )


def noise_explorer(clean: np.ndarray, *, kind: str = "Gaussian", zoom: int = 2) -> ipywidgets.VBox:
    """A choice of noise and a slider for its level, over the noisy picture (left), the noise
    (right, 0 as middle grey) and the histogram of the noise.

    clean: (H, W) in [0, 1]; some 160×160 pixels follow the hand on a laptop. The children are the
    dropdown, the slider, the sentence with the numbers, the picture and the histogram.
    """
    kinds, slider = _kind_controls(tuple(NOISE_KINDS), kind, "noise")
    histogram = ipywidgets.HTML()
    width = _wide(clean, zoom)

    def answer() -> tuple[bytes, str]:
        result = noise_at(clean, kinds.value, slider.value)
        histogram.value = histogram_svg(result.noise, width=width)
        return side_by_side(result.noisy, result.noise + 0.5, zoom=zoom), result.summary

    return panel([kinds, slider], answer, width=width, below=[histogram])


def _kind_controls(
    names: Sequence[str], kind: str, label: str
) -> tuple[ipywidgets.Dropdown, ipywidgets.IntSlider]:
    """A choice of some of ``NOISE_KINDS``, and a slider that has the levels of the chosen one."""
    wide = ipywidgets.Layout(width="480px")
    named = {"description_width": "130px"}
    kinds = ipywidgets.Dropdown(
        options=list(names), value=kind, description=label, layout=wide, style=named
    )
    slider = ipywidgets.IntSlider(layout=wide, style=named)

    def choose(_change: object = None) -> None:
        chosen = NOISE_KINDS[kinds.value]
        with slider.hold_trait_notifications():  # or the old value would be cut to the new limits
            slider.description = chosen.level
            slider.min, slider.max, slider.value = chosen.low, chosen.high, chosen.start

    choose()
    kinds.observe(choose, names="value")
    return kinds, slider


def histogram_svg(
    noise: np.ndarray, *, width: int = 640, height: int = 120, sigma: float | None = None
) -> str:
    """The histogram of a noise, in units of [0, 1], from −100 to 100 on the 0–255 scale (what lies
    outside is counted at the ends), with a normal law dashed.

    sigma: of that law, in units of [0, 1]; None: the noise's own standard deviation.
    """
    values = 255 * noise.ravel().astype(np.float64)
    deviation = values.std() if sigma is None else 255 * sigma
    deviation = max(deviation, 0.5)  # or the curve would fall between the bars
    edges = np.linspace(-100, 100, 101)
    share = np.histogram(np.clip(values, -100, 100), edges)[0] / values.size
    middle = (edges[:-1] + edges[1:]) / 2
    normal = np.exp(-((middle / deviation) ** 2) / 2)
    normal /= normal.sum()
    x = (edges + 100) / 200 * width
    floor, scale = height - 20, (height - 24) / min(1.6 * normal.max(), 1.0)
    top = np.maximum(floor - scale * share, 2)
    bars = "".join(
        f'<rect x="{a:.1f}" y="{t:.1f}" width="{b - a:.1f}" height="{floor - t:.1f}"/>'
        for a, b, t in zip(x[:-1], x[1:], top)
    )
    curve = " ".join(
        f"{(a + b) / 2:.1f},{floor - scale * n:.1f}" for a, b, n in zip(x[:-1], x[1:], normal)
    )
    marks = "".join(
        f'<text x="{(m + 100) / 200 * width:.0f}" y="{height - 5}" text-anchor="middle">{m}</text>'
        for m in (-75, -50, -25, 0, 25, 50, 75)
    )
    words = f"histogram of the noise, standard deviation {values.std():.1f} on the 0–255 scale"
    return (
        f'<svg role="img" aria-label="{words}" viewBox="0 0 {width} {height}" width="{width}" '
        f'style="max-width:100%;background:white;font:12px sans-serif">'
        f'<g fill="{COLOURS["noisy"]}" fill-opacity="0.6">{bars}</g>'
        f'<polyline points="{curve}" fill="none" stroke="{COLOURS["reference"]}" '
        f'stroke-width="1.5" stroke-dasharray="5 4"/>{marks}</svg>'
    )


def correlation_svg(
    correlation: np.ndarray, pixels: int, *, width: int = 640, height: int = 110
) -> str:
    """What ``autocorrelation`` gives, from lag 1, as bars between −0.5 and 0.5, with dashes at
    ±2/√pixels, between which white noise stays."""
    if not np.isfinite(correlation).all() or len(correlation) < 2:
        return "<p>Nothing was taken away, or too little is seen.</p>"
    step = width / len(correlation)
    middle, scale = (height - 18) / 2, height - 24
    lags = range(1, len(correlation))
    bars = "".join(
        f'<rect x="{(lag + 0.15) * step:.1f}" y="{middle - scale * max(value, 0):.1f}" '
        f'width="{0.7 * step:.1f}" height="{scale * abs(value):.1f}"/>'
        for lag, value in zip(lags, np.clip(correlation[1:], -0.5, 0.5))
    )
    marks = "".join(
        f'<text x="{(lag + 0.5) * step:.0f}" y="{height - 4}" text-anchor="middle">{lag}</text>'
        for lag in lags
    )
    marks += "".join(
        f'<text x="2" y="{middle - scale * value + 5:.1f}">{value:+.1f}</text>'
        for value in (0.4, -0.4)
    )
    band = min(2 * scale / math.sqrt(pixels), middle)
    lines = "".join(
        f'<line x1="{step:.1f}" x2="{width}" y1="{y:.1f}" y2="{y:.1f}"{dash}/>'
        for y, dash in (
            (middle, ""),
            (middle - band, ' stroke-dasharray="5 4"'),
            (middle + band, ' stroke-dasharray="5 4"'),
        )
    )
    told = ", ".join(f"{value:+.2f}" for value in correlation[1:4])
    words = f"correlation of pixels that are 1, 2 and 3 apart: {told}"
    return (
        f'<svg role="img" aria-label="{words}" viewBox="0 0 {width} {height}" width="{width}" '
        f'style="max-width:100%;background:white;font:12px sans-serif">'
        f'<g fill="{COLOURS["removed"]}" fill-opacity="0.7">{bars}</g>'
        f'<g stroke="{COLOURS["reference"]}">{lines}</g>{marks}</svg>'
    )


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
    words, picture = ipywidgets.Label("the first step takes longest"), PNG()
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
            words.value = picture.alt = _progress(step, seen)
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

    def answer() -> tuple[bytes, str]:
        chosen = found[optimizer.value, loss.value, slider.value]
        return drawn(lambda ax: plot_rate(runs, chosen, ax)), chosen.summary

    return panel([optimizer, loss, slider], answer)


# -------------------------------------------------------------------------------------- with a skip


@dataclass(frozen=True)
class Snapshot:
    """What a network makes of one noisy picture after some steps of training.

    restored: (H, W); output: (H, W), what the layers compute, which is the residual v̂ or the image
    x̂ itself; residual: which of the two; psnr: of ``restored``, in dB.
    """

    step: int
    residual: bool
    restored: np.ndarray
    output: np.ndarray
    psnr: float


def snapshots(
    net: DnCNN,
    images: Sequence[np.ndarray],
    degradation: Degradation,
    config: TrainConfig,
    clean: np.ndarray,
    noisy: np.ndarray,
    steps: Sequence[int],
) -> list[Snapshot]:
    """Train ``net``, and after each of these steps restore ``noisy``; step 0 is before training.

    net, images, degradation, config: as in ``train``, and it is trained to the end; clean, noisy:
    one picture (H, W); steps: within [0, ``config.steps``], in any order.
    """
    for step in steps:
        _check.integer("steps", step, at_least=0)
    if not steps or max(steps) > config.steps:
        _check.fail("steps", tuple(steps), f"some numbers from 0 to {config.steps}")

    def look(step: int) -> Snapshot:
        restored = denoise(noisy, net)
        output = noisy - restored if net.residual else restored
        return Snapshot(step, net.residual, restored, output, psnr(restored, clean, data_range=1.0))

    found = [look(0)] if 0 in steps else []
    for step in train(net, images, degradation, replace(config, log_every=1)):
        if step.step in steps:
            found.append(look(step.step))
    return found


SNAPSHOT_VIEWS: dict[str, Callable[[Snapshot, np.ndarray], np.ndarray]] = {
    "restored": lambda snapshot, clean: snapshot.restored,
    "layers' output": lambda snapshot, clean: snapshot.output + 0.5 * snapshot.residual,
    "error, 3 times": lambda snapshot, clean: 0.5 + 3 * (snapshot.restored - clean),
}
"""What can be shown of a snapshot; for noise and errors grey is zero."""


def snapshot_slider(
    clean: np.ndarray, trainings: Mapping[str, Sequence[Snapshot]], *, zoom: int = 1
) -> ipywidgets.VBox:
    """``frame_slider`` over the steps of trainings, which are shown side by side.

    clean: (H, W); trainings: label → its snapshots, at the same steps.
    """
    rows = [dict(zip(trainings, row)) for row in zip(*trainings.values(), strict=True)]
    frames = {
        name: [
            Frame(snapshot_summary(row), tuple(view(shot, clean) for shot in row.values()))
            for row in rows
        ]
        for name, view in SNAPSHOT_VIEWS.items()
    }
    steps = [str(next(iter(row.values())).step) for row in rows]
    return frame_slider(frames, steps, "step", zoom=zoom)


def snapshot_summary(row: Mapping[str, Snapshot]) -> str:
    """One sentence with the step and the PSNR of each training, from left to right."""
    step = next(iter(row.values())).step
    found = ", ".join(f"{name} {shot.psnr:.1f} dB" for name, shot in row.items())
    return f"after step {step}: {found}"


# ------------------------------------------------------------------------------ finished pictures


@dataclass(frozen=True)
class Frame:
    """Pictures that belong together, arrays (H, W) in [0, 1], and a sentence about them."""

    words: str
    pictures: tuple[np.ndarray, ...]


def frame_slider(
    frames: Mapping[str, Sequence[Frame]], labels: Sequence[str], description: str, *, zoom: int = 1
) -> ipywidgets.VBox:
    """A slider over frames, and a switch between several rows of them.

    frames: what the switch says → a frame for each of ``labels``, all of one size; description: of
    the slider; zoom: screen pixels for each pixel. The children are the slider, the switch, the
    sentence and the picture.
    """
    for name, row in frames.items():
        if len(row) != len(labels):
            _check.fail(f"frames[{name!r}]'s length", len(row), f"{len(labels)}, as labels has")
    slider = ipywidgets.SelectionSlider(
        options=[(label, number) for number, label in enumerate(labels)],
        description=description,
        layout={"width": "480px"},
    )
    switch = ipywidgets.ToggleButtons(options=list(frames), description="show")
    pictures = next(iter(frames.values()))[0].pictures

    def answer() -> tuple[bytes, str]:
        frame = frames[switch.value][slider.value]
        return side_by_side(*frame.pictures, zoom=zoom), frame.words

    return panel([slider, switch], answer, width=_wide(pictures[0], zoom, len(pictures)))


# ------------------------------------------------------------------------------ batch normalisation

NORM_MODES = ("eval", "train", "folded")
"""How a trained network with batch norm can be applied."""


@dataclass(frozen=True)
class NormView:
    """A picture restored in a batch. mode: of ``NORM_MODES``; others: pictures in the batch beside
    it; noisy, restored: (H, W); PSNRs in dB, eval_psnr being that of eval mode."""

    mode: str
    others: int
    noisy: np.ndarray
    restored: np.ndarray
    psnr: float
    eval_psnr: float

    @property
    def summary(self) -> str:
        """One sentence with the numbers."""
        plural = "" if self.others == 1 else "s"
        company = f"{self.others} other picture{plural}" if self.others else "nothing else"
        return (
            f"{self.mode}, {company} in the batch: {self.psnr:.1f} dB "
            f"({self.psnr - self.eval_psnr:+.1f} dB against eval mode)"
        )


@torch.no_grad()
def batch_norm_at(
    clean: np.ndarray,
    model: DnCNN,
    mode: str,
    others: Sequence[np.ndarray] = (),
    *,
    sigma: float = 25,
) -> NormView:
    """Restore ``clean``, (H, W) in [0, 1], with noise of that σ, in one batch with ``others``.

    mode: "eval", with the running statistics; "train", with those of this batch; "folded", without
    batch norm. others: clean pictures of the same size; they get noise, too. ``model`` is left as
    it was, in its mode and its running statistics.
    """
    _check.one_of("mode", mode, NORM_MODES)
    pictures = [
        add_gaussian_noise(image, sigma, seed=number)
        for number, image in enumerate((clean, *others))
    ]
    batch = torch.from_numpy(np.stack(pictures)[:, None]).float()
    evaluated = copy.deepcopy(model).eval()
    expected = evaluated(batch[:1])[0, 0].numpy()
    if mode == "eval":
        restored = evaluated(batch)
    elif mode == "folded":
        restored = model.fold_batch_norm()(batch)
    else:
        restored = evaluated.train()(batch)
    result = restored[0, 0].numpy()
    return NormView(
        mode,
        len(others),
        pictures[0],
        result,
        psnr(result, clean, data_range=1.0),
        psnr(expected, clean, data_range=1.0),
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

    def answer() -> tuple[bytes, str]:
        view = batch_norm_at(clean, model, modes.value, company[beside.value], sigma=sigma)
        return side_by_side(view.noisy, view.restored, zoom=zoom), view.summary

    return panel([modes, beside], answer, width=_wide(clean, zoom))


# ------------------------------------------------------------------------------ which network


@dataclass(frozen=True)
class Removal(Restoration):
    """A ``Restoration`` by one of several networks, and what it took away. network: its name."""

    network: str

    @property
    def removed(self) -> np.ndarray:
        """noisy − restored, of their shape, in units of [0, 1]."""
        return self.noisy - self.restored

    @property
    def summary(self) -> str:
        """One sentence with the numbers."""
        spread = 255 * float(self.removed.std())
        return f"{self.network}, {super().summary}; taken away: std {spread:.1f}"


def removal_at(
    clean: np.ndarray, sigma: float, network: str, networks: Mapping[str, nn.Module]
) -> Removal:
    """``restore_at`` with the network of that name among ``networks``."""
    _check.one_of("network", network, tuple(networks))
    found = restore_at(clean, sigma, networks[network])
    return Removal(**vars(found), network=network)


def network_slider(
    clean: np.ndarray, networks: Mapping[str, nn.Module], *, sigma: int = 25, zoom: int = 2
) -> ipywidgets.VBox:
    """A choice of network and a slider for the true σ, over the noisy picture, the restored one and
    what was taken away (0 as middle grey), from left to right.

    clean: (H, W) in [0, 1]; some 96×96 pixels follow the hand on a laptop. networks: by name, in
    eval mode; the first is chosen at first. The children are the switch, the slider, the sentence
    with the numbers and the picture.
    """
    if not networks:
        _check.fail("networks", dict(networks), "at least one network")
    switch = ipywidgets.ToggleButtons(options=list(networks), description="network")
    slider = ipywidgets.IntSlider(
        sigma, 0, 75, description="true σ", layout=ipywidgets.Layout(width="480px")
    )

    def answer() -> tuple[bytes, str]:
        found = removal_at(clean, slider.value, switch.value, networks)
        pictures = (found.noisy, found.restored, found.removed + 0.5)
        return side_by_side(*pictures, zoom=zoom), found.summary

    return panel([switch, slider], answer, width=_wide(clean, zoom, 3))


# -------------------------------------------------------------------------------------- three tasks

TASK_KINDS = ("Gaussian", "down-up", "JPEG")
"""Those of ``NOISE_KINDS`` that DnCNN-3 was made for."""


@dataclass(frozen=True)
class TaskView:
    """A picture degraded by one of ``NOISE_KINDS`` at a level, and what a network makes of it.

    degraded, restored: (H, W); PSNRs in dB, of the whole picture.
    """

    kind: str
    level: int
    degraded: np.ndarray
    restored: np.ndarray
    degraded_psnr: float
    restored_psnr: float

    @property
    def summary(self) -> str:
        """One sentence with the numbers."""
        return (
            f"{self.kind}, {NOISE_KINDS[self.kind].level} {self.level}: "
            f"{_before_and_after(self.degraded_psnr, self.restored_psnr)}"
        )


def task_at(
    clean: np.ndarray, kind: str, level: int, model: nn.Module, *, seed: int = 0
) -> TaskView:
    """Degrade ``clean``, (H, W) in [0, 1], by one of ``NOISE_KINDS`` and restore it with ``model``,
    which is not told what was done. Raises ``ValueError`` for another kind."""
    _check.one_of("kind", kind, tuple(NOISE_KINDS))
    degraded = noise_at(clean, kind, level, seed=seed)
    restored = denoise(degraded.noisy, model)
    quality = psnr(restored, clean, data_range=1.0)
    return TaskView(kind, level, degraded.noisy, restored, degraded.psnr, quality)


def task_explorer(
    clean: np.ndarray, model: nn.Module, *, kind: str = "JPEG", zoom: int = 2
) -> ipywidgets.VBox:
    """A choice of task and a slider for its level, over the degraded picture, the restored one and
    what was taken away, twice (0 as middle grey), from left to right.

    clean: (H, W) in [0, 1]; some 96×96 pixels follow the hand on a laptop. kind: one of
    ``TASK_KINDS``. The children are the dropdown, the slider, the sentence and the picture.
    """
    kinds, slider = _kind_controls(TASK_KINDS, kind, "task")

    def answer() -> tuple[bytes, str]:
        view = task_at(clean, kinds.value, slider.value, model)
        removed = 0.5 + 2 * (view.degraded - view.restored)
        return side_by_side(view.degraded, view.restored, removed, zoom=zoom), view.summary

    return panel([kinds, slider], answer, width=_wide(clean, zoom, 3))


# -------------------------------------------------------------------------------------- the clinic


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
    """The network as it is, without ``denoise``, which sees to eval mode and refuses 0–255."""
    with torch.no_grad():
        return net(torch.from_numpy(noisy)[None, None])[0, 0].numpy()


PATIENTS = {
    "A": Patient("a ReLU after the last layer: only positive noise is taken away", _positive),
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
"""By letter, in no order that tells anything."""


@dataclass(frozen=True)
class Examination:
    """What can be measured of a restoration when the clean picture is known.

    noisy, restored, removed: (H, W), removed = noisy − restored. In dB: noisy_psnr, restored_psnr.
    On the 0–255 scale: noise_std, of noisy − clean, and removed_mean, removed_std. with_image:
    correlation of what was removed with the clean picture, NaN where nothing was removed.
    """

    patient: str
    sigma: float
    noisy: np.ndarray
    restored: np.ndarray
    removed: np.ndarray
    noisy_psnr: float
    restored_psnr: float
    noise_std: float
    removed_mean: float
    removed_std: float
    with_image: float

    @property
    def summary(self) -> str:
        """One sentence with the numbers."""
        return (
            f"patient {self.patient}, σ = {self.sigma:g}: noise std {self.noise_std:.1f}; "
            f"PSNR {self.noisy_psnr:.1f} → {self.restored_psnr:.1f} dB; taken away: "
            f"mean {self.removed_mean:+.1f}, std {self.removed_std:.1f}, "
            f"correlation with the image {self.with_image:+.2f}"
        )


def examine(clean: np.ndarray, sigma: float, patient: str, model: nn.Module) -> Examination:
    """Restore ``clean``, (H, W) in [0, 1], as that one of ``PATIENTS`` does, and measure.

    sigma: on the 0–255 scale; model: in eval mode, and left as it is.
    """
    _check.one_of("patient", patient, tuple(PATIENTS))
    noisy, restored = PATIENTS[patient].treat(clean, sigma, model)
    removed = noisy - restored
    return Examination(
        patient,
        sigma,
        noisy,
        restored,
        removed,
        psnr(noisy, clean, data_range=1.0),
        psnr(restored, clean, data_range=1.0),
        255 * float((noisy - clean).std()),
        255 * float(removed.mean()),
        255 * float(removed.std()),
        _correlation(removed, clean),
    )


def ward(
    clean: np.ndarray, model: nn.Module, *, patient: str = "A", zoom: int = 2
) -> ipywidgets.VBox:
    """A choice of patient and a slider for σ, over the noisy picture, the restored one and what was
    taken away (0 as middle grey), from left to right.

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
        pictures = (found.noisy, found.restored, found.removed + 0.5)
        return side_by_side(*pictures, zoom=zoom), found.summary

    return panel([switch, slider], answer, width=_wide(clean, zoom, 3))
