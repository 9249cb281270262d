"""Lesson 10: the bugs of its cells and its patients.

The cells are those of the notebook, found by their tags ``setup``, ``broken-N`` and ``mended-N``.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from dncnn_lib.degrade import add_gaussian_noise
from dncnn_lib.evaluation import Comparison
from dncnn_lib.lessons.clinic import (
    PATIENTS,
    examination_words,
    examine,
    kept_for_backward,
    patient_explorer,
)
from dncnn_lib.show.pictures import side_by_side

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "10_bug_clinic.ipynb"
CELLS = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]

BUGS = {  # number: what the broken cell shows, what the mended one shows
    1: ("3 < quality < 6", "19.9 < quality < 20.4"),
    2: ("70 < quality < 80", "29 < quality < 31"),
    3: ("quality < 16 and jump > 0.8", "quality > 19.9 and jump < 0.6"),
    4: ("before > 15.2 and quality < 26.5", "before < 14.6 and quality > 26.5"),
    5: ("quality < 8 and abs(output.mean()) < 0.01", "quality > 29"),
    6: ("gap > 3 and db(together) < 20.2", "gap < 0.01 and db(together) > 29"),
    7: ("abs(quality - db(noisy)) < 0.1", "quality > 29"),
    8: ("result.shape == (96, 96, 3) and quality < 26", "quality > 30"),
    9: ("22 < quality < 23.5 and -11 < shift < -9", "quality > 29 and abs(shift) < 1"),
    10: ("losses[-1] < losses[0] / 3 and quality < 12", "losses[-1] < losses[0] and quality > 22"),
    11: ("not np.isfinite(losses[-1])", "np.isfinite(losses).all()"),
    12: ("len(set(losses)) == 1", "losses[-1] < losses[0] / 3"),
    13: ("gap > 10 and tested < 24.5", "gap < 4 and tested > 24.5"),
    14: ("max(curve) - min(curve) > 2", "max(curve) - min(curve) < 0.5"),
    15: ("megabytes[-1] > 3.9 * megabytes[0] > 4", "max(megabytes) == 0"),
}

pytestmark = pytest.mark.usefixtures("one_thread")


def source(cell: dict) -> str:
    return "".join(cell["source"])


def cell_of(tag: str) -> str:
    (found,) = (source(cell) for cell in CELLS if tag in cell["metadata"].get("tags", []))
    return found


@pytest.fixture(scope="module")
def start():
    """What the cells before the bugs define."""
    names: dict = {}
    for cell in CELLS:
        if "setup" in cell["metadata"].get("tags", []):
            exec(source(cell), names)
    return names


SLOW = (13, 14)  # they compare trainings


@pytest.mark.parametrize(
    "number",
    [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in BUGS],
)
def test_the_broken_cell_misbehaves_and_the_mended_one_does_not(number, start, monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    names = {**start, "batch": torch.from_numpy(start["noisy"])[None, None]}
    symptom, cure = BUGS[number]
    exec(cell_of(f"broken-{number}"), names)
    assert eval(symptom, names) and not eval(cure, names)
    exec(cell_of(f"mended-{number}"), names)
    assert eval(cure, names) and not eval(symptom, names)


def test_the_index_has_every_bug():
    (index,) = (source(cell) for cell in CELLS if source(cell).startswith("## Index"))
    listed = re.findall(r"\| (\d+) \|$", index, flags=re.M)
    assert sorted(map(int, listed)) == sorted(BUGS)
    assert sorted(re.findall(r"exercise (\d)", index)) == ["1", "2", "3"]


def test_every_bug_has_its_symptom_before_and_its_cause_after():
    for number in BUGS:
        (at,) = (
            i
            for i, cell in enumerate(CELLS)
            if f"broken-{number}" in cell["metadata"].get("tags", [])
        )
        before, after = source(CELLS[at - 1]), source(CELLS[at + 1])
        assert f"### Case {number}:" in before
        assert "*As reported:*" in before or "*Symptom:*" in before
        assert "**Your diagnosis?**" in after and "<details>" in after


def test_what_autograd_keeps_is_counted_until_it_is_released():
    x, weight = torch.ones(1000), torch.ones(1000, requires_grad=True)
    with kept_for_backward() as held:
        assert held() == 0
        loss = ((x * weight) ** 2).sum()  # keeps x for the product, the product for its square
        assert held() == 8000
        loss.backward()
        assert held() == 0
        with torch.no_grad():
            loss = ((x * weight) ** 2).sum()
        assert held() == 0


# ------------------------------------------------------------------------------------- the patients


class Halves(torch.nn.Module):
    """Removes half of the picture; in training mode, nothing."""

    def forward(self, noisy):
        return noisy if self.training else noisy / 2


WAVES = (0.5 + 0.4 * np.sin(np.arange(40 * 40).reshape(40, 40))).astype(np.float32)


def test_an_examination_adds_that_noise_and_applies_the_model():
    found = examine(WAVES, 25, "D", Halves().eval())
    np.testing.assert_array_equal(found.degraded, add_gaussian_noise(WAVES, 25, seed=0))
    np.testing.assert_allclose(found.restored, found.degraded / 2)
    assert found.clean is WAVES


def test_the_words_have_the_numbers_of_other_libraries(clean, found):
    noisy = peak_signal_noise_ratio(clean, found.degraded, data_range=1)
    restored = peak_signal_noise_ratio(clean, found.restored.clip(0, 1), data_range=1)
    removed = 255 * (found.degraded - found.restored).astype(np.float64)
    alike = np.corrcoef(removed.ravel(), clean.ravel())[0, 1]
    assert examination_words("D", 12.5, found) == (
        f"patient D, σ = 12.5: noise std {255 * np.std(found.degraded - clean):.1f}; "
        f"PSNR {noisy:.1f} → {restored:.1f} dB; removed: mean {removed.mean():+.1f}, "
        f"std {removed.std():.1f}, correlation with the image {alike:+.2f}"
    )


def test_where_nothing_is_removed_there_is_no_correlation(clean, found):
    words = examination_words("E", 50, Comparison(clean, found.degraded, found.degraded))
    assert words.endswith("removed: mean +0.0, std 0.0, correlation with the image +nan")


def test_every_patient_has_its_fault():
    net = Halves().eval()
    found = {letter: examine(WAVES, 50, letter, net) for letter in PATIENTS}
    assert found["A"].removed.min() == 0 and found["A"].removed.max() > 0.4
    assert found["B"].degraded.min() == 0 and found["B"].degraded.max() == 1
    levels = 255 * found["B"].degraded
    np.testing.assert_allclose(levels, levels.round(), atol=1e-4)
    assert 255 * found["C"].noise.std() == pytest.approx(math.sqrt(255 * 50), rel=0.05)
    np.testing.assert_array_equal(found["E"].restored, found["E"].degraded)
    np.testing.assert_allclose(found["F"].restored, found["D"].restored, atol=1e-6)
    np.testing.assert_allclose(found["G"].restored, found["D"].removed)
    assert not net.training


def test_an_unknown_patient_is_refused():
    with pytest.raises(ValueError, match="^patient is 'Z', but must be one of 'A', "):
        examine(WAVES, 25, "Z", Halves())


def test_the_explorer_shows_the_examination():
    net = Halves().eval()
    switch, slider, words, picture = patient_explorer(WAVES, net).children
    assert (switch.value, slider.value) == ("A", 25) and switch.options == tuple(PATIENTS)
    for letter, sigma in (("G", 25), ("G", 0), ("B", 60)):
        switch.value, slider.value = letter, sigma
        found = examine(WAVES, sigma, letter, net)
        assert words.value == picture.alt == examination_words(letter, sigma, found)
        shown = (found.degraded, found.restored, found.degraded - found.restored + 0.5)
        assert picture.value == side_by_side(*shown, zoom=2)
