"""Records of training: written as it goes, and read back."""

from __future__ import annotations

import itertools
import json
import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import raises

import dncnn_lib as dn
from dncnn_lib import records
from dncnn_lib.lessons.photographs import recorded_noise, recorded_pairs
from dncnn_lib.training import Step

ROOT = Path(__file__).parent.parent


def steps(*numbers: int, loss: float = 0.1 / 3) -> list[Step]:
    """Of a training of ten steps; that number 4 was validated."""
    return [Step(n, 10, loss, 1e-3, n / 7, 2 * n, 25.5 if n == 4 else None) for n in numbers]


def test_what_is_recorded_is_read_back_as_it_was(tmp_path):
    file = tmp_path / "net.csv"
    assert list(records.recorded(steps(2, 4), file)) == steps(2, 4) == records.read_record(file)
    header, first, second = file.read_text("utf-8").splitlines()
    assert header == "step,steps,loss,lr,seconds,patches,val_psnr,clipped"
    assert first.endswith(",4,,0.0") and second.endswith(",8,25.5,0.0")


def test_a_record_without_the_share_of_clipped_updates_is_read_and_continued(tmp_path):
    """As those of the networks that ship were written."""
    file = tmp_path / "net.csv"
    file.write_text("step,steps,loss,lr,seconds,patches,val_psnr\n2,10,0.5,0.001,0.25,4,\n")
    assert records.read_record(file) == [Step(2, 10, 0.5, 1e-3, 0.25, 4)]
    list(records.recorded(steps(4), file))
    assert records.read_record(file) == [Step(2, 10, 0.5, 1e-3, 0.25, 4), *steps(4)]


def test_every_step_is_on_disk_before_it_is_passed_on(tmp_path):
    file = tmp_path / "net.csv"
    for step in records.recorded(steps(1, 2, 3), file):
        assert records.read_record(file)[-1] == step


def test_rows_after_the_checkpoint_and_half_rows_are_replaced(tmp_path):
    file = tmp_path / "net.csv"
    list(records.recorded(steps(1, 2, 3, 4), file))
    with open(file, "a") as out:
        out.write("5,10,0.1")
    assert records.read_record(file) == steps(1, 2, 3, 4)
    list(records.recorded(steps(3, 4, loss=0.5), file))
    assert records.read_record(file) == [*steps(1, 2), *steps(3, 4, loss=0.5)]


def test_no_record_is_an_empty_one(tmp_path):
    assert records.read_record(tmp_path / "none.csv") == []


ABOUT = {"sigma": 25, "networks": {"a": {"depth": 3}}}


def several() -> records.Runs:
    return {
        ("SGD", "a, b", 0.1, 0): [Step(1, 2, 0.5, 0.1, 3, 16), Step(2, 2, 0.4, 0, 6, 32, 20.5)],
        ("Adam", "b", 1, 7): [Step(2, 2, 0.25, 0, 1, 8, 30.125, clipped=0.75)],
    }


def test_several_trainings_are_read_as_they_were_written(tmp_path):
    file = tmp_path / "several.csv"
    records.write_comparison(file, ["optimizer", "network", "rate", "seed"], several(), ABOUT)
    assert records.read_comparison(file) == records.read_comparison(file, ABOUT) == several()
    header, first, *_ = file.read_text("utf-8").splitlines()
    assert header.startswith("optimizer,network,rate,seed,step,steps,loss,")
    assert first.startswith('SGD,"a, b",0.1,0,1,2,0.5,')
    told = json.loads(file.with_suffix(".json").read_text("utf-8"))
    assert ABOUT.items() < told.items() and set(told["hardware"]) == {"processor", "cores"}


def test_a_record_of_other_settings_is_begun_anew(tmp_path):
    file = tmp_path / "several.csv"
    records.write_comparison(file, ["optimizer", "network", "rate", "seed"], several(), ABOUT)
    assert records.read_comparison(file, ABOUT | {"sigma": 50}) == {}


def test_a_training_that_diverged_is_read(tmp_path):
    file = tmp_path / "several.csv"
    lost = Step(1, 2, float("nan"), 0.1, 3, 16, float("nan"))
    records.write_comparison(file, ["seed"], {(0,): [lost]}, ABOUT)
    (last,) = records.read_comparison(file)[0,]
    assert np.isnan(last.loss) and np.isnan(last.val_psnr)


def test_another_file_is_no_record_of_several_trainings(tmp_path):
    file = tmp_path / "several.csv"
    records.write_comparison(file, ["seed"], {(0,): steps(1)}, ABOUT)
    for text in ("day,rain\nMonday,3\n", file.read_text("utf-8").replace(",10,", ",ten,")):
        file.write_text(text)
        with raises(ValueError, f"{file} is not a record of several trainings"):
            records.read_comparison(file)
    with pytest.raises(FileNotFoundError):
        records.read_comparison(tmp_path / "none.csv")


FIGURE_2 = runpy.run_path(str(ROOT / "data" / "record_figure_2.py"))


def test_the_record_of_figure_2_has_the_settings_of_its_script():
    about = FIGURE_2["about"](FIGURE_2["STEPS"])
    runs = records.read_comparison(records.RECORDS / "figure-2.csv", about)
    assert {key[:2] for key in runs} == {(o, n) for o in about["config"] for n in about["networks"]}
    for (optimizer, *_), trained in runs.items():
        config = about["config"][optimizer]
        if np.isfinite(trained[-1].loss):
            assert [s.step for s in trained] == [i * config["validate_every"] for i in range(1, 25)]
            assert trained[-1].step == config["steps"] and trained[-1].lr == 0
            assert 5 < trained[-1].val_psnr < 40 and all(0 <= s.clipped <= 1 for s in trained)


def test_the_best_rate_of_figure_2_has_a_worse_neighbour_on_either_side_and_three_seeds():
    runs = records.read_comparison(records.RECORDS / "figure-2.csv")
    for optimizer, network in {key[:2] for key in runs}:
        assert FIGURE_2["next_rate"](runs, optimizer, network, 0) is None
        best = FIGURE_2["best_rate"](runs, optimizer, network, 0)
        rates = FIGURE_2["RATES"]
        beside = rates[rates.index(best) - 1 : rates.index(best) + 2]
        ends = [runs[optimizer, network, rate, 0][-1].val_psnr for rate in beside]
        assert len(ends) == 3 and not max(ends[0], ends[2]) > ends[1]
        assert [key[3] for key in runs if key[:3] == (optimizer, network, best)] == [0, 1, 2]


SHARING = runpy.run_path(str(ROOT / "data" / "record_sharing.py"))


def test_the_record_of_sharing_has_every_training_of_its_script_on_every_task():
    runs = records.read_comparison(records.RECORDS / "sharing.csv", SHARING["about"]())
    expected = {
        (name, task, width, seed, steps)
        for name, width, steps in SHARING["trainings"]()
        for task in SHARING["TASKS"]
        for seed in (0, 1, 2)
    }
    found = [(*key, step.steps) for key, steps in runs.items() for step in steps]
    assert len(found) == len(set(found)) and set(found) == expected
    for steps in runs.values():
        assert all(s.step == s.steps and s.lr == 0 and 15 < s.val_psnr < 40 for s in steps)


LESSON_09 = runpy.run_path(str(ROOT / "data" / "record_lesson_09.py"))


def test_the_record_of_lesson_09_has_every_reader_and_the_settings_of_its_script():
    about = LESSON_09["about"](LESSON_09["STEPS"])
    runs = records.read_comparison(records.RECORDS / "lesson-09.csv", about)
    wanted = {
        (network, layer, target, seed)
        for network, layer, seed in LESSON_09["readers"]()
        for target in LESSON_09["TARGETS"]
    }
    assert set(runs) == wanted
    assert all(step.step == about["steps"] for (step,) in runs.values())


def test_a_reader_of_lesson_09_learns_what_is_there_and_finds_nothing_in_noise():
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(8, 1, 24, 24, generator=generator)
    maps = torch.cat([clean, 1 - 2 * clean], dim=1)
    noise = torch.randn(8, 2, 24, 24, generator=generator)
    there = LESSON_09["read"](maps[:6], clean[:6], maps[6:], clean[6:], 60, 0)
    lost = LESSON_09["read"](noise[:6], clean[:6], noise[6:], clean[6:], 60, 0)
    assert [len(there), len(lost)] == [2, 2]
    assert there[0].val_psnr > lost[0].val_psnr + 6


LESSON_06 = runpy.run_path(str(ROOT / "data" / "record_lesson_06.py"))


def test_the_record_of_lesson_06_has_the_settings_of_its_script():
    runs = records.read_comparison(records.RECORDS / "lesson-06.csv", LESSON_06["about"]())
    expected = itertools.product(
        ["Adam"], LESSON_06["NETWORKS"], LESSON_06["RATES"], LESSON_06["SEEDS"]
    )
    assert set(runs) == set(expected)
    for (*_, rate, _), steps in runs.items():
        assert [s.step for s in steps] == list(range(48, 385, 48)) and steps[-1].lr == 0
        assert max(s.lr for s in steps) <= rate and 5 < steps[-1].val_psnr < 40


RESIDUAL = runpy.run_path(str(ROOT / "data" / "record_residual.py"))


def test_the_record_of_lesson_05_has_the_settings_of_its_script_and_three_seeds_at_every_rate():
    runs = records.read_comparison(records.RECORDS / "residual.csv", RESIDUAL["about"]())
    wanted = {(e, net) for e, asked in RESIDUAL["EXPERIMENTS"].items() for net in asked["networks"]}
    assert {key[:2] for key in runs} == wanted
    for (experiment, network, rate, _), trained in runs.items():
        updates = RESIDUAL["EXPERIMENTS"][experiment]["updates"]
        if np.isfinite(trained[-1].loss):
            assert [s.step for s in trained] == [updates * i // 4 for i in (1, 2, 3, 4)]
            assert 5 < trained[-1].val_psnr < 80
        key = experiment, network, rate
        assert [other[3] for other in runs if other[:3] == key] == [0, 1, 2]


def test_the_best_rate_of_lesson_05_has_a_worse_neighbour_on_either_side():
    runs = records.read_comparison(records.RECORDS / "residual.csv")
    for experiment, network in {key[:2] for key in runs}:
        assert RESIDUAL["next_rate"](runs, experiment, network) is None
        ends = RESIDUAL["final_by_rate"](runs, experiment, network)
        rates = RESIDUAL["RATES"]
        place = rates.index(RESIDUAL["best_rate"](ends))
        assert 0 < place < len(rates) - 1 and {*rates[place - 1 : place + 2]} <= {*ends}


ARCHITECTURE = runpy.run_path(str(ROOT / "data" / "record_architecture.py"))


def test_the_record_of_lesson_03_has_the_settings_of_its_script_and_three_seeds():
    path = records.RECORDS / "architecture.csv"
    runs = records.read_comparison(path, ARCHITECTURE["about"]())
    wanted = {(network, ARCHITECTURE["SHORT"]) for network in ARCHITECTURE["NETWORKS"]}
    longer = {(network, ARCHITECTURE["LONG"]) for network in ARCHITECTURE["TRAINED_LONG"]}
    assert {key[:2] for key in runs} == wanted | longer
    for (network, updates, rate, _), (last,) in runs.items():
        assert last.step == last.steps == updates and 15 < last.val_psnr < 35
        assert [key[3] for key in runs if key[:3] == (network, updates, rate)] == [0, 1, 2]


def test_the_best_rate_of_lesson_03_has_a_worse_neighbour_on_either_side():
    runs = records.read_comparison(records.RECORDS / "architecture.csv")
    for network in ARCHITECTURE["NETWORKS"]:
        assert ARCHITECTURE["next_rate"](runs, network) is None
        ends = ARCHITECTURE["by_rate"](runs, network, ARCHITECTURE["SHORT"])
        rates, best = ARCHITECTURE["RATES"], ARCHITECTURE["best_rate"](ends)
        place = rates.index(best)
        assert 0 < place < len(rates) - 1 and {*rates[place - 1 : place + 2]} <= {*ends}
    for network in ARCHITECTURE["TRAINED_LONG"]:
        longer = ARCHITECTURE["by_rate"](runs, network, ARCHITECTURE["LONG"])
        assert sorted(longer) == ARCHITECTURE["long_rates"](runs, network)


COMPUTING = runpy.run_path(str(ROOT / "data" / "record_computing.py"))


def computing() -> records.Runs:
    about = COMPUTING["about"](COMPUTING["STEPS"])
    return records.read_comparison(records.RECORDS / "computing.csv", about)


def test_the_record_of_computing_has_the_plan_of_its_script():
    runs = computing()
    recorded = {key[:4] for key in runs}
    for name, times, seeds in COMPUTING["PLAN"]:
        assert COMPUTING["next_rate"](runs, name, times) is None
        for seed, rate in itertools.product(seeds, COMPUTING["rates"](runs, name, times)):
            assert (name, times, rate, seed) in recorded
    planned = {(name, times, seed) for name, times, seeds in COMPUTING["PLAN"] for seed in seeds}
    assert {(name, times, seed) for name, times, _, seed in recorded} <= planned


def test_each_training_of_the_record_of_computing_was_measured_on_all_pictures():
    measured = {}
    for *here, picture in (runs := computing()):
        measured.setdefault(tuple(here), {})[picture] = runs[(*here, picture)]
    for (name, times, *_), found in measured.items():
        sets = {"Set12", "BSD68"} if (name, times) == ("plain", 100) else {"Set12"}
        assert set(found) == {*dn.held_out_images(), *sets}
        config = COMPUTING["config"](name, times, COMPUTING["STEPS"])
        for (last,) in found.values():
            assert (last.step, last.lr, last.patches) == (config.steps, 0, 16 * config.steps)
            assert 15 < last.val_psnr < 45 and 0 <= last.clipped <= 1


def test_a_training_of_the_large_network_costs_as_much_as_one_of_the_small():
    def work(name):
        depth, width = COMPUTING["TRAININGS"][name]["network"].values()
        steps = COMPUTING["config"](name, 10, COMPUTING["STEPS"]).steps
        return steps * (2 * width + (depth - 2) * width**2)

    assert work("17×64") == pytest.approx(work("plain"), rel=0.02)


def test_a_rate_is_sought_with_one_seed_and_decided_by_all():
    def at(rate, psnr, seed=0):
        step = Step(5, 5, 0.01, 0.0, 1.0, 80, psnr)
        return {("plain", 10, rate, seed, image): [step] for image in dn.held_out_images()}

    runs, asked = {}, []
    while (rate := COMPUTING["next_rate"](runs, "plain", 10)) is not None:
        asked.append(rate)
        runs |= at(rate, {0.02: 30.0, 0.04: math.nan}.get(rate, 28 + rate))
    assert asked == [0.0025, 0.005, 0.01, 0.02, 0.04]
    assert COMPUTING["rates"](runs, "plain", 10) == [0.01, 0.02]
    runs |= at(0.01, 28.0, seed=1) | at(0.02, 20.0, seed=1)
    assert COMPUTING["rates"](runs, "plain", 100) == [0.01]
    assert COMPUTING["rates"](runs, "432 images", 10) == [0.01]


PHOTOGRAPHS = runpy.run_path(str(ROOT / "data" / "record_photographs.py"))


def cure() -> records.Runs:
    return records.read_comparison(records.RECORDS / "photographs.csv", PHOTOGRAPHS["about"]())


def test_the_record_of_the_cure_has_every_training_of_its_script_on_every_noise():
    runs = cure()
    trainings = {
        ("noisy", 0),
        ("nothing", 0),
        *itertools.product(PHOTOGRAPHS["TRAINED_ON"], (0, 1, 2)),
    }
    wanted = {(name, on, seed) for name, seed in trainings for on in PHOTOGRAPHS["MEASURED_ON"]}
    assert set(runs) == wanted
    for (name, *_), (last,) in runs.items():
        assert last.step == (0 if name in ("noisy", "nothing") else PHOTOGRAPHS["CONFIG"].steps)
        assert 25 < last.val_psnr < 40


def test_training_on_a_camera_cures_from_every_seed_and_the_steps_alone_from_none():
    runs = cure()
    begun = runs["nothing", "phone", 0][0].val_psnr
    for seed in (0, 1, 2):
        ends = {name: runs[name, "phone", seed][0].val_psnr for name in PHOTOGRAPHS["TRAINED_ON"]}
        camera = ends.pop("camera")
        assert camera > begun + 1.5 and max(ends.values()) < begun + 0.5


def test_what_the_cure_begins_from_is_the_network_that_ships():
    found = PHOTOGRAPHS["psnr"](dn.load_pretrained(PHOTOGRAPHS["START"]).eval())
    for noise, psnr in found.items():
        assert psnr == pytest.approx(cure()["nothing", noise, 0][0].val_psnr, abs=0.01)


def real_pairs_table() -> dict[tuple[str, str], dict[str, float]]:
    """By pair and kind of noise: PSNR in dB by denoiser, and of the noisy picture."""
    return {
        (row.pop("pair"), row.pop("noise")): {name: float(db) for name, db in row.items() if db}
        for row in recorded_pairs()
    }


def test_the_table_of_real_pairs_has_both_noises_of_the_pairs_whose_noise_is_recorded():
    table = real_pairs_table()
    noise = {(row["pair"], row["noise"]): row for row in recorded_noise()}
    assert list(table)[: len(noise)] == list(noise)
    for key, row in noise.items():
        assert list(table[key]) == ["noisy", *PHOTOGRAPHS["DENOISERS"]]
        whole = -20 * math.log10(float(row["std"]) / 255)  # the middle is a quarter of it
        assert table[key]["noisy"] == pytest.approx(whole, abs=3)
        assert all(25 < psnr < 45 for psnr in table[key].values())


def test_the_changed_noises_of_the_table_are_as_strong_as_the_real_one():
    table = real_pairs_table()
    pairs = [name for name, kind in table if kind == "real"]
    for name, kind in itertools.product(pairs, ("as strong", "as strong, broader")):
        found = table[name, kind]
        assert list(found) == ["noisy", "cdncnn-camera"]
        assert found["noisy"] == pytest.approx(table[name, "real"]["noisy"], abs=0.1)
    assert len(table) == 4 * len(pairs)


def test_broad_noise_is_as_strong_and_shares_more_with_pixels_far_apart():
    noise = torch.randn((96, 96, 3), generator=torch.Generator().manual_seed(0)).numpy()
    broad = PHOTOGRAPHS["broader"](noise)
    assert broad.std() == pytest.approx(noise.std(), rel=0.03)
    share = PHOTOGRAPHS["SHARE"] ** 2
    assert PHOTOGRAPHS["character"](broad)["neighbours"] == pytest.approx(share, abs=0.03)
    apart = np.corrcoef(broad[:, 20:].ravel(), broad[:, :-20].ravel())[0, 1]
    assert abs(apart) < 0.03


def test_a_row_of_the_table_of_real_pairs_is_what_the_pair_gives():
    pairs = PHOTOGRAPHS["real_pairs"]()
    if not pairs:
        pytest.skip("CC15 is not on this machine")
    name = "d800_iso1600_1"
    networks = ("cdncnn-b-small", "cdncnn-camera")
    rows = PHOTOGRAPHS["pair_rows"]({name: pairs[name]}, networks)
    assert len(rows) == 4
    for row in rows:
        recorded = real_pairs_table()[name, row["noise"]]
        for column in {"noisy", *networks} & set(row):
            assert row[column] == pytest.approx(recorded[column], abs=0.01)
