"""Image files as people have them: the pixels are read, and what is left out is said."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from helpers import integers, raises, unit, whole
from PIL import Image

from dncnn_lib.images import decode_picture

MALFORMED = "the file has malformed data beside its pixels, which are left out"
BAD_EXIF = "the file has malformed EXIF data, which are left out"
UNSPECIFIED = "the file has a further channel of an unspecified kind, which is left out"
MINI = {"photometric": "minisblack", "metadata": None}
RGB = {"photometric": "rgb", "metadata": None}


def says(message):
    return pytest.warns(UserWarning, match=whole(message))


def refuses(reason):
    return raises(ValueError, f"the file {reason}")


def equal(data, expected, alpha=None):
    picture = decode_picture(data)
    np.testing.assert_allclose(picture.pixels, expected, atol=1e-6, rtol=0)
    assert (picture.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_allclose(picture.alpha, alpha, atol=1e-6, rtol=0)
    return picture


def chunk(name, body, crc=None):
    crc = zlib.crc32(name + body) if crc is None else crc
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)


def png(values, *chunks):
    """A PNG of grey or RGB values, byte by byte, with chunks before its pixels."""
    height, width = values.shape[:2]
    bits = 8 * values.dtype.itemsize
    kind = 2 if values.ndim == 3 else 0
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    big_endian = values.astype(values.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + row.tobytes() for row in big_endian)
    body = chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def saved(values, kind, **options):
    file = io.BytesIO()
    Image.fromarray(values).save(file, kind, **options)
    return file.getvalue()


def tiff(values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def pages(*some):
    """A TIFF of pages (values, subfiletype, options)."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for values, kind, options in some:
            writer.write(values, subfiletype=kind, **options)
    return file.getvalue()


def segment(marker, body):
    return bytes([255, marker]) + struct.pack(">H", len(body) + 2) + body


@pytest.fixture
def jpeg():
    """A JPEG, and its pixels by Pillow."""
    smooth = np.linspace(0, 255, 24 * 16 * 3).reshape(24, 16, 3).astype(np.uint8)
    data = saved(smooth, "JPEG", quality=95)
    return data, unit(np.asarray(Image.open(io.BytesIO(data))))


def beside(data, *segments):
    return data[:2] + b"".join(segments) + data[2:]


# -------------------------------------------------------------------------------------------- PNG


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", [b"tEXt", b"gAMA", b"iCCP", b"eXIf", b"pHYs", b"tIME", b"prVt"])
def test_a_chunk_with_a_wrong_check_sum(dtype, name):
    values = integers(3, dtype)
    with says(MALFORMED):
        picture = equal(png(values, chunk(name, b"a\0bcdefgh", crc=1)), unit(values))
    assert picture.meta.chunks == {} and picture.meta.icc_profile is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("name", "body"),
    [
        (b"gAMA", b"abc"),
        (b"cHRM", b"abc"),
        (b"pHYs", b"abc"),
        (b"iCCP", b"abc"),
        (b"iCCP", b"a\0\0" + zlib.compress(bytes(3_000_000))),
        (b"zTXt", b"a\0\0" + zlib.compress(bytes(3_000_000))),
        (b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(3_000_000))),
    ],
)
def test_a_malformed_chunk(dtype, name, body):
    values = integers(3, dtype)
    with says(MALFORMED):
        equal(png(values, chunk(name, body)), unit(values))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_malformed_chunks_that_nothing_is_taken_from(capfd, dtype):
    values = integers(3, dtype)
    some = [chunk(name, b"a") for name in (b"tIME", b"bKGD", b"sBIT", b"iTXt", b"hIST")]
    equal(png(values, *some, chunk(b"tEXt", b"a\0" + bytes(900_000))), unit(values))
    assert capfd.readouterr() == ("", "")


def test_malformed_transparency():
    values = integers(3)
    with says(MALFORMED):
        equal(png(values, chunk(b"tRNS", b"abc")), unit(values))
    transparent = struct.pack(">HHH", *values[2, 2].tolist())
    seen = (values != values[2, 2]).any(axis=2)
    with says(MALFORMED):
        equal(png(values, chunk(b"tRNS", transparent, crc=1)), unit(values), seen)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_transparency_by_a_colour(dtype, channels):
    values = integers(channels, dtype)
    colour = np.atleast_1d(values[2, 2])
    body = struct.pack(f">{channels}H", *colour.tolist())
    seen = (np.atleast_3d(values) != colour).any(axis=2)
    equal(png(values, chunk(b"tRNS", body)), unit(values), seen)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_damaged_pixels_are_not_malformed_data_beside_them(dtype):
    values = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(dtype)
    data = png(values, chunk(b"tEXt", b"a\0b", crc=1))
    header = bytearray(data)
    header[29] ^= 1  # of the check sum of IHDR
    middle = bytearray(data)
    middle[len(data) // 2] ^= 0xFF
    for damaged in (header, middle, data[: len(data) // 2]):
        with pytest.raises(ValueError, match=r"^the file is damaged or truncated \("):
            decode_picture(bytes(damaged))


def test_16_bits_whose_pixels_have_a_wrong_check_sum():
    data = bytearray(png(integers(3, np.uint16)))
    data[-13] ^= 1
    with pytest.raises(ValueError, match=r"^the file is damaged or truncated \("):
        decode_picture(bytes(data))


def test_a_png_keeps_what_tells_its_colours():
    values = integers(3, np.uint16)
    chunks = {"gAMA": struct.pack(">I", 100000), "cICP": bytes([9, 16, 0, 1])}
    chunks["sBIT"] = bytes([12, 12, 12])
    some = [chunk(name.encode(), body) for name, body in chunks.items()]
    picture = equal(png(values, *some, chunk(b"pHYs", struct.pack(">IIB", 11811, 5906, 1))),
                    unit(values))  # fmt: skip
    del chunks["sBIT"]
    assert picture.meta.chunks == chunks and picture.meta.dpi == (300, 150)


def test_the_ratio_of_a_png_is_no_resolution():
    data = png(integers(1), chunk(b"pHYs", struct.pack(">IIB", 2, 1, 0)))
    assert decode_picture(data).meta.dpi is None


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("channels", [1, 3])
def test_few_bits_in_16_are_told(bits, channels):
    values = integers(channels, np.uint16) >> (16 - bits)
    most = 2**bits - 1
    message = (
        f"the file has 16 bits, but no value above {most:,} of 65,535: if white is {most:,}, as in "
        "a camera's file, noise is measured far too weak; multiply the values by "
        f"{65535 // most} first"
    )
    with says(message):
        equal(png(values), values / 65535)
    with says(message):
        equal(tiff(values, photometric="rgb" if channels == 3 else "minisblack"), values / 65535)
    equal(png(values << (16 - bits)), unit(values << (16 - bits)))


# ------------------------------------------------------------------------------------------- EXIF


def exif(*entries, after=b"", order="<"):
    """entries: (tag, type, count, value or address)."""
    head = b"II*\0" if order == "<" else b"MM\0*"
    body = head + struct.pack(order + "IH", 8, len(entries))
    for entry in entries:
        body += struct.pack(order + "HHII", *entry)
    return body + bytes(4) + after


SIX = (0x112, 3, 1, 6)  # turn it to the right
FAR = 0x7FFFFFF0


def with_exif(kind, values, body):
    if kind == "PNG":
        return png(values, chunk(b"eXIf", body))
    file = saved(values, "WEBP", lossless=True, exact=True)
    height, width = values.shape[:2]
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([8, 0, 0, 0]) + sizes
    added = b"EXIF" + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    whole_file = b"WEBP" + extended + file[12:] + added
    return b"RIFF" + struct.pack("<I", len(whole_file)) + whole_file


HARMLESS = [
    exif(SIX, (0x8769, 4, 1, FAR)),
    exif(SIX, (0x8825, 4, 1, FAR)),
    exif(SIX, (0x8825, 2, 4, 0x30303030)),
    exif(SIX, (0x8769, 4, 1, 8)),  # points at itself
    exif(SIX, (0x132, 2, 20, FAR)),
    exif(SIX, (0x10E, 2, 0xFFFFFFFF, 60)),
    exif(SIX, (0x131, 12, 1, 8)),
    exif(SIX, (0x13B, 99, 1, 0)),
]


@pytest.mark.filterwarnings("ignore:the file has malformed EXIF data")
@pytest.mark.parametrize("body", HARMLESS)
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_malformed_entry_leaves_the_orientation(kind, body):
    values = integers(3)
    equal(with_exif(kind, values, body), unit(np.rot90(values, -1)))


@pytest.mark.filterwarnings("ignore:the file has malformed EXIF data")
@pytest.mark.parametrize("body", HARMLESS)
def test_a_malformed_entry_of_a_jpeg(jpeg, body):
    data, pixels = jpeg
    equal(beside(data, segment(0xE1, b"Exif\0\0" + body)), np.rot90(pixels, -1))


@pytest.mark.parametrize("body", [b"garbage! garbage!", b"II*\0", b"II"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_is_no_exif_is_left_out_with_a_warning(kind, body):
    values = integers(3)
    with says(BAD_EXIF):
        assert equal(with_exif(kind, values, body), unit(values)).meta.exif is None


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientations_that_are_none(orientation):
    values = integers(3)
    equal(with_exif("PNG", values, exif((0x112, 3, 1, orientation))), unit(values))


# ------------------------------------------------------------------------------------------- JPEG


@pytest.mark.parametrize(
    "body",
    [
        segment(0xE2, b"ICC_PROFILE\0"),
        segment(0xEE, b"Adobe"),
        segment(0xED, b"Photoshop 3.0\x008BIM\4\4\0\0\xff\xff\xff\xff"),
        segment(0xE2, b"MPF\0II*\0\xff\xff\xff\xff"),
        b"\xff\xff" + segment(0xE2, b"ICC_PROFILE\0"),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta"),
        segment(0xFE, b"\xff" * 50),
    ],
)
@pytest.mark.filterwarnings(f"ignore:{MALFORMED}")
def test_malformed_segments(jpeg, body):
    data, pixels = jpeg
    equal(beside(data, body), pixels)


def test_a_malformed_profile_in_a_jpeg_is_told(jpeg):
    data, pixels = jpeg
    with says(MALFORMED):
        equal(beside(data, segment(0xE2, b"ICC_PROFILE\0")), pixels)
    with says(MALFORMED):
        equal(data[:2] + segment(0xE0, b"JFIF\0") + data[20:], pixels)


def test_a_truncated_jpeg_is_not_mended(jpeg):
    data = beside(jpeg[0], segment(0xE2, b"ICC_PROFILE\0"))
    with pytest.raises(ValueError, match=r"^the file is damaged or truncated \("):
        decode_picture(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("unit_", "density", "dpi"),
    [(1, 300, (300, 300)), (2, 118, (300, 300)), (0, 1, None), (1, 0, None)],
)
def test_the_resolution_of_a_jpeg(jpeg, unit_, density, dpi):
    data = jpeg[0][:13] + struct.pack(">BHH", unit_, density, density) + jpeg[0][18:]
    assert decode_picture(data).meta.dpi == dpi


def test_no_resolution_is_made_up(jpeg):
    data = beside(jpeg[0], segment(0xE1, b"Exif\0\0" + exif(SIX)))
    assert decode_picture(data).meta.dpi is None
    stated = exif((0x11A, 5, 1, 50), (0x128, 3, 1, 2), after=bytes(12) + struct.pack("<II", 240, 1))
    data = beside(jpeg[0], segment(0xE1, b"Exif\0\0" + stated))
    assert decode_picture(data).meta.dpi == (240, 240)
    assert decode_picture(saved(integers(3), "TIFF")).meta.dpi is None


def test_kinds_of_jpeg_that_are_not_read():
    grey = integers(1, np.uint16, 16, 16)
    with refuses("is a lossless JPEG, which is not read here; save it as PNG or TIFF"):
        decode_picture(imagecodecs.ljpeg_encode(grey))
    with refuses("is a JPEG-LS picture, which is not read here; save it as PNG"):
        decode_picture(imagecodecs.jpegls_encode(integers(3)))
    twelve = bytearray(saved(integers(1, height=16, width=16), "JPEG"))
    frame = twelve.index(b"\xff\xc0")
    twelve[frame + 1], twelve[frame + 4] = 0xC1, 12
    with refuses("is a JPEG of 12 bits, which is not read here; save it as PNG or TIFF"):
        decode_picture(bytes(twelve))


def test_cmyk_becomes_rgb_without_its_profile():
    file = io.BytesIO()
    inks = Image.fromarray(integers(3)).convert("CMYK")
    inks.save(file, "JPEG", quality=100, icc_profile=bytes(200))
    expected = Image.open(io.BytesIO(file.getvalue())).convert("RGB")
    picture = equal(file.getvalue(), unit(np.asarray(expected)))
    assert picture.meta.icc_profile is None


def test_a_photograph_with_further_views_is_read():
    values = np.full((16, 16, 3), 90, np.uint8)
    file = io.BytesIO()
    more = [Image.fromarray(values // 2)]
    Image.fromarray(values).save(file, "MPO", save_all=True, append_images=more)
    equal(file.getvalue(), unit(values))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_refused(kind):
    values = integers(3)
    more = [Image.fromarray(255 - values)]
    with refuses("holds 2 images, but must hold one; save the one you want"):
        decode_picture(saved(values, kind, save_all=True, append_images=more))


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"GIF89a", "is a GIF"),
        (b"\xff\x0a", "is a JPEG XL picture"),
        (b"\0\0\0\x18ftypheic", "is a HEIC picture or a video"),
        (b"\0\0\0\x18ftypavif", "is an AVIF picture"),
        (b"\0\0\0\x18ftypcrx ", "is a camera's raw file"),
    ],
)
def test_other_formats_are_named(data, named):
    with refuses(f"{named}, which is not read here; save it as PNG, JPEG or TIFF"):
        decode_picture(data)


@pytest.mark.parametrize("data", [b"<!DOCTYPE html>", b"version https://git-lfs", b"P5\n1 1\n255"])
def test_what_is_no_picture(data):
    with refuses("does not hold a PNG, JPEG, TIFF, WebP or BMP image, whatever its name says"):
        decode_picture(data)


def test_palette_and_grey_with_alpha():
    values = integers(3)
    coloured = Image.fromarray(values).quantize(16)
    file = io.BytesIO()
    coloured.save(file, "PNG", transparency=3)
    seen = np.asarray(coloured) != 3
    equal(file.getvalue(), unit(np.asarray(coloured.convert("RGB"))), seen)
    grey = integers(1)
    layers = np.dstack([grey, grey, grey, 255 - grey])
    data = saved(layers, "WEBP", lossless=True, exact=True)
    equal(data, unit(layers[..., :3]), unit(255 - grey))


# ------------------------------------------------------------------------------------------- TIFF


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "zstd", "jpegxl", "jpeg2000", "png"])
def test_compressions(dtype, compression):
    values = integers(3, dtype)
    equal(tiff(values, photometric="rgb", compression=compression), unit(values))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("order", ["<", ">"])
def test_planes_and_tiles(dtype, tile, order):
    values = integers(3, dtype, 20, 18)
    options = {"photometric": "rgb", "tile": tile, "byteorder": order, "compression": "lzw"}
    equal(tiff(values, bigtiff=True, **options), unit(values))
    planes = np.moveaxis(values, 2, 0)
    equal(tiff(planes, planarconfig="separate", predictor=True, **options), unit(values))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("compression", [None, "lzw"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_a_fourth_channel(dtype, channels, compression, planar):
    values = integers(channels, dtype)
    further = integers(1, dtype)[::-1]
    layers = np.dstack([values, further])
    layers = layers if planar == "contig" else np.ascontiguousarray(np.moveaxis(layers, 2, 0))
    options = {"photometric": "rgb" if channels == 3 else "minisblack", "planarconfig": planar}
    options["compression"] = compression
    with says(UNSPECIFIED):
        equal(tiff(layers, extrasamples=["unspecified"], **options), unit(values))
    equal(tiff(layers, extrasamples=["unassalpha"], **options), unit(values), unit(further))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_premultiplied_alpha_in_planes_is_refused_by_name(dtype):
    layers = np.moveaxis(integers(4, dtype), 2, 0)
    data = tiff(layers, photometric="rgb", planarconfig="separate", extrasamples=["assocalpha"])
    bits = 8 * np.dtype(dtype).itemsize
    with refuses(f"has {bits}-bit values of the kind RGB, 4 a pixel, but must be grey or RGB, with "
                 "straight alpha or none"):  # fmt: skip
        decode_picture(data)


@pytest.mark.parametrize("peak", [255, 1023, 4095, 16383, 65534])
@pytest.mark.parametrize("inverted", [False, True])
def test_the_stated_maximum_is_white(peak, inverted):
    values = np.round(integers(1, np.uint16) / 65535 * peak).astype(np.uint16)
    expected = (peak - values if inverted else values) / peak
    photometric = "miniswhite" if inverted else "minisblack"
    data = tiff(values, photometric=photometric, extratags=[(281, "H", 1, peak, True)])
    assert equal(data, expected).meta.peak == peak


def test_the_stated_maximum_of_each_channel():
    values = integers(4, np.uint16) >> 4
    tags = [(281, "H", 4, (4095,) * 4, True)]
    data = tiff(values, photometric="rgb", extrasamples=["unassalpha"], extratags=tags)
    equal(data, values[..., :3] / 4095, values[..., 3] / 4095)


def test_a_stated_maximum_that_cannot_be_white():
    values = integers(1, np.uint16)
    for stated in (1, 4095, 65535):
        data = tiff(values, photometric="minisblack", extratags=[(281, "H", 1, stated, True)])
        assert equal(data, unit(values)).meta.peak is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_reduced_copies_and_masks_are_passed_over(dtype):
    values, small = integers(1, dtype), np.zeros((3, 3), dtype)
    mask = (np.zeros((3, 3), bool), 4, {"photometric": "mask", "metadata": None})
    equal(pages((small, 1, MINI), (values, 0, MINI)), unit(values))
    equal(pages((values, 0, MINI), (small, 1, MINI), mask), unit(values))
    equal(pages((small, 1, MINI), (small, 1, MINI), (values, 0, MINI)), unit(values))
    equal(pages((values, 1, MINI)), unit(values))  # all there is
    with refuses("holds 2 images, but must hold one; save the one you want"):
        decode_picture(pages((values, 0, MINI), (values, 0, MINI)))
    for main, below in ((values, small), (small, values)):
        file = io.BytesIO()
        with tifffile.TiffWriter(file) as writer:
            writer.write(main, subifds=1, subfiletype=int(main is small), **MINI)
            writer.write(below, subfiletype=int(below is small), **MINI)
        equal(file.getvalue(), unit(values))


def test_reduced_copies_before_an_image_that_is_pillows():
    values, small = integers(1), np.zeros((3, 3), np.uint8)
    colours = np.stack([np.arange(256) * 257, np.arange(256)[::-1] * 257, np.arange(256) * 257])
    palette = {"photometric": "palette", "colormap": colours.astype(np.uint16), "metadata": None}
    expected = np.dstack([values, 255 - values, values])
    turned = {**palette, "extratags": [(274, "H", 1, 6, True)], "resolution": (300, 300)}
    data = pages((small, 1, MINI), (values, 0, {**turned, "resolutionunit": "INCH"}))
    assert equal(data, unit(np.rot90(expected, -1))).meta.dpi == (300, 300)
    bilevel = values > 127
    equal(pages((small, 1, MINI), (bilevel, 0, MINI)), bilevel)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("kind", "dpi"), [("INCH", (300, 150)), ("CENTIMETER", (762, 381)), ("NONE", None)]
)
def test_the_resolution_of_a_tiff(dtype, kind, dpi):
    data = tiff(integers(3, dtype), photometric="rgb", resolution=(300, 150), resolutionunit=kind)
    assert decode_picture(data).meta.dpi == dpi


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("tag", [282, 296, 305])
def test_spoilt_tags_of_a_tiff(dtype, tag):
    values = integers(3, dtype)
    data = bytearray(tiff(values, photometric="rgb", metadata=None, resolution=(300, 300),
                          resolutionunit="INCH"))  # fmt: skip
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        place = file.pages[0].tags[tag].offset
    for spoilt in (struct.pack("<HHII", tag, 99, 1, 1), struct.pack("<HHII", tag, 5, 1, FAR)):
        data[place : place + 12] = spoilt
        equal(bytes(data), unit(values))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_address_of_a_next_page_that_leads_nowhere(dtype):
    values = integers(3, dtype)
    data = tiff(values, photometric="rgb", metadata=None)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        place = page.offset + 2 + 12 * len(page.tags)
        first = page.offset
    for address in (FAR, first):
        equal(data[:place] + struct.pack("<I", address) + data[place + 4 :], unit(values))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_texts_of_a_tiff(dtype):
    texts = [(315, "s", 0, "Jörg".encode("latin-1"), True), (306, "s", 0, "2020", True)]
    data = tiff(integers(3, dtype), photometric="rgb", extratags=texts, software=False)
    found = Image.Exif()
    found.load(decode_picture(data).meta.exif)
    assert dict(found) == {315: "Jörg", 306: "2020"}  # not tifffile's own description
