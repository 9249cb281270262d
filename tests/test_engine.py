"""Training against arithmetic done by hand, exact resume, tiling and the protocol of evaluation."""

import itertools
import math
import os
import pickle
import random
import re
import subprocess
import sys
import time
from dataclasses import FrozenInstanceError, asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import raises, whole
from torch import nn

from dncnn_lib import engine
from dncnn_lib.degrade import GaussianNoise, RandomChoice
from dncnn_lib.engine import (
    TrainConfig,
    denoise,
    evaluate,
    prefers_bf16,
    train,
    training_loss,
    uses_bf16,
)
from dncnn_lib.model import DnCNN

pytestmark = pytest.mark.usefixtures("one_thread")


def picture(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)


def small_net(seed: int = 0, **arguments) -> DnCNN:
    net = DnCNN(**{"depth": 3, "width": 4, **arguments})
    net.reset_parameters(torch.Generator().manual_seed(seed))
    return net


def lively(net: nn.Module, seed: int = 0) -> nn.Module:
    """The network with random weights of order 1, so that its output is far from its input."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3, generator=generator)
                module.running_var.uniform_(0.2, 2, generator=generator)
                module.weight.normal_(0, 1, generator=generator)
                module.bias.normal_(0, 0.3, generator=generator)
    return net.eval()


IMAGES = [picture(14, 12), picture(10, 16, seed=1)]
QUICK = dict(steps=12, batch_size=2, patch_size=8)


def same(clean: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """No degradation."""
    return clean


def assert_equal_states(a: nn.Module, b: nn.Module) -> None:
    assert a.state_dict().keys() == b.state_dict().keys()
    for name, value in a.state_dict().items():
        assert torch.equal(value, b.state_dict()[name]), name


# -------------------------------------------------------------------------------------- TrainConfig


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("steps", 0, "steps is 0, but must be an integer of at least 1"),
        ("batch_size", -1, "batch_size is -1, but must be an integer of at least 1"),
        ("patch_size", 0, "patch_size is 0, but must be an integer of at least 1"),
        ("log_every", 0, "log_every is 0, but must be an integer of at least 1"),
        ("checkpoint_every", 0, "checkpoint_every is 0, but must be an integer of at least 1"),
        ("validate_every", -1, "validate_every is -1, but must be an integer of at least 0"),
        ("seed", -1, "seed is -1, but must be an integer of at least 0"),
        ("scales", (1.0, 0.0), "scales is 0.0, but must be greater than 0"),
        (
            "optimizer",
            "Adam",
            "optimizer is 'Adam', but must be one of 'adam', 'adamw', 'sgd', 'muon'",
        ),
        (
            "schedule",
            "linear",
            "schedule is 'linear', but must be one of 'cosine', 'exponential', 'step', 'constant'",
        ),
        ("loss", "l1", "loss is 'l1', but must be one of 'mean', 'paper'"),
        ("precision", "fp16", "precision is 'fp16', but must be one of 'fp32', 'bf16', 'auto'"),
        ("lr", 0, "lr is 0.0, but must be greater than 0"),
        ("lr", float("nan"), "lr is nan, but must be finite"),
        ("final_lr", -1, "final_lr is -1.0, but must be at least 0"),
        ("final_lr", 1, "final_lr is 1.0, but must be at most 0.005"),
        ("warmup", 1, "warmup is 1.0, but must be less than 1"),
        ("warmup", -0.1, "warmup is -0.1, but must be at least 0"),
        ("momentum", 1, "momentum is 1.0, but must be less than 1"),
        ("ema", 1.0, "ema is 1.0, but must be less than 1"),
        ("scales", (), "scales is (), but must be a tuple of at least one number"),
        ("scales", 1.0, "scales is 1.0, but must be a tuple of at least one number"),
        ("seed", 2**70, f"seed is {2**70}, but must be less than 2**63"),
        ("weight_decay", -1, "weight_decay is -1.0, but must be at least 0"),
        ("clip_norm", 0, "clip_norm is 0.0, but must be greater than 0"),
        ("ema", 0, "ema is 0.0, but must be greater than 0"),
        ("recalibrate", -1, "recalibrate is -1, but must be an integer of at least 0"),
    ],
)
def test_impossible_settings(name, value, message):
    with pytest.raises(ValueError, match=whole(message)):
        TrainConfig(**{name: value})


def test_settings_of_another_type():
    with pytest.raises(TypeError, match=whole("steps is 1.5 (float), but must be an integer")):
        TrainConfig(steps=1.5)
    with pytest.raises(TypeError, match=whole("lr is '1' (str), but must be a number")):
        TrainConfig(lr="1")
    with pytest.raises(TypeError, match=whole("scales is 'a' (str), but must be a number")):
        TrainConfig(scales=("a",))


def test_the_exponential_schedule_needs_an_end():
    message = "final_lr is 0.0, but must be above 0 for the exponential schedule"
    with pytest.raises(ValueError, match=whole(message)):
        TrainConfig(schedule="exponential")


def test_a_config_is_frozen_and_hashable():
    assert hash(TrainConfig(scales=[1, 0.5])) == hash(TrainConfig(scales=(1.0, 0.5)))
    with pytest.raises(FrozenInstanceError):
        TrainConfig().lr = 1


def schedule(**arguments) -> np.ndarray:
    config = TrainConfig(steps=100, lr=0.2, **arguments)
    return np.array([config.learning_rate(step) for step in range(100)])


def test_warm_up_rises_from_0_in_equal_steps():
    rates = schedule(schedule="constant", warmup=0.1)
    np.testing.assert_allclose(rates[:10], 0.2 * np.arange(1, 11) / 10)
    np.testing.assert_allclose(rates[10:], 0.2)
    np.testing.assert_allclose(schedule(schedule="constant", warmup=0.0), 0.2)


def test_cosine_schedule():
    rates = schedule(schedule="cosine", warmup=0.2, final_lr=0.02)
    done = np.arange(1, 81) / 80
    np.testing.assert_allclose(rates[:20], 0.2 * np.arange(1, 21) / 20)
    np.testing.assert_allclose(rates[20:], 0.02 + 0.18 * (1 + np.cos(np.pi * done)) / 2)
    assert rates.argmax() == 19 and rates[59] == pytest.approx(0.11)  # half-way, the middle
    assert rates[-1] == pytest.approx(0.02)


def test_exponential_schedule():
    rates = schedule(schedule="exponential", warmup=0.0, final_lr=0.002)
    np.testing.assert_allclose(rates[1:] / rates[:-1], 0.01 ** (1 / 100))
    assert rates[-1] == pytest.approx(0.002)


def test_step_schedule():
    rates = schedule(schedule="step", warmup=0.0, final_lr=0.02)
    assert rates.tolist() == [0.2] * 60 + [0.02] * 40


# ------------------------------------------------------------------------- one weight, done by hand


class Gain(nn.Module):
    """y ↦ a·y. On white images, undegraded, the mean loss is (a − 1)² with gradient 2(a − 1)."""

    def __init__(self, start: float = 0.5) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor([start]))

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return self.gain * noisy


WHITE = [np.full((9, 9), 255, np.uint8)]
PLAIN = dict(
    steps=8, batch_size=3, patch_size=4, optimizer="sgd", momentum=0.0, clip_norm=None, lr=0.1,
    warmup=0.0, schedule="constant",
)  # fmt: skip


def gains(**changes) -> tuple[list[float], list[engine.Step]]:
    """The gain after each update, and what was reported."""
    net, seen, steps = Gain(), [], []
    for step in train(net, WHITE, same, TrainConfig(**{**PLAIN, **changes})):
        seen.append(net.gain.item())
        steps.append(step)
    return seen, steps


def expected_gains(rates, slope=lambda a: 2 * (a - 1), momentum=0.0) -> list[float]:
    gain, velocity, values = 0.5, 0.0, []
    for rate in rates:
        velocity = momentum * velocity + slope(gain)
        gain -= rate * velocity
        values.append(gain)
    return values


def test_gradient_descent_by_hand():
    seen, steps = gains()
    expected = expected_gains([0.1] * 8)
    assert seen == pytest.approx(expected, abs=1e-6)
    losses = [(a - 1) ** 2 for a in [0.5, *expected[:-1]]]
    assert [step.loss for step in steps] == pytest.approx(losses, abs=1e-6)


def test_the_schedule_reaches_the_optimizer():
    changes = dict(schedule="cosine", warmup=0.25, lr=0.3, final_lr=0.01)
    config = TrainConfig(**{**PLAIN, **changes})
    rates = [config.learning_rate(step) for step in range(8)]
    seen, steps = gains(**changes)
    assert seen == pytest.approx(expected_gains(rates), abs=1e-6)
    assert [step.lr for step in steps] == rates


def test_momentum_by_hand():
    seen, _ = gains(momentum=0.9, lr=0.02)
    assert seen == pytest.approx(expected_gains([0.02] * 8, momentum=0.9), abs=1e-6)


def test_the_papers_loss_is_half_the_sum_over_pixels_for_each_patch():
    """1/(2N)·Σ‖x̂ − x‖² = 16/2·(a − 1)² for patches of 4×4, with gradient 16(a − 1)."""
    seen, steps = gains(loss="paper", lr=0.01)
    assert seen == pytest.approx(expected_gains([0.01] * 8, lambda a: 16 * (a - 1)), abs=1e-6)
    assert steps[0].loss == pytest.approx(8 * 0.25)


def test_clipping_limits_the_gradient():
    seen, _ = gains(clip_norm=0.1)  # the gradient starts at −1 and stays below −0.1
    assert seen == pytest.approx(expected_gains([0.1] * 8, lambda a: -0.1), abs=1e-5)


def test_the_moving_average_is_the_result():
    averages, last = [], []

    def validation(net):
        averages.append(net.gain.item())
        return 0.0

    net, config = Gain(), TrainConfig(**PLAIN, ema=0.7, validate_every=1)
    for step in train(net, WHITE, same, config, validation=validation):
        if step.step < 8:
            last.append(net.gain.item())
    expected = expected_gains([0.1] * 8)
    assert last == pytest.approx(expected[:7], abs=1e-6)  # training itself goes on as before
    average = itertools.accumulate(expected, lambda mean, a: 0.7 * mean + 0.3 * a)
    assert averages == pytest.approx(list(average), abs=1e-6)
    assert net.gain.item() == averages[-1]


def test_batch_norm_is_measured_anew_for_the_final_weights():
    """Its statistics are the means over the last batches, which no update has seen."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Conv2d(3, 1, 1))
    seen, noise = [], GaussianNoise(25)

    def degradation(clean, generator):
        seen.append(noise(clean, generator))
        return seen[-1]

    config = TrainConfig(**QUICK, ema=0.9, recalibrate=3)
    validated = []

    def validation(net):
        validated.append(net[1].running_mean.clone())
        return 0.0

    list(train(net, IMAGES, degradation, config, validation=validation))
    assert len(seen) == 12 + 3
    with torch.no_grad():
        maps = [net[0](noisy) for noisy in seen[-3:]]
    mean = torch.stack([m.mean((0, 2, 3)) for m in maps]).mean(0)
    variance = torch.stack([m.var((0, 2, 3)) for m in maps]).mean(0)
    assert torch.allclose(net[1].running_mean, mean, atol=1e-6)
    assert torch.allclose(net[1].running_var, variance, atol=1e-6)
    assert torch.equal(validated[-1], net[1].running_mean)
    assert net[1].momentum == 0.1


def test_frozen_batch_norm_is_not_measured_anew():
    rule = "recalibrate is 3, but must be 0 with frozen_batch_norm, which keeps the statistics"
    with pytest.raises(ValueError, match=whole(rule)):
        TrainConfig(frozen_batch_norm=True, recalibrate=3)


def test_only_weights_of_layers_decay():
    class Still(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1, 1, 3, 3))
            self.bias = nn.Parameter(torch.ones(2))

        def forward(self, noisy):
            return noisy + 0 * self.weight.sum() + 0 * self.bias.sum()

    net = Still()
    list(train(net, WHITE, same, TrainConfig(**PLAIN, weight_decay=0.5)))
    assert torch.allclose(net.weight, torch.tensor((1 - 0.1 * 0.5) ** 8))
    assert torch.equal(net.bias, torch.ones(2))


def test_training_loss():
    restored, clean = torch.rand(3, 2, 4, 5), torch.rand(3, 2, 4, 5)
    squares = ((restored - clean).numpy().astype(np.float64)) ** 2
    assert training_loss(restored, clean).item() == pytest.approx(squares.mean(), rel=1e-5)
    paper = training_loss(restored, clean, "paper").item()
    assert paper == pytest.approx(squares.sum() / (2 * 3), rel=1e-5)


# ----------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("residual", [True, False])
def test_a_single_batch_is_overfitted(residual):
    image = [np.indices((12, 12)).sum(0).astype(np.float32) / 22]
    pattern = 0.2 * torch.randn((12, 12), generator=torch.Generator().manual_seed(1))
    net = small_net(width=8, residual=residual)
    config = TrainConfig(steps=200, batch_size=1, patch_size=12, augment=False, lr=1e-2)
    losses = [s.loss for s in train(net, image, lambda clean, g: clean + pattern, config)]
    assert losses[0] > 0.02 and losses[-1] < 0.05 * losses[0]


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "muon"])
def test_any_module_can_be_trained(optimizer):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1))
    colour = [picture(20, 20, 3)]
    config = TrainConfig(**{**QUICK, "steps": 60}, optimizer=optimizer, lr=0.05)
    losses = [step.loss for step in train(net, colour, GaussianNoise(25), config)]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])


def test_what_a_step_reports():
    config = TrainConfig(**{**QUICK, "steps": 6}, validate_every=3, log_every=4)
    net, modes = small_net(), []

    def validation(given):
        modes.append((given is net, given.training, torch.is_grad_enabled()))
        return torch.tensor(25.5)

    steps = []
    for step in train(net, IMAGES, GaussianNoise(25), config, validation=validation):
        assert net.training
        steps.append(step)
    assert modes == [(True, False, False)] * 2
    assert [(s.step, s.steps, s.patches, s.val_psnr) for s in steps] == [
        (3, 6, 6, 25.5),
        (4, 6, 8, None),
        (6, 6, 12, 25.5),
    ]
    kinds = {type(value) for step in steps for value in asdict(step).values()}
    assert kinds == {int, float, type(None)}
    assert 0 < steps[0].seconds < steps[1].seconds < steps[2].seconds
    with pytest.raises(FrozenInstanceError):
        steps[0].loss = 0

    each = TrainConfig(**{**QUICK, "steps": 6})
    losses = [s.loss for s in train(small_net(), IMAGES, GaussianNoise(25), each)]
    means = [np.mean(losses[:3]), losses[3], np.mean(losses[4:])]
    assert [s.loss for s in steps] == pytest.approx(means, rel=1e-5)


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    def run(seed):
        net, state = small_net(), torch.get_rng_state()
        config = TrainConfig(**QUICK, seed=seed)
        losses = [s.loss for s in train(net, IMAGES, GaussianNoise((0, 55)), config)]
        assert torch.equal(torch.get_rng_state(), state)
        return net, losses

    (first, losses), (second, again), (_, other) = run(1), run(1), run(2)
    assert losses == again and losses != other
    assert_equal_states(first, second)


def test_patches_and_noise_are_new_at_every_step():
    seen = []

    def watch(clean, generator):
        noisy = GaussianNoise(25)(clean, generator)
        seen.append((clean.clone(), noisy - clean))
        return noisy

    list(train(small_net(), IMAGES, watch, TrainConfig(**QUICK)))
    for (clean, noise), (other, other_noise) in itertools.combinations(seen, 2):
        assert not torch.equal(clean, other) and not torch.equal(noise, other_noise)


def test_bf16_trains_fp32_weights():
    net = small_net()
    losses = [s.loss for s in train(net, IMAGES, same, TrainConfig(**QUICK, precision="bf16"))]
    assert all(map(math.isfinite, losses))
    assert all(p.dtype == torch.float32 for p in net.parameters())


def test_precision_words():
    assert uses_bf16("bf16") and not uses_bf16("fp32")
    assert uses_bf16("auto") == prefers_bf16() in (True, False)
    message = "precision is 'half', but must be one of 'fp32', 'bf16', 'auto'"
    with pytest.raises(ValueError, match=whole(message)):
        uses_bf16("half")


def test_measuring_bf16_leaves_the_global_generator_alone():
    prefers_bf16.cache_clear()
    state = torch.get_rng_state()
    prefers_bf16()
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_happens_before_the_first_step():
    steps = train(small_net(), [], same, TrainConfig(**QUICK))
    with pytest.raises(
        ValueError, match=whole("images is empty, but must hold at least one image")
    ):
        next(steps)


def test_what_is_no_network_no_config_or_no_degradation_is_named():
    net, config = small_net(), TrainConfig(**QUICK)
    message = "net is a str, but must be a torch.nn.Module; load_pretrained gives one by its name"
    with raises(TypeError, message):
        next(train("dncnn-b", IMAGES, same, config))
    with raises(TypeError, message.replace("net", "model", 1)):
        denoise(picture(8, 8), "dncnn-b")
    with raises(TypeError, "config is a dict, but must be a TrainConfig"):
        next(train(net, IMAGES, same, QUICK))
    shape, narrower = (2, 1, 8, 8), (2, 1, 8, 7)
    rule = f"must be that of its input, {shape}"
    with raises(ValueError, f"the degradation's output shape is {narrower}, but {rule}"):
        next(train(net, IMAGES, lambda clean, _: clean[..., 1:], config))
    with raises(TypeError, "the degradation gives a NoneType, but must give a tensor"):
        next(train(net, IMAGES, lambda *_: None, config))
    with raises(
        ValueError, "degraded's dtype is 'uint8', but must be floating point, values in [0, 1]"
    ):
        engine.score(net, np.zeros((12, 12), np.uint8), np.zeros((12, 12), np.float32))


def test_a_network_of_another_output_shape_is_refused():
    net = nn.Conv2d(3, 1, 3, padding=1)
    message = (
        "the network's output shape is (2, 1, 8, 8), but must be that of its input, (2, 3, 8, 8)"
    )
    with pytest.raises(ValueError, match=whole(message)):
        next(train(net, [picture(9, 9, 3)], same, TrainConfig(**QUICK)))
    with pytest.raises(ValueError, match=whole(message.replace("2,", "1,"))):
        denoise(picture(8, 8, 3), net)


def test_the_batch_is_shared_out_evenly(monkeypatch):
    monkeypatch.setattr(engine, "_rank_and_world", lambda: (0, 2))
    with pytest.raises(
        ValueError, match=whole("batch_size is 3, but must be a multiple of the 2 processes")
    ):
        next(train(small_net(), IMAGES, same, TrainConfig(batch_size=3)))


# ------------------------------------------------------------------------------- checkpoint, resume


def resumable(optimizer="adam", ema=0.9, **changes) -> TrainConfig:
    settings = dict(QUICK, optimizer=optimizer, ema=ema, checkpoint_every=3, scales=(1.0, 0.9))
    return TrainConfig(**{**settings, **changes})


BLIND = GaussianNoise((0, 55))


@pytest.mark.parametrize("ema", [None, 0.9])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "muon"])
def test_interrupted_and_continued_is_as_if_never_interrupted(tmp_path, optimizer, ema):
    config, path = resumable(optimizer, ema), tmp_path / "run.pt"
    straight = small_net()
    expected = [s.loss for s in train(straight, IMAGES, BLIND, config)]

    losses = {}
    for stop in (5, 8, 99):  # the checkpoints are of steps 3 and 6
        net = small_net(seed=stop)
        if stop == 5:
            net = small_net()
        for step in train(net, IMAGES, BLIND, config, checkpoint=path):
            losses[step.step] = step.loss
            if step.step == stop:
                break
    assert list(losses.values()) == expected
    assert_equal_states(net, straight)


def test_a_finished_run_gives_its_weights_and_no_steps(tmp_path):
    config, path = resumable(), tmp_path / "run.pt"
    net, again = small_net(), small_net(seed=1)
    list(train(net, IMAGES, BLIND, config, checkpoint=path))
    assert list(train(again, IMAGES, BLIND, config, checkpoint=path)) == []
    assert_equal_states(again, net)
    assert [p.name for p in tmp_path.iterdir()] == ["run.pt"]
    torch.load(path, weights_only=True)  # plain values and tensors only


def test_time_adds_up_over_resumed_runs(tmp_path):
    config, path = resumable(), tmp_path / "run.pt"
    first = train(small_net(), IMAGES, BLIND, config, checkpoint=path)
    saved = [next(first) for _ in range(4)][2]
    first.close()
    second = next(train(small_net(), IMAGES, BLIND, config, checkpoint=path))
    assert (saved.step, second.step) == (3, 4) and second.seconds > saved.seconds


def test_a_run_that_diverged_does_not_overwrite_its_checkpoint(tmp_path):
    config, path, count = resumable(), tmp_path / "run.pt", itertools.count(1)

    def broken(clean, generator):
        return clean * (math.nan if next(count) > 4 else 1)

    losses = [s.loss for s in train(small_net(), IMAGES, broken, config, checkpoint=path)]
    assert math.isfinite(losses[3]) and math.isnan(losses[4])
    assert torch.load(path, weights_only=True)["step"] == 3


def test_a_checkpoint_that_cannot_be_written_is_found_before_training(tmp_path):
    path, calls = tmp_path / "missing" / "run.pt", []

    def watch(clean, generator):
        calls.append(clean)
        return clean

    message = f"cannot write {path}: the folder {path.parent} does not exist"
    with pytest.raises(FileNotFoundError, match=whole(message)):
        next(train(small_net(), IMAGES, watch, resumable(checkpoint_every=1), checkpoint=path))
    assert not calls


class Trap:
    """What a pickle can do to a reader that trusts it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "other", "pickle"])
def test_a_damaged_checkpoint_is_named_and_kept(tmp_path, damage):
    config, path, trap = resumable(), tmp_path / "run.pt", tmp_path / "trapped"
    next(train(small_net(), IMAGES, BLIND, resumable(checkpoint_every=1), checkpoint=path))
    contents = {
        "empty": b"",
        "truncated": path.read_bytes()[:-500],
        "text": b"not a checkpoint",
        "other": pickle.dumps({"step": 3}),
        "pickle": pickle.dumps(Trap(trap)),
    }[damage]
    path.write_bytes(contents)
    message = (
        rf"^checkpoint {re.escape(str(path))} cannot be read \(\w+\); delete it to start again, or "
        r"name another file$"
    )
    with pytest.raises(ValueError, match=message):
        next(train(small_net(), IMAGES, BLIND, config, checkpoint=path))
    assert path.read_bytes() == contents and not trap.exists()


@pytest.mark.parametrize(
    "changes, what, was, now",
    [
        ({"config": resumable(lr=0.01)}, "config.lr", 0.005, 0.01),
        ({"config": resumable(ema=None)}, "config.ema", 0.9, None),
        ({"config": resumable(scales=(1.0,))}, "config.scales", [1.0, 0.9], [1.0]),
        (
            {"degradation": GaussianNoise(25)},
            "degradation",
            "GaussianNoise(sigma=(0, 55))",
            "GaussianNoise(sigma=25)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_checkpoint_of_another_training(tmp_path, changes, what, was, now):
    path = tmp_path / "run.pt"
    usual = {"clean_images": IMAGES, "degradation": BLIND, "config": resumable()}
    list(train(small_net(), **usual, checkpoint=path))
    message = (
        f"checkpoint {path} was made with {what} = {was!r}, but this training has {now!r}; "
        "use the same, or name another file"
    )
    with pytest.raises(ValueError, match=whole(message)):
        next(train(small_net(), **{**usual, **changes}, checkpoint=path))


def test_a_checkpoint_of_other_images_of_the_same_sizes(tmp_path):
    path = tmp_path / "run.pt"
    list(train(small_net(), IMAGES, BLIND, resumable(), checkpoint=path))
    others = [IMAGES[0], 1 - IMAGES[1]]
    message = (
        f"^checkpoint {re.escape(str(path))} was made with training images \\(their hash\\) = "
    )
    with pytest.raises(ValueError, match=message):
        next(train(small_net(), others, BLIND, resumable(), checkpoint=path))


def test_a_checkpoint_of_another_network(tmp_path):
    path = tmp_path / "run.pt"
    list(train(small_net(), IMAGES, BLIND, resumable(), checkpoint=path))
    message = f"^checkpoint {re.escape(str(path))} belongs to another network: "
    with pytest.raises(ValueError, match=message):
        next(train(small_net(width=5), IMAGES, BLIND, resumable(), checkpoint=path))


def test_a_degradation_of_ones_own_can_be_continued(tmp_path):
    """A function has another address in every process; that makes it no other degradation."""

    def new_process():
        def darker(clean, generator):
            return 0.9 * clean

        return RandomChoice(BLIND, darker)

    path, config = tmp_path / "run.pt", resumable()
    before, after = new_process(), new_process()
    first = train(small_net(), IMAGES, before, config, checkpoint=path)
    assert [next(first).step for _ in range(4)] == [1, 2, 3, 4]
    assert next(train(small_net(), IMAGES, after, config, checkpoint=path)).step == 4


KILLED = """
import itertools, sys
import torch
sys.path.insert(0, sys.argv[1])
from test_engine import BLIND, IMAGES, killable, small_net, train

torch.set_num_threads(1)
nets = {name: small_net(width=8) for name in ("adam", "sgd")}
runs = [
    train(net, IMAGES, BLIND, killable(name), checkpoint=f"{sys.argv[2]}/{name}.pt")
    for name, net in nets.items()
]
for steps in itertools.zip_longest(*runs):
    print([step and step.step for step in steps], flush=True)
torch.save({name: net.state_dict() for name, net in nets.items()}, f"{sys.argv[2]}/result.pt")
"""


def killable(optimizer: str) -> TrainConfig:
    return resumable(optimizer, steps=60, checkpoint_every=1, ema=0.95)


@pytest.mark.slow
def test_killed_at_any_moment_and_continued_is_as_if_never_killed(tmp_path):
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path)]
    for _ in range(2):
        run = subprocess.Popen(command, stdout=subprocess.PIPE)
        for _ in range(random.randint(1, 12)):
            assert run.stdout.readline()
        time.sleep(0.03 * random.random())
        run.kill()  # SIGKILL, mostly while a checkpoint is being written
        run.wait()
        run.stdout.close()
        assert not (tmp_path / "result.pt").exists()
        assert (tmp_path / "adam.pt").exists()
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert not lines[0].startswith("[1,")
    result = torch.load(tmp_path / "result.pt", weights_only=True)
    for name in ("adam", "sgd"):
        net = small_net(width=8)
        list(train(net, IMAGES, BLIND, killable(name)))
        for key, value in net.state_dict().items():
            assert torch.equal(value, result[name][key]), (name, key)


DISTRIBUTED = """
import hashlib, os, sys
import torch
sys.path.insert(0, sys.argv[1])
from test_engine import BLIND, IMAGES, resumable, small_net, train

torch.set_num_threads(1)
torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
net = small_net(seed=rank)  # training starts from the weights of process 0
steps = list(train(net, IMAGES, BLIND, resumable(), checkpoint=f"{sys.argv[2]}/run.pt"))
torch.save((net.state_dict(), [step.loss for step in steps]), f"{sys.argv[2]}/{rank}.pt")
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_end_with_equal_weights(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(DISTRIBUTED, encoding="utf-8")
    subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
            *("--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"),
            *("--local-addr", "127.0.0.1", str(script), str(Path(__file__).parent), str(tmp_path)),
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    (state, losses), (other, other_losses) = (
        torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)
    )
    assert all(map(math.isfinite, losses)) and losses != other_losses  # each its own patches
    saved = torch.load(tmp_path / "run.pt", weights_only=True)["net"]
    start = small_net().state_dict()
    for name, value in state.items():
        assert torch.equal(value, other[name]) and torch.equal(value, saved[name]), name
        assert name.endswith("tracked") or not torch.equal(value, start[name]), name


# ---------------------------------------------------------------------------------------- denoising


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
    restored = denoise(np.full((4, 4), -0.5), Gain(2.0))
    np.testing.assert_allclose(restored, -1.0)


def test_a_model_that_works_in_place_does_not_touch_the_image():
    noisy = picture(8, 8) - 0.5
    before = noisy.copy()
    assert denoise(noisy, nn.ReLU(inplace=True)).min() == 0
    assert np.array_equal(noisy, before)


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


NOT_FINITE = "noisy is 'an image with NaN or infinite values', but must be finite everywhere"
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


# --------------------------------------------------------------------------------------- evaluation


@pytest.mark.parametrize("channels", [1, 3])
def test_evaluation_follows_the_protocol_of_the_literature(channels):
    """The input is neither clipped nor rounded; the output is clipped and not rounded."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    net = lively(small_net(channels=channels))
    images = [picture(16, 14, channels, seed=s).squeeze() for s in range(2)]
    scores = evaluate(net, images, GaussianNoise(50), seed=7)
    for number, (image, score) in enumerate(zip(images, scores, strict=True)):
        clean = image.reshape(16, 14, channels)
        batch = torch.from_numpy(clean).permute(2, 0, 1)[None]
        noisy = GaussianNoise(50)(batch, torch.Generator().manual_seed(7 + number))
        with torch.no_grad():
            restored = net(noisy).clamp(0, 1)
        expected = []
        for result in (restored, noisy):
            result = result[0].permute(1, 2, 0).double().numpy()
            expected.append(peak_signal_noise_ratio(clean.astype(np.float64), result, data_range=1))
            expected.append(
                structural_similarity(
                    clean.astype(np.float64), result, data_range=1, channel_axis=2,
                    gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                )
            )  # fmt: skip
        found = [score.psnr, score.ssim, score.noisy_psnr, score.noisy_ssim]
        assert found == pytest.approx(expected, abs=1e-4)
        assert score.seconds > 0


def test_evaluation_takes_8_bit_images_and_numbers_its_seeds():
    first, second = ((255 * picture(12, 12, seed=s)).astype(np.uint8) for s in range(2))
    net = lively(small_net())
    both = evaluate(net, [first, second], GaussianNoise(25), seed=5)
    (alone,) = evaluate(net, [second.astype(np.float32) / 255], GaussianNoise(25), seed=6)
    assert both[1].psnr == pytest.approx(alone.psnr, abs=1e-6)
    assert both[1].noisy_ssim == pytest.approx(alone.noisy_ssim, abs=1e-6)
    assert evaluate(net, [], GaussianNoise(25)) == []


def test_evaluation_names_the_bad_image():
    message = "images[1] is 'an image with NaN or infinite values', but must be finite everywhere"
    with pytest.raises(ValueError, match=whole(message)):
        evaluate(small_net(), [picture(12, 12), np.full((12, 12), np.nan)], GaussianNoise(25))
    with pytest.raises(TypeError, match=whole("seed is 'a' (str), but must be an integer")):
        evaluate(small_net(), [picture(12, 12)], GaussianNoise(25), seed="a")
