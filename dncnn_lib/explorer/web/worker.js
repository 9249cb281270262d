// A worker: it restores one strip of a region at a time, with networks by onnxruntime-web.
//
// Messages in: {start}, {picture}, {network}, {restore}, {measure}; out: {id, ...} or {id, error}.

import { numbers } from "./measures.js";
import { Degraded, restore } from "./restore.js";

const [pictures, networks, degraded] = [new Map(), new Map(), new Degraded()];
let ort = null;
let providers = ["wasm"];

// runtime: {script, module, gpu}: the source of onnxruntime-web as a module, and its WebAssembly.
async function start({ script, module, gpu }) {
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  ort = await import(url);
  URL.revokeObjectURL(url);
  // It takes bytes only, and would compile them anew in each worker; it is given what is compiled.
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (_, imports) => ({ module, instance: await instantiate(module, imports) });
  ort.env.wasm.wasmBinary = new ArrayBuffer(8);
  ort.env.wasm.numThreads = 1;
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
