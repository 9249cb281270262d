// The controls that live in the pages: views of the explorer, and the receptive field.

function element(tag, attributes, parent) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  parent.append(made);
  return made;
}

// This script's own folder, from whatever page it is read.
const here = document.currentScript.src.replace(/[^/]*$/, "");

// A picture of the explorer, and a button that puts the explorer itself in its place.
function offerExplorer(place) {
  const alt = "The explorer: a photograph under a line that moves, noisy on its left and restored on its right.";
  const picture = element("img", { src: here + "explorer.png", alt, loading: "lazy" }, place);
  const button = element("button", { type: "button", textContent: "Move it yourself" }, place);
  const address = `${here}explorer/index.html#${place.dataset.view}`;
  element("a", { href: address, textContent: "or open it as a page" }, place);
  button.addEventListener("click", () => {
    const frame = { src: address, title: "The explorer", allow: "fullscreen" };
    picture.replaceWith(element("iframe", frame, document.createDocumentFragment()));
    button.remove();
    place.querySelector("iframe").focus();
  });
}

// The square of input pixels that one output pixel depends on, over a picture at full pixels.
function drawField(context, picture, side) {
  const { width, height } = context.canvas;
  context.imageSmoothingEnabled = false;
  context.drawImage(picture, 0, 0, width, height);
  const scale = width / picture.naturalWidth;
  const box = [(width - side * scale) / 2, (height - side * scale) / 2, side * scale, side * scale];
  for (const [colour, lineWidth] of [["black", 6], ["#ffd92f", 3]]) {
    [context.strokeStyle, context.lineWidth] = [colour, lineWidth];
    context.strokeRect(...box);
  }
}

const PATCHES = "For comparison: BM3D looks at 49 × 49 pixels, CSF and TNRD at 61 × 61, WNNM at 361 × 361 (the paper, Table I).";

function showField(place) {
  const label = element("label", { textContent: "Depth " }, place);
  const depth = element("input", { type: "range", min: 1, max: 60, value: 17 }, label);
  const words = element("p", { role: "status" }, place);
  const canvas = element("canvas", { width: 484, height: 484, role: "img" }, place);
  element("p", { textContent: PATCHES }, place);
  const picture = new Image();
  const show = () => {
    const side = 2 * depth.value + 1;
    const text = `${depth.value} layers of 3 × 3: each output pixel depends on ${side} × ${side} input pixels`;
    words.textContent = text;
    canvas.setAttribute("aria-label", text);
    if (picture.complete) drawField(canvas.getContext("2d"), picture, side);
  };
  depth.addEventListener("input", show);
  picture.addEventListener("load", show);
  picture.src = here + "receptive-field.png";
  show();
}

// What can be scrolled can be reached without a mouse.
function reachScrolled() {
  for (const part of document.querySelectorAll("pre, .table-wrapper")) {
    if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
  }
}

// MyST-NB names what unfolds otherwise than it reads.
function nameFolds() {
  for (const fold of document.querySelectorAll("details > summary[aria-label]")) fold.removeAttribute("aria-label");
}

document.addEventListener("DOMContentLoaded", () => {
  reachScrolled();
  nameFolds();
  document.querySelectorAll(".live").forEach(offerExplorer);
  document.querySelectorAll(".receptive-field").forEach(showField);
});
