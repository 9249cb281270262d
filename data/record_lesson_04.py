"""Make the record that lesson 04 shows: the training of a student's network.

    python data/record_lesson_04.py runs/student.safetensors

Takes what ``python -m dncnn_lib train student`` left beside that file. The record of training
becomes ``data/runs/lesson-04.csv``; the card becomes ``data/runs/lesson-04.json``, with the PSNR on
the standard sets that are on this machine and of each held-out picture, of sigma = 25.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from torch import nn

import dncnn_lib as dn
from dncnn_lib.making.card import measure
from dncnn_lib.making.tables import MEAN, Entry, measure_set, measured_sets

DATA = Path(__file__).parent
SIGMA = 25


def measured(name: str, model: nn.Module) -> list[Entry]:
    """An ``Entry`` for each held-out picture."""
    entries = []
    for entry in measure_set(name, model, "gaussian", "samples", dn.held_out_images(), SIGMA):
        print(f"{name:>8} {entry.image:>10}: {entry.degraded_psnr:.2f} → {entry.psnr:.2f} dB")
        entries.append(entry)
    return [entry for entry in entries if entry.image != MEAN]


def record_student(weights: Path) -> None:
    card = json.loads(weights.with_suffix(".json").read_text("utf-8"))
    net = dn.load_pretrained(weights)
    card["psnr_by_image"] = {entry.image: entry.psnr for entry in measured(card["name"], net)}
    card["psnr"] = measure(net, measured_sets("gaussian", net.channels), levels=[SIGMA])
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    (DATA / "runs" / "lesson-04.json").write_text(text, encoding="utf-8")
    shutil.copyfile(weights.with_suffix(".csv"), DATA / "runs" / "lesson-04.csv")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    record_student(Path(sys.argv[1]))
