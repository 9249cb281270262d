"""Lesson 00, Start here: the noise slider, and the checks of the exercises."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets
import numpy as np
from torch import nn

from ..degrade import GaussianNoise
from ..evaluation import Comparison, compare
from ..samples import sample_image
from ..show.panels import panel
from ..show.pictures import screen_width, side_by_side
from ..zoo import load_pretrained
from .check import check, exercise


def noise_slider(
    clean: np.ndarray, model: nn.Module, *, sigma: int = 25, maximum: int = 75, zoom: int = 2
) -> ipywidgets.VBox:
    """A slider for σ over the noisy picture (left) and the restored one (right).

    clean: (H, W) or (H, W, 3) in [0, 1]; some 160×160 pixels follow the hand on a laptop. zoom:
    screen pixels for each pixel of the picture. The children are the slider, the sentence with the
    numbers and the picture.
    """
    slider = ipywidgets.IntSlider(
        value=sigma,
        min=0,
        max=maximum,
        description="noise σ",
        continuous_update=True,
        layout=ipywidgets.Layout(width="480px"),
    )

    def answer() -> tuple[bytes, str]:
        found = compare(clean, GaussianNoise(slider.value), model)
        words = f"σ = {slider.value}: noisy {found.summary}"
        return side_by_side(found.degraded, found.restored, zoom=zoom), words

    return panel([slider], answer, width=screen_width(clean, zoom))


@exercise
def gain(function: Callable[[str, float], float]) -> None:
    """``function(name, sigma)``: by how many dB ``dncnn-b`` improves that sample image."""
    given = (("coins", 15), ("text", 50))
    check(function, ((case, _restored(*case).gain) for case in given), tolerance=0.1)


@exercise
def without_noise(function: Callable[[str], float]) -> None:
    """``function(name)``: the PSNR in dB of what ``dncnn-b`` makes of the clean sample image."""
    check(function, [(("coins",), _restored("coins", 0).psnr)], tolerance=0.1)


def _restored(name: str, sigma: float) -> Comparison:
    return compare(sample_image(name), GaussianNoise(sigma), load_pretrained("dncnn-b"))
