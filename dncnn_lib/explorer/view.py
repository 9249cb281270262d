"""From settings to pictures, numbers and code. Nothing in here knows of a browser."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from .. import _check, samples, zoo
from ..degrade import add_gaussian_noise
from ..engine import denoise
from ..images import as_batch, decode_picture, to_grey
from ..metrics import autocorrelation, psnr, ssim
from ..widgets import NOISE_KINDS

LONGEST_SIDE = 1024
"""Pixels; larger uploads are reduced to it."""

VIEWS = ("clean", "noisy", "restored", "taken away", "error ×4")
"""What can be shown of a region. The last two have 0 as middle grey."""


# ----------------------------------------------------------------------------------------- settings


@dataclass(frozen=True)
class Region:
    """A rectangle of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @classmethod
    def around(cls, centre: Sequence[float], side: int, shape: Sequence[int]) -> Region:
        """The square of that side around (row, column), moved and cut to fit a picture's shape."""
        height, width = (min(_check.integer("side", side, at_least=1), s) for s in shape[:2])
        top = min(max(round(centre[0] - height / 2), 0), shape[0] - height)
        left = min(max(round(centre[1] - width / 2), 0), shape[1] - width)
        return cls(top, left, height, width)

    def grown(self, margin: int, shape: Sequence[int]) -> Region:
        """With a margin on all sides, as far as a picture of that shape reaches."""
        top, left = max(self.top - margin, 0), max(self.left - margin, 0)
        bottom = min(self.top + self.height + margin, shape[0])
        right = min(self.left + self.width + margin, shape[1])
        return Region(top, left, bottom - top, right - left)

    def of(self, picture: np.ndarray) -> np.ndarray:
        """These pixels of a picture (H, W[, 3])."""
        rows = slice(self.top, self.top + self.height)
        return picture[rows, self.left : self.left + self.width]


@dataclass(frozen=True)
class Setting:
    """What is asked for.

    noise: a kind of ``NOISE_KINDS``, at that level, drawn by that seed; method: of
    ``method_names()``; region: what is seen, None for the whole picture.
    """

    noise: str = "Gaussian"
    level: int = 25
    seed: int = 0
    method: str = "dncnn-b"
    region: Region | None = None

    def __post_init__(self) -> None:
        _check.one_of("noise", self.noise, tuple(NOISE_KINDS))
        kind = NOISE_KINDS[self.noise]
        _check.integer("level", self.level, at_least=kind.low)
        if self.level > kind.high:
            _check.fail("level", self.level, f"at most {kind.high} for {self.noise}")
        _check.seed("seed", self.seed)
        _check.one_of("method", self.method, method_names())


# ------------------------------------------------------------------------------------------ methods


def _median(noisy: np.ndarray, _sigma: float) -> np.ndarray:
    from scipy.ndimage import median_filter

    return median_filter(noisy, 3)


def _total_variation(noisy: np.ndarray, sigma: float) -> np.ndarray:
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(noisy, weight=0.8 * sigma) if sigma else noisy


@dataclass(frozen=True)
class Filter:
    """A method that is not a network: ``(noisy (H, W), std of the noise in [0, 1]) → restored``.

    margin: pixels around a region that it is given too.
    """

    about: str
    margin: int
    apply: Callable[[np.ndarray, float], np.ndarray]


FILTERS = {
    "median 3×3": Filter("the median of 3×3 pixels", 1, _median),
    "total variation": Filter(
        "total variation (Rudin, Osher, Fatemi 1992), told the noise's strength",
        16,
        _total_variation,
    ),
}


def method_names() -> list[str]:
    """The pretrained networks, and the filters to compare them with."""
    return [*zoo.model_names(), *FILTERS]


def about(method: str) -> str:
    """The method in a few words."""
    return FILTERS[method].about if method in FILTERS else zoo.card(method)["about"]


@functools.cache
def network(name: str) -> nn.Module:
    """A pretrained network, read once, ready to restore: folded, channels last, in eval mode."""
    return zoo.load_pretrained(name).fold_batch_norm().to(memory_format=torch.channels_last)


def in_colour(method: str) -> bool:
    """Whether the method takes colour images; the others get them in grey."""
    return method not in FILTERS and network(method).channels == 3


# ------------------------------------------------------------------------------------- the picture


@functools.lru_cache(4)
def sample(name: str) -> np.ndarray:
    """A sample picture, (H, W) or (H, W, 3) in [0, 1]."""
    return samples.sample_image(name)


@functools.cache
def sample_names() -> tuple[str, ...]:
    """The pictures that no network of the project was trained on."""
    return tuple(samples.held_out_images())


def uploaded(data: bytes, name: str = "the file") -> np.ndarray:
    """The picture in an image file, (H, W) or (H, W, 3) in [0, 1], as ``reduced`` makes it.

    Raises ``ValueError``, in words for people, for what is not an image.
    """
    return reduced(decode_picture(data, name).pixels)


def reduced(picture: np.ndarray) -> np.ndarray:
    """A picture of sides of at most ``LONGEST_SIDE``: larger ones are reduced by averaging."""
    from PIL import Image

    height, width = picture.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    planes = np.atleast_3d(picture).transpose(2, 0, 1)
    small = [np.asarray(Image.fromarray(p).resize(size, Image.Resampling.BOX)) for p in planes]
    return np.clip(np.stack(small, axis=-1), 0, 1).reshape(size[1], size[0], *picture.shape[2:])


def for_method(picture: np.ndarray, method: str) -> np.ndarray:
    """The picture as the method takes it: (H, W), or (H, W, 3) for a colour network."""
    if not in_colour(method):
        return to_grey(picture)
    return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)


def degraded(clean: np.ndarray, noise: str, level: int, seed: int) -> np.ndarray:
    """The whole picture with that noise: the same draw for the same seed."""
    if noise == "Gaussian":  # as the lessons draw it
        return add_gaussian_noise(clean, level, seed=seed)
    batch, restore = as_batch(clean, name="clean")
    generator = torch.Generator().manual_seed(seed)
    return restore(NOISE_KINDS[noise].degradation(level)(batch, generator))


@dataclass(frozen=True, eq=False)
class Exploration:
    """A region before and after: clean, noisy and restored, (H, W) or (H, W, 3) float32.

    method: that restored it, which for a quick look is not the one of the setting.
    """

    setting: Setting
    method: str
    clean: np.ndarray
    noisy: np.ndarray
    restored: np.ndarray

    @property
    def removed(self) -> np.ndarray:
        """What the method took away: noisy − restored."""
        return self.noisy - self.restored

    def picture(self, view: str) -> np.ndarray:
        """One of ``VIEWS`` as uint8 of the region's shape."""
        _check.one_of("view", view, VIEWS)
        if view == "taken away":
            values = self.removed + 0.5
        elif view == "error ×4":
            values = 4 * (self.restored - self.clean) + 0.5
        else:
            values = getattr(self, view)
        return np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)

    def quick_numbers(self) -> tuple[float, float]:
        """PSNR in dB of the noisy region and of the restored one."""
        return tuple(psnr(x, self.clean, data_range=1.0) for x in (self.noisy, self.restored))

    def numbers(self) -> Numbers:
        """All that is measured of the region."""
        grey = [one_channel(x) for x in (self.removed, self.noisy - self.clean)]
        lags = min(16, grey[0].shape[1] - 1)
        similar = [
            ssim(x, self.clean, data_range=1.0) if min(self.clean.shape[:2]) >= 11 else np.nan
            for x in (self.noisy, self.restored)
        ]
        return Numbers(
            *self.quick_numbers(),
            *similar,
            255 * float(grey[1].std()),
            255 * float(grey[0].std()),
            autocorrelation(grey[0], lags),
        )


def one_channel(values: np.ndarray) -> np.ndarray:
    """Of colour, the first: the mean of three would have weaker noise."""
    return values if values.ndim == 2 else values[..., 0]


@dataclass(frozen=True, eq=False)
class Numbers:
    """noisy_psnr, restored_psnr in dB; noisy_ssim, restored_ssim, NaN for less than 11 pixels;
    noise_std, removed_std on the 0–255 scale; correlation of what was taken away with itself, for
    pixels 0 to 16 apart in a row."""

    noisy_psnr: float
    restored_psnr: float
    noisy_ssim: float
    restored_ssim: float
    noise_std: float
    removed_std: float
    correlation: np.ndarray


def explore(
    picture: np.ndarray,
    setting: Setting,
    *,
    method: str | None = None,
    net: nn.Module | None = None,
) -> Exploration:
    """Degrade a picture as the setting says and restore the region seen.

    picture: (H, W) or (H, W, 3) in [0, 1]. method: restore with that one instead of the
    setting's, on the picture as the setting's method takes it. net: instead of ``network(method)``.
    The restored region is what the method gives there for the whole picture; for total variation
    nearly.
    """
    clean = for_method(picture, setting.method)
    noisy = degraded(clean, setting.noise, setting.level, setting.seed)
    region = setting.region or Region(0, 0, *clean.shape[:2])
    method = method or setting.method
    _check.one_of("method", method, method_names())
    found = FILTERS.get(method)
    net = None if found else net or network(method)
    outer = region.grown(found.margin if found else net.receptive_field // 2, clean.shape)
    given = outer.of(noisy)
    if found:
        sigma = float((noisy - clean).std())  # of the whole: what is seen must not change it
        restored = found.apply(given, sigma)
    else:
        restored = denoise(given, net, precision="auto")
    inner = replace(region, top=region.top - outer.top, left=region.left - outer.left)
    seen = (region.of(clean), region.of(noisy), inner.of(restored))
    return Exploration(setting, method, *(np.ascontiguousarray(x, np.float32) for x in seen))


def code_for(setting: Setting, picture: str | None) -> str:
    """Python that makes what is seen, from the library's public functions.

    picture: the name of a sample picture, or None for an upload, which the code reads from
    ``your-picture.png``.
    """
    kind, seen = NOISE_KINDS[setting.noise], setting.region
    read = f'dn.sample_image("{picture}", grey={not in_colour(setting.method)})'
    if picture is None:
        read = 'view.reduced(dn.read_image("your-picture.png"))'
        read = f'view.for_method({read}, "{setting.method}")'
    if setting.noise == "Gaussian":
        noise = [f"noisy = dn.add_gaussian_noise(clean, {setting.level}, seed={setting.seed})"]
    else:
        noise = [
            "batch, as_image = as_batch(clean)",
            f"draw = torch.Generator().manual_seed({setting.seed})",
            f"noisy = as_image(dn.{kind.code.format(setting.level)}(batch, draw))",
        ]
    if setting.method in FILTERS:
        restore = f'view.FILTERS["{setting.method}"].apply(noisy, (noisy - clean).std())'
    else:
        restore = f'dn.denoise(noisy, dn.load_pretrained("{setting.method}"), precision="auto")'
    region = "..."
    if seen:
        bottom, right = seen.top + seen.height, seen.left + seen.width
        region = f"np.s_[{seen.top}:{bottom}, {seen.left}:{right}]"
    lines = [
        f"clean = {read}",
        *noise,
        f"restored = {restore}",
        f"seen = {region}",
        'print(f"{dn.psnr(restored[seen], clean[seen], data_range=1.0):.1f} dB")',
    ]
    body = "\n".join(lines)
    imports = {
        "import numpy as np": "np.",
        "import torch": "torch.",
        "": "",
        "import dncnn_lib as dn": "",
        "from dncnn_lib.explorer import view": "view.",
        "from dncnn_lib.images import as_batch": "as_batch(",
    }
    needed = [line for line, use in imports.items() if use in body]
    return "\n".join([*needed, "", body, ""]).lstrip()
