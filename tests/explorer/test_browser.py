"""The explorer with its kernel, in Chromium: in JupyterLab and in Voila.

Skipped where there is no Chromium.
"""

from __future__ import annotations

import io
import re

import browser
import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=browser.SERVERS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def address(kind, tmp_path_factory):
    with browser.serving(kind, tmp_path_factory.mktemp(kind)) as found:
        yield found


@pytest.fixture(scope="module")
def page(chromium, kind, address):
    opened = chromium.new_page(viewport={"width": 1280, "height": 720})
    opened.set_default_timeout(60_000)
    opened.failures = []
    opened.on("pageerror", lambda error: opened.failures.append(str(error)))
    browser.open_explorer(kind, address, opened)
    yield opened
    assert opened.failures == []
    opened.close()


def summary(page):
    return page.inner_text(".dncnn-status")


def wait_for_summary(page, pattern):
    page.wait_for_function(
        "pattern => new RegExp(pattern).test(document.querySelector('.dncnn-status').textContent)",
        arg=pattern,
    )
    browser.settle(page)
    return summary(page)


def decibels(text):
    return [float(value) for value in re.findall(r"(-?[\d.]+) dB", text)]


def test_the_page_shows_a_restored_picture(page):
    noisy, restored = decibels(wait_for_summary(page, "by dncnn-b"))
    assert noisy == pytest.approx(20.2, abs=0.2) and restored > noisy + 8
    assert "left noisy, right restored" in page.get_attribute(".dncnn-picture", "aria-label")


def test_the_arrow_keys_move_the_level(page):
    before = browser.picture_number(page)
    page.locator(".dncnn-level").focus()
    page.keyboard.press("ArrowRight")
    wait_for_summary(page, "σ 26:")
    assert browser.picture_number(page) > before
    page.keyboard.press("ArrowLeft")
    wait_for_summary(page, "σ 25:.*by dncnn-b")


def test_a_hundred_quick_changes_end_with_the_last(page):
    page.locator(".dncnn-level").focus()
    for step in range(100):
        page.keyboard.press("ArrowRight" if step % 10 < 6 else "ArrowLeft")
    words = wait_for_summary(page, "σ 45:.*by dncnn-b")
    page.wait_for_timeout(1500)
    assert summary(page) == words
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    wait_for_summary(page, "σ 25:.*by dncnn-b")


def test_zooming_and_moving_asks_for_another_region(page):
    page.focus(".dncnn-picture")
    before = page.get_attribute(".dncnn-picture", "data-region")
    page.keyboard.press("+")
    page.wait_for_function(
        "before => document.querySelector('.dncnn-picture').dataset.region !== before", arg=before
    )
    number = browser.picture_number(page)
    page.keyboard.press("ArrowDown")
    page.wait_for_function(
        "number => +document.querySelector('.dncnn-picture').dataset.number > number", arg=number
    )
    page.keyboard.press("-")
    browser.settle(page)


def test_the_median_beats_the_network_on_salt_and_pepper(page):
    page.get_by_label("noise", exact=True).select_option("salt and pepper")
    network = decibels(wait_for_summary(page, "salt and pepper.*by dncnn-b"))[1]
    page.get_by_label("method", exact=True).select_option("median 3×3")
    median = decibels(wait_for_summary(page, "by median"))[1]
    assert median > network + 3
    page.get_by_label("noise", exact=True).select_option("Gaussian")
    page.get_by_label("method", exact=True).select_option("dncnn-b")
    wait_for_summary(page, "Gaussian, σ 25:.*by dncnn-b")


def test_the_other_views(page):
    for view in ("clean", "removed", "error ×4"):
        page.get_by_label("right picture").select_option(view)
        page.wait_for_selector(f'.dncnn-picture[aria-label*="right {view}"]')
    page.get_by_label("right picture").select_option("restored")
    browser.settle(page)


def test_an_upload_is_shown_and_a_wrong_one_is_refused(page, tmp_path):
    ramp = np.tile(np.linspace(0, 255, 1600).astype(np.uint8), (1200, 1))
    noise = np.random.default_rng(0).integers(0, 30, ramp.shape).astype(np.uint8)
    Image.fromarray(ramp // 2 + noise).save(tmp_path / "ramp.png")  # more than one message's worth
    assert (tmp_path / "ramp.png").stat().st_size > 2**20
    files = ".dncnn-see input[type=file]"
    page.set_input_files(files, tmp_path / "ramp.png")
    page.wait_for_selector(
        '.dncnn-message:has-text("ramp.png: 1600×1200, reduced to 1024×768 pixels")'
    )
    wait_for_summary(page, "by dncnn-b")
    chosen = page.get_by_label("picture", exact=True)
    assert chosen.locator("option:checked").inner_text() == "your picture"

    (tmp_path / "letter.png").write_text("Dear Sir or Madam")
    page.set_input_files(files, tmp_path / "letter.png")
    page.wait_for_selector('.dncnn-error:has-text("letter.png does not hold a PNG")')

    Image.fromarray(ramp[:, :2]).save(tmp_path / "strip.png")
    page.set_input_files(files, tmp_path / "strip.png")
    page.wait_for_selector('.dncnn-message:has-text("strip.png: 2×1200, reduced to 2×1024 pixels")')
    browser.settle(page)
    chosen.select_option("dogs")
    page.wait_for_selector('.dncnn-picture[aria-label^="dogs"]')
    wait_for_summary(page, "by dncnn-b")


def test_the_picture_is_saved(page):
    with page.expect_download() as download:
        page.click('.dncnn-tools button:has-text("save")')
    saved = download.value
    assert saved.suggested_filename == "dogs_gaussian_25_dncnn-b.png"
    height, width = map(int, page.get_attribute(".dncnn-picture", "data-region").split("×"))
    with Image.open(io.BytesIO(saved.path().read_bytes())) as picture:
        assert picture.size == (2 * width + 8, height)


def test_the_code_is_shown(page):
    page.click('.dncnn-tools button:has-text("code")')
    page.wait_for_selector("pre:has-text('dn.sample_image(\"dogs\", grey=True)')")
    assert "mono" in page.locator("pre[tabindex]").evaluate("e => getComputedStyle(e).fontFamily")
    page.click('.dncnn-tools button:has-text("code")')


def test_the_strip_below_can_be_read_in_the_dark(kind, page):
    if kind == "lab":
        page.evaluate(
            "() => window.jupyterapp.commands.execute('apputils:change-theme', "
            "{theme: 'JupyterLab Dark'})"
        )
        page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    else:
        page.emulate_media(color_scheme="dark")
    light = """selector => {
        const style = getComputedStyle(document.querySelector(selector));
        const red = (colour) => +colour.match(/[0-9]+/)[0]; // the greys have hardly another
        return [red(style.backgroundColor), red(style.color)];
    }"""
    for part in (".dncnn-do", ".dncnn-explorer"):
        paper, ink = page.evaluate(light, part)
        assert paper < 60 and ink > 200, part


def test_a_narrow_window_needs_no_sideways_scrolling(kind, page):
    if kind == "lab":
        pytest.skip("JupyterLab's own panels take the width")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".dncnn-picture").bounding_box()["y"] < 5, "the picture is first"
    page.set_viewport_size({"width": 1280, "height": 720})
    browser.settle(page)


def test_two_pages_do_not_disturb_one_another(kind, address, page, chromium):
    if kind == "lab":
        pytest.skip("two pages of one notebook share the kernel by design")
    other = chromium.new_page()
    browser.open_explorer(kind, address, other)
    wait_for_summary(other, "σ 25:.*by dncnn-b")
    other.locator(".dncnn-level").focus()
    other.keyboard.press("ArrowRight")
    wait_for_summary(other, "σ 26:.*by dncnn-b")
    assert "σ 25:" in summary(page)
    other.close()


def test_closing_the_page_ends_its_kernel(kind, address, page, chromium):
    if kind == "lab":
        pytest.skip("a notebook keeps its kernel")
    other = chromium.new_page()
    browser.open_explorer(kind, address, other)
    browser.settle(other)
    running = len(browser.kernel_sizes())
    assert running >= 2
    other.close(run_before_unload=True)
    for _ in range(100):
        if len(browser.kernel_sizes()) == running - 1:
            break
        page.wait_for_timeout(100)
    assert len(browser.kernel_sizes()) == running - 1


def test_after_a_restart_of_the_kernel_the_page_says_so(kind, page):
    """And where a server of its own was stopped, too."""
    if kind == "lab":
        page.evaluate("() => { window.jupyterapp.commands.execute('kernelmenu:restart'); }")
        page.click('button.jp-mod-accept:has-text("Restart")')
    else:
        browser.kill_kernels()
    page.wait_for_selector('.dncnn-gone:has-text("No answer from Python")', timeout=60_000)
    assert page.locator('.dncnn-gone button:text-is("reload the page")').is_visible()
