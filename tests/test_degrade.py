"""Degradations against the theory of their noise, and against Pillow."""

import io
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from helpers import seeded, whole
from PIL import Image
from scipy import stats

from dncnn_lib.degrade import (
    DownUp,
    GaussianNoise,
    JPEGCompression,
    PoissonNoise,
    Quantisation,
    RandomChoice,
    SaltAndPepperNoise,
    add_gaussian_noise,
    grey_jpeg,
    resize,
)

ALL = [
    GaussianNoise(25),
    GaussianNoise((0, 55)),
    PoissonNoise(30),
    SaltAndPepperNoise(0.1),
    DownUp((2, 3, 4)),
    JPEGCompression((5, 99)),
    RandomChoice(GaussianNoise(25), JPEGCompression(50)),
]


def picture(height: int, width: int, channels: int = 1, batch: int = 1, seed: int = 0):
    """Smooth random images in [0, 1], the kind that JPEG is made for."""
    coarse = torch.rand((batch, channels, 6, 6), generator=seeded(seed))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")


# -------------------------------------------------------------------------------- every degradation


@pytest.mark.parametrize("degradation", ALL, ids=repr)
@pytest.mark.parametrize("shape", [(2, 1, 1, 1), (1, 3, 7, 3), (3, 1, 16, 21)], ids=str)
def test_shape_dtype_and_input_are_kept_at_any_size(degradation, shape):
    clean = torch.rand(shape, generator=seeded())
    before = clean.clone()
    degraded = degradation(clean, seeded())
    assert degraded.shape == clean.shape and degraded.dtype == torch.float32
    assert torch.equal(clean, before)


@pytest.mark.parametrize("degradation", ALL, ids=repr)
def test_the_generator_decides_everything(degradation):
    clean = torch.rand((6, 1, 16, 16), generator=seeded())
    state = torch.get_rng_state()
    first = degradation(clean, seeded(1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, degradation(clean, seeded(1)))
    if degradation != DownUp():  # three scales for six images: another seed may draw the same
        assert not torch.equal(first, degradation(clean, seeded(2)))


@pytest.mark.parametrize("degradation", ALL, ids=repr)
def test_frozen_equal_and_hashable(degradation):
    name = next(iter(vars(degradation)))
    twin = type(degradation)(*_arguments(degradation))
    assert degradation == twin and hash(degradation) == hash(twin)
    assert repr(degradation) == repr(twin)
    with pytest.raises(FrozenInstanceError):
        setattr(degradation, name, 1)


def _arguments(degradation) -> tuple:
    value = next(iter(vars(degradation).values()))
    return value if isinstance(degradation, RandomChoice) else (value,)


@pytest.mark.parametrize("kind", [GaussianNoise, PoissonNoise, JPEGCompression, DownUp])
def test_a_range_may_be_a_list(kind):
    assert kind([5, 50]) == kind((5, 50))
    assert hash(kind([5, 50])) == hash(kind((5, 50)))


@pytest.mark.parametrize(
    "clean, shown",
    [
        (torch.zeros(4, 4), "torch.Size([4, 4])"),
        (torch.zeros(1, 1, 4, 4, dtype=torch.uint8), "torch.Size([1, 1, 4, 4])"),
        (np.zeros((1, 1, 4, 4), np.float32), "(1, 1, 4, 4)"),
        ("camera", "'str'"),
    ],
)
def test_only_float_batches_are_degraded(clean, shown):
    message = (
        f"clean is {shown}, but must be a floating-point tensor (B, C, H, W) with values in [0, 1]"
    )
    with pytest.raises(ValueError, match=whole(message)):
        GaussianNoise(25)(clean, seeded())


# ----------------------------------------------------------------------------------- Gaussian noise


def test_gaussian_noise_is_normal_white_and_of_the_stated_strength():
    clean = torch.full((4, 1, 256, 256), 0.5)
    noise = (GaussianNoise(25)(clean, seeded()) - clean).double().numpy()
    sigma, n = 25 / 255, noise.size
    assert abs(noise.mean()) < 5 * sigma / np.sqrt(n)
    assert abs(noise.std() / sigma - 1) < 5 / np.sqrt(2 * n)
    assert abs(stats.kurtosis(noise, axis=None)) < 5 * np.sqrt(24 / n)
    for rows, columns in [(0, 1), (1, 0), (1, 1), (0, 2)]:
        shifted = np.roll(noise, (rows, columns), (2, 3))
        assert abs((noise * shifted).mean() / sigma**2) < 5 / np.sqrt(n)
    assert abs((noise[0] * noise[1]).mean() / sigma**2) < 5 / np.sqrt(n / 4)


def test_a_range_of_sigma_is_drawn_uniformly_for_each_image():
    clean = torch.full((1000, 1, 32, 32), 0.5)
    noise = GaussianNoise((10, 50))(clean, seeded()) - clean
    levels = 255 * noise.flatten(1).std(1).numpy()
    assert stats.kstest(levels, stats.uniform(10, 40).cdf).pvalue > 1e-3
    assert levels.min() < 12 and levels.max() > 48


def test_gaussian_noise_is_not_clipped():
    noisy = GaussianNoise(50)(torch.rand((1, 1, 64, 64), generator=seeded()), seeded())
    assert noisy.min() < -0.1 and noisy.max() > 1.1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_gaussian_noise_keeps_the_dtype(dtype):
    clean = torch.rand((1, 1, 8, 8), generator=seeded()).to(dtype)
    assert GaussianNoise(25)(clean, seeded()).dtype == dtype


def test_sigma_0_is_the_identity():
    clean = torch.rand((2, 3, 5, 5), generator=seeded())
    assert torch.equal(GaussianNoise(0)(clean, seeded()), clean)
    array = clean[0, 0].numpy()
    assert np.array_equal(add_gaussian_noise(array, 0), array)


BAD_SIGMA = [
    (-1, "sigma is -1.0, but must be at least 0"),
    (float("nan"), "sigma is nan, but must be finite"),
    (float("inf"), "sigma is inf, but must be finite"),
]


@pytest.mark.parametrize("sigma, message", BAD_SIGMA)
@pytest.mark.parametrize("use", [GaussianNoise, lambda s: add_gaussian_noise(np.zeros((2, 2)), s)])
def test_impossible_sigma(use, sigma, message):
    with pytest.raises(ValueError, match=whole(message)):
        use(sigma)


def test_sigma_in_0_1_warns_where_the_caller_wrote_it():
    message = (
        "sigma is 0.1 on the 0–255 scale, which is invisible; for images in [0, 1] with noise of "
        "standard deviation 0.1 write sigma=25.5"
    )
    with pytest.warns(UserWarning, match=whole(message)) as caught:
        GaussianNoise(0.1)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=whole(message)) as caught:
        add_gaussian_noise(np.zeros((2, 2)), 0.1)
    assert caught[0].filename == __file__


# ------------------------------------------------------------------------------- add_gaussian_noise


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "longdouble", ">f4", ">f8"])
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (32, 32, 3)], ids=str)
def test_arrays_keep_shape_and_dtype(dtype, shape):
    clean = np.random.default_rng(0).random(shape).astype(dtype)
    before = clean.copy()
    noisy = add_gaussian_noise(clean, 25)
    assert isinstance(noisy, np.ndarray)
    assert noisy.shape == shape and noisy.dtype == np.dtype(dtype)
    assert np.array_equal(clean, before) and not np.array_equal(noisy, clean)


def test_array_noise_has_the_stated_strength():
    noise = add_gaussian_noise(np.full((300, 300, 3), 0.5, np.float32), 25) - 0.5
    n = noise.size
    assert abs(noise.mean()) < 5 * 25 / 255 / np.sqrt(n)
    assert abs(noise.std() * 255 / 25 - 1) < 5 / np.sqrt(2 * n)


def test_read_only_and_strided_arrays_are_fine():
    clean = np.random.default_rng(0).random((8, 6), np.float32)
    expected = add_gaussian_noise(clean, 25)
    frozen = clean.copy()
    frozen.flags.writeable = False
    assert np.array_equal(add_gaussian_noise(frozen, 25), expected)
    strided = np.repeat(clean, 2, axis=1)[:, ::2]
    assert np.array_equal(add_gaussian_noise(strided, 25), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_tensors_keep_shape_and_dtype(dtype):
    clean = torch.full((2, 3, 4, 5), 0.5, dtype=dtype)
    noisy = add_gaussian_noise(clean, 25)
    assert isinstance(noisy, torch.Tensor) and noisy.dtype == dtype and noisy.shape == clean.shape


def test_arrays_and_tensors_get_the_same_noise():
    array = np.random.default_rng(0).random((9, 9), np.float32)
    tensor = torch.from_numpy(array)
    np.testing.assert_allclose(
        add_gaussian_noise(array, 25, seed=3), add_gaussian_noise(tensor, 25, seed=3), atol=1e-7
    )


def test_seeds_and_generators():
    clean = np.full((8, 8), 0.5)
    state = torch.get_rng_state()
    first = add_gaussian_noise(clean, 25)
    assert np.array_equal(first, add_gaussian_noise(clean, 25, seed=0))
    assert not np.array_equal(first, add_gaussian_noise(clean, 25, seed=1))
    generator = seeded(0)
    assert np.array_equal(first, add_gaussian_noise(clean, 25, seed=generator))
    assert not np.array_equal(first, add_gaussian_noise(clean, 25, seed=generator))  # it went on
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "clean, shown",
    [
        (np.zeros((2, 2), np.uint8), "uint8"),
        (np.zeros((2, 2), bool), "bool"),
        (torch.zeros(2, 2, dtype=torch.int64), "torch.int64"),
        ([[0.5]], "list"),
    ],
)
def test_noise_on_integers_is_refused(clean, shown):
    message = f"clean is {shown}, but must be floating point with values in [0, 1]"
    with pytest.raises(TypeError, match=whole(message)):
        add_gaussian_noise(clean, 25)


def test_one_image_has_one_sigma():
    message = "sigma is (0, 55), but must be one number; for a range use GaussianNoise((low, high))"
    with pytest.raises(ValueError, match=whole(message)):
        add_gaussian_noise(np.zeros((2, 2)), (0, 55))
    with pytest.raises(TypeError, match=whole("seed is 0.5 (float), but must be an integer")):
        add_gaussian_noise(np.zeros((2, 2)), 25, seed=0.5)


# ------------------------------------------------------------------------- Poisson, salt and pepper


@pytest.mark.parametrize("peak", [4, 60.0])
def test_poisson_mean_is_x_and_variance_is_x_over_peak(peak):
    for x in (0.1, 0.5, 1.0):
        noisy = PoissonNoise(peak)(torch.full((1, 1, 400, 400), x), seeded()).double()
        n, variance = noisy.numel(), x / peak
        spread = np.sqrt((2 * variance**2 + variance / peak**2) / n)  # of the sample variance
        assert abs(float(noisy.mean()) - x) < 5 * np.sqrt(variance / n)
        assert abs(float(noisy.var()) - variance) < 5 * spread
        photons = noisy * peak
        assert torch.allclose(photons, photons.round(), atol=1e-3)


def test_black_has_no_photon_noise():
    assert torch.equal(PoissonNoise(5)(torch.zeros(1, 1, 8, 8), seeded()), torch.zeros(1, 1, 8, 8))


def test_a_range_of_peaks_is_drawn_for_each_image():
    noisy = PoissonNoise((10, 40))(torch.ones(400, 1, 32, 32), seeded())
    peaks = 1 / noisy.flatten(1).var(1)
    assert 8 < peaks.min() < 12 and 36 < peaks.max() < 48
    assert abs(float(peaks.mean()) - 25) < 2


@pytest.mark.parametrize(
    "peak, message",
    [
        (0, "peak is 0.0, but must be greater than 0"),
        (float("nan"), "peak is nan, but must be finite"),
    ],
)
def test_impossible_peak(peak, message):
    with pytest.raises(ValueError, match=whole(message)):
        PoissonNoise(peak)


def test_salt_and_pepper_fractions():
    clean = torch.full((1, 1, 300, 300), 0.5)
    noisy = SaltAndPepperNoise(0.2)(clean, seeded())
    n = noisy.numel()
    for value, fraction in [(0.0, 0.1), (1.0, 0.1), (0.5, 0.8)]:
        spread = np.sqrt(fraction * (1 - fraction) / n)
        assert abs(float((noisy == value).float().mean()) - fraction) < 5 * spread
    assert set(noisy.unique().tolist()) == {0.0, 0.5, 1.0}


def test_salt_and_pepper_hit_all_channels_of_a_pixel_together():
    clean = 0.2 + 0.6 * torch.rand((2, 3, 40, 40), generator=seeded())
    noisy = SaltAndPepperNoise(0.3)(clean, seeded())
    hit = noisy != clean
    assert torch.equal(hit.any(1), hit.all(1)) and hit.any()
    assert torch.equal(noisy.amax(1)[hit.any(1)], noisy.amin(1)[hit.any(1)])  # white or black


def test_salt_and_pepper_ends():
    clean = torch.full((1, 1, 20, 20), 0.5)
    assert torch.equal(SaltAndPepperNoise(0)(clean, seeded()), clean)
    assert set(SaltAndPepperNoise(1)(clean, seeded()).unique().tolist()) == {0.0, 1.0}
    with pytest.raises(ValueError, match=whole("amount is 1.5, but must be at most 1")):
        SaltAndPepperNoise(1.5)


# --------------------------------------------------------------------------------- bicubic resizing


def pillow_resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    bicubic = Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(image).resize((width, height), bicubic))


@pytest.mark.parametrize("size", [(48, 36), (49, 37), (50, 35)], ids=str)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_reduction_is_pillows_bicubic_on_the_mirrored_image(scale, size):
    """Pillow is antialiased with a = −1/2 too, but cuts the kernel at the border. On an image
    with symmetric padding, cropped afterwards, its border is MATLAB's."""
    image = np.random.default_rng(0).random(size, np.float32)
    height, width = (-(-side // scale) for side in size)
    before = 4 * scale
    after = [4 * scale + new * scale - side for new, side in zip((height, width), size)]
    padded = np.pad(image, [(before, a) for a in after], mode="symmetric")
    expected = pillow_resize(padded, height + 8, width + 8)[4:-4, 4:-4]
    result = resize(torch.from_numpy(image)[None, None], (height, width), 1 / scale)
    np.testing.assert_allclose(result[0, 0], expected, atol=1e-5)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_enlargement_is_pillows_bicubic_on_the_mirrored_image(scale):
    image = np.random.default_rng(0).random((13, 9), np.float32)
    padded = np.pad(image, 4, mode="symmetric")
    expected = pillow_resize(padded, 21 * scale, 17 * scale)
    expected = expected[4 * scale : -4 * scale, 4 * scale : -4 * scale]
    result = resize(torch.from_numpy(image)[None, None], (13 * scale, 9 * scale))
    np.testing.assert_allclose(result[0, 0], expected, atol=1e-5)


def test_the_border_of_an_enlarged_edge_worked_by_hand():
    """Line [0, 1] enlarged twice: Keys' weights at ±1/4 and ±3/4, mirrored to 1 0 | 0 1 | 1 0."""
    line = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2)
    # The first sample lies 1/4 left of pixel 0. Its neighbours are pixels −2 −1 0 1 = 1 0 0 1, at
    # distances 7/4, 3/4, 1/4, 5/4, and the kernel is −3/128 at 7/4 and −9/128 at 5/4.
    first = -3 / 128 - 9 / 128
    # The second lies 1/4 right: pixels −1 0 1 2 = 0 0 1 1 at 5/4, 1/4, 3/4, 7/4; 29/128 at 3/4.
    second = 29 / 128 - 3 / 128
    expected = torch.tensor([first, second, 1 - second, 1 - first])
    assert torch.allclose(resize(line, (1, 4), None)[0, 0, 0], expected, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (16, 21)], ids=str)
@pytest.mark.parametrize("scale", [2, 3, 4, 2.5])
def test_down_up_keeps_constants_and_shape(size, scale):
    clean = torch.full((2, 3, *size), 0.37)
    assert torch.allclose(DownUp(scale)(clean, seeded()), clean, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_down_up_is_pillows_down_and_up(scale):
    clean = picture(48, 60)
    small = pillow_resize(clean[0, 0].numpy(), 48 // scale, 60 // scale)
    expected = pillow_resize(small, 48, 60)
    margin = 5 * scale
    inside = (slice(margin, -margin), slice(margin, -margin))
    result = DownUp(scale)(clean, seeded())[0, 0]
    np.testing.assert_allclose(result[inside], expected[inside], atol=1e-5)


def test_down_up_by_1_is_the_identity():
    clean = torch.rand((1, 1, 9, 8), generator=seeded())
    assert torch.allclose(DownUp(1)(clean, seeded()), clean, atol=1e-6)


def test_down_up_draws_a_scale_for_each_image():
    clean = torch.rand((1, 1, 24, 24), generator=seeded()).expand(60, 1, 24, 24)
    degraded = DownUp((2, 3, 4))(clean, seeded())
    single = torch.cat([DownUp(s)(clean[:1], seeded()) for s in (2, 3, 4)])
    which = ((degraded - single.transpose(0, 1)).abs().amax((2, 3)) < 1e-6).long()
    assert (which.sum(1) == 1).all()
    assert (which.sum(0) > 8).all()  # 20 of each expected


@pytest.mark.parametrize(
    "scale, message",
    [
        (0.5, "scale is 0.5, but must be at least 1"),
        ((2, float("nan")), "scale is nan, but must be finite"),
        ((), "scale is (), but must be a number or a sequence of at least one number"),
    ],
)
def test_impossible_scale(scale, message):
    with pytest.raises(ValueError, match=whole(message)):
        DownUp(scale)


def test_impossible_size():
    with pytest.raises(ValueError, match=whole("size is 0, but must be an integer of at least 1")):
        resize(torch.zeros(1, 1, 4, 4), (0, 4))


def test_resizing_integers_is_refused():
    message = "image's dtype is torch.uint8, but must be floating point"
    with pytest.raises(ValueError, match=whole(message)):
        resize(torch.zeros(1, 1, 4, 4, dtype=torch.uint8), (2, 2))


def test_resizing_is_exact_in_double_precision():
    ramp = torch.arange(64, dtype=torch.float64).reshape(1, 1, 1, 64)
    reduced = resize(ramp, (1, 32))[0, 0, 0]
    assert torch.allclose(reduced[4:-4], 2 * torch.arange(32.0).double()[4:-4] + 0.5, atol=1e-12)


# --------------------------------------------------------------------------------------------- JPEG


def pillow_jpeg(clean: torch.Tensor, quality: int) -> torch.Tensor:
    pixels = np.round(clean.permute(1, 2, 0).numpy().clip(0, 1) * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(
        file, "JPEG", quality=quality
    )
    decoded = np.array(Image.open(file)).reshape(pixels.shape)
    return torch.from_numpy(decoded).permute(2, 0, 1).float() / 255


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [5, 40, 90])
def test_jpeg_is_pillows(channels, quality):
    clean = picture(33, 50, channels, batch=2)
    degraded = JPEGCompression(quality)(clean, seeded())
    expected = torch.stack([pillow_jpeg(image, quality) for image in clean])
    assert torch.equal(degraded, expected)


@pytest.mark.parametrize("channels, tolerance", [(1, 1 / 255), (3, 3 / 255)])
def test_jpeg_at_quality_100_is_nearly_lossless(channels, tolerance):
    clean = picture(40, 40, channels)
    error = (JPEGCompression(100)(clean, seeded()) - clean).abs()
    assert error.mean() < tolerance  # colour loses more, to the subsampled chroma
    worse = (JPEGCompression(10)(clean, seeded()) - clean).abs()
    assert worse.mean() > 2 * error.mean()


@pytest.mark.parametrize("size", [(33, 50), (40, 40), (7, 3)])
def test_jpeg_by_tensors_is_libjpegs(size):
    """All qualities in one batch."""
    clean = picture(*size, 1, batch=1)
    quality = torch.arange(1, 101)
    ours = grey_jpeg(clean.expand(100, -1, -1, -1), quality.float())
    theirs = torch.stack([pillow_jpeg(clean[0], int(q)) for q in quality])

    def rms(difference: torch.Tensor) -> torch.Tensor:
        return (255 * difference).square().mean((1, 2, 3)).sqrt()

    assert rms(ours - theirs).mean() < 0.2
    rounded = (clean * 255).round() / 255
    assert float(rms(ours - rounded).mean()) == pytest.approx(
        float(rms(theirs - rounded).mean()), rel=0.01
    )
    assert ours.shape == theirs.shape and ours.dtype == clean.dtype


def test_jpeg_clips_what_lies_outside_the_range():
    clean = (
        torch.tensor([-3.0, 5.0]).reshape(1, 1, 1, 2).repeat_interleave(8, 3).expand(1, 1, 8, 16)
    )
    degraded = JPEGCompression(100)(clean, seeded())
    assert torch.allclose(degraded, clean.clamp(0, 1), atol=2 / 255)


def test_every_quality_of_a_range_is_drawn():
    clean = torch.rand((1, 1, 16, 16), generator=seeded())
    degraded = JPEGCompression((30, 33))(clean.expand(100, 1, 16, 16), seeded())
    single = torch.stack([pillow_jpeg(clean[0], q)[0] for q in (30, 31, 32, 33)])
    which = (degraded == single).flatten(2).all(2)
    assert (which.sum(1) == 1).all()
    assert (which.sum(0) > 10).all()  # 25 of each expected


@pytest.mark.parametrize(
    "quality, message",
    [
        (0, "quality is 0.0, but must be at least 1"),
        ((5, 101), "quality is 101.0, but must be at most 100"),
        ((90, 5), "quality is (90, 5), but must be a pair (low, high) with low <= high"),
    ],
)
def test_impossible_quality(quality, message):
    with pytest.raises(ValueError, match=whole(message)):
        JPEGCompression(quality)


# ------------------------------------------------------------------------------------ random choice


def test_random_choice_draws_each_with_equal_probability_for_each_image():
    choice = RandomChoice(*(lambda clean, g, k=k: clean + k for k in range(3)))
    drawn = choice(torch.zeros(600, 1, 1, 1), seeded()).flatten().long()
    counts = torch.bincount(drawn, minlength=3)
    assert (abs(counts - 200) < 5 * np.sqrt(600 * 2 / 9)).all()


def test_random_choice_deals_equal_shares_and_a_single_image_can_get_any():
    choice = RandomChoice(*(lambda clean, g, k=k: clean + k for k in range(3)))
    generator = seeded()
    orders = set()
    for _ in range(20):
        drawn = choice(torch.zeros(6, 1, 1, 1), generator).flatten().long()
        assert torch.bincount(drawn, minlength=3).tolist() == [2, 2, 2]
        orders.add(tuple(drawn.tolist()))
    assert len(orders) > 10
    alone = [int(choice(torch.zeros(1, 1, 1, 1), generator)) for _ in range(60)]
    assert min(map(alone.count, range(3))) > 5


def test_random_choice_mixes_parameters_that_are_drawn_for_each_image():
    choice = RandomChoice(GaussianNoise((20, 50)), SaltAndPepperNoise(0.5))
    clean = torch.full((60, 1, 24, 24), 0.5)
    degraded = choice(clean, seeded())
    impulses = torch.isin(degraded, torch.tensor([0.0, 0.5, 1.0])).flatten(1).all(1)
    assert 15 < impulses.sum() < 45
    levels = 255 * (degraded - clean)[~impulses].flatten(1).std(1)
    assert levels.min() > 17 and levels.max() < 55 and levels.std() > 4


@pytest.mark.parametrize("degradations", [(), (25,)])
def test_random_choice_needs_callables(degradations):
    message = (
        f"degradations is {degradations!r}, but must be one or more callables (clean, generator)"
    )
    with pytest.raises(ValueError, match=whole(message)):
        RandomChoice(*degradations)


def test_a_range_is_spread_over_the_batch_and_each_image_still_draws_from_all_of_it():
    clean, generator = torch.full((8, 1, 64, 64), 0.5), torch.Generator().manual_seed(0)
    draws = [GaussianNoise((0, 80))(clean, generator).std((1, 2, 3)) * 255 for _ in range(60)]
    for sigmas in draws:  # one in each eighth of the range; 5 % is the error of a measured sigma
        expected = torch.arange(8) * 10 + 5.0
        assert ((sigmas.sort().values - expected).abs() < 5 + 0.05 * 80).all()
    first = torch.stack(draws)[:, 0]
    assert first.min() < 20 and first.max() > 60 and 30 < first.mean() < 50


# ------------------------------------------------------------------------------------ quantisation


@pytest.mark.parametrize("levels", [2, 7, 64])
def test_quantisation_rounds_to_that_many_levels(levels):
    ramp = torch.linspace(0, 1, 20_000, dtype=torch.float64).reshape(1, 1, 100, 200)
    coarse = Quantisation(levels)(ramp, seeded())
    step = 1 / (levels - 1)
    np.testing.assert_allclose(coarse.unique().numpy(), np.linspace(0, 1, levels), atol=1e-12)
    assert (coarse - ramp).abs().max() <= step / 2 + 1e-12
    assert (coarse - ramp).std().item() == pytest.approx(step / 12**0.5, rel=0.01)


def test_quantisation_to_256_levels_leaves_8_bit_images_alone():
    clean = torch.arange(256).reshape(1, 1, 16, 16) / 255
    torch.testing.assert_close(Quantisation(256)(clean, seeded()), clean)


def test_quantisation_needs_two_levels():
    with pytest.raises(
        ValueError, match=whole("levels is 1, but must be an integer of at least 2")
    ):
        Quantisation(1)
    with pytest.raises(TypeError):
        Quantisation(2.5)
