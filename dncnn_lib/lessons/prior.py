"""Lesson 12b, A denoiser as a prior: blurs and holes, what total variation makes of them, textures
with a known law, a slider over iterations; and the checks of the exercises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ipywidgets
import numpy as np
import torch
from torch import Tensor, nn

from .. import _check
from ..images import as_uint8
from ..metrics import psnr
from ..show.panels import Frame, frame_slider
from .check import from_keys

# -------------------------------------------------------------------------------- blurs and holes


def shake(side: int, length: int = 9) -> np.ndarray:
    """F(k) of a shaken camera: the discrete Fourier transform (side, side) of a kernel that is a
    diagonal line of ``length`` pixels, an odd number, with its middle at pixel (0, 0).

    ``ifft2(F(k) * fft2(x))`` is the blurred picture; what leaves it on one side comes in again on
    the other.
    """
    if length % 2 != 1 or length > side:
        _check.fail("length", length, f"an odd number of at most {side}")
    kernel = np.zeros((side, side))
    line = np.arange(length) - length // 2
    kernel[line, line] = 1 / length
    return np.fft.fft2(kernel)


def filled(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The picture (H, W) with each unknown pixel replaced by the nearest known one."""
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return picture[tuple(nearest)]


def tv_deblurred(
    blurred: np.ndarray, transform: np.ndarray, weight: float, steps: int = 60
) -> np.ndarray:
    """argmin_x ½‖k ∗ x − y‖² + weight · Σ‖∇x‖, pictures (H, W) in [0, 1]; transform: F(k).

    Source: Beck, Teboulle, "Fast gradient-based algorithms for constrained total variation image
    denoising and deblurring problems", IEEE TIP 2009 (FISTA), with a step of 1, which is short
    enough where |F(k)| ≤ 1; each step's denoising by Chambolle's method, stopped early.
    """
    from skimage.restoration import denoise_tv_chambolle

    before = ahead = blurred
    momentum = 1.0
    for _ in range(steps):
        error = transform * np.fft.fft2(ahead) - np.fft.fft2(blurred)
        downhill = ahead - np.fft.ifft2(transform.conj() * error).real
        found = denoise_tv_chambolle(downhill, weight, eps=1e-6, max_num_iter=60)
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = found + (momentum - 1) / following * (found - before)
        before, momentum = found, following
    return before


def tv_filled(picture: np.ndarray, known: np.ndarray, steps: int = 200) -> np.ndarray:
    """The picture (H, W) with its unknown pixels such that the total variation is small: denoising
    and putting the known pixels back in turn, with a weight that falls from 50/255 to 1/255."""
    from skimage.restoration import denoise_tv_chambolle

    found = np.where(known, picture, picture[known].mean())
    for weight in np.geomspace(50, 1, steps) / 255:
        smooth = denoise_tv_chambolle(found, weight, eps=1e-6, max_num_iter=40)
        found = np.where(known, picture, smooth)
    return found


def path_slider(
    paths: Mapping[str, Sequence[np.ndarray]],
    clean: np.ndarray,
    levels: Sequence[float],
    *,
    zoom: int = 2,
) -> ipywidgets.VBox:
    """A slider over the iterations of several methods, and a switch between these; the clean
    picture stands on the right.

    paths: method → a picture (H, W) in [0, 1] for each of ``levels``, σ on the 0–255 scale.
    """
    frames = {}
    for name, path in paths.items():
        frames[name] = []
        for x, level in zip(path, levels):
            found = psnr(x.clip(0, 1), clean, data_range=1.0)
            told = f"{name}, after the step with σ = {level:.0f}: {found:.1f} dB"
            frames[name].append(Frame(told, (x, clean)))
    labels = [str(number + 1) for number in range(len(levels))]
    return frame_slider(frames, labels, "iteration", zoom=zoom)


# --------------------------------------------------------------------------------- pictures by law


def _correlated(spectrum: np.ndarray, white: np.ndarray) -> np.ndarray:
    return np.fft.ifft2(np.fft.fft2(white) * np.sqrt(spectrum)).real


def clouds(side: int, deviation: float = 0.25, seed: int = 0) -> np.ndarray:
    """Normal numbers (side, side) with mean ½ whose waves get weaker with their frequency f, as
    f^−1.5, which is a little faster than in photographs."""
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    f[0, 0] = np.inf
    found = _correlated(f**-3, np.random.default_rng(seed).standard_normal((side, side)))
    return 0.5 + deviation * found / found.std()


def gaussian_textures(
    count: int, side: int = 128, seed: int = 0
) -> tuple[list[np.ndarray], np.ndarray]:
    """Pictures with a known law: (``count`` uint8 arrays (side, side), their spectrum).

    Normal numbers, correlated over some three pixels, with mean ½ and standard deviation 0.13; one
    value in some ten thousand is cut off at black or white. The spectrum (side, side) is the mean
    of |F(x − ½)|² over the number of pixels, F the discrete Fourier transform.
    """
    f = np.fft.fftfreq(side)
    spectrum = (1 + (6 * np.pi) ** 2 * (f[:, None] ** 2 + f**2)) ** -1.5
    spectrum *= 0.13**2 / spectrum.mean()
    white = np.random.default_rng(seed).standard_normal((count, side, side))
    return [as_uint8((0.5 + _correlated(spectrum, w)).clip(0, 1)) for w in white], spectrum


def kurtosis_of_slopes(picture: np.ndarray) -> float:
    """E[(d − mean)⁴] / variance² of the differences d between neighbours in the rows of a picture
    (H, W): 3 for normal numbers, more where most are small and a few are large."""
    slopes = np.diff(picture)
    return float(np.mean((slopes - slopes.mean()) ** 4) / slopes.var() ** 2)


def asymmetry(net: nn.Module, noisy: np.ndarray, *, probes: int = 8, seed: int = 0) -> float:
    """‖J − Jᵀ‖ / ‖J + Jᵀ‖ (Frobenius norms) of a network's Jacobian J at the picture ``noisy``,
    (H, W) in [0, 1]: 0 where J is symmetric, about 1 for a matrix of independent numbers.

    net: maps (1, 1, H, W) to the same; in eval mode. The norms are estimated from the products with
    ``probes`` random pictures.
    """
    y = torch.from_numpy(noisy).float()[None, None]
    generator = torch.Generator().manual_seed(seed)
    odd, even = 0.0, 0.0
    for _ in range(probes):
        v = torch.randn(y.shape, generator=generator)
        _, along = torch.autograd.functional.jvp(net, y, v)
        _, against = torch.autograd.functional.vjp(net, y, v)
        odd += _energy(along - against)
        even += _energy(along + against)
    return (odd / even) ** 0.5


def _energy(values: Tensor) -> float:
    return float(values.double().square().sum())


__getattr__, __dir__ = from_keys(__name__, "fill_step", "score", "longest_step")
