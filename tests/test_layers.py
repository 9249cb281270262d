"""The architecture: the core below the wings, imports to lower layers only, and light imports."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dncnn_lib

PACKAGE = Path(dncnn_lib.__file__).parent

CORE = [
    {"_check", "_files", "_interrupts", "_memory", "_meta"},
    {"_tiff"},
    {"_codecs"},
    {"_encoders"},
    {"camera", "hardware", "images", "metrics", "model", "optim", "resize"},
    {"_formats", "ffdnet", "jpeg", "patches", "samples"},
    {"datasets", "degrade", "zoo"},
    {"tasks"},
    {"restoring", "training"},
    {"evaluation", "records"},
]
WINGS = [
    {"priors", "show"},
    {"explorer", "lessons", "making"},
    {"keys"},
    {"book"},
    {"teaching"},
    {"cli"},
]
LAYER = {name: number for number, names in enumerate(CORE + WINGS) for name in names}
FACADE = {name for names in CORE for name in names} | {"making"}
WIDGETS = {"matplotlib", "ipywidgets", "anywidget", "IPython"}

MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def place(module: Path) -> str:
    """A module of the core by its name, and one of a wing by the wing's."""
    return module.parts[0].removesuffix(".py")


def imported(source: str, package: str = "dncnn_lib") -> set[str]:
    """The dotted names of what a module's source imports, anywhere in it.

    package: that the module is in. ``from . import a`` is the import of ``package.a``, and
    ``from .a import b`` that of ``package.a.b``, be it a module or not.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level]
            base = [*(above if node.level else []), *filter(None, [node.module])]
            found |= {".".join([*base, alias.name]) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def imports_of(module: Path) -> set[str]:
    package = ".".join(["dncnn_lib", *module.parts[:-1]])
    return imported((PACKAGE / module).read_text("utf-8"), package)


def ours(module: Path) -> set[str]:
    """The modules of the core and the wings that a module imports; "" is the package itself."""
    names = {name for name in imports_of(module) if name.split(".")[0] == "dncnn_lib"}
    parts = {(name.split(".") + [""])[1] for name in names}
    return {part if part in LAYER or part == "" else "" for part in parts}


def test_the_reader_of_imports_sees_every_form():
    source = """
from . import _check, _files
from .images import as_batch
from .. import zoo
from ..lessons.check import asked as a
from dncnn_lib.model import DnCNN
import dncnn_lib.metrics
import numpy as np, dncnn_lib.degrade as d
if TYPE_CHECKING:
    from matplotlib.axes import Axes
def later():
    from .patches import PatchSampler
    import torch
"""
    assert imported(source, "dncnn_lib.show") == {
        "dncnn_lib.show._check",
        "dncnn_lib.show._files",
        "dncnn_lib.show.images.as_batch",
        "dncnn_lib.zoo",
        "dncnn_lib.lessons.check.asked",
        "dncnn_lib.model.DnCNN",
        "dncnn_lib.metrics",
        "dncnn_lib.degrade",
        "dncnn_lib.show.patches.PatchSampler",
        "matplotlib.axes.Axes",
        "numpy",
        "torch",
    }
    assert imported("from .a import b\nfrom . import c") == {"dncnn_lib.a.b", "dncnn_lib.c"}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_go_to_lower_layers_only(module):
    """A wing has the layer of its name; inside it the modules may import one another."""
    name = place(module)
    if name in ("__init__", "__main__"):
        return
    assert name in LAYER, f"give {name} a place in CORE or WINGS"
    for other in ours(module) - {name if module.parts[1:] else None}:
        assert other, f"{module} imports the package itself, or what is not in it"
        assert LAYER[other] < LAYER[name], f"{module} imports {other}"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_only_the_keys_import_the_lessons_and_nothing_the_keys(module):
    """A lesson looks its keys up, by ``lessons.check.from_keys``, where they are installed."""
    assert place(module) in ("lessons", "keys") or "lessons" not in ours(module)
    assert place(module) == "keys" or "keys" not in ours(module)


def test_the_keys_are_looked_up_in_one_place():
    text = {module: (PACKAGE / module).read_text("utf-8") for module in MODULES}
    found = {m for m in text if place(m) == "lessons" and "import_module" in text[m]}
    assert found == {Path("lessons/check.py")}


def test_what_the_package_offers_is_of_the_core_and_the_recipes():
    module = Path("__init__.py")
    assert ours(module) <= FACADE
    wings = {name for name in imports_of(module) if ".making" in name}
    assert all(name.startswith("dncnn_lib.making.recipes.") for name in wings)
    assert ours(Path("__main__.py")) == {"cli"}


@pytest.mark.parametrize("module", [module for module in MODULES if not module.parts[1:]], ids=str)
def test_the_core_draws_nothing(module):
    assert not {name.split(".")[0] for name in imports_of(module)} & WIDGETS


def test_training_trains_any_network():
    """And nothing that it stands on knows DnCNN."""
    seen, todo = set(), {"training"}
    while todo:
        name = todo.pop()
        seen.add(name)
        todo |= ours(Path(f"{name}.py")) - seen
    assert "tasks" in seen and "model" not in seen


HEAVY = (*WIDGETS, "skimage", "skimage.io", "PIL", "h5py", "pooch", "requests", "tifffile",
         "imagecodecs", "safetensors")  # fmt: skip

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
import dncnn_lib.explorer.view, dncnn_lib.show.pictures, dncnn_lib.show.plots, dncnn_lib.show.svg
loaded = [name for name in {sorted(WIDGETS)!r} if name in set(sys.modules)]
assert not loaded, f"importing the pictures loaded {{loaded}}"
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
