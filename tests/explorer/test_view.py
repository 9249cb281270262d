"""From settings to pictures, numbers and code."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers import picture, raises
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn

import dncnn_lib as dn
from dncnn_lib import priors
from dncnn_lib.degrade import KINDS
from dncnn_lib.explorer import view
from dncnn_lib.explorer.view import Region, Setting, explore

pytestmark = pytest.mark.usefixtures("one_thread")

NET = "dncnn-3-small"
SEEN = Region(100, 120, 48, 40)
SMALL = {"method": NET, "region": SEEN}


def test_it_loads_nothing_that_draws_or_needs_a_browser():
    code = (
        "import sys; import dncnn_lib.explorer.view; "
        "print({'ipywidgets', 'anywidget', 'IPython', 'matplotlib'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


# ---------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize("centre", [(0, 0), (50, 40), (99, 79), (-5, 300)])
@pytest.mark.parametrize("side", [1, 7, 64, 500])
def test_a_region_stays_inside_and_has_its_size_where_there_is_room(centre, side):
    region = Region.around(centre, side, (100, 80))
    assert (region.height, region.width) == (min(side, 100), min(side, 80))
    assert 0 <= region.top <= 100 - region.height
    assert 0 <= region.left <= 80 - region.width


def test_a_region_lies_around_its_centre():
    assert Region.around((50, 40), 20, (100, 80)) == Region(40, 30, 20, 20)
    assert Region(40, 30, 20, 20).with_margin(35, (100, 80)) == Region(5, 0, 90, 80)
    picture = np.arange(8000).reshape(100, 80)
    assert Region(40, 30, 2, 3).crop(picture).tolist() == [[3230, 3231, 3232], [3310, 3311, 3312]]


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="^noise is 'pink', but must be one of"):
        Setting("pink")
    with raises(ValueError, "level is 76, but must be at most 75 for Gaussian"):
        Setting(level=76)
    with raises(ValueError, "level is 1, but must be an integer of at least 2"):
        Setting("down-up", 1)
    with pytest.raises(ValueError, match="^method is 'bm4d', but must be one of"):
        Setting(method="bm4d")
    with raises(TypeError, "level is 2.5 (float), but must be an integer"):
        Setting(level=2.5)


# ----------------------------------------------------------------------------------------- pictures


def test_gaussian_noise_is_that_of_the_library():
    found = explore(dn.sample_image("dogs"), Setting(seed=3, method="median 3×3", region=SEEN))
    clean = dn.sample_image("dogs", grey=True)
    expected = SEEN.crop(dn.add_gaussian_noise(clean, 25, seed=3))
    assert np.array_equal(found.comparison.degraded, expected)


@pytest.mark.parametrize("noise", KINDS)
def test_every_kind_at_both_ends_of_its_level(noise):
    picture = dn.sample_image("dogs", grey=True)[:64, :64]
    kind = KINDS[noise]

    def noisy(level):
        setting = Setting(noise, level, method="median 3×3")
        return explore(picture, setting).comparison.degraded

    for level in (kind.low, kind.start, kind.high):
        assert noisy(level).shape == picture.shape and np.isfinite(noisy(level)).all()
    assert np.array_equal(noisy(kind.high), noisy(kind.high))


@pytest.mark.parametrize("method", [NET, "median 3×3"])
def test_a_region_is_restored_as_the_whole_picture_is(method):
    clean = dn.sample_image("dogs", grey=True)[:200, :200]
    whole = explore(clean, Setting(method=method)).comparison
    part = explore(clean, Setting(method=method, region=SEEN)).comparison
    for name in ("clean", "degraded", "restored", "removed"):
        assert np.allclose(getattr(part, name), SEEN.crop(getattr(whole, name)), atol=2e-3), name


@pytest.mark.parametrize("method", ["total-variation", "wavelet", "nlm", "bm3d"])
def test_a_prior_gives_a_region_nearly_what_it_gives_the_whole(method):
    clean = dn.sample_image("dogs", grey=True)[60:188, 80:208]
    region = Region(40, 44, 48, 40)
    whole = explore(clean, Setting(method=method)).comparison
    part = explore(clean, Setting(method=method, region=region)).comparison
    assert np.abs(part.restored - region.crop(whole.restored)).mean() < 2 / 255
    assert part.gain > 5


def test_a_prior_sees_a_margin_around_the_region(monkeypatch):
    class Whole(nn.Module):
        channels, receptive_field = 1, None

        def forward(self, noisy, sigma):
            sizes.append(tuple(noisy.shape))
            return noisy

    sizes = []
    monkeypatch.setattr(view, "model", lambda name: Whole())
    picture = np.zeros((60, 200), np.float32)
    explore(picture, Setting(method="bm3d", region=Region(0, 100, 20, 30)))
    Whole.receptive_field = 7
    explore(picture, Setting(method="bm3d", region=Region(0, 100, 20, 30)))
    assert sizes == [(1, 1, 20 + 16, 30 + 2 * 16), (1, 1, 20 + 3, 30 + 2 * 3)]


def test_a_prior_is_told_the_noise_of_the_whole_picture_not_of_what_is_seen(monkeypatch):
    class Told(nn.Module):
        channels, receptive_field = 1, None

        def forward(self, noisy, sigma):
            told.append(float(sigma))
            assert not torch.is_autocast_enabled("cpu"), "the code for a prior asks for no bf16"
            return noisy

    told = []
    monkeypatch.setattr("dncnn_lib.restoring.uses_bf16", lambda precision, _: precision == "auto")
    monkeypatch.setattr(view, "model", lambda name: Told())
    picture = dn.sample_image("dogs", grey=True)
    for region in (None, Region(0, 0, 40, 40), Region(200, 100, 90, 30)):
        explore(picture, Setting("quantisation", 6, method="bm3d", region=region))
    expected = np.std(np.round(picture * 5) / 5 - picture)
    assert told == pytest.approx([expected] * 3, rel=1e-4)


@pytest.mark.parametrize("method", view.method_names())
def test_every_method_restores_grey_and_colour_small_and_tiny_and_what_has_no_noise(method):
    picture = dn.sample_image("dogs", grey=False)[100:140, 120:156]
    noise, level = ("phone camera", 6400) if method == "cdncnn-camera" else ("Gaussian", 25)
    setting = Setting(noise, level, method=method)
    grey, colour = (explore(p, setting) for p in (picture[..., 1], picture))
    shape = (40, 36, 3) if method.startswith("cdncnn") else (40, 36)
    for found in (grey, colour):
        # the network for cameras is for colour: a sensor without has white noise
        assert found.method == method
        assert found.comparison.gain > 2 or (method == "cdncnn-camera" and found is grey)
        assert found.comparison.restored.shape == shape
    one = Setting(noise, level, method=method, region=Region(7, 9, 1, 1))
    pixel = explore(picture, one).comparison
    assert pixel.restored.shape == (1, 1, *shape[2:]) and np.isfinite(pixel.restored).all()
    assert pixel.clean.ravel()[0] == pytest.approx(colour.comparison.clean[7, 9].ravel()[0])
    alone = explore(picture[:1, :1], Setting(method=method)).comparison
    assert alone.restored.shape == (1, 1, *shape[2:]) and np.isfinite(alone.restored).all()
    silent = explore(picture, Setting(level=0, method=method)).comparison
    assert np.array_equal(silent.degraded, silent.clean) and np.isfinite(silent.restored).all()
    if method in priors.PRIORS:
        assert np.array_equal(silent.restored, silent.clean)


def test_the_methods_are_the_models_and_the_median_each_once_and_described():
    names = view.method_names()
    assert names == [*priors.model_names(), "median 3×3"]
    assert len(set(names)) == len(names) and {"dncnn-b", *priors.PRIORS} < set(names)
    for name in priors.PRIORS:
        assert view.describe(name) == priors.about(name) and not view.in_colour(name)
    assert view.describe("dncnn-b") == dn.zoo.card("dncnn-b")["about"]
    assert view.describe("median 3×3") == "the median of 3×3 pixels"


def test_the_median_is_that_of_numpy_on_the_mirrored_image():
    values = picture(6, 7, seed=3)
    around = np.pad(values, 1, mode="symmetric")
    shifted = [around[i : i + 6, j : j + 7] for i in range(3) for j in range(3)]
    restored = dn.denoise(values, view.Median())
    assert np.array_equal(restored, np.median(shifted, axis=0))


def test_grey_methods_get_grey_and_the_views_are_bytes():
    found = explore(dn.sample_image("dogs"), Setting(**SMALL))
    clean, noisy = found.comparison.clean, found.comparison.degraded
    restored = found.comparison.restored
    assert clean.shape == (48, 40)
    expected = {
        "clean": clean,
        "noisy": noisy,
        "restored": restored,
        "removed": noisy - restored + 0.5,
        "error ×4": 4 * (restored - clean) + 0.5,
    }
    assert list(expected) == list(view.VIEWS)
    for name, values in expected.items():
        shown = found.picture(name)
        assert shown.dtype == np.uint8
        assert np.array_equal(shown, np.rint(255 * np.clip(values, 0, 1))), name
    with pytest.raises(ValueError, match="^view is 'noise', but must be one of 'clean', "):
        found.picture("noise")


@pytest.mark.parametrize("picture", ["dogs", "camera"])
def test_a_colour_network_gets_colour(picture, monkeypatch):
    net = dn.DnCNN(3, 8, channels=3).eval()
    monkeypatch.setattr(view, "model", lambda name: net)
    monkeypatch.setattr(view.priors, "model_names", lambda: ["colour"])
    found = explore(dn.sample_image(picture), Setting(method="colour", region=SEEN))
    assert found.comparison.clean.shape == found.comparison.restored.shape == (48, 40, 3)
    assert found.picture("restored").shape == (48, 40, 3)
    expected = SEEN.crop(dn.sample_image(picture, grey=False))
    assert np.array_equal(found.comparison.clean, expected)
    assert found.numbers().noise_std == pytest.approx(25, rel=0.1)
    assert ", grey=False)" in view.code_for(found.setting, picture)


# ------------------------------------------------------------------------------------------ numbers


def test_numbers_are_those_of_scikit_image_with_the_restored_image_clipped():
    found = explore(dn.sample_image("pagoda"), Setting(level=75, method="median 3×3", region=SEEN))
    numbers, compared = found.numbers(), found.comparison
    assert compared.psnr > dn.psnr(compared.restored, compared.clean, data_range=1.0) + 0.02
    for prefix, values in (
        ("degraded_", compared.degraded),
        ("", np.clip(compared.restored, 0, 1)),
    ):
        expected = peak_signal_noise_ratio(compared.clean, values, data_range=1)
        assert getattr(numbers, f"{prefix}psnr") == pytest.approx(expected, abs=1e-3)
        expected = structural_similarity(
            compared.clean, values, data_range=1, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )  # fmt: skip
        assert getattr(numbers, f"{prefix}ssim") == pytest.approx(expected, abs=1e-3)


def test_the_numbers_of_white_noise():
    numbers = explore(dn.sample_image("dogs"), Setting(**SMALL)).numbers()
    assert numbers.noise_std == pytest.approx(25, rel=0.1)
    assert len(numbers.autocorrelation) == 17
    assert numbers.autocorrelation[0] == 1 and abs(numbers.autocorrelation[1:]).max() < 0.2


def test_pictures_of_a_few_pixels_have_numbers_as_far_as_they_go():
    for shape in ((1, 1), (7, 3), (1, 400)):
        numbers = explore(np.full(shape, 0.5, np.float32), Setting(method=NET)).numbers()
        assert np.isfinite(numbers.degraded_psnr)
        assert np.isnan(numbers.degraded_ssim) and np.isnan(numbers.ssim)
        assert len(numbers.autocorrelation) == min(17, shape[1])


def test_the_slow_numbers_wait_until_they_are_asked_for(monkeypatch):
    def fail(*args, **options):
        raise AssertionError("SSIM before the picture")

    monkeypatch.setattr("dncnn_lib.evaluation.ssim", fail)
    found = explore(dn.sample_image("dogs"), Setting(**SMALL))
    assert found.picture("restored").any() and found.comparison.gain > 5
    with pytest.raises(AssertionError):
        found.numbers()


# ------------------------------------------------------------------------------------------ uploads


def test_large_pictures_are_reduced_and_others_are_not():
    values = np.random.default_rng(0).random((30, 40, 3)).astype(np.float32)
    assert view.reduced(values) is values
    large = np.kron(values[:, :, 0], np.ones((100, 100), np.float32))
    small = view.reduced(large)
    assert small.shape == (768, 1024) and small.dtype == np.float32
    assert 0 <= small.min() and small.max() <= 1
    assert small.mean() == pytest.approx(large.mean(), abs=2e-3)
    assert view.reduced(np.zeros((1, 5000, 3), np.float32)).shape == (1, 1024, 3)


# --------------------------------------------------------------------------------------------- code


def printed(compared):
    return f"noisy {compared.degraded_psnr:.1f} dB, restored {compared.psnr:.1f} dB\n"


@pytest.mark.parametrize(
    "setting, picture",
    [
        (Setting(level=30, seed=4, **SMALL), "dogs"),
        (Setting("Gaussian", 75, 0, "median 3×3", SEEN), "pagoda"),
        (Setting("Poisson", 20, 2, NET, SEEN), "dogs"),
        (Setting("JPEG", 20, 0, NET, SEEN), "camera"),
        (Setting("salt and pepper", 7, 1, "median 3×3", SEEN), "dogs"),
        (Setting("quantisation", 5, 0, NET, SEEN), "dogs"),
        (Setting("down-up", 2, 0, NET, None), "pagoda"),
        (Setting(level=10, **SMALL), None),
        (Setting("Poisson", 20, 2, "bm3d", None), "dogs"),
        (Setting("JPEG", 10, 0, "nlm", SEEN), "pagoda"),
        (Setting("quantisation", 6, 0, "total-variation", SEEN), None),
    ],
)
def test_the_code_gives_what_is_shown(setting, picture, tmp_path, monkeypatch, capsys):
    values = dn.sample_image(picture or "dogs")
    if picture is None:
        monkeypatch.chdir(tmp_path)
        dn.write_image("your-picture.png", values)
    made: dict = {}
    exec(view.code_for(setting, picture), made)
    shown = explore(values, setting).comparison
    assert np.allclose(made["found"].degraded, shown.degraded)
    assert np.allclose(made["found"].restored, shown.restored, atol=3e-3)
    assert capsys.readouterr().out == printed(shown)


def test_the_code_for_an_upload_reduces_it_as_the_page_does(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    large = np.kron(dn.sample_image("dogs", grey=True), np.ones((4, 4), np.float32))
    dn.write_image("your-picture.png", large)
    setting = Setting("JPEG", 10, 0, "median 3×3", Region(700, 100, 48, 40))
    exec(view.code_for(setting, None), {})
    assert capsys.readouterr().out == printed(explore(view.reduced(large), setting).comparison)


def test_the_code_is_short_and_imports_what_it_needs():
    assert view.code_for(Setting("salt and pepper", 5), "dogs") == (
        "import dncnn_lib as dn\n"
        "\n"
        'clean = dn.sample_image("dogs", grey=True)\n'
        "noisy = dn.apply(dn.SaltAndPepperNoise(amount=0.05), clean, seed=0)\n"
        'restored = dn.denoise(noisy, dn.load_pretrained("dncnn-b"), precision="auto")\n'
        "\n"
        "seen = ...\n"
        "found = dn.Comparison(clean[seen], noisy[seen], restored[seen])\n"
        'print(f"noisy {found.degraded_psnr:.1f} dB, restored {found.psnr:.1f} dB")\n'
    )


def test_the_code_for_a_prior_names_the_noise_and_for_the_median_does_not():
    assert view.code_for(Setting(method="bm3d"), "dogs") == (
        "import dncnn_lib as dn\n"
        "from dncnn_lib import priors\n"
        "\n"
        'clean = dn.sample_image("dogs", grey=True)\n'
        "noisy = dn.apply(dn.GaussianNoise(sigma=25), clean, seed=0)\n"
        'restored = dn.denoise(noisy, priors.load_model("bm3d"), '
        "sigma=255 * (noisy - clean).std())\n"
        "\n"
        "seen = ...\n"
        "found = dn.Comparison(clean[seen], noisy[seen], restored[seen])\n"
        'print(f"noisy {found.degraded_psnr:.1f} dB, restored {found.psnr:.1f} dB")\n'
    )
    code = view.code_for(Setting(method="median 3×3"), "dogs")
    assert "restored = dn.denoise(noisy, view.Median())\n" in code
    assert "from dncnn_lib.explorer import view\n" in code
