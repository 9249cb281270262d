// What is measured of a region: see dncnn_lib/metrics.py.

const WINDOW = 11; // pixels; a region with a shorter side has no SSIM
const MAX_LAG = 16;
const HISTOGRAM = 100; // bars from −100 to 100 on the 0–255 scale

const clip = (value) => Math.min(Math.max(value, 0), 1);

// In dB, for values in [0, 1]; clipped: compare a clipped copy.
export function psnr(x, clean, clipped = false) {
  let sum = 0;
  for (let i = 0; i < clean.data.length; i++) sum += ((clipped ? clip(x.data[i]) : x.data[i]) - clean.data[i]) ** 2;
  return 10 * Math.log10(clean.data.length / sum);
}

// Structural similarity with a Gaussian window, as scikit-image computes it; the mean of the channels.
export function ssim(x, clean, clipped = false) {
  const { height, width, channels } = clean;
  if (Math.min(height, width) < WINDOW) return NaN;
  const [size, c1, c2] = [height * width, 0.01 ** 2, 0.03 ** 2];
  let total = 0;
  for (let c = 0; c < channels; c++) {
    const a = Float64Array.from(x.data.subarray(c * size, (c + 1) * size), clipped ? clip : Number);
    const b = Float64Array.from(clean.data.subarray(c * size, (c + 1) * size));
    const blur = (values) => blurred(values, height, width);
    const [ma, mb] = [blur(a), blur(b)];
    const [aa, bb, ab] = [blur(a.map((v) => v * v)), blur(b.map((v) => v * v)), blur(a.map((v, i) => v * b[i]))];
    const margin = (WINDOW - 1) / 2;
    let [sum, count] = [0, 0];
    for (let i = margin; i < height - margin; i++) {
      for (let j = margin; j < width - margin; j++, count++) {
        const k = i * width + j;
        const [va, vb, cov] = [aa[k] - ma[k] ** 2, bb[k] - mb[k] ** 2, ab[k] - ma[k] * mb[k]];
        sum += ((2 * ma[k] * mb[k] + c1) * (2 * cov + c2)) / ((ma[k] ** 2 + mb[k] ** 2 + c1) * (va + vb + c2));
      }
    }
    total += sum / count;
  }
  return total / channels;
}

const KERNEL = (() => {
  const values = Array.from({ length: WINDOW }, (_, i) => Math.exp(-((i - 5) ** 2) / (2 * 1.5 ** 2)));
  const sum = values.reduce((a, b) => a + b);
  return values.map((value) => value / sum);
})();

// By the window, in rows and columns; what lies beyond the border is never used by `ssim`.
function blurred(values, height, width) {
  const [half, made] = [new Float64Array(values.length), new Float64Array(values.length)];
  for (let i = 5; i < height - 5; i++) {
    for (let j = 0; j < width; j++) {
      let sum = 0;
      for (let t = 0; t < WINDOW; t++) sum += KERNEL[t] * values[(i + t - 5) * width + j];
      half[i * width + j] = sum;
    }
  }
  for (let i = 5; i < height - 5; i++) {
    for (let j = 5; j < width - 5; j++) {
      let sum = 0;
      for (let t = 0; t < WINDOW; t++) sum += KERNEL[t] * half[i * width + j + t - 5];
      made[i * width + j] = sum;
    }
  }
  return made;
}

// Of the first channel: the other two share its noise where there are three.
const first = (x) => x.data.subarray(0, x.height * x.width);

// Standard deviation on the 0–255 scale.
function deviation(values) {
  let [sum, squares] = [0, 0];
  for (const value of values) sum += value;
  for (const value of values) squares += (value - sum / values.length) ** 2;
  return 255 * Math.sqrt(squares / values.length);
}

export function autocorrelation(values, width, lags) {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const rows = values.length / width;
  const products = Array.from({ length: lags + 1 }, (_, lag) => {
    let sum = 0;
    for (let i = 0; i < rows; i++) {
      for (let j = i * width; j < (i + 1) * width - lag; j++) sum += (values[j] - mean) * (values[j + lag] - mean);
    }
    return sum / (rows * (width - lag));
  });
  return products.map((product) => (products[0] ? product / products[0] : NaN));
}

// Shares of the values between −100 and 100 on the 0–255 scale; those outside count at the ends.
export function histogram(values) {
  const counts = new Array(HISTOGRAM).fill(0);
  for (const value of values) {
    const bin = Math.floor(((255 * value + 100) / 200) * HISTOGRAM);
    counts[Math.min(Math.max(bin, 0), HISTOGRAM - 1)] += 1 / values.length;
  }
  return counts;
}

// All that is measured of a region, given as three images.
export function numbers({ clean, noisy, restored }) {
  const removed = first(noisy).map((v, i) => v - restored.data[i]);
  return {
    ssim: ssim(restored, clean, true),
    noisySsim: ssim(noisy, clean),
    noiseStd: deviation(first(noisy).map((v, i) => v - clean.data[i])),
    removedStd: deviation(removed),
    histogram: histogram(removed),
    autocorrelation: autocorrelation(removed, clean.width, Math.min(MAX_LAG, clean.width - 1)),
  };
}
