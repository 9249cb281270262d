"""What this machine can do: processor, memory, bf16, GPU."""

from __future__ import annotations

import copy
import functools
import math
import os
import platform
import time
from importlib import metadata

import torch
from torch import nn

from . import _check

PRECISIONS = ("fp32", "bf16", "auto")


def has_bf16() -> bool:
    """Whether this processor computes in bf16 at all, faster or not."""
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


@functools.cache
def prefers_bf16(device_type: str = "cpu") -> bool:
    """Whether bf16 is the faster choice on this machine.

    A processor may have bf16 instructions that are slower than its fp32 ones, so a convolution of
    DnCNN is timed both ways on one core, once in a process (some 50 ms); bf16 must win by a fifth.
    """
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported()
    if not has_bf16():
        return False
    fp32 = nn.utils.skip_init(nn.Conv2d, 64, 64, 3, padding=1, bias=False)  # draws no numbers
    nn.init.constant_(fp32.weight, 0.01)
    fp32 = fp32.to(memory_format=torch.channels_last)
    layers = {dtype: copy.deepcopy(fp32).to(dtype) for dtype in (torch.float32, torch.bfloat16)}
    image = torch.zeros(1, 64, 64, 64).to(memory_format=torch.channels_last)
    best = dict.fromkeys(layers, math.inf)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)  # other programs disturb one thread less than many
        with torch.inference_mode():
            for _ in range(8):  # in turn, so that a disturbance hits both
                for dtype, layer in layers.items():
                    noisy = image.to(dtype)
                    start = time.perf_counter()
                    layer(noisy)
                    best[dtype] = min(best[dtype], time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return best[torch.float32] > 1.2 * best[torch.bfloat16]


def uses_bf16(precision: str, device_type: str = "cpu") -> bool:
    """What "fp32", "bf16" or "auto" comes to on a device."""
    _check.one_of("precision", precision, PRECISIONS)
    return precision == "bf16" or (precision == "auto" and prefers_bf16(device_type))


def autocast(device: torch.device, bf16: bool) -> torch.autocast:
    """The context in which a network computes, in bf16 or as it is."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16)


def device_of(model: nn.Module) -> torch.device:
    """Where a module is: the device of its parameters, or the CPU where it has none."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def torch_device(name: str = "auto") -> torch.device:
    """The device that "cpu", "cuda" or "auto" means here. Raises ``ValueError`` for no GPU."""
    _check.one_of("device", name, ("auto", "cpu", "cuda"))
    if name == "cuda" and not torch.cuda.is_available():
        _check.fail("device", name, "'cpu' or 'auto' here, because torch sees no GPU")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def describe_environment() -> dict[str, str]:
    """Python, packages, processor, memory, bf16 and GPU: name → one short sentence."""
    packages = ("torch", "numpy", "scikit-image", "jupyterlab", "ipywidgets", "matplotlib")
    return {
        "Python": f"{platform.python_version()} on {platform.system()}",
        "packages": ", ".join(f"{name} {_version(name)}" for name in packages),
        "processor": f"{processor_name()}, {_cores()}, {torch.get_num_threads()} used",
        "memory": _memory(),
        "bf16": _bf16(),
        "GPU": _gpu(),
    }


def usable_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cores() -> str:
    count = usable_cores()
    return f"{count} core" if count == 1 else f"{count} cores"


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
