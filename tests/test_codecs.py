"""Image files of every kind: they come out as they went in, and what is bad is refused."""

import io
import re
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from helpers import integers, profile_of, unit, whole
from PIL import Image as PILImage
from PIL import PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from dncnn_lib.images import Meta, Picture, read_picture, write_image, write_picture


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


# ------------------------------------------------------------------------------------ good files


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_and_tiff_are_lossless(tmp_path, suffix, dtype, channels):
    array = integers(channels, dtype)
    solid = unit(array if channels in (1, 3) else array[..., :-1])
    solid = solid[..., 0] if channels == 2 else solid
    alpha = unit(array[..., -1]) if channels in (2, 4) else None
    bits = 8 * np.dtype(dtype).itemsize
    path = tmp_path / f"a{suffix}"
    profile = profile_of(b"GRAY" if channels < 3 else b"RGB ")
    write_picture(path, Picture(solid, alpha, bits, Meta(profile)))
    # another reader finds the same integers
    reader = imagecodecs.png_decode if suffix == ".png" else imagecodecs.tiff_decode
    np.testing.assert_array_equal(reader(path.read_bytes()), array)
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.pixels, solid)
    assert picture.pixels.dtype == np.float32 and picture.pixels.flags.c_contiguous
    assert (picture.bits, picture.icc_profile) == (bits, profile)
    if alpha is None:
        assert picture.alpha is None
    else:
        np.testing.assert_array_equal(picture.alpha, alpha)
    again = tmp_path / f"b{suffix}"
    write_picture(again, picture)
    assert again.read_bytes() == path.read_bytes()


def test_webp_is_lossless_in_colour(tmp_path):
    array = integers(4)
    array[:, :2, 3] = 0  # colours that are not seen are kept too
    path = tmp_path / "a.webp"
    write_picture(path, Picture(unit(array[..., :3]), unit(array[..., 3])))
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.pixels, unit(array[..., :3]))
    np.testing.assert_array_equal(picture.alpha, unit(array[..., 3]))


@pytest.mark.parametrize("channels", [1, 3])
def test_bmp_is_lossless_and_says_what_it_leaves_out(tmp_path, channels):
    array = unit(integers(channels))
    path = tmp_path / "a.BMP"
    write_picture(path, Picture(array))
    np.testing.assert_array_equal(read_picture(path).pixels, array)
    np.testing.assert_array_equal(np.asarray(PILImage.open(path)), integers(channels))
    message = f"{path}: BMP has no transparency, so alpha is left out"
    with pytest.warns(UserWarning, match=whole(message)):
        write_picture(path, Picture(array, np.zeros(array.shape[:2])))
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.pixels, array)
    assert picture.alpha is None


def test_jpeg_is_close_and_says_what_it_leaves_out(tmp_path):
    smooth = np.linspace(0, 1, 32 * 32 * 3, dtype=np.float32).reshape(32, 32, 3)
    path, profile = tmp_path / "a.jpg", profile_of(b"RGB ")
    with pytest.warns(
        UserWarning, match=whole(f"{path}: JPEG has no transparency, so alpha is left out")
    ):
        write_picture(path, Picture(smooth, smooth[..., 0], meta=Meta(profile)))
    picture = read_picture(path)
    np.testing.assert_allclose(picture.pixels, smooth, atol=0.03)
    assert picture.alpha is None and picture.icc_profile == profile


def read_bytes(tmp_path, data: bytes) -> Picture:
    path = tmp_path / "image"
    path.write_bytes(data)
    return read_picture(path)


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("transparent", [True, False])
def test_a_palette_is_looked_up(tmp_path, grey, transparent):
    palette = integers(1 if grey else 3, np.uint8, 16, 1).reshape(16, -1)
    colours = np.broadcast_to(palette, (16, 3))
    alphas = integers(1, np.uint8, 1, 16)[0]
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
    array = integers(channels, np.uint8 if depth == 8 else np.uint16)
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
    array = integers(3, dtype, 33, 17)
    stored = array if planar == "contig" else np.moveaxis(array, 2, 0)
    if options:
        options = {**options, "predictor": True}
    data = tiff(stored, byteorder=byteorder, planarconfig=planar, photometric="rgb", **options)
    np.testing.assert_array_equal(read_bytes(tmp_path, data).pixels, unit(array))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_where_0_is_white(tmp_path, dtype):
    array = integers(1, dtype)
    picture = read_bytes(tmp_path, tiff(array, photometric="miniswhite"))
    np.testing.assert_array_equal(picture.pixels, unit(np.iinfo(dtype).max - array))


def test_big_tiff_is_read(tmp_path):
    array = integers(3, np.uint16)
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
        array, deep = integers(channels), integers(channels, np.uint16)
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
    blocks = np.kron(integers(1, np.uint8, 3, 2), np.ones((16, 16), np.uint8))
    for kind, options in (("JPEG", {"quality": 100}), ("WEBP", {"lossless": True})):
        picture = read_bytes(tmp_path, saved(blocks, kind, exif=exif, **options))
        found = picture.pixels if picture.pixels.ndim == 2 else picture.pixels[..., 0]
        np.testing.assert_allclose(found, unit(UPRIGHT[orientation](blocks)), atol=2 / 255)


def test_damaged_exif_does_not_hide_the_photograph(tmp_path):
    data = saved(integers(3), "JPEG", exif=b"Exif\0\0no such thing")
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
    assert read_bytes(tmp_path, saved(integers(1), "JPEG")).pixels.shape == (7, 5)


def test_a_stereo_photograph_is_read_as_its_first_view(tmp_path):
    views = [PILImage.fromarray(np.full((16, 16, 3), level, np.uint8)) for level in (50, 200)]
    file = io.BytesIO()
    views[0].save(file, "MPO", save_all=True, append_images=views[1:])
    np.testing.assert_allclose(read_bytes(tmp_path, file.getvalue()).pixels, 50 / 255, atol=1e-7)


# ------------------------------------------------------------------------------------- bad files


def refuse(tmp_path, data: bytes, message: str) -> None:
    """``message`` continues the file's name, and is a regular expression."""
    path = tmp_path / "bad.png"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))} {message}$"):
        read_picture(path)


def test_what_is_no_image_file_is_refused(tmp_path):
    refuse(tmp_path, b"", r"is empty \(0 bytes\), but must be an image file")
    message = "does not hold a PNG, JPEG, TIFF, WebP or BMP image, whatever its name says"
    for data in (
        b"x",
        b"not an image at all",
        saved(integers(3), "PPM"),
    ):
        refuse(tmp_path, data, message)


WHOLE_FILES = {
    "png": saved(integers(3, np.uint8, 40, 50), "PNG"),
    "png 16": png(50, 40, 16, 2, raw_16(integers(3, np.uint16, 40, 50))),
    "jpeg": saved(integers(3, np.uint8, 40, 50), "JPEG"),
    "webp": saved(integers(3, np.uint8, 40, 50), "WEBP", lossless=True),
    "bmp": saved(integers(3, np.uint8, 40, 50), "BMP"),
    "tiff": saved(integers(3, np.uint8, 40, 50), "TIFF"),
    "tiff lzw": saved(integers(3, np.uint8, 40, 50), "TIFF", compression="tiff_lzw"),
    "tiff 16": tiff(integers(3, np.uint16, 40, 50)),
    "tiff 16 zlib": tiff(integers(3, np.uint16, 40, 50), compression="zlib"),
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
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, monkeypatch, kind, side):
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

    def decoded(*_, **__):
        raise AssertionError("it was decoded")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", decoded)
    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "load", decoded)
    monkeypatch.setattr(WebPImagePlugin.WebPImageFile, "load", decoded)
    monkeypatch.setattr(imagecodecs, "png_decode", decoded)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", decoded)
    refuse(
        tmp_path, data, "has more than 150,000,000 pixels, the limit against decompression bombs"
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_several_images_in_a_file_are_refused(tmp_path, dtype):
    message = "holds 3 images, but must hold one; save the one you want"
    pages = [PILImage.fromarray(integers(c)) for c in (3, 3, 3)]
    for level, page in enumerate(pages):
        page.paste((100 * level, 0, 0), (0, 0, 3, 3))
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True})):
        file = io.BytesIO()
        pages[0].save(file, kind, save_all=True, append_images=pages[1:], **options)
        refuse(tmp_path, file.getvalue(), message)
    refuse(tmp_path, tiff(np.stack([integers(1, dtype)] * 3), photometric="minisblack"), message)


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
    array = integers(4, np.uint16)
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


def test_a_format_that_is_too_small_is_named(tmp_path):
    path = tmp_path / "a.webp"
    with pytest.raises(
        ValueError, match=f"^{re.escape(str(path))} cannot hold 16384×1 pixels \\(.+\\)$"
    ):
        write_image(path, np.zeros((1, 16_384), np.float32))
    assert list(tmp_path.iterdir()) == []
