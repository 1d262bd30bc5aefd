"use strict";
// Data come as scripts that call LUPOM.push; whatever they hold is shown by textContent alone.
const LUPOM = (() => {
  const waiting = new Map();
  const loaded = new Map();

  // The same as file_name in shards.py.
  function fileName(key) {
    let safe = "";
    for (const c of key) safe += /[a-z0-9_-]/.test(c) ? c : "." + c.codePointAt(0).toString(16) + ".";
    if (safe.length <= 120) return safe;
    let fnv = 0x811c9dc5;
    for (const c of key) fnv = Math.imul(fnv ^ c.codePointAt(0), 0x01000193) >>> 0;
    return safe.slice(0, 100) + "." + fnv.toString(16) + "." + safe.length;
  }

  function load(key) {
    if (loaded.has(key)) return loaded.get(key);
    const promise = new Promise((resolve, reject) => {
      waiting.set(key, resolve);
      const script = document.createElement("script");
      script.src = "data/" + fileName(key) + ".js";
      script.onload = () => script.remove();
      script.onerror = () => {
        script.remove();
        loaded.delete(key);
        reject(new Error("data/" + fileName(key) + ".js is not there"));
      };
      document.head.append(script);
    });
    loaded.set(key, promise);
    // Details of respondents are read by the page; only the last of them are kept.
    if (key.startsWith("details/")) {
      const old = [...loaded.keys()].filter((k) => k.startsWith("details/"));
      if (old.length > 40) loaded.delete(old[0]);
    }
    return promise;
  }

  function push(key, value) {
    const resolve = waiting.get(key);
    waiting.delete(key);
    if (resolve) resolve(value);
  }

  return { load, push, fileName, start: null, pages: {} };
})();

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}
const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const link = (path, ...children) => h("a", { href: "#/" + path.map(encodeURIComponent).join("/") }, ...children);

const whole = new Intl.NumberFormat("en");
function number(value, digits) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return String(value);
  if (digits === undefined) return Number.isInteger(value) ? whole.format(value) : String(+value.toPrecision(4));
  return value.toFixed(digits);
}
const known = (value) => (value === null || value === undefined ? "not known" : number(value));
const percent = (value) => (value === null || value === undefined ? "" : (100 * value).toFixed(value && value < 0.001 ? 2 : 1) + " %");
const money = (value) => (value === null || value === undefined ? "not known" : value ? "$" + value.toFixed(value < 1 ? 4 : 2) : "$0");
const seconds = (value) => (value === null || value === undefined ? "" : value < 60 ? value.toFixed(1) + " s" : Math.floor(value / 60) + " min " + Math.round(value % 60) + " s");
const when = (text) => (text ? String(text).replace("T", " ").slice(0, 16) : "");

const GOOD = ["success", "pass", "built", "unchanged"];
const BAD = ["error", "fail"];
const MIDDLE = ["warn", "budget", "waiting", "stopped", "skipped"];
const tone = (status) => (GOOD.includes(status) ? "good" : BAD.includes(status) ? "bad" : MIDDLE.includes(status) ? "middle" : "none");
const SIGNS = { good: "\u2713", bad: "\u2715", middle: "!", none: "\u25cb" };
const WORDS = { never: "never built", built: "built", "": "no result" };
function badge(status) {
  const t = tone(status);
  return h("span", { class: "badge " + t }, h("span", { "aria-hidden": "true" }, SIGNS[t] + " "), WORDS[status] || status);
}
const KINDS = { source: "source", seed: "seed", sql: "SQL", python: "Python", llm: "LLM", csv: "seed" };

// A table that sorts by its columns and shows `page` rows at a time.
// columns: {title, key (sorts, and is shown without `show`), show(row), align}
function table(columns, rows, { page = 50, caption = "", empty = "No rows." } = {}) {
  if (!rows.length) return h("p", { class: "quiet" }, empty);
  let shown = page;
  let order = null;
  let sorted = rows;
  const body = h("tbody");
  const more = h("button", { type: "button", onclick: () => { shown += 4 * page; draw(); } });
  const heads = columns.map((column, i) => {
    if (column.key === undefined) return h("th", { scope: "col", class: column.align }, column.title);
    const button = h("button", { type: "button", class: "sort", onclick: () => sort(i) }, column.title);
    return h("th", { scope: "col", class: column.align }, button);
  });
  function sort(i) {
    const down = order && order.i === i ? !order.down : columns[i].align === "right";
    order = { i, down };
    const at = (row) => row[columns[i].key];
    const sign = down ? -1 : 1;
    sorted = [...rows].sort((a, b) => {
      const x = at(a), y = at(b);
      const no = (v) => v === null || v === undefined;
      if (no(x) || no(y)) return no(x) - no(y);
      return sign * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y)));
    });
    heads.forEach((head, j) => (j === i ? head.setAttribute("aria-sort", down ? "descending" : "ascending") : head.removeAttribute("aria-sort")));
    draw();
  }
  function draw() {
    body.replaceChildren(...sorted.slice(0, shown).map((row) =>
      h("tr", {}, columns.map((column) => h("td", { class: column.align }, column.show ? column.show(row) : number(row[column.key])))),
    ));
    const left = rows.length - shown;
    more.hidden = left <= 0;
    more.textContent = "Show more (" + number(left) + " left)";
  }
  draw();
  return h("div", {}, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption || "Table" },
    h("table", {}, caption && h("caption", { class: "hidden" }, caption), h("thead", {}, h("tr", {}, heads)), body)), more);
}

function select(label, options, value, change) {
  const box = h("select", { onchange: () => change(box.value) }, options.map((option) => {
    const [v, text] = Array.isArray(option) ? option : [option, option];
    return h("option", { value: v, selected: v === value }, text);
  }));
  return h("label", { class: "field" }, h("span", {}, label), box);
}

const section = (title, ...children) => h("section", {}, h("h2", {}, title), ...children);

// One bar; what it says stands beside it as text.
function bar(share, kind) {
  const width = Math.max(0, Math.min(1, share || 0)) * 100;
  return svg("svg", { class: "bar " + (kind || ""), viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "rail", width: 100, height: 10 }), svg("rect", { class: "mark", width, height: 10 }));
}

// Dragging, the wheel, the keyboard and buttons move what an SVG shows.
function pannable(drawing, width, height, label, fitted = false) {
  const view = { x: 0, y: 0, w: width, h: height };
  const apply = () => drawing.setAttribute("viewBox", [view.x, view.y, view.w, view.h].map((v) => v.toFixed(1)).join(" "));
  function zoom(factor, cx = 0.5, cy = 0.5) {
    const w = Math.min(Math.max(view.w * factor, 150), width * 3);
    const real = w / view.w;
    view.x += view.w * cx * (1 - real);
    view.y += view.h * cy * (1 - real);
    view.w *= real;
    view.h *= real;
    apply();
  }
  function fit() {
    const box = drawing.getBoundingClientRect();
    const shape = box.width && box.height ? box.width / box.height : 2;
    // At its own size, so that the labels are as readable as the text around.
    view.w = box.width || 900;
    view.h = view.w / shape;
    view.x = width < view.w ? (width - view.w) / 2 : 0;
    view.y = (height - view.h) / 2;
    apply();
  }
  function whole_() {
    const box = drawing.getBoundingClientRect();
    const shape = box.width && box.height ? box.width / box.height : 2;
    view.w = Math.max(width, height * shape);
    view.h = view.w / shape;
    view.x = (width - view.w) / 2;
    view.y = (height - view.h) / 2;
    apply();
  }
  function centre(x, y) {
    // What is looked for is shown at its own size, however small the whole is drawn.
    if (view.w > (drawing.getBoundingClientRect().width || view.w)) fit();
    view.x = x - view.w / 2;
    view.y = y - view.h / 2;
    apply();
  }
  let from = null, moved = false;
  const touches = new Map();
  drawing.addEventListener("pointerdown", (e) => {
    touches.set(e.pointerId, [e.clientX, e.clientY]);
    from = [e.clientX, e.clientY];
    moved = false;
  });
  drawing.addEventListener("pointermove", (e) => {
    if (!touches.has(e.pointerId)) return;
    const box = drawing.getBoundingClientRect();
    const before = [...touches.values()];
    const last = touches.get(e.pointerId);
    touches.set(e.pointerId, [e.clientX, e.clientY]);
    if (touches.size === 2) {
      const after = [...touches.values()];
      const far = (p) => Math.hypot(p[0][0] - p[1][0], p[0][1] - p[1][1]) || 1;
      zoom(far(before) / far(after), ((after[0][0] + after[1][0]) / 2 - box.left) / box.width, ((after[0][1] + after[1][1]) / 2 - box.top) / box.height);
      moved = true;
      return;
    }
    if (!moved && Math.hypot(e.clientX - from[0], e.clientY - from[1]) < 5) return;
    if (!moved) drawing.setPointerCapture(e.pointerId);
    moved = true;
    const scale = view.w / box.width;
    view.x -= (e.clientX - last[0]) * scale;
    view.y -= (e.clientY - last[1]) * scale;
    apply();
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) drawing.addEventListener(end, (e) => touches.delete(e.pointerId));
  drawing.addEventListener("click", (e) => { if (moved) { e.preventDefault(); moved = false; } }, true);
  drawing.addEventListener("dragstart", (e) => e.preventDefault());
  drawing.addEventListener("wheel", (e) => {
    e.preventDefault();
    const box = drawing.getBoundingClientRect();
    zoom(Math.exp(Math.max(-60, Math.min(60, e.deltaY)) * 0.004), (e.clientX - box.left) / box.width, (e.clientY - box.top) / box.height);
  }, { passive: false });
  const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const frame = h("div", { class: "graph", tabindex: "0", role: "group", "aria-label": label + ". Arrow keys move it, plus and minus zoom.", onkeydown: (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (keys[e.key]) {
      view.x += keys[e.key][0] * view.w * 0.1;
      view.y += keys[e.key][1] * view.h * 0.1;
      apply();
    } else if (e.key === "+" || e.key === "=") zoom(0.8);
    else if (e.key === "-") zoom(1.25);
    else if (e.key === "0") whole_();
    else return;
    e.preventDefault();
  } }, drawing);
  const tools = h("div", { class: "tools" },
    h("button", { type: "button", "aria-label": "Zoom in", onclick: () => zoom(0.8) }, "+"),
    h("button", { type: "button", "aria-label": "Zoom out", onclick: () => zoom(1.25) }, "\u2212"),
    h("button", { type: "button", onclick: whole_ }, "Show all"));
  frame.append(tools);
  requestAnimationFrame(fitted ? whole_ : fit);
  return { frame, centre };
}
