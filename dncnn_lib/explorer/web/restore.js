// One region of a picture, degraded and restored: what view.explore gives in Python.

import { degrade } from "./degrade.js";
import { crop, toColour, toGrey } from "./image.js";
import { gaussianFilter, median } from "./priors.js";

const MARGIN = 16; // pixels around a region for a method whose result depends on the whole picture

// The standard deviation of noisy − clean on the 0–255 scale.
export function sigmaOf(noisy, clean) {
  let [sum, squares] = [0, 0];
  for (let i = 0; i < noisy.data.length; i++) sum += noisy.data[i] - clean.data[i];
  for (let i = 0; i < noisy.data.length; i++) squares += (noisy.data[i] - clean.data[i] - sum / noisy.data.length) ** 2;
  return 255 * Math.sqrt(squares / noisy.data.length);
}

// Degraded pictures, of which the last one is kept: the strips of one answer ask for the same.
export class Degraded {
  of(picture, name, channels, setting) {
    const key = JSON.stringify([name, channels, setting.noise, setting.level, setting.seed]);
    if (key !== this.key) {
      const clean = channels === 3 ? toColour(picture) : toGrey(picture);
      const noisy = degrade(clean, setting);
      Object.assign(this, { key, clean, noisy, sigma: null });
    }
    return this;
  }

  get deviation() {
    return (this.sigma ??= sigmaOf(this.noisy, this.clean));
  }
}

// method: {name, channels, margin}; run: (image) → restored image, of a network.
// Returns the three images of the region.
export async function restore(degraded, region, method, run) {
  const { clean, noisy } = degraded;
  const margin = method.margin ?? MARGIN;
  const [top, left] = [Math.max(region.top - margin, 0), Math.max(region.left - margin, 0)];
  const outer = {
    top,
    left,
    height: Math.min(region.top + region.height + margin, clean.height) - top,
    width: Math.min(region.left + region.width + margin, clean.width) - left,
  };
  const part = crop(noisy, outer);
  let restored;
  if (method.name === "median 3×3") restored = median(part);
  else if (method.name === "gaussian-filter") restored = degraded.deviation ? gaussianFilter(part, degraded.deviation) : part;
  else restored = await run(part);
  const inner = { ...region, top: region.top - top, left: region.left - left };
  return { clean: crop(clean, region), noisy: crop(noisy, region), restored: crop(restored, inner) };
}
