"""Functions of the explorer's JavaScript, called from Python by way of Node."""

from __future__ import annotations

import base64
import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

import dncnn_lib.explorer

WEB = Path(dncnn_lib.explorer.__file__).parent / "web"
FRONT = WEB.with_name("front")


def node() -> str | None:
    """The path of Node on this machine."""
    return shutil.which("node")


def call(*calls: tuple) -> list[Any]:
    """The results of calls (file, function, *arguments). An array (H, W) or (H, W, 3) is handed
    over as an image, and one (N,) as it is; images come back as arrays."""
    requests = [[file.as_uri(), name, *map(_sent, rest)] for file, name, *rest in calls]
    script = Path(__file__).with_suffix(".mjs")
    run = subprocess.run(
        [node(), str(script)], input=json.dumps(requests), capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return [_received(value) for value in json.loads(run.stdout)]


def image(values: np.ndarray) -> dict:
    """What JavaScript calls an image."""
    planes = np.atleast_3d(values).transpose(2, 0, 1).astype(np.float32)
    channels, height, width = planes.shape
    data = base64.b64encode(planes.tobytes()).decode()
    return {"height": height, "width": width, "channels": channels, "float32": data}


def _sent(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sent(inner) for name, inner in value.items()}
    if not isinstance(value, np.ndarray):
        return value
    if value.ndim > 1:
        return image(value)
    return {"float32": base64.b64encode(value.astype(np.float32).tobytes()).decode()}


def _received(value: Any) -> Any:
    if value in ("Infinity", "-Infinity", "NaN"):
        return float(value.replace("Infinity", "inf"))
    if isinstance(value, list):
        return [_received(inner) for inner in value]
    if not isinstance(value, dict):
        return math.nan if value is None else value
    if "float32" not in value:
        return {name: _received(inner) for name, inner in value.items()}
    values = np.frombuffer(base64.b64decode(value["float32"]), np.float32)
    if "height" not in value:
        return values
    planes = values.reshape(value["channels"], value["height"], value["width"])
    return planes[0] if len(planes) == 1 else planes.transpose(1, 2, 0)
