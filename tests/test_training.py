"""Training against arithmetic done by hand, and exact resume."""

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
from helpers import is_channels_last, picture, raises, small_net, whole
from torch import nn

from dncnn_lib import _memory
from dncnn_lib.degrade import GaussianNoise, RandomChoice
from dncnn_lib.patches import PatchSampler
from dncnn_lib.tasks import noise2noise, with_noise_map
from dncnn_lib.training import Step, TrainConfig, train, training_loss

pytestmark = pytest.mark.usefixtures("one_thread")


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
        ("optimizer", "Adam", "optimizer is 'Adam', but must be one of 'adam', 'sgd', 'muon'"),
        ("schedule", "step", "schedule is 'step', but must be one of 'cosine', 'constant'"),
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


def test_a_config_is_frozen_and_hashable():
    assert TrainConfig(lr=0.1) == TrainConfig(lr=0.1) != TrainConfig(lr=0.2)
    assert hash(TrainConfig(lr=0.1)) == hash(TrainConfig(lr=0.1))
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


def gains(**changes) -> tuple[list[float], list[Step]]:
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


def test_the_share_of_clipped_updates_is_told():
    """The gradient is 2(a − 1): it is longer than 0.6 for a = 0.5, 0.56, 0.62, 0.68, not 0.74."""
    for log_every, shares in ((1, [1, 1, 1, 1, 0, 0, 0, 0]), (3, [1, 1 / 3, 0]), (8, [0.5])):
        _, steps = gains(clip_norm=0.6, log_every=log_every)
        assert [step.clipped for step in steps] == pytest.approx(shares)
    assert [step.clipped for step in gains()[1]] == [0.0] * 8


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


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "muon"])
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
    with raises(TypeError, "config is a dict, but must be a TrainConfig"):
        next(train(net, IMAGES, same, QUICK))
    shape, narrower = (2, 1, 8, 8), (2, 1, 8, 7)
    rule = f"must be that of its input, {shape}"
    with raises(ValueError, f"the degradation's output shape is {narrower}, but {rule}"):
        next(train(net, IMAGES, lambda clean, _: clean[..., 1:], config))
    with raises(TypeError, "the degradation gives a NoneType, but must give a tensor"):
        next(train(net, IMAGES, lambda *_: None, config))


def test_a_task_gives_one_tensor_or_a_pair():
    def given(made):
        return train(small_net(), IMAGES, lambda *_: made, TrainConfig(**QUICK))

    batch = torch.zeros(2, 1, 8, 8)
    rule = "the length of what the task gives is {}, but must be 2: (given, target)"
    for count in (0, 1, 3):
        with raises(ValueError, rule.format(count)):
            next(given((batch,) * count))
    with raises(TypeError, "the degradation gives a list, but must give a tensor"):
        next(given([batch, batch]))


def test_a_network_of_another_output_shape_is_refused():
    net = nn.Conv2d(3, 1, 3, padding=1)
    message = (
        "the network's output shape is (2, 1, 8, 8), but must be that of the target, (2, 3, 8, 8)"
    )
    with pytest.raises(ValueError, match=whole(message)):
        next(train(net, [picture(9, 9, 3)], same, TrainConfig(**QUICK)))


# ------------------------------------------------------------------------------- checkpoint, resume


def resumable(optimizer="adam", ema=0.9, **changes) -> TrainConfig:
    settings = dict(QUICK, optimizer=optimizer, ema=ema, checkpoint_every=3)
    return TrainConfig(**{**settings, **changes})


BLIND = GaussianNoise((0, 55))


@pytest.mark.parametrize("ema", [None, 0.9])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "muon"])
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
        ({"config": resumable(augment=False)}, "config.augment", True, False),
        (
            {"task": GaussianNoise(25)},
            "degradation",
            "GaussianNoise(sigma=(0, 55))",
            "GaussianNoise(sigma=25)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_checkpoint_of_another_training(tmp_path, changes, what, was, now):
    path = tmp_path / "run.pt"
    usual = {"clean_images": IMAGES, "task": BLIND, "config": resumable()}
    list(train(small_net(), **usual, checkpoint=path))
    message = (
        f"checkpoint {path} was made with {what} = {was!r}, but this training has {now!r}; "
        "use the same, or name another file"
    )
    with pytest.raises(ValueError, match=whole(message)):
        next(train(small_net(), **{**usual, **changes}, checkpoint=path))


def test_numbers_of_numpy_do_not_make_a_checkpoint_unreadable(tmp_path):
    """Nor another training of the same one."""
    path = tmp_path / "run.pt"
    numpy_ = resumable(lr=np.float64(0.005), steps=np.int64(12), augment=np.bool_(True))
    assert numpy_ == resumable() and type(numpy_.lr) is float
    first = train(small_net(), IMAGES, GaussianNoise((np.int64(0), 55)), numpy_, checkpoint=path)
    assert [next(first).step for _ in range(4)] == [1, 2, 3, 4]
    assert next(train(small_net(), IMAGES, BLIND, resumable(), checkpoint=path)).step == 4


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


@pytest.mark.parametrize(
    "task, other",
    [
        (noise2noise(GaussianNoise(25)), noise2noise(GaussianNoise(15))),
        (noise2noise(GaussianNoise(25)), GaussianNoise(25)),
        (with_noise_map(GaussianNoise((0, 55))), with_noise_map(GaussianNoise((0, 50)))),
    ],
)
def test_a_checkpoint_of_another_task(tmp_path, task, other):
    class Net(Gain):
        def forward(self, noisy, sigma=None):
            return super().forward(noisy)

    path, config = tmp_path / "run.pt", resumable("sgd", None)
    first = train(Net(), IMAGES, task, config, checkpoint=path)
    assert [next(first).step for _ in range(4)] == [1, 2, 3, 4]
    message = (
        rf"^checkpoint {re.escape(str(path))} was made with degradation = '.*', but this training "
        r"has '.*'; use the same, or name another file$"
    )
    with pytest.raises(ValueError, match=message):
        next(train(Net(), IMAGES, other, config, checkpoint=path))
    assert next(train(Net(), IMAGES, task, config, checkpoint=path)).step == 4


def test_a_degradation_of_ones_own_can_be_continued(tmp_path):
    """A function has another address in every process; that makes it no other degradation."""

    def new_process():
        def darker(clean, generator):
            return 0.9 * clean

        return noise2noise(RandomChoice(BLIND, darker))

    path, config = tmp_path / "run.pt", resumable()
    before, after = new_process(), new_process()
    first = train(small_net(), IMAGES, before, config, checkpoint=path)
    assert [next(first).step for _ in range(4)] == [1, 2, 3, 4]
    assert next(train(small_net(), IMAGES, after, config, checkpoint=path)).step == 4


KILLED = """
import sys
import torch
sys.path.insert(0, sys.argv[1])
from test_training import BLIND, IMAGES, killable, small_net, train

torch.set_num_threads(1)
runs = [
    train(small_net(width=8), IMAGES, BLIND, killable(name), checkpoint=f"{sys.argv[2]}/{name}.pt")
    for name in ("adam", "sgd")
]
for steps in zip(*runs):
    print([step.step for step in steps], flush=True)
"""


def killable(optimizer: str) -> TrainConfig:
    return resumable(optimizer, steps=60, checkpoint_every=1, ema=0.95)


@pytest.mark.slow
def test_killed_at_any_moment_and_continued_is_as_if_never_killed(tmp_path):
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as run:
        for _ in range(random.randint(1, 12)):
            assert run.stdout.readline()
        time.sleep(0.03 * random.random())
        run.kill()  # SIGKILL, mostly while a checkpoint is being written
    for name in ("adam", "sgd"):
        net, straight, path = small_net(width=8), small_net(width=8), tmp_path / f"{name}.pt"
        assert path.exists()
        first, *_ = train(net, IMAGES, BLIND, killable(name), checkpoint=path)
        assert first.step > 1
        list(train(straight, IMAGES, BLIND, killable(name)))
        assert_equal_states(net, straight)


# ------------------------------------------------------------------------------ what makes it fast


class Record(nn.Module):
    """A convolution of colour images, which notes what it meets at each call."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 3, padding=1)
        self.given: list[bool] = []
        self.weights: list[bool] = []
        self.users: list[int] = []
        self.dtypes: list[torch.dtype] = []

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        result = self.layer(noisy)
        self.given.append(is_channels_last(noisy))
        self.weights.append(is_channels_last(self.layer.weight))
        self.users.append(_memory._users)
        self.dtypes.append(result.dtype)
        return result


COLOUR = [picture(12, 14, 3)]


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_weights_and_patches_are_channels_last(monkeypatch, optimizer):
    """Whatever the order of the patches is as they are drawn."""
    sample = PatchSampler.sample
    monkeypatch.setattr(PatchSampler, "sample", lambda *args: sample(*args).contiguous())
    net = Record()
    list(train(net, COLOUR, GaussianNoise(25), TrainConfig(**QUICK, optimizer=optimizer)))
    assert net.given == net.weights == [True] * 12


def test_freed_memory_is_reused_during_the_steps(malloc):
    net = Record()
    steps = train(net, COLOUR, same, TrainConfig(**QUICK))
    assert malloc.changes == []
    next(steps)
    assert net.users == [1] and malloc.changes == ["keep"]
    steps.close()
    assert _memory._users == 0 and malloc.changes == ["keep", "release"]


@pytest.mark.parametrize("precision, dtype", [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_network_computes_in_the_precision_asked_for(precision, dtype):
    net = Record()
    losses = [s.loss for s in train(net, COLOUR, same, TrainConfig(**QUICK, precision=precision))]
    assert set(net.dtypes) == {dtype} and all(map(math.isfinite, losses))
    assert all(p.dtype == torch.float32 for p in net.parameters())
