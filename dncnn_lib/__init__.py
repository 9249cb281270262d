"""Learn how deep networks remove noise from images: a small library around DnCNN.

The core, in the order in which its modules build on one another:

- ``images``     files, arrays, tensors: in and out
- ``degrade``    noise, cameras, JPEG and down-up sampling; ``apply`` degrades one image
- ``model``      ``DnCNN``; ``ffdnet``: a network that is told the noise level
- ``metrics``    PSNR and SSIM
- ``patches``    clean training patches; ``tasks``: what a network is given and should answer
- ``training``   ``train``; ``optim``: its optimizers; ``records``: of training, as files
- ``restoring``  ``denoise``
- ``evaluation`` ``Comparison``: degrade, restore, compare; the protocols of the papers
- ``samples``    the pictures that ship with the project; ``datasets``: the standard sets
- ``zoo``        pretrained weights
- ``hardware``   this machine

The wings, each imported on its own:

- ``priors``     the systems before DnCNN
- ``show``       pictures, plots and panels
- ``lessons``    a module for each lesson: its widgets, its figures
- ``keys``       for each lesson the checks of its exercises; a class goes without
- ``explorer``   the interactive page
- ``making``     how the networks in ``data/`` are made and measured
- ``cli``        the command line, ``python -m dncnn_lib``
"""

from .datasets import dataset_names, load_dataset, training_images
from .degrade import (
    CameraNoise,
    Degradation,
    DownUp,
    GaussianNoise,
    JPEGCompression,
    PoissonNoise,
    Quantisation,
    RandomChoice,
    SaltAndPepperNoise,
    add_gaussian_noise,
    apply,
)
from .evaluation import Comparison, Score, compare, evaluate
from .ffdnet import FFDNet
from .images import read_image, write_image
from .making.recipes import recipe, recipe_names
from .metrics import luma, psnr, shave, ssim
from .model import DnCNN
from .patches import PatchSampler
from .restoring import denoise
from .samples import held_out_images, sample_image, sample_names, small_training_set
from .tasks import BlindSpot, noise2noise, noise2void, with_noise_level, with_noise_map
from .training import Step, TrainConfig, train
from .zoo import card, load_pretrained, model_names, save_kair, save_pretrained

__version__ = "1.0.0"

__all__ = [
    "BlindSpot",
    "CameraNoise",
    "Comparison",
    "Degradation",
    "DnCNN",
    "DownUp",
    "FFDNet",
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
    "apply",
    "card",
    "compare",
    "dataset_names",
    "denoise",
    "evaluate",
    "held_out_images",
    "load_dataset",
    "load_pretrained",
    "luma",
    "model_names",
    "noise2noise",
    "noise2void",
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
    "with_noise_level",
    "with_noise_map",
    "write_image",
]
