"""The explorer in headless Chromium, in JupyterLab, in Voila, and as a page without Python: for
tests, and to time it.

python tests/browser.py              from a moved slider to new pixels on the screen
python tests/browser.py time web     the same of one: lab, voila, or web, which needs no Python
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
SERVERS = ("lab", "voila")


def chromium() -> str | None:
    """The path of Chromium or Chrome on this machine."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextmanager
def serving(kind: str, folder: Path) -> Iterator[str]:
    """A JupyterLab server over a copy of the explorer in ``folder``, or Voila; its address. "web"
    is the page without a server, made in ``folder``."""
    if kind == "web":
        from dncnn_lib.explorer.web.build import build

        build(folder)
        yield (folder / "index.html").as_uri()
        return
    shutil.copy(NOTEBOOKS / "explorer.ipynb", folder)
    port = _free_port()
    if kind == "lab":
        arguments = ["jupyterlab", "--no-browser", "--allow-root", "--ServerApp.root_dir=."]
        arguments += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
        arguments += ["--IdentityProvider.token=", "--LabApp.news_url=None"]
        arguments += ["--LabApp.expose_app_in_browser=True"]
    else:
        arguments = ["voila", "explorer.ipynb", "--no-browser", f"--port={port}"]
    log = (folder / "server.log").open("w")
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(folder / "config"),  # not what the user has set
        "PYTHONPATH": str(NOTEBOOKS.parent),
    }
    server = subprocess.Popen(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, stdout=log, stderr=log
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(server, address + ("/lab" if kind == "lab" else "/static/"), folder)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
        log.close()


def _wait_for(server: subprocess.Popen, address: str, folder: Path) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError(f"the server did not start:\n{(folder / 'server.log').read_text()}")


def open_explorer(kind: str, address: str, page) -> None:
    """Open the explorer in a page of Playwright's and wait until its first picture is complete."""
    if kind == "lab":
        page.goto(f"{address}/lab/tree/explorer.ipynb?reset")
        page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell", timeout=90_000)
        page.wait_for_function(
            "/Idle/.test(document.querySelector('#jp-main-statusbar')?.textContent || '')",
            timeout=90_000,
        )
        page.click('.lm-MenuBar-itemLabel:text-is("Run")')
        page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
    else:
        # not until "load": Voila asks a server far away for icons, and does without them
        page.goto(address, wait_until="domcontentloaded", timeout=120_000)
    page.wait_for_selector(".dncnn-picture[data-number]", timeout=120_000)
    page.wait_for_selector("svg[aria-label^=correlation]", timeout=120_000)


def picture_number(page) -> int:
    """Counts up with each new picture that is drawn."""
    return int(page.get_attribute(".dncnn-picture", "data-number"))


def pixels(page) -> str:
    """What is on the picture, as a data URL."""
    return page.evaluate("document.querySelector('.dncnn-picture').toDataURL()")


def settle(page) -> None:
    """Wait until the last change is answered in full."""
    page.wait_for_selector(".dncnn-picture[aria-busy=false]", timeout=120_000)


# ------------------------------------------------------------------------------------------ timing

_WATCH = """() => {
    const canvas = document.querySelector('.dncnn-picture');
    window.asked = [];
    window.shown = [];
    document.addEventListener('keydown', () => window.asked.push(performance.now()), true);
    new MutationObserver(() => requestAnimationFrame(() => window.shown.push(performance.now())))
        .observe(canvas, {attributes: true, attributeFilter: ['data-number']});
}"""


def times_of_keys(page, count: int = 31) -> list[float]:
    """Milliseconds from an arrow key on the slider to the first new picture, one key at a time."""
    page.evaluate(_WATCH)
    page.locator(".dncnn-level").focus()
    for number in range(count):
        page.keyboard.press("ArrowRight" if number % 2 else "ArrowLeft")
        settle(page)
        page.wait_for_timeout(400)
    asked, shown = page.evaluate("[window.asked, window.shown]")
    return [min(s - a for s in shown if s > a) for a in asked]


def _pictures_while_dragging(page, seconds: float = 3) -> tuple[float, float]:
    """Pictures a second while the slider is dragged, and milliseconds from its end to the last."""
    page.evaluate("() => { window.shown = []; }")
    box = page.locator(".dncnn-level").bounding_box()
    x, y = box["x"] + box["width"] / 3, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    start = time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        page.mouse.move(x + 60 * abs((passed % 2) - 1) - 30, y)
        page.wait_for_timeout(10)
    end = page.evaluate("performance.now()")
    page.mouse.up()
    during = len(page.evaluate("window.shown"))
    settle(page)
    page.wait_for_timeout(500)
    after = [t - end for t in page.evaluate("window.shown") if t > end]
    return during / passed, max(after, default=0.0)


def see(page, side: int) -> str:
    """Zoom until about side² pixels of the picture are seen; how many rows and columns."""
    box = page.locator(".dncnn-picture").bounding_box()
    wanted = (box["width"] * box["height"] / side**2) ** 0.5
    text = page.locator(".dncnn-number").inner_text().removesuffix(" %")
    page.focus(".dncnn-picture")
    steps = round(math.log(wanted / (int(text) / 100)) / math.log(1.25))
    for _ in range(abs(steps)):
        page.keyboard.press("+" if steps > 0 else "-")
    settle(page)
    return page.get_attribute(".dncnn-picture", "data-region")


def _time_opening(running, address: str) -> None:
    page = running.new_page()
    start = time.perf_counter()
    page.goto(address)
    page.wait_for_selector(".dncnn-picture[data-number]")
    print(f"web    first picture {time.perf_counter() - start:.1f} s after the file is opened")
    page.close()


def _time(running, kinds: list[str]) -> None:
    print("The explorer in Chromium: key to new pixels, and the slider dragged")
    print("page   method         region   median ms   p90 ms   pictures/s   ms to the last one")
    for kind in kinds or (*SERVERS, "web"):
        with tempfile.TemporaryDirectory() as folder, serving(kind, Path(folder)) as address:
            page = running.new_page(viewport={"width": 1280, "height": 900})
            open_explorer(kind, address, page)
            if kind == "web":
                _time_opening(running, address)
            small = ("dncnn-3-small", "cdncnn-b-small")  # what follows the hand without Python
            for method in small if kind == "web" else ("dncnn-b", "cdncnn-b", "dncnn-3-small"):
                page.get_by_label("method", exact=True).select_option(method)
                for side in (256, 128):
                    region = see(page, side)
                    page.wait_for_timeout(3000)
                    times = times_of_keys(page)
                    p90 = statistics.quantiles(times, n=10)[-1]
                    rate, last = _pictures_while_dragging(page)
                    print(
                        f"{kind:<6} {method:<14} {region}  {statistics.median(times):9.0f}"
                        f" {p90:8.0f} {rate:12.1f} {last:20.0f}",
                        flush=True,
                    )
            page.close()


def _kernels() -> list:
    """The kernels that the servers of this process have started."""
    import psutil  # comes with ipykernel

    def is_kernel(process: psutil.Process) -> bool:
        try:
            return any("ipykernel_launcher" in part for part in process.cmdline())
        except psutil.NoSuchProcess:  # ended meanwhile; a zombie is one, too
            return False

    return [p for p in psutil.Process().children(recursive=True) if is_kernel(p)]


def kernel_sizes() -> list[float]:
    """Megabytes that each Python of the server has for itself alone."""
    import psutil

    sizes = []
    for kernel in _kernels():
        with contextlib.suppress(psutil.NoSuchProcess):
            sizes.append(kernel.memory_full_info().uss / 1e6)
    return sizes


def kill_kernels() -> None:
    """End them as a machine without memory does."""
    for process in _kernels():
        process.kill()


def _class(running, people: int) -> None:
    with tempfile.TemporaryDirectory() as folder, serving("voila", Path(folder)) as address:
        pages = []
        for number in range(people):
            page = running.new_page()
            start = time.perf_counter()
            open_explorer("voila", address, page)
            print(f"page {number + 1} opened in {time.perf_counter() - start:.0f} s", flush=True)
            pages.append(page)
        for number, page in enumerate(pages):  # each moves its own slider
            page.locator(".dncnn-level").focus()
            for _ in range(number):
                page.keyboard.press("ArrowRight")
        for number, page in enumerate(pages):
            page.wait_for_function(
                "words => document.querySelector('.dncnn-status').textContent.includes(words)",
                arg=f"σ {25 + number}:",
            )
        sizes = kernel_sizes()
        print(f"{len(sizes)} kernels, {statistics.median(sizes):.0f} MB each (median)")
        print("Each page shows the level that was set in it.")


def _picture(running, file: str) -> None:
    with tempfile.TemporaryDirectory() as folder, serving("voila", Path(folder)) as address:
        page = running.new_page(viewport={"width": 1250, "height": 625})
        open_explorer("voila", address, page)
        settle(page)
        page.screenshot(path=file)


def main() -> None:
    from playwright.sync_api import sync_playwright

    if not chromium():
        print("There is no Chromium on this machine, so the explorer's pages are not timed.")
        return
    task, *rest = sys.argv[1:] or ["time"]
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        if task == "class":
            _class(running, int(rest[0]))
        elif task == "picture":
            _picture(running, rest[0])
        else:
            _time(running, rest)
        running.close()


if __name__ == "__main__":
    main()
