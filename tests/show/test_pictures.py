"""Pictures as bytes: what is decoded is what was given."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageColor

from dncnn_lib.show.pictures import COLOURS, SERIES, screen_width, side_by_side


def decode(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("shape", [(24, 16), (24, 16, 3)], ids=str)
def test_side_by_side_is_the_images_with_a_gap(shape):
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    pixels = decode(side_by_side(image, 1 - image, zoom=2, gap=3))
    assert pixels.shape == (48, 2 * (16 + 3 + 16), *shape[2:])
    assert (pixels[:, 32:38] == 255).all()
    np.testing.assert_array_equal(pixels, pixels[::2, ::2].repeat(2, axis=0).repeat(2, axis=1))
    for start, given in ((0, image), (38, 1 - image)):
        expected = np.round(given * 255).astype(np.uint8)
        np.testing.assert_array_equal(pixels[::2, start : start + 32 : 2], expected)


def test_values_outside_the_range_are_black_and_white():
    assert decode(side_by_side(np.array([[-0.5, 0.5, 1.5]]))).tolist() == [[0, 128, 255]]


@pytest.mark.parametrize(("zoom", "count"), [(1, 1), (2, 2), (3, 4)])
def test_the_screen_width_is_that_of_the_pictures(zoom, count):
    image = np.zeros((4, 10))
    width = decode(side_by_side(*[image] * count, zoom=zoom)).shape[1]
    assert screen_width(image, zoom, count) == width


def test_colours_have_contrast_on_white():
    """WCAG 2: at least 4.5:1 for what must be read."""
    for colour in [*COLOURS.values(), *SERIES]:
        linear = np.array(ImageColor.getrgb(colour)) / 255
        linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
        assert 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) >= 4.5
