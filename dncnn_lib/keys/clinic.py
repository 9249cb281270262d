"""The keys to ``lessons.clinic``: what its patients have, and the checks of repairs."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import _check
from ..degrade import GaussianNoise, add_gaussian_noise
from ..lessons.check import Answer, asked, check, exercise, unrepaired
from ..lessons.clinic import kept_for_backward, small_network, step_on
from ..metrics import correlation, psnr
from ..model import DnCNN
from ..patches import PatchSampler
from ..restoring import denoise
from .noise import byte_mistakes

# ------------------------------------------------------------------------------------- the patients


@dataclass(frozen=True)
class Diagnosis:
    """The truth about one of ``lessons.clinic.PATIENTS``.

    words: the fault. case: the number of the case with the same fault, ``"healthy"``, or
    ``"another"`` for a fault that no case has. look: where a wrong diagnosis should look again.
    """

    words: str
    case: int | str
    look: str


DIAGNOSES = {
    "A": Diagnosis(
        "a ReLU after the last layer: only positive noise is removed",
        10,
        "what sign has everything that is removed?",
    ),
    "B": Diagnosis(
        "the noisy image was clipped and rounded to 8 bits",
        3,
        "compare the std of the noise with σ, at 50 and at 75",
    ),
    "C": Diagnosis(
        "σ/255 was used as a variance",
        "another",
        "divide the std of the noise by σ, at several σ",
    ),
    "D": Diagnosis("healthy", "healthy", "which number of this one is wrong?"),
    "E": Diagnosis(
        "model.eval() forgotten",
        7,
        "how much is removed at σ = 0, where there is nothing to remove?",
    ),
    "F": Diagnosis(
        "the network got pixels from 0 to 255",
        "another",
        "how much is removed at σ = 0, and is it noise or picture?",
    ),
    "G": Diagnosis(
        "the residual was taken for the image",
        6,
        "at σ = 0, what is left?",
    ),
}


def marks(diagnoses: Mapping[str, int | str]) -> None:
    """Prints for each patient whether the diagnosis is right, and where to look if it is not.

    diagnoses: letter → the number of a case, ``"healthy"`` or ``"another"``; None where there is no
    diagnosis yet. Raises ``ValueError`` for an unknown patient.
    """
    for letter, found in diagnoses.items():
        _check.one_of("patient", letter, tuple(DIAGNOSES))
        truth = DIAGNOSES[letter]
        if found is None:
            said = "still open"
        else:
            same = str(found).strip().lower() == str(truth.case)
            said = "right" if same else f"not yet: {truth.look}"
        print(f"patient {letter}: {said}")


# ---------------------------------------------------------------------------------------- the cases

CASES: dict[int, Callable[..., None]] = {}
"""Number → the check of what a student made of the broken cell of that case."""


def case(number: int, repair: Answer, *, seed: int = 0) -> None:
    """Check the repair of a case: prints what is right, raises ``NotYet`` with what still shows.

    Where the code still does all that the broken one does, says so, and that is all.
    """
    _check.one_of("number", number, tuple(CASES))
    CASES[number](repair, seed=seed)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _case(number: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The function checks the repair of the case with that number."""

    def register(checks: Callable[..., None]) -> Callable[..., None]:
        CASES[number] = exercise(checks)
        return CASES[number]

    return register


# Cases 1 to 4: noise that is not what it should be.


def _noise_seen(function: Answer) -> Answer:
    """Of ``function(clean, sigma, rng)``, the noise in units of σ: mean, standard deviation, mean
    fourth power in units of the deviation, correlation with the neighbour on the right."""

    def seen(noisy: Any, clean: np.ndarray, sigma: float, rng: Any) -> list[float]:
        noise = (np.asarray(noisy, float) - clean) * 255 / sigma
        if noise.shape != clean.shape:
            raise ValueError(f"the shape is {noise.shape}")
        centred, std = noise - noise.mean(), noise.std()
        fourth = np.mean(centred**4) / std**4 if std > 1e-6 else 0.0
        alike = correlation(noise[:, 1:], noise[:, :-1]) if std > 1e-6 else 1.0
        return [round(float(value), 2) + 0.0 for value in (noise.mean(), std, fourth, alike)]

    kind = "a noisy picture as large as the clean one"
    question = "noise in units of σ, its mean, deviation, fourth power and correlation,"
    return asked(question, function, seen, kind)


def _white(*_: Any) -> list[float]:
    return [0, 1, 3, 0]


def _check_generator(function: Answer, picture: np.ndarray, sigma: float, seed: int) -> None:
    """Whether what ``function(picture, sigma, rng)`` draws comes from ``rng``."""

    def drawn(picture: np.ndarray, sigma: float) -> list[Any]:
        first, second = (np.random.default_rng(seed) for _ in range(2))
        return [function(picture.copy(), sigma, rng) for rng in (first, first, second)]

    def again(results: list[Any], *_: Any) -> list[int]:
        first, next_one, equal = map(np.asarray, results)
        return [int(np.array_equal(first, equal)), int(np.array_equal(first, next_one))]

    drawn.__name__ = getattr(function, "__name__", "the function")
    ask = asked("equal noise [by equal generators, twice by one]", drawn, again, "a noisy picture")
    hint = "all that is random comes from the generator that is passed on"
    check(ask, [(picture, sigma)], lambda *_: [1, 0], hint=hint)


def _with_mistakes(seen: Callable[[Answer], Answer], mistakes: dict[str, Answer]) -> dict:
    return {sentence: seen(mistake) for sentence, mistake in mistakes.items()}


def _check_noise(
    function: Answer,
    cases: Sequence[Sequence[Any]],
    broken: Answer,
    symptom: str,
    mistakes: dict[str, Answer],
    hint: str,
) -> None:
    unrepaired(function, cases, broken, symptom)
    wrong = _with_mistakes(_noise_seen, mistakes)
    check(_noise_seen(function), cases, _white, wrong, hint=hint, tolerance=0.015)
    _check_generator(function, *cases[-1][:2], seed=round(10 * cases[-1][1]))


def _plain_noise(clean: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    return clean + rng.normal(0, sigma / 255, clean.shape)


@_case(1)
def case_1(function: Answer, *, seed: int = 0) -> None:
    """(clean (H, W) in [0, 1], sigma on the 0–255 scale, rng) → the noisy picture."""
    rng = np.random.default_rng(seed)
    cases = [
        (np.full((300, 300), 0.5), round(rng.uniform(10, 30), 1), np.random.default_rng(seed)),
        (rng.uniform(0, 1, (300, 310)), round(rng.uniform(20, 30), 1), rng),
    ]
    _check_noise(
        function,
        cases,
        lambda clean, sigma, rng: clean + rng.normal(0, sigma, clean.shape),
        "The noisy picture is still far below 0 dB.",
        {
            "that is a variance, and σ is a standard deviation": (
                lambda clean, sigma, rng: clean + rng.normal(0, np.sqrt(sigma / 255), clean.shape)
            ),
            "σ on the scale of the pixels is divided by 255 once": (
                lambda clean, sigma, rng: clean + rng.normal(0, sigma / 255**2, clean.shape)
            ),
            "one number for the whole picture is a shift, not noise": (
                lambda clean, sigma, rng: clean + rng.normal(0, sigma / 255)
            ),
            "the noise is right; black and white pixels must be able to leave [0, 1]": (
                lambda *arguments: np.clip(_plain_noise(*arguments), 0, 1)
            ),
        },
        "PSNR must be 20·log10(255/σ), with noise that is Gaussian and new for every pixel",
    )


@_case(2)
def case_2(function: Answer, *, seed: int = 0) -> None:
    """(pixels (H, W) uint8, sigma, rng) → the noisy picture, on the 0–255 scale."""
    rng = np.random.default_rng(seed)
    cases = [
        (
            np.full((300, 300), level, np.uint8),
            round(rng.uniform(25, 40), 1),
            np.random.default_rng(seed + level),
        )
        for level in (128, 0, 255, 30)
    ]

    def seen(noisy: Any, pixels: np.ndarray, sigma: float, rng: Any) -> list[float]:
        noisy = np.asarray(noisy, float)
        if noisy.shape != pixels.shape:
            raise ValueError(f"the shape is {noisy.shape}")
        change = (np.clip(noisy, 0, 255) - pixels) / sigma
        return [round(float(value), 2) + 0.0 for value in (change.mean(), change.std())]

    def shown(function: Answer) -> Answer:
        question = "in units of σ, the mean change of a pixel as it is shown and its deviation,"
        return asked(question, function, seen, "a noisy picture as large as the clean one")

    def drawn(sigma: float, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return rng.normal(0, sigma, pixels.shape).round().astype(int)

    unrepaired(
        function,
        cases,
        lambda pixels, sigma, rng: (pixels + drawn(sigma, pixels, rng)).astype(np.uint8),
        "There are still white specks in the black.",
    )
    mistakes = {
        "black pixels only get brighter, as if the noise were mirrored": (
            lambda pixels, sigma, rng: np.abs(pixels + drawn(sigma, pixels, rng))
        ),
        "this has hardly any noise: σ and the pixels have the same scale here": (
            lambda pixels, sigma, rng: pixels + rng.normal(0, sigma / 255, pixels.shape)
        ),
        "noise is positive and negative": (
            lambda pixels, sigma, rng: pixels + np.abs(rng.normal(0, sigma, pixels.shape))
        ),
        "the result must lie on the scale from 0 to 255": (
            lambda pixels, sigma, rng: (pixels + rng.normal(0, sigma, pixels.shape)) / 255
        ),
    }
    right = shown(lambda pixels, sigma, rng: pixels + rng.normal(0, sigma, pixels.shape))
    wrong = _with_mistakes(shown, mistakes)
    hint = "a pixel that leaves 0–255 must not come back elsewhere, and the others keep their noise"
    check(shown(function), cases, right, wrong, hint=hint, tolerance=0.03)
    _check_generator(function, *cases[0][:2], seed=seed)


@_case(3)
def case_3(function: Answer, *, seed: int = 0) -> None:
    """(clean (H, W) in [0, 1], sigma on the 0–255 scale, rng) → what the network is given."""
    rng = np.random.default_rng(seed)
    cases = [
        (np.full((300, 300), level), round(rng.uniform(30, 60), 1), np.random.default_rng(seed))
        for level in (0.0, 1.0, 0.5)
    ]

    def cut(low: float, high: float) -> Answer:
        return lambda *arguments: np.clip(_plain_noise(*arguments), low, high)

    def centred(*arguments: Any) -> np.ndarray:
        noise = cut(0, 1)(*arguments) - arguments[0]
        return arguments[0] + noise - noise.mean()

    _check_noise(
        function,
        cases,
        lambda *arguments: np.round(255 * cut(0, 1)(*arguments)) / 255,
        "The noisy picture still has more dB than it should, and the restored one less.",
        {
            "black pixels still never get darker": cut(0, np.inf),
            "white pixels still never get brighter": cut(-np.inf, 1),
            "the noise has mean 0 now, but on black and white it is weaker than σ": centred,
            "half of the steps are gone, but something still stops at 0 and at 1": cut(0, 1),
        },
        "the noise must be the same on black, grey and white",
    )


@_case(4)
def case_4(function: Answer, *, seed: int = 0) -> None:
    """(clean (H, W) in [0, 1], sigma on the 0–255 scale, rng) → the noisy picture."""
    rng = np.random.default_rng(seed)
    cases = [
        (np.full((400, 400), 0.5), round(rng.uniform(10, 50), 1), np.random.default_rng(seed)),
        (rng.uniform(0, 1, (400, 410)), round(rng.uniform(10, 50), 1), rng),
    ]

    def within(limit: float, gain: float = 1) -> Answer:
        def noisy(clean: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
            draw = rng.standard_normal(clean.shape)
            while (far := np.abs(draw) > limit).any():
                draw[far] = rng.standard_normal(far.sum())
            return clean + gain * sigma / 255 * draw

        return noisy

    def cut(clean: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
        return clean + sigma / 255 * np.clip(rng.standard_normal(clean.shape), -2, 2)

    _check_noise(
        function,
        cases,
        within(2),
        "The noisy picture still has a decibel more than it should.",
        {
            "the deviation is right now, but the few large values are still missing": (
                within(2, gain=1 / 0.8796)
            ),
            "nearly; some pixels must be off by more than 3σ": within(3),
            "large values are cut down now, where they should stay": cut,
        },
        "the deviation must be σ, and of 1,000 pixels some 46 are off by more than 2σ",
    )


# Cases 5 to 9: the network in use.


class _Shrink(nn.Module):
    """Moves each pixel towards grey, which leaves ``keep`` of the noise."""

    def __init__(self, keep: float) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, noisy: Tensor) -> Tensor:
        return 0.5 + self.keep * (noisy - 0.5)


def _measured(clean: np.ndarray, net: nn.Module, sigma: float = 25) -> float:
    restored = denoise(add_gaussian_noise(clean, sigma, seed=0), net)
    return psnr(restored, clean, data_range=1.0)


@_case(5)
def case_5(function: Answer, *, seed: int = 0) -> None:
    """(networks, by the σ of their training; pictures (H, W) in [0, 1]) → mean PSNR by that σ."""
    rng = np.random.default_rng(seed)
    pictures = [rng.uniform(0.3, 0.7, (120, 130)).astype(np.float32) for _ in range(3)]
    pictures[0][:] = 0.5
    cases = [
        ({sigma: _Shrink(rng.uniform(0.3, 0.6)) for sigma in levels}, pictures[: len(levels)])
        for levels in ((15, 40), (8, 25, 30))
    ]

    def listed(function: Answer) -> Answer:
        def values(result: Any, networks: Mapping, pictures: Any) -> list[float]:
            return [float(result[sigma]) for sigma in networks]

        return asked("PSNR", function, values, "a number of dB for each network")

    def table(level: Callable[[float, list[float]], float], mean: Answer = np.mean) -> Answer:
        def results(networks: Mapping[float, nn.Module], pictures: Any) -> dict[float, float]:
            return {
                sigma: mean(
                    [_measured(clean, net, level(sigma, list(networks))) for clean in pictures]
                )
                for sigma, net in networks.items()
            }

        return results

    unrepaired(
        listed(function),
        cases,
        listed(table(lambda *_: 25)),
        "The network for 15 is still stuck at 23 dB.",
    )
    mistakes = {
        "all are still tested at one level, that of the first": table(lambda _, all: all[0]),
        "all are still tested at one level, that of the last": table(lambda _, all: all[-1]),
        "one number for each network: the mean of its pictures": (
            table(lambda sigma, _: sigma, np.sum)
        ),
        "restore before you measure": (
            lambda networks, pictures: {
                sigma: np.mean([_measured(clean, nn.Identity(), sigma) for clean in pictures])
                for sigma in networks
            }
        ),
    }
    wrong = _with_mistakes(listed, mistakes)
    right = listed(table(lambda sigma, _: sigma))
    hint = "with which σ was the noise made in each of these tests?"
    check(listed(function), cases, right, wrong, hint=hint, tolerance=0.01)


def _residual_layers(noisy: Tensor, seed: int) -> list[nn.Module]:
    """Whose outputs for ``noisy`` have mean 0.05 and both signs, up to 0.25 from the mean."""
    first, last = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 1, 3, padding=1)
    for layer in (first, last):
        nn.init.normal_(layer.weight, generator=_generator(seed))
        nn.init.zeros_(layer.bias)
    layers = [first, nn.ReLU(), last]
    with torch.no_grad():
        last.bias.sub_(nn.Sequential(*layers)(noisy).mean())
        gain = 0.25 / nn.Sequential(*layers)(noisy).abs().max()
        last.weight.mul_(gain)
        last.bias.mul_(gain).add_(0.05)
    return layers


def _restored_by(noisy: Tensor) -> Callable[[Answer], Answer]:
    """Of a class, what the network that it builds from some layers makes of a picture."""

    def of(build: Answer) -> Answer:
        def restored(net: Any, *_: Any) -> Tensor:
            with torch.no_grad():
                return net(noisy.clone())

        return asked("restored picture", build, restored, "a network that restores a picture")

    return of


def _network(of: Callable[[Tensor, Tensor], Tensor]) -> Answer:
    """A class, as a function of layers. of: (noisy, what the layers give) → restored picture."""

    def build(layers: Sequence[nn.Module]) -> Answer:
        return lambda noisy: of(noisy, nn.Sequential(*layers)(noisy))

    return build


@_case(6)
def case_6(function: Answer, *, seed: int = 0) -> None:
    """A class: built from trained layers, it restores a noisy picture, (B, 1, H, W)."""
    noisy = 0.4 + 0.2 * torch.rand((2, 1, 14, 11), generator=_generator(seed))
    cases = [(nn.Sequential(*_residual_layers(noisy, n)),) for n in (seed, seed + 100)]
    given = _restored_by(noisy)
    unrepaired(
        given(function), cases, given(_network(lambda y, v: v)), "The picture is still black."
    )
    mistakes = {
        "now the noise is added once more": lambda y, v: y + v,
        "black and white are exchanged": lambda y, v: v - y,
        "grey instead of black, but no picture": lambda y, v: v + 0.5,
        "noise of both signs must go": lambda y, v: y - v.abs(),
        "nothing is removed": lambda y, v: y,
    }
    wrong = {sentence: given(_network(of)) for sentence, of in mistakes.items()}
    hint = "what do the layers give, and what is wanted?"
    check(given(function), cases, given(_network(lambda y, v: y - v)), wrong, hint=hint)


def _trained_network(seed: int) -> DnCNN:
    """Small, with running statistics that fit no single batch."""
    net = DnCNN(depth=4, width=5)
    net.reset_parameters(_generator(seed))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=_generator(seed))
            nn.init.normal_(module.bias, 0, 0.1, generator=_generator(seed))
    with torch.no_grad():
        for number in range(12):
            net(torch.rand((2, 1, 9, 9), generator=_generator(100 * seed + number)))
    return net.eval()


@_case(7)
def case_7(function: Answer, *, seed: int = 0) -> None:
    """(pictures (B, 1, H, W), weights, config of a DnCNN) → the restored pictures."""
    net = _trained_network(seed)
    source = _generator(seed)
    noisy = torch.rand((3, 1, 12, 10), generator=source) * torch.tensor([0.3, 1, 2]).view(
        3, 1, 1, 1
    )
    cases = [(noisy[:1], net.state_dict(), net.config), (noisy, net.state_dict(), net.config)]

    def restored(change: Callable[[DnCNN], Any], alone: bool = False) -> Answer:
        def restore(pictures: Tensor, weights: dict, config: dict) -> Tensor:
            net = DnCNN(**config)
            net.load_state_dict(weights)
            change(net)
            with torch.no_grad():
                if alone:
                    return torch.cat([net(picture[None]) for picture in pictures])
                return net(pictures)

        return restore

    def forgotten(net: DnCNN) -> None:
        net.eval()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()

    def first_only(net: DnCNN) -> None:
        next(m for m in net.modules() if isinstance(m, nn.BatchNorm2d)).eval()

    symptom = "The result still depends on the other pictures of the batch."
    unrepaired(function, cases, restored(lambda net: None), symptom)
    mistakes = {
        "alone or in company is the same now, but it is not the healthy result": (
            restored(lambda net: None, alone=True)
        ),
        "what was learnt in training about means and variances is not used": restored(forgotten),
        "one layer is cured; there are more of its kind": restored(first_only),
    }
    hint = "which layers behave differently in training and in use?"
    check(function, cases, restored(nn.Module.eval), mistakes, hint=hint)


def _plain_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("module."): values for name, values in state.items()}


@_case(8)
def case_8(function: Answer, *, seed: int = 0) -> None:
    """(checkpoint, names → tensors; config) → the network with these weights, ready for use."""
    cases = []
    for number in (seed, seed + 50):
        net = _trained_network(number)
        saved = {f"module.{name}": values for name, values in net.state_dict().items()}
        cases.append((saved, net.config))
    picture = torch.rand((1, 1, 9, 9), generator=_generator(seed))

    def arrived(net: nn.Module, checkpoint: Mapping[str, Tensor], config: Any) -> str:
        state, wanted = _plain_names(net.state_dict()), _plain_names(checkpoint)
        found = sum(name in state and torch.equal(state[name], wanted[name]) for name in wanted)
        return f"{found} of {len(wanted)}"

    def restored(net: nn.Module, *_: Any) -> Tensor:
        with torch.no_grad():
            return net(picture)

    def counted(function: Answer) -> Answer:
        return asked("tensors of the file found in the network", function, arrived, "a DnCNN")

    def loaded(checkpoint: Mapping[str, Tensor], config: dict) -> DnCNN:
        net = DnCNN(**config)
        net.load_state_dict(_plain_names(checkpoint))
        return net.eval()

    def parameters_only(checkpoint: Mapping[str, Tensor], config: dict) -> DnCNN:
        net, values = DnCNN(**config), _plain_names(checkpoint)
        for name, parameter in net.named_parameters():
            parameter.data = values[name]
        return net

    symptom = "The network still does what it did, whatever is in the file."
    unrepaired(counted(function), cases, counted(lambda _, config: DnCNN(**config)), symptom)
    mistakes = {
        "all parameters are there, but a network saves more than parameters": (
            counted(parameters_only)
        ),
    }
    hint = "all of them must arrive"
    check(counted(function), cases, counted(loaded), mistakes, hint=hint)
    ask = asked("restored picture", function, restored, "a network that restores a picture")
    right = asked("restored picture", loaded, restored, "")
    hint = "the weights are right; is the network ready for use?"
    check(ask, cases, right, hint=hint)


@_case(9)
def case_9(function: Answer, *, seed: int = 0) -> None:
    """(noisy picture (H, W, 3), a network for grey pictures) → the restored picture (H, W, 3)."""
    net = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    net.channels = 1  # as a DnCNN says it
    with torch.no_grad():  # which works as well on a picture with rows and columns exchanged
        half = torch.randn((1, 1, 3, 3), generator=_generator(seed))
        net.weight.copy_(half + half.mT)
    rng = np.random.default_rng(seed)
    cases = [(rng.random((*size, 3), np.float32), net) for size in ((8, 6), (7, 12), (9, 9))]

    def restored(there: Answer, back: Answer) -> Answer:
        def restore(noisy: np.ndarray, net: nn.Module) -> np.ndarray:
            height, width, _ = noisy.shape
            with torch.no_grad():
                result = net(there(torch.from_numpy(noisy), height, width))
            return back(result, height, width).numpy()

        return restore

    def cut(t: Tensor, height: int, width: int) -> Tensor:
        return t.reshape(3, 1, height, width)

    def join(t: Tensor, height: int, width: int) -> Tensor:
        return t.reshape(height, width, 3)

    def moved(t: Tensor, *_: int) -> Tensor:
        return t.permute(2, 0, 1)[:, None]

    def moved_back(t: Tensor, *_: int) -> Tensor:
        return t[:, 0].permute(1, 2, 0)

    unrepaired(function, cases, restored(cut, join), "There are still streaks.")
    mistakes = {
        "the way there is right, the way back is not": restored(moved, join),
        "the way back is right, the way there is not": restored(cut, moved_back),
        "red and blue have changed places": (restored(moved, lambda t, *_: moved_back(t).flip(2))),
        "all three channels are the same now": (
            restored(moved, lambda t, *_: moved_back(t)[..., 1:2].expand(-1, -1, 3))
        ),
    }
    hint = "look at what the network is given: is it a picture?"
    check(function, cases, restored(moved, moved_back), mistakes, hint=hint)


# Cases 10 to 16: training.


@_case(10)
def case_10(function: Answer, *, seed: int = 0) -> None:
    """A class: built from trained layers, it restores a noisy picture, (B, 1, H, W)."""
    noisy = 0.4 + 0.2 * torch.rand((2, 1, 14, 11), generator=_generator(seed))
    cases = [(_residual_layers(noisy, n),) for n in (seed, seed + 100)]
    given = _restored_by(noisy)
    unrepaired(
        given(function),
        cases,
        given(_network(lambda y, v: y - v.relu())),
        "The picture is still too dark.",
    )
    mistakes = {
        "the picture is brighter now, but its noise is still there": (
            lambda y, v: y - v.relu() + v.relu().mean()
        ),
        "too bright now instead of too dark": lambda y, v: y + (-v).relu(),
        "negative noise is removed only in part": (lambda y, v: y - nn.functional.leaky_relu(v)),
        "negative noise is doubled now": lambda y, v: y - v.abs(),
        "nearly; strong noise of either sign is removed only in part": lambda y, v: y - v.tanh(),
        "now the noise is added once more": lambda y, v: y + v,
        "nothing is removed": lambda y, v: y,
    }
    wrong = {sentence: given(_network(of)) for sentence, of in mistakes.items()}
    hint = "which values can the last layer give?"
    check(given(function), cases, given(_network(lambda y, v: y - v)), wrong, hint=hint)


class _Mixture(nn.Module):
    """Stands for a network: returns a mixture of the clean picture, the noise and a flat picture
    with the mean of the clean one."""

    def __init__(self, shares: tuple[float, float, float], clean: Tensor) -> None:
        super().__init__()
        self.shares = nn.Parameter(torch.tensor(shares))
        self.clean = clean

    def forward(self, noisy: Tensor) -> Tensor:
        parts = (self.clean, noisy - self.clean, self.clean.mean().expand_as(noisy))
        return sum(share * part for share, part in zip(self.shares, parts))

    def predict_residual(self, noisy: Tensor) -> Tensor:
        return noisy - self(noisy)


@_case(11)
def case_11(loss: Answer, *, seed: int = 0) -> None:
    """(net, noisy, clean) → the loss; ``net(noisy)`` is the restored picture."""
    mixtures = {
        "the clean picture": (1.0, 0.0, 0.0),
        "the noise": (0.0, 1.0, 0.0),
        "the noisy picture": (1.0, 1.0, 0.0),
        "a picture with the noise removed twice": (1.0, -1.0, 0.0),
        "a black picture": (0.0, 0.0, 0.0),
        "the negative": (-1.0, 0.0, 0.0),
        "two pictures in one": (2.0, 0.0, 0.0),
        "a flat grey picture": (0.0, 0.0, 1.0),
    }
    source = _generator(seed)
    cases = []
    for size in (8, 12):
        clean = torch.rand((3, 1, size, 10), generator=source)
        cases.append((clean + 0.1 * torch.randn(clean.shape, generator=source), clean))

    def lowest(noisy: Tensor, clean: Tensor) -> str:
        values = {}
        for name, shares in mixtures.items():
            net = _Mixture(shares, clean)
            value = loss(net, noisy, clean)
            if not value.requires_grad:
                return "nothing: it has no gradient"
            values[name] = value.item()
        best = min(values, key=values.__getitem__)
        close = [name for name in values if values[name] < values[best] + 1e-6]
        return " or ".join(close)

    lowest.__name__ = getattr(loss, "__name__", "the function")
    ask = asked(
        "where the loss is lowest: a network that returns", lowest, lambda r, *_: r, "a loss"
    )
    symptom = "The loss is still lowest where the PSNR is not highest."
    unrepaired(ask, cases, lambda *_: "the noise", symptom)
    mistakes = {
        "to change nothing is the best answer now": lambda *_: "the noisy picture",
        "the noise is taken away twice now": lambda *_: "a picture with the noise removed twice",
        "a picture is more than its mean": lambda *_: "the clean picture or a flat grey picture",
        "a loss must reach the weights: .backward() needs its graph": (
            lambda *_: "nothing: it has no gradient"
        ),
    }
    hint = "what must the network return where the loss is lowest?"
    check(ask, cases, lambda *_: "the clean picture", mistakes, hint=hint)


class _Batches(Sequence):
    """Pairs (noisy, clean), in an object that is described in a word."""

    def __init__(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        return self.pairs[number]


def _smooth_batches(seed: int, count: int) -> list[tuple[Tensor, Tensor]]:
    """(noisy, clean) patches of smooth pictures, σ = 25."""
    source = _generator(seed)
    coarse = torch.rand((count, 4, 1, 6, 6), generator=source)
    clean = [nn.functional.interpolate(c, 24, mode="bicubic", align_corners=True) for c in coarse]
    return [(x + 25 / 255 * torch.randn(x.shape, generator=source), x) for x in clean]


def _gain(net: nn.Module, noisy: Tensor, clean: Tensor) -> float:
    """In dB, with the statistics of this batch; NaN for a network with NaN in it."""
    with torch.no_grad():
        restored = copy.deepcopy(net).train()(noisy)
    errors = [((picture - clean) ** 2).mean().item() for picture in (noisy, restored)]
    return 10 * math.log10(errors[0] / errors[1]) if errors[1] > 0 else math.nan


@_case(12)
def case_12(train: Answer, *, seed: int = 0) -> None:
    """(net, batches of (noisy, clean)) → the losses, one for each batch; the network is trained."""
    *batches, test = _smooth_batches(seed, 31)
    cases = [(small_network(seed=seed), _Batches(batches))]
    before = _gain(small_network(seed=seed), *test)

    def with_losses(net: nn.Module, batches: Any) -> tuple[list[float], nn.Module]:
        return [float(loss) for loss in train(net, batches)], net

    def plain(result: Any, *_: Any) -> list[float]:
        return [loss if math.isfinite(loss) else -1.0 for loss in result[0]]

    def outcome(result: Any, net: Any, batches: Any) -> str:
        losses, net = result
        if len(losses) != len(batches):
            return f"{len(losses)} losses for {len(batches)} batches"
        if not all(map(math.isfinite, losses)):
            return "a loss that is not finite"
        gain = _gain(net, *test) - before
        if not math.isfinite(gain):
            return "a network that is not finite"
        return f"a network that {'learns' if gain > 1.5 else 'has learnt nothing'}"

    with_losses.__name__ = getattr(train, "__name__", "the function")
    kind = "a loss for each batch"

    def broken(net: nn.Module, batches: Any) -> tuple[list[float], nn.Module]:
        optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        return [
            step_on(((net(noisy) - clean) ** 2).sum() / (2 * len(clean)), optimiser)
            for noisy, clean in batches
        ], net

    ask = asked("losses", with_losses, plain, kind)
    unrepaired(ask, cases, asked("", broken, plain, ""), "The loss is still NaN after a few steps.")
    mistakes = {
        "the loss still ends in NaN or infinity": lambda *_: "a loss that is not finite",
        "the loss hides it, but the weights are NaN": lambda *_: "a network that is not finite",
        "nothing explodes, but nothing is learnt": lambda *_: "a network that has learnt nothing",
    }
    ask = asked("30 steps", with_losses, outcome, kind)
    hint = "every batch is used, and its loss returned"
    check(ask, cases, lambda *_: "a network that learns", mistakes, hint=hint)


@_case(13)
def case_13(train: Answer, *, seed: int = 0) -> None:
    """(noisy, clean, steps) → a network of 5 layers of 16 that knows them by heart; its losses."""
    ((noisy, clean),) = _smooth_batches(seed, 1)
    cases = [(noisy[..., :14, :14], clean[..., :14, :14], 50)]

    def unmoved(noisy: Tensor, clean: Tensor, steps: int) -> list[float]:
        with torch.no_grad():
            restored = small_network(depth=5, width=16)(noisy)
        return [((restored - clean) ** 2).mean().item()] * steps

    def losses(result: Any, *_: Any) -> list[float]:
        return [float(loss) for loss in result[1]]

    def outcome(result: Any, noisy: Tensor, clean: Tensor, steps: int) -> list[str]:
        net, losses = result
        size = sum(parameter.numel() for parameter in net.parameters())
        fell = len(losses) == steps and losses[-1] < losses[0] / 2
        with torch.no_grad():
            left = ((copy.deepcopy(net).train()(noisy) - clean) ** 2).mean().item()
        known = left < unmoved(noisy, clean, 1)[0] / 2
        return [
            f"{size} parameters",
            "the loss falls" if fell else "the loss does not fall",
            f"the network {'knows' if known else 'does not know'} the batch",
        ]

    kind = "a network and its losses"
    symptom = "The loss is still the same at every step."
    unrepaired(asked("", train, losses, kind), cases, unmoved, symptom)
    sizes = [
        sum(p.numel() for p in small_network(*size).parameters()) for size in ((4, 8), (5, 16))
    ]
    small, large = (f"{size} parameters" for size in sizes)
    falls, stays = "the loss falls", "the loss does not fall"
    known, unknown = "the network knows the batch", "the network does not know the batch"
    mistakes = {
        "it learns, but it is the small network": lambda *_: [small, falls, known],
        "another network was trained than the one that is returned": (
            lambda *_: [large, falls, unknown]
        ),
        "the right network, and it still does not learn": lambda *_: [large, stays, unknown],
    }
    hint = "whose weights change, and by how much?"
    check(
        asked("result", train, outcome, kind),
        cases,
        lambda *_: [large, falls, known],
        mistakes,
        hint=hint,
    )


@_case(14)
def case_14(batches: Answer, *, seed: int = 0) -> None:
    """(sampler, noise, steps) → the batches (noisy, clean), the same ones in every run."""
    rng = np.random.default_rng(seed)
    pictures = [rng.integers(0, 256, (40, 45), np.uint8) for _ in range(3)]
    cases = [
        (PatchSampler(pictures, 12), GaussianNoise(round(rng.uniform(10, 40), 1)), steps)
        for steps in (6, 40)
    ]

    def runs(*arguments: Any) -> list[list[tuple[Tensor, Tensor]]]:
        return [[tuple(batch) for batch in batches(*arguments)] for _ in range(2)]

    def alike(a: Tensor, b: Tensor) -> bool:
        return a.shape == b.shape and torch.allclose(a, b, atol=1e-5)

    def repeated(tensors: list[Tensor]) -> bool:
        return any(alike(a, b) for n, a in enumerate(tensors) for b in tensors[:n])

    def found(results: Any, sampler: Any, noise: Any, steps: int) -> list[str]:
        first, second = results
        noises = [noisy - clean for noisy, clean in first]
        deviation = torch.cat([n.flatten() for n in noises]).std().item() * 255 / noise.sigma
        levels = 255 * torch.cat([clean.flatten() for _, clean in first])
        outside = any(noisy.min() < 0 or noisy.max() > 1 for noisy, _ in first)
        return [
            "noisy, clean" if (levels - levels.round()).abs().max() < 0.01 else "clean, noisy",
            "all batches" if len(first) == steps else f"{len(first)} batches",
            "the same patches" if repeated([clean for _, clean in first]) else "fresh patches",
            "the same noise" if repeated(noises) else "fresh noise",
            ("σ" if outside else "clipped") if abs(deviation - 1) < 0.1 else f"{deviation:.2f} σ",
            "the same in a second run"
            if all(alike(a, b) for x, y in zip(first, second) for a, b in zip(x, y))
            else "another in a second run",
        ]

    def seen(
        patches: str,
        noise: str,
        run: str = "the same in a second run",
        *,
        order: str = "noisy, clean",
        level: str = "σ",
    ) -> Answer:
        return lambda *_: [order, "all batches", patches, noise, level, run]

    runs.__name__ = getattr(batches, "__name__", "the function")
    ask = asked("batches", runs, found, "noisy and clean, a pair for each step")
    unrepaired(
        ask,
        cases,
        seen("the same patches", "the same noise"),
        "The network still gets to see only what it can learn by heart.",
    )
    fresh = ("fresh patches", "fresh noise")
    mistakes = {
        "the noise is new in every step, but the patches come back": (
            seen("the same patches", "fresh noise")
        ),
        "the patches are new in every step, but the noise comes back": (
            seen("fresh patches", "the same noise")
        ),
        "fresh in every step, but nobody can repeat this run": (
            seen(*fresh, "another in a second run")
        ),
        "the noisy patches come first, then the clean ones": (
            seen(*fresh, order="clean, noisy", level="clipped")
        ),
        "fresh in every step; the noise must not be clipped": seen(*fresh, level="clipped"),
    }
    hint = "as many batches as steps, with noise of that σ, and none comes twice"
    check(ask, cases, seen(*fresh), mistakes, hint=hint)


@_case(15)
def case_15(follow: Answer, *, seed: int = 0) -> None:
    """(net, noisy): the running statistics follow the batch; the weights stay, and eval mode."""
    source = _generator(seed)
    cases = [
        (_trained_network(seed), 2 * torch.rand((2, 1, 9, 9), generator=source)),
        (_trained_network(seed + 50), 0.3 * torch.rand((4, 1, 7, 8), generator=source)),
    ]

    def statistics(net: nn.Module) -> Tensor:
        named = net.named_buffers()
        return torch.cat([values for name, values in named if "running" in name])

    def followed(net: nn.Module, noisy: Tensor) -> tuple[nn.Module, nn.Module]:
        before = copy.deepcopy(net)
        follow(net, noisy)
        return net, before

    def kept(result: Any, _: Any, noisy: Tensor) -> list[str]:
        net, before = result
        replaced = copy.deepcopy(before).train()
        for module in replaced.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        with torch.no_grad():
            replaced(noisy)
        old, new, now = map(statistics, (before, replaced, net))
        share = ((now - new) / (old - new))[(old - new).abs() > 1e-3]
        low, high = share.min().item(), share.max().item()
        weights = [
            torch.equal(a, b) for a, b in zip(net.parameters(), before.parameters(), strict=True)
        ]
        if low > 0.999:
            said = "nothing is replaced"
        elif low > 0.85:
            said = "most of the old is kept"
        else:
            said = "little of the old is kept" + (" in some layers" if high > 0.85 else "")
        mode = "training" if any(m.training for m in net.modules()) else "eval"
        return [said, "the weights stay" if all(weights) else "the weights change", f"{mode} mode"]

    def seen(statistics: str, mode: str = "eval mode") -> Answer:
        return lambda *_: [statistics, "the weights stay", mode]

    def broken(net: nn.Module, noisy: Tensor) -> tuple[nn.Module]:
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.9
        with torch.no_grad():
            net.train()(noisy)
        return (net.eval(),)

    def numbers(result: Any, *_: Any) -> Tensor:
        return statistics(result[0])

    followed.__name__ = getattr(follow, "__name__", "the function")
    kind = "a network with running statistics"
    symptom = "The PSNR still jumps from batch to batch."
    unrepaired(asked("", followed, numbers, kind), cases, asked("", broken, numbers, kind), symptom)
    mistakes = {
        "the last batch still counts for most": seen("little of the old is kept"),
        "one layer is cured; there are more of its kind": (
            seen("little of the old is kept in some layers")
        ),
        "calm, because the statistics follow no batch at all": seen("nothing is replaced"),
        "the statistics are right; the network must be ready for use": (
            seen("most of the old is kept", "training mode")
        ),
    }
    ask = asked("statistics after a batch", followed, kept, kind)
    hint = "only the running statistics change"
    check(ask, cases, seen("most of the old is kept"), mistakes, hint=hint)


class _Watched(nn.Module):
    """A network that notes, whenever it is called, what autograd holds of the calls before."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.held, self.noted = net, lambda: 0, []

    def forward(self, noisy: Tensor) -> Tensor:
        self.noted.append(self.held())
        return self.net(noisy)


@_case(16)
def case_16(validate: Answer, *, seed: int = 0) -> None:
    """(net, pairs (noisy, clean), each (1, 1, H, W)) → the mean squared error, a number."""
    source = _generator(seed)
    pairs = [tuple(torch.rand((1, 1, 9, 8), generator=source) for _ in range(2)) for _ in range(4)]
    net = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.normal_(net.weight, generator=_generator(seed))
    cases = [(_Watched(net), pairs), (_Watched(net), pairs[:3])]

    def watched(net: _Watched, pairs: Sequence[Any]) -> tuple[float, str, str]:
        with torch.enable_grad(), kept_for_backward() as held:  # what it switches off, comes back
            net.held = held
            value = validate(net, pairs)
            value = value.item() if isinstance(value, Tensor) else float(value)
            off = not torch.is_grad_enabled()
        net.held = lambda: 0
        *_, last = net.noted
        first = net.noted[min(1, len(net.noted) - 1)]
        grown, steep = last > first, last >= (len(pairs) - 1) * first > 0
        left = any(parameter.grad is not None for parameter in net.parameters())
        growth = "stays" if not grown else "grows with every picture" if steep else "grows"
        after = "gradients are left" if left else "no gradients"
        if off or not all(parameter.requires_grad for parameter in net.parameters()):
            after = "no training any more"
        return value, f"memory {growth}", after

    def error(net: _Watched, pairs: Sequence[Any]) -> float:
        with torch.no_grad():
            return np.mean([((net(y) - x) ** 2).mean().item() for y, x in pairs])

    def seen(memory: str, left: str = "no gradients", of: Answer = error) -> Answer:
        return lambda *arguments: (of(*arguments), f"memory {memory}", left)

    watched.__name__ = getattr(validate, "__name__", "the function")
    ask = asked("result", watched, lambda result, *_: result, "a number")
    symptom = "More memory is still held after every picture."
    unrepaired(ask, cases, seen("grows with every picture"), symptom)
    mistakes = {
        "less is held than before, but it still grows": seen("grows"),
        "the memory is free, but now there are gradients in the network": (
            seen("stays", "gradients are left")
        ),
        "validation comes between two steps of training, which need gradients again": (
            seen("stays", "no training any more")
        ),
        "the memory stays; the number must be the mean over all pictures": (
            seen("stays", of=lambda net, pairs: error(net, pairs) * len(pairs))
        ),
    }
    check(ask, cases, seen("stays"), mistakes, hint="memory stays, and the number is the same")


# ------------------------------------------------------------------------------------ the exercises


@exercise
def mended_psnr(function: Answer, *, seed: int = 0) -> None:
    """(restored, clean), uint8 arrays (H, W) → PSNR in dB."""
    rng = np.random.default_rng(seed)
    near = rng.integers(30, 220, (5, 3), np.uint8)
    white = np.full((4, 7), 255, np.uint8)
    cases = [
        tuple(rng.integers(0, 256, (2, 8, 6), np.uint8)),
        (near + rng.integers(1, 30, near.shape, np.uint8), near),
        (white - rng.integers(200, 256, white.shape, np.uint8), white),
        (white[:1, :1] - np.uint8(rng.integers(1, 200)), white[:1, :1]),
    ]

    def psnr(restored: np.ndarray, clean: np.ndarray, peak: float = 255) -> float:
        error = np.mean((restored.astype(float) - clean.astype(float)) ** 2)
        return 10 * math.log10(peak**2 / error)

    mistakes = {
        **byte_mistakes(lambda clean: 255),
        "bytes go further than 1": lambda y, x: psnr(y, x, peak=1),
        "the peak is the brightest value possible, not the brightest present": (
            lambda y, x: psnr(y, x, peak=float(x.max()))
        ),
        "the error is squared; is the peak?": lambda y, x: psnr(y, x, peak=255**0.5),
        "less error, more decibels: see the sign": lambda y, x: -psnr(y, x),
    }
    check(function, cases, psnr, mistakes)


@exercise
def mended_flip(function: Answer, *, seed: int = 0) -> None:
    """(noisy, clean, generator), tensors (B, C, H, W) → the same two, both flipped left to right or
    neither, with equal probability: one coin for the batch, or one for each of its pairs."""
    generator = torch.Generator().manual_seed(seed)
    case = tuple(torch.rand((2, 400, 2, 3, 4, 5), generator=generator))
    kept, flipped = "noisy kept, clean kept", "noisy flipped, clean flipped"
    noisy_only, clean_only = "noisy flipped, clean kept", "noisy kept, clean flipped"

    def drawn(noisy: Tensor, clean: Tensor) -> list[Any]:
        """A result for each batch; two in a row have equal generators."""
        seeds = (1000 * seed + n // 2 for n in range(len(noisy)))
        sources = (torch.Generator().manual_seed(number) for number in seeds)
        return [function(*given) for given in zip(noisy, clean, sources)]

    def happened(results: list[Any], noisy: Tensor, clean: Tensor) -> list[list[str]]:
        """To each pair of images of each batch."""
        return [
            [
                f"noisy {_fate(*of_noisy)}, clean {_fate(*of_clean)}"
                for *of_noisy, of_clean in zip(y, noisy_before, zip(x, clean_before), strict=True)
            ]
            for (y, x), noisy_before, clean_before in zip(results, noisy, clean)
        ]

    def kinds(*drawn: Any) -> list[str]:
        return sorted(set(sum(happened(*drawn), [])))

    def share(*drawn: Any) -> float:
        events = sum(happened(*drawn), [])
        return round(events.count(flipped) / len(events), 2)

    def repeated(*drawn: Any) -> int:
        events = happened(*drawn)
        return sum(a == b for a, b in zip(events[::2], events[1::2]))

    mistakes = {
        "how many coins are tossed?": lambda *_: sorted([kept, clean_only, noisy_only, flipped]),
        "what happens to the clean image?": lambda *_: sorted([kept, noisy_only]),
        "what happens to the noisy image?": lambda *_: sorted([kept, clean_only]),
        "nothing is ever flipped": lambda *_: [kept],
        "this is flipped every time": lambda *_: [flipped],
        "one of the two is always flipped, and never both": (
            lambda *_: sorted([clean_only, noisy_only])
        ),
    }
    drawn.__name__ = getattr(function, "__name__", "the function")
    kind = "the two, noisy and clean, every time"
    ask = asked("what happens in 400 batches", drawn, kinds, kind)
    hint = "only left and right are swapped, or nothing is"
    check(ask, [case], lambda *_: sorted([kept, flipped]), mistakes, hint=hint)
    ask = asked("share of flips", drawn, share, kind)
    hint = "heads are as frequent as tails"
    check(ask, [case], lambda *_: 0.5, hint=hint, tolerance=0.08)
    ask = asked("in 200 pairs of equal generators, equal results", drawn, repeated, kind)
    check(ask, [case], lambda *_: 200, hint="the coin is tossed with the generator")


def _fate(image: Tensor, before: Tensor) -> str:
    if torch.equal(image, before):
        return "kept"
    return "flipped" if torch.equal(image, before.flip(-1)) else "another picture"


@exercise
def mended_steps(function: Answer, *, seed: int = 0) -> None:
    """(net, batches, lr): a step of SGD for each batch (noisy, clean), on the mean squared error of
    ``net(noisy)``; the network is changed in place."""
    generator = torch.Generator().manual_seed(seed)
    first, last = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 1, 3, padding=1)
    net = nn.Sequential(first, nn.BatchNorm2d(3), nn.ReLU(), last)
    for parameter in net.parameters():
        nn.init.normal_(parameter, 0, 0.5, generator=generator)
    batches = [tuple(torch.rand((2, n, 1, 5, 4), generator=generator)) for n in (2, 3, 2)]

    def after(steps: Answer) -> Answer:
        def weights(_: Any, net: nn.Module, *rest: Any) -> Tensor:
            return nn.utils.parameters_to_vector(net.parameters()).detach()

        return asked("trained weights", steps, weights, "a trained network")

    mistakes = {
        "the gradients of earlier steps are still there": _sgd(clear=lambda net: None),
        "nothing was learnt: was a copy trained, or .grad cleared before step() read it?": (
            lambda *_: None
        ),
        "each parameter has a gradient, not the first alone": (
            _sgd(clear=lambda net: next(net.parameters()).grad.zero_())
        ),
        "in eval mode, batch norm does not look at the batch": (
            lambda net, batches, lr: _sgd()(net.eval(), batches, lr)
        ),
        "this is the sum of the squares, not their mean": _sgd(reduction="sum"),
        "the learning rate is `lr`": lambda net, batches, lr: _sgd()(net, batches, 2 * lr),
        "one step for each batch, not for the last alone": (
            lambda net, batches, lr: _sgd()(net, batches[-1:], lr)
        ),
        "one step for each batch, not for the first alone": (
            lambda net, batches, lr: _sgd()(net, batches[:1], lr)
        ),
        "plain SGD has no momentum": _sgd(momentum=0.9),
        "downhill, not uphill": lambda net, batches, lr: _sgd(maximize=True)(net, batches, lr),
    }
    cases = [(net, batches, 0.1), (net, batches[:1], 0.05), (net, [], 0.1)]
    wrong = {sentence: after(mistake) for sentence, mistake in mistakes.items()}
    check(after(function), cases, after(_sgd()), wrong)


def _sgd(
    clear: Callable[[nn.Module], Any] = nn.Module.zero_grad,
    reduction: str = "mean",
    **options: Any,
) -> Answer:
    """Steps of SGD. clear: what is done to the network between them."""

    def steps(net: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], lr: float) -> None:
        optimiser = torch.optim.SGD(net.parameters(), lr, **options)
        for number, (noisy, clean) in enumerate(batches):
            if number:
                clear(net)
            nn.functional.mse_loss(net(noisy), clean, reduction=reduction).backward()
            optimiser.step()

    return steps
