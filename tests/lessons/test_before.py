"""Lesson 02: what a system looks at, the lesson's pictures, and claims of its text."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from helpers import picture, raises, seeded
from lessons.answers.before import influence
from scipy.ndimage import convolve, correlate
from torch import nn

import dncnn_lib as dn
from dncnn_lib.lessons import before
from dncnn_lib.lessons.before import (
    DISTANCE,
    REACH,
    covered,
    differences,
    gradient,
    look_explorer,
    look_picture,
    look_words,
    looks,
    mean_psnr,
    plot_filters,
    plot_influences,
    plot_periods,
    plot_responses,
    plot_walks,
    recorded,
    recorded_images,
    responses,
    step_of,
    timed,
    wallpaper,
    window,
)
from dncnn_lib.priors import load_model
from dncnn_lib.priors._prior import Prior
from dncnn_lib.show.pictures import side_by_side

pytestmark = pytest.mark.usefixtures("one_thread")

KERNEL = np.arange(15.0).reshape(3, 5) - 4


@pytest.fixture
def noisy() -> np.ndarray:
    return picture(72, 70)


class Linear(nn.Module):
    """x̂ = KERNEL ∗ y, a correlation: what it looks at is the kernel."""

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        kernel = torch.tensor(KERNEL, dtype=torch.float32)[None, None]
        return nn.functional.conv2d(noisy, kernel, padding=(1, 2))


class Scaled(Prior):
    about = "σ times the square of the picture"

    def restore(self, plane, sigma):
        return 255 * sigma * plane**2 / 2


# --------------------------------------------------------------------------- what a system looks at


def test_the_gradient_of_a_linear_filter_is_its_kernel(noisy):
    found = gradient(Linear(), noisy, 35, 33)
    assert found.shape == (61, 61)
    np.testing.assert_allclose(found[REACH - 1 : REACH + 2, REACH - 2 : REACH + 3], KERNEL)
    assert np.count_nonzero(found) == np.count_nonzero(KERNEL)


def test_the_gradient_of_a_prior_is_told_sigma(noisy):
    found = gradient(Scaled(), noisy, 40, 39, 15)
    assert found[REACH, REACH] == pytest.approx(15 * noisy[40, 39], rel=1e-5)
    assert np.count_nonzero(found) == 1


def test_the_gradient_of_bm3d_is_that_of_differences():
    """BM3D chooses blocks and coefficients; with these fixed a tiny change comes out linear."""
    image = picture(61, 61, seed=3) * 0.2 + np.linspace(0.2, 0.8, 61, dtype=np.float32)
    bm3d, step = load_model("bm3d"), 1e-3
    found = gradient(bm3d, image, 30, 30, 25)
    for row, column in ((30, 30), (28, 33)):
        batch = torch.from_numpy(np.stack([image, image])).double()[:, None]
        batch[0, 0, row, column] += step
        batch[1, 0, row, column] -= step
        up, down = (bm3d(each[None].float(), 25 / 255)[0, 0, 30, 30].item() for each in batch)
        assert found[row, column] == pytest.approx((up - down) / (2 * step), abs=0.02)


def test_the_window_must_lie_inside(noisy):
    with raises(ValueError, "row is 29, but must be between 30 and 41"):
        gradient(Linear(), noisy, 29, 33)
    with raises(ValueError, "column is 40, but must be between 30 and 39"):
        window(noisy, 35, 40)


def test_the_window_frames_its_pixel(noisy):
    shown = window(2 * noisy - 0.5, 36, 32)
    assert shown.shape == (61, 61, 3)
    expected = np.clip(2 * noisy - 0.5, 0, 1)[6:67, 2:63]
    frame = DISTANCE == 3
    assert np.array_equal(shown[~frame], np.repeat(expected[~frame][:, None], 3, axis=1))
    assert (shown[frame] == np.float32([1, 0.84, 0])).all() and frame.sum() == 24


def test_patches_differ_by_their_mean_squared_difference(noisy):
    found = differences(noisy, 35, 34, size=5)
    assert found.shape == (61, 61) and found[REACH, REACH] == 0
    one, other = noisy[33:38, 32:37], noisy[36:41, 25:30]  # 3 down, 7 to the left
    assert found[REACH + 3, REACH - 7] == pytest.approx(np.mean((one - other) ** 2))


def test_the_nearest_patches_cover_their_pixels():
    differences = np.ones((61, 61))
    differences[30, 30], differences[31, 30], differences[0, 60] = 0, 0.1, 0.2
    found = covered(differences, 3, 3)
    expected = np.zeros((61, 61))
    expected[29:32, 29:32] += 1
    expected[30:33, 29:32] += 1
    expected[0:2, 59:61] += 1
    assert np.array_equal(found, expected)


def test_the_looks_of_systems_by_title():
    noisy = picture(76, 74)
    found = looks({"linear": Linear(), "scaled": Scaled()}, 15)
    assert list(found) == ["Gaussian filter", "NCSR", "linear", "scaled"]
    at = (38, 37)
    assert found["Gaussian filter"](noisy, *at).sum() == pytest.approx(1)
    patches = found["NCSR"](noisy, *at)
    assert patches.shape == (61, 61) and patches.sum() <= 16 * 49 and patches[REACH, REACH] >= 1
    for title, model in (("linear", Linear()), ("scaled", Scaled())):
        assert np.array_equal(found[title](noisy, *at), gradient(model, noisy, *at, 15))


def test_a_look_as_a_picture():
    weights = np.array([[0.0, -4.0], [1.0, 0.25]])
    np.testing.assert_allclose(look_picture(weights), [[0, 1], [0.5, 0.25]])
    assert np.array_equal(look_picture(np.zeros((2, 2))), np.zeros((2, 2)))


def test_a_look_in_words():
    weights = np.zeros((61, 61))
    weights[30, 30], weights[30, 33], weights[28, 30], weights[0, 0] = 0.5, -0.3, 0.15, 0.05
    expected = "BM3D: 50 % of the weight on the pixel itself, 90 % on 3 pixels, up to 3 away"
    assert look_words("BM3D", weights) == expected


def test_the_explorer_shows_system_and_pixel(noisy):
    def one(noisy, row, column):
        return 1.0 * (DISTANCE == 0)

    def two(noisy, row, column):
        return noisy[row, column] * (DISTANCE <= row - column)

    looks = {"one": one, "two": two}
    children = look_explorer(noisy, looks, (36, 34), zoom=2).children
    switch, row, column, words, shown = children
    assert switch.value == "one" and (row.value, column.value) == (36, 34)
    assert (row.min, row.max, column.min, column.max) == (34, 37, 34, 35)
    for system, at in (("two", (37, 35)), ("two", (37, 34)), ("one", (34, 34))):
        switch.value, (row.value, column.value) = system, at
        weights = looks[system](noisy, *at)
        assert words.value == shown.alt == look_words(system, weights)
        seen = np.repeat(look_picture(weights)[..., None], 3, axis=2)
        assert shown.value == side_by_side(window(noisy, *at), seen, zoom=2)
    with raises(ValueError, "looks is {}, but must be at least one look"):
        look_explorer(noisy, {}, (36, 34))
    with raises(ValueError, "row is 20, but must be between 30 and 41"):
        look_explorer(noisy, looks, (20, 34))


# ------------------------------------------------------------------------------------- the pictures


def test_responses_are_shown_as_a_density(figures):
    z = np.random.default_rng(0).standard_t(4, 50_000)
    z /= z.std()
    ax = plot_responses(z)
    heights = ax.patches[0].get_data().values
    width = 0.2
    inside = np.mean(np.abs(z) < 10)
    assert heights.sum() * width == pytest.approx(inside)
    assert heights[50] == pytest.approx(np.mean((z >= 0) & (z < 0.2)) / width)
    labels = [line.get_label() for line in ax.lines]
    assert labels == ["Gaussian: $z^2$", "Laplace: $|z|$", "Student-t: $\\log(1+z^2)$"]
    x = ax.lines[0].get_xdata()
    gaussian, laplace, student = (line.get_ydata() for line in ax.lines)
    for values in (gaussian, laplace):
        assert np.trapezoid(values, x) == pytest.approx(1, abs=1e-3)
        assert np.trapezoid(values * x**2, x) == pytest.approx(1, abs=1e-2)  # variance 1
    middle = (np.abs(x) < 3).nonzero()[0]
    at = np.interp(x[middle], np.linspace(-9.9, 9.9, 100), heights)
    assert np.abs(student[middle] - at).max() < 0.05


def test_responses_are_in_standard_deviations():
    photographs = [picture(9, 8, seed=1), picture(7, 12, seed=2)]
    kernel = np.array([[1.0, -1.0], [2.0, 0.0]])
    plain = [correlate(photo, kernel)[1:, 1:] for photo in photographs]  # where it lies inside
    z = np.concatenate([part.ravel() for part in plain])
    np.testing.assert_allclose(responses(photographs, kernel), z / z.std(ddof=1), rtol=1e-6)


def test_a_walk_is_timed():
    images = [torch.full((2, 2), value) for value in (3.0, 2.0, 1.0)]

    def walk():
        time.sleep(0.02)
        yield from images

    for steps in (walk, lambda: list(walk())):
        seconds, seen = timed(steps)
        assert seconds >= 0.02 and seen == images


def test_walks_have_their_seconds(figures):
    def images(*values):
        return [torch.full((2, 2), value) for value in values]

    walks = {"a": (2.0, images(9.0, 4.0, 3.0)), "b": (1.0, images(9.0, 3.0))}
    left, right = plot_walks(
        walks, lambda u: float(u.sum()), lambda u: 30 - u.mean(), {"c": (0.5, 28.0)}
    ).axes
    for ax, height in ((left, lambda v: 4 * v), (right, lambda v: 30 - v)):
        for line, (seconds, values) in zip(ax.lines, ((2.0, (4, 3)), (1.0, (3,)))):
            steps = len(values)
            np.testing.assert_allclose(line.get_xdata(), seconds * np.arange(1, steps + 1) / steps)
            np.testing.assert_allclose(line.get_ydata(), [height(v) for v in values])
    assert (list(right.lines[2].get_xdata()), list(right.lines[2].get_ydata())) == ([0.5], [28.0])
    assert [t.get_text() for t in right.get_legend().get_texts()] == ["a", "b", "c"]


@pytest.mark.parametrize("number", [0, 1])
def test_a_stage_of_tnrd_in_parts(number):
    tnrd = load_model("tnrd-5x5").requires_grad_(False).parts[0]
    stage = tnrd.stages[number]
    filters, phi, pull = step_of(stage)
    u, y = (torch.from_numpy(picture(20, 21, seed=seed)) for seed in (4, 5))
    mirrored = torch.from_numpy(np.pad(u.numpy(), 4, mode="symmetric"))[None, None]
    change = nn.functional.conv_transpose2d(phi(nn.functional.conv2d(mirrored, filters)), filters)
    expected = u - change[0, 0, 4:-4, 4:-4] - pull * (u - y)
    torch.testing.assert_close(stage(u[None], y[None])[0], expected, atol=1e-5, rtol=0)
    assert (number == 0) == (pull == 0)


def test_the_mean_over_pictures_with_noise():
    pictures = [picture(16, 17, seed=seed) for seed in (1, 2)]
    found = [
        dn.compare(x, dn.GaussianNoise(25), Scaled(), seed=i, sigma=50).psnr
        for i, x in enumerate(pictures)
    ]
    assert mean_psnr(Scaled(), pictures, 25, 50) == pytest.approx(np.mean(found))


def test_wallpaper_repeats():
    found = wallpaper(7, 30)
    assert found.shape == (30, 30) and found.dtype == np.float32
    assert (found.min(), found.max()) == (0, 1)
    assert np.array_equal(found[7:], found[:-7]) and np.array_equal(found[:, 7:], found[:, :-7])


def test_periods_and_where_the_search_ends(figures):
    ax = plot_periods((6, 8), {"net": [22.0, 23.0], "search": [30.0, 29.0]}, {"search": 7})
    net, search, end = ax.lines
    assert list(net.get_ydata()) == [22, 23] and list(search.get_xdata()) == [6, 8]
    assert set(end.get_xdata()) == {7} and end.get_color() == search.get_color()


def test_filters_lie_in_rows_each_in_its_own_range(figures):
    filters = np.zeros((3, 2, 2))
    filters[0, 0, 0], filters[1, 1, 1], filters[2] = 2, -0.5, 1
    (ax,) = plot_filters({"three": filters}, columns=2).axes
    shown = np.asarray(ax.images[0].get_array())
    expected = np.array(
        [
            [1.0, 0.5, 1.0, 0.5, 0.5],
            [0.5, 0.5, 1.0, 0.5, 0.0],
            [1.0, 1.0, 1.0, 1.0, 1.0],
            [1.0, 1.0, 1.0, 1.0, 1.0],
            [1.0, 1.0, 1.0, 1.0, 1.0],
        ]
    )
    assert np.array_equal(shown, expected) and ax.get_title() == "three"


def test_influences_have_a_line_for_each_filter_and_their_mean(figures):
    z = np.linspace(-1, 1, 5)
    curves = {name: np.outer([1, 3], z) for name in ("a", "b", "c", "d")}
    axes = plot_influences(z, curves).axes
    assert [ax.get_title() for ax in axes[:4]] == list(curves) and len(axes) == 6
    zero, first, second, mean = axes[1].lines
    np.testing.assert_allclose(second.get_ydata(), 3 * z)
    np.testing.assert_allclose(mean.get_ydata(), 2 * z)
    assert not axes[5].axison


# ---------------------------------------------------------------------------------------- the table

HEADER = "model,task,set,level,image,degraded_psnr,psnr,degraded_ssim,ssim,seconds,parameters,x\n"


def test_the_means_of_a_set_and_its_images_are_read(tmp_path):
    path = tmp_path / "priors.csv"
    path.write_text(
        HEADER
        + "bm3d,gaussian,BSD68,25,a.png,20.1,28.4,0.3,0.8,2.5,0,\n"
        + "bm3d,gaussian,BSD68,25,mean,20.2,28.5,0.3,0.8,,0,28.57\n"
        + "bm3d,gaussian,BSD68,50,mean,14.2,25.5,0.2,0.7,2.6,0,\n"
        + "bm3d,gaussian,Set12,25,mean,20.2,29.9,0.3,0.8,3.0,0,\n"
        + "foe,gaussian,BSD68,25,mean,20.2,28.3,0.3,0.8,1.5,627,\n"
        + "dncnn-s-25,gaussian,BSD68,25,mean,20.2,29.2,0.3,0.8,0.4,556032,29.23\n"
    )
    found = recorded("BSD68", 25, path)
    assert list(found) == ["bm3d", "foe", "dncnn-s"]
    assert found["bm3d"] == before.Recorded(28.5, None, 0)
    assert found["foe"] == before.Recorded(28.3, 1.5, 627)
    assert recorded("BSD68", 50, path)["bm3d"].psnr == 25.5
    with raises(ValueError, f"{path} has no mean over Set12 at sigma = 15"):
        recorded("Set12", 15, path)
    assert recorded_images("bm3d", "BSD68", 25, path) == {"a.png": 28.4}
    with raises(ValueError, f"{path} has no images of BSD68 at sigma = 25 by foe"):
        recorded_images("foe", "BSD68", 25, path)


# ---------------------------------------------------------------------- claims of the lesson's text


@pytest.mark.parametrize(("alpha", "response"), [(1.0, 0.3), (2.5, -1.7), (0.3, 4.0)])
def test_the_influence_is_the_slope_of_the_penalty(alpha, response):
    z, step = np.array([response]), 1e-6
    rho = [alpha * np.log1p((z + side) ** 2 / 2) for side in (step, -step)]
    np.testing.assert_allclose(influence(z, alpha), (rho[0] - rho[1]) / (2 * step), rtol=1e-5)


def test_a_step_on_the_gaussian_energy_is_a_blur():
    """Σ_i k̄_i ∗ k_i over an orthonormal basis of blocks is m² times the identity; without the flat
    one it lacks the mean over m×m, taken twice."""
    basis = torch.linalg.qr(torch.randn(25, 25, generator=seeded(), dtype=torch.float64))[0]
    flat = torch.full((25, 1), 0.2, dtype=torch.float64)
    basis = torch.linalg.qr(torch.cat([flat, basis[:, 1:]], 1))[0].T[1:]
    total = np.zeros((9, 9))
    for kernel in basis.view(-1, 5, 5).numpy():
        total += convolve(np.pad(kernel, 2), kernel[::-1, ::-1], mode="constant")
    tent = np.convolve(np.ones(5), np.ones(5)) / 25
    identity = np.zeros((9, 9))
    identity[4, 4] = 1
    np.testing.assert_allclose(identity - total / 25, np.outer(tent, tent), atol=1e-9)
