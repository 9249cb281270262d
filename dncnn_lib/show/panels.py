"""Controls over a picture that follows them: what every widget of the lessons is made of."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import anywidget
import ipywidgets
import numpy as np
import traitlets

from .. import _check
from ..degrade import KINDS
from .pictures import screen_width, side_by_side


class PNG(anywidget.AnyWidget):
    """A picture on the page, and in words for those who cannot see it.

    value: the bytes of a PNG; alt: the words; width: on the screen, in pixels, 0 for the picture's
    own; it shrinks where there is less room.
    """

    _esm = """
    export default {
      render({ model, el }) {
        const image = document.createElement("img");
        image.style.cssText = "max-width: 100%; height: auto; display: block";
        el.append(image);
        function show() {
          const before = image.src;
          image.src = URL.createObjectURL(new Blob([model.get("value")], { type: "image/png" }));
          if (before) URL.revokeObjectURL(before);
        }
        const describe = () => (image.alt = model.get("alt"));
        if (model.get("width")) image.width = model.get("width");
        model.on("change:value", show);
        model.on("change:alt", describe);
        show();
        describe();
      },
    };
    """

    value = traitlets.Bytes().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    width = traitlets.Int().tag(sync=True)


def panel(
    controls: Sequence[ipywidgets.Widget],
    answer: Callable[[], tuple[bytes, str]],
    *,
    width: int = 0,
    below: Sequence[ipywidgets.Widget] = (),
) -> ipywidgets.VBox:
    """Controls over a sentence and a picture that follow them.

    answer: returns the PNG and the sentence for what the controls say; it is called at once and
    whenever the ``value`` of one of them changes. width: of the picture on the screen, 0 for its
    own. below: what to show under it. The children are the controls, the sentence, the picture and
    what is below.
    """
    words, picture = ipywidgets.HTML(), PNG(width=width)

    def update(_change: object = None) -> None:
        png, told = answer()
        words.value = html.escape(told, quote=False)
        with picture.hold_sync():
            picture.value, picture.alt = png, told

    update()
    for control in controls:
        control.observe(update, names="value")
    return ipywidgets.VBox([*controls, words, picture, *below])


def kind_controls(
    names: Sequence[str], kind: str, label: str
) -> tuple[ipywidgets.Dropdown, ipywidgets.IntSlider]:
    """A dropdown of some of ``degrade.KINDS``, and a slider over the levels of the chosen one."""
    wide = ipywidgets.Layout(width="480px")
    named = {"description_width": "130px"}
    kinds = ipywidgets.Dropdown(
        options=list(names), value=kind, description=label, layout=wide, style=named
    )
    slider = ipywidgets.IntSlider(layout=wide, style=named)

    def choose(_change: object = None) -> None:
        chosen = KINDS[kinds.value]
        with slider.hold_trait_notifications():  # or the new limits would clip the old value
            slider.description = chosen.level
            slider.min, slider.max, slider.value = chosen.low, chosen.high, chosen.start

    choose()
    kinds.observe(choose, names="value")
    return kinds, slider


@dataclass(frozen=True)
class Frame:
    """Pictures that belong together, arrays (H, W) in [0, 1], and a sentence about them."""

    words: str
    pictures: tuple[np.ndarray, ...]


def frame_slider(
    frames: Mapping[str, Sequence[Frame]], labels: Sequence[str], description: str, *, zoom: int = 1
) -> ipywidgets.VBox:
    """A slider over frames, and a switch between several rows of them.

    frames: option of the switch → a frame for each of ``labels``, all of one size; description: of
    the slider; zoom: screen pixels for each pixel. The children are the slider, the switch, the
    sentence and the picture.
    """
    for name, row in frames.items():
        if len(row) != len(labels):
            _check.fail(f"frames[{name!r}]'s length", len(row), f"{len(labels)}, as labels has")
    slider = ipywidgets.SelectionSlider(
        options=[(label, number) for number, label in enumerate(labels)],
        description=description,
        layout={"width": "480px"},
    )
    switch = ipywidgets.ToggleButtons(options=list(frames), description="show")
    pictures = next(iter(frames.values()))[0].pictures

    def answer() -> tuple[bytes, str]:
        frame = frames[switch.value][slider.value]
        return side_by_side(*frame.pictures, zoom=zoom), frame.words

    return panel([slider, switch], answer, width=screen_width(pictures[0], zoom, len(pictures)))
