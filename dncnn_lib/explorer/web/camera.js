// The noise of a phone's camera, from its sensor to its file: see dncnn_lib/camera.py.

import { image, mapped } from "./image.js";

const f = Math.fround;
const clamp = (value) => Math.min(Math.max(value, 0), 1);
const WHITE_BALANCE = [2.1, 1.0, 1.7];
const ISO = [100, 400, 1600, 3200, 6400, 12800, 25600];
const FINEST = 12.5;
const SHOT = [3.4e-6, 1.0e-5, 3.7e-5, 7.3e-5, 1.4e-4, 2.5e-4, 4.2e-4].map((a) => FINEST * a);
const READ = [4e-9, 2e-8, 1.3e-7, 3.0e-7, 7.9e-7, 1.6e-6, 2.8e-6].map((b) => FINEST * b);
export const PHONE = FINEST / 30;

// Straight lines between what was measured, on logarithmic scales.
function between(iso, known) {
  const at = Math.log(Math.min(Math.max(iso, ISO[0]), ISO.at(-1)));
  let i = 0;
  while (i < ISO.length - 2 && at >= Math.log(ISO[i + 1])) i++;
  const share = (at - Math.log(ISO[i])) / (Math.log(ISO[i + 1]) - Math.log(ISO[i]));
  return f(Math.exp(Math.log(known[i]) + share * (Math.log(known[i + 1]) - Math.log(known[i]))));
}

const toLinear = (v) => (v <= 0.04045 ? f(v / 12.92) : f(f(f(v + 0.055) / 1.055) ** 2.4));
const toSrgb = (v) => (v <= 0.0031308 ? f(12.92 * v) : f(f(1.055 * f(v ** (1 / 2.4))) - 0.055));
const gain = (c, channels) => f(channels === 1 ? 1 : WHITE_BALANCE[c]);

// Which colour the filter over a pixel lets through.
const colourAt = (row, column) => ((row & 1) !== (column & 1) ? 1 : row & 1 ? 2 : 0);

// Noisy, before it becomes a file; generator: of the noise.
export function photograph(x, iso, generator) {
  generator.uniform(2); // those of the ISO and the light, which are no ranges here
  const size = x.height * x.width;
  const [a, b, light] = [between(f(Math.exp(f(Math.log(iso)))), SHOT), between(iso, READ), f(Math.exp(f(Math.log(PHONE))))];
  const raw = image(x.height, x.width, 1);
  for (let i = 0; i < size; i++) {
    const c = x.channels === 1 ? 0 : colourAt(Math.floor(i / x.width), i % x.width);
    raw.data[i] = toLinear(clamp(x.data[c * size + i])) / gain(c, x.channels);
  }
  const noise = generator.normal(size);
  const noisy = mapped(raw, (v, i) => Math.min(f(v + f(f(Math.sqrt(f(f(f(a * v) + b) / light))) * noise[i])), 1));
  const [with_, without] = [develop(noisy, x.channels), develop(raw, x.channels)];
  return mapped(x, (v, i) => clamp(f(v + f(with_.data[i] - without.data[i]))));
}

function develop(raw, channels) {
  const light = channels === 1 ? raw : demosaic(raw);
  const size = raw.height * raw.width;
  return mapped(light, (v, i) => toSrgb(clamp(f(v * gain(Math.floor(i / size), channels)))));
}

// What a pixel has not recorded: the mean of its neighbours that have, weighted.
function demosaic(raw) {
  const { height, width } = raw;
  const made = image(height, width, 3);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const [total, known] = [[0, 0, 0], [0, 0, 0]];
      for (let r = Math.max(row - 1, 0); r <= Math.min(row + 1, height - 1); r++) {
        for (let s = Math.max(column - 1, 0); s <= Math.min(column + 1, width - 1); s++) {
          const c = colourAt(r, s);
          const away = Math.abs(r - row) + Math.abs(s - column);
          const weight = c === 1 ? [4, 1, 0][away] : [4, 2, 1][away];
          total[c] += weight * raw.data[r * width + s];
          known[c] += weight;
        }
      }
      for (let c = 0; c < 3; c++) made.data[(c * height + row) * width + column] = total[c] / Math.max(known[c], 1);
    }
  }
  return made;
}
