"""The papers' protocols, against Pillow, published baselines, and the tasks' definitions."""

from __future__ import annotations

import io
import os
import re

import numpy as np
import pytest
import torch
from PIL import Image as PILImage
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn

from dncnn_lib import protocols, runs
from dncnn_lib.degrade import GaussianNoise
from dncnn_lib.engine import evaluate

UNCHANGED = nn.Identity()


def photograph(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Waves of several lengths, rounded to 8 bits, (H, W, C) or (H, W)."""
    y, x = np.mgrid[:height, :width]
    waves = [0.5 + 0.3 * np.sin(x / (3 + c)) * np.cos(y / (5 + c)) for c in range(channels)]
    image = (np.round(np.stack(waves, -1) * 255) / 255).astype(np.float32)
    return image if channels == 3 else image[..., 0]


@pytest.mark.parametrize("channels", [1, 3])
def test_gaussian_is_what_evaluate_does(channels):
    image = photograph(30, 40, channels)
    case = protocols.gaussian_case(image, 25, seed=3)
    assert case.border == 0 and case.clean is image
    noise = case.degraded - image
    assert noise.std() == pytest.approx(25 / 255, rel=0.05)
    (score,) = protocols.scores(UNCHANGED, {"a": image}, "gaussian", 25)
    (other,) = evaluate(UNCHANGED, [image], GaussianNoise(25), seed=0)
    assert (score.psnr, score.noisy_ssim) == (other.psnr, other.noisy_ssim)


def test_super_resolution_in_colour_works_on_the_luma():
    image = photograph(38, 53)
    case = protocols.super_resolution_case(image, 3)
    clean = rgb2ycbcr(image[:36, :51].astype(np.float64))[..., 0] / 255
    np.testing.assert_allclose(case.clean, clean, atol=1e-6)
    assert case.border == 3 and case.degraded.shape == (36, 51)
    # Pillow's bicubic is antialiased too, and differs at the borders and in its rounding
    picture = PILImage.fromarray(np.uint8(np.round(image[:36, :51] * 255)))
    small = picture.resize((17, 12), PILImage.Resampling.BICUBIC)
    large = np.asarray(small.resize((51, 36), PILImage.Resampling.BICUBIC)) / 255
    inner = (slice(9, -9), slice(9, -9))
    expected = rgb2ycbcr(large)[..., 0] / 255
    np.testing.assert_allclose(case.degraded[inner], expected[inner], atol=3 / 255)


def test_super_resolution_in_grey_rounds_what_the_network_gets():
    case = protocols.super_resolution_case(photograph(24, 20, 1), 2)
    steps = case.degraded * 255
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)
    assert case.clean.shape == (24, 20)


def test_the_border_is_left_out():
    """A network that damages two pixels at the border, and one that damages three."""

    class Damage(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.width = width

        def forward(self, x):
            x = x.clone()
            x[..., : self.width] = 1
            return x

    image = photograph(40, 40)
    whole, two, three = (
        protocols.score_image(Damage(width), image, "super-resolution", 2).psnr
        for width in (0, 2, 3)
    )
    assert whole == two > three + 3


def test_deblocking_is_pillows_grey_jpeg_of_the_luma():
    image = photograph(40, 48)
    case = protocols.deblocking_case(image, 10)
    luma = np.uint8(np.floor(rgb2ycbcr(image.astype(np.float64))[..., 0] + 0.5))
    np.testing.assert_allclose(case.clean, luma / 255, atol=1e-6)
    file = io.BytesIO()
    PILImage.fromarray(luma).save(file, "JPEG", quality=10)
    coded = np.asarray(PILImage.open(file)) / 255
    np.testing.assert_allclose(case.degraded, coded, atol=1e-6)
    score = protocols.score_image(UNCHANGED, image, "deblocking", 10)
    expected = peak_signal_noise_ratio(luma / 255, coded, data_range=1)
    assert score.psnr == score.noisy_psnr == pytest.approx(expected, abs=1e-4)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = structural_similarity(luma / 255, coded, data_range=1, **window)
    assert score.ssim == pytest.approx(expected, abs=1e-5)


def test_what_cannot_be_measured():
    def refused(message: str, *arguments) -> None:
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            protocols.score_image(UNCHANGED, *arguments)

    image = photograph(20, 20)
    names = "'gaussian', 'super-resolution', 'deblocking'"
    refused(f"task is 'jpeg', but must be one of {names}", image, "jpeg", 10)
    refused("scale is 1, but must be an integer of at least 2", image, "super-resolution", 1)
    refused(
        "image's size is (2, 2), but must be at least 3×3", image[:2, :2], "super-resolution", 3
    )
    with pytest.raises(TypeError, match=r"^scale is 2\.5 \(float\), but must be an integer$"):
        protocols.score_image(UNCHANGED, image, "super-resolution", 2.5)
    refused("quality is 101.0, but must be at most 100", image, "deblocking", 101)


# PSNR and SSIM of the degraded images, as the papers print them: "bicubic" in Table 2 of Kim et
# al., "Accurate image super-resolution using very deep convolutional networks" (VDSR), CVPR 2016;
# "JPEG" in Table 1 of Dong et al., "Compression artifacts reduction by a deep convolutional
# network" (AR-CNN), ICCV 2015.
PUBLISHED = [
    ("Set5", "super-resolution", 2, 33.66, 0.9299),
    ("Set5", "super-resolution", 3, 30.39, 0.8682),
    ("Set5", "super-resolution", 4, 28.42, 0.8104),
    ("Set14", "super-resolution", 2, 30.24, 0.8688),
    ("Set14", "super-resolution", 3, 27.55, 0.7742),
    ("Set14", "super-resolution", 4, 26.00, 0.7027),
    ("classic5", "deblocking", 10, 27.82, 0.7595),
    ("classic5", "deblocking", 20, 30.12, 0.8344),
    ("classic5", "deblocking", 30, 31.48, 0.8666),
    ("classic5", "deblocking", 40, 32.43, 0.8849),
]


@pytest.mark.parametrize(("name", "task", "level", "psnr", "ssim"), PUBLISHED)
def test_the_degraded_images_are_those_of_the_papers(name, task, level, psnr, ssim):
    try:
        images = runs.image_set(name, grey=False, download=False)
    except FileNotFoundError:
        pytest.skip(f"{name} is not on this machine (DNCNN_DATA={os.environ.get('DNCNN_DATA')})")
    torch.set_num_threads(1)
    scores = protocols.scores(UNCHANGED, images, task, level)
    # JPEG is the same to the last digit; VDSR reduces the luma, not the colours rounded to 8 bits
    exact = task == "deblocking"
    assert np.mean([s.noisy_psnr for s in scores]) == pytest.approx(
        psnr, abs=0.006 if exact else 0.03
    )
    assert np.mean([s.noisy_ssim for s in scores]) == pytest.approx(
        ssim, abs=0.0001 if exact else 0.0012
    )


def test_eight_bit_images_are_measured_like_those_in_unit_range():
    whole = np.random.default_rng(0).integers(0, 256, (24, 24), np.uint8)
    unit = whole.astype(np.float32) / 255
    for task, level in (("gaussian", 25), ("super-resolution", 2), ("deblocking", 10)):
        scores = [protocols.score_image(nn.Identity(), i, task, level) for i in (whole, unit)]
        assert scores[0].psnr == pytest.approx(scores[1].psnr, abs=1e-6)
