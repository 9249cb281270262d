"""Lesson 08: the task explorer; noise and detail."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import raises
from skimage.metrics import peak_signal_noise_ratio

from dncnn_lib.degrade import KINDS
from dncnn_lib.evaluation import compare
from dncnn_lib.lessons.tasks import TASK_KINDS, spread_by_detail, task_explorer, task_words
from dncnn_lib.show.pictures import side_by_side


@pytest.mark.parametrize(
    ("kind", "level"), [("Gaussian", "σ"), ("down-up", "scale"), ("JPEG", "quality")]
)
def test_the_words_have_the_numbers_of_other_libraries(kind, level, clean, found):
    degraded = peak_signal_noise_ratio(clean, found.degraded, data_range=1)
    restored = peak_signal_noise_ratio(clean, found.restored.clip(0, 1), data_range=1)
    assert task_words(kind, 3, found) == (
        f"{kind}, {level} 3: {degraded:.1f} dB, restored {restored:.1f} dB "
        f"({restored - degraded:+.1f} dB)"
    )


def test_the_explorer_follows_its_controls(clean, halve):
    kinds, slider, words, picture = task_explorer(clean, halve, zoom=2).children
    assert (kinds.description, kinds.options, kinds.value) == ("task", TASK_KINDS, "JPEG")
    assert (slider.description, slider.value) == ("quality", 10)
    for kind, level in (("down-up", 4), ("Gaussian", 0), ("Gaussian", 75), ("JPEG", 90)):
        kinds.value = kind
        slider.value = level
        found = compare(clean, KINDS[kind].degradation(level), halve)
        assert words.value == picture.alt == task_words(kind, level, found)
        removed = 0.5 + 2 * (found.degraded - found.restored)
        assert picture.value == side_by_side(found.degraded, found.restored, removed, zoom=2)


def test_spread_by_detail_sorts_the_squares_and_measures_the_noise_in_each():
    flat, rough = np.full((4, 4), 0.5), 0.5 + 0.25 * np.tile([[1, -1], [-1, 1]], (2, 2))
    clean = np.block([[rough, flat], [flat, rough]])
    noise = np.block([[np.full((4, 4), 0.3), np.zeros((4, 4))], [0.1 * rough, -rough]])
    detail, spread = spread_by_detail(noise, clean, bins=2, block=4)
    np.testing.assert_allclose(detail, [0, 0.25])
    power = 0.25 + 0.25**2  # the mean square of ``rough``
    expected = [np.sqrt((0.1**2 * power + 0) / 2), np.sqrt((0.3**2 + power) / 2)]
    np.testing.assert_allclose(spread, expected)


def test_spread_by_detail_leaves_out_what_is_no_whole_square():
    clean = np.random.default_rng(0).random((16, 24))
    larger = np.pad(clean, ((0, 7), (0, 5)), constant_values=9.0)
    for a, b in zip(spread_by_detail(clean, clean), spread_by_detail(larger, larger)):
        np.testing.assert_allclose(a, b)


def test_spread_by_detail_refuses_images_that_do_not_fit():
    with raises(ValueError, "noise's shape is (8, 8), but must be that of clean, (8, 16)"):
        spread_by_detail(np.zeros((8, 8)), np.zeros((8, 16)))
    with raises(ValueError, "clean's shape is (8, 16), but must be room for 6 squares of 8×8"):
        spread_by_detail(np.zeros((8, 16)), np.zeros((8, 16)))
