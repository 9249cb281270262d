"""Tasks: what the network is given and what it should answer, and training on them."""

import itertools
import math

import numpy as np
import pytest
import torch
from helpers import picture, raises, seeded
from torch import nn

from dncnn_lib.degrade import GaussianNoise, PoissonNoise
from dncnn_lib.tasks import (
    BlindSpot,
    noise2noise,
    noise2void,
    pair,
    with_noise_level,
    with_noise_map,
)
from dncnn_lib.training import TrainConfig, train

pytestmark = pytest.mark.usefixtures("one_thread")

WHITE = [np.full((64, 64), 255, np.uint8)]
COLOUR = [np.full((64, 64, 3), 255, np.uint8)]
PLAIN = dict(
    steps=3, batch_size=4, patch_size=64, optimizer="sgd", momentum=0.0, clip_norm=None, lr=0.1,
    warmup=0.0, schedule="constant", augment=False,
)  # fmt: skip


class Gain(nn.Module):
    """y ↦ a·y, and what it was given."""

    def __init__(self, start: float = 1.0) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor([start]))
        self.given: list[tuple[torch.Tensor, ...]] = []

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        self.given.append(given)
        return self.gain * given[0]


# --------------------------------------------------------------------------------------------- pair


def test_a_degradation_is_undone():
    clean = torch.rand((2, 1, 8, 9), generator=seeded())
    given, target = pair(GaussianNoise(25), clean, seeded(1))
    assert target is clean and len(given) == 1
    assert torch.equal(given[0], GaussianNoise(25)(clean, seeded(1)))


def test_a_pair_is_passed_on_with_any_number_of_arguments():
    a, b, c = (torch.full((1, 1, 2, 2), value) for value in (1.0, 2.0, 3.0))
    assert pair(lambda *_: (a, c), a, seeded()) == ((a,), c)
    assert pair(lambda *_: ((a, b), c), a, seeded()) == ((a, b), c)


# ------------------------------------------------------------------------------------- noise2noise


def test_noise2noise_has_a_noisy_target():
    """A network that changes nothing has the mean squared error 2σ² where both are noisy and
    independent, and σ² where the target is clean."""
    net, sigma, count = Gain(), 25 / 255, 4 * 64 * 64
    config = TrainConfig(**{**PLAIN, "lr": 1e-30})
    steps = list(train(net, WHITE, noise2noise(GaussianNoise(25)), config))
    for step, (given,) in zip(steps, net.given, strict=True):
        noise = given - 1
        assert float(noise.std()) == pytest.approx(sigma, rel=5 / math.sqrt(2 * count))
        assert step.loss == pytest.approx(2 * sigma**2, rel=5 * math.sqrt(2 / count))


def test_noise2noise_is_made_of_two_draws_of_the_same_degradation():
    clean = torch.rand((2, 1, 8, 9), generator=seeded())
    generator = seeded(1)
    first, second = (GaussianNoise(25)(clean, generator) for _ in range(2))
    (given,), target = pair(noise2noise(GaussianNoise(25)), clean, seeded(1))
    assert torch.equal(given, first) and torch.equal(target, second)
    assert not torch.equal(first, second)


# -------------------------------------------------------------------------------------- noise2void


def test_noise2void_hides_a_share_of_the_pixels_behind_a_neighbour():
    clean = torch.rand((2, 3, 40, 50), generator=seeded())
    places = set()
    for seed in range(40):
        (masked, noisy, hidden), target = pair(
            noise2void(GaussianNoise(25), share=0.1), clean, seeded(seed)
        )
        assert target is noisy and torch.equal(noisy, GaussianNoise(25)(clean, seeded(seed)))
        assert float(hidden.float().mean()) == pytest.approx(0.1, abs=5 * math.sqrt(0.09 / 4000))
        assert torch.equal(masked != noisy, hidden.expand_as(noisy))  # in all channels
        fits = [
            (down, right)
            for down, right in itertools.product(range(-2, 3), repeat=2)
            if torch.equal(
                torch.where(hidden, torch.roll(noisy, (down, right), (2, 3)), noisy), masked
            )
        ]
        assert len(fits) == 1
        places.update(fits)
    assert len(places) > 12 and (0, 0) not in places


def test_a_blind_spot_network_answers_at_hidden_pixels_alone():
    net = Gain(0.25)
    given, target = torch.ones(1, 1, 4, 5), torch.full((1, 1, 4, 5), 3.0)
    hidden = torch.rand((1, 1, 4, 5), generator=seeded()) < 0.5
    answer = BlindSpot(net)(given, target, hidden)
    assert torch.equal(answer, torch.where(hidden, 0.25, 3.0))
    assert torch.equal(BlindSpot(net)(given), 0.25 * given)


def test_training_by_noise2void_is_blind_to_the_pixel_itself():
    """White images: the best gain from independent noisy neighbours is 1/(1 + σ²), that of a
    network which sees its target 1."""
    net = Gain(0.2)
    config = TrainConfig(**{**PLAIN, "steps": 200, "optimizer": "adam", "lr": 0.02})
    task = noise2void(GaussianNoise(128), share=0.2)
    for _ in train(BlindSpot(net), WHITE, task, config):
        pass
    assert net.gain.item() == pytest.approx(1 / (1 + (128 / 255) ** 2), abs=0.03)


@pytest.mark.parametrize("share", [0, 1])
def test_some_pixels_are_hidden_but_not_all(share):
    rule = "greater than 0" if share == 0 else "less than 1"
    with raises(ValueError, f"share is {float(share)}, but must be {rule}"):
        noise2void(GaussianNoise(25), share)


# ------------------------------------------------------------------------------- with the noise map


@pytest.mark.parametrize("images", [WHITE, COLOUR], ids=["grey", "colour"])
def test_the_network_is_told_the_noise_it_gets(images):
    net = Gain()
    steps = list(train(net, images, with_noise_map(GaussianNoise((10, 60))), TrainConfig(**PLAIN)))
    assert len(steps) == len(net.given) == 3
    for noisy, sigma in net.given:
        assert sigma.shape == (4, 1, 64, 64)
        levels = sigma[:, 0, 0, 0]
        assert torch.equal(sigma, levels.view(4, 1, 1, 1).expand_as(sigma))
        assert 10 / 255 <= levels.min() < levels.max() <= 60 / 255
        measured = (noisy - 1).flatten(1).std(1)
        spread = 5 / math.sqrt(2 * noisy[0].numel())
        torch.testing.assert_close(measured, levels, rtol=spread, atol=0)


def test_a_card_tells_the_task_with_a_noise_map():
    task = with_noise_map(GaussianNoise((0, 75)))
    assert repr(task) == "with_noise_map(GaussianNoise(sigma=(0, 75)))"


def test_the_target_of_a_noise_map_is_clean():
    """The loss of a network that changes nothing is then the mean of σ² over the batch."""
    net, config = Gain(), TrainConfig(**{**PLAIN, "lr": 1e-30})
    steps = list(train(net, WHITE, with_noise_map(GaussianNoise((10, 60))), config))
    for step, (_, sigma) in zip(steps, net.given, strict=True):
        expected = float((sigma**2).mean())
        assert step.loss == pytest.approx(expected, rel=5 * math.sqrt(2 / (4 * 64 * 64)) * 2)


def test_the_noise_is_that_of_the_degradation():
    clean, noise = torch.rand((3, 1, 8, 9), generator=seeded()), GaussianNoise((5, 50))
    (noisy, sigma), target = pair(with_noise_map(noise), clean, seeded(1))
    assert torch.equal(noisy, noise(clean, seeded(1))) and target is clean
    assert torch.equal(sigma[:, :, :1, :1], noise.levels(clean, seeded(1)))


def test_only_gaussian_noise_has_a_map():
    with raises(TypeError, "noise is a PoissonNoise, but must be a GaussianNoise"):
        with_noise_map(PoissonNoise(30))
    with raises(TypeError, "noise is a int, but must be a GaussianNoise"):
        with_noise_map(25)


def test_batch_norm_is_measured_anew_with_all_that_the_network_is_given():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.maps = nn.BatchNorm2d(1), []

        def forward(self, noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            self.maps.append((noisy, sigma))
            return self.norm(noisy)

    net = Net()
    config = TrainConfig(**{**PLAIN, "steps": 2}, recalibrate=3)
    list(train(net, [picture(64, 64)], with_noise_map(GaussianNoise((10, 60))), config))
    assert len(net.maps) == 5
    means = [noisy.mean() for noisy, _ in net.maps[2:]]
    assert float(net.norm.running_mean) == pytest.approx(float(torch.stack(means).mean()), abs=1e-6)


# -------------------------------------------------------------------------- targets of other shapes


def test_a_target_of_another_size_than_the_input():
    """Twice the size, from the mean of 2×2 pixels: on white images the loss is (a − 1)²."""

    class Larger(Gain):
        def forward(self, small: torch.Tensor) -> torch.Tensor:
            return super().forward(nn.functional.interpolate(small, scale_factor=2.0))

    def halved(clean, generator):
        return nn.functional.avg_pool2d(clean, 2), clean

    net, seen = Larger(0.5), []
    for step in train(net, WHITE, halved, TrainConfig(**PLAIN)):
        seen.append((step.loss, net.gain.item()))
    gains = list(itertools.accumulate([0.5, *[0.1] * 3], lambda a, rate: a - rate * 2 * (a - 1)))
    losses = [(a - 1) ** 2 for a in gains[:-1]]
    np.testing.assert_allclose(seen, list(zip(losses, gains[1:])), atol=1e-6)

    message = (
        "the network's output shape is (4, 1, 32, 32), but must be that of the target, "
        "(4, 1, 64, 64)"
    )
    with raises(ValueError, message):
        next(train(Gain(), WHITE, halved, TrainConfig(**PLAIN)))


def test_a_target_of_other_channels_than_the_input():
    def grey(clean, generator):
        return clean, clean.mean(1, keepdim=True)

    net = nn.Conv2d(3, 1, 1)
    nn.init.zeros_(net.weight)
    nn.init.zeros_(net.bias)
    config = TrainConfig(**{**PLAIN, "steps": 60, "patch_size": 16})
    losses = [step.loss for step in train(net, [picture(32, 32, 3)], grey, config)]
    assert losses[-1] < 0.1 * losses[0]


# --------------------------------------------------------------------------------- with_noise_level


def test_the_network_is_told_the_level_of_the_batch():
    clean, seen = torch.full((4, 1, 50, 50), 0.5), set()
    for seed in range(12):
        (noisy, sigma), target = with_noise_level(15, 50)(clean, seeded(seed))
        assert target is clean and sigma.shape == ()
        assert (noisy - clean).std().item() == pytest.approx(sigma.item(), rel=0.03)
        seen.add(round(255 * sigma.item()))
    assert seen == {15, 50}


def test_levels_are_numbers_above_zero_and_the_task_says_them():
    assert repr(with_noise_level(15, 25.5)) == "with_noise_level(15, 25.5)"
    with raises(ValueError, "sigmas is (), but must be at least one noise level"):
        with_noise_level()
    with raises(ValueError, "sigma is -1.0, but must be at least 0"):
        with_noise_level(25, -1)
