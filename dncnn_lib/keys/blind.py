"""The keys to the exercises of ``lessons.blind``."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..lessons.check import Answer, asked, check, exercise
from ..metrics import correlation
from ..model import DnCNN


@exercise
def blind_noise(function: Answer, *, seed: int = 0) -> None:
    """(clean (N, 1, H, W), low, high, generator) → noisy, with one σ in [low, high] (on the 0–255
    scale) for each image of the batch."""
    rng = np.random.default_rng(seed)
    low, high = rng.uniform((5, 45), (15, 60)).round(1).tolist()
    dark = torch.from_numpy(0.2 * rng.random((1000, 1, 14, 18), np.float32))
    few = torch.from_numpy(rng.random((3, 1, 4, 5), np.float32))

    def source(number: int = 0) -> torch.Generator:
        return torch.Generator().manual_seed(1000 * seed + number)

    mistakes = {
        "this is the noise; it is added to the image": lambda clean, *_: 0 * clean,
        "the image is in [0, 1], and only σ is on the 0–255 scale": lambda clean, *_: 255 * clean,
        "the image is inverted": lambda clean, *_: 1 - clean,
    }
    without_noise = [(few, 0.0, 0.0, source()), (few[:1], 0.0, 0.0, source())]
    check(function, without_noise, lambda clean, *_: clean, mistakes)

    def noise(noisy: Tensor, clean: Tensor) -> Tensor:
        """(N, H, W), of standard deviation 1 in each image."""
        found = (torch.as_tensor(noisy) - clean).double()[:, 0]
        return found / found.std(dim=(1, 2), keepdim=True)

    def correlations(noisy: Tensor, clean: Tensor, *_: Any) -> list[float]:
        found = noise(noisy, clean)
        found -= found.mean(dim=(1, 2), keepdim=True)
        moved = (found.roll(1, dims=dim) for dim in range(3))
        return [round(float((found * other).mean()), 2) + 0.0 for other in moved]  # no −0

    def mean(noisy: Tensor, clean: Tensor, *_: Any) -> float:
        return round(float(noise(noisy, clean).mean()), 2) + 0.0

    def fourth_power(noisy: Tensor, clean: Tensor, *_: Any) -> float:
        return round(float((noise(noisy, clean) ** 4).mean()), 1)

    def levels(noisy: Tensor, clean: Tensor, *_: Any) -> list[float]:
        sigma = 255 * (torch.as_tensor(noisy) - clean).double().flatten(1).std(dim=1)
        at = sigma.quantile(torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64))
        return [round(float(value - low) / (high - low), 2) for value in at]

    def again(results: list[Tensor], *_: Any) -> list[int]:
        first, second, other = map(torch.as_tensor, results)
        return [int(torch.equal(first, second)), int(torch.equal(first, other))]

    def anew(results: list[Tensor], clean: Tensor, *_: Any) -> list[float]:
        first, _, other = (torch.as_tensor(noisy) - clean for noisy in results)
        sigma, others = (found.flatten(1).std(dim=1).numpy() for found in (first, other))
        pairs = ((sigma, np.arange(len(clean))), (sigma, others), (first, other))
        return [round(correlation(np.asarray(a), np.asarray(b)), 1) + 0.0 for a, b in pairs]

    questions: dict[str, tuple[Answer, Any, str]] = {
        "correlation with the next image, row, column": (
            correlations,
            [0.0, 0.0, 0.0],
            "every image and every pixel has noise of its own",
        ),
        "mean of the noise in units of σ": (mean, 0.0, "noise is not clipped, and has both signs"),
        "mean fourth power of the noise in units of σ": (
            fourth_power,
            3.0,
            "is it a normal law, and σ the same in a whole image?",
        ),
        "σ at 10, 50, 90 % of the images (0: low, 1: high)": (
            levels,
            [0.1, 0.5, 0.9],
            "one σ for each image, in any part of the range as likely, and on the 0–255 scale",
        ),
    }
    kind = "a tensor like clean"
    case = (dark, low, high, source())
    for question, (answer, right, hint) in questions.items():
        ask = asked(question, function, answer, kind)
        check(ask, [case], lambda *_, right=right: right, hint=hint, tolerance=0.05)

    def three_times(clean: Tensor, low: float, high: float) -> list[Tensor]:
        return [function(clean, low, high, source(number)) for number in (0, 0, 1)]

    three_times.__name__ = getattr(function, "__name__", "the function")
    ask = asked("equal noise [by equal, by other generators]", three_times, again, kind)
    hint = "all that is random comes from the generator that is passed on"
    check(ask, [(few, low, high)], lambda *_: [1, 0], hint=hint)
    question = "correlation of σ with the place in the batch, of σ and of noise by other generators"
    ask = asked(question, three_times, anew, kind)
    hint = "σ is drawn anew for every image of every batch, and so is the noise"
    check(ask, [(dark, low, high)], lambda *_: [0.0, 0.0, 0.0], hint=hint, tolerance=0.15)


@exercise
def into_range(function: Answer, *, seed: int = 0) -> None:
    """(restore, noisy, sigma, highest) → restored; where σ > highest, the picture is scaled so that
    its noise has σ = highest, restored, and scaled back."""
    rng = np.random.default_rng(seed)
    shift = round(rng.uniform(0.02, 0.1), 3)

    def limited(noisy: np.ndarray) -> np.ndarray:
        """Stands for a network: not a linear function of its input."""
        return np.minimum(noisy, 0.4) + shift

    cases = []
    for low, high in ((0.3, 0.8), (1, 1), (1.4, 2.5), (1.02, 1.1)):
        highest = int(rng.integers(30, 70))
        noisy = rng.uniform(-0.4, 1.4, rng.integers(2, 6, 2))  # strong noise leaves [0, 1]
        noisy[0, :2] = -0.3, 1.3
        cases.append((limited, noisy, round(highest * rng.uniform(low, high), 1), highest))

    def scaled(restore: Answer, noisy: np.ndarray, gain: float) -> np.ndarray:
        return restore(noisy * gain) / gain

    mistakes = {
        "what fits already is left alone": lambda f, y, s, h: scaled(f, y, h / s),
        "this picture does not fit, and was not scaled": lambda f, y, s, h: f(y),
        "scaled, but not back": lambda f, y, s, h: f(y * min(1, h / s)),
        "scaled back, but not before": lambda f, y, s, h: f(y) / min(1, h / s),
        "scaled the same way twice": lambda f, y, s, h: f(y * min(1, h / s)) * min(1, h / s),
        "does its noise become weaker or stronger that way?": (
            lambda f, y, s, h: scaled(f, y, max(1, s / h))
        ),
        "σ is scaled like the picture, σ² like its square": (
            lambda f, y, s, h: scaled(f, y, min(1, h / s) ** 2)
        ),
        "the gain depends on both, σ and highest": lambda f, y, s, h: scaled(f, y, 0.5),
        "this was scaled and was not restored": lambda f, y, s, h: y,
        "strong noise leaves [0, 1]; the network must see it unclipped": (
            lambda f, y, s, h: scaled(f, np.clip(y, 0, 1), min(1, h / s))
        ),
        "nothing is clipped, not even the result": (
            lambda f, y, s, h: np.clip(scaled(f, y, min(1, h / s)), 0, 1)
        ),
    }
    check(function, cases, lambda f, y, s, h: scaled(f, y, min(1, h / s)), mistakes)


@exercise
def constants(function: Answer, *, seed: int = 0) -> None:
    """(net) → how many numbers a network in eval mode adds to its features."""
    rng = np.random.default_rng(seed)
    width, more = rng.integers((3, 9), (8, 20)).tolist()
    within = nn.Sequential(nn.BatchNorm2d(width, affine=False), nn.ReLU())
    cases = [
        (DnCNN(depth=int(rng.integers(5, 18))),),
        (DnCNN(depth=4, width=width, batch_norm=False),),
        (DnCNN(depth=5, width=more, bias=True),),
        (DnCNN(depth=4, width=width, batch_norm=False, bias=False),),
        (nn.Sequential(nn.Conv2d(1, width, 3), within, nn.Conv2d(width, more, 1, bias=False)),),
    ]

    def of(kind: type[nn.Module], *names: str) -> Answer:
        """How many numbers the attributes of these names have in modules of that kind."""

        def count(net: nn.Module) -> int:
            parts = (part for part in net.modules() if isinstance(part, kind))
            found = (getattr(part, name, None) for part in parts for name in names)
            return sum(tensor.numel() for tensor in found if isinstance(tensor, Tensor))

        return count

    biases, means = of(nn.Module, "bias"), of(nn.Module, "running_mean")
    mistakes = {
        "not all that is added is a parameter: what does a batch norm subtract?": biases,
        "what does a batch norm add in the end?": of(nn.Conv2d, "bias"),
        "a batch norm also adds its β": lambda net: of(nn.Conv2d, "bias")(net) + means(net),
        "convolutions may have biases, too": of(nn.BatchNorm2d, "bias", "running_mean"),
        "γ is a factor; what is subtracted is something else": of(nn.Module, "bias", "weight"),
        "γ is a factor; what is subtracted before it is something else": (
            lambda net: biases(net) + of(nn.BatchNorm2d, "weight")(net)
        ),
        "the running variance divides": (
            lambda net: biases(net) + means(net) + of(nn.Module, "running_var")(net)
        ),
        "some convolutions have no bias": (
            lambda net: (
                biases(net)
                + means(net)
                + sum(
                    c.out_channels
                    for c in net.modules()
                    if getattr(c, "bias", 0) is None and isinstance(c, nn.Conv2d)
                )
            )
        ),
        "with affine=False a batch norm has no β": (
            lambda net: 2 * means(net) + of(nn.Conv2d, "bias")(net)
        ),
        "count numbers, not tensors": (
            lambda net: sum(key.endswith(("bias", "mean")) for key in net.state_dict())
        ),
    }
    check(function, cases, of(nn.Module, "bias", "running_mean"), mistakes)
