"""Record what a reader that is a small network finds in the layers of a large one (lesson 09).

    python data/record_lesson_09.py [--steps 200]

A reader is given the maps of one layer, and trained to tell the clean image and its fine detail.
The maps are those of ``dncnn-b`` (three readers of each layer, from three seeds) and of three
random networks of its depth; layer 0 is the noisy picture itself. Writes
``data/runs/lesson-09.csv``, a row for what each reader tells of the image and one for the detail,
measured on held-out pictures, and the settings beside it in ``lesson-09.json``. What is in the CSV
already is not trained again, so the script may be stopped and run again; a change of the settings
begins anew.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

import dncnn_lib as dn
from dncnn_lib.lessons.inside import activations, fine_detail, pieces, random_network
from dncnn_lib.records import RECORDS, read_comparison, write_comparison
from dncnn_lib.training import Step

SIGMA, STEPS = 25, 200
PATCHES, SIDE, BATCH = 64, 64, 6
WIDTH, DILATIONS = 24, (1, 2, 4, 8, 1)
RATE = 5e-3
LABELS = ["network", "layer", "target", "seed"]
TARGETS = ("image", "fine detail")


def readers() -> Iterator[tuple[str, int, int]]:
    """(network, layer, seed of the reader), for all that are trained."""
    for layer in (0, 4, 10, 18, 19, 20):
        for seed in (0, 1, 2):
            yield "dncnn-b", layer, seed
    for number in (1, 2, 3):
        for layer in (4, 10, 18, 19, 20):
            yield f"random {number}", layer, 0


def about(steps: int) -> dict[str, object]:
    """The settings, as they are kept beside the record."""
    return {
        "sigma": SIGMA,
        "reader": f"{len(DILATIONS)} convolutions of 3×3, {WIDTH} maps, ReLU between",
        "dilations": DILATIONS,
        "field": 1 + 2 * sum(DILATIONS),
        "training_data": f"{PATCHES} patches of {SIDE}×{SIDE} from small",
        "measured_on": "the squares of lessons.inside.pieces",
        "steps": steps,
        "batch_size": BATCH,
        "rate": f"Adam, at most {RATE}, warmed up and annealed",
        "loss": "mean squared error of both targets, each in units of its standard deviation",
    }


def reader(inputs: int, seed: int) -> nn.Sequential:
    """From maps (N, inputs, H, W) to both targets (N, 2, H, W)."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for dilation in DILATIONS:
        last = len(layers) == 2 * len(DILATIONS) - 2
        outputs = len(TARGETS) if last else WIDTH
        layers += [nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers[:-1])


def both(clean: Tensor) -> Tensor:
    """The targets: (N, 1, H, W) → (N, 2, H, W)."""
    return torch.cat([clean, fine_detail(clean)], dim=1)


def normalised(maps: Tensor, like: Tensor) -> Tensor:
    """``maps``, each less the mean of that of ``like``, over its standard deviation."""
    mean = like.mean((0, 2, 3), keepdim=True)
    return (maps - mean) / (like.std((0, 2, 3), keepdim=True) + 1e-9)


def read(
    maps: Tensor, clean: Tensor, seen: Tensor, shown: Tensor, steps: int, seed: int
) -> list[Step]:
    """Train a reader on ``maps`` (N, C, H, W) of the pictures ``clean`` and let it tell the
    pictures ``shown`` from their maps ``seen``: a ``Step`` for each of ``TARGETS``."""
    start = time.perf_counter()
    wanted = both(clean)
    net = reader(maps.shape[1], seed)
    inputs, targets = normalised(maps, maps), normalised(wanted, wanted)
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        some = torch.randint(len(maps), (BATCH,), generator=generator)
        loss = ((net(inputs[some]) - targets[some]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        told = net(normalised(seen, maps))
    told = told * wanted.std((0, 2, 3), keepdim=True) + wanted.mean((0, 2, 3), keepdim=True)
    errors = ((told - both(shown)) ** 2).mean((0, 2, 3))
    seconds = time.perf_counter() - start
    return [
        Step(steps, steps, loss.item(), 0.0, seconds, steps * BATCH, psnr)
        for psnr in (-10 * errors.log10()).tolist()
    ]


def chosen(net: dn.DnCNN, noisy: Tensor, layers: Sequence[int]) -> dict[int, Tensor]:
    """The maps of these layers."""
    maps = activations(net, noisy)
    return {layer: maps[layer] for layer in layers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=RECORDS / "lesson-09.csv")
    options = parser.parse_args()
    settled = about(options.steps)
    runs = read_comparison(options.out, settled) if options.out.exists() else {}

    noise = dn.GaussianNoise(SIGMA)
    sampler = dn.PatchSampler(dn.small_training_set(), patch_size=SIDE)
    clean = sampler.sample(PATCHES, torch.Generator().manual_seed(5))
    noisy = noise(clean, torch.Generator().manual_seed(6))
    shown = pieces()
    seen = noise(shown, torch.Generator().manual_seed(0))
    blind, name = dn.load_pretrained("dncnn-b"), None

    for network, layer, seed in readers():
        if (network, layer, TARGETS[1], seed) in runs:
            continue
        if network != name:
            name, number = network, network.removeprefix("random ")
            net = random_network(blind, seen, int(number)) if number.isdigit() else blind
            wanted = sorted({at for of, at, _ in readers() if of == network})
            parts = [chosen(net, part, wanted) for part in (*noisy.split(8), seen)]
        *training, held_out = (part[layer] for part in parts)
        found = read(torch.cat(training), clean, held_out, shown, options.steps, seed)
        for target, step in zip(TARGETS, found):
            runs[network, layer, target, seed] = [step]
            print(f"{network}, layer {layer}, seed {seed}, {target}: {step.val_psnr:.2f} dB")
        write_comparison(options.out, LABELS, runs, settled)


if __name__ == "__main__":
    main()
