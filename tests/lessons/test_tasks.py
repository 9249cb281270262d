"""Lesson 08: noise and detail, JPEG, colour, the cost of sharing, the task explorer."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import torch
from helpers import picture, raises
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio

from dncnn_lib.degrade import KINDS, GaussianNoise, JPEGCompression, apply
from dncnn_lib.evaluation import PROTOCOLS, compare
from dncnn_lib.lessons.tasks import (
    PAIR,
    TASK_KINDS,
    TASKS,
    costs_over_time,
    costs_over_width,
    decibels,
    ends,
    gains,
    in_blocks,
    jpeg_file,
    mean_decibels,
    mean_gains,
    peak,
    plot_costs,
    plot_race,
    print_gains,
    sharing_costs,
    six_parts,
    small_network,
    spread_by_detail,
    squares,
    task_explorer,
    task_words,
    to_rgb,
    to_ycc,
    train_seeds,
)
from dncnn_lib.show.pictures import side_by_side
from dncnn_lib.training import Step, TrainConfig


@pytest.mark.parametrize(
    ("kind", "level"), [("Gaussian", "σ"), ("down-up", "scale"), ("JPEG", "quality")]
)
def test_the_words_have_the_numbers_of_other_libraries(kind, level, clean, found):
    degraded = peak_signal_noise_ratio(clean, found.degraded, data_range=1)
    restored = peak_signal_noise_ratio(clean, found.restored.clip(0, 1), data_range=1)
    assert task_words(kind, 3, found) == (
        f"{kind}, {level} 3: {degraded:.1f} dB, restored {restored:.1f} dB "
        f"({restored - degraded:+.1f} dB)"
    )


def test_the_explorer_follows_its_controls(clean, halve):
    kinds, slider, words, picture = task_explorer(clean, halve, zoom=2).children
    assert (kinds.description, kinds.options, kinds.value) == ("task", TASK_KINDS, "JPEG")
    assert (slider.description, slider.value) == ("quality", 10)
    for kind, level in (("down-up", 4), ("Gaussian", 0), ("Gaussian", 75), ("JPEG", 90)):
        kinds.value = kind
        slider.value = level
        found = compare(clean, KINDS[kind].degradation(level), halve)
        assert words.value == picture.alt == task_words(kind, level, found)
        removed = 0.5 + 2 * (found.degraded - found.restored)
        assert picture.value == side_by_side(found.degraded, found.restored, removed, zoom=2)


def test_spread_by_detail_sorts_the_squares_and_measures_the_noise_in_each():
    flat, rough = np.full((4, 4), 0.5), 0.5 + 0.25 * np.tile([[1, -1], [-1, 1]], (2, 2))
    clean = np.block([[rough, flat], [flat, rough]])
    noise = np.block([[np.full((4, 4), 0.3), np.zeros((4, 4))], [0.1 * rough, -rough]])
    detail, spread = spread_by_detail(noise, clean, bins=2, block=4)
    np.testing.assert_allclose(detail, [0, 0.25])
    power = 0.25 + 0.25**2  # the mean square of ``rough``
    expected = [np.sqrt((0.1**2 * power + 0) / 2), np.sqrt((0.3**2 + power) / 2)]
    np.testing.assert_allclose(spread, expected)


def test_spread_by_detail_leaves_out_what_is_no_whole_square():
    clean = np.random.default_rng(0).random((16, 24))
    larger = np.pad(clean, ((0, 7), (0, 5)), constant_values=9.0)
    for a, b in zip(spread_by_detail(clean, clean), spread_by_detail(larger, larger)):
        np.testing.assert_allclose(a, b)


def test_spread_by_detail_refuses_images_that_do_not_fit():
    with raises(ValueError, "noise's shape is (8, 8), but must be that of clean, (8, 16)"):
        spread_by_detail(np.zeros((8, 8)), np.zeros((8, 16)))
    with raises(ValueError, "clean's shape is (8, 16), but must be room for 6 squares of 8×8"):
        spread_by_detail(np.zeros((8, 16)), np.zeros((8, 16)))


def test_squares_are_cut_row_by_row_and_remainders_left_out():
    image = np.arange(5 * 7).reshape(5, 7)
    found = squares(image, 2)
    assert found.shape == (6, 4) and found.dtype == np.float64
    assert found[1].tolist() == [2, 3, 9, 10] and found[3].tolist() == [14, 15, 21, 22]


def test_the_peak_tells_laws_apart():
    rng = np.random.default_rng(0)
    assert peak(rng.normal(size=(100, 1000))) == pytest.approx(np.pi / 2, rel=0.02)
    assert peak(rng.laplace(size=100_000)) == pytest.approx(2, rel=0.03)
    assert peak(np.array([-3.0, 3.0])) == 1


def test_a_jpeg_file_is_what_jpeg_compression_gives_and_has_its_table(clean):
    file = jpeg_file(clean, 10)
    assert np.array_equal(np.asarray(file) / np.float32(255), apply(JPEGCompression(10), clean))
    assert file.quantization[0][0] == 80  # five times the 16 of the standard's example
    colour = picture(16, 16, 3)
    halved, whole = (np.asarray(jpeg_file(colour, 90, subsampling=s)) for s in ("4:2:0", "4:4:4"))
    error = [np.abs(decoded / 255 - colour).mean() for decoded in (halved, whole)]
    assert halved.shape == colour.shape and error[1] < error[0] / 2


def test_the_coefficients_of_a_block_are_those_of_scipy(clean):
    k = np.arange(8)
    waves = np.cos(np.pi / 8 * np.outer(k, k + 0.5)) / 2
    waves[0] /= np.sqrt(2)
    blocks = in_blocks(clean, waves)
    assert blocks.shape == (3, 2, 8, 8)
    expected = scipy.fft.dctn(255 * clean[8:16, :8].astype(np.float64) - 128, norm="ortho")
    np.testing.assert_allclose(blocks[1, 0], expected, atol=1e-3)


def test_six_parts_are_each_degraded_in_their_own_way():
    image = picture(32, 48)
    kinds = [GaussianNoise(n) for n in (5, 10, 15, 20, 25)] + [JPEGCompression(20)]
    patchwork, parts = six_parts(image, kinds)
    covered = np.zeros(image.shape, int)
    for kind, part in zip(kinds, parts):
        covered[part] += 1
        np.testing.assert_array_equal(patchwork[part], apply(kind, image)[part])
    assert (covered == 1).all()
    assert parts[2] == (slice(0, 16), slice(32, 48)) and parts[3] == (slice(16, 32), slice(0, 16))


def test_decibels_clip_and_leave_out_the_border(clean):
    image = clean + np.float32(0.1)
    image[0] = 7
    inner = (slice(1, -1),) * 2
    expected = peak_signal_noise_ratio(clean[inner], image[inner].clip(0, 1), data_range=1)
    assert decibels(image, clean, 1) == pytest.approx(expected, abs=1e-4)
    near = clean + np.float32(0.01)
    mean = (expected + decibels(near, clean, 1)) / 2
    assert mean_decibels([image, near], [clean, clean], 1) == pytest.approx(mean, abs=1e-4)


def test_ycc_is_that_of_scikit_image_and_comes_back():
    rgb = picture(5, 4, 3).astype(np.float64)
    np.testing.assert_allclose(to_ycc(rgb), rgb2ycbcr(rgb) / 255, atol=1e-6)
    np.testing.assert_allclose(to_rgb(to_ycc(rgb)), rgb)


def test_the_network_of_the_race_is_decided_by_its_seed():
    first, again, other = (small_network(seed, 4).layers[2].weight for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    net = small_network(0)
    assert (net.depth, net.width) == (8, 16) and not any("Norm" in str(m) for m in net.layers)


def test_mean_gains_are_those_of_the_protocols(halve):
    images = {"a": picture(24, 24), "b": picture(24, 24, seed=1)}
    found = mean_gains(halve, images, {"gaussian": 25, "deblocking": 10})
    gain = [c.gain for _, c in PROTOCOLS["gaussian"].compare_all(halve, images, 25)]
    assert found["gaussian"] == pytest.approx(np.mean(gain)) and list(found)[1] == "deblocking"


def test_gains_are_one_for_each_network(halve):
    images, levels = {"a": picture(24, 24)}, {"deblocking": 10, "gaussian": 25}
    found = gains([halve, torch.nn.Identity()], images, levels)
    assert list(found) == ["deblocking", "gaussian"]
    assert found["gaussian"][0] == mean_gains(halve, images, {"gaussian": 25})["gaussian"]
    assert found["deblocking"][1] == 0 and found["gaussian"].shape == (2,)


@pytest.mark.usefixtures("one_thread")
def test_a_training_from_each_seed():
    config = TrainConfig(steps=2, batch_size=1, patch_size=8)
    noise, images = GaussianNoise(25), [picture(16, 16)]
    first, second, again = train_seeds(noise, images, config, seeds=(0, 1, 0))
    weights = [net.layers[0].weight for net in (first, second, again)]
    assert torch.equal(weights[0], weights[2]) and not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], small_network(0).layers[0].weight)


def test_a_race_has_a_panel_for_each_task_with_one_axis(figures):
    results = {"one": {"a": [1.0, 3.0], "b": [0.1, 0.1]}, "two": {"a": [6.0, 6.0], "b": [0, 0]}}
    left, right = plot_race(results, {"a": "first", "b": "second"}).axes
    assert (left.get_title(), right.get_title()) == ("first", "second")
    assert left.get_xlim() == right.get_xlim() and left.get_xlim()[1] > 6
    assert [bar.get_width() for bar in left.patches] == [2, 6]
    assert [label.get_text() for label in left.get_yticklabels()] == ["one", "two"]


def end(steps: int, psnr: float) -> Step:
    return Step(steps, steps, 0.1, 0.0, 1.0, steps, psnr)


def runs() -> dict[tuple, list[Step]]:
    """Two tasks; seed 1 has no longer training of the shared network."""
    return {
        ("a", "a", 16, 0): [end(10, 25.0), end(30, 26.0)],
        ("a", "a", 16, 1): [end(10, 25.5)],
        ("a", "a", 8, 0): [end(10, 20.0)],
        ("a", "b", 16, 0): [end(10, 5.0)],
        ("b", "b", 16, 0): [end(10, 28.0)],
        ("all three", "a", 16, 0): [end(10, 24.0), end(30, 24.5)],
        ("all three", "a", 16, 1): [end(10, 25.0)],
        ("all three", "b", 16, 0): [end(10, 27.75)],
        ("b and c", "a", 16, 0): [end(10, 1.0)],
        ("b and c", "b", 16, 0): [end(10, 29.0)],
    }


def test_the_ends_are_those_of_one_training_each():
    assert ends(runs(), "a", "a", 16, 10) == {0: 25.0, 1: 25.5}
    assert ends(runs(), "a", "a", 16, 30) == {0: 26.0} and ends(runs(), "a", "b", 8, 10) == {}


def test_what_sharing_costs_is_the_specialist_less_the_shared_network():
    tasks = ("a", "b")
    assert sharing_costs(runs(), 16, 10, tasks=tasks) == {"a": [1, 0.5], "b": [0.25]}
    assert sharing_costs(runs(), 16, 10, 30, tasks) == {"a": [0.5], "b": []}
    assert sharing_costs(runs(), 16, 10, tasks=["b"], shared="b and c") == {"b": [-1]}


def whole_record() -> dict[tuple, list[Step]]:
    """Specialists end at 30 dB, the network for all three at 29.5, the pair at 29; longer trainings
    end 0.1 dB higher, those of width 8 or 32 at 27."""
    found = {}
    for level, name in ((30, None), (29.5, "all three"), (29, PAIR)):
        for task in TASKS:
            key = name or task, task
            found[*key, 16, 0] = [end(250, level), end(750, level + 0.1), end(2250, level + 0.1)]
            found[*key, 8, 0] = found[*key, 32, 0] = [end(750, 27.0)]
    return found


def test_costs_over_time_and_over_width_are_those_of_sharing():
    over_time = costs_over_time(whole_record())
    equal, patches, pair = over_time.values()
    assert list(equal) == [250, 750, 2250] and list(patches) == [250, 750]
    assert equal[750] == dict.fromkeys(TASKS, [0.5])
    assert patches[250]["gaussian"] == [pytest.approx(0.4)]
    assert pair[2250] == dict.fromkeys(TASKS[1:], [1.0])
    (over_width,) = costs_over_width(whole_record()).values()
    assert over_width == {w: dict.fromkeys(TASKS, [c]) for w, c in ((8, 0), (16, 0.5), (32, 0))}


def test_gains_are_printed_by_size(capsys):
    print_gains(whole_record(), "deblocking", 28, [(8, 750), (16, 2250)])
    first, second = capsys.readouterr().out.splitlines()
    assert first == "deblocking        width  8,  750 steps: alone -1.0, all three -1.0 dB"
    assert second.endswith("width 16, 2250 steps: alone +2.1, all three +1.6 dB")


def test_costs_have_a_panel_for_each_task_a_dot_for_each_seed_and_one_legend(figures):
    costs = {
        "equal": {10: {"a": [1, 0.5], "b": [0.25]}, 30: {"a": [1.5], "b": []}},
        "pair": {10: {"b": [-1]}},
    }
    figure = plot_costs(costs, "steps")
    first, second = figure.axes
    assert first.get_ylim() == second.get_ylim() and first.get_ylim()[0] < -1
    assert [list(line.get_ydata()) for line in first.lines[:3]] == [[1, 0.5], [1.5], [0.75, 1.5]]
    assert [tick.get_text() for tick in first.get_xticklabels()] == ["10", "30"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["equal", "pair"]
