// Bicubic resizing as MATLAB's imresize does it: see dncnn_lib/resize.py.

import { image } from "./image.js";

export function resize(x, height, width, scale) {
  const rows = weights(x.height, height, scale);
  const columns = weights(x.width, width, scale);
  const [half, made] = [new Float32Array(height * x.width), image(height, width, x.channels)];
  for (let c = 0; c < x.channels; c++) {
    const source = x.data.subarray(c * x.height * x.width, (c + 1) * x.height * x.width);
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < x.width; j++) {
        let sum = 0;
        for (let t = 0; t < rows.taps; t++) sum += rows.weight[i * rows.taps + t] * source[rows.index[i * rows.taps + t] * x.width + j];
        half[i * x.width + j] = sum;
      }
    }
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        let sum = 0;
        for (let t = 0; t < columns.taps; t++) sum += columns.weight[j * columns.taps + t] * half[i * x.width + columns.index[j * columns.taps + t]];
        made.data[(c * height + i) * width + j] = sum;
      }
    }
  }
  return made;
}

// Which pixels of a line of `size` a new one is made from, and their weights.
function weights(size, newSize, scale) {
  const stretch = Math.min(scale, 1); // below 1: widen the kernel, which is the antialiasing
  const taps = Math.ceil(4 / stretch) + 2;
  const [index, weight] = [new Int32Array(newSize * taps), new Float64Array(newSize * taps)];
  for (let i = 0; i < newSize; i++) {
    const centre = (i + 0.5) / scale - 0.5;
    const first = Math.floor(centre - 2 / stretch);
    let sum = 0;
    for (let t = 0; t < taps; t++) {
      const at = (((first + t) % (2 * size)) + 2 * size) % (2 * size);
      index[i * taps + t] = at < size ? at : 2 * size - 1 - at; // mirrored
      sum += weight[i * taps + t] = cubic(Math.abs(stretch * (centre - first - t)));
    }
    for (let t = 0; t < taps; t++) weight[i * taps + t] = weight[i * taps + t] / sum;
  }
  return { taps, index, weight };
}

// Keys' kernel, a = −1/2
function cubic(d) {
  if (d <= 1) return (1.5 * d - 2.5) * d * d + 1;
  return d <= 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
}
