"""The command line: what it does to files, what it says, and its exit codes."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from dncnn_lib import (
    _files,
    benchmark,
    cli,
    datasets,
    engine,
    images,
    protocols,
    recipes,
    runs,
    samples,
    tables,
    zoo,
)
from dncnn_lib.degrade import GaussianNoise
from dncnn_lib.engine import TrainConfig
from dncnn_lib.model import DnCNN
from dncnn_lib.recipes import Recipe

ROOT = Path(__file__).parent.parent
COMMANDS = ("denoise", "train", "evaluate", "info", "download", "benchmark")


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch, tmp_path):
    """One thread, no standard sets, no bars, and the test's own folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DNCNN_DATA", raising=False)
    monkeypatch.setattr(datasets, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(cli, "_pace", lambda: 1e9)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def weights(tmp_path) -> str:
    """A file of weights of a tiny grey network."""
    net = DnCNN(3, 8, batch_norm=False)
    net.reset_parameters(torch.Generator().manual_seed(0))
    zoo.save_pretrained(net, tmp_path / "tiny.safetensors", {"name": "tiny"})
    return "tiny.safetensors"


@pytest.fixture
def call(capsys):
    """Run a command line: its exit code, standard output and the lines of standard error."""

    def run(*words: object) -> tuple[int, str, list[str]]:
        code = cli.main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return run


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


def picture(path: str, *shape: int) -> str:
    images.write_image(path, noise(*shape))
    return path


def restored(path: str, weights: str) -> np.ndarray:
    return engine.denoise(images.read_image(path), zoo.load_pretrained(weights))


# ------------------------------------------------------------------------------------------- usage


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(call, command):
    code, out, err = call(command, "--help")
    assert (code, err) == (0, [])
    assert re.search(rf"examples:\n  \S.* {command}\b", out)
    assert command in call("--help")[1]


@pytest.mark.parametrize(
    "words", [[], ["paint"], ["denoise", "a.png"], ["evaluate", "--sigma", "x"]]
)
def test_wrong_usage(call, words):
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert err[0].startswith("usage: ") and "error: " in err[-1]


def test_help_needs_nothing_but_the_standard_library():
    script = f"""
import sys, types
package = types.ModuleType("dncnn_lib")  # without what its __init__ imports
package.__path__ = [{str(ROOT / "dncnn_lib")!r}]
sys.modules["dncnn_lib"] = package
from dncnn_lib import cli
cli.main(["denoise", "--help"])
print(sorted({{"torch", "numpy", "tqdm"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_as_a_program(tmp_path):
    command = [sys.executable, "-m", "dncnn_lib", "denoise", "none.png", "out.png"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: none.png does not exist; IN is an image file or a folder of them\n"
    )


# ---------------------------------------------------------------------------------- denoise a file


def test_a_picture_is_restored_by_the_model(call, weights):
    picture("in.png", 20, 30)
    assert call("denoise", "in.png", "out.png", "--model", weights) == (0, "", [])
    expected = np.clip(restored("in.png", weights), 0, 1)
    assert np.abs(images.read_image("out.png") - expected).max() <= 0.5 / 255 + 1e-6
    assert np.abs(expected - images.read_image("in.png")).max() > 0.05  # something was done


@pytest.mark.parametrize(("shape", "name"), [((16, 12), "dncnn-b"), ((16, 12, 3), "cdncnn-b")])
def test_unnamed_the_model_is_that_for_grey_or_for_colour(call, shape, name):
    values = 255 * np.random.default_rng(0).random(shape)
    Image.fromarray(values.astype(np.uint8)).save("in.png")
    assert call("denoise", "in.png", "out.png") == (0, "", [])
    expected = np.clip(restored("in.png", name), 0, 1)
    assert np.abs(images.read_image("out.png") - expected).max() <= 0.5 / 255 + 1e-4


def test_small_pieces_give_the_same(call, weights):
    picture("in.png", 40, 50)
    assert call("denoise", "in.png", "a.png", "--model", weights)[0] == 0
    assert call("denoise", "in.png", "b.png", "--model", weights, "--tile", 16)[0] == 0
    difference = images.read_image("a.png") - images.read_image("b.png")
    assert np.abs(difference).max() <= 1 / 255 + 1e-6 and np.mean(difference != 0) < 0.01


def test_fast_means_automatic_precision(call, weights, monkeypatch):
    picture("in.png", 8, 8)
    seen = []
    original = engine.denoise
    monkeypatch.setattr(
        engine, "denoise", lambda *a, **k: seen.append(k["precision"]) or original(*a, **k)
    )
    call("denoise", "in.png", "a.png", "--model", weights)
    call("denoise", "in.png", "b.png", "--model", weights, "--fast")
    assert seen == ["fp32", "auto"]


def test_alpha_depth_profile_and_size_stay(call, weights):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    given = images.Picture(noise(9, 7, 3), noise(9, 7), 16, profile)
    images.write_picture("in.tif", given)
    given = images.read_picture("in.tif")
    assert call("denoise", "in.tif", "out.tif", "--model", weights) == (0, "", [])
    result = images.read_picture("out.tif")
    np.testing.assert_array_equal(result.alpha, given.alpha)
    assert (result.bits, result.icc_profile) == (16, given.icc_profile)
    expected = np.clip(restored("in.tif", weights), 0, 1)
    assert np.abs(result.pixels - expected).max() <= 0.5 / 65535 + 1e-6


def test_a_folder_as_out_takes_the_name_of_in(call, weights, tmp_path):
    picture("in.png", 8, 9)
    (tmp_path / "results").mkdir()
    assert call("denoise", "in.png", "results", "--model", weights)[0] == 0
    assert images.read_image("results/in.png").shape == (8, 9)


@pytest.mark.filterwarnings("default")
def test_what_is_lost_is_told(call, weights):
    Image.fromarray(np.full((8, 8, 4), 99, np.uint8)).save("in.png")
    code, _, err = call("denoise", "in.png", "out.jpg", "--model", weights)
    assert code == 0
    assert err == ["warning: out.jpg: JPEG has no transparency, so alpha is left out"]


@pytest.mark.parametrize("link", ["same", "spelling", "symlink", "hard link"])
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_the_input_is_never_overwritten(call, weights, tmp_path, link, force):
    picture("in.png", 8, 8)
    before = Path("in.png").read_bytes()
    (tmp_path / "sub").mkdir()
    out = {"same": "in.png", "spelling": "sub/../in.png"}.get(link, "other.png")
    if link == "symlink":
        os.symlink("in.png", out)
    elif link == "hard link":
        os.link("in.png", out)
    code, _, err = call("denoise", "in.png", out, "--model", weights, *force)
    out = str(Path(out))
    assert (code, err) == (1, [f"error: {out} is the input in.png itself; name another OUT"])
    assert Path("in.png").read_bytes() == before


def test_what_exists_is_overwritten_by_force_only(call, weights):
    picture("in.png", 8, 8)
    Path("out.png").write_bytes(b"precious")
    words = ("denoise", "in.png", "out.png", "--model", weights)
    assert call(*words) == (1, "", ["error: out.png exists; --force overwrites"])
    assert Path("out.png").read_bytes() == b"precious"
    assert call(*words, "--force") == (0, "", [])
    assert images.read_image("out.png").shape == (8, 8)


@pytest.mark.parametrize(
    "out, message",
    [
        ("out", "OUT is out, but must end in one of .png, .jpg, .jpeg, .tif, .tiff, .webp, .bmp"),
        (
            "out.gif",
            "OUT is out.gif, but must end in one of .png, .jpg, .jpeg, .tif, .tiff, .webp, .bmp",
        ),
        ("no/out.png", "the folder of OUT, no, does not exist"),
    ],
)
def test_an_output_that_cannot_be(call, weights, out, message):
    picture("in.png", 8, 8)
    assert call("denoise", "in.png", out, "--model", weights) == (1, "", [f"error: {message}"])


def test_inputs_that_are_no_picture(call, weights):
    Path("empty.png").write_bytes(b"")
    Path("text.png").write_text("not a picture")
    Path("cut.png").write_bytes(Path(picture("in.png", 30, 30)).read_bytes()[:200])
    for name in ("empty.png", "text.png", "cut.png"):
        code, out, err = call("denoise", name, "out.png", "--model", weights)
        assert (code, out, len(err)) == (1, "", 1)
        assert err[0].startswith(f"error: {name} ")
        assert not Path("out.png").exists()


def test_models_that_are_none(call, tmp_path):
    picture("in.png", 8, 8)
    Path("bad.safetensors").write_bytes(b"not weights")
    for model, message in [
        ("dncnn-z", "error: name_or_path is 'dncnn-z', but must be one of "),
        ("no.safetensors", "error: name_or_path is 'no.safetensors', but there is no such file"),
        ("bad.safetensors", "error: bad.safetensors cannot be read: "),
    ]:
        code, out, err = call("denoise", "in.png", "out.png", "--model", model)
        assert (code, out, len(err)) == (1, "", 1)
        assert err[0].startswith(message)


def test_a_grey_picture_for_a_colour_model(call):
    zoo.save_pretrained(DnCNN(3, 8, channels=3), "colour.safetensors")
    picture("in.png", 8, 8)
    code, _, err = call("denoise", "in.png", "out.png", "--model", "colour.safetensors")
    assert (code, len(err)) == (1, 1)
    assert err[0].startswith("error: noisy's channels is 1, but must be 3")


# ----------------------------------------------------------------------------------- what can fail


def test_memory_and_disk(call, weights, monkeypatch):
    picture("in.png", 8, 8)
    words = ("denoise", "in.png", "out.png", "--model", weights)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(_files.os, "fsync", full)
        code, _, err = call(*words)
        message = "cannot write out.png: No space left on device; what was there is unchanged"
        assert (code, err) == (1, [f"error: {message}"])

    def greedy(*_: object, **__: object) -> None:
        torch.empty(1 << 60, dtype=torch.uint8)

    monkeypatch.setattr(engine, "denoise", greedy)
    code, _, err = call(*words)
    message = "out of memory; smaller pieces help (denoise --tile 256), or a smaller image"
    assert (code, err) == (1, [f"error: {message}"])


def test_interruption_and_mistakes_of_the_program(call, monkeypatch):
    def raise_(error: BaseException) -> None:
        raise error

    monkeypatch.setattr(cli, "_info", lambda _: raise_(KeyboardInterrupt()))
    assert call("info") == (130, "", ["stopped"])
    monkeypatch.setattr(cli, "_info", lambda _: raise_(ZeroDivisionError("a mistake")))
    with pytest.raises(ZeroDivisionError, match="^a mistake$"):
        call("info")


# -------------------------------------------------------------------------------- denoise a folder


@pytest.fixture
def album(tmp_path) -> str:
    (tmp_path / "album" / "deeper").mkdir(parents=True)
    picture("album/a.png", 8, 9)
    picture("album/B.JPG", 10, 9, 3)
    picture("album/deeper/c.png", 8, 8)
    Path("album/notes.txt").write_text("not a picture")
    return "album"


def test_the_pictures_of_a_folder_are_restored(call, weights, album):
    code, out, err = call("denoise", album, "new", "--model", weights)
    assert (code, out, err) == (0, "2 of 2 pictures restored in new\n", [])
    assert sorted(os.listdir("new")) == ["B.JPG", "a.png"]
    expected = np.clip(restored("album/a.png", weights), 0, 1)
    assert np.abs(images.read_image("new/a.png") - expected).max() <= 0.5 / 255 + 1e-6


def test_a_damaged_picture_stops_nothing_and_is_named(call, weights, album):
    Path("album/Aa.png").write_bytes(b"broken")
    code, out, err = call("denoise", album, "new", "--model", weights)
    assert (code, out) == (1, "2 of 3 pictures restored in new\n")
    assert len(err) == 1 and err[0].startswith("error: album/Aa.png ")
    assert sorted(os.listdir("new")) == ["B.JPG", "a.png"]


@pytest.mark.filterwarnings("default")
def test_errors_without_a_name_get_one(call, album):
    zoo.save_pretrained(DnCNN(3, 8, channels=3), "colour.safetensors")
    code, out, err = call("denoise", album, "new", "--model", "colour.safetensors")
    assert (code, out) == (1, "1 of 2 pictures restored in new\n")
    assert len(err) == 1 and err[0].startswith("error: album/a.png: noisy's channels is 1")


def test_folders_that_stand_against_it(call, weights, album, tmp_path):
    def error(*words: str) -> str:
        code, out, err = call("denoise", *words, "--model", weights)
        assert (code, out, len(err)) == (1, "", 1)
        return err[0]

    os.symlink("album", "alias")
    for out in ("album", "./deep/../album", "alias"):
        (tmp_path / "deep").mkdir(exist_ok=True)
        assert error(album, out, "--force").endswith("name another OUT")
    Path("file.png").write_bytes(b"")
    expected = "error: album is a folder, so OUT must be one too, but file.png is a file"
    assert error(album, "file.png") == expected
    assert error("album/deeper/..", "album").endswith("name another OUT")
    (tmp_path / "bare").mkdir()
    assert error("bare", "new").startswith("error: bare holds no image: ")
    (tmp_path / "new").mkdir()
    for name in ("a.png", "B.JPG"):
        Path("new", name).write_bytes(b"precious")
    assert error(album, "new") == "error: new/B.JPG (and 1 more) exists; --force overwrites"
    assert Path("new/a.png").read_bytes() == b"precious"


def test_two_pictures_do_not_become_one_file(call, weights, tmp_path):
    """As a.png and A.PNG would where names that differ in case only are the same."""
    (tmp_path / "album").mkdir()
    (tmp_path / "new").mkdir()
    picture("album/a.png", 8, 9)
    picture("album/b.png", 7, 7)
    os.symlink("a.png", "new/b.png")
    code, out, err = call("denoise", "album", "new", "--model", weights)
    assert (code, out) == (1, "1 of 2 pictures restored in new\n")
    assert err == ["error: album/b.png: another picture of the folder became new/b.png"]
    assert images.read_image("new/a.png").shape == (8, 9)


# ------------------------------------------------------------------------------------------- train


@pytest.fixture
def tiny(monkeypatch, tmp_path) -> Recipe:
    """The only recipe, of a second; and one small image to measure on."""
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png"):
        picture(f"photos/{name}", 24, 24)
    config = TrainConfig(steps=6, batch_size=2, patch_size=8, log_every=2, checkpoint_every=2)
    recipe = Recipe("tiny", "", {"depth": 3, "width": 4}, GaussianNoise(25), (config,), "photos")
    monkeypatch.setattr(recipes, "_RECIPES", (recipe,))
    one = {"flat": np.full((16, 16), 0.5, np.float32)}
    monkeypatch.setattr(samples, "held_out_images", lambda grey=True: one)
    return recipe


def test_training_leaves_a_model_that_denoises(call, tiny):
    code, out, err = call("train", "tiny")
    assert (code, err) == (0, [])
    psnr = json.loads(Path("runs/tiny.json").read_text("utf-8"))["psnr"]["samples"]
    assert out.splitlines() == [
        "set      sigma  PSNR / dB",
        *(f"samples{sigma:>7}{value:>11.2f}" for sigma, value in psnr.items()),
        "saved runs/tiny.safetensors, its card tiny.json and the record of training tiny.csv",
    ]
    picture("in.png", 8, 8)
    assert call("denoise", "in.png", "out.png", "--model", "runs/tiny.safetensors")[0] == 0


def test_the_bar_of_a_training(capsys, monkeypatch):
    steps = [engine.Step(s, 60, 0.01, 1e-3, s / 10, 4 * s, p) for s, p in ((20, 27.5), (60, None))]
    monkeypatch.setattr(cli, "_pace", lambda: 0)
    assert list(cli._show(iter(steps), "tiny")) == steps
    last = capsys.readouterr().err.split("\r")[-1]
    assert "tiny: 100%" in last and " 60/60 " in last
    assert "loss=1.00e-02, PSNR=27.50 dB, patches/s=40" in last


def test_the_options_of_train_replace_those_of_the_recipe(call, tiny, tmp_path):
    (tmp_path / "one").mkdir()
    picture("one/a.png", 24, 24)
    options = "--steps 2 --seed 7 --precision bf16 --no-validate --device cpu --data one"
    files = ("--out", "w/x.safetensors", "--checkpoint", "c.ckpt")
    code, _, err = call("train", "tiny", *options.split(), *files)
    assert (code, err) == (0, [])
    card = json.loads(Path("w/x.json").read_text("utf-8"))
    (stage,) = card["stages"]
    assert (stage["config"]["steps"], card["seed"], stage["precision"]) == (2, 7, "bf16")
    assert card["training_data"]["name"] == "one" and card["training_data"]["images"] == 1
    assert Path("c.ckpt").exists()
    assert [step.val_psnr for step in runs.read_record("w/x.csv")] == [None]


def interrupt_after(count: int, monkeypatch) -> None:
    """Ctrl-C in place of the report that comes after ``count`` of them."""
    original = engine.train

    def train(*arguments, **options):
        for number, step in enumerate(original(*arguments, **options)):
            if number == count:
                raise KeyboardInterrupt
            yield step

    monkeypatch.setattr(runs, "train", train)


def test_an_interrupted_training_goes_on(call, tiny, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_after(1, patch)
        code, out, err = call("train", "tiny")
    checkpoint = Path("runs/tiny.ckpt")
    message = f"stopped; the same command goes on from checkpoint {checkpoint}"
    assert (code, out, err) == (130, "", [message])
    assert call("train", "tiny")[0] == 0
    torn = json.loads(Path("runs/tiny.json").read_text("utf-8"))
    assert call("train", "tiny", "--out", "runs/whole.safetensors")[0] == 0
    whole = json.loads(Path("runs/whole.json").read_text("utf-8"))
    assert torn["sha256"] == whole["sha256"]


def test_an_interruption_before_the_first_checkpoint(call, tiny, monkeypatch):
    def train(*_: object, **__: object):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(runs, "train", train)
    message = f"stopped; there is not yet a checkpoint {Path('runs/tiny.ckpt')}"
    assert call("train", "tiny") == (130, "", [message])


def test_trainings_that_cannot_be(call, tiny):
    def error(*words: str) -> str:
        code, out, err = call("train", *words)
        assert (code, out, len(err)) == (1, "", 1)
        return err[0]

    assert error("none") == "error: recipe is 'none', but must be one of 'tiny'"
    assert (
        error("tiny", "--steps", "0") == "error: steps is 0, but must be an integer of at least 1"
    )
    assert error("tiny", "--data", "no").startswith("error: the image set is 'no', but must be ")
    assert error("tiny", "--out", "w.pth").startswith("error: out is 'w.pth', but must be ")
    assert call("train", "tiny", "--steps", "2")[0] == 0
    out = Path("runs/tiny.safetensors")
    assert error("tiny").startswith(f"error: {out} exists, and its card does not say that it ")
    out.unlink()
    checkpoint = Path("runs/tiny.ckpt")
    assert error("tiny").startswith(
        f"error: checkpoint {checkpoint} was made with config.steps = 2"
    )


# ---------------------------------------------------------------------------------------- evaluate


def test_the_table_is_what_evaluate_measures(call, weights, album):
    code, out, err = call("evaluate", "--model", weights, "--set", "samples12", "album")
    assert (code, out) == (1, "")
    assert err[0].startswith("error: the image set is 'samples12', but must be a folder of images")
    picture("album/a.png", 20, 20)
    picture("album/B.JPG", 16, 20)
    words = ("evaluate", "--model", weights, "--set", "album", "--sigma", "15", "25.5")
    code, out, err = call(*words, "--csv", "table.csv")
    assert (code, err) == (0, [])
    clean = list(runs.image_set("album").values())
    header, first, second, _, *protocol = out.splitlines()
    names = "model set task level image degraded PSNR PSNR degraded SSIM SSIM"
    assert header.split() == names.split()
    for line, sigma in ((first, 15), (second, 25.5)):
        scores = engine.evaluate(zoo.load_pretrained(weights), clean, GaussianNoise(sigma), seed=0)
        values = [
            f"{np.mean([getattr(score, name) for score in scores]):{form}}"
            for name, form in zip(
                ("noisy_psnr", "psnr", "noisy_ssim", "ssim"), (".2f", ".2f", ".4f", ".4f")
            )
        ]
        assert line.split() == [weights, "album", "gaussian", f"{sigma:g}", "mean", *values]
    assert "seed 0" in " ".join(protocol)
    rows = tables.read_table("table.csv")
    assert [row.image for row in rows] == ["B.JPG", "a.png", "mean"] * 2
    assert f"{rows[2].psnr:.2f}" == first.split()[6]
    tables.write_table([replace(rows[0], model="other"), *rows], "table.csv")
    assert call(*words, "--csv", "table.csv")[0] == 0  # replaces the model's rows, and no others
    assert [row.model for row in tables.read_table("table.csv")] == ["other", *6 * [weights]]


def test_what_stands_against_a_table_is_said_before_it_is_measured(
    call, weights, album, monkeypatch
):
    picture("album/a.png", 20, 20)
    monkeypatch.setattr(protocols, "score", None)  # measuring would raise
    words = ("evaluate", "--model", weights, "--set", "album")
    notes = Path("notes.csv")
    notes.write_text("my only notes\n")
    for more, message in (
        (["--csv", "notes.csv"], "notes.csv is not a table of quality"),
        (["--csv", "t.png"], "--csv is 't.png', but must be the name of a .csv file"),
        (["--csv", "no/t.csv"], "cannot write no/t.csv: the folder no does not exist"),
        (["--scale", "1"], "scale is 1, but must be an integer of at least 2"),
        (
            ["--paper"],
            "--paper has its own sets and levels: leave out --set, --sigma, --scale, --quality",
        ),
    ):
        assert call(*words, *more) == (1, "", [f"error: {message}"])
    assert notes.read_text() == "my only notes\n"


def test_a_row_for_every_image(call, weights, album):
    picture("album/a.png", 20, 20)
    picture("album/B.JPG", 16, 20)
    words = ("--model", weights, "--set", "album", "--sigma", "25", "--per-image")
    code, out, _ = call("evaluate", *words)
    rows = [line.split() for line in out.splitlines()[1:4]]
    assert code == 0 and [row[4] for row in rows] == ["B.JPG", "a.png", "mean"]
    for column in (5, 6):
        mean = (float(rows[0][column]) + float(rows[1][column])) / 2
        assert float(rows[2][column]) == pytest.approx(mean, abs=0.011)


def test_the_three_tasks(call, weights, album):
    Path("one").mkdir()
    images.write_image("one/a.png", np.random.default_rng(0).random((31, 34, 3), np.float32))
    words = ("evaluate", "--model", weights, "--set", "one", "--csv", "t.csv")
    code, out, err = call(*words, "--sigma", "25", "--scale", "2", "3", "--quality", "10")
    assert (code, err) == (0, [])
    rows = [row for row in tables.read_table("t.csv") if row.image == "mean"]
    expected = ["gaussian 25", "super-resolution 2", "super-resolution 3", "deblocking 10"]
    assert [f"{row.task} {row.level:g}" for row in rows] == expected
    clean = images.read_image("one/a.png")
    score = protocols.score_image(zoo.load_pretrained(weights), clean, "super-resolution", 3)
    found = (rows[2].psnr, rows[2].degraded_ssim)
    assert found == (round(score.psnr, 3), round(score.noisy_ssim, 4))
    for task in ("gaussian", "super-resolution", "deblocking"):
        assert f"\n{task}: " in out
    code, _, err = call(*words, "--scale", "1")
    assert (code, err) == (1, ["error: scale is 1, but must be an integer of at least 2"])
    code, _, err = call(*words, "--quality", "0")
    assert (code, err) == (1, ["error: quality is 0.0, but must be at least 1"])


def test_the_papers_tables(call, weights, monkeypatch):
    image = np.random.default_rng(0).random((20, 24), np.float32)
    monkeypatch.setattr(tables, "measured_sets", lambda *_: {"BSD68": {"a": image, "b": image}})
    monkeypatch.setattr(
        zoo, "load_pretrained", lambda name, load=zoo.load_pretrained: load(weights)
    )
    words = ("evaluate", "--paper", "--csv", "t.csv", "--model")
    assert call(*words, "dncnn-s-25")[0] == 0
    code, out, err = call(*words, "dncnn-b")
    assert (code, err) == (0, [])
    rows = [line.split() for line in out.splitlines()[1:4]]
    assert [row[:5] for row in rows] == [
        ["dncnn-b", "gaussian", "BSD68", sigma, "mean"] for sigma in ("15", "25", "50")
    ]
    assert [row[6:] for row in rows] == [["31.61", "31.62"], ["29.16", "29.16"], ["26.23", "26.22"]]
    entries = tables.read_table("t.csv")
    assert [(e.model, e.image) for e in entries[:4]] == [
        *(("dncnn-s-25", image) for image in ("a", "b", "mean")),
        ("dncnn-b", "a"),
    ]
    assert f"{entries[5].psnr:.2f}" == rows[0][5]
    assert call(*words, "dncnn-b")[0] == 0  # replaces its own rows, and leaves the others
    assert tables.read_table("t.csv") == entries
    code, _, err = call(*words, weights)
    assert code == 1 and err[0].startswith(f"error: model is '{weights}', but must be one of ")


@pytest.mark.filterwarnings("default")
def test_noise_levels_that_are_none(call, weights, album):
    picture("album/a.png", 20, 20)
    picture("album/B.JPG", 16, 20)
    words = ("evaluate", "--model", weights, "--set", "album", "--sigma")
    assert call(*words, "nan") == (1, "", ["error: sigma is nan, but must be finite"])
    assert call(*words, "-5") == (1, "", ["error: sigma is -5.0, but must be at least 0"])
    code, _, err = call(*words, "0.1")
    assert code == 0 and err[0].startswith("warning: sigma is 0.1 on the 0–255 scale")


def test_a_missing_set_says_what_helps(call, weights, monkeypatch):
    file = datasets.DatasetFile("Set12", "01.png", 1, "0", "http://127.0.0.1:9/01.png")
    monkeypatch.setattr(datasets, "_registry", lambda: {"Set12": (file,)})
    code, out, err = call("evaluate", "--model", weights, "--set", "Set12")
    assert (code, out, len(err)) == (1, "", 1)
    assert err[0].endswith(
        "With a network connection run `python -m dncnn_lib download Set12`; or set DNCNN_DATA to "
        "a folder that holds Set12/01.png"
    )


# ------------------------------------------------------------------------ info, download, benchmark


@pytest.fixture
def no_download(monkeypatch):
    def refuse(file: datasets.DatasetFile) -> None:
        raise AssertionError(f"{file} was downloaded")

    monkeypatch.setattr(datasets, "_download", refuse)


def test_info_names_machine_models_recipes_and_sets(call, no_download, monkeypatch, tmp_path):
    (tmp_path / "mine" / "Set12").mkdir(parents=True)
    (tmp_path / "mine" / "Set12" / "05.png").write_bytes(b"only its presence counts")
    monkeypatch.setenv("DNCNN_DATA", str(tmp_path / "mine"))
    code, out, err = call("info")
    assert (code, err) == (0, [])
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert any(re.match(rf"Python 3\.{sys.version_info.minor}\.", line) for line in lines)
    assert f"Set12 1 of 12 images in {tmp_path / 'mine' / 'Set12'}" in lines
    assert "BSD68 68 images, not on this machine" in lines
    for name in [*recipes.recipe_names(), *zoo.model_names()]:
        assert any(line.split(" ")[0] == name for line in lines)


def test_info_survives_a_wrong_folder(call, no_download, monkeypatch):
    monkeypatch.setenv("DNCNN_DATA", "typo")
    code, out, _ = call("info")
    assert code == 0 and "DNCNN_DATA is 'typo', but there is no such folder" in out


def test_download_says_where_a_set_is(call, monkeypatch):
    fetched = []
    monkeypatch.setattr(
        datasets,
        "dataset_paths",
        lambda name, progress: fetched.append(name) or [Path("cache", name, "a.png")] * 2,
    )
    code, out, err = call("download", "Set12", "Set5")
    assert (code, err, fetched) == (0, [], ["Set12", "Set5"])
    assert out.splitlines() == [f"{n}: 2 images, whole, in {Path('cache', n)}" for n in fetched]
    code, out, err = call("download", "BSD68", "Set13")
    assert (code, out, fetched) == (1, "", ["Set12", "Set5"])
    assert err[0].startswith("error: name is 'Set13', but must be one of 'Train400', 'Set12'")


@pytest.mark.slow
def test_the_benchmark_gives_its_tables(call, monkeypatch):
    monkeypatch.setattr(benchmark, "NETWORK", (3, 4))
    monkeypatch.setattr(benchmark, "QUICK_SIZES", ((8, 8),))
    code, out, err = call("benchmark", "--quick")
    assert (code, err) == (0, [])
    assert "; DnCNN of 3 layers, 4 wide, grey" in out.splitlines()[0]
    assert re.search(
        r"^Arithmetic of the last fp32 figure: \d+ GFLOP/s; .* \d+\.$", out, re.MULTILINE
    )
    number, times = r" +\d+", r" +\d+\.\dx"
    bf16 = rf"({number}{times}| +- +-)"
    for task in ("denoise 8×8", "train on 16 patches of 40×40"):
        assert re.search(f"^{task}{number}{number}{times}{bf16}$", out, re.MULTILINE)


def test_the_arithmetic_of_a_network():
    # by hand: 3 convolutions of 3×3, 1→4, 4→4, 4→1, on 10×20 pixels, 2 operations for each weight
    assert benchmark.operations((10, 20), (3, 4)) == 2 * 9 * (4 + 16 + 4) * 200 / 1e9
    assert benchmark.peak(repeats=1, side=64) > 0


def test_benchmark_rows_are_medians_without_the_first(monkeypatch):
    turns = {"usual": iter([9.0, 3.0, 1.0, 2.0]), "ours": iter([9.0, 0.5, 0.1, 0.2])}
    monkeypatch.setattr(benchmark, "prefers_bf16", lambda: False)
    monkeypatch.setattr(
        benchmark,
        "_other_process",
        lambda: __import__("contextlib").nullcontext(lambda f, *a: f(*a)),
    )
    row = benchmark._compare(
        "task", 1, lambda: next(turns["usual"]), lambda _: next(turns["ours"]), (), 3
    )
    assert row == benchmark.Row("task", 1, usual=2.0, fp32=0.2, bf16=None)
