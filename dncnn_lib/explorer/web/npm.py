"""Packages of npm in the version that ``package.json`` names, unpacked, each fetched once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

_WANTED = Path(__file__).parent.parent / "package.json"


def _cache() -> Path:
    import pooch

    return Path(os.environ.get("DNCNN_NPM") or pooch.os_cache("dncnn")) / "npm"


def package(name: str) -> Path:
    """The folder of a package. Raises ``RuntimeError`` where npm is missing or does not find it."""
    wanted = json.loads(_WANTED.read_text("utf-8"))
    version = (wanted["dependencies"] | wanted["devDependencies"])[name]
    folder = _cache() / f"{name}-{version}"
    if folder.is_dir():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(
            f"{name} is fetched by npm, which is not on this machine; install Node.js"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        command = [npm, "pack", f"{name}@{version}", "--pack-destination", place]
        run = subprocess.run(command, capture_output=True, text=True, cwd=place)
        if run.returncode:
            raise RuntimeError(f"npm does not give {name} {version}:\n{run.stderr.strip()}")
        (packed,) = Path(place).glob("*.tgz")
        with tarfile.open(packed) as archive:
            archive.extractall(place, filter="data")
        try:
            os.replace(Path(place) / "package", folder)
        except OSError:  # another process was faster
            if not folder.is_dir():
                raise
    return folder
