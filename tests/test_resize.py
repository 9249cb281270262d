"""Bicubic resizing against Pillow's, which is MATLAB's inside the image; by hand at its border."""

import numpy as np
import pytest
import torch
from helpers import pillow_resize, whole

from dncnn_lib.resize import resize


@pytest.mark.parametrize("size", [(48, 36), (49, 37), (50, 35)], ids=str)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_reduction_is_pillows_bicubic_on_the_mirrored_image(scale, size):
    """Pillow is antialiased with a = −1/2 too, but cuts the kernel at the border. On an image
    with symmetric padding, cropped afterwards, its border is MATLAB's."""
    image = np.random.default_rng(0).random(size, np.float32)
    height, width = (-(-side // scale) for side in size)
    before = 4 * scale
    after = [4 * scale + new * scale - side for new, side in zip((height, width), size)]
    padded = np.pad(image, [(before, a) for a in after], mode="symmetric")
    expected = pillow_resize(padded, height + 8, width + 8)[4:-4, 4:-4]
    result = resize(torch.from_numpy(image)[None, None], (height, width), 1 / scale)
    np.testing.assert_allclose(result[0, 0], expected, atol=1e-5)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_enlargement_is_pillows_bicubic_on_the_mirrored_image(scale):
    image = np.random.default_rng(0).random((13, 9), np.float32)
    padded = np.pad(image, 4, mode="symmetric")
    expected = pillow_resize(padded, 21 * scale, 17 * scale)
    expected = expected[4 * scale : -4 * scale, 4 * scale : -4 * scale]
    result = resize(torch.from_numpy(image)[None, None], (13 * scale, 9 * scale))
    np.testing.assert_allclose(result[0, 0], expected, atol=1e-5)


def test_the_border_of_an_enlarged_edge_worked_by_hand():
    """Line [0, 1] enlarged twice: Keys' weights at ±1/4 and ±3/4, mirrored to 1 0 | 0 1 | 1 0."""
    line = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2)
    # The first sample lies 1/4 left of pixel 0. Its neighbours are pixels −2 −1 0 1 = 1 0 0 1, at
    # distances 7/4, 3/4, 1/4, 5/4, and the kernel is −3/128 at 7/4 and −9/128 at 5/4.
    first = -3 / 128 - 9 / 128
    # The second lies 1/4 right: pixels −1 0 1 2 = 0 0 1 1 at 5/4, 1/4, 3/4, 7/4; 29/128 at 3/4.
    second = 29 / 128 - 3 / 128
    expected = torch.tensor([first, second, 1 - second, 1 - first])
    assert torch.allclose(resize(line, (1, 4), None)[0, 0, 0], expected, atol=1e-6)


def test_impossible_size():
    with pytest.raises(ValueError, match=whole("size is 0, but must be an integer of at least 1")):
        resize(torch.zeros(1, 1, 4, 4), (0, 4))


def test_resizing_integers_is_refused():
    message = "image's dtype is torch.uint8, but must be floating point"
    with pytest.raises(ValueError, match=whole(message)):
        resize(torch.zeros(1, 1, 4, 4, dtype=torch.uint8), (2, 2))


def test_the_factor_may_differ_from_the_ratio_of_the_sizes():
    """MATLAB's imresize(x, 1/3) of 31 samples gives ceil(31/3) = 11, at 1, 4, 7 ... of the old."""
    line = torch.arange(31, dtype=torch.float64).reshape(1, 31)
    middle = torch.tensor([10.0, 13, 16, 19], dtype=torch.float64)
    assert torch.allclose(resize(line, (1, 11), 1 / 3)[0, 3:7], middle, atol=1e-12)
    assert (resize(line, (1, 11))[0, 3:7] - middle).abs().min() > 0.1


def test_any_number_of_axes_before_height_and_width():
    image = torch.from_numpy(np.random.default_rng(0).random((2, 3, 8, 6), np.float32))
    whole_batch = resize(image, (4, 9))
    assert whole_batch.shape == (2, 3, 4, 9)
    torch.testing.assert_close(resize(image[1, 2], (4, 9)), whole_batch[1, 2])


def test_resizing_is_exact_in_double_precision():
    ramp = torch.arange(64, dtype=torch.float64).reshape(1, 1, 1, 64)
    reduced = resize(ramp, (1, 32))[0, 0, 0]
    assert torch.allclose(reduced[4:-4], 2 * torch.arange(32.0).double()[4:-4] + 0.5, atol=1e-12)
