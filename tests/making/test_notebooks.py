"""Alternative texts of figures, from the words under them."""

from __future__ import annotations

import json

import pytest

from dncnn_lib.making import notebooks


@pytest.mark.parametrize(
    ("source", "alt"),
    [
        ("*The figure:* a **dog**, `sigma` = 25.\n\nMore text.", "A dog, sigma = 25."),
        ("Look.\n\n*The figure:* two\nlines, $x$.", "Two lines, x."),
        ("*The two figures:* [lesson 01](01_noise.ipynb) again.", "Lesson 01 again."),
        ("A plain sentence.\n\nAnother.", "A plain sentence."),
    ],
)
def test_the_words_under_a_figure_are_its_text(source, alt):
    assert notebooks.words(source) == alt


def test_every_figure_of_a_file_gets_its_text(tmp_path):
    figure = {"output_type": "display_data", "data": {"image/png": "aGk="}, "metadata": {}}
    text = {"output_type": "stream", "name": "stdout", "text": "31 dB"}
    cells = [
        {"cell_type": "code", "outputs": [text, figure, dict(figure, metadata={})], "source": []},
        {"cell_type": "markdown", "source": ["*The figure:* a dog,\n", "asleep."]},
        {"cell_type": "code", "outputs": [text], "source": []},
        {"cell_type": "markdown", "source": ["*The figure:* no figure."]},
    ]
    path = tmp_path / "lesson.ipynb"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    notebooks.main([str(path)])
    found = json.loads(path.read_text("utf-8"))
    outputs = found["cells"][0]["outputs"]
    assert outputs[0] == text
    assert [o["metadata"] for o in outputs[1:]] == [{"image/png": {"alt": "A dog, asleep."}}] * 2
    assert found["cells"][1:] == cells[1:]
    assert path.read_text("utf-8") == json.dumps(found, ensure_ascii=False, indent=1) + "\n"
