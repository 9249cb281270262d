// Elements of the page.

// Without this JupyterLab takes the keys: arrows would move to another cell.
export const OWN_KEYS = { "data-lm-suppress-shortcuts": "true" };

// element("button", {class: "x", onclick: f}, "text", child, ...)
export function element(tag, attributes = {}, ...children) {
  const svg = attributes.xmlns !== undefined;
  const made = svg ? document.createElementNS(attributes.xmlns, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null && name !== "xmlns") made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

export const SVG = "http://www.w3.org/2000/svg";
export const shape = (tag, attributes = {}, ...children) => element(tag, { xmlns: SVG, ...attributes }, ...children);

// A dropdown under a label; options: [[value, text], ...].
export function menu(label, options, onchange) {
  const select = element("select", { "aria-label": label, ...OWN_KEYS, onchange: () => onchange(select.value) });
  fill(select, options);
  return { root: element("label", { class: "dncnn-field" }, element("span", {}, label), select), select };
}

export function fill(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  if (options.some(([value]) => value === chosen)) select.value = chosen;
}

export function button(text, title, onclick, attributes = {}) {
  return element("button", { type: "button", title: title || null, onclick, ...OWN_KEYS, ...attributes }, text);
}

// One of several buttons is pressed; options: [[value, text, title], ...].
export function choice(label, options, onchange) {
  const buttons = options.map(([value, text, title]) => button(text, title, () => onchange(value), { "data-value": value }));
  const root = element("div", { class: "dncnn-choice", role: "group", "aria-label": label }, ...buttons);
  const press = (value) => {
    for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.value === value));
  };
  return { root, press };
}

export function download(blob, name) {
  const href = URL.createObjectURL(blob);
  element("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10000);
}
