"""Writing files so that nothing is ever half written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Write beside ``path``, flush to disk, then rename: the old file stays until the new is whole.

    Raises ``OSError`` (no space, no permission, no such folder) with ``path`` untouched.
    """
    path = check_place(path)
    target, beside = path.resolve(), None  # a link is followed, not replaced
    try:
        handle, beside = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name}.", suffix=".part"
        )
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
        os.chmod(beside, mode & 0o777)
        os.replace(beside, target)
    except BaseException as error:
        if beside is not None:
            with contextlib.suppress(OSError):
                os.unlink(beside)
        if isinstance(error, OSError):
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
