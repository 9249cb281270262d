"""The bugs of lesson 10: the broken cells misbehave as described, and the mended ones do not.

The cells are those of the notebook, found by their tags ``setup``, ``broken-N`` and ``mended-N``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from dncnn_lib.exercises.clinic import kept_for_backward

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "10_bug_clinic.ipynb"
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


@pytest.mark.parametrize("number", BUGS)
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
