"""The formats of other code bases: KAIR, SaoYan/DnCNN-PyTorch, MatConvNet.

Their networks are written out here as those code bases build them, so that the readers are tried
without their files. With the real files in a folder that the environment variable
DNCNN_REFERENCE_WEIGHTS names, those are tried too: kair_dncnn_25.pth, saoyan_dncnn_s_25.pth and
matconvnet_sigma25.mat, all for σ = 25.
"""

import importlib.util
import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import raises, scramble, seeded
from skimage.metrics import peak_signal_noise_ratio
from torch import nn

from dncnn_lib import datasets, zoo
from dncnn_lib.model import DnCNN

KAIR_OR_SAOYAN = (
    "a state dict of KAIR's DnCNN (model.0.weight ...) or SaoYan's (dncnn.0.weight ...)"
)
MATCONVNET = "a MatConvNet DnCNN in MATLAB's format v7.3"
DAMAGED = "it is damaged, or of another kind"
NO_TORCH_FILE = "it is not a file that torch.save writes"
PICKLED = (
    "it holds pickled Python objects, such as a whole module, and a pickle can run any code, so it "
    "is not opened; where you trust it, load it with torch.load(path, weights_only=False) and save "
    "module.state_dict(), or the state dict in it, alone"
)


def refuses(path, reason, rule):
    return raises(ValueError, f"{path} cannot be read: {reason}; it must be {rule}")


def network(**changes):
    return scramble(DnCNN(**{"depth": 5, "width": 6, **changes}))


def image(channels=1):
    return torch.rand(2, channels, 9, 7, generator=seeded(1))


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
            normed = [nn.BatchNorm2d(6, eps=1e-4, momentum=0.95)] * norm
            layers += [nn.Conv2d(6, 6, 3, padding=1), *normed, nn.ReLU()]
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


# ---------------------------------------------------------------------- damaged and malicious files


@pytest.mark.parametrize("damage", ["empty", "truncated", "text"])
@pytest.mark.parametrize("suffix, rule", [(".pth", KAIR_OR_SAOYAN), (".mat", MATCONVNET)])
def test_damaged_files(tmp_path, suffix, rule, damage):
    path = tmp_path / f"net{suffix}"
    if suffix == ".mat":
        pytest.importorskip("h5py", reason="h5py reads .mat files: pip install h5py")
        write_matconvnet(path, network(bias=True))
    else:
        zoo.save_kair(network(), path)
    zoo.load_pretrained(path)  # whole, it loads
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "truncated": data[: len(data) // 2], "text": b"no"}[damage])
    no_torch_file = suffix == ".pth" and damage != "truncated"
    with refuses(path, NO_TORCH_FILE if no_torch_file else DAMAGED, rule):
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
    with refuses(path, PICKLED, KAIR_OR_SAOYAN):
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
        (use_5x5, "2.weight has the shape (6, 6, 5, 5), but a DnCNN has kernels of 3×3 only"),
        (put_nan, "4.weight has NaN or infinite values"),
        (put_infinity, "8.bias has NaN or infinite values"),
        (
            take_noise_map,
            "its first layer takes 2 channels and its last gives 1, as in FDnCNN, which is not a "
            "DnCNN",
        ),
        (flatten_first, "it does not begin with a convolution"),
        (add_layer, "1.weight is not part of a DnCNN"),
        (add_number, "it holds 'model.9.weight', a int"),
        (dict.clear, "it holds no tensors"),
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
        ({"conv1.weight": torch.zeros(64, 3, 7, 7)}, "it holds 'conv1.weight', which no DnCNN has"),
        ({"step": 3, "net": {}}, "it holds no tensors"),
        ([torch.zeros(3)], "it holds a list, not a state dict"),
        (torch.zeros(3), "it holds a Tensor, not a state dict"),
    ],
)
def test_other_things_in_a_pth(tmp_path, saved, reason):
    torch.save(saved, tmp_path / "net.pth")
    with refuses(tmp_path / "net.pth", reason, KAIR_OR_SAOYAN):
        zoo.load_pretrained(tmp_path / "net.pth")


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


@pytest.mark.parametrize(
    "name, original, prefix",
    [
        ("kair_dncnn_25.pth", "kair_dncnn_25.pth", "model."),
        ("matconvnet_sigma25.mat", "kair_dncnn_25.pth", "model."),
        ("saoyan_dncnn_s_25.pth", "saoyan_dncnn_s_25.pth", "module.dncnn."),
    ],
)
def test_published_weights_do_what_their_tensors_say(reference, name, original, prefix):
    """KAIR's file has the weights of the MatConvNet file, so it is the oracle for both."""
    if name.endswith(".mat"):
        pytest.importorskip("h5py", reason="h5py reads .mat files: pip install h5py")
    state = torch.load(reference / original, weights_only=True, map_location="cpu")
    noisy = torch.rand(1, 1, 48, 40, generator=seeded())
    with torch.no_grad():
        expected = by_hand(state, noisy, prefix)
        restored = zoo.load_pretrained(reference / name)(noisy)
    assert (expected - noisy).std() > 0.03
    torch.testing.assert_close(restored, expected, rtol=0, atol=1e-4)


def test_published_weights_have_the_psnr_of_the_paper(reference, pictures):
    """On three images at σ = 25, of its table of Set12."""
    net, values = zoo.load_pretrained(reference / "kair_dncnn_25.pth"), []
    for clean, noisy in pictures:
        with torch.no_grad():
            batch = torch.from_numpy(noisy).float()[None, None]
            restored = net(batch)[0, 0].clamp(0, 1).double().numpy()
        values.append(peak_signal_noise_ratio(clean, restored, data_range=1))
    published = (33.06, 30.87, 29.41)
    assert np.mean(values) == pytest.approx(
        np.mean(published), abs=0.1
    )  # another draw of the noise


def test_save_kair_writes_kairs_own_file_again(reference, tmp_path):
    path = reference / "kair_dncnn_25.pth"
    zoo.save_kair(zoo.load_pretrained(path), tmp_path / "net.pth")
    theirs, ours = (torch.load(p, weights_only=True) for p in (path, tmp_path / "net.pth"))
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
