"""Answers to the exercises of lesson 03."""

import torch
from torch import nn

from dncnn_lib.model import DnCNN


def field_by_brute_force(depth, kernel, dilation):
    """What of an impulse comes through, from afar."""
    signal = torch.zeros(1, 1, 401, dtype=torch.float64)
    signal[..., 200] = 1
    weight = torch.ones(1, 1, kernel, dtype=torch.float64) / kernel
    for _ in range(depth):
        signal = nn.functional.conv1d(
            signal, weight, padding=dilation * (kernel // 2), dilation=dilation
        )
    spots = signal[0, 0].nonzero()
    return spots.max() - spots.min() + 1


def field_layer_by_layer(depth, kernel, dilation):
    side = 1
    for _ in range(depth):
        side += 2 * dilation * (kernel // 2)
    return side


def conv(inputs, outputs, bias=False, **options):
    return nn.Conv2d(inputs, outputs, 3, **{"padding": 1, "bias": bias, **options})


def layers(depth, *, width=64, more=0, first=(), after=(), last=(), bias=False, **options):
    """A DnCNN, or one with faults. after: what follows a convolution in the middle."""
    after = after or (nn.BatchNorm2d, nn.ReLU)
    found = [conv(1, width, **options), *first, nn.ReLU()]
    for _ in range(depth - 2 + more):
        found.append(conv(width, width, bias))
        found += [kind(width) if kind is nn.BatchNorm2d else kind() for kind in after]
    return [*found, conv(width, 1), *last]


def nested(depth):
    middle = [
        nn.Sequential(conv(64, 64), nn.BatchNorm2d(64), nn.ReLU(inplace=True))
        for _ in range(depth - 2)
    ]
    head = nn.Sequential(nn.Conv2d(1, 64, 3, padding="same"), nn.ReLU())
    return nn.Sequential(head, nn.Sequential(*middle), nn.Conv2d(64, 1, (3, 3), padding=(1, 1)))


def one_relu(depth):
    relu = nn.ReLU()
    found = [nn.Conv2d(1, 64, 3, 1, 1), relu]
    for _ in range(depth - 2):
        found.extend((conv(64, 64), nn.BatchNorm2d(64), relu))
    return tuple(found) + (nn.Identity(), conv(64, 1))


def one_middle_layer(depth):
    middle = [conv(64, 64), nn.BatchNorm2d(64), nn.ReLU()]
    return [conv(1, 64), nn.ReLU(), *(depth - 2) * middle, conv(64, 1)]


def kernels_of_five(depth):
    found = layers(depth)
    found[2] = nn.Conv2d(64, 64, 5, padding=2, bias=False)
    return found


def dilated(depth):
    found = layers(depth)
    found[-1] = nn.Conv2d(64, 1, 3, padding=2, dilation=2)
    return found


def without_scale(depth):
    found = layers(depth)
    return [nn.BatchNorm2d(64, affine=False) if isinstance(x, nn.BatchNorm2d) else x for x in found]


def read(start, stop, length, overlap):
    rows = range(length)[max(start - overlap, 0) : stop + overlap]
    return rows.start, rows.stop, rows.index(start)


def read_with_ifs(start, stop, length, overlap):
    low, high = start - overlap, stop + overlap
    if low < 0:
        low = 0
    if high > length:
        high = length
    return [low, high, start - low]


def read_as_a_tensor(start, stop, length, overlap):
    ends = torch.tensor([start - overlap, stop + overlap]).clamp(0, length)
    return torch.cat([ends, start - ends[:1]])


RIGHT = {
    "field_side": [
        lambda d, k, s: 1 + d * s * (k - 1),
        lambda d, k, s: float(d * ((k - 1) * s + 1) - (d - 1)),
        field_by_brute_force,
        field_layer_by_layer,
    ],
    "mended_layers": [
        layers,
        nested,
        one_relu,
        lambda depth: nn.ModuleList(layers(depth)),
        lambda depth: DnCNN(depth).layers,
    ],
    "what_to_read": [read, read_with_ifs, read_as_a_tensor],
}
WRONG = {
    "field_side": [
        ("3×3 only", lambda d, k, s: 2 * d * s + 1),
        ("does dilation widen", lambda d, k, s: 1 + d * (k - 1)),
        ("the pixel in the middle?", lambda d, k, s: d * (k - 1) * s),
        ("to which sides", lambda d, k, s: 1 + d * s * (k - 1) / 2),
        ("the layer before it", lambda d, k, s: s * (k - 1) + 1),
        ("neighbouring kernels overlap", lambda d, k, s: d * k * s),
        ("does not multiply", lambda d, k, s: k**d),
        ("first layer counted", lambda d, k, s: k + (d - 2) * (k - 1) * s if d > 1 else 1),
        ("from layer to layer", lambda d, k, s: 1 + (k - 1) * sum(s**n for n in range(d))),
        ("the area", lambda d, k, s: (1 + d * (k - 1) * s) ** 2),
        ("too large", lambda d, k, s: 2 + d * (k - 1) * s),
    ],
    "mended_layers": [
        ("depth counts all of them", lambda d: layers(d, more=1)),
        ("depth counts all of them", lambda d: layers(d, more=-1)),
        ("what follows the first", lambda d: layers(d, first=[nn.BatchNorm2d(64)])),
        ("what follows the last", lambda d: layers(d, last=[nn.ReLU()])),
        ("in which order", lambda d: layers(d, after=(nn.ReLU, nn.BatchNorm2d))),
        ("in which order", lambda d: layers(d, after=(nn.BatchNorm2d, nn.LeakyReLU))),
        ("in which order", lambda d: layers(d, after=(nn.ReLU,))),
        ("a grey image, 64 wide", lambda d: layers(d, width=32)),
        ("3×3 neighbours", kernels_of_five),
        ("3×3 neighbours", dilated),
        ("3×3 neighbours", lambda d: layers(d, padding_mode="reflect")),
        ("is every layer padded", lambda d: layers(d, padding=0)),
        ("becomes of a bias", lambda d: layers(d, bias=True)),
        ("the same object twice", one_middle_layer),
        ("the same object twice", without_scale),
        ("must give a list of layers", lambda d: ["Conv2d", "ReLU"]),
        ("must give a list of layers", lambda d: nn.Conv2d(1, 64, 3)),
        ("must give a list of layers", lambda d: None),
    ],
    "what_to_read": [
        ("above the first row there", lambda a, b, n, o: (a - o, b + o, o)),
        ("below the last row there", lambda a, b, n, o: (max(a - o, 0), b + o, min(a, o))),
        (
            "row that is not read",
            lambda a, b, n, o: (read(a, b, n, o)[0], min(b + o, n) - 1, min(a, o)),
        ),
        ("so many rows read", lambda a, b, n, o: (*read(a, b, n, o)[:2], o)),
        ("its first is row low", lambda a, b, n, o: (*read(a, b, n, o)[:2], a)),
        ("how many rows is that", lambda a, b, n, o: (*read(a, b, n, o)[:2], max(a - o, 0))),
        ("nothing is dropped", lambda a, b, n, o: (*read(a, b, n, o)[:2], 0)),
        ("rows below the tile", lambda a, b, n, o: (max(a - o, 0), b, min(a, o))),
        ("rows above the tile", lambda a, b, n, o: (a, min(b + o, n), 0)),
        ("on each side", lambda a, b, n, o: read(a, b, n, o // 2)),
        ("(value 2 of 3)", lambda a, b, n, o: (max(a - o, 0), n + 1, min(a, o))),
        ("must give 3 values", lambda a, b, n, o: read(a, b, n, o)[:2]),
    ],
}
