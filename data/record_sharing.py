"""Record what it costs to share one small network between noise, super-resolution and deblocking.

    python data/record_sharing.py [--seeds 0 1 2]

Eight layers, without batch norm, from the small training set that ships: three specialists, one
network for all three tasks, and one for super-resolution and deblocking. Over time: width 16,
trained for 250, 750 and 2,250 steps, each three times the one before: a network for all three sees
as many patches of each task as a specialist in a third of the steps. Over width: 8, 16 and 32,
trained for 750 steps. Writes ``data/runs/sharing.csv``, a row for the end of each training on each
task, and the settings beside it in ``sharing.json``. What is in the CSV already is not trained
again, so the script may be stopped and run again; a change of the settings begins anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

import dncnn_lib as dn
from dncnn_lib.evaluation import PROTOCOLS
from dncnn_lib.lessons.tasks import small_network
from dncnn_lib.records import RECORDS, read_comparison, write_comparison

LABELS = ["trained on", "measured on", "width", "seed"]
TASKS = {
    "gaussian": dn.GaussianNoise((0, 55)),
    "super-resolution": dn.DownUp((2, 3, 4)),
    "deblocking": dn.JPEGCompression((5, 40)),
}
LEVELS = {"gaussian": 25, "super-resolution": 3, "deblocking": 10}
PAIR = "super-resolution and deblocking"
ALL = "all three"
TRAINED_ON = {
    **TASKS,
    PAIR: dn.RandomChoice(TASKS["super-resolution"], TASKS["deblocking"]),
    ALL: dn.RandomChoice(*TASKS.values()),
}
NAMES, CORNER, SIDE = ("camera", "dogs", "pagoda", "drum"), 100, 96
"""What is measured on: a square of these held-out pictures, with its corner and side in pixels."""
CONFIG = dn.TrainConfig(batch_size=12, patch_size=32, lr=5e-3)


def trainings() -> Iterator[tuple[str, int, int]]:
    """What is trained: (on what, width, steps), the quick ones first."""
    for steps in (250, 750, 2250):
        yield from ((name, 16, steps) for name in TRAINED_ON)
    for width in (8, 32):
        yield from ((name, width, 750) for name in (*TASKS, ALL))


def about() -> dict[str, object]:
    """The settings, as they are kept beside the record."""
    config = asdict(CONFIG)
    del config["steps"], config["seed"]  # columns of the record
    return {
        "network": {"depth": 8, "batch_norm": False},
        "trained_on": {name: str(degradation) for name, degradation in TRAINED_ON.items()},
        "training_data": "small",
        "measured_on": {"levels": LEVELS, "pictures": NAMES, "corner": CORNER, "side": SIDE},
        "config": config,
    }


def psnr(net: nn.Module) -> dict[str, float]:
    """By task: the mean PSNR in dB of the restored pieces."""
    square = slice(CORNER, CORNER + SIDE)
    held_out = dn.held_out_images()
    pieces = {name: held_out[name][square, square] for name in NAMES}
    return {
        task: float(np.mean([c.psnr for _, c in PROTOCOLS[task].compare_all(net, pieces, level)]))
        for task, level in LEVELS.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=RECORDS / "sharing.csv")
    options = parser.parse_args()
    torch.set_num_threads(1)  # networks this small gain nothing from more
    runs = read_comparison(options.out, about()) if options.out.exists() else {}
    photographs = dn.small_training_set()
    for name, width, steps in trainings():
        for seed in options.seeds:
            keys = {task: (name, task, width, seed) for task in TASKS}
            if all(any(s.steps == steps for s in runs.get(key, ())) for key in keys.values()):
                continue
            config = replace(CONFIG, steps=steps, seed=seed, log_every=steps)
            net = small_network(seed, width)
            (last,) = dn.train(net, photographs, TRAINED_ON[name], config)
            found = psnr(net.eval())
            for task, key in keys.items():
                runs.setdefault(key, []).append(replace(last, val_psnr=found[task]))
            write_comparison(options.out, LABELS, runs, about())
            print(f"{name}, width {width}, {steps} steps, seed {seed}: {found}", flush=True)


if __name__ == "__main__":
    main()
