// Calls functions of the explorer's JavaScript from Python: see node.py.
//
// stdin: JSON [[module, function, arguments, ...], ...]; an argument {float32: base64, ...} is an image.
// stdout: JSON of the results; an image's values are base64 again.

import { readFileSync } from "node:fs";

const decoded = (text) => {
  const bytes = Buffer.from(text, "base64");
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};
const received = (value) => {
  if (Array.isArray(value)) return value.map(received);
  if (value?.float32 === undefined) return value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, received(v)])) : value;
  const { float32, ...rest } = value;
  return rest.height ? { ...rest, data: decoded(float32) } : decoded(float32);
};
const sent = (value) => {
  if (value instanceof Float32Array || value instanceof Float64Array) {
    const floats = Float32Array.from(value);
    return { float32: Buffer.from(floats.buffer).toString("base64") };
  }
  if (value?.data instanceof Float32Array) return { ...value, ...sent(value.data), data: undefined };
  if (value instanceof Uint8Array) return [...value];
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (Array.isArray(value)) return value.map(sent);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, sent(v)]));
  return value;
};

const results = [];
for (const [module, name, ...args] of JSON.parse(readFileSync(0, "utf-8"))) {
  const found = await import(module);
  if (name === "Generator") {
    const [seed, method, ...rest] = args;
    const generator = new found.Generator(seed);
    results.push(sent(generator[method](...rest)));
  } else results.push(sent(found[name](...args.map(received))));
}
process.stdout.write(JSON.stringify(results));
