"""Where the project's data lie, and writing files so that nothing is ever half written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

_INSIDE = Path(__file__).parent / "data"
DATA = _INSIDE if _INSIDE.is_dir() else Path(__file__).parent.parent / "data"
"""The project's data: beside the package in a checkout, inside it once installed."""


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Write beside ``path``, flush to disk, then rename: the old file stays until the new is whole.

    Raises ``OSError`` (no space, no permission, no such folder) with ``path`` untouched.
    """
    write_together({path: data})


def write_together(files: Mapping[str | os.PathLike, bytes]) -> None:
    """``write_bytes`` for files that belong together: none is renamed before all are written."""
    staged: list[tuple[str, str]] = []
    path: str | os.PathLike = ""
    try:
        for path, data in files.items():
            path = check_place(path)
            target = os.path.realpath(path)  # a link is followed, not replaced
            if os.path.islink(target):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            handle, beside = tempfile.mkstemp(
                dir=os.path.dirname(target), prefix=".dncnn.", suffix=".part"
            )
            staged.append((beside, target))
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
            os.chmod(beside, mode & 0o777)
        while staged:
            os.replace(*staged[0])
            staged.pop(0)
    except BaseException as error:
        for beside, _ in staged:
            with contextlib.suppress(OSError):
                os.unlink(beside)
        if isinstance(error, OSError) and error.strerror:
            raise type(error)(
                error.errno, f"cannot write {path}: {error.strerror}; what was there is unchanged"
            ) from error
        raise


def check_place(path: str | os.PathLike) -> Path:
    """``path``, where a file can be. Raises ``OSError`` where there is no folder for it, or where
    it is a folder, a device or a pipe."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: the folder {path.parent} does not exist")
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {path}: it is a folder")
    if path.exists() and not path.is_file():
        raise OSError(f"cannot write {path}: it is not a regular file")
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sha256(path: str | os.PathLike) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
