"""JavaScript modules joined to one, as a page opened from a folder and a notebook's widget need.

The modules are written plainly: each ``import`` and ``export`` begins a line of its own, imports
are of names from files of the project (``import { a, b } from "./c.js";``), and what is exported is
a function, a class, a constant, or ``default``.
"""

from __future__ import annotations

import re
from pathlib import Path

_IMPORT = re.compile(r'^import \{ ([^}]*) \} from "(\./[^"]*|\.\./[^"]*)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?function|class|const) (\w+)", re.MULTILINE)


def bundle(entry: Path) -> str:
    """The module and all that it imports, as one module with the exports of ``entry``.

    Raises ``ValueError`` for a module that is not written plainly, or imports itself in a circle.
    """
    order: list[Path] = []
    _collect(entry.resolve(), order, ())
    names = {path: f"module{number}" for number, path in enumerate(order)}
    return "\n".join(_joined(path, names, path == order[-1]) for path in order)


def _collect(path: Path, order: list[Path], above: tuple[Path, ...]) -> None:
    if path in above:
        raise ValueError(f"{path.name} imports itself, by way of {above[-1].name}")
    if path in order:
        return
    for _, file in _IMPORT.findall(path.read_text("utf-8")):
        _collect((path.parent / file).resolve(), order, (*above, path))
    order.append(path)


def _joined(path: Path, names: dict[Path, str], is_entry: bool) -> str:
    source = path.read_text("utf-8")
    imports = "".join(
        f"const {{ {given.replace(' as ', ': ')} }} = {names[(path.parent / file).resolve()]};\n"
        for given, file in _IMPORT.findall(source)
    )
    body = _IMPORT.sub("", source)
    exports = [name for _, name in _EXPORT.findall(body)]
    if not is_entry:
        body = _EXPORT.sub(r"\1 \2", body)
    rule = r"^import\b(?!\().*$" if is_entry else r"^(?:import\b(?!\()|export\b).*$"
    if stray := re.search(rule, body, re.MULTILINE):
        raise ValueError(f"{path.name} has {stray[0]!r}, which the bundler does not know")
    if is_entry:
        return imports + body
    given = ", ".join(exports)
    return f"const {names[path]} = (() => {{\n{imports}{body}\nreturn {{ {given} }};\n}})();"
