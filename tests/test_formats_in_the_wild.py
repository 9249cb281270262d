"""Checkpoints of others as people have them: read as their networks compute, or refused by name."""

import argparse
import io
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch
from helpers import raises, scramble, seeded
from torch import nn

from dncnn_lib import zoo
from dncnn_lib.model import DnCNN

RULE = "a state dict of KAIR's DnCNN (model.0.weight ...) or SaoYan's (dncnn.0.weight ...)"
DAMAGED = "it is damaged, or of another kind"
PICKLED = (
    "it holds pickled Python objects, such as a whole module, and a pickle can run any code, so "
    "it is not opened; where you trust it, load it with torch.load(path, weights_only=False) and "
    "save module.state_dict(), or the state dict in it, alone"
)
OWN = (
    "it is the state dict of a DnCNN of dncnn_lib, which does not say whether the network is "
    "residual; build it, net.load_state_dict(torch.load(path)), and save it with save_pretrained"
)


def network(biases, eps, *, norm=True, depth=5, width=6, inputs=1, outputs=1, kernel=3):
    """A plain DnCNN. biases: of the first, the middle and the last convolution."""

    def conv(i, o, bias):
        return nn.Conv2d(i, o, kernel, padding=kernel // 2, bias=bias)

    layers = [conv(inputs, width, biases[0]), nn.ReLU()]
    for _ in range(depth - 2):
        layers += [conv(width, width, biases[1])]
        layers += [nn.BatchNorm2d(width, eps=eps)] * norm + [nn.ReLU()]
    net = scramble(nn.Sequential(*layers, conv(width, outputs, biases[2])))
    for layer in net:
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_var.mul_(1e-3)  # so small that ε counts
    return net


KAIR = ((True, True, True), 1e-4, "model.")
AUTHORS = ((True, False, False), 1e-4, "dncnn.")
SAOYAN = ((False, False, False), 1e-5, "dncnn.")


def state_of(net, prefix="model."):
    return {prefix + key: value for key, value in net.state_dict().items()}


@pytest.fixture
def state():
    return state_of(network(*KAIR[:2]))


def saved(tmp_path, value, name="net.pth", **options):
    path = tmp_path / name
    torch.save(value, path, **options)
    return path


def refuses(path, reason):
    return raises(ValueError, f"{path} cannot be read: {reason}; it must be {RULE}")


def same(path, net, atol=1e-5):
    noisy = torch.rand(2, 1, 9, 7, generator=seeded(1))
    with torch.no_grad():
        expected = noisy - net(noisy)
        found = zoo.load_pretrained(path)(noisy)
    assert (expected - noisy).abs().max() > 0.1
    torch.testing.assert_close(found, expected, atol=atol, rtol=1e-4)


@pytest.mark.parametrize(("biases", "eps", "prefix"), [KAIR, AUTHORS, SAOYAN])
@pytest.mark.parametrize("wrap", ["", "module.", "netG.", "_orig_mod.module.", "denoiser.net."])
def test_each_code_base_has_its_own_epsilon(tmp_path, biases, eps, prefix, wrap):
    net = network(biases, eps)
    same(saved(tmp_path, state_of(net, wrap + prefix)), net)


@pytest.mark.parametrize("depth", [2, 3, 20])
def test_depths(tmp_path, depth):
    net = network(KAIR[0], 1e-4, depth=depth, norm=False, width=4)
    path = saved(tmp_path, state_of(net))
    assert zoo.load_pretrained(path).depth == depth
    same(path, net, 1e-4 * 2**depth)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_variance_is_mended_in_float32(tmp_path, dtype):
    net = network(*KAIR[:2]).to(dtype)
    same(saved(tmp_path, state_of(net)), net.float(), 1e-4)


def lightning(state):
    return {
        "epoch": 3,
        "pytorch-lightning_version": "2.5",
        "state_dict": {f"net.{key}": value for key, value in state.items()},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": []}],
        "callbacks": {},
    }


def basicsr(state):
    return {"params": state}


def with_optimizer(state):
    steps = {0: {"step": torch.tensor(1.0), "exp_avg": torch.zeros(2)}}
    return {"model": state, "optimizer": {"state": steps, "param_groups": [{"lr": 1e-3}]}}


def with_a_tensor_beside(state):
    return {"epoch": 3, "loss": torch.tensor(0.1), "state_dict": state}


def by_an_unknown_name(state):
    return {"best": 31.2, "generator": state}


def nested(state):
    return {"checkpoint": {"epoch": 1, "model": state}}


WRAPPERS = [lightning, basicsr, with_optimizer, with_a_tensor_beside, by_an_unknown_name, nested]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapped_state_dict_is_found(tmp_path, wrapper):
    net = network(*KAIR[:2])
    same(saved(tmp_path, wrapper(state_of(net))), net)


@pytest.mark.parametrize(
    "name", ["a b.pth", "A.PTH", "a.pt", "a.Ckpt", "model.pth.tar", "M.PT.TAR", "a.ckpt.tar"]
)
@pytest.mark.parametrize("zipped", [True, False])
def test_names_and_both_formats_of_torch(tmp_path, monkeypatch, state, name, zipped):
    saved(tmp_path, state, name, _use_new_zipfile_serialization=zipped)
    monkeypatch.chdir(tmp_path)
    assert zoo.load_pretrained(name).depth == 5
    (tmp_path / "link.pth").symlink_to(name)
    assert zoo.load_pretrained("link.pth").depth == 5


@pytest.mark.parametrize("name", ["a.tar", "a.pkl", "a.bin", "a"])
def test_other_names_are_refused(tmp_path, state, name):
    path = saved(tmp_path, state, name)
    rule = "one of '.safetensors', '.pth', '.pt', '.ckpt', '.mat'"
    with raises(ValueError, f"the suffix of name_or_path is {path.suffix!r}, but must be {rule}"):
        zoo.load_pretrained(path)


def several(*names):
    return f"{', '.join(f'saved[{name!r}]' for name in names)}"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda s: {}, "it holds no tensors"),
        (lambda s: {"state_dict": {}}, "it holds no tensors"),
        (lambda s: [s], "it holds a list, not a state dict"),
        (lambda s: torch.zeros(2), "it holds a Tensor, not a state dict"),
        (
            lambda s: {"params": s, "params_ema": s},
            f"it holds 2 networks, {several('params_ema', 'params')}; save the one that you want "
            "alone, if it is a DnCNN",
        ),
        (
            lambda s: {"G": s, "D": s, "epoch": 1},
            f"it holds 2 networks, {several('G', 'D')}; save the one that you want alone, if it "
            "is a DnCNN",
        ),
        (
            lambda s: {str(level): s for level in range(25)},
            "it holds 25 networks (as KAIR's IRCNN does, one for each noise level), "
            f"{several('0', '1', '2')}, ...; save the one that you want alone, if it is a DnCNN",
        ),
        (
            lambda s: {**s, **{f"b.{key}": value for key, value in s.items()}},
            "it holds 2 networks, under 'b.model', 'model'; save the one that you want",
        ),
        (
            lambda s: {key: value.to(torch.int8) for key, value in s.items()},
            "it holds 'model.0.weight', of torch.int8, but weights are dense and floating-point",
        ),
        (
            lambda s: {"model.0.weight": s["model.0.weight"].to(torch.complex64)},
            "it holds 'model.0.weight', of torch.complex64, but weights are dense and "
            "floating-point",
        ),
        (
            lambda s: {"model.0.weight": torch.eye(3).to_sparse()},
            "it holds 'model.0.weight', a sparse tensor, but weights are dense and floating-point",
        ),
        (lambda s: {"model.0.weight": s["model.0.weight"], "sigma": 25}, "it holds 'sigma', a int"),
        (lambda s: {key: value.numpy() for key, value in s.items()}, PICKLED),
        (lambda s: {"state_dict": s, "psnr": np.float64(3)}, PICKLED),
        (lambda s: {"state_dict": s, "args": argparse.Namespace(depth=5)}, PICKLED),
        (lambda s: network(*KAIR[:2]), PICKLED),
        (lambda s: DnCNN(depth=3, width=4).state_dict(), OWN),
        (lambda s: {"net": DnCNN(depth=3, width=4).state_dict()}, OWN),
        (lambda s: state_of(DnCNN(depth=3, width=4), "module.net."), OWN),
        (lambda s: state_of(nn.Conv2d(1, 1, 3), "model.0."), "it has one convolution, but a "
         "DnCNN has at least 2"),
    ],
)  # fmt: skip
def test_what_is_no_network_is_named(tmp_path, state, make, reason):
    path = saved(tmp_path, make(state))
    with refuses(path, reason):
        zoo.load_pretrained(path)


def test_an_optimizer_alone_is_named(tmp_path):
    path = saved(tmp_path, torch.optim.Adam(nn.Conv2d(1, 1, 3).parameters()).state_dict())
    with refuses(path, "it holds 'state', a dict"):
        zoo.load_pretrained(path)


@pytest.mark.parametrize(
    ("inputs", "outputs", "like"),
    [
        (5, 4, "FFDNet"),
        (13, 12, "FFDNet"),
        (2, 1, "FDnCNN"),
        (4, 3, "FDnCNN"),
        (9, 3, "a network with a noise map"),
        (1, 9, "one that enlarges"),
    ],
)
def test_networks_with_other_ends_are_named(tmp_path, inputs, outputs, like):
    net = network(KAIR[0], 1e-4, norm=False, inputs=inputs, outputs=outputs)
    path = saved(tmp_path, state_of(net))
    reason = f"its first layer takes {inputs} channels and its last gives {outputs}, as in {like}, "
    with refuses(path, f"{reason}which is not a DnCNN"):
        zoo.load_pretrained(path)


@pytest.mark.parametrize("kernel", [1, 5])
def test_other_kernels_are_refused(tmp_path, kernel):
    path = saved(tmp_path, state_of(network(KAIR[0], 1e-4, norm=False, kernel=kernel)))
    shape = (6, 1, kernel, kernel)
    with refuses(path, f"0.weight has the shape {shape}, but a DnCNN has kernels of 3×3 only"):
        zoo.load_pretrained(path)


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("m_head.weight", " and looks like DRUNet, which is not a DnCNN"),
        ("module.m_down1.0.res.0.weight", " and looks like DRUNet, which is not a DnCNN"),
        ("conv_first.weight", " and looks like SwinIR or ESRGAN, which is not a DnCNN"),
        ("inc.double_conv.0.weight", " and looks like a U-Net, which is not a DnCNN"),
        ("intro.weight", " and looks like NAFNet, which is not a DnCNN"),
        ("upsampler.0.weight", ", which no DnCNN has"),
        ("conv1.weight", ", which no DnCNN has"),
    ],
)
def test_other_networks_are_named(tmp_path, key, named):
    path = saved(tmp_path, {key: torch.zeros(3, 3, 3, 3)})
    with refuses(path, f"it holds {key.removeprefix('module.')!r}{named}"):
        zoo.load_pretrained(path)


def test_one_that_may_be_ircnn_is_read_with_a_warning(tmp_path):
    path = saved(tmp_path, state_of(network(KAIR[0], 1e-4, norm=False, depth=7, width=64)))
    with pytest.warns(UserWarning, match="^the file has 7 convolutions of 64 maps, as IRCNN has"):
        assert zoo.load_pretrained(path).depth == 7


@pytest.mark.parametrize("data", [b"", b"<!DOCTYPE html>", b"version https://git-lfs", b"\x89HDF"])
def test_files_of_something_else(tmp_path, data):
    path = tmp_path / "a.pth"
    path.write_bytes(data)
    with refuses(path, "it is not a file that torch.save writes"):
        zoo.load_pretrained(path)


def test_zip_files_of_something_else(tmp_path, state):
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.txt", "a")
    with refuses(path, DAMAGED):
        zoo.load_pretrained(path)
    file = io.BytesIO()
    torch.save(state, file)
    path.write_bytes(file.getvalue()[:-2000])
    with refuses(path, DAMAGED):
        zoo.load_pretrained(path)
    path.write_bytes(safetensors.torch.save(state))
    with refuses(path, "it is not a file that torch.save writes"):
        zoo.load_pretrained(path)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_is_named(tmp_path):
    path = tmp_path / "a.pth"
    torch.jit.save(torch.jit.trace(nn.Conv2d(1, 1, 3), torch.zeros(1, 1, 5, 5)), path)
    with refuses(
        path,
        "it holds a TorchScript program, which is not opened; where you trust it, load it with "
        "torch.jit.load(path) and save module.state_dict()",
    ):
        zoo.load_pretrained(path)


def test_a_checkpoint_of_train_is_explained(tmp_path, state):
    path = saved(tmp_path, {"identity": {}, "optimizer": {}, "net": state})
    with refuses(
        path,
        "it is a checkpoint of dncnn_lib.train, to go on training from; name it as checkpoint= "
        "there, and save the network with save_pretrained",
    ):
        zoo.load_pretrained(path)


def test_a_link_to_nothing(tmp_path):
    (tmp_path / "a.pth").symlink_to("gone.pth")
    path = str(tmp_path / "a.pth")
    with raises(FileNotFoundError, f"name_or_path is {path!r}, but there is no such file"):
        zoo.load_pretrained(path)
