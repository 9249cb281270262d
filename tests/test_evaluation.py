"""Comparisons against scikit-image, and the papers' protocols against Pillow, published baselines
and the tasks' definitions."""

from __future__ import annotations

import io
import os
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from helpers import lively, picture, raises, small_net, whole
from PIL import Image as PILImage
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn

from dncnn_lib import evaluation
from dncnn_lib.camera import PHONE
from dncnn_lib.datasets import image_set
from dncnn_lib.degrade import CameraNoise, GaussianNoise, JPEGCompression, PoissonNoise, apply
from dncnn_lib.evaluation import (
    PROTOCOLS,
    Comparison,
    compare,
    deblocking_case,
    evaluate,
    gaussian_case,
    restored_comparison,
    super_resolution_case,
)

pytestmark = pytest.mark.usefixtures("one_thread")

UNCHANGED = nn.Identity()


def quality(image: np.ndarray, clean: np.ndarray) -> tuple[float, float]:
    """PSNR and SSIM by scikit-image, in double precision."""
    a, b = image.astype(np.float64), clean.astype(np.float64)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    axis = 2 if a.ndim == 3 else None
    ssim = structural_similarity(a, b, data_range=1, channel_axis=axis, **window)
    return peak_signal_noise_ratio(b, a, data_range=1), ssim


# --------------------------------------------------------------------------------------- comparison


def triple(*shape: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clean, degraded and restored; the last two leave [0, 1]."""
    rng, clean = np.random.default_rng(0), picture(*shape)
    parts = (clean + s * rng.standard_normal(shape, np.float32) for s in (0.2, 0.1))
    return clean, *parts


@pytest.mark.parametrize("border", [0, 3])
@pytest.mark.parametrize("shape", [(24, 20), (24, 20, 3)], ids=["grey", "colour"])
def test_only_the_restored_image_is_clipped_and_the_border_is_left_out(shape, border):
    clean, degraded, restored = triple(*shape)
    assert min(degraded.min(), restored.min()) < -0.1
    shown = Comparison(clean, degraded, restored, border)
    inside = (slice(border, 24 - border), slice(border, 20 - border))
    expected = quality(restored.clip(0, 1)[inside], clean[inside])
    assert (shown.psnr, shown.ssim) == pytest.approx(expected, abs=1e-4)
    expected = quality(degraded[inside], clean[inside])
    assert (shown.degraded_psnr, shown.degraded_ssim) == pytest.approx(expected, abs=1e-4)
    assert quality(restored, clean)[0] < shown.psnr - 0.05  # so the clipping shows
    assert shown.gain == shown.psnr - shown.degraded_psnr > 5


def test_a_batch_of_one_is_measured_like_an_array():
    arrays = triple(24, 20, 3)
    batches = [torch.from_numpy(a).permute(2, 0, 1)[None] for a in arrays]
    of_arrays, of_tensors = Comparison(*arrays, border=2), Comparison(*batches, border=2)
    for name in ("psnr", "ssim", "degraded_psnr", "degraded_ssim"):
        assert getattr(of_tensors, name) == pytest.approx(getattr(of_arrays, name), abs=1e-6)
        assert type(getattr(of_tensors, name)) is float


def test_what_was_added_removed_and_is_still_wrong():
    clean, degraded, restored = triple(12, 11)
    shown = Comparison(clean, degraded, restored)
    assert np.array_equal(shown.noise, degraded - clean)
    assert np.array_equal(shown.removed, degraded - restored)
    assert np.array_equal(shown.error, restored - clean)


def test_the_summary_in_words():
    clean = np.zeros((12, 12), np.float32)
    shown = Comparison(clean, clean + 0.1, clean + 0.01)
    assert shown.summary == "20.0 dB, restored 40.0 dB (+20.0 dB)"
    worse = Comparison(clean, clean + 0.01, clean + 0.1)
    assert worse.summary == "40.0 dB, restored 20.0 dB (-20.0 dB)"


def test_nothing_is_measured_before_it_is_read_and_nothing_twice(monkeypatch):
    calls = []
    for name in ("psnr", "ssim"):
        metric = getattr(evaluation, name)

        def watched(*images, name=name, metric=metric, **options):
            calls.append(name)
            return metric(*images, **options)

        monkeypatch.setattr(evaluation, name, watched)
    shown = Comparison(*triple(12, 12))
    assert shown.noise.shape == (12, 12) and calls == []
    assert shown.psnr == shown.psnr and calls == ["psnr"]
    assert shown.gain and shown.summary
    assert calls == ["psnr", "psnr"]  # of the restored and of the degraded image
    assert shown.ssim == shown.ssim != shown.degraded_ssim
    assert calls == ["psnr", "psnr", "ssim", "ssim"]


def test_a_comparison_is_frozen():
    with pytest.raises(FrozenInstanceError):
        Comparison(*triple(12, 12)).border = 1


@pytest.mark.parametrize("part", ["clean", "degraded", "restored"])
@pytest.mark.parametrize(
    "image, shown",
    [
        (np.zeros((12, 12), np.uint8), "uint8"),
        (torch.zeros((12, 12), dtype=torch.int64), "torch.int64"),
        ([[0.5]], "list"),
    ],
)
def test_integers_are_not_compared(part, image, shown):
    parts = dict(zip(("clean", "degraded", "restored"), triple(12, 12)))
    message = f"{part}'s dtype is {shown!r}, but must be floating point, values in [0, 1]"
    with raises(ValueError, message):
        Comparison(**{**parts, part: image})


def test_images_of_different_shapes_are_not_compared():
    clean, degraded, restored = triple(12, 12)
    with raises(ValueError, "degraded's shape is (12, 11), but must be that of clean, (12, 12)"):
        Comparison(clean, degraded[:, 1:], restored)
    rule = "restored's shape is (12, 12, 1), but must be that of clean, (12, 12)"
    with raises(ValueError, rule):
        Comparison(clean, degraded, restored[..., None])
    with raises(ValueError, "border is 6, but must be less than half of the image, 12×12"):
        float(Comparison(clean, degraded, restored, border=6).psnr)


# ------------------------------------------------------------------------------------------ compare


class Told(nn.Module):
    """y ↦ y, and the σ that it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[float] = []

    def forward(self, noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        self.told.append(sigma.item())
        return noisy


@pytest.mark.parametrize("shape", [(16, 14), (16, 14, 3)], ids=["grey", "colour"])
def test_an_image_is_degraded_restored_and_compared(shape):
    clean, net = picture(*shape), lively(small_net(channels=3 if len(shape) == 3 else 1))
    shown = compare(clean, GaussianNoise(25), net, seed=3)
    assert np.array_equal(shown.clean, clean)
    assert np.array_equal(shown.degraded, apply(GaussianNoise(25), clean, 3))
    channels = np.atleast_3d(shown.degraded).transpose(2, 0, 1)[None]
    with torch.no_grad():
        expected = net(torch.from_numpy(channels))[0].permute(1, 2, 0).numpy().reshape(shape)
    np.testing.assert_allclose(shown.restored, expected, atol=1e-5)
    assert shown.seconds > 0 and shown.border == 0
    rough = compare(clean, GaussianNoise(25), net, seed=3, precision="bf16")
    assert 0 < np.abs(rough.restored - shown.restored).max() < 0.2


@pytest.mark.parametrize("sigma", [25, 25.0, np.int64(25), np.float32(25), np.float64(25)])
def test_a_model_that_takes_sigma_is_told_the_degradations_own(sigma):
    net = Told()
    compare(picture(12, 12), GaussianNoise(sigma), net)
    assert net.told == [pytest.approx(25 / 255, abs=1e-8)]


def test_what_the_caller_says_of_sigma_goes_first():
    net = Told()
    compare(picture(12, 12), GaussianNoise(25), net, sigma=51)
    compare(picture(12, 12), GaussianNoise((0, 55)), net, sigma=51)
    compare(picture(12, 12), PoissonNoise(30), net, sigma=51)
    assert net.told == [pytest.approx(0.2, abs=1e-8)] * 3


@pytest.mark.parametrize("degradation", [GaussianNoise((0, 55)), PoissonNoise(30)], ids=repr)
def test_a_degradation_without_one_sigma_has_none_to_tell(degradation):
    message = "sigma is None, but must be the noise level on the 0–255 scale: Told needs it"
    with raises(ValueError, message):
        compare(picture(12, 12), degradation, Told())


def test_a_protocol_tells_the_level_where_it_is_a_sigma():
    net, image = Told(), photograph(24, 24)
    PROTOCOLS["gaussian"].compare(net, image, 50)
    assert net.told == [pytest.approx(50 / 255, abs=1e-8)]
    with raises(
        ValueError, "sigma is None, but must be the noise level on the 0–255 scale: Told needs it"
    ):
        PROTOCOLS["deblocking"].compare(net, image, 10)


def test_a_degraded_image_is_restored_and_compared_with_a_border():
    clean, degraded, _ = triple(24, 20)
    net = lively(small_net())
    shown = restored_comparison(clean, degraded, net, border=2)
    assert shown.clean is clean and shown.degraded is degraded and shown.border == 2
    with torch.no_grad():
        expected = net(torch.from_numpy(degraded)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(shown.restored, expected, atol=1e-5)
    inner = (slice(2, -2), slice(2, -2))
    assert shown.psnr == pytest.approx(
        quality(expected.clip(0, 1)[inner], clean[inner])[0], abs=1e-4
    )


def test_a_degradation_that_is_no_gaussian_noise():
    clean = photograph(24, 24, 1)
    shown = compare(clean, JPEGCompression(10), UNCHANGED)
    assert np.array_equal(shown.degraded, shown.restored) and shown.gain == 0
    with raises(TypeError, "clean is uint8, but must be floating point with values in [0, 1]"):
        compare(np.zeros((12, 12), np.uint8), GaussianNoise(25), UNCHANGED)


# --------------------------------------------------------------------------------------- evaluation


@pytest.mark.parametrize("channels", [1, 3])
def test_evaluation_follows_the_protocol_of_the_literature(channels):
    """The input is neither clipped nor rounded; the output is clipped and not rounded."""
    net = lively(small_net(channels=channels))
    images = [picture(16, 14, channels, seed=s).squeeze() for s in range(2)]
    scores = evaluate(net, images, GaussianNoise(50), seed=7)
    for number, (image, score) in enumerate(zip(images, scores, strict=True)):
        clean = image.reshape(16, 14, channels)
        batch = torch.from_numpy(clean).permute(2, 0, 1)[None]
        noisy = GaussianNoise(50)(batch, torch.Generator().manual_seed(7 + number))
        with torch.no_grad():
            restored = net(noisy).clamp(0, 1)
        results = [result[0].permute(1, 2, 0).numpy() for result in (restored, noisy)]
        expected = [value for result in results for value in quality(result, clean)]
        found = [score.psnr, score.ssim, score.noisy_psnr, score.noisy_ssim]
        assert found == pytest.approx(expected, abs=1e-4)
        assert score.seconds > 0


def test_evaluation_takes_8_bit_images_and_numbers_its_seeds():
    first, second = ((255 * picture(12, 12, seed=s)).astype(np.uint8) for s in range(2))
    net = lively(small_net())
    both = evaluate(net, [first, second], GaussianNoise(25), seed=5)
    (alone,) = evaluate(net, [second.astype(np.float32) / 255], GaussianNoise(25), seed=6)
    assert both[1].psnr == pytest.approx(alone.psnr, abs=1e-6)
    assert both[1].noisy_ssim == pytest.approx(alone.noisy_ssim, abs=1e-6)
    assert evaluate(net, [], GaussianNoise(25)) == []


def test_evaluation_names_the_bad_image():
    message = "images[1] has NaN or infinite values, but must be finite everywhere"
    with pytest.raises(ValueError, match=whole(message)):
        evaluate(small_net(), [picture(12, 12), np.full((12, 12), np.nan)], GaussianNoise(25))
    with pytest.raises(TypeError, match=whole("seed is 'a' (str), but must be an integer")):
        evaluate(small_net(), [picture(12, 12)], GaussianNoise(25), seed="a")


# ---------------------------------------------------------------------------------------- protocols


def photograph(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Waves of several lengths, rounded to 8 bits, (H, W, C) or (H, W)."""
    y, x = np.mgrid[:height, :width]
    waves = [0.5 + 0.3 * np.sin(x / (3 + c)) * np.cos(y / (5 + c)) for c in range(channels)]
    image = (np.round(np.stack(waves, -1) * 255) / 255).astype(np.float32)
    return image if channels == 3 else image[..., 0]


@pytest.mark.parametrize("channels", [1, 3])
def test_gaussian_is_what_evaluate_does(channels):
    image = photograph(30, 40, channels)
    case = gaussian_case(image, 25, seed=3)
    assert case.border == 0 and case.clean is image
    noise = case.degraded - image
    assert noise.std() == pytest.approx(25 / 255, rel=0.05)
    found = dict(PROTOCOLS["gaussian"].compare_all(UNCHANGED, {"a": image, "b": image}, 25))
    scores = evaluate(UNCHANGED, [image, image], GaussianNoise(25), seed=0)
    assert list(found) == ["a", "b"] and scores[0].psnr != scores[1].psnr
    for shown, score in zip(found.values(), scores, strict=True):
        assert (shown.psnr, shown.degraded_ssim) == (score.psnr, score.noisy_ssim)


def test_super_resolution_in_colour_works_on_the_luma():
    image = photograph(38, 53)
    case = super_resolution_case(image, 3)
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
    case = super_resolution_case(photograph(24, 20, 1), 2)
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
        PROTOCOLS["super-resolution"].compare(Damage(width), image, 2).psnr for width in (0, 2, 3)
    )
    assert whole == two > three + 3


def test_deblocking_is_pillows_grey_jpeg_of_the_luma():
    image = photograph(40, 48)
    case = deblocking_case(image, 10)
    luma = np.uint8(np.floor(rgb2ycbcr(image.astype(np.float64))[..., 0] + 0.5))
    np.testing.assert_allclose(case.clean, luma / 255, atol=1e-6)
    file = io.BytesIO()
    PILImage.fromarray(luma).save(file, "JPEG", quality=10)
    coded = np.asarray(PILImage.open(file)) / 255
    np.testing.assert_allclose(case.degraded, coded, atol=1e-6)
    shown = PROTOCOLS["deblocking"].compare(UNCHANGED, image, 10)
    expected = peak_signal_noise_ratio(luma / 255, coded, data_range=1)
    assert shown.psnr == shown.degraded_psnr == pytest.approx(expected, abs=1e-4)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = structural_similarity(luma / 255, coded, data_range=1, **window)
    assert shown.ssim == pytest.approx(expected, abs=1e-5)


def test_the_camera_is_a_phones():
    image = picture(40, 48, 3)
    shown = PROTOCOLS["camera"].compare(UNCHANGED, image, 6400, seed=3)
    noisy = apply(CameraNoise(6400, light=PHONE), image, seed=3)
    assert np.array_equal(shown.degraded, noisy) and np.array_equal(shown.clean, image)


def test_what_cannot_be_measured():
    image = photograph(20, 20)
    reduce, code = PROTOCOLS["super-resolution"], PROTOCOLS["deblocking"]
    with raises(ValueError, "scale is 1, but must be an integer of at least 2"):
        reduce.compare(UNCHANGED, image, 1)
    with raises(ValueError, "image's size is (2, 2), but must be at least 3×3"):
        reduce.compare(UNCHANGED, image[:2, :2], 3)
    with raises(TypeError, "scale is 2.5 (float), but must be an integer"):
        reduce.compare(UNCHANGED, image, 2.5)
    with raises(ValueError, "quality is 101.0, but must be at most 100"):
        code.compare(UNCHANGED, image, 101)
    with raises(ValueError, "sigma is -1.0, but must be at least 0"):
        PROTOCOLS["gaussian"].compare(UNCHANGED, image, -1)


def test_the_protocols_are_those_of_the_paper_and_a_camera():
    assert {name: (p.parameter, p.levels) for name, p in PROTOCOLS.items()} == {
        "gaussian": ("sigma", (15, 25, 50)),
        "super-resolution": ("scale", (2, 3, 4)),
        "deblocking": ("quality", (10, 20, 30, 40)),
        "camera": ("ISO", (1600, 6400, 25600)),
    }
    assert all(protocol.name == name and protocol.words for name, protocol in PROTOCOLS.items())


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
        images = image_set(name, grey=False, download=False)
    except FileNotFoundError:
        pytest.skip(f"{name} is not on this machine (DNCNN_DATA={os.environ.get('DNCNN_DATA')})")
    shown = [s for _, s in PROTOCOLS[task].compare_all(UNCHANGED, images, level)]
    # JPEG is the same to the last digit; VDSR reduces the luma, not the colours rounded to 8 bits
    exact = task == "deblocking"
    assert np.mean([s.degraded_psnr for s in shown]) == pytest.approx(
        psnr, abs=0.006 if exact else 0.03
    )
    assert np.mean([s.degraded_ssim for s in shown]) == pytest.approx(
        ssim, abs=0.0001 if exact else 0.0012
    )


def test_eight_bit_images_are_measured_like_those_in_unit_range():
    whole = np.random.default_rng(0).integers(0, 256, (24, 24), np.uint8)
    unit = whole.astype(np.float32) / 255
    for task, level in (("gaussian", 25), ("super-resolution", 2), ("deblocking", 10)):
        first, second = (PROTOCOLS[task].compare(UNCHANGED, i, level).psnr for i in (whole, unit))
        assert first == pytest.approx(second, abs=1e-6)
