"""Controls over a picture, without a browser: move the slider, read the picture."""

from __future__ import annotations

import ipywidgets
import numpy as np
import pytest
from helpers import raises

from dncnn_lib.degrade import KINDS
from dncnn_lib.show.panels import Frame, frame_slider, kind_controls, panel
from dncnn_lib.show.pictures import side_by_side


def test_a_panel_asks_at_once_and_whenever_a_control_changes():
    slider, switch = ipywidgets.IntSlider(3), ipywidgets.Checkbox(False)
    below = ipywidgets.HTML()
    asked = []

    def answer() -> tuple[bytes, str]:
        asked.append((slider.value, switch.value))
        return bytes([slider.value]), f"{slider.value} < {switch.value} & more"

    children = panel([slider, switch], answer, width=50, below=[below]).children
    words, picture = children[2:4]
    assert children == (slider, switch, words, picture, below)
    assert picture.width == 50
    slider.value = 7
    switch.value = True
    assert asked == [(3, False), (7, False), (7, True)]
    assert picture.value == b"\x07" and picture.alt == "7 < True & more"
    assert words.value == "7 &lt; True &amp; more"


@pytest.mark.parametrize("kind", KINDS)
def test_the_slider_has_the_levels_of_the_kind(kind):
    for before in KINDS:
        kinds, slider = kind_controls(tuple(KINDS), before, "noise")
        assert (kinds.description, kinds.options, kinds.value) == ("noise", tuple(KINDS), before)
        slider.value = slider.max
        kinds.value = kind
        wanted = KINDS[kind]
        limits = (slider.description, slider.min, slider.max)
        assert limits == (wanted.level, wanted.low, wanted.high)
        assert slider.value == (wanted.high if kind == before else wanted.start)


@pytest.mark.parametrize("kind", KINDS)
def test_every_level_of_a_slider_is_a_degradation(kind):
    known = KINDS[kind]
    assert known.low <= known.start <= known.high
    for level in range(known.low, known.high + 1):
        known.degradation(level)


def test_the_slider_chooses_the_frame_and_the_switch_the_row():
    def frame(grey: float) -> Frame:
        return Frame(f"grey {grey}", (np.full((4, 20), grey), np.full((4, 20), 1 - grey)))

    rows = {"dark": [frame(0.1), frame(0.2)], "light": [frame(0.8), frame(0.9)]}
    slider, switch, words, picture = frame_slider(rows, ["1", "2"], "layer", zoom=2).children
    assert (slider.description, switch.options) == ("layer", ("dark", "light"))
    assert picture.width == 2 * 40 + 2 * 8
    for row, number in (("dark", 0), ("dark", 1), ("light", 1), ("light", 0)):
        switch.value, slider.value = row, number
        shown = rows[row][number]
        assert words.value == picture.alt == shown.words
        assert picture.value == side_by_side(*shown.pictures, zoom=2)


def test_frames_need_a_label_each():
    frame = Frame("one", (np.zeros((4, 20)),) * 3)
    view = frame_slider({"a": [frame, frame]}, ["1", "2"], "layer", zoom=2)
    assert view.children[3].width == 3 * 40 + 2 * 16
    with raises(ValueError, "frames['a']'s length is 1, but must be 2, as labels has"):
        frame_slider({"a": [frame]}, ["1", "2"], "layer")
