"""Record what lesson 11 says of real noise, and of its cure.

    python data/record_photographs.py [noise] [pairs] [cure]

``noise`` and ``pairs`` need CC15: 15 real pairs by three cameras, one shot and the mean of many.

- ``noise``, a minute of one core: the noise that is in each pair, and what ``CameraNoise`` makes of
  the clean picture at that ISO: its standard deviation on the 0–255 scale, and the correlation of
  neighbours in a row, two and four pixels apart, and of colours: ``data/tables/real_noise.csv``.
- ``pairs``, some five minutes: PSNR in dB of the middle of each pair, and of the same clean picture
  with ``CameraNoise`` at that ISO: noisy, and after each of ``DENOISERS``; BM3D is told the true
  standard deviation. For ``cdncnn-camera`` also that noise made as strong as the real one, and with
  a broad part, so that pixels four apart share as much as in CC15: ``data/tables/real_pairs.csv``.
- ``cure``, some five minutes: lesson 11's live training from three seeds. ``cdncnn-b-small`` goes
  on for the same few steps on white noise, on white noise exactly as strong as a camera's, and on a
  camera's: ``data/runs/photographs.csv``, a row for the end of each training on each noise, and the
  settings in ``photographs.json``. "nothing" is the network that they all begin from, and "noisy"
  the pictures as they are.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

import dncnn_lib as dn
from dncnn_lib.camera import PHONE
from dncnn_lib.evaluation import restored_comparison
from dncnn_lib.lessons.photographs import WhiteAsStrong, character, middle, real_pairs
from dncnn_lib.making.tables import TABLES
from dncnn_lib.priors import load_model
from dncnn_lib.records import RECORDS, read_comparison, write_comparison
from dncnn_lib.training import Step

NOISE = TABLES.with_name("real_noise.csv")
PAIRS = TABLES.with_name("real_pairs.csv")
CURE = RECORDS / "photographs.csv"

DENOISERS = ("cdncnn-b", "bm3d", "cdncnn-b-small", "cdncnn-camera")
SIDE = 256
"""Of the square in the middle of a pair that is denoised, in pixels: a quarter of the picture."""

BROAD, SHARE = 4.0, 0.35
"""The blur of the broad part in pixels, and its share in the standard deviation of the noise."""

START = "cdncnn-b-small"
CAMERA = dn.CameraNoise((100, 25600), light=(PHONE, 1.0))
TRAINED_ON = {
    "white": dn.GaussianNoise((0, 55)),
    "white, as strong": WhiteAsStrong(CAMERA),
    "camera": CAMERA,
}
CONFIG = dn.TrainConfig(
    steps=150, batch_size=8, patch_size=40, optimizer="muon", lr=2e-3, frozen_batch_norm=True,
    log_every=150,
)  # fmt: skip
MEASURED_ON = {
    "phone": dn.CameraNoise(6400, PHONE),
    "white": WhiteAsStrong(dn.CameraNoise(6400, PHONE)),
}
NAMES, PIECE = ("dogs", "pagoda", "dandelion", "drum", "sundial"), 128
"""The held-out pictures that the cure is measured on, and the side of their middle in pixels."""
SEEDS = (0, 1, 2)
LABELS = ["trained on", "measured on", "seed"]

Row = dict[str, str | float]
Pairs = dict[str, tuple[np.ndarray, np.ndarray]]
Noisy = list[tuple[str, str, np.ndarray, np.ndarray]]
"""(pair, which noise, clean, noisy) of each."""


def iso_of(pair: str) -> int:
    """5dmark3_iso3200_1 → 3200."""
    return int(pair.split("_iso")[1].split("_")[0])


def two_noises(pairs: Pairs) -> Noisy:
    """(pair, "real" or "simulated", clean, noisy) of each pair."""
    found = []
    for name, (noisy, clean) in pairs.items():
        simulated = dn.apply(dn.CameraNoise(iso_of(name)), clean)
        found += [(name, "real", clean, noisy), (name, "simulated", clean, simulated)]
    return found


def noise_rows(pairs: Pairs) -> list[Row]:
    """The rows of ``real_noise.csv``."""
    return [
        {"pair": name, "noise": kind}
        | {key: round(value, 3) for key, value in character(noisy - clean).items()}
        for name, kind, clean, noisy in two_noises(pairs)
    ]


def broader(noise: np.ndarray) -> np.ndarray:
    """As strong as noise (H, W, 3), with a share of it in broad blotches."""
    white = np.random.default_rng(0).standard_normal(noise.shape)
    broad = gaussian_filter(white, (BROAD, BROAD, 0))
    return np.sqrt(1 - SHARE**2) * noise + SHARE * noise.std() / broad.std() * broad


def changed(rows: Noisy) -> Noisy:
    """The simulated noise of each pair made as strong as the real one, and then broader."""
    found = []
    for (name, _, clean, real), (*_, simulated) in zip(rows[::2], rows[1::2]):
        noise = simulated - clean
        noise *= np.sqrt(np.mean((real - clean) ** 2) / np.mean(noise**2))
        for kind, strong in {"as strong": noise, "as strong, broader": broader(noise)}.items():
            found.append((name, kind, clean, (clean + strong).astype(np.float32)))
    return found


def measured(name: str, kind: str, *images: np.ndarray, models: Mapping[str, nn.Module]) -> Row:
    """A row of ``real_pairs.csv``. images: clean and noisy."""
    clean, noisy = images
    sigma = 255 * float(np.std(noisy - clean))
    found = {n: restored_comparison(clean, noisy, m, sigma=sigma) for n, m in models.items()}
    before = next(iter(found.values())).degraded_psnr
    after = {n: round(shown.psnr, 3) for n, shown in found.items()}
    return {"pair": name, "noise": kind, "noisy": round(before, 3), **after}


def pair_rows(pairs: Pairs, denoisers: Sequence[str] = DENOISERS) -> list[Row]:
    """The rows of ``real_pairs.csv``."""
    models = {name: load_model(name) for name in denoisers}
    small = {"cdncnn-camera": models["cdncnn-camera"]}
    noisy = [(*of, middle(x, SIDE), middle(y, SIDE)) for *of, x, y in two_noises(pairs)]
    rows = [measured(*row, models=models) for row in noisy]
    return rows + [measured(*row, models=small) for row in changed(noisy)]


def write_rows(path: Path, rows: list[Row]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def about() -> dict[str, object]:
    """The settings of the cure, as they are kept beside its record."""
    config = asdict(CONFIG)
    del config["seed"]  # a column of the record
    return {
        "start": START,
        "trained_on": {name: str(noise) for name, noise in TRAINED_ON.items()},
        "training_data": "small",
        "measured_on": {name: str(noise) for name, noise in MEASURED_ON.items()},
        "pictures": {"names": NAMES, "side": PIECE},
        "config": config,
    }


def psnr(net: nn.Module | None) -> dict[str, float]:
    """By noise: the mean PSNR in dB of the held-out pictures, restored, or as they are if net is
    None. Number i has the seed i."""
    pieces = [middle(dn.sample_image(name), PIECE) for name in NAMES]
    result = {}
    for name, noise in MEASURED_ON.items():
        shown = [dn.compare(x, noise, net or nn.Identity(), seed=i) for i, x in enumerate(pieces)]
        result[name] = float(np.mean([c.psnr if net else c.degraded_psnr for c in shown]))
    return result


def record_cure() -> None:
    """Train what is not in the record yet."""
    runs = read_comparison(CURE, about()) if CURE.exists() else {}
    photographs = dn.small_training_set(grey=False)

    def keep(name: str, seed: int, last: Step, net: nn.Module | None) -> None:
        found = psnr(net)
        for noise, value in found.items():
            runs[name, noise, seed] = [replace(last, val_psnr=value)]
        write_comparison(CURE, LABELS, runs, about())
        print(f"{name}, seed {seed}: {found}", flush=True)

    untrained = Step(0, CONFIG.steps, loss=float("nan"), lr=0.0, seconds=0.0, patches=0)
    for name, net in {"noisy": None, "nothing": dn.load_pretrained(START)}.items():
        if (name, "phone", 0) not in runs:
            keep(name, 0, untrained, net)
    for seed in SEEDS:
        for name, noise in TRAINED_ON.items():
            if (name, "phone", seed) not in runs:
                net = dn.load_pretrained(START)
                (last,) = dn.train(net, photographs, noise, replace(CONFIG, seed=seed))
                keep(name, seed, last, net.eval())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", nargs="*", default=["noise", "pairs", "cure"])
    what = parser.parse_args().what
    torch.set_num_threads(1)  # networks this small gain nothing from more
    if "cure" in what:
        record_cure()
    if {"noise", "pairs"} & set(what):
        pairs = real_pairs()
        if not pairs:
            raise SystemExit("CC15 is not on this machine: python -m dncnn_lib download CC15")
        if "noise" in what:
            write_rows(NOISE, noise_rows(pairs))
        if "pairs" in what:
            write_rows(PAIRS, pair_rows(pairs))


if __name__ == "__main__":
    main()
