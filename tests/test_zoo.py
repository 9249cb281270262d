"""Pretrained weights: what is saved comes back, what is damaged or foreign is refused or read.

The networks of other code bases are written out here as those code bases build them, so that the
readers are tried without their files. With the real files in a folder that the environment variable
DNCNN_REFERENCE_WEIGHTS names, those are tried too: kair_dncnn_25.pth, saoyan_dncnn_s_25.pth and
matconvnet_sigma25.mat, all for σ = 25.
"""

import hashlib
import importlib.util
import json
import os
import pickle
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from helpers import raises
from skimage.metrics import peak_signal_noise_ratio
from torch import nn

from dncnn_lib import _files, datasets, zoo
from dncnn_lib.model import DnCNN

KAIR_OR_SAOYAN = (
    "a state dict of KAIR's DnCNN (model.0.weight ...) or SaoYan's (dncnn.0.weight ...)"
)
OURS = "a file that dncnn_lib.save_pretrained wrote"
MATCONVNET = "a MatConvNet DnCNN in MATLAB's format v7.3"
DAMAGED = "it is damaged, or of another kind"


def refuses(path, reason, rule):
    return raises(ValueError, f"{path} cannot be read: {reason}; it must be {rule}")


def scramble(module, seed=0):
    """Every weight and statistic at random, so that a swapped or forgotten tensor shows."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2, generator=generator)
        elif value.is_floating_point():
            value.normal_(0, 0.3, generator=generator)
    return module.eval()


def network(**changes):
    return scramble(DnCNN(**{"depth": 5, "width": 6, **changes}))


def image(channels=1):
    return torch.rand(2, channels, 9, 7, generator=torch.Generator().manual_seed(1))


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
        "'.safetensors', '.pth', '.pt', '.mat'",
    ):
        zoo.load_pretrained(tmp_path / "net.onnx")


# ---------------------------------------------------------------------- damaged files


@pytest.mark.parametrize("damage", ["empty", "truncated", "text"])
@pytest.mark.parametrize(
    "suffix, rule", [(".safetensors", OURS), (".pth", KAIR_OR_SAOYAN), (".mat", MATCONVNET)]
)
def test_damaged_files(tmp_path, suffix, rule, damage):
    path = tmp_path / f"net{suffix}"
    if suffix == ".mat":
        pytest.importorskip("h5py", reason="h5py reads .mat files: pip install h5py")
        write_matconvnet(path, network(bias=True))
    else:
        (zoo.save_kair if suffix == ".pth" else zoo.save_pretrained)(network(), path)
    zoo.load_pretrained(path)  # whole, it loads
    path.with_suffix(".json").unlink(missing_ok=True)  # the card, which knows its hash
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "truncated": data[: len(data) // 2], "text": b"no"}[damage])
    with refuses(path, DAMAGED, rule):
        zoo.load_pretrained(path)


class Malicious:
    """Unpickled, it creates a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("suffix", [".pth", ".pt"])
@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_a_pickle_is_never_executed(tmp_path, writer, suffix):
    path, marker = tmp_path / f"net{suffix}", tmp_path / "executed"
    if writer == "pickle":
        path.write_bytes(pickle.dumps({"model.0.weight": Malicious(marker)}))
    else:
        torch.save({"model.0.weight": Malicious(marker)}, path)
    with refuses(path, DAMAGED, KAIR_OR_SAOYAN):
        zoo.load_pretrained(path)
    assert not marker.exists()
    # the file is as malicious as it claims
    pickle.loads(path.read_bytes()) if writer == "pickle" else torch.load(path, weights_only=False)
    assert marker.exists()


def drop_bias(state):
    del state["model.6.bias"]


def use_5x5(state):
    state["model.2.weight"] = torch.zeros(6, 6, 5, 5)


def put_nan(state):
    state["model.4.weight"][0, 0, 0, 0] = torch.nan


def put_infinity(state):
    state["model.8.bias"][0] = -torch.inf


def take_noise_map(state):  # KAIR's FDnCNN
    state["model.0.weight"] = torch.zeros(6, 2, 3, 3)


def flatten_first(state):
    state["model.0.weight"] = torch.zeros(6)


def add_layer(state):
    state["model.1.weight"] = torch.zeros(6)


def add_number(state):
    state["model.9.weight"] = 3


@pytest.mark.parametrize(
    "change, reason",
    [
        (drop_bias, "6.bias is missing"),
        (use_5x5, "2.weight has the shape (6, 6, 5, 5) in place of (6, 6, 3, 3)"),
        (put_nan, "4.weight has NaN or infinite values"),
        (put_infinity, "8.bias has NaN or infinite values"),
        (take_noise_map, "8.weight has the shape (1, 6, 3, 3) in place of (2, 6, 3, 3)"),
        (flatten_first, "it does not begin with a convolution"),
        (add_layer, "1.weight is not part of a DnCNN"),
        (add_number, "it holds 'model.9.weight'"),
        (dict.clear, "it does not begin with a convolution"),
    ],
)
def test_state_dicts_that_are_no_dncnn(tmp_path, change, reason):
    path = tmp_path / "net.pth"
    state = dict(Kair().state_dict())
    change(state)
    torch.save(state, path)
    with refuses(path, reason, KAIR_OR_SAOYAN):
        zoo.load_pretrained(path)


@pytest.mark.parametrize(
    "saved, reason",
    [
        ({"conv1.weight": torch.zeros(64, 3, 7, 7)}, "it holds 'conv1.weight'"),  # a ResNet
        ({"step": 3, "net": {}}, "it holds 'step'"),
        ([torch.zeros(3)], "it holds a list"),
        (torch.zeros(3), "it holds a Tensor"),
    ],
)
def test_other_things_in_a_pth(tmp_path, saved, reason):
    torch.save(saved, tmp_path / "net.pth")
    with refuses(tmp_path / "net.pth", reason, KAIR_OR_SAOYAN):
        zoo.load_pretrained(tmp_path / "net.pth")


@pytest.mark.parametrize(
    "metadata, reason",
    [
        (None, "its metadata have no 'dncnn'"),
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
    with refuses(path, reason, OURS):
        zoo.load_pretrained(path)


# ---------------------------------------------------------------------- SaoYan and KAIR


class SaoYan(nn.Module):
    """As SaoYan/DnCNN-PyTorch builds it: no biases; ``forward`` returns the noise."""

    def __init__(self, channels=1):
        super().__init__()
        layers = [nn.Conv2d(channels, 6, 3, padding=1, bias=False), nn.ReLU()]
        for _ in range(3):
            layers += [nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU()]
        self.dncnn = nn.Sequential(*layers, nn.Conv2d(6, channels, 3, padding=1, bias=False))
        scramble(self)

    def forward(self, noisy):
        return self.dncnn(noisy)


class Kair(nn.Module):
    """As KAIR builds it: biases everywhere, batch norm or not; ``forward`` returns the image."""

    def __init__(self, channels=1, norm=False):
        super().__init__()
        layers = [nn.Conv2d(channels, 6, 3, padding=1), nn.ReLU()]
        for _ in range(3):
            layers += [nn.Conv2d(6, 6, 3, padding=1), *[nn.BatchNorm2d(6)] * norm, nn.ReLU()]
        self.model = nn.Sequential(*layers, nn.Conv2d(6, channels, 3, padding=1))
        scramble(self)

    def forward(self, noisy):
        return noisy - self.model(noisy)


def config(channels, batch_norm, bias):
    sizes = {"depth": 5, "width": 6, "channels": channels, "residual": True}
    return {**sizes, "batch_norm": batch_norm, "bias": bias}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("wrapped", [True, False])
def test_saoyan(tmp_path, wrapped, channels):
    net = SaoYan(channels)
    state = (nn.DataParallel(net) if wrapped else net).state_dict()
    if wrapped:  # older versions of PyTorch had no such counter
        state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "net.pth")
    loaded = zoo.load_pretrained(tmp_path / "net.pth")
    assert loaded.config == config(channels, batch_norm=True, bias=False)
    noisy = image(channels)
    torch.testing.assert_close(loaded(noisy), noisy - net(noisy), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("norm", [True, False])
def test_kair(tmp_path, norm, channels):
    net = Kair(channels, norm)
    torch.save(net.state_dict(), tmp_path / "net.pth")
    loaded = zoo.load_pretrained(tmp_path / "net.pth")
    assert loaded.config == config(channels, batch_norm=norm, bias=True)
    torch.testing.assert_close(loaded(image(channels)), net(image(channels)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "changes", [{}, {"channels": 3}, {"bias": True}, {"batch_norm": False, "bias": False}]
)
def test_kair_reads_what_save_kair_writes(tmp_path, changes):
    net = network(**changes)
    zoo.save_kair(net, tmp_path / "net.pth")
    kair = Kair(net.channels)
    kair.load_state_dict(torch.load(tmp_path / "net.pth", weights_only=True), strict=True)
    noisy = image(net.channels)
    torch.testing.assert_close(kair(noisy), net(noisy), rtol=1e-5, atol=1e-5)


def test_save_kair_refuses(tmp_path):
    with raises(
        ValueError,
        "model.residual is False, but must be True, because KAIR's DnCNN returns x - model(x)",
    ):
        zoo.save_kair(network(residual=False), tmp_path / "net.pth")
    with raises(ValueError, "path is 'net.mat', but must be the name of a .pth file"):
        zoo.save_kair(network(), "net.mat")
    assert list(tmp_path.iterdir()) == []


def import_spandrel(monkeypatch):
    """spandrel, which imports three names of torchvision for networks that are none of DnCNN.

    Where torchvision is not installed an empty stand-in serves; DnCNN never calls it.
    """
    if importlib.util.find_spec("torchvision") is None:
        names = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
        stand_ins = {name: types.ModuleType(name) for name in names}
        for name in ("InterpolationMode", "rotate", "normalize"):
            setattr(stand_ins[names[-1]], name, None)
        for name, module in stand_ins.items():
            monkeypatch.setitem(sys.modules, name, module)
    reason = "spandrel is not installed: pip install --no-deps spandrel einops"
    return pytest.importorskip("spandrel", reason=reason)


@pytest.mark.parametrize("changes", [{}, {"channels": 3}, {"batch_norm": False, "bias": False}])
def test_spandrel_reads_what_save_kair_writes(tmp_path, monkeypatch, changes):
    spandrel = import_spandrel(monkeypatch)
    net = network(depth=8, **changes)
    zoo.save_kair(net, tmp_path / "net.pth")
    described = spandrel.ModelLoader(device="cpu").load_from_file(tmp_path / "net.pth")
    assert (described.architecture.id, described.tags) == ("DnCNN", ["6nc", "8nb"])
    assert described.input_channels == described.output_channels == net.channels
    noisy = image(net.channels)
    with torch.no_grad():
        result = described.model.eval()(noisy)
    torch.testing.assert_close(result, net(noisy), rtol=1e-5, atol=1e-5)


# ---------------------------------------------------------------------- MatConvNet


def write_matconvnet(path, net, last="loss"):
    """Write ``net`` as MATLAB saves a MatConvNet network with ``save(path, 'net', '-v7.3')``.

    A MATLAB array's axes are reversed in the file, and MATLAB has no trailing axes of size 1.
    """
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        references = file.create_group("#refs#")

        def refer(value):
            return references.create_dataset(str(len(references)), data=value).ref

        def store(group, array):  # array: as it would be seen in MATLAB
            while array.ndim > 2 and array.shape[-1] == 1:
                array = array[..., 0]
            return refer(np.ascontiguousarray(array.T))

        def add(kind, arrays):
            group = references.create_group(str(len(references)))
            group["type"] = np.array([[ord(letter)] for letter in kind], np.uint16)
            if arrays:
                cells = [[store(group, array)] for array in arrays]
                group.create_dataset("weights", data=cells, dtype=h5py.ref_dtype)
            layers.append([group.ref])

        layers = []
        for layer in net.layers:
            if isinstance(layer, nn.Conv2d):
                filters = layer.weight.detach().numpy().transpose(2, 3, 1, 0)
                add("conv", [filters, layer.bias.detach().numpy()[:, None]])
            elif isinstance(layer, nn.BatchNorm2d):
                deviation = torch.sqrt(layer.running_var + layer.eps)
                moments = torch.stack([layer.running_mean, deviation], 1).numpy()
                gain, offset = (p.detach().numpy()[:, None] for p in (layer.weight, layer.bias))
                add("bnorm", [gain, offset, moments])
            else:
                add("relu", [])
        add(last, [])
        file.create_group("net").create_dataset("layers", data=layers, dtype=h5py.ref_dtype)
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_matconvnet(tmp_path, batch_norm, channels):
    pytest.importorskip("h5py", reason="h5py reads .mat files: pip install h5py")
    net = network(channels=channels, batch_norm=batch_norm, bias=True)
    if batch_norm:  # so small that the ε beside it matters, as MatConvNet's initial 0.01² is
        net.layers[3].running_var.copy_(torch.linspace(5e-5, 2e-4, 6))
    write_matconvnet(tmp_path / "net.mat", net)
    loaded = zoo.load_pretrained(tmp_path / "net.mat")
    assert loaded.config == net.config
    torch.testing.assert_close(dict(loaded.state_dict()), dict(net.state_dict()))
    torch.testing.assert_close(loaded(image(channels)), net(image(channels)), rtol=1e-5, atol=1e-5)


def test_mat_without_h5py(tmp_path, monkeypatch):
    (tmp_path / "net.mat").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with raises(ImportError, ".mat files are read by h5py: pip install h5py"):
        zoo.load_pretrained(tmp_path / "net.mat")


# ---------------------------------------------------------------------- the real files


@pytest.fixture(scope="module")
def reference():
    """The folder of published weights for σ = 25."""
    folder = os.environ.get("DNCNN_REFERENCE_WEIGHTS")
    if not folder:
        pytest.skip("DNCNN_REFERENCE_WEIGHTS names no folder with published weights")
    return Path(folder)


@pytest.fixture(scope="module")
def pictures():
    """Three images of Set12, House, Peppers and Starfish: (clean, noisy) pairs in [0, 1]."""
    try:
        images = datasets.load_dataset("Set12", download=False)
    except FileNotFoundError:
        pytest.skip(f"{datasets.VARIABLE} names no folder with Set12")
    random = np.random.default_rng(0)
    clean = [images[name].astype(np.float64) for name in ("02.png", "03.png", "04.png")]
    return [(x, x + random.normal(0, 25 / 255, x.shape)) for x in clean]


def by_hand(state, noisy, prefix):
    """x̂ by the definition, straight from the published tensors."""
    value = noisy
    last = max(int(key.split(".")[-2]) for key in state)
    for index in range(last + 1):
        name = f"{prefix}{index}."
        if f"{name}running_mean" in state:
            names = ("running_mean", "running_var", "weight", "bias")
            value = F.batch_norm(value, *(state[name + n] for n in names))
        elif f"{name}weight" in state:
            value = F.conv2d(value, state[f"{name}weight"], state.get(f"{name}bias"), padding=1)
        else:
            value = value.relu()
    return noisy - value


def mean_psnr(denoiser, pictures):
    values = []
    for clean, noisy in pictures:
        with torch.no_grad():
            batch = torch.from_numpy(noisy).float()[None, None]
            restored = denoiser(batch)[0, 0].clamp(0, 1).double().numpy()
        values.append(peak_signal_noise_ratio(clean, restored, data_range=1))
    return np.mean(values)


@pytest.mark.parametrize(
    "name, original, prefix, published",
    [
        # Table of the paper for the three images; SaoYan publishes a mean for the whole set only
        ("kair_dncnn_25.pth", "kair_dncnn_25.pth", "model.", (33.06 + 30.87 + 29.41) / 3),
        ("matconvnet_sigma25.mat", "kair_dncnn_25.pth", "model.", (33.06 + 30.87 + 29.41) / 3),
        ("saoyan_dncnn_s_25.pth", "saoyan_dncnn_s_25.pth", "module.dncnn.", None),
    ],
)
def test_published_weights(reference, pictures, name, original, prefix, published):
    """The PSNR of each file is that of its tensors, and where it is known that of the paper.

    KAIR's file has the weights of the MatConvNet file, so it is the oracle for both.
    """
    if name.endswith(".mat"):
        pytest.importorskip("h5py", reason="h5py reads .mat files: pip install h5py")
    state = torch.load(reference / original, weights_only=True, map_location="cpu")
    expected = mean_psnr(lambda noisy: by_hand(state, noisy, prefix), pictures)
    found = mean_psnr(zoo.load_pretrained(reference / name), pictures)
    assert found == pytest.approx(expected, abs=0.01)
    if published is not None:
        assert found == pytest.approx(published, abs=0.1)  # another draw of the noise


def test_save_kair_writes_kairs_own_file_again(reference, tmp_path):
    path = reference / "kair_dncnn_25.pth"
    zoo.save_kair(zoo.load_pretrained(path), tmp_path / "net.pth")
    theirs, ours = (torch.load(p, weights_only=True) for p in (path, tmp_path / "net.pth"))
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


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
