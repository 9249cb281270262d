"""Records of training: the steps of ``train`` as rows of a CSV file, and read back."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path

from .. import _files
from .._files import DATA
from ..training import Step

RECORDS = DATA / "runs"
"""The records that ship: of the pretrained networks, and of the lessons."""


def recorded(steps: Iterable[Step], path: Path) -> Iterator[Step]:
    """Pass the steps on, each written to a row of the CSV file ``path`` first.

    Rows from the first of these steps on are dropped: a run that was interrupted had written them
    after its last checkpoint.
    """
    file = None
    try:
        for step in steps:
            if file is None:
                old = [row for row in read_record(path) if row.step < step.step]
                _files.write_bytes(path, _csv(old, header=True).encode())
                file = open(path, "a", newline="", encoding="utf-8")
            file.write(_csv([step], header=False))
            file.flush()
            yield step
    finally:
        if file is not None:
            file.close()


def _csv(steps: Iterable[Step], header: bool) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Step)], lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(asdict(step) for step in steps)
    return text.getvalue()


def read_record(path: str | os.PathLike) -> list[Step]:
    """The record of training that ``run`` wrote; empty if there is none. A half row is left out.

    Raises ``ValueError`` for another file.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        rows = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]))
        if text and rows.fieldnames != [field.name for field in fields(Step)]:
            raise ValueError(rows.fieldnames)
        return [_step(row) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a record of training; move it away") from error


def read_comparison(path: str | os.PathLike) -> dict[str, dict[str, dict[int, list[Step]]]]:
    """The record of several trainings, by optimizer, network and seed, such as
    ``data/runs/figure-2.csv``.

    Raises ``FileNotFoundError``, and ``ValueError`` for another file.
    """
    found: dict[str, dict[str, dict[int, list[Step]]]] = {}
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                by_seed = found.setdefault(row["optimizer"], {}).setdefault(row["network"], {})
                by_seed.setdefault(int(row["seed"]), []).append(_step(row))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a record of several trainings") from error
    return found


def _step(row: Mapping[str, str]) -> Step:
    return Step(
        step=int(row["step"]),
        steps=int(row["steps"]),
        loss=float(row["loss"]),
        lr=float(row["lr"]),
        seconds=float(row["seconds"]),
        patches=int(row["patches"]),
        val_psnr=float(row["val_psnr"]) if row["val_psnr"] else None,
    )
