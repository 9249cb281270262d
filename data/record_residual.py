"""Record the races of lesson 05, each network at its own best learning rate.

    python data/record_residual.py [--seeds 0 1 2]

Small networks, residual and direct, on noise of several strengths, on pale pictures, without batch
norm, and over more updates; and direct networks of several depths that must copy a clean picture.
Each is trained from every seed at three rates, and at further ones until the best, by the mean of
the seeds, has a worse neighbour on either side. Writes ``data/runs/residual.csv``, four rows for
each training, and the settings beside it in ``residual.json``. What is in the CSV already is not
trained again, so the script may be stopped and run again; a change of the settings begins anew.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import dncnn_lib as dn
from dncnn_lib.lessons.experiments import Variant, best_rate, held_out_psnr, train_variants
from dncnn_lib.lessons.residual import copy_psnr, copying, pale_photographs, pieces
from dncnn_lib.records import RECORDS, Runs, read_comparison, write_comparison

LABELS = ["experiment", "network", "rate", "seed"]
CONFIG = dn.TrainConfig(batch_size=8, patch_size=32)
RATES = [3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0]
FIRST = [3e-3, 0.01, 0.03]

BOTH = ["residual, BN", "direct, BN"]
FOUR = [*BOTH, "residual, no BN", "direct, no BN"]
COPIERS = ["direct, BN", "direct, no BN"]
RACE = {"signal": None, "sigma": 25, "contrast": 1, "layers": 8, "updates": 200, "networks": BOTH}
COPY = {"signal": "image", "contrast": 1, "layers": 8, "updates": 200, "networks": COPIERS}
EXPERIMENTS = {
    "sigma 25": RACE | {"networks": FOUR},
    "sigma 10": RACE | {"sigma": 10},
    "sigma 50": RACE | {"sigma": 50},
    "sigma 75": RACE | {"sigma": 75, "networks": FOUR},
    "sigma 25, pale": RACE | {"contrast": 0.25},
    "copy image, 8 layers": COPY,
    "copy image, 4 layers": COPY | {"layers": 4},
    "copy image, 16 layers": COPY | {"layers": 16},
    "copy image - 1/2": COPY | {"signal": "image - 1/2"},
    "copy image - patch mean": COPY | {"signal": "image - patch mean"},
    "copy shuffled image": COPY | {"signal": "shuffled image"},
    "copy shuffled image - patch mean": COPY | {"signal": "shuffled image - patch mean"},
    "copy noise 50": COPY | {"signal": "noise 50"},
    "copy noise 25": COPY | {"signal": "noise 25"},
    "sigma 25, 800 updates": RACE | {"updates": 800},
}
"""What is compared in each, and on what. signal: what is to be copied, where it is not a race.
contrast: that of all pictures, against the originals."""


def about() -> dict[str, object]:
    """The settings, as they are kept beside the record."""
    config = asdict(CONFIG)
    for name in ("lr", "seed", "steps", "log_every", "validate_every"):
        del config[name]  # in the columns of the record
    return {
        "experiments": EXPERIMENTS,
        "width": 16,
        "training_data": "small",
        "measured_on": "dncnn_lib.lessons.residual.pieces",
        "first_rates": FIRST,
        "config": config,
    }


def train(experiment: str, network: str, rate: float, seed: int) -> list[dn.Step]:
    """One training: a record for each quarter."""
    asked = EXPERIMENTS[experiment]
    steps, contrast = asked["updates"], asked["contrast"]
    if asked["signal"]:
        task, validation = copying(asked["signal"]), copy_psnr(asked["signal"])
    else:
        task = dn.GaussianNoise(asked["sigma"])
        validation = held_out_psnr(pieces(contrast), asked["sigma"])
    quarter = {"log_every": steps // 4, "validate_every": steps // 4}
    residual, norm = network.startswith("residual"), network.endswith(", BN")
    shape = {"depth": asked["layers"], "width": 16, "residual": residual, "batch_norm": norm}
    trained = train_variants(
        {network: Variant(shape, replace(CONFIG, lr=rate, steps=steps, **quarter))},
        pale_photographs(contrast),
        task,
        seeds=[seed],
        validation=validation,
    )
    return [step for _, _, step in trained]


def next_rate(runs: Runs, experiment: str, network: str) -> float | None:
    """The next rate to train at; None where the best has neighbours on both sides."""
    ends = final_by_rate(runs, experiment, network)
    for rate in FIRST:
        if rate not in ends:
            return rate
    place = RATES.index(best_rate(ends))
    beside = RATES[max(place - 1, 0) : place + 2]
    return next((rate for rate in beside if rate not in ends), None)


def final_by_rate(runs: Runs, experiment: str, network: str) -> dict[float, list[float]]:
    """How that network ended: rate → PSNR in dB, one for each seed."""
    ends: dict[float, list[float]] = {}
    for key, steps in runs.items():
        if key[:2] == (experiment, network):
            ends.setdefault(key[2], []).append(steps[-1].val_psnr)
    return ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=RECORDS / "residual.csv")
    options = parser.parse_args()
    settled = about()
    runs = read_comparison(options.out, settled) if options.out.exists() else {}

    def record(experiment: str, network: str, rate: float) -> None:
        for seed in options.seeds:
            key = experiment, network, rate, seed
            if key not in runs:
                runs[key] = train(*key)
                write_comparison(options.out, LABELS, runs, settled)
                print(*key, runs[key][-1].val_psnr, sep=", ", flush=True)

    for experiment, asked in EXPERIMENTS.items():
        for network in asked["networks"]:
            for rate in final_by_rate(runs, experiment, network):
                record(experiment, network, rate)  # a rate that was left half done
            while (rate := next_rate(runs, experiment, network)) is not None:
                record(experiment, network, rate)


if __name__ == "__main__":
    main()
