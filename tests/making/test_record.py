"""Records of training: written as it goes, and read back."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from helpers import raises

from dncnn_lib.making import record
from dncnn_lib.training import Step

ROOT = Path(__file__).parent.parent.parent


def steps(*numbers: int, loss: float = 0.1 / 3) -> list[Step]:
    """Of a training of ten steps; that number 4 was validated."""
    return [Step(n, 10, loss, 1e-3, n / 7, 2 * n, 25.5 if n == 4 else None) for n in numbers]


def test_what_is_recorded_is_read_back_as_it_was(tmp_path):
    file = tmp_path / "net.csv"
    assert list(record.recorded(steps(2, 4), file)) == steps(2, 4) == record.read_record(file)
    header, first, second = file.read_text("utf-8").splitlines()
    assert header == "step,steps,loss,lr,seconds,patches,val_psnr"
    assert first.endswith(",4,") and second.endswith(",8,25.5")


def test_every_step_is_on_disk_before_it_is_passed_on(tmp_path):
    file = tmp_path / "net.csv"
    for step in record.recorded(steps(1, 2, 3), file):
        assert record.read_record(file)[-1] == step


def test_rows_after_the_checkpoint_and_half_rows_are_replaced(tmp_path):
    file = tmp_path / "net.csv"
    list(record.recorded(steps(1, 2, 3, 4), file))
    with open(file, "a") as out:
        out.write("5,10,0.1")
    assert record.read_record(file) == steps(1, 2, 3, 4)
    list(record.recorded(steps(3, 4, loss=0.5), file))
    assert record.read_record(file) == [*steps(1, 2), *steps(3, 4, loss=0.5)]


def test_no_record_is_an_empty_one(tmp_path):
    assert record.read_record(tmp_path / "none.csv") == []


def test_the_record_of_several_trainings_is_read(tmp_path):
    header = "optimizer,network,seed,step,steps,loss,lr,seconds,patches,val_psnr\n"
    file = tmp_path / "several.csv"
    file.write_text(
        f"{header}SGD,a,0,1,2,0.5,0.1,3,16,\nSGD,a,0,2,2,0.4,0,6,32,20.5\nAdam,b,7,2,2,nan,0,1,8,nan\n"
    )
    found = record.read_comparison(file)
    assert found["SGD"] == {
        "a": {0: [Step(1, 2, 0.5, 0.1, 3, 16, None), Step(2, 2, 0.4, 0.0, 6, 32, 20.5)]}
    }
    (last,) = found["Adam"]["b"][7]
    assert np.isnan(last.loss) and np.isnan(last.val_psnr)
    for text in ("day,rain\nMonday,3\n", header + "SGD,a,0,one,2,0.5,0.1,3,16,\n"):
        file.write_text(text)
        with raises(ValueError, f"{file} is not a record of several trainings"):
            record.read_comparison(file)
    with pytest.raises(FileNotFoundError):
        record.read_comparison(tmp_path / "none.csv")


def test_the_record_of_figure_2_has_the_settings_of_its_script():
    script = runpy.run_path(str(ROOT / "data" / "record_figure_2.py"))
    about = json.loads(json.dumps(script["about"](script["STEPS"])))
    told = json.loads((record.RECORDS / "figure-2.json").read_text("utf-8"))
    assert {key: told[key] for key in about} == about
    found = record.read_comparison(record.RECORDS / "figure-2.csv")
    assert list(found) == list(about["config"])
    for optimizer, by_network in found.items():
        assert list(by_network) == list(about["networks"])
        config = about["config"][optimizer]
        rows = [i * config["validate_every"] for i in range(1, 25)]
        for by_seed in by_network.values():
            assert list(by_seed) == [0, 1, 2]
            for records in by_seed.values():
                assert [step.step for step in records] == rows and rows[-1] == config["steps"]
                assert records[-1].patches == config["steps"] * config["batch_size"]
                assert records[-1].lr == 0
                assert all(np.isfinite(s.loss) and 5 < s.val_psnr < 40 for s in records)
