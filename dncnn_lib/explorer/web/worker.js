// A worker: it restores one strip of a region at a time, with networks by onnxruntime-web.
//
// Messages in: {start}, {picture}, {network}, {restore}, {measure}; out: {id, ...} or {id, error}.

import { numbers } from "./measures.js";
import { Degraded, restore } from "./restore.js";

const [pictures, networks, degraded] = [new Map(), new Map(), new Degraded()];
let ort = null;
let providers = ["wasm"];

// runtime: {script, wasm}: the source of onnxruntime-web as a module, and its WebAssembly.
async function start({ script, wasm, gpu, threads }) {
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  ort = await import(url);
  URL.revokeObjectURL(url);
  ort.env.wasm.wasmBinary = wasm;
  ort.env.wasm.numThreads = threads;
  if (gpu) providers = ["webgpu", "wasm"];
}

async function session(name) {
  const known = networks.get(name);
  if (known instanceof Uint8Array) {
    networks.set(name, await ort.InferenceSession.create(known, { executionProviders: providers }));
  }
  return networks.get(name);
}

async function run(name, { height, width, channels, data }) {
  const net = await session(name);
  const { restored } = await net.run({ noisy: new ort.Tensor("float32", data, [1, channels, height, width]) });
  return { height, width, channels, data: await restored.getData() };
}

const tasks = {
  start: ({ runtime }) => start(runtime),
  picture: ({ name, picture }) => void pictures.set(name, picture),
  network: ({ name, bytes }) => void networks.set(name, bytes),
  async restore({ setting, region, method }) {
    const found = degraded.of(pictures.get(setting.picture), setting.picture, method.channels, setting);
    const start = performance.now();
    const images = await restore(found, region, method, (part) => run(method.name, part));
    return { ...images, milliseconds: performance.now() - start };
  },
  measure: ({ images }) => ({ numbers: numbers(images) }),
};

let last = Promise.resolve(); // one task after another: a session cannot run twice at a time

self.addEventListener("message", ({ data: { id, task, ...rest } }) => {
  last = last.then(async () => {
    try {
      self.postMessage({ id, ...(await tasks[task](rest)) });
    } catch (error) {
      self.postMessage({ id, error: `${error.name}: ${error.message}` });
    }
  });
});
