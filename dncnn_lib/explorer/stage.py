"""The picture in the browser: swipe, pan, zoom, upload, save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from ..images import as_uint8

_HERE = Path(__file__).parent

SCREEN = 512
"""Side of the picture on the screen, in pixels of the screen."""

ZOOMS = (1, 2, 3, 4, 8)
"""Pixels of the screen for one pixel of the picture."""

LARGEST_UPLOAD = 200_000_000
"""Bytes."""


class Stage(anywidget.AnyWidget):
    """Two pictures of one region under a swipe line, and a small map of where the region is.

    Set by Python: ``frame`` (by ``show``), ``overview`` (by ``show_overview``), ``message`` (by
    ``tell``), and ``busy`` while a better picture or its numbers are to come.
    Set by the browser or by Python: ``centre`` of the region, (row, column); ``zoom``, one of
    ``ZOOMS``; ``swipe``, from 0 to 1, how much of the left picture is seen.
    An upload is handed to the function given to ``on_upload``. When the kernel is gone, the page
    says so.
    """

    _esm = _HERE / "stage.js"
    _css = _HERE / "stage.css"

    frame = traitlets.Dict().tag(sync=True)
    overview = traitlets.Dict().tag(sync=True)
    busy = traitlets.Bool().tag(sync=True)
    message = traitlets.Dict({"text": "", "error": False}).tag(sync=True)
    centre = traitlets.List(traitlets.Float(), [0.0, 0.0], 2, 2).tag(sync=True)
    zoom = traitlets.Enum(ZOOMS, 2).tag(sync=True)
    swipe = traitlets.Float(0.5, min=0, max=1).tag(sync=True)
    screen = traitlets.Int(SCREEN).tag(sync=True)
    zooms = traitlets.List(traitlets.Int(), list(ZOOMS)).tag(sync=True)
    largest = traitlets.Int(LARGEST_UPLOAD).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._arriving: list[bytes] = []
        self._handle_upload: Callable[[bytes, str], None] = lambda data, name: None
        self.on_msg(self._receive)

    @property
    def side(self) -> int:
        """Of the region seen, in pixels of the picture."""
        return SCREEN // self.zoom

    def show(self, left: np.ndarray, right: np.ndarray, names: tuple[str, str], alt: str) -> None:
        """Put two uint8 pictures of one shape, (H, W) or (H, W, 3), under the swipe line.

        names: what is written on them; alt: the picture in words.
        """
        height, width = left.shape[:2]
        self.frame = {
            "left": left.tobytes(),
            "right": right.tobytes(),
            "height": height,
            "width": width,
            "channels": 1 if left.ndim == 2 else 3,
            "names": list(names),
            "alt": alt,
            "number": self.frame.get("number", 0) + 1,
        }

    def show_overview(self, picture: np.ndarray) -> None:
        """Draw the map from a whole picture, (H, W) or (H, W, 3) in [0, 1]."""
        height, width = picture.shape[:2]
        step = max(height, width) // 96 or 1
        small = as_uint8(picture[::step, ::step])
        self.overview = {
            "pixels": small.tobytes(),
            "height": small.shape[0],
            "width": small.shape[1],
            "channels": 1 if small.ndim == 2 else 3,
            "whole": [height, width],
        }

    def tell(self, text: str, *, error: bool = False) -> None:
        """Write a message under the picture, in red if it is an error; "" clears it."""
        self.message = {"text": text, "error": error}

    def on_upload(self, function: Callable[[bytes, str], None]) -> None:
        """Have ``function(data, name)`` called with each upload."""
        self._handle_upload = function

    def save(self, data: bytes, name: str) -> None:
        """Have the browser download a PNG under that name."""
        self.send({"type": "save", "name": name}, [data])

    def _receive(self, _widget: object, content: Any, buffers: list[Any]) -> None:
        """A message from the browser. Uploads come in parts: a server refuses large messages."""
        kind = content.get("type") if isinstance(content, dict) else None
        if kind == "ping":
            self.send({"type": "pong"})
        elif kind == "upload" and len(buffers) == 1:
            if content.get("part") == 0:
                self._arriving = []
            elif content.get("part") != len(self._arriving):
                return  # the rest of one that was given up
            self._arriving.append(bytes(buffers[0]))
            if sum(map(len, self._arriving)) > LARGEST_UPLOAD:
                self._arriving = []
                limit = LARGEST_UPLOAD // 1_000_000
                self.tell(f"That file is larger than {limit} MB.", error=True)
            elif content.get("last"):
                data, self._arriving = b"".join(self._arriving), []
                self._handle_upload(data, str(content.get("name"))[:80])
