// Two plots of what was removed, as SVG: its histogram and its autocorrelation.

import { shape } from "./dom.js";

const [WIDTH, HEIGHT] = [330, 150];
const EDGE = { left: 44, right: 8, top: 8, bottom: 36 };
const inner = { width: WIDTH - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom };

// A step of 1, 2 or 5 times a power of ten that cuts `range` into about `count`.
function step(range, count) {
  const power = 10 ** Math.floor(Math.log10(range / count));
  return power * [1, 2, 5, 10].find((factor) => range / (power * factor) <= count * 1.2);
}

const text = (words, x, y, attributes = {}) => shape("text", { x, y, ...attributes }, words);

// Axes with numbers and what they are of. x and y: {low, high, at: numbers, label, show}.
function frame(words, x, y, ...content) {
  const across = (value) => EDGE.left + ((value - x.low) / (x.high - x.low)) * inner.width;
  const up = (value) => EDGE.top + ((y.high - value) / (y.high - y.low)) * inner.height;
  const floor = HEIGHT - EDGE.bottom;
  const parts = content.flatMap((draw) => draw(across, up));
  return shape(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words, class: "dncnn-plot" },
    ...y.at.map((value) => shape("line", { class: "dncnn-grid", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: up(value), y2: up(value) })),
    ...parts,
    ...x.at.map((value) => text(x.show(value), across(value), floor + 14, { "text-anchor": "middle" })),
    ...y.at.map((value) => text(y.show(value), EDGE.left - 5, up(value) + 4, { "text-anchor": "end" })),
    text(x.label, EDGE.left + inner.width / 2, HEIGHT - 4, { "text-anchor": "middle", class: "dncnn-axis" }),
    text(y.label, 0, 0, { transform: `translate(10 ${EDGE.top + inner.height / 2}) rotate(-90)`, "text-anchor": "middle", class: "dncnn-axis" }),
  );
}

const ticks = (low, high, by) => {
  const found = [];
  for (let value = Math.ceil(low / by - 1e-9) * by; value <= high + 1e-9 * by; value += by) found.push(Math.abs(value) < by / 1e6 ? 0 : value);
  return found;
};

// shares: of the pixels, in bars from −100 to 100 on the 0–255 scale; sigma: of the noise.
export function histogram({ histogram: shares, noiseStd, removedStd }) {
  const wide = 200 / shares.length;
  const reach = Math.min(Math.max(Math.ceil((3.5 * Math.max(noiseStd, removedStd)) / 10) * 10, 10), 100);
  const deviation = Math.max(noiseStd, 0.5);
  const middles = shares.map((_, i) => -100 + (i + 0.5) * wide);
  const raw = middles.map((value) => Math.exp(-((value / deviation) ** 2) / 2));
  const sum = raw.reduce((a, b) => a + b);
  const normal = raw.map((value) => value / sum);
  const shown = middles.map((value, i) => i).filter((i) => Math.abs(middles[i]) < reach);
  const tops = shown.map((i) => Math.max(shares[i], normal[i]));
  const top = 100 * 1.08 * Math.min(Math.max(...tops), 2.2 * Math.max(...shown.map((i) => normal[i])));
  const bars = (across, up) =>
    shown.map((i) => {
      const [x, high] = [across(middles[i] - wide / 2), up(Math.min(100 * shares[i], top))];
      return shape("rect", { class: "dncnn-bar", x, y: high, width: Math.max(across(middles[i] + wide / 2) - x - 0.4, 0.4), height: up(0) - high });
    });
  const curve = (across, up) =>
    shape("polyline", { class: "dncnn-reference", points: shown.map((i) => `${across(middles[i])},${up(Math.min(100 * normal[i], top))}`).join(" ") });
  return frame(
    `histogram of what was removed: standard deviation ${removedStd.toFixed(1)} on the 0–255 scale, that of the noise is ${noiseStd.toFixed(1)}`,
    { low: -reach, high: reach, at: ticks(-reach, reach, step(2 * reach, 6)), label: "removed, on the 0–255 scale", show: (v) => String(v).replace("-", "−") },
    { low: 0, high: top, at: ticks(0, top, step(top, 3)), label: "pixels, %", show: (v) => String(+v.toFixed(2)) },
    bars,
    curve,
  );
}

// What the correlation says in words; values: from a distance of 0; pixels: of the region.
export function correlationWords(values, pixels) {
  if (values.length < 2 || !values.every(Number.isFinite)) return "Nothing was removed, or too little is seen.";
  const band = 2 / Math.sqrt(pixels);
  const [largest, at] = values.slice(1).reduce(([high, where], value, i) => (Math.abs(value) > Math.abs(high) ? [value, i + 1] : [high, where]), [0, 1]);
  if (Math.abs(largest) <= 2 * band) return "Flat: pixels in a row have nothing in common, as in white noise. Hardly any detail of the picture is among it.";
  const told = `${largest < 0 ? "−" : "+"}${Math.abs(largest).toFixed(2)}`;
  return `Pixels ${at} apart correlate by ${told}: beyond the dashed lines is structure: detail that was removed, noise that was left, or noise that is not white.`;
}

export function correlation(values, pixels) {
  if (values.length < 2 || !values.every(Number.isFinite)) return null;
  const band = 2 / Math.sqrt(pixels);
  const after = values.slice(1);
  const reach = Math.min(1.15 * Math.max(...after.map(Math.abs), 2 * band), 1);
  const bars = (across, up) =>
    after.map((value, i) => {
      const [a, b] = [up(Math.max(value, 0)), up(Math.min(value, 0))];
      return shape("rect", { class: "dncnn-bar", x: across(i + 1 - 0.35), width: across(0.7) - across(0), y: a, height: Math.max(b - a, 0.5) });
    });
  const lines = (across, up) =>
    [-band, band].map((value) => shape("line", { class: "dncnn-reference", x1: across(0.5), x2: across(after.length + 0.5), y1: up(value), y2: up(value) }));
  const told = after.slice(0, 3).map((value) => `${value < 0 ? "" : "+"}${value.toFixed(2)}`).join(", ");
  return frame(
    `correlation of pixels that are 1, 2 and 3 apart: ${told}`,
    { low: 0.5, high: after.length + 0.5, at: after.map((_, i) => i + 1).filter((lag) => lag % 2 || after.length < 9), label: "distance in a row, pixels", show: String },
    { low: -reach, high: reach, at: ticks(-reach, reach, step(2 * reach, 4)), label: "correlation", show: (v) => (v < 0 ? "−" : "") + +Math.abs(v).toFixed(3) },
    bars,
    lines,
  );
}
