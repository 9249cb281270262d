"""Measure what lesson 11 cannot in its time, or not without pictures that do not ship:
``data/tables/photographs.csv`` and ``data/tables/real_noise.csv``.

    python data/record_photographs.py

The first has the rows of ``quality.csv`` for the task "camera": networks for white noise, BM3D, and
the network for cameras, on the noise of a phone (the held-out pictures and CBSD68) and on real
pairs (CC15, by ISO), as far as these sets are on this machine. BM3D is told the deviation of the
noise. The second compares the noise of each real pair with what ``CameraNoise`` makes of the clean
picture at that ISO: its standard deviation on the 0–255 scale, and the correlation of neighbours in
a row, two and four pixels apart, and of colours. What the first has already is not measured again.
It takes about half an hour of one core.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

import numpy as np
import torch

import dncnn_lib as dn
from dncnn_lib.evaluation import PROTOCOLS, restored_comparison
from dncnn_lib.images import as_float
from dncnn_lib.lessons.photographs import character, real_pairs
from dncnn_lib.making import tables
from dncnn_lib.making.tables import MEAN, Entry
from dncnn_lib.priors import load_model

TABLE = tables.TABLES.with_name("photographs.csv")
NOISE = tables.TABLES.with_name("real_noise.csv")
MODELS = ("cdncnn-b", "cdncnn-b-small", "bm3d", "cdncnn-camera")
Pairs = dict[str, tuple[np.ndarray, np.ndarray]]
"""Noisy and clean, by name."""


def iso_of(pair: str) -> int:
    """5dmark3_iso3200_1 → 3200."""
    return int(pair.split("_iso")[1].split("_")[0])


def test_sets() -> Iterator[tuple[str, int, Pairs]]:
    """Set and ISO, and the pictures."""
    real = real_pairs()
    for iso in sorted({iso_of(name) for name in real}):
        yield "CC15", iso, {name: pair for name, pair in real.items() if iso_of(name) == iso}
    case, sets = PROTOCOLS["camera"].case, tables.measured_sets("camera", 3)
    for name in {"samples", "CBSD68"} & sets.keys():
        for iso in PROTOCOLS["camera"].levels:
            pairs = {}
            for number, (image, pixels) in enumerate(sets[name].items()):
                noisy, clean, _ = case(as_float(pixels), iso, number)
                pairs[image] = (noisy, clean)
            yield name, iso, pairs


def measured(name: str, set_name: str, iso: int, pairs: Pairs) -> list[Entry]:
    """A row for each picture, then that of their mean."""
    model, rows, places = load_model(name), [], (3, 3, 4, 4)

    def entry(image: str, values: np.ndarray) -> Entry:
        return Entry(name, "camera", set_name, iso, image, *map(round, values.tolist(), places))

    for image, (noisy, clean) in pairs.items():
        sigma = 255 * float(np.sqrt(np.mean((noisy - clean) ** 2)))
        shown = restored_comparison(clean, noisy, model, sigma=sigma)
        values = (shown.degraded_psnr, shown.psnr, shown.degraded_ssim, shown.ssim)
        rows.append((image, np.array(values)))
    mean = np.mean([values for _, values in rows], axis=0)
    return [entry(image, values) for image, values in [*rows, (MEAN, mean)]]


def compare_noise() -> None:
    """The noise of the real pairs beside that of the simulated camera."""
    rows = []
    for name, (noisy, clean) in real_pairs().items():
        simulated = dn.apply(dn.CameraNoise(iso_of(name)), clean)
        for kind, image in {"real": noisy, "simulated": simulated}.items():
            values = {key: round(value, 3) for key, value in character(image - clean).items()}
            rows.append({"pair": name, "noise": kind, **values})
    if rows:
        with open(NOISE, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def main() -> None:
    torch.set_num_threads(1)
    compare_noise()
    stored = tables.read_table(TABLE) if TABLE.exists() else []
    for set_name, iso, pairs in test_sets():
        for name in MODELS:
            known = any((e.model, e.set, e.level) == (name, set_name, iso) for e in stored)
            if known or (name, set_name) == ("bm3d", "CBSD68"):
                continue
            stored += measured(name, set_name, iso, pairs)
            tables.write_table(sorted(stored, key=place), TABLE)
            print(f"{name}, {set_name}, {iso}: {stored[-1].psnr:.2f} dB", flush=True)


def place(entry: Entry) -> tuple[int, str, float]:
    """By model, set and level; images as they were measured."""
    return MODELS.index(entry.model), entry.set, entry.level


if __name__ == "__main__":
    main()
