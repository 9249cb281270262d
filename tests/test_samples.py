"""The pictures that come along: there, whole, clean, attributed, and train and test apart."""

import csv
import hashlib
import importlib.util
import re

import numpy as np
import pytest
import skimage.data
import skimage.transform
from PIL import Image as PILImage

from dncnn_lib import samples
from dncnn_lib._files import DATA
from dncnn_lib.images import to_grey
from dncnn_lib.samples import (
    attribution,
    held_out_images,
    sample_image,
    sample_names,
    small_training_set,
)

FOLDER = DATA / "images"
ROWS = attribution()
SHIPPED = [row for row in ROWS if not row["file"].startswith("scikit-image/")]


@pytest.fixture(scope="module")
def build():
    """The script data/build_images.py as a module."""
    spec = importlib.util.spec_from_file_location("build_images", DATA / "build_images.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_files_are_those_of_the_table():
    files = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()}
    assert files == {row["file"] for row in SHIPPED} | {"attribution.csv"}
    assert {row["file"].split("/")[0] for row in SHIPPED} == {"train", "test"}
    assert all(row["file"].startswith(row["split"] + "/") for row in SHIPPED)


def test_all_of_it_is_small():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) < 8_000_000


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_a_picture_is_the_one_of_the_table(row):
    assert all(row.values()), "every column is filled in"
    data = samples._path(row["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == row["sha256"]
    if cropped := re.search(r"cropped (\d+)x(\d+)", row["changes"]):
        width, height = map(int, cropped.groups())
        assert sample_image(row["name"]).shape[:2] == (height, width)
    assert re.fullmatch(
        r"none|(averaged (\d+)x\2)?(, )?(cropped \d+x\d+\+\d+\+\d+)?", row["changes"]
    )


def test_what_is_shipped_may_be_shipped():
    urls = {
        "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
        "CC-BY-2.0": "https://creativecommons.org/licenses/by/2.0/",
        "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    }
    assert all(urls[row["licence"]] == row["licence_url"] for row in SHIPPED)


def test_no_photograph_is_in_train_and_in_test():
    originals = {
        split: {row["original_sha256"] for row in ROWS if row["split"] == split}
        for split in ("train", "test")
    }
    assert not originals["train"] & originals["test"]
    assert sum(map(len, originals.values())) == len(ROWS), "and none is used twice"


@pytest.mark.parametrize("row", SHIPPED, ids=lambda row: row["name"])
def test_what_is_shipped_is_clean(row):
    """In the flattest 2 % of its blocks a picture has noise below 2 on the 0–255 scale."""
    image = 255 * sample_image(row["name"], grey=True)
    rows, columns = (range(0, size - 15, 16) for size in image.shape)
    blocks = [image[y : y + 16, x : x + 16] for y in rows for x in columns]
    estimates = [median_deviation(block) for block in blocks if 12 < block.mean() < 243]
    assert np.percentile(estimates, 2) < 2


def median_deviation(block: np.ndarray) -> float:
    """Donoho's estimate of σ, from the diagonal Haar coefficients."""
    diagonal = (block[:-1, :-1] - block[1:, :-1] - block[:-1, 1:] + block[1:, 1:]) / 2
    return float(np.median(np.abs(diagonal)) / 0.6745)


def test_the_contract():
    camera = sample_image("camera")
    assert camera.dtype == np.float32 and camera.shape == (512, 512)
    np.testing.assert_array_equal(camera, np.float32(skimage.data.camera()) / np.float32(255))


def test_every_name_gives_an_image():
    names = sample_names()
    assert names[0] == "camera" and len(set(names)) == len(names) == len(ROWS)
    for name in names:
        image = sample_image(name)
        assert image.dtype == np.float32 and 0 <= image.min() < image.max() <= 1
        assert image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)


def test_grey_and_colour_on_demand():
    colour, grey = sample_image("pagoda"), sample_image("camera")
    assert colour.shape == (213, 320, 3)
    np.testing.assert_array_equal(sample_image("pagoda", grey=False), colour)
    np.testing.assert_array_equal(sample_image("pagoda", grey=True), to_grey(colour))
    np.testing.assert_array_equal(sample_image("camera", grey=True), grey)
    np.testing.assert_array_equal(sample_image("camera", grey=False), np.dstack([grey] * 3))


def test_an_unknown_name_is_answered_with_the_known_ones():
    known = ", ".join(repr(name) for name in sample_names())
    message = f"^{re.escape(f'name is {chr(39)}lena{chr(39)}, but must be one of {known}')}$"
    with pytest.raises(ValueError, match=message):
        sample_image("lena")


def test_the_held_out_images_are_those_for_tests():
    grey, colour = held_out_images(), held_out_images(grey=False)
    assert list(grey) == list(colour) == [row["name"] for row in ROWS if row["split"] == "test"]
    assert all(image.ndim == 2 and image.dtype == np.float32 for image in grey.values())
    assert all(image.shape[2:] == (3,) for image in colour.values())
    np.testing.assert_array_equal(grey["dogs"], sample_image("dogs", grey=True))


def test_the_training_set():
    grey, colour = small_training_set(), small_training_set(grey=False)
    names = [row["name"] for row in ROWS if row["split"] == "train"]
    assert len(grey) == len(colour) == len(names)
    assert all(image.dtype == np.uint8 and image.ndim == 2 for image in grey)
    assert all(image.shape == (*other.shape, 3) for image, other in zip(colour, grey))
    np.testing.assert_array_equal(colour[names.index("astronaut")], skimage.data.astronaut())
    with PILImage.open(FOLDER / "train" / "stream.webp") as picture:
        stream = np.asarray(picture)
    np.testing.assert_array_equal(colour[names.index("stream")], stream)
    expected = stream @ np.array([0.2989, 0.5870, 0.1140])
    assert np.abs(grey[names.index("stream")] - expected).max() <= 0.501


def test_rows_cannot_be_changed_from_outside():
    attribution()[0]["name"] = "another"
    assert attribution()[0]["name"] == "camera"


def test_reducing_takes_the_mean_of_squares(build):
    image = np.random.default_rng(0).integers(0, 256, (17, 23, 3), np.uint8)
    expected = skimage.transform.downscale_local_mean(image[:15, :21].astype(float), (3, 3, 1))
    reduced = build.average(image, 3)
    assert reduced.shape == (5, 7, 3) and reduced.dtype == np.uint8
    np.testing.assert_array_equal(reduced, np.rint(expected))
    cropped = build.change(image, "averaged 3x3, cropped 4x2+1+3")
    np.testing.assert_array_equal(cropped, reduced[3:5, 1:5])
    np.testing.assert_array_equal(build.change(image, "none"), image)


def test_building_writes_pixels_and_hashes(build, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(build, "IMAGES", tmp_path)
    image = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    PILImage.fromarray(image).save(tmp_path / "photograph.png")
    digest = hashlib.sha256((tmp_path / "photograph.png").read_bytes()).hexdigest()
    row = dict.fromkeys(ROWS[0], "?") | {"original": "photograph.png", "original_sha256": digest}
    rows = [
        row | {"file": "train/a.webp", "changes": "averaged 2x2"},
        row | {"file": "test/b.png", "changes": "cropped 8x4+2+1"},
        row | {"file": "scikit-image/c.png", "original": "missing.png"},
    ]
    table = tmp_path / "attribution.csv"
    with open(table, "w", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerows(rows)
    build.main([str(tmp_path)])
    files = (tmp_path / "train" / "a.webp", tmp_path / "test" / "b.png")
    for file, expected in zip(files, (build.average(image, 2), image[1:5, 2:10])):
        with PILImage.open(file) as picture:
            np.testing.assert_array_equal(np.asarray(picture), expected)
    with open(table, newline="") as file:
        hashes = [noted["sha256"] for noted in csv.DictReader(file)]
    assert hashes == [*(hashlib.sha256(path.read_bytes()).hexdigest() for path in files), "?"]
    # what has the right pixels stays, however it was compressed
    PILImage.fromarray(image[1:5, 2:10]).save(files[1], compress_level=0)
    before = files[1].read_bytes()
    build.main([str(tmp_path)])
    assert files[1].read_bytes() == before
    # another photograph under the same name
    PILImage.fromarray(255 - image).save(tmp_path / "photograph.png")
    message = f"{tmp_path / 'photograph.png'} has another SHA-256 than attribution.csv says"
    with pytest.raises(SystemExit, match=f"^{re.escape(message)}$"):
        build.main([str(tmp_path)])
    (tmp_path / "photograph.png").unlink()
    message = f"photograph.png is in none of the folders {[str(tmp_path)]}"
    with pytest.raises(SystemExit, match=f"^{re.escape(message)}$"):
        build.main([str(tmp_path)])
