"""What the commands print: messages, reasons of errors, progress bars and tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from tqdm import tqdm


def say(text: str) -> None:
    """A line on standard error."""
    print(text, file=sys.stderr, flush=True)


def reason(error: Exception) -> str | None:
    """One line that tells the user what went wrong; None for a bug in the program itself."""
    text = str(error)
    if isinstance(error, MemoryError) or "can't allocate memory" in text or "out of memory" in text:
        return "out of memory; smaller pieces help (denoise --tile 256), or a smaller image"
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    known = (OSError, ValueError, TypeError, ImportError, FloatingPointError)
    return " ".join(text.split()) if isinstance(error, known) else None


def bar(
    items: Iterable[Any] | None, task: str, unit: str, total: int | None = None, **options: Any
) -> tqdm:
    """``items`` under a progress bar on standard error, unless they take less than ``pace()``."""
    seconds = pace()
    return tqdm(items, task, total, unit=unit, mininterval=seconds, delay=seconds, **options)


def pace() -> float:
    """Seconds between two updates of a bar: it moves on a terminal, and a log gets few lines."""
    return 0.1 if sys.stderr.isatty() else 30


def table(header: Sequence[str], rows: Sequence[Sequence[str]], texts: int) -> str:
    """Aligned columns: the first ``texts`` to the left, the numbers after them to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number < texts else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in [header, *rows]
    )
