"""Answers to the exercises of lesson 00. ``start.sample_image`` and ``start.load_pretrained`` are
looked up when they are called: the tests put something quick in their place."""

import math

import numpy as np
from skimage.metrics import peak_signal_noise_ratio

import dncnn_lib as dn
from dncnn_lib.keys import start


def psnr(image, clean, white=1.0):
    return peak_signal_noise_ratio(clean, np.clip(image, -9, 9), data_range=white)


def parts(picture, sigma, seed=0):
    """Clean, noisy, restored."""
    clean = start.sample_image(picture) if isinstance(picture, str) else picture
    noisy = dn.add_gaussian_noise(clean, sigma, seed=seed)
    return clean, noisy, dn.denoise(noisy, start.load_pretrained("dncnn-b"))


def gain(name, sigma):
    clean, noisy, restored = parts(name, sigma)
    return psnr(restored, clean) - psnr(noisy, clean)


def gain_of_another_draw(name, sigma):
    clean, noisy, restored = parts(name, sigma, seed=1)
    return psnr(restored, clean) - psnr(noisy, clean)


def gain_as_a_ratio_of_errors(name, sigma):
    clean, noisy, restored = parts(name, sigma)
    return 10 * np.log10(((noisy - clean) ** 2).sum() / ((restored - clean) ** 2).sum())


def gain_of_compare(name, sigma):
    model = start.load_pretrained("dncnn-b")
    return np.float32(dn.compare(start.sample_image(name), dn.GaussianNoise(sigma), model).gain)


def without_noise(picture):
    clean, _, restored = parts(picture, 0)
    return psnr(restored, clean)


def without_noise_by_hand(picture):
    clean, _, restored = parts(picture, 0)
    return -20 * math.log10(np.sqrt(np.mean((restored - clean) ** 2)))


def without_noise_of_compare(picture):
    model = start.load_pretrained("dncnn-b")
    return dn.compare(picture, lambda clean, _: clean, model).psnr


def against_noisy(name, sigma):
    clean, noisy, restored = parts(name, sigma)
    return psnr(restored, noisy) - psnr(noisy, clean)


RIGHT = {
    "gain": [gain, gain_as_a_ratio_of_errors, gain_of_compare],
    "without_noise": [without_noise, without_noise_by_hand, without_noise_of_compare],
}
WRONG = {
    "gain": [
        ("not the other way round", lambda name, sigma: -gain(name, sigma)),
        ("how much had the noisy picture?", lambda n, s: psnr(parts(n, s)[2], parts(n, s)[0])),
        ("of the noisy picture alone", lambda n, s: psnr(parts(n, s)[1], parts(n, s)[0])),
        ("subtract them", lambda n, s: 1 + gain(n, s) / psnr(*parts(n, s)[1::-1])),
        ("against the clean picture", against_noisy),
        ("does sigma arrive?", lambda name, sigma: gain(name, 25)),
        ("is the seed 0?", gain_of_another_draw),
        ("too large", lambda name, sigma: gain(name, sigma) + 1),
        ("too small", lambda name, sigma: -99),
    ],
    "without_noise": [
        ("the clean picture with itself", lambda x: float("inf")),
        ("got a noisy picture", lambda x: psnr(parts(x, 25)[2], parts(x, 25)[0])),
        ("white is 1", lambda x: without_noise(x) + 20 * np.log10(255)),
        ("not yet in decibels", lambda x: np.mean((parts(x, 0)[2] - parts(x, 0)[0]) ** 2)),
        ("see the sign", lambda x: -without_noise(x)),
        ("is too", lambda x: 50.8),
        ("must give a number", lambda x: parts(x, 0)[2]),
    ],
}
