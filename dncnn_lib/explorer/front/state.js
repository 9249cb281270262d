// What the explorer shows, as plain values, and the link that holds it.
//
// {picture, noise, level, seed, method, compare, left, right, swipe, at: [row, column] | null, zoom}
// at: the pixel of the picture in the middle, null for its own; zoom: pixels of the screen for one of the
// picture, 0 where the picture fills the window.

export const COMPARE = ["swipe", "beside", "flip"];

export const START = {
  picture: "dogs",
  noise: "Gaussian",
  level: 25,
  seed: 0,
  method: "dncnn-b",
  compare: "swipe",
  left: "noisy",
  right: "restored",
  swipe: 0.5,
  at: null,
  zoom: 0,
};

const round = (value) => Math.round(1000 * value) / 1000;

export function toHash(state) {
  const told = new URLSearchParams({ picture: state.picture, noise: state.noise, level: state.level, method: state.method });
  for (const name of ["seed", "compare", "left", "right", "swipe", "zoom"]) {
    if (state[name] !== START[name]) told.set(name, typeof state[name] === "number" ? round(state[name]) : state[name]);
  }
  if (state.at) told.set("at", state.at.map(round).join(","));
  return `#${told}`;
}

// The part of a state that a link holds; what the engine does not know is left out.
export function fromHash(hash, { pictures, kinds, methods, views }) {
  const told = Object.fromEntries(new URLSearchParams(hash.replace(/^#/, "")));
  const found = {};
  const known = {
    picture: pictures.map((picture) => picture.name),
    noise: Object.keys(kinds),
    method: methods.map((method) => method.name),
    compare: COMPARE,
    left: views,
    right: views,
  };
  for (const [name, values] of Object.entries(known)) if (values.includes(told[name])) found[name] = told[name];
  const kind = kinds[found.noise ?? START.noise];
  const numbers = { level: [kind.low, kind.high, true], seed: [0, 2 ** 31, true], swipe: [0, 1], zoom: [0, 64] };
  for (const [name, [low, high, whole]] of Object.entries(numbers)) {
    const value = Number(told[name]);
    if (told[name] && value >= low && value <= high) found[name] = whole ? Math.round(value) : value;
  }
  if (found.noise && found.level === undefined) found.level = kind.start;
  const at = (told.at ?? "").split(",").map(Number);
  if (told.at && at.length === 2 && at.every(Number.isFinite)) found.at = at;
  return found;
}
