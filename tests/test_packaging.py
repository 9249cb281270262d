"""The files that set the project up agree with one another."""

from __future__ import annotations

import importlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import dncnn_lib

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
EVERYBODYS = set(EXTRAS) - {"grading"}  # which instructors add
ALL = [Requirement(line) for line in PROJECT["dependencies"] + sum(EXTRAS.values(), [])]


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name.lower().replace("_", "-"): Version(version) for name, version in pairs}


def test_environment_yml_installs_python_and_this_package_with_everybodys_extras():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    plain = [d for d in environment["dependencies"] if isinstance(d, str)]
    (pip,) = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
    (python,) = [d.split("=")[1] for d in plain if d.startswith("python=")]
    assert Version(python) in SpecifierSet(PROJECT["requires-python"])
    (this,) = pip
    match = re.fullmatch(r"-e \.\[(.*)\]", this)
    assert match and set(match[1].split(",")) == EVERYBODYS


def test_environment_yml_asks_for_the_same_torch():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    (torch,) = [d for d in environment["dependencies"] if str(d).startswith("pytorch-cpu")]
    (required,) = [r for r in ALL if r.name == "torch"]
    assert torch == f"pytorch-cpu{required.specifier}"


@pytest.mark.parametrize("requirement", ALL, ids=lambda r: r.name)
def test_every_dependency_has_a_tested_pin_within_its_range(requirement: Requirement):
    assert pins()[requirement.name.lower()] in requirement.specifier


def test_the_makefile_installs_everybodys_extras():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (extras,) = re.findall(r'-e "\.\[(.*?)\]"', makefile)
    assert set(extras.split(",")) == EVERYBODYS


def test_the_commands_exist():
    for target in PROJECT["scripts"].values():
        module, name = target.split(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_the_top_level_holds_what_was_agreed():
    agreed = {"notebooks", "dncnn_lib", "data", "tests", "environment.yml", "README.md"}
    ecosystem = {"pyproject.toml", "constraints.txt", "Makefile", "LICENSE"}
    ecosystem |= {"CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md"}
    try:
        command = ["git", "-C", str(ROOT), "ls-files", "-z"]
        files = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout, so what belongs to it is not known")
    found = {file.split("/")[0] for file in files.split("\0") if file}
    assert {name for name in found if not name.startswith(".")} == agreed | ecosystem


def test_the_version_that_is_cited_is_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == PROJECT["version"] == dncnn_lib.__version__
    assert citation["license"] == PROJECT["license"]
