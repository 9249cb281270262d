"""What machine this is, in plain words: for lesson 00 and ``python -m dncnn_lib info``."""

from __future__ import annotations

import os
import platform
from importlib import metadata

import torch

from .engine import has_bf16, prefers_bf16


def describe_environment() -> dict[str, str]:
    """Python, packages, processor, memory, bf16 and GPU: name → one short sentence."""
    packages = ("torch", "numpy", "scikit-image", "jupyterlab", "ipywidgets", "matplotlib")
    return {
        "Python": f"{platform.python_version()} on {platform.system()}",
        "packages": ", ".join(f"{name} {_version(name)}" for name in packages),
        "processor": f"{processor_name()}, {usable_cores()} cores, {torch.get_num_threads()} used",
        "memory": _memory(),
        "bf16": _bf16(),
        "GPU": _gpu(),
    }


def usable_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_name() -> str:
    """The processor's name as the system gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine() or "unknown"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        return "unknown; the lessons need about 4 GiB"
    enough = total >= 3.5  # a machine sold with 4 GiB keeps some of it for itself
    verdict = "enough for every lesson" if enough else "less than the 4 GiB the lessons may need"
    return f"{total:.1f} GiB, {verdict}"


def _bf16() -> str:
    if not has_bf16():
        return "this processor has no bf16 arithmetic; everything runs in fp32"
    if prefers_bf16():
        return "available and faster than fp32 here: precision='auto' uses it"
    return "available but no faster than fp32 here: precision='auto' stays with fp32"


def _gpu() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}; training there is many times faster"
    return "none that torch can use; every lesson is made for the processor alone"
