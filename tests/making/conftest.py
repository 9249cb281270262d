"""What the tests of making networks share: no standard sets, a folder of images, a recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dncnn_lib import datasets, images, samples
from dncnn_lib.degrade import GaussianNoise
from dncnn_lib.making.recipes import Recipe
from dncnn_lib.training import TrainConfig


def photographs(count: int) -> dict[str, np.ndarray]:
    """Smooth grey images with an edge, 40×48."""
    y, x = np.mgrid[:40, :48] / 48
    return {f"{i}.png": (0.4 * x + 0.4 * (y > i / 9)).astype(np.float32) for i in range(count)}


@pytest.fixture
def no_sets(monkeypatch, tmp_path):
    """No standard sets on this machine, and two tiny images for samples."""
    monkeypatch.delenv("DNCNN_DATA", raising=False)
    monkeypatch.setattr(datasets, "cache_folder", lambda: tmp_path / "cache")
    tiny = {name: image[:24, :32] for name, image in photographs(2).items()}
    monkeypatch.setattr(samples, "held_out_images", lambda grey=True: tiny)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three images to train on."""
    (tmp_path / "data").mkdir()
    for name, image in photographs(3).items():
        images.write_image(tmp_path / "data" / name, image)
    return tmp_path / "data"


@pytest.fixture
def tiny(folder, no_sets) -> Recipe:
    """Eight steps of a network of no size."""
    config = TrainConfig(
        steps=8, batch_size=2, patch_size=16, log_every=2, validate_every=4, checkpoint_every=4
    )
    return Recipe(
        name="tiny",
        effort="cpu",
        about="a test",
        network={"depth": 3, "width": 4},
        degradation=GaussianNoise((5, 50)),
        stages=(config,),
        training_set=str(folder),
    )
