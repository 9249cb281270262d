"""The camera: its steps against other implementations, its noise against the theory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import raises, seeded, smooth
from scipy import ndimage, stats

from dncnn_lib import camera
from dncnn_lib.degrade import CameraNoise, apply, expose


def grey(value: float, channels: int = 3, side: int = 96) -> torch.Tensor:
    return torch.full((1, channels, side, side), value)


# ---------------------------------------------------------------------------------------- the steps


def test_srgb_as_in_the_standard():
    """IEC 61966-2-1: the toe below 0.04045 has the slope 12.92; 0.5 is 0.2140 of the light."""
    values = torch.tensor([0.0, 0.02, 0.04045, 0.5, 1.0], dtype=torch.float64)
    light = [0.0, 0.02 / 12.92, 0.04045 / 12.92, 0.21404114, 1.0]
    assert camera.to_linear(values).tolist() == pytest.approx(light, abs=1e-6)
    ramp = torch.linspace(0, 1, 1001, dtype=torch.float64)
    assert torch.allclose(camera.to_srgb(camera.to_linear(ramp)), ramp, atol=1e-6)
    assert camera.to_srgb(torch.tensor([-0.2, 1.7])).tolist() == pytest.approx([0, 1])


def test_the_bayer_filter_has_two_greens_for_each_red_and_blue():
    masks = camera.bayer(4, 6)
    assert torch.equal(masks.sum(0), torch.ones(4, 6)) and masks.sum((1, 2)).tolist() == [6, 12, 6]
    assert [int(masks[:, i, j].argmax()) for i, j in ((0, 0), (0, 1), (1, 0), (1, 1))] == [
        0,
        1,
        1,
        2,
    ]


def test_demosaicing_keeps_what_was_recorded_and_restores_planes():
    rows, columns = np.mgrid[0:12, 0:15]
    plane = np.stack([0.1 + 0.02 * rows, 0.9 - 0.03 * columns, 0.2 + 0.01 * (rows + columns)])
    light = torch.from_numpy(plane)[None]
    restored = camera.demosaic(camera.mosaic(light))
    inside = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    assert torch.allclose(restored[inside], light[inside])
    masks = camera.bayer(12, 15).double()
    assert torch.allclose(restored * masks, light * masks)


def test_demosaicing_against_scipy():
    """Bilinear by normalised correlation, of one colour after the other."""
    raw = torch.rand((1, 1, 9, 10), generator=seeded(), dtype=torch.float64)
    tent = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]])
    diamond = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]])
    for mask, weights, found in zip(
        camera.bayer(9, 10).numpy(), (tent, diamond, tent), camera.demosaic(raw)[0].numpy()
    ):
        total = ndimage.correlate(raw[0, 0].numpy() * mask, weights, mode="constant")
        known = ndimage.correlate(mask, weights.astype(float), mode="constant")
        assert np.allclose(found, total / known)


def test_a_picture_without_detail_comes_back_from_the_camera():
    image = torch.stack([grey(v)[0, 0] for v in (0.2, 0.6, 0.4)])[None]
    raw = camera.mosaic(camera.to_linear(image) / camera.balance(image))
    assert torch.allclose(camera.develop(raw), image, atol=1e-5)


# ---------------------------------------------------------------------------------------- the noise


def test_the_noise_of_many_cameras_at_the_measured_iso_and_between():
    a, b = camera.sensor_noise(torch.tensor([100.0, 3200.0, 25600.0]))
    in_finest_band = 12.5
    assert (a / in_finest_band).tolist() == pytest.approx([3.4e-6, 7.3e-5, 4.2e-4], rel=1e-5)
    assert (b / in_finest_band).tolist() == pytest.approx([4e-9, 3e-7, 2.8e-6], rel=1e-5)
    a, _ = camera.sensor_noise(torch.tensor(np.sqrt(1600.0 * 3200)))
    assert a.item() / in_finest_band == pytest.approx(np.sqrt(3.7e-5 * 7.3e-5), rel=1e-5)


def test_a_white_pixel_has_as_many_electrons_as_were_counted():
    """In the Canon 5D Mark III (magiclantern.fm, topic 10111) and, from the gain of its 14 bits, in
    the Nikon D3 (photonstophotos.net); the median of many cameras is within a factor of 2."""
    counted = {100: 67_684, 3200: 2_197, 6400: 1_085}, {3200: 16_383 * 0.24, 6400: 16_383 * 0.12}
    for of_one in counted:
        a, _ = camera.sensor_noise(torch.tensor(list(of_one), dtype=torch.float64))
        ratio = np.array(list(of_one.values())) * a.numpy()
        assert (0.5 < ratio).all() and (ratio < 4).all()


def gradient_green(raw: np.ndarray) -> np.ndarray:
    """The green of darktable's demosaicing by gradients (PPG), written anew: along the direction
    with the smaller differences, between the two neighbours."""
    found, steep = [], []
    for axis in (0, 1):
        b3, b2, b1, f1, f2, f3 = (np.roll(raw, k, axis) for k in (3, 2, 1, -1, -2, -3))
        guess = (b1 + f1) / 2 + (2 * raw - b2 - f2) / 4
        found.append(guess.clip(np.minimum(b1, f1), np.maximum(b1, f1)))
        near = abs(b2 - raw) + abs(f2 - raw) + abs(b1 - f1)
        steep.append(3 * near + 2 * (abs(b3 - b1) + abs(f3 - f1)))
    green = camera.bayer(*raw.shape)[1].numpy() > 0
    return np.where(green, raw, np.where(steep[0] < steep[1], *found))


def in_the_finest_band(plane: np.ndarray) -> float:
    """The variance as ``noiseprofile.c`` measures it: Haar by halving, median of absolute values"""
    rows = (plane[1::2] - plane[::2]) / 2
    band = (rows[:, 1::2] - rows[:, ::2]) / 2
    return (np.median(np.abs(band)) / 0.6745) ** 2


def test_what_darktable_measures_is_a_twelfth_of_the_variance_of_a_pixel():
    raw = np.random.default_rng(0).standard_normal((1024, 1024))
    assert in_the_finest_band(raw) == pytest.approx(1 / 4, rel=0.02)
    assert in_the_finest_band(gradient_green(raw)) == pytest.approx(1 / camera.FINEST, rel=0.03)
    bilinear = camera.demosaic(torch.from_numpy(raw)[None, None])[0, 1].numpy()
    assert in_the_finest_band(bilinear) == pytest.approx(0.75 / 16, rel=0.03)


@pytest.mark.parametrize("iso", [100, 3200, 25600])
@pytest.mark.parametrize("light", [1.0, camera.PHONE])
def test_the_sensor_has_the_variance_that_was_measured(iso, light):
    at = torch.full((1, 1, 1, 1), float(iso), dtype=torch.float64)
    a, b = (x.item() for x in camera.sensor_noise(at))
    for level in (0.0, 0.02, 0.3, 0.7):
        raw = torch.full((1, 1, 400, 400), level, dtype=torch.float64)
        noise = expose(raw, at, torch.full_like(at, light), seeded()) - raw
        assert noise.var().item() == pytest.approx((a * level + b) / light, rel=0.02)
        assert abs(noise.mean().item()) < 4 * noise.std().item() / 400
        assert stats.kstest((noise / noise.std()).flatten().numpy(), "norm").pvalue > 1e-3


def test_nothing_is_brighter_than_white():
    iso, light = grey(25600.0, 1, 1), grey(0.01, 1, 1)
    assert expose(grey(1.0, 1), iso, light, seeded()).max() == 1


def noise_of(value: float, channels: int = 3, **changes) -> np.ndarray:
    """(C, H, W) of a grey picture, by a phone at ISO 6400."""
    phone = CameraNoise(**{"iso": 6400, "light": camera.PHONE, "quality": None} | changes)
    return (phone(grey(value, channels), seeded()) - value)[0].numpy()


def neighbours(noise: np.ndarray) -> float:
    return float(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1])


def test_it_depends_on_the_brightness_and_neighbours_and_colours_have_it_in_common():
    assert noise_of(0.15).std() > 1.2 * noise_of(0.8).std()  # sRGB stretches dark tones
    red, green, blue = noise_of(0.4)
    assert min(map(neighbours, (red, green, blue))) > 0.2
    assert blue.std() > 1.1 * green.std() and red.std() > 1.1 * green.std()  # white balance


def test_a_camera_without_colours_has_independent_pixels():
    (noise,) = noise_of(0.4, channels=1)
    assert abs(neighbours(noise)) < 0.05


def test_more_iso_and_less_light_are_more_noise():
    levels = [noise_of(0.4, iso=iso).std() for iso in (100, 800, 6400, 25600)]
    assert levels == sorted(levels) and levels[3] > 5 * levels[0]
    assert noise_of(0.4, light=30 * camera.PHONE).std() < 0.3 * noise_of(0.4).std()


def test_the_errors_of_demosaicing_are_not_noise():
    image = smooth(32, 32, channels=3)
    image[..., ::3] = 0.9  # stripes, of which demosaicing makes colours
    calm = CameraNoise(100, light=100.0, quality=None)(image, seeded())
    assert (calm - image).abs().max() < 0.02


def test_the_file_is_a_jpeg_of_that_quality():
    image = smooth(32, 32, channels=3)
    coded = CameraNoise(100, light=100.0, quality=10)(image, seeded())
    assert torch.allclose(255 * coded, (255 * coded).round(), atol=1e-3)
    fine = CameraNoise(100, light=100.0, quality=95)(image, seeded())
    assert (coded - image).std() > 2 * (fine - image).std()


def test_every_image_of_a_batch_draws_its_own_iso_on_a_logarithmic_scale():
    shots = CameraNoise((100, 25600), light=camera.PHONE, quality=None)(
        grey(0.4, side=24).expand(64, -1, -1, -1), seeded()
    )
    deviation = shots.std((1, 2, 3)).log()
    assert deviation.max() - deviation.min() > 1.5
    middle = (deviation.max() + deviation.min()) / 2
    assert abs(deviation.median() - middle) < 0.35


def test_every_image_of_a_batch_draws_its_own_light():
    shots = CameraNoise(3200, light=(camera.PHONE / 10, 1.0), quality=None)(
        grey(0.4, side=24).expand(32, -1, -1, -1), seeded()
    )
    deviation = shots.std((1, 2, 3))
    assert deviation.max() > 3 * deviation.min()


def test_the_same_for_an_array():
    image = smooth(24, 20, channels=3)
    array = image[0].permute(1, 2, 0).numpy()
    shot = apply(CameraNoise(3200), array, seed=3)
    same = apply(CameraNoise(3200), image, seed=3)[0].permute(1, 2, 0).numpy()
    assert np.array_equal(shot, same) and 0 <= shot.min() and shot.max() <= 1


def test_what_it_refuses():
    for wrong, said in (
        ({"iso": 50}, "iso is 50.0, but must be at least 100"),
        ({"light": 0}, "light is 0.0, but must be greater than 0"),
        ({"quality": 101}, "quality is 101, but must be at most 100"),
        ({"quality": 0}, "quality is 0, but must be an integer of at least 1"),
    ):
        with raises(ValueError, said):
            CameraNoise(**wrong)
    with raises(TypeError, "quality is 9.5 (float), but must be an integer"):
        CameraNoise(quality=9.5)
