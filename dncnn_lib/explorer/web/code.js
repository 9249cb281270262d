// Python for what is seen: see view.code_for.

import { PHONE } from "./camera.js";

const DEGRADATIONS = {
  Gaussian: (level) => `GaussianNoise(sigma=${level})`,
  Poisson: (level) => `PoissonNoise(peak=${level})`,
  "salt and pepper": (level) => `SaltAndPepperNoise(amount=${decimal(level / 100)})`,
  quantisation: (level) => `Quantisation(levels=${level})`,
  JPEG: (level) => `JPEGCompression(quality=${level})`,
  "down-up": (level) => `DownUp(scale=(${level},))`,
  "phone camera": (level) => `CameraNoise(iso=${level}, light=${PHONE}, quality=95)`,
};

const decimal = (value) => (Number.isInteger(value) ? value.toFixed(1) : String(value));

// uploaded: the picture is none of the samples.
export function codeFor({ picture, noise, level, seed, method, region }, { channels, network }, uploaded) {
  let read = `dn.sample_image("${picture}", grey=${channels === 3 ? "False" : "True"})`;
  if (uploaded) read = `view.for_method(view.reduced(dn.read_image("your-picture.png")), "${method}")`;
  let restore = `dn.denoise(noisy, dn.load_pretrained("${method}"), precision="auto")`;
  if (method === "median 3×3") restore = "dn.denoise(noisy, view.Median())";
  else if (!network) restore = `dn.denoise(noisy, priors.load_model("${method}"), sigma=255 * (noisy - clean).std())`;
  const seen = region ? `np.s_[${region.top}:${region.top + region.height}, ${region.left}:${region.left + region.width}]` : "...";
  const body = [
    `clean = ${read}`,
    `noisy = dn.apply(dn.${DEGRADATIONS[noise](level)}, clean, seed=${seed})`,
    `restored = ${restore}`,
    "",
    `seen = ${seen}`,
    "found = dn.Comparison(clean[seen], noisy[seen], restored[seen])",
    'print(f"noisy {found.degraded_psnr:.1f} dB, restored {found.psnr:.1f} dB")',
  ].join("\n");
  const imports = [
    ["import numpy as np", "np."],
    ["", ""],
    ["import dncnn_lib as dn", ""],
    ["from dncnn_lib import priors", "priors."],
    ["from dncnn_lib.explorer import view", "view."],
  ];
  const needed = imports.filter(([, use]) => body.includes(use)).map(([line]) => line);
  return [...needed, "", body, ""].join("\n").trimStart();
}
