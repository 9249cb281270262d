"""How each network is trained: named, readable data. ``run`` carries it out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from .. import _check, priors  # noqa: F401, for their architectures
from ..camera import PHONE
from ..degrade import CameraNoise, DownUp, GaussianNoise, JPEGCompression, RandomChoice
from ..evaluation import PROTOCOLS
from ..tasks import Task, with_noise_level, with_noise_map
from ..training import TrainConfig
from ..zoo import ARCHITECTURES, load_pretrained, model_names


@dataclass(frozen=True)
class Recipe:
    """All that decides the weights but the machine.

    name: of the model; effort: as in ``recipe``; about: one line for people; network: arguments of
    the class that ``architecture`` names (``zoo.ARCHITECTURES``); degradation: what is undone;
    start: the pretrained network that training begins from, or None; stages: how long and how, one
    training after another, each from the result of the one before; training_set: as in
    ``datasets.image_set``; colour: train on colour images; validation: a registered set, or
    "samples", and the noise level for the PSNR on the way; tasks: what the finished network is
    measured on.
    """

    name: str
    effort: str
    about: str
    network: dict[str, int | bool]
    degradation: Task
    stages: tuple[TrainConfig, ...]
    start: str | None = None
    training_set: str = "bsd432"
    colour: bool = False
    validation: tuple[str, float] = ("Set12", 25.0)
    validation_task: str = "gaussian"
    tasks: tuple[str, ...] = ("gaussian",)
    architecture: str = "dncnn"

    def build(self) -> nn.Module:
        """The network as training begins: the pretrained one named by ``start``, or random weights,
        which the first stage's seed decides."""
        if self.start is not None:
            _check.one_of("start", self.start, model_names())
            return load_pretrained(self.start)
        net = ARCHITECTURES[self.architecture](**self.network)
        net.reset_parameters(torch.Generator().manual_seed(self.stages[0].seed))
        return net

    def levels(self, task: str) -> tuple[float, ...]:
        """What the finished network is measured at: a network for one noise level at that, others
        at the paper's."""
        sigma = getattr(self.degradation, "sigma", None)
        one = task == "gaussian" and isinstance(sigma, (int, float))
        return (sigma,) if one else PROTOCOLS[task].levels


EFFORTS = ("cpu", "gpu", "paper")


def recipe_names() -> list[str]:
    """The names of the models that have a recipe."""
    return list(dict.fromkeys(recipe.name for recipe in RECIPES))


def recipe(name: str, effort: str = "cpu") -> Recipe:
    """The recipe of that name.

    effort: "cpu", what two cores do in some hours; "gpu", what one GPU does in some minutes; or
    "paper", the paper's number of patches, for some hours of one. Raises ``ValueError``, with the
    known names, for others.
    """
    _check.one_of("recipe", name, recipe_names())
    efforts = {r.effort: r for r in RECIPES if r.name == name}
    _check.one_of("effort", effort, tuple(efforts))
    return efforts[effort]


# fmt: off
RECIPES = (
    # cpu: two cores see few patches, so each step has to teach much: hence Muon. At its rates the
    # weights move so far that only a short average is of use; one over a thousand steps stays
    # behind them. It averages batch norm's statistics, too; the last stage measures them anew.
    Recipe(
        name="dncnn-s-25",
        effort="cpu",
        about="grey denoiser for Gaussian noise of sigma = 25, 17 layers",
        network={"depth": 17, "width": 64, "channels": 1},
        degradation=GaussianNoise(25),
        stages=(
            TrainConfig(
                steps=5000, batch_size=16, patch_size=50, optimizer="muon", lr=1e-2,
                ema=0.99, precision="auto", log_every=50, validate_every=1000,
                checkpoint_every=250,
            ),
            TrainConfig(
                steps=4000, batch_size=16, patch_size=50, optimizer="muon", lr=5e-3,
                ema=0.99, precision="auto", recalibrate=200, log_every=50,
                validate_every=1000, checkpoint_every=250,
            ),
        ),
    ),
    # gpu: it sees many patches in little time: batches of many, and large ones, in which few pixels
    # are near a border, as in a whole image. While the rate is high, an average over a thousand
    # steps stays far behind, and so does the PSNR that is reported on the way. One H200 trained the
    # six networks of the paper in eleven minutes, four at a time: an eighth of its pixels for
    # dncnn-b, a twentieth for dncnn-3.
    Recipe(
        name="dncnn-s-25",
        effort="gpu",
        about="grey denoiser for Gaussian noise of sigma = 25, 17 layers",
        network={"depth": 17, "width": 64, "channels": 1},
        degradation=GaussianNoise(25),
        stages=(
            TrainConfig(
                steps=9500, batch_size=64, patch_size=64, optimizer="muon", lr=1e-2,
                warmup=0.02, ema=0.999, precision="auto", recalibrate=50,
                log_every=100, validate_every=5000, checkpoint_every=2500,
            ),
        ),
    ),
    # paper: its number of patches, 50 epochs of 1,600 (S), 3,000 (B, colour) or 8,000 (3) batches
    # of 128. Its learning rate falls to 1e-4; ours to 0, which ends higher, and an average of the
    # weights over the last steps smooths what is left.
    Recipe(
        name="dncnn-s-25",
        effort="paper",
        about="grey denoiser for Gaussian noise of sigma = 25, 17 layers",
        network={"depth": 17, "width": 64, "channels": 1},
        degradation=GaussianNoise(25),
        stages=(
            TrainConfig(
                steps=80_000, batch_size=128, patch_size=40, lr=2e-3, warmup=0.01,
                ema=0.999, precision="auto", recalibrate=50, log_every=200,
                validate_every=5000, checkpoint_every=1000,
            ),
        ),
    ),
    # One noise level is learned sooner from the network of another.
    Recipe(
        name="dncnn-s-15",
        effort="cpu",
        about="grey denoiser for Gaussian noise of sigma = 15, 17 layers",
        network={"depth": 17, "width": 64, "channels": 1},
        degradation=GaussianNoise(15),
        start="dncnn-s-25",
        stages=(
            TrainConfig(
                steps=2000, batch_size=16, patch_size=50, optimizer="muon", lr=5e-3,
                ema=0.99, precision="auto", recalibrate=200, log_every=50,
                validate_every=500, checkpoint_every=250,
            ),
            TrainConfig(
                steps=2500, batch_size=16, patch_size=50, optimizer="muon", lr=5e-3,
                ema=0.99, precision="auto", recalibrate=200, seed=1, log_every=50,
                validate_every=500, checkpoint_every=250,
            ),
        ),
        validation=("Set12", 15.0),
    ),
    Recipe(
        name="dncnn-s-15",
        effort="gpu",
        about="grey denoiser for Gaussian noise of sigma = 15, 17 layers",
        network={"depth": 17, "width": 64, "channels": 1},
        degradation=GaussianNoise(15),
        start="dncnn-s-25",
        stages=(
            TrainConfig(
                steps=5200, batch_size=64, patch_size=64, optimizer="muon", lr=5e-3,
                warmup=0.02, ema=0.999, precision="auto", recalibrate=50,
                log_every=100, validate_every=5000, checkpoint_every=2500,
            ),
        ),
        validation=("Set12", 15.0),
    ),
    Recipe(
        name="dncnn-s-15",
        effort="paper",
        about="grey denoiser for Gaussian noise of sigma = 15, 17 layers",
        network={"depth": 17, "width": 64, "channels": 1},
        degradation=GaussianNoise(15),
        stages=(
            TrainConfig(
                steps=80_000, batch_size=128, patch_size=40, lr=2e-3, warmup=0.01,
                ema=0.999, precision="auto", recalibrate=50, log_every=200,
                validate_every=5000, checkpoint_every=1000,
            ),
        ),
        validation=("Set12", 15.0),
    ),
    Recipe(
        name="dncnn-s-50",
        effort="cpu",
        about="grey denoiser for Gaussian noise of sigma = 50, 17 layers",
        network={"depth": 17, "width": 64, "channels": 1},
        degradation=GaussianNoise(50),
        start="dncnn-s-25",
        stages=(
            TrainConfig(
                steps=2000, batch_size=16, patch_size=50, optimizer="muon", lr=5e-3,
                ema=0.99, precision="auto", recalibrate=200, log_every=50,
                validate_every=500, checkpoint_every=250,
            ),
            TrainConfig(
                steps=2500, batch_size=16, patch_size=50, optimizer="muon", lr=5e-3,
                ema=0.99, precision="auto", recalibrate=200, seed=1, log_every=50,
                validate_every=500, checkpoint_every=250,
            ),
        ),
        validation=("Set12", 50.0),
    ),
    Recipe(
        name="dncnn-s-50",
        effort="gpu",
        about="grey denoiser for Gaussian noise of sigma = 50, 17 layers",
        network={"depth": 17, "width": 64, "channels": 1},
        degradation=GaussianNoise(50),
        start="dncnn-s-25",
        stages=(
            TrainConfig(
                steps=5200, batch_size=64, patch_size=64, optimizer="muon", lr=5e-3,
                warmup=0.02, ema=0.999, precision="auto", recalibrate=50,
                log_every=100, validate_every=5000, checkpoint_every=2500,
            ),
        ),
        validation=("Set12", 50.0),
    ),
    Recipe(
        name="dncnn-s-50",
        effort="paper",
        about="grey denoiser for Gaussian noise of sigma = 50, 17 layers",
        network={"depth": 17, "width": 64, "channels": 1},
        degradation=GaussianNoise(50),
        stages=(
            TrainConfig(
                steps=80_000, batch_size=128, patch_size=40, lr=2e-3, warmup=0.01,
                ema=0.999, precision="auto", recalibrate=50, log_every=200,
                validate_every=5000, checkpoint_every=1000,
            ),
        ),
        validation=("Set12", 50.0),
    ),
    Recipe(
        name="dncnn-b",
        effort="cpu",
        about="blind grey denoiser, 20 layers, Gaussian noise with sigma in [0, 55]",
        network={"depth": 20, "width": 64, "channels": 1},
        degradation=GaussianNoise((0, 55)),
        stages=(
            TrainConfig(
                steps=7000, batch_size=16, patch_size=50, optimizer="muon", lr=1e-2,
                ema=0.99, precision="auto", log_every=50, validate_every=1000,
                checkpoint_every=250,
            ),
            TrainConfig(
                steps=12_000, batch_size=16, patch_size=50, optimizer="muon",
                lr=5e-3, ema=0.99, precision="auto", recalibrate=200, log_every=50,
                validate_every=1000, checkpoint_every=250,
            ),
        ),
    ),
    Recipe(
        name="dncnn-b",
        effort="gpu",
        about="blind grey denoiser, 20 layers, Gaussian noise with sigma in [0, 55]",
        network={"depth": 20, "width": 64, "channels": 1},
        degradation=GaussianNoise((0, 55)),
        stages=(
            TrainConfig(
                steps=19_500, batch_size=64, patch_size=64, optimizer="muon",
                lr=1e-2, warmup=0.02, ema=0.999, precision="auto", log_every=100,
                validate_every=5000, checkpoint_every=2500,
            ),
            TrainConfig(
                steps=4000, batch_size=64, patch_size=64, optimizer="muon", lr=4e-3,
                warmup=0.02, ema=0.999, precision="auto", recalibrate=50, seed=1,
                log_every=100, validate_every=5000, checkpoint_every=2500,
            ),
        ),
    ),
    Recipe(
        name="dncnn-b",
        effort="paper",
        about="blind grey denoiser, 20 layers, Gaussian noise with sigma in [0, 55]",
        network={"depth": 20, "width": 64, "channels": 1},
        degradation=GaussianNoise((0, 55)),
        stages=(
            TrainConfig(
                steps=150_000, batch_size=128, patch_size=50, lr=2e-3, warmup=0.01,
                ema=0.999, precision="auto", recalibrate=50, log_every=200,
                validate_every=5000, checkpoint_every=1000,
            ),
        ),
    ),
    # Half of the patches are of super-resolution: its errors are the smallest of the three, so the
    # loss hardly sees them, and the paper is furthest ahead there.
    Recipe(
        name="dncnn-3",
        effort="cpu",
        about=(
            "Gaussian denoising (sigma in [0, 55]), super-resolution ×2 ×3 ×4 and JPEG "
            "deblocking (quality 5 to 99) in one grey network of 20 layers"
        ),
        network={"depth": 20, "width": 64, "channels": 1},
        degradation=RandomChoice(
            GaussianNoise((0, 55)),
            DownUp((2, 3, 4)),
            DownUp((2, 3, 4)),
            JPEGCompression((5, 99)),
        ),
        start="dncnn-b",
        stages=(
            TrainConfig(
                steps=9000, batch_size=16, patch_size=50, optimizer="muon", lr=5e-3,
                ema=0.99, precision="auto", recalibrate=200, log_every=50,
                validate_every=1000, checkpoint_every=250,
            ),
        ),
        tasks=("gaussian", "super-resolution", "deblocking"),
    ),
    Recipe(
        name="dncnn-3",
        effort="gpu",
        about=(
            "Gaussian denoising (sigma in [0, 55]), super-resolution ×2 ×3 ×4 and JPEG "
            "deblocking (quality 5 to 99) in one grey network of 20 layers"
        ),
        network={"depth": 20, "width": 64, "channels": 1},
        degradation=RandomChoice(
            GaussianNoise((0, 55)),
            DownUp((2, 3, 4)),
            DownUp((2, 3, 4)),
            JPEGCompression((5, 99)),
        ),
        stages=(
            TrainConfig(
                steps=18_500, batch_size=64, patch_size=64, optimizer="muon",
                lr=1e-2, warmup=0.02, ema=0.999, precision="auto", log_every=100,
                validate_every=5000, checkpoint_every=2500,
            ),
            TrainConfig(
                steps=4000, batch_size=64, patch_size=64, optimizer="muon", lr=4e-3,
                warmup=0.02, ema=0.999, precision="auto", recalibrate=50, seed=1,
                log_every=100, validate_every=5000, checkpoint_every=2500,
            ),
        ),
        tasks=("gaussian", "super-resolution", "deblocking"),
    ),
    Recipe(
        name="dncnn-3",
        effort="paper",
        about=(
            "Gaussian denoising (sigma in [0, 55]), super-resolution ×2 ×3 ×4 and JPEG "
            "deblocking (quality 5 to 99) in one grey network of 20 layers"
        ),
        network={"depth": 20, "width": 64, "channels": 1},
        degradation=RandomChoice(
            GaussianNoise((0, 55)),
            DownUp((2, 3, 4)),
            JPEGCompression((5, 99)),
        ),
        stages=(
            TrainConfig(
                steps=400_000, batch_size=128, patch_size=50, lr=2e-3, warmup=0.01,
                ema=0.999, precision="auto", recalibrate=50, log_every=200,
                validate_every=5000, checkpoint_every=1000,
            ),
        ),
        tasks=("gaussian", "super-resolution", "deblocking"),
    ),
    # The explorer shows it while a hand is on the slider and the processor too slow for more.
    Recipe(
        name="dncnn-3-small",
        effort="cpu",
        about="the three tasks of dncnn-3 in 8 layers of 32, for quick looks",
        network={"depth": 8, "width": 32, "channels": 1},
        degradation=RandomChoice(
            GaussianNoise((0, 55)),
            DownUp((2, 3, 4)),
            JPEGCompression((5, 99)),
        ),
        stages=(
            TrainConfig(
                steps=7000, batch_size=16, patch_size=50, optimizer="muon", lr=1e-2,
                ema=0.99, precision="auto", log_every=50, validate_every=1000,
                checkpoint_every=250,
            ),
            TrainConfig(
                steps=10_000, batch_size=16, patch_size=50, optimizer="muon",
                lr=5e-3, ema=0.99, precision="auto", recalibrate=200, seed=1,
                log_every=50, validate_every=1000, checkpoint_every=250,
            ),
        ),
        tasks=("gaussian", "super-resolution", "deblocking"),
    ),
    Recipe(
        name="cdncnn-b",
        effort="cpu",
        about="blind colour denoiser, 20 layers, Gaussian noise with sigma in [0, 55]",
        network={"depth": 20, "width": 64, "channels": 3},
        degradation=GaussianNoise((0, 55)),
        stages=(
            TrainConfig(
                steps=7000, batch_size=16, patch_size=50, optimizer="muon", lr=1e-2,
                ema=0.99, precision="auto", recalibrate=200, log_every=50,
                validate_every=1000, checkpoint_every=250,
            ),
        ),
        colour=True,
        validation=("McMaster", 25.0),
    ),
    Recipe(
        name="cdncnn-b",
        effort="gpu",
        about="blind colour denoiser, 20 layers, Gaussian noise with sigma in [0, 55]",
        network={"depth": 20, "width": 64, "channels": 3},
        degradation=GaussianNoise((0, 55)),
        stages=(
            TrainConfig(
                steps=12_500, batch_size=64, patch_size=64, optimizer="muon",
                lr=1e-2, warmup=0.02, ema=0.999, precision="auto", recalibrate=50,
                log_every=100, validate_every=5000, checkpoint_every=2500,
            ),
        ),
        colour=True,
        validation=("McMaster", 25.0),
    ),
    Recipe(
        name="cdncnn-b-small",
        effort="cpu",
        about="cdncnn-b in 8 layers of 32, for quick looks",
        network={"depth": 8, "width": 32, "channels": 3},
        degradation=GaussianNoise((0, 55)),
        stages=(
            TrainConfig(
                steps=7000, batch_size=16, patch_size=50, optimizer="muon", lr=1e-2,
                ema=0.99, precision="auto", log_every=50, validate_every=1000,
                checkpoint_every=250,
            ),
            TrainConfig(
                steps=10_000, batch_size=16, patch_size=50, optimizer="muon",
                lr=5e-3, ema=0.99, precision="auto", recalibrate=200, seed=1,
                log_every=50, validate_every=1000, checkpoint_every=250,
            ),
        ),
        colour=True,
        validation=("McMaster", 25.0),
    ),
    Recipe(
        name="cdncnn-b",
        effort="paper",
        about="blind colour denoiser, 20 layers, Gaussian noise with sigma in [0, 55]",
        network={"depth": 20, "width": 64, "channels": 3},
        degradation=GaussianNoise((0, 55)),
        stages=(
            TrainConfig(
                steps=150_000, batch_size=128, patch_size=50, lr=2e-3, warmup=0.01,
                ema=0.999, precision="auto", recalibrate=50, log_every=200,
                validate_every=5000, checkpoint_every=1000,
            ),
        ),
        colour=True,
        validation=("McMaster", 25.0),
    ),
    # After DnCNN. The camera's begins from cdncnn-b-small, which has its size, so that the two
    # differ in the noise that they have seen.
    Recipe(
        name="cdncnn-camera",
        effort="cpu",
        about="blind colour denoiser for the noise of cameras and phones, 8 layers of 32",
        network={"depth": 8, "width": 32, "channels": 3},
        degradation=CameraNoise((100, 25600), light=(PHONE, 1.0)),
        stages=(
            TrainConfig(
                steps=4000, batch_size=16, patch_size=50, optimizer="muon", lr=5e-3,
                ema=0.99, precision="auto", recalibrate=200, log_every=50, validate_every=1000,
                checkpoint_every=250,
            ),
        ),
        start="cdncnn-b-small",
        colour=True,
        validation=("samples", 6400),
        validation_task="camera",
        tasks=("gaussian", "camera"),
    ),
    # FFDNet gives the image, not a residual, so that all of the image has to pass every layer. In
    # short trials it did so better without batch norm and at a third of the rate of the others.
    # Three quarters of an hour of one core: small batches.
    Recipe(
        name="ffdnet",
        effort="cpu",
        about="grey denoiser that is told the noise level, sigma in [0, 75]: FFDNet, 15 layers",
        network={"depth": 15, "width": 64, "channels": 1, "batch_norm": False},
        degradation=with_noise_map(GaussianNoise((0, 75))),
        stages=(
            TrainConfig(
                steps=4000, batch_size=8, patch_size=64, optimizer="muon", lr=3e-3,
                ema=0.99, precision="auto", log_every=50, validate_every=1000,
                checkpoint_every=250,
            ),
        ),
        architecture="ffdnet",
    ),
    # The systems before DnCNN that are trained. Adam, because few of their numbers are filters of a
    # network; many small steps take them further than few large ones.
    Recipe(
        name="foe",
        effort="cpu",
        about="fields of experts, 24 filters of 5×5, one Markov random field for all noise levels",
        network={"size": 5},
        degradation=with_noise_level(15, 25, 50),
        stages=(
            TrainConfig(
                steps=800, batch_size=4, patch_size=64, lr=2e-2, log_every=20,
                checkpoint_every=50,
            ),
            TrainConfig(
                steps=500, batch_size=4, patch_size=64, lr=1e-2, seed=1, log_every=20,
                checkpoint_every=50,
            ),
        ),
        architecture="fields-of-experts",
    ),
    Recipe(
        name="csf-5x5",
        effort="cpu",
        about="cascade of shrinkage fields, 4 stages of 24 filters, a model for each σ",
        network={"size": 5, "stages": 4},
        degradation=with_noise_level(15, 25, 50),
        stages=(
            TrainConfig(
                steps=12_000, batch_size=4, patch_size=48, lr=1e-2, log_every=100,
                validate_every=6000, checkpoint_every=500,
            ),
        ),
        architecture="csf",
    ),
    Recipe(
        name="csf-7x7",
        effort="cpu",
        about="cascade of shrinkage fields, 5 stages of 48 filters, a model for each σ",
        network={"size": 7, "stages": 5},
        degradation=with_noise_level(15, 25, 50),
        stages=(
            TrainConfig(
                steps=9000, batch_size=4, patch_size=48, lr=1e-2, log_every=100,
                validate_every=3000, checkpoint_every=500,
            ),
        ),
        architecture="csf",
    ),
    Recipe(
        name="tnrd-5x5",
        effort="cpu",
        about="trainable nonlinear reaction diffusion, 5 stages of 24 filters, a model for each σ",
        network={"size": 5, "stages": 5},
        degradation=with_noise_level(15, 25, 50),
        stages=(
            TrainConfig(
                steps=15_000, batch_size=4, patch_size=48, lr=1e-2, log_every=100,
                validate_every=5000, checkpoint_every=500,
            ),
            TrainConfig(
                steps=6000, batch_size=4, patch_size=64, lr=5e-3, seed=1, log_every=100,
                validate_every=3000, checkpoint_every=500,
            ),
        ),
        architecture="tnrd",
    ),
    Recipe(
        name="tnrd-7x7",
        effort="cpu",
        about="trainable nonlinear reaction diffusion, 5 stages of 48 filters, a model for each σ",
        network={"size": 7, "stages": 5},
        degradation=with_noise_level(15, 25, 50),
        stages=(
            TrainConfig(
                steps=15_000, batch_size=4, patch_size=64, lr=1e-2, log_every=100,
                validate_every=5000, checkpoint_every=500,
            ),
        ),
        architecture="tnrd",
    ),
    Recipe(
        name="jain-seung",
        effort="cpu",
        about="the first denoising CNN, 15,697 parameters, a model for each σ",
        network={},
        degradation=with_noise_level(15, 25, 50),
        stages=(
            TrainConfig(
                steps=10_000, batch_size=8, patch_size=48, optimizer="muon", lr=2e-2,
                log_every=100, validate_every=5000, checkpoint_every=500,
            ),
            TrainConfig(
                steps=5000, batch_size=8, patch_size=48, optimizer="muon", lr=1e-2, seed=1,
                log_every=100, validate_every=2500, checkpoint_every=500,
            ),
        ),
        architecture="jain-seung",
    ),
)
# fmt: on
