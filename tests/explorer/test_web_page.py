"""The explorer as a page without Python: in Chromium, from a folder of files.

Skipped without Chromium, without npm, or where npm cannot get onnxruntime-web.
"""

from __future__ import annotations

import base64
import io
import json
import re

import browser
import numpy as np
import pytest
from node import WEB, call, node
from PIL import Image

import dncnn_lib as dn
from dncnn_lib.degrade import KINDS
from dncnn_lib.explorer import export, view
from dncnn_lib.explorer.view import Region, Setting

pytest.importorskip("onnx", reason="needs onnx")
pytestmark = pytest.mark.slow
NETWORKS = ["dncnn-3-small", "cdncnn-b-small", "dncnn-b"]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A folder with a space and a letter that is no ASCII in its name, as people have them."""
    from dncnn_lib.explorer.web.npm import package

    try:
        package("onnxruntime-web")
    except RuntimeError as error:
        pytest.skip(str(error).splitlines()[0])
    with browser.serving("web", tmp_path_factory.mktemp("a página")) as found:
        yield found


@pytest.fixture(scope="module")
def page(chromium, address):
    opened = chromium.new_page(viewport={"width": 1280, "height": 720})
    opened.set_default_timeout(120_000)
    opened.failures, opened.asked_for = [], []
    opened.on("pageerror", lambda error: opened.failures.append(str(error)))
    opened.on("console", lambda m: m.type == "error" and opened.failures.append(m.text))
    opened.on("request", lambda request: opened.asked_for.append(request.url))
    opened.goto(f"{address}#picture=pagoda&method=dncnn-3-small")
    opened.wait_for_selector(".dncnn-picture[data-number]")
    browser.settle(opened)
    yield opened
    assert opened.failures == []
    elsewhere = [url for url in opened.asked_for if not url.startswith(("file:", "blob:", "data:"))]
    assert elsewhere == [], "no host is asked"
    opened.close()


EXPLORE = """async ([setting, bytes]) => {
    window.engine ??= (await (window.other ??= dncnnExplorer(
        document.body.appendChild(document.createElement("div")), {}))).engine;
    if (bytes) {
        const file = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
        setting.picture = (await engine.open(file, "x.png")).name;
    }
    const answer = await new Promise((resolve) => {
        const show = (found) => (found.numbers || found.error) && resolve(found);
        engine.explore(setting, show);
    });
    const plain = ({ pixels, channels }) => ({ channels, pixels: [...pixels] });
    const pictures = answer.pictures.map(plain);
    return JSON.stringify({ ...answer, pictures });
}"""


def explore(page, picture, setting, views=("clean", "noisy", "restored"), file=None):
    """What the browser's engine answers at last, and its views as arrays."""
    region = setting.region
    asked = {
        "picture": picture, "noise": setting.noise, "level": setting.level, "seed": setting.seed,
        "method": setting.method, "region": vars(region), "views": views,
    }  # fmt: skip
    data = base64.b64encode(file).decode() if file else None
    answer = json.loads(page.evaluate(EXPLORE, [asked, data]))
    shape = (region.height, region.width)
    pictures = [
        np.array(p["pixels"], np.uint8).reshape(*shape, p["channels"]).squeeze(-1)
        if p["channels"] == 1
        else np.array(p["pixels"], np.uint8).reshape(*shape, 3)
        for p in answer["pictures"]
    ]
    return answer, pictures


def expected(picture, setting, monkeypatch):
    """``view.explore`` in float32, whatever is faster here."""
    monkeypatch.setattr("dncnn_lib.restoring.uses_bf16", lambda precision, device: False)
    return view.explore(picture, setting)


CASES = [
    ("pagoda", Setting("Gaussian", 25, 1, "dncnn-3-small", Region(10, 20, 90, 101))),
    ("dogs", Setting("Gaussian", 50, 0, "cdncnn-b-small", Region(0, 0, 70, 80))),
    ("camera", Setting("JPEG", 10, 0, "dncnn-3-small", Region(440, 430, 72, 82))),
    ("dogs", Setting("Poisson", 20, 3, "cdncnn-b-small", Region(300, 200, 64, 70))),
    ("text", Setting("down-up", 3, 0, "dncnn-3-small", Region(100, 5, 72, 300))),
    ("dogs", Setting("phone camera", 3200, 2, "dncnn-3-small", Region(5, 5, 60, 60))),
    ("page", Setting("salt and pepper", 8, 0, "median 3×3", Region(0, 0, 191, 384))),
    ("coins", Setting("quantisation", 6, 0, "gaussian-filter", Region(30, 60, 50, 60))),
    ("pagoda", Setting("Gaussian", 70, 0, "gaussian-filter", Region(30, 60, 50, 60))),
    ("pagoda", Setting("Gaussian", 15, 4, "dncnn-b", Region(50, 60, 40, 50))),
]


@pytest.mark.parametrize(
    "picture, setting", CASES, ids=lambda case: str(getattr(case, "method", case))
)
def test_the_answer_is_python_s(page, picture, setting, monkeypatch):
    found, pictures = explore(page, picture, setting)
    shown = expected(dn.sample_image(picture), setting, monkeypatch)
    for name, values in zip(("clean", "noisy", "restored"), pictures):
        away = np.abs(values.astype(int) - shown.picture(name))
        # a file's 8 bits can fall on either side of a half, and with them a block's coefficient
        far = 0.002 if setting.noise == "phone camera" else 0
        assert np.mean(away > 1) <= far, name
        assert name == "restored" or np.mean(away > 0) <= max(far, 0.001), name
    numbers, measured = shown.numbers(), found["numbers"]
    assert found["method"] == setting.method and not found["quick"]
    assert (found["noisyPsnr"], found["psnr"]) == pytest.approx(
        (numbers.degraded_psnr, numbers.psnr), abs=0.01
    )
    assert (measured["noisySsim"], measured["ssim"]) == pytest.approx(
        (numbers.degraded_ssim, numbers.ssim), abs=0.001
    )
    assert measured["noiseStd"] == pytest.approx(numbers.noise_std, abs=0.02)
    assert measured["autocorrelation"] == pytest.approx(numbers.autocorrelation, abs=0.005)


def test_a_picture_of_one_s_own_is_explored_as_in_python(page, monkeypatch):
    large = np.kron(dn.sample_image("dogs"), np.ones((4, 4, 1), np.float32))[:1111, :1500]
    file = io.BytesIO()
    Image.fromarray(dn.images.as_uint8(large)).save(file, "PNG")
    setting = Setting("Gaussian", 25, 0, "dncnn-3-small", Region(400, 600, 80, 90))
    _, pictures = explore(page, "", setting, file=file.getvalue())
    picture = view.reduced(dn.images.as_float(dn.images.as_uint8(large)))
    shown = expected(picture, setting, monkeypatch)
    for name, values in zip(("clean", "noisy", "restored"), pictures):
        away = np.abs(values.astype(int) - shown.picture(name))
        assert away.max() <= 1, name


def test_the_first_picture_comes_from_the_link(page, monkeypatch):
    assert page.locator("#explorer").get_by_label("picture", exact=True).input_value() == "pagoda"
    assert "left noisy, right restored" in page.get_attribute(
        "#explorer .dncnn-picture", "aria-label"
    )
    words = page.inner_text("#explorer .dncnn-status")
    noisy, restored = map(float, re.findall(r"([\d.]+) dB", words))
    seen = page.get_attribute("#explorer .dncnn-picture", "data-region").split("×")
    (height, width), picture = map(int, seen), dn.sample_image("pagoda")
    top, left = ((whole - part) // 2 for whole, part in zip(picture.shape, (height, width)))
    region = Region(top, left, height, width)
    shown = expected(picture, Setting(method="dncnn-3-small", region=region), monkeypatch)
    assert noisy == pytest.approx(shown.comparison.degraded_psnr, abs=0.06)
    assert restored == pytest.approx(shown.comparison.psnr, abs=0.06)


@pytest.fixture
def gpu_page(chromium, address):
    """The page, and SwiftShader in the place of a graphics processor."""
    arguments = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
    running = chromium.browser_type.launch(executable_path=browser.chromium(), args=arguments)
    opened = running.new_page()
    opened.set_default_timeout(120_000)
    opened.warnings = []
    opened.on("console", lambda message: opened.warnings.append(message.text))
    opened.goto(address.replace("index.html", "licences.txt"))  # about:blank has no WebGPU
    if not opened.evaluate("navigator.gpu?.requestAdapter().then(Boolean)"):
        pytest.skip("this Chromium has no WebGPU")
    opened.add_init_script(
        "navigator.gpu.requestAdapter = async () => ({ info: { isFallbackAdapter: false } });"
    )
    opened.goto(f"{address}#picture=pagoda&method=dncnn-3-small")
    yield opened
    running.close()


@pytest.mark.parametrize("method", ["dncnn-3-small", "cdncnn-b-small"])
def test_a_graphics_processor_gives_python_s_pixels(gpu_page, method, monkeypatch):
    setting = Setting("Gaussian", 25, 0, method, Region(40, 50, 48, 40))
    found, pictures = explore(gpu_page, "dogs", setting)
    assert gpu_page.evaluate("engine.gpu") and found["method"] == method and not found["quick"]
    fallen_back = [text for text in gpu_page.warnings if re.search("webgpu|adapter", text, re.I)]
    assert fallen_back == [], "WebGPU was asked for and used"
    shown = expected(dn.sample_image("dogs"), setting, monkeypatch)
    for name, values in zip(("clean", "noisy", "restored"), pictures):
        assert np.abs(values.astype(int) - shown.picture(name)).max() <= 1, name


def test_a_graphics_processor_that_never_answers_is_not_waited_for(chromium, address):
    opened = chromium.new_page()
    opened.add_init_script(
        "Object.defineProperty(navigator, 'gpu',"
        " { value: { requestAdapter: () => new Promise(() => {}) } });"
    )
    opened.goto(f"{address}#picture=pagoda&method=dncnn-3-small")
    opened.wait_for_selector(".dncnn-picture[data-number]", timeout=60_000)
    opened.close()


def test_a_bad_file_is_refused_in_words(page):
    letter = {"name": "letter.png", "mimeType": "image/png", "buffer": b"Dear Sir or Madam"}
    page.set_input_files("#explorer .dncnn-see input[type=file]", letter)
    page.wait_for_selector('.dncnn-error:has-text("letter.png is no picture")')
    assert page.locator("#explorer").get_by_label("picture", exact=True).input_value() == "pagoda"


def test_axe_finds_nothing_serious(page, axe):
    page.evaluate("window.other?.then((one) => one.close())")
    page.add_script_tag(content=axe)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_timeout(200)
            browser.settle(page)
            page.wait_for_timeout(500)  # what is old is pale until then
            found = page.evaluate("axe.run({preload: false}).then((result) => result.violations)")
            told = [(v["impact"], v["id"], v["nodes"][0]["html"][:200]) for v in found]
            assert [v for v in told if v[0] in ("serious", "critical", "moderate")] == [], scheme
    page.set_viewport_size({"width": 1280, "height": 720})


# ------------------------------------------------------------------------------- without a browser


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_16_bits_costs_at_most_2_thousandths_of_a_decibel(name):
    """What is stored in 16 bits is the only difference of the exported network."""
    import torch
    from onnx import numpy_helper

    net = dn.load_pretrained(name).fold_batch_norm()
    half = dn.DnCNN(**net.config).eval()
    stored = {
        s.name: torch.from_numpy(numpy_helper.to_array(s).astype(np.float32))
        for s in export.to_onnx(net).graph.initializer
    }
    assert all(name.endswith(".half") for name in stored)
    convolutions = [layer for layer in half.layers if isinstance(layer, torch.nn.Conv2d)]
    with torch.no_grad():
        values = iter(stored.values())
        for layer in convolutions:
            layer.weight.copy_(next(values))
            layer.bias.copy_(next(values))
    clean = dn.sample_image("dogs", grey=net.channels == 1)[100:196, 80:176]
    noisy = dn.add_gaussian_noise(clean, 25)
    full, rounded = (dn.psnr(dn.denoise(noisy, one), clean, data_range=1.0) for one in (net, half))
    assert abs(full - rounded) <= 0.002


@pytest.mark.skipif(not node(), reason="needs Node")
def test_the_code_is_that_of_python():
    calls, texts = [], []
    region = Region(3, 4, 50, 60)
    for method in ("dncnn-b", "cdncnn-b", "median 3×3", "gaussian-filter"):
        known = {"channels": view.channels(method), "network": "dncnn" in method}
        for noise, kind in KINDS.items():
            for level in {kind.low, kind.start, kind.high, min(kind.low + 7, kind.high)}:
                for picture in ("dogs", None):
                    setting = Setting(noise, level, 3, method, region)
                    texts.append(view.code_for(setting, picture))
                    asked = {**vars(setting), "region": vars(region), "picture": picture or "x"}
                    calls.append((WEB / "code.js", "codeFor", asked, known, picture is None))
    assert call(*calls) == texts


def test_the_page_says_what_it_offers():
    from dncnn_lib.explorer.web.build import catalogue

    found = {
        method["name"]: method
        for method in catalogue({"dncnn-b": 9, "dncnn-3-small": 5})["methods"]
    }
    assert list(found) == ["dncnn-3-small", "dncnn-b", "gaussian-filter", "median 3×3"]
    assert found["dncnn-b"]["size"] == 9 and found["dncnn-3-small"]["size"] == 0
    for name, method in found.items():
        net = view.model(name)
        if method["network"]:
            assert method["margin"] == net.receptive_field // 2
            assert method["large"] == (sum(p.numel() for p in net.parameters()) > 100_000)
    assert found["median 3×3"]["margin"] == 1 and found["gaussian-filter"]["margin"] is None


def test_npm_that_is_missing_is_told(monkeypatch, tmp_path):
    from dncnn_lib.explorer.web import npm

    monkeypatch.setenv("DNCNN_NPM", str(tmp_path))
    monkeypatch.setattr(npm.shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match="onnxruntime-web is fetched by npm, which is not on"):
        npm.package("onnxruntime-web")
