"""Record the trainings of lesson 12 that are too long for it.

    python data/record_after.py [--seeds 0 1 2]

Trainings without clean images: DnCNN, 8 layers of 16 without batch norm, sigma = 25, four times as
long as in the lesson. FFDNet at half and at full resolution, and with batch norm: 8 layers of 24,
sigma in [0, 75]. All from the small training set that ships. Writes ``data/runs/after.csv``, a row
for the end of each training, measured at one noise level or several, and the settings beside it in
``after.json``. What is in the CSV already is not trained again, so the script may be stopped and
run again; a change of the settings begins anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

import dncnn_lib as dn
from dncnn_lib.evaluation import PROTOCOLS
from dncnn_lib.lessons import after
from dncnn_lib.records import RECORDS, read_comparison, write_comparison
from dncnn_lib.tasks import Task

LABELS = ["experiment", "network", "sigma", "seed"]
NOISE, MAPS = dn.GaussianNoise(25), dn.with_noise_map(dn.GaussianNoise((0, 75)))
NAMES, CORNER, SIDE = ("camera", "dogs", "pagoda", "drum"), 100, 96
"""What is measured on: a square of these held-out pictures, with its corner and side in pixels."""

TARGETS: dict[str, Task] = {
    "clean targets": NOISE,
    "noisy targets": dn.noise2noise(NOISE),
    "blind spot": dn.noise2void(NOISE),
    "blind spot, clean targets": after.at_hidden_pixels(NOISE, hide=True),
    "2 % of the pixels, clean targets": after.at_hidden_pixels(NOISE, hide=False),
    "one noisy version, clean targets": after.from_pairs(clean_targets=True),
    "one noisy pair": after.from_pairs(clean_targets=False),
}
SHORT = dn.TrainConfig(steps=1200, batch_size=8, patch_size=32, lr=5e-3)

FFDNET = {"depth": 8, "width": 24, "batch_norm": False}
MAP = dn.TrainConfig(steps=1000, batch_size=8, patch_size=40, optimizer="muon", lr=3e-3)
FFDNETS: dict[str, tuple[dict, dn.TrainConfig]] = {
    "half resolution": (FFDNET, MAP),
    "full resolution": ({**FFDNET, "factor": 1}, MAP),
    "half resolution, four times the steps": (FFDNET, replace(MAP, steps=4 * MAP.steps)),
    "half resolution, batch norm": ({**FFDNET, "batch_norm": True}, MAP),
    "half resolution, batch norm, rate 0.01": (
        {**FFDNET, "batch_norm": True},
        replace(MAP, lr=1e-2),
    ),
}


def about() -> dict[str, object]:
    """The settings, as they are kept beside the record."""
    return {
        "targets": {"network": "8 layers of 16, no batch norm", "config": asdict(SHORT)},
        "noise map": {name: {**net, **asdict(config)} for name, (net, config) in FFDNETS.items()},
        "training_data": "small",
        "measured_on": {"pictures": NAMES, "corner": CORNER, "side": SIDE},
    }


def psnr(net: nn.Module, levels: Sequence[float]) -> dict[float, float]:
    """By sigma: the mean PSNR in dB of the restored pieces."""
    square = slice(CORNER, CORNER + SIDE)
    held_out = dn.held_out_images()
    pieces = {name: held_out[name][square, square] for name in NAMES}
    protocol = PROTOCOLS["gaussian"]
    return {
        sigma: float(np.mean([c.psnr for _, c in protocol.compare_all(net, pieces, sigma)]))
        for sigma in levels
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=RECORDS / "after.csv")
    options = parser.parse_args()
    torch.set_num_threads(1)  # networks this small gain nothing from more
    runs = read_comparison(options.out, about()) if options.out.exists() else {}
    photographs = dn.small_training_set()

    def record(experiment, name, levels, seed, net, images, task, config) -> None:
        keys = {sigma: (experiment, name, sigma, seed) for sigma in levels}
        if all(key in runs for key in keys.values()):
            return
        config = replace(config, seed=seed, log_every=config.steps)
        (last,) = dn.train(net, images, task, config)
        found = psnr(getattr(net, "net", net).eval(), levels)
        for sigma, key in keys.items():
            runs[key] = [replace(last, val_psnr=found[sigma])]
        write_comparison(options.out, LABELS, runs, about())
        print(f"{name}, seed {seed}: {found}", flush=True)

    for seed in options.seeds:
        for name, task in TARGETS.items():
            net = after.small_network(seed)
            net = dn.BlindSpot(net) if "blind spot" in name or "2 %" in name else net
            images = photographs
            if name.startswith("one"):
                images = after.noisy_pairs(photographs, NOISE.sigma, seed)
            record("targets", name, (25,), seed, net, images, task, SHORT)
    for seed in options.seeds:
        for name, (network, config) in FFDNETS.items():
            net = dn.FFDNet(**network)
            net.reset_parameters(torch.Generator().manual_seed(seed))
            record("noise map", name, (15, 25, 50), seed, net, photographs, MAPS, config)


if __name__ == "__main__":
    main()
