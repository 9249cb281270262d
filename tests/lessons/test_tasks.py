"""Lesson 08: the task explorer, noise and detail, and the checks of the exercises."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import raises
from skimage.metrics import peak_signal_noise_ratio

from dncnn_lib.degrade import KINDS
from dncnn_lib.evaluation import compare
from dncnn_lib.lessons import tasks
from dncnn_lib.lessons.tasks import TASK_KINDS, spread_by_detail, task_explorer, task_words
from dncnn_lib.resize import resize
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


# ------------------------------------------------------------------------------------ the exercises

Y_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255


def with_luma(rgb, y):
    change = y - 16 / 255 - rgb @ Y_WEIGHTS
    return rgb + change[..., None] / Y_WEIGHTS.sum()


def enlarged(clean, scale, *, crop=True, first=True, second=True):
    def rounded(image, yes=True):
        return (image * 255).round().clamp(0, 255) / 255 if yes else image

    if crop:
        clean = clean[: len(clean) // scale * scale, : clean.shape[1] // scale * scale]
    height, width = clean.shape
    small = rounded(resize(clean, (height // scale, width // scale)), first)
    return rounded(resize(small, (height, width)), second)


def into_the_box(coefficients, stored, table):
    off = coefficients / table - stored
    return table * (stored + np.minimum(np.maximum(off, -0.5), 0.5))


@pytest.mark.parametrize("solution", [with_luma, enlarged, into_the_box])
def test_the_solutions_are_accepted(solution, accepted):
    assert len(accepted(getattr(tasks, solution.__name__), solution)) >= 2


def every_third(clean, scale):
    """Not antialiased."""
    height, width = (side // scale * scale for side in clean.shape)
    small = (clean[:height:scale, :width:scale] * 255).round() / 255
    return (resize(small, (height, width)) * 255).round().clamp(0, 255) / 255


@pytest.mark.parametrize(
    ("exercise", "wrong", "said"),
    [
        ("with_luma", lambda rgb, y: rgb, "expected ndarray 4×5×3"),
        ("with_luma", lambda rgb, y: np.dstack([y, y, y]), "expected ndarray 4×5×3"),
        ("with_luma", lambda rgb, y: y, "gave ndarray 4×5 with"),
        ("with_luma", lambda rgb, y: rgb + (y - 16 / 255 - rgb @ Y_WEIGHTS)[..., None], "expected"),
        ("enlarged", lambda x, s: enlarged(x, s, crop=False), "gave tensor 20×19"),
        ("enlarged", lambda x, s: enlarged(x, s, first=False), "expected tensor 12×18"),
        ("enlarged", lambda x, s: enlarged(x, s, second=False), "expected tensor 12×18"),
        ("enlarged", every_third, "expected tensor 12×18"),
        ("enlarged", lambda x, s: (255 * enlarged(x, s)).byte(), "expected tensor 12×18"),
        ("into_the_box", lambda c, s, t: c, "expected ndarray 8×8"),
        ("into_the_box", lambda c, s, t: s * t, "expected ndarray 8×8"),
        ("into_the_box", lambda c, s, t: np.clip(c, (s - 1) * t, (s + 1) * t), "expected"),
        ("into_the_box", lambda c, s, t: np.clip(c, s - 0.5, s + 0.5), "expected"),
    ],
)
def test_wrong_answers_are_refused(exercise, wrong, said, refused):
    assert said in refused(getattr(tasks, exercise), wrong)
