"""The checks of the exercises, and that every lesson's checks accept its own solutions only."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from dncnn_lib.degrade import GaussianNoise, resize
from dncnn_lib.exercises import (
    blind,
    building,
    check,
    clinic,
    describe,
    inside,
    noise,
    normalisation,
    residual,
    tasks,
    training,
)


def double(x):
    return 2 * x


def test_a_right_answer_is_told_what_was_given_and_expected(capsys):
    check(double, [((2,), 4), ((0.5,), 1.0)])
    assert capsys.readouterr().out == (
        "right: double(2) gave 4, expected 4\nright: double(0.5) gave 1, expected 1\n"
    )


def test_a_wrong_answer_is_told_the_same_and_stops():
    message = "not yet: double(2) gave 4, expected 5"
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check(double, [((2,), 5)])


def test_an_open_exercise_stops_nothing(capsys):
    def later(x):
        raise NotImplementedError

    check(later, [((2,), 5)])
    assert capsys.readouterr().out == "later: still open. Fill it in and run this cell again.\n"


@pytest.mark.parametrize(
    ("result", "expected", "same"),
    [
        (np.ones(3), torch.ones(3), True),
        (np.ones((3, 1)), np.ones(3), False),
        (1.00005, 1, True),
        (1.001, 1, False),
        (float("nan"), 1.0, False),
        (None, 1.0, False),
        ("a", "a", True),
        (1, True, False),
        ([1, 2.0], (1, 2), True),
        ([1], (1, 2), False),
        (torch.ones(2, requires_grad=True), [1, 1], False),
        (torch.ones(2, requires_grad=True), np.ones(2), True),
    ],
)
def test_what_counts_as_the_same(result, expected, same):
    if same:
        check(lambda: result, [((), expected)])
    else:
        with pytest.raises(AssertionError):
            check(lambda: result, [((), expected)])


def test_values_in_a_few_words():
    assert describe(np.full((2, 3), 0.25)) == "ndarray 2×3 with mean 0.25"
    assert describe(torch.zeros(4)) == "tensor 4 with mean 0"
    assert describe((1, [2.0, "a"])) == "(1, [2, 'a'])"
    assert describe(double) == "double"


class TestBuilding:
    """Lesson 03."""

    @staticmethod
    def layers(depth, *, one_more=0, first_norm=False, last_relu=False, bias=False, padding=1):
        conv = torch.nn.Conv2d
        layers = [conv(1, 64, 3, padding=padding, bias=False)]
        layers += [torch.nn.BatchNorm2d(64)] * first_norm + [torch.nn.ReLU()]
        for _ in range(depth - 2 + one_more):
            layers += [conv(64, 64, 3, padding=1, bias=bias), torch.nn.BatchNorm2d(64)]
            layers += [torch.nn.ReLU()]
        return layers + [conv(64, 1, 3, padding=1)] + [torch.nn.ReLU()] * last_relu

    @staticmethod
    def refused(check_it, wrong, *words):
        with pytest.raises(AssertionError, match=r"^not yet: ") as caught:
            check_it(wrong)
        assert all(word in str(caught.value) for word in words)

    def test_field_side(self, capsys):
        def measured(depth, kernel, dilation):
            """By brute force: what of an impulse comes through, from afar."""
            signal = torch.zeros(1, 1, 101, dtype=torch.float64)
            signal[..., 50] = 1
            ones = torch.ones(1, 1, kernel, dtype=torch.float64)
            for _ in range(depth):
                signal = torch.nn.functional.conv1d(
                    signal, ones, padding=dilation * (kernel // 2), dilation=dilation
                )
            spots = signal[0, 0].nonzero()
            return int(spots.max() - spots.min()) + 1

        building.field_side(measured)
        assert capsys.readouterr().out.count("right:") == 7
        self.refused(building.field_side, lambda d, k, s: 2 * d + 1, "(7, 5, 1) gave 15", "29")
        self.refused(building.field_side, lambda d, k, s: d * (k - 1) * s, "gave 2", "expected 3")
        self.refused(building.field_side, lambda d, k, s: 1 + d * (k - 1), "(10, 3, 2) gave 21")

    def test_mended_layers(self, capsys):
        building.mended_layers(self.layers)
        building.mended_layers(lambda depth: torch.nn.Sequential(*self.layers(depth)))
        assert capsys.readouterr().out.count("right:") == 28
        faults = {
            "number of convolutions of faulty(5) gave 6, expected 5": {"one_more": 1},
            "first three layers of faulty(5) gave ['Conv2d', 'BatchNorm2d'": {"first_norm": True},
            "last two layers of faulty(5) gave ['Conv2d', 'ReLU']": {"last_relu": True},
            "biases in front of a batch norm of faulty(5) gave 3": {"bias": True},
            "output shape for 1×1×9×12 of faulty(5) gave [1, 1, 7, 10]": {"padding": 0},
        }
        for words, fault in faults.items():

            def faulty(depth, fault=fault):
                return self.layers(depth, **fault)

            self.refused(building.mended_layers, faulty, words)

    def test_what_to_read(self, capsys):
        def right(start, stop, length, overlap):
            rows = range(length)[max(start - overlap, 0) : stop + overlap]
            return rows.start, rows.stop, rows.index(start)

        building.what_to_read(right)
        assert capsys.readouterr().out.count("right:") == 6

        def unclipped(start, stop, length, overlap):
            return start - overlap, stop + overlap, overlap

        def fixed_skip(start, stop, length, overlap):
            return max(start - overlap, 0), min(stop + overlap, length), overlap

        self.refused(building.what_to_read, unclipped, "gave (-20, 84, 20), expected (0, 84, 0)")
        self.refused(building.what_to_read, fixed_skip, "gave (0, 84, 20), expected (0, 84, 0)")

    @pytest.mark.parametrize("name", ["field_side", "mended_layers", "what_to_read"])
    def test_open_ones_stop_nothing(self, name, capsys):
        def later(*arguments):
            raise NotImplementedError

        getattr(building, name)(later)
        assert capsys.readouterr().out.startswith("later: still open.")


# ------------------------------------------------------------------------------- lesson 01, Noise


def shots(sigma, decibels):
    return max(1, int(np.ceil((sigma * 10 ** (decibels / 20) / 255) ** 2)))


def right_psnr(restored, clean):
    peak = 255 if clean.dtype == np.uint8 else 1
    error = np.mean((restored.astype(float) - clean.astype(float)) ** 2)
    return 20 * np.log10(peak) - 10 * np.log10(error)


@pytest.mark.parametrize(
    ("name", "solution"),
    [
        ("sigma_for_psnr", lambda decibels: 255 / 10 ** (decibels / 20)),
        ("my_psnr", right_psnr),
        ("shots_needed", shots),
    ],
)
def test_noise_solutions_pass(name, solution, capsys):
    getattr(noise, name)(solution)
    assert capsys.readouterr().out.count("right: ") >= 3


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("sigma_for_psnr", lambda d: 1 / 10 ** (d / 20), "gave 0.1, expected 25.5"),
        ("sigma_for_psnr", lambda d: 255 / 10 ** (d / 10), "gave 2.55, expected 25.5"),
        ("my_psnr", lambda r, c: 20 * np.log10(255) - 10 * np.log10(np.mean((r - c) ** 2)), "68.3"),
        ("my_psnr", lambda r, c: right_psnr(r / 1.0, c / 1.0), "expected 28.13"),
        (
            "my_psnr",
            lambda r, c: (
                10 * np.log10(np.max([c.dtype == np.uint8, 1 / 255]) ** 2 * 65025)
                - 10 * np.log10(np.mean(((r - c) * 1.0) ** 2))
            ),
            "expected 28.13",
        ),
        ("shots_needed", lambda s, d: int(s * 10 ** (d / 20) / 255) + 1, "gave 4, expected 10"),
        ("shots_needed", lambda s, d: (s * 10 ** (d / 20) / 255) ** 2, "gave 9.612, expected 10"),
    ],
)
def test_typical_wrong_answers_are_told_what_was_expected(name, wrong, said, capsys):
    with pytest.raises(AssertionError, match="not yet: .*" + re.escape(said)):
        getattr(noise, name)(wrong)


# ------------------------------------------------------------------------------ lesson 04, training


def paper_loss(predicted, noisy, clean):
    return ((predicted - (noisy - clean)) ** 2).sum() / (2 * len(noisy))


def decibels(loss, kind, patch_size, channels):
    mean = loss if kind == "mean" else loss * 2 / (patch_size**2 * channels)
    return -10 * np.log10(mean)


def learning_rate(step, steps, peak, warm):
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (1 + np.cos(np.pi * (step + 1 - warm) / (steps - warm))) / 2


@pytest.mark.parametrize("solution", [paper_loss, decibels, learning_rate])
def test_lesson_04_accepts_its_solutions(solution, capsys):
    getattr(training, solution.__name__)(solution)
    assert capsys.readouterr().out.startswith(f"right: {solution.__name__}(")


@pytest.mark.parametrize(
    ("exercise", "wrong", "message"),
    [
        ("paper_loss", lambda r, y, x: ((r - (y - x)) ** 2).mean(), "expected"),
        ("paper_loss", lambda r, y, x: ((r - (y - x)) ** 2).sum() / len(y), "expected"),
        ("paper_loss", lambda r, y, x: ((r - (x - y)) ** 2).sum() / (2 * len(y)), "expected"),
        ("paper_loss", lambda r, y, x: ((r - x) ** 2).sum() / (2 * len(y)), "expected"),
        ("decibels", lambda loss, *_: -10 * np.log10(loss), "gave 0.9691, expected 30"),
        ("decibels", lambda x, k, p, c: decibels(x, k, p, 1), "gave 25.65, expected 30.43"),
        ("learning_rate", lambda n, s, p, w: learning_rate(n - 1, s, p, w), "expected 0.1"),
        ("learning_rate", lambda n, s, p, w: learning_rate(n, s, 1.0, w), "expected 1.5"),
    ],
)
def test_lesson_04_refuses_what_is_wrong(exercise, wrong, message):
    with pytest.raises(AssertionError, match="^not yet: ") as error:
        getattr(training, exercise)(wrong)
    assert message in str(error.value)


def test_lesson_04_leaves_open_exercises_open(capsys):
    def later(*_):
        raise NotImplementedError

    for exercise in ("paper_loss", "decibels", "learning_rate"):
        getattr(training, exercise)(later)
    assert capsys.readouterr().out.count("still open") == 3


# -------------------------------------------------------------------- lesson 05, residual or direct


def start_psnr(clean, noisy):
    return tuple(-10 * torch.log10((v**2).mean()) for v in (noisy - clean, clean))


class Skip(torch.nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, noisy):
        return noisy - self.layers(noisy)


def with_skip(layers):
    return Skip(layers)


def equivalent_sigma(sigma, contrast):
    return sigma / contrast


@pytest.mark.parametrize("solution", [start_psnr, with_skip, equivalent_sigma])
def test_lesson_05_accepts_its_solutions(solution, capsys):
    getattr(residual, solution.__name__)(solution)
    assert capsys.readouterr().out.startswith("right: ")


class Unregistered(torch.nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.hidden = [layers]

    def forward(self, noisy):
        return noisy - self.hidden[0](noisy)


class Added(Skip):
    def forward(self, noisy):
        return noisy + self.layers(noisy)


@pytest.mark.parametrize(
    ("exercise", "wrong", "message"),
    [
        ("start_psnr", lambda x, y: start_psnr(x, y)[::-1], "expected ("),
        ("start_psnr", lambda x, y: (start_psnr(x, y)[0], start_psnr(y, x)[1]), "expected ("),
        ("with_skip", lambda layers: layers, "output of"),
        ("with_skip", Added, "output of"),
        ("with_skip", Unregistered, "gave 0, expected 10"),
        ("equivalent_sigma", lambda s, c: s * c, "gave 6.25, expected 100"),
        ("equivalent_sigma", lambda s, c: s / c**0.5, "gave 50, expected 100"),
    ],
)
def test_lesson_05_refuses_what_is_wrong(exercise, wrong, message):
    with pytest.raises(AssertionError, match="^not yet: ") as error:
        getattr(residual, exercise)(wrong)
    assert message in str(error.value)


def test_lesson_05_leaves_open_exercises_open(capsys):
    def later(*_):
        raise NotImplementedError

    for exercise in ("start_psnr", "with_skip", "equivalent_sigma"):
        getattr(residual, exercise)(later)
    assert capsys.readouterr().out.count("still open") == 3


# ------------------------------------------------------------------------ lesson 09, looking inside


def r_squared(told, wanted):
    return 1 - np.mean((told - wanted) ** 2) / np.var(wanted)


def turned(filters):
    return filters.flip(2, 3)


def tnrd_parameters(stages, filters, side, bumps):
    return stages * filters * (side**2 + bumps)


@pytest.mark.parametrize("solution", [r_squared, turned, tnrd_parameters])
def test_lesson_09_accepts_its_solutions(solution, capsys):
    getattr(inside, solution.__name__)(solution)
    assert capsys.readouterr().out.startswith(f"right: {solution.__name__}(")


@pytest.mark.parametrize(
    ("exercise", "wrong", "message"),
    [
        ("r_squared", lambda t, w: np.mean((t - w) ** 2) / np.var(w), "gave 0, expected 1"),
        ("r_squared", lambda t, w: 1 - np.mean((t - w) ** 2) / np.mean(w**2), "expected 0"),
        ("turned", lambda f: f.flip(3), "expected"),
        ("turned", lambda f: f.transpose(2, 3), "expected"),
        ("tnrd_parameters", lambda s, f, a, b: s * (f * a**2 + b), "gave 621, expected 1104"),
        ("tnrd_parameters", lambda s, f, a, b: f * (a**2 + b), "gave 2112, expected 10560"),
    ],
)
def test_lesson_09_refuses_what_is_wrong(exercise, wrong, message):
    with pytest.raises(AssertionError, match="^not yet: ") as error:
        getattr(inside, exercise)(wrong)
    assert message in str(error.value)


def test_lesson_09_leaves_open_exercises_open(capsys):
    def later(*_):
        raise NotImplementedError

    for exercise in ("r_squared", "turned", "tnrd_parameters"):
        getattr(inside, exercise)(later)


# ----------------------------------------------------------------- lesson 06, batch normalisation


def normalise(features, gamma, beta, eps):
    mean = features.mean(dim=(0, 2, 3), keepdim=True)
    var = ((features - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
    return (features - mean) / (var + eps).sqrt() * gamma[:, None, None] + beta[:, None, None]


def running(start, batches, momentum):
    for batch in batches:
        start = start + momentum * (batch - start)
    return start


def fold(weight, gamma, beta, mean, var, eps):
    scale = gamma / (var + eps).sqrt()
    return weight * scale[:, None, None, None], beta - scale * mean


@pytest.mark.parametrize("solution", [normalise, running, fold])
def test_lesson_06_accepts_its_solutions(solution, capsys):
    getattr(normalisation, solution.__name__)(solution)
    assert capsys.readouterr().out.startswith(f"right: {solution.__name__}(")


def normalise_alone(features, gamma, beta, eps):
    """Each patch for itself."""
    return torch.cat([normalise(one[None], gamma, beta, eps) for one in features])


def normalise_unbiased(features, gamma, beta, eps):
    count = features[:, 0].numel()
    return normalise(features, gamma * ((count - 1) / count) ** 0.5, beta, eps)


def fold_inputs(weight, gamma, beta, mean, var, eps):
    """The factor along the wrong dimension of the weight; right in the square case only."""
    scale = gamma / (var + eps).sqrt()
    return weight * scale[: weight.shape[1], None, None], beta - scale * mean


@pytest.mark.parametrize(
    ("exercise", "wrong", "message"),
    [
        ("normalise", normalise_alone, "expected tensor 4×3×3×2"),
        ("normalise", normalise_unbiased, "expected tensor 4×3×3×2"),
        ("normalise", lambda a, g, b, e: normalise(a, g, b, 1e-5), "tensor 2×5×3×2"),
        ("normalise", lambda a, g, b, e: normalise(a, 1 + 0 * g, 0 * b, e), "expected"),
        ("running", lambda s, b, m: running(s, b, 1 - m), "gave 0.9, expected 0.1"),
        ("running", lambda s, b, m: b[-1] if b else s, "gave 1, expected 0.1"),
        ("running", lambda s, b, m: running(0.0, b, m), "gave 1.9, expected 1.95"),
        ("fold", lambda w, g, b, m, v, e: (fold(w, g, b, m, v, e)[0], b), "expected (tensor 4×2"),
        ("fold", lambda w, g, b, m, v, e: fold(w, g, b, m, v**2, e), "expected (tensor 4×2"),
        ("fold", lambda w, g, b, m, v, e: fold(w, g, b, m, v, 0.0), "expected (tensor 3×3"),
        ("fold", fold_inputs, "expected (tensor 4×2"),
    ],
)
def test_lesson_06_refuses_what_is_wrong(exercise, wrong, message):
    with pytest.raises(AssertionError, match="^not yet: ") as error:
        getattr(normalisation, exercise)(wrong)
    assert message in str(error.value)


def test_lesson_06_leaves_open_exercises_open(capsys):
    def later(*_):
        raise NotImplementedError

    for exercise in ("normalise", "running", "fold"):
        getattr(normalisation, exercise)(later)
    assert capsys.readouterr().out.count("still open") == 3


# ------------------------------------------------------------------- lesson 07, blind denoising


def blind_noise(clean, low, high, generator):
    sigma = torch.empty(len(clean), 1, 1, 1).uniform_(low, high, generator=generator)
    return clean + sigma * torch.randn(clean.shape, generator=generator) / 255


def into_range(restore, noisy, sigma, highest):
    if sigma <= highest:
        return restore(noisy)
    return restore(noisy * highest / sigma) * sigma / highest


def constants(net):
    names = ("bias", "running_mean")
    return sum(v.numel() for k, v in net.state_dict().items() if k.rsplit(".")[-1] in names)


@pytest.mark.parametrize("solution", [blind_noise, into_range, constants])
def test_lesson_07_accepts_its_solutions(solution, capsys):
    getattr(blind, solution.__name__)(solution)
    said = capsys.readouterr().out.splitlines()
    assert len(said) >= 4 and all(line.startswith("right: ") for line in said)


def test_lesson_07_accepts_the_noise_of_the_library(capsys):
    blind.blind_noise(lambda x, low, high, g: GaussianNoise((low, high))(x, g))
    assert capsys.readouterr().out.count("right: ") == 7


def noise_of(shape, scale=255, generator=None):
    """Noise whose σ is drawn in a given shape; from the global generator if there is none."""

    def function(clean, low, high, given):
        source = given if generator is None else generator
        size = [n if n > 0 else clean.shape[i] for i, n in enumerate(shape)]
        sigma = low + (high - low) * torch.rand(size, generator=source)
        return clean + sigma / scale * torch.randn(clean.shape, generator=source)

    return function


@pytest.mark.parametrize(
    ("exercise", "wrong", "message"),
    [
        ("blind_noise", noise_of((1, 1, 1, 1)), "tenths of the range that occur"),
        ("blind_noise", noise_of((0, 1, 0, 0)), "tenths of the range that occur"),
        ("blind_noise", noise_of((0, 1, 1, 1), scale=1), "(4, 25, 25) gave 6"),
        ("blind_noise", noise_of((0, 1, 1, 1), generator=torch.Generator()), "equal seeds"),
        ("blind_noise", lambda x, low, high, g: noise_of((0, 1, 1, 1))(x, 0, high, g), "gave 10"),
        ("blind_noise", lambda x, *_: x[0], "shape of the result of"),
        ("blind_noise", lambda x, *a: blind_noise(0 * x, *a), "grey of 0.5, its mean"),
        ("into_range", lambda f, y, s, h: f(y), "expected ndarray 3×4 with mean 0.4727"),
        ("into_range", lambda f, y, s, h: f(y * h / s) * s / h, "expected ndarray 3×4 with mean"),
        ("into_range", lambda f, y, s, h: f(y * min(1, h / s)), "with mean 0.4727"),
        ("constants", lambda net: 0, "gave 0, expected 1920"),
        ("constants", lambda net: constants(net) // 2, "gave 960, expected 1920"),
        ("constants", lambda net: sum(p.numel() for p in net.parameters()), "expected 1920"),
    ],
)
def test_lesson_07_refuses_what_is_wrong(exercise, wrong, message):
    with pytest.raises(AssertionError, match="^not yet: ") as error:
        getattr(blind, exercise)(wrong)
    assert message in str(error.value)


def test_lesson_07_leaves_open_exercises_open(capsys):
    def later(*_):
        raise NotImplementedError

    for exercise in ("blind_noise", "into_range", "constants"):
        getattr(blind, exercise)(later)
    assert capsys.readouterr().out.count("still open") == 3


# ------------------------------------------------------------------------ lesson 10, the bug clinic


def mended_psnr(restored, clean):
    difference = restored.astype(float) - clean.astype(float)
    return 10 * np.log10(255**2 / np.mean(difference**2))


def mended_flip(noisy, clean, generator):
    heads = torch.rand((), generator=generator) < 0.5
    return (noisy.flip(-1), clean.flip(-1)) if heads else (noisy, clean)


def mended_steps(net, batches, lr):
    optimiser = torch.optim.SGD(net.parameters(), lr)
    for noisy, clean in batches:
        optimiser.zero_grad()
        ((net(noisy) - clean) ** 2).mean().backward()
        optimiser.step()


@pytest.mark.parametrize("solution", [mended_psnr, mended_flip, mended_steps])
def test_lesson_10_accepts_its_solutions(solution, capsys):
    getattr(clinic, solution.__name__)(solution)
    assert capsys.readouterr().out.count("right: ") >= 2


def wrapping_psnr(restored, clean):
    return 10 * np.log10(255**2 / np.mean((restored - clean) ** 2))


def two_coins(noisy, clean, generator):
    def toss(images):
        return images.flip(-1) if torch.rand((), generator=generator) < 0.5 else images

    return toss(noisy), toss(clean)


def gradients_that_stay(net, batches, lr):
    optimiser = torch.optim.SGD(net.parameters(), lr)
    for noisy, clean in batches:
        ((net(noisy) - clean) ** 2).mean().backward()
        optimiser.step()


def zeroed_too_late(net, batches, lr):
    optimiser = torch.optim.SGD(net.parameters(), lr)
    for noisy, clean in batches:
        ((net(noisy) - clean) ** 2).mean().backward()
        optimiser.zero_grad()
        optimiser.step()


@pytest.mark.parametrize(
    ("exercise", "wrong", "message"),
    [
        ("mended_psnr", wrapping_psnr, "wrapping_psnr(ndarray 8×8"),
        ("mended_psnr", lambda r, c: mended_psnr(r / 255, c / 255), "expected"),
        ("mended_psnr", lambda r, c: wrapping_psnr(r.astype(np.int8), c.astype(np.int8)), "gave"),
        ("mended_flip", two_coins, "pairs_that_fit of two_coins(100) gave"),
        ("mended_flip", lambda noisy, clean, _: (noisy, clean), "seen_both_ways"),
        ("mended_flip", lambda noisy, clean, _: (noisy.flip(-1), clean.flip(-1)), "seen_both_ways"),
        ("mended_steps", gradients_that_stay, "weight_after_steps of gradients_that_stay(2) gave"),
        ("mended_steps", zeroed_too_late, "(1) gave 1, expected"),
        ("mended_steps", lambda net, batches, lr: mended_steps(net, batches, 2 * lr), "(1) gave"),
    ],
)
def test_lesson_10_refuses_what_is_wrong(exercise, wrong, message):
    with pytest.raises(AssertionError, match="^not yet: ") as error:
        getattr(clinic, exercise)(wrong)
    assert message in str(error.value)


def test_lesson_10_leaves_open_exercises_open(capsys):
    def later(*_):
        raise NotImplementedError

    for exercise in ("mended_psnr", "mended_flip", "mended_steps"):
        getattr(clinic, exercise)(later)
    assert capsys.readouterr().out.count("later: still open") == 3


# ---------------------------------------------------------- lesson 08, one model and three tasks

Y_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255


def with_luma(rgb, y):
    change = y - 16 / 255 - rgb @ Y_WEIGHTS
    return rgb + change[..., None] / Y_WEIGHTS.sum()


def enlarged(clean, scale, *, crop=True, first=True, second=True):
    def rounded(image, yes=True):
        return (image * 255).round().clamp(0, 255) / 255 if yes else image

    if crop:
        clean = clean[: len(clean) // scale * scale, : clean.shape[1] // scale * scale]
    height, width = clean.shape
    small = rounded(resize(clean, (height // scale, width // scale)), first)
    return rounded(resize(small, (height, width)), second)


def into_the_box(coefficients, stored, table):
    off = coefficients / table - stored
    return table * (stored + np.minimum(np.maximum(off, -0.5), 0.5))


@pytest.mark.parametrize("solution", [with_luma, enlarged, into_the_box])
def test_lesson_08_accepts_its_solutions(solution, capsys):
    getattr(tasks, solution.__name__)(solution)
    assert capsys.readouterr().out.count(f"right: {solution.__name__}(") >= 2


def every_third(clean, scale):
    """Not antialiased."""
    height, width = (side // scale * scale for side in clean.shape)
    small = (clean[:height:scale, :width:scale] * 255).round() / 255
    return (resize(small, (height, width)) * 255).round().clamp(0, 255) / 255


@pytest.mark.parametrize(
    ("exercise", "wrong", "message"),
    [
        ("with_luma", lambda rgb, y: rgb, "expected ndarray 4×5×3"),
        ("with_luma", lambda rgb, y: np.dstack([y, y, y]), "expected ndarray 4×5×3"),
        ("with_luma", lambda rgb, y: y, "gave ndarray 4×5 with"),
        ("with_luma", lambda rgb, y: rgb + (y - 16 / 255 - rgb @ Y_WEIGHTS)[..., None], "expected"),
        ("enlarged", lambda x, s: enlarged(x, s, crop=False), "gave tensor 20×19"),
        ("enlarged", lambda x, s: enlarged(x, s, first=False), "expected tensor 12×18"),
        ("enlarged", lambda x, s: enlarged(x, s, second=False), "expected tensor 12×18"),
        ("enlarged", every_third, "expected tensor 12×18"),
        ("into_the_box", lambda c, s, t: c, "expected ndarray 8×8"),
        ("into_the_box", lambda c, s, t: s * t, "expected ndarray 8×8"),
        ("into_the_box", lambda c, s, t: np.clip(c, (s - 1) * t, (s + 1) * t), "expected"),
        ("into_the_box", lambda c, s, t: np.clip(c, s - 0.5, s + 0.5), "expected"),
    ],
)
def test_lesson_08_refuses_what_is_wrong(exercise, wrong, message):
    with pytest.raises(AssertionError, match="^not yet: ") as error:
        getattr(tasks, exercise)(wrong)
    assert message in str(error.value)


def test_lesson_08_leaves_open_exercises_open(capsys):
    def later(*_):
        raise NotImplementedError

    for exercise in ("with_luma", "enlarged", "into_the_box"):
        getattr(tasks, exercise)(later)
    assert capsys.readouterr().out.count("later: still open") == 3
