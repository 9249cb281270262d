"""Record what depth brings, and what half the resolution costs, in small networks.

    python data/record_architecture.py

sigma = 25, the small training set that ships, measured on the middle of each held-out picture.
Networks 16 wide of several depths, all with the same number of steps; once more with the same
amount of computing, which gives a deep one fewer steps; and two of them with four times the steps.
And ways to work at half the resolution (``dncnn_lib.lessons.building.HalfResolution``), eight
layers of 32, which cost about what eight layers of 16 cost at full resolution.

Each is trained at three learning rates. To compare the resolutions every seed is, because what is
best for one seed may let another collapse; to compare depths seed 0 is, and the others have its
best rate. The long trainings have the rate that was best with equal steps. Writes
``data/runs/architecture.csv``, a row for each training, and the settings beside it in
``architecture.json``. What is in the CSV already is not trained again, so the script may be stopped
and run again; a change of the settings begins anew.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn

import dncnn_lib as dn
from dncnn_lib.lessons.building import WAYS, HalfResolution, best_rate
from dncnn_lib.lessons.experiments import held_out_psnr
from dncnn_lib.records import RECORDS, Runs, read_comparison, write_comparison

SIGMA, SIDE, DEPTH, WIDTH = 25, 96, 8, 16
DEPTHS, LONG = (2, 4, 8, 17), (8, 17)
RATES, SEEDS = (0.005, 0.01, 0.02), (0, 1, 2)
EVERY_RATE = (f"depth {DEPTH}", *WAYS)
"""With equal steps these are trained at every rate from every seed."""

CONFIG = dn.TrainConfig(steps=600, batch_size=8, patch_size=40, log_every=600)
LABELS = ["network", "budget", "rate", "seed"]


def steps(network: str, budget: str) -> int:
    """Of a training; "computing" gives as many steps as cost what those of ``DEPTH`` layers do."""
    if budget == "steps":
        return CONFIG.steps
    if budget == "long":
        return 4 * CONFIG.steps
    return round(CONFIG.steps * DEPTH / int(network.removeprefix("depth ")))


def trainings() -> list[tuple[str, str]]:
    """Network and budget of each."""
    deep = [f"depth {depth}" for depth in DEPTHS]
    equal_steps = [(name, "steps") for name in (*deep, *WAYS)]
    equal_computing = [(name, "computing") for name in deep if name != f"depth {DEPTH}"]
    return equal_steps + equal_computing + [(f"depth {depth}", "long") for depth in LONG]


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
        "measured_on": f"the middle {SIDE}×{SIDE} of each held-out picture",
        "width": {"depth …": WIDTH} | {way: 2 * WIDTH for way in WAYS},
        "depth of half resolution": DEPTH,
        "rates": list(RATES),
        "every_rate_from_every_seed": list(EVERY_RATE),
        "steps": {f"{network}, {spent}": steps(network, spent) for network, spent in trainings()},
        "config": config,
    }


def pieces() -> dict[str, object]:
    """What is measured on: the middle of each held-out picture."""
    found = {}
    for name, image in dn.held_out_images().items():
        top, left = ((side - SIDE) // 2 for side in image.shape)
        found[name] = image[top : top + SIDE, left : left + SIDE]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=RECORDS / "architecture.csv")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    runs: Runs = read_comparison(out, about()) if out.exists() else {}
    photographs, validation = dn.small_training_set(), held_out_psnr(pieces(), SIGMA)

    def record(network: str, budget: str, rate: float, seed: int) -> None:
        if (network, budget, rate, seed) in runs:
            return
        number = steps(network, budget)
        config = replace(CONFIG, steps=number, log_every=number, lr=rate, seed=seed)
        net, task = build(network, seed), dn.GaussianNoise(SIGMA)
        runs[network, budget, rate, seed] = list(
            dn.train(net, photographs, task, config, validation=validation)
        )
        write_comparison(out, LABELS, runs, about())
        last = runs[network, budget, rate, seed][-1]
        print(f"{network}, {budget}, {rate:g}, seed {seed}: {last.val_psnr:.2f} dB", flush=True)

    for network, budget in trainings():
        rates = RATES if budget != "long" else (best_rate(runs, network, "steps"),)
        swept = (
            SEEDS if (network, budget) in [(name, "steps") for name in EVERY_RATE] else SEEDS[:1]
        )
        for rate in rates:
            for seed in swept:
                record(network, budget, rate, seed)
        for seed in SEEDS:
            record(network, budget, best_rate(runs, network, budget), seed)


if __name__ == "__main__":
    main()
