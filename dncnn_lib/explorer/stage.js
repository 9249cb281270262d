// The picture of the explorer. Python sends pixels; swiping and drawing happen here.

const PART = 1 << 20; // bytes of an upload in one message

function canvasOf(bytes, height, width, channels) {
  const values = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const image = new ImageData(width, height);
  for (let i = 0, n = height * width; i < n; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = values[channels === 1 ? i : 3 * i + c];
    image.data[4 * i + 3] = 255;
  }
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function element(tag, attributes = {}, parent = null) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (parent) parent.append(made);
  return made;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function render({ model, el }) {
  // without this JupyterLab takes the keys: arrows would move to another cell
  const keys = { "data-lm-suppress-shortcuts": "true" };
  const root = element("div", { class: "dncnn-stage", ...keys }, el);
  const view = element("div", { class: "dncnn-view" }, root);
  const canvas = element("canvas", { tabindex: 0, role: "img", class: "dncnn-picture", ...keys }, view);
  const names = [element("span", { class: "dncnn-left" }, view), element("span", { class: "dncnn-right" }, view)];
  const line = element("div", { class: "dncnn-line", "aria-hidden": "true" }, view);

  const below = element("div", { class: "dncnn-below" }, root);
  const map = element("canvas", { class: "dncnn-map", role: "img", "aria-label": "the whole picture, with the region seen" }, below);
  const tools = element("div", { class: "dncnn-tools" }, below);
  const swipeLabel = element("label", {}, tools);
  swipeLabel.append("swipe ");
  const swipe = element("input", { type: "range", min: 0, max: 1000, "aria-label": "swipe: how much of the left picture is seen", ...keys }, swipeLabel);
  const upload = element("label", { class: "dncnn-upload" }, tools);
  upload.append("open a picture of yours ");
  const file = element("input", { type: "file", accept: ".png,.jpg,.jpeg,.tif,.tiff,.webp,.bmp,image/*", ...keys }, upload);
  element("p", { class: "dncnn-help" }, tools).textContent =
    "Drag the picture or press the arrow keys on it to move, + and − to zoom; drag the line to compare.";
  const message = element("p", { class: "dncnn-message", role: "status", "aria-live": "polite" }, root);

  let pictures = null;
  let frame = null;
  let gone = "";

  function draw() {
    if (!pictures) return;
    const zoom = model.get("zoom");
    const [height, width] = [frame.height * zoom, frame.width * zoom];
    if (canvas.height !== height || canvas.width !== width) [canvas.height, canvas.width] = [height, width];
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    const cut = Math.round(model.get("swipe") * width);
    context.drawImage(pictures[1], 0, 0, width, height);
    context.save();
    context.beginPath();
    context.rect(0, 0, cut, height);
    context.clip();
    context.drawImage(pictures[0], 0, 0, width, height);
    context.restore();
    line.style.left = `${(100 * cut) / width}%`;
    names[0].hidden = cut < 40;
    names[1].hidden = cut > width - 40;
    canvas.dataset.number = frame.number;
  }

  function receiveFrame() {
    frame = model.get("frame");
    if (!frame.left) return;
    pictures = ["left", "right"].map((side) => canvasOf(frame[side], frame.height, frame.width, frame.channels));
    names.forEach((name, i) => (name.textContent = frame.names[i]));
    canvas.setAttribute("aria-label", frame.alt);
    nameSlider();
    draw();
    drawMap();
  }

  // The slider of ipywidgets has a handle, and a number to write in, that it gives no names.
  function nameSlider() {
    for (const slider of el.closest(".dncnn-explorer")?.querySelectorAll(".widget-slider") ?? []) {
      const name = slider.querySelector(".widget-label")?.textContent ?? "";
      for (const part of slider.querySelectorAll("[role=slider], .widget-readout")) part.setAttribute("aria-label", name);
      slider.querySelector(".widget-readout")?.setAttribute("role", "textbox");
    }
  }

  let thumbnail = null;
  function receiveOverview() {
    const overview = model.get("overview");
    if (!overview.pixels) return;
    thumbnail = canvasOf(overview.pixels, overview.height, overview.width, overview.channels);
    [map.height, map.width] = [overview.height, overview.width];
    const longest = Math.max(map.height, map.width);
    for (const side of ["height", "width"]) map.style[side] = `${Math.max((96 * map[side]) / longest, 4)}px`;
    drawMap();
  }

  function drawMap() {
    if (!thumbnail) return;
    const context = map.getContext("2d");
    context.drawImage(thumbnail, 0, 0);
    const [height, width] = model.get("overview").whole;
    const side = model.get("screen") / model.get("zoom");
    const scale = map.width / width;
    const [rows, columns] = [Math.min(side, height), Math.min(side, width)];
    const [row, column] = inside(model.get("centre"));
    const box = [(column - columns / 2) * scale, (row - rows / 2) * scale, columns * scale, rows * scale];
    context.lineWidth = 3;
    context.strokeStyle = "black";
    context.strokeRect(...box);
    context.lineWidth = 1;
    context.strokeStyle = "white";
    context.strokeRect(...box);
  }

  // ------------------------------------------------------------------------------ moving and zooming

  function inside([row, column]) {
    const [height, width] = model.get("overview").whole ?? [1, 1];
    const half = model.get("screen") / model.get("zoom") / 2;
    const within = (value, length) => (2 * half >= length ? length / 2 : clamp(value, half, length - half));
    return [within(row, height), within(column, width)];
  }

  function moveTo(centre) {
    model.set("centre", inside(centre));
    model.save_changes();
    drawMap();
  }

  function zoomBy(step) {
    const zooms = model.get("zooms");
    const next = zooms.indexOf(model.get("zoom")) + step;
    if (!(next in zooms)) return;
    model.set("zoom", zooms[next]);
    model.save_changes();
  }

  function swipeTo(share) {
    model.set("swipe", clamp(share, 0, 1));
    model.save_changes();
  }

  canvas.addEventListener("keydown", (event) => {
    const step = model.get("screen") / model.get("zoom") / 8;
    const moves = { ArrowUp: [-step, 0], ArrowDown: [step, 0], ArrowLeft: [0, -step], ArrowRight: [0, step] };
    const move = moves[event.key];
    if (move) {
      const centre = inside(model.get("centre"));
      moveTo([centre[0] + move[0], centre[1] + move[1]]);
    } else if (event.key === "+" || event.key === "=") zoomBy(1);
    else if (event.key === "-") zoomBy(-1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return; // of another button's menu no end would be heard
    const box = canvas.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const near = Math.abs(x - model.get("swipe")) * box.width < 14;
    drag = { box, near, from: [event.clientX, event.clientY], centre: inside(model.get("centre")) };
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    if (drag.near) return swipeTo((event.clientX - drag.box.left) / drag.box.width);
    const perPixel = drag.box.width / frame.width;
    const [dx, dy] = [event.clientX - drag.from[0], event.clientY - drag.from[1]];
    moveTo([drag.centre[0] - dy / perPixel, drag.centre[1] - dx / perPixel]);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (drag = null));

  map.addEventListener("pointerdown", (event) => {
    const box = map.getBoundingClientRect();
    const [height, width] = model.get("overview").whole;
    moveTo([((event.clientY - box.top) / box.height) * height, ((event.clientX - box.left) / box.width) * width]);
  });

  swipe.addEventListener("input", () => swipeTo(swipe.value / 1000));
  function receiveSwipe() {
    swipe.value = Math.round(1000 * model.get("swipe"));
    swipe.setAttribute("aria-valuetext", `${Math.round(100 * model.get("swipe"))} % left picture`);
    draw();
  }

  // ------------------------------------------------------------------------------------------- files

  file.addEventListener("change", async () => {
    const chosen = file.files[0];
    file.value = ""; // the same file may be chosen again
    if (!chosen) return;
    if (chosen.size > model.get("largest")) {
      message.textContent = `That file has more than ${Math.round(model.get("largest") / 1e6)} MB.`;
      return;
    }
    const data = await chosen.arrayBuffer();
    const parts = Math.max(Math.ceil(data.byteLength / PART), 1);
    for (let part = 0; part < parts; part++) {
      const about = { type: "upload", name: chosen.name, part, last: part === parts - 1 };
      model.send(about, undefined, [data.slice(part * PART, (part + 1) * PART)]);
    }
  });

  let answered = true;
  model.on("msg:custom", (content, buffers) => {
    if (content.type === "pong") {
      answered = true;
      gone = "";
      receiveMessage();
    } else if (content.type === "save") {
      const url = URL.createObjectURL(new Blob([buffers[0]], { type: "image/png" }));
      const link = element("a", { href: url, download: content.name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 10000);
    }
  });

  function receiveMessage() {
    message.textContent = gone || model.get("message");
  }

  // A kernel that was restarted knows nothing of this page, and nobody else would say so.
  const watch = setInterval(() => {
    if (document.hidden || !el.isConnected) return;
    if (!answered) gone = "No answer from Python. If it is busy, wait; if it was restarted, run the cell again or reload the page.";
    receiveMessage();
    nameSlider(); // which came later than the first picture
    answered = false;
    try {
      model.send({ type: "ping" });
    } catch (error) {
      answered = false;
    }
  }, 6000);

  function receiveBusy() {
    canvas.setAttribute("aria-busy", String(model.get("busy")));
  }

  const heard = {
    "change:busy": receiveBusy,
    "change:frame": receiveFrame,
    "change:overview": receiveOverview,
    "change:swipe": receiveSwipe,
    "change:centre": drawMap,
    "change:message": receiveMessage,
  };
  for (const [event, react] of Object.entries(heard)) model.on(event, react);
  receiveOverview();
  receiveFrame();
  receiveSwipe();
  receiveBusy();
  receiveMessage();
  return () => {
    clearInterval(watch);
    for (const [event, react] of Object.entries(heard)) model.off(event, react);
  };
}

export default { render };
