"""A camera in tensors: from an sRGB picture back to the light on its sensor, and from there to a
picture. ``degrade.CameraNoise`` puts noise in between.

Steps and gains after Brooks et al., "Unprocessing Images for Learned Raw Denoising", CVPR 2019,
without their tone curve and colour matrix.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

WHITE_BALANCE = (2.1, 1.0, 1.7)
"""What the camera multiplies red, green and blue by, in daylight; the middle of Brooks et al."""

_ISO = (100, 400, 1600, 3200, 6400, 12800, 25600)
_SHOT = (3.4e-6, 1.0e-5, 3.7e-5, 7.3e-5, 1.4e-4, 2.5e-4, 4.2e-4)
_READ = (4e-9, 2e-8, 1.3e-7, 3.0e-7, 7.9e-7, 1.6e-6, 2.8e-6)
"""The noise of 374 cameras as darktable 4.2.1 measured it (``noiseprofiles.json``): the median of
the green channel."""

FINEST = 12.5
"""How much stronger than darktable's number the variance of a pixel is. It measures in the finest
Haar band of a demosaiced picture (``tools/noise/noiseprofile.c``). There white noise of variance 1
has 1/4, since that band is not normalised, and the green of its demosaicing by gradients 1/12.5:
neighbours have their noise in common. The electrons counted in three cameras say 9.5 to 17.7."""

PHONE = FINEST / 30
"""The light that a phone's pixel gathers, relative to those cameras. It makes a at ISO 100 to
25,600 1e-4 to 1.3e-2, the range that Brooks et al. draw from."""


def sensor_noise(iso: Tensor) -> tuple[Tensor, Tensor]:
    """(a, b) of the variance a·x + b of a pixel's noise at light x in [0, 1]: shot and read noise
    of the median of many cameras, straight lines between the measured ISO on logarithmic scales.
    1 / a is the electrons in a white pixel.

    iso: any shape; a and b have the same. Beyond 100 to 25,600 they stay at those of the ends.
    """
    at = iso.log().cpu().numpy()
    known = (FINEST * np.array(measured) for measured in (_SHOT, _READ))
    a, b = (np.exp(np.interp(at, np.log(_ISO), np.log(values))) for values in known)
    return torch.as_tensor(a).to(iso), torch.as_tensor(b).to(iso)


def to_linear(image: Tensor) -> Tensor:
    """Light, in proportion to photons, of sRGB values: [0, 1] to [0, 1] (IEC 61966-2-1)."""
    bright = ((image.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(image <= 0.04045, image / 12.92, bright)


def to_srgb(light: Tensor) -> Tensor:
    """The inverse of ``to_linear``; light outside [0, 1] is clipped, as a file does."""
    light = light.clamp(0, 1)
    bright = 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, 12.92 * light, bright)


def balance(like: Tensor) -> Tensor:
    """``WHITE_BALANCE`` for a batch (B, 3, H, W); 1 for a grey one, of a camera without colours."""
    return like.new_tensor(WHITE_BALANCE if like.shape[1] == 3 else (1.0,)).view(1, -1, 1, 1)


def bayer(height: int, width: int) -> Tensor:
    """Which colour the filter over each pixel lets through: (3, H, W) of 0 and 1, from the top left
    red, green, red …, and below green, blue, green …"""
    masks = torch.zeros(3, height, width)
    masks[0, ::2, ::2] = masks[2, 1::2, 1::2] = 1
    masks[1] = 1 - masks[0] - masks[2]
    return masks


def mosaic(light: Tensor) -> Tensor:
    """What a sensor behind a Bayer filter records: (B, 3, H, W) to (B, 1, H, W), one colour a
    pixel. A grey batch is recorded as it is."""
    if light.shape[1] == 1:
        return light
    return (light * bayer(*light.shape[-2:]).to(light)).sum(1, keepdim=True)


def demosaic(raw: Tensor, channels: int = 3) -> Tensor:
    """The colours that a pixel has not recorded, as the mean of its neighbours that have (bilinear
    demosaicing): (B, 1, H, W) to (B, 3, H, W). channels: 1 leaves the recording as it is."""
    if channels == 1:
        return raw
    masks = bayer(*raw.shape[-2:]).to(raw)[None]
    corners, cross = [[1, 2, 1], [2, 4, 2], [1, 2, 1]], [[0, 1, 0], [1, 4, 1], [0, 1, 0]]
    weights = raw.new_tensor([corners, cross, corners])[:, None]
    known = nn.functional.conv2d(masks, weights, padding=1, groups=3)
    total = nn.functional.conv2d(raw * masks, weights, padding=1, groups=3)
    return total / known.clamp(min=1)


def develop(raw: Tensor, channels: int = 3) -> Tensor:
    """From a sensor to a picture: demosaicing, white balance, sRGB. (B, 1, H, W) to (B, C, H, W)
    with values in [0, 1]."""
    light = demosaic(raw, channels)
    return to_srgb(light * balance(light))
