"""Training as a generator over any network and any task, with exact resume.

Nothing here knows ``DnCNN``, images in files or progress bars: a notebook, a widget and the command
line all consume ``train`` with a ``for``.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from . import _check, _files, _memory
from ._interrupts import Interrupts
from .hardware import PRECISIONS, autocast, device_of, uses_bf16
from .optim import make_optimizer
from .patches import PatchSampler
from .tasks import Task, pair


@dataclass(frozen=True)
class TrainConfig:
    """How to train. Checked on construction; a wrong value raises ``TypeError`` or ``ValueError``.

    steps: parameter updates.
    batch_size: patches in an update.
    patch_size: side of a patch in pixels.
    augment: random flips and quarter turns.
    optimizer: "adam", "sgd" (with ``momentum``), or "muon" (``optim.Muon``), which learns
        more from a step than Adam, at rates of about twice Adam's.
    lr: the highest learning rate.
    final_lr: the learning rate that the schedule ends at.
    schedule: "cosine", from ``lr`` to ``final_lr``, or "constant".
    warmup: part of the steps, in [0, 1), over which the learning rate first rises from 0.
    momentum: of "sgd".
    weight_decay: on the weights of convolutions; never on biases and batch norm.
    loss: "mean", the mean squared error over pixels; or "paper", 1/(2N)·Σ‖x̂ − x‖², N patches.
    clip_norm: the largest norm of the gradient; None leaves it as it is.
    ema: decay of an exponential moving average of weights, which is then the result; None for none.
    recalibrate: further batches over which batch norm's statistics are measured at the end, for the
        final weights; without, they are an average over the last steps, while weights moved. (Wu,
        Johnson, "Rethinking 'Batch' in BatchNorm", 2021, arXiv:2105.07576: precise BN.)
    frozen_batch_norm: batch norm uses its running statistics, and keeps them, as in eval mode; its
        γ and β still learn. For a network that is trained already.
    precision: "fp32", "bf16" (mixed), or "auto": bf16 where it is faster.
    seed: of everything random but the network's initialisation.
    log_every: steps between two records, whose loss is the mean over them.
    validate_every: steps between two validations; 0 validates after the last step only.
    checkpoint_every: steps between two checkpoints.
    """

    steps: int = 1000
    batch_size: int = 16
    patch_size: int = 40
    augment: bool = True
    optimizer: str = "adam"
    lr: float = 5e-3
    final_lr: float = 0.0
    schedule: str = "cosine"
    warmup: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 0.0
    loss: str = "mean"
    clip_norm: float | None = 1.0
    ema: float | None = None
    recalibrate: int = 0
    frozen_batch_norm: bool = False
    precision: str = "fp32"
    seed: int = 0
    log_every: int = 1
    validate_every: int = 0
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "patch_size", "log_every", "checkpoint_every"):
            _check.integer(name, getattr(self, name), at_least=1)
        _check.integer("validate_every", self.validate_every, at_least=0)
        _check.integer("recalibrate", self.recalibrate, at_least=0)
        _check.seed("seed", self.seed)
        _check.one_of("optimizer", self.optimizer, ("adam", "sgd", "muon"))
        _check.one_of("schedule", self.schedule, ("cosine", "constant"))
        _check.one_of("loss", self.loss, ("mean", "paper"))
        _check.one_of("precision", self.precision, PRECISIONS)
        _check.real("lr", self.lr, above=0.0)
        _check.real("final_lr", self.final_lr, at_least=0.0, at_most=self.lr)
        _check.real("warmup", self.warmup, at_least=0.0, below=1.0)
        _check.real("momentum", self.momentum, at_least=0.0, below=1.0)
        _check.real("weight_decay", self.weight_decay, at_least=0.0)
        if self.clip_norm is not None:
            _check.real("clip_norm", self.clip_norm, above=0.0)
        if self.frozen_batch_norm and self.recalibrate:
            _check.fail(
                "recalibrate",
                self.recalibrate,
                "0 with frozen_batch_norm, which keeps the statistics",
            )
        if self.ema is not None:
            _check.real("ema", self.ema, above=0.0, below=1.0)
        for name, value in vars(self).items():  # a checkpoint holds no numbers of numpy
            object.__setattr__(self, name, _check.plain(value))

    def learning_rate(self, step: int) -> float:
        """The learning rate of update number ``step``, counted from 0."""
        warm = self.warmup * self.steps
        if step + 1 < warm:
            return self.lr * (step + 1) / warm
        if self.schedule == "constant":
            return self.lr
        done = (step + 1 - warm) / max(self.steps - warm, 1)
        return self.final_lr + (self.lr - self.final_lr) * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True)
class Step:
    """What ``train`` reports: plain numbers.

    step: updates done; steps: updates in all; loss: mean since the last record; lr: the learning
    rate of the last update; seconds: spent in training, not in validation, over all resumed runs;
    patches: seen so far; val_psnr: dB, where this step was validated, else None; clipped: the share
    of the updates since the last record whose gradient was longer than ``clip_norm``.
    """

    step: int
    steps: int
    loss: float
    lr: float
    seconds: float
    patches: int
    val_psnr: float | None = None
    clipped: float = 0.0


def train(
    net: nn.Module,
    clean_images: Sequence[np.ndarray],
    task: Task,
    config: TrainConfig = TrainConfig(),
    *,
    validation: Callable[[nn.Module], float] | None = None,
    checkpoint: str | os.PathLike | None = None,
) -> Iterator[Step]:
    """Train ``net`` on a task; yields a ``Step`` every ``config.log_every`` updates.

    net: any module, trained in place on the device it is on.
    clean_images: arrays (H, W) or (H, W, 3), uint8 or float in [0, 1].
    task: a degradation ``(clean, generator) -> given``, which ``net`` learns to undo, applied to
        fresh patches (B, C, H, W) at every step; or, where the target is not the clean patches, a
        function ``(clean, generator) -> (given, target)`` (module ``tasks``). ``net(given)`` is
        held against the target; a tuple ``given`` becomes ``net(*given)``.
    validation: called with the network in eval mode, returns a PSNR in dB.
    checkpoint: a file. Where it exists the training continues from it; it is rewritten every
        ``config.checkpoint_every`` steps, at the end, and on Ctrl-C, which is heard when the update
        is done. A run that was killed and continued ends with the same weights as one that was not,
        on the same machine.

    Nothing happens until the first ``next``. Raises ``TypeError`` or ``ValueError`` for arguments
    of another kind, for a network whose output has not the shape of the target, and where the
    checkpoint belongs to another network, config, task or set of images.
    """
    _check.module("net", net)
    if not isinstance(config, TrainConfig):
        _check.wrong_type("config", config, "a TrainConfig")
    device = device_of(net)
    patches = PatchSampler(clean_images, config.patch_size, augment=config.augment, device=device)
    generator = torch.Generator(device)
    net.to(memory_format=torch.channels_last)
    state = _State(net, config, task, patches.fingerprint)
    if checkpoint is not None and _files.check_place(checkpoint).exists():
        state.load(checkpoint)

    def batch(step: int) -> tuple[tuple[Tensor, ...], Tensor]:
        """What the network is given in an update, and what it should answer."""
        generator.manual_seed(_seed_of(config.seed, step))
        clean = patches.sample(config.batch_size, generator)
        return pair(task, clean.contiguous(memory_format=torch.channels_last), generator)

    def save(loss: float) -> None:
        if checkpoint is not None and math.isfinite(loss):
            state.save(checkpoint)

    with _memory.reused(), Interrupts() as interrupts:
        total = clipped = torch.zeros((), device=device)
        since, clock = 0, time.perf_counter()
        while state.step < config.steps:
            interrupts.hold()
            _training_mode(net, config.frozen_batch_norm)
            lr = config.learning_rate(state.step)
            for group in state.optimizer.param_groups:
                group["lr"] = lr
            given, target = batch(state.step)
            with autocast(device, state.bf16):
                restored = net(*given)
            _check.output("the network", restored, target, of="the target")
            loss = training_loss(restored.float(), target, config.loss)
            state.optimizer.zero_grad()
            loss.backward()
            if config.clip_norm is not None:
                norm = nn.utils.clip_grad_norm_(net.parameters(), config.clip_norm)
                clipped = clipped + (norm > config.clip_norm)
            state.optimizer.step()
            if state.ema is not None:
                state.ema.update_parameters(net)
            state.step += 1
            total, since = total + loss.detach(), since + 1
            last = state.step == config.steps
            validate = last or (config.validate_every and state.step % config.validate_every == 0)
            keep = last or state.step % config.checkpoint_every == 0
            record = last or validate or state.step % config.log_every == 0
            if not (record or keep or interrupts.heard):
                continue
            mean_loss = float(total) / since
            state.seconds += time.perf_counter() - clock
            if last:
                after = range(config.steps, config.steps + config.recalibrate)
                state.finish(batch(step)[0] for step in after)
            if keep or interrupts.heard:
                save(mean_loss)
            interrupts.release()
            if interrupts.heard:
                raise KeyboardInterrupt
            if record:
                quality = None
                if validate and validation is not None:
                    try:
                        quality = _validate(state.result, validation)
                    except KeyboardInterrupt:
                        save(mean_loss)
                        raise
                yield Step(
                    step=state.step,
                    steps=config.steps,
                    loss=mean_loss,
                    lr=lr,
                    seconds=state.seconds,
                    patches=state.step * config.batch_size,
                    val_psnr=quality,
                    clipped=float(clipped) / since,
                )
                total = clipped = torch.zeros((), device=device)
                since = 0
            clock = time.perf_counter()


def _recalibrate(net: nn.Module, batches: Iterable[tuple[Tensor, ...]]) -> None:
    """Give batch norm, in train mode, the mean statistics of ``batches`` of the net's arguments."""
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for the mean over all batches
    with torch.no_grad():
        for given in batches:
            net(*given)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum


def _training_mode(net: nn.Module, frozen_batch_norm: bool) -> None:
    net.train()
    for module in net.modules() if frozen_batch_norm else ():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def training_loss(restored: Tensor, clean: Tensor, kind: str = "mean") -> Tensor:
    """The squared error of a batch: its mean over pixels, or the paper's 1/(2N)·Σ‖x̂ − x‖².

    With x̂ = y − R(y) the difference x̂ − x equals v − R(y), so the loss on the image is the paper's
    loss on the noise, ‖R(y) − (y − x)‖².
    """
    squared = (restored - clean) ** 2
    return squared.mean() if kind == "mean" else squared.sum() / (2 * len(clean))


class _State:
    """All that a training run must remember: what a checkpoint holds."""

    def __init__(self, net: nn.Module, config: TrainConfig, task: Task, images: str) -> None:
        self.net, self.config, self.step, self.seconds = net, config, 0, 0.0
        self.bf16 = uses_bf16(config.precision, device_of(net).type)
        self.optimizer = make_optimizer(
            net,
            config.optimizer,
            config.lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
        )
        self.ema = None
        if config.ema is not None:
            average = get_ema_multi_avg_fn(config.ema)
            self.ema = AveragedModel(net, multi_avg_fn=average, use_buffers=True)
        self.identity = {
            **{f"config.{name}": value for name, value in asdict(config).items()},
            # without the addresses of functions, which differ from process to process
            "degradation": re.sub(r" at 0x[0-9a-fA-F]+", "", repr(task)),
            "training images (their hash)": images,
        }

    @property
    def result(self) -> nn.Module:
        """The network to validate: the averaged one on the way, where there is an average."""
        finished = self.step == self.config.steps
        return self.net if self.ema is None or finished else self.ema.module

    def finish(self, batches: Iterable[tuple[Tensor, ...]]) -> None:
        """Give ``net`` the averaged weights, and the statistics of the batches."""
        if self.ema is not None:
            self.net.load_state_dict(self.ema.module.state_dict())
        if self.config.recalibrate:
            _recalibrate(self.net, batches)

    def save(self, path: str | os.PathLike) -> None:
        file = io.BytesIO()
        torch.save(
            {
                "identity": self.identity,
                "step": self.step,
                "seconds": self.seconds,
                "bf16": self.bf16,
                "net": self.net.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "ema": None if self.ema is None else self.ema.state_dict(),
            },
            file,
        )
        _files.write_bytes(path, file.getvalue())

    def load(self, path: str | os.PathLike) -> None:
        try:
            saved = torch.load(path, map_location=device_of(self.net), weights_only=True)
            identity = saved["identity"]
        except Exception as error:  # torch.load raises half a dozen kinds for a damaged file
            raise ValueError(
                f"checkpoint {path} cannot be read ({type(error).__name__}); delete it to start "
                "again, or name another file"
            ) from error
        for name, value in self.identity.items():
            if identity.get(name) != value:
                raise ValueError(
                    f"checkpoint {path} was made with {name} = {identity.get(name)!r}, but this "
                    f"training has {value!r}; use the same, or name another file"
                )
        try:
            self.net.load_state_dict(saved["net"])
        except RuntimeError as error:
            raise ValueError(f"checkpoint {path} belongs to another network: {error}") from error
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.ema is not None:
            self.ema.load_state_dict(saved["ema"])
        self.step, self.seconds, self.bf16 = saved["step"], saved["seconds"], saved["bf16"]


def _seed_of(seed: int, step: int) -> int:
    """Independent random numbers for each step, whatever ran before: exact resume."""
    digest = hashlib.blake2b(f"{seed} {step} 0".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _validate(net: nn.Module, validation: Callable[[nn.Module], float]) -> float:
    was_training = net.training
    net.eval()
    try:
        with torch.no_grad():
            return float(validation(net))
    finally:
        net.train(was_training)
