"""Measure the systems before DnCNN, and DnCNN beside them: ``data/tables/priors.csv``.

    python data/record_priors.py [MODEL ...]
    python data/record_priors.py --times

Each model on the held-out pictures, Set12 and BSD68, as far as these sets are on this machine, at
sigma = 15, 25 and 50. What the table has already is not measured again, so the script may be
stopped and run again. On two cores NCSR takes some twenty minutes, and all others together as long.

``--times`` fills the column ``seconds``: restoring a picture of 256×256, the median of three, on
this machine, which ``priors.json`` then names. It should have nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import asdict, replace

from torch import nn

import dncnn_lib as dn
from dncnn_lib import priors
from dncnn_lib._files import write_together
from dncnn_lib.evaluation import PROTOCOLS
from dncnn_lib.hardware import processor_name, usable_cores
from dncnn_lib.making import tables
from dncnn_lib.making.tables import PRIORS_TABLE, PriorEntry

LEVELS = PROTOCOLS["gaussian"].levels
NETWORKS = {"dncnn-s-15": (15,), "dncnn-s-25": (25,), "dncnn-s-50": (50,), "dncnn-b": LEVELS}
MODELS = {name: NETWORKS.get(name, LEVELS) for name in (*priors.PRIORS, *NETWORKS)}
"""With the noise levels that each is for."""


def measure(names: list[str]) -> None:
    """Add to the table what it lacks, set by set. The networks' rows are those of quality.csv."""
    of_networks = tables.read_table()
    for name in names:
        model = priors.load_model(name)
        for set_name, images in tables.measured_sets("gaussian", 1).items():
            for level in MODELS[name]:
                key = (name, "gaussian", set_name, level)
                if any((e.model, e.task, e.set, e.level) == key for e in stored()):
                    continue
                found = [e for e in of_networks if (e.model, e.task, e.set, e.level) == key]
                found = found or tables.measure_set(name, model, *key[1:3], images, level)
                rows = [complete(entry, model) for entry in found]
                tables.write_table(in_order([*stored(), *rows]), PRIORS_TABLE)
                print(f"{name}, {set_name}, {level}: {rows[-1].psnr:.2f} dB", flush=True)


def complete(entry: tables.Entry, model: nn.Module) -> PriorEntry:
    """The entry with the number of parameters and what was published."""
    method = tables.paper_name(entry.model)
    known = tables.published(method, entry.task, entry.set, entry.level, entry.image)
    return PriorEntry(
        **asdict(entry),
        seconds=None,
        parameters=sum(p.numel() for p in model.parameters()),
        published=known and known.psnr,
        source=known.source if known else "",
    )


def stored() -> list[PriorEntry]:
    return tables.read_table(PRIORS_TABLE, PriorEntry) if PRIORS_TABLE.exists() else []


def in_order(entries: list[PriorEntry]) -> list[PriorEntry]:
    """By model, set and level; images as they were measured."""
    models, sets = list(MODELS), ["Set12", "BSD68", "samples"]
    return sorted(entries, key=lambda e: (models.index(e.model), sets.index(e.set), e.level))


def take_times() -> None:
    """Time every model at each of its levels, and write the seconds into all its rows."""
    clean = dn.sample_image("camera")[128:384, 128:384]
    seconds = {}
    for name, levels in MODELS.items():
        model = priors.load_model(name)
        for level in levels:
            shown = [dn.compare(clean, dn.GaussianNoise(level), model).seconds for _ in range(4)]
            seconds[name, level] = float(f"{statistics.median(shown[1:]):.3g}")
            print(f"{name}, {level}: {seconds[name, level]} s", flush=True)
    timed = [replace(e, seconds=seconds[e.model, e.level]) for e in stored()]
    tables.write_table(timed, PRIORS_TABLE)
    machine = {"processor": processor_name(), "cores": usable_cores()}
    text = json.dumps({"seconds measured on": machine}, indent=2, ensure_ascii=False) + "\n"
    write_together({PRIORS_TABLE.with_suffix(".json"): text.encode()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(MODELS)}")
    parser.add_argument("--times", action="store_true", help="only fill the column seconds")
    options = parser.parse_args()
    if options.times:
        take_times()
    else:
        measure(options.models or list(MODELS))


if __name__ == "__main__":
    main()
