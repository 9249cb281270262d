"""The explorer in Chromium: in JupyterLab, in Voila, and its stage without a kernel.

Skipped where there is no Chromium.
"""

import io
import re
from pathlib import Path

import browser
import numpy as np
import pytest
from PIL import Image

from dncnn_lib.explorer import stage

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not browser.chromium(), reason="needs Chromium: apt install chromium"),
]


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(
            executable_path=browser.chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        yield running
        running.close()


@pytest.fixture(scope="module", params=browser.SERVERS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def address(kind, tmp_path_factory):
    with browser.serving(kind, tmp_path_factory.mktemp(kind)) as found:
        yield found


@pytest.fixture(scope="module")
def page(kind, address, chromium):
    opened = chromium.new_page(viewport={"width": 1280, "height": 720})
    opened.set_default_timeout(30_000)
    opened.failures = []
    opened.on("pageerror", lambda error: opened.failures.append(str(error)))
    browser.open_explorer(kind, address, opened)
    yield opened
    assert opened.failures == []
    opened.close()


def control(page, label):
    """The dropdown of that label."""
    return page.locator(f'.widget-dropdown:has(label:text-is("{label}")) select')


def summary(page):
    return page.inner_text("div[role=status]")


def wait_for_summary(page, pattern):
    page.wait_for_function(
        "pattern => new RegExp(pattern).test("
        "document.querySelector('div[role=status]').textContent)",
        arg=pattern,
    )
    page.wait_for_selector(".dncnn-picture[aria-busy=false]")
    return summary(page)


def message_colour(page):
    return page.locator(".dncnn-message").evaluate("e => getComputedStyle(e).color")


def decibels(text):
    return [float(value) for value in re.findall(r"(-?[\d.]+) dB", text)]


def test_the_page_shows_a_restored_picture(page):
    noisy, restored = decibels(wait_for_summary(page, "by dncnn-b"))
    assert noisy == pytest.approx(20.2, abs=0.2) and restored > noisy + 8
    assert "left noisy, right restored" in page.get_attribute(".dncnn-picture", "aria-label")


def test_the_arrow_keys_move_the_level(page):
    before = browser.picture_number(page)
    page.locator(".noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    wait_for_summary(page, "σ 26:")
    assert browser.picture_number(page) > before
    page.keyboard.press("ArrowLeft")
    wait_for_summary(page, "σ 25:.*by dncnn-b")


def test_a_hundred_quick_changes_end_with_the_last(page):
    page.locator(".noUi-handle").first.focus()
    for step in range(100):
        page.keyboard.press("ArrowRight" if step % 10 < 6 else "ArrowLeft")
    words = wait_for_summary(page, "σ 45:.*by dncnn-b")
    page.wait_for_timeout(1500)
    assert summary(page) == words
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    wait_for_summary(page, "σ 25:.*by dncnn-b")


def test_swiping_asks_nothing_of_python(page):
    number, before = browser.picture_number(page), browser.pixels(page)
    page.focus(".dncnn-tools input[type=range]")
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    assert browser.pixels(page) != before
    assert browser.picture_number(page) == number


def test_dragging_the_line_swipes_and_the_picture_pans(page):
    page.evaluate("document.querySelector('.dncnn-picture').scrollIntoView()")
    box = page.locator(".dncnn-picture").bounding_box()
    line = page.locator(".dncnn-line").bounding_box()
    page.mouse.move(line["x"] + 1, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 100, steps=5)
    page.mouse.up()
    left = page.locator(".dncnn-line").bounding_box()["x"]
    assert left == pytest.approx(box["x"] + 0.25 * box["width"], abs=4)

    press = {"button": 2, "clientX": left + 1, "clientY": box["y"] + 100}
    page.locator(".dncnn-picture").dispatch_event("pointerdown", press)
    page.mouse.move(box["x"] + 300, box["y"] + 100)
    assert page.locator(".dncnn-line").bounding_box()["x"] == left

    number = browser.picture_number(page)
    page.mouse.move(box["x"] + 400, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 150, steps=5)
    page.mouse.up()
    page.wait_for_function(
        "number => +document.querySelector('.dncnn-picture').dataset.number > number", arg=number
    )


def test_keys_on_the_picture_move_and_zoom(page):
    page.focus(".dncnn-picture")
    page.keyboard.press("+")
    page.wait_for_function("document.querySelector('.dncnn-picture').width == 170 * 3")
    page.keyboard.press("-")
    page.wait_for_function("document.querySelector('.dncnn-picture').width == 512")
    number = browser.picture_number(page)
    page.keyboard.press("ArrowDown")
    page.wait_for_function(
        "number => +document.querySelector('.dncnn-picture').dataset.number > number", arg=number
    )


def test_the_median_beats_the_network_on_salt_and_pepper(page):
    control(page, "noise").select_option("salt and pepper")
    network = decibels(wait_for_summary(page, "salt and pepper.*by dncnn-b"))[1]
    control(page, "method").select_option("median 3×3")
    median = decibels(wait_for_summary(page, "by median"))[1]
    assert median > network + 3
    control(page, "noise").select_option("Gaussian")
    control(page, "method").select_option("dncnn-b")
    wait_for_summary(page, "Gaussian, σ 25:.*by dncnn-b")


def test_the_other_views(page):
    for view in ("clean", "removed", "error ×4"):
        control(page, "right").select_option(view)
        page.wait_for_selector(f'.dncnn-picture[aria-label*="right {view}"]')
    control(page, "right").select_option("restored")


def test_an_upload_is_shown_and_a_wrong_one_is_refused(page, tmp_path):
    ramp = np.tile(np.linspace(0, 255, 1600).astype(np.uint8), (1200, 1))
    noise = np.random.default_rng(0).integers(0, 30, ramp.shape).astype(np.uint8)
    Image.fromarray(ramp // 2 + noise).save(tmp_path / "ramp.png")  # more than one message's worth
    assert (tmp_path / "ramp.png").stat().st_size > 2**20
    page.set_input_files(".dncnn-tools input[type=file]", tmp_path / "ramp.png")
    page.wait_for_selector(
        '.dncnn-message:has-text("ramp.png: 1600×1200, reduced to 1024×768 pixels")'
    )
    wait_for_summary(page, "by dncnn-b")
    assert control(page, "picture").input_value() == "your picture"
    assert message_colour(page) == "rgb(17, 17, 17)"

    (tmp_path / "letter.png").write_text("Dear Sir or Madam")
    page.set_input_files(".dncnn-tools input[type=file]", tmp_path / "letter.png")
    page.wait_for_selector('.dncnn-message:has-text("letter.png does not hold a PNG")')
    assert message_colour(page) == "rgb(138, 28, 0)"

    Image.fromarray(ramp[:, :2]).save(tmp_path / "strip.png")
    page.set_input_files(".dncnn-tools input[type=file]", tmp_path / "strip.png")
    page.wait_for_selector('.dncnn-message:has-text("strip.png: 2×1200, reduced to 2×1024 pixels")')
    page.wait_for_function("document.querySelector('.dncnn-map').width == 1")
    assert page.locator(".dncnn-map").bounding_box()["height"] == pytest.approx(96, abs=1)
    control(page, "picture").select_option("dogs")
    page.wait_for_selector('.dncnn-picture[aria-label^="dogs"]')
    wait_for_summary(page, "by dncnn-b")
    assert page.inner_text(".dncnn-message") == ""


def test_the_picture_is_saved(page):
    with page.expect_download() as download:
        page.click('button:has-text("save picture")')
    saved = download.value
    assert saved.suggested_filename == "dogs_gaussian_25_dncnn-b.png"
    with Image.open(io.BytesIO(saved.path().read_bytes())) as picture:
        assert picture.size == (256 + 8 + 256, 256)


def test_the_code_is_shown(page):
    page.click('button:has-text("show the code")')
    page.wait_for_selector("pre:has-text('dn.sample_image(\"dogs\", grey=True)')")
    assert "mono" in page.locator("pre[tabindex]").evaluate("e => getComputedStyle(e).fontFamily")
    page.click('button:has-text("show the code")')


def test_the_slider_has_a_name(page):
    page.wait_for_selector('.noUi-handle[role=slider][aria-label="σ"]')
    assert page.locator('.widget-readout[aria-label="σ"]').count() == 1
    assert page.locator('.dncnn-explorer [title="null"]:visible').count() == 0


def test_a_narrow_window_needs_no_sideways_scrolling(kind, page):
    if kind == "lab":
        pytest.skip("JupyterLab's own panels take the width")
    page.set_viewport_size({"width": 400, "height": 800})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    for part in (".dncnn-picture", ".dncnn-tools", ".widget-dropdown"):
        box = page.locator(part).first.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 400, part
    page.set_viewport_size({"width": 1280, "height": 720})


def test_two_pages_do_not_disturb_one_another(kind, address, page, chromium):
    if kind == "lab":
        pytest.skip("two pages of one notebook share the kernel by design")
    other = chromium.new_page()
    browser.open_explorer(kind, address, other)
    wait_for_summary(page, "σ 25:.*by dncnn-b")
    other.locator(".noUi-handle").first.focus()
    other.keyboard.press("ArrowRight")
    wait_for_summary(other, "σ 26:.*by dncnn-b")
    assert "σ 25:" in summary(page)
    other.close()


def test_after_a_restart_of_the_kernel_the_page_says_so(kind, page):
    if kind == "voila":
        pytest.skip("Voila has no button to restart")
    page.evaluate("() => { window.jupyterapp.commands.execute('kernelmenu:restart'); }")
    page.click('button.jp-mod-accept:has-text("Restart")')
    page.wait_for_selector('.dncnn-message:has-text("No answer from Python")', timeout=60_000)


# ----------------------------------------------------------------------- the stage without a kernel

# What anywidget's model does, as far as the stage asks for it. No one answers its pings.
MODEL = """values => {
    const listeners = {};
    window.sent = [];
    window.model = {
        get: (name) => values[name],
        set(name, value) {
            if (JSON.stringify(values[name]) === JSON.stringify(value)) return;
            values[name] = value;
            for (const react of listeners[`change:${name}`] ?? []) react();
        },
        save_changes() {},
        send(content, callbacks, buffers) {
            window.sent.push({...content, bytes: (buffers ?? []).map((b) => b.byteLength)});
        },
        on: (event, react) => (listeners[event] ??= []).push(react),
        off: (event, react) => (listeners[event] = listeners[event].filter((r) => r !== react)),
        tell: (content) => listeners["msg:custom"].forEach((react) => react(content, [])),
        count: () => Object.values(listeners).flat().length,
    };
    for (const name of ["left", "right"]) values.frame[name] = new Uint8Array(values.frame[name]);
    values.overview.pixels = new Uint8Array(values.overview.pixels);
}"""


@pytest.fixture
def bare(chromium):
    """A page with the stage on a stand-in for the model: a picture of 8×12 pixels, 4×6 seen."""
    opened = chromium.new_page()
    opened.clock.install()
    values = {
        "frame": {"left": [50] * 24, "right": [200] * 24, "height": 4, "width": 6, "channels": 1}
        | {"names": ["clean", "noisy"], "alt": "two greys", "number": 1},
        "overview": {
            "pixels": [90] * 96,
            "height": 8,
            "width": 12,
            "channels": 1,
            "whole": [8, 12],
        },
        "message": {"text": "", "error": False},
        "centre": [0, 0],
        "zooms": [20, 40, 80],
        "zoom": 40,
        "screen": 160,
        "swipe": 0.5,
        "busy": False,
        "largest": 3_000_000,
    }
    opened.evaluate(MODEL, values)
    opened.evaluate(
        """async (source) => {
            const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
            const { default: stage } = await import(url);
            window.remove = stage.render({model: window.model, el: document.body});
        }""",
        Path(stage.__file__).with_name("stage.js").read_text(encoding="utf-8"),
    )
    yield opened
    opened.close()


def grey_at(page, x, y=2):
    """The grey of a pixel of the picture on the screen."""
    return page.evaluate(
        "([x, y]) => document.querySelector('.dncnn-picture').getContext('2d')"
        ".getImageData(x, y, 1, 1).data[0]",
        [x, y],
    )


def value(page, name):
    return page.evaluate("name => window.model.get(name)", name)


def test_the_stage_draws_two_pictures_under_the_line(bare):
    assert (grey_at(bare, 119), grey_at(bare, 120)) == (50, 200)
    bare.focus(".dncnn-tools input[type=range]")
    bare.keyboard.press("Home")
    assert value(bare, "swipe") == 0 and grey_at(bare, 0) == 200
    assert bare.locator(".dncnn-left").is_hidden() and bare.locator(".dncnn-right").is_visible()
    bare.keyboard.press("End")
    assert value(bare, "swipe") == 1 and grey_at(bare, 239) == 50


def test_the_stage_moves_inside_the_picture_and_zooms(bare):
    bare.focus(".dncnn-picture")
    bare.keyboard.press("ArrowDown")
    assert value(bare, "centre") == [2.5, 2]
    for _ in range(30):
        bare.keyboard.press("ArrowRight")
    bare.keyboard.press("ArrowUp")
    bare.keyboard.press("ArrowUp")
    assert value(bare, "centre") == [2, 10]
    for _ in range(3):
        bare.keyboard.press("+")
    assert value(bare, "zoom") == 80
    for _ in range(3):
        bare.keyboard.press("-")
    assert value(bare, "zoom") == 20
    bare.keyboard.press("ArrowDown")
    assert value(bare, "centre") == [4, 8], "the whole height is seen"


def test_the_map_moves_the_region_and_shows_it(bare):
    before = bare.evaluate("document.querySelector('.dncnn-map').toDataURL()")
    box = bare.locator(".dncnn-map").bounding_box()
    bare.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    row, column = value(bare, "centre")
    assert row == pytest.approx(4, abs=0.2) and column == pytest.approx(6, abs=0.2)
    assert bare.evaluate("document.querySelector('.dncnn-map').toDataURL()") != before


def test_an_upload_is_sent_in_parts_and_a_large_one_is_not(bare):
    def choose(size):
        file = {"name": "x.png", "mimeType": "image/png", "buffer": bytes(size)}
        bare.set_input_files(".dncnn-tools input[type=file]", file)

    choose(2**20 + 5)
    bare.wait_for_function("window.sent.length === 2")
    upload = {"type": "upload", "name": "x.png"}
    assert bare.evaluate("window.sent") == [
        {**upload, "part": 0, "last": False, "bytes": [2**20]},
        {**upload, "part": 1, "last": True, "bytes": [5]},
    ]
    choose(3_000_001)
    bare.wait_for_selector('.dncnn-message.dncnn-error:text-is("That file is larger than 3 MB.")')
    assert bare.evaluate("window.sent.length") == 2
    bare.evaluate("model.tell({type: 'pong'})")
    assert bare.inner_text(".dncnn-message") == "That file is larger than 3 MB."


def test_silence_is_told_as_an_error_until_there_is_an_answer(bare):
    bare.evaluate("model.set('message', {text: 'x.png: 8×12 pixels', error: false})")
    assert bare.get_attribute(".dncnn-message", "class") == "dncnn-message"
    bare.clock.run_for(6_000)
    assert bare.inner_text(".dncnn-message") == "x.png: 8×12 pixels"
    bare.clock.run_for(6_000)
    assert bare.inner_text(".dncnn-error").startswith("No answer from Python")
    bare.evaluate("model.tell({type: 'pong'})")
    assert bare.inner_text(".dncnn-message") == "x.png: 8×12 pixels"
    assert bare.get_attribute(".dncnn-message", "class") == "dncnn-message"


def test_a_stage_that_is_removed_listens_no_more(bare):
    bare.evaluate("window.remove()")
    assert bare.evaluate("model.count()") == 0
    bare.clock.run_for(30_000)
    assert bare.evaluate("window.sent") == []
