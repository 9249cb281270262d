"""Pictures written: what the file says beside its pixels stays true, and what is lost is said."""

import io
import struct
import zlib
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
import tifffile
from helpers import integers, unit, whole
from PIL import Image, ImageCms

from dncnn_lib.images import SUFFIXES, Meta, Picture, decode_picture, read_picture, write_picture

RGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREY_PROFILE = RGB_PROFILE[:16] + b"GRAY" + RGB_PROFILE[20:]
LINEAR = {"gAMA": struct.pack(">I", 100000)}
DATE = "2020:01:02 03:04:05"
JPEGS = (".jpg", ".jpeg", ".jpe", ".jfif")


def colour(bits=8, meta=Meta(), channels=3):
    smooth = np.linspace(0, 1, 24 * 16 * 3, dtype=np.float32).reshape(24, 16, 3)
    return Picture(smooth if channels == 3 else smooth[..., 0], None, bits, meta)


def written(tmp_path, suffix, picture, *messages):
    """The bytes of the file; exactly these messages, without its name, are warned of."""
    path = tmp_path / f"a{suffix}"
    if not messages:
        write_picture(path, picture)
        return path.read_bytes()
    with pytest.warns(UserWarning) as caught:
        write_picture(path, picture)
    assert [str(warning.message) for warning in caught] == [f"{path}: {m}" for m in messages]
    return path.read_bytes()


def opened(data):
    return Image.open(io.BytesIO(data))


def chunks(data):
    """The chunks of a PNG, each with a right check sum, by name, in order."""
    found, place = {}, 8
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        name, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", data, place + 8 + length)[0] == zlib.crc32(name + body)
        assert name == b"IDAT" or name not in found
        found[name.decode()] = body
        place += 12 + length
    return found


def photograph(orientation=6, kind="JPEG", text="Jo"):
    """A file with all that a camera tells, and its pixels, upright."""
    told = Image.Exif()
    told.update({0x112: orientation, 0x132: DATE, 0x10F: "Maker", 0x110: "Model", 0x13B: text})
    told[0x8769] = {
        0x829A: 0.004, 0x9003: DATE, 0x927C: b"maker" * 9, 0xA002: 24, 0xA003: 16, 0xA434: "Lens",
    }  # fmt: skip
    told[0x8825] = {1: "N", 2: (47.0, 30.0, 1.5), 3: "E", 4: (8.0, 1.0, 2.0)}
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    file = io.BytesIO()
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    Image.fromarray(pixels).save(file, kind, exif=told.tobytes(), dpi=(300, 150), **options)
    turned = {6: np.rot90(pixels, -1), 8: np.rot90(pixels), 3: pixels[::-1, ::-1]}
    turned |= {1: pixels, 2: pixels[:, ::-1], 4: pixels[::-1], 5: pixels.swapaxes(0, 1)}
    turned[7] = np.rot90(pixels, -1)[:, ::-1][::-1, ::-1]
    return file.getvalue(), turned[orientation]


def check_told(image, text="Jo"):
    told = image.getexif()
    assert [told.get(tag) for tag in (0x112, 0x132, 0x10F, 0x110, 0x13B)] == [
        None, DATE, "Maker", "Model", text,
    ]  # fmt: skip
    exposure, place = dict(told.get_ifd(0x8769)), told.get_ifd(0x8825)
    assert float(exposure.pop(0x829A)) == pytest.approx(0.004)
    assert exposure == {0x9003: DATE, 0xA434: "Lens"}
    assert (place[1], place[3]) == ("N", "E")
    assert tuple(map(float, place[2])) == (47, 30, 1.5)
    assert tuple(map(float, place[4])) == (8, 1, 2)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_a_turned_photograph_is_not_turned_twice(tmp_path, orientation, suffix):
    data, upright = photograph(orientation, "PNG")
    picture = decode_picture(data)
    np.testing.assert_array_equal(picture.pixels, unit(upright))
    result = written(tmp_path, suffix, picture)
    image = opened(result)
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), upright)
    check_told(image)
    again = decode_picture(result)
    np.testing.assert_array_equal(again.pixels, unit(upright))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff"])
def test_what_a_camera_tells_stays(tmp_path, kind, suffix):
    picture = decode_picture(photograph(kind=kind)[0])
    image = opened(written(tmp_path, suffix, picture))
    check_told(image)
    assert image.size == (16, 24)
    if kind != "WEBP" and suffix != ".webp":
        assert [round(float(value)) for value in image.info["dpi"]] == [300, 150]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_what_a_camera_tells_stays_in_16_bits(tmp_path, suffix):
    picture = replace(decode_picture(photograph()[0]), bits=16)
    data = written(tmp_path, suffix, picture)
    again = decode_picture(data)
    assert (again.bits, again.meta.dpi, again.meta.icc_profile) == (16, (300, 150), None)
    np.testing.assert_allclose(again.pixels, picture.pixels, atol=1e-5)
    check_told(opened(written(tmp_path, ".png", again)))  # and back
    if suffix == ".tif":
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            tags = file.pages[0].tags
            assert [tag.code for tag in tags] == sorted(tag.code for tag in tags)
            assert tags[0x8769].value["DateTimeOriginal"] == DATE
            assert tags[0x8825].value["GPSLatitude"] == (47, 1, 30, 1, 3, 2)
        np.testing.assert_allclose(imagecodecs.tiff_decode(data) / 65535, picture.pixels, atol=1e-5)


@pytest.mark.parametrize("bits", [8, 16])
def test_texts_that_are_not_ascii_stay(tmp_path, bits):
    told = [(315, "s", 0, "Jörg ©".encode("latin-1"), True)]
    file = io.BytesIO()
    dtype = np.uint8 if bits == 8 else np.uint16
    tifffile.imwrite(file, integers(3, dtype), photometric="rgb", extratags=told, description="é"
                     .encode("latin-1"), software=False, metadata=None)  # fmt: skip
    picture = decode_picture(file.getvalue())
    for suffix in (".tif", ".png", ".jpg", ".webp"):
        found = opened(written(tmp_path, suffix, picture)).getexif()
        assert (found[315], found[270]) == ("Jörg ©", "é")


def test_more_text_than_a_jpeg_holds_is_left_out(tmp_path):
    told = Image.Exif()
    told[270] = "x" * 70000
    picture = colour(meta=Meta(exif=told.tobytes()))
    message = "JPEG has no place for its date, camera and text, which are left out"
    assert not opened(written(tmp_path, ".jpg", picture, message)).getexif()
    for suffix in (".png", ".webp", ".tif"):
        assert opened(written(tmp_path, suffix, picture)).getexif()[270] == "x" * 70000
    told[270] = "x" * 60000
    picture = colour(meta=Meta(exif=told.tobytes()))
    assert opened(written(tmp_path, ".jpg", picture)).getexif()[270] == "x" * 60000


def test_bmp_has_no_place(tmp_path):
    told = Image.Exif()
    told[0x132] = DATE
    picture = colour(meta=Meta(RGB_PROFILE, told.tobytes(), (300, 300), LINEAR))
    data = written(
        tmp_path, ".bmp", picture,
        "BMP has no place for the colour profile, which is left out",
        "BMP has no place for the PNG's gamma of 1, so it may look different",
        "BMP has no place for its date, camera and text, which are left out",
    )  # fmt: skip
    assert [round(value) for value in opened(data).info["dpi"]] == [300, 300]


# ------------------------------------------------------------------------------ colour profiles


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("profile", [RGB_PROFILE, GREY_PROFILE])
def test_a_profile_fits_its_values(tmp_path, bits, suffix, channels, profile):
    picture = colour(bits, Meta(profile), channels)
    grey = profile == GREY_PROFILE
    fits = not grey or (channels == 1 and suffix != ".webp")
    message = "its colour profile, for grey, does not fit RGB values and is left out"
    data = written(tmp_path, suffix, picture, *[] if fits else [message])
    again = decode_picture(data)
    assert again.meta.icc_profile == (profile if fits else None)
    colourless = channels == 1 and grey and suffix != ".webp"
    assert (again.pixels.ndim == 2) == colourless
    found = again.pixels if again.pixels.ndim == picture.pixels.ndim else again.pixels[..., 0]
    np.testing.assert_allclose(found, picture.pixels, atol=0.03 if suffix == ".jpg" else 0.003)


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_with_alpha_and_a_profile_for_rgb(tmp_path, bits):
    dtype = np.uint8 if bits == 8 else np.uint16
    values = integers(2, dtype)
    picture = Picture(unit(values[..., 0]), unit(values[..., 1]), bits, Meta(RGB_PROFILE))
    data = written(tmp_path, ".png", picture)
    expected = values[..., [0, 0, 0, 1]]
    np.testing.assert_array_equal(imagecodecs.png_decode(data), expected)
    np.testing.assert_array_equal(
        imagecodecs.tiff_decode(written(tmp_path, ".tif", picture)), expected
    )


@pytest.mark.parametrize(
    "profile",
    [b"abc", bytes(300), RGB_PROFILE[:-1], RGB_PROFILE[:40]],
    ids=["text", "zeros", "one byte short", "40 bytes"],
)
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp"])
def test_a_malformed_profile_is_left_out(tmp_path, profile, suffix):
    message = "its colour profile is malformed and is left out"
    data = written(tmp_path, suffix, colour(meta=Meta(profile)), message)
    assert "icc_profile" not in opened(data).info or not opened(data).info["icc_profile"]


@pytest.mark.parametrize(("space", "name"), [(b"CMYK", "CMYK"), (b"Lab ", "Lab")])
def test_a_profile_for_another_space_is_left_out(tmp_path, space, name):
    profile = RGB_PROFILE[:16] + space + RGB_PROFILE[20:]
    message = f"its colour profile, for {name}, does not fit RGB values and is left out"
    data = written(tmp_path, ".png", colour(meta=Meta(profile)), message)
    assert "iCCP" not in chunks(data)


# ---------------------------------------------------------------------------- the colours of a PNG

CHRM = struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)  # Adobe RGB
SRGB_CHRM = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
STANDARD = struct.pack(">I", 45455)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_they_stay_in_a_png(tmp_path, bits, channels):
    some = {**LINEAR, "cHRM": CHRM, "cICP": bytes([9, 16, 0, 1])}
    meta = Meta(RGB_PROFILE if channels == 3 else GREY_PROFILE, None, (300, 150), some)
    found = chunks(written(tmp_path, ".png", colour(bits, meta, channels)))
    assert {name: found[name] for name in some} == some
    assert found["pHYs"] == struct.pack(">IIB", 11811, 5906, 1)
    before = list(found)[: list(found).index("IDAT")]
    assert {*some, "iCCP", "pHYs"} <= set(before) and before[0] == "IHDR"
    assert zlib.decompress(found["iCCP"].split(b"\0", 2)[2]) == meta.icc_profile
    assert read_picture(tmp_path / "a.png").meta.chunks == some


@pytest.mark.parametrize("suffix", sorted({*SUFFIXES} - {".png"}))
@pytest.mark.parametrize(
    ("some", "what"),
    [
        (LINEAR, "gamma of 1"),
        ({"gAMA": STANDARD, "cHRM": CHRM}, "cHRM"),
        ({"cICP": bytes([9, 16, 0, 1])}, "cICP"),
        ({"cICP": bytes([12, 13, 0, 1])}, "cICP"),
    ],
)
def test_elsewhere_there_is_a_warning(tmp_path, suffix, some, what):
    kind = {**dict.fromkeys(JPEGS, "JPEG"), ".tif": "TIFF"}.get(suffix, suffix[1:].upper())
    message = f"{kind} has no place for the PNG's {what}, so it may look different"
    written(tmp_path, suffix, colour(meta=Meta(chunks=some)), message)


@pytest.mark.parametrize(
    "some",
    [
        {"sRGB": b"\0", "gAMA": struct.pack(">I", 100000)},
        {"gAMA": STANDARD, "cHRM": SRGB_CHRM},
        {"cICP": bytes([1, 13, 0, 1])},
        {"gAMA": bytes(4)},
        {},
    ],
)
def test_without_a_word_where_they_are_those_of_srgb(tmp_path, some):
    written(tmp_path, ".jpg", colour(meta=Meta(chunks=some)))
    written(tmp_path, ".webp", colour(meta=Meta(chunks=some)))


# ------------------------------------------------------------------------------------- the values


@pytest.mark.parametrize("suffix", JPEGS)
def test_jpeg_has_whole_chroma_at_quality_95(tmp_path, suffix):
    picture = colour()
    image = opened(written(tmp_path, suffix, picture))
    file = io.BytesIO()
    values = np.rint(picture.pixels * 255).astype(np.uint8)
    Image.fromarray(values).save(file, "JPEG", quality=95, subsampling=0)
    assert image.format == "JPEG" and image.quantization == opened(file.getvalue()).quantization
    assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3
    np.testing.assert_array_equal(np.asarray(image), np.asarray(opened(file.getvalue())))


@pytest.mark.parametrize("peak", [1023, 4095])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_stated_maximum_comes_back(tmp_path, peak, channels):
    values = np.round(integers(channels, np.uint16) / 65535 * peak).astype(np.uint16)
    colours = 3 if channels > 2 else 1
    file = io.BytesIO()
    tifffile.imwrite(
        file, values, photometric="rgb" if colours == 3 else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        extratags=[(281, "H", colours, (peak,) * colours, True)], software=False, metadata=None,
    )  # fmt: skip
    picture = decode_picture(file.getvalue())
    data = written(tmp_path, ".tif", picture)
    np.testing.assert_array_equal(imagecodecs.tiff_decode(data), values)
    assert decode_picture(data).meta.peak == peak
    spread = imagecodecs.png_decode(written(tmp_path, ".png", picture))
    np.testing.assert_allclose(spread, values * (65535 / peak), atol=1)
    assert read_picture(tmp_path / "a.png").meta.peak is None
    if channels == 3:
        eight = np.asarray(opened(written(tmp_path, ".bmp", picture)))
        np.testing.assert_allclose(eight, values * (255 / peak), atol=0.51)


@pytest.mark.parametrize("dpi", [(1, 1), (72, 72), (300, 150), (65535, 600)])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".bmp"])
@pytest.mark.parametrize("bits", [8, 16])
def test_resolutions_come_back(tmp_path, dpi, suffix, bits):
    data = written(tmp_path, suffix, colour(bits, Meta(dpi=dpi)))
    assert decode_picture(data).meta.dpi == dpi


def test_a_stated_resolution_is_not_made_up(tmp_path):
    told = Image.Exif()
    told[0x132] = DATE
    for suffix in (".jpg", ".tif", ".png", ".webp"):
        for bits in (8, 16):
            data = written(tmp_path, suffix, colour(bits, Meta(exif=told.tobytes())))
            assert decode_picture(data).meta.dpi is None


def test_the_message_names_the_file(tmp_path):
    path = tmp_path / "a.jpg"
    message = f"{path}: JPEG has no place for the PNG's gamma of 1, so it may look different"
    with pytest.warns(UserWarning, match=whole(message)):
        write_picture(path, colour(meta=Meta(chunks=LINEAR)))
