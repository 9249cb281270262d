"""The front end in Chromium, over an engine that knows two greys. Skipped without Chromium."""

from __future__ import annotations

import browser
import pytest
from node import FRONT

from dncnn_lib.explorer import view
from dncnn_lib.explorer.bundle import bundle

pytestmark = pytest.mark.slow

ENGINE = """([catalogue, source]) => {
    const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
    window.asked = [];
    window.opened = [];
    const numbers = {ssim: 0.9, noisySsim: 0.3, noiseStd: 25, removedStd: 24,
        histogram: new Array(100).fill(0.01), autocorrelation: [1, 0.3, 0.1, 0, 0]};
    const flat = ({height, width}, grey) =>
        ({height, width, channels: 1, pixels: new Uint8Array(height * width).fill(grey)});
    window.engine = {
        delay: 0,
        describe: async () => catalogue,
        async explore(setting, show) {
            window.asked.push(structuredClone(setting));
            if (window.engine.fail) throw new Error(window.engine.fail);
            await new Promise((resolve) => setTimeout(resolve, window.engine.delay));
            const pictures = [flat(setting.region, 50), flat(setting.region, 200)];
            const answer = {region: setting.region, pictures, method: setting.method, quick: false,
                waiting: 0, psnr: 30.25, noisyPsnr: 20.15, numbers: null};
            show({...answer, method: "dncnn-3-small", quick: true, waiting: 3});
            show({...answer, numbers});
        },
        async open(bytes, name) {
            window.opened.push([name, bytes.length]);
            if (name === "bad.png") throw new Error("bad.png is <b>no</b> picture");
            return {name: "your picture 1", label: "your picture", height: 30, width: 50,
                channels: 1, whole: [60, 100]};
        },
        code: async (setting) => `# σ ${setting.level} <b>`,
        watch: (tell) => (window.tellGone = tell),
        close: () => (window.engineClosed = true),
    };
    document.body.style.margin = 0;
    return import(url).then(({ mount }) => (window.mount = mount));
}"""


@pytest.fixture
def opened(chromium, tmp_path):
    """A function that opens a page with the explorer on it."""
    pages = []

    def open_page(hash_="", width=1280, height=720, touch=False, **options):
        blank = tmp_path / "blank.html"
        blank.write_text('<!doctype html><html lang="en"><title>x</title><body></body></html>')
        page = chromium.new_page(viewport={"width": width, "height": height}, has_touch=touch)
        page.set_default_timeout(60_000)
        page.failures = []
        page.on("pageerror", lambda error: page.failures.append(str(error)))
        page.goto(blank.as_uri() + hash_)
        page.add_style_tag(content=(FRONT / "explorer.css").read_text("utf-8"))
        source = bundle(FRONT / "explorer.js")
        page.evaluate(ENGINE, [view.catalogue(), source])
        page.evaluate(
            """(options) => mount(document.body, engine, options)
                .then((made) => { window.explorer = made; })""",
            {"page": True} | options,
        )
        browser.settle(page)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        assert page.failures == []
        page.close()


def state(page, name):
    return page.evaluate("name => explorer.state[name]", name)


def last(page):
    browser.settle(page)
    return page.evaluate("asked.at(-1)")


def grey_at(page, x, y):
    """The grey of a pixel of the picture on the screen."""
    return page.evaluate(
        "([x, y]) => document.querySelector('.dncnn-picture').getContext('2d')"
        ".getImageData(x, y, 1, 1).data[0]",
        [x, y],
    )


def drag(page, start, end, button="left"):
    page.mouse.move(*start)
    page.mouse.down(button=button)
    page.mouse.move(*end, steps=4)
    page.mouse.up(button=button)


def test_the_picture_has_most_of_the_window(opened):
    for width, height, share in ((1920, 1080, 0.6), (1280, 720, 0.5), (390, 844, 0.5)):
        page = opened(width=width, height=height)
        box = page.locator(".dncnn-picture").bounding_box()
        assert box["width"] * box["height"] > share * width * height, (width, height)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert all(grey_at(page, x, 60) in (50, 200) for x in (5, int(box["width"]) - 5)), "filled"


def test_on_a_phone_the_picture_is_first_and_the_level_is_seen_below(opened):
    page = opened(width=390, height=844)
    boxes = [
        page.locator(f".dncnn-{name}").bounding_box() for name in ("frame", "do", "told", "see")
    ]
    assert boxes[0]["y"] == 0 and [b["y"] for b in boxes] == sorted(b["y"] for b in boxes)
    level = page.locator(".dncnn-level").bounding_box()
    assert level["y"] + level["height"] < 844
    for part in page.locator("button:visible, select:visible").all():
        box = part.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390


def test_swiping_asks_nothing(opened):
    page = opened()
    asked = page.evaluate("asked.length")
    box = page.locator(".dncnn-picture").bounding_box()
    middle, y = int(box["width"] / 2), 300
    assert (grey_at(page, middle - 3, y), grey_at(page, middle + 3, y)) == (50, 200)
    top = box["y"] + y
    drag(page, (middle, top), (100, top))
    assert (grey_at(page, 97, y), grey_at(page, 103, y)) == (50, 200)
    page.locator("input[aria-label^='how much']").focus()
    page.keyboard.press("End")
    assert state(page, "swipe") == 1 and grey_at(page, int(box["width"]) - 5, y) == 50
    assert page.evaluate("asked.length") == asked


def test_side_by_side_and_hold_to_flip(opened):
    page = opened()
    box = page.locator(".dncnn-picture").bounding_box()
    x, y = int(box["width"] / 4), 300
    page.click('button:text-is("side by side")')
    browser.settle(page)
    assert (grey_at(page, x, y), grey_at(page, 3 * x, y)) == (50, 200)
    region = last(page)["region"]
    assert region["width"] / region["height"] == pytest.approx(
        box["width"] / 2 / box["height"], 0.05
    )
    page.click('button:text-is("hold to flip")')
    browser.settle(page)
    assert grey_at(page, x, y) == 200
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.down()
    assert grey_at(page, x, y) == 50
    page.mouse.up()
    assert grey_at(page, x, y) == 200
    page.locator(".dncnn-flip").focus()
    page.keyboard.down("Enter")
    assert grey_at(page, x, y) == 50
    page.keyboard.up("Enter")
    assert grey_at(page, x, y) == 200


def test_the_level_moves_by_keys_and_by_a_hand(opened):
    page = opened()
    page.locator(".dncnn-level").focus()
    for key, level in (
        ("ArrowRight", 26),
        ("ArrowLeft", 25),
        ("PageUp", 33),
        ("End", 75),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        assert state(page, "level") == level, key
    assert last(page)["level"] == 0
    assert page.get_attribute(".dncnn-level", "aria-valuetext") == "σ 0"
    box = page.locator(".dncnn-level").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert state(page, "level") == pytest.approx(37, abs=2)
    page.get_by_label("noise", exact=True).select_option("phone camera")
    assert last(page)["level"] == 3200
    page.locator(".dncnn-level").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert state(page, "level") == 102, "fine steps where the range is wide"


def test_a_hundred_quick_changes_end_with_the_last_and_never_pile_up(opened):
    page = opened()
    page.evaluate("() => { engine.delay = 120; asked.length = 0; }")
    page.locator(".dncnn-level").focus()
    for _ in range(50):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("asked.at(-1)?.level === 75")
    browser.settle(page)
    assert page.evaluate("asked.length") < 45
    assert "σ 75:" in page.inner_text(".dncnn-status")


def test_wheel_keys_and_double_click_zoom_at_any_scale(opened):
    page = opened()
    box = page.locator(".dncnn-picture").bounding_box()
    point = (box["x"] + 200, box["y"] + 150)
    under = """([x, y]) => { const p = explorer.picture;
        const d = p.fromMiddle({clientX: x, clientY: y});
        return p.at.map((value, i) => value + d[i] / p.zoom); }"""
    before, zoom = page.evaluate(under, point), page.evaluate("explorer.picture.zoom")
    page.mouse.move(*point)
    page.mouse.wheel(0, -170)
    page.wait_for_function("zoom => explorer.picture.zoom > zoom", arg=zoom)
    assert page.evaluate(under, point) == pytest.approx(before, abs=0.5)
    assert page.evaluate("explorer.picture.zoom") == pytest.approx(
        zoom * 2.718 ** (170 / 400), 0.01
    )
    page.mouse.dblclick(*point)
    assert state(page, "zoom") == 0
    page.focus(".dncnn-picture")
    page.keyboard.press("+")
    assert page.evaluate("explorer.picture.zoom") == pytest.approx(1.25 * zoom)
    page.keyboard.press("0")
    page.keyboard.press("0")
    region = last(page)["region"]
    assert (region["height"], region["width"]) == (384, 384), "the whole picture"
    for _ in range(40):
        page.keyboard.press("-")
    assert last(page)["region"]["height"] == 384
    for _ in range(60):
        page.keyboard.press("+")
    region = last(page)["region"]
    assert page.evaluate("explorer.picture.zoom") == 40 and region["height"] < 20


def test_two_fingers_zoom(opened):
    page = opened(touch=True, width=390, height=844)
    zoom = page.evaluate("explorer.picture.zoom")
    page.evaluate("""() => {
        const canvas = document.querySelector(".dncnn-picture");
        canvas.setPointerCapture = () => {};
        const fire = (type, id, x, y) => canvas.dispatchEvent(new PointerEvent(type, {pointerId: id,
            pointerType: "touch", button: 0, clientX: x, clientY: y, bubbles: true}));
        fire("pointerdown", 1, 150, 200);
        fire("pointerdown", 2, 250, 200);
        fire("pointermove", 2, 350, 200);
        fire("pointerup", 1, 150, 200);
        fire("pointerup", 2, 350, 200);
    }""")
    assert page.evaluate("explorer.picture.zoom") == pytest.approx(2 * zoom)


def test_dragging_moves_the_picture_inside_its_borders(opened):
    page = opened()
    page.evaluate("explorer.picture.zoomTo(8)")
    before, box = (
        page.evaluate("explorer.picture.at"),
        page.locator(".dncnn-picture").bounding_box(),
    )
    start = (box["x"] + 100, box["y"] + 300)
    drag(page, start, (start[0] + 80, start[1] - 40), button="right")
    assert page.evaluate("explorer.picture.at") == before, "another button does nothing"
    drag(page, start, (start[0] + 80, start[1] - 40))
    assert page.evaluate("explorer.picture.at") == pytest.approx([before[0] + 5, before[1] - 10])
    page.focus(".dncnn-picture")
    for _ in range(40):
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowLeft")
    region = last(page)["region"]
    assert (region["top"], region["left"]) == (0, 0)


def test_the_link_holds_the_state_and_sets_it(opened):
    page = opened("#picture=coins&noise=JPEG&level=30&method=dncnn-3&left=clean&zoom=3&at=100,90")
    asked = last(page)
    assert (asked["picture"], asked["noise"], asked["level"]) == ("coins", "JPEG", 30)
    assert asked["method"] == "dncnn-3" and asked["views"] == ["clean", "restored"]
    assert page.evaluate("[explorer.picture.zoom, explorer.state.at]") == [3, [100, 90]]
    page.get_by_label("noise", exact=True).select_option("Poisson")
    page.wait_for_function("location.hash.includes('noise=Poisson')")
    page.evaluate("location.hash = '#picture=camera&noise=Gaussian&level=12'")
    page.wait_for_function("asked.at(-1).picture === 'camera' && asked.at(-1).level === 12")
    page.evaluate("location.hash = '#picture=lena&noise=fog&level=9999&zoom=x&at=1'")
    page.wait_for_timeout(200)
    assert state(page, "picture") == "camera" and state(page, "level") == 12


def test_numbers_are_large_and_the_plots_have_axes(opened):
    page = opened()
    browser.settle(page)
    assert page.locator(".dncnn-big strong").first.inner_text() == "30.3"
    assert page.inner_text(".dncnn-gain") == "+10.1"
    size = page.locator(".dncnn-big strong").first.evaluate("e => getComputedStyle(e).fontSize")
    assert float(size.removesuffix("px")) >= 32
    words = page.inner_text(".dncnn-plots")
    for label in (
        "removed, on the 0–255 scale",
        "pixels, %",
        "distance in a row, pixels",
        "correlation",
    ):
        assert label in words or page.locator(f'svg text:text-is("{label}")').count(), label
    assert "Pixels 1 apart correlate by +0.30" in words


def test_a_quick_look_is_called_so(opened):
    page = opened()
    page.evaluate(
        "() => { engine.explore = ((old) => (s, show) => old(s, (a) => a.quick && show(a)))"
        "(engine.explore); }"
    )
    page.locator(".dncnn-level").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(
        '.dncnn-status:has-text("a quick look; dncnn-b follows when your hand rests, in about 3 s")'
    )
    assert page.get_attribute(".dncnn-picture", "aria-busy") == "true"


def test_a_part_that_follows_the_hand_is_drawn_on_what_was_seen(opened):
    page = opened()
    page.evaluate("""() => { engine.explore = ((old) => (setting, show) => {
        const { region } = setting;
        const part = { ...region, top: region.top + 20, height: region.height - 40 };
        return old({ ...setting, region: part }, (answer) => answer.quick && show(
            { ...answer, quick: false }));
    })(engine.explore); }""")
    page.locator(".dncnn-level").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector('.dncnn-status:has-text("(the middle; the rest follows when")')
    page.wait_for_timeout(300)
    height = page.locator(".dncnn-picture").bounding_box()["height"]
    alpha = """y => document.querySelector('.dncnn-picture').getContext('2d')
        .getImageData(20, y, 1, 1).data[3]"""
    assert page.evaluate(alpha, int(height / 2)) == 255
    assert 0 < page.evaluate(alpha, 10) < 255, "what was seen before is pale"


@pytest.mark.parametrize(
    "change, words",
    [
        ({"level": 60}, "dncnn-b was trained with σ 0 to 55; this is 60"),
        ({"level": 55}, ""),
        ({"method": "dncnn-s-25", "level": 25}, ""),
        ({"method": "dncnn-s-25", "level": 26}, "trained with σ 25; this is 26"),
        ({"noise": "JPEG", "level": 10}, "dncnn-b was trained on Gaussian noise only"),
        ({"noise": "JPEG", "level": 2, "method": "dncnn-3"}, "with quality 5 to 99; this is 2"),
        ({"noise": "salt and pepper", "level": 5, "method": "median 3×3"}, ""),
        ({"noise": "salt and pepper", "level": 5, "method": "bm3d"}, "bm3d takes the noise for"),
    ],
)  # fmt: skip
def test_limits_are_said_where_one_passes_them(opened, change, words):
    page = opened(start=change)
    shown = page.locator(".dncnn-limit")
    assert words in shown.inner_text() if words else shown.is_hidden()


def test_presets_and_the_tour_move_the_controls(opened):
    page = opened()
    page.click('button:text-is("salt and pepper to a Gaussian network")')
    asked = last(page)
    assert (asked["noise"], asked["level"], asked["method"]) == ("salt and pepper", 5, "dncnn-b")
    page.click('button:text-is("tour")')
    seen = []
    for number in range(5):
        assert page.inner_text(".dncnn-tour h2").startswith(f"{number + 1} of 5")
        seen.append(last(page))
        if number == 0:
            page.wait_for_function("explorer.state.level === 50", timeout=20_000)
        page.click(".dncnn-next")
    assert page.locator(".dncnn-tour").is_hidden()
    assert len({str(asked) for asked in seen}) == 5
    page.click('button:text-is("tour")')
    page.wait_for_function("explorer.state.level > 7")
    page.evaluate("explorer.change({level: 60})")
    page.wait_for_timeout(400)
    assert state(page, "level") == 60, "a hand is stronger than the tour"


def test_pictures_come_by_button_drop_and_paste(opened):
    page = opened()
    file = {"name": "mine.png", "mimeType": "image/png", "buffer": b"12345"}
    page.set_input_files(".dncnn-see input[type=file]", file)
    page.wait_for_selector('.dncnn-message:has-text("mine.png: 100×60, reduced to 50×30 pixels")')
    assert page.get_by_label("picture", exact=True).input_value() == "your picture 1"
    assert last(page)["picture"] == "your picture 1"
    page.evaluate("""() => {
        const data = new DataTransfer();
        data.items.add(new File(["123"], "dropped.png", {type: "image/png"}));
        const root = document.querySelector(".dncnn-explorer");
        root.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
        const other = new DataTransfer();
        other.items.add(new File(["1234"], "pasted.png", {type: "image/png"}));
        document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: other}));
    }""")
    page.wait_for_function("opened.length === 3")
    assert page.evaluate("opened.slice(1)") == [["dropped.png", 3], ["pasted.png", 4]]
    page.set_input_files(".dncnn-see input[type=file]", file | {"name": "bad.png"})
    page.wait_for_selector('.dncnn-error:text-is("bad.png is <b>no</b> picture")')


def test_what_fails_is_told(opened):
    page = opened()
    page.evaluate("() => { engine.fail = 'MemoryError: no room'; }")
    page.locator(".dncnn-level").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector('.dncnn-error:text-is("MemoryError: no room")')
    assert page.get_attribute(".dncnn-picture", "aria-busy") == "false"


def test_the_picture_is_saved_pixel_for_pixel(opened):
    from PIL import Image

    page = opened()
    region = last(page)["region"]
    with page.expect_download() as download:
        page.click('button:text-is("save")')
    saved = download.value
    assert saved.suggested_filename == "dogs_gaussian_25_dncnn-b.png"
    with Image.open(saved.path()) as picture:
        assert picture.size == (2 * region["width"] + 8, region["height"])
        row = [picture.convert("RGB").getpixel((x, 5))[0] for x in range(picture.size[0])]
    assert row == [50] * region["width"] + [255] * 8 + [200] * region["width"]


def test_the_code_is_shown_and_follows(opened):
    page = opened()
    page.click('button:text-is("code")')
    page.wait_for_selector("pre:text-is('# σ 25 <b>')")
    page.evaluate("explorer.change({level: 30})")
    page.wait_for_selector("pre:text-is('# σ 30 <b>')")


def test_an_engine_that_is_gone_is_told_with_a_way_back(opened):
    page = opened()
    page.evaluate("tellGone('No answer from Python.')")
    assert page.inner_text(".dncnn-gone").startswith("No answer from Python.")
    assert page.locator(".dncnn-gone button").inner_text() == "reload the page"
    page.evaluate("tellGone('')")
    assert page.locator(".dncnn-gone").is_hidden()


def test_dark_and_light_follow_the_system_and_jupyterlab(opened):
    page = opened()
    colour = "getComputedStyle(document.querySelector('.dncnn-explorer')).backgroundColor"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(colour)
    assert light == "rgb(255, 255, 255)" and dark != light
    page.evaluate("document.body.dataset.jpThemeLight = 'true'")
    assert page.evaluate(colour) == light
    page.emulate_media(color_scheme="light")
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    assert page.evaluate(colour) == dark


def test_what_is_closed_listens_no_more(opened):
    page = opened()
    page.evaluate("explorer.close()")
    asked = page.evaluate("asked.length")
    page.evaluate("location.hash = '#picture=camera'")
    page.wait_for_timeout(300)
    assert page.evaluate("[engineClosed, asked.length]") == [True, asked]
    assert page.locator(".dncnn-explorer").count() == 0
