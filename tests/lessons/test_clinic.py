"""Lesson 10: its broken cells, the checks of what students make of them, and its patients.

The cells are those of the notebooks 10 and 10b, found by their tags ``setup`` and ``broken-N``.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from lessons.answers.clinic import OPEN
from skimage.metrics import peak_signal_noise_ratio

from dncnn_lib.degrade import add_gaussian_noise
from dncnn_lib.evaluation import Comparison
from dncnn_lib.keys.clinic import CASES, DIAGNOSES, case, marks
from dncnn_lib.lessons.clinic import (
    PATIENTS,
    examination_words,
    examine,
    kept_for_backward,
    patient_explorer,
)
from dncnn_lib.show.pictures import side_by_side

FOLDER = Path(__file__).parents[2] / "notebooks"
BOOKS = {
    name: json.loads((FOLDER / name).read_text("utf-8"))["cells"]
    for name in ("10_bug_clinic.ipynb", "10b_bug_clinic_training.ipynb")
}
FIRST, SECOND = BOOKS

SYMPTOMS = {  # what a broken cell shows
    1: "db(damaged) < -20",
    2: "db(damaged) < 12",
    3: "db(opened) > 15 and db(dn.denoise(opened, model)) < 26.5",
    4: "db(easy) > db(noisy) + 0.9",
    5: "value < 28 and results(networks, pieces[:1])[15] < 25",
    6: "db(picture) < 8 and abs(picture.mean()) < 0.01",
    7: "db(alone) - db(together) > 3 and db(together) < db(noisy)",
    8: "abs(db(picture) - db(noisy)) < 0.1",
    9: "result.shape == colour.shape and dn.psnr(result, colour, data_range=1.0) < 26",
    10: "22 < db(output) < 23.5 and -11 < shift < -9",
    11: "losses[-1] < losses[0] / 3 and quality < 12",
    12: "not np.isfinite(losses[-1])",
    13: "len(set(losses)) == 1",
    14: "curve[-20:].mean() - tested > 10 and tested < 24.5",
    15: "np.ptp([db(result) for result in results]) > 2",
    16: "held() > 1e6",
}

pytestmark = pytest.mark.usefixtures("one_thread")


def source(cell: dict) -> str:
    return "".join(cell["source"])


def tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def book_of(number: int) -> list[dict]:
    return BOOKS[FIRST if number < 10 else SECOND]


def place_of(number: int) -> int:
    """Of the broken cell, in its notebook."""
    (at,) = (i for i, cell in enumerate(book_of(number)) if f"broken-{number}" in tags(cell))
    return at


def checked_in(cell: dict, number: int) -> str:
    """The name of the function that the cell checks."""
    return re.search(rf"^checks\.case\({number}, (\w+)\)$", source(cell), flags=re.M)[1]


@pytest.fixture(scope="module")
def starts():
    """What the cells before the cases define, in either notebook."""
    found = {}
    for name, cells in BOOKS.items():
        found[name] = names = {}
        for cell in cells:
            if "setup" in tags(cell):
                exec(source(cell), names)
    return found


def test_every_case_has_a_check_and_a_broken_cell():
    assert list(CASES) == list(SYMPTOMS) == list(range(1, 17))


@pytest.mark.parametrize("number", SYMPTOMS)
def test_a_broken_cell_shows_its_symptom_and_is_still_open(number, starts, figures, capsys):
    cells, at = book_of(number), place_of(number)
    names = dict(starts[FIRST if number < 10 else SECOND])
    exec(source(cells[at]), names)
    assert eval(SYMPTOMS[number], names)
    name = checked_in(cells[at + 2], number)
    for seed in (0, 1, 2):
        capsys.readouterr()
        case(number, names[name], seed=seed)
        assert re.fullmatch(rf"{name}: still open\. [A-Z].+\.\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("number", "answer"),
    [pytest.param(n, f, id=f"{n}-{i}") for n in SYMPTOMS for i, f in enumerate(OPEN[f"case_{n}"])],
)
@pytest.mark.parametrize("seed", (0, 1, 2))
def test_what_changes_nothing_leaves_a_case_open(number, answer, seed, capsys):
    case(number, answer, seed=seed)
    out = capsys.readouterr().out
    assert ": still open. " in out and "right" not in out


def test_a_case_that_has_not_been_begun_is_open(capsys):
    def later(*_):
        raise NotImplementedError

    for number in CASES:
        case(number, later)
    said = "later: still open. Fill it in and run this cell again.\n"
    assert capsys.readouterr().out == said * len(CASES)


def test_an_unknown_case_is_refused():
    with pytest.raises(ValueError, match="^number is 17, but must be one of 1, "):
        case(17, print)


@pytest.mark.parametrize("number", list(SYMPTOMS)[1:])
def test_a_case_is_a_symptom_a_cell_a_diagnosis_and_a_check(number):
    cells, at = book_of(number), place_of(number)
    before, after = source(cells[at - 1]), source(cells[at + 1])
    assert f"### Case {number}: " in before
    assert ("*As reported:*" in before) != ("*Symptom:*" in before)
    assert "**Your diagnosis:** …\n" in after
    assert source(cells[at + 2]) == f"checks.case({number}, {checked_in(cells[at + 2], number)})"


def markdown(name: str, beginning: str) -> str:
    (found,) = (source(cell) for cell in BOOKS[name] if source(cell).startswith(beginning))
    return found


def test_the_index_comes_last_and_has_every_case():
    index = markdown(SECOND, "## Index")
    listed = re.findall(r"\| ([\d, ]+)(?:, exercise \d)? \|$", index, flags=re.M)
    assert {int(n) for entry in listed for n in entry.split(", ")} == set(CASES)
    sources = [source(cell) for cell in BOOKS[SECOND]]
    places = [i for i, text in enumerate(sources) if "checks." in text]
    assert sources.index(index) > max(places)


def test_every_pointer_of_the_index_leads_to_a_section():
    text = markdown(SECOND, "## Index") + markdown(SECOND, "### Questions")
    pointers = re.findall(r"\[(\d\db?)\]\((\w+\.ipynb)\)((?:, \*[^*]+\*)*)", text)
    assert len(pointers) > 15
    for number, name, sections in pointers:
        assert name.startswith(number + "_")
        cells = json.loads((FOLDER / name).read_text("utf-8"))["cells"]
        lines = "\n".join(source(c) for c in cells if c["cell_type"] == "markdown").splitlines()
        headings = [re.sub(r"^#+ (\d+ · )?", "", line) for line in lines if line.startswith("#")]
        for section in re.findall(r"\*([^*]+)\*", sections):
            assert section in headings, f"{name} has no section {section}"


def test_every_question_that_people_ask_is_answered():
    rows = markdown(SECOND, "### Questions").splitlines()[4:]
    assert len(rows) == 15
    assert all(re.fullmatch(r"\| .+[?.] \| \[\d\db?\]\(.+ \|", row) for row in rows)


def test_what_autograd_keeps_is_counted_until_it_is_released():
    x, weight = torch.ones(1000), torch.ones(1000, requires_grad=True)
    with kept_for_backward() as held:
        assert held() == 0
        loss = ((x * weight) ** 2).sum()  # keeps x for the product, the product for its square
        assert held() == 8000
        loss.backward()
        assert held() == 0
        result = torch.exp(x * weight)  # keeps x, and itself
        assert held() == 8000
        del result
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


def test_diagnoses_are_marked(capsys):
    marks({"A": 10, "B": "3", "D": None, "E": "healthy", "F": " Another", "G": 7})
    assert capsys.readouterr().out.splitlines() == [
        "patient A: right",
        "patient B: right",
        "patient D: still open",
        f"patient E: not yet: {DIAGNOSES['E'].look}",
        "patient F: right",
        f"patient G: not yet: {DIAGNOSES['G'].look}",
    ]
    with pytest.raises(ValueError, match="^patient is 'H', but must be one of 'A', "):
        marks({"H": 1})


def test_a_patient_has_the_fault_of_a_case():
    found = {letter: truth.case for letter, truth in DIAGNOSES.items()}
    assert sum(case == "healthy" for case in found.values()) == 1
    assert {case for case in found.values() if isinstance(case, int)} <= set(CASES)


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
