"""The files that set the project up agree with one another."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
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
    makefile = (ROOT / "Makefile").read_text("utf-8")
    pairs += re.findall(r"^TESTED = (torch)==(.*)$", makefile, re.M)
    return {name.lower().replace("_", "-"): Version(version) for name, version in pairs}


def test_the_workflow_for_windows_runs_the_commands_of_the_readme():
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text("utf-8"))
    commands = [step["run"] for step in workflow["jobs"]["windows"]["steps"] if "run" in step]
    readme = (ROOT / "README.md").read_text("utf-8")
    section = readme.partition("<summary><b>Windows</b></summary>")[2].partition("</details>")[0]
    said = re.findall(r"^(?:py |\.venv).*$", section, re.M) + re.findall(r"`(.*?)`", section, re.S)
    assert len(commands) == 5
    assert not set(commands) - {" ".join(command.split()) for command in said}


@pytest.mark.parametrize("name", ["tests", "book"])
def test_workflows_run_targets_that_the_makefile_has(name: str):
    workflow = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text("utf-8"))
    runs = [s["run"] for job in workflow["jobs"].values() for s in job["steps"] if "run" in s]
    targets = {run.removeprefix("make ") for run in runs if run.startswith("make ")}
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert targets and targets <= set(re.findall(r"^(\w+):", makefile, re.M))


ADDRESS = PROJECT["urls"]["Repository"].removeprefix("https://github.com/")


def test_each_lesson_of_the_readme_can_be_opened_in_binder_and_colab():
    readme = (ROOT / "README.md").read_text("utf-8")
    rows = [line for line in readme.splitlines() if line.startswith("| [") and "mybinder" in line]
    lessons = {file.name for file in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    assert len(rows) == len(lessons)
    for row in rows:
        path = re.search(r"\]\((notebooks/.*?)\)", row)[1]
        lessons.remove(Path(path).name)
        assert f"(https://mybinder.org/v2/gh/{ADDRESS}/HEAD?urlpath=lab/tree/{path})" in row
        assert f"(https://colab.research.google.com/github/{ADDRESS}/blob/HEAD/{path})" in row


def test_the_readme_knows_one_address_of_the_project():
    readme = (ROOT / "README.md").read_text("utf-8")
    owner, repository = ADDRESS.split("/")
    assert f"dncnn-course[lab] @ git+https://github.com/{ADDRESS}" in readme
    assert f"(https://{owner}.github.io/{repository}/)" in readme
    for found in re.findall(
        r"(?:/gh|github\.com|/github|git\+https://github\.com)/([\w.-]+/[\w.-]+)", readme
    ):
        assert found == ADDRESS


def test_readme_installs_the_same_torch_on_windows():
    assert f"torch=={pins()['torch']} " in (ROOT / "README.md").read_text("utf-8")


def test_environment_yml_installs_python_and_this_package_with_everybodys_extras():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    plain = [d for d in environment["dependencies"] if isinstance(d, str)]
    (pip,) = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
    (python,) = [d.split("=")[1] for d in plain if d.startswith("python=")]
    assert Version(python) in SpecifierSet(PROJECT["requires-python"])
    constraints, this = pip
    assert constraints == "-c constraints.txt" and (ROOT / "constraints.txt").exists()
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


def needed(name: str, extra: str) -> set[str]:
    """The distribution, and all that pip installs with it where only this extra is asked for."""
    found, waiting = set(), [(name, extra)]
    while waiting:
        name, extra = waiting.pop()
        key = canonicalize_name(name)
        if (key, extra) in found:
            continue
        found.add((key, extra))
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # of another system
            continue
        for line in lines:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(requirement.name, e) for e in ("", *requirement.extras)]
    return {key for key, _ in found}


WITHOUT = """
import ast, json, sys
import matplotlib
matplotlib.use("agg")
hidden = set(json.loads(sys.argv[1]))
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"{name} is not installed", name=name)
sys.meta_path.insert(0, Hidden())
imported = 0
for path in sys.argv[2:]:
    cells = json.loads(open(path, encoding="utf-8").read())["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            source = "".join(l for l in cell["source"] if not l.lstrip().startswith(("%", "!")))
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    exec(ast.unparse(node))
                    imported += 1
assert imported > 100
"""


def test_the_lessons_import_nothing_that_the_extra_lab_does_not_install():
    lab = needed("dncnn-course", "lab")
    assert {"torch", "jupyterlab"} <= lab and "pytest" not in lab and "h5py" not in lab
    modules = importlib.metadata.packages_distributions()
    hidden = [m for m, of in modules.items() if not lab & {canonicalize_name(d) for d in of}]
    assert {"pytest", "h5py"} <= set(hidden) and "dncnn_lib" not in hidden
    notebooks = sorted((ROOT / "notebooks").rglob("*.ipynb"))
    command = [sys.executable, "-c", WITHOUT, json.dumps(hidden), *map(str, notebooks)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_version_that_is_cited_is_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == PROJECT["version"] == dncnn_lib.__version__
    assert citation["license"] == PROJECT["license"]


def test_the_settings_are_ones_that_jupyterlab_has():
    settings = json.loads((ROOT / "dncnn_lib" / "show" / "jupyterlab.json").read_text("utf-8"))
    for plugin, values in settings.items():
        package, name = plugin.split(":")
        schema = Path(sys.prefix, "share/jupyter/lab/schemas", package, f"{name}.json")
        properties = json.loads(schema.read_text("utf-8"))["properties"]
        types = {"string": str, "boolean": bool}
        assert all(isinstance(v, types[properties[key]["type"]]) for key, v in values.items())


def test_jupyterlab_reads_the_settings():
    source = json.loads((ROOT / "dncnn_lib" / "show" / "jupyterlab.json").read_text("utf-8"))
    from jupyterlab_server.settings_utils import _get_overrides

    found, error = _get_overrides("no such folder")
    assert not error
    assert all(found[plugin].items() >= values.items() for plugin, values in source.items())
