"""Make the records that lesson 04 shows: BM3D's quality, and the training of a student's network.

    python data/record_lesson_04.py bm3d
    python data/record_lesson_04.py student runs/student.safetensors

``bm3d`` restores the held-out pictures with BM3D and writes ``data/tables/bm3d.csv``. It needs the
package bm3d (pip install bm3d), by the authors of the method and for non-commercial use only, which
is why the project does not depend on it. A minute or two.

``student`` takes what ``python -m dncnn_lib train student`` left beside that file. The record of
training becomes ``data/runs/lesson-04.csv``; the card becomes ``data/runs/lesson-04.json``, with
the PSNR on the standard sets that are on this machine and of each held-out picture.

Both measure by ``evaluation.PROTOCOLS``: the same noise, of sigma = 25, for the same picture.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

import dncnn_lib as dn
from dncnn_lib.making.card import measure
from dncnn_lib.making.tables import MEAN, Entry, measure_set, measured_sets, write_table

DATA = Path(__file__).parent
SIGMA = 25


class BM3D(nn.Module):
    """Block matching and 3-D filtering by its authors' package, which is told the noise level."""

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        """(1, 1, H, W) → the same."""
        from bm3d import bm3d

        restored = bm3d(noisy[0, 0].numpy().astype(np.float64), SIGMA / 255)
        return torch.from_numpy(restored.reshape(noisy.shape)).to(noisy.dtype)


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


def main(arguments: list[str]) -> None:
    if arguments == ["bm3d"]:
        try:
            import bm3d  # noqa: F401
        except ImportError:
            sys.exit("the package bm3d is missing (non-commercial use only): pip install bm3d")
        write_table(measured("BM3D", BM3D()), DATA / "tables" / "bm3d.csv")
    elif len(arguments) == 2 and arguments[0] == "student":
        record_student(Path(arguments[1]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
