// The picture: two images of a region on one canvas, and what a hand does to it.

import { element, OWN_KEYS } from "./dom.js";
import { clamp, filling, fitting, inside, seen, zoomed } from "./geometry.js";

const GAP = 6; // pixels between two pictures side by side
const HOLD = 5; // pixels that a held finger may wander

// {height, width, channels, pixels} as a canvas.
export function canvasOf({ height, width, channels, pixels }) {
  const image = new ImageData(width, height);
  for (let i = 0, n = height * width; i < n; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixels[channels === 1 ? i : 3 * i + c];
    image.data[4 * i + 3] = 255;
  }
  const canvas = element("canvas", { width, height });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// names: elements that lie on the two pictures. change: told of {at, zoom, swipe} that a hand sets.
// wheel: zoom by it without a click before.
export class Picture {
  constructor({ names, change, wheel }) {
    this.change = change;
    this.wheelAlways = wheel;
    this.canvas = element("canvas", { class: "dncnn-picture", tabindex: 0, role: "img", "aria-busy": "true", ...OWN_KEYS });
    this.names = names; // what is written on the two pictures: an element each
    this.line = element("div", { class: "dncnn-line", "aria-hidden": "true", hidden: true });
    this.root = element("div", { class: "dncnn-stage" }, this.canvas, ...this.names, this.line);
    this.size = [1, 1]; // of the whole picture
    this.state = null;
    this.answer = null;
    this.held = false; // the left picture is flipped to
    this.listen();
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(this.root);
  }

  // ------------------------------------------------------------------------------------ geometry

  get screen() {
    const box = this.root.getBoundingClientRect();
    return [Math.max(box.height, 1), Math.max(box.width, 1)];
  }

  // What one of the two pictures has of the screen.
  get pane() {
    const [height, width] = this.screen;
    if (this.state?.compare !== "beside") return [height, width];
    return width >= height ? [height, (width - GAP) / 2] : [(height - GAP) / 2, width];
  }

  get zoom() {
    return this.state?.zoom ? zoomed(this.state.zoom, this.size, this.pane) : filling(this.size, this.pane);
  }

  get at() {
    return inside(this.state?.at ?? this.size.map((length) => length / 2), this.size, this.pane, this.zoom);
  }

  get region() {
    return seen(this.at, this.size, this.pane, this.zoom);
  }

  // ------------------------------------------------------------------------------------- showing

  resized() {
    if (!this.state) return;
    this.draw();
    this.change({}); // another region may be seen
  }

  show(state, size) {
    [this.state, this.size] = [state, size];
    this.draw();
  }

  // whole: the answer is of all that is seen; one of a part of it is drawn on the last that was.
  receive(answer, state, whole) {
    if (whole) this.under = null;
    else if (!this.answer?.part) this.under = this.answer;
    this.answer = { part: !whole, region: answer.region, images: answer.pictures.map(canvasOf) };
    this.show(state, this.size);
    this.canvas.dataset.region = `${answer.region.height}×${answer.region.width}`;
    this.canvas.dataset.number = Number(this.canvas.dataset.number ?? 0) + 1;
  }

  draw() {
    const [height, width] = this.screen;
    const dots = window.devicePixelRatio || 1;
    const [rows, columns] = [Math.round(height * dots), Math.round(width * dots)];
    if (this.canvas.height !== rows || this.canvas.width !== columns) [this.canvas.height, this.canvas.width] = [rows, columns];
    const context = this.canvas.getContext("2d");
    context.setTransform(dots, 0, 0, dots, 0, 0);
    context.clearRect(0, 0, width, height);
    if (!this.answer || !this.state) return;
    const { compare, swipe } = this.state;
    const cut = Math.round(swipe * width);
    context.imageSmoothingEnabled = this.zoom * dots < 1;
    if (compare === "swipe") {
      this.put(context, 0, [0, 0, cut, height], [0, 0, width, height]);
      this.put(context, 1, [cut, 0, width - cut, height], [0, 0, width, height]);
    } else if (compare === "beside") {
      const [paneHeight, paneWidth] = this.pane;
      const second = width >= height ? [width - paneWidth, 0] : [0, height - paneHeight];
      for (const [which, corner] of [[0, 0], second].entries()) {
        const box = [...corner, paneWidth, paneHeight];
        this.put(context, which, box, box);
      }
    } else this.put(context, this.held ? 0 : 1, [0, 0, width, height], [0, 0, width, height]);
    this.label(width, height, cut);
  }

  // What is seen of one of the two pictures, in a box of the screen, cut to another.
  put(context, which, cut, box) {
    context.save();
    context.beginPath();
    context.rect(...cut);
    context.clip();
    if (this.under) {
      context.globalAlpha = 0.4;
      this.place(context, this.under, which, box);
      context.globalAlpha = 1;
    }
    this.place(context, this.answer, which, box);
    context.restore();
  }

  place(context, { region, images }, which, [x, y, width, height]) {
    const [zoom, at] = [this.zoom, this.at];
    const [row, column] = [(region.top - at[0]) * zoom + height / 2, (region.left - at[1]) * zoom + width / 2];
    context.drawImage(images[which], x + column, y + row, region.width * zoom, region.height * zoom);
  }

  label(width, height, cut) {
    const { compare } = this.state;
    const [left, right] = this.names;
    const upright = compare === "beside" && width < height;
    this.root.classList.toggle("dncnn-upright", upright);
    left.classList.toggle("dncnn-away", compare === "swipe" ? cut < 60 : compare === "flip" && !this.held);
    right.classList.toggle("dncnn-away", compare === "swipe" ? cut > width - 60 : compare === "flip" && this.held);
    this.line.hidden = compare !== "swipe";
    this.line.style.left = `${cut}px`;
  }

  // The two pictures, pixel for pixel, side by side.
  saved() {
    const { images, region } = this.answer;
    const canvas = element("canvas", { width: 2 * region.width + 8, height: region.height });
    const context = canvas.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
    images.forEach((image, i) => context.drawImage(image, i * (region.width + 8), 0));
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  // ---------------------------------------------------------------------------------- by a hand

  hold(held) {
    if (this.held === held) return;
    this.held = held;
    this.draw();
  }

  // The whole picture, or as large as it fills the window.
  fit(whole) {
    this.change({ zoom: whole ? fitting(this.size, this.pane) : 0, at: null });
  }

  moveTo(at) {
    this.change({ at: inside(at, this.size, this.pane, this.zoom), zoom: this.zoom });
  }

  // Zoom so that what lies under a point of the screen stays there; null: the middle.
  zoomTo(zoom, point = null) {
    const to = zoomed(zoom, this.size, this.pane);
    const [before, at] = [this.zoom, this.at];
    const away = point ? this.fromMiddle(point) : [0, 0];
    const moved = at.map((value, i) => value + away[i] / before - away[i] / to);
    this.change({ zoom: to, at: inside(moved, this.size, this.pane, to) });
  }

  // [down, right] from the middle of the pane that a point {clientX, clientY} lies in.
  fromMiddle({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    const [height, width] = this.pane;
    const at = [clientY - box.top, clientX - box.left];
    const within = at.map((value, i) => (value > [height, width][i] ? value - GAP - [height, width][i] : value));
    return [within[0] - height / 2, within[1] - width / 2];
  }

  listen() {
    const { canvas } = this;
    const fingers = new Map();
    let drag = null;
    let pinch = null;

    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.answer) return; // the end of another button's menu would not be heard
      fingers.set(event.pointerId, event);
      canvas.setPointerCapture(event.pointerId);
      canvas.focus({ preventScroll: true });
      if (fingers.size === 2) {
        pinch = { apart: distance(fingers), zoom: this.zoom };
        drag = null;
        this.hold(false);
        return;
      }
      const box = canvas.getBoundingClientRect();
      const near = event.pointerType === "touch" ? 28 : 16;
      const onLine = Math.abs((event.clientX - box.left) / box.width - this.state.swipe) * box.width < near;
      drag = { from: event, at: this.at, zoom: this.zoom, swiping: this.state.compare === "swipe" && onLine, box };
      if (this.state.compare === "flip") this.hold(true);
    });

    canvas.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) return;
      fingers.set(event.pointerId, event);
      if (pinch && fingers.size === 2) {
        const [a, b] = [...fingers.values()];
        const middle = { clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 };
        this.zoomTo((pinch.zoom * distance(fingers)) / pinch.apart, middle);
      } else if (drag?.swiping) this.change({ swipe: clamp((event.clientX - drag.box.left) / drag.box.width, 0, 1) });
      else if (drag) {
        const moved = [event.clientY - drag.from.clientY, event.clientX - drag.from.clientX];
        if (!drag.moving && Math.hypot(...moved) < HOLD) return;
        drag.moving = true;
        this.moveTo(drag.at.map((value, i) => value - moved[i] / drag.zoom));
      }
    });

    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => {
        fingers.delete(event.pointerId);
        [drag, pinch] = [null, null];
        this.hold(false);
      });
    }

    canvas.addEventListener("wheel", (event) => {
      if (!this.answer || !(this.wheelAlways || event.ctrlKey || document.activeElement === canvas)) return;
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : 1;
      this.zoomTo(this.zoom * Math.exp(-clamp(event.deltaY * lines, -200, 200) / (event.ctrlKey ? 100 : 400)), event);
    }, { passive: false });

    canvas.addEventListener("dblclick", () => this.fit(this.state.zoom === 0));

    canvas.addEventListener("keydown", (event) => {
      if (!this.answer || event.ctrlKey || event.metaKey || event.altKey) return;
      const step = Math.min(...this.pane) / this.zoom / 8;
      const moves = { ArrowUp: [-step, 0], ArrowDown: [step, 0], ArrowLeft: [0, -step], ArrowRight: [0, step] };
      const move = moves[event.key];
      if (move) this.moveTo(this.at.map((value, i) => value + move[i]));
      else if (event.key === "+" || event.key === "=") this.zoomTo(this.zoom * 1.25);
      else if (event.key === "-") this.zoomTo(this.zoom / 1.25);
      else if (event.key === "0") this.fit(this.state.zoom === 0);
      else if (event.key === " " && this.state.compare === "flip") this.hold(true);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    canvas.addEventListener("keyup", (event) => event.key === " " && this.hold(false));
    canvas.addEventListener("blur", () => this.hold(false));
  }

  close() {
    this.observer.disconnect();
  }
}

function distance(fingers) {
  const [a, b] = [...fingers.values()];
  return Math.max(Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY), 1);
}
