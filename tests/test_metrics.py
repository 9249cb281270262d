"""PSNR, SSIM and luma against scikit-image and against their definitions."""

import math

import numpy as np
import pytest
import torch
from helpers import whole
from numpy.lib.stride_tricks import sliding_window_view
from scipy import stats
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from dncnn_lib.metrics import autocorrelation, correlation, luma, psnr, shave, ssim


def pair(*shape: int, peak: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    clean = rng.random(shape)
    restored = clean + 0.1 * rng.standard_normal(shape)
    return (peak * restored).astype(np.float32), (peak * clean).astype(np.float32)


# --------------------------------------------------------------------------------------------- PSNR


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (20, 30, 3)], ids=str)
@pytest.mark.parametrize("peak", [1.0, 255])
def test_psnr_is_scikit_images(shape, peak):
    restored, clean = pair(*shape, peak=peak)
    value = psnr(restored, clean, data_range=peak)
    expected = peak_signal_noise_ratio(
        clean.astype(np.float64), restored.astype(np.float64), data_range=peak
    )
    assert type(value) is float and value == pytest.approx(expected, abs=1e-9)


def test_psnr_of_a_known_error():
    clean = np.zeros((5, 4))
    assert psnr(clean + 0.1, clean, data_range=1.0) == pytest.approx(20.0, abs=1e-9)
    assert psnr(clean + 25.5, clean, data_range=255) == pytest.approx(20.0, abs=1e-9)


def test_psnr_of_8_bit_images_does_not_wrap_around():
    dark, bright = np.full((4, 4), 10, np.uint8), np.full((4, 4), 20, np.uint8)
    expected = 20 * math.log10(255 / 10)
    assert psnr(dark, bright, data_range=255) == pytest.approx(expected, abs=1e-9)
    assert psnr(bright, dark, data_range=255) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_integers_above_the_range_are_refused(metric):
    """8-bit images beside a range of 1: the number would be off by 48 dB."""
    floats, bytes_ = np.full((12, 12), 0.5), np.full((12, 12), 128, np.uint8)
    rule = "data_range is 1.0, but must be at least 128, the largest value of"
    with pytest.raises(ValueError, match=f"{rule} restored, which is uint8"):
        metric(bytes_, floats, data_range=1.0)
    with pytest.raises(ValueError, match=f"{rule} clean, which is uint8"):
        metric(floats, bytes_, data_range=1.0)
    batch = torch.from_numpy(bytes_)[None, None]
    with pytest.raises(ValueError, match=f"{rule} restored, which is uint8"):
        metric(batch, batch, data_range=1.0)


def test_psnr_of_a_batch_is_one_value_an_image():
    restored, clean = pair(3, 2, 8, 9)
    values = psnr(torch.from_numpy(restored), torch.from_numpy(clean), data_range=1.0)
    assert values.dtype == torch.float64 and values.shape == (3,)
    for i, value in enumerate(values.tolist()):
        expected = peak_signal_noise_ratio(
            clean[i].astype(np.float64), restored[i].astype(np.float64), data_range=1.0
        )
        assert value == pytest.approx(expected, abs=1e-9)


def test_equal_images_have_infinite_psnr():
    _, clean = pair(4, 4)
    assert psnr(clean, clean, data_range=1.0) == math.inf
    batch = torch.zeros(2, 1, 4, 4)
    assert psnr(batch, batch, data_range=1.0).tolist() == [math.inf] * 2


def test_tensors_keep_their_double_precision():
    clean = torch.full((1, 1, 4, 4), 0.5, dtype=torch.float64)
    assert psnr(clean + 1e-9, clean, data_range=1.0).item() == pytest.approx(180, abs=1e-3)


def test_tensors_on_the_graph_are_fine():
    clean = torch.rand((1, 1, 12, 12), generator=torch.Generator().manual_seed(0))
    restored = (clean + 0.1).requires_grad_()
    assert psnr(restored, clean, data_range=1.0).item() == pytest.approx(20, abs=1e-4)
    assert not ssim(restored, clean, data_range=1.0).requires_grad


# --------------------------------------------------------------------------------------------- SSIM


def ssim_by_definition(x: np.ndarray, y: np.ndarray, peak: float) -> float:
    """Wang et al. (2004), eq. 13, over all windows of 11×11 that lie inside the image."""
    axis = np.arange(11) - 5
    line = np.exp(-(axis**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    patches_x, patches_y = (sliding_window_view(a.astype(np.float64), (11, 11)) for a in (x, y))

    def mean(values):
        return (values * window).sum((2, 3))

    mean_x, mean_y = mean(patches_x), mean(patches_y)
    var_x, var_y = mean(patches_x**2) - mean_x**2, mean(patches_y**2) - mean_y**2
    covariance = mean(patches_x * patches_y) - mean_x * mean_y
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return float((luminance * (2 * covariance + c2) / (var_x + var_y + c2)).mean())


@pytest.mark.parametrize("peak", [1.0, 255])
@pytest.mark.parametrize("shape", [(11, 11), (16, 23)], ids=str)
def test_ssim_is_that_of_the_paper(shape, peak):
    restored, clean = pair(*shape, peak=peak)
    value = ssim(restored, clean, data_range=peak)
    expected = ssim_by_definition(restored, clean, peak)
    assert type(value) is float and value == pytest.approx(expected, abs=1e-7)


def test_ssim_of_colour_is_the_mean_over_channels():
    restored, clean = pair(20, 24, 3)
    expected = np.mean([ssim_by_definition(restored[..., c], clean[..., c], 1.0) for c in range(3)])
    assert ssim(restored, clean, data_range=1.0) == pytest.approx(expected, abs=1e-7)
    skimages = structural_similarity(
        restored,
        clean,
        data_range=1.0,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(restored, clean, data_range=1.0) == pytest.approx(skimages, abs=1e-5)


def test_ssim_of_a_batch_is_one_value_an_image():
    restored, clean = pair(2, 3, 12, 14)
    values = ssim(torch.from_numpy(restored), torch.from_numpy(clean), data_range=1.0)
    assert values.dtype == torch.float64 and values.shape == (2,)
    for i, value in enumerate(values.tolist()):
        channels = [ssim_by_definition(restored[i, c], clean[i, c], 1.0) for c in range(3)]
        assert value == pytest.approx(np.mean(channels), abs=1e-7)


def test_ssim_of_equal_images_is_1():
    _, clean = pair(12, 12)
    assert ssim(clean, clean, data_range=1.0) == pytest.approx(1.0, abs=1e-12)


def test_ssim_needs_its_window():
    message = "restored's size is (10, 30), but must be at least 11×11, the window of SSIM"
    with pytest.raises(ValueError, match=whole(message)):
        ssim(*pair(10, 30), data_range=1.0)


# --------------------------------------------------------------------------------- what is no image


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_data_range_must_be_given_by_name(metric):
    with pytest.raises(TypeError, match="data_range"):
        metric(*pair(12, 12))
    with pytest.raises(TypeError, match="positional"):
        metric(*pair(12, 12), 1.0)


BAD_PAIRS = [
    (
        np.zeros((4, 5)),
        np.zeros((5, 4)),
        "restored's shape is (4, 5), but must be that of clean, (5, 4)",
    ),
    (
        np.full((4, 4), np.nan),
        np.zeros((4, 4)),
        "restored has NaN or infinite values, but must be finite everywhere",
    ),
    (
        np.zeros((4, 4)),
        np.full((4, 4), -np.inf),
        "clean has NaN or infinite values, but must be finite everywhere",
    ),
    (
        np.zeros(4),
        np.zeros(4),
        "restored's shape is (4,), but must be (H, W), (H, W, 3) or (B, C, H, W)",
    ),
    (
        np.zeros((0, 4)),
        np.zeros((0, 4)),
        "restored's shape is (0, 4), but must be (H, W), (H, W, 3) or (B, C, H, W)",
    ),
]


@pytest.mark.parametrize("restored, clean, message", BAD_PAIRS)
@pytest.mark.parametrize("metric", [psnr, ssim])
def test_bad_pairs(metric, restored, clean, message):
    with pytest.raises(ValueError, match=whole(message)):
        metric(restored, clean, data_range=1.0)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_other_bad_arguments(metric):
    message = "clean is a list, but must be an array or a tensor"
    with pytest.raises(TypeError, match=whole(message)):
        metric(np.zeros((4, 4)), [[0.0]], data_range=1.0)
    with pytest.raises(ValueError, match=whole("data_range is 0.0, but must be greater than 0")):
        metric(np.zeros((4, 4)), np.zeros((4, 4)), data_range=0)


# ----------------------------------------------------------------------------------- luma and shave


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-6), (np.float32, 1e-6)])
def test_luma_is_the_y_of_rgb2ycbcr(dtype, tolerance):
    image = np.random.default_rng(0).random((6, 5, 3)).astype(dtype)
    expected = rgb2ycbcr(image)[..., 0] / 255
    result = luma(image)
    assert result.shape == (6, 5) and result.dtype == dtype
    np.testing.assert_allclose(result, expected, atol=tolerance)
    batch = luma(torch.from_numpy(image).permute(2, 0, 1)[None])
    assert batch.shape == (1, 1, 6, 5)
    np.testing.assert_allclose(batch[0, 0], expected, atol=tolerance)


def test_luma_of_black_and_white():
    assert luma(np.zeros((1, 1, 3))).item() == pytest.approx(16 / 255)
    assert luma(np.ones((1, 1, 3))).item() == pytest.approx(235 / 255)


@pytest.mark.parametrize(
    "image, message",
    [
        (np.zeros((4, 4)), "image's shape is (4, 4), but must be (H, W, 3)"),
        (np.zeros((4, 4, 4)), "image's shape is (4, 4, 4), but must be (H, W, 3)"),
        ("camera", "image's shape is 'str', but must be (H, W, 3)"),
        (torch.zeros(1, 1, 4, 4), "image's shape is (1, 1, 4, 4), but must be (B, 3, H, W)"),
        (
            np.zeros((4, 4, 3), np.uint8),
            "image's dtype is 'uint8', but must be floating point, with values in [0, 1]",
        ),
        (
            torch.zeros(1, 3, 4, 4, dtype=torch.uint8),
            "image's dtype is 'torch.uint8', but must be floating point, with values in [0, 1]",
        ),
    ],
)
def test_luma_needs_colour_in_0_1(image, message):
    with pytest.raises(ValueError, match=whole(message)):
        luma(image)


def test_shave_takes_the_border_off():
    image = np.arange(7 * 9).reshape(7, 9)
    assert np.array_equal(shave(image, 2), image[2:5, 2:7])
    assert np.array_equal(shave(image, 0), image)
    colour = np.random.default_rng(0).random((7, 9, 3))
    assert np.array_equal(shave(colour, 3), colour[3:4, 3:6])
    batch = torch.arange(2 * 3 * 7 * 9).reshape(2, 3, 7, 9)
    assert torch.equal(shave(batch, 2), batch[:, :, 2:5, 2:7])


@pytest.mark.parametrize(
    "border, kind, message",
    [
        (2, ValueError, "border is 2, but must be less than half of the image, 4×9"),
        (-1, ValueError, "border is -1, but must be an integer of at least 0"),
        (1.0, TypeError, "border is 1.0 (float), but must be an integer"),
    ],
)
def test_impossible_border(border, kind, message):
    with pytest.raises(kind, match=whole(message)):
        shave(np.zeros((4, 9)), border)


# ------------------------------------------------------------------------- statistics of the noise


def test_white_noise_has_no_autocorrelation():
    noise = np.random.default_rng(0).normal(3, 2, (200, 300))
    along = autocorrelation(noise, 5)
    assert along.shape == (6,) and along[0] == pytest.approx(1)
    assert np.abs(along[1:]).max() < 4 / math.sqrt(noise.size)


def test_averaging_along_rows_gives_a_triangle():
    """The mean of 3 neighbours: 1, 2/3, 1/3, 0."""
    white = np.random.default_rng(0).standard_normal((400, 502))
    moving = (white[:, 2:] + white[:, 1:-1] + white[:, :-2]) / 3
    np.testing.assert_allclose(autocorrelation(moving, 4), [1, 2 / 3, 1 / 3, 0, 0], atol=0.01)
    np.testing.assert_allclose(autocorrelation(moving.T, 1), [1, 0], atol=0.01)


def test_autocorrelation_of_nothing_is_nan():
    assert np.isnan(autocorrelation(np.full((4, 8), 0.5), 2)).all()


def test_autocorrelation_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match=whole("noise's shape is (2, 2, 3), but must be (H, W)")):
        autocorrelation(np.zeros((2, 2, 3)))
    with pytest.raises(ValueError, match=whole("lags is 16, but must be less than the width, 8")):
        autocorrelation(np.zeros((2, 8)))


def test_correlation_is_pearsons():
    rng = np.random.default_rng(0)
    a, b = rng.random((20, 30)), rng.random((20, 30))
    mixed = 0.6 * (a - a.mean()) / a.std() + 0.8 * (b - b.mean()) / b.std()
    expected = stats.pearsonr(a.ravel(), mixed.ravel()).statistic
    assert correlation(a, mixed) == pytest.approx(expected, abs=1e-12)
    assert correlation(a, 3 - 2 * a) == pytest.approx(-1, abs=1e-12)
    assert math.isnan(correlation(a, np.full((20, 30), 0.5)))
    assert math.isnan(correlation(np.zeros((20, 30)), a))
