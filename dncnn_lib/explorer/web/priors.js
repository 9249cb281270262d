// The two oldest methods, which need no network: see dncnn_lib/priors/classical.py and explorer/view.py.

import { mapped } from "./image.js";

// The index of a pixel in a line that continues as its mirror image.
function mirrored(i, length) {
  const at = ((i % (2 * length)) + 2 * length) % (2 * length);
  return at < length ? at : 2 * length - 1 - at;
}

export function median(x) {
  const { height, width } = x;
  const around = new Float32Array(9);
  return mapped(x, (_, k) => {
    const [row, column] = [Math.floor(k / width), k % width];
    for (let t = 0; t < 9; t++) {
      const i = mirrored(row + Math.floor(t / 3) - 1, height);
      around[t] = x.data[i * width + mirrored(column + (t % 3) - 1, width)];
    }
    return around.sort()[4];
  });
}

const WIDTHS = [[15, 0.6], [25, 0.75], [50, 1.3]]; // pixels, the best for three σ

// sigma: of the noise, on the 0–255 scale.
export function gaussianFilter(x, sigma) {
  const rate = ([level, width]) => width / level;
  let i = 0;
  while (i < WIDTHS.length - 2 && sigma >= WIDTHS[i + 1][0]) i++;
  const [low, high] = [WIDTHS[i], WIDTHS[i + 1]];
  const share = Math.min(Math.max((sigma - low[0]) / (high[0] - low[0]), 0), 1);
  const deviation = sigma * (rate(low) + share * (rate(high) - rate(low)));
  const radius = Math.floor(4 * deviation + 0.5);
  const kernel = Array.from({ length: 2 * radius + 1 }, (_, t) => Math.exp(-((t - radius) ** 2) / (2 * deviation ** 2)));
  const sum = kernel.reduce((a, b) => a + b);
  const { height, width } = x;
  const along = (values, at) => (_, k) => {
    const [row, column] = [Math.floor(k / width), k % width];
    let total = 0;
    for (let t = 0; t < kernel.length; t++) total += kernel[t] * values[at(row, column, t - radius)];
    return total / sum;
  };
  const rows = mapped(x, along(x.data, (row, column, t) => mirrored(row + t, height) * width + column));
  return mapped(rows, along(rows.data, (row, column, t) => row * width + mirrored(column + t, width)));
}
