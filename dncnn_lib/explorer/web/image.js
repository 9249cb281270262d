// An image is {height, width, channels, data}: a Float32Array of planes, channel by channel, in units
// of [0, 1]; what Python calls (C, H, W). Bytes of pixels, for pictures on a screen, are interleaved.

export const image = (height, width, channels, data = new Float32Array(channels * height * width)) => ({
  height,
  width,
  channels,
  data,
});

// As many values, each by a function of one.
export const mapped = (x, change) => ({ ...x, data: x.data.map(change) });

// To the nearest whole number, halves to the even one: NumPy's and PyTorch's.
export function rint(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 ? floor + 1 : floor;
}

// A value in [0, 1] as a byte; those outside are clipped.
export const byte = (value) => rint(Math.fround(255 * Math.min(Math.max(value, 0), 1)));

// The image of interleaved bytes of 1, 3 or 4 channels, of which the fourth is left out.
export function fromBytes(bytes, height, width, step) {
  const made = image(height, width, step < 3 ? 1 : 3);
  for (let c = 0, k = 0; c < made.channels; c++) {
    for (let i = c; k < (c + 1) * height * width; i += step) made.data[k++] = bytes[i] / 255;
  }
  return made;
}

export function toBytes({ height, width, channels, data }) {
  const [size, bytes] = [height * width, new Uint8Array(data.length)];
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < size; i++) bytes[channels * i + c] = byte(data[c * size + i]);
  }
  return bytes;
}

// region: {top, left, height, width}, inside the image.
export function crop(x, { top, left, height, width }) {
  const made = image(height, width, x.channels);
  for (let c = 0; c < x.channels; c++) {
    for (let row = 0; row < height; row++) {
      const from = (c * x.height + top + row) * x.width + left;
      made.data.set(x.data.subarray(from, from + width), (c * height + row) * width);
    }
  }
  return made;
}

// `part` put into `whole`, its first pixel at {top, left}.
export function paste(whole, part, { top, left }) {
  for (let c = 0; c < part.channels; c++) {
    for (let row = 0; row < part.height; row++) {
      const from = (c * part.height + row) * part.width;
      const to = (c * whole.height + top + row) * whole.width + left;
      whole.data.set(part.data.subarray(from, from + part.width), to);
    }
  }
}

const GREY = [0.2989, 0.587, 0.114].map(Math.fround);

// By BT.601 weights, rounded to 8 bits; grey passes unchanged.
export function toGrey(x) {
  if (x.channels === 1) return x;
  const [size, made, f] = [x.height * x.width, image(x.height, x.width, 1), Math.fround];
  for (let i = 0; i < size; i++) {
    let sum = 0;
    for (let c = 0; c < 3; c++) sum = f(sum + f(x.data[c * size + i] * GREY[c]));
    made.data[i] = f(rint(f(sum * 255)) / 255);
  }
  return made;
}

// Three equal channels of one; colour passes unchanged.
export function toColour(x) {
  if (x.channels === 3) return x;
  const made = image(x.height, x.width, 3);
  for (let c = 0; c < 3; c++) made.data.set(x.data, c * x.data.length);
  return made;
}

// A picture whose longer side is at most `longest`: a larger one is reduced by averaging.
export function reduced(x, longest) {
  const factor = longest / Math.max(x.height, x.width);
  if (factor >= 1) return x;
  const [height, width] = [x.height, x.width].map((length) => Math.max(rint(length * factor), 1));
  const [rows, columns] = [boxes(x.height, height), boxes(x.width, width)];
  const made = image(height, width, x.channels);
  const line = new Float64Array(x.width);
  for (let c = 0, k = 0; c < x.channels; c++) {
    for (const [top, bottom] of rows) {
      line.fill(0);
      for (let row = top; row < bottom; row++) {
        const from = (c * x.height + row) * x.width;
        for (let j = 0; j < x.width; j++) line[j] += x.data[from + j];
      }
      for (const [left, right] of columns) {
        let sum = 0;
        for (let j = left; j < right; j++) sum += line[j];
        made.data[k++] = sum / ((bottom - top) * (right - left));
      }
    }
  }
  return made;
}

// From where to where each of `count` boxes reaches over `length` pixels, as Pillow's box filter.
function boxes(length, count) {
  const side = length / count;
  return Array.from({ length: count }, (_, i) => {
    const centre = (i + 0.5) * side;
    const first = Math.max(Math.floor(centre - side / 2 + 0.5), 0);
    return [first, Math.min(Math.max(Math.floor(centre + side / 2 + 0.5), first + 1), length)];
  });
}
