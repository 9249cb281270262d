// What a method was not made for is said where one passes it.

const NAMES = { "down-up": "a picture made smaller and enlarged", JPEG: "JPEG", Gaussian: "Gaussian noise" };

// method: with `trained`, {kind: [low, high]}, null for one that was not trained; a sentence or "".
export function limit(method, { noise, level }, kind) {
  const { trained } = method;
  if (!trained) {
    return method.name.startsWith("median") || noise !== "salt and pepper" ? "" : `${method.name} takes the noise for Gaussian: of each spike it leaves a part.`;
  }
  const range = trained[noise];
  if (!range) {
    const kinds = Object.keys(trained).map((name) => NAMES[name] ?? name);
    const known = kinds.length > 1 ? `${kinds.slice(0, -1).join(", ")} and ${kinds.at(-1)}` : `${kinds[0]} only`;
    return `Beyond its range: ${method.name} was trained on ${known}.`;
  }
  const [low, high] = range;
  if (level >= low && level <= high) return "";
  const told = low === high ? `${low}` : `${low} to ${high}`;
  return `Beyond its range: ${method.name} was trained with ${kind.level} ${told}; this is ${level}.`;
}
