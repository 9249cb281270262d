// Pictures, networks and the runtime are scripts that hold base64: they load from any server and from
// a folder of files, where `fetch` is refused.

const arrived = new Map();

// Each of these scripts calls it with its name and its bytes in base64, compressed by gzip or not.
globalThis.dncnnAsset = (name, text, compressed) => arrived.set(name, { text, compressed });

const begun = new Map();

// The bytes of an asset as a stream; its script is loaded at most once.
export async function stream(name) {
  if (!begun.has(name)) {
    const promise = loaded(name);
    promise.catch(() => begun.delete(name)); // may be tried again
    begun.set(name, promise);
  }
  const { bytes, compressed } = await begun.get(name);
  const whole = new Blob([bytes]).stream();
  return compressed ? whole.pipeThrough(new DecompressionStream("gzip")) : whole;
}

export const asset = async (name) => new Uint8Array(await new Response(await stream(name)).arrayBuffer());

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
  return { bytes: decoded(text), compressed };
}

function decoded(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}
