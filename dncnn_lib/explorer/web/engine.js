// The explorer's engine in the browser: what front/explorer.js asks of an engine, without a kernel.

import { asset, stream } from "./assets.js";
import { codeFor } from "./code.js";
import { fromBytes, image, paste, reduced, toBytes } from "./image.js";
import { psnr } from "./measures.js";
import { Pool } from "./pool.js";

const BUDGET = 80; // milliseconds for a picture that follows the hand
const SMALLEST = 128; // pixels, the side of the least that follows it
const PAUSE = 150; // milliseconds without a change after which the controls are taken to rest
const ADAPTER = 2000; // milliseconds that a graphics processor has to answer in
const STRIP = 64 * 256; // pixels a large network restores before it asks whether that is still wanted
const UPLOAD = "your picture";

// What can be shown of a region; the last two have 0 as middle grey.
const VIEWS = {
  clean: ({ clean }) => clean.data,
  noisy: ({ noisy }) => noisy.data,
  restored: ({ restored }) => restored.data,
  removed: ({ noisy, restored }) => noisy.data.map((v, i) => v - restored.data[i] + 0.5),
  "error ×4": ({ clean, restored }) => restored.data.map((v, i) => 4 * (v - clean.data[i]) + 0.5),
};

export function viewed(images, view) {
  const { height, width, channels } = images.clean;
  return { height, width, channels, pixels: toBytes(image(height, width, channels, VIEWS[view](images))) };
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Milliseconds a pixel, for each method, as they were measured; a hiccup changes little.
class Pace {
  constructor() {
    this.rates = new Map();
  }
  expected(method, pixels) {
    return (this.rates.get(method) ?? Infinity) * pixels;
  }
  learn(method, pixels, milliseconds) {
    const rate = milliseconds / pixels;
    const known = this.rates.get(method) ?? rate;
    this.rates.set(method, Math.min(rate, 0.7 * known + 0.3 * rate));
  }
}

export class BrowserEngine {
  // catalogue: what `view.catalogue` says of pictures, kinds and methods; worker: its source.
  constructor(catalogue, worker) {
    this.catalogue = catalogue;
    this.methods = new Map(catalogue.methods.map((method) => [method.name, method]));
    this.worker = worker;
    this.pace = new Pace();
    this.pictures = new Map();
    this.networks = new Map(); // name → promise
    this.newest = 0;
    this.last = null; // {key, images}: shown again where only the views change
    this.pooled = this.makePool();
    this.started = this.start();
  }

  // One worker where there is a graphics processor, else as many as there are cores, up to four.
  async makePool() {
    const adapter = await Promise.race([navigator.gpu?.requestAdapter().catch(() => null), pause(ADAPTER)]);
    this.gpu = Boolean(adapter) && !adapter.info?.isFallbackAdapter;
    this.pool = new Pool(this.worker, this.gpu ? 1 : Math.min(navigator.hardwareConcurrency || 2, 4));
    return this.pool;
  }

  async start() {
    const pool = await this.pooled;
    const name = this.gpu ? "runtime-gpu" : "runtime";
    // compiled once, while it is being unpacked, for all workers
    const headers = { "Content-Type": "application/wasm" };
    const compiled = stream(name).then((bytes) => WebAssembly.compileStreaming(new Response(bytes, { headers })));
    const [script, module] = await Promise.all([asset(`${name}-script`), compiled]);
    const runtime = { script: new TextDecoder().decode(script), module, gpu: this.gpu };
    await pool.all("start", { runtime });
  }

  async describe() {
    return this.catalogue;
  }

  // ------------------------------------------------------------------------------------- answers

  async explore(setting, show) {
    const number = ++this.newest;
    const stale = () => number !== this.newest;
    this.pool?.forget();
    const { views, ...asked } = setting;
    const key = JSON.stringify(asked);
    if (this.last?.key === key) {
      show(this.answer(this.last, setting));
      return;
    }
    const method = this.methods.get(setting.method);
    const quick = this.quick(method, setting.region);
    const region = this.part(setting.region, quick);
    const images = await this.restored({ ...setting, region }, quick, stale);
    if (!images) return;
    this.last = null;
    const found = { key, images, method: quick, region };
    show(this.answer(found, setting));
    this.complete(setting, found, stale, show).catch((error) => {
      if (!stale()) show({ error: error.message });
    });
  }

  // Which method answers while the hand moves.
  quick(method, region) {
    if (!method.network) return method;
    const loaded = this.networks.get(method.name) === true;
    if (loaded && this.pace.expected(method.name, region.height * region.width) <= BUDGET) return method;
    return this.methods.get(method.channels === 3 ? "cdncnn-b-small" : "dncnn-3-small");
  }

  // As much of a region, from its middle, as the method can restore in time.
  part(region, method) {
    const pixels = region.height * region.width;
    const share = Math.sqrt(BUDGET / this.pace.expected(method.name, pixels)); // 0 where it is not known yet
    if (share >= 0.8 || !method.network) return region;
    const [height, width] = [region.height, region.width].map((side) => Math.min(Math.max(Math.round(share * side), SMALLEST), side));
    return {
      top: region.top + Math.floor((region.height - height) / 2),
      left: region.left + Math.floor((region.width - width) / 2),
      height,
      width,
    };
  }

  async complete(setting, found, stale, show) {
    await pause(PAUSE);
    if (stale()) return;
    const method = this.methods.get(setting.method);
    const { region } = setting;
    const steps = found.region === region ? [] : [found.method];
    if (found.method !== method) steps.push(method);
    for (const step of steps) {
      const images = await this.restored(setting, step, stale);
      if (!images) return;
      found = { ...found, images, method: step, region };
      if (step !== method) show(this.answer(found, setting));
    }
    const measured = await this.pool.one("measure", { images: found.images });
    if (stale() || !measured) return;
    this.last = { ...found, numbers: measured.numbers };
    show(this.answer(this.last, setting));
  }

  answer({ images, method, region, numbers }, setting) {
    const pixels = setting.region.height * setting.region.width;
    return {
      region,
      pictures: setting.views.map((view) => viewed(images, view)),
      method: method.name,
      quick: method.name !== setting.method,
      waiting: method.name !== setting.method ? this.pace.expected(setting.method, pixels) / 1000 : 0,
      psnr: psnr(images.restored, images.clean, true),
      noisyPsnr: psnr(images.noisy, images.clean),
      numbers: numbers ?? null,
    };
  }

  // The images of a region, its strips restored by all workers; null where a newer change came.
  async restored(setting, method, stale) {
    await this.ready(setting.picture, method);
    if (stale()) return null;
    const { region } = setting;
    const start = performance.now();
    const jobs = this.strips(region, method).map((strip) => this.pool.one("restore", { setting, region: strip, method }));
    const parts = await Promise.all(jobs);
    if (stale() || parts.includes(null)) return null;
    const pixels = region.height * region.width;
    this.pace.learn(method.name, Math.max(pixels, SMALLEST ** 2), performance.now() - start);
    const images = {};
    for (const name of ["clean", "noisy", "restored"]) {
      images[name] = image(region.height, region.width, method.channels);
      for (const [i, strip] of this.strips(region, method).entries()) {
        paste(images[name], parts[i][name], { top: strip.top - region.top, left: 0 });
      }
    }
    return images;
  }

  strips({ top, left, height, width }, { large }) {
    let count = Math.min(this.pool.workers.length, Math.max(Math.floor(height / 16), 1));
    if (large) count *= Math.max(Math.ceil((height * width) / STRIP / count), 1);
    count = Math.min(count, height);
    const edges = Array.from({ length: count + 1 }, (_, i) => Math.round((i * height) / count));
    return edges.slice(1).map((edge, i) => ({ top: top + edges[i], left, height: edge - edges[i], width }));
  }

  // ------------------------------------------------------------------------ pictures and networks

  async ready(picture, method) {
    await this.pooled;
    const waiting = [this.picture(picture)];
    if (method.network) waiting.push(this.started, this.network(method.name));
    await Promise.all(waiting);
  }

  picture(name) {
    if (!this.pictures.has(name)) {
      const told = asset(`picture-${name}`)
        .then((bytes) => decoded(new Blob([bytes])))
        .then((picture) => this.pool.all("picture", { name, picture }));
      told.catch(() => this.pictures.delete(name));
      this.pictures.set(name, told);
    }
    return this.pictures.get(name);
  }

  network(name) {
    if (!this.networks.has(name)) {
      const told = asset(name).then((bytes) => this.pool.all("network", { name, bytes }));
      told.then(() => this.networks.set(name, true), () => this.networks.delete(name));
      this.networks.set(name, told);
    }
    return this.networks.get(name);
  }

  // Whether a method's network has arrived, or need not.
  has(name) {
    return !this.methods.get(name).network || this.networks.get(name) === true;
  }

  async open(bytes, name) {
    const whole = await decoded(new Blob([bytes])).catch(() => {
      throw new Error(`${name} is no picture that this browser can read`);
    });
    const picture = reduced(whole, this.catalogue.longest);
    await this.pooled;
    this.uploads = (this.uploads ?? 0) + 1;
    const key = `${UPLOAD} ${this.uploads}`;
    this.pictures.set(key, this.pool.all("picture", { name: key, picture }));
    return {
      name: key,
      label: UPLOAD,
      height: picture.height,
      width: picture.width,
      channels: picture.channels,
      whole: [whole.height, whole.width],
    };
  }

  async code(setting) {
    return codeFor(setting, this.methods.get(setting.method), setting.picture.startsWith(UPLOAD));
  }

  close() {
    this.pool?.close();
  }
}

// The pixels of a file, in grey where it has no colour.
async function decoded(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const { height, width } = bitmap;
  const canvas = Object.assign(document.createElement("canvas"), { height, width });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  let grey = true;
  for (let i = 0; grey && i < data.length; i += 4) grey = data[i] === data[i + 1] && data[i] === data[i + 2];
  if (!grey) return fromBytes(data, height, width, 4);
  return fromBytes(data.filter((_, i) => i % 4 === 0), height, width, 1);
}
