"""Where the project's data lie: beside the package in a checkout, inside it once installed."""

from pathlib import Path

_INSIDE = Path(__file__).parent / "data"
DATA = _INSIDE if _INSIDE.is_dir() else Path(__file__).parent.parent / "data"
