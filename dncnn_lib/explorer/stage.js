// The picture of the explorer: two pictures of a region under a swipe line, and a map of the whole.
//
// 1. Drawing and geometry: functions of plain values.
// 2. The elements of the page.
// 3. The link: `render`, the only part that knows `model`.

// ------------------------------------------------------------------------- 1. drawing and geometry
// Positions are [row, column] in pixels of the whole picture, sizes [height, width].

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// The position nearest to `centre` at which a square of `side` pixels lies inside the picture.
function inside([row, column], side, [height, width]) {
  const within = (value, length) => (side >= length ? length / 2 : clamp(value, side / 2, length - side / 2));
  return [within(row, height), within(column, width)];
}

// Bytes of 1 or 3 channels as a canvas of that size.
function canvasOf(bytes, { height, width, channels }) {
  const values = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const image = new ImageData(width, height);
  for (let i = 0, n = height * width; i < n; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = values[channels === 1 ? i : 3 * i + c];
    image.data[4 * i + 3] = 255;
  }
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// The left picture as far as `share` of the width, the right one beyond; returns where they meet.
function drawSwiped(canvas, [left, right], zoom, share) {
  const [height, width] = [left.height * zoom, left.width * zoom];
  if (canvas.height !== height || canvas.width !== width) [canvas.height, canvas.width] = [height, width];
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  const cut = Math.round(share * width);
  context.drawImage(right, 0, 0, width, height);
  context.save();
  context.beginPath();
  context.rect(0, 0, cut, height);
  context.clip();
  context.drawImage(left, 0, 0, width, height);
  context.restore();
  return cut;
}

// The thumbnail of a picture of size `whole`, and the square of `side` pixels that is seen of it.
function drawMap(canvas, thumbnail, whole, centre, side) {
  const context = canvas.getContext("2d");
  context.drawImage(thumbnail, 0, 0);
  const scale = canvas.width / whole[1];
  const [row, column] = inside(centre, side, whole);
  const [rows, columns] = whole.map((length) => Math.min(side, length));
  const box = [column - columns / 2, row - rows / 2, columns, rows].map((value) => value * scale);
  for (const [colour, lineWidth] of [["black", 3], ["white", 1]]) {
    [context.strokeStyle, context.lineWidth] = [colour, lineWidth];
    context.strokeRect(...box);
  }
}

// ---------------------------------------------------------------------- 2. the elements of the page

// Without this JupyterLab takes the keys: arrows would move to another cell.
const OWN_KEYS = { "data-lm-suppress-shortcuts": "true" };

function element(tag, attributes = {}, parent = null) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (parent) parent.append(made);
  return made;
}

function labelled(text, attributes, input, parent) {
  const label = element("label", attributes, parent);
  label.append(text);
  return element("input", { ...input, ...OWN_KEYS }, label);
}

function build(el) {
  const root = element("div", { class: "dncnn-stage", ...OWN_KEYS }, el);
  const view = element("div", { class: "dncnn-view" }, root);
  const canvas = element("canvas", { tabindex: 0, role: "img", class: "dncnn-picture", ...OWN_KEYS }, view);
  const names = ["left", "right"].map((side) => element("span", { class: `dncnn-${side}` }, view));
  const line = element("div", { class: "dncnn-line", "aria-hidden": "true" }, view);
  const below = element("div", { class: "dncnn-below" }, root);
  const map = element("canvas", { class: "dncnn-map", role: "img", "aria-label": "the whole picture, with the region seen" }, below);
  const tools = element("div", { class: "dncnn-tools" }, below);
  const range = { type: "range", min: 0, max: 1000, "aria-label": "swipe: how much of the left picture is seen" };
  const swipe = labelled("swipe ", {}, range, tools);
  const images = { type: "file", accept: ".png,.jpg,.jpeg,.tif,.tiff,.webp,.bmp,image/*" };
  const file = labelled("open your own picture ", { class: "dncnn-upload" }, images, tools);
  element("p", { class: "dncnn-help" }, tools).textContent =
    "Drag the picture, or use the arrow keys on it, to move; + and − zoom. Drag the line to compare.";
  const message = element("p", { class: "dncnn-message", role: "status", "aria-live": "polite" }, root);
  return { canvas, names, line, map, swipe, file, message };
}

// The slider of ipywidgets has a handle, and a number to write in, that it gives no names.
function nameSliders(explorer) {
  for (const slider of explorer?.querySelectorAll(".widget-slider") ?? []) {
    const name = slider.querySelector(".widget-label")?.textContent ?? "";
    for (const part of slider.querySelectorAll("[role=slider], .widget-readout")) part.setAttribute("aria-label", name);
    slider.querySelector(".widget-readout")?.setAttribute("role", "textbox");
  }
}

function download(bytes, name) {
  const url = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// ------------------------------------------------------------------------------------- 3. the link
// `model` is anywidget's, or any object with its methods:
//   get(name), set(name, value)   the values of Stage (stage.py); set calls what listens to
//                                 "change:name" if the value is another
//   save_changes()                what was set is told to the other end
//   send(content, callbacks, buffers)
//                                 {type: "ping"}, to be answered by "msg:custom" {type: "pong"};
//                                 {type: "upload", name, part, last} with the bytes of one part
//   on(event, react), off(event, react)
//                                 "change:name", and "msg:custom" with (content, buffers): the pong,
//                                 and {type: "save", name} with the bytes of a PNG

const UPLOAD_PART = 1 << 20; // bytes of an upload in one message
const PING_EVERY = 6000; // milliseconds
const NO_ANSWER = "No answer from Python. If it is busy, wait; if it was restarted, run the cell again or reload the page.";

function render({ model, el }) {
  const { canvas, names, line, map, swipe, file, message } = build(el);
  const side = () => model.get("screen") / model.get("zoom");
  const whole = () => model.get("overview").whole ?? [1, 1];
  const centre = () => inside(model.get("centre"), side(), whole());

  function change(name, value) {
    model.set(name, value);
    model.save_changes();
  }
  const moveTo = (position) => change("centre", inside(position, side(), whole()));
  const swipeTo = (share) => change("swipe", clamp(share, 0, 1));
  function zoomBy(step) {
    const zooms = model.get("zooms");
    const next = zooms.indexOf(model.get("zoom")) + step;
    if (next in zooms) change("zoom", zooms[next]);
  }

  // what comes from the other end

  let pictures = null;
  function showPictures() {
    if (!pictures) return;
    const cut = drawSwiped(canvas, pictures, model.get("zoom"), model.get("swipe"));
    line.style.left = `${(100 * cut) / canvas.width}%`;
    names[0].hidden = cut < 40;
    names[1].hidden = cut > canvas.width - 40;
    canvas.dataset.number = model.get("frame").number;
  }

  function receiveFrame() {
    const frame = model.get("frame");
    if (!frame.left) return;
    pictures = [canvasOf(frame.left, frame), canvasOf(frame.right, frame)];
    names.forEach((name, i) => (name.textContent = frame.names[i]));
    canvas.setAttribute("aria-label", frame.alt);
    nameSliders(el.closest(".dncnn-explorer"));
    showPictures();
    showMap();
  }

  let thumbnail = null;
  function showMap() {
    if (thumbnail) drawMap(map, thumbnail, whole(), model.get("centre"), side());
  }

  function receiveOverview() {
    const overview = model.get("overview");
    if (!overview.pixels) return;
    thumbnail = canvasOf(overview.pixels, overview);
    [map.height, map.width] = [overview.height, overview.width];
    const longest = Math.max(map.height, map.width);
    for (const length of ["height", "width"]) map.style[length] = `${Math.max((96 * map[length]) / longest, 4)}px`;
    showMap();
  }

  function receiveSwipe() {
    swipe.value = Math.round(1000 * model.get("swipe"));
    swipe.setAttribute("aria-valuetext", `${Math.round(100 * model.get("swipe"))} % left picture`);
    showPictures();
  }

  function receiveBusy() {
    canvas.setAttribute("aria-busy", String(model.get("busy")));
  }

  let silent = false; // the other end has not answered
  function receiveMessage() {
    const { text, error } = silent ? { text: NO_ANSWER, error: true } : model.get("message");
    message.textContent = text;
    message.classList.toggle("dncnn-error", error);
  }

  let answered = true;
  function receiveCustom(content, buffers) {
    if (content.type === "pong") {
      answered = true;
      silent = false;
      receiveMessage();
    } else if (content.type === "save") download(buffers[0], content.name);
  }

  // A kernel that was restarted knows nothing of this page, and nobody else would say so.
  const watch = setInterval(() => {
    if (document.hidden || !el.isConnected) return;
    if (!answered) silent = true;
    receiveMessage();
    nameSliders(el.closest(".dncnn-explorer")); // one may come later than the first picture
    answered = false;
    try {
      model.send({ type: "ping" });
    } catch {} // a closed connection, which does not answer either
  }, PING_EVERY);

  // what comes from the page

  canvas.addEventListener("keydown", (event) => {
    const step = side() / 8;
    const moves = { ArrowUp: [-step, 0], ArrowDown: [step, 0], ArrowLeft: [0, -step], ArrowRight: [0, step] };
    const move = moves[event.key];
    if (move) moveTo(centre().map((value, i) => value + move[i]));
    else if (event.key === "+" || event.key === "=") zoomBy(1);
    else if (event.key === "-") zoomBy(-1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return; // the end of another button's menu would not be heard
    const box = canvas.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const swiping = Math.abs(x - model.get("swipe")) * box.width < 14;
    drag = { box, swiping, from: [event.clientY, event.clientX], centre: centre() };
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    if (drag.swiping) return swipeTo((event.clientX - drag.box.left) / drag.box.width);
    const perPixel = drag.box.width / model.get("frame").width;
    const to = [event.clientY, event.clientX];
    moveTo(drag.centre.map((value, i) => value - (to[i] - drag.from[i]) / perPixel));
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (drag = null));

  map.addEventListener("pointerdown", (event) => {
    const box = map.getBoundingClientRect();
    const [height, width] = whole();
    moveTo([((event.clientY - box.top) / box.height) * height, ((event.clientX - box.left) / box.width) * width]);
  });

  swipe.addEventListener("input", () => swipeTo(swipe.value / 1000));

  file.addEventListener("change", async () => {
    const chosen = file.files[0];
    file.value = ""; // the same file may be chosen again
    if (!chosen) return;
    const largest = model.get("largest");
    if (chosen.size > largest) {
      change("message", { text: `That file is larger than ${Math.round(largest / 1e6)} MB.`, error: true });
      return;
    }
    const data = await chosen.arrayBuffer();
    const parts = Math.max(Math.ceil(data.byteLength / UPLOAD_PART), 1);
    for (let part = 0; part < parts; part++) {
      const content = { type: "upload", name: chosen.name, part, last: part === parts - 1 };
      model.send(content, undefined, [data.slice(part * UPLOAD_PART, (part + 1) * UPLOAD_PART)]);
    }
  });

  const reactions = {
    "change:overview": receiveOverview,
    "change:frame": receiveFrame,
    "change:swipe": receiveSwipe,
    "change:busy": receiveBusy,
    "change:message": receiveMessage,
    "change:centre": showMap,
    "msg:custom": receiveCustom,
  };
  for (const [event, react] of Object.entries(reactions)) model.on(event, react);
  for (const react of [receiveOverview, receiveFrame, receiveSwipe, receiveBusy, receiveMessage]) react();
  return () => {
    clearInterval(watch);
    for (const [event, react] of Object.entries(reactions)) model.off(event, react);
  };
}

export default { render };
