"""Answers to the exercises of lessons 12 and 12b."""

import math

import numpy as np
import torch
from torch.nn.functional import pad, unfold


def noise_map(image, gain, read):
    return 255 * np.sqrt(gain * image.clip(0) + read**2)


def noise_map_of_255(image, gain, read):
    bright = np.maximum(255 * image, 0)
    return np.sqrt(255 * gain * bright + (255 * read) ** 2)


def noise_map_in_a_loop(image, gain, read):
    result = torch.empty(image.shape, dtype=torch.float64)
    for place, x in np.ndenumerate(image):
        result[place] = 255 * math.hypot(read, math.sqrt(gain * x) if x > 0 else 0)
    return result


def darkened(image, gain, read):
    image *= image > 0
    return noise_map(image, gain, read)


def clean_psnr(loss, sigma):
    return 10 * math.log10(1 / (loss - sigma**2 / 255**2))


def clean_psnr_of_255(loss, sigma):
    return 20 * np.log10(255 / np.sqrt(255**2 * loss - sigma**2))


def hide(noisy, hidden, generator):
    """A roll by another place for every pixel."""
    places = [(i, j) for i in range(-2, 3) for j in range(-2, 3) if (i, j) != (0, 0)]
    rolled = torch.stack([torch.roll(noisy, place, (2, 3)) for place in places])
    lot = torch.randint(24, (1, *noisy.shape), generator=generator)
    return torch.where(hidden, rolled.gather(0, lot)[0], noisy)


def hide_with_unfold(noisy, hidden, generator):
    n, _, h, w = noisy.shape
    around = unfold(pad(noisy, (2, 2, 2, 2), mode="reflect"), 5).view(n, 25, h, w)
    lot = torch.randint(24, (n, 1, h, w), generator=generator)
    return torch.where(hidden, around.gather(1, lot + (lot >= 12)), noisy)


def hide_in_a_loop(noisy, hidden, generator):
    result = noisy.clone()
    height, width = noisy.shape[2:]
    for n, c, i, j in hidden.nonzero().tolist():
        di = dj = 0
        while (di, dj) == (0, 0):
            di, dj = (torch.randint(5, (2,), generator=generator) - 2).tolist()
        result[n, c, i, j] = noisy[n, c, (i + di) % height, (j + dj) % width]
    return result


def drawn(places, generator=None, batch=False):
    """As ``hide``, from these places only, with faults."""

    def function(noisy, hidden, chance):
        source = chance if generator is None else generator()
        rolled = torch.stack([torch.roll(noisy, place, (2, 3)) for place in places])
        shape = (1, 1, 1, 1, 1) if batch else (1, *noisy.shape)
        lot = torch.randint(len(places), shape, generator=source).expand(1, *noisy.shape)
        return torch.where(hidden, rolled.gather(0, lot)[0], noisy)

    return function


ALL = [(i, j) for i in range(-2, 3) for j in range(-2, 3)]
OTHERS = [place for place in ALL if place != (0, 0)]
FAR = [(i, j) for i in range(-3, 4) for j in range(-3, 4) if (i, j) != (0, 0)]
NEAR = [(i, j) for i in range(-1, 2) for j in range(-1, 2) if (i, j) != (0, 0)]


def hide_in_place(noisy, hidden, generator):
    noisy[:] = hide(noisy, hidden, generator)
    return noisy


def noise_instead(noisy, hidden, generator):
    return torch.where(hidden, torch.randn(noisy.shape, generator=generator), noisy)


RIGHT = {
    "noise_map": [noise_map, noise_map_of_255, noise_map_in_a_loop],
    "clean_psnr": [
        clean_psnr,
        clean_psnr_of_255,
        lambda loss, s: torch.tensor(loss - (s / 255) ** 2, dtype=torch.float64).log10() * -10,
    ],
    "hide": [hide, hide_with_unfold, hide_in_a_loop],
}
WRONG = {
    "noise_map": [
        ("on the 0–255 scale", lambda *c: noise_map(*c) / 255),
        ("its root", lambda x, g, r: 255 * (g * x.clip(0) + r**2)),
        ("255² times", lambda x, g, r: np.sqrt(255 * (g * x.clip(0) + r**2))),
        ("variances add", lambda x, g, r: 255 * (np.sqrt(g * x.clip(0)) + r)),
        ("gain · brightness a variance", lambda x, g, r: 255 * np.sqrt(g * x.clip(0) + r)),
        ("does not depend on", lambda x, g, r: 255 * np.sqrt(g * x.clip(0))),
        ("grows with the brightness", lambda x, g, r: 255 * r + 0 * x),
        ("a variance has none", lambda x, g, r: 255 * np.sqrt(g * x + r * r)),
        ("not that of |x|", lambda x, g, r: 255 * np.sqrt(g * abs(x) + r * r)),
        ("not one for the picture", lambda x, g, r: 0 * x + noise_map(x.mean(), g, r)),
        ("changed what it was given", darkened),
    ],
    "clean_psnr": [
        ("still in the loss", lambda loss, s: -10 * math.log10(loss)),
        ("only the targets'", lambda loss, s: -10 * math.log10(abs(loss - 2 * s**2 / 255**2))),
        ("do not add", lambda loss, s: -10 * math.log10(abs(loss - s / 255))),
        ("larger than the error", lambda loss, s: -10 * math.log10(loss + s**2 / 255**2)),
        ("is on the 0–255 scale", lambda loss, s: -10 * math.log10(abs(loss - s**2))),
        ("10, not 20", lambda loss, s: 2 * clean_psnr(loss, s)),
        ("what is the sign", lambda loss, s: 10 * math.log10(loss - s**2 / 255**2)),
        ("this is the error", lambda loss, s: loss - s**2 / 255**2),
        ("PSNR of the targets", lambda loss, s: 20 * math.log10(255 / s)),
    ],
    "hide": [
        ("are not hidden stay", lambda noisy, *_: torch.zeros_like(noisy)),
        ("leave the rest as it is", lambda noisy, *_: noisy + 1),
        ("and no others do", lambda noisy, *_: noisy.clone()),
        ("and no others do", drawn(ALL)),
        ("and no others do", lambda y, h, g: hide(y, ~h, g) if h.any() else y.clone()),
        ("at most two rows", drawn(FAR)),
        ("at most two rows", noise_instead),
        ("at most two rows", lambda y, h, g: torch.where(h, 0.0, y)),
        ("all 24 neighbours", drawn(NEAR)),
        ("all 24 neighbours", drawn(OTHERS, batch=True)),
        ("generator that is passed on", drawn(OTHERS, lambda: None)),
        ("generator that is passed on", drawn(OTHERS, lambda: torch.Generator().manual_seed(1))),
        ("changed what it was given", hide_in_place),
        ("the wrong shape", lambda *case: hide(*case)[0]),
    ],
}
