"""Training as a generator, exact resume, evaluation, and denoising of any image in exact tiles.

Nothing here knows ``DnCNN``: any ``nn.Module`` that maps a noisy batch (B, C, H, W) to a restored
one can be trained, evaluated and applied.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import io
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from . import _check, _files, _memory
from .degrade import Degradation
from .images import as_batch
from .metrics import psnr, shave, ssim
from .optim import Muon
from .patches import PatchSampler

PRECISIONS = ("fp32", "bf16", "auto")
Image = TypeVar("Image", np.ndarray, Tensor)


@dataclass(frozen=True)
class TrainConfig:
    """How to train. Checked on construction; a wrong value raises ``TypeError`` or ``ValueError``.

    steps: parameter updates.
    batch_size: patches in an update, over all processes together.
    patch_size: side of a patch in pixels.
    scales: sizes at which the training images are offered, 1 being the original.
    augment: random flips and quarter turns.
    optimizer: "adam", "adamw", "sgd" (with ``momentum``), or "muon" (``optim.Muon``), which learns
        more from a step than Adam, at rates of about twice Adam's.
    lr: the highest learning rate.
    final_lr: the learning rate that the schedule ends at.
    schedule: "cosine", "exponential", "step" (final_lr after 60 % of the steps) or "constant".
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
    scales: tuple[float, ...] = (1.0,)
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
        _check.one_of("optimizer", self.optimizer, ("adam", "adamw", "sgd", "muon"))
        _check.one_of("schedule", self.schedule, ("cosine", "exponential", "step", "constant"))
        _check.one_of("loss", self.loss, ("mean", "paper"))
        _check.one_of("precision", self.precision, PRECISIONS)
        _check.real("lr", self.lr, above=0.0)
        _check.real("final_lr", self.final_lr, at_least=0.0, at_most=self.lr)
        if self.schedule in ("exponential", "step") and self.final_lr == 0:
            _check.fail("final_lr", self.final_lr, f"above 0 for the {self.schedule} schedule")
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
        if not isinstance(self.scales, (tuple, list)) or not self.scales:
            _check.fail("scales", self.scales, "a tuple of at least one number")
        scales = tuple(_check.real("scales", scale, above=0.0) for scale in self.scales)
        object.__setattr__(self, "scales", scales)

    def learning_rate(self, step: int) -> float:
        """The learning rate of update number ``step``, counted from 0."""
        warm = self.warmup * self.steps
        if step + 1 < warm:
            return self.lr * (step + 1) / warm
        if self.schedule == "constant":
            return self.lr
        done = (step + 1 - warm) / max(self.steps - warm, 1)
        if self.schedule == "cosine":
            return self.final_lr + (self.lr - self.final_lr) * (1 + math.cos(math.pi * done)) / 2
        if self.schedule == "step":
            return self.lr if done <= 0.6 else self.final_lr
        return self.lr * (self.final_lr / self.lr) ** done


@dataclass(frozen=True)
class Step:
    """What ``train`` reports: plain numbers.

    step: updates done; steps: updates in all; loss: mean since the last record; lr: the learning
    rate of the last update; seconds: spent in training, not in validation, over all resumed runs;
    patches: seen so far; val_psnr: dB, where this step was validated, else None.
    """

    step: int
    steps: int
    loss: float
    lr: float
    seconds: float
    patches: int
    val_psnr: float | None = None


def has_bf16() -> bool:
    """Whether this processor computes in bf16 at all, faster or not."""
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


@functools.cache
def prefers_bf16(device_type: str = "cpu") -> bool:
    """Whether bf16 is the faster choice on this machine.

    A processor may have bf16 instructions that are slower than its fp32 ones, so a convolution of
    DnCNN is timed both ways on one core, once in a process (some 50 ms); bf16 must win by a fifth.
    """
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported()
    if not has_bf16():
        return False
    fp32 = nn.utils.skip_init(nn.Conv2d, 64, 64, 3, padding=1, bias=False)  # draws no numbers
    nn.init.constant_(fp32.weight, 0.01)
    fp32 = fp32.to(memory_format=torch.channels_last)
    layers = {dtype: copy.deepcopy(fp32).to(dtype) for dtype in (torch.float32, torch.bfloat16)}
    image = torch.zeros(1, 64, 64, 64).to(memory_format=torch.channels_last)
    best = dict.fromkeys(layers, math.inf)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)  # other programs disturb one thread less than many
        with torch.inference_mode():
            for _ in range(8):  # in turn, so that a disturbance hits both
                for dtype, layer in layers.items():
                    noisy = image.to(dtype)
                    start = time.perf_counter()
                    layer(noisy)
                    best[dtype] = min(best[dtype], time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return best[torch.float32] > 1.2 * best[torch.bfloat16]


def uses_bf16(precision: str, device_type: str = "cpu") -> bool:
    """What "fp32", "bf16" or "auto" comes to on a device."""
    _check.one_of("precision", precision, PRECISIONS)
    return precision == "bf16" or (precision == "auto" and prefers_bf16(device_type))


def _autocast(device: torch.device, bf16: bool) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16)


def _device_of(model: nn.Module) -> torch.device:
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


# ---------------------------------------------------------------------------------------- training


def train(
    net: nn.Module,
    clean_images: Sequence[np.ndarray],
    degradation: Degradation,
    config: TrainConfig = TrainConfig(),
    *,
    validation: Callable[[nn.Module], float] | None = None,
    checkpoint: str | os.PathLike | None = None,
) -> Iterator[Step]:
    """Train ``net`` to undo ``degradation``; yields a ``Step`` every ``config.log_every`` updates.

    net: any module (B, C, H, W) → (B, C, H, W), trained in place on the device it is on.
    clean_images: arrays (H, W) or (H, W, 3), uint8 or float in [0, 1].
    degradation: ``(clean, generator) -> noisy``, applied to fresh patches at every step.
    validation: called with the network in eval mode, returns a PSNR in dB.
    checkpoint: a file. Where it exists the training continues from it; it is rewritten every
        ``config.checkpoint_every`` steps and at the end. A run that was killed and continued ends
        with the same weights as one that was not, on the same machine.

    Nothing happens until the first ``next``. Started by ``torchrun``, after
    ``torch.distributed.init_process_group``, every process takes its share of the batch.
    Raises ``TypeError`` or ``ValueError`` for arguments of another kind, for a degradation or a
    network that changes the shape of its input, and where the checkpoint belongs to another
    network, config, degradation or set of images.
    """
    _check_module("net", net)
    if not isinstance(config, TrainConfig):
        raise TypeError(f"config is a {type(config).__name__}, but must be a TrainConfig")
    device, rank, world = _device_of(net), *_rank_and_world()
    if config.batch_size % world:
        _check.fail("batch_size", config.batch_size, f"a multiple of the {world} processes")
    patches = PatchSampler(
        clean_images,
        config.patch_size,
        scales=config.scales,
        augment=config.augment,
        device=device,
    )
    generator = torch.Generator(device)
    net.to(memory_format=torch.channels_last)
    state = _State(net, config, degradation, patches.fingerprint)
    if checkpoint is not None and _files.check_place(checkpoint).exists():
        state.load(checkpoint)
    forward = nn.parallel.DistributedDataParallel(net) if world > 1 else net

    def batch(step: int) -> tuple[Tensor, Tensor]:
        """The clean patches of an update, and what the degradation makes of them."""
        generator.manual_seed(_seed_of(config.seed, step, rank))
        clean = patches.sample(config.batch_size // world, generator)
        clean = clean.contiguous(memory_format=torch.channels_last)
        noisy = degradation(clean, generator)
        _check_output("the degradation", noisy, clean)
        return clean, noisy

    with _memory.reused():
        total, since, clock = torch.zeros((), device=device), 0, time.perf_counter()
        while state.step < config.steps:
            _training_mode(net, config.frozen_batch_norm)
            lr = config.learning_rate(state.step)
            for group in state.optimizer.param_groups:
                group["lr"] = lr
            clean, noisy = batch(state.step)
            with _autocast(device, state.bf16):
                restored = forward(noisy)
            _check_output("the network", restored, clean)
            loss = training_loss(restored.float(), clean, config.loss)
            state.optimizer.zero_grad()
            loss.backward()
            if config.clip_norm is not None:
                nn.utils.clip_grad_norm_(net.parameters(), config.clip_norm)
            state.optimizer.step()
            if state.ema is not None:
                state.ema.update_parameters(net)
            state.step += 1
            total, since = total + loss.detach(), since + 1

            last = state.step == config.steps
            validate = last or (config.validate_every and state.step % config.validate_every == 0)
            save = last or state.step % config.checkpoint_every == 0
            record = last or validate or state.step % config.log_every == 0
            if not (record or save):
                continue
            mean_loss = float(total) / since
            state.seconds += time.perf_counter() - clock
            if last:
                after = range(config.steps, config.steps + config.recalibrate)
                state.finish(batch(step)[1] for step in after)
            if save and checkpoint is not None and rank == 0 and math.isfinite(mean_loss):
                state.save(checkpoint)
            if record:
                quality = None
                if validate and validation is not None:
                    quality = _validate(state.result, validation)
                seen = state.step * config.batch_size
                yield Step(state.step, config.steps, mean_loss, lr, state.seconds, seen, quality)
                total, since = torch.zeros((), device=device), 0
            clock = time.perf_counter()


def _recalibrate(net: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give batch norm, in train mode, the mean statistics of ``batches``, (B, C, H, W) each."""
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for the mean over all batches
    with torch.no_grad():
        for degraded in batches:
            net(degraded)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum


def _training_mode(net: nn.Module, frozen_batch_norm: bool) -> None:
    net.train()
    for module in net.modules() if frozen_batch_norm else ():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _check_module(name: str, model: nn.Module) -> None:
    if not isinstance(model, nn.Module):
        hint = "; load_pretrained gives one by its name" if isinstance(model, str) else ""
        raise TypeError(f"{name} is a {type(model).__name__}, but must be a torch.nn.Module{hint}")


def _check_output(who: str, output: Tensor, given: Tensor) -> None:
    if not isinstance(output, Tensor):
        raise TypeError(f"{who} gives a {type(output).__name__}, but must give a tensor")
    if output.shape != given.shape:
        rule = f"that of its input, {tuple(given.shape)}"
        _check.fail(f"{who}'s output shape", tuple(output.shape), rule)


def training_loss(restored: Tensor, clean: Tensor, kind: str = "mean") -> Tensor:
    """The squared error of a batch: its mean over pixels, or the paper's 1/(2N)·Σ‖x̂ − x‖².

    With x̂ = y − R(y) the difference x̂ − x equals v − R(y), so the loss on the image is the paper's
    loss on the noise, ‖R(y) − (y − x)‖².
    """
    squared = (restored - clean) ** 2
    return squared.mean() if kind == "mean" else squared.sum() / (2 * len(clean))


class _State:
    """All that a training run must remember: what a checkpoint holds."""

    def __init__(
        self, net: nn.Module, config: TrainConfig, degradation: Degradation, images: str
    ) -> None:
        self.net, self.config, self.step, self.seconds = net, config, 0, 0.0
        self.bf16 = uses_bf16(config.precision, _device_of(net).type)
        decayed = [p for p in net.parameters() if p.ndim > 1]
        plain = [p for p in net.parameters() if p.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": config.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        if config.optimizer == "sgd":
            self.optimizer = torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum)
        elif config.optimizer == "muon":
            self.optimizer = Muon(net, config.lr, config.weight_decay)
        else:
            kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
            self.optimizer = kind(groups, lr=config.lr)
        self.ema = None
        if config.ema is not None:
            average = get_ema_multi_avg_fn(config.ema)
            self.ema = AveragedModel(net, multi_avg_fn=average, use_buffers=True)
        self.identity = {
            **{f"config.{name}": _plain(value) for name, value in asdict(config).items()},
            # without the addresses of functions, which differ from process to process
            "degradation": re.sub(r" at 0x[0-9a-fA-F]+", "", repr(degradation)),
            "training images (their hash)": images,
        }

    @property
    def result(self) -> nn.Module:
        """The network to validate: the averaged one on the way, where there is an average."""
        finished = self.step == self.config.steps
        return self.net if self.ema is None or finished else self.ema.module

    def finish(self, batches: Iterable[Tensor]) -> None:
        """Give ``net`` the averaged weights, and the statistics of the batches."""
        if self.ema is not None:
            self.net.load_state_dict(self.ema.module.state_dict())
        if self.config.recalibrate:
            _recalibrate(self.net, batches)
        if _rank_and_world()[1] > 1:  # batch norm's statistics are each process's own
            for buffer in self.net.buffers():
                torch.distributed.broadcast(buffer, 0)
            torch.distributed.barrier()  # nobody leaves while another still receives

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
            saved = torch.load(path, map_location=_device_of(self.net), weights_only=True)
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


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _rank_and_world() -> tuple[int, int]:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def _seed_of(seed: int, step: int, rank: int) -> int:
    """Independent random numbers for each step and process, whatever ran before: exact resume."""
    digest = hashlib.blake2b(f"{seed} {step} {rank}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _validate(net: nn.Module, validation: Callable[[nn.Module], float]) -> float:
    was_training = net.training
    net.eval()
    try:
        with torch.no_grad():
            return float(validation(net))
    finally:
        net.train(was_training)


# --------------------------------------------------------------------------------------- denoising


def denoise(
    noisy: Image,
    model: nn.Module,
    *,
    tile: int | None = 1024,
    precision: str = "fp32",
    progress: bool = False,
) -> Image:
    """The restored image, of the shape, type and dtype of ``noisy``.

    noisy: array (H, W) or (H, W, 3), or tensor (B, C, H, W); floating point with values around
        [0, 1], or 8/16-bit integers, which come back rounded. A grey model restores the channels
        of a colour image one by one.
    model: any module; in eval mode for the time of the call. ``DnCNN`` is folded first.
    tile: images of more than tile² pixels are restored in pieces of at most that size, which
        overlap by the receptive field, so that the result is that of the whole image. Needs the
        model's ``receptive_field`` (odd, in pixels). None: never.
    precision: "fp32"; "bf16"; or "auto": bf16 where it is the faster of the two on this
        processor. It rounds more, which costs a little PSNR.
    progress: show a bar over the tiles.

    Floating-point results are not clipped, so that noisy − restored is what the model took away.
    Raises ``TypeError`` or ``ValueError`` for what is not an image, for NaN and infinities, and for
    values that are on the 0–255 scale.
    """
    batch, restore = as_batch(noisy, name="noisy")
    _check_module("model", model)
    if tile is not None:
        _check.integer("tile", tile, at_least=1)
    _check.one_of("precision", precision, PRECISIONS)
    wanted = getattr(model, "channels", batch.shape[1])
    if batch.shape[1] != wanted:
        if wanted != 1:
            _check.fail("noisy's channels", batch.shape[1], f"{wanted}, as the model has")
        planes = batch.reshape(-1, 1, *batch.shape[-2:])
        return restore(_apply(model, planes, tile, precision, progress).reshape(batch.shape))
    return restore(_apply(model, batch, tile, precision, progress))


def _apply(
    model: nn.Module, batch: Tensor, tile: int | None, precision: str, progress: bool
) -> Tensor:
    """The model over a batch, image by image and tile by tile; a float32 CPU or device tensor."""
    device = _device_of(model)
    bf16 = uses_bf16(precision, device.type)
    modes = [(module, module.training) for module in model.modules()]
    fold = getattr(model, "fold_batch_norm", None)
    net = model.eval() if fold is None else fold()
    net = net.to(memory_format=torch.channels_last)
    field = getattr(model, "receptive_field", None)
    result = torch.empty_like(batch)
    try:
        with torch.inference_mode(), _memory.reused(), _autocast(device, bf16):
            pieces = list(_tiles(batch.shape[-2:], tile if field else None, (field or 1) // 2))
            jobs = [(image, piece) for image in range(len(batch)) for piece in pieces]
            if progress:
                from tqdm.auto import tqdm

                jobs = tqdm(jobs, desc="denoising", unit="tile")
            for image, (outer, inner, target) in jobs:
                part = batch[image : image + 1, :, outer[0], outer[1]].to(device)
                part = part.clone(memory_format=torch.channels_last)  # models may work in place
                restored = net(part)
                _check_output("the network", restored, part)
                restored = restored[:, :, inner[0], inner[1]]
                result[image : image + 1, :, target[0], target[1]] = restored
    finally:
        for module, mode in modes:
            module.training = mode
    return result


def _tiles(size: Sequence[int], tile: int | None, halo: int) -> Iterator[tuple]:
    """(outer, inner, target): what to read, what of the result to keep, where it goes."""
    height, width = size
    if tile is None or height * width <= tile * tile:
        whole = (slice(0, height), slice(0, width))
        yield whole, whole, whole
        return
    if tile <= 2 * halo:
        _check.fail("tile", tile, f"more than {2 * halo}, which is what the overlap takes")
    for rows in _cuts(height, tile, halo):
        for columns in _cuts(width, tile, halo):
            yield tuple(zip(rows, columns))


def _cuts(length: int, tile: int, halo: int) -> Iterator[tuple[slice, slice, slice]]:
    count = 1 if length <= tile else math.ceil(length / (tile - 2 * halo))
    edges = [round(i * length / count) for i in range(count + 1)]
    for start, stop in zip(edges, edges[1:]):
        low, high = max(start - halo, 0), min(stop + halo, length)
        yield slice(low, high), slice(start - low, stop - low), slice(start, stop)


# -------------------------------------------------------------------------------------- evaluation


@dataclass(frozen=True)
class Score:
    """The quality of one restored image: PSNR in dB and SSIM, of the noisy input and the output."""

    psnr: float
    ssim: float
    noisy_psnr: float
    noisy_ssim: float
    seconds: float


def score(
    model: nn.Module,
    degraded: Image,
    clean: Image,
    *,
    border: int = 0,
    precision: str = "fp32",
) -> Score:
    """Restore one image, clip the result to [0, 1], not rounded, and compare it with the clean one.

    degraded, clean: arrays (H, W) or (H, W, 3), or tensors (1, C, H, W), floating point. border:
    pixels on each side that are not compared. precision: as in ``denoise``. Raises ``ValueError``
    for integers, which the clipping would destroy.
    """
    for name, image in (("degraded", degraded), ("clean", clean)):
        if not (
            image.is_floating_point() if isinstance(image, Tensor) else image.dtype.kind == "f"
        ):
            _check.fail(f"{name}'s dtype", str(image.dtype), "floating point, values in [0, 1]")
    start = time.perf_counter()
    restored = denoise(degraded, model, precision=precision).clip(0, 1)
    seconds = time.perf_counter() - start
    clean = shave(clean, border)
    values = [
        float(metric(shave(candidate, border), clean, data_range=1.0))
        for candidate in (restored, degraded)
        for metric in (psnr, ssim)
    ]
    return Score(*values, seconds=seconds)


def evaluate(
    model: nn.Module,
    images: Sequence[np.ndarray],
    degradation: Degradation,
    *,
    seed: int = 0,
    precision: str = "fp32",
) -> list[Score]:
    """Degrade each clean image, restore it and compare: one ``Score`` an image.

    images: clean arrays (H, W) or (H, W, 3), float in [0, 1] or uint8. degradation: as in
    ``train``; image number i is degraded with seed + i. The protocol is that of the literature:
    the noisy input is neither clipped nor rounded, the output is clipped to [0, 1] and not rounded.
    """
    scores = []
    for index, image in enumerate(images):
        clean, _ = as_batch(image, name=f"images[{index}]")
        generator = torch.Generator().manual_seed(_check.seed("seed", seed) + index)
        noisy = degradation(clean, generator)
        _check_output("the degradation", noisy, clean)
        scores.append(score(model, noisy, clean, precision=precision))
    return scores
