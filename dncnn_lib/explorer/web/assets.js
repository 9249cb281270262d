// Pictures, networks and the runtime are scripts that hold base64: they load from any server and from
// a folder of files, where `fetch` is refused.

const arrived = new Map();

// Each of these scripts calls it with its name and its bytes in base64, compressed by gzip or not.
globalThis.dncnnAsset = (name, text, compressed) => arrived.set(name, { text, compressed });

const begun = new Map();

// The bytes of an asset, loaded at most once.
export function asset(name) {
  if (!begun.has(name)) {
    const promise = loaded(name);
    promise.catch(() => begun.delete(name)); // may be tried again
    begun.set(name, promise);
  }
  return begun.get(name);
}

async function loaded(name) {
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${globalThis.dncnnAssets ?? "assets/"}${name}.js`;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`assets/${name}.js cannot be read`));
    document.head.append(script);
  });
  const { text, compressed } = arrived.get(name);
  arrived.delete(name);
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  if (!compressed) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
