"""``denoise``: tiles that are exact, every kind of image, what the model is told, and bad input."""

import itertools
import math
import re

import numpy as np
import pytest
import torch
from helpers import is_channels_last, lively, picture, raises, small_net, whole
from torch import nn

from dncnn_lib import _memory
from dncnn_lib.restoring import denoise, takes_sigma

pytestmark = pytest.mark.usefixtures("one_thread")


class Twice(nn.Module):
    """y ↦ 2y."""

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return 2 * noisy


def directly(net: nn.Module, *channels: np.ndarray) -> np.ndarray:
    """The network on one image given as its channels, with nothing around it."""
    with torch.no_grad():
        return net.eval()(torch.from_numpy(np.stack(channels))[None])[0].numpy()


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize(
    "size, tile", [((40, 33), 16), ((9, 50), 8), ((50, 9), 7), ((31, 31), 30), ((64, 5), 13)]
)
def test_tiles_give_the_whole_image(size, tile, batch_norm):
    net, noisy = lively(small_net(batch_norm=batch_norm)), picture(*size)
    expected = directly(net, noisy)[0]
    tiled, untiled = denoise(noisy, net, tile=tile), denoise(noisy, net, tile=None)
    np.testing.assert_allclose(tiled, expected, atol=1e-5)
    np.testing.assert_allclose(untiled, expected, atol=1e-5)
    assert np.abs(expected - noisy).max() > 0.1


class Watched(nn.Module):
    """The identity, with a receptive field of 7, which notes the sizes that it sees."""

    receptive_field = 7

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        self.sizes.append(tuple(noisy.shape))
        return noisy


@pytest.mark.parametrize("size", [(40, 33), (17, 100), (100, 3), (16, 17)], ids=str)
@pytest.mark.parametrize("tile", [7, 8, 16])
def test_tiles_are_no_larger_than_asked_for_and_cover_the_image(size, tile):
    net, noisy = Watched(), picture(*size)
    assert np.array_equal(denoise(noisy, net, tile=tile), noisy)
    assert len(net.sizes) > 1
    assert all(batch == channels == 1 for batch, channels, _, _ in net.sizes)
    assert max(max(height, width) for _, _, height, width in net.sizes) <= tile


def test_small_images_are_one_piece():
    for noisy, tile in [(picture(16, 16), 16), (picture(8, 32), 16), (picture(50, 50), None)]:
        net = Watched()
        denoise(noisy, net, tile=tile)
        assert net.sizes == [(1, 1, *noisy.shape)]


def test_without_a_receptive_field_there_are_no_tiles():
    net = Watched()
    net.receptive_field = None
    denoise(picture(40, 40), net, tile=8)
    assert net.sizes == [(1, 1, 40, 40)]


def test_one_pixel_less_of_overlap_would_show():
    class Boastful(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net, self.receptive_field = net, net.receptive_field - 2

        def forward(self, noisy):
            return self.net(noisy)

    net, noisy = lively(small_net()), picture(40, 40)
    wrong = denoise(noisy, Boastful(net), tile=16)
    assert np.abs(wrong - directly(net, noisy)[0]).max() > 1e-3


def test_a_tile_must_exceed_its_overlap():
    message = "tile is 6, but must be more than 6, which is what the overlap takes"
    with pytest.raises(ValueError, match=whole(message)):
        denoise(picture(40, 40), small_net(), tile=6)


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (12, 10)], ids=str)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "u1", "u2", ">u2"])
@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_come_back_as_they_came(size, dtype, channels):
    net = lively(small_net(channels=channels))
    peak = np.iinfo(dtype).max if "u" in dtype else 1
    noisy = (picture(*size, 3) * peak).astype(dtype)
    noisy = noisy if channels == 3 else noisy[..., 0].copy()
    before = noisy.copy()
    restored = denoise(noisy, net)
    assert isinstance(restored, np.ndarray)
    assert restored.shape == noisy.shape and restored.dtype == noisy.dtype
    assert np.array_equal(noisy, before) and not np.shares_memory(noisy, restored)

    unit = noisy.astype(np.float32) / np.float32(peak)
    expected = directly(net, *(unit.transpose(2, 0, 1) if channels == 3 else [unit]))
    expected = expected.transpose(1, 2, 0) if channels == 3 else expected[0]
    if peak > 1:
        expected = np.round(expected.clip(0, 1) * peak)
    tolerance = {1: 2e-3 if dtype == "f2" else 1e-5, 255: 1, 65535: 2}[peak]
    np.testing.assert_allclose(restored.astype(np.float64), expected, rtol=2e-3, atol=tolerance)


@pytest.mark.parametrize(
    "dtype",
    [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8, torch.uint16],
)
def test_tensors_come_back_as_they_came(dtype):
    net, peak = lively(small_net()), {torch.uint8: 255, torch.uint16: 65535}.get(dtype, 1)
    noisy = (torch.from_numpy(picture(2, 1, 9, 7)) * peak).to(dtype)
    restored = denoise(noisy, net)
    assert isinstance(restored, torch.Tensor) and not restored.requires_grad
    assert restored.shape == noisy.shape and restored.dtype == noisy.dtype
    for i in range(2):
        alone = denoise(noisy[i, 0].float().numpy() / np.float32(peak), net)
        expected = alone if peak == 1 else np.round(alone.clip(0, 1) * peak)
        np.testing.assert_allclose(restored[i, 0].double(), expected, rtol=1e-2, atol=peak * 1e-3)


def test_tensors_on_the_graph_are_fine():
    noisy = torch.from_numpy(picture(1, 1, 8, 8)).requires_grad_()
    assert not denoise(noisy, small_net()).requires_grad


def test_strided_reversed_and_read_only_arrays():
    net, noisy = lively(small_net()), picture(12, 10)
    expected = denoise(noisy, net)
    strided = np.repeat(np.repeat(noisy, 2, 0), 3, 1)[::2, ::3]
    reversed_twice = noisy[::-1, ::-1].copy()[::-1, ::-1]
    frozen = noisy.copy()
    frozen.flags.writeable = False
    for view in (strided, reversed_twice, frozen, np.asfortranarray(noisy)):
        assert np.array_equal(denoise(view, net), expected)
    bytes_ = (noisy * 255).astype(np.uint8)
    frozen = bytes_.copy()
    frozen.flags.writeable = False
    assert np.array_equal(denoise(frozen, net), denoise(bytes_, net))


def test_a_grey_model_restores_colour_channel_by_channel():
    net, noisy = lively(small_net()), picture(20, 11, 3)
    for tile in (None, 9):
        restored = denoise(noisy, net, tile=tile)
        channels = [denoise(noisy[..., c].copy(), net) for c in range(3)]
        np.testing.assert_allclose(restored, np.stack(channels, axis=2), atol=1e-5)


def test_a_grey_model_restores_batches_of_colour_image_by_image():
    net, noisy = lively(small_net()), torch.from_numpy(picture(2, 3, 9, 8))
    restored = denoise(noisy, net)
    for image, channel in itertools.product(range(2), range(3)):
        alone = denoise(noisy[image : image + 1, channel : channel + 1], net)
        torch.testing.assert_close(restored[image, channel], alone[0, 0], rtol=0, atol=1e-6)


def test_a_network_that_takes_nothing_away_is_the_identity():
    net = small_net()
    nn.init.zeros_(net.layers[-1].weight)
    for noisy in (picture(13, 9), 3 * picture(7, 3) - 1):
        assert np.array_equal(denoise(noisy, net), noisy)
    eight_bit = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(denoise(eight_bit, net), eight_bit)
    sixteen_bit = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert np.array_equal(denoise(sixteen_bit, net), sixteen_bit)


def test_results_are_not_clipped():
    restored = denoise(np.full((4, 4), -0.5), Twice())
    np.testing.assert_allclose(restored, -1.0)


def test_a_model_that_works_in_place_does_not_touch_the_image():
    noisy = picture(8, 8) - 0.5
    before = noisy.copy()
    assert denoise(noisy, nn.ReLU(inplace=True)).min() == 0
    assert np.array_equal(noisy, before)


def test_the_result_is_a_new_array():
    noisy = picture(8, 8)
    restored = denoise(noisy, nn.Identity())
    assert np.array_equal(restored, noisy) and not np.shares_memory(restored, noisy)


def test_batch_norm_uses_its_running_statistics_and_every_mode_is_restored():
    for net in (
        small_net(),
        nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1)),
    ):
        lively(net).train()
        parts = list(net.modules())
        parts[1].eval()  # one part frozen
        modes = [part.training for part in parts]
        state = {name: value.clone() for name, value in net.state_dict().items()}
        noisy = picture(6, 6)
        restored = denoise(noisy, net)
        assert [part.training for part in parts] == modes
        assert all(torch.equal(value, net.state_dict()[name]) for name, value in state.items())
        np.testing.assert_allclose(restored, directly(net, noisy)[0], atol=1e-5)


def test_the_mode_is_restored_after_an_error():
    class Broken(nn.Module):
        def forward(self, noisy):
            raise KeyError("broken")

    net = Broken()
    with pytest.raises(KeyError):
        denoise(picture(4, 4), net)
    assert net.training


def test_denoising_leaves_the_global_generator_alone():
    net, noisy = small_net(), picture(8, 8)
    state = torch.get_rng_state()
    denoise(noisy, net)
    assert torch.equal(torch.get_rng_state(), state)


def test_bf16_is_close():
    net, noisy = lively(small_net(width=8)), picture(16, 16)
    exact, rough = denoise(noisy, net), denoise(noisy, net, precision="bf16")
    assert rough.dtype == np.float32
    error = np.abs(rough - exact).max() / np.abs(exact - noisy).max()
    assert 0 < error < 0.05
    assert denoise(noisy, net, precision="auto").shape == noisy.shape


def test_progress_over_the_tiles(capsys):
    denoise(picture(20, 20), small_net(), tile=16, progress=True)
    assert re.search(r"denoising: 100%.* 4/4 ", capsys.readouterr().err)
    denoise(picture(20, 20), small_net(), tile=16)
    assert capsys.readouterr() == ("", "")


NOT_FINITE = "noisy has NaN or infinite values, but must be finite everywhere"
SHAPE = "noisy's shape is {}, but must be (H, W) or (H, W, 3), none of them 0"


@pytest.mark.parametrize(
    "noisy, message",
    [
        (np.full((4, 4), np.nan), NOT_FINITE),
        (np.where(np.eye(4), -np.inf, 0), NOT_FINITE),
        (torch.full((1, 1, 4, 4), math.inf), NOT_FINITE),
        (
            np.linspace(0, 255, 16).reshape(4, 4),
            "noisy's range is (0.0, 255.0), but must be around [0, 1]; "
            "divide an image on the 0–255 scale by 255",
        ),
        (
            np.zeros((4, 4), np.int64),
            "noisy's dtype is 'int64', but must be floating point, uint8 or uint16",
        ),
        (
            np.zeros((4, 4), bool),
            "noisy's dtype is 'bool', but must be floating point, uint8 or uint16",
        ),
        (
            torch.zeros(1, 1, 4, 4, dtype=torch.int32),
            "noisy's dtype is 'torch.int32', but must be floating point, uint8 or uint16",
        ),
        (np.zeros((4, 4, 2)), SHAPE.format((4, 4, 2))),
        (np.zeros((0, 4)), SHAPE.format((0, 4))),
        (np.zeros(4), SHAPE.format((4,))),
        (torch.zeros(4, 4), "noisy's shape is (4, 4), but must be (B, C, H, W), none of them 0"),
    ],
)
def test_what_is_no_image(noisy, message):
    with pytest.raises(ValueError, match=whole(message)):
        denoise(noisy, small_net())


def test_other_impossible_arguments_of_denoise():
    message = (
        "noisy is a str, but must be an array (H, W) or (H, W, 3), or a tensor (B, C, H, W); "
        "read files with dncnn_lib.read_image"
    )
    with pytest.raises(TypeError, match=whole(message)):
        denoise("photo.png", small_net())
    message = "noisy's channels is 1, but must be 3, as the model has"
    with pytest.raises(ValueError, match=whole(message)):
        denoise(picture(4, 4), small_net(channels=3))
    with pytest.raises(ValueError, match=whole("tile is 0, but must be an integer of at least 1")):
        denoise(picture(4, 4), small_net(), tile=0)
    message = "precision is 'fp8', but must be one of 'fp32', 'bf16', 'auto'"
    with pytest.raises(ValueError, match=whole(message)):
        denoise(picture(4, 4), small_net(), precision="fp8")
    message = "model is a str, but must be a torch.nn.Module; load_pretrained gives one by its name"
    with raises(TypeError, message):
        denoise(picture(8, 8), "dncnn-b")


def test_a_network_of_another_output_shape_is_refused():
    message = (
        "the network's output shape is (1, 1, 8, 8), but must be that of its input, (1, 3, 8, 8)"
    )
    with raises(ValueError, message):
        denoise(picture(8, 8, 3), nn.Conv2d(3, 1, 3, padding=1))


# ----------------------------------------------------------------------------- what it is told of σ


class Told(nn.Module):
    """x̂ = y − mean over 3×3 of σ: it shows the map that it gets, and where a tile cuts it."""

    receptive_field = 3

    def __init__(self) -> None:
        super().__init__()
        self.given: list[torch.Tensor] = []

    def forward(self, noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        self.given.append(sigma)
        mean = nn.functional.avg_pool2d(sigma.expand(-1, 1, *noisy.shape[2:]), 3, 1, 1)
        return noisy - mean


def noise_map(*size: int) -> np.ndarray:
    """Another σ at every pixel, up to 75."""
    return 75 * picture(*size, seed=1)


@pytest.mark.parametrize("number", [25, 25.0, np.float32(25), np.int64(25), np.array(25.0)])
def test_a_number_reaches_the_model_in_units_of_the_image(number):
    net = Told()
    denoise(picture(6, 5), net, sigma=number)
    (sigma,) = net.given
    assert sigma.shape == (1, 1, 1, 1) and sigma.dtype == torch.float32
    assert sigma.item() == pytest.approx(25 / 255, abs=1e-8)


@pytest.mark.parametrize("form", ["array", "tensor", "batch", "integers", "big-endian"])
def test_a_map_reaches_the_model_in_units_of_the_image(form):
    net, levels = Told(), np.round(noise_map(6, 5))
    given = {
        "array": levels.astype(np.float64),
        "tensor": torch.from_numpy(levels),
        "batch": torch.from_numpy(levels)[None, None],
        "integers": levels.astype(np.uint8),
        "big-endian": levels.astype(">f4"),
    }[form]
    denoise(picture(6, 5), net, sigma=given)
    (sigma,) = net.given
    assert sigma.shape == (1, 1, 6, 5) and sigma.dtype == torch.float32
    np.testing.assert_allclose(sigma[0, 0], levels / 255, atol=1e-7)


def test_a_map_may_be_read_only_reversed_or_on_the_graph():
    levels, noisy = noise_map(6, 5), picture(6, 5)
    expected = denoise(noisy, Told(), sigma=levels)
    frozen = levels.copy()
    frozen.flags.writeable = False
    reversed_twice = levels[::-1, ::-1].copy()[::-1, ::-1]
    on_the_graph = torch.from_numpy(levels.copy()).requires_grad_()
    for given in (frozen, reversed_twice, np.asfortranarray(levels), on_the_graph):
        assert np.array_equal(denoise(noisy, Told(), sigma=given), expected)


@pytest.mark.parametrize("size, tile", [((40, 33), 16), ((9, 50), 8), ((64, 5), 13)], ids=str)
def test_a_map_is_cut_with_the_tiles(size, tile):
    net, noisy, levels = Told(), picture(*size), noise_map(*size)
    padded = np.pad(levels / 255, 1)
    mean = sum(
        padded[i : i + size[0], j : j + size[1]] for i, j in itertools.product(range(3), repeat=2)
    )
    tiled, untiled = denoise(noisy, net, sigma=levels, tile=tile), denoise(noisy, net, sigma=levels)
    np.testing.assert_allclose(untiled, noisy - mean / 9, atol=1e-6)
    assert len(net.given) > 2 and net.given[-1].shape[2:] == size
    np.testing.assert_allclose(tiled, untiled, atol=1e-6)


def test_a_number_is_the_same_for_every_tile():
    net, noisy = Told(), picture(20, 20)
    denoise(noisy, net, sigma=50, tile=9)
    assert len(net.given) > 1
    assert all(sigma.flatten().tolist() == [np.float32(50 / 255)] for sigma in net.given)


def test_every_image_and_channel_gets_the_same_map():
    class Grey(Told):
        channels = 1

    net, levels = Grey(), noise_map(6, 5)
    denoise(torch.from_numpy(picture(2, 3, 6, 5)), net, sigma=levels)
    assert len(net.given) == 6
    assert all(torch.equal(sigma, net.given[0]) for sigma in net.given)


def test_a_blind_model_is_not_told():
    noisy, blind = picture(12, 10), lively(small_net())
    expected = denoise(noisy, blind)
    for sigma in (25, noise_map(12, 10)):
        assert np.array_equal(denoise(noisy, blind, sigma=sigma), expected)
    assert takes_sigma(Told()) and not takes_sigma(blind)


def test_a_model_that_needs_sigma_says_so():
    message = "sigma is None, but must be the noise level on the 0–255 scale: Told needs it"
    with raises(ValueError, message):
        denoise(picture(6, 5), Told())


def test_a_model_with_a_default_does_not_need_sigma():
    class Optional(nn.Module):
        def forward(self, noisy: torch.Tensor, sigma: torch.Tensor | None = None) -> torch.Tensor:
            return noisy if sigma is None else noisy - sigma

    noisy = picture(6, 5)
    assert np.array_equal(denoise(noisy, Optional()), noisy)
    np.testing.assert_allclose(denoise(noisy, Optional(), sigma=51), noisy - 0.2, atol=1e-7)


@pytest.mark.parametrize("model", [Told(), nn.Identity()], ids=["told", "blind"])
@pytest.mark.parametrize(
    "sigma, kind, message",
    [
        (-1, ValueError, "sigma is -1.0, but must be at least 0"),
        (math.nan, ValueError, "sigma is nan, but must be finite"),
        (math.inf, ValueError, "sigma is inf, but must be finite"),
        ("25", TypeError, "sigma is '25' (str), but must be a number"),
        (True, TypeError, "sigma is True (bool), but must be a number"),
        (
            np.full((5, 6), 25.0),
            ValueError,
            "sigma's shape is (5, 6), but must be that of noisy, (6, 5)",
        ),
        (np.full(5, 25.0), ValueError, "sigma's shape is (5,), but must be that of noisy, (6, 5)"),
        (
            torch.full((2, 1, 6, 5), 25.0),
            ValueError,
            "sigma's shape is (2, 1, 6, 5), but must be that of noisy, (6, 5)",
        ),
        (
            np.where(np.eye(6, 5), np.nan, 25),
            ValueError,
            "sigma has NaN or infinite values, but must be finite everywhere",
        ),
        (
            np.where(np.eye(6, 5), -51.0, 25),
            ValueError,
            "sigma's smallest value is -51.0, but must be at least 0",
        ),
    ],
)
def test_impossible_sigma(model, sigma, kind, message):
    with raises(kind, message):
        denoise(picture(6, 5), model, sigma=sigma)


def test_sigma_in_0_1_warns_where_the_caller_wrote_it():
    message = (
        "sigma is 0.1 on the 0–255 scale, which is invisible; for images in [0, 1] with noise of "
        "standard deviation 0.1 write sigma=25.5"
    )
    with pytest.warns(UserWarning, match=whole(message)) as caught:
        denoise(picture(6, 5), Told(), sigma=0.1)
    assert caught[0].filename == __file__
    for silent in (0, 1, 25):  # pytest turns a warning into an error
        denoise(picture(6, 5), Told(), sigma=silent)


# ------------------------------------------------------------------------------ what makes it fast


class Record(nn.Module):
    """A convolution of colour images, which notes what it meets at each call."""

    receptive_field = 3

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 3, padding=1)
        self.given: list[bool] = []
        self.weights: list[bool] = []
        self.users: list[int] = []
        self.gradients: list[bool] = []

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        self.given.append(is_channels_last(noisy))
        self.weights.append(is_channels_last(self.layer.weight))
        self.users.append(_memory._users)
        self.gradients.append(torch.is_grad_enabled())
        return self.layer(noisy)


@pytest.mark.parametrize("form", ["array", "tensor"])
def test_weights_and_image_are_channels_last(form):
    net, noisy = Record(), picture(20, 18, 3)
    if form == "tensor":
        noisy = torch.from_numpy(noisy).permute(2, 0, 1)[None].contiguous()
    for tile in (None, 9):
        denoise(noisy, net, tile=tile)
    assert len(net.given) > 2
    assert all(net.given) and all(net.weights)


def test_the_weights_of_a_folded_network_are_channels_last(monkeypatch):
    seen, forward = [], nn.Conv2d.forward

    def watch(layer, x):
        seen.append((is_channels_last(x), is_channels_last(layer.weight)))
        return forward(layer, x)

    monkeypatch.setattr(nn.Conv2d, "forward", watch)
    denoise(picture(9, 8, 3), small_net(channels=3))
    assert seen == [(True, True)] * 3


def test_freed_memory_is_reused_while_the_network_runs(malloc):
    net = Record()
    denoise(picture(20, 18, 3), net, tile=9)
    assert set(net.users) == {1} and malloc.changes == ["keep", "release"]
    assert _memory._users == 0


def test_no_gradients_are_kept():
    net = Record()
    denoise(picture(9, 8, 3), net)
    assert net.gradients == [False]


def test_dncnn_is_folded_first(monkeypatch):
    """Its batch norm is never run."""
    net, noisy = lively(small_net()), picture(12, 10)
    expected = directly(net, noisy)[0]

    def refuse(*_):
        raise AssertionError("batch norm was run")

    monkeypatch.setattr(nn.BatchNorm2d, "forward", refuse)
    np.testing.assert_allclose(denoise(noisy, net), expected, atol=1e-5)
    assert any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
