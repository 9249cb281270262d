"""What a JPEG decoder gives back: by libjpeg, or for grey batches on a GPU with tensors alone."""

from __future__ import annotations

import io
import math

import numpy as np
import torch
from torch import Tensor, nn

from .images import as_uint8


def compress(image: Tensor, quality: Tensor) -> Tensor:
    """A batch coded as JPEG and decoded.

    image: (B, C, H, W) in [0, 1], rounded to 8 bits first, C = 1 or 3. quality: (B,), whole numbers
    from 1 to 100, as libjpeg counts it. Colour is coded with 4:2:0 chroma subsampling, Pillow's
    default. Grey images on a GPU stay there, so that it does not wait for libjpeg.
    """
    if image.is_cuda and image.shape[1] == 1:
        return grey_jpeg(image, quality)
    coded = [_by_libjpeg(image[i : i + 1], int(q)) for i, q in enumerate(quality.tolist())]
    return torch.cat(coded)


def _by_libjpeg(image: Tensor, quality: int) -> Tensor:
    """image: (1, C, H, W) in [0, 1]."""
    from PIL import Image as PILImage

    pixels = as_uint8(image[0].detach().permute(1, 2, 0).float().cpu().numpy())
    file = io.BytesIO()
    picture = PILImage.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    picture.save(file, format="JPEG", quality=quality)
    with PILImage.open(file) as decoded:
        coded = np.array(decoded).reshape(pixels.shape)
    return torch.from_numpy(coded).permute(2, 0, 1)[None].to(image) / 255


_QUANTISATION = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)  # of luma, by ITU-T T.81, table K.1


def grey_jpeg(image: Tensor, quality: Tensor) -> Tensor:
    """What a JPEG decoder gives back, computed with tensors, for a whole batch at once.

    image: (B, 1, H, W) in [0, 1], rounded to 8 bits first; quality: (B,), 1 to 100, as libjpeg
    counts it. libjpeg's integers round a coefficient the other way now and then; over all qualities
    the two differ by a fifth of a grey level on average, and are equally far from the image.
    """
    batch, _, height, width = image.shape
    pixels = image.clamp(0, 1).mul(255).round() - 128
    pixels = nn.functional.pad(pixels, (0, -width % 8, 0, -height % 8), mode="replicate")
    blocks = pixels.view(batch, pixels.shape[2] // 8, 8, pixels.shape[3] // 8, 8).transpose(2, 3)
    k = torch.arange(8, device=image.device, dtype=image.dtype)
    dct = torch.cos(math.pi / 8 * (k + 0.5) * k[:, None]) / 2
    dct[0] /= math.sqrt(2)
    percent = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    table = torch.tensor(_QUANTISATION, device=image.device, dtype=image.dtype)
    table = ((table * percent.view(-1, 1, 1, 1, 1) + 50) / 100).floor().clamp(1, 255)
    # as in libjpeg: the transform is rounded to eighths, and halves of a step go away from zero
    steps = (8 * dct @ blocks @ dct.T).round() / (8 * table)
    coefficients = steps.sign() * (steps.abs() + 0.5).floor() * table
    decoded = (dct.T @ coefficients @ dct).transpose(2, 3).reshape(batch, 1, *pixels.shape[2:])
    return ((decoded + 128).round().clamp(0, 255) / 255)[..., :height, :width]
