"""Learn how deep networks remove noise from images: a small library around DnCNN.

The parts, in the order in which they build on one another:

- ``images``    files, arrays, tensors: in and out
- ``degrade``   noise, JPEG and down-up sampling as callables ``(clean, generator) -> degraded``
- ``model``     ``DnCNN``
- ``metrics``   PSNR and SSIM
- ``patches``   clean training patches
- ``samples``   the pictures that ship with the project; ``datasets``: the standard sets
- ``engine``    ``train``, ``denoise``, ``evaluate``
- ``protocols`` how the papers measure: denoising, super-resolution, JPEG deblocking
- ``zoo``       pretrained weights; ``recipes``: how they are trained; ``runs``: doing it
- ``experiments`` the same training with one thing changed; ``tables``: quality beside the papers'
- ``plots``, ``widgets``, ``exercises`` for the lessons, and ``explorer``, each imported on its own
- ``environment`` and ``benchmark`` this machine; the command line is ``python -m dncnn_lib``
"""

from .datasets import dataset_names, load_dataset, training_images
from .degrade import (
    DownUp,
    GaussianNoise,
    JPEGCompression,
    PoissonNoise,
    Quantisation,
    RandomChoice,
    SaltAndPepperNoise,
    add_gaussian_noise,
)
from .engine import Score, Step, TrainConfig, denoise, evaluate, train
from .images import read_image, write_image
from .metrics import luma, psnr, shave, ssim
from .model import DnCNN
from .patches import PatchSampler
from .recipes import recipe, recipe_names
from .samples import held_out_images, sample_image, sample_names, small_training_set
from .zoo import card, load_pretrained, model_names, save_kair, save_pretrained

__version__ = "0.1.0"

__all__ = [
    "DnCNN",
    "DownUp",
    "GaussianNoise",
    "JPEGCompression",
    "PatchSampler",
    "PoissonNoise",
    "Quantisation",
    "RandomChoice",
    "SaltAndPepperNoise",
    "Score",
    "Step",
    "TrainConfig",
    "add_gaussian_noise",
    "card",
    "dataset_names",
    "denoise",
    "evaluate",
    "held_out_images",
    "load_dataset",
    "load_pretrained",
    "luma",
    "model_names",
    "psnr",
    "read_image",
    "recipe",
    "recipe_names",
    "sample_image",
    "sample_names",
    "save_kair",
    "save_pretrained",
    "shave",
    "small_training_set",
    "ssim",
    "train",
    "training_images",
    "write_image",
]
