"""Keep freed memory for the next layer instead of giving it back to the system.

A convolution writes an activation of tens of megabytes. With glibc's defaults each one is mapped
afresh and unmapped when the next layer is done with it, so that every page is faulted in and zeroed
at every layer: at 512×512 pixels that takes longer than the arithmetic. While ``reused()`` is
active glibc keeps freed memory in its heap. On other C libraries it does nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import sys
import threading
from collections.abc import Callable, Iterator

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # M_... in malloc.h
_lock = threading.Lock()
_users = 0


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        if hasattr(library, "gnu_get_libc_version"):
            return library
    return None


def _change_users(by: int, then: Callable[[ctypes.CDLL], None]) -> None:
    """Count who needs the setting; ``then`` runs when the count leaves or reaches zero."""
    global _users
    library = _glibc()
    if library is None:
        return
    with _lock:
        before, _users = _users, _users + by
        if 0 in (before, _users):
            then(library)


def _keep(library: ctypes.CDLL) -> None:
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, -1)


def _release(library: ctypes.CDLL) -> None:
    library.mallopt(_MMAP_MAX, 65536)
    # Setting one of these ends glibc's own adaptation of both, so put both where it ends up.
    library.mallopt(_MMAP_THRESHOLD, 32 << 20)
    library.mallopt(_TRIM_THRESHOLD, 64 << 20)
    library.malloc_trim(ctypes.c_size_t(256 << 20))


@contextlib.contextmanager
def reused() -> Iterator[None]:
    """Within this context, large freed blocks stay in the process; afterwards most go back."""
    _change_users(+1, _keep)
    try:
        yield
    finally:
        _change_users(-1, _release)
