"""``info``: this machine, the models, the recipes, the image sets."""

from __future__ import annotations

import argparse

from .. import datasets, priors
from ..hardware import describe_environment
from ..making import recipes

SUMMARY = "this machine, the models, the recipes, the image sets"
HELP = """\
What this machine offers, which models and recipes there are, and which image sets are on
this machine and where. Nothing is downloaded.

examples:
  $ info"""


def add(parser: argparse.ArgumentParser) -> None:
    """No options."""


def run(options: argparse.Namespace) -> int:
    for name, value in describe_environment().items():
        print(f"{name:<10} {value}")
    print("\nModels, for denoise --model NAME and evaluate --model NAME")
    for name in priors.model_names():
        print(f"  {name:<16} {priors.about(name)}")
    print("\nRecipes, for train NAME")
    for name in recipes.recipe_names():
        print(f"  {name:<16} {recipes.recipe(name).about}")
    print("\nImage sets, for evaluate --set NAME: samples, which ship; any folder; and")
    for name in datasets.dataset_names():
        print(f"  {name:<16} {_whereabouts(name)}")
    return 0


def _whereabouts(name: str) -> str:
    """How much of a set is on this machine, and where, in words."""
    total = len(datasets.dataset_files(name))
    try:
        count, folder = datasets.dataset_presence(name)
    except FileNotFoundError as error:
        return str(error)
    if not count:
        return f"{total} images, not on this machine"
    return f"{f'{count} of ' if count < total else ''}{total} images in {folder}"
