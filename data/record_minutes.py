"""Record how long each lesson makes a machine wait: the seconds of every cell.

    python data/record_minutes.py [--cores 2] [LESSON ...]

Executes the lessons one after the other, in a folder that is thrown away, on so many cores (Linux;
elsewhere on all). Nothing else should run meanwhile; all lessons take a quarter to half an hour of
two cores. Writes ``data/runs/minutes.csv``, a row for each code cell that took 0.05 seconds or
more; processor, cores and packages are in ``minutes.json``. A lesson that was recorded is measured
again only where its code has changed since, or where it is named: ``06b``.

Then ``python -m dncnn_lib.teaching.guide`` puts the sums into the instructors' guide.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from dncnn_lib import _files
from dncnn_lib.hardware import describe_environment, processor_name, usable_cores
from dncnn_lib.records import RECORDS

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
LEAST = 0.05
"""Seconds; what is shorter nobody waits for."""


def code_of(notebook: dict[str, Any]) -> str:
    """A short name for the code of a notebook, which changes with it."""
    code = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    return hashlib.sha256("\n".join(code).encode()).hexdigest()[:12]


def seconds_of(execution: dict[str, str]) -> float:
    """How long a cell ran, by the times that nbclient notes in it."""
    start, end = (
        datetime.fromisoformat(execution[f"iopub.status.{state}"].replace("Z", "+00:00"))
        for state in ("busy", "idle")
    )
    return (end - start).total_seconds()


def measured(path: Path) -> dict[str, float]:
    """Execute a lesson: cell id → seconds."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=None, record_timing=True, resources=resources).execute()
    timed = [cell for cell in notebook.cells if "execution" in cell.metadata]
    return {cell.id: seconds_of(cell.metadata.execution) for cell in timed}


def csv_of(seconds: dict[str, dict[str, float]]) -> str:
    """Rows of lesson, cell, seconds, to a tenth."""
    rows = [
        f"{lesson},{cell},{value:.1f}"
        for lesson, cells in sorted(seconds.items())
        for cell, value in cells.items()
        if value >= LEAST
    ]
    return "\n".join(["lesson,cell,seconds", *rows, ""])


def read(path: Path) -> dict[str, dict[str, float]]:
    """What was recorded: lesson → cell → seconds."""
    seconds: dict[str, dict[str, float]] = {}
    for row in path.read_text("utf-8").splitlines()[1:]:
        lesson, cell, value = row.split(",")
        seconds.setdefault(lesson, {})[cell] = float(value)
    return seconds


def machine() -> dict[str, Any]:
    """What is to be known of the machine, as other records have it."""
    return {
        "processor": processor_name(),  # which on some machines is that of a whole family
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": usable_cores(),
        "packages": describe_environment()["packages"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "lessons", nargs="*", metavar="LESSON", help="such as 06b (those that changed)"
    )
    parser.add_argument("--cores", type=int, default=2, help="(2)")
    parser.add_argument("--out", type=Path, default=RECORDS / "minutes.csv")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    os.environ.pop("DNCNN_DATA", None)  # no lesson needs the standard sets
    about = options.out.with_suffix(".json")
    seconds = read(options.out) if options.out.exists() else {}
    told = json.loads(about.read_text("utf-8")) if about.exists() else {"code": {}}
    if told.get("hardware", machine()) != machine():
        seconds, told = {}, {"code": {}}  # minutes of two machines are not to be mixed
    for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")):
        lesson = path.stem.split("_")[0]
        code = code_of(json.loads(path.read_text("utf-8")))
        if lesson not in options.lessons and (options.lessons or told["code"].get(lesson) == code):
            continue
        seconds[lesson] = measured(path)
        told = {
            "hardware": machine(),
            "code": dict(sorted((told["code"] | {lesson: code}).items())),
        }
        text = json.dumps(told, ensure_ascii=False, indent=2) + "\n"
        files = {options.out: csv_of(seconds).encode(), about: text.encode()}
        _files.write_together(files)
        print(f"lesson {lesson}: {sum(seconds[lesson].values()):.0f} seconds", flush=True)


if __name__ == "__main__":
    main()
