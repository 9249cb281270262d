"""Patches: each is really in an image, and each place and turn is equally likely."""

import numpy as np
import pytest
import torch
from helpers import is_channels_last, seeded, whole
from scipy import stats

from dncnn_lib.patches import PatchSampler


def numbered(height: int, width: int, first: int = 0) -> np.ndarray:
    """An image in which every pixel has its own value, so that a patch tells where it is from."""
    return np.arange(first, first + height * width).reshape(height, width).astype(np.uint8)


def draw(sampler: PatchSampler, count: int, seed: int = 0) -> np.ndarray:
    """Patches as integers (count, p, p[, 3])."""
    batch = sampler.sample(count, seeded(seed)).mul(255).round().byte().permute(0, 2, 3, 1).numpy()
    return batch[..., 0] if batch.shape[3] == 1 else batch


def turns(patch: np.ndarray) -> list[np.ndarray]:
    """The eight symmetries of the square."""
    return [np.rot90(p, k) for p in (patch, patch.swapaxes(0, 1)) for k in range(4)]


SMALL, LARGE = numbered(7, 9), numbered(12, 8, first=100)


def test_the_form_of_a_batch():
    batch = PatchSampler([SMALL], 4).sample(5, seeded())
    assert batch.shape == (5, 1, 4, 4) and batch.dtype == torch.float32
    assert batch.min() >= 0 and batch.max() <= 62 / 255
    colour = np.random.default_rng(0).random((9, 9, 3))
    assert PatchSampler([colour], 4).sample(2, seeded()).shape == (2, 3, 4, 4)


def test_every_position_of_every_image_is_equally_likely():
    sampler = PatchSampler([SMALL, LARGE], 3, augment=False)
    places = {}
    for image in (SMALL, LARGE):
        for top in range(image.shape[0] - 2):
            for left in range(image.shape[1] - 2):
                places[image[top, left]] = image[top : top + 3, left : left + 3]
    assert len(sampler) == len(places) == 5 * 7 + 10 * 6
    patches = draw(sampler, 200 * len(places))
    counts = dict.fromkeys(places, 0)
    for patch in patches:
        assert np.array_equal(patch, places[patch[0, 0]])
        counts[patch[0, 0]] += 1
    assert min(counts.values()) > 0  # the first and last rows, columns and corners included
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_all_eight_symmetries_are_equally_likely():
    patches = draw(PatchSampler([SMALL], 3), 4000)
    counts = np.zeros(8)
    for patch in patches:
        top, left = divmod(int(patch.min()), 9)  # the smallest number is the top left pixel
        original = SMALL[top : top + 3, left : left + 3]
        (turn,) = [i for i, t in enumerate(turns(original)) if np.array_equal(t, patch)]
        counts[turn] += 1
    assert stats.chisquare(counts).pvalue > 1e-3


def test_colour_patches_keep_their_channels_together():
    colour = np.stack([SMALL, SMALL + 64, SMALL + 128], axis=2)
    for patch in draw(PatchSampler([colour, colour[::-1]], 4), 50):
        assert np.array_equal(patch[..., 1], patch[..., 0] + 64)
        assert np.array_equal(patch[..., 2], patch[..., 0] + 128)
        assert patch[..., 0].max() - patch[..., 0].min() == 3 * 9 + 3


def test_an_image_of_exactly_the_patch_size():
    image = numbered(5, 5)
    assert len(PatchSampler([image], 5)) == 1
    assert np.array_equal(draw(PatchSampler([image], 5, augment=False), 2), np.stack([image] * 2))


def test_floats_are_rounded_to_8_bits():
    image = np.array([[0.0, 1.0], [0.5, 100.4 / 255]], np.float32)
    patch = draw(PatchSampler([image], 2, augment=False), 1)[0]
    assert patch.tolist() == [[0, 255], [128, 100]]


def test_colour_patches_are_channels_last_as_they_are_drawn():
    colour = np.random.default_rng(0).random((9, 9, 3))
    for augment in (True, False):
        assert is_channels_last(PatchSampler([colour], 4, augment=augment).sample(2, seeded()))


def test_the_fingerprint_tells_images_apart():
    def fingerprint(*images):
        return PatchSampler(images, 4).fingerprint

    assert fingerprint(SMALL, LARGE) == fingerprint(SMALL.copy(), LARGE / np.float32(255))
    different = [(SMALL,), (LARGE, SMALL), (SMALL, LARGE[::-1]), (SMALL, LARGE)]
    same_pixels = [(numbered(8, 6),), (numbered(6, 8),), (numbered(12, 4),)]
    found = [fingerprint(*images) for images in different + same_pixels]
    assert len(set(found)) == len(found)


def test_channels_may_lie_in_any_order_in_memory():
    images = [np.moveaxis(np.random.default_rng(0).random((3, 6, 5)), 0, 2)]
    a, b = (PatchSampler(each, 4) for each in (images, [images[0].copy()]))
    assert a.fingerprint == b.fingerprint
    assert torch.equal(a.sample(3, seeded()), b.sample(3, seeded()))


def test_read_only_images_are_fine():
    frozen = SMALL.copy()
    frozen.flags.writeable = False
    assert np.array_equal(draw(PatchSampler([frozen], 3), 5), draw(PatchSampler([SMALL], 3), 5))


def test_same_seed_same_batch():
    sampler = PatchSampler([SMALL, LARGE], 3)
    state = torch.get_rng_state()
    assert np.array_equal(draw(sampler, 20, 1), draw(sampler, 20, 1))
    assert not np.array_equal(draw(sampler, 20, 1), draw(sampler, 20, 2))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "images, options, message",
    [
        ([], {}, "images is empty, but must hold at least one image"),
        (
            [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.uint8)],
            {},
            "images mixes grey and colour, but must be all grey or all colour",
        ),
        (
            [np.zeros((9, 9), np.uint8), np.zeros((7, 3), np.uint8)],
            {},
            "images[1] is 7×3 pixels, but must be at least patch_size=8 in both directions",
        ),
        ([[0.0]], {}, "images[0] is 'list', but must be an array (H, W) or (H, W, 3)"),
        (
            [np.zeros((9, 9, 4), np.uint8)],
            {},
            "images[0]'s shape is (9, 9, 4), but must be (H, W) or (H, W, 3)",
        ),
        (
            [np.zeros((9, 9), np.int64)],
            {},
            "images[0]'s dtype is 'int64', but must be uint8 or floating point",
        ),
        (
            [np.full((9, 9), 2.0)],
            {},
            "images[0]'s range is (2.0, 2.0), but must be within [0, 1]",
        ),
        (
            [np.full((9, 9), np.nan)],
            {},
            "images[0]'s range is (nan, nan), but must be within [0, 1]",
        ),
        (
            [np.zeros((0, 9), np.float32)],
            {},
            "images[0]'s shape is (0, 9), but must be (H, W) or (H, W, 3)",
        ),
        (
            [np.zeros((9, 9), np.uint8)],
            {"patch_size": 0},
            "patch_size is 0, but must be an integer of at least 1",
        ),
    ],
)
def test_impossible_arguments(images, options, message):
    with pytest.raises(ValueError, match=whole(message)):
        PatchSampler(images, **{"patch_size": 8, **options})


def test_impossible_batch_size():
    with pytest.raises(
        ValueError, match=whole("batch_size is 0, but must be an integer of at least 1")
    ):
        PatchSampler([SMALL], 3).sample(0, seeded())
