"""Degradations against the theory of their noise, and against Pillow."""

import copy
from dataclasses import FrozenInstanceError, dataclass

import numpy as np
import pytest
import torch
from helpers import picture, pillow_jpeg, pillow_resize, raises, seeded, smooth, whole
from scipy import stats

from dncnn_lib.degrade import (
    KINDS,
    CameraNoise,
    Degradation,
    DownUp,
    GaussianNoise,
    JPEGCompression,
    PoissonNoise,
    Quantisation,
    RandomChoice,
    SaltAndPepperNoise,
    Span,
    add_gaussian_noise,
    apply,
    draw,
    parameter,
)

ALL = [
    GaussianNoise(25),
    GaussianNoise((0, 55)),
    PoissonNoise(30),
    SaltAndPepperNoise(0.1),
    DownUp((2, 3, 4)),
    JPEGCompression((5, 99)),
    Quantisation(6),
    CameraNoise((100, 25600), light=0.1),
    RandomChoice(GaussianNoise(25), JPEGCompression(50)),
]


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
    if not isinstance(degradation, (DownUp, Quantisation)):  # which draw few numbers, or none
        assert not torch.equal(first, degradation(clean, seeded(2)))


@pytest.mark.parametrize("degradation", ALL, ids=repr)
def test_frozen_equal_and_hashable(degradation):
    name = next(iter(vars(degradation)))
    twin = type(degradation)(*copy.deepcopy(_arguments(degradation)))
    assert degradation == twin and hash(degradation) == hash(twin)
    assert repr(degradation) == repr(twin)
    with pytest.raises(FrozenInstanceError):
        setattr(degradation, name, 1)


def _arguments(degradation) -> tuple:
    if isinstance(degradation, RandomChoice):
        return degradation.degradations
    return tuple(vars(degradation).values())


@pytest.mark.parametrize("kind", [GaussianNoise, PoissonNoise, JPEGCompression, DownUp])
def test_a_range_may_be_a_list(kind):
    assert kind([5, 50]) == kind((5, 50))
    assert hash(kind([5, 50])) == hash(kind((5, 50)))


@pytest.mark.parametrize(
    "kind", [GaussianNoise, PoissonNoise, JPEGCompression, DownUp, Quantisation]
)
def test_numbers_of_numpy_are_numbers(kind):
    """``repr`` tells one degradation from another, in a checkpoint and on a card."""
    assert repr(kind(np.int64(25))) == repr(kind(25))
    if kind is not Quantisation:
        assert repr(kind((np.float32(2), np.int64(25)))) == repr(kind((2.0, 25)))


@pytest.mark.parametrize("kind", [GaussianNoise, PoissonNoise, SaltAndPepperNoise, JPEGCompression])
def test_a_number_takes_as_much_from_the_generator_as_a_range(kind):
    clean = smooth(12, 10, batch=3)
    assert torch.equal(kind(1)(clean, seeded()), kind((1, 1))(clean, seeded()))


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


# ---------------------------------------------------------------------------- one's own degradation


@dataclass(frozen=True)
class Darker(Degradation):
    """y = factor · x."""

    factor: Span = parameter(default=0.5, above=0.0, at_most=1.0)
    why: str = "night"

    def degrade(self, clean: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return draw(self.factor, clean, generator) * clean


def test_ones_own_degradation_is_like_the_others():
    darker = Darker([0.2, 0.6])
    assert darker == Darker((0.2, 0.6)) != Darker((0.2, 0.5))
    assert len({darker, Darker((0.2, 0.6)), Darker()}) == 2
    assert repr(darker) == "Darker(factor=(0.2, 0.6), why='night')"
    with pytest.raises(FrozenInstanceError):
        darker.factor = 1
    clean = torch.ones(8, 1, 5, 4)
    factors = darker(clean, seeded()).flatten(1)
    assert torch.equal(factors.amin(1), factors.amax(1))  # one for each image
    assert 0.2 <= factors.min() < 0.26 and 0.54 < factors.max() <= 0.6  # the whole range
    assert torch.equal(Darker()(clean, seeded()), clean / 2)
    array = picture(5, 4)
    np.testing.assert_allclose(apply(Darker(0.25), array), array / 4, atol=1e-7)


@pytest.mark.parametrize(
    "factor, kind, message",
    [
        (0, ValueError, "factor is 0.0, but must be greater than 0"),
        ((0.5, 1.5), ValueError, "factor is 1.5, but must be at most 1"),
        (
            (0.5, 0.2),
            ValueError,
            "factor is (0.5, 0.2), but must be a pair (low, high) with low <= high",
        ),
        (
            (1, 1, 1),
            ValueError,
            "factor is (1, 1, 1), but must be one number or a pair (low, high)",
        ),
        (float("nan"), ValueError, "factor is nan, but must be finite"),
        ("1", TypeError, "factor is '1' (str), but must be a number"),
    ],
)
def test_the_parameters_of_ones_own_are_checked(factor, kind, message):
    with raises(kind, message):
        Darker(factor)


def test_what_has_no_formula_is_no_degradation():
    @dataclass(frozen=True)
    class Nothing(Degradation):
        strength: Span = parameter(at_least=0.0)

    for kind, arguments in ((Degradation, ()), (Nothing, (1,))):
        with pytest.raises(TypeError, match="abstract method '?degrade'?$"):
            kind(*arguments)


def test_the_image_is_checked_for_ones_own_too():
    message = (
        "clean is torch.Size([4, 4]), but must be a floating-point tensor (B, C, H, W) with values "
        "in [0, 1]"
    )
    with raises(ValueError, message):
        Darker()(torch.zeros(4, 4), seeded())


# -------------------------------------------------------------------------------------------- apply


def by_hand(clean: torch.Tensor, sigma: float, seed: int) -> torch.Tensor:
    """Gaussian noise for one image (1, C, H, W): a number is drawn for σ, then the noise."""
    generator = seeded(seed)
    torch.rand(1, generator=generator)
    return clean + sigma / 255 * torch.randn(clean.shape, generator=generator)


def test_the_same_seed_gives_the_same_noise_whoever_adds_it():
    """To grey and colour arrays and to tensors of any number of axes."""
    noise = GaussianNoise(25)
    colour = picture(9, 7, 3)
    grey = colour[..., 0].copy()
    batch = torch.from_numpy(colour).permute(2, 0, 1)[None]
    expected = noise(batch, seeded(3))
    torch.testing.assert_close(expected, by_hand(batch, 25, 3), rtol=0, atol=1e-6)
    for found in (
        apply(noise, colour, 3),
        add_gaussian_noise(colour, 25, seed=3),
        apply(noise, colour, seeded(3)),
    ):
        assert found.dtype == np.float32
        assert np.array_equal(found, expected[0].permute(1, 2, 0).numpy())
    for tensor in (batch, batch.contiguous(), batch[0]):
        for found in (apply(noise, tensor, 3), add_gaussian_noise(tensor, 25, seed=3)):
            assert torch.equal(found, expected.reshape(tensor.shape))

    one = torch.from_numpy(grey)[None, None]
    expected = noise(one, seeded(3))
    torch.testing.assert_close(expected, by_hand(one, 25, 3), rtol=0, atol=1e-6)
    for found in (apply(noise, grey, 3), add_gaussian_noise(grey, 25, seed=3)):
        assert np.array_equal(found, expected[0, 0].numpy())
    for tensor in (one, one[0], one[0, 0]):
        for found in (apply(noise, tensor, 3), add_gaussian_noise(tensor, 25, seed=3)):
            assert torch.equal(found, expected.reshape(tensor.shape))


@pytest.mark.parametrize("degradation", ALL, ids=repr)
def test_an_array_and_a_tensor_are_degraded_alike(degradation):
    clean = smooth(14, 12, 3)
    array = clean[0].permute(1, 2, 0).numpy()
    expected = degradation(clean, seeded(5))
    assert torch.equal(apply(degradation, clean, 5), expected)
    assert np.array_equal(apply(degradation, array, 5), expected[0].permute(1, 2, 0).numpy())


@pytest.mark.parametrize(
    "shape", [(6, 5), (1, 6, 5), (3, 6, 5), (1, 1, 6, 5), (4, 3, 6, 5)], ids=str
)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_tensors_of_two_to_four_axes(shape, dtype):
    clean = torch.rand(shape, generator=seeded()).to(dtype)
    before = clean.clone()
    noisy = apply(GaussianNoise(25), clean)
    assert noisy.shape == shape and noisy.dtype == dtype
    noise = (noisy - clean).flatten().double()
    assert torch.equal(clean, before) and len(noise.unique()) > 0.8 * len(noise)


def test_every_image_of_a_batch_gets_its_own_noise():
    noise = apply(GaussianNoise(25), torch.full((2, 1, 8, 8), 0.5))
    assert not torch.equal(noise[0], noise[1])


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)], ids=["grey", "colour"])
def test_read_only_reversed_and_strided_arrays_are_degraded_too(shape):
    clean = picture(*shape)
    expected = apply(GaussianNoise(25), clean)
    frozen = clean.copy()
    frozen.flags.writeable = False
    strided = np.repeat(clean, 2, axis=1)[:, ::2]
    reversed_twice = clean[::-1].copy()[::-1]
    for same in (frozen, strided, reversed_twice, np.asfortranarray(clean)):
        assert np.array_equal(apply(GaussianNoise(25), same), expected)


@pytest.mark.parametrize(
    "clean", [picture(6, 5), picture(6, 5, 3), torch.rand((1, 1, 6, 5), generator=seeded())]
)
def test_the_clean_image_is_left_as_it_is_whatever_the_degradation_does(clean):
    def in_place(batch, generator):
        return batch.mul_(0.5)

    def nothing(batch, generator):
        return batch

    before = clean.copy() if isinstance(clean, np.ndarray) else clean.clone()
    halved, same = apply(in_place, clean), apply(nothing, clean)
    assert (clean == before).all() and (halved == before / 2).all()
    same += 1
    assert (clean == before).all()


def test_a_generator_is_gone_on_with():
    clean, generator = picture(6, 5), seeded(0)
    first, second = (apply(GaussianNoise(25), clean, generator) for _ in range(2))
    assert np.array_equal(first, apply(GaussianNoise(25), clean, 0))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    "clean, kind, message",
    [
        (
            np.zeros((4, 5), np.uint8),
            TypeError,
            "clean is uint8, but must be floating point with values in [0, 1]",
        ),
        (
            torch.zeros((4, 5), dtype=torch.uint8),
            TypeError,
            "clean is torch.uint8, but must be floating point with values in [0, 1]",
        ),
        ("camera", TypeError, "clean is str, but must be floating point with values in [0, 1]"),
        (
            np.linspace(0, 255, 20).reshape(4, 5),
            ValueError,
            "clean's range is (0.0, 255.0), but must be around [0, 1]; "
            "divide an image on the 0–255 scale by 255",
        ),
        (
            torch.full((4, 5), 255.0),
            ValueError,
            "clean's range is (255.0, 255.0), but must be around [0, 1]; "
            "divide an image on the 0–255 scale by 255",
        ),
        (
            np.full((4, 5), np.nan),
            ValueError,
            "clean has NaN or infinite values, but must be finite everywhere",
        ),
        (
            torch.full((3, 4, 5), torch.inf),
            ValueError,
            "clean has NaN or infinite values, but must be finite everywhere",
        ),
        (
            np.zeros((3, 4, 5)),
            ValueError,
            "clean's shape is (3, 4, 5), but must be (H, W) or (H, W, 3), none of them 0; "
            "move the channels to the end with image.transpose(1, 2, 0)",
        ),
        (
            torch.zeros(5),
            ValueError,
            "clean's shape is (5,), but must be (B, C, H, W), none of them 0",
        ),
    ],
)
def test_what_is_no_clean_image(clean, kind, message):
    with raises(kind, message):
        apply(GaussianNoise(25), clean)


def test_a_degradation_of_another_shape_is_refused():
    message = (
        "the degradation's output shape is (1, 1, 4, 4), but must be that of its input, "
        "(1, 1, 4, 5)"
    )
    with raises(ValueError, message):
        apply(lambda clean, _: clean[..., 1:], np.zeros((4, 5)))
    with raises(TypeError, "the degradation gives a NoneType, but must give a tensor"):
        apply(lambda *_: None, np.zeros((4, 5)))
    with raises(ValueError, "seed is -1, but must be an integer of at least 0"):
        apply(GaussianNoise(25), np.zeros((4, 5)), -1)


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
    message = (
        "sigma is (0, 55), but must be one number; for a range use "
        "apply(GaussianNoise((low, high)), clean)"
    )
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


# ------------------------------------------------------------------------------ down-up and JPEG


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (16, 21)], ids=str)
@pytest.mark.parametrize("scale", [2, 3, 4, 2.5])
def test_down_up_keeps_constants_and_shape(size, scale):
    clean = torch.full((2, 3, *size), 0.37)
    assert torch.allclose(DownUp(scale)(clean, seeded()), clean, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_down_up_is_pillows_down_and_up(scale):
    clean = smooth(48, 60)
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


# --------------------------------------------------------------------------------- for the sliders


@pytest.mark.parametrize("name", KINDS)
def test_every_level_of_a_slider_is_a_degradation(name):
    kind, clean = KINDS[name], picture(16, 16)
    assert kind.low <= kind.start <= kind.high
    for level in {kind.low, kind.start, kind.high}:
        degraded = apply(kind.degradation(level), clean)
        assert degraded.shape == clean.shape and np.isfinite(degraded).all()
    assert not np.array_equal(apply(kind.degradation(kind.start), clean), clean)
