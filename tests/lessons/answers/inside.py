"""Answers to the exercises of lesson 09."""

import numpy as np
import torch


def mse(told, wanted):
    return np.mean((told - wanted) ** 2)


def r_squared(told, wanted):
    return 1 - mse(told, wanted) / np.var(wanted)


def r_squared_in_torch(told, wanted):
    """As the lesson does: with the unbiased variance."""
    told, wanted = torch.from_numpy(told), torch.from_numpy(wanted)
    return 1 - ((told - wanted) ** 2).mean() / wanted.var()


def r_squared_of_sums(told, wanted):
    left = sum((t - w) ** 2 for t, w in zip(told.ravel(), wanted.ravel()))
    return (((wanted - wanted.mean()) ** 2).sum() - left) / ((wanted - wanted.mean()) ** 2).sum()


def turned_in_a_loop(filters):
    found = torch.empty_like(filters)
    height, width = filters.shape[2:]
    for i in range(height):
        for j in range(width):
            found[:, :, height - 1 - i, width - 1 - j] = filters[:, :, i, j]
    return found


def alike(told, wanted):
    return np.corrcoef(told.ravel(), wanted.ravel())[0, 1]


RIGHT = {
    "r_squared": [
        r_squared,
        r_squared_in_torch,
        r_squared_of_sums,
        lambda t, w: 1 - np.linalg.norm((t - w).ravel()) ** 2 / (w.size * np.float32(w.var())),
    ],
    "turned": [
        lambda f: f.flip(2, 3),
        lambda f: torch.rot90(f, 2, (-2, -1)),
        lambda f: f.numpy()[..., ::-1, ::-1],
        lambda f: f.flatten(2).flip(-1).view(f.shape),
        lambda f: f.rot90(1, (2, 3)).rot90(1, (2, 3)),
        lambda f: torch.stack([single.flip(-1, -2) for single in f]).float(),
        turned_in_a_loop,
    ],
    "tnrd_parameters": [
        lambda stages, filters, side, bumps: stages * filters * (side**2 + bumps),
        lambda s, f, a, b: sum(a * a + b for _ in range(s) for _ in range(f)),
        lambda s, f, a, b: np.int64(s) * (torch.zeros(f, a, a).numel() + torch.zeros(f, b).numel()),
    ],
}
WRONG = {
    "r_squared": [
        ("is left unexplained", lambda t, w: mse(t, w) / np.var(w)),
        ("not of saying 0", lambda t, w: 1 - mse(t, w) / np.mean(w**2)),
        ("the variance is that of", lambda t, w: 1 - mse(t, w) / np.var(t)),
        ("the mean is that of", lambda t, w: 1 - mse(t, w) / mse(t.mean(), w)),
        ("not the median", lambda t, w: 1 - mse(t, w) / mse(np.median(w), w)),
        ("an offset is an error", lambda t, w: 1 - np.var(t - w) / np.var(w)),
        ("a squared correlation", lambda t, w: alike(t, w) ** 2),
        ("this is a correlation", alike),
        ("not their roots", lambda t, w: 1 - np.sqrt(mse(t, w)) / np.std(w)),
        ("with the deviation", lambda t, w: 1 - mse(t, w) / np.std(w)),
        ("error of the mean be", lambda t, w: 1 - mse(t, w)),
        ("a mean of squares", lambda t, w: 1 - ((t - w) ** 2).sum() / np.var(w)),
        ("which of the two", lambda t, w: 1 - np.var(w) / mse(t, w)),
        ("opposite signs", lambda t, w: 1 - (t - w).mean() ** 2 / np.var(w)),
        ("still disagree", lambda t, w: np.var(t) / np.var(w)),
        ("too large", lambda t, w: max(0, r_squared(t, w))),
        ("too large", lambda t, w: max(-1, r_squared(t, w))),
        ("must give a number", lambda t, w: 1 - (t - w) ** 2 / np.var(w)),
    ],
    "turned": [
        ("as they were", lambda f: f),
        ("left and right only", lambda f: f.flip(3)),
        ("above and below only", lambda f: f.flip(2)),
        ("turns by 90°:"[:-1], lambda f: torch.rot90(f, 1, (2, 3))),
        ("the other way", lambda f: torch.rot90(f, 3, (2, 3))),
        ("rows and columns", lambda f: f.mT),
        ("stays in its place", lambda f: f.flip(0, 1, 2, 3)),
        ("turns none", lambda f: f.flip(0)),
        ("not negative", lambda f: -f),
        ("but also negative", lambda f: -f.flip(2, 3)),
        ("the wrong shape", lambda f: f.flip(2, 3)[:, 0]),
        ("values are off", lambda f: 2 * f.flip(2, 3)),
        ("values are off", lambda f: f.roll((1, 1), (2, 3))),
        ("the wrong shape", lambda f: f.transpose(0, 1).flip(2, 3)),
    ],
    "tnrd_parameters": [
        ("every filter has a φ", lambda s, f, a, b: s * (f * a**2 + b)),
        ("every stage has filters of", lambda s, f, a, b: f * a**2 + s * f * b),
        ("every stage has filters and", lambda s, f, a, b: f * (a**2 + b)),
        ("rows and columns", lambda s, f, a, b: s * f * (a + b)),
        ("need not be side² − 1", lambda s, f, a, b: s * (a**2 - 1) * (a**2 + b)),
        ("bumps of φ", lambda s, f, a, b: s * f * a**2),
        ("weights of the filters", lambda s, f, a, b: s * f * b),
        ("whatever the side", lambda s, f, a, b: s * f * a**2 * b),
        ("one weight of a filter", lambda s, f, a, b: s * f * (a**2 - 1 + b)),
        ("too large", lambda s, f, a, b: s * (f * (a**2 + b) + 1)),
        ("too large", lambda s, f, a, b: s * f * (2 * a**2 + b)),
    ],
}
