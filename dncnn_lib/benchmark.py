"""How fast this machine denoises and trains, beside code as it is usually written.

"As usual" is eager fp32 in contiguous memory with batch norm as it was trained. It runs in a
process of its own, because the library's memory setting outlasts a call; the two take turns, so
that whatever else the machine does meanwhile hits both alike.
"""

from __future__ import annotations

import functools
import multiprocessing
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .degrade import GaussianNoise
from .engine import TrainConfig, denoise, prefers_bf16, train
from .model import DnCNN

SIZES = ((128, 128), (180, 180), (256, 256), (321, 481), (512, 512))
QUICK_SIZES = SIZES[:2]
NETWORK = (17, 64)
"""Depth and width of the network that is timed."""


@dataclass(frozen=True)
class Row:
    """One comparison. task: in words; images: restored, or patches trained on, in one measurement;
    usual, fp32, bf16: median seconds, bf16 None where it is not the faster choice.
    """

    task: str
    images: int
    usual: float
    fp32: float
    bf16: float | None


def inference(
    sizes: Sequence[tuple[int, int]] = SIZES,
    *,
    network: tuple[int, int] = NETWORK,
    repeats: int = 7,
) -> Iterator[Row]:
    """Restoring a grey image of each size (height, width): plain ``net(x)`` beside ``denoise``."""
    for size in sizes:
        task = f"denoise {size[0]}×{size[1]}"
        yield _compare(task, 1, _usual_inference, _our_inference, (network, size), repeats)


def training(
    batch_size: int = 16,
    *,
    patch_size: int = 40,
    network: tuple[int, int] = NETWORK,
    repeats: int = 7,
) -> Row:
    """A training step with Adam: a plain loop beside ``engine.train``.

    The plain loop is spared the cutting of patches; both draw fresh noise.
    """
    task = f"train on {batch_size} patches of {patch_size}×{patch_size}"
    arguments = (network, batch_size, patch_size)
    return _compare(task, batch_size, _usual_training, _our_training, arguments, repeats)


def operations(size: tuple[int, int], network: tuple[int, int] = NETWORK) -> float:
    """Additions and multiplications of a grey network's convolutions on an image, in units of 10⁹.

    With a time of ``inference`` this gives GFLOP/s, to hold against ``peak``.
    """
    depth, width = network
    per_pixel = 2 * 9 * (2 * width + (depth - 2) * width**2)
    return per_pixel * size[0] * size[1] / 1e9


def peak(repeats: int = 7, side: int = 2048) -> float:
    """GFLOP/s of fp32 in a product of matrices, side × side: what this processor gives at best."""
    a = torch.full((side, side), 0.5)
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / 1e9 / statistics.median(seconds[1:])


def _compare(
    task: str, images: int, usual: Callable, ours: Callable, arguments: tuple, repeats: int
) -> Row:
    """Let the two take turns, one turn more than ``repeats``, of which the first does not count."""
    precisions = ["fp32", "bf16"] if prefers_bf16() else ["fp32"]
    seconds: dict[str, list[float]] = {"usual": [], "fp32": [], "bf16": []}
    with _other_process() as elsewhere:
        for _ in range(repeats + 1):
            seconds["usual"].append(elsewhere(usual, *arguments))
            for precision in precisions:
                seconds[precision].append(ours(*arguments, precision))
    median = {key: statistics.median(values[1:]) for key, values in seconds.items() if values}
    return Row(task, images, median["usual"], median["fp32"], median.get("bf16"))


@contextmanager
def _other_process() -> Iterator[Callable[..., float]]:
    """A function that calls a function in another process, always the same one."""
    context = multiprocessing.get_context("spawn")
    ignore = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for this process
    with ProcessPoolExecutor(1, context, signal.signal, ignore) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result()


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


def _usual_inference(network: tuple[int, int], size: tuple[int, int]) -> float:
    net, image = _network(*network).eval(), _image(1, 1, *size)
    start = time.perf_counter()
    with torch.no_grad():
        net(image)
    return time.perf_counter() - start


def _our_inference(network: tuple[int, int], size: tuple[int, int], precision: str) -> float:
    net, image = _network(*network), _image(1, 1, *size)
    start = time.perf_counter()
    denoise(image, net, precision=precision)
    return time.perf_counter() - start


@functools.cache
def _optimizer(network: tuple[int, int]) -> torch.optim.Optimizer:
    return torch.optim.Adam(_network(*network).parameters(), lr=1e-3)


def _usual_training(network: tuple[int, int], batch_size: int, patch_size: int) -> float:
    net, optimizer = _network(*network).train(), _optimizer(network)
    clean = _image(batch_size, 1, patch_size, patch_size)
    start = time.perf_counter()
    noisy = clean + 25 / 255 * torch.randn_like(clean)
    loss = nn.functional.mse_loss(net(noisy), clean)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return time.perf_counter() - start


def _our_training(
    network: tuple[int, int], batch_size: int, patch_size: int, precision: str
) -> float:
    """The third of three steps: the first two fill the memory that training then reuses."""
    config = TrainConfig(
        steps=3, batch_size=batch_size, patch_size=patch_size, lr=1e-3, precision=precision
    )
    image = _image(1, 1, 4 * patch_size, 4 * patch_size)[0, 0].numpy()
    steps = train(_network(*network), [image], GaussianNoise(25), config)
    _, second, third = (step.seconds for step in steps)
    return third - second
