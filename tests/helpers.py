"""What several test modules share."""

from __future__ import annotations

import re

import pytest
import torch


def whole(message: str) -> str:
    """A pattern that only this message matches."""
    return f"^{re.escape(message)}$"


def raises(kind: type[BaseException], message: str):
    """``pytest.raises`` for exactly this message."""
    return pytest.raises(kind, match=whole(message))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
