"""JPEG against Pillow's libjpeg."""

import pytest
import torch
from helpers import pillow_jpeg, smooth

from dncnn_lib.jpeg import compress, grey_jpeg


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [5, 40, 90])
def test_it_is_pillows(channels, quality):
    clean = smooth(33, 50, channels, batch=2)
    degraded = compress(clean, torch.tensor([quality, quality]))
    expected = torch.stack([pillow_jpeg(image, quality) for image in clean])
    assert torch.equal(degraded, expected)


def test_each_image_of_a_batch_has_its_own_quality():
    clean = smooth(16, 24, batch=3)
    degraded = compress(clean, torch.tensor([5.0, 50.0, 95.0]))
    for image, result, quality in zip(clean, degraded, (5, 50, 95)):
        assert torch.equal(result, pillow_jpeg(image, quality))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_the_dtype_is_kept(dtype):
    clean = smooth(16, 16).to(dtype)
    degraded = compress(clean, torch.tensor([30]))
    assert degraded.dtype == dtype
    expected = pillow_jpeg(clean[0].float(), 30)
    torch.testing.assert_close(degraded[0].float(), expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("channels, tolerance", [(1, 1 / 255), (3, 3 / 255)])
def test_quality_100_is_nearly_lossless(channels, tolerance):
    clean = smooth(40, 40, channels)
    error = (compress(clean, torch.tensor([100])) - clean).abs()
    assert error.mean() < tolerance  # colour loses more, to the subsampled chroma
    worse = (compress(clean, torch.tensor([10])) - clean).abs()
    assert worse.mean() > 2 * error.mean()


def test_it_clips_what_lies_outside_the_range():
    clean = (
        torch.tensor([-3.0, 5.0]).reshape(1, 1, 1, 2).repeat_interleave(8, 3).expand(1, 1, 8, 16)
    )
    degraded = compress(clean, torch.tensor([100]))
    assert torch.allclose(degraded, clean.clamp(0, 1), atol=2 / 255)


@pytest.mark.parametrize("size", [(33, 50), (40, 40), (7, 3)])
def test_jpeg_by_tensors_is_libjpegs(size):
    """All qualities in one batch."""
    clean = smooth(*size, 1, batch=1)
    quality = torch.arange(1, 101)
    ours = grey_jpeg(clean.expand(100, -1, -1, -1), quality.float())
    theirs = torch.stack([pillow_jpeg(clean[0], int(q)) for q in quality])

    def rms(difference: torch.Tensor) -> torch.Tensor:
        return (255 * difference).square().mean((1, 2, 3)).sqrt()

    assert rms(ours - theirs).mean() < 0.2
    rounded = (clean * 255).round() / 255
    assert float(rms(ours - rounded).mean()) == pytest.approx(
        float(rms(theirs - rounded).mean()), rel=0.01
    )
    assert ours.shape == theirs.shape and ours.dtype == clean.dtype


class OnGpu(torch.Tensor):
    """A tensor that says it is on a GPU."""

    is_cuda = True


@pytest.mark.parametrize("channels", [1, 3])
def test_only_grey_batches_on_a_gpu_are_left_to_tensors(channels):
    clean, quality = smooth(24, 16, channels, batch=2), torch.tensor([20.0, 80.0])
    degraded = compress(clean.as_subclass(OnGpu), quality)
    by_libjpeg = compress(clean, quality)
    expected = grey_jpeg(clean, quality) if channels == 1 else by_libjpeg
    assert torch.equal(degraded.as_subclass(torch.Tensor), expected)
    assert channels == 3 or not torch.equal(expected, by_libjpeg)
