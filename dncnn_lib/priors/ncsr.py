"""NCSR: sparse codes of patches, pulled towards those of their like.

Source: Dong, Zhang, Shi, Li, "Nonlocally Centralized Sparse Representation for Image Restoration",
IEEE TIP 2013. Written from its formulas and the published parameters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ._blocks import blocks_at, dct, mirrored, nearest
from ._prior import Prior


@dataclass(frozen=True)
class Setting:
    """size: of a patch, in pixels; similar: neighbours of a patch, itself among them; threshold: c,
    γ: the factor of the noise that is left; rounds: dictionaries that are made; smallest: patches
    that a class should have; blur: standard deviation of the Gaussian that features lack, in
    pixels; floor: of the width h of the neighbours' weights."""

    size: int
    similar: int
    threshold: float
    gamma: float
    rounds: int
    smallest: int
    blur: float
    floor: float


SETTINGS = {
    10: Setting(6, 13, 0.56, 0.22, 3, 240, 1.7, 75),
    15: Setting(6, 13, 0.59, 0.22, 3, 240, 1.8, 75),
    30: Setting(7, 16, 0.64, 0.23, 3, 250, 2.0, 80),
    50: Setting(9, 18, 0.64, 0.26, 4, 300, 2.4, 90),
    math.inf: Setting(8, 20, 0.64, 0.26, 4, 300, 2.4, 95),
}
"""By the largest σ that each is for, on the 0–255 scale."""

REACH = 30
"""Neighbours are looked for up to so many pixels away."""

CLUSTERS, FEWEST, STEPS = 70, 40, 14
"""Of k-means: clusters at first, those that stay even if they are small, and iterations."""

INNER, FEEDBACK = 3, 0.02
"""Steps with one dictionary, and how much of y − x comes back before each."""

STRIDE = 2
"""Pixels from one patch that is restored to the next; its neighbours may lie anywhere."""

SMALLER = (0.8**2, 0.8**4, 0.8**6)
"""Sizes of the copies of the image whose patches join the classes."""

PATCHES = 2048
"""About how many patches are worked on at a time."""


class NCSR(Prior):
    """Nonlocally centralised sparse representation.

    A patch x_i has the code α_i = P x_i in the orthogonal basis P of its class, and β_i = P m_i,
    m_i the weighted mean of its neighbours: the patches around it that differ least, with weights
    ∝ exp(−d / h), h = max(12 s, floor). In steps, from x = y with noise s = σ:

        x ← x + 0.02 (y − x);  s ← γ √|σ² − mean (x − y)²|;
        x_i ← Pᵀ (β_i + soft(α_i − β_i, τ)),  τ = c √2 s² / √v,  v = max(0, var − s²),

    var the neighbours' mean of (P(x_j − m_i))², soft(a, t) = sign(a) max(|a| − t, 0); γ is 1 in the
    first step. The patches, one in 2×2 pixels, overlap and are averaged. Every three steps
    neighbours and classes are found again: k-means on patches of x − blurred x, and of smaller
    copies of x, the bases by PCA; patches with little contrast are a class of their own.

    Deviations: the authors restore the patch at every pixel, which takes three to four times as
    long and gains up to 0.07 dB; the image continues as its mirror image; small images have fewer
    classes.
    """

    about = "nonlocally centralised sparse codes (Dong, Zhang, Shi, Li 2013); slow"

    def restore(self, plane: Tensor, sigma: float) -> Tensor:
        setting = next(some for most, some in SETTINGS.items() if 255 * sigma <= most)
        steps = (math.ceil(max(side - setting.size, 0) / STRIDE) for side in plane.shape)
        inside = tuple(setting.size + STRIDE * count for count in steps)
        noisy = 255 * mirrored(plane, inside, 0)
        restored = noisy
        left = level = 255 * sigma
        for step in range(INNER * setting.rounds):
            if step % INNER == 0:
                classes, bases = dictionary(restored, left, setting)
                places, weights = neighbours(restored, left, setting)
            restored = restored + FEEDBACK * (noisy - restored)
            left = math.sqrt(abs(level**2 - float(((restored - noisy) ** 2).mean())))
            left *= setting.gamma if step else 1
            restored = _step(restored, left, setting, classes, bases, places, weights)
        return restored[: plane.shape[0], : plane.shape[1]] / 255


def neighbours(plane: Tensor, noise: float, setting: Setting) -> tuple[Tensor, Tensor]:
    """Of every patch of the grid (n of them) the places (n, similar) of its neighbours in the
    mirrored plane, and their weights (n, similar), which sum to 1."""
    size = setting.size
    rows, columns = ((side - size) // STRIDE + 1 for side in plane.shape)
    plane = mirrored(plane, tuple(plane.shape), REACH)
    step, found, differences = max(PATCHES // columns, 1), [], []
    for row in range(0, rows, step):
        top, bottom = STRIDE * row, STRIDE * (min(row + step, rows) - 1)
        band = plane[top : bottom + size + 2 * REACH]
        places, values = nearest(band, size, STRIDE, REACH, setting.similar)
        found.append(places + top * (plane.shape[1] - size + 1))
        differences.append(values)
    difference = torch.cat(differences)
    difference[:, 0] = difference[:, 1]  # of a patch to itself
    return torch.cat(found), (-difference / max(12 * noise, setting.floor)).softmax(1)


def dictionary(plane: Tensor, noise: float, setting: Setting) -> tuple[Tensor, Tensor]:
    """The class of every patch of the grid (n,), and the basis of every class (classes, size²,
    size²), whose rows are the patches that span it. Class 0 has the patches with little contrast.
    All patches of the plane and of its ``SMALLER`` copies are classified."""
    size = setting.size
    planes = [plane, *_copies(plane, size)]
    patches = torch.cat([_patches(p, size) for p in planes])
    features = torch.cat([_patches(p - _blurred(p, setting), size) for p in planes])
    busy = (features * features).mean(1) >= noise**2 + 16
    classes = torch.zeros(len(patches), dtype=torch.long, device=plane.device)
    if busy.any():
        classes[busy] = 1 + _clusters(features[busy], setting.smallest)
    flat = torch.kron(dct(size), dct(size)).to(plane)
    bases = [_principal(patches[~busy]) if (~busy).sum() >= setting.smallest else flat]
    bases += [_principal(patches[classes == c]) for c in range(1, int(classes.max()) + 1)]
    rows, columns = (side - size + 1 for side in plane.shape)
    of_plane = classes[: rows * columns].view(rows, columns)
    return of_plane[::STRIDE, ::STRIDE].flatten(), torch.stack(bases)


def _copies(plane: Tensor, size: int) -> Iterator[Tensor]:
    """Those of the ``SMALLER`` copies that hold a patch, bilinear with antialiasing."""
    for scale in SMALLER:
        side = [round(scale * n) for n in plane.shape]
        if min(side) >= size:
            options = {"mode": "bilinear", "antialias": True}
            yield F.interpolate(plane[None, None], side, **options)[0, 0]


def _clusters(features: Tensor, smallest: int) -> Tensor:
    """k-means: the cluster of every feature, numbered from 0 without gaps."""
    count = min(max(len(features) // smallest, 1), CLUSTERS)
    draw = torch.randperm(len(features), generator=torch.Generator().manual_seed(0))[:count]
    centres = features[draw.to(features.device)]
    for step in range(STEPS):
        sizes, sums = _gathered(features, _nearest_centre(features, centres), len(centres))
        kept = sizes > 0
        if step == STEPS - 3 and len(centres) > FEWEST:
            order = sizes.argsort(descending=True)
            kept[order[FEWEST:]] &= sizes[order[FEWEST:]] >= smallest
        centres = sums[kept] / sizes[kept, None]
    return _nearest_centre(features, centres).unique(return_inverse=True)[1]


def _nearest_centre(features: Tensor, centres: Tensor) -> Tensor:
    norms = (centres * centres).sum(1)
    parts = features.split(16 * PATCHES)
    return torch.cat([(norms - 2 * part @ centres.T).argmin(1) for part in parts])


def _gathered(features: Tensor, owners: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Of each cluster the number of its features, and their sum."""
    sums = torch.zeros(count, features.shape[1], device=features.device)
    return torch.bincount(owners, minlength=count), sums.index_add_(0, owners, features)


def _principal(patches: Tensor) -> Tensor:
    """An orthogonal basis: the principal components as rows, the strongest first."""
    centred = (patches - patches.mean(0)).double()
    return torch.linalg.eigh(centred.T @ centred)[1].T.flip(0).to(patches)


def _step(
    plane: Tensor,
    noise: float,
    setting: Setting,
    classes: Tensor,
    bases: Tensor,
    places: Tensor,
    weights: Tensor,
) -> Tensor:
    """Every patch pulled towards its neighbours, class by class, and the average of all."""
    size = setting.size
    wide = mirrored(plane, tuple(plane.shape), REACH)
    patches = _patches(plane, size, STRIDE)
    moved = torch.empty_like(patches)
    for number, basis in enumerate(bases):
        for some in (classes == number).nonzero()[:, 0].split(PATCHES):
            group = blocks_at(wide, places[some], size)
            mean = weights[some].unsqueeze(1) @ group
            variance = (((group - mean) @ basis.T) ** 2).mean(1)
            spread = (variance - noise**2).clamp(min=0).sqrt()
            threshold = setting.threshold * math.sqrt(2) * noise**2 / spread
            centre = mean[:, 0] @ basis.T
            code = patches[some] @ basis.T
            moved[some] = (centre + _soft(code - centre, threshold)) @ basis
    both = torch.stack([moved, torch.ones_like(moved)]).transpose(1, 2)
    total, count = F.fold(both, tuple(plane.shape), size, stride=STRIDE)[:, 0]
    return total / count


def _soft(values: Tensor, threshold: Tensor) -> Tensor:
    return values.sign() * (values.abs() - threshold).clamp(min=0)


def _patches(plane: Tensor, size: int, stride: int = 1) -> Tensor:
    """The patches of a grid, (n, size²), row by row."""
    return plane.unfold(0, size, stride).unfold(1, size, stride).flatten(0, 1).flatten(1)


def _blurred(plane: Tensor, setting: Setting) -> Tensor:
    """By a Gaussian, cut off half a patch and a pixel away."""
    half = setting.size // 2 + 1
    places = torch.arange(-half, half + 1, device=plane.device)
    kernel = torch.exp(-(places**2) / (2 * setting.blur**2))
    kernel = kernel / kernel.sum()
    wide = mirrored(plane, tuple(plane.shape), half)[None, None]
    return F.conv2d(F.conv2d(wide, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))[0, 0]
