// Settings worth a click, and a tour of five steps that moves the controls.

export const PRESETS = [
  ["σ 25, blind", { noise: "Gaussian", level: 25, method: "dncnn-b", left: "noisy", right: "restored" }],
  ["beyond its range", { noise: "Gaussian", level: 70, method: "dncnn-b", left: "noisy", right: "restored" }],
  ["JPEG 10", { noise: "JPEG", level: 10, method: "dncnn-3", left: "noisy", right: "restored" }],
  ["salt and pepper to a Gaussian network", { noise: "salt and pepper", level: 5, method: "dncnn-b", left: "noisy", right: "restored" }],
];

const START = { picture: "dogs", noise: "Gaussian", seed: 0, method: "dncnn-b", compare: "swipe", left: "noisy", right: "restored", at: null, zoom: 0 };

// set: at once; from → to: the level that is moved.
export const TOUR = [
  {
    title: "Move the noise",
    text: "Left of the line the picture has noise, right of it the network has removed it. It was never told how strong the noise is. Watch where detail goes as σ grows.",
    set: { ...START, level: 5, swipe: 0.5 },
    to: 50,
  },
  {
    title: "Look at the mistakes",
    text: "Right is now the error, four times as strong; grey is none. It is small where the picture is flat and large at edges and in fur: what looks like noise is lost with it.",
    set: { ...START, level: 50, right: "error ×4", swipe: 0.35 },
  },
  {
    title: "Look at what was removed",
    text: "Right is what was removed, noisy minus restored. It should be noise alone. As σ grows, look for edges in it: they are the picture's own. The two plots measure how much it looks like noise.",
    set: { ...START, level: 15, right: "removed", swipe: 0.35 },
    to: 55,
  },
  {
    title: "Beyond what it was trained on",
    text: "In its training the network saw noise up to σ 55. Past that it leaves noise behind, even on a flat wall. The page says when you pass a limit.",
    set: { ...START, level: 45, swipe: 0.3 },
    to: 75,
  },
  {
    title: "Another noise, another method",
    text: "Black and white specks are no Gaussian noise. The median of 3×3 pixels, decades older than any network here, takes them away; choose dncnn-b under method and see what it leaves.",
    set: { ...START, noise: "salt and pepper", level: 8, method: "median 3×3", swipe: 0.5 },
  },
];
