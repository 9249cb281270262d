"""How close a restored image is to the clean one. One value for each image; the caller averages."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from . import _check

Image = np.ndarray | Tensor


def _pair(restored: Image, clean: Image, data_range: float) -> tuple[np.ndarray, np.ndarray]:
    """Both images as float64 arrays, checked."""
    _check.real("data_range", data_range, above=0.0)
    arrays, kinds = [], []
    for name, image in (("restored", restored), ("clean", clean)):
        if isinstance(image, Tensor):
            image = image.detach().cpu()
            image = (image.double() if image.is_floating_point() else image).numpy()
        if not isinstance(image, np.ndarray):
            raise TypeError(f"{name} is a {type(image).__name__}, but must be an array or a tensor")
        if image.ndim not in (2, 3, 4) or image.size == 0:
            _check.fail(f"{name}'s shape", image.shape, "(H, W), (H, W, 3) or (B, C, H, W)")
        if image.dtype.kind not in "fuib":
            _check.fail(f"{name}'s dtype", str(image.dtype), "real numbers")
        if image.dtype.kind in "ui" and image.max() > data_range:
            rule = f"at least {image.max()}, the largest value of {name}, which is {image.dtype}"
            _check.fail("data_range", data_range, rule)
        kinds.append(image.dtype.newbyteorder("=") if image.dtype.kind in "uib" else "float")
        arrays.append(image.astype(np.float64))
    if kinds[0] != kinds[1]:
        rule = f"of the kind of clean, which is {kinds[1]}"
        _check.fail("restored's dtype", str(kinds[0]), rule)
    if kinds[0] == "float" and data_range >= 100 and max(np.abs(a).max() for a in arrays) <= 1.5:
        _check.warn(
            f"data_range is {data_range:g}, but no value is above 1.5: for images in [0, 1] it is 1"
        )
    if kinds[0] == "float" and data_range <= 2 and min(a.max() for a in arrays) > 16:
        _check.warn(
            f"data_range is {data_range:g}, but both images have values above 16: on the 0–255 "
            "scale it is 255"
        )
    if arrays[0].shape != arrays[1].shape:
        _check.fail("restored's shape", arrays[0].shape, f"that of clean, {arrays[1].shape}")
    for name, array in zip(("restored", "clean"), arrays):
        if not np.isfinite(array).all():
            _check.not_finite(name)
    return arrays[0], arrays[1]


def psnr(restored: Image, clean: Image, *, data_range: float) -> float | Tensor:
    """Peak signal-to-noise ratio, 10·log10(data_range² / mean((x̂ − x)²)), in dB.

    restored, clean: arrays (H, W) or (H, W, 3), which give a ``float``; or tensors (B, C, H, W),
    which give a float64 tensor (B,), one value for each image. data_range: the width of the range
    of possible values, 1.0 for images in [0, 1] and 255 for 8-bit images. There is no default,
    because a wrong one shifts the result by 48 dB: integers above it, and images of two kinds, such
    as uint8 beside float, raise ``ValueError``. Equal images give infinity.
    """
    a, b = _pair(restored, clean, data_range)
    axes = (1, 2, 3) if a.ndim == 4 else None
    error = np.mean((a - b) ** 2, axis=axes)
    with np.errstate(divide="ignore"):
        value = 10 * np.log10(float(data_range) ** 2 / np.asarray(error))
    return torch.from_numpy(value) if a.ndim == 4 else float(value)


def ssim(restored: Image, clean: Image, *, data_range: float) -> float | Tensor:
    """Structural similarity with an 11×11 Gaussian window of σ = 1.5, by scikit-image.

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment", IEEE TIP 2004. Shapes and
    result as in ``psnr``; colour is averaged over the channels. Raises ``ValueError`` for images
    smaller than the window.
    """
    from skimage.metrics import structural_similarity

    a, b = _pair(restored, clean, data_range)
    height, width = a.shape[-2:] if a.ndim == 4 else a.shape[:2]
    if min(height, width) < 11:
        _check.fail("restored's size", (height, width), "at least 11×11, the window of SSIM")

    def one(x: np.ndarray, y: np.ndarray, axis: int | None) -> float:
        return float(
            structural_similarity(
                x,
                y,
                data_range=data_range,
                channel_axis=axis,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
        )

    if a.ndim == 4:
        return torch.tensor([one(x, y, 0) for x, y in zip(a, b)], dtype=torch.float64)
    return one(a, b, 2 if a.ndim == 3 else None)


def luma(image: Image) -> Image:
    """Y of YCbCr by MATLAB's ``rgb2ycbcr`` (BT.601, video range): (H, W, 3) → (H, W), [0, 1] in and
    [16/255, 235/255] out; tensors (B, 3, H, W) → (B, 1, H, W).

    The channel on which super-resolution and JPEG deblocking are measured in the literature.
    """
    weights = (65.481 / 255, 128.553 / 255, 24.966 / 255)
    if isinstance(image, Tensor):
        if image.ndim != 4 or image.shape[1] != 3:
            _check.fail("image's shape", tuple(image.shape), "(B, 3, H, W)")
        _check_floating(image.dtype, image.is_floating_point())
        return 16 / 255 + sum(w * image[:, i : i + 1] for i, w in enumerate(weights))
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3:
        _check.fail("image's shape", getattr(image, "shape", type(image).__name__), "(H, W, 3)")
    _check_floating(image.dtype, np.issubdtype(image.dtype, np.floating))
    return 16 / 255 + image @ np.array(weights, dtype=image.dtype)


def _check_floating(dtype: object, floating: bool) -> None:
    if not floating:
        _check.fail("image's dtype", str(dtype), "floating point, with values in [0, 1]")


def shave(image: Image, border: int) -> Image:
    """The image without ``border`` pixels on each side: (H, W[, C]) arrays, (..., H, W) tensors."""
    border = _check.integer("border", border, at_least=0)
    height, width = image.shape[-2:] if isinstance(image, Tensor) else image.shape[:2]
    if 2 * border >= min(height, width):
        _check.fail("border", border, f"less than half of the image, {height}×{width}")
    rows, columns = slice(border, height - border), slice(border, width - border)
    return image[..., rows, columns] if isinstance(image, Tensor) else image[rows, columns]


def autocorrelation(noise: np.ndarray, lags: int = 16) -> np.ndarray:
    """How alike two pixels of a row are, ``lag`` apart: mean(v[i, j] · v[i, j + lag]) / mean(v²),
    with v the noise without its mean.

    noise: (H, W), in any unit. Returns (lags + 1,), for lag = 0, which is 1, to ``lags``. White
    noise gives 0 ± 1/√(H·W) at all others. NaN where the noise is constant.
    """
    if not isinstance(noise, np.ndarray) or noise.ndim != 2:
        _check.fail("noise's shape", getattr(noise, "shape", type(noise).__name__), "(H, W)")
    width = noise.shape[1]
    if _check.integer("lags", lags, at_least=0) >= width:
        _check.fail("lags", lags, f"less than the width, {width}")
    v = noise.astype(np.float64)
    v -= v.mean()
    variance = np.mean(v**2)
    products = [np.mean(v[:, lag:] * v[:, : width - lag]) for lag in range(lags + 1)]
    return np.array(products) / variance if variance else np.full(lags + 1, np.nan)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's, of the pixels of two arrays of one shape; NaN where one of them is constant."""
    constant = np.ptp(a) == 0 or np.ptp(b) == 0
    return float("nan") if constant else float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
