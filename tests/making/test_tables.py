"""The tables of quality: measured entries, the stored ones, and the published numbers."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import dncnn_lib as dn
from dncnn_lib import model, zoo
from dncnn_lib.evaluation import PROTOCOLS
from dncnn_lib.making import tables
from dncnn_lib.priors import PRIORS, load_model

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def net() -> model.DnCNN:
    net = model.DnCNN(depth=3, width=4)
    net.reset_parameters(torch.Generator().manual_seed(0))
    return net.eval()


@pytest.fixture
def sets(monkeypatch):
    """Two small images in every set."""
    random = np.random.default_rng(0)
    album = {name: random.random((60, 64), np.float32) for name in ("a", "b")}
    monkeypatch.setattr(tables, "measured_sets", lambda task, channels: {f"{task} set": album})


def test_a_model_is_measured_on_the_papers_tasks_and_levels(net, sets):
    entries = list(tables.measure_table("dncnn-3", net))
    means = [(e.task, e.set, e.level) for e in entries if e.image == tables.MEAN]
    assert means == [
        (task.name, f"{task.name} set", level)
        for task in PROTOCOLS.values()
        if task.name != "camera"
        for level in task.levels
    ]
    assert [e.image for e in entries[:3]] == ["a", "b", "mean"]
    a, b, mean = entries[:3]
    for name in ("psnr", "degraded_psnr", "ssim", "degraded_ssim"):
        expected = (getattr(a, name) + getattr(b, name)) / 2
        assert getattr(mean, name) == pytest.approx(expected, abs=1e-3)
    assert mean.degraded_psnr == pytest.approx(20 * np.log10(255 / 15), abs=0.3)
    levels = {e.level for e in tables.measure_table("dncnn-s-50", net)}
    assert levels == {50}


def test_other_models_have_no_table(net):
    with pytest.raises(ValueError, match=r"^model is 'mine', but must be one of 'dncnn-s-15', "):
        list(tables.measure_table("mine", net))


def test_a_table_is_written_and_read(net, sets, tmp_path):
    entries = list(tables.measure_table("dncnn-b", net))
    tables.write_table(entries, tmp_path / "t.csv")
    assert tables.read_table(tmp_path / "t.csv") == entries
    other = tmp_path / "other.csv"
    other.write_text("day,rain\nMonday,3\n")
    with pytest.raises(ValueError, match=f"^{re.escape(str(other))} is not a table of quality$"):
        tables.read_table(other)


# As printed: README of cszn/DnCNN (BSD68 and DnCNN-3), README of SaoYan/DnCNN-PyTorch (Set12).
PRINTED = [
    ("DnCNN-S", "gaussian", "BSD68", 25, 29.23, None),
    ("DnCNN-B", "gaussian", "BSD68", 50, 26.23, None),
    ("DnCNN-S", "gaussian", "Set12", 15, 32.859, None),
    ("BM3D", "gaussian", "BSD68", 25, 28.57, 0.8017),
    ("DnCNN-3", "super-resolution", "Set5", 3, 33.75, 0.9222),
    ("DnCNN-3", "deblocking", "classic5", 10, 29.40, 0.8026),
    ("CDnCNN-B", "gaussian", "CBSD68", 25, 31.24, None),
]


@pytest.mark.parametrize(("method", "task", "name", "level", "psnr", "ssim"), PRINTED)
def test_published_numbers(method, task, name, level, psnr, ssim):
    found = tables.published(method, task, name, level)
    assert (found.psnr, found.ssim) == (psnr, ssim) and found.source


def test_what_is_not_published_is_none():
    assert tables.published("DnCNN-S", "gaussian", "BSD68", 26) is None


def test_every_published_number_is_plausible_and_has_its_source():
    with open(tables.PUBLISHED, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({tuple(row.values())[:5] for row in rows}) == len(rows) > 500
    for row in rows:
        assert 20 < float(row["psnr"]) < 40 and row["source"] and row["method"], row
        assert row["task"] in PROTOCOLS and int(row["level"]) in PROTOCOLS[row["task"]].levels, row
    mean = {}
    for row in rows:
        if row["set"] == "Set12" and row["image"] != "mean":
            mean.setdefault((row["method"], row["level"]), []).append(float(row["psnr"]))
    for (method, level), values in mean.items():
        printed = tables.published(method, "gaussian", "Set12", int(level)).psnr
        assert len(values) == 12 and np.mean(values) == pytest.approx(printed, abs=0.006)


@pytest.mark.parametrize("name", zoo.model_names())
def test_the_stored_table_is_that_of_the_weights(name):
    """The card was measured when the weights were made, the table later: both must agree."""
    card = zoo.card(name)
    stored = tables.read_table()
    if name in PRIORS:
        stored = tables.read_table(tables.PRIORS_TABLE, tables.PriorEntry)
    means = {
        (e.task, e.set, f"{e.level:g}"): e.psnr
        for e in stored
        if e.model == name and e.image == tables.MEAN
    }
    told = {"gaussian": card["psnr"]}
    told |= {task: card[task]["psnr"] for task in PROTOCOLS if task in card}
    for task, by_set in told.items():
        for set_name, levels in by_set.items():
            for level, psnr in levels.items():
                if (task, set_name, level) in means:
                    assert means.pop((task, set_name, level)) == pytest.approx(psnr, abs=0.002)
    assert not means, "measured, but not on the card"
    assert any(e.model == name and e.set == "samples" for e in stored)


def quality_rows() -> list[list[str]]:
    """The rows of the table in data/quality.md, without the header."""
    page = (ROOT / "data" / "quality.md").read_text("utf-8")
    _, after = page.split("| network | set | σ |")
    lines = after.split("\n\n")[0].splitlines()[2:]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_of_quality_shows_the_stored_numbers():
    rows = quality_rows()
    stored = {(e.model, e.set, f"{e.level:g}"): e for e in tables.read_table() if e.image == "mean"}
    for name, set_name, level, noisy, ours, *others in rows:
        entry = stored[name, set_name, level]
        assert (noisy, ours) == (f"{entry.degraded_psnr:.2f}", f"{entry.psnr:.2f}")
        paper = tables.paper_name(name)
        bm3d = "CBM3D" if set_name == "CBSD68" else "BM3D"
        methods = (paper, f"{paper} (authors' weights)", bm3d)
        printed = (tables.published(m, "gaussian", set_name, int(level)) for m in methods)
        assert others == [f"{quality.psnr:.2f}" if quality else "–" for quality in printed]
    assert {row[0] for row in rows} == set(zoo.model_names()) - set(PRIORS)


def test_the_summary_in_the_readme_holds():
    """That is, its sentences on the distance to the authors' weights, the paper and BM3D."""
    authors, paper, bm3d = {}, {}, {}
    for name, set_name, level, _, ours, *others in quality_rows():
        for place, other in zip((paper, authors, bm3d), others):
            if other != "–":
                place[name, set_name, level] = round(float(ours) - float(other), 2)
    grey = {"dncnn-s-15", "dncnn-s-25", "dncnn-s-50", "dncnn-b"}
    alone = [d for (name, *_), d in authors.items() if name in grey]
    assert (min(alone), max(alone)) == (-0.01, 0.05)
    beside = [d for (name, s, _), d in bm3d.items() if s == "BSD68" and name in grey]
    assert len(beside) == 6 and min(beside) >= 0.5
    colour = [d for (name, *_), d in paper.items() if name == "cdncnn-b"]
    assert (min(colour), max(colour)) == (0.04, 0.08)
    three = [d for (name, *_), d in authors.items() if name == "dncnn-3"]
    assert (min(three), max(three)) == (-0.06, -0.03)
    means = {
        (e.task, e.set, e.level): e.psnr
        for e in tables.read_table()
        if e.model == "dncnn-3" and e.image == "mean"
    }
    rest = [
        value - printed.psnr
        for (task, set_name, level), value in means.items()
        if task != "gaussian" and (printed := tables.published("DnCNN-3", task, set_name, level))
    ]
    assert len(rest) > 6 and round(min(rest), 2) == -0.18


# ------------------------------------------------------------------------------------- the priors


@pytest.fixture(scope="module")
def of_priors() -> list[tables.PriorEntry]:
    return tables.read_table(tables.PRIORS_TABLE, tables.PriorEntry)


def test_the_table_of_priors_is_whole(of_priors):
    """Every system and DnCNN, at its levels, on every set; each mean is that of its images."""
    networks = {"dncnn-s-15": {15}, "dncnn-s-25": {25}, "dncnn-s-50": {50}}
    sets = {"Set12": 12, "BSD68": 68, "samples": 14}
    values: dict[tuple[str, str, float], dict[str, float]] = {}
    for e in of_priors:
        values.setdefault((e.model, e.set, e.level), {})[e.image] = e.psnr
        assert e.seconds > 0 and 0 < e.ssim <= 1
    assert set(values) == {
        (name, set_name, level)
        for name in (*PRIORS, *networks, "dncnn-b")
        for set_name in sets
        for level in networks.get(name, {15, 25, 50})
    }
    for (_, set_name, _), by_image in values.items():
        mean = by_image.pop(tables.MEAN)
        assert len(by_image) == sets[set_name]
        assert np.mean(list(by_image.values())) == pytest.approx(mean, abs=0.002)


def test_the_table_of_priors_has_the_published_numbers(of_priors):
    known = {(e.model, e.set, e.level): e for e in of_priors if e.image == tables.MEAN}
    assert known["tnrd-7x7", "BSD68", 25].published == 28.92
    assert known["bm3d", "Set12", 50].published == 26.723
    assert known["nlm", "BSD68", 25].published is None
    for e in of_priors:
        assert (e.published is None) == (not e.source)
        found = tables.published(tables.paper_name(e.model), e.task, e.set, e.level, e.image)
        assert e.published == (found and found.psnr)


def test_the_table_of_priors_counts_their_parameters(of_priors):
    counts = {e.model: e.parameters for e in of_priors}
    for name, count in counts.items():
        model = load_model(name)
        assert count == sum(p.numel() for p in model.parameters())
    assert counts["bm3d"] == 0 and counts["jain-seung"] == 3 * 15_697


def test_the_priors_give_what_their_table_says(of_priors):
    """On one small picture, at one level; the slowest on the table's word."""
    number = list(dn.held_out_images()).index("pagoda")
    pixels = dn.sample_image("pagoda", grey=True)
    stored = {e.model: e for e in of_priors if (e.image, e.level) == ("pagoda", 25)}
    for name in set(PRIORS) - {"ncsr"}:
        shown = PROTOCOLS["gaussian"].compare(load_model(name), pixels, 25, seed=number)
        assert shown.psnr == pytest.approx(stored[name].psnr, abs=0.005), name
