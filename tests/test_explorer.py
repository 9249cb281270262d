"""The explorer without a browser."""

import asyncio
import io
import itertools

import numpy as np
import pytest
import torch
from helpers import raises
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import dncnn_lib as dn
from dncnn_lib.explorer import Explorer, Region, Setting, explore, pace, page, stage, view

pytestmark = pytest.mark.usefixtures("one_thread")

SEEN = Region(100, 120, 48, 40)
SMALL = {"method": page.SMALL, "region": SEEN}


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
    assert Region(40, 30, 20, 20).grown(35, (100, 80)) == Region(5, 0, 90, 80)
    picture = np.arange(8000).reshape(100, 80)
    assert Region(40, 30, 2, 3).of(picture).tolist() == [[3230, 3231, 3232], [3310, 3311, 3312]]


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="^noise is 'pink', but must be one of"):
        Setting("pink")
    with raises(ValueError, "level is 76, but must be at most 75 for Gaussian"):
        Setting(level=76)
    with raises(ValueError, "level is 1, but must be an integer of at least 2"):
        Setting("down-up", 1)
    with pytest.raises(ValueError, match="^method is 'bm3d', but must be one of"):
        Setting(method="bm3d")
    with raises(TypeError, "level is 2.5 (float), but must be an integer"):
        Setting(level=2.5)


# ---------------------------------------------------------------------------------------- pictures


def test_gaussian_noise_is_that_of_the_library():
    clean = dn.sample_image("dogs", grey=True)
    expected = dn.add_gaussian_noise(clean, 25, seed=3)
    assert np.array_equal(view.degraded(clean, "Gaussian", 25, 3), expected)


@pytest.mark.parametrize("noise", view.NOISE_KINDS)
def test_every_kind_at_both_ends_of_its_level(noise):
    clean = dn.sample_image("dogs", grey=True)[:64, :64]
    kind = view.NOISE_KINDS[noise]
    for level in (kind.low, kind.start, kind.high):
        noisy = view.degraded(clean, noise, level, 0)
        assert noisy.shape == clean.shape and np.isfinite(noisy).all()
    assert np.array_equal(noisy, view.degraded(clean, noise, kind.high, 0))


@pytest.mark.parametrize("method", [page.SMALL, "median 3×3"])
def test_a_region_is_restored_as_the_whole_picture_is(method):
    clean = dn.sample_image("dogs", grey=True)[:200, :200]
    whole = explore(clean, Setting(method=method))
    part = explore(clean, Setting(method=method, region=SEEN))
    for name in ("clean", "noisy", "removed"):
        assert np.allclose(getattr(part, name), SEEN.of(getattr(whole, name)), atol=2e-3), name


def test_total_variation_of_a_region_is_nearly_that_of_the_whole():
    clean = dn.sample_image("dogs", grey=True)
    setting = Setting(method="total variation")
    whole = explore(clean, setting)
    part = explore(clean, Setting(method="total variation", region=SEEN))
    assert np.abs(part.restored - SEEN.of(whole.restored)).mean() < 2 / 255
    assert part.quick_numbers()[1] > part.quick_numbers()[0] + 6


def test_total_variation_is_told_the_noise_of_the_whole_picture_not_of_what_is_seen():
    picture = dn.sample_image("dogs")
    setting = Setting(
        "quantisation", 6, method="total variation", region=Region(128, 128, 128, 128)
    )
    found: dict = {}
    exec(view.code_for(setting, "dogs"), found)
    shown = explore(picture, setting)
    expected = dn.psnr(found["restored"][found["seen"]], shown.clean, data_range=1.0)
    assert shown.quick_numbers()[1] == pytest.approx(expected, abs=0.05)


def test_grey_methods_get_grey_and_the_views_are_bytes():
    found = explore(dn.sample_image("dogs"), Setting(**SMALL))
    assert found.clean.shape == (48, 40)
    shown = {name: found.picture(name) for name in view.VIEWS}
    assert all(p.dtype == np.uint8 and p.shape == (48, 40) for p in shown.values())
    assert np.array_equal(shown["clean"], np.rint(255 * found.clean))
    middle = np.rint(255 * np.clip(found.noisy - found.restored + 0.5, 0, 1))
    assert np.array_equal(shown["taken away"], middle)


@pytest.mark.parametrize("picture", ["dogs", "camera"])
def test_a_colour_network_gets_colour(picture, monkeypatch):
    net = dn.DnCNN(3, 8, channels=3).eval()
    monkeypatch.setattr(view, "network", lambda name: net)
    monkeypatch.setattr(view.zoo, "model_names", lambda: ["colour"])
    found = explore(dn.sample_image(picture), Setting(method="colour", region=SEEN))
    assert found.clean.shape == found.restored.shape == (48, 40, 3)
    assert found.picture("restored").shape == (48, 40, 3)
    assert np.array_equal(found.clean, SEEN.of(dn.sample_image(picture, grey=False)))
    assert found.numbers().noise_std == pytest.approx(25, rel=0.1)
    assert ", grey=False)" in view.code_for(found.setting, picture)


def test_numbers_are_those_of_scikit_image():
    found = explore(dn.sample_image("dogs"), Setting(**SMALL))
    numbers = found.numbers()
    for name in ("noisy", "restored"):
        values = getattr(found, name)
        expected = peak_signal_noise_ratio(found.clean, values, data_range=1)
        assert getattr(numbers, f"{name}_psnr") == pytest.approx(expected, abs=1e-3)
        expected = structural_similarity(
            found.clean, values, data_range=1, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )  # fmt: skip
        assert getattr(numbers, f"{name}_ssim") == pytest.approx(expected, abs=1e-3)
    assert numbers.noise_std == pytest.approx(25, rel=0.1)
    assert numbers.correlation[0] == 1 and abs(numbers.correlation[1:]).max() < 0.2


def test_pictures_of_a_few_pixels_have_numbers_as_far_as_they_go():
    for shape in ((1, 1), (7, 3), (1, 400)):
        numbers = explore(np.full(shape, 0.5, np.float32), Setting(method=page.SMALL)).numbers()
        assert np.isfinite(numbers.noisy_psnr) and np.isnan(numbers.noisy_ssim)


def _file(picture, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind)
    return file.getvalue()


def test_an_upload_is_read_and_a_large_one_reduced():
    values = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    assert np.allclose(view.uploaded(_file(values)) * 255, values, atol=1e-3)
    large = np.kron(values[:, :, 0], np.ones((100, 100), np.uint8))
    small = view.uploaded(_file(large))
    assert small.shape == (768, 1024) and 0 <= small.min() and small.max() <= 1
    assert small.mean() * 255 == pytest.approx(large.mean(), abs=0.5)
    assert view.uploaded(_file(np.zeros((1, 5000), np.uint8))).shape == (1, 1024)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "p.png is empty (0 bytes), but must be an image file"),
        (
            b"hello",
            "p.png does not hold a PNG, JPEG, TIFF, WebP or BMP image, whatever its name says",
        ),
    ],
)
def test_what_is_not_an_image_is_refused(data, message):
    with raises(ValueError, message):
        view.uploaded(data, "p.png")


@pytest.mark.parametrize(
    "setting, picture",
    [
        (Setting(level=30, seed=4, **SMALL), "dogs"),
        (Setting("JPEG", 20, 0, page.SMALL, SEEN), "camera"),
        (Setting("salt and pepper", 7, 1, "median 3×3", SEEN), "dogs"),
        (Setting("down-up", 2, 0, page.SMALL, None), "pagoda"),
        (Setting(level=10, **SMALL), None),
    ],
)
def test_the_code_gives_what_is_shown(setting, picture, tmp_path, monkeypatch, capsys):
    values = dn.sample_image(picture or "dogs")
    if picture is None:
        monkeypatch.chdir(tmp_path)
        dn.write_image("your-picture.png", values)
    found: dict = {}
    exec(view.code_for(setting, picture), found)
    shown = explore(values, setting)
    assert np.allclose(found["restored"][found["seen"]], shown.restored, atol=3e-3)
    assert capsys.readouterr().out == f"{shown.quick_numbers()[1]:.1f} dB\n"


def test_the_code_for_an_upload_reduces_it_as_the_page_does(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    large = np.kron(dn.sample_image("dogs", grey=True), np.ones((4, 4), np.float32))
    dn.write_image("your-picture.png", large)
    setting = Setting("JPEG", 10, 0, "median 3×3", Region(700, 100, 48, 40))
    exec(view.code_for(setting, None), {})
    shown = explore(view.reduced(large), setting)
    assert capsys.readouterr().out == f"{shown.quick_numbers()[1]:.1f} dB\n"


# -------------------------------------------------------------------------------------------- pace


def test_the_pace_learns_and_one_hiccup_changes_little(monkeypatch):
    ticks = iter([0, 0.1, 1, 1.05, 2, 2.5])
    monkeypatch.setattr(pace.time, "perf_counter", lambda: next(ticks))
    known = pace.Pace(budget=0.06)
    assert known.affords("net", 10**9), "what is not known is tried"
    with known.timed("net", 100):
        pass
    assert known.expected("net", 100) == pytest.approx(0.1) and not known.affords("net", 100)
    with known.timed("net", 100):  # 0.05 s
        pass
    assert known.affords("net", 100) and not known.affords("net", 200)
    with known.timed("net", 100):  # 0.5 s
        pass
    assert known.expected("net", 100) == pytest.approx(0.7 * 0.05 + 0.3 * 0.5)


def test_a_stoppable_network_is_the_network_until_it_is_stopped():
    net = dn.DnCNN(5, 8).eval()
    noisy = torch.rand(1, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    answers = itertools.chain([True] * 20, itertools.repeat(False))
    stoppable = pace.Stoppable(net, lambda: next(answers))
    with torch.no_grad():
        assert torch.equal(stoppable(noisy.clone()), net(noisy))
        with pytest.raises(pace.Stale):
            stoppable(noisy)


# ------------------------------------------------------------------------------------------- stage


def test_an_upload_arrives_in_parts():
    got, shown = [], stage.Stage()
    shown.on_upload(lambda data, name: got.append((data, name)))
    for part, data in enumerate((b"ab", b"cd", b"e")):
        about = {"type": "upload", "name": "x.png", "part": part, "last": part == 2}
        shown._receive(None, about, [memoryview(data)])
    assert got == [(b"abcde", "x.png")]


def test_an_upload_that_is_too_large_is_dropped(monkeypatch):
    monkeypatch.setattr(stage, "LARGEST_UPLOAD", 3_000_000)
    got, shown = [], stage.Stage()
    shown.on_upload(lambda *upload: got.append(upload))
    for part in range(5):
        about = {"type": "upload", "name": "x", "part": part, "last": part == 4}
        shown._receive(None, about, [bytes(1_000_000)])
    assert got == [] and shown.message == "That file has more than 3 MB."


@pytest.mark.parametrize("content", [None, "x", {}, {"type": "upload"}, {"type": 7}])
def test_other_messages_do_nothing(content):
    shown = stage.Stage()
    shown._receive(None, content, [])
    assert shown.message == ""


# -------------------------------------------------------------------------------------------- page


@pytest.fixture
def explorer():
    return Explorer(picture="pagoda", method=page.SMALL)


def test_the_page_starts_with_a_picture_and_its_numbers(explorer):
    assert explorer.shown.setting == explorer.setting
    assert explorer.shown.method == page.SMALL
    assert "noisy 20." in explorer.summary.value and "PSNR" in explorer.figures.value
    frame = explorer.stage.frame
    assert len(frame["left"]) == frame["height"] * frame["width"]
    assert frame["names"] == ["noisy", "restored"] and "left noisy" in frame["alt"]
    assert not explorer.stage.busy


def test_each_control_does_what_it_says(explorer):
    explorer.level.value = 50
    assert "σ 50" in explorer.summary.value and explorer.shown.setting.level == 50
    before = explorer.shown.noisy
    explorer.again.click()
    assert explorer.shown.setting.seed == 1 and not np.array_equal(explorer.shown.noisy, before)
    explorer.noise.value = "JPEG"
    assert (explorer.level.description, explorer.level.value) == ("quality", 10)
    explorer.left.value = "clean"
    assert explorer.stage.frame["names"] == ["clean", "restored"]
    explorer.stage.zoom = 4
    assert explorer.zoom.value == 4 and explorer.shown.clean.shape == (128, 128)
    explorer.stage.centre = [0.0, 0.0]
    assert explorer.shown.setting.region == Region(0, 0, 128, 128)
    explorer.method.value = "median 3×3"
    assert "by median 3×3" in explorer.summary.value
    explorer.picture.value = "dogs"
    assert explorer.stage.overview["whole"] == [384, 384]
    explorer.show_code.value = True
    assert "dn.JPEGCompression(10)" in explorer.code.value
    assert explorer.code.layout.display == "block"
    assert explorer.file_name == "dogs_jpeg_10_median_3_3.png"
    with Image.open(io.BytesIO(explorer.png())) as saved:
        assert saved.size == (128 + 8 + 128, 128)


def test_level_zero_has_no_noise_and_no_error(explorer):
    explorer.level.value = 0
    assert "noisy exact" in explorer.summary.value
    explorer.method.value = "total variation"
    assert "restored by total variation exact" in explorer.summary.value
    assert "Nothing was taken away" in explorer.figures.value


def test_an_upload_becomes_the_picture_and_a_bad_one_changes_nothing(explorer):
    explorer._open(_file(np.full((60, 50), 100, np.uint8)), "mine.png")
    assert explorer.picture.value == "your picture" and explorer.clean.shape == (60, 50)
    assert explorer.stage.message == "mine.png: 50×60 pixels"
    assert "<td>–</td>" not in explorer.figures.value
    shown = explorer.shown
    explorer._open(b"no", "<b>letter</b>.png")
    assert "does not hold" in explorer.stage.message and explorer.shown is shown
    explorer._open(_file(np.full((20, 50, 3), 9, np.uint8), "JPEG"), "other.jpg")
    assert explorer.clean.shape == (20, 50, 3)
    explorer.show_code.value = True
    assert "your-picture.png" in explorer.code.value
    explorer._open(_file(np.full((20, 2048), 9, np.uint8)), "strip.png")
    assert explorer.stage.message == "strip.png: 2048×20, reduced to 1024×10 pixels"
    assert "<td>–</td>" in explorer.figures.value and "nan" not in explorer.figures.value
    explorer.picture.value = "pagoda"
    assert explorer.stage.message == ""


def test_the_page_says_what_becomes_of_colour(explorer, monkeypatch):
    assert (
        "gets the picture in grey" in explorer.about.value and " red" not in explorer.figures.value
    )
    net = dn.DnCNN(3, 8, channels=3).eval()
    network = view.network
    monkeypatch.setattr(view, "network", lambda name: net if name == "cdncnn-b" else network(name))
    explorer.method.value = "cdncnn-b"
    assert "grey" not in explorer.about.value and "</b> from red" in explorer.figures.value
    explorer.picture.value = "camera"
    assert "each of red, green and blue" in explorer.about.value


@pytest.mark.parametrize(
    ("method", "small"), [("dncnn-b", "dncnn-3-small"), ("cdncnn-b", "cdncnn-b-small")]
)
def test_a_slow_machine_gets_a_quick_look_and_then_the_network(method, small):
    async def use():
        explorer = Explorer(picture="pagoda", method=method, budget=0)
        await explorer.rest()
        assert explorer.shown.method == method
        explorer.level.value = 30
        quick = explorer.shown
        assert quick.method == small and "quick look" in explorer.summary.value
        assert explorer.file_name == f"pagoda_gaussian_30_{small}.png"
        assert explorer.stage.busy
        found = await explorer.rest()
        assert found.method == method and found.setting == quick.setting
        assert "quick look" not in explorer.summary.value and not explorer.stage.busy

    asyncio.run(use())


def test_of_many_changes_the_last_one_is_answered(monkeypatch):
    measured = []
    numbers = view.Exploration.numbers

    def counted(found):
        measured.append(found.setting.level)
        return numbers(found)

    async def use():
        explorer = Explorer(picture="pagoda", method="dncnn-b", budget=0)
        await explorer.rest()
        monkeypatch.setattr(view.Exploration, "numbers", counted)
        for level in range(1, 31):
            explorer.level.value = level
            await asyncio.sleep(0.01)
        found = await explorer.rest()
        assert found.setting.level == 30 and measured == [30]

    asyncio.run(use())


def test_what_is_stale_is_stopped_between_layers():
    async def use():
        explorer = Explorer(picture="pagoda", method="dncnn-b", budget=0)
        await explorer.rest()
        explorer.level.value = 30
        quick = explorer.shown
        explorer._newest += 1  # as a change does
        with pytest.raises(pace.Stale):
            explorer._complete(explorer._newest - 1, explorer.clean, quick)

    asyncio.run(use())


def test_a_change_of_picture_does_not_disturb_what_was_begun():
    async def use():
        explorer = Explorer(picture="dogs", method="dncnn-b", budget=0)
        await explorer.rest()
        clean, quick = explorer.clean, explorer.shown
        explorer._upload = np.full((9, 9), 0.5, np.float32)
        explorer.picture.options = [*explorer.picture.options, page.MINE]
        explorer.picture.value = page.MINE
        found, _ = explorer._complete(explorer._newest, clean, quick)
        assert found.clean.shape == (256, 256)
        assert (await explorer.rest()).clean.shape == (9, 9)

    asyncio.run(use())


def test_what_fails_later_is_said(monkeypatch):
    async def use():
        explorer = Explorer(picture="pagoda", method=page.SMALL)
        await explorer.rest()

        def fail(found):
            raise MemoryError("no room")

        monkeypatch.setattr(view.Exploration, "numbers", fail)
        explorer.level.value = 30
        await explorer.rest()
        assert explorer.stage.message == "MemoryError: no room" and not explorer.stage.busy
        with pytest.raises(MemoryError):
            await explorer._rest

    asyncio.run(use())


def test_what_fails_at_once_is_said(explorer, monkeypatch):
    def fail(*args, **options):
        raise MemoryError("no room")

    monkeypatch.setattr(view, "explore", fail)
    with pytest.raises(MemoryError):
        explorer.level.value = 30
    assert explorer.stage.message == "MemoryError: no room" and not explorer.stage.busy


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="^picture is 'lena', but must be one of"):
        Explorer(picture="lena")
    with pytest.raises(ValueError, match="^method is 'bm3d', but must be one of"):
        Explorer(method="bm3d")
