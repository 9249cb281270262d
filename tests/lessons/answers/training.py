"""Answers to the exercises of lesson 04."""

import math

import numpy as np
import torch
from torch import nn


def error(r, y, x):
    return r - (y - x)


def loss_in_a_loop(predicted, noisy, clean):
    total = 0.0
    for r, y, x in zip(predicted, noisy, clean):
        total += torch.linalg.vector_norm(y - x - r).item() ** 2
    return total / 2 / len(noisy)


def loss_in_numpy(predicted, noisy, clean):
    difference = (predicted + clean - noisy).numpy().astype(np.float64)
    return np.einsum("nchw,nchw->", difference, difference) / (2 * predicted.shape[0])


def overwriting_loss(predicted, noisy, clean):
    noisy -= clean
    predicted -= noisy
    return (predicted**2).sum() / (2 * len(noisy))


def decibels(loss, kind, patch, channels):
    mean = loss if kind == "mean" else 2 * loss / (patch**2 * channels)
    return -10 * np.log10(mean)


def decibels_of_the_root(loss, kind, patch, channels):
    if kind == "paper":
        loss = loss / (patch * patch * channels / 2)
    return 20 * math.log10(1 / math.sqrt(loss))


def rate(step, steps, peak, warm):
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (1 + np.cos(np.pi * (step + 1 - warm) / (steps - warm))) / 2


def rate_in_torch(step, steps, peak, warm):
    done = torch.tensor((step + 1 - warm) / (steps - warm), dtype=torch.float64)
    return torch.where(
        done <= 0, peak * (step + 1) / warm, peak * torch.cos(math.pi * done / 2) ** 2
    )


def rate_as_a_factor(step, steps, peak, warm):
    done = max(0, step + 1 - warm) / (steps - warm)
    return min(1, (step + 1) / warm) * peak * (0.5 + 0.5 * math.cos(done * math.pi))


RIGHT = {
    "paper_loss": [
        lambda r, y, x: (error(r, y, x) ** 2).sum() / (2 * len(y)),
        lambda r, y, x: nn.MSELoss(reduction="sum")(r, y - x) / 2 / y.size(0),
        lambda r, y, x: 0.5 * error(r, y, x).pow(2).flatten(1).sum(1).mean(),
        loss_in_a_loop,
        loss_in_numpy,
    ],
    "decibels": [
        decibels,
        decibels_of_the_root,
        lambda loss, kind, p, c: (
            torch.tensor(loss / {"mean": 1, "paper": p * p * c / 2}[kind]).log10().mul(-10)
        ),
    ],
    "learning_rate": [rate, rate_in_torch, rate_as_a_factor],
}
WRONG = {
    "paper_loss": [
        ("not x − y", lambda r, y, x: ((r - (x - y)) ** 2).sum() / (2 * len(y))),
        ("with the clean image", lambda r, y, x: ((r - x) ** 2).sum() / (2 * len(y))),
        ("with the noisy image", lambda r, y, x: ((r - y) ** 2).sum() / (2 * len(y))),
        ("the mean over all pixels", lambda r, y, x: (error(r, y, x) ** 2).mean()),
        ("patches, not pixels", lambda r, y, x: (error(r, y, x) ** 2).mean() / 2),
        ("where is the ½", lambda r, y, x: (error(r, y, x) ** 2).sum() / len(y)),
        ("not divided by N", lambda r, y, x: (error(r, y, x) ** 2).sum() / 2),
        ("without a root", lambda r, y, x: error(r, y, x).flatten(1).norm(dim=1).mean() / 2),
        ("not absolute values", lambda r, y, x: error(r, y, x).abs().sum() / (2 * len(y))),
        ("changed what it was given", overwriting_loss),
        ("must give a number", lambda r, y, x: (error(r, y, x) ** 2).sum((1, 2, 3)) / 2),
    ],
    "decibels": [
        (
            "over the channels already",
            lambda v, k, p, c: decibels(v / c if k == "mean" else v, k, p, c),
        ),
        ("is too small", lambda v, k, p, c: decibels(v * c if k == "mean" else v, k, p, c)),
        ("the paper's loss for a mean", lambda v, k, p, c: -10 * np.log10(v)),
        ("a mean for the paper's loss", lambda v, k, p, c: decibels(v, "paper", p, c)),
        ("halves the sum", lambda v, k, p, c: decibels(v if k == "mean" else v / 2, k, p, c)),
        ("wrong way round", lambda v, k, p, c: decibels(v if k == "mean" else v / 4, k, p, c)),
        ("rows and columns", lambda v, k, p, c: decibels(v, k, math.sqrt(p), c)),
        ("over the channels, too", lambda v, k, p, c: decibels(v, k, p, 1)),
        ("see the sign", lambda v, k, p, c: 10 * np.log10(10 ** (-decibels(v, k, p, c) / 10))),
        ("10 or 20 times", lambda v, k, p, c: 2 * decibels(v, k, p, c)),
        ("white is 1", lambda v, k, p, c: decibels(v / 255**2, k, p, c) if k == "mean" else 0),
        ("base 10", lambda v, k, p, c: decibels(v, k, p, c) / np.log10(np.e)),
        ("too large", lambda v, k, p, c: 99),
    ],
    "learning_rate": [
        ("count the steps from 1", lambda n, s, p, w: rate(n - 1, s, p, w)),
        ("one step behind", lambda n, s, p, w: rate(n, s, p, w) if n < w else rate(n - 1, s, p, w)),
        ("not always 10", lambda n, s, p, w: rate(n, s, p, 10)),
        ("not always 100", lambda n, s, p, w: rate(n, 100, p, w)),
        ("highest rate is", lambda n, s, p, w: rate(n, s, 1.0, w)),
        ("warm-up is missing", lambda n, s, p, w: p * (1 + math.cos(math.pi * (n + 1) / s)) / 2),
        ("the rate falls", lambda n, s, p, w: min(1, (n + 1) / w) * p),
        (
            "along a line",
            lambda n, s, p, w: p * (n + 1) / w if n < w else p * (s - n - 1) / (s - w),
        ),
        (
            "where the warm-up ends",
            lambda n, s, p, w: rate(n, s, p, w) if n < w else rate(n, s, p, 0),
        ),
        (
            "a quarter of a wave",
            lambda n, s, p, w: (
                rate(n, s, p, w) if n < w else p * math.cos(math.pi / 2 * (n + 1 - w) / (s - w))
            ),
        ),
        (
            "below 0 unlearns",
            lambda n, s, p, w: (
                rate(n, s, p, w) if n < w else p * math.cos(math.pi * (n + 1 - w) / (s - w))
            ),
        ),
        ("too large", lambda n, s, p, w: 2 * p),
    ],
}
