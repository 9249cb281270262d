"""Folders as people have them: one bad file never stops the others, and is named."""

import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import picture, raises, small_net, whole
from PIL import Image

from dncnn_lib import cli, datasets, images, restoring, zoo
from dncnn_lib.cli import _terminal
from dncnn_lib.datasets import image_files, image_set
from dncnn_lib.images import SUFFIXES, read_image, to_colour
from dncnn_lib.making import recipes, run, tables
from dncnn_lib.making.run import _training_images

ENDS = ", ".join(SUFFIXES)
EMPTY = "is empty (0 bytes), but must be an image file"
NO_PICTURE = "does not hold a PNG, JPEG, TIFF, WebP or BMP image, whatever its name says"


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch, tmp_path, one_thread):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DNCNN_DATA", raising=False)
    monkeypatch.setattr(datasets, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(_terminal, "pace", lambda: 1e9)


@pytest.fixture
def grey_net():
    return weights("grey.safetensors", channels=1)


@pytest.fixture
def colour_net():
    return weights("colour.safetensors", channels=3)


def weights(name, **options):
    zoo.save_pretrained(small_net(**options), name)
    return name


@pytest.fixture
def call(capsys):
    """Run a command line: its exit code, standard output and the lines of standard error."""

    def run(*words):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            code = cli.main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return run


def save(path, *shape):
    Path(path).parent.mkdir(exist_ok=True)
    values = np.round(picture(*shape) * 255).astype(np.uint8)
    Image.fromarray(values).save(path, "JPEG" if str(path).endswith("jpe") else None)
    return values


def put(path, data=b""):
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_bytes(data)


@pytest.fixture
def folder():
    """Pictures grey and in colour, what is none, and what is bad."""
    save("in/a.png", 20, 18, 3)
    save("in/b.PNG", 20, 18)
    save("in/old.jpe", 20, 18)
    grey = save("in/scan.png", 20, 18)
    Image.fromarray(np.dstack([grey] * 3)).save("in/scan.png")
    os.symlink("a.png", "in/link.png")
    for name, data in {
        "zero.jpg": b"",
        "page.png": b"<!DOCTYPE html>",
        "x.heic": b"ftyp",
        "notes.txt": b"",
        "._a.png": b"",
        ".b.png": b"",
        "Thumbs.db": b"",
    }.items():
        put(f"in/{name}", data)  # fmt: skip
    whole_file = Path("in/a.png").read_bytes()
    put("in/cut.png", whole_file[: len(whole_file) // 2])
    os.symlink("gone.png", "in/lost.png")
    save("in/deeper/c.png", 20, 18)
    os.symlink("deeper", "in/way.png")
    return "in"


GOOD = ["a.png", "b.PNG", "link.png", "old.jpe", "scan.png"]
BAD = ["cut.png", "lost.png", "page.png", "zero.jpg"]
OTHERS = f"in: Thumbs.db, notes.txt, x.heic left out, because the names do not end in {ENDS}"


def faults(cut):
    """What is said of each of the bad files."""
    return [
        f"in/cut.png is damaged or truncated ({cut})",
        "in/lost.png: No such file or directory",
        f"in/page.png {NO_PICTURE}",
        f"in/zero.jpg {EMPTY}",
    ]


CUT = "image file is truncated"


# -------------------------------------------------------------------------------------- the folder


def test_what_counts_as_an_image(folder):
    with pytest.warns(UserWarning, match=whole(OTHERS)):
        found = image_files(Path(folder))
    assert [path.name for path in found] == sorted(GOOD + BAD)


def test_many_others_are_counted():
    save("in/a.png", 4, 4)
    for number in range(8):
        put(f"in/{number}.txt")
    message = (
        f"in: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 3 more left out, because the names do not "
        f"end in {ENDS}"
    )
    with pytest.warns(UserWarning, match=whole(message)):
        assert len(image_files(Path("in"))) == 1


@pytest.mark.parametrize("names", [[], ["a.txt"], [".a.png", "._b.jpg"]])
def test_a_folder_without_images(names):
    Path("in").mkdir()
    Path("in/deeper.png").mkdir()
    for name in names:
        put(f"in/{name}")
    with raises(ValueError, f"in holds no image: no file ends in {ENDS}"):
        image_files(Path("in"))


@pytest.mark.parametrize("grey", [False, True])
def test_an_image_set_has_what_can_be_read(folder, grey):
    with pytest.warns(UserWarning) as caught:
        found = image_set(folder, grey=grey)
    said = [str(warning.message) for warning in caught]
    assert said == [OTHERS, *(f"left out: {fault}" for fault in faults(CUT))]
    assert list(found) == GOOD
    assert found["a.png"].ndim == (2 if grey else 3) and found["b.PNG"].ndim == 2


def test_an_image_set_of_which_nothing_can_be_read():
    put("in/a.png")
    put("in/b.jpg", b"x")
    with (
        pytest.warns(UserWarning) as caught,
        raises(ValueError, "in holds no image that can be read"),
    ):
        image_set("in")
    assert [str(w.message) for w in caught] == [
        f"left out: in/a.png {EMPTY}", f"left out: in/b.jpg {NO_PICTURE}",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["samples", "small", "bsd432", "Set12"])
def test_a_folder_named_like_a_set(name):
    save(f"{name}/mine.png", 6, 5)
    message = f"{name} is your folder here, not the set of that name"
    with pytest.warns(UserWarning, match=whole(message)):
        assert list(image_set(name, folder_first=True)) == ["mine.png"]


def test_a_set_stays_a_set_unless_told_otherwise():
    save("samples/mine.png", 6, 5)
    assert "mine.png" not in image_set("samples")
    os.rename("samples", "other")
    assert list(image_set("other", folder_first=True)) == ["mine.png"]
    assert "mine.png" not in image_set("samples", folder_first=True)


# ----------------------------------------------------------------------------------------- denoise


def test_denoise_restores_what_it_can(call, folder, grey_net):
    code, out, err = call("denoise", folder, "out", "--model", grey_net)
    assert (code, out) == (1, "5 of 9 pictures restored in out\n")
    assert err == [f"warning: {OTHERS}", *(f"error: {fault}" for fault in faults(CUT))]
    assert sorted(os.listdir("out")) == GOOD


def test_denoise_of_bad_files_only(call, grey_net):
    put("in/a.png")
    code, out, err = call("denoise", "in", "out", "--model", grey_net)
    assert (code, out) == (1, "0 of 1 pictures restored in out\n")
    assert err == [f"error: in/a.png {EMPTY}"] and os.listdir("out") == []


def test_denoise_is_content_with_good_files(call, grey_net):
    save("in/a.png", 9, 8)
    put("in/._a.png")
    out = "1 of 1 pictures restored in out\n"
    assert call("denoise", "in", "out", "--model", grey_net) == (0, out, [])


def test_two_results_of_one_file(call, grey_net):
    save("in/a.png", 9, 8)
    save("in/b.png", 9, 8)
    os.mkdir("out")
    os.symlink("b.png", "out/a.png")
    put("out/b.png")
    code, out, err = call("denoise", "in", "out", "--model", grey_net, "--force")
    assert (code, out) == (1, "1 of 2 pictures restored in out\n")
    assert err == ["error: in/b.png: out/b.png already holds another picture of the folder"]


def expected(values, net):
    return restoring.denoise((values / 255).astype(np.float32), net)


def close(result, wanted):
    """Equal, but for rounding to 8 bits; clipped in both, but not all of it."""
    assert np.ptp(wanted) > 0.1
    np.testing.assert_allclose(result, np.clip(wanted, 0, 1), atol=0.51 / 255)


def test_black_and_white_saved_as_rgb_is_grey(call, grey_net, monkeypatch):
    grey = save("scan.png", 20, 18)
    tinted = np.dstack([grey] * 3).clip(2, 253)
    tinted[..., 0] += 1
    tinted[..., 2] -= 1
    Image.fromarray(tinted).save("scan.png")
    seen = []
    real = zoo.load_pretrained(grey_net)
    monkeypatch.setattr(cli.denoise, "_blind_model", lambda colour: seen.append(colour) or real)
    assert call("denoise", "scan.png", "out.png") == (0, "", [])
    result = read_image("out.png")
    assert seen == [False] and result.shape == (20, 18, 3)
    np.testing.assert_array_equal(result, to_colour(result[..., 0]))
    mean = tinted.astype(np.float64).mean(axis=2)
    close(result[..., 0], expected(mean, real))
    tinted[3, 3] = 90, 94, 90
    Image.fromarray(tinted).save("tinted.png")
    assert call("denoise", "tinted.png", "out2.png") == (0, "", [])
    assert seen == [False, True]


def test_grey_for_a_colour_model(call, colour_net):
    grey = save("grey.png", 20, 18)
    assert call("denoise", "grey.png", "out.png", "--model", colour_net) == (0, "", [])
    wanted = expected(np.dstack([grey] * 3), zoo.load_pretrained(colour_net))
    result = read_image("out.png")
    assert result.shape == (20, 18)
    close(result, wanted.mean(axis=2))


def test_black_and_white_rgb_for_a_colour_model_stays_rgb(call, colour_net):
    grey = save("grey.png", 20, 18)
    Image.fromarray(np.dstack([grey] * 3)).save("grey.png")
    assert call("denoise", "grey.png", "out.png", "--model", colour_net) == (0, "", [])
    wanted = expected(np.dstack([grey] * 3), zoo.load_pretrained(colour_net))
    close(read_image("out.png"), wanted)


# ---------------------------------------------------------------------------------------- evaluate


def images_of(table):
    return [entry.image for entry in tables.read_table(table)]


@pytest.mark.parametrize("net", ["grey_net", "colour_net"])
def test_evaluate_measures_what_it_can(call, folder, net, request):
    model = request.getfixturevalue(net)
    save("in/icon.png", 8, 8)
    words = ("--set", folder, "--sigma", 25, "--csv", "t.csv")
    code, out, err = call("evaluate", "--model", model, *words)
    assert code == 1 and "mean" in out and images_of("t.csv") == [*GOOD, "mean"]
    small = (
        "left out: icon.png of in: restored's size is (8, 8), but must be at least 11×11, the "
        "window of SSIM"
    )
    said = [OTHERS, *(f"left out: {fault}" for fault in faults(CUT)), small]
    assert err == [*(f"warning: {line}" for line in said), "5 of 10 pictures of in measured"]


def test_a_grey_picture_among_colour_ones_is_measured_in_colour(call, colour_net):
    save("in/a.png", 20, 18, 3)
    grey = save("in/b.png", 20, 18)
    save("rgb/a.png", 20, 18, 3)
    Image.fromarray(np.dstack([grey] * 3)).save("rgb/b.png")
    for name in ("in", "rgb"):
        words = ("--model", colour_net, "--set", name, "--sigma", 25, "--csv", f"{name}.csv")
        assert call("evaluate", *words)[::2] == (0, [])
    a, b = ([e.psnr for e in tables.read_table(f"{name}.csv")] for name in ("in", "rgb"))
    assert a == b and len(a) == 3


def test_a_picture_that_is_too_small_for_one_task_only(call, grey_net):
    save("in/a.png", 24, 24)
    save("in/b.png", 12, 11)
    save("in/dot.png", 3, 3)
    words = ("--model", grey_net, "--set", "in", "--sigma", 25, "--scale", 4, "--csv", "t.csv")
    code, _, err = call("evaluate", *words)
    assert code == 1 and err[-1] == "1 of 3 pictures of in measured"
    assert images_of("t.csv") == ["a.png", "b.png", "mean", "a.png", "mean"]
    assert all(any(name in line for line in err) for name in ("b.png", "dot.png"))


def test_evaluate_of_bad_or_small_files_only(call, grey_net):
    put("in/a.png")
    words = ("evaluate", "--model", grey_net, "--sigma", 25, "--set")
    code, _, err = call(*words, "in")
    said = [f"warning: left out: in/a.png {EMPTY}", "error: in holds no image that can be read"]
    assert (code, err) == (1, said)
    save("dots/a.png", 5, 5)
    code, _, err = call(*words, "dots")
    assert code == 1 and err[-1] == "error: dots holds no image that can be measured"


def test_evaluate_is_content_with_good_files(call, grey_net):
    save("in/a.png", 16, 12)
    save("samples/mine.png", 16, 12)
    words = ("evaluate", "--model", grey_net, "--sigma", 25, "--per-image", "--set")
    assert call(*words, "in")[::2] == (0, [])
    code, out, err = call(*words, "samples")
    assert code == 0 and "mine.png" in out
    assert err == ["warning: samples is your folder here, not the set of that name"]


# ------------------------------------------------------------------------------------------- train


@pytest.fixture
def small_recipe():
    """The recipe of a name, with patches of 16."""

    def change(name):
        found = recipes.recipe(name, "cpu")
        return replace(found, stages=(replace(found.stages[0], patch_size=16),))

    return change


def test_a_training_set_is_made_of_one_kind(small_recipe):
    save("in/a.png", 20, 18, 3)
    save("in/b.png", 18, 20)
    save("in/thumb.png", 20, 12)
    message = "left out: thumb.png is 20×12 pixels, smaller than a patch of 16"
    for name, shape in (("cdncnn-b-small", (18, 20, 3)), ("dncnn-3-small", (18, 20))):
        with pytest.warns(UserWarning, match=whole(message)):
            found = _training_images(small_recipe(name), "in", given=True, progress=False)
        assert list(found) == ["a.png", "b.png"] and found["b.png"].shape == shape
        assert found["a.png"].ndim == len(shape)


def test_a_training_set_of_small_pictures_only(small_recipe):
    save("in/thumb.png", 20, 12)
    with (
        pytest.warns(UserWarning),
        raises(ValueError, "in holds no image of at least 16×16 pixels, a patch"),
    ):
        _training_images(small_recipe("dncnn-3-small"), "in", given=True, progress=False)


@pytest.mark.parametrize("given", [True, False])
def test_a_folder_named_like_the_recipes_own_set(small_recipe, monkeypatch, given):
    seen = []

    class Stop(Exception):
        pass

    def stop(recipe, data, *, given, progress):
        seen.append((data, given))
        raise Stop

    monkeypatch.setattr(run, "_training_images", stop)
    chosen = small_recipe("dncnn-3-small")
    with pytest.raises(Stop):
        list(run.run(chosen, "n.safetensors", data=chosen.training_set if given else None))
    assert seen == [(chosen.training_set, given)]


def test_pictures_in_memory_are_what_the_files_hold(folder):
    with pytest.warns(UserWarning):
        found = image_set(folder, grey=False)
    for name in ("a.png", "b.PNG"):
        values = np.asarray(Image.open(f"in/{name}"))
        np.testing.assert_allclose(found[name], values / 255, atol=1e-6)
    assert images.is_grey(found["scan.png"])
