"""Answers to the exercises of lesson 01."""

import math

import numpy as np
import torch
from skimage.metrics import peak_signal_noise_ratio


def psnr(restored, clean, peak=None, root=False):
    peak = peak or (255 if clean.dtype == np.uint8 else 1)
    error = np.mean((restored.astype(float) - clean.astype(float)) ** 2)
    return 10 * np.log10((peak if root else peak**2) / error)


def psnr_in_a_loop(restored, clean):
    total = 0.0
    for a, b in zip(restored.ravel().tolist(), clean.ravel().tolist()):
        total += (a - b) ** 2
    peak = 255 if "int" in str(clean.dtype) else 1
    return 20 * math.log10(peak) - 10 * math.log10(total / clean.size)


def psnr_in_torch(restored, clean):
    scale = 255 if clean.dtype == np.uint8 else 1
    a, b = (torch.tensor(image, dtype=torch.float32) / scale for image in (restored, clean))
    return -10 * torch.log10(torch.nn.functional.mse_loss(a, b))


def psnr_of_skimage(restored, clean):
    return peak_signal_noise_ratio(clean, restored, data_range=255 if clean.dtype == "u1" else 1)


def overwriting_psnr(restored, clean):
    decibels = psnr(restored, clean)
    restored -= clean
    return decibels


def shots(sigma, decibels):
    return (sigma / (255 / 10 ** (decibels / 20))) ** 2


def shots_needed(sigma, decibels):
    return max(1, int(np.ceil(shots(sigma, decibels))))


def shots_one_by_one(sigma, decibels):
    n = 1
    while 20 * math.log10(255 / (sigma / math.sqrt(n))) < decibels:
        n += 1
    return n


def shots_from_decibels(sigma, decibels):
    missing = decibels - 20 * np.log10(255 / sigma)
    return np.maximum(np.ceil(10 ** (missing / 10)), 1)


def wrong_psnr(error):
    """From a function for the mean squared error."""

    def function(y, x):
        with np.errstate(divide="ignore"):
            return 10 * np.log10((255 if x.dtype == "u1" else 1) ** 2 / error(y, x))

    return function


def psnr_in(dtype, difference=None):
    """Bytes are made that type, and their differences, or else those of floats."""

    def function(y, x):
        if x.dtype != np.uint8:
            return psnr(y, x)
        off = y.astype(dtype).astype(difference or dtype) - x.astype(dtype)
        return 10 * np.log10(255**2 / np.mean(off**2))

    return function


RIGHT = {
    "sigma_for_psnr": [
        lambda db: 255 / 10 ** (db / 20),
        lambda db: np.sqrt(65025 * 10 ** (-db / 10)),
        lambda db: torch.exp(torch.tensor(-db * math.log(10) / 20)) * 255,
        lambda db: np.array(255 * np.power(10.0, -db / 20)),
    ],
    "my_psnr": [psnr, psnr_in_a_loop, psnr_in_torch, psnr_of_skimage],
    "shots_needed": [
        shots_needed,
        shots_one_by_one,
        shots_from_decibels,
        lambda s, db: max(-int(-(s**2) * 10 ** (db / 10) // 255**2), 1),
    ],
}
WRONG = {
    "sigma_for_psnr": [
        ("pixels from 0 to 1", lambda db: 10 ** (-db / 20)),
        ("turn the formula round", lambda db: 20 * math.log10(255 / db)),
        ("10 or 20 times", lambda db: 255 / 10 ** (db / 10)),
        ("the variance", lambda db: (255 / 10 ** (db / 20)) ** 2),
        ("less noise", lambda db: 255 * 10 ** (db / 20)),
        ("base 10", lambda db: 255 * np.exp(-db / 20)),
        ("behind the point", lambda db: 255 / 10 ** (db // 20)),
        ("too small", lambda db: 254 / 10 ** (db / 20)),
        ("must give a number", lambda db: [255 / 10 ** (db / 20)]),
        ("must give a number", lambda db: f"{255 / 10 ** (db / 20)}"),
    ],
    "my_psnr": [
        ("wrap around", wrong_psnr(lambda y, x: np.mean((y - x) ** 2))),
        ("before it became a float", wrong_psnr(lambda y, x: np.mean((y - x).astype(float) ** 2))),
        ("into 16 bits", psnr_in(np.int16)),
        ("ends at 127", psnr_in(np.int8, float)),
        ("not to their values", lambda y, x: psnr(y, x, 255 if x.max() > 1 else 1)),
        ("brightest present", lambda y, x: psnr(y, x, float(x.max()))),
        ("float32 included", lambda y, x: psnr(y, x, 1 if x.dtype == float else 255)),
        ("further than 1", lambda y, x: psnr(y, x, 1)),
        (
            "into whole numbers",
            wrong_psnr(lambda y, x: np.mean((y.astype(int) - x.astype(int)) ** 2)),
        ),
        ("is the peak?", lambda y, x: psnr(y, x, root=True)),
        ("not both", lambda y, x: 2 * psnr(y, x)),
        ("base 10", lambda y, x: psnr(y, x) * np.log(10)),
        ("see the sign", lambda y, x: -psnr(y, x)),
        ("not their sum", wrong_psnr(lambda y, x: ((y * 1.0 - x) ** 2).sum())),
        ("changed what it was given", overwriting_psnr),
        ("is too", wrong_psnr(lambda y, x: np.abs(y * 1.0 - x).mean())),
    ],
    "shots_needed": [
        ("shots are whole", shots),
        ("which way do you round?", lambda s, db: max(1, int(shots(s, db)))),
        ("one shot is the least", lambda s, db: int(shots(s, db))),
        ("rounding to the nearest", lambda s, db: max(1, round(shots(s, db)))),
        ("comes out even", lambda s, db: int(shots(s, db)) + 1),
        ("σ/√n, not σ/n", lambda s, db: math.ceil(s * 10 ** (db / 20) / 255)),
        ("10 or 20 times", lambda s, db: math.ceil((s * 10 ** (db / 10) / 255) ** 2)),
        ("sometimes falls short", lambda s, db: max(1, math.ceil(round(shots(s, db), 1)))),
        ("comes out even", lambda s, db: max(1, round(shots(s, db) + 0.5))),
        ("too small", lambda s, db: min(100, shots_needed(s, db))),
        ("too large", lambda s, db: 400),
    ],
}
