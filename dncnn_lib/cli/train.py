"""``train``: train a network by its recipe."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..making.recipes import Recipe, recipe
from ..making.run import checkpoints, is_finished
from ..making.run import run as run_recipe
from ..training import Step
from ._terminal import bar, table

SUMMARY = "train a network by its recipe, or resume its training"
HELP = """\
Train a network by its recipe. Interrupt it whenever you like: the same command resumes from
the last checkpoint, and ends with the weights of an uninterrupted run. Beside the weights it
writes the checkpoint (.ckpt), the record of training (.csv, a row for each report) and, at
the end, the card (.json: how it was trained, and its PSNR).

The PSNR reported during training is that of the recipe's set if it is on this machine (Set12
for the grey networks), otherwise of the samples. Images for --data: 'small', which ships with
the course and needs no network; 'bsd432', which most recipes use (BSDS500 without BSD68,
downloaded once, 32 MB); a set that info lists; or a folder.

examples:
  $ train dncnn-b
  $ train dncnn-3 --effort gpu
  $ train dncnn-b --data small --steps 500 --out runs/mine.safetensors"""


def add(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("recipe", metavar="RECIPE", help="a name that info lists, such as dncnn-b")
    option(
        "--effort",
        default="cpu",
        help="cpu (hours of two cores), gpu (minutes), paper (hours of a GPU)",
    )
    option("--steps", type=int, metavar="N", help="one stage of N steps instead of the recipe's")
    option("--out", metavar="FILE", help="the weights (default: runs/RECIPE.safetensors)")
    option("--data", metavar="SET", help="a set or a folder of images instead of the recipe's")
    devices = ("auto", "cpu", "cuda")
    option(
        "--device", default="auto", choices=devices, help="a GPU if there is one (default: auto)"
    )
    option("--precision", choices=("fp32", "bf16", "auto"), help="auto is bf16 where it is faster")
    option("--seed", type=int, metavar="N", help="of everything random, instead of the recipe's")
    option(
        "--checkpoint", metavar="FILE", help="to resume from (default: .ckpt beside the weights)"
    )
    option(
        "--validate",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="measure PSNR during training (default: yes)",
    )


def run(options: argparse.Namespace) -> int:
    chosen = _with_options(recipe(options.recipe, options.effort), options)
    out = Path(options.out or f"runs/{chosen.name}.safetensors")
    checkpoint = Path(options.checkpoint or out.with_suffix(".ckpt"))
    if is_finished(chosen, out, options.data):
        print(f"{out} is this network, fully trained; choose another --out to train it again")
        return 0
    steps = run_recipe(
        chosen,
        out,
        data=options.data,
        device=options.device,
        checkpoint=checkpoint,
        validate=options.validate,
        progress=sys.stderr.isatty(),
    )
    try:
        for _ in shown(steps, chosen.name):
            pass
    except KeyboardInterrupt:
        hint = f"there is no checkpoint {checkpoint} yet"
        if checkpoints(chosen, checkpoint):
            hint = f"the same command resumes from checkpoint {checkpoint}"
        raise KeyboardInterrupt(f"stopped; {hint}") from None
    psnr = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))["psnr"]
    rows = [[name, s, f"{v:.2f}"] for name, values in psnr.items() for s, v in values.items()]
    print(table(["set", "sigma", "PSNR / dB"], rows, texts=1))
    print(f"saved {out}, its card {out.stem}.json and the record of training {out.stem}.csv")
    return 0


def _with_options(chosen: Recipe, options: argparse.Namespace) -> Recipe:
    """The recipe with --steps, --precision and --seed in place of its own."""
    stages = chosen.stages
    if options.steps is not None:
        stages = (replace(stages[0], steps=options.steps),)
    if options.precision is not None:
        stages = tuple(replace(stage, precision=options.precision) for stage in stages)
    if options.seed is not None:
        stages = tuple(replace(stage, seed=options.seed + i) for i, stage in enumerate(stages))
    return replace(chosen, stages=stages)


def shown(steps: Iterator[Step], name: str) -> Iterator[Step]:
    """Pass the steps on under a progress bar with the loss, the speed and the last PSNR."""
    progress = previous = None
    numbers: dict[str, str] = {}
    for step in steps:
        if previous is not None and step.step <= previous.step:  # the next stage begins
            progress.close()
            progress = previous = None
        progress = progress or bar(None, name, "step", total=step.steps, initial=step.step)
        numbers["loss"] = f"{step.loss:.2e}"
        if previous is not None:
            rate = (step.patches - previous.patches) / (step.seconds - previous.seconds)
            numbers["patches/s"] = f"{rate:.0f}"
        if step.val_psnr is not None:
            numbers["PSNR"] = f"{step.val_psnr:.2f} dB"
        progress.set_postfix(numbers, refresh=False)
        progress.update(step.step - progress.n)
        previous = step
        yield step
    if progress is not None:
        progress.close()
