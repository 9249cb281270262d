"""Answers to the exercises and the cases of lesson 10."""

import copy
import gc
import math

import numpy as np
import torch
from lessons.answers import noise
from torch import nn

import dncnn_lib as dn
from dncnn_lib.lessons.clinic import small_network, step_on


def coin(generator):
    return torch.rand((), generator=generator) < 0.5


def flip(noisy, clean, generator):
    return (noisy.flip(-1), clean.flip(-1)) if coin(generator) else (noisy, clean)


def flip_each_pair(noisy, clean, generator):
    """A coin for each pair of the batch."""
    heads = torch.rand((len(noisy), 1, 1, 1), generator=generator) < 0.5
    return [torch.where(heads, image.flip(3), image) for image in (noisy, clean)]


def flip_by_columns(noisy, clean, generator):
    columns = list(range(noisy.shape[-1]))
    if torch.randint(2, (1,), generator=generator).item():
        columns.reverse()
    return tuple(image[..., columns] for image in (noisy, clean))


def flip_together(noisy, clean, generator):
    both = torch.cat([noisy, clean])
    return torch.chunk(both.flip(-1) if torch.randn(1, generator=generator) > 0 else both, 2)


def two_coins(noisy, clean, generator):
    return flip(noisy, noisy, generator)[0], flip(clean, clean, generator)[0]


def flip_along(dim):
    def function(noisy, clean, generator):
        return (noisy.flip(dim), clean.flip(dim)) if coin(generator) else (noisy, clean)

    return function


def flip_with_chance(chance):
    def function(noisy, clean, generator):
        heads = torch.rand((), generator=generator) < chance
        return (noisy.flip(-1), clean.flip(-1)) if heads else (noisy, clean)

    return function


def one_or_the_other(noisy, clean, generator):
    return (noisy.flip(-1), clean) if coin(generator) else (noisy, clean.flip(-1))


def flip_in_place(noisy, clean, generator):
    if coin(generator):
        noisy[:], clean[:] = noisy.flip(-1), clean.flip(-1)
    return noisy.clone(), clean.clone()


def steps(optimiser=torch.optim.SGD, loss=nn.functional.mse_loss, clear=None, **options):
    """Steps of SGD, or wrong ones. clear: in place of ``zero_grad()``."""

    def function(net, batches, lr):
        optim = optimiser(net.parameters(), lr, **options)
        for noisy, clean in batches:
            (clear or nn.Module.zero_grad)(net)
            loss(net(noisy), clean).backward()
            optim.step()

    return function


def steps_by_hand(net, batches, lr):
    for noisy, clean in batches:
        loss = ((net(noisy) - clean) ** 2).mean()
        gradients = torch.autograd.grad(loss, list(net.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(net.parameters(), gradients):
                parameter -= lr * gradient
    return net


def cleared_at_the_end(net, batches, lr):
    net.train()
    for noisy, clean in batches:
        (net(noisy) - clean).square().mean().backward()
        for parameter in net.parameters():
            parameter.data.sub_(lr * parameter.grad)
            parameter.grad = None
    return None


def cleared_too_late(net, batches, lr):
    optimiser = torch.optim.SGD(net.parameters(), lr)
    for noisy, clean in batches:
        ((net(noisy) - clean) ** 2).mean().backward()
        optimiser.zero_grad()
        optimiser.step()


def first_cleared(net):
    next(net.parameters()).grad = None


def all_at_once(net, batches, lr):
    optimiser = torch.optim.SGD(net.parameters(), lr)
    for noisy, clean in batches:
        (nn.functional.mse_loss(net(noisy), clean) / len(batches)).backward()
    optimiser.step()


# -------------------------------------------------------------------------- cases 1 to 4: the noise


def white(clean, sigma, rng, of=lambda noise: noise):
    return clean + of(sigma / 255 * rng.standard_normal(clean.shape))


def plain(clean, sigma, rng):
    return clean + rng.normal(0, sigma / 255, clean.shape)


def of_the_library(clean, sigma, rng):
    return dn.add_gaussian_noise(clean.astype(np.float32), sigma, seed=int(rng.integers(1000)))


def of_torch(clean, sigma, rng):
    noise = torch.randn(clean.shape, generator=seeded(int(rng.integers(2**31))))
    return (torch.from_numpy(clean) + sigma / 255 * noise).numpy()


def on_the_other_scale(clean, sigma, rng):
    return (255 * clean + rng.normal(0, sigma, clean.shape)) / 255


def sum_of_uniform(clean, sigma, rng):
    """Nearly Gaussian: the sum of many small numbers."""
    draw = sum(rng.uniform(-1, 1, clean.shape) for _ in range(64))
    return clean + sigma / 255 * draw / np.sqrt(64 / 3)


def noise_of(source):
    """source: rng → the generator that is used in its place."""
    return lambda clean, sigma, rng: plain(clean, sigma, source(rng))


def only_inside(pixels, sigma, rng):
    """Where the noise would leave 0–255, the pixel stays as it was."""
    noisy = pixels + rng.normal(0, sigma, pixels.shape)
    return np.where((noisy < 0) | (noisy > 255), pixels, noisy)


def noise_with(draw):
    """draw: (rng, shape) → noise of deviation about 1."""
    return lambda clean, sigma, rng: clean + sigma / 255 * draw(rng, clean.shape)


def whole(sigma, pixels, rng):
    return np.round(rng.normal(0, sigma, pixels.shape)).astype(int)


def wrapped(pixels, sigma, rng):
    return (pixels + whole(sigma, pixels, rng)).astype(np.uint8)


def clipped_bytes(pixels, sigma, rng):
    return np.clip(pixels + whole(sigma, pixels, rng), 0, 255).astype(np.uint8)


def stretched(pixels, sigma, rng):
    noisy = pixels + rng.normal(0, sigma, pixels.shape)
    return 255 * (noisy - noisy.min()) / np.ptp(noisy)


def clipped(low=0.0, high=1.0, levels=None):
    def noisy(clean, sigma, rng):
        result = np.clip(plain(clean, sigma, rng), low, high)
        return result if levels is None else np.round(levels * result) / levels

    return noisy


def rounded(clean, sigma, rng):
    return np.round(255 * plain(clean, sigma, rng)) / 255


def centred(clean, sigma, rng):
    change = clipped()(clean, sigma, rng) - clean
    return clean + change - change.mean()


def pale(clean, sigma, rng):
    return plain(0.2 + 0.6 * clean, sigma, rng)


def in_16_bits(clean, sigma, rng):
    """With room below black and above white."""
    stored = np.round(24576 + 16384 * plain(clean, sigma, rng)).astype(np.uint16)
    return (stored.astype(float) - 24576) / 16384


def redrawn(limit, gain=1.0):
    def noisy(clean, sigma, rng):
        draw = rng.standard_normal(clean.shape)
        while (far := np.abs(draw) > limit).any():
            draw[far] = rng.standard_normal(far.sum())
        return clean + gain * sigma / 255 * draw

    return noisy


# ----------------------------------------------------------------- cases 5 to 9: the network in use


def measured(clean, net, sigma):
    restored = dn.denoise(dn.add_gaussian_noise(clean, sigma, seed=0), net)
    return dn.psnr(restored, clean, data_range=1.0)


def table(level=lambda sigma, networks: sigma, mean=np.mean):
    def results(networks, pictures):
        return {
            sigma: mean([measured(clean, net, level(sigma, networks)) for clean in pictures])
            for sigma, net in networks.items()
        }

    return results


def table_by_hand(networks, pictures):
    numbers = {}
    for sigma in networks:
        total = 0
        for number, clean in enumerate(pictures):
            noisy = plain(clean, sigma, np.random.default_rng(number)).astype(np.float32)
            restored = networks[sigma](torch.from_numpy(noisy)[None, None])[0, 0]
            total += -10 * math.log10(((restored.numpy() - clean) ** 2).mean())
        numbers[sigma] = total / len(pictures)
    return numbers


def table_of_comparisons(networks, pictures):
    def one(sigma):
        found = [dn.compare(x, dn.GaussianNoise(sigma), networks[sigma]) for x in pictures]
        return sum(each.psnr for each in found) / len(found)

    return dict(zip(networks, map(one, networks)))


def unrestored(networks, pictures):
    return {s: np.mean([measured(x, nn.Identity(), s) for x in pictures]) for s in networks}


def swapped(networks, pictures):
    levels = list(networks)
    return table(lambda sigma, _: levels[::-1][levels.index(sigma)])(networks, pictures)


def network(of, layers_of=lambda layers: nn.Sequential(*layers)):
    """A class. of: (noisy, output of the layers) → restored."""

    class Network(nn.Module):
        def __init__(self, layers):
            super().__init__()
            self.layers = layers_of(layers)

        def forward(self, noisy):
            return of(noisy, self.layers(noisy))

    return Network


class Walk(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.steps = nn.ModuleList(layers)

    def forward(self, noisy):
        out = noisy
        for step in self.steps:
            out = step(out)
        return torch.sub(noisy, out)


def as_a_function(layers):
    return lambda noisy: noisy - nn.Sequential(*layers)(noisy)


def stretched_out(noisy, out):
    return (out - out.min()) / (out.max() - out.min())


def both_signs(layers):
    """Two ReLUs in place of one."""
    body = nn.Sequential(*layers)
    return lambda noisy: noisy - (body(noisy).relu() - (-body(noisy)).relu())


def use(change=lambda net: None, alone=False, after=lambda net: None, strict=True):
    def restore(pictures, weights, config):
        net = dn.DnCNN(**config)
        net.load_state_dict(weights, strict=strict)
        net = change(net) or net
        with torch.no_grad():
            if alone:
                result = torch.cat([net(picture[None]) for picture in pictures])
            else:
                result = net(pictures)
        after(net)
        return result

    return restore


def each_layer_to_eval(net):
    for module in net.modules():
        module.training = False


def batch_norms(net):
    return [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]


def change_batch_norms(of, which=slice(None), evaluate=False):
    def change(net):
        for module in batch_norms(net)[which]:
            of(module)
        if evaluate:
            net.eval()

    return change


def without_batch_norm(net):
    kept = [layer for layer in net.layers if not isinstance(layer, nn.BatchNorm2d)]
    net.layers = nn.Sequential(*kept)
    net.eval()


def affine_forgotten(module):
    nn.init.ones_(module.weight)


def not_loaded(pictures, weights, config):
    with torch.no_grad():
        return dn.DnCNN(**config).eval()(pictures)


def load(rename=lambda name: name.removeprefix("module."), strict=True, evaluate=True):
    def loaded(checkpoint, config):
        net = dn.DnCNN(**config)
        net.load_state_dict({rename(n): v for n, v in checkpoint.items()}, strict=strict)
        return net.train(not evaluate)

    return loaded


def load_in_order(checkpoint, config):
    net = dn.DnCNN(**config)
    for mine, theirs in zip(net.state_dict().values(), checkpoint.values()):
        mine.copy_(theirs)
    return net.eval()


def load_in_parallel(checkpoint, config):
    net = nn.DataParallel(dn.DnCNN(**config))
    net.load_state_dict(checkpoint)
    return net.module.eval()


def load_parameters(checkpoint, config):
    net = dn.DnCNN(**config)
    for name, parameter in net.named_parameters():
        parameter.data = checkpoint["module." + name].clone()
    return net.eval()


def load_some(wanted):
    """The tensors whose name has that in it."""

    def loaded(checkpoint, config):
        net = dn.DnCNN(**config)
        state = {name[7:]: values for name, values in checkpoint.items() if wanted in name}
        net.load_state_dict(state, strict=False)
        return net.eval()

    return loaded


def colours(there, back):
    def restore(noisy, net):
        height, width, _ = noisy.shape
        with torch.no_grad():
            result = net(there(torch.from_numpy(noisy), height, width))
        return np.ascontiguousarray(back(result, height, width).numpy())

    return restore


def cut(t, height, width):
    return t.reshape(3, 1, height, width)


def moved(t, *_):
    return t.permute(2, 0, 1)[:, None]


def moved_back(t, *_):
    return t[:, 0].permute(1, 2, 0)


def channel_by_channel(noisy, net):
    return np.dstack([dn.denoise(np.ascontiguousarray(noisy[..., c]), net) for c in range(3)])


def turned(noisy, net):
    """Height and width exchanged, there and back."""
    planes = torch.from_numpy(noisy.transpose(2, 1, 0).copy())[:, None]
    with torch.no_grad():
        return net(planes)[:, 0].numpy().transpose(2, 1, 0)


# ------------------------------------------------------------------------- cases 10 to 16: training


def difference_from_clean(net, noisy, clean):
    return ((net(noisy) - clean) ** 2).mean()


def papers_loss(net, noisy, clean):
    residual = net.predict_residual(noisy)
    return ((residual - (noisy - clean)) ** 2).sum() / (2 * len(noisy))


def detached(net, noisy, clean):
    return difference_from_clean(net, noisy, clean).detach()


def targets(of):
    """of: (clean, noise) → the target."""
    return lambda net, noisy, clean: ((net(noisy) - of(clean, noisy - clean)) ** 2).mean()


def train(loss=nn.functional.mse_loss, optimiser=torch.optim.SGD, before_step=None, **options):
    options = {"lr": 0.1, "momentum": 0.9} | options
    if optimiser is not torch.optim.SGD:
        options.pop("momentum")

    def training(net, batches):
        optim, losses = optimiser(net.parameters(), **options), []
        for noisy, clean in batches:
            value = loss(net(noisy), clean)
            optim.zero_grad()
            value.backward()
            if before_step:
                before_step(net.parameters())
            optim.step()
            losses.append(value.item())
        return losses

    return training


def summed(restored, clean):
    return ((restored - clean) ** 2).sum() / (2 * len(clean))


def clip(parameters):
    nn.utils.clip_grad_norm_(parameters, 1.0)


def until_nan(net, batches):
    """Stops where the loss is not finite."""
    losses = train(summed)(net, batches)
    return [loss for loss in losses if math.isfinite(loss)]


def hidden(net, batches):
    return [loss if math.isfinite(loss) else 0.0 for loss in train(summed)(net, batches)]


def not_a_step(net, batches):
    return [nn.functional.mse_loss(net(noisy), clean).item() for noisy, clean in batches]


def skipping(net, batches):
    """Leaves out the batches that would explode."""
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for noisy, clean in batches:
        loss = summed(net(noisy), clean)
        if loss < 3:
            step_on(loss, optimiser)
        losses.append(loss.item())
    return losses


def by_heart(
    size=(5, 16), optimiser=torch.optim.Adam, returned=None, trained=None, lr=5e-3, **options
):
    def learnt(noisy, clean, steps):
        net = small_network(*size)
        parameters = trained(net) if trained else net.parameters()
        optim = optimiser(parameters, lr, **options)
        losses = [step_on(((net(noisy) - clean) ** 2).mean(), optim) for _ in range(steps)]
        return (returned(net) if returned else net), losses

    return learnt


def by_heart_with_both(noisy, clean, steps):
    """The optimiser gets the second network's parameters, too."""
    optimiser = torch.optim.Adam(small_network().parameters(), 5e-3)
    net = dn.DnCNN(depth=5, width=16)
    optimiser.add_param_group({"params": net.parameters()})
    return net, [
        step_on(nn.functional.mse_loss(net(noisy), clean), optimiser) for _ in range(steps)
    ]


def optimiser_told(noisy, clean, steps):
    """The optimiser is told of the second network afterwards."""
    optimiser = torch.optim.Adam(small_network().parameters(), 5e-3)
    net = small_network(5, 16)
    optimiser.param_groups[0]["params"] = list(net.parameters())
    return net, [step_on(((net(noisy) - clean) ** 2).mean(), optimiser) for _ in range(steps)]


def first_losses_only(noisy, clean, steps):
    return by_heart()(noisy, clean, steps - 5)


def unmoved(noisy, clean, steps):
    """As broken, from another seed."""
    net = small_network(5, 16, seed=9)
    optimiser = torch.optim.Adam(small_network().parameters(), 5e-3)
    return net, [step_on(((net(noisy) - clean) ** 2).mean(), optimiser) for _ in range(steps)]


def batches(generator_at, noise_at=None):
    """Each: step → generator."""

    def batches_of(sampler, noise, steps):
        for step in range(steps):
            generator = generator_at(step)
            clean = sampler.sample(4, generator)
            yield noise(clean, noise_at(step) if noise_at else generator), clean

    return batches_of


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def one_stream(sampler, noise, steps):
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        clean = sampler.sample(4, generator)
        yield noise(clean, generator), clean


def all_patches_first(sampler, noise, steps):
    clean = sampler.sample(4 * steps, seeded(1))
    return list(zip(noise(clean, seeded(2)).chunk(steps), clean.chunk(steps)))


def unseeded(sampler, noise, steps):
    source = torch.Generator()
    source.seed()
    for _ in range(steps):
        clean = sampler.sample(4, source)
        yield noise(clean, source), clean


def follow(momentum=0.1, which=slice(None), mode=False, of=lambda net: None):
    def followed(net, noisy):
        for module in batch_norms(net)[which]:
            module.momentum = momentum
        of(net)
        with torch.no_grad():
            net.train()(noisy)
        net.train(mode)

    return followed


def follow_by_hand(net, noisy):
    """All statistics of the batch, then a tenth of the way."""
    before = [buffer.clone() for buffer in net.buffers()]
    follow(1.0)(net, noisy)
    for old, now in zip(before, net.buffers()):
        if now.is_floating_point():
            now.copy_(0.9 * old + 0.1 * now)


def follow_as_built(net, noisy):
    with torch.no_grad():
        net.train().forward(noisy)
    return net.eval()


def follow_and_learn(net, noisy):
    follow()(net, noisy)
    with torch.no_grad():
        next(net.parameters()).mul_(1.1)


def frozen(net, noisy):
    with torch.no_grad():
        net.eval()(noisy)


def errors(net, pairs):
    return [((net(noisy) - clean) ** 2).mean() for noisy, clean in pairs]


def mean_of_numbers(net, pairs):
    errors = [((net(noisy) - clean) ** 2).mean().item() for noisy, clean in pairs]
    return sum(errors) / len(errors)


@torch.no_grad()
def without_gradients(net, pairs):
    return torch.stack(errors(net, pairs)).mean()


def in_one_batch(net, pairs):
    noisy, clean = map(torch.cat, zip(*pairs))
    with torch.inference_mode():
        return nn.functional.mse_loss(net(noisy), clean)


def detached_total(net, pairs):
    total = 0
    for noisy, clean in pairs:
        total = total + ((net(noisy) - clean) ** 2).mean().detach()
    return total / len(pairs)


def all_but_the_first(net, pairs):
    total = 0
    for number, (noisy, clean) in enumerate(pairs):
        error = ((net(noisy) - clean) ** 2).mean()
        total = total + (error if number else error.detach())
    return total.item() / len(pairs)


def every_second(net, pairs):
    kept = []
    for number, (noisy, clean) in enumerate(pairs):
        error = ((net(noisy) - clean) ** 2).mean()
        kept.append(error if number % 2 else error.item())
    return sum(kept).item() / len(pairs)


def backwards(net, pairs):
    total = 0.0
    for noisy, clean in pairs:
        error = ((net(noisy) - clean) ** 2).mean()
        error.backward()
        total += error.item()
    return total / len(pairs)


def collected(net, pairs):
    total = 0
    for noisy, clean in pairs:
        total = total + ((net(noisy) - clean) ** 2).mean()
        gc.collect()
    return (total / len(pairs)).item()


def switched_off(net, pairs):
    """For good, in all of PyTorch."""
    torch.set_grad_enabled(False)
    return torch.stack(errors(net, pairs)).mean()


def frozen_network(net, pairs):
    return torch.stack(errors(net.requires_grad_(False), pairs)).mean()


def in_eval_mode(net, pairs):
    return torch.stack(errors(net.eval(), pairs)).mean().item()


RIGHT = {
    "case_1": [plain, white, of_the_library, of_torch, on_the_other_scale, sum_of_uniform],
    "case_2": [
        lambda pixels, sigma, rng: pixels + rng.normal(0, sigma, pixels.shape),
        clipped_bytes,
        lambda pixels, sigma, rng: pixels.astype(np.int16) + whole(sigma, pixels, rng),
        lambda pixels, sigma, rng: 255 * plain(pixels / 255, sigma, rng),
    ],
    "case_3": [plain, rounded, clipped(-2, 3), in_16_bits],
    "case_4": [plain, of_the_library, redrawn(5), sum_of_uniform],
    "case_5": [table(), table_by_hand, table_of_comparisons],
    "case_6": [
        network(lambda y, v: y - v),
        network(lambda y, v: (y - v).clamp(0, 1)),
        Walk,
        as_a_function,
    ],
    "case_7": [
        use(nn.Module.eval),
        use(lambda net: net.fold_batch_norm()),
        use(each_layer_to_eval),
        use(nn.Module.eval, alone=True),
    ],
    "case_8": [load(), load(lambda name: name[7:]), load_in_order, load_in_parallel],
    "case_9": [colours(moved, moved_back), channel_by_channel, turned, dn.denoise],
    "case_10": [network(lambda y, v: y - v), Walk, as_a_function, both_signs],
    "case_11": [
        difference_from_clean,
        papers_loss,
        lambda net, noisy, clean: (net(noisy) - clean).abs().mean(),
    ],
    "case_12": [
        train(),
        train(summed, lr=0.1 / 288),
        train(summed, torch.optim.Adam, lr=5e-3),
        train(summed, before_step=clip, lr=0.03),
    ],
    "case_13": [
        by_heart(),
        by_heart_with_both,
        by_heart(optimiser=torch.optim.RMSprop, lr=2e-3),
        by_heart(optimiser=torch.optim.AdamW, lr=1e-2),
        by_heart(optimiser=torch.optim.SGD, lr=0.1, momentum=0.9),
        optimiser_told,
    ],
    "case_14": [one_stream, batches(seeded), all_patches_first],
    "case_15": [
        follow(),
        follow(1 - 0.9),
        follow_by_hand,
        follow_as_built,
        follow(0.05),
        follow(None),  # the mean of all batches so far
    ],
    "case_16": [mean_of_numbers, without_gradients, in_one_batch, detached_total],
    "mended_psnr": noise.RIGHT["my_psnr"],
    "mended_flip": [flip, flip_each_pair, flip_by_columns, flip_together],
    "mended_steps": [steps(), steps_by_hand, cleared_at_the_end],
}
WRONG = {
    "case_1": [
        ("that is a variance", lambda x, s, rng: x + rng.normal(0, np.sqrt(s / 255), x.shape)),
        ("divided by 255 once", lambda x, s, rng: x + rng.normal(0, s / 255 / 255, x.shape)),
        ("a shift, not noise", lambda x, s, rng: x + rng.normal(0, s / 255)),
        ("Gaussian", noise_with(lambda rng, shape: rng.uniform(-(3**0.5), 3**0.5, shape))),
        ("new for every pixel", noise_with(lambda rng, shape: rng.normal(size=(shape[0], 1)))),
        ("PSNR must be", noise_with(lambda rng, shape: np.abs(rng.standard_normal(shape)))),
        ("PSNR must be", lambda x, s, rng: plain(x, 2 * s, rng)),
        ("as large as the clean one", lambda x, s, rng: plain(x, s, rng)[:50]),
        ("leave [0, 1]", clipped()),
        ("generator that is passed on", noise_of(lambda rng: np.random.default_rng(0))),
        ("generator that is passed on", noise_of(lambda rng: np.random.default_rng())),
    ],
    "case_2": [
        ("mirrored", lambda x, s, rng: np.abs(x + whole(s, x, rng))),
        ("hardly any noise", lambda x, s, rng: x + rng.normal(0, s / 255, x.shape)),
        ("positive and negative", lambda x, s, rng: x + np.abs(rng.normal(0, s, x.shape))),
        ("from 0 to 255", lambda x, s, rng: (x + rng.normal(0, s, x.shape)) / 255),
        ("keep their noise", stretched),
        ("keep their noise", lambda x, s, rng: np.clip(x + whole(s / 2, x, rng), 0, 255)),
        ("keep their noise", lambda x, s, rng: wrapped(np.clip(x, 64, 191), s, rng)),
        ("as large as the clean one", lambda x, s, rng: clipped_bytes(x, s, rng)[0]),
        ("keep their noise", only_inside),
        (
            "generator that is passed on",
            lambda x, s, rng: clipped_bytes(x, s, np.random.default_rng(1)),
        ),
    ],
    "case_3": [
        ("never get darker", clipped(0, np.inf)),
        ("never get brighter", clipped(-np.inf, 1)),
        ("weaker than σ", centred),
        ("something still stops", clipped()),
        ("the same on black", clipped(-0.1, 1.1)),
        ("the same on black", pale),
        ("the same on black", lambda x, s, rng: np.abs(plain(x, s, rng))),
        ("the same on black", lambda x, s, rng: plain(x, s / 2, rng)),
        ("generator that is passed on", noise_of(lambda rng: np.random.default_rng(0))),
    ],
    "case_4": [
        ("still missing", redrawn(2, gain=1 / 0.8796)),
        ("more than 3σ", redrawn(3)),
        ("cut down now", noise_with(lambda rng, shape: rng.normal(size=shape).clip(-2, 2))),
        ("of 1,000 pixels", redrawn(1.5)),
        ("of 1,000 pixels", noise_with(lambda rng, shape: rng.uniform(-(3**0.5), 3**0.5, shape))),
        ("of 1,000 pixels", noise_with(lambda rng, shape: rng.laplace(0, 0.5**0.5, shape))),
        ("of 1,000 pixels", noise_with(lambda rng, shape: rng.normal(0, 1.12, shape))),
        ("generator that is passed on", noise_of(lambda rng: np.random.default_rng(0))),
    ],
    "case_5": [
        ("that of the first", table(lambda _, networks: min(networks))),
        ("that of the last", table(lambda _, networks: max(networks))),
        ("mean of its pictures", table(mean=np.sum)),
        ("restore before", unrestored),
        ("with which σ", swapped),
        ("with which σ", table(lambda sigma, _: 2 * sigma)),
        ("a number of dB for each", lambda nets, x: [table()(nets, x)[s] for s in nets][:1]),
    ],
    "case_6": [
        ("added once more", network(lambda y, v: y + v)),
        ("black and white", network(lambda y, v: v - y)),
        ("grey instead", network(lambda y, v: v + 0.5)),
        ("both signs", network(lambda y, v: y - v.abs())),
        ("nothing is removed", network(lambda y, v: y)),
        ("what do the layers give", network(stretched_out)),
        ("what do the layers give", network(lambda y, v: v.abs())),
        ("must give numbers", network(lambda y, v: None)),
    ],
    "case_7": [
        ("not the healthy result", use(alone=True)),
        (
            "learnt in training",
            use(change_batch_norms(nn.BatchNorm2d.reset_running_stats, evaluate=True)),
        ),
        ("one layer is cured", use(change_batch_norms(nn.Module.eval, slice(1)))),
        ("which layers behave", use(change_batch_norms(nn.Module.eval, slice(1, None)))),
        ("which layers behave", use(without_batch_norm)),
        ("which layers behave", use(change_batch_norms(affine_forgotten, evaluate=True))),
        ("which layers behave", not_loaded),
    ],
    "case_8": [
        ("more than parameters", load_parameters),
        ("ready for use", load(evaluate=False)),
        ("all of them", load_some("weight")),
        ("all of them", load_some("running")),
        ("all of them", load_some("layers.0")),
        ("raised RuntimeError", load(lambda name: name)),
        ("raised RuntimeError", load(lambda name: name.lstrip("module."))),
        ("must give a DnCNN", lambda checkpoint, config: checkpoint),
    ],
    "case_9": [
        ("the way back is not", colours(moved, lambda t, h, w: t.reshape(h, w, 3))),
        ("the way there is not", colours(cut, moved_back)),
        ("red and blue", colours(moved, lambda t, *_: moved_back(t).flip(-1))),
        ("all three channels", colours(moved, lambda t, *_: moved_back(t)[..., [1, 1, 1]])),
        ("is it a picture", lambda noisy, net: noisy),
        ("is it a picture", colours(lambda t, *_: t.mean(2)[None, None], lambda t, *_: t[0, 0])),
        ("is it a picture", colours(moved, lambda t, *_: t[:, 0].permute(2, 1, 0))),
        ("raised RuntimeError", colours(lambda t, *_: t.permute(2, 0, 1), moved_back)),
    ],
    "case_10": [
        ("its noise is still there", network(lambda y, v: y - v.relu() + v.relu().mean())),
        ("too bright", network(lambda y, v: y - (v - v.relu()))),
        ("only in part", network(lambda y, v: y - nn.functional.leaky_relu(v))),
        ("doubled", network(lambda y, v: y - v.abs())),
        ("added once more", network(lambda y, v: y + v)),
        ("nothing is removed", network(lambda y, v: y)),
        ("which values", network(lambda y, v: y - v.sigmoid())),
        ("which values", network(lambda y, v: y - v.relu() + 10 / 255)),
        ("which values", network(lambda y, v: y - nn.functional.elu(v, 0.5))),
        ("of either sign", network(lambda y, v: y - v.tanh())),
        ("which values", network(lambda y, v: y - v.clamp(-0.1, 0.1))),
    ],
    "case_11": [
        ("change nothing", targets(lambda clean, noise: clean + noise)),
        ("taken away twice", targets(lambda clean, noise: clean - noise)),
        (".backward()", detached),
        ("where the loss is lowest?", targets(lambda clean, noise: 0 * clean)),
        ("where the loss is lowest?", lambda *given: -difference_from_clean(*given)),
        ("where the loss is lowest?", lambda net, y, x: (net(y) - x).mean()),
        ("more than its mean", lambda net, y, x: (net(y) - x).mean().abs()),
        ("where the loss is lowest?", lambda net, y, x: (x - net(y)).clamp(min=0).mean()),
        ("raised AttributeError", lambda *given: difference_from_clean(*given).item()),
    ],
    "case_12": [
        ("ends in NaN or infinity", train(summed, lr=1.0)),
        ("ends in NaN or infinity", train(summed, momentum=0)),
        ("weights are NaN", hidden),
        ("nothing is learnt", train(lr=1e-6)),
        ("nothing is learnt", not_a_step),
        ("nothing is learnt", skipping),
        ("every batch is used", until_nan),
        ("raised TypeError", lambda net, batches: train()(net, batches)[-1]),
    ],
    "case_13": [
        ("the small network", by_heart((4, 8))),
        ("another network was trained", by_heart(returned=lambda net: small_network(5, 16))),
        ("still does not learn", unmoved),
        ("still does not learn", by_heart(lr=1e-6)),
        ("still does not learn", by_heart(trained=lambda net: [next(net.parameters())], lr=1e-4)),
        ("whose weights", by_heart((6, 16))),
        ("whose weights", first_losses_only),
        ("a network and its losses", lambda *given: by_heart()(*given)[1]),
    ],
    "case_14": [
        ("the patches come back", batches(lambda step: seeded(0), lambda step: seeded(step))),
        ("the noise comes back", batches(lambda step: seeded(1 + step), lambda step: seeded(0))),
        ("repeat this run", unseeded),
        ("none comes twice", lambda sampler, noise, n: one_stream(sampler, noise, n - 1)),
        ("none comes twice", lambda sampler, noise, n: one_stream(sampler, dn.GaussianNoise(5), n)),
        ("a pair for each step", lambda *given: [noisy for noisy, _ in one_stream(*given)]),
        ("none comes twice", batches(lambda step: seeded(step % 10))),
        ("then the clean ones", lambda *given: [(x, y) for y, x in one_stream(*given)]),
        (
            "must not be clipped",
            lambda *given: [(y.clip(0, 1), x) for y, x in one_stream(*given)],
        ),
    ],
    "case_15": [
        ("still counts for most", follow(0.99)),
        ("still counts for most", follow(0.5)),
        ("there are more of its kind", lambda net, y: follow(0.9, slice(1, None))(net, y)),
        ("follow no batch", frozen),
        ("follow no batch", follow(0.0)),
        ("ready for use", follow(mode=True)),
        ("only the running statistics", follow_and_learn),
    ],
    "case_16": [
        ("still grows", all_but_the_first),
        ("still grows", every_second),
        ("gradients in the network", backwards),
        ("mean over all", lambda net, x: mean_of_numbers(net, x) * len(x)),
        ("the number is the same", lambda net, x: mean_of_numbers(net, x[:-1])),
        ("the number is the same", lambda net, x: mean_of_numbers(net, x) ** 0.5),
        ("raised TypeError", lambda net, x: None),
        ("need gradients again", switched_off),
        ("need gradients again", frozen_network),
    ],
    "mended_psnr": [
        *noise.WRONG["my_psnr"][:4],
        ("further than 1", lambda y, x: noise.psnr(y, x, 1)),
        ("brightest present", lambda y, x: noise.psnr(y, x, float(x.max()))),
        ("is the peak?", lambda y, x: noise.psnr(y, x, root=True)),
        ("see the sign", lambda y, x: -noise.psnr(y, x)),
        ("is too large", lambda y, x: noise.psnr(y, x) + 1),
        ("changed what it was given", lambda y, x: (noise.psnr(y, x), y.fill(0))[0]),
    ],
    "mended_flip": [
        ("how many coins", two_coins),
        ("what happens to the clean", lambda y, x, g: (flip(y, x, g)[0], x)),
        ("what happens to the noisy", lambda y, x, g: (y, flip(y, x, g)[1])),
        ("nothing is ever flipped", lambda y, x, g: (y, x)),
        ("every time", lambda y, x, g: (y.flip(-1), x.flip(-1))),
        ("and never both", one_or_the_other),
        ("only left and right", flip_along(-2)),
        ("only left and right", flip_along(1)),
        ("only left and right", flip_along(0)),
        ("only left and right", flip_along((2, 3))),
        ("only left and right", lambda y, x, g: flip(x, y, g)),
        ("only left and right", lambda y, x, g: flip(y, y, g)),
        ("must give the two", lambda y, x, g: flip(y[:1], x[:1], g)),
        ("as frequent as tails", flip_with_chance(0.2)),
        ("as frequent as tails", flip_with_chance(0.8)),
        ("with the generator", lambda y, x, g: flip(y, x, None)),
        ("changed what it was given", flip_in_place),
        ("must give the two", lambda y, x, g: flip(y, x, g)[0][:, 0]),
        ("must give the two", lambda y, x, g: None),
    ],
    "mended_steps": [
        ("are still there", steps(clear=lambda net: None)),
        ("nothing was learnt", cleared_too_late),
        ("not the first alone", steps(clear=first_cleared)),
        ("in eval mode", lambda net, batches, lr: steps()(net.eval(), batches, lr)),
        ("not their mean", steps(loss=nn.MSELoss(reduction="sum"))),
        ("nothing was learnt", lambda net, *rest: steps()(copy.deepcopy(net), *rest)),
        ("learning rate is", lambda net, batches, lr: steps()(net, batches, 2 * lr)),
        ("not for the last", lambda net, batches, lr: steps()(net, batches[-1:], lr)),
        ("not for the first", lambda net, batches, lr: steps()(net, batches[:1], lr)),
        ("no momentum", steps(momentum=0.9)),
        ("not uphill", lambda net, batches, lr: steps(maximize=True)(net, batches, lr)),
        ("values are off", steps(torch.optim.Adam)),
        ("values are off", all_at_once),
        ("not for the last", lambda net, batches, lr: steps()(net, [batches[2]], lr)),
    ],
}
OPEN = {  # what does not cure a case, nor change what it does
    "case_1": [lambda x, s, rng: x + s * rng.standard_normal(x.shape)],
    "case_2": [wrapped, lambda x, s, rng: (wrapped(x, s, rng) / 255 * 255).round()],
    "case_3": [clipped(levels=255)],
    "case_4": [redrawn(2)],
    "case_5": [table(lambda *_: 25)],
    "case_6": [network(lambda y, v: v), network(lambda y, v: y - (y - v))],
    "case_7": [use(), use(after=nn.Module.eval), use(strict=False), use(nn.Module.requires_grad_)],
    "case_8": [load(lambda name: name, strict=False), load(str.upper, strict=False)],
    "case_9": [colours(cut, lambda t, h, w: t.view(h, w, 3))],
    "case_10": [network(lambda y, v: y - v.relu()), network(lambda y, v: y - v.clamp(min=0))],
    "case_11": [
        targets(lambda clean, noise: noise),
        lambda net, y, x: ((net.predict_residual(y) - x) ** 2).mean(),
    ],
    "case_12": [train(summed)],
    "case_13": [by_heart(trained=lambda net: small_network().parameters())],
    "case_14": [batches(lambda step: seeded(0)), batches(lambda step: seeded(step % 3))],
    "case_15": [follow(0.9)],
    "case_16": [lambda net, x: torch.stack(errors(net, x)).mean().item(), collected, in_eval_mode],
}
