"""Four denoisers older than BM3D: thin calls of SciPy and scikit-image.

The strength of each grows with σ. Its setting was searched for at σ = 15, 25 and 50 on Set12 and
BSD68; between them it is interpolated, as a multiple of σ, and beyond them the multiple stays.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

from ._prior import Prior, grey_levels

_MEASURED = (15, 25, 50)


def _multiple(sigma: float, *measured: float) -> float:
    """What to multiply σ by, from the best multiples at σ = 15, 25 and 50. sigma: in [0, 1]."""
    return float(np.interp(255 * sigma, _MEASURED, measured))


def _as_plane(array: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(like.device)


class GaussianFilter(Prior):
    """x̂ = g_s ∗ y with g_s(i, j) ∝ exp(−(i² + j²) / 2s²): neighbours are alike.

    s = 0.6, 0.75, 1.3 pixels at σ = 15, 25, 50. The image continues as its mirror image.
    """

    about = "blurring by a Gaussian"

    def restore(self, plane: Tensor, sigma: float) -> Tensor:
        from scipy.ndimage import gaussian_filter

        width = 255 * sigma * _multiple(sigma, 0.6 / 15, 0.75 / 25, 1.3 / 50)
        return _as_plane(gaussian_filter(plane.cpu().numpy(), width, mode="reflect"), plane)


class TotalVariation(Prior):
    """x̂ = argmin_x Σ ‖∇x‖ + ‖x − y‖² / 2w: an image is flat, but for its edges.

    w = 0.6 σ, 0.7 σ, 0.9 σ at σ = 15, 25, 50. Source of the problem: Rudin, Osher, Fatemi,
    "Nonlinear total variation based noise removal algorithms", Physica D 1992; of its solution:
    Chambolle, "An algorithm for total variation minimization and applications", JMIV 2004, stopped
    after at most 300 steps. Deviation: their w makes ‖x̂ − y‖² what the noise has; ours is the one
    of the best PSNR, which removes less.
    """

    about = "total variation (Rudin, Osher, Fatemi 1992)"

    def restore(self, plane: Tensor, sigma: float) -> Tensor:
        from skimage.restoration import denoise_tv_chambolle

        weight = sigma * _multiple(sigma, 0.6, 0.7, 0.9)
        restored = denoise_tv_chambolle(plane.cpu().numpy(), weight, eps=1e-5, max_num_iter=300)
        return _as_plane(restored, plane)


class WaveletShrinkage(Prior):
    """x̂ = mean_s S₋ₛ W⁻¹ soft(W Sₛ y, t): few wavelet coefficients are large.

    W: the Haar transform; soft(c, t) = sign(c) · max(|c| − t, 0); t = σ² / σ_x for each band, where
    σ_x² = max(mean c² − σ², 0) (BayesShrink: Chang, Yu, Vetterli, "Adaptive wavelet thresholding
    for image denoising and compression", IEEE TIP 2000). Sₛ: the 36 shifts by 0 to 5 pixels each
    way (cycle spinning: Coifman, Donoho, "Translation-invariant de-noising", 1995), worth about
    1 dB. Deviation: Haar instead of longer wavelets, because it is the better one under the shifts.
    """

    about = "wavelet shrinkage with cycle spinning (Coifman, Donoho 1995; Chang et al. 2000)"

    def restore(self, plane: Tensor, sigma: float) -> Tensor:
        from skimage.restoration import denoise_wavelet

        settings = {"sigma": sigma, "wavelet": "db1", "method": "BayesShrink", "mode": "soft"}
        array = plane.cpu().numpy()
        height, width = array.shape
        array = np.pad(array, [(0, height == 1), (0, width == 1)], mode="edge")  # a level needs 2
        total = np.zeros(array.shape)
        shifts = list(itertools.product(range(6), repeat=2))
        for shift in shifts:
            restored = denoise_wavelet(np.roll(array, shift, (0, 1)), **settings)
            total += np.roll(restored, np.negative(shift), (0, 1))
        return _as_plane(total[:height, :width] / len(shifts), plane)


class NonLocalMeans(Prior):
    """x̂(p) = Σ_q w(p, q) y(q) / Σ_q w(p, q): the image repeats itself.

    w(p, q) = exp(−max(d² − 2σ², 0) / h²), where d² is the mean squared difference of the patches
    around p and q. Patches of 5×5, q up to 6 pixels away and h = 0.7 σ, for σ above 40 7×7, 10 and
    0.5 σ. Source: Buades, Coll, Morel, "A non-local algorithm for image denoising", CVPR 2005.
    Deviations, those of scikit-image's fast mode: all pixels of a patch weigh the same, but for its
    first row and column, which do not count; and weights below exp(−5) are 0.
    """

    about = "non-local means (Buades, Coll, Morel 2005)"

    def restore(self, plane: Tensor, sigma: float) -> Tensor:
        from skimage.restoration import denoise_nl_means

        patch, reach, multiple = (5, 6, 0.7) if grey_levels(sigma) <= 40 else (7, 10, 0.5)
        restored = denoise_nl_means(
            plane.cpu().numpy(), patch, reach, h=multiple * sigma, sigma=sigma, fast_mode=True
        )
        return _as_plane(restored, plane)
