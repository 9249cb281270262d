"""From settings to pictures, numbers and code. Nothing in here knows of a browser."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import _check, priors, samples, zoo
from ..degrade import KINDS, Degradation, apply
from ..evaluation import Comparison
from ..images import as_uint8, to_grey
from ..metrics import autocorrelation
from ..model import DnCNN
from ..restoring import denoise, takes_sigma

LONGEST_SIDE = 1024
"""Pixels; larger uploads are reduced to it."""

SSIM_WINDOW = 11
"""Pixels; a region with a shorter side has no SSIM."""

MAX_LAG = 16
"""Pixels; how far the autocorrelation reaches."""

MARGIN = 16
"""Pixels around a region that a method gets, too, if its result depends on the whole picture."""

MEDIAN = "median 3×3"
"""What salt and pepper calls for. It is told no noise level, so it is none of the priors."""

VIEWS: dict[str, Callable[[Comparison], np.ndarray]] = {
    "clean": lambda found: found.clean,
    "noisy": lambda found: found.degraded,
    "restored": lambda found: found.restored,
    "removed": lambda found: found.removed + 0.5,
    "error ×4": lambda found: 4 * found.error + 0.5,
}
"""What can be shown of a region, in [0, 1]. The last two have 0 as middle grey."""


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

    def with_margin(self, margin: int, shape: Sequence[int]) -> Region:
        """The region and a margin on all sides, as far as a picture of that shape reaches."""
        top, left = max(self.top - margin, 0), max(self.left - margin, 0)
        bottom = min(self.top + self.height + margin, shape[0])
        right = min(self.left + self.width + margin, shape[1])
        return Region(top, left, bottom - top, right - left)

    def crop(self, picture: np.ndarray) -> np.ndarray:
        """These pixels of a picture (H, W) or (H, W, 3)."""
        rows = slice(self.top, self.top + self.height)
        return picture[rows, self.left : self.left + self.width]


@dataclass(frozen=True)
class Setting:
    """What is asked for.

    noise: one of ``degrade.KINDS``; level: an integer within its range; seed: of its draw; method:
    one of ``method_names()``; region: what is seen, None for the whole picture. Raises
    ``TypeError`` or ``ValueError`` for others.
    """

    noise: str = "Gaussian"
    level: int = 25
    seed: int = 0
    method: str = "dncnn-b"
    region: Region | None = None

    def __post_init__(self) -> None:
        _check.one_of("noise", self.noise, tuple(KINDS))
        kind = KINDS[self.noise]
        _check.integer("level", self.level, at_least=kind.low)
        if self.level > kind.high:
            _check.fail("level", self.level, f"at most {kind.high} for {self.noise}")
        _check.seed("seed", self.seed)
        _check.one_of("method", self.method, method_names())

    @property
    def degradation(self) -> Degradation:
        """The noise at its level."""
        return KINDS[self.noise].degradation(self.level)


# ------------------------------------------------------------------------------------------ methods


class Median(nn.Module):
    """The median of the 3×3 pixels around each. noisy: (B, 1, H, W); same shape out.

    Beyond its borders the image continues as its mirror image.
    """

    about = "the median of 3×3 pixels"
    channels = 1
    receptive_field = 3

    def forward(self, noisy: Tensor) -> Tensor:
        from scipy.ndimage import median_filter

        return torch.from_numpy(median_filter(noisy.numpy(), (1, 1, 3, 3)))


def method_names() -> list[str]:
    """The pretrained networks, the priors, and the median."""
    return [*priors.model_names(), MEDIAN]


def describe(method: str) -> str:
    """The method in a few words."""
    return Median.about if method == MEDIAN else priors.about(method)


@functools.cache
def model(method: str) -> nn.Module:
    """A method's model, read once, ready for ``denoise``: a ``DnCNN`` folded, channels last."""
    if method == MEDIAN:
        return Median()
    found = priors.load_model(method)
    if isinstance(found, DnCNN):
        found = found.fold_batch_norm().to(memory_format=torch.channels_last)
    return found


def in_colour(method: str) -> bool:
    """Whether the method takes colour pictures; the others get them in grey."""
    return model(method).channels == 3


_TRAINED = {
    "Gaussian": r"GaussianNoise\(sigma=([^)]*)",
    "JPEG": r"JPEGCompression\(quality=([^)]*)",
    "down-up": r"DownUp\(scale=([^)]*)",
}
"""Where a network's card says which levels of a kind it was trained on."""


def trained(method: str) -> dict[str, tuple[int, int]] | None:
    """The kinds of noise that a network was trained on, each with its lowest and highest level;
    None for a prior and the median, which are made for no range."""
    if method == MEDIAN or method in priors.PRIORS:
        return None
    told = zoo.card(method)["degradation"]
    found = {kind: re.search(pattern, told) for kind, pattern in _TRAINED.items()}
    levels = {kind: re.findall(r"\d+", match[1]) for kind, match in found.items() if match}
    return {kind: (int(of[0]), int(of[-1])) for kind, of in levels.items()}


def channels(method: str) -> int:
    """1 or 3, as ``in_colour``, without reading the weights."""
    is_network = method != MEDIAN and method not in priors.PRIORS
    return zoo.card(method)["network"]["channels"] if is_network else 1


# ----------------------------------------------------------------------------------------- pictures


@functools.lru_cache(4)
def sample(name: str) -> np.ndarray:
    """A sample picture, (H, W) or (H, W, 3) in [0, 1]."""
    return samples.sample_image(name)


@functools.cache
def sample_names() -> tuple[str, ...]:
    """The pictures that no network of the project was trained on."""
    return tuple(samples.held_out_images())


def reduced(picture: np.ndarray) -> np.ndarray:
    """A picture, (H, W) or (H, W, 3) float32 in [0, 1], with sides of at most ``LONGEST_SIDE``:
    a larger one is reduced by averaging, others pass unchanged."""
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


def first_channel(values: np.ndarray) -> np.ndarray:
    """(H, W) of (H, W) or (H, W, 3): red, because the mean of three has weaker noise."""
    return values if values.ndim == 2 else values[..., 0]


# -------------------------------------------------------------------------------------- exploration


@dataclass(frozen=True, eq=False)
class Numbers:
    """What is measured of a region.

    psnr, degraded_psnr: dB; ssim, degraded_ssim: NaN where a side has less than ``SSIM_WINDOW``
    pixels; noise_std: standard deviation of the noise, on the 0–255 scale; autocorrelation: of what
    was removed, for pixels 0 to ``MAX_LAG`` apart in a row. The last two are of the first channel.
    """

    psnr: float
    degraded_psnr: float
    ssim: float
    degraded_ssim: float
    noise_std: float
    autocorrelation: np.ndarray


@dataclass(frozen=True, eq=False)
class Exploration:
    """A region before and after, and how it came about.

    method: what restored it, which for a quick look is not the method of the setting; comparison:
    arrays (H, W) or (H, W, 3), float32.
    """

    setting: Setting
    method: str
    comparison: Comparison

    def picture(self, view: str) -> np.ndarray:
        """One of ``VIEWS`` as uint8, of the region's shape."""
        return as_uint8(VIEWS[_check.one_of("view", view, tuple(VIEWS))](self.comparison))

    def numbers(self) -> Numbers:
        """All that is measured of the region; takes longer than ``comparison.psnr`` alone."""
        found = self.comparison
        height, width = found.clean.shape[:2]
        has_ssim = min(height, width) >= SSIM_WINDOW
        return Numbers(
            psnr=found.psnr,
            degraded_psnr=found.degraded_psnr,
            ssim=found.ssim if has_ssim else np.nan,
            degraded_ssim=found.degraded_ssim if has_ssim else np.nan,
            noise_std=255 * float(first_channel(found.noise).std()),
            autocorrelation=autocorrelation(first_channel(found.removed), min(MAX_LAG, width - 1)),
        )


def explore(picture: np.ndarray, setting: Setting, *, method: str | None = None) -> Exploration:
    """Degrade a picture as the setting says and restore the region seen.

    picture: (H, W) or (H, W, 3) in [0, 1]. method: restore with that one instead of the
    setting's, on the picture as the setting's method takes it.

    A method that takes σ is told the standard deviation of the noise in the whole picture. The
    restored region is what the method gives there for the whole picture; a prior without a
    receptive field sees ``MARGIN`` pixels around the region, and gives nearly that.
    """
    clean = for_method(picture, setting.method)
    noisy = apply(setting.degradation, clean, setting.seed)
    region = setting.region or Region(0, 0, *clean.shape[:2])
    net = model(_check.one_of("method", method or setting.method, method_names()))
    margin = net.receptive_field // 2 if net.receptive_field else MARGIN
    outer = region.with_margin(margin, clean.shape)
    how: dict[str, Any] = {"precision": "auto"}
    if takes_sigma(net):  # of the whole: what is seen must not change it
        how = {"sigma": 255 * float((noisy - clean).std(dtype=np.float64))}
    restored = denoise(outer.crop(noisy), net, **how)
    inner = replace(region, top=region.top - outer.top, left=region.left - outer.left)
    seen = (region.crop(clean), region.crop(noisy), inner.crop(restored))
    comparison = Comparison(*(np.ascontiguousarray(values, np.float32) for values in seen))
    return Exploration(setting, method or setting.method, comparison)


def catalogue() -> dict[str, Any]:
    """What there is to choose from, for the page, in values that JSON can hold.

    pictures: name, height, width, channels and credit of each; kinds: of noise, with their levels;
    methods: name, about, channels, trained, and size, the bytes that are yet to be fetched; views;
    longest: side of an upload.
    """
    credits = {row["name"]: row for row in samples.attribution()}
    pictures = [
        {
            "name": name,
            "height": picture.shape[0],
            "width": picture.shape[1],
            "channels": np.atleast_3d(picture).shape[2],
            "credit": "“{title}”, author: {author}, licence: {licence}".format(**credits[name]),
        }
        for name, picture in samples.held_out_images(grey=None).items()
    ]
    kinds = {
        name: {"level": kind.level, "low": kind.low, "high": kind.high, "start": kind.start}
        for name, kind in KINDS.items()
    }
    methods = [
        {
            "name": name,
            "about": describe(name),
            "channels": channels(name),
            "trained": trained(name),
            "size": 0,
        }
        for name in method_names()
    ]
    return {
        "pictures": pictures,
        "kinds": kinds,
        "methods": methods,
        "views": list(VIEWS),
        "longest": LONGEST_SIDE,
    }


def code_for(setting: Setting, picture: str | None) -> str:
    """Python that makes what is seen from the library's public functions, and prints its PSNRs.

    picture: the name of a sample picture, or None for an upload, which the code reads from
    ``your-picture.png``.
    """
    read = f'dn.sample_image("{picture}", grey={not in_colour(setting.method)})'
    if picture is None:
        read = 'view.reduced(dn.read_image("your-picture.png"))'
        read = f'view.for_method({read}, "{setting.method}")'
    if setting.method == MEDIAN:
        restore = "dn.denoise(noisy, view.Median())"
    elif takes_sigma(model(setting.method)):
        prior = f'priors.load_model("{setting.method}")'
        restore = f"dn.denoise(noisy, {prior}, sigma=255 * (noisy - clean).std())"
    else:
        restore = f'dn.denoise(noisy, dn.load_pretrained("{setting.method}"), precision="auto")'
    region, seen = setting.region, "..."
    if region:
        bottom, right = region.top + region.height, region.left + region.width
        seen = f"np.s_[{region.top}:{bottom}, {region.left}:{right}]"
    lines = [
        f"clean = {read}",
        f"noisy = dn.apply(dn.{setting.degradation!r}, clean, seed={setting.seed})",
        f"restored = {restore}",
        "",
        f"seen = {seen}",
        "found = dn.Comparison(clean[seen], noisy[seen], restored[seen])",
        'print(f"noisy {found.degraded_psnr:.1f} dB, restored {found.psnr:.1f} dB")',
    ]
    body = "\n".join(lines)
    imports = {
        "import numpy as np": "np.",
        "": "",
        "import dncnn_lib as dn": "",
        "from dncnn_lib import priors": "priors.",
        "from dncnn_lib.explorer import view": "view.",
    }
    needed = [line for line, use in imports.items() if use in body]
    return "\n".join([*needed, "", body, ""]).lstrip()
