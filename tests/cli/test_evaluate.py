"""``evaluate``: its tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import picture

from dncnn_lib import datasets, evaluation, images, zoo
from dncnn_lib.datasets import image_set
from dncnn_lib.degrade import GaussianNoise
from dncnn_lib.making import tables


def test_the_table_is_what_evaluate_measures(call, weights, album):
    code, out, err = call("evaluate", "--model", weights, "--set", "samples12", "album")
    assert (code, out) == (1, "")
    assert err[0].startswith("error: the image set is 'samples12', but must be a folder of images")
    words = ("evaluate", "--model", weights, "--set", "album", "--sigma", "15", "25.5")
    code, out, err = call(*words, "--csv", "table.csv")
    assert (code, err) == (0, [])
    clean = list(image_set("album").values())
    header, first, second, _, *protocol = out.splitlines()
    names = "model set task level image degraded PSNR PSNR degraded SSIM SSIM"
    assert header.split() == names.split()
    for line, sigma in ((first, 15), (second, 25.5)):
        scores = evaluation.evaluate(
            zoo.load_pretrained(weights), clean, GaussianNoise(sigma), seed=0
        )
        values = [
            f"{np.mean([getattr(score, name) for score in scores]):{form}}"
            for name, form in zip(
                ("noisy_psnr", "psnr", "noisy_ssim", "ssim"), (".2f", ".2f", ".4f", ".4f")
            )
        ]
        assert line.split() == [weights, "album", "gaussian", f"{sigma:g}", "mean", *values]
    assert "seed 0" in " ".join(protocol)
    rows = tables.read_table("table.csv")
    assert [row.image for row in rows] == ["B.JPG", "a.png", "mean"] * 2
    assert f"{rows[2].psnr:.2f}" == first.split()[6]
    tables.write_table([replace(rows[0], model="other"), *rows], "table.csv")
    assert call(*words, "--csv", "table.csv")[0] == 0  # replaces the model's rows, and no others
    assert [row.model for row in tables.read_table("table.csv")] == ["other", *6 * [weights]]


def test_an_impossible_table_is_refused_before_it_is_measured(call, weights, album, monkeypatch):
    monkeypatch.setattr(evaluation, "restored_comparison", None)  # measuring would raise
    words = ("evaluate", "--model", weights, "--set", "album")
    notes = Path("notes.csv")
    notes.write_text("my only notes\n")
    for more, message in (
        (["--csv", "notes.csv"], "notes.csv is not a table of quality"),
        (["--csv", "t.png"], "--csv is 't.png', but must be the name of a .csv file"),
        (["--csv", "no/t.csv"], "cannot write no/t.csv: the folder no does not exist"),
        (["--scale", "1"], "scale is 1, but must be an integer of at least 2"),
        (
            ["--paper"],
            "--paper has its own sets and levels: leave out --set, --sigma, --scale, --quality "
            "and --iso",
        ),
    ):
        assert call(*words, *more) == (1, "", [f"error: {message}"])
    assert notes.read_text() == "my only notes\n"


def test_a_row_for_every_image(call, weights, album):
    words = ("--model", weights, "--set", "album", "--sigma", "25", "--per-image")
    code, out, _ = call("evaluate", *words)
    rows = [line.split() for line in out.splitlines()[1:4]]
    assert code == 0 and [row[4] for row in rows] == ["B.JPG", "a.png", "mean"]
    for column in (5, 6):
        mean = (float(rows[0][column]) + float(rows[1][column])) / 2
        assert float(rows[2][column]) == pytest.approx(mean, abs=0.011)


def test_the_three_tasks(call, weights, write):
    Path("one").mkdir()
    write("one/a.png", 31, 34, 3)
    words = ("evaluate", "--model", weights, "--set", "one", "--csv", "t.csv")
    code, out, err = call(*words, "--sigma", "25", "--scale", "2", "3", "--quality", "10")
    assert (code, err) == (0, [])
    rows = [row for row in tables.read_table("t.csv") if row.image == "mean"]
    expected = ["gaussian 25", "super-resolution 2", "super-resolution 3", "deblocking 10"]
    assert [f"{row.task} {row.level:g}" for row in rows] == expected
    clean = images.read_image("one/a.png")
    protocol = evaluation.PROTOCOLS["super-resolution"]
    expected = protocol.compare(zoo.load_pretrained(weights), clean, 3)
    found = (rows[2].psnr, rows[2].degraded_ssim)
    assert found == (round(expected.psnr, 3), round(expected.degraded_ssim, 4))
    for task in ("gaussian", "super-resolution", "deblocking"):
        assert f"\n{task}: " in out
    code, _, err = call(*words, "--scale", "1")
    assert (code, err) == (1, ["error: scale is 1, but must be an integer of at least 2"])
    code, _, err = call(*words, "--quality", "0")
    assert (code, err) == (1, ["error: quality is 0.0, but must be at least 1"])


def test_the_papers_tables(call, weights, monkeypatch):
    image = picture(20, 24)
    monkeypatch.setattr(tables, "measured_sets", lambda *_: {"BSD68": {"a": image, "b": image}})
    monkeypatch.setattr(
        zoo, "load_pretrained", lambda name, load=zoo.load_pretrained: load(weights)
    )
    words = ("evaluate", "--paper", "--csv", "t.csv", "--model")
    assert call(*words, "dncnn-s-25")[0] == 0
    code, out, err = call(*words, "dncnn-b")
    assert (code, err) == (0, [])
    rows = [line.split() for line in out.splitlines()[1:4]]
    assert [row[:5] for row in rows] == [
        ["dncnn-b", "gaussian", "BSD68", sigma, "mean"] for sigma in ("15", "25", "50")
    ]
    assert [row[6:] for row in rows] == [["31.61", "31.62"], ["29.16", "29.16"], ["26.23", "26.22"]]
    entries = tables.read_table("t.csv")
    assert [(e.model, e.image) for e in entries[:4]] == [
        *(("dncnn-s-25", image) for image in ("a", "b", "mean")),
        ("dncnn-b", "a"),
    ]
    assert f"{entries[5].psnr:.2f}" == rows[0][5]
    assert call(*words, "dncnn-b")[0] == 0  # replaces its own rows, and leaves the others
    assert tables.read_table("t.csv") == entries
    code, _, err = call(*words, weights)
    assert code == 1 and err[0].startswith(f"error: model is '{weights}', but must be one of ")


@pytest.mark.filterwarnings("default")
def test_impossible_noise_levels(call, weights, album):
    words = ("evaluate", "--model", weights, "--set", "album", "--sigma")
    assert call(*words, "nan") == (1, "", ["error: sigma is nan, but must be finite"])
    assert call(*words, "-5") == (1, "", ["error: sigma is -5.0, but must be at least 0"])
    code, _, err = call(*words, "0.1")
    assert code == 0 and err[0].startswith("warning: sigma is 0.1 on the 0–255 scale")


def test_a_missing_set_says_what_helps(call, weights, monkeypatch):
    file = datasets.DatasetFile("Set12", "01.png", 1, "0", "http://127.0.0.1:9/01.png")
    monkeypatch.setattr(datasets, "_registry", lambda: {"Set12": (file,)})
    code, out, err = call("evaluate", "--model", weights, "--set", "Set12")
    assert (code, out, len(err)) == (1, "", 1)
    assert err[0].endswith(
        "With a network connection run `python -m dncnn_lib download Set12`; or set DNCNN_DATA to "
        "a folder that holds Set12/01.png"
    )
