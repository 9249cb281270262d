"""JavaScript modules joined to one."""

from __future__ import annotations

import re

import pytest
from node import FRONT, WEB, call, node

from dncnn_lib.explorer.bundle import bundle

MODULES = {
    "a.js": 'import { b, two as d } from "./b.js";\nimport { c } from "./c.js";\n'
    "export const a = () => b(d) + c;\nexport default { a };\n",
    "b.js": 'import { c } from "./c.js";\nexport function b(x) {\n  return x * c;\n}\n'
    "export const two = 2;\nconst a = 5;\nexport class B {}\nexport async function later() {}\n",
    "c.js": "export const c = 20;\n",
}


def test_modules_are_joined_each_once(tmp_path):
    for name, source in MODULES.items():
        (tmp_path / name).write_text(source)
    joined = bundle(tmp_path / "a.js")
    assert joined.count("const c = 20") == 1 and "export default { a };" in joined
    assert re.findall("^import", joined, re.MULTILINE) == []
    if node():
        (tmp_path / "joined.mjs").write_text(joined)
        assert call((tmp_path / "joined.mjs", "a")) == [60]


@pytest.mark.parametrize("file", [FRONT / "kernel.js", WEB / "main.js", WEB / "worker.js"])
def test_the_explorer_is_written_so_that_it_can_be_joined(file):
    assert re.findall("^import", bundle(file), re.MULTILINE) == []


@pytest.mark.parametrize(
    "source", ['import x from "./b.js";\n', "export { a };\n", 'import "./b.js";\n']
)
def test_what_is_not_written_plainly_is_refused(tmp_path, source):
    (tmp_path / "b.js").write_text(source)
    (tmp_path / "a.js").write_text('import { b } from "./b.js";\n')
    with pytest.raises(ValueError, match=re.escape(source.strip())):
        bundle(tmp_path / "a.js")


def test_a_circle_of_imports_is_refused(tmp_path):
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{one}.js").write_text(f'import {{ {other} }} from "./{other}.js";\n')
    with pytest.raises(ValueError, match="a.js imports itself, by way of b.js"):
        bundle(tmp_path / "a.js")
