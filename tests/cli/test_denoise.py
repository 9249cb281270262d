"""``denoise``: what it does to files, and what it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import picture
from PIL import Image, ImageCms
from torch import Tensor, nn

from dncnn_lib import images, restoring, zoo
from dncnn_lib.model import DnCNN


def restored(path: str, weights: str) -> np.ndarray:
    return restoring.denoise(images.read_image(path), zoo.load_pretrained(weights))


def test_a_picture_is_restored_by_the_model(call, weights, write):
    write("in.png", 20, 30)
    assert call("denoise", "in.png", "out.png", "--model", weights) == (0, "", [])
    expected = np.clip(restored("in.png", weights), 0, 1)
    assert np.abs(images.read_image("out.png") - expected).max() <= 0.5 / 255 + 1e-6
    assert np.abs(expected - images.read_image("in.png")).max() > 0.05  # something was done


@pytest.mark.parametrize(("shape", "name"), [((16, 12), "dncnn-b"), ((16, 12, 3), "cdncnn-b")])
def test_the_default_model_depends_on_colour(call, shape, name):
    values = 255 * np.random.default_rng(0).random(shape)
    Image.fromarray(values.astype(np.uint8)).save("in.png")
    assert call("denoise", "in.png", "out.png") == (0, "", [])
    expected = np.clip(restored("in.png", name), 0, 1)
    assert np.abs(images.read_image("out.png") - expected).max() <= 0.5 / 255 + 1e-4


def test_small_pieces_give_the_same(call, weights, write):
    write("in.png", 40, 50)
    assert call("denoise", "in.png", "a.png", "--model", weights)[0] == 0
    assert call("denoise", "in.png", "b.png", "--model", weights, "--tile", 16)[0] == 0
    difference = images.read_image("a.png") - images.read_image("b.png")
    assert np.abs(difference).max() <= 1 / 255 + 1e-6 and np.mean(difference != 0) < 0.01


def test_fast_means_automatic_precision(call, weights, monkeypatch, write):
    write("in.png", 8, 8)
    seen = []
    original = restoring.denoise
    monkeypatch.setattr(
        restoring, "denoise", lambda *a, **k: seen.append(k["precision"]) or original(*a, **k)
    )
    call("denoise", "in.png", "a.png", "--model", weights)
    call("denoise", "in.png", "b.png", "--model", weights, "--fast")
    assert seen == ["fp32", "auto"]


def test_alpha_depth_profile_and_size_stay(call, weights):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    given = images.Picture(picture(9, 7, 3), picture(9, 7), 16, images.Meta(profile))
    images.write_picture("in.tif", given)
    given = images.read_picture("in.tif")
    assert call("denoise", "in.tif", "out.tif", "--model", weights) == (0, "", [])
    result = images.read_picture("out.tif")
    np.testing.assert_array_equal(result.alpha, given.alpha)
    assert (result.bits, result.icc_profile) == (16, given.icc_profile)
    expected = np.clip(restored("in.tif", weights), 0, 1)
    assert np.abs(result.pixels - expected).max() <= 0.5 / 65535 + 1e-6


def test_a_folder_as_out_takes_the_name_of_in(call, weights, tmp_path, write):
    write("in.png", 8, 9)
    (tmp_path / "results").mkdir()
    assert call("denoise", "in.png", "results", "--model", weights)[0] == 0
    assert images.read_image("results/in.png").shape == (8, 9)


@pytest.mark.filterwarnings("default")
def test_what_the_format_cannot_hold_is_reported(call, weights):
    Image.fromarray(np.full((8, 8, 4), 99, np.uint8)).save("in.png")
    code, _, err = call("denoise", "in.png", "out.jpg", "--model", weights)
    assert code == 0
    assert err == ["warning: out.jpg: JPEG has no transparency, so alpha is left out"]


@pytest.mark.parametrize("link", ["same", "spelling", "symlink", "hard link"])
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_the_input_is_never_overwritten(call, weights, tmp_path, link, force, write):
    write("in.png", 8, 8)
    before = Path("in.png").read_bytes()
    (tmp_path / "sub").mkdir()
    out = {"same": "in.png", "spelling": "sub/../in.png"}.get(link, "other.png")
    if link == "symlink":
        os.symlink("in.png", out)
    elif link == "hard link":
        os.link("in.png", out)
    code, _, err = call("denoise", "in.png", out, "--model", weights, *force)
    out = str(Path(out))
    assert (code, err) == (1, [f"error: {out} is the input in.png itself; choose another OUT"])
    assert Path("in.png").read_bytes() == before


def test_what_exists_is_overwritten_by_force_only(call, weights, write):
    write("in.png", 8, 8)
    Path("out.png").write_bytes(b"precious")
    words = ("denoise", "in.png", "out.png", "--model", weights)
    assert call(*words) == (1, "", ["error: out.png exists; --force overwrites"])
    assert Path("out.png").read_bytes() == b"precious"
    assert call(*words, "--force") == (0, "", [])
    assert images.read_image("out.png").shape == (8, 8)


@pytest.mark.parametrize(
    "out, message",
    [
        ("out", f"OUT is out, but must end in one of {', '.join(images.SUFFIXES)}"),
        (
            "out.gif",
            f"OUT is out.gif, but must end in one of {', '.join(images.SUFFIXES)}",
        ),
        ("no/out.png", "the folder of OUT, no, does not exist"),
    ],
)
def test_an_impossible_output(call, weights, out, message, write):
    write("in.png", 8, 8)
    assert call("denoise", "in.png", out, "--model", weights) == (1, "", [f"error: {message}"])


def test_inputs_that_are_not_pictures(call, weights, write):
    Path("empty.png").write_bytes(b"")
    Path("text.png").write_text("not a picture")
    Path("cut.png").write_bytes(Path(write("in.png", 30, 30)).read_bytes()[:200])
    for name in ("empty.png", "text.png", "cut.png"):
        code, out, err = call("denoise", name, "out.png", "--model", weights)
        assert (code, out, len(err)) == (1, "", 1)
        assert err[0].startswith(f"error: {name} ")
        assert not Path("out.png").exists()


def test_models_that_do_not_exist(call, write):
    write("in.png", 8, 8)
    Path("bad.safetensors").write_bytes(b"not weights")
    for model, message in [
        ("dncnn-z", "error: name_or_path is 'dncnn-z', but must be one of "),
        ("no.safetensors", "error: name_or_path is 'no.safetensors', but there is no such file"),
        ("bad.safetensors", "error: bad.safetensors cannot be read: "),
    ]:
        code, out, err = call("denoise", "in.png", "out.png", "--model", model)
        assert (code, out, len(err)) == (1, "", 1)
        assert err[0].startswith(message)


class Told(nn.Module):
    """Subtracts the noise level that it is told."""

    channels, config = 1, {}

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(1))

    def forward(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        return noisy - self.factor * sigma


def test_the_noise_level_reaches_a_model_that_is_told_it(call, write, monkeypatch):
    monkeypatch.setitem(zoo.ARCHITECTURES, "told", Told)
    zoo.save_pretrained(Told(), "told.safetensors")
    write("in.png", 8, 8)
    words = ("denoise", "in.png", "out.png", "--model", "told.safetensors")
    rule = "must be the noise level on the 0–255 scale: Told needs it"
    assert call(*words) == (1, "", [f"error: sigma is None, but {rule}"])
    assert call(*words, "--sigma", 51) == (0, "", [])
    expected = np.clip(images.read_image("in.png") - 0.2, 0, 1)
    np.testing.assert_allclose(images.read_image("out.png"), expected, atol=1e-6)


def test_a_blind_model_ignores_the_noise_level(call, weights, write):
    write("in.png", 8, 8)
    assert call("denoise", "in.png", "a.png", "--model", weights)[0] == 0
    assert call("denoise", "in.png", "b.png", "--model", weights, "--sigma", 50) == (0, "", [])
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("--sigma", "-1", "-1.0, but must be at least 0"),
        ("--sigma", "nan", "nan, but must be finite"),
        ("--tile", "0", "0, but must be an integer of at least 1"),
    ],
)
def test_impossible_numbers_are_refused_before_any_work(call, album, option, value, rule):
    words = ("denoise", album, "new", f"{option}={value}")
    assert call(*words) == (1, "", [f"error: {option} is {rule}"])
    assert not Path("new").exists()


def test_a_grey_picture_for_a_colour_model(call, write):
    zoo.save_pretrained(DnCNN(3, 8, channels=3), "colour.safetensors")
    write("in.png", 8, 8)
    assert call("denoise", "in.png", "out.png", "--model", "colour.safetensors") == (0, "", [])
    given = images.read_image("in.png")
    three = restoring.denoise(
        np.repeat(given[..., None], 3, axis=2), zoo.load_pretrained("colour.safetensors")
    )
    result = images.read_image("out.png")
    assert result.shape == given.shape
    assert np.abs(result - three.mean(axis=2).clip(0, 1)).max() <= 0.5 / 255 + 1e-6


# ------------------------------------------------------------------------------------------ folders


def test_the_pictures_of_a_folder_are_restored(call, weights, album):
    code, out, err = call("denoise", album, "new", "--model", weights)
    assert (code, out, err) == (0, "2 of 2 pictures restored in new\n", [])
    assert sorted(os.listdir("new")) == ["B.JPG", "a.png"]
    expected = np.clip(restored("album/a.png", weights), 0, 1)
    assert np.abs(images.read_image("new/a.png") - expected).max() <= 0.5 / 255 + 1e-6


def test_a_damaged_picture_is_reported_and_stops_nothing(call, weights, album):
    Path("album/Aa.png").write_bytes(b"broken")
    code, out, err = call("denoise", album, "new", "--model", weights)
    assert (code, out) == (1, "2 of 3 pictures restored in new\n")
    assert len(err) == 1 and err[0].startswith("error: album/Aa.png ")
    assert sorted(os.listdir("new")) == ["B.JPG", "a.png"]


@pytest.mark.filterwarnings("default")
def test_every_error_names_its_file(call, album):
    zoo.save_pretrained(DnCNN(20, 8), "deep.safetensors")
    words = ("denoise", album, "new", "--model", "deep.safetensors", "--tile", "8")
    code, out, err = call(*words)
    assert (code, out) == (1, "0 of 2 pictures restored in new\n")
    assert [line.split(": ")[1] for line in err] == ["album/B.JPG", "album/a.png"]
    assert all("tile is 8, but must be more than 40" in line for line in err)


def test_impossible_folders(call, weights, album, tmp_path):
    def error(*words: str) -> str:
        code, out, err = call("denoise", *words, "--model", weights)
        assert (code, out, len(err)) == (1, "", 1)
        return err[0]

    os.symlink("album", "alias")
    for out in ("album", "./deep/../album", "alias"):
        (tmp_path / "deep").mkdir(exist_ok=True)
        assert error(album, out, "--force").endswith("choose another OUT")
    Path("file.png").write_bytes(b"")
    expected = "error: album is a folder, so OUT must be one too, but file.png is a file"
    assert error(album, "file.png") == expected
    assert error("album/deeper/..", "album").endswith("choose another OUT")
    (tmp_path / "bare").mkdir()
    assert error("bare", "new").startswith("error: bare holds no image: ")
    (tmp_path / "new").mkdir()
    for name in ("a.png", "B.JPG"):
        Path("new", name).write_bytes(b"precious")
    assert error(album, "new") == "error: new/B.JPG (and 1 more) exists; --force overwrites"
    assert Path("new/a.png").read_bytes() == b"precious"


def test_two_pictures_do_not_become_one_file(call, weights, tmp_path, write):
    """As a.png and A.PNG would where names that differ in case only are the same."""
    (tmp_path / "album").mkdir()
    (tmp_path / "new").mkdir()
    write("album/a.png", 8, 9)
    write("album/b.png", 7, 7)
    os.symlink("a.png", "new/b.png")
    code, out, err = call("denoise", "album", "new", "--model", weights)
    assert (code, out) == (1, "1 of 2 pictures restored in new\n")
    assert err == ["error: album/b.png: new/b.png already holds another picture of the folder"]
    assert images.read_image("new/a.png").shape == (8, 9)
