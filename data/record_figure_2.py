"""Record the paper's Fig. 2 at its depth: {residual, direct} × {BN, no BN} × {SGD, Adam}, each of
the eight at its own best learning rate.

    python data/record_figure_2.py [--seeds 0 1 2] [--steps 600]

Seventeen layers of 64, from the small training set that ships, sigma = 25. The first seed is
trained at three rates, and at further ones until the best has a worse neighbour on either side; the
other seeds at the best rate alone. Writes ``data/runs/figure-2.csv``, a row for each validation of
each training, and the settings beside it in ``figure-2.json``. What is in the CSV already is not
trained again, so the script may be stopped and run again; a change of the settings begins anew.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import dncnn_lib as dn
from dncnn_lib.lessons.experiments import Variant, held_out_psnr, train_variants
from dncnn_lib.lessons.normalisation import four_networks
from dncnn_lib.records import RECORDS, Runs, read_comparison, write_comparison

SIGMA, STEPS = 25, 600
SIDE = 96
"""Pixels of the square from the middle of each held-out picture that is measured on."""

NETWORKS = four_networks(depth=17, width=64)
LABELS = ["optimizer", "network", "rate", "seed"]
RATES = [1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0]
FIRST = {"SGD": [0.01, 0.03, 0.1], "Adam": [1e-3, 3e-3, 0.01]}
"""The rates that every network is trained at. The paper's for SGD is 0.1; its authors' code has
0.001 for Adam."""


def settings(steps: int) -> dict[str, dn.TrainConfig]:
    """How the four networks are trained, by optimiser, but for the rate: warmed up over a twentieth
    of the steps, annealed to zero, the gradient clipped."""
    common = dn.TrainConfig(
        steps=steps, batch_size=16, patch_size=40, precision="auto", log_every=25, validate_every=25
    )
    sgd = {"optimizer": "sgd", "loss": "paper", "weight_decay": 1e-4}
    return {"SGD": replace(common, **sgd), "Adam": common}


def pieces() -> dict[str, object]:
    """What is measured on: the middle of each held-out picture."""
    found = {}
    for name, image in dn.held_out_images().items():
        top, left = ((side - SIDE) // 2 for side in image.shape)
        found[name] = image[top : top + SIDE, left : left + SIDE]
    return found


def about(steps: int) -> dict[str, object]:
    """The settings, as they are kept beside the record."""
    configs = {name: asdict(config) for name, config in settings(steps).items()}
    for config in configs.values():
        del config["lr"], config["seed"]  # the columns rate and seed of the record
    return {
        "sigma": SIGMA,
        "networks": NETWORKS,
        "training_data": "small",
        "measured_on": f"the middle {SIDE}×{SIDE} of each held-out picture",
        "first_rates": FIRST,
        "config": configs,
    }


def best_rate(runs: Runs, optimizer: str, network: str, seed: int) -> float:
    """The rate at which that seed ended highest; a training that diverged is below all others."""
    ends = {
        key[2]: steps[-1].val_psnr
        for key, steps in runs.items()
        if key[:2] == (optimizer, network) and key[3] == seed
    }
    return max(ends, key=lambda rate: ends[rate] if ends[rate] == ends[rate] else -1.0)


def next_rate(runs: Runs, optimizer: str, network: str, seed: int) -> float | None:
    """The next rate to train that seed at; None where the best has neighbours on both sides."""
    done = [key[2] for key in runs if key[:2] == (optimizer, network) and key[3] == seed]
    for rate in FIRST[optimizer]:
        if rate not in done:
            return rate
    place = RATES.index(best_rate(runs, optimizer, network, seed))
    beside = RATES[max(place - 1, 0) : place + 2]
    return next((rate for rate in beside if rate not in done), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=RECORDS / "figure-2.csv")
    options = parser.parse_args()
    settled = about(options.steps)
    runs = read_comparison(options.out, settled) if options.out.exists() else {}
    photographs, validation = dn.small_training_set(), held_out_psnr(pieces(), SIGMA)

    def record(optimizer: str, network: str, rate: float, seed: int) -> None:
        config = replace(settings(options.steps)[optimizer], lr=rate)
        variant = {network: Variant(NETWORKS[network], config)}
        trained = train_variants(variant, photographs, seeds=[seed], validation=validation)
        runs[optimizer, network, rate, seed] = [step for _, _, step in trained]
        write_comparison(options.out, LABELS, runs, settled)
        last = runs[optimizer, network, rate, seed][-1]
        print(f"{optimizer}, {network}, {rate:g}, seed {seed}: {last.val_psnr} dB", flush=True)

    first, *others = options.seeds
    for optimizer in FIRST:
        for network in NETWORKS:
            while (rate := next_rate(runs, optimizer, network, first)) is not None:
                record(optimizer, network, rate, first)
    for seed in others:
        for optimizer in FIRST:
            for network in NETWORKS:
                rate = best_rate(runs, optimizer, network, first)
                if (optimizer, network, rate, seed) not in runs:
                    record(optimizer, network, rate, seed)


if __name__ == "__main__":
    main()
