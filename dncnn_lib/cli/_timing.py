"""How fast this machine denoises and trains, beside code as it is usually written.

"As usual" is eager fp32 in contiguous memory with batch norm as it was trained. It runs in a
process of its own, because the library's memory setting outlasts a call; the two take turns, so
that whatever else the machine is doing affects both alike.
"""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ..degrade import GaussianNoise
from ..hardware import prefers_bf16, usable_cores
from ..metrics import psnr
from ..model import DnCNN
from ..restoring import denoise
from ..training import TrainConfig, train

Network = tuple[int, int]
"""Depth and width of a grey network."""


@dataclass(frozen=True)
class Row:
    """One comparison. task: in words; images: restored, or patches trained on, in a measurement;
    usual: median seconds of the usual code; ours: those of the library, by precision.
    """

    task: str
    images: int
    usual: float
    ours: dict[str, float]


def inference(sizes: Sequence[tuple[int, int]], network: Network, repeats: int) -> Iterator[Row]:
    """Restoring a grey image of each size (height, width): plain ``net(x)`` beside ``denoise``."""
    for size in sizes:
        usual = partial(_usual_inference, network, size)
        ours = partial(_our_inference, network, size)
        yield _compare(f"denoise {size[0]}×{size[1]}", 1, usual, ours, _precisions(), repeats)


def training_step(batch_size: int, patch_size: int, network: Network, repeats: int) -> Row:
    """A training step with Adam: a plain step beside ``train``.

    The plain step need not cut patches; both draw fresh noise.
    """
    task = f"train on {batch_size} patches of {patch_size}×{patch_size}"
    usual = partial(_usual_training, network, batch_size, patch_size)
    ours = partial(_our_training, network, batch_size, patch_size)
    return _compare(task, batch_size, usual, ours, _precisions(), repeats)


def training_loop(batch_size: int, patch_size: int, network: Network, repeats: int) -> Row:
    """A step of a whole training loop: one as other code bases write it beside ``train`` in the
    faster precision.

    The other loop is that of SaoYan/DnCNN-PyTorch: worker processes read patches, cut beforehand,
    one by one from a file; and after each update the network runs once more, in eval mode, for the
    PSNR of the batch. The file has eight batches and lies in a temporary folder.
    """
    task = f"{batch_size} patches of {patch_size}×{patch_size}"
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "patches.npy")
        shape = (8 * batch_size, 1, patch_size, patch_size)
        np.save(file, np.random.default_rng(0).random(shape, np.float32))
        usual = partial(_other_training, file, network, batch_size)
        ours = partial(_our_training, network, batch_size, patch_size)
        return _compare(task, batch_size, usual, ours, _precisions()[-1:], repeats)


def operations(size: tuple[int, int], network: Network) -> float:
    """Additions and multiplications of a grey network's convolutions on an image, in units of 10⁹.

    Divided by a time of ``inference`` this is GFLOP/s, to compare with ``peak``.
    """
    depth, width = network
    per_pixel = 2 * 9 * (2 * width + (depth - 2) * width**2)
    return per_pixel * size[0] * size[1] / 1e9


def peak(repeats: int = 7, side: int = 2048) -> float:
    """GFLOP/s of fp32 in a matrix product, side × side: the most that this processor reaches."""
    a = torch.full((side, side), 0.5)
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / 1e9 / statistics.median(seconds[1:])


def _precisions() -> tuple[str, ...]:
    """Those worth timing, the faster one last."""
    return ("fp32", "bf16") if prefers_bf16() else ("fp32",)


def _compare(
    task: str,
    images: int,
    usual: Callable[[], float],
    ours: Callable[[str], float],
    precisions: Sequence[str],
    repeats: int,
) -> Row:
    """Let the two, which return seconds, take turns: one more than ``repeats``, of which the first
    does not count. ours: a function of the precision."""
    seconds: dict[str, list[float]] = {key: [] for key in ("usual", *precisions)}
    with _other_process() as elsewhere:
        for _ in range(repeats + 1):
            seconds["usual"].append(elsewhere(usual))
            for precision in precisions:
                seconds[precision].append(ours(precision))
    median = {key: statistics.median(values[1:]) for key, values in seconds.items()}
    return Row(task, images, median.pop("usual"), median)


@contextmanager
def _other_process() -> Iterator[Callable[[Callable[[], float]], float]]:
    """A function that calls a function in another process, always the same one."""
    context = multiprocessing.get_context("spawn")
    ignore = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for this process
    with ProcessPoolExecutor(1, context, signal.signal, ignore) as pool:
        try:
            yield lambda function: pool.submit(function).result()
        finally:
            pool.submit(_end_workers).result()


@functools.cache
def _network(depth: int, width: int) -> DnCNN:
    net = DnCNN(depth, width)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # activations of the usual size, as after training
    return net


@functools.cache
def _image(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def _usual_inference(network: Network, size: tuple[int, int]) -> float:
    net, image = _network(*network).eval(), _image(1, 1, *size)
    start = time.perf_counter()
    with torch.no_grad():
        net(image)
    return time.perf_counter() - start


def _our_inference(network: Network, size: tuple[int, int], precision: str) -> float:
    net, image = _network(*network), _image(1, 1, *size)
    start = time.perf_counter()
    denoise(image, net, precision=precision)
    return time.perf_counter() - start


@functools.cache
def _optimizer(network: Network) -> torch.optim.Optimizer:
    return torch.optim.Adam(_network(*network).parameters(), lr=1e-3)


def _usual_training(network: Network, batch_size: int, patch_size: int) -> float:
    clean = _image(batch_size, 1, patch_size, patch_size)
    start = time.perf_counter()
    _update(network, clean)
    return time.perf_counter() - start


def _update(network: Network, clean: Tensor) -> Tensor:
    """A plain training step on clean patches (B, 1, H, W); the noisy ones it used."""
    net, optimizer = _network(*network).train(), _optimizer(network)
    noisy = clean + 25 / 255 * torch.randn_like(clean)
    loss = nn.functional.mse_loss(net(noisy), clean)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return noisy


class _PatchFile(Dataset):
    """Patches (1, H, W) of an .npy file (N, 1, H, W), which is opened for each of them."""

    def __init__(self, file: str) -> None:
        self.file, self.length = file, len(np.load(file, mmap_mode="r"))

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Tensor:
        return torch.tensor(np.load(self.file, mmap_mode="r")[index])


@functools.cache
def _batches(file: str, batch_size: int) -> Iterator[Tensor]:
    """Shuffled batches without end, which workers read ahead."""
    workers = min(2, usable_cores())
    loader = DataLoader(
        _PatchFile(file), batch_size, shuffle=True, num_workers=workers, persistent_workers=True
    )
    return itertools.chain.from_iterable(itertools.repeat(loader))


def _end_workers() -> None:
    _batches.cache_clear()


def _other_training(file: str, network: Network, batch_size: int) -> float:
    batches = _batches(file, batch_size)
    start = time.perf_counter()
    clean = next(batches)
    noisy = _update(network, clean)
    restored = _network(*network).eval()(noisy).detach().clamp(0, 1)
    psnr(restored, clean, data_range=1.0).mean()
    return time.perf_counter() - start


def _our_training(network: Network, batch_size: int, patch_size: int, precision: str) -> float:
    """The third of three steps: the first two fill the memory that training then reuses."""
    config = TrainConfig(
        steps=3, batch_size=batch_size, patch_size=patch_size, lr=1e-3, precision=precision
    )
    image = _image(1, 1, 4 * patch_size, 4 * patch_size)[0, 0].numpy()
    steps = train(_network(*network), [image], GaussianNoise(25), config)
    _, second, third = (step.seconds for step in steps)
    return third - second
