"""Lesson 00, Start here: the noise slider, and the checks of the exercises."""

from __future__ import annotations

import ipywidgets
import numpy as np
from torch import nn

from ..degrade import GaussianNoise
from ..evaluation import compare
from ..show.panels import panel
from ..show.pictures import screen_width, side_by_side
from .check import from_keys


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


__getattr__, __dir__ = from_keys(__name__, "gain", "without_noise")
