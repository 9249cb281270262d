"""What Python answers the page, without a browser."""

import asyncio
import io
import json
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
from dncnn_lib.explorer.view import Region, Setting

pytestmark = pytest.mark.usefixtures("one_thread")

SEEN = Region(20, 30, 64, 80)


class Browser:
    """Stands for the page: it asks, and keeps what it is sent, as JSON brings it there."""

    def __init__(self, **options):
        self.explorer = Explorer(**{"picture": "pagoda", "method": page.QUICK_GREY} | options)
        self.answers = []
        self.explorer.widget.send = self._receive
        self.asked = {"picture": "pagoda", "noise": "Gaussian", "level": 25, "seed": 0}
        self.asked |= {"method": self.explorer.widget.start["method"]}
        self.asked |= {"region": vars(SEEN), "views": ["noisy", "restored"]}

    def _receive(self, content, buffers=()):
        content = json.loads(json.dumps(content, allow_nan=False))
        self.answers.append(content | {"buffers": list(buffers)})

    def send(self, buffers=(), **content):
        """The answers to a message that came at once."""
        before = len(self.answers)
        self.explorer._receive(None, {"id": before, **content}, list(buffers))
        return self.answers[before:]

    def explore(self, **changes):
        """The first answer to a changed setting."""
        self.asked |= changes
        return self.send(type="explore", setting=self.asked)[0]

    @property
    def last(self):
        return self.answers[-1]["answer"]

    def pictures(self, number=-1):
        found = self.answers[number]
        shape = found["answer"]["shape"]
        return [np.frombuffer(b, np.uint8).reshape(shape).squeeze() for b in found["buffers"]]


@pytest.fixture
def browser():
    return Browser()


def file_of(picture, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind)
    return file.getvalue()


def upload(browser, data, name):
    return browser.send([data], type="open", name=name, part=0, last=True)[0]


def test_the_page_is_told_what_there_is(browser):
    (answer,) = browser.send(type="describe")
    found = answer["catalogue"]
    assert [p["name"] for p in found["pictures"]] == list(view.sample_names())
    (dogs,) = [p for p in found["pictures"] if p["name"] == "dogs"]
    credit = "“friends”, author: Aitzol Berasategi, licence: CC-BY-4.0"
    size = {"height": 384, "width": 384, "channels": 3}
    assert dogs == {"name": "dogs", **size, "credit": credit}
    assert found["kinds"]["JPEG"] == {"level": "quality", "low": 1, "high": 100, "start": 10}
    methods = {method["name"]: method for method in found["methods"]}
    assert list(methods) == view.method_names() and found["views"] == list(view.VIEWS)
    assert all(method["about"] == view.describe(name) for name, method in methods.items())
    assert methods["dncnn-b"]["trained"] == {"Gaussian": [0, 55]}
    assert methods["dncnn-s-25"]["trained"] == {"Gaussian": [25, 25]}
    assert methods["dncnn-3"]["trained"] == {
        "Gaussian": [0, 55], "JPEG": [5, 99], "down-up": [2, 4],
    }  # fmt: skip
    assert methods["bm3d"]["trained"] is None and methods["median 3×3"]["trained"] is None


@pytest.mark.parametrize("method", view.method_names())
def test_how_many_channels_a_method_takes_is_known_without_its_weights(method):
    assert view.channels(method) == view.model(method).channels


def test_a_question_is_answered_as_view_explore_does(browser):
    changes = {"noise": "JPEG", "level": 30, "seed": 2, "views": ["clean", "error ×4"]}
    browser.explore(**changes)
    found = view.explore(view.sample("pagoda"), Setting("JPEG", 30, 2, page.QUICK_GREY, SEEN))
    numbers = found.numbers()
    left, right = browser.pictures()
    assert np.array_equal(left, found.picture("clean"))
    assert np.array_equal(right, found.picture("error ×4"))
    assert browser.last["region"] == vars(SEEN) and not browser.last["quick"]
    assert browser.last["psnr"] == found.comparison.psnr
    assert browser.last["noisyPsnr"] == found.comparison.degraded_psnr
    told = browser.last["numbers"]
    assert (told["ssim"], told["noisySsim"]) == (numbers.ssim, numbers.degraded_ssim)
    assert told["noiseStd"] == numbers.noise_std
    assert told["autocorrelation"] == pytest.approx(numbers.autocorrelation)
    assert sum(told["histogram"]) == pytest.approx(1)
    assert told["removedStd"] == pytest.approx(255 * found.comparison.removed.std(), rel=1e-4)


def test_each_control_does_what_it_says(browser):
    browser.explore()
    noisy = browser.pictures()[0]
    browser.explore(seed=1)
    assert not np.array_equal(browser.pictures()[0], noisy)
    browser.explore(level=50)
    assert browser.explorer.shown.setting.level == 50
    browser.explore(method="median 3×3", picture="dogs")
    assert browser.last["method"] == "median 3×3"
    expected = SEEN.crop(dn.sample_image("dogs", grey=True))
    assert np.array_equal(browser.explorer.shown.comparison.clean, expected)
    browser.explore(region=vars(Region(0, 0, 12, 13)))
    assert browser.last["shape"] == [12, 13, 1]


def test_other_views_of_the_same_are_not_computed_again(browser, monkeypatch):
    browser.explore()
    monkeypatch.setattr(view, "explore", lambda *args, **options: pytest.fail("computed again"))
    browser.explore(views=["removed", "clean"])
    shown = browser.explorer.shown
    assert np.array_equal(browser.pictures()[0], shown.picture("removed"))
    assert browser.last["numbers"]["ssim"] == shown.comparison.ssim


def test_the_code_prints_the_numbers_of_the_page(browser, capsys):
    browser.explore(method="median 3×3", level=75)
    told, shown = browser.last, browser.explorer.shown.comparison
    assert shown.psnr > dn.psnr(shown.restored, shown.clean, data_range=1.0) + 0.1
    (answer,) = browser.send(type="code", setting=browser.asked)
    exec(answer["code"], {})
    printed = re.findall(r"[\d.]+ dB", capsys.readouterr().out)
    assert printed == [f"{told[name]:.1f} dB" for name in ("noisyPsnr", "psnr")]


def test_level_zero_has_no_noise_and_no_error(browser):
    browser.explore(level=0)
    assert browser.last["noisyPsnr"] is None, "infinite, which JSON cannot say"
    browser.explore(method="total-variation")
    assert browser.last["psnr"] is None and browser.last["method"] == "total-variation"
    assert browser.last["numbers"]["autocorrelation"] == [None] * 17


def test_an_upload_can_be_explored(browser):
    picture = upload(browser, file_of(np.full((60, 50), 100, np.uint8)), "mine.png")["picture"]
    size = {"height": 60, "width": 50, "channels": 1, "whole": [60, 50]}
    assert picture == {"name": "your picture 1", "label": "your picture", **size}
    browser.explore(picture=picture["name"], region=vars(Region(0, 0, 60, 50)))
    assert np.allclose(browser.explorer.shown.comparison.clean, 100 / 255)
    assert browser.last["numbers"]["ssim"] is not None
    (answer,) = browser.send(type="code", setting=browser.asked)
    assert "your-picture.png" in answer["code"]

    large = upload(browser, file_of(np.full((20, 2048, 3), 9, np.uint8), "JPEG"), "strip.jpg")
    assert large["picture"]["whole"] == [20, 2048] and large["picture"]["height"] == 10
    assert large["picture"]["channels"] == 3
    name = large["picture"]["name"]
    browser.explore(picture=name, region=vars(Region(0, 0, 10, 600)))
    assert browser.last["numbers"]["ssim"] is None, "too narrow for its window"
    assert browser.explorer.picture("your picture 1").shape == (60, 50), "the first is still there"


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
def test_an_upload_that_is_not_an_image_is_told_as_an_error(browser, data, message):
    answer = upload(browser, data, "<b>p</b>.png")
    assert answer["error"] == message and "picture" not in answer
    assert browser.explorer._uploads == {}


def test_an_upload_arrives_in_parts(browser):
    data = file_of(np.full((60, 50), 100, np.uint8))
    parts = [data[:30], data[30:60], data[60:]]
    for number, part in enumerate(parts):
        browser.send([memoryview(part)], type="open", name="x", part=number, last=number == 2)
    assert browser.answers[-1]["picture"]["height"] == 60 and len(browser.answers) == 1
    browser.send([data[:30]], type="open", name="x", part=0, last=False)
    browser.send([data[60:]], type="open", name="x", part=2, last=True)
    assert len(browser.answers) == 1, "a part is missing"


def test_an_upload_that_is_too_large_is_dropped(browser, monkeypatch):
    monkeypatch.setattr(page, "LARGEST_UPLOAD", 3_000_000)
    for part in range(5):
        browser.send([bytes(1_000_000)], type="open", name="x", part=part, last=part == 4)
    assert [a["error"] for a in browser.answers] == ["That file is larger than 3 MB."]
    assert browser.explorer._uploads == {}


@pytest.mark.parametrize("content", [None, "x", {}, {"type": 7}, {"type": "load"}])
def test_other_messages_do_nothing(browser, content):
    browser.explorer._receive(None, content, [])
    assert browser.answers == []


def test_a_ping_is_answered(browser):
    assert browser.send(type="ping")[0] == {"id": 0, "buffers": []}


def test_a_question_that_makes_no_sense_is_told(browser):
    assert browser.explore(level=1000)["error"].startswith("level is 1000, but must be at most 75")
    assert browser.explore(level=25, method="bm4d")["error"].startswith("method is 'bm4d'")


@pytest.mark.parametrize(
    ("method", "small"),
    [("dncnn-b", "dncnn-3-small"), ("cdncnn-b", "cdncnn-b-small"), ("bm3d", "dncnn-3-small")],
)
def test_a_slow_machine_gets_a_quick_look_and_then_the_method(method, small):
    async def use():
        browser = Browser(method=method, budget=0)
        browser.explore()
        await browser.explorer.settled()
        first = browser.explore(level=30)["answer"]
        assert first["method"] == small and first["quick"] and first["numbers"] is None
        assert first["waiting"] > 0
        found = await browser.explorer.settled()
        assert found.method == method and found.setting.level == 30
        assert browser.last["method"] == method and not browser.last["quick"]
        assert browser.last["numbers"] and browser.answers[-1]["id"] == browser.answers[-2]["id"]

    asyncio.run(use())


def test_of_many_changes_the_last_one_is_answered(monkeypatch):
    measured = []
    numbers = view.Exploration.numbers

    def counted(found):
        measured.append(found.setting.level)
        return numbers(found)

    async def use():
        browser = Browser(method="dncnn-b", budget=0)
        browser.explore()
        await browser.explorer.settled()
        monkeypatch.setattr(view.Exploration, "numbers", counted)
        for level in range(1, 31):
            browser.explore(level=level)
            await asyncio.sleep(0.01)
        found = await browser.explorer.settled()
        assert found.setting.level == 30 and measured == [30]

    asyncio.run(use())


@pytest.mark.parametrize("method", ["dncnn-b", "bm3d"])
def test_what_is_stale_is_stopped(method):
    async def use():
        browser = Browser(method=method, budget=0)
        explorer = browser.explorer
        browser.explore(level=30)
        quick = explorer.shown
        explorer._question += 1  # as a question does
        with pytest.raises(pace.Stale):
            explorer._completed(explorer._question - 1, explorer.picture("pagoda"), quick)

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
        browser = Browser()
        explorer = browser.explorer
        first = browser.explore(method="nlm")["answer"]
        assert first["method"] == page.QUICK_GREY and gate.levels == []
        assert first["quick"] and first["waiting"] is None, "nobody knows how long it takes"
        assert await asyncio.to_thread(gate.begun.wait, 60)
        gate.opened.set()
        assert (await explorer.settled()).method == "nlm"
        assert not browser.last["quick"] and browser.last["method"] == "nlm"
        explorer.pace = pace.Pace()
        explorer.pace.learn("nlm", SEEN.height * SEEN.width, 2.2)
        first = browser.explore(level=26)["answer"]
        assert first["method"] == page.QUICK_GREY and first["waiting"] == pytest.approx(2.2)
        await explorer.settled()
        explorer.pace.learn("nlm", SEEN.height * SEEN.width, 0.01)
        assert browser.explore(level=27)["answer"]["method"] == "nlm"
        assert threading.current_thread() in gate.threads
        await explorer.settled()

    asyncio.run(use())


def test_slow_answers_do_not_pile_up_and_stale_ones_are_not_shown(gate):
    async def use():
        browser = Browser()
        browser.explore(method="nlm")
        assert await asyncio.to_thread(gate.begun.wait, 60)
        for level in (30, 40, 50):
            first = browser.explore(level=level)["answer"]
            assert first["method"] == page.QUICK_GREY, "the page is answered meanwhile"
            await asyncio.sleep(2 * page.PAUSE)
        assert gate.levels == [25]
        sent = len(browser.answers)
        gate.opened.set()
        found = await browser.explorer.settled()
        assert found.method == "nlm" and found.setting.level == 50
        assert gate.levels == [25, 50] and len(browser.answers) == sent + 1

    asyncio.run(use())


@pytest.mark.parametrize("noise, level", [("Gaussian", 0), ("quantisation", 2)])
def test_without_noise_no_one_learns_how_fast_a_prior_is(browser, noise, level):
    """What quantisation does to a flat picture is no noise either: all of it is one number."""
    flat = upload(browser, file_of(np.full((64, 64), 100, np.uint8)), "flat.png")["picture"]
    known = browser.explorer.pace
    here = {"picture": flat["name"], "region": vars(Region(0, 0, 64, 64))}
    browser.explore(noise=noise, level=level, method="total-variation", **here)
    assert browser.last["method"] == "total-variation"
    assert not known.affords("total-variation", 1)
    browser.explore(noise="Poisson", level=40)
    assert 0 < known.expected("total-variation", 256 * 256) < 60


def test_a_tiny_picture_does_not_make_a_method_slow(browser):
    dots = upload(browser, file_of(np.full((2, 3), 100, np.uint8)), "dots.png")["picture"]
    region = vars(Region(0, 0, 2, 3))
    browser.explore(picture=dots["name"], region=region, method="bm3d")
    assert 0.01 < browser.explorer.pace.expected("bm3d", 256 * 256) < 60


def test_what_arrives_in_another_thread_waits_its_turn(browser, monkeypatch):
    begun, original = threading.Event(), view.explore

    def slow(*args, **options):
        begun.set()
        time.sleep(0.3)
        return original(*args, **options)

    monkeypatch.setattr(view, "explore", slow)
    first = threading.Thread(target=browser.explore, kwargs={"picture": "dogs"})
    first.start()
    assert begun.wait(10)
    data = file_of(np.full((60, 50), 100, np.uint8))
    browser.explorer._receive(None, {"type": "open", "id": "x", "part": 0, "last": True}, [data])
    first.join()
    answered = [answer["id"] for answer in browser.answers]
    assert answered == [0, 0, "x"], "the first look, its numbers, then the upload"


def test_a_change_in_another_thread_is_waited_for():
    browser = Browser(method="dncnn-b", budget=0)
    changed, waited = threading.Event(), threading.Event()

    async def change():
        browser.explore(level=30)
        changed.set()
        while not waited.is_set():
            await asyncio.sleep(0.01)

    other = threading.Thread(target=asyncio.run, args=(change(),))
    other.start()
    try:
        assert changed.wait(30)
        found = asyncio.run(asyncio.wait_for(browser.explorer.settled(), 60))
    finally:
        waited.set()
        other.join()
    assert found.method == "dncnn-b" and found.setting.level == 30


def test_what_fails_later_is_told_as_an_error(monkeypatch):
    async def use():
        browser = Browser()
        browser.explore()
        await browser.explorer.settled()

        def fail(found):
            raise MemoryError("no room")

        monkeypatch.setattr(view.Exploration, "numbers", fail)
        number = browser.explore(level=30)["id"]
        await browser.explorer.settled()
        told = {"id": number, "error": "MemoryError: no room", "late": True, "buffers": []}
        assert browser.answers[-1] == told
        with pytest.raises(MemoryError):
            await browser.explorer._completing

    asyncio.run(use())


def test_what_fails_at_once_is_told_as_an_error(browser, monkeypatch):
    def fail(*args, **options):
        raise RuntimeError("no room")

    monkeypatch.setattr(view, "explore", fail)
    with pytest.raises(RuntimeError):
        browser.explore()
    assert browser.answers == [{"id": 0, "error": "RuntimeError: no room", "buffers": []}]


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="^picture is 'lena', but must be one of"):
        Explorer(picture="lena")
    with pytest.raises(ValueError, match="^method is 'bm4d', but must be one of"):
        Explorer(method="bm4d")


def test_the_page_starts_with_what_python_asks_for():
    started = Explorer(picture="pagoda", method="median 3×3").widget.start
    assert started == {"picture": "pagoda", "method": "median 3×3"}


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
