"""Pretrained weights: what is saved comes back, and what is damaged or foreign is refused."""

import hashlib
import json
import re
from pathlib import Path

import pytest
import safetensors.torch
import torch
from helpers import raises, scramble, seeded
from torch import nn

from dncnn_lib import _files, zoo
from dncnn_lib.model import DnCNN

OURS = "a file that dncnn_lib.save_pretrained wrote"
DAMAGED = "it is damaged, or of another kind"


def refuses(path, reason):
    return raises(ValueError, f"{path} cannot be read: {reason}; it must be {OURS}")


def network(**changes):
    return scramble(DnCNN(**{"depth": 5, "width": 6, **changes}))


def image(channels=1):
    return torch.rand(2, channels, 9, 7, generator=seeded(1))


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A folder of shipped networks that holds one, "tiny"."""
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    zoo.save_pretrained(network(), tmp_path / "tiny.safetensors", {"licence": "MIT"})
    return tmp_path


# ---------------------------------------------------------------------- our own format


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"channels": 3},
        {"residual": False},
        {"batch_norm": False},
        {"bias": True},
        {"batch_norm": False, "bias": False},
        {"depth": 2, "width": 1},
    ],
)
def test_what_is_saved_comes_back(tmp_path, changes):
    net, path = network(**changes), tmp_path / "net.safetensors"
    # training leaves networks in this layout
    zoo.save_pretrained(net.to(memory_format=torch.channels_last), path)
    loaded = zoo.load_pretrained(path)
    assert loaded.config == net.config
    assert loaded.state_dict().keys() == net.state_dict().keys()
    for key, value in net.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key
    noisy = image(net.channels)
    torch.testing.assert_close(loaded(noisy), net(noisy), rtol=1e-5, atol=1e-5)


def test_loaded_is_in_eval_mode_trainable_and_seeds_nothing(tmp_path):
    zoo.save_pretrained(network().train(), tmp_path / "net.safetensors")
    before = torch.random.get_rng_state()
    loaded = zoo.load_pretrained(str(tmp_path / "net.safetensors"))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not any(module.training for module in loaded.modules())
    assert all(p.requires_grad and p.is_contiguous() for p in loaded.parameters())
    assert {t.device.type for t in loaded.state_dict().values()} == {"cpu"}


def test_half_precision_rounds_the_weights_and_keeps_the_statistics(tmp_path):
    net = network(width=32)
    net.layers[3].running_var[0] = 1e-9  # 0 in float16
    zoo.save_pretrained(net, tmp_path / "full.safetensors")
    zoo.save_pretrained(net, tmp_path / "half.safetensors", half=True)
    loaded = zoo.load_pretrained(tmp_path / "half.safetensors").state_dict()
    for key, value in net.state_dict().items():
        rounded = "running" not in key and value.is_floating_point()
        assert torch.equal(loaded[key], value.half().float() if rounded else value), key
        assert loaded[key].dtype == value.dtype
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.6 * sizes[1]


def test_card_tells_network_and_hash(tmp_path):
    zoo.save_pretrained(network(), tmp_path / "net.safetensors", {"sigma": [0, 55], "by": "Łukasz"})
    digest = hashlib.sha256((tmp_path / "net.safetensors").read_bytes()).hexdigest()
    assert json.loads((tmp_path / "net.json").read_text(encoding="utf-8")) == {
        "sigma": [0, 55],
        "by": "Łukasz",
        "network": {
            "depth": 5,
            "width": 6,
            "channels": 1,
            "residual": True,
            "batch_norm": True,
            "bias": False,
        },
        "sha256": digest,
    }


def test_save_refuses_what_could_not_be_loaded(tmp_path):
    net = network()
    with raises(ValueError, "path is 'net.pth', but must be the name of a .safetensors file"):
        zoo.save_pretrained(net, "net.pth")
    with pytest.raises(TypeError, match="^Object of type object is not JSON serializable$"):
        zoo.save_pretrained(net, tmp_path / "net.safetensors", {"by": object()})
    net.layers[2].weight.data[0, 0, 0, 0] = 1e6  # infinite in float16
    with raises(ValueError, "layers.2.weight has NaN or infinite values"):
        zoo.save_pretrained(net, tmp_path / "net.safetensors", half=True)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_the_old_file(weights, monkeypatch):
    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    before = {path: path.read_bytes() for path in weights.iterdir()}
    monkeypatch.setattr(_files.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left on device; what was there is unchanged$"):
        zoo.save_pretrained(network(width=2), weights / "tiny.safetensors")
    assert {path: path.read_bytes() for path in weights.iterdir()} == before


# ---------------------------------------------------------------------- names and cards


def test_shipped_networks_are_those_with_weights_and_card(weights):
    (weights / "orphan.safetensors").write_bytes(b"")
    (weights / "record.json").write_text("{}")
    assert zoo.model_names() == ["tiny"]
    assert zoo.card("tiny")["licence"] == "MIT"
    assert torch.equal(zoo.load_pretrained("tiny")(image()), network()(image()))


def test_every_shipped_network_loads():
    for name in zoo.model_names():
        assert zoo.load_pretrained(name).config == zoo.card(name)["network"]


def test_unknown_name_lists_the_known_ones(weights):
    zoo.save_pretrained(network(), weights / "small.safetensors")
    with raises(
        ValueError,
        "name_or_path is 'dncnn-x', but must be one of 'small', 'tiny', or the path of a file",
    ):
        zoo.load_pretrained("dncnn-x")
    with raises(ValueError, "name is 'dncnn-x', but must be one of 'small', 'tiny'"):
        zoo.card("dncnn-x")


def test_damaged_shipped_weights_are_refused_by_their_hash(weights):
    path = weights / "tiny.safetensors"
    wanted = hashlib.sha256(path.read_bytes()).hexdigest()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # one bit of the last weight: a file that would load
    path.write_bytes(data)
    found = hashlib.sha256(data).hexdigest()
    for name_or_path in ("tiny", path):
        with raises(
            ValueError,
            f"{path} has SHA-256 {found}, but must have {wanted}, as its card says; "
            "it is damaged: fetch it again",
        ):
            zoo.load_pretrained(name_or_path)
    path.with_suffix(".json").unlink()
    assert isinstance(zoo.load_pretrained(path), DnCNN)


def test_damaged_card_is_named(weights):
    (weights / "tiny.json").write_text("{")
    with pytest.raises(ValueError, match=f"^{re.escape(str(weights / 'tiny.json'))} is damaged: "):
        zoo.load_pretrained("tiny")


@pytest.mark.parametrize("kind", [str, Path])
def test_missing_file(tmp_path, kind):
    path = tmp_path / "gone.pth"
    with raises(FileNotFoundError, f"name_or_path is {str(path)!r}, but there is no such file"):
        zoo.load_pretrained(kind(path))


def test_a_name_with_a_known_suffix_is_a_path():
    with raises(FileNotFoundError, "name_or_path is 'gone.mat', but there is no such file"):
        zoo.load_pretrained("gone.mat")


def test_unknown_suffix(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"")
    with raises(
        ValueError,
        "the suffix of name_or_path is '.onnx', but must be one of "
        "'.safetensors', '.pth', '.pt', '.ckpt', '.mat'",
    ):
        zoo.load_pretrained(tmp_path / "net.onnx")


# ---------------------------------------------------------------------- damaged files


@pytest.mark.parametrize("damage", ["empty", "truncated", "text"])
def test_damaged_files(tmp_path, damage):
    path = tmp_path / "net.safetensors"
    zoo.save_pretrained(network(), path)
    path.with_suffix(".json").unlink()  # the card, which knows its hash
    zoo.load_pretrained(path)  # whole, it loads
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "truncated": data[: len(data) // 2], "text": b"no"}[damage])
    with refuses(path, DAMAGED):
        zoo.load_pretrained(path)


NO_ARCHITECTURE = f"its metadata have none of {', '.join(map(repr, zoo.ARCHITECTURES))}"


@pytest.mark.parametrize(
    "metadata, reason",
    [
        (None, NO_ARCHITECTURE),
        ({"dncnn": "{"}, DAMAGED),
        ({"dncnn": "3"}, DAMAGED),
        ({"dncnn": '{"kernel": 5}'}, DAMAGED),
        ({"dncnn": '{"depth": 4, "width": 6}'}, "11.weight is not part of a DnCNN"),
        (
            {"dncnn": '{"depth": 5, "width": 7}'},
            "0.weight has the shape (6, 1, 3, 3) in place of (7, 1, 3, 3)",
        ),
    ],
)
def test_safetensors_of_another_network(tmp_path, metadata, reason):
    path = tmp_path / "net.safetensors"
    safetensors.torch.save_file(network().state_dict(), path, metadata)
    with refuses(path, reason):
        zoo.load_pretrained(path)


def test_a_file_is_held_against_the_card_beside_it(tmp_path):
    path = tmp_path / "net.safetensors"
    zoo.save_pretrained(DnCNN(3, 4), path, {"about": "first"})
    zoo.load_pretrained(path)
    data = path.read_bytes()
    zoo.save_pretrained(DnCNN(3, 4), path)  # other weights and their card
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"has SHA-256 [0-9a-f]{64}, but must have [0-9a-f]{64}"):
        zoo.load_pretrained(path)
    path.with_suffix(".json").write_text("[1]")
    message = f"{path.with_suffix('.json')} is damaged: it holds a list, not a card"
    with raises(ValueError, message):
        zoo.load_pretrained(path)


def test_a_negative_variance_is_refused(tmp_path):
    net = DnCNN(3, 4)
    next(net.buffers()).fill_(0)
    net.layers[3].running_var[1] = -1
    zoo.save_pretrained(net, tmp_path / "net.safetensors")
    with pytest.raises(ValueError, match=r"cannot be read: 3\.running_var has negative values"):
        zoo.load_pretrained(tmp_path / "net.safetensors")


def test_weights_and_card_are_both_written_or_neither(tmp_path):
    path = tmp_path / "net.safetensors"
    path.with_suffix(".json").mkdir()
    with pytest.raises(IsADirectoryError):
        zoo.save_pretrained(DnCNN(3, 4), path)
    assert [p.name for p in tmp_path.iterdir()] == ["net.json"]


# ---------------------------------------------------------------------- other architectures


class Told(nn.Module):
    """x̂ = y − w∗y·σ: a network that is told the noise level."""

    def __init__(self, width: int, channels: int = 1) -> None:
        super().__init__()
        self.width, self.channels = width, channels
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.last = nn.Conv2d(width, channels, 3, padding=1)

    @property
    def config(self):
        return {"width": self.width, "channels": self.channels}

    def reset_parameters(self, generator=None):
        for layer in (self.first, self.last):
            nn.init.normal_(layer.weight, generator=generator)

    def forward(self, noisy, sigma):
        return noisy - sigma * self.last(self.norm(self.first(noisy)))


def test_a_new_architecture_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(zoo.ARCHITECTURES, "told", Told)
    net, path = scramble(Told(5, channels=3)), tmp_path / "net.safetensors"
    zoo.save_pretrained(net, path, {"about": "told the noise"}, half=True)
    net.load_state_dict(
        {k: v.half().to(v.dtype) if "norm" not in k else v for k, v in net.state_dict().items()}
    )
    loaded = zoo.load_pretrained(path)
    assert type(loaded) is Told and loaded.config == {"width": 5, "channels": 3}
    assert not any(module.training for module in loaded.modules())
    noisy, sigma = image(3), torch.full((1, 1, 1, 1), 0.1)
    torch.testing.assert_close(loaded(noisy, sigma), net(noisy, sigma), rtol=2e-3, atol=2e-3)
    card = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert card["network"] == {"width": 5, "channels": 3} and card["about"] == "told the noise"
    # and the networks that were there before are still what they are
    zoo.save_pretrained(network(), tmp_path / "dncnn.safetensors")
    assert type(zoo.load_pretrained(tmp_path / "dncnn.safetensors")) is DnCNN


@pytest.mark.parametrize(
    "config, reason",
    [
        ('{"width": 6}', "first.weight has the shape (5, 1, 3, 3) in place of (6, 1, 3, 3)"),
        ('{"height": 5}', DAMAGED),
        ("{", DAMAGED),
    ],
)
def test_weights_that_are_not_of_the_architecture(tmp_path, monkeypatch, config, reason):
    monkeypatch.setitem(zoo.ARCHITECTURES, "told", Told)
    path = tmp_path / "net.safetensors"
    state = dict(Told(5).state_dict())
    safetensors.torch.save_file(state, path, {"told": config})
    with refuses(path, reason):
        zoo.load_pretrained(path)
    state["third.weight"] = torch.zeros(3)
    safetensors.torch.save_file(state, path, {"told": '{"width": 5}'})
    with refuses(path, "third.weight is not part of a Told"):
        zoo.load_pretrained(path)


def test_an_architecture_that_is_not_known_is_neither_saved_nor_loaded(tmp_path, monkeypatch):
    path = tmp_path / "net.safetensors"
    known = ", ".join(kind.__name__ for kind in zoo.ARCHITECTURES.values())
    assert "DnCNN" in known and "TNRD" in known
    with raises(TypeError, f"net is a Told, but must be one of {known}"):
        zoo.save_pretrained(Told(5), path)
    assert list(tmp_path.iterdir()) == []
    with monkeypatch.context() as registered:
        registered.setitem(zoo.ARCHITECTURES, "told", Told)
        assert zoo.architecture(Told(5)) == "told" and zoo.architecture(network()) == "dncnn"
        zoo.save_pretrained(Told(5), path)
    with refuses(path, NO_ARCHITECTURE):
        zoo.load_pretrained(path)
