// The explorer as a page of its own: see build.py, which adds the catalogue and the worker's source.

import { mount } from "../front/explorer.js";
import { BrowserEngine } from "./engine.js";

// options: {page, start}, as `mount` takes them.
export const show = (host, catalogue, worker, options) => mount(host, new BrowserEngine(catalogue, worker), options);
