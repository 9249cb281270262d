"""The standard sets: found, checked, downloaded; and what is said when one of these fails."""

from __future__ import annotations

import csv
import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from helpers import raises
from PIL import Image

from dncnn_lib import datasets, images, samples
from dncnn_lib._files import DATA
from dncnn_lib.datasets import VARIABLE, DatasetFile

NAMES = ("a.png", "b.png")


class Site:
    """An address on this machine that serves ``files`` as told, and counts what it is asked for."""

    def __init__(self, address: str) -> None:
        self.address, self.files, self.asked = address, {}, []
        self.said_length: int | None = None  # of every file, if not its own


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            data = site.files.get(self.path)
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Length", str(site.said_length or len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Site(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield site
        server.shutdown()
        thread.join()


@pytest.fixture
def toy(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[DatasetFile, ...]:
    """The only registered set, "Toy" of two images, of which there is no copy but the site's."""
    files = []
    for number, name in enumerate(NAMES):
        pixels = np.full((3 + number, 5, 3), (100 + number, 0, 0), np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
        data = (tmp_path / name).read_bytes()
        site.files[f"/{name}"] = data
        url = f"{site.address}/{name}"
        files.append(DatasetFile("Toy", name, len(data), hashlib.sha256(data).hexdigest(), url))
    monkeypatch.setattr(datasets, "_registry", lambda: {"Toy": tuple(files)})
    monkeypatch.setattr(datasets, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tuple(files)


def put(folder: Path, site: Site, *names: str) -> Path:
    """Copies of files of the set in ``folder``, as ``$DNCNN_DATA`` or the cache has them."""
    (folder / "Toy").mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / "Toy" / name).write_bytes(site.files[f"/{name}"])
    return folder / "Toy"


def advice(file: DatasetFile) -> str:
    return (
        ". With a network connection run `python -m dncnn_lib download Toy`; or set DNCNN_DATA to "
        f"a folder that holds Toy/{file.name}"
    )


# ----------------------------------------------------------------------------------------- finding


def test_a_set_in_the_users_folder_is_read_from_there(toy, site, tmp_path, monkeypatch):
    folder = put(tmp_path / "mine", site, *NAMES)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    assert datasets.dataset_paths("Toy") == [folder / name for name in NAMES]
    assert site.asked == []


def test_images_are_float_and_grey_on_request(toy, site, tmp_path, monkeypatch):
    put(tmp_path / "mine", site, *NAMES)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    colour, grey = datasets.load_dataset("Toy"), datasets.load_dataset("Toy", grey=True)
    assert {name: image.shape for name, image in colour.items()} == {
        "a.png": (3, 5, 3),
        "b.png": (4, 5, 3),
    }
    assert colour["a.png"].dtype == grey["a.png"].dtype == np.float32
    np.testing.assert_array_equal(colour["b.png"][0, 0], np.float32([101 / 255, 0, 0]))
    np.testing.assert_array_equal(grey["b.png"], np.full((4, 5), 30 / 255, np.float32))


def test_a_set_that_is_partly_there_is_completed(toy, site, tmp_path, monkeypatch):
    mine = put(tmp_path / "mine", site, "b.png")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    cache = tmp_path / "cache" / "Toy"
    assert datasets.dataset_presence("Toy") == (1, mine)
    assert datasets.dataset_paths("Toy") == [cache / "a.png", mine / "b.png"]
    assert site.asked == ["/a.png"]
    assert datasets.dataset_presence("Toy") == (2, cache)


def test_presence_downloads_nothing(toy, site):
    assert datasets.dataset_presence("Toy") == (0, None)
    assert site.asked == []


def test_a_folder_that_is_none_is_named(toy, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "typo"))
    message = (
        f"DNCNN_DATA is {str(tmp_path / 'typo')!r}, but there is no such folder; set it to one "
        "that holds Toy/a.png, or unset it to download the set"
    )
    for look in (datasets.dataset_presence, datasets.dataset_paths):
        with raises(FileNotFoundError, message):
            look("Toy")


def test_unknown_names_list_the_known_ones(toy):
    for function in (datasets.dataset_files, datasets.dataset_licence, datasets.load_dataset):
        with raises(ValueError, "name is 'Tot', but must be one of 'Toy'"):
            function("Tot")


# ------------------------------------------------------------------------------------- downloading


def test_a_set_is_downloaded_once_and_silently(toy, site, tmp_path, capfd):
    expected = [tmp_path / "cache" / "Toy" / name for name in NAMES]
    assert datasets.dataset_paths("Toy") == datasets.dataset_paths("Toy") == expected
    assert site.asked == ["/a.png", "/b.png"]
    assert capfd.readouterr() == ("", "")


def test_progress_is_shown_where_it_is_wanted(toy, capfd):
    datasets.dataset_paths("Toy", progress=True)
    assert re.search(r"downloading: +100%.* 2/2 ", capfd.readouterr().err)


def test_without_download_a_missing_file_says_what_helps(toy, site, tmp_path):
    put(tmp_path / "cache", site, "a.png")
    message = "Toy/b.png is missing: it is not on this machine" + advice(toy[1])
    with raises(FileNotFoundError, message):
        datasets.dataset_paths("Toy", download=False)
    assert site.asked == []


def test_no_network(toy, tmp_path, monkeypatch):
    file = DatasetFile("Toy", "a.png", 1, "0", "http://127.0.0.1:9/a.png")  # nobody listens there
    monkeypatch.setattr(datasets, "_registry", lambda: {"Toy": (file,)})
    reason = f"downloading {file.url} failed (ConnectionError)"
    with raises(FileNotFoundError, f"Toy/a.png is missing: {reason}{advice(file)}"):
        datasets.dataset_paths("Toy")
    assert not list((tmp_path / "cache").rglob("*.*"))


def test_an_address_that_is_gone(toy, site):
    del site.files["/b.png"]
    reason = f"{toy[1].url} answers with status 404"
    with raises(FileNotFoundError, f"Toy/b.png is missing: {reason}{advice(toy[1])}"):
        datasets.dataset_paths("Toy")


def test_a_connection_that_breaks_leaves_nothing(toy, site, tmp_path):
    site.said_length, site.files["/a.png"] = toy[0].bytes, site.files["/a.png"][:20]
    reason = f"downloading {toy[0].url} failed (ChunkedEncodingError)"
    with raises(FileNotFoundError, f"Toy/a.png is missing: {reason}{advice(toy[0])}"):
        datasets.dataset_paths("Toy")
    assert not list((tmp_path / "cache").rglob("*.*"))


def test_a_file_with_another_hash_is_thrown_away(toy, site, tmp_path):
    site.files["/b.png"] = b"<html>Please log in</html>"
    message = (
        f"{toy[1].url} sent a file that has not the SHA-256 {toy[1].sha256}, so it was thrown "
        "away; try again, or set DNCNN_DATA to a folder that holds Toy/b.png"
    )
    with raises(ValueError, message):
        datasets.dataset_paths("Toy")
    assert [path.name for path in (tmp_path / "cache").rglob("*.*")] == ["a.png"]


def test_a_cache_that_cannot_be_written(toy, tmp_path):
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    folder = tmp_path / "cache" / "Toy"
    message = (
        f"cannot download to {folder}: Not a directory; make room or give access, or set "
        "DNCNN_DATA to a folder that holds Toy/a.png"
    )
    with pytest.raises(OSError) as caught:
        datasets.dataset_paths("Toy")
    assert caught.value.strerror == message


# ----------------------------------------------------------------------------------- damaged files


def test_a_damaged_file_of_the_user_is_named(toy, site, tmp_path, monkeypatch):
    folder = put(tmp_path / "mine", site, *NAMES)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    damaged = bytearray(site.files["/b.png"])
    damaged[-1] ^= 1
    (folder / "b.png").write_bytes(damaged)
    found = hashlib.sha256(damaged).hexdigest()
    message = (
        f"{folder / 'b.png'} has SHA-256 {found}, but must have {toy[1].sha256}; replace it, or "
        "unset DNCNN_DATA to download the set"
    )
    with raises(ValueError, message):
        datasets.load_dataset("Toy")


def test_a_file_that_half_arrived_in_the_cache_is_named_before_any_download(toy, site, tmp_path):
    folder = put(tmp_path / "cache", site, "b.png")
    (folder / "b.png").write_bytes(site.files["/b.png"][:50])
    message = (
        f"{folder / 'b.png'} has 50 bytes, but must have {toy[1].bytes:,}; delete it and it will "
        "be downloaded again"
    )
    with raises(ValueError, message):
        datasets.load_dataset("Toy")
    assert site.asked == []
    (folder / "b.png").unlink()
    assert len(datasets.load_dataset("Toy")) == 2


# ------------------------------------------------------------------------------------ the registry


def test_the_registry_holds_the_sets_of_the_literature():
    sizes = {name: len(datasets.dataset_files(name)) for name in datasets.dataset_names()}
    expected = {"Train400": 400, "Set12": 12, "BSD68": 68, "CBSD68": 68, "Kodak24": 24}
    expected |= {"BSDS500/train": 200, "BSDS500/val": 100, "BSDS500/test": 200, "Set14": 14}
    assert expected.items() <= sizes.items()


@pytest.mark.parametrize("name", datasets.dataset_names())
def test_every_registered_file_is_fully_described(name):
    files = datasets.dataset_files(name)
    assert len({file.name for file in files}) == len(files)
    assert all(file.bytes > 0 and re.fullmatch("[0-9a-f]{64}", file.sha256) for file in files)
    assert all(re.fullmatch(r"https://[^ ]+/[0-9a-f]{40}/[^ ]+", file.url) for file in files)
    assert len(datasets.dataset_licence(name)) > 3


def test_the_colour_photographs_of_bsd68(toy, site, tmp_path, monkeypatch):
    """Toy files stand for BSDS500; names and order are those of BSD68."""
    places = {"BSDS500/train": (), "BSDS500/val": toy, "BSDS500/test": ()}
    monkeypatch.setattr(datasets, "dataset_files", places.get)
    stem = Path(toy[0].name).stem
    table = [{"bsd68": "test001.png", "bsds_id": stem, "split": "val"}]
    monkeypatch.setattr(datasets, "_table", lambda name: table)
    images = datasets.colour_bsd68()
    assert list(images) == ["test001.png"] and images["test001.png"].ndim == 3


def test_bsd68_and_the_training_images_make_up_bsds500():
    ours = {(r["split"], r["bsds_id"]) for r in datasets._table("bsd68_to_bsds_id.csv")}
    rest = {(r["split"], r["bsds_id"]) for r in datasets._table("cbsd432_ids.csv")}
    whole = {
        (split, Path(file.name).stem)
        for split in ("train", "val", "test")
        for file in datasets.dataset_files(f"BSDS500/{split}")
    }
    assert (len(ours), len(rest)) == (68, 432) and not ours & rest and ours | rest == whole


def test_no_training_image_is_a_test_image(tmp_path, monkeypatch):
    asked: list[DatasetFile] = []
    monkeypatch.setattr(datasets, "_locate", lambda files, *_: asked.extend(files) or [])
    assert datasets.training_images() == []
    with open(DATA / "registry" / "bsd68_to_bsds_id.csv", encoding="utf-8") as file:
        test_images = {row["bsds_id"] for row in csv.DictReader(file)}
    trained_on = {Path(file.name).stem for file in asked}
    assert len(asked) == len(trained_on) == 432 and len(test_images) == 68
    assert not trained_on & test_images


# -------------------------------------------------------------------------------- sets by any name


def save(folder: Path, *names: str) -> None:
    """Images of 4×5 pixels, red, each darker than the one before."""
    for number, name in enumerate(names):
        pixels = np.zeros((4, 5, 3), np.uint8)
        pixels[..., 0] = 200 - number
        Image.fromarray(pixels).save(folder / name)


def test_a_folder_is_read_by_suffix_in_order(tmp_path):
    save(tmp_path, "b.png", "a.TIF", "c.jpeg")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "d.png").mkdir()
    left_out = f"{tmp_path}: notes.txt left out, because the names do not end in "
    with pytest.warns(UserWarning, match=re.escape(left_out)):
        files = datasets.image_files(tmp_path)
    assert [path.name for path in files] == ["a.TIF", "b.png", "c.jpeg"]
    (tmp_path / "notes.txt").unlink()
    found = datasets.image_set(str(tmp_path), grey=False)
    assert list(found) == ["a.TIF", "b.png", "c.jpeg"]
    np.testing.assert_array_equal(found["b.png"], images.read_image(tmp_path / "b.png"))


def test_a_folder_in_colour_is_converted_to_grey_on_request(tmp_path):
    save(tmp_path, "red.png")
    assert datasets.image_set(str(tmp_path), grey=False)["red.png"].shape == (4, 5, 3)
    grey = datasets.image_set(str(tmp_path), grey=True)["red.png"]
    np.testing.assert_array_equal(grey, np.full((4, 5), np.round(200 * 0.2989) / 255, np.float32))


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("no image")
    message = f"{tmp_path} holds no image: no file ends in {', '.join(images.SUFFIXES)}"
    for look in (datasets.image_files, lambda folder: datasets.image_set(str(folder))):
        with raises(ValueError, message):
            look(tmp_path)


def test_the_names_of_image_sets(monkeypatch):
    """What each asks for, and that all that was said of it is passed on."""
    ones, asked = [np.ones((4, 4), np.float32)] * 2, []

    def noted(name, answer):
        return lambda *names, **options: asked.append((name, *names, options)) or answer

    monkeypatch.setattr(samples, "small_training_set", noted("small", ones))
    monkeypatch.setattr(samples, "held_out_images", noted("samples", {"a": ones[0]}))
    monkeypatch.setattr(datasets, "training_images", noted("bsd432", ones[:1]))
    monkeypatch.setattr(datasets, "load_dataset", noted("load", {"01.png": ones[0]}))
    options = {"grey": False, "download": False, "progress": True}
    found = {name: datasets.image_set(name, **options) for name in ("small", "bsd432", "Set12")}
    assert {name: list(images) for name, images in found.items()} == {
        "small": ["000", "001"],
        "bsd432": ["000"],
        "Set12": ["01.png"],
    }
    assert list(datasets.image_set("samples")) == ["a"]
    assert asked == [
        ("small", {"grey": False}),
        ("bsd432", options),
        ("load", "Set12", options),
        ("samples", {"grey": True}),
    ]
    known = ", ".join(map(repr, ["small", "samples", "bsd432", *datasets.dataset_names()]))
    message = f"the image set is 'set12', but must be a folder of images or one of {known}"
    with raises(ValueError, message):
        datasets.image_set("set12")


@pytest.mark.parametrize(
    "present, bsds500, wanted",
    [
        (68, True, "load"),
        (0, True, "made"),
        (67, True, "made"),
        (0, False, "load"),
    ],
)
def test_cbsd68_is_made_of_bsds500_where_that_is_all_there_is(
    monkeypatch, present, bsds500, wanted
):
    def made(download):
        assert download is False
        if not bsds500:
            raise FileNotFoundError
        return "made"

    monkeypatch.setattr(datasets, "dataset_presence", lambda name: (present, None))
    monkeypatch.setattr(datasets, "colour_bsd68", made)
    monkeypatch.setattr(datasets, "load_dataset", lambda name, **_: "load")
    assert datasets.image_set("CBSD68", grey=False) == wanted


def test_the_licence_of_an_image_set():
    of_samples = datasets.image_licence("samples")
    assert datasets.image_licence("small") == of_samples
    for licence in {row["licence"] for row in samples.attribution()}:
        assert licence in of_samples
    assert "data/images/attribution.csv" in of_samples
    assert datasets.image_licence("bsd432") == datasets.dataset_licence("BSDS500/train")
    assert datasets.image_licence("Set12") == datasets.dataset_licence("Set12")
    assert datasets.image_licence("/home/me/photos") == "not known: a folder of the user"
