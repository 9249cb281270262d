"""Image files and arrays: what comes in goes out in the same form, and what is bad is refused."""

import errno
import io
import re
import struct
import time
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from helpers import whole
from PIL import Image as PILImage

from dncnn_lib import images
from dncnn_lib.images import (
    Picture,
    as_batch,
    read_image,
    read_picture,
    to_grey,
    write_image,
    write_picture,
)


def values(channels: int, dtype: type = np.uint8, height: int = 7, width: int = 5) -> np.ndarray:
    """Random values (H, W) or (H, W, C) that hold the darkest and the brightest."""
    rng = np.random.default_rng(channels)
    shape = (height, width) if channels == 1 else (height, width, channels)
    array = rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    array.flat[0], array.flat[-1] = 0, np.iinfo(dtype).max
    return array


def unit(array: np.ndarray) -> np.ndarray:
    return (array / np.float64(np.iinfo(array.dtype).max)).astype(np.float32)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, kind: int, raw: bytes, *chunks: bytes) -> bytes:
    """A PNG file, byte by byte. kind: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def raw_16(array: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)


def saved(array: np.ndarray, kind: str, **options) -> bytes:
    file = io.BytesIO()
    PILImage.fromarray(array).save(file, kind, **options)
    return file.getvalue()


def tiff(array: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


# ------------------------------------------------------------------------------------- as_batch


FLOATS = (np.float16, np.float32, np.float64, np.dtype(">f4"), np.dtype(">f8"))
INTEGERS = (np.uint8, np.uint16, np.dtype(">u2"))


@pytest.mark.parametrize("dtype", (*FLOATS, *INTEGERS), ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (4, 5, 3), (3, 3, 3)])
def test_an_array_comes_back_as_it_was(dtype, shape):
    integers = values(1, np.uint8, 64, 64).ravel()[: np.prod(shape)].reshape(shape)
    image = integers.astype(dtype) if dtype in INTEGERS else (integers / 256).astype(dtype)  # exact
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
    image = values(3, np.uint8, 6, 8)
    for view in (image[::-1], image[:, ::-1], image[..., ::-1], image.swapaxes(0, 1), image[::2]):
        for same in (view, unit(view)[:]):
            batch, restore = as_batch(same)
            np.testing.assert_array_equal(restore(batch), same)


def test_a_read_only_array_is_taken_without_a_warning():
    image = unit(values(1))
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
            "photo is 'an image with NaN or infinite values', but must be finite everywhere",
        ),
        (
            np.array([[0.1, 1e300]]),
            ValueError,
            "photo is 'an image with NaN or infinite values', but must be finite everywhere",
        ),
        (
            torch.full((1, 1, 2, 2), -torch.inf),
            ValueError,
            "photo is 'an image with NaN or infinite values', but must be finite everywhere",
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


def test_grey_is_what_matlab_makes_of_it():
    image = unit(values(3))
    red, green, blue = np.moveaxis(image.astype(np.float64), 2, 0)
    expected = np.round(255 * (0.2989 * red + 0.5870 * green + 0.1140 * blue)) / 255
    grey = to_grey(image)
    assert grey.dtype == np.float32 and grey.shape == image.shape[:2]
    np.testing.assert_allclose(grey, expected, atol=1e-7)
    assert to_grey(grey) is grey


# ------------------------------------------------------------------------------------ good files


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_and_tiff_are_lossless(tmp_path, suffix, dtype, channels):
    array = values(channels, dtype)
    solid = unit(array if channels in (1, 3) else array[..., :-1])
    solid = solid[..., 0] if channels == 2 else solid
    alpha = unit(array[..., -1]) if channels in (2, 4) else None
    bits = 8 * np.dtype(dtype).itemsize
    path = tmp_path / f"a{suffix}"
    write_picture(path, Picture(solid, alpha, bits, b"a profile"))
    # another reader finds the same integers
    reader = imagecodecs.png_decode if suffix == ".png" else imagecodecs.tiff_decode
    np.testing.assert_array_equal(reader(path.read_bytes()), array)
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.pixels, solid)
    assert picture.pixels.dtype == np.float32 and picture.pixels.flags.c_contiguous
    assert (picture.bits, picture.icc_profile) == (bits, b"a profile")
    if alpha is None:
        assert picture.alpha is None
    else:
        np.testing.assert_array_equal(picture.alpha, alpha)
    again = tmp_path / f"b{suffix}"
    write_picture(again, picture)
    assert again.read_bytes() == path.read_bytes()


def test_webp_is_lossless_in_colour(tmp_path):
    array = values(4)
    array[:, :2, 3] = 0  # colours that are not seen are kept too
    path = tmp_path / "a.webp"
    write_picture(path, Picture(unit(array[..., :3]), unit(array[..., 3])))
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.pixels, unit(array[..., :3]))
    np.testing.assert_array_equal(picture.alpha, unit(array[..., 3]))


@pytest.mark.parametrize("channels", [1, 3])
def test_bmp_is_lossless_and_says_what_it_leaves_out(tmp_path, channels):
    array = unit(values(channels))
    path = tmp_path / "a.BMP"
    write_picture(path, Picture(array))
    np.testing.assert_array_equal(read_picture(path).pixels, array)
    np.testing.assert_array_equal(np.asarray(PILImage.open(path)), values(channels))
    message = f"{path}: BMP has no transparency, so alpha is left out"
    with pytest.warns(UserWarning, match=whole(message)):
        write_picture(path, Picture(array, np.zeros(array.shape[:2])))
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.pixels, array)
    assert picture.alpha is None


def test_jpeg_is_close_and_says_what_it_leaves_out(tmp_path):
    smooth = np.linspace(0, 1, 32 * 32 * 3, dtype=np.float32).reshape(32, 32, 3)
    path = tmp_path / "a.jpg"
    with pytest.warns(
        UserWarning, match=whole(f"{path}: JPEG has no transparency, so alpha is left out")
    ):
        write_picture(path, Picture(smooth, smooth[..., 0], icc_profile=b"a profile"))
    picture = read_picture(path)
    np.testing.assert_allclose(picture.pixels, smooth, atol=0.03)
    assert picture.alpha is None and picture.icc_profile == b"a profile"


def test_integers_and_floats_are_written_alike(tmp_path):
    array = values(3)
    write_image(tmp_path / "a.png", array)
    write_image(tmp_path / "b.png", unit(array))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), unit(array))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    deep = values(1, np.uint16)
    write_image(tmp_path / "c.tif", deep, bits=16)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "c.tif"), deep)
    write_image(tmp_path / "d.png", np.array([[-0.2, 0.5, 1.2]]))
    np.testing.assert_array_equal(
        imagecodecs.png_decode((tmp_path / "d.png").read_bytes()), [[0, 128, 255]]
    )


def read_bytes(tmp_path, data: bytes) -> Picture:
    path = tmp_path / "image"
    path.write_bytes(data)
    return read_picture(path)


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("transparent", [True, False])
def test_a_palette_is_looked_up(tmp_path, grey, transparent):
    palette = values(1 if grey else 3, np.uint8, 16, 1).reshape(16, -1)
    colours = np.broadcast_to(palette, (16, 3))
    alphas = values(1, np.uint8, 1, 16)[0]
    index = np.arange(16, dtype=np.uint8).reshape(2, 8)
    raw = b"".join(b"\0" + row.tobytes() for row in index)
    chunks = [chunk(b"PLTE", colours.tobytes())]
    chunks += [chunk(b"tRNS", alphas.tobytes())] if transparent else []
    picture = read_bytes(tmp_path, png(8, 2, 8, 3, raw, *chunks))
    expected = unit(palette[:, 0] if grey else palette)[index]
    np.testing.assert_array_equal(picture.pixels, expected)
    if transparent:
        np.testing.assert_array_equal(picture.alpha, unit(alphas)[index])
    else:
        assert picture.alpha is None


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_few_bits_are_spread_over_0_to_1(tmp_path, depth):
    row = bytes([0b00011011, 0b11000110])
    levels = np.array(
        [int(f"{byte:08b}"[i : i + depth], 2) for byte in row for i in range(0, 8, depth)]
    )
    expected = np.float32(levels / (2**depth - 1))[None]
    picture = read_bytes(tmp_path, png(len(levels), 1, depth, 0, b"\0" + row))
    np.testing.assert_allclose(picture.pixels, expected, atol=1e-7)
    assert picture.bits == 8
    if depth == 1:
        for kind in ("TIFF", "PNG"):
            file = io.BytesIO()
            PILImage.fromarray(expected > 0.5).save(file, kind)
            np.testing.assert_array_equal(read_bytes(tmp_path, file.getvalue()).pixels, expected)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_colour_becomes_alpha(tmp_path, depth, channels):
    array = values(channels, np.uint8 if depth == 8 else np.uint16)
    key = np.atleast_1d(array[2, 3])
    rows = (row.astype(">u2" if depth == 16 else "u1").tobytes() for row in array)
    raw = b"".join(b"\0" + row for row in rows)
    data = png(5, 7, depth, channels - 1, raw, chunk(b"tRNS", key.astype(">u2").tobytes()))
    picture = read_bytes(tmp_path, data)
    np.testing.assert_array_equal(picture.pixels, unit(array))
    hidden = (array.reshape(7, 5, channels) == key).all(axis=2)
    np.testing.assert_array_equal(picture.alpha, np.where(hidden, 0, 1))
    assert hidden.sum() < hidden.size


@pytest.mark.parametrize("options", [{"compression": "lzw"}, {"compression": "zlib"}, {}], ids=str)
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_of_every_storage(tmp_path, options, byteorder, planar, dtype):
    array = values(3, dtype, 33, 17)
    stored = array if planar == "contig" else np.moveaxis(array, 2, 0)
    if options:
        options = {**options, "predictor": True}
    data = tiff(stored, byteorder=byteorder, planarconfig=planar, photometric="rgb", **options)
    np.testing.assert_array_equal(read_bytes(tmp_path, data).pixels, unit(array))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_where_0_is_white(tmp_path, dtype):
    array = values(1, dtype)
    picture = read_bytes(tmp_path, tiff(array, photometric="miniswhite"))
    np.testing.assert_array_equal(picture.pixels, unit(np.iinfo(dtype).max - array))


def test_big_tiff_is_read(tmp_path):
    array = values(3, np.uint16)
    np.testing.assert_array_equal(
        read_bytes(tmp_path, tiff(array, bigtiff=True)).pixels, unit(array)
    )


UPRIGHT = {  # EXIF's definition: where the 0th row and the 0th column are, seen by the viewer
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_the_orientation_is_applied_once(tmp_path, orientation):
    exif = PILImage.Exif()
    exif[0x0112] = orientation
    for channels in (1, 3):
        array, deep = values(channels), values(channels, np.uint16)
        for kind in ("PNG", "TIFF"):
            picture = read_bytes(tmp_path, saved(array, kind, exif=exif))
            np.testing.assert_array_equal(picture.pixels, unit(UPRIGHT[orientation](array)))
        tag = [(274, "H", 1, orientation, False)]
        body = chunk(b"eXIf", exif.tobytes()[6:])  # without the "Exif\0\0" of JPEG
        for data in (
            tiff(deep, extratags=tag),
            png(5, 7, 16, channels - 1, raw_16(deep), body),
        ):
            picture = read_bytes(tmp_path, data)
            np.testing.assert_array_equal(picture.pixels, unit(UPRIGHT[orientation](deep)))
    blocks = np.kron(values(1, np.uint8, 3, 2), np.ones((16, 16), np.uint8))
    for kind, options in (("JPEG", {"quality": 100}), ("WEBP", {"lossless": True})):
        picture = read_bytes(tmp_path, saved(blocks, kind, exif=exif, **options))
        found = picture.pixels if picture.pixels.ndim == 2 else picture.pixels[..., 0]
        np.testing.assert_allclose(found, unit(UPRIGHT[orientation](blocks)), atol=2 / 255)


def test_damaged_exif_does_not_hide_the_photograph(tmp_path):
    data = saved(values(3), "JPEG", exif=b"Exif\0\0no such thing")
    assert read_bytes(tmp_path, data).pixels.shape == (7, 5, 3)


def test_cmyk_becomes_rgb_and_loses_its_profile(tmp_path):
    flat = np.zeros((16, 16, 4), np.uint8)
    flat[..., 1] = 255  # all magenta
    file = io.BytesIO()
    PILImage.fromarray(flat, "CMYK").save(file, "JPEG", quality=100, icc_profile=b"of printing")
    picture = read_bytes(tmp_path, file.getvalue())
    np.testing.assert_allclose(picture.pixels[8, 8], [1, 0, 1], atol=2 / 255)
    assert picture.icc_profile is None


def test_grey_jpeg_stays_grey(tmp_path):
    assert read_bytes(tmp_path, saved(values(1), "JPEG")).pixels.shape == (7, 5)


def test_a_stereo_photograph_is_read_as_its_first_view(tmp_path):
    views = [PILImage.fromarray(np.full((16, 16, 3), level, np.uint8)) for level in (50, 200)]
    file = io.BytesIO()
    views[0].save(file, "MPO", save_all=True, append_images=views[1:])
    np.testing.assert_allclose(read_bytes(tmp_path, file.getvalue()).pixels, 50 / 255, atol=1e-7)


def test_with_pixels_keeps_the_rest():
    picture = Picture(unit(values(3)), unit(values(1)), 16, b"a profile")
    new = picture.with_pixels(np.zeros((7, 5, 3), np.float32))
    assert new.alpha is picture.alpha and (new.bits, new.icc_profile) == (16, b"a profile")
    message = "pixels' shape is (5, 7), but must be that of the picture, (7, 5, 3)"
    with pytest.raises(ValueError, match=whole(message)):
        picture.with_pixels(np.zeros((5, 7), np.float32))


# ------------------------------------------------------------------------------------- bad files


def refuse(tmp_path, data: bytes, message: str) -> None:
    """``message`` continues the file's name, and is a regular expression."""
    path = tmp_path / "bad.png"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))} {message}$"):
        read_picture(path)


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


def test_what_is_no_image_file_is_refused(tmp_path):
    refuse(tmp_path, b"", r"is empty \(0 bytes\), but must be an image file")
    message = "does not hold a PNG, JPEG, TIFF, WebP or BMP image, whatever its name says"
    for data in (b"x", b"not an image at all", saved(values(1), "GIF"), saved(values(3), "PPM")):
        refuse(tmp_path, data, message)


WHOLE_FILES = {
    "png": saved(values(3, np.uint8, 40, 50), "PNG"),
    "png 16": png(50, 40, 16, 2, raw_16(values(3, np.uint16, 40, 50))),
    "jpeg": saved(values(3, np.uint8, 40, 50), "JPEG"),
    "webp": saved(values(3, np.uint8, 40, 50), "WEBP", lossless=True),
    "bmp": saved(values(3, np.uint8, 40, 50), "BMP"),
    "tiff": saved(values(3, np.uint8, 40, 50), "TIFF"),
    "tiff lzw": saved(values(3, np.uint8, 40, 50), "TIFF", compression="tiff_lzw"),
    "tiff 16": tiff(values(3, np.uint16, 40, 50)),
    "tiff 16 zlib": tiff(values(3, np.uint16, 40, 50), compression="zlib"),
}


@pytest.mark.parametrize("kind", WHOLE_FILES)
@pytest.mark.parametrize("part", [0, 0.3, 0.7, 0.97])
def test_a_truncated_file_is_refused(tmp_path, kind, part):
    data = WHOLE_FILES[kind]
    assert read_bytes(tmp_path, data).pixels.shape == (40, 50, 3)
    refuse(tmp_path, data[: max(16, int(part * len(data)))], r"is damaged or truncated \(.+\)")


@pytest.mark.parametrize("kind", ["png", "png 16", "tiff 16 zlib"])
def test_a_damaged_file_is_refused(tmp_path, kind):
    data = bytearray(WHOLE_FILES[kind])
    data[len(data) // 2] ^= 0xFF
    refuse(tmp_path, bytes(data), r"is damaged or truncated \(.+\)")


@pytest.mark.parametrize("side", [12_500, 50_000])
@pytest.mark.parametrize("kind", ["png", "png 16", "tiff", "tiff 16", "webp"])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, kind, side):
    claimed = min(side, 16_383) if kind == "webp" else side
    if kind.startswith("png"):
        data = png(claimed, claimed, 16 if kind == "png 16" else 8, 2, bytes(100))
    elif kind.startswith("tiff"):
        data = bytearray(WHOLE_FILES[kind])
        for tag in (256, 257):  # width and height: an entry of 12 bytes, the value in the last 4
            at = re.search(re.escape(struct.pack("<H", tag)) + b"[\3\4]\0\1\0\0\0", data).start()
            data[at : at + 12] = struct.pack("<HHII", tag, 4, 1, claimed)
        data = bytes(data)
    else:
        data = bytearray(WHOLE_FILES["webp"])
        bits = struct.unpack_from("<I", data, 21)[0]  # 14 bits of width − 1, 14 of height − 1
        size = (claimed - 1) | (claimed - 1) << 14
        struct.pack_into("<I", data, 21, bits & ~(2**28 - 1) | size)
        data = bytes(data)
    start = time.perf_counter()
    refuse(
        tmp_path, data, "has more than 150,000,000 pixels, the limit against decompression bombs"
    )
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_several_images_in_a_file_are_refused(tmp_path, dtype):
    message = "holds 3 images, but must hold one; save the one you want"
    pages = [PILImage.fromarray(values(c)) for c in (3, 3, 3)]
    for level, page in enumerate(pages):
        page.paste((100 * level, 0, 0), (0, 0, 3, 3))
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True})):
        file = io.BytesIO()
        pages[0].save(file, kind, save_all=True, append_images=pages[1:], **options)
        refuse(tmp_path, file.getvalue(), message)
    refuse(tmp_path, tiff(np.stack([values(1, dtype)] * 3), photometric="minisblack"), message)


@pytest.mark.parametrize(
    ("array", "kind", "bits"),
    [
        (np.zeros((4, 5), np.float32), "floating-point", 32),
        (np.zeros((4, 5), np.float16), "floating-point", 16),
        (np.zeros((4, 5, 3), np.float64), "floating-point", 64),
        (np.zeros((4, 5), np.int16), "signed", 16),
        (np.zeros((4, 5), np.uint32), "unsigned", 32),
    ],
)
def test_a_tiff_of_other_numbers_is_refused(tmp_path, array, kind, bits):
    photometric = "rgb" if array.ndim == 3 else "minisblack"
    message = f"has {kind} values of {bits} bits, but must have unsigned ones of 8 or 16 bits"
    refuse(tmp_path, tiff(array, photometric=photometric), message)


def test_a_tiff_of_other_colours_is_refused(tmp_path):
    array = values(4, np.uint16)
    rest = "4 a pixel, but must be grey or RGB, with straight alpha or none"
    data = tiff(array, photometric="separated")
    refuse(tmp_path, data, f"has 16-bit values of the kind SEPARATED, {rest}")
    data = tiff(array, photometric="rgb", extrasamples=["assocalpha"])
    refuse(tmp_path, data, f"has 16-bit values of the kind RGB, {rest}")
    file = io.BytesIO()
    PILImage.new("LAB", (4, 5)).save(file, "TIFF")
    refuse(tmp_path, file.getvalue(), "has values of the kind LAB, but must be grey or RGB")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("channels", "photometric"), [(5, "rgb"), (6, "rgb"), (4, "minisblack")])
def test_a_tiff_of_more_channels_is_refused(tmp_path, dtype, channels, photometric):
    array = np.zeros((6, 7, channels), dtype)
    data = tiff(array, photometric=photometric, planarconfig="contig")
    rest = "values a pixel, but must be grey or RGB, with alpha or none"
    refuse(tmp_path, data, f"has {channels} {rest}")


# --------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize(
    ("name", "picture", "message"),
    [
        (
            "a.gif",
            Picture(np.zeros((2, 2))),
            "path's suffix is '.gif', but must be one of .png, .jpg, .jpeg, .tif, .tiff, "
            ".webp, .bmp",
        ),
        (
            "a",
            Picture(np.zeros((2, 2))),
            "path's suffix is '', but must be one of .png, .jpg, .jpeg, .tif, .tiff, .webp, .bmp",
        ),
        ("a.png", Picture(np.zeros((2, 2)), bits=12), "bits is 12, but must be 8 or 16"),
        (
            "a.png",
            Picture(np.full((2, 2), np.nan)),
            "pixels is 'an image with NaN or infinite values', but must be finite everywhere",
        ),
        (
            "a.png",
            Picture(np.zeros((2, 2)), np.full((2, 2), np.inf)),
            "alpha is 'an image with NaN or infinite values', but must be finite everywhere",
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
    message = "image is 'an image with NaN or infinite values', but must be finite everywhere"
    with pytest.raises(ValueError, match=whole(message)):
        write_image(tmp_path / "a.png", np.full((2, 2), np.nan))
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_is_too_small_is_named(tmp_path):
    path = tmp_path / "a.webp"
    with pytest.raises(
        ValueError, match=f"^{re.escape(str(path))} cannot hold 16384×1 pixels \\(.+\\)$"
    ):
        write_image(path, np.zeros((1, 16_384), np.float32))
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

    integers = np.zeros((1500, 2000, 3), np.uint8)
    tracemalloc.start()
    try:
        pixels = images._unit(integers)
        assert tracemalloc.get_traced_memory()[1] < 1.1 * pixels.nbytes
        tracemalloc.reset_peak()
        images._integers(pixels, np.uint8)
        assert tracemalloc.get_traced_memory()[1] < 2.4 * pixels.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(2, 1, 5, 5), (1, 2, 5, 5), (1, 5, 5, 5)])
def test_what_is_not_one_picture_is_not_written(tmp_path, shape):
    message = f"image's shape is {shape}, but must be one image with 1 or 3 channels"
    with pytest.raises(ValueError, match="shape is " + re.escape(message.split("shape is ")[1])):
        images.write_image(tmp_path / "a.png", torch.zeros(shape))
    assert not list(tmp_path.iterdir())


def test_a_tensor_is_written_in_16_bits(tmp_path):
    image = torch.rand((1, 3, 5, 6), generator=torch.Generator().manual_seed(0))
    images.write_image(tmp_path / "a.png", image, bits=16)
    read = images.read_image(tmp_path / "a.png")
    np.testing.assert_allclose(read, image[0].permute(1, 2, 0).numpy(), atol=1e-5)
