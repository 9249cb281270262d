"""One folder with the explorer: a page, a style sheet, a script, and assets that it loads."""

from __future__ import annotations

import argparse
import base64
import gzip
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ... import samples, zoo
from ...images import as_uint8
from ...model import DnCNN
from .. import view
from ..bundle import bundle
from ..export import to_onnx
from .npm import package

HERE = Path(__file__).parent
FRONT = HERE.with_name("front")

WITHOUT_NETWORK = ("gaussian-filter", view.MEDIAN)
"""The other methods that the browser's engine knows."""

SMALL = 100_000
"""Weights; a network with more is large: it restores a strip at a time, to be stopped between."""


def build(folder: str | Path) -> list[Path]:
    """Write the explorer to ``folder``, which is made where it is not there; the files written.

    Raises ``RuntimeError`` without npm, ``ImportError`` without onnx.
    """
    folder = Path(folder)
    (folder / "assets").mkdir(parents=True, exist_ok=True)
    names = filter(_is_network, view.method_names())
    networks = {name: _asset(name, _network(name)) for name in names}
    files = {
        "index.html": (HERE / "index.html").read_text("utf-8"),
        "explorer.css": (FRONT / "explorer.css").read_text("utf-8"),
        "explorer.js": script(catalogue({name: len(data) for name, data in networks.items()})),
    }
    files |= {f"assets/{name}.js": asset for name, asset in networks.items()}
    for name in view.sample_names():
        files[f"assets/picture-{name}.js"] = _asset(f"picture-{name}", _png(name))
    files["licences.txt"] = licences()
    dist = package("onnxruntime-web") / "dist"
    for name, data in {
        "runtime-script": (dist / "ort.wasm.bundle.min.mjs").read_bytes(),
        "runtime": (dist / "ort-wasm-simd-threaded.wasm").read_bytes(),
        "runtime-gpu-script": (dist / "ort.webgpu.bundle.min.mjs").read_bytes(),
        "runtime-gpu": (dist / "ort-wasm-simd-threaded.asyncify.wasm").read_bytes(),
    }.items():
        files[f"assets/{name}.js"] = _asset(name, data, compress=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return [folder / name for name in files]


def licences() -> str:
    """Whose work the folder holds, and under what terms."""
    pictures = [
        "{name}: “{title}”, author: {author}, source: {source}\n"
        "    licence: {licence}, {licence_url}; changes: {changes}".format(**row)
        for row in samples.attribution()
        if row["split"] == "test"
    ]
    return (HERE / "licences.txt").read_text("utf-8") + "\n".join([*pictures, ""])


def script(known: dict[str, Any]) -> str:
    """``explorer.js``: ``dncnnExplorer(element, options)`` for pages that load it."""
    worker = f"(() => {{\n{bundle(HERE / 'worker.js')}\n}})();"
    page = bundle(HERE / "main.js").replace("export const show", "const show")
    return (
        "(() => {\n"
        'globalThis.dncnnAssets = new URL("assets/", document.currentScript.src).href;\n'
        f"{page}\n"
        f"const catalogue = {_json(known)};\n"
        f"const worker = {_json(worker)};\n"
        "globalThis.dncnnExplorer = (host, options) => show(host, catalogue, worker, options);\n"
        "})();\n"
    )


def catalogue(sizes: dict[str, int]) -> dict[str, Any]:
    """What the browser's engine offers. sizes: of the networks' files, in bytes."""
    known = view.catalogue()
    known["methods"] = [
        method | _needs(method["name"], sizes.get(method["name"], 0))
        for method in known["methods"]
        if method["name"] in (*sizes, *WITHOUT_NETWORK)
    ]
    return known


def _needs(name: str, size: int) -> dict[str, Any]:
    if not size:
        return {"network": False, "margin": 1 if name == view.MEDIAN else None}
    network = zoo.card(name)["network"]
    weights = 9 * network["width"] ** 2 * network["depth"]
    large = weights > SMALL
    return {
        "network": True,
        "margin": network["depth"],
        "large": large,
        "size": size if large else 0,
    }


def _is_network(name: str) -> bool:
    """Whether it is a DnCNN, which can be exported; those that are told σ are not."""
    return name in zoo.model_names() and isinstance(zoo.load_pretrained(name), DnCNN)


def _network(name: str) -> bytes:
    return to_onnx(zoo.load_pretrained(name)).SerializeToString()


def _png(name: str) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(as_uint8(view.sample(name))).save(file, "PNG", optimize=True)
    return file.getvalue()


def _asset(name: str, data: bytes, compress: bool = False) -> str:
    data = gzip.compress(data, 9, mtime=0) if compress else data
    text = base64.b64encode(data).decode()
    return f'dncnnAsset("{name}", "{text}", {str(compress).lower()});\n'


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("</", "<\\/")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dncnn_lib.explorer.web", description=__doc__)
    parser.add_argument("folder", help="where the page is written, with all that it loads")
    folder = Path(parser.parse_args(arguments).folder)
    try:
        files = build(folder)
    except (ImportError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    size = sum(file.stat().st_size for file in files)
    print(f"{folder / 'index.html'}: {len(files)} files, {size / 1e6:.1f} MB")
    return 0
