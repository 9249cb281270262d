"""The controls without a browser."""

import asyncio
import html
import io
import re
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

import dncnn_lib as dn
from dncnn_lib.explorer import pace, page, timing, view
from dncnn_lib.explorer.page import Explorer
from dncnn_lib.explorer.view import Region

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def explorer():
    return Explorer(picture="pagoda", method=page.QUICK_GREY)


def file_of(picture, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind)
    return file.getvalue()


def test_the_page_starts_with_a_picture_and_its_numbers(explorer):
    assert explorer.shown.setting == explorer.setting
    assert explorer.shown.method == page.QUICK_GREY
    assert "noisy 20." in explorer.summary.value and "PSNR" in explorer.table.value
    frame = explorer.stage.frame
    assert len(frame["left"]) == frame["height"] * frame["width"]
    assert frame["names"] == ["noisy", "restored"] and "left noisy" in frame["alt"]
    assert not explorer.stage.busy


def test_each_control_does_what_it_says(explorer):
    explorer.level.value = 50
    assert "σ 50" in explorer.summary.value and explorer.shown.setting.level == 50
    before = explorer.shown.comparison.degraded
    explorer.new_noise.click()
    assert explorer.shown.setting.seed == 1
    assert not np.array_equal(explorer.shown.comparison.degraded, before)
    explorer.noise.value = "JPEG"
    assert (explorer.level.description, explorer.level.value) == ("quality", 10)
    explorer.left.value = "clean"
    assert explorer.stage.frame["names"] == ["clean", "restored"]
    explorer.stage.zoom = 4
    assert explorer.zoom.value == 4 and explorer.shown.comparison.clean.shape == (128, 128)
    explorer.stage.centre = [0.0, 0.0]
    assert explorer.shown.setting.region == Region(0, 0, 128, 128)
    explorer.method.value = "median 3×3"
    assert "by median 3×3" in explorer.summary.value
    explorer.picture.value = "dogs"
    assert explorer.stage.overview["whole"] == [384, 384]
    explorer.show_code.value = True
    assert "dn.apply(dn.JPEGCompression(quality=10), clean, seed=1)" in explorer.code.value
    assert explorer.code.layout.display == "block"
    assert explorer.file_name == "dogs_jpeg_10_median_3_3.png"
    with Image.open(io.BytesIO(explorer.png())) as saved:
        pixels = np.asarray(saved)
    assert np.array_equal(pixels[:, :128], explorer.shown.picture("clean"))
    assert np.array_equal(pixels[:, 136:], explorer.shown.picture("restored"))
    assert (pixels[:, 128:136] == 255).all()


def test_the_code_prints_the_numbers_of_the_page(explorer, capsys):
    explorer.method.value, explorer.level.value = "median 3×3", 75
    restored = explorer.shown.comparison.restored
    unclipped = dn.psnr(restored, explorer.shown.comparison.clean, data_range=1.0)
    assert explorer.shown.comparison.psnr > unclipped + 0.1
    explorer.show_code.value = True
    exec(html.unescape(re.sub("<.*?>", "", explorer.code.value)), {})
    printed = re.findall(r"[\d.]+ dB", capsys.readouterr().out)
    assert len(printed) == 2
    assert re.findall(r"[\d.]+ dB", explorer.summary.value) == printed
    assert re.findall(r"[\d.]+ dB", explorer.table.value) == printed


def test_level_zero_has_no_noise_and_no_error(explorer):
    explorer.level.value = 0
    assert "noisy ∞ dB" in explorer.summary.value
    explorer.method.value = "total-variation"
    assert "restored by total-variation ∞ dB" in explorer.summary.value
    assert "Nothing was removed" in explorer.table.value


def test_an_upload_becomes_the_picture_and_a_bad_one_changes_nothing(explorer):
    explorer._open_upload(file_of(np.full((60, 50), 100, np.uint8)), "mine.png")
    assert explorer.picture.value == "your picture" and explorer.clean.shape == (60, 50)
    assert np.allclose(explorer.clean, 100 / 255)
    assert explorer.stage.message == {"text": "mine.png: 50×60 pixels", "error": False}
    assert "<td>–</td>" not in explorer.table.value
    explorer._open_upload(file_of(np.full((20, 50, 3), 9, np.uint8), "JPEG"), "other.jpg")
    assert explorer.clean.shape == (20, 50, 3)
    explorer.show_code.value = True
    assert "your-picture.png" in explorer.code.value
    explorer._open_upload(file_of(np.full((20, 2048), 9, np.uint8)), "strip.png")
    text = "strip.png: 2048×20, reduced to 1024×10 pixels"
    assert explorer.stage.message == {"text": text, "error": False}
    assert "<td>–</td>" in explorer.table.value and "nan" not in explorer.table.value
    explorer.picture.value = "pagoda"
    assert explorer.stage.message["text"] == ""


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "<b>p</b>.png is empty (0 bytes), but must be an image file"),
        (
            b"hello",
            "<b>p</b>.png does not hold a PNG, JPEG, TIFF, WebP or BMP image, whatever its name "
            "says",
        ),
    ],
)
def test_an_upload_that_is_not_an_image_changes_nothing_and_is_told_as_an_error(
    explorer, data, message
):
    shown = explorer.shown
    explorer._open_upload(data, "<b>p</b>.png")
    assert explorer.stage.message == {"text": message, "error": True}
    assert explorer.shown is shown and explorer.picture.value == "pagoda"


def test_the_page_says_what_becomes_of_colour(explorer, monkeypatch):
    assert "given the picture in grey" in explorer.method_note.value
    assert " red" not in explorer.table.value
    net = dn.DnCNN(3, 8, channels=3).eval()
    model = view.model
    monkeypatch.setattr(view, "model", lambda name: net if name == "cdncnn-b" else model(name))
    explorer.method.value = "cdncnn-b"
    assert "grey" not in explorer.method_note.value and "</b> from red" in explorer.table.value
    explorer.picture.value = "camera"
    assert "each of red, green and blue" in explorer.method_note.value


@pytest.mark.parametrize(
    ("method", "small"),
    [("dncnn-b", "dncnn-3-small"), ("cdncnn-b", "cdncnn-b-small"), ("bm3d", "dncnn-3-small")],
)
def test_a_slow_machine_gets_a_quick_look_and_then_the_method(method, small):
    async def use():
        explorer = Explorer(picture="pagoda", method=method, budget=0)
        await explorer.settled()
        assert explorer.shown.method == method
        explorer.level.value = 30
        quick = explorer.shown
        assert quick.method == small and "quick look" in explorer.summary.value
        assert explorer.file_name == f"pagoda_gaussian_30_{small}.png"
        assert explorer.stage.busy
        found = await explorer.settled()
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
        await explorer.settled()
        monkeypatch.setattr(view.Exploration, "numbers", counted)
        for level in range(1, 31):
            explorer.level.value = level
            await asyncio.sleep(0.01)
        found = await explorer.settled()
        assert found.setting.level == 30 and measured == [30]

    asyncio.run(use())


@pytest.mark.parametrize("method", ["dncnn-b", "bm3d"])
def test_what_is_stale_is_stopped(method):
    async def use():
        explorer = Explorer(picture="pagoda", method=method, budget=0)
        await explorer.settled()
        explorer.level.value = 30
        quick = explorer.shown
        explorer._change_number += 1  # as a change does
        with pytest.raises(pace.Stale):
            explorer._completed(explorer._change_number - 1, explorer.clean, quick)

    asyncio.run(use())


class Gate(torch.nn.Module):
    """A prior that cannot be stopped, and lets nothing through until its gate is open."""

    channels, receptive_field = 1, None

    def __init__(self):
        super().__init__()
        self.opened, self.begun = threading.Event(), threading.Event()
        self.levels, self.threads = [], set()

    def forward(self, noisy, sigma):
        self.levels.append(round(255 * sigma.item()))
        self.threads.add(threading.current_thread())
        self.begun.set()
        self.opened.wait(60)
        return noisy


@pytest.fixture
def gate(monkeypatch):
    """Stands for ``nlm``."""
    gate, model = Gate(), view.model
    monkeypatch.setattr(view, "model", lambda name: gate if name == "nlm" else model(name))
    yield gate
    gate.opened.set()


def test_what_was_never_timed_or_is_slow_does_not_run_while_the_hand_moves(gate):
    async def use():
        explorer = Explorer(picture="pagoda", method=page.QUICK_GREY)
        await explorer.settled()
        explorer.method.value = "nlm"
        assert explorer.shown.method == page.QUICK_GREY and gate.levels == []
        assert "(a quick look; nlm follows when your hand rests)" in explorer.summary.value
        assert await asyncio.to_thread(gate.begun.wait, 60)
        gate.opened.set()
        assert (await explorer.settled()).method == "nlm"
        assert "look" not in explorer.summary.value and "by nlm " in explorer.summary.value
        for seconds, words in ((2.2, ", in about 2 s)"), (0.4, "rests)")):
            explorer.pace = pace.Pace()
            explorer.pace.learn("nlm", 256 * 256, seconds)
            explorer.level.value += 1
            assert explorer.shown.method == page.QUICK_GREY
            assert words in explorer.summary.value
            await explorer.settled()
        explorer.pace.learn("nlm", 256 * 256, 0.01)
        explorer.level.value += 1
        assert explorer.shown.method == "nlm"
        assert threading.current_thread() in gate.threads
        await explorer.settled()

    asyncio.run(use())


def test_slow_answers_do_not_pile_up_and_stale_ones_are_not_shown(gate):
    async def use():
        explorer = Explorer(picture="pagoda", method=page.QUICK_GREY)
        await explorer.settled()
        explorer.method.value = "nlm"
        assert await asyncio.to_thread(gate.begun.wait, 60)
        for level in (30, 40, 50):
            explorer.level.value = level
            assert explorer.shown.method == page.QUICK_GREY, "the page answers meanwhile"
            await asyncio.sleep(2 * page.PAUSE)
        assert gate.levels == [25]
        number = explorer.stage.frame["number"]
        gate.opened.set()
        found = await explorer.settled()
        assert found.method == "nlm" and found.setting.level == 50
        assert gate.levels == [25, 50] and explorer.stage.frame["number"] == number + 1

    asyncio.run(use())


@pytest.mark.parametrize("noise, level", [("Gaussian", 0), ("quantisation", 2)])
def test_without_noise_no_one_learns_how_fast_a_prior_is(explorer, noise, level):
    """What quantisation does to a flat picture is no noise either: all of it is one number."""
    explorer._open_upload(file_of(np.full((64, 64), 100, np.uint8)), "flat.png")
    explorer.noise.value, explorer.level.value = noise, level
    explorer.method.value = "total-variation"
    assert explorer.shown.method == "total-variation"
    assert not explorer.pace.affords("total-variation", 1)
    explorer.noise.value = "Poisson"
    assert 0 < explorer.pace.expected("total-variation", 256 * 256) < 60


def test_a_tiny_picture_does_not_make_a_method_slow(explorer):
    explorer._open_upload(file_of(np.full((2, 3), 100, np.uint8)), "dots.png")
    explorer.method.value = "bm3d"
    assert 0.01 < explorer.pace.expected("bm3d", 256 * 256) < 60


def test_a_change_of_picture_does_not_disturb_what_was_begun():
    async def use():
        explorer = Explorer(picture="dogs", method="dncnn-b", budget=0)
        await explorer.settled()
        clean, quick = explorer.clean, explorer.shown
        explorer._uploaded = np.full((9, 9), 0.5, np.float32)
        explorer.picture.options = [*explorer.picture.options, page.UPLOAD]
        explorer.picture.value = page.UPLOAD
        found, _ = explorer._completed(explorer._change_number, clean, quick)
        assert found.comparison.clean.shape == (256, 256)
        assert (await explorer.settled()).comparison.clean.shape == (9, 9)

    asyncio.run(use())


def test_what_arrives_in_another_thread_waits_its_turn(explorer, monkeypatch):
    begun, original, saved = threading.Event(), view.explore, []

    def slow(*args, **options):
        begun.set()
        time.sleep(0.3)
        return original(*args, **options)

    monkeypatch.setattr(view, "explore", slow)
    monkeypatch.setattr(page.Stage, "save", lambda _, data, name: saved.append((data, name)))
    change = threading.Thread(target=setattr, args=(explorer.picture, "value", "dogs"))
    change.start()
    assert begun.wait(10)
    explorer.save.click()
    change.join()
    (data, name), expected = saved[0], explorer.png()
    assert name == "dogs_gaussian_25_dncnn-3-small.png" and data == expected


def test_a_change_in_another_thread_is_waited_for():
    explorer = Explorer(picture="pagoda", method="dncnn-b", budget=0)
    changed, waited = threading.Event(), threading.Event()

    async def change():
        explorer.level.value = 30
        changed.set()
        while not waited.is_set():
            await asyncio.sleep(0.01)

    other = threading.Thread(target=asyncio.run, args=(change(),))
    other.start()
    try:
        assert changed.wait(30)
        found = asyncio.run(asyncio.wait_for(explorer.settled(), 60))
    finally:
        waited.set()
        other.join()
    assert found.method == "dncnn-b" and found.setting.level == 30


def test_what_fails_later_is_told_as_an_error(monkeypatch):
    async def use():
        explorer = Explorer(picture="pagoda", method=page.QUICK_GREY)
        await explorer.settled()

        def fail(found):
            raise MemoryError("no room")

        monkeypatch.setattr(view.Exploration, "numbers", fail)
        explorer.level.value = 30
        await explorer.settled()
        assert explorer.stage.message == {"text": "MemoryError: no room", "error": True}
        assert not explorer.stage.busy
        with pytest.raises(MemoryError):
            await explorer._completing

    asyncio.run(use())


def test_what_fails_at_once_is_told_as_an_error(explorer, monkeypatch):
    def fail(*args, **options):
        raise MemoryError("no room")

    monkeypatch.setattr(view, "explore", fail)
    with pytest.raises(MemoryError):
        explorer.level.value = 30
    assert explorer.stage.message == {"text": "MemoryError: no room", "error": True}
    assert not explorer.stage.busy


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="^picture is 'lena', but must be one of"):
        Explorer(picture="lena")
    with pytest.raises(ValueError, match="^method is 'bm4d', but must be one of"):
        Explorer(method="bm4d")


def test_the_shares_of_an_answer_are_measured_anew_in_each_repeat(monkeypatch):
    counts = dict.fromkeys(("psnr", "ssim"), 0)
    for name in counts:
        metric = getattr(dn, name)

        def counted(*args, name=name, metric=metric, **options):
            counts[name] += 1
            return metric(*args, **options)

        monkeypatch.setattr(f"dncnn_lib.evaluation.{name}", counted)
    shares = timing.shares(32, page.QUICK_GREY, repeats=3)
    assert list(shares) == ["noise", "restoration", "picture", "numbers"]
    assert shares["picture"] > 0 and shares["numbers"] > 0
    assert counts["psnr"] >= 2 * 3 and counts["ssim"] == 2 * 3
