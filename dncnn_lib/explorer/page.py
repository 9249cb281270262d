"""The controls of the explorer, and what happens when they change."""

from __future__ import annotations

import asyncio
import functools
import html
import math
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
import traitlets

from .. import _check, zoo
from ..degrade import KINDS
from ..images import as_float, decode_picture
from ..show.pictures import side_by_side
from ..show.svg import correlation_svg, histogram_svg
from . import view
from .pace import BUDGET, Pace, Stale, Stoppable
from .stage import ZOOMS, Stage
from .view import VIEWS, Exploration, Numbers, Region, Setting

QUICK_GREY, QUICK_COLOUR = "dncnn-3-small", "cdncnn-b-small"
"""The networks for a quick look, where the chosen method is too slow to follow the slider."""

PAUSE = 0.15
"""Seconds without a change after which the controls are taken to rest."""

UPLOAD = "your picture"
"""What an upload is called in the list of pictures."""


def _one_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    """Of the methods so marked, one runs at a time: JupyterLab's messages arrive in two threads."""

    @functools.wraps(method)
    def alone(self: Explorer, *args: Any) -> Any:
        with self._lock:
            return method(self, *args)

    return alone


class Explorer:
    """The page; ``widget`` is what a notebook shows.

    A change is answered in two steps. At once: the picture, by the chosen method if it is known to
    be fast enough on this machine for the region seen, else by a small network. When the controls
    rest: the chosen method's picture, and the numbers that take longer. A newer change stops what
    an older one began.

    picture: name of a sample picture; method: one of ``view.method_names()``; budget: seconds of
    computing for the first step. Raises ``ValueError``, with the known names, for others.

    The controls ``picture``, ``noise``, ``level``, ``method``, ``left``, ``right`` and ``zoom`` are
    ipywidgets, to be set by their ``value``. ``shown`` is the answer on the page, ``numbers`` the
    last ones that were measured.
    """

    def __init__(
        self, *, picture: str = "dogs", method: str = "dncnn-b", budget: float = BUDGET
    ) -> None:
        _check.one_of("picture", picture, view.sample_names())
        _check.one_of("method", method, view.method_names())
        self.pace = Pace(_check.real("budget", budget, at_least=0))
        self.shown: Exploration | None = None
        self.numbers: Numbers | None = None
        self._lock = threading.RLock()
        self._slow = threading.Lock()  # held by the one slow answer that is being computed
        self._uploaded: np.ndarray | None = None
        self._change_number = 0  # of the newest change
        self._completing: asyncio.Task | None = None
        self._seed = 0
        self._build(picture, method)
        self._take_noise()
        self._take_picture()
        self._connect()

    def _build(self, picture: str, method: str) -> None:
        form = {
            "layout": {"width": "330px", "max_width": "100%"},
            "style": {"description_width": "110px"},
        }
        menu, button = ipywidgets.Dropdown, ipywidgets.Button
        pictures, methods = view.sample_names(), view.method_names()
        self.picture = menu(options=pictures, value=picture, description="picture", **form)
        self.noise = menu(options=list(KINDS), description="noise", **form)
        self.level = ipywidgets.IntSlider(tooltip="", **form)  # None would be shown, as "null"
        self.method = menu(options=methods, value=method, description="method", **form)
        self.method_note = ipywidgets.HTML()
        self.left = menu(options=list(VIEWS), value="noisy", description="left", **form)
        self.right = menu(options=list(VIEWS), value="restored", description="right", **form)
        zooms = [(f"{zoom}×", zoom) for zoom in ZOOMS]
        self.zoom = menu(options=zooms, value=2, description="zoom", **form)
        self.new_noise = button(description="new noise", icon="refresh")
        self.save = button(description="save picture", icon="download")
        self.show_code = ipywidgets.ToggleButton(
            description="show the code", icon="code", tooltip=""
        )
        self.stage = Stage(layout={"max_width": "100%", "min_width": "0"})
        self.summary, self.table = ipywidgets.HTML(), ipywidgets.HTML()
        self.code = ipywidgets.HTML(layout={"display": "none"})

        column = {"width": "345px", "max_width": "100%"}
        buttons = ipywidgets.HBox([self.new_noise, self.save])
        what = [self.picture, self.noise, self.level, self.method, self.method_note]
        how = [self.left, self.right, self.zoom, buttons, self.show_code]
        parts = [
            ipywidgets.VBox([*what, *how], layout=column),
            self.stage,
            ipywidgets.VBox([self.summary, self.table], layout={**column, "margin": "0 0 0 12px"}),
        ]
        rows = {"display": "flex", "flex_flow": "row wrap", "align_items": "flex-start"}
        self.widget = ipywidgets.VBox([ipywidgets.Box(parts, layout=rows), self.code])
        self.widget.add_class("dncnn-explorer")  # by it the stage finds the slider
        self.table.add_class("dncnn-numbers")  # pale while they are those of an older picture

    def _connect(self) -> None:
        self.picture.observe(self._take_picture, "value")
        self.noise.observe(self._take_noise, "value")
        for control in (self.level, self.method):
            control.observe(self._answer, "value")
        traitlets.link((self.stage, "zoom"), (self.zoom, "value"))
        self.stage.observe(self._answer, ["centre", "zoom"])
        for control in (self.left, self.right):
            control.observe(self._draw, "value")
        self.new_noise.on_click(self._draw_new_noise)
        self.save.on_click(self._save)
        self.show_code.observe(self._write_code, "value")
        self.stage.on_upload(self._open_upload)

    # ------------------------------------------------------------------------------------ settings

    @property
    def clean(self) -> np.ndarray:
        """The chosen picture, whole: (H, W) or (H, W, 3) in [0, 1]."""
        return self._clean

    @property
    def setting(self) -> Setting:
        """What the controls ask for."""
        region = Region.around(self.stage.centre, self.stage.side, self._clean.shape)
        return Setting(self.noise.value, self.level.value, self._seed, self.method.value, region)

    @_one_at_a_time
    def _take_noise(self, _change: object = None) -> None:
        kind = KINDS[self.noise.value]
        self.level.unobserve_all("value")
        with self.level.hold_trait_notifications():  # or the old value would be cut to new limits
            self.level.description = kind.level
            self.level.min, self.level.max, self.level.value = kind.low, kind.high, kind.start
        self.level.observe(self._answer, "value")
        if self.shown:
            self._answer()

    @_one_at_a_time
    def _take_picture(self, _change: object = None) -> None:
        name = self.picture.value
        self._clean = self._uploaded if name == UPLOAD else view.sample(name)
        self.stage.tell("")  # what it said was about another picture
        self.stage.unobserve_all("centre")
        self.stage.show_overview(self._clean)
        self.stage.centre = [side / 2 for side in self._clean.shape[:2]]
        self.stage.observe(self._answer, "centre")
        self._answer()

    @_one_at_a_time
    def _draw_new_noise(self, _button: object) -> None:
        self._seed += 1
        self._answer()

    @_one_at_a_time
    def _open_upload(self, data: bytes, name: str) -> None:
        try:
            whole = decode_picture(data, name).pixels
            self._uploaded = view.reduced(whole)
        except (ValueError, MemoryError) as error:
            reason = str(error) or f"{name} is too large for this machine's memory"
            self.stage.tell(reason, error=True)
            return
        if self.picture.value == UPLOAD:
            self._take_picture()
        else:
            self.picture.options = [*view.sample_names(), UPLOAD]
            self.picture.value = UPLOAD
        height, width = self._uploaded.shape[:2]
        reduced = ""
        if whole is not self._uploaded:
            reduced = f"{whole.shape[1]}×{whole.shape[0]}, reduced to "
        self.stage.tell(f"{name}: {reduced}{width}×{height} pixels")

    # ------------------------------------------------------------------------------------- answers

    @_one_at_a_time
    def _answer(self, _change: object = None) -> None:
        """Show a picture at once; begin what comes later."""
        self._change_number += 1
        setting = self.setting
        method = setting.method
        quick = QUICK_COLOUR if view.in_colour(method) else QUICK_GREY
        if not self.pace.affords(method, _work(setting)) and quick in zoo.model_names():
            method = quick
        self.stage.busy = True
        try:
            self.shown = self._explore(self._clean, setting, method)
        except Exception as error:
            self._tell_failure(error)
            raise
        self._draw()
        job = (self._change_number, self._clean, self.shown)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a program, not a notebook
            self._show_completed(self._change_number, *self._completed(*job))
            return
        self._completing = loop.create_task(self._complete_after_pause(*job))

    def _explore(self, clean: np.ndarray, setting: Setting, method: str) -> Exploration:
        """``view.explore``, timed."""
        view.model(method)  # read before the clock runs
        start = time.perf_counter()
        found = view.explore(clean, setting, method=method)
        seconds = time.perf_counter() - start
        if np.ptp(found.comparison.noise) > 0:  # where σ is 0 a prior has nothing to do
            self.pace.learn(method, _work(setting), seconds)
        return found

    async def _complete_after_pause(
        self, number: int, clean: np.ndarray, shown: Exploration
    ) -> None:
        await asyncio.sleep(PAUSE)
        if number != self._change_number:
            return
        try:
            completed = await asyncio.to_thread(self._completed, number, clean, shown)
        except Stale:
            return
        except Exception as error:
            if number == self._change_number:
                self._tell_failure(error)
            raise
        self._show_completed(number, *completed)

    def _completed(
        self, number: int, clean: np.ndarray, shown: Exploration
    ) -> tuple[Exploration, Numbers]:
        """The chosen method's answer to a change, if ``shown`` is not that already, and its
        numbers. Raises ``Stale`` after a newer change.

        Runs in a thread of its own, so it reads nothing from the controls, which may have changed.
        """
        wanted = shown.setting.method
        if wanted != shown.method:
            # one after another: those that cannot be stopped must not pile up
            with self._slow, Stoppable(lambda: number == self._change_number):
                shown = self._explore(clean, shown.setting, wanted)
        return shown, shown.numbers()

    @_one_at_a_time
    def _show_completed(self, number: int, shown: Exploration, numbers: Numbers) -> None:
        if number != self._change_number:
            return
        better = shown is not self.shown
        self.shown, self.numbers = shown, numbers
        if better:
            self._draw()
        self.table.value = numbers_html(shown, numbers)
        self.stage.busy = False

    def _tell_failure(self, error: Exception) -> None:
        """Write on the page what a reader without a traceback would not see."""
        self.stage.tell(f"{type(error).__name__}: {error}", error=True)
        self.stage.busy = False

    async def settled(self) -> Exploration:
        """Wait until the last change is answered in full; what is shown then."""
        while self._completing is not None and not self._completing.done():
            await asyncio.sleep(0.01)  # it may belong to the loop of another thread
        return self.shown

    # ------------------------------------------------------------------------------------- showing

    @_one_at_a_time
    def _draw(self, _change: object = None) -> None:
        """Show the two views chosen of the current answer, and describe it."""
        shown, asked = self.shown, self.shown.setting
        words = (
            f"{asked.noise}, {KINDS[asked.noise].level} {asked.level}: "
            f"noisy {_decibels(shown.comparison.degraded_psnr)}, "
            f"restored by {shown.method} {_decibels(shown.comparison.psnr)}"
        )
        names = (self.left.value, self.right.value)
        left, right = (shown.picture(name) for name in names)
        alt = f"{self.picture.value}, left {names[0]}, right {names[1]}; {words}"
        self.stage.show(left, right, names, alt)
        if shown.method != asked.method:
            words += f" (a quick look; {asked.method} follows when your hand rests"
            seconds = self.pace.expected(asked.method, _work(asked))
            words += f", in about {seconds:.0f} s)" if 1 <= seconds < math.inf else ")"
        self.summary.value = (
            f'<div role="status" style="line-height:1.4">{html.escape(words)}</div>'
        )
        note = html.escape(view.describe(asked.method) + _colour_note(self._clean, asked.method))
        self.method_note.value = f'<div style="line-height:1.3;font-size:12px">{note}</div>'
        self._write_code()

    @_one_at_a_time
    def _write_code(self, _change: object = None) -> None:
        self.code.layout.display = "block" if self.show_code.value else "none"
        if self.show_code.value:
            picture = None if self.picture.value == UPLOAD else self.picture.value
            code = html.escape(view.code_for(self.shown.setting, picture))
            self.code.value = (  # the font is named because Voila has another for all text
                '<pre tabindex="0" aria-label="code for what is shown" '
                f'style="font-family:monospace;line-height:1.4">{code}</pre>'
            )

    @_one_at_a_time
    def _save(self, _button: object) -> None:
        self.stage.save(self.png(), self.file_name)

    def png(self) -> bytes:
        """The two pictures shown, side by side, pixel for pixel."""
        names = (self.left.value, self.right.value)
        return side_by_side(*(as_float(self.shown.picture(name)) for name in names))

    @property
    def file_name(self) -> str:
        """Of the saved picture: what it shows, in letters that every system takes."""
        asked = self.shown.setting
        words = f"{self.picture.value} {asked.noise} {asked.level} {self.shown.method}"
        return re.sub(r"[^a-z0-9-]+", "_", words.lower()).strip("_") + ".png"


def _work(setting: Setting) -> int:
    """Pixels to restore, counted once for each channel of the method; few count as 64×64, which
    take hardly longer."""
    channels = 3 if view.in_colour(setting.method) else 1
    return max(setting.region.height * setting.region.width, 64 * 64) * channels


def _decibels(psnr: float) -> str:
    return f"{psnr:.1f} dB" if math.isfinite(psnr) else "∞ dB"


def _similarity(ssim: float) -> str:
    return f"{ssim:.2f}" if math.isfinite(ssim) else "–"  # bfloat16 moves the third digit


def _colour_note(picture: np.ndarray, method: str) -> str:
    """What becomes of the picture where one of it and the method is grey and the other colour."""
    if view.in_colour(method) == (picture.ndim == 3):
        return ""
    if picture.ndim == 3:
        return ". It is given the picture in grey."
    return (
        ". The picture is grey, and each of red, green and blue gets its own noise, so the numbers "
        "cannot be compared with those of a grey method."
    )


def numbers_html(shown: Exploration, numbers: Numbers) -> str:
    """The numbers as a table, and what was removed as a histogram and an autocorrelation."""
    removed = view.first_channel(shown.comparison.removed)
    channel = "" if shown.comparison.clean.ndim == 2 else " from red"
    histogram = histogram_svg(removed, width=330, sigma=numbers.noise_std / 255)
    return (
        f'<div style="line-height:1.4">{_table(numbers)}<p><b>What was removed</b>{channel} '
        f"(bars), and N(0, σ²) with the σ of the noise, {numbers.noise_std:.1f} (dashed):</p>"
        f"{histogram}"
        "<p><b>Its autocorrelation</b>, by the distance of two pixels in a row. White noise stays "
        "between the dashed lines. Beyond them is structure: image detail that was removed, or "
        "noise that is not white.</p>"
        f"{correlation_svg(numbers.autocorrelation, removed.size, width=330)}</div>"
    )


def _table(numbers: Numbers) -> str:
    rows = [
        ("PSNR", _decibels(numbers.degraded_psnr), _decibels(numbers.psnr)),
        ("SSIM", _similarity(numbers.degraded_ssim), _similarity(numbers.ssim)),
    ]
    body = "".join(
        f'<tr><th scope="row">{name}</th><td>{noisy}</td><td>{restored}</td></tr>'
        for name, noisy, restored in rows
    )
    return (
        '<table style="border-spacing:12px 2px;text-align:right"><tr><th>region seen</th>'
        f'<th scope="col">noisy</th><th scope="col">restored</th></tr>{body}</table>'
    )
