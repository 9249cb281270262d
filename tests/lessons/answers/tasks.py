"""Answers to the exercises of lesson 08."""

import numpy as np
import torch
from skimage.color import rgb2ycbcr, ycbcr2rgb
from torch.nn.functional import interpolate

import dncnn_lib as dn
from dncnn_lib.evaluation import super_resolution_case
from dncnn_lib.resize import resize

Y = np.array([65.481, 128.553, 24.966]) / 255


def luma(rgb):
    return rgb @ Y + 16 / 255


def with_luma(rgb, y):
    return rgb + (255 / 219) * (y - dn.luma(rgb))[..., None]


def with_luma_of_skimage(rgb, y):
    planes = rgb2ycbcr(rgb)
    planes[..., 0] = 255 * y
    return ycbcr2rgb(planes)


def with_luma_in_a_loop(rgb, y):
    found = rgb.copy()
    for row, column in np.ndindex(y.shape):
        change = y[row, column] - 16 / 255 - Y @ rgb[row, column]
        for channel in range(3):
            found[row, column, channel] += change / Y.sum()
    return torch.tensor(found)


def overwriting_luma(rgb, y):
    rgb += (255 / 219) * (y - luma(rgb))[..., None]
    return rgb


def only_red(rgb, y):
    return np.stack([y, rgb[..., 1], rgb[..., 2]], axis=-1)


def rounded(image):
    return (image * 255).round().clamp(0, 255) / 255


def as_it_is(image):
    return image


def enlarged(clean, scale, first=rounded, second=rounded, crop=True):
    if crop:
        clean = clean[: len(clean) // scale * scale, : clean.shape[1] // scale * scale]
    height, width = clean.shape
    return second(resize(first(resize(clean, (height // scale, width // scale))), (height, width)))


def enlarged_in_bytes(clean, scale):
    """In single precision, between bytes; halves away from zero."""
    height, width = (side - side % scale for side in clean.shape)
    small = resize(clean[None, :height, :width], (height // scale, width // scale))
    small = (255 * small.clip(0, 1) + 0.5).to(torch.uint8)
    large = resize(small.float(), (height, width))[0]
    return large.add(0.5).floor().clip(0, 255).numpy() / 255


def enlarged_by_the_library(clean, scale):
    return super_resolution_case(clean.numpy(), scale).degraded


def enlarged_by_torch(clean, scale):
    """Right but at the borders, where it leaves out what MATLAB mirrors."""
    height, width = (side // scale * scale for side in clean.shape)
    image = clean[None, None, :height, :width].double()
    for size in ((height // scale, width // scale), (height, width)):
        image = rounded(interpolate(image, size, mode="bicubic", antialias=True))
    return image[0, 0]


def unlimited(image):
    return (255 * image).round() / 255


def left_out(clean, scale):
    height, width = (side // scale * scale for side in clean.shape)
    return rounded(resize(rounded(clean[:height:scale, :width:scale]), (height, width)))


def never_reduced(clean, scale):
    height, width = (side // scale * scale for side in clean.shape)
    return rounded(clean[:height, :width])


def small_only(clean, scale):
    height, width = (side // scale for side in clean.shape)
    small = resize(clean[: height * scale, : width * scale], (height, width))
    return rounded(rounded(small))


def into_the_box(coefficients, stored, table):
    return np.clip(coefficients, (stored - 0.5) * table, (stored + 0.5) * table)


def box_in_steps(coefficients, stored, table):
    off = coefficients / table - stored
    return table * (stored + np.minimum(np.maximum(off, -0.5), 0.5))


def box_in_a_loop(coefficients, stored, table):
    found = np.zeros((8, 8))
    for place in np.ndindex(8, 8):
        low, high = ((stored[place] + end) * table[place] for end in (-0.5, 0.5))
        found[place] = min(max(coefficients[place], low), high)
    return found.tolist()


def overwriting_box(c, s, t):
    return np.clip(c, (s - 0.5) * t, (s + 0.5) * t, out=c)


RIGHT = {
    "with_luma": [with_luma, with_luma_of_skimage, with_luma_in_a_loop],
    "enlarged": [enlarged, enlarged_in_bytes, enlarged_by_the_library],
    "into_the_box": [
        into_the_box,
        box_in_steps,
        box_in_a_loop,
        lambda c, s, t: np.median([c, (s - 0.5) * t, (s + 0.5) * t], axis=0),
        lambda c, s, t: torch.tensor(c).clamp(
            torch.tensor((s - 0.5) * t), torch.tensor((s + 0.5) * t)
        ),
    ],
}
WRONG = {
    "with_luma": [
        ("where R, G and B have 255", lambda rgb, y: rgb + (y - luma(rgb))[..., None]),
        ("219 levels become", lambda rgb, y: rgb + 219 / 255 * (y - luma(rgb))[..., None]),
        ("or below", lambda rgb, y: rgb - 255 / 219 * (y - luma(rgb))[..., None]),
        ("begins at 16", lambda rgb, y: rgb + 255 / 219 * (y - rgb @ Y)[..., None]),
        ("its change is", lambda rgb, y: rgb + 255 / 219 * y[..., None]),
        ("ends at 235", lambda rgb, y: rgb + (y - rgb @ [0.299, 0.587, 0.114])[..., None]),
        ("differently", lambda rgb, y: rgb + 255 / 219 * (y - rgb.mean(2))[..., None]),
        ("the colour is gone", lambda rgb, y: np.dstack([y, y, y])),
        ("is the new Y used", lambda rgb, y: rgb),
        ("changes the chroma", lambda rgb, y: rgb * y[..., None] / luma(rgb)[..., None]),
        ("only one of", only_red),
        ("changed what it was given", overwriting_luma),
        ("the wrong shape", lambda rgb, y: y),
        ("values are off", lambda rgb, y: rgb + 255 / 219 * (y - luma(rgb)).mean()),
        ("values are off", lambda rgb, y: rgb + 255 / 219 * (y - luma(rgb[..., ::-1]))[..., None]),
    ],
    "enlarged": [
        ("nothing was cropped", lambda x, s: enlarged(x, s, crop=False)),
        ("the wrong side", lambda x, s: enlarged(x[len(x) % s :, x.shape[1] % s :], s)),
        ("is the small picture rounded", lambda x, s: enlarged(x, s, first=as_it_is)),
        ("network gets 8 bits", lambda x, s: enlarged(x, s, second=as_it_is)),
        ("are both pictures", lambda x, s: enlarged(x, s, as_it_is, as_it_is)),
        ("bicubic goes beyond", lambda x, s: enlarged(x, s, unlimited, unlimited)),
        ("values are off", lambda x, s: enlarged(x, s, lambda v: (255 * v).ceil() / 255)),
        (
            "to the nearest",
            lambda x, s: enlarged(x, s, *2 * [lambda v: (255 * v.clip(0, 1)).int().double() / 255]),
        ),
        ("pixels were left out", left_out),
        ("enlarged again", small_only),
        ("reduced first", never_reduced),
        ("these are bytes", lambda x, s: (255 * enlarged(x, s)).round().byte()),
        ("the wrong shape", lambda x, s: enlarged(x, s)[None, None]),
        ("values are off", enlarged_by_torch),
        ("changed what it was given", lambda x, s: (enlarged(x, s), x.zero_())[0]),
    ],
    "into_the_box": [
        ("stored as other numbers", lambda c, s, t: c),
        ("the middle of the box", lambda c, s, t: s * t),
        ("how wide is a box", lambda c, s, t: np.clip(c, (s - 1) * t, (s + 1) * t)),
        ("not a quarter", lambda c, s, t: np.clip(c, (s - 0.25) * t, (s + 0.25) * t)),
        ("in the table", lambda c, s, t: np.clip(c, s - 0.5, s + 0.5)),
        ("half a grey level", lambda c, s, t: np.clip(c, s * t - 0.5, s * t + 0.5)),
        ("this is in steps", lambda c, s, t: np.clip(c / t, s - 0.5, s + 0.5)),
        ("are compared in steps", lambda c, s, t: np.clip(c, s - 0.5, s + 0.5) * t),
        ("not to the middle", lambda c, s, t: np.where(abs(c / t - s) <= 0.5, c, s * t)),
        ("to whole steps", lambda c, s, t: np.rint(into_the_box(c, s, t) / t) * t),
        ("an upper end", lambda c, s, t: np.maximum(c, (s - 0.5) * t)),
        ("a lower end", lambda c, s, t: np.minimum(c, (s + 0.5) * t)),
        ("values are off", lambda c, s, t: np.where(s == 0, 0, into_the_box(c, s, t))),
        ("values are off", lambda c, s, t: np.sign(c) * into_the_box(abs(c), abs(s), t)),
        ("values are off", lambda c, s, t: np.clip(c, s * t, (s + 1) * t)),
        ("changed what it was given", overwriting_box),
    ],
}
