"""Record the race of lesson 06 with four times its steps: {residual, direct} × {BN, no BN}, each at
five learning rates from three seeds.

    python data/record_lesson_06.py [--out FILE]

Twelve layers of 16 under Adam, from the small training set that ships, sigma = 25. Writes
``data/runs/lesson-06.csv``, a row for each validation of each training, and the settings beside it
in ``lesson-06.json``. What is in the CSV already is not trained again, so the script may be stopped
and run again; a change of the settings begins anew.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import torch

import dncnn_lib as dn
from dncnn_lib.lessons.experiments import Variant, held_out_psnr, train_variants
from dncnn_lib.lessons.normalisation import four_networks
from dncnn_lib.records import RECORDS, read_comparison, write_comparison

SIGMA, SEEDS = 25, (0, 1, 2)
RATES = (0.003, 0.01, 0.03, 0.1, 0.3)
CONFIG = dn.TrainConfig(
    steps=384, batch_size=8, patch_size=24, warmup=0.1, log_every=48, validate_every=48
)
PIECES = ("camera", "dogs", "pagoda", "drum")
LABELS = ["optimizer", "network", "rate", "seed"]
NETWORKS = four_networks(depth=12, width=16)


def about() -> dict[str, object]:
    """The settings, as they are kept beside the record."""
    config = asdict(CONFIG)
    del config["lr"], config["seed"]  # the columns rate and seed of the record
    return {
        "sigma": SIGMA,
        "networks": NETWORKS,
        "training_data": "small",
        "measured_on": f"64×64 pixels of each of {', '.join(PIECES)}, from (100, 100)",
        "config": config,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=RECORDS / "lesson-06.csv")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    runs = read_comparison(out, about()) if out.exists() else {}
    held_out, photographs = dn.held_out_images(), dn.small_training_set()
    validation = held_out_psnr({name: held_out[name][100:164, 100:164] for name in PIECES}, SIGMA)
    for name, network in NETWORKS.items():
        for rate in RATES:
            variant = {name: Variant(network, replace(CONFIG, lr=rate))}
            for seed in SEEDS:
                if ("Adam", name, rate, seed) in runs:
                    continue
                trained = train_variants(variant, photographs, seeds=[seed], validation=validation)
                runs["Adam", name, rate, seed] = steps = [step for _, _, step in trained]
                write_comparison(out, LABELS, runs, about())
                print(f"{name}, {rate:g}, seed {seed}: {steps[-1].val_psnr} dB", flush=True)


if __name__ == "__main__":
    main()
