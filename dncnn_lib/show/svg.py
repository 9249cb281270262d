"""Small plots as SVG text, quick enough to follow a slider: arrays in, text out."""

from __future__ import annotations

import math

import numpy as np

from .pictures import COLOURS

_EDGES = np.linspace(-100, 100, 101)


def shares(noise: np.ndarray) -> np.ndarray:
    """What share of a noise, in units of [0, 1], lies in each of 100 bars from −100 to 100 on the
    0–255 scale; values outside count at the ends."""
    values = 255 * noise.ravel().astype(np.float64)
    return np.histogram(np.clip(values, -100, 100), _EDGES)[0] / values.size


def histogram_svg(
    noise: np.ndarray, *, width: int = 640, height: int = 120, sigma: float | None = None
) -> str:
    """The histogram of a noise, in units of [0, 1], from −100 to 100 on the 0–255 scale (values
    outside are counted at the ends), with a normal law as a dashed curve.

    sigma: of that law, in units of [0, 1]; None: the noise's own standard deviation.
    """
    values = 255 * noise.ravel().astype(np.float64)
    deviation = values.std() if sigma is None else 255 * sigma
    deviation = max(deviation, 0.5)  # or the curve would fall between the bars
    edges, share = _EDGES, shares(noise)
    middle = (edges[:-1] + edges[1:]) / 2
    normal = np.exp(-((middle / deviation) ** 2) / 2)
    normal /= normal.sum()
    x = (edges + 100) / 200 * width
    floor, scale = height - 20, (height - 24) / min(1.6 * normal.max(), 1.0)
    top = np.maximum(floor - scale * share, 2)
    bars = "".join(
        f'<rect x="{a:.1f}" y="{t:.1f}" width="{b - a:.1f}" height="{floor - t:.1f}"/>'
        for a, b, t in zip(x[:-1], x[1:], top)
    )
    curve = " ".join(
        f"{(a + b) / 2:.1f},{floor - scale * n:.1f}" for a, b, n in zip(x[:-1], x[1:], normal)
    )
    marks = "".join(
        f'<text x="{(m + 100) / 200 * width:.0f}" y="{height - 5}" text-anchor="middle">{m}</text>'
        for m in (-75, -50, -25, 0, 25, 50, 75)
    )
    words = f"histogram of the noise, standard deviation {values.std():.1f} on the 0–255 scale"
    return (
        f'<svg role="img" aria-label="{words}" viewBox="0 0 {width} {height}" width="{width}" '
        f'style="max-width:100%;background:white;font:12px sans-serif">'
        f'<g fill="{COLOURS["noisy"]}" fill-opacity="0.6">{bars}</g>'
        f'<polyline points="{curve}" fill="none" stroke="{COLOURS["reference"]}" '
        f'stroke-width="1.5" stroke-dasharray="5 4"/>{marks}</svg>'
    )


def correlation_svg(
    correlation: np.ndarray, pixels: int, *, width: int = 640, height: int = 110
) -> str:
    """The result of ``autocorrelation``, from lag 1, as bars between −0.5 and 0.5. White noise
    stays between the dashed lines, ±2/√pixels."""
    if not np.isfinite(correlation).all() or len(correlation) < 2:
        return "<p>Nothing was removed, or too little is visible.</p>"
    step = width / len(correlation)
    middle, scale = (height - 18) / 2, height - 24
    lags = range(1, len(correlation))
    bars = "".join(
        f'<rect x="{(lag + 0.15) * step:.1f}" y="{middle - scale * max(value, 0):.1f}" '
        f'width="{0.7 * step:.1f}" height="{scale * abs(value):.1f}"/>'
        for lag, value in zip(lags, np.clip(correlation[1:], -0.5, 0.5))
    )
    marks = "".join(
        f'<text x="{(lag + 0.5) * step:.0f}" y="{height - 4}" text-anchor="middle">{lag}</text>'
        for lag in lags
    )
    marks += "".join(
        f'<text x="2" y="{middle - scale * value + 5:.1f}">{value:+.1f}</text>'
        for value in (0.4, -0.4)
    )
    band = min(2 * scale / math.sqrt(pixels), middle)
    lines = "".join(
        f'<line x1="{step:.1f}" x2="{width}" y1="{y:.1f}" y2="{y:.1f}"{dash}/>'
        for y, dash in (
            (middle, ""),
            (middle - band, ' stroke-dasharray="5 4"'),
            (middle + band, ' stroke-dasharray="5 4"'),
        )
    )
    told = ", ".join(f"{value:+.2f}" for value in correlation[1:4])
    words = f"correlation of pixels that are 1, 2 and 3 apart: {told}"
    return (
        f'<svg role="img" aria-label="{words}" viewBox="0 0 {width} {height}" width="{width}" '
        f'style="max-width:100%;background:white;font:12px sans-serif">'
        f'<g fill="{COLOURS["removed"]}" fill-opacity="0.7">{bars}</g>'
        f'<g stroke="{COLOURS["reference"]}">{lines}</g>{marks}</svg>'
    )
