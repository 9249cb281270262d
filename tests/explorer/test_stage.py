"""The picture's Python side: frames out, uploads in."""

import numpy as np
import pytest

from dncnn_lib.explorer import stage


def test_a_frame_is_the_bytes_of_two_pictures():
    shown = stage.Stage()
    left = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    shown.show(left, left[::-1], ("clean", "noisy"), "two rows")
    assert shown.frame == {
        "left": bytes(range(24)),
        "right": bytes([*range(12, 24), *range(12)]),
        "height": 2,
        "width": 4,
        "channels": 3,
        "names": ["clean", "noisy"],
        "alt": "two rows",
        "number": 1,
    }
    shown.show(left[..., 0], left[..., 0], ("clean", "noisy"), "grey")
    assert shown.frame["number"] == 2 and shown.frame["channels"] == 1


def test_the_overview_is_small_and_knows_the_whole():
    shown = stage.Stage()
    shown.show_overview(np.full((200, 300), 0.5, np.float32))
    assert shown.overview["whole"] == [200, 300] and shown.overview["channels"] == 1
    size = shown.overview["height"] * shown.overview["width"]
    assert max(shown.overview["height"], shown.overview["width"]) <= 192
    assert shown.overview["pixels"] == bytes([128]) * size


def test_messages_are_neutral_unless_they_are_errors():
    shown = stage.Stage()
    assert shown.message == {"text": "", "error": False}
    shown.tell("60×50 pixels")
    assert shown.message == {"text": "60×50 pixels", "error": False}
    shown.tell("no room", error=True)
    assert shown.message == {"text": "no room", "error": True}


def test_an_upload_arrives_in_parts():
    got, shown = [], stage.Stage()
    shown.on_upload(lambda data, name: got.append((data, name)))
    for part, data in enumerate((b"ab", b"cd", b"e")):
        content = {"type": "upload", "name": "x.png", "part": part, "last": part == 2}
        shown._receive(None, content, [memoryview(data)])
    assert got == [(b"abcde", "x.png")]


def test_an_upload_that_is_too_large_is_dropped(monkeypatch):
    monkeypatch.setattr(stage, "LARGEST_UPLOAD", 3_000_000)
    got, shown = [], stage.Stage()
    shown.on_upload(lambda *upload: got.append(upload))
    for part in range(5):
        content = {"type": "upload", "name": "x", "part": part, "last": part == 4}
        shown._receive(None, content, [bytes(1_000_000)])
    assert got == []
    assert shown.message == {"text": "That file is larger than 3 MB.", "error": True}


@pytest.mark.parametrize("content", [None, "x", {}, {"type": "upload"}, {"type": 7}])
def test_other_messages_do_nothing(content):
    shown = stage.Stage()
    shown._receive(None, content, [])
    assert shown.message == {"text": "", "error": False}
