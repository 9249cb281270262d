"""Answers to the exercises of lesson 10."""

import copy

import torch
from lessons.answers import noise
from torch import nn


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


RIGHT = {
    "mended_psnr": noise.RIGHT["my_psnr"],
    "mended_flip": [flip, flip_each_pair, flip_by_columns, flip_together],
    "mended_steps": [steps(), steps_by_hand, cleared_at_the_end],
}
WRONG = {
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
