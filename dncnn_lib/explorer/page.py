"""The controls of the explorer, and what happens when they move."""

from __future__ import annotations

import asyncio
import html
import math
import re

import ipywidgets
import numpy as np
import traitlets

from .. import _check, zoo
from ..images import decode_picture
from ..widgets import NOISE_KINDS, correlation_svg, histogram_svg, side_by_side
from . import view
from .pace import BUDGET, Pace, Stale, Stoppable
from .stage import ZOOMS, Stage
from .view import FILTERS, VIEWS, Exploration, Numbers, Region, Setting

SMALL, SMALL_COLOUR = "dncnn-3-small", "cdncnn-b-small"
"""The networks for a quick look, where the one that was chosen is too slow to follow the hand."""

REST = 0.15
"""Seconds without a change after which the hand is taken to rest."""

MINE = "your picture"
"""What an upload is called in the list of pictures."""


class Explorer:
    """The page; ``widget`` is what a notebook shows.

    A change is answered in two steps. At once: the picture, by the chosen method where this machine
    is fast enough for the region seen, else by a small network. When the hand rests: the chosen
    method, and what takes longer to measure. A newer change stops what an older one began.

    picture: name of a sample picture; method: of ``method_names()``; budget: seconds of computing
    for the first step. Raises ``ValueError``, with the known names, for others.
    """

    def __init__(
        self, *, picture: str = "dogs", method: str = "dncnn-b", budget: float = BUDGET
    ) -> None:
        _check.one_of("picture", picture, view.sample_names())
        _check.one_of("method", method, view.method_names())
        self.pace = Pace(_check.real("budget", budget, at_least=0))
        self.shown: Exploration | None = None
        self.numbers: Numbers | None = None
        self._upload: np.ndarray | None = None
        self._newest = 0  # the number of the last change
        self._rest: asyncio.Task | None = None
        self._seed = 0
        self._build(picture, method)
        self._choose_noise()
        self._choose_picture()
        self._wire()

    def _build(self, picture: str, method: str) -> None:
        form = {
            "layout": {"width": "330px", "max_width": "100%"},
            "style": {"description_width": "110px"},
        }
        menu = ipywidgets.Dropdown
        pictures = view.sample_names()
        self.picture = menu(options=pictures, value=picture, description="picture", **form)
        self.noise = menu(options=list(NOISE_KINDS), description="noise", **form)
        self.level = ipywidgets.IntSlider(tooltip="", **form)  # None is shown, as "null"
        self.again = ipywidgets.Button(description="new noise", icon="refresh")
        methods = view.method_names()
        self.method = menu(options=methods, value=method, description="method", **form)
        self.about = ipywidgets.HTML()
        self.left = menu(options=VIEWS, value="noisy", description="left", **form)
        self.right = menu(options=VIEWS, value="restored", description="right", **form)
        zooms = [(f"{zoom}×", zoom) for zoom in ZOOMS]
        self.zoom = menu(options=zooms, value=2, description="zoom", **form)
        self.save = ipywidgets.Button(description="save picture", icon="download")
        self.show_code = ipywidgets.ToggleButton(
            description="show the code", icon="code", tooltip=""
        )
        self.stage = Stage(layout={"max_width": "100%", "min_width": "0"})
        self.summary, self.figures = ipywidgets.HTML(), ipywidgets.HTML()
        self.code = ipywidgets.HTML(layout={"display": "none"})

        column = {"width": "345px", "max_width": "100%"}
        buttons = ipywidgets.HBox([self.again, self.save])
        what = [self.picture, self.noise, self.level, self.method, self.about]
        how = [self.left, self.right, self.zoom, buttons, self.show_code]
        parts = [
            ipywidgets.VBox([*what, *how], layout=column),
            self.stage,
            ipywidgets.VBox(
                [self.summary, self.figures], layout={**column, "margin": "0 0 0 12px"}
            ),
        ]
        rows = {"display": "flex", "flex_flow": "row wrap", "align_items": "flex-start"}
        self.widget = ipywidgets.VBox([ipywidgets.Box(parts, layout=rows), self.code])
        self.widget.add_class("dncnn-explorer")  # by it the stage finds the slider
        self.figures.add_class("dncnn-figures")  # pale while they are of what was shown before

    def _wire(self) -> None:
        self.picture.observe(self._choose_picture, "value")
        self.noise.observe(self._choose_noise, "value")
        for control in (self.level, self.method):
            control.observe(self._change, "value")
        traitlets.link((self.stage, "zoom"), (self.zoom, "value"))
        self.stage.observe(self._change, ["centre", "zoom"])
        for control in (self.left, self.right):
            control.observe(self._draw, "value")
        self.again.on_click(self._new_noise)
        self.save.on_click(lambda _: self.stage.save(self.png(), self.file_name))
        self.show_code.observe(self._write_code, "value")
        self.stage.on_upload(self._open)

    # ------------------------------------------------------------------------------------ settings

    @property
    def clean(self) -> np.ndarray:
        """The picture that was chosen, whole: (H, W) or (H, W, 3) in [0, 1]."""
        return self._clean

    @property
    def setting(self) -> Setting:
        """What the controls ask for."""
        region = Region.around(self.stage.centre, self.stage.side, self._clean.shape)
        return Setting(self.noise.value, self.level.value, self._seed, self.method.value, region)

    def _choose_noise(self, _change: object = None) -> None:
        kind = NOISE_KINDS[self.noise.value]
        self.level.unobserve_all("value")
        with self.level.hold_trait_notifications():  # or the old value would be cut to new limits
            self.level.description = kind.level
            self.level.min, self.level.max, self.level.value = kind.low, kind.high, kind.start
        self.level.observe(self._change, "value")
        if self.shown:
            self._change()

    def _choose_picture(self, _change: object = None) -> None:
        name = self.picture.value
        self._clean = self._upload if name == MINE else view.sample(name)
        self.stage.message = ""  # it was about another picture
        self.stage.unobserve_all("centre")
        self.stage.show_overview(self._clean)
        self.stage.centre = [side / 2 for side in self._clean.shape[:2]]
        self.stage.observe(self._change, "centre")
        self._change()

    def _new_noise(self, _button: object) -> None:
        self._seed += 1
        self._change()

    def _open(self, data: bytes, name: str) -> None:
        """An upload."""
        try:
            whole = decode_picture(data, name).pixels
            self._upload = view.reduced(whole)
        except (ValueError, MemoryError) as error:
            self.stage.message = str(error) or f"{name} is too large for this machine's memory"
            return
        if self.picture.value == MINE:
            self._choose_picture()
        else:
            self.picture.options = [*view.sample_names(), MINE]
            self.picture.value = MINE
        height, width = self._upload.shape[:2]
        reduced = "" if whole is self._upload else f"{whole.shape[1]}×{whole.shape[0]}, reduced to "
        self.stage.message = f"{name}: {reduced}{width}×{height} pixels"

    # ------------------------------------------------------------------------------------- answers

    def _change(self, _change: object = None) -> None:
        """At once a picture, and the rest later."""
        self._newest += 1
        if self._rest is not None:
            self._rest.cancel()
        setting = self.setting
        method = setting.method
        small = SMALL_COLOUR if view.in_colour(method) else SMALL
        if not self.pace.affords(method, self._work(setting)) and small in zoo.model_names():
            method = small
        self.stage.busy = True
        try:
            self.shown = self._explore(self._clean, setting, method)
        except Exception as error:
            self._say(error)
            raise
        self._draw()
        work = (self._newest, self._clean, self.shown)
        try:
            self._rest = asyncio.get_running_loop().create_task(self._later(*work))
        except RuntimeError:  # no loop: a program, not a notebook
            self._finish(*self._complete(*work))

    def _work(self, setting: Setting) -> int:
        channels = 3 if view.in_colour(setting.method) else 1
        return setting.region.height * setting.region.width * channels

    def _explore(
        self, clean: np.ndarray, setting: Setting, method: str, net: Stoppable | None = None
    ) -> Exploration:
        if method not in FILTERS:
            view.network(method)  # read before the clock runs
        with self.pace.timed(method, self._work(setting)):
            return view.explore(clean, setting, method=method, net=net)

    async def _later(self, number: int, clean: np.ndarray, shown: Exploration) -> None:
        await asyncio.sleep(REST)
        try:
            done = await asyncio.to_thread(self._complete, number, clean, shown)
        except Stale:
            return
        except Exception as error:
            self._say(error)
            raise
        if number == self._newest:
            self._finish(*done)

    def _say(self, error: Exception) -> None:
        """On the page: nobody there sees what is raised."""
        self.stage.message, self.stage.busy = f"{type(error).__name__}: {error}", False

    def _complete(
        self, number: int, clean: np.ndarray, shown: Exploration
    ) -> tuple[Exploration, Numbers]:
        """The chosen method's answer, if it was not that already, and the numbers.

        In a thread of its own, so nothing is read from the controls, which may have moved on.
        """
        wanted = shown.setting.method
        if wanted != shown.method:
            net = None
            if wanted not in FILTERS:
                net = Stoppable(view.network(wanted), lambda: number == self._newest)
            shown = self._explore(clean, shown.setting, wanted, net)
        return shown, shown.numbers()

    def _finish(self, shown: Exploration, numbers: Numbers) -> None:
        better = shown is not self.shown
        self.shown, self.numbers = shown, numbers
        if better:
            self._draw()
        self.figures.value = numbers_html(shown, numbers)
        self.stage.busy = False

    async def rest(self) -> Exploration:
        """Wait until the last change is answered in full; what is shown then."""
        while self._rest is not None and not self._rest.done():
            await asyncio.wait([self._rest])
        return self.shown

    def _draw(self, _change: object = None) -> None:
        """What is known, on the stage."""
        shown, asked = self.shown, self.shown.setting
        noisy_psnr, restored_psnr = shown.quick_numbers()
        kind = NOISE_KINDS[asked.noise]
        words = (
            f"{asked.noise}, {kind.level} {asked.level}: noisy {_decibels(noisy_psnr)}, "
            f"restored by {shown.method} {_decibels(restored_psnr)}"
        )
        names = (self.left.value, self.right.value)
        left, right = (shown.picture(name) for name in names)
        alt = f"{self.picture.value}, left {names[0]}, right {names[1]}; {words}"
        self.stage.show(left, right, names, alt)
        quick = "" if shown.method == asked.method else " (a quick look)"
        self.summary.value = (
            f'<div role="status" style="line-height:1.4">{html.escape(words)}{quick}</div>'
        )
        about = html.escape(view.about(asked.method) + _taken(self._clean, asked.method))
        self.about.value = f'<div style="line-height:1.3;font-size:12px">{about}</div>'
        self._write_code()

    def _write_code(self, _change: object = None) -> None:
        self.code.layout.display = "block" if self.show_code.value else "none"
        if self.show_code.value:
            picture = None if self.picture.value == MINE else self.picture.value
            code = html.escape(view.code_for(self.shown.setting, picture))
            self.code.value = (  # the font is named because Voila has another for all text
                '<pre tabindex="0" aria-label="code for what is shown" '
                f'style="font-family:monospace;line-height:1.4">{code}</pre>'
            )

    def png(self) -> bytes:
        """The two pictures shown, side by side, pixel for pixel."""
        pictures = (self.shown.picture(name) / 255 for name in (self.left.value, self.right.value))
        return side_by_side(*pictures)

    @property
    def file_name(self) -> str:
        """Of the saved picture: what it shows, in letters that every system takes."""
        asked = self.shown.setting
        words = f"{self.picture.value} {asked.noise} {asked.level} {self.shown.method}"
        return re.sub(r"[^a-z0-9-]+", "_", words.lower()).strip("_") + ".png"


def _decibels(value: float) -> str:
    return f"{value:.1f} dB" if math.isfinite(value) else "exact"


def _similarity(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "–"  # bfloat16 moves the third digit


def _taken(picture: np.ndarray, method: str) -> str:
    """What becomes of the picture where it and the method are not both grey or both of colour."""
    if view.in_colour(method) == (picture.ndim == 3):
        return ""
    if picture.ndim == 3:
        return ". It gets the picture in grey."
    return (
        ". The grey picture gets a noise of its own in each of red, green and blue, so the numbers "
        "do not compare with those of a grey method."
    )


def numbers_html(shown: Exploration, numbers: Numbers) -> str:
    """The numbers as a table, and what was taken away as histogram and correlation."""
    removed = view.one_channel(shown.removed)
    channel = "" if shown.removed.ndim == 2 else " from red"
    histogram = histogram_svg(removed, width=330, sigma=numbers.noise_std / 255)
    return (
        f'<div style="line-height:1.4">{_table(numbers)}<p><b>What was taken away</b>{channel} '
        f"(bars) against N(0, σ²) with σ = {numbers.noise_std:.1f}, the noise's (dashes):</p>"
        f"{histogram}"
        "<p><b>Its correlation</b> with itself, by the distance of pixels in a row. White noise "
        "stays between the dashes; structure is image that was eaten, or noise that had some.</p>"
        f"{correlation_svg(numbers.correlation, removed.size, width=330)}</div>"
    )


def _table(numbers: Numbers) -> str:
    rows = [
        ("PSNR", _decibels(numbers.noisy_psnr), _decibels(numbers.restored_psnr)),
        ("SSIM", _similarity(numbers.noisy_ssim), _similarity(numbers.restored_ssim)),
    ]
    body = "".join(
        f'<tr><th scope="row">{name}</th><td>{noisy}</td><td>{restored}</td></tr>'
        for name, noisy, restored in rows
    )
    return (
        '<table style="border-spacing:12px 2px;text-align:right"><tr><th>region seen</th>'
        f'<th scope="col">noisy</th><th scope="col">restored</th></tr>{body}</table>'
    )
