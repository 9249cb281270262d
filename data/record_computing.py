"""Record what computing buys: the network of lesson 04 trained for 1, 10 and 100 times as long.

    python data/record_computing.py [--steps 100]

Eight layers of 32, from the small training set that ships, sigma = 25, three seeds. Then one thing
is changed at a time, for the same computing: the paper's network, more images, another optimiser.
The learning rate is found 1 and 10 times as long: with the first seed three rates, and further ones
until the best has a worse neighbour on either side; with the other seeds that best one and the next
lower, for the best is often close to where a training is lost. The higher mean decides. Trainings
100 times as long have the rate of 10 times; those with more images have that of the plain ones.

Writes ``data/runs/computing.csv``, a row for each held-out picture and each set that a trained
network was measured on; its ``seconds`` are those of one core, its ``loss`` the mean over the last
twentieth of the steps. The settings are beside it in ``computing.json``. What is in the CSV already
is not trained again, so the script may be stopped and run again; a change of the settings begins
anew.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch

import dncnn_lib as dn
from dncnn_lib.datasets import image_set
from dncnn_lib.evaluation import PROTOCOLS
from dncnn_lib.records import RECORDS, Runs, read_comparison, write_comparison

SIGMA, STEPS = 25, 100
SMALL, LARGE = {"depth": 8, "width": 32}, {"depth": 17, "width": 64}
PLAIN = "plain"
TRAININGS = {
    PLAIN: {
        "network": SMALL,
        "images": "small",
        "optimizer": "adam",
        "rates": [0.0025, 0.005, 0.01],
    },
    "17×64": {
        "network": LARGE,
        "images": "small",
        "optimizer": "adam",
        "rates": [0.0025, 0.005, 0.01],
    },
    "432 images": {"network": SMALL, "images": "bsd432", "optimizer": "adam", "rates": []},
    "Muon": {"network": SMALL, "images": "small", "optimizer": "muon", "rates": [0.01, 0.02, 0.04]},
}
"""What is trained. rates: those that the search begins with; without, it is the plain one's."""

PICTURES = list(dn.held_out_images())
LABELS = ["training", "times", "rate", "seed", "picture"]
RATES = [0.000625, 0.00125, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08]
PLAN = [
    (PLAIN, 1, (0, 1, 2)),
    (PLAIN, 10, (0, 1, 2)),
    (PLAIN, 100, (0, 1, 2)),
    ("17×64", 10, (0, 1, 2)),
    ("432 images", 10, (0, 1, 2)),
    ("Muon", 10, (0, 1, 2)),
    ("17×64", 100, (0,)),
    ("432 images", 100, (0,)),
    ("Muon", 100, (0,)),
]
"""Training, times, seeds, in this order."""


def config(name: str, times: int, steps: int) -> dn.TrainConfig:
    """How it is trained, but for the rate and the seed: warmed up, annealed to zero."""
    steps = steps * times // (10 if name == "17×64" else 1)  # each costs 9.9 times as much
    return dn.TrainConfig(
        steps=steps, batch_size=16, patch_size=40, optimizer=TRAININGS[name]["optimizer"],
        precision="auto", log_every=max(steps // 20, 1),
    )  # fmt: skip


def about(steps: int) -> dict[str, object]:
    """The settings, as they are kept beside the record."""
    configs = {f"{name}, {times}": asdict(config(name, times, steps)) for name, times, _ in PLAN}
    for found in configs.values():
        del found["lr"], found["seed"]  # columns of the record
    return {
        "sigma": SIGMA,
        "trainings": TRAININGS,
        "measured_on": "the held-out pictures, Set12, and for the longest plain trainings BSD68",
        "protocol": PROTOCOLS["gaussian"].words,
        "config": configs,
    }


def mean_psnr(runs: Runs, name: str, times: int, rate: float, seed: int) -> float:
    """In dB, over the held-out pictures; of a training that diverged −1."""
    found = [runs[name, times, rate, seed, picture][-1].val_psnr for picture in PICTURES]
    return float(np.mean(found)) if np.isfinite(found).all() else -1.0


def ends(runs: Runs, name: str, times: int) -> dict[float, dict[int, float]]:
    """Rate → seed → mean PSNR in dB."""
    found: dict[float, dict[int, float]] = {}
    for rate, seed in dict.fromkeys(key[2:4] for key in runs if key[:2] == (name, times)):
        found.setdefault(rate, {})[seed] = mean_psnr(runs, name, times, rate, seed)
    return found


def searched(runs: Runs, name: str, times: int) -> dict[float, float]:
    """Rate → mean PSNR in dB, of the first seed."""
    return {rate: seeds[0] for rate, seeds in ends(runs, name, times).items()}


def next_rate(runs: Runs, name: str, times: int) -> float | None:
    """The next rate to try with the first seed; None where the best has neighbours on both
    sides, and where no rate is to be found."""
    if times > 10 or not TRAININGS[name]["rates"]:
        return None
    done = searched(runs, name, times)
    for rate in TRAININGS[name]["rates"]:
        if rate not in done:
            return rate
    place = RATES.index(max(done, key=lambda rate: done[rate]))
    beside = RATES[max(place - 1, 0) : place + 2]
    return next((rate for rate in beside if rate not in done), None)


def rates(runs: Runs, name: str, times: int) -> list[float]:
    """Those that every seed is trained at, once the search is over."""
    sought = bool(TRAININGS[name]["rates"])
    if times > 10 or not sought:
        return [best_rate(runs, name if sought else PLAIN, min(times, 10))]
    done = searched(runs, name, times)
    place = RATES.index(max(done, key=lambda rate: done[rate]))
    return RATES[place - 1 : place + 1]


def best_rate(runs: Runs, name: str, times: int) -> float:
    """Of the rates with the most seeds, the one with the highest mean."""
    found = ends(runs, name, times)
    return max(found, key=lambda rate: (len(found[rate]), np.mean([*found[rate].values()])))


def measured(net: dn.DnCNN, sets: list[str]) -> Iterator[tuple[str, float]]:
    """(picture or set, PSNR in dB): each held-out picture, and the mean of each set."""
    for name in ("samples", *sets):
        pairs = PROTOCOLS["gaussian"].compare_all(net, image_set(name), SIGMA)
        found = {image: shown.psnr for image, shown in pairs}
        if name != "samples":
            found = {name: float(np.mean([*found.values()]))}
        yield from found.items()


def trained(name: str, times: int, steps: int, rate: float, seed: int) -> tuple:
    """The network, and the last step of its training with the seconds of one core."""
    settings = replace(config(name, times, steps), lr=rate, seed=seed)
    net = dn.DnCNN(**TRAININGS[name]["network"])
    net.reset_parameters(torch.Generator().manual_seed(seed))
    images = list(image_set(TRAININGS[name]["images"]).values())
    start = time.process_time()
    for step in dn.train(net, images, dn.GaussianNoise(SIGMA), settings):
        if not np.isfinite(step.loss):
            break
    return net, replace(step, seconds=time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=RECORDS / "computing.csv")
    options = parser.parse_args()
    settled = about(options.steps)
    runs = read_comparison(options.out, settled) if options.out.exists() else {}

    def record(name: str, times: int, rate: float, seed: int) -> None:
        net, last = trained(name, times, options.steps, rate, seed)
        sets = ["Set12", "BSD68"] if (name, times) == (PLAIN, 100) else ["Set12"]
        for picture, psnr in measured(net, sets):
            runs[name, times, rate, seed, picture] = [replace(last, val_psnr=psnr)]
        write_comparison(options.out, LABELS, runs, settled)
        quality = mean_psnr(runs, name, times, rate, seed)
        print(f"{name}, {times}×, {rate:g}, seed {seed}: {quality:.2f} dB", flush=True)

    for name, times, seeds in PLAN:
        while (rate := next_rate(runs, name, times)) is not None:
            record(name, times, rate, 0)
        for seed, rate in product(seeds, rates(runs, name, times)):
            if (name, times, rate, seed, "Set12") not in runs:
                record(name, times, rate, seed)


if __name__ == "__main__":
    main()
