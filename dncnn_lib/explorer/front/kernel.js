// The explorer in a notebook: its engine is Python, asked by anywidget's messages.
//
// To Python: {type: "describe", id}, {type: "explore", id, setting}, {type: "code", id, setting},
// {type: "open", id, name, part, last} with the bytes of one part, {type: "ping", id}.
// From Python: {id, ...} in answer, with the bytes of pictures, or {id, error: text}. An answer to
// "explore" may be followed by another one with the same id.

import { mount } from "./explorer.js";

const UPLOAD_PART = 1 << 20; // bytes of an upload in one message: a server refuses large ones
const PING_EVERY = 6000; // milliseconds
const NO_ANSWER = "No answer from Python. If it is busy, wait. If it was stopped or restarted, run the cell again, or reload the page.";

class KernelEngine {
  constructor(model) {
    this.model = model;
    this.waiting = new Map(); // id → {resolve, reject, show}
    this.number = 0;
    this.receive = this.receive.bind(this);
    model.on("msg:custom", this.receive);
  }

  ask(content, { show = null, buffers = [] } = {}) {
    const id = ++this.number;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, show });
      this.model.send({ ...content, id }, undefined, buffers);
    });
  }

  receive(content, buffers) {
    this.heard = true;
    this.tell?.("");
    const asked = this.waiting.get(content.id);
    if (!asked) return;
    if (!asked.show) this.waiting.delete(content.id);
    if (content.error && !content.late) {
      this.waiting.delete(content.id);
      asked.reject(new Error(content.error));
      return;
    }
    if (asked.show) asked.show(answerOf(content, buffers));
    asked.resolve(content);
  }

  async describe() {
    return (await this.ask({ type: "describe" })).catalogue;
  }

  async explore(setting, show) {
    for (const [id, { show: shown }] of this.waiting) if (shown) this.waiting.delete(id); // stale
    await this.ask({ type: "explore", setting }, { show });
  }

  async open(bytes, name) {
    const parts = Math.max(Math.ceil(bytes.length / UPLOAD_PART), 1);
    let answer = null;
    for (let part = 0; part < parts; part++) {
      const buffers = [bytes.slice(part * UPLOAD_PART, (part + 1) * UPLOAD_PART).buffer];
      answer = this.ask({ type: "open", name, part, last: part === parts - 1 }, { buffers });
    }
    return (await answer).picture;
  }

  async code(setting) {
    return (await this.ask({ type: "code", setting })).code;
  }

  // A kernel that was restarted knows nothing of this page, and nobody else would say so.
  watch(tell) {
    this.tell = tell;
    this.heard = true;
    this.watching = setInterval(() => {
      if (document.hidden) return;
      if (!this.heard) tell(NO_ANSWER);
      this.heard = false;
      try {
        this.model.send({ type: "ping", id: 0 });
      } catch {} // a closed connection, which does not answer either
    }, PING_EVERY);
  }

  close() {
    clearInterval(this.watching);
    this.model.off("msg:custom", this.receive);
  }
}

function answerOf({ error, answer }, buffers) {
  if (error) return { error };
  const { shape, psnr, noisyPsnr, numbers, ...rest } = answer;
  const [height, width, channels] = shape;
  const pictures = buffers.map((view) => ({ height, width, channels, pixels: new Uint8Array(view.buffer, view.byteOffset, view.byteLength) }));
  const finite = (value) => (value === null ? Infinity : value);
  const known = numbers && { ...numbers, autocorrelation: numbers.autocorrelation.map((value) => value ?? NaN) };
  return { ...rest, pictures, psnr: finite(psnr), noisyPsnr: finite(noisyPsnr), numbers: known };
}

// Voila shows the notebook as a page: then the explorer may have all of the window.
const alone = () => Boolean(document.querySelector("body[data-voila]"));

// When the page is closed, Voila's kernel ends with it. Voila's own call does not do that: its server
// wants the same word in a cookie and in the call, by which it knows its own pages, and gives them none.
function endKernelWithPage() {
  const told = document.getElementById("jupyter-config-data");
  const { kernelId, baseUrl = "/" } = told ? JSON.parse(told.textContent) : {};
  if (!kernelId) return () => {};
  const end = () => {
    const word = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    document.cookie = `_xsrf=${word}; path=${baseUrl}; SameSite=Strict`;
    const body = new FormData();
    body.append("_xsrf", word);
    navigator.sendBeacon(`${baseUrl}voila/api/shutdown/${kernelId}`, body);
  };
  window.addEventListener("pagehide", end);
  return () => window.removeEventListener("pagehide", end);
}

function render({ model, el }) {
  const engine = new KernelEngine(model);
  const page = alone();
  const stop = page ? endKernelWithPage() : () => {};
  if (page) el.classList.add("dncnn-whole");
  let explorer = null;
  let removed = false;
  mount(el, engine, { page, start: model.get("start") }).then((made) => {
    explorer = made;
    if (removed) made.close();
  });
  return () => {
    removed = true;
    stop();
    if (explorer) explorer.close();
    else engine.close();
  };
}

export default { render };
