// The degradations of dncnn_lib/degrade.py: the same kinds, and from the same seed the same noise.

import { photograph } from "./camera.js";
import { mapped, rint } from "./image.js";
import { compress } from "./jpeg.js";
import { Generator } from "./random.js";
import { resize } from "./resize.js";

const f = Math.fround;

const KINDS = {
  Gaussian(x, sigma, generator) {
    const level = f(sigma / 255);
    const noise = generator.normal(x.data.length);
    return mapped(x, (v, i) => f(v + f(level * noise[i])));
  },
  Poisson: (x, peak, generator) => mapped(x, (v) => generator.poisson(f(Math.max(v, 0) * peak)) / peak),
  "salt and pepper"(x, percent, generator) {
    const [size, amount] = [x.height * x.width, f(percent / 100)];
    const u = generator.uniform(size);
    return mapped(x, (v, i) => (u[i % size] < f(amount / 2) ? 1 : u[i % size] < amount ? 0 : v));
  },
  quantisation: (x, levels) => mapped(x, (v) => rint(f(v * (levels - 1))) / (levels - 1)),
  JPEG: (x, quality) => compress(x, quality),
  "down-up"(x, scale) {
    const small = resize(x, Math.ceil(x.height / scale), Math.ceil(x.width / scale), 1 / scale);
    return resize(small, x.height, x.width, scale);
  },
  "phone camera": (x, iso, generator) => compress(photograph(x, iso, generator), 95),
};

export const kindNames = Object.keys(KINDS);

// noise: one of kindNames; level: what its slider says; seed: of its draw.
export function degrade(x, { noise, level, seed }) {
  const generator = new Generator(seed);
  if (noise !== "phone camera") generator.uniform(1); // the level's own, which is no range here
  return KINDS[noise](x, level, generator);
}
