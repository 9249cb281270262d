// The explorer: controls, picture, numbers and plots over an engine.
//
// An engine is an object with these functions; all but the last two return promises.
//   describe()            {pictures: [{name, height, width, channels, credit}], kinds: {name: {level, low, high,
//                         start}}, methods: [{name, about, channels, trained, size}], views: [name],
//                         longest}; trained: {kind: [low, high]}, or null for what was not trained;
//                         size: bytes that are yet to be fetched, or 0
//   explore(setting, show)  setting: {picture, noise, level, seed, method, region: {top, left, height,
//                         width}, views: [left, right]}. Calls show(answer) once or more, the last time
//                         with all numbers, unless it is called anew; done when the first answer is there.
//                         answer: {region, pictures: two of {height, width, channels, pixels}, method,
//                         quick, waiting, psnr, noisyPsnr, numbers}, or {error: text}; the region may at
//                         first be a part of the one that was asked for
//   open(bytes, name)     a picture of a file: {name, label, height, width, channels, whole}
//   code(setting)         Python that makes what is seen
//   watch(tell)           calls tell(text or "") when the engine is gone or back
//   close()

import { button, choice, download, element, fill, menu, OWN_KEYS } from "./dom.js";
import { clamp } from "./geometry.js";
import { limit } from "./limits.js";
import { Picture } from "./picture.js";
import { correlation, correlationWords, histogram } from "./plots.js";
import { fromHash, START, toHash } from "./state.js";
import { PRESETS, TOUR } from "./tour.js";

const LARGEST_FILE = 200e6; // bytes
const TYPES = ".png,.jpg,.jpeg,.tif,.tiff,.webp,.bmp,image/*";

const decibels = (value) => (value === Infinity ? "∞" : value.toFixed(1));
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

// page: the explorer has the page for itself: the link in the address bar is its own, the wheel zooms.
export async function mount(host, engine, { page = false, start = {} } = {}) {
  const catalogue = await engine.describe();
  return new Explorer(host, engine, catalogue, { page, start });
}

class Explorer {
  constructor(host, engine, catalogue, { page, start }) {
    Object.assign(this, { engine, catalogue, page });
    this.state = { ...START, ...catalogue.start, ...start, ...(page ? fromHash(location.hash, catalogue) : {}) };
    this.asking = false; // the first answer to a question is not there yet
    this.asked = null; // what the newest answer belongs to
    this.build(host);
    this.change({});
    this.engine.watch?.((text) => this.tellGone(text));
    if (page) {
      this.followLink = () => this.change(fromHash(location.hash, this.catalogue));
      window.addEventListener("hashchange", this.followLink);
    }
  }

  // ------------------------------------------------------------------------------------- elements

  build(host) {
    const { catalogue } = this;
    const views = catalogue.views.map((view) => [view, view]);
    this.left = menu("left picture", views, (left) => this.change({ left }));
    this.right = menu("right picture", views, (right) => this.change({ right }));
    this.left.root.classList.add("dncnn-name", "dncnn-left");
    this.right.root.classList.add("dncnn-name", "dncnn-right");
    this.picture = new Picture({ names: [this.left.root, this.right.root], change: (part) => this.change(part), wheel: this.page });

    // what you see
    this.file = element("input", { type: "file", accept: TYPES, class: "dncnn-hidden", tabindex: -1, "aria-label": "open a picture", onchange: () => this.chosen() });
    this.pictureMenu = menu("picture", [], (name) => this.change({ picture: name, at: null, zoom: 0 }));
    this.compare = choice("compare", [
      ["swipe", "swipe", "drag the line"],
      ["beside", "side by side", "two pictures"],
      ["flip", "hold to flip", "press and hold the picture to see the other one"],
    ], (compare) => this.change({ compare }));
    this.swipe = element("input", { type: "range", min: 0, max: 1000, "aria-label": "how much of the left picture is seen", ...OWN_KEYS, oninput: () => this.change({ swipe: this.swipe.value / 1000 }) });
    this.zoomText = button("", "fill the window, or see the whole picture (0)", () => this.picture.fit(this.state.zoom === 0), { class: "dncnn-number" });
    const zoom = element("div", { class: "dncnn-choice", role: "group", "aria-label": "zoom" },
      button("−", "zoom out (−)", () => this.picture.zoomTo(this.picture.zoom / 1.5), { "aria-label": "zoom out" }),
      this.zoomText,
      button("+", "zoom in (+)", () => this.picture.zoomTo(this.picture.zoom * 1.5), { "aria-label": "zoom in" }),
    );
    this.flip = button("hold: see the other", "", () => {}, { class: "dncnn-flip" });
    const hold = (held) => (event) => {
      if (event.type.startsWith("key") && event.key !== " " && event.key !== "Enter") return;
      if (event.type.startsWith("key")) event.preventDefault();
      this.picture.hold(held);
    };
    for (const name of ["pointerdown", "keydown"]) this.flip.addEventListener(name, hold(true));
    for (const name of ["pointerup", "pointerleave", "keyup", "blur"]) this.flip.addEventListener(name, hold(false));
    const seeing = element("section", { class: "dncnn-see", "aria-label": "what you see" },
      element("h2", {}, "what you see"),
      element("div", { class: "dncnn-group" }, this.pictureMenu.root, button("open …", "a picture of yours; or drop or paste one", () => this.file.click(), { class: "dncnn-open" }), this.file),
      element("div", { class: "dncnn-group" }, this.compare.root, this.flip),
      element("div", { class: "dncnn-group" }, zoom),
      element("div", { class: "dncnn-group dncnn-tools" },
        button("tour", "five steps", () => this.showTour(0)),
        button("save", "the two pictures as a PNG", () => this.save()),
        this.codeButton = button("code", "Python that makes what is seen", () => this.toggleCode(), { "aria-expanded": "false" }),
        this.page && button("copy link", "to what is seen", () => this.copyLink()),
        document.fullscreenEnabled && button("full screen", "", () => this.fullScreen()),
      ),
    );

    // what you do to it
    this.noiseMenu = menu("noise", Object.keys(catalogue.kinds).map((name) => [name, name]), (noise) => this.change({ noise, level: catalogue.kinds[noise].start }));
    this.level = element("input", { type: "range", class: "dncnn-level", step: "any", ...OWN_KEYS, oninput: () => this.change({ level: this.levelAt(this.level.value) }), onkeydown: (event) => this.levelKey(event) });
    this.levelText = element("output", { class: "dncnn-value" });
    this.methodMenu = menu("method", catalogue.methods.map((method) => [method.name, this.methodName(method)]), (method) => this.change({ method }));
    const doing = element("section", { class: "dncnn-do", "aria-label": "what you do to it" },
      element("div", { class: "dncnn-slider" }, this.levelText, this.level),
      element("div", { class: "dncnn-group" },
        element("h2", {}, "what you do to it"),
        this.noiseMenu.root, this.methodMenu.root, button("new noise", "draw it anew", () => this.change({ seed: this.state.seed + 1 })),
        element("div", { class: "dncnn-presets", role: "group", "aria-label": "presets" }, ...PRESETS.map(([name, part]) => button(name, "", () => this.change(part)))),
      ),
    );

    // what comes of it
    this.psnr = element("strong", {}, "–");
    this.gain = element("span", { class: "dncnn-gain" });
    this.from = element("span", {}, "–");
    this.ssim = element("strong", {}, "–");
    this.ssimFrom = element("span", {}, "–");
    this.limits = element("p", { class: "dncnn-limit", role: "status", hidden: true });
    this.status = element("p", { class: "dncnn-status", role: "status" });
    this.note = element("p", { class: "dncnn-note" });
    this.credit = element("p", { class: "dncnn-note" });
    this.plots = element("div", { class: "dncnn-plots" });
    const told = element("section", { class: "dncnn-told", "aria-label": "what comes of it", tabindex: 0 },
      element("div", { class: "dncnn-big" },
        element("h2", {}, "PSNR"),
        element("p", {}, this.psnr, element("span", { class: "dncnn-unit" }, " dB"), " ", this.gain),
        element("p", { class: "dncnn-small" }, "noisy ", this.from, " dB")),
      element("div", { class: "dncnn-big" },
        element("h2", {}, "SSIM"),
        element("p", {}, this.ssim),
        element("p", { class: "dncnn-small" }, "noisy ", this.ssimFrom)),
      this.limits, this.status, this.plots, this.note, this.credit,
    );
    this.told = told;

    this.message = element("p", { class: "dncnn-message", role: "status", "aria-live": "polite", hidden: true });
    this.gone = element("div", { class: "dncnn-gone", role: "alert", hidden: true });
    this.tour = element("section", { class: "dncnn-tour", "aria-label": "tour", hidden: true });
    this.code = element("pre", { tabindex: 0, "aria-label": "code for what is shown", hidden: true, ...OWN_KEYS });
    const stage = element("div", { class: "dncnn-frame" }, this.picture.root, this.swipe, this.message, this.tour, this.gone);
    this.root = element("div", { class: "dncnn-explorer", "data-page": String(this.page), ...OWN_KEYS }, element("div", { class: "dncnn-grid-of-all" }, seeing, stage, doing, told), this.code);
    host.append(this.root);
    this.fillPictures();
    this.acceptPictures();
  }

  methodName({ name, size }) {
    return size ? `${name} (${megabytes(size)})` : name;
  }

  fillPictures() {
    fill(this.pictureMenu.select, this.catalogue.pictures.map(({ name, label }) => [name, label ?? name]));
  }

  acceptPictures() {
    const { root } = this;
    root.addEventListener("dragover", (event) => {
      event.preventDefault();
      root.classList.add("dncnn-dropping");
    });
    root.addEventListener("dragleave", () => root.classList.remove("dncnn-dropping"));
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      root.classList.remove("dncnn-dropping");
      this.open(event.dataTransfer.files[0]);
    });
    this.paste = (event) => {
      const mine = this.page || root.contains(document.activeElement) || root.matches(":hover");
      const file = [...(event.clipboardData?.files ?? [])][0];
      if (mine && file) this.open(file);
    };
    document.addEventListener("paste", this.paste);
  }

  // --------------------------------------------------------------------------------------- state

  get kind() {
    return this.catalogue.kinds[this.state.noise];
  }

  get method() {
    return this.catalogue.methods.find(({ name }) => name === this.state.method);
  }

  get shownPicture() {
    return this.catalogue.pictures.find(({ name }) => name === this.state.picture);
  }

  get size() {
    const { height, width } = this.shownPicture;
    return [height, width];
  }

  // Levels that span a hundredfold are on a logarithmic scale: the slider goes from 0 to 1.
  levelAt(place) {
    const { low, high } = this.kind;
    const value = this.logarithmic ? low * (high / low) ** place : low + (high - low) * place;
    return clamp(Math.round(value), low, high);
  }

  placeOf(level) {
    const { low, high } = this.kind;
    return this.logarithmic ? Math.log(level / low) / Math.log(high / low) : (level - low) / (high - low);
  }

  get logarithmic() {
    return this.kind.low > 0 && this.kind.high / this.kind.low > 100;
  }

  levelKey(event) {
    const { low, high } = this.kind;
    const large = Math.max(Math.round((high - low) / 10), 1);
    const fine = this.logarithmic ? Math.max(Math.round(this.state.level / 50), 1) : 1;
    const steps = { ArrowRight: fine, ArrowUp: fine, ArrowLeft: -fine, ArrowDown: -fine, PageUp: large, PageDown: -large, Home: low - high, End: high - low };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    this.change({ level: clamp(this.state.level + step, low, high) });
  }

  // The only way in which the state changes.
  change(part) {
    Object.assign(this.state, part);
    this.render();
    this.ask();
  }

  // The controls show the state.
  render() {
    const { state, kind, method } = this;
    for (const [control, value] of [
      [this.pictureMenu, state.picture],
      [this.noiseMenu, state.noise],
      [this.methodMenu, state.method],
      [this.left, state.left],
      [this.right, state.right],
    ]) control.select.value = value;
    for (const [name, value] of [["min", 0], ["max", 1]]) this.level[name] = value;
    this.level.value = this.placeOf(state.level);
    this.level.style.setProperty("--share", `${100 * this.placeOf(state.level)}%`);
    const told = `${kind.level} ${state.level}`;
    this.levelText.textContent = kind.level.length < 3 ? told : `${state.level} ${kind.level}`;
    if (kind.level.startsWith("%")) this.levelText.textContent = `${state.level} ${kind.level}`;
    if (["quality", "scale", "ISO"].includes(kind.level)) this.levelText.textContent = told;
    this.level.setAttribute("aria-label", kind.level);
    this.level.setAttribute("aria-valuetext", this.levelText.textContent);
    this.compare.press(state.compare);
    this.flip.hidden = state.compare !== "flip";
    this.swipe.hidden = state.compare !== "swipe";
    this.swipe.value = Math.round(1000 * state.swipe);
    this.swipe.setAttribute("aria-valuetext", `${Math.round(100 * state.swipe)} % ${state.left}`);
    this.picture.show(state, this.size);
    this.zoomText.textContent = `${Math.round(100 * this.picture.zoom)} %`;
    this.zoomText.setAttribute("aria-label", `zoom ${this.zoomText.textContent}: fill the window, or see the whole picture`);
    const words = limit(method, state, kind);
    if (this.limits.textContent !== words) this.limits.textContent = words;
    this.limits.hidden = !words;
    this.note.textContent = `${method.name}: ${method.about}${this.colourNote()}`;
    const { credit } = this.shownPicture;
    this.credit.textContent = credit ? `Picture: ${credit}.` : "";
    if (this.page) this.writeLink();
  }

  // What becomes of the picture where one of it and the method is grey and the other colour.
  colourNote() {
    const { channels } = this.shownPicture;
    if (channels === this.method.channels) return ".";
    if (channels === 3) return ". It is given the picture in grey.";
    return ". The picture is grey, and each of red, green and blue gets its own noise, so the numbers cannot be compared with those of a grey method.";
  }

  // ------------------------------------------------------------------------------------- answers

  get setting() {
    const { picture, noise, level, seed, method, left, right } = this.state;
    return { picture, noise, level, seed, method, region: this.picture.region, views: [left, right] };
  }

  // Ask for what is wanted, unless an answer is on its way: then afterwards.
  async ask() {
    const setting = this.setting;
    const key = JSON.stringify(setting);
    if (key === this.asked) return;
    if (this.asking) return;
    this.asked = key;
    this.asking = true;
    this.busy(true);
    try {
      await this.engine.explore(setting, (answer) => this.receive(answer, setting, key));
    } catch (error) {
      this.tell(error.message, true);
      this.busy(false);
    }
    this.asking = false;
    this.ask();
  }

  busy(busy) {
    this.picture.canvas.setAttribute("aria-busy", String(busy));
    this.told.classList.toggle("dncnn-old", busy);
  }

  receive(answer, setting, key) {
    if (key !== this.asked) return;
    if (answer.error) {
      this.tell(answer.error, true);
      this.busy(false);
      return;
    }
    this.answer = { ...answer, setting };
    const whole = ["top", "left", "height", "width"].every((name) => answer.region[name] === setting.region[name]);
    this.picture.receive(answer, this.state, whole);
    this.write(answer, setting, whole);
    if (answer.numbers) this.busy(false);
  }

  write(answer, setting, whole) {
    const { noisyPsnr, psnr, numbers, region } = answer;
    const gain = psnr - noisyPsnr;
    this.psnr.textContent = decibels(psnr);
    this.from.textContent = decibels(noisyPsnr);
    this.gain.textContent = Number.isFinite(gain) ? `${gain < 0 ? "−" : "+"}${Math.abs(gain).toFixed(1)}` : "";
    this.gain.classList.toggle("dncnn-loss", gain < 0);
    const level = this.catalogue.kinds[setting.noise].level;
    const words = `${setting.noise}, ${level} ${setting.level}: noisy ${decibels(noisyPsnr)} dB, restored by ${answer.method} ${decibels(psnr)} dB`;
    this.picture.canvas.setAttribute("aria-label", `${this.nameOf(setting.picture)}, left ${setting.views[0]}, right ${setting.views[1]}; ${words}`);
    this.status.textContent = words + this.later(answer, setting, whole);
    if (numbers) {
      const similarity = (value) => (Number.isFinite(value) ? value.toFixed(2) : "–");
      this.ssim.textContent = similarity(numbers.ssim);
      this.ssimFrom.textContent = similarity(numbers.noisySsim);
      const pixels = region.height * region.width;
      const channel = answer.pictures[0].channels === 3 ? ", in red" : "";
      this.plots.replaceChildren(
        element("h2", {}, `What was removed${channel}`),
        histogram(numbers),
        element("p", {}, `Dashed: N(0, σ²) with the σ of the noise, ${numbers.noiseStd.toFixed(1)}.`),
        element("h2", {}, "Its correlation"),
        ...[correlation(numbers.autocorrelation, pixels)].filter(Boolean),
        element("p", {}, correlationWords(numbers.autocorrelation, pixels)),
      );
    }
    this.writeCode();
  }

  later({ quick, waiting }, setting, whole) {
    if (!quick) return whole ? "" : " (the middle; the rest follows when your hand rests)";
    const method = this.catalogue.methods.find(({ name }) => name === setting.method);
    const fetched = method.size && !this.engine.has?.(method.name) ? `, once its ${megabytes(method.size)} are here` : "";
    const seconds = waiting >= 1 && Number.isFinite(waiting) ? `, in about ${waiting.toFixed(0)} s` : "";
    return ` (a quick look; ${setting.method} follows when your hand rests${fetched || seconds})`;
  }

  nameOf(picture) {
    const found = this.catalogue.pictures.find(({ name }) => name === picture);
    return found.label ?? found.name;
  }

  tell(text, error = false) {
    this.message.textContent = text;
    this.message.hidden = !text;
    this.message.classList.toggle("dncnn-error", error);
    clearTimeout(this.messageEnd);
    if (text && !error) this.messageEnd = setTimeout(() => this.tell(""), 8000);
  }

  tellGone(text) {
    if (text === this.goneText) return;
    this.goneText = text;
    this.gone.hidden = !text;
    this.gone.replaceChildren(element("p", {}, text), button("reload the page", "", () => location.reload()));
  }

  // -------------------------------------------------------------------------------------- pictures

  chosen() {
    const file = this.file.files[0];
    this.file.value = ""; // the same file may be chosen again
    if (file) this.open(file);
  }

  async open(file) {
    if (!file) return;
    if (file.size > LARGEST_FILE) {
      this.tell(`That file is larger than ${LARGEST_FILE / 1e6} MB.`, true);
      return;
    }
    this.tell(`${file.name || "your picture"} is being read …`);
    try {
      const picture = await this.engine.open(new Uint8Array(await file.arrayBuffer()), file.name || "your picture");
      this.catalogue.pictures = [...this.catalogue.pictures.filter(({ label }) => !label), picture];
      this.fillPictures();
      this.change({ picture: picture.name, at: null, zoom: 0 });
      const { height, width, whole } = picture;
      const from = whole[0] === height && whole[1] === width ? "" : `${whole[1]}×${whole[0]}, reduced to `;
      this.tell(`${file.name || "your picture"}: ${from}${width}×${height} pixels`);
    } catch (error) {
      this.tell(error.message, true);
    }
  }

  // ----------------------------------------------------------------------------------------- tools

  get fileName() {
    const { picture, noise, level } = this.answer.setting;
    const words = `${this.nameOf(picture)} ${noise} ${level} ${this.answer.method}`;
    return `${words.toLowerCase().replace(/[^a-z0-9-]+/g, "_").replace(/^_+|_+$/g, "")}.png`;
  }

  async save() {
    if (this.answer) download(await this.picture.saved(), this.fileName);
  }

  toggleCode() {
    this.code.hidden = !this.code.hidden;
    this.codeButton.setAttribute("aria-expanded", String(!this.code.hidden));
    this.writeCode();
    if (!this.code.hidden) this.code.scrollIntoView({ block: "nearest" });
  }

  async writeCode() {
    if (this.code.hidden || !this.answer) return;
    this.code.textContent = await this.engine.code(this.answer.setting);
  }

  writeLink() {
    clearTimeout(this.linking); // browsers refuse many changes a second
    this.linking = setTimeout(() => {
      if (location.hash !== toHash(this.state)) history.replaceState(null, "", toHash(this.state));
    }, 300);
  }

  async copyLink() {
    history.replaceState(null, "", toHash(this.state));
    try {
      await navigator.clipboard.writeText(location.href);
      this.tell("The link to what you see is copied.");
    } catch {
      this.tell("The link to what you see is in the address bar.");
    }
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen();
  }

  showTour(number) {
    clearInterval(this.moving);
    const step = TOUR[number];
    this.tour.hidden = !step;
    if (!step) return;
    const known = this.catalogue.pictures.some(({ name }) => name === step.set.picture);
    this.change({ ...step.set, picture: known ? step.set.picture : this.state.picture });
    const last = number === TOUR.length - 1;
    this.tour.replaceChildren(
      element("h2", {}, `${number + 1} of ${TOUR.length} · ${step.title}`),
      element("p", {}, step.text),
      element("div", { class: "dncnn-group" },
        number > 0 && button("back", "", () => this.showTour(number - 1)),
        button(last ? "done" : "next", "", () => this.showTour(last ? -1 : number + 1), { class: "dncnn-next" }),
        !last && button("end the tour", "", () => this.showTour(-1)),
      ),
    );
    this.tour.querySelector(".dncnn-next").focus({ preventScroll: true });
    if (step.to !== undefined) this.move(step.set.level, step.to);
  }

  // The level moves by itself, until a hand does something else.
  move(from, to) {
    let level = from;
    this.moving = setInterval(() => {
      if (this.state.level !== level || level === to) {
        clearInterval(this.moving);
        return;
      }
      level += Math.sign(to - from);
      this.change({ level });
    }, 70);
  }

  close() {
    clearInterval(this.moving);
    clearTimeout(this.linking);
    clearTimeout(this.messageEnd);
    document.removeEventListener("paste", this.paste);
    window.removeEventListener("hashchange", this.followLink);
    this.picture.close();
    this.engine.close();
    this.root.remove();
  }
}
