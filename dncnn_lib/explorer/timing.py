"""Where the time goes from a moved slider to a picture, but for the browser's share."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from .. import _check
from ..degrade import apply
from . import view
from .page import told
from .view import Exploration, Region, Setting

PICTURE = "dogs"


def shares(side: int, method: str, *, repeats: int = 7) -> Mapping[str, float]:
    """Median seconds of each part of an answer, for a square region of a sample picture.

    side: of the region, in pixels; method: one of ``view.method_names()``. "noise", "restoration"
    and "picture" (PSNR, bytes) come before the picture is shown; "numbers" (SSIM, histogram,
    autocorrelation) after it, when the slider rests.
    """
    _check.integer("repeats", repeats, at_least=1)
    picture = view.sample(PICTURE)
    centre = [length / 2 for length in picture.shape[:2]]
    setting = Setting(method=method, region=Region.around(centre, side, picture.shape))
    clean = view.for_method(picture, method)

    def show(found: Exploration) -> None:
        found = _unmeasured(found)
        _ = found.comparison.psnr, found.comparison.degraded_psnr
        _ = [found.picture(name).tobytes() for name in ("noisy", "restored")]

    def measure(found: Exploration) -> None:
        found = _unmeasured(found)
        told(found, found.numbers())

    found = view.explore(picture, setting)
    whole = _median(lambda: view.explore(picture, setting), repeats)
    noise = _median(lambda: apply(setting.degradation, clean, setting.seed), repeats)
    return {
        "noise": noise,
        "restoration": whole - noise,
        "picture": _median(lambda: show(found), repeats),
        "numbers": _median(lambda: measure(found), repeats),
    }


def _unmeasured(found: Exploration) -> Exploration:
    """A copy whose ``comparison`` has computed nothing yet."""
    return replace(found, comparison=replace(found.comparison))


def _median(work: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
