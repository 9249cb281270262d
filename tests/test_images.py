"""Arrays and tensors in and out, pictures and their files."""

import errno
import re

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from helpers import integers, unit, whole

from dncnn_lib.images import (
    SUFFIXES,
    Meta,
    Picture,
    as_batch,
    as_float,
    as_uint8,
    is_floating,
    read_image,
    read_picture,
    to_grey,
    write_image,
    write_picture,
)

# ------------------------------------------------------------------------------------- as_batch


FLOATS = (np.float16, np.float32, np.float64, np.dtype(">f4"), np.dtype(">f8"))
INTEGERS = (np.uint8, np.uint16, np.dtype(">u2"))


@pytest.mark.parametrize("dtype", (*FLOATS, *INTEGERS), ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (4, 5, 3), (3, 3, 3)])
def test_an_array_comes_back_as_it_was(dtype, shape):
    bytes_ = integers(1, np.uint8, 64, 64).ravel()[: np.prod(shape)].reshape(shape)
    image = bytes_.astype(dtype) if dtype in INTEGERS else (bytes_ / 256).astype(dtype)  # exact
    batch, restore = as_batch(image)
    assert batch.dtype == torch.float32 and batch.shape[0] == 1
    plane = image if image.ndim == 3 else image[..., None]
    peak = np.iinfo(image.dtype).max if image.dtype.kind == "u" else 1
    for channel in range(plane.shape[2]):
        expected = plane[..., channel].astype(np.float64) / peak
        np.testing.assert_allclose(batch[0, channel].numpy(), expected, rtol=1e-7)
    back = restore(batch)
    assert back.dtype == image.dtype and back.flags.c_contiguous
    np.testing.assert_array_equal(back, image)


@pytest.mark.parametrize("dtype", (np.uint8, np.uint16))
def test_every_integer_survives(dtype):
    image = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(16, -1)
    batch, restore = as_batch(image)
    np.testing.assert_array_equal(restore(batch), image)
    tensor = torch.from_numpy(image)[None, None]
    batch, restore = as_batch(tensor)
    back = restore(batch)
    assert back.dtype == tensor.dtype
    np.testing.assert_array_equal(back.numpy(), tensor.numpy())


def test_integers_are_clipped_and_rounded():
    _, restore = as_batch(np.zeros((1, 4), np.uint8))
    result = torch.tensor([[[[-0.5, 0.4999 / 255, 0.5001 / 255, 1.7]]]])
    assert restore(result).tolist() == [[0, 0, 1, 255]]
    _, restore = as_batch(torch.zeros(1, 1, 1, 4, dtype=torch.uint16))
    assert restore(result).tolist() == [[[[0, 128, 129, 65535]]]]


@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16, torch.float32, torch.float64))
def test_a_floating_point_tensor_comes_back_as_it_was(dtype):
    image = torch.rand(2, 4, 3, 5).to(dtype).requires_grad_()
    batch, restore = as_batch(image)
    assert batch.dtype == torch.float32 and batch.shape == image.shape and not batch.requires_grad
    back = restore(batch)
    assert back.dtype == dtype and torch.equal(back, image.detach())


def test_views_are_read_as_numpy_reads_them():
    image = integers(3, np.uint8, 6, 8)
    for view in (image[::-1], image[:, ::-1], image[..., ::-1], image.swapaxes(0, 1), image[::2]):
        for same in (view, unit(view)[:]):
            batch, restore = as_batch(same)
            np.testing.assert_array_equal(restore(batch), same)


def test_a_read_only_array_is_taken_without_a_warning():
    image = unit(integers(1))
    image.flags.writeable = False
    batch, _ = as_batch(image)
    np.testing.assert_array_equal(batch[0, 0].numpy(), image)


def test_noise_outside_0_to_1_is_kept():
    image = np.array([[-0.7, 1.9]], np.float32)
    batch, restore = as_batch(image)
    np.testing.assert_array_equal(restore(batch), image)


RULE = "(H, W) or (H, W, 3), none of them 0"


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (
            np.zeros((4, 5, 4), np.float32),
            ValueError,
            f"photo's shape is (4, 5, 4), but must be {RULE}; leave out alpha with image[..., :3]",
        ),
        (
            np.zeros((4, 5, 1), np.float32),
            ValueError,
            f"photo's shape is (4, 5, 1), but must be {RULE}; leave out the last axis with "
            "image[..., 0]",
        ),
        (
            np.zeros((3, 4, 5), np.float32),
            ValueError,
            f"photo's shape is (3, 4, 5), but must be {RULE}; move the channels to the end with "
            "image.transpose(1, 2, 0)",
        ),
        (
            np.zeros((0, 5), np.float32),
            ValueError,
            f"photo's shape is (0, 5), but must be {RULE}",
        ),
        (np.zeros(5, np.float32), ValueError, f"photo's shape is (5,), but must be {RULE}"),
        (
            np.zeros((4, 5), bool),
            ValueError,
            "photo's dtype is 'bool', but must be floating point, uint8 or uint16",
        ),
        (
            np.zeros((4, 5), np.int64),
            ValueError,
            "photo's dtype is 'int64', but must be floating point, uint8 or uint16",
        ),
        (
            np.zeros((4, 5), np.complex64),
            ValueError,
            "photo's dtype is 'complex64', but must be floating point, uint8 or uint16",
        ),
        (
            torch.zeros(4, 5),
            ValueError,
            "photo's shape is (4, 5), but must be (B, C, H, W), none of them 0",
        ),
        (
            torch.zeros(1, 1, 0, 5),
            ValueError,
            "photo's shape is (1, 1, 0, 5), but must be (B, C, H, W), none of them 0",
        ),
        (
            torch.zeros(1, 1, 4, 5, dtype=torch.bool),
            ValueError,
            "photo's dtype is 'torch.bool', but must be floating point, uint8 or uint16",
        ),
        (
            np.array([[0.1, np.nan]]),
            ValueError,
            "photo has NaN or infinite values, but must be finite everywhere",
        ),
        (
            np.array([[0.1, 1e300]]),
            ValueError,
            "photo has NaN or infinite values, but must be finite everywhere",
        ),
        (
            torch.full((1, 1, 2, 2), -torch.inf),
            ValueError,
            "photo has NaN or infinite values, but must be finite everywhere",
        ),
        (
            np.array([[0.0, 200.0]]),
            ValueError,
            "photo's range is (0.0, 200.0), but must be around [0, 1]; divide an image on the "
            "0–255 scale by 255",
        ),
        (
            [[0.0, 1.0]],
            TypeError,
            "photo is a list, but must be an array (H, W) or (H, W, 3), or a tensor (B, C, H, W); "
            "read files with dncnn_lib.read_image",
        ),
    ],
)
def test_what_is_no_image_is_refused(image, error, message):
    with pytest.raises(error, match=whole(message)):
        as_batch(image, name="photo")


@pytest.mark.parametrize(
    "dtype, kept", [("f2", "f4"), ("f4", "f4"), (">f8", "f8"), ("f8", "f8"), ("u1", "f4")]
)
def test_an_array_may_keep_its_precision(dtype, kept):
    image = (integers(3) / 256).astype(dtype) if "f" in dtype else integers(3)
    batch, restore = as_batch(image, keep_float=True)
    assert batch.numpy().dtype == kept
    expected = image.astype(np.float64) / (1 if "f" in dtype else 255)
    np.testing.assert_allclose(batch[0].permute(1, 2, 0).numpy(), expected, rtol=1e-7)
    back = restore(batch)
    assert back.dtype == image.dtype and np.array_equal(back, image)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_tensor_may_keep_its_precision(dtype):
    image = torch.rand(2, 1, 3, 4).to(dtype)
    batch, restore = as_batch(image, keep_float=True)
    assert batch.dtype == dtype and torch.equal(batch, image)
    assert torch.equal(restore(batch), image)
    assert as_batch(torch.zeros(1, 1, 2, 2, dtype=torch.uint8), keep_float=True)[
        0
    ].is_floating_point()


@pytest.mark.parametrize("dtype", (np.uint8, np.uint16, np.dtype(">u2")), ids=str)
def test_integers_become_floats(dtype):
    image = integers(3, np.uint8, 6, 8).astype(dtype)
    for view in (image, image[:, ::2], image.swapaxes(0, 1)):
        floats = as_float(view)
        assert floats.dtype == np.float32 and floats.flags.c_contiguous
        np.testing.assert_array_equal(floats, unit(view))
    for floating in (unit(image), unit(image).astype(np.float64)):
        assert as_float(floating) is floating


def test_floats_become_bytes():
    image = np.array([[-0.5, 0.4999 / 255, 0.5001 / 255, 1.7]])
    for dtype in ("f4", "f8"):
        floats = image.astype(dtype)
        assert as_uint8(floats).dtype == np.uint8
        assert as_uint8(floats).tolist() == [[0, 0, 1, 255]]
        assert np.array_equal(floats, image.astype(dtype))  # it is left as it was
    every = np.arange(256, dtype=np.uint8)
    assert as_uint8(every) is every and np.array_equal(as_uint8(unit(every)), every)


@pytest.mark.parametrize(
    "image, expected",
    [
        (np.zeros(2), True),
        (np.zeros(2, ">f2"), True),
        (torch.zeros(2, dtype=torch.bfloat16), True),
        (np.zeros(2, np.uint8), False),
        (np.zeros(2, bool), False),
        (np.zeros(2, complex), False),
        (torch.zeros(2, dtype=torch.uint8), False),
        ([0.5], False),
        (0.5, False),
    ],
)
def test_what_is_floating(image, expected):
    assert is_floating(image) is expected


def test_grey_is_what_matlab_makes_of_it():
    image = unit(integers(3))
    red, green, blue = np.moveaxis(image.astype(np.float64), 2, 0)
    expected = np.round(255 * (0.2989 * red + 0.5870 * green + 0.1140 * blue)) / 255
    grey = to_grey(image)
    assert grey.dtype == np.float32 and grey.shape == image.shape[:2]
    np.testing.assert_allclose(grey, expected, atol=1e-7)
    assert to_grey(grey) is grey


@pytest.mark.parametrize(
    "colour, grey", [((120, 116, 110), 116), ((220, 182, 122), 186)], ids=["116.5", "186.5"]
)
def test_grey_between_two_integers_is_the_same_on_every_processor(colour, grey):
    image = np.full((8, 8, 3), colour, np.float32) / 255
    assert (np.rint(255 * to_grey(image)) == grey).all()


# -------------------------------------------------------------------------------------- pictures


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(
        IsADirectoryError, match=whole(f"{tmp_path} is a folder, but must be an image file")
    ):
        read_picture(tmp_path)
    missing = tmp_path / "missing.png"
    with pytest.raises(
        FileNotFoundError, match=whole(f"[Errno 2] No such file or directory: '{missing}'")
    ):
        read_image(missing)


def test_with_pixels_keeps_the_rest():
    picture = Picture(unit(integers(3)), unit(integers(1)), 16, Meta(b"a profile"))
    new = picture.with_pixels(np.zeros((7, 5, 3), np.float32))
    assert new.alpha is picture.alpha and (new.bits, new.icc_profile) == (16, b"a profile")
    message = "pixels' shape is (5, 7), but must be that of the picture, (7, 5, 3)"
    with pytest.raises(ValueError, match=whole(message)):
        picture.with_pixels(np.zeros((5, 7), np.float32))


# --------------------------------------------------------------------------------------- writing


def test_integers_and_floats_are_written_alike(tmp_path):
    array = integers(3)
    write_image(tmp_path / "a.png", array)
    write_image(tmp_path / "b.png", unit(array))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), unit(array))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    deep = integers(1, np.uint16)
    write_image(tmp_path / "c.tif", deep, bits=16)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "c.tif"), deep)
    write_image(tmp_path / "d.png", np.array([[-0.2, 0.5, 1.2]]))
    np.testing.assert_array_equal(
        imagecodecs.png_decode((tmp_path / "d.png").read_bytes()), [[0, 128, 255]]
    )


@pytest.mark.parametrize(
    ("name", "picture", "message"),
    [
        (
            "a.gif",
            Picture(np.zeros((2, 2))),
            f"path's suffix is '.gif', but must be one of {', '.join(SUFFIXES)}",
        ),
        (
            "a",
            Picture(np.zeros((2, 2))),
            f"path's suffix is '', but must be one of {', '.join(SUFFIXES)}",
        ),
        ("a.png", Picture(np.zeros((2, 2)), bits=12), "bits is 12, but must be 8 or 16"),
        (
            "a.png",
            Picture(np.full((2, 2), np.nan)),
            "pixels has NaN or infinite values, but must be finite everywhere",
        ),
        (
            "a.png",
            Picture(np.zeros((2, 2)), np.full((2, 2), np.inf)),
            "alpha has NaN or infinite values, but must be finite everywhere",
        ),
        (
            "a.png",
            Picture(np.zeros((2, 2)), np.zeros((2, 3))),
            "alpha's shape is (2, 3), but must be that of the pixels, (2, 2)",
        ),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, name, picture, message):
    with pytest.raises(ValueError, match=whole(message)):
        write_picture(tmp_path / name, picture)
    assert list(tmp_path.iterdir()) == []


def test_an_image_with_nan_is_not_written(tmp_path):
    message = "image has NaN or infinite values, but must be finite everywhere"
    with pytest.raises(ValueError, match=whole(message)):
        write_image(tmp_path / "a.png", np.full((2, 2), np.nan))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path):
    path = tmp_path / "missing" / "a.png"
    message = f"cannot write {path}: the folder {path.parent} does not exist"
    with pytest.raises(FileNotFoundError, match=whole(message)):
        write_image(path, np.zeros((2, 2)))


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    write_image(path, np.zeros((2, 2)))
    old = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    message = (
        f"[Errno {errno.ENOSPC}] cannot write {path}: No space left on device; "
        "what was there is unchanged"
    )
    with pytest.raises(OSError, match=whole(message)):
        write_image(path, np.ones((2, 2)))
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]


def test_a_large_photograph_is_converted_without_many_copies():
    """numpy reports its memory to tracemalloc: 3 Mpx RGB take 9 MB as integers, 36 MB as floats."""
    import tracemalloc

    bytes_ = np.zeros((1500, 2000, 3), np.uint8)
    tracemalloc.start()
    try:
        pixels = as_float(bytes_)
        assert tracemalloc.get_traced_memory()[1] < 1.1 * pixels.nbytes
        tracemalloc.reset_peak()
        as_uint8(pixels)
        assert tracemalloc.get_traced_memory()[1] < 2.4 * pixels.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(2, 1, 5, 5), (1, 2, 5, 5), (1, 5, 5, 5)])
def test_what_is_not_one_picture_is_not_written(tmp_path, shape):
    message = f"image's shape is {shape}, but must be one image with 1 or 3 channels"
    with pytest.raises(ValueError, match="shape is " + re.escape(message.split("shape is ")[1])):
        write_image(tmp_path / "a.png", torch.zeros(shape))
    assert not list(tmp_path.iterdir())


def test_a_tensor_is_written_in_16_bits(tmp_path):
    image = torch.rand((1, 3, 5, 6), generator=torch.Generator().manual_seed(0))
    write_image(tmp_path / "a.png", image, bits=16)
    read = read_image(tmp_path / "a.png")
    np.testing.assert_allclose(read, image[0].permute(1, 2, 0).numpy(), atol=1e-5)
