"""The architecture: imports go to lower layers only, and ``import dncnn_lib`` is light."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dncnn_lib

PACKAGE = Path(dncnn_lib.__file__).parent

LAYERS = [
    {"_check", "_files", "_memory", "_paths"},
    {"images", "degrade", "model", "metrics", "optim", "patches"},
    {"datasets", "engine", "samples", "zoo"},
    {"plots", "environment", "protocols"},
    {"recipes", "benchmark", "experiments", "widgets", "exercises"},
    {"runs", "explorer"},
    {"tables"},
    {"cli"},
    {"__init__", "__main__"},
]
LAYER = {module: number for number, modules in enumerate(LAYERS) for module in modules}


def imported(source: str, level: int = 1) -> set[str]:
    """The modules of this package that a module's source imports, anywhere in it.

    level: dots of an import from this package, 2 in the module of a folder."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level == level:
            found |= {node.module.split(".")[0]} if node.module else {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dncnn_lib":
            below = node.module.split(".")[1:]
            found |= set(below[:1]) or {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            paths = [alias.name.split(".") for alias in node.names]
            found |= {
                path[1] if path[1:] else "__init__" for path in paths if path[0] == "dncnn_lib"
            }
    return found


def test_the_reader_of_imports_sees_every_form():
    source = """
from . import _check, _files
from .images import as_batch
from dncnn_lib.model import DnCNN
from dncnn_lib import metrics
import dncnn_lib.zoo
import numpy as np, dncnn_lib.degrade as d
if TYPE_CHECKING:
    from .patches import PatchSampler
def later():
    from .engine import train
    import torch
"""
    assert imported(source) == {
        "_check", "_files", "images", "model", "metrics", "zoo", "degrade", "patches", "engine"
    }  # fmt: skip
    assert imported("import dncnn_lib") == {"__init__"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_imports_go_to_lower_layers_only(path):
    """A folder of modules has the layer of its name; inside it they may import one another."""
    depth = len(path.relative_to(PACKAGE).parts)
    module = path.stem if depth == 1 else path.relative_to(PACKAGE).parts[0]
    assert module in LAYER, f"give {module} a place in LAYERS"
    for name in imported(path.read_text("utf-8"), depth):
        if name in LAYER:
            assert LAYER[name] < LAYER[module], f"{module} imports {name}"
        else:
            assert module != "__init__" or name in vars(dncnn_lib), f"no module {name}"


def test_the_engine_trains_any_network():
    assert "model" not in imported((PACKAGE / "engine.py").read_text("utf-8"))


HEAVY = ("matplotlib", "ipywidgets", "IPython", "skimage", "skimage.io", "PIL", "h5py", "pooch",
         "requests", "tifffile", "imagecodecs", "safetensors")  # fmt: skip

LIGHT = f"""
import logging, os, random, sys, warnings
import numpy, torch

def state():
    return (
        torch.get_rng_state().tolist(), numpy.random.get_state()[1].tolist(), random.getstate(),
        torch.get_num_threads(), torch.get_default_dtype(), dict(os.environ),
        list(warnings.filters), logging.root.handlers[:], logging.root.level,
        torch.are_deterministic_algorithms_enabled(), os.listdir("."),
    )

before, there = state(), set(sys.modules)
import dncnn_lib
assert state() == before, "importing changed the state of the process"
loaded = [name for name in {HEAVY!r} if name in set(sys.modules) - there]
assert not loaded, f"importing loaded {{loaded}}"
"""


def test_importing_the_package_is_light_and_leaves_no_trace(tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIGHT],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
