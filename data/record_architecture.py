"""Record what depth brings, and what half the resolution costs, in small networks.

    python data/record_architecture.py

sigma = 25, the small training set that ships, measured on the middle of each held-out picture.
Networks 16 wide of several depths; and ways to work at half the resolution
(``dncnn_lib.lessons.building.HalfResolution``), eight layers of 32, which cost about what eight
layers of 16 cost at full resolution.

Each is trained for 600 steps from three seeds, at three learning rates and at further ones until
the best has a worse neighbour on either side. Then 8 and 17 layers are trained for 2,400 steps,
too, at that best rate and at the next lower one, for a longer training may want less. All of it
takes an hour of one core. Writes ``data/runs/architecture.csv``, a row for each training, and the
settings beside it in ``architecture.json``. What is in the CSV already is not trained again, so the
script may be stopped and run again; a change of the settings begins anew.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn

import dncnn_lib as dn
from dncnn_lib.lessons.building import WAYS, HalfResolution, by_rate, pieces
from dncnn_lib.lessons.experiments import best_rate, held_out_psnr
from dncnn_lib.records import RECORDS, Runs, read_comparison, write_comparison

SIGMA, DEPTH, WIDTH = 25, 8, 16
NETWORKS = (*(f"depth {depth}" for depth in (2, 4, 8, 17)), *WAYS)
SHORT, LONG = 600, 2400
"""Steps."""
TRAINED_LONG = ("depth 8", "depth 17")
RATES = [0.00125, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32]
FIRST, SEEDS = RATES[2:5], (0, 1, 2)
CONFIG = dn.TrainConfig(batch_size=8, patch_size=40)
LABELS = ["network", "updates", "rate", "seed"]


def build(network: str, seed: int) -> nn.Module:
    if network in WAYS:
        return HalfResolution(network, DEPTH, 2 * WIDTH, seed)
    net = dn.DnCNN(int(network.removeprefix("depth ")), WIDTH)
    net.reset_parameters(torch.Generator().manual_seed(seed))
    return net


def about() -> dict[str, object]:
    """The settings, as they are kept beside the record."""
    config = asdict(CONFIG)
    del config["lr"], config["seed"], config["steps"], config["log_every"]
    return {
        "sigma": SIGMA,
        "training_data": "small",
        "measured_on": "the middle 96×96 of each held-out picture",
        "width": {name: WIDTH * (1 + (name in WAYS)) for name in NETWORKS},
        "depth of half resolution": DEPTH,
        "first_rates": FIRST,
        "updates": {str(SHORT): list(NETWORKS), str(LONG): list(TRAINED_LONG)},
        "config": config,
    }


def next_rate(runs: Runs, network: str) -> float | None:
    """The next rate for ``SHORT`` steps; None where the best has neighbours on both sides."""
    ends = by_rate(runs, network, SHORT)
    for rate in FIRST:
        if len(ends.get(rate, ())) < len(SEEDS):
            return rate
    place = RATES.index(best_rate(ends))
    beside = RATES[max(place - 1, 0) : place + 2]
    return next((rate for rate in beside if len(ends.get(rate, ())) < len(SEEDS)), None)


def long_rates(runs: Runs, network: str) -> list[float]:
    """The best rate of ``SHORT`` steps and the next lower one."""
    place = RATES.index(best_rate(by_rate(runs, network, SHORT)))
    return RATES[place - 1 : place + 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=RECORDS / "architecture.csv")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    runs: Runs = read_comparison(out, about()) if out.exists() else {}
    photographs, validation = dn.small_training_set(), held_out_psnr(pieces(), SIGMA)

    def record(network: str, updates: int, rate: float) -> None:
        for seed in SEEDS:
            key = network, updates, rate, seed
            if key in runs:
                continue
            config = replace(CONFIG, steps=updates, log_every=updates, lr=rate, seed=seed)
            net, task = build(network, seed), dn.GaussianNoise(SIGMA)
            trained = dn.train(net, photographs, task, config, validation=validation)
            runs[key] = list(trained)
            write_comparison(out, LABELS, runs, about())
            print(*key, f"{runs[key][-1].val_psnr:.2f} dB", sep=", ", flush=True)

    for network in NETWORKS:
        while (rate := next_rate(runs, network)) is not None:
            record(network, SHORT, rate)
    for network in TRAINED_LONG:
        for rate in long_rates(runs, network):
            record(network, LONG, rate)


if __name__ == "__main__":
    main()
