"""Record the paper's Fig. 2 at its depth: {residual, direct} × {BN, no BN} × {SGD, Adam}.

    python data/record_figure_2.py [--seeds 0 1 2] [--steps 600]

Seventeen layers of 64, from the small training set that ships, sigma = 25. Writes
``data/runs/figure-2.csv``, a row for each validation of each training, and the settings beside it
in ``figure-2.json``. What is in the CSV already is not trained again, so the script may be stopped
and run again; a change of the settings begins anew.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from dataclasses import asdict, fields, replace
from pathlib import Path

import dncnn_lib as dn
from dncnn_lib._files import write_together
from dncnn_lib.hardware import processor_name, usable_cores
from dncnn_lib.lessons.experiments import Variant, held_out_psnr, train_variants

RUNS = Path(__file__).parent / "runs"
SIGMA, STEPS = 25, 600
NETWORK = {"depth": 17, "width": 64}
SIDE = 96
"""Pixels of the square from the middle of each held-out picture that is measured on."""

COLUMNS = ["optimizer", "network", "seed", *(field.name for field in fields(dn.Step))]


def settings(steps: int) -> dict[str, dn.TrainConfig]:
    """How the four networks are trained, by optimiser: the paper's rates, annealed to zero."""
    common = dn.TrainConfig(
        steps=steps, batch_size=16, patch_size=40, precision="auto", log_every=25, validate_every=25
    )
    sgd = {"optimizer": "sgd", "loss": "paper", "lr": 0.1, "weight_decay": 1e-4}
    return {"SGD": replace(common, **sgd), "Adam": replace(common, lr=1e-3)}


def networks() -> dict[str, dict[str, object]]:
    """The four, by the names that lesson 06 gives them."""
    return {
        f"{'residual' if residual else 'direct'}, {'BN' if norm else 'no BN'}": NETWORK
        | {"residual": residual, "batch_norm": norm}
        for residual in (True, False)
        for norm in (True, False)
    }


def pieces() -> dict[str, object]:
    """What is measured on: the middle of each held-out picture."""
    found = {}
    for name, image in dn.held_out_images().items():
        top, left = ((side - SIDE) // 2 for side in image.shape)
        found[name] = image[top : top + SIDE, left : left + SIDE]
    return found


def about(steps: int) -> dict[str, object]:
    """The settings, as they are kept beside the record."""
    return {
        "sigma": SIGMA,
        "networks": networks(),
        "training_data": "small",
        "measured_on": f"the middle {SIDE}×{SIDE} of each held-out picture",
        "config": {name: asdict(config) for name, config in settings(steps).items()},
    }


def known(path: Path, steps: int) -> list[dict[str, str]]:
    """The rows of an earlier call with the same settings."""
    beside = path.with_suffix(".json")
    if not (path.exists() and beside.exists()):
        return []
    before = json.loads(beside.read_text("utf-8"))
    if {key: before.get(key) for key in about(steps)} != json.loads(json.dumps(about(steps))):
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def save(path: Path, rows: list[dict[str, object]], steps: int) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    machine = {"hardware": {"processor": processor_name(), "cores": usable_cores()}}
    card = json.dumps(about(steps) | machine, indent=2, ensure_ascii=False) + "\n"
    write_together({path: text.getvalue().encode(), path.with_suffix(".json"): card.encode()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=RUNS / "figure-2.csv")
    options = parser.parse_args()
    rows = known(options.out, options.steps)
    done = {(row["optimizer"], row["network"], int(row["seed"])) for row in rows}
    photographs, validation = dn.small_training_set(), held_out_psnr(pieces(), SIGMA)
    for seed in options.seeds:
        for optimizer, config in settings(options.steps).items():
            for name, network in networks().items():
                if (optimizer, name, seed) in done:
                    continue
                found = []
                variant = {name: Variant(network, config)}
                for _, _, step in train_variants(
                    variant, photographs, seeds=[seed], validation=validation
                ):
                    values = {k: v for k, v in asdict(step).items() if k in COLUMNS}
                    values |= {k: f"{values[k]:.6g}" for k in ("seconds", "loss", "lr")}
                    if step.val_psnr is not None:
                        values["val_psnr"] = f"{step.val_psnr:.3f}"
                    found.append({"optimizer": optimizer, "network": name, "seed": seed} | values)
                    print(
                        f"{optimizer}, {name}, seed {seed}: step {step.step}, {step.val_psnr} dB",
                        flush=True,
                    )
                rows += found
                save(options.out, rows, options.steps)


if __name__ == "__main__":
    main()
