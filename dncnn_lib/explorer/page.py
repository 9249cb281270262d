"""The explorer in a notebook: the page asks, Python answers."""

from __future__ import annotations

import asyncio
import functools
import math
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from .. import _check, zoo
from ..images import decode_picture
from ..show.svg import shares
from . import view
from .bundle import bundle
from .pace import BUDGET, Pace, Stale, Stoppable
from .view import Exploration, Numbers, Region, Setting

FRONT = Path(__file__).parent / "front"

QUICK_GREY, QUICK_COLOUR = "dncnn-3-small", "cdncnn-b-small"
"""The networks for a quick look, where the chosen method is too slow to follow the slider."""

PAUSE = 0.15
"""Seconds without a change after which the controls are taken to rest."""

UPLOAD = "your picture"
"""What an upload is called in the list of pictures."""

LARGEST_UPLOAD = 200_000_000
"""Bytes."""


class Page(anywidget.AnyWidget):
    """The page in the browser, ``front/kernel.js``, which lists the messages.

    start: what it shows at first, part of the state in ``front/state.js``.
    """

    _esm = bundle(FRONT / "kernel.js")
    _css = FRONT / "explorer.css"
    start = traitlets.Dict().tag(sync=True)


def _one_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    """Of the methods so marked, one runs at a time: JupyterLab's messages arrive in two threads."""

    @functools.wraps(method)
    def alone(self: Explorer, *args: Any) -> Any:
        with self._lock:
            return method(self, *args)

    return alone


class Explorer:
    """What answers the page; ``widget`` is what a notebook shows.

    A question is answered in two steps. At once: the picture, by the chosen method if it is known
    to be fast enough on this machine for the region seen, else by a small network. When no other
    question came for a moment: the chosen method's picture, and the numbers that take longer. A
    newer question stops what an older one began.

    picture: name of a sample picture; method: one of ``view.method_names()``; budget: seconds of
    computing for the first step. Raises ``ValueError``, with the known names, for others.

    ``shown`` is the last answer, ``numbers`` the last ones that were measured.
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
        self._uploads: dict[str, np.ndarray] = {}
        self._arriving: list[bytes] = []
        self._question = 0  # number of the newest
        self._asked: tuple | None = None  # what ``shown`` and ``numbers`` answer in full
        self._completing: asyncio.Task | None = None
        self.widget = Page(start={"picture": picture, "method": method})
        self.widget.on_msg(self._receive)

    # ------------------------------------------------------------------------------------ messages

    def _receive(self, _widget: object, content: Any, buffers: list[Any]) -> None:
        """A message from the page. What is none is left alone."""
        kind = content.get("type") if isinstance(content, dict) else None
        answer = {
            "ping": lambda number, content, buffers: self.widget.send({"id": number}),
            "describe": self._describe,
            "explore": self._answer,
            "open": self._take_part,
            "code": self._write_code,
        }.get(kind)
        if answer is None:
            return
        try:
            answer(content.get("id"), content, buffers)
        except Exception as error:
            self._tell_failure(content.get("id"), error)
            if not isinstance(error, (ValueError, MemoryError)):
                raise

    def _tell_failure(self, number: object, error: Exception, **more: Any) -> None:
        """Write on the page what a reader without a traceback would not see."""
        reason = str(error) if isinstance(error, ValueError) else _reason(error)
        self.widget.send({"id": number, "error": reason, **more})

    def _describe(self, number: int, content: dict, buffers: list[Any]) -> None:
        self.widget.send({"id": number, "catalogue": view.catalogue()})

    def _write_code(self, number: int, content: dict, buffers: list[Any]) -> None:
        name, setting, _ = _question(content["setting"])
        code = view.code_for(setting, None if name in self._uploads else name)
        self.widget.send({"id": number, "code": code})

    @_one_at_a_time
    def _take_part(self, number: int, content: dict, buffers: list[Any]) -> None:
        """One part of an upload: a server refuses large messages."""
        if content.get("part") == 0:
            self._arriving = []
        elif content.get("part") != len(self._arriving):
            return  # the rest of one that was given up
        self._arriving += [bytes(buffer) for buffer in buffers]
        if sum(map(len, self._arriving)) > LARGEST_UPLOAD:
            self._arriving = []
            raise ValueError(f"That file is larger than {LARGEST_UPLOAD // 1_000_000} MB.")
        if content.get("last"):
            data, self._arriving = b"".join(self._arriving), []
            self.widget.send(
                {"id": number, "picture": self.open(data, str(content.get("name"))[:80])}
            )

    def open(self, data: bytes, name: str) -> dict[str, Any]:
        """Take a picture file; what the page is told of it. Raises ``ValueError`` for others."""
        try:
            whole = decode_picture(data, name).pixels
        except MemoryError as error:
            raise ValueError(f"{name} is too large for this machine's memory") from error
        picture = view.reduced(whole)
        key = f"{UPLOAD} {len(self._uploads) + 1}"
        self._uploads[key] = picture
        height, width = picture.shape[:2]
        channels = np.atleast_3d(picture).shape[2]
        size = {"height": height, "width": width, "channels": channels}
        return {"name": key, "label": UPLOAD, **size, "whole": list(whole.shape[:2])}

    def picture(self, name: str) -> np.ndarray:
        """A sample picture or an upload, whole: (H, W) or (H, W, 3) in [0, 1]."""
        return self._uploads[name] if name in self._uploads else view.sample(name)

    # ------------------------------------------------------------------------------------- answers

    @_one_at_a_time
    def _answer(self, number: int, content: dict, buffers: list[Any]) -> None:
        """Show a picture at once; begin what comes later."""
        name, setting, views = _question(content["setting"])
        self._question += 1
        if self._asked == (name, setting):  # only what is shown of it has changed
            self._show(number, views)
            return
        self._asked = None
        clean, method = self.picture(name), setting.method
        quick = QUICK_COLOUR if view.in_colour(method) else QUICK_GREY
        if not self.pace.affords(method, _work(setting)) and quick in zoo.model_names():
            method = quick
        self.shown, self.numbers = self._explore(clean, setting, method), None
        self._show(number, views)
        job = (self._question, clean, self.shown)
        done = functools.partial(self._show_completed, number, name, views, self._question)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a program, not a notebook
            done(*self._completed(*job))
            return
        self._completing = loop.create_task(self._complete_after_pause(number, done, *job))

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
        self,
        number: int,
        done: Callable[..., None],
        question: int,
        clean: np.ndarray,
        shown: Exploration,
    ) -> None:
        await asyncio.sleep(PAUSE)
        if question != self._question:
            return
        try:
            completed = await asyncio.to_thread(self._completed, question, clean, shown)
        except Stale:
            return
        except Exception as error:
            if question == self._question:
                self._tell_failure(number, error, late=True)
            raise
        done(*completed)

    def _completed(
        self, question: int, clean: np.ndarray, shown: Exploration
    ) -> tuple[Exploration, Numbers]:
        """The chosen method's answer, if ``shown`` is not that already, and its numbers. Raises
        ``Stale`` after a newer question."""
        wanted = shown.setting.method
        if wanted != shown.method:
            # one after another: those that cannot be stopped must not pile up
            with self._slow, Stoppable(lambda: question == self._question):
                shown = self._explore(clean, shown.setting, wanted)
        return shown, shown.numbers()

    @_one_at_a_time
    def _show_completed(
        self,
        number: int,
        name: str,
        views: tuple[str, str],
        question: int,
        shown: Exploration,
        numbers: Numbers,
    ) -> None:
        if question == self._question:
            self.shown, self.numbers = shown, numbers
            self._asked = (name, shown.setting)
            self._show(number, views)

    def _show(self, number: int, views: tuple[str, str]) -> None:
        """Send the two views of the current answer, and its numbers if they are measured."""
        shown, wanted = self.shown, self.shown.setting.method
        seconds = self.pace.expected(wanted, _work(shown.setting)) if wanted != shown.method else 0
        pictures = [shown.picture(name) for name in views]
        answer = {
            "region": vars(shown.setting.region),
            "shape": np.atleast_3d(pictures[0]).shape,
            "method": shown.method,
            "quick": wanted != shown.method,
            "waiting": _finite(seconds),
            "psnr": _finite(shown.comparison.psnr),
            "noisyPsnr": _finite(shown.comparison.degraded_psnr),
            "numbers": None if self.numbers is None else told(shown, self.numbers),
        }
        buffers = [picture.tobytes() for picture in pictures]
        self.widget.send({"id": number, "answer": answer}, buffers)

    async def settled(self) -> Exploration:
        """Wait until the last question is answered in full; what is shown then."""
        while self._completing is not None and not self._completing.done():
            await asyncio.sleep(0.01)  # it may belong to the loop of another thread
        return self.shown


def _question(asked: Mapping[str, Any]) -> tuple[str, Setting, tuple[str, str]]:
    """The picture's name, the setting and the two views of a question of the page."""
    region = Region(*(int(asked["region"][name]) for name in ("top", "left", "height", "width")))
    names = ("noise", "level", "seed", "method")
    setting = Setting(**{name: asked[name] for name in names}, region=region)
    return asked["picture"], setting, tuple(asked["views"])


def _work(setting: Setting) -> int:
    """Pixels to restore, counted once for each channel of the method; few count as 64×64, which
    take hardly longer."""
    channels = 3 if view.in_colour(setting.method) else 1
    return max(setting.region.height * setting.region.width, 64 * 64) * channels


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def told(shown: Exploration, numbers: Numbers) -> dict[str, Any]:
    """What the page writes and plots of the numbers, in values that JSON can hold."""
    removed = view.first_channel(shown.comparison.removed)
    return {
        "ssim": _finite(numbers.ssim),
        "noisySsim": _finite(numbers.degraded_ssim),
        "noiseStd": numbers.noise_std,
        "removedStd": 255 * float(removed.std(dtype=np.float64)),
        "histogram": shares(removed).tolist(),
        "autocorrelation": [_finite(float(value)) for value in numbers.autocorrelation],
    }
