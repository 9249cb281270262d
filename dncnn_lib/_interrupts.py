"""Ctrl-C between two updates of a training, not within one."""

from __future__ import annotations

import signal
import threading


class Interrupts:
    """Ctrl-C is heard when an update is done, so that none is left half; a second one at once.

    Outside of ``hold`` and ``release`` it is as ever, and so it is in threads and where the program
    has a handler of its own.
    """

    def __init__(self) -> None:
        self.heard, self._held = False, False

    def hold(self) -> None:
        """From now on a first Ctrl-C only sets ``heard``."""
        usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if not self._held and usual and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._hear)
            self._held = True

    def release(self) -> None:
        """As before ``hold``."""
        if self._held:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._held = False

    def _hear(self, number: int, frame: object) -> None:
        if self.heard:
            raise KeyboardInterrupt
        self.heard = True

    def __enter__(self) -> Interrupts:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
