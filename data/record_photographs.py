"""Compare the noise of real pairs (CC15, if it is on this machine) with ``CameraNoise``:
``data/tables/real_noise.csv``.

    python data/record_photographs.py

For each pair the noise that is in it, and what ``CameraNoise`` makes of the clean picture at that
ISO: its standard deviation on the 0–255 scale, and the correlation of neighbours in a row, two and
four pixels apart, and of colours. It takes a minute of one core.
"""

from __future__ import annotations

import csv

import dncnn_lib as dn
from dncnn_lib.lessons.photographs import character, real_pairs
from dncnn_lib.making.tables import TABLES

NOISE = TABLES.with_name("real_noise.csv")


def iso_of(pair: str) -> int:
    """5dmark3_iso3200_1 → 3200."""
    return int(pair.split("_iso")[1].split("_")[0])


def main() -> None:
    rows = []
    for name, (noisy, clean) in real_pairs().items():
        simulated = dn.apply(dn.CameraNoise(iso_of(name)), clean)
        for kind, image in {"real": noisy, "simulated": simulated}.items():
            values = {key: round(value, 3) for key, value in character(image - clean).items()}
            rows.append({"pair": name, "noise": kind, **values})
    if not rows:
        raise SystemExit("CC15 is not on this machine: python -m dncnn_lib download CC15")
    with open(NOISE, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
