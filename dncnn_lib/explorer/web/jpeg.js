// What is left of an image that libjpeg codes and decodes: colour conversion, 4:2:0 chroma, its integer
// cosine transform ("islow") and quantisation, without the file in between, which loses nothing.
// Ports jccolor.c, jcsample.c, jfdctint.c, jcdctmgr.c, jidctint.c, jdsample.c and jdcolor.c of libjpeg.

import { byte, image } from "./image.js";

// ITU-T T.81, tables K.1 and K.2
const LUMA = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
  18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
const CHROMA = [
  17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
  ...Array(32).fill(99),
];

// quality: 1 to 100. The image is rounded to 8 bits first.
export function compress(x, quality) {
  const planes = Array.from({ length: x.channels }, (_, c) => {
    const size = x.height * x.width;
    return { height: x.height, width: x.width, data: Int32Array.from(x.data.subarray(c * size, (c + 1) * size), byte) };
  });
  const coded = x.channels === 1 ? [codePlane(planes[0], LUMA, quality)] : codeColour(planes, quality);
  const data = new Float32Array(x.data.length);
  coded.forEach((plane, c) => plane.data.forEach((value, i) => (data[c * plane.data.length + i] = value / 255)));
  return image(x.height, x.width, x.channels, data);
}

const limit = (value) => (value < 0 ? 0 : value > 255 ? 255 : value);

function codeColour(planes, quality) {
  const { height, width } = planes[0];
  const [r, g, b] = planes.map((plane) => plane.data);
  const [y, cb, cr] = [0, 1, 2].map(() => ({ height, width, data: new Int32Array(height * width) }));
  for (let i = 0; i < height * width; i++) {
    y.data[i] = (19595 * r[i] + 38470 * g[i] + 7471 * b[i] + 32768) >> 16;
    cb.data[i] = (-11059 * r[i] - 21709 * g[i] + 32768 * b[i] + 8388608 + 32767) >> 16;
    cr.data[i] = (32768 * r[i] - 27439 * g[i] - 5329 * b[i] + 8388608 + 32767) >> 16;
  }
  const luma = codePlane(y, LUMA, quality).data;
  const [blue, red] = [cb, cr].map((plane) => enlarged(codePlane(halved(plane), CHROMA, quality), height, width));
  for (let i = 0; i < height * width; i++) {
    const [u, v] = [blue[i] - 128, red[i] - 128];
    r[i] = limit(luma[i] + ((91881 * v + 32768) >> 16));
    g[i] = limit(luma[i] + ((-22554 * u - 46802 * v + 32768) >> 16));
    b[i] = limit(luma[i] + ((116130 * u + 32768) >> 16));
  }
  return planes;
}

// The mean of 2×2 pixels; a half is rounded down and up in turn. As wide as the blocks need it.
function halved({ height, width, data }) {
  const [rows, columns] = [Math.ceil(height / 2), 8 * Math.ceil(Math.ceil(width / 2) / 8)];
  const made = { height: rows, width: Math.ceil(width / 2), columns, data: new Int32Array(rows * columns) };
  for (let i = 0; i < rows; i++) {
    const [first, second] = [2 * i * width, Math.min(2 * i + 1, height - 1) * width];
    for (let j = 0; j < columns; j++) {
      const [a, b] = [Math.min(2 * j, width - 1), Math.min(2 * j + 1, width - 1)];
      made.data[i * columns + j] = (data[first + a] + data[first + b] + data[second + a] + data[second + b] + 1 + (j & 1)) >> 2;
    }
  }
  return made;
}

// Twice as high and wide, "fancy": three quarters of the nearest pixel and one of the next.
function enlarged(plane, height, width) {
  const made = new Int32Array(height * width);
  const row = (i) => Math.min(Math.max(i, 0), plane.height - 1) * plane.width;
  for (let i = 0; i < height; i++) {
    const near = row(i >> 1);
    const far = row((i >> 1) + (i & 1 ? 1 : -1));
    const at = (j) => 3 * plane.data[near + j] + plane.data[far + j];
    for (let j = 0; j < width; j++) {
      const k = j >> 1;
      let value;
      if (plane.width <= 2) value = plane.data[near + k]; // libjpeg has nothing fancy for so few
      else if (j & 1) value = (3 * at(k) + at(Math.min(k + 1, plane.width - 1)) + 7) >> 4;
      else value = (3 * at(k) + at(Math.max(k - 1, 0)) + 8) >> 4;
      made[i * width + j] = value;
    }
  }
  return made;
}

// One plane coded and decoded, block by block. plane.columns: those of data, where more than its width.
function codePlane(plane, base, quality) {
  const { height, width, data, columns = width } = plane;
  const percent = quality < 50 ? Math.floor(5000 / quality) : 200 - 2 * quality;
  const table = base.map((step) => Math.min(Math.max(Math.floor((step * percent + 50) / 100), 1), 255));
  const [made, block] = [new Int32Array(height * width), new Int32Array(64)];
  for (let top = 0; top < height; top += 8) {
    for (let left = 0; left < width; left += 8) {
      for (let i = 0; i < 64; i++) {
        const row = Math.min(top + (i >> 3), height - 1);
        block[i] = data[row * columns + Math.min(left + (i & 7), columns - 1)] - 128;
      }
      for (let k = 0; k < 64; k += 8) forward(block, k, 1, 11, -2);
      for (let k = 0; k < 8; k++) forward(block, k, 8, 15, 2);
      for (let i = 0; i < 64; i++) block[i] = quantised(block[i], 8 * table[i]) * table[i];
      for (let k = 0; k < 8; k++) inverse(block, k, 8, 11);
      for (let k = 0; k < 64; k += 8) inverse(block, k, 1, 18);
      for (let i = 0; i < 64; i++) {
        const [row, column] = [top + (i >> 3), left + (i & 7)];
        if (row < height && column < width) made[row * width + column] = limit(block[i] + 128);
      }
    }
  }
  return { height, width, data: made };
}

// Halves of a step go away from zero.
function quantised(value, step) {
  const count = Math.floor((Math.abs(value) + (step >> 1)) / step);
  return value < 0 ? -count : count;
}

const descale = (value, bits) => (value + (1 << (bits - 1))) >> bits;

// One line of 8 values of the forward transform, `step` apart. even: bits that the even part loses, or
// if negative gains.
function forward(d, k, step, bits, even) {
  const [k1, k2, k3, k4, k5, k6, k7] = [k + step, k + 2 * step, k + 3 * step, k + 4 * step, k + 5 * step, k + 6 * step, k + 7 * step];
  const [s0, s1, s2, s3] = [d[k] + d[k7], d[k1] + d[k6], d[k2] + d[k5], d[k3] + d[k4]];
  let [t7, t6, t5, t4] = [d[k] - d[k7], d[k1] - d[k6], d[k2] - d[k5], d[k3] - d[k4]];
  const [a, b, e, f] = [s0 + s3, s1 + s2, s1 - s2, s0 - s3];
  d[k] = even < 0 ? (a + b) << -even : descale(a + b, even);
  d[k4] = even < 0 ? (a - b) << -even : descale(a - b, even);
  const z = (e + f) * 4433;
  d[k2] = descale(z + f * 6270, bits);
  d[k6] = descale(z - e * 15137, bits);
  const z5 = (t4 + t6 + t5 + t7) * 9633;
  const [z1, z2] = [(t4 + t7) * -7373, (t5 + t6) * -20995];
  const [z3, z4] = [(t4 + t6) * -16069 + z5, (t5 + t7) * -3196 + z5];
  d[k7] = descale(t4 * 2446 + z1 + z3, bits);
  d[k5] = descale(t5 * 16819 + z2 + z4, bits);
  d[k3] = descale(t6 * 25172 + z2 + z3, bits);
  d[k1] = descale(t7 * 12299 + z1 + z4, bits);
}

function inverse(d, k, step, bits) {
  const [k1, k2, k3, k4, k5, k6, k7] = [k + step, k + 2 * step, k + 3 * step, k + 4 * step, k + 5 * step, k + 6 * step, k + 7 * step];
  const z = (d[k2] + d[k6]) * 4433;
  const [e2, e3] = [z - d[k6] * 15137, z + d[k2] * 6270];
  const [e0, e1] = [(d[k] + d[k4]) << 13, (d[k] - d[k4]) << 13];
  const [a, b, c, f] = [e0 + e3, e1 + e2, e1 - e2, e0 - e3];
  const [t0, t1, t2, t3] = [d[k7], d[k5], d[k3], d[k1]];
  const z5 = (t0 + t2 + t1 + t3) * 9633;
  const [z1, z2] = [(t0 + t3) * -7373, (t1 + t2) * -20995];
  const [z3, z4] = [(t0 + t2) * -16069 + z5, (t1 + t3) * -3196 + z5];
  const [o0, o1, o2, o3] = [t0 * 2446 + z1 + z3, t1 * 16819 + z2 + z4, t2 * 25172 + z2 + z3, t3 * 12299 + z1 + z4];
  d[k] = descale(a + o3, bits);
  d[k7] = descale(a - o3, bits);
  d[k1] = descale(b + o2, bits);
  d[k6] = descale(b - o2, bits);
  d[k2] = descale(c + o1, bits);
  d[k5] = descale(c - o1, bits);
  d[k3] = descale(f + o0, bits);
  d[k4] = descale(f - o0, bits);
}
