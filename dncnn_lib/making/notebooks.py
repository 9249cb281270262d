"""What is done to a notebook once it was executed: its figures get alternative texts.

    python -m dncnn_lib.making.notebooks notebooks/*.ipynb

The text of a figure is the sentence under it, "*The figure:* …", which readers of JupyterLab see;
web pages made from the notebook give it to screen readers.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from .. import _files


def with_alternative_texts(notebook: dict[str, Any]) -> dict[str, Any]:
    """The same notebook, changed in place: the words under each PNG are its ``alt`` metadata.

    notebook: as in the file, parsed.
    """
    for cell, after in zip(notebook["cells"], notebook["cells"][1:]):
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output["metadata"]["image/png"] = {"alt": words("".join(after["source"]))}
    return notebook


def words(source: str) -> str:
    """Of a cell's Markdown the paragraph that describes the figure above it, without its markup."""
    paragraphs = source.split("\n\n")
    about = next((part for part in paragraphs if part.startswith("*The ")), paragraphs[0])
    text = re.sub(r"^\*The [^*]*\*:? *", "", about.replace("\n", " "))
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"[*`$]", "", text).strip()
    return text[:1].upper() + text[1:]


def main(paths: list[str]) -> None:
    for path in paths:
        notebook = json.loads(Path(path).read_text("utf-8"))
        text = json.dumps(with_alternative_texts(notebook), ensure_ascii=False, indent=1) + "\n"
        _files.write_bytes(Path(path), text.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
