"""Records of training: the steps of ``train`` as rows of a CSV file, and read back."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from . import _files
from ._files import DATA
from .hardware import processor_name, usable_cores
from .training import Step

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


COLUMNS = [field.name for field in fields(Step)]

Runs = dict[tuple[str | float, ...], list[Step]]
"""Several trainings by their labels, such as ("SGD", "residual, BN", 0.1, 0)."""


def _csv(steps: Iterable[Step], header: bool) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
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
        if text and rows.fieldnames not in (COLUMNS, COLUMNS[:-1]):  # older ones: not clipped
            raise ValueError(rows.fieldnames)
        return [_step(row) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a record of training; move it away") from error


def write_comparison(
    path: str | os.PathLike, labels: Sequence[str], runs: Runs, about: Mapping[str, Any]
) -> None:
    """Write the CSV file ``path``, a row for each step with its labels in front, and beside it a
    JSON file with ``about`` (the settings) and this machine; both or neither.

    labels: the names of the numbers and words that ``runs`` go by.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*labels, *COLUMNS])
    for key, steps in runs.items():
        for step in steps:
            values = asdict(step)
            values |= {k: f"{values[k]:.6g}" for k in ("seconds", "loss", "lr", "clipped")}
            values["val_psnr"] = "" if step.val_psnr is None else f"{step.val_psnr:.3f}"
            writer.writerow([*key, *values.values()])
    machine = {"hardware": {"processor": processor_name(), "cores": usable_cores()}}
    card = json.dumps({**about, **machine}, indent=2, ensure_ascii=False) + "\n"
    path = Path(path)
    _files.write_together(
        {path: text.getvalue().encode(), path.with_suffix(".json"): card.encode()}
    )


def read_comparison(path: str | os.PathLike, about: Mapping[str, Any] | None = None) -> Runs:
    """The record of several trainings, by their labels: what ``write_comparison`` wrote.

    about: settings. Where those beside the file differ, the record is empty: it is of another
    experiment.

    Raises ``FileNotFoundError``, and ``ValueError`` for another file.
    """
    path = Path(path)
    runs: Runs = {}
    try:
        if about is not None:
            told = json.loads(path.with_suffix(".json").read_text("utf-8"))
            if {key: told.get(key) for key in about} != json.loads(json.dumps(about)):
                return {}
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            labels = [name for name in rows.fieldnames or () if name not in COLUMNS]
            for row in rows:
                key = tuple(_number(row[name]) for name in labels)
                runs.setdefault(key, []).append(_step(row))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a record of several trainings") from error
    return runs


def _number(text: str) -> str | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _step(row: Mapping[str, str]) -> Step:
    return Step(
        step=int(row["step"]),
        steps=int(row["steps"]),
        loss=float(row["loss"]),
        lr=float(row["lr"]),
        seconds=float(row["seconds"]),
        patches=int(row["patches"]),
        val_psnr=float(row["val_psnr"]) if row["val_psnr"] else None,
        clipped=float(row.get("clipped") or 0),
    )
