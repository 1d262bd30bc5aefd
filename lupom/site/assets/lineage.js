"use strict";
// A long graph is broken into rows of layers, as text is into lines: so many as let its boxes be largest.
function bands(nodes, W, H, DX, DY) {
  const columns = [...new Set(nodes.map((n) => n.x))].sort((a, b) => a - b);
  const of = new Map(columns.map((x) => [x, nodes.filter((n) => n.x === x)]));
  const room = [Math.max(320, Math.min(window.innerWidth, 1440) - 40), Math.max(300, window.innerHeight * 0.72)];
  const GAP = 40;
  let best = null;
  for (let long = 1; long <= columns.length; long++) {
    const rows = [];
    for (let i = 0; i < columns.length; i += long) rows.push(columns.slice(i, i + long));
    const heights = rows.map((row) => Math.max(...row.map((x) => of.get(x).length)) * DY);
    const width = long * DX - (DX - W) + 40;
    const height = heights.reduce((a, b) => a + b + GAP, 0) - GAP + 40;
    const scale = Math.min(room[0] / width, room[1] / height);
    if (!best || scale > best.scale) best = { scale, rows, heights, width, height };
  }
  const at = new Map(), row = new Map();
  let top = 20;
  best.rows.forEach((columnsOf, b) => {
    columnsOf.forEach((x, i) => {
      const here = of.get(x);
      here.forEach((n, j) => {
        row.set(n.name, b);
        at.set(n.name, [20 + i * DX, top + (best.heights[b] - here.length * DY) / 2 + j * DY + (DY - H) / 2]);
      });
    });
    top += best.heights[b] + GAP;
  });
  return { at, width: best.width, height: best.height, band: (n) => row.get(n.name) };
}

LUPOM.pages.lineage = (given) => {
  const nodes = LUPOM.start.nodes.filter((n) => n.x !== null).sort((a, b) => a.x - b.x || a.y - b.y);
  const unread = LUPOM.start.nodes.filter((n) => n.x === null);
  if (!nodes.length) return [h("h1", {}, "Lineage"), h("p", {}, "The project has no models yet.")];
  const W = 200, H = 36, DX = 232, DY = 44;
  const place = new Map(nodes.map((n) => [n.name, n]));
  const { at, width, height, band } = bands(nodes, W, H, DX, DY);
  const px = (n) => at.get(n.name)[0];
  const py = (n) => at.get(n.name)[1];
  const state = { text: given || "", kind: "", tag: "", status: "", colour: "kind" };
  const edges = [];
  const boxes = new Map();
  const drawing = svg("svg", { class: "lineage" });
  // What each node depends on at all; nodes are sorted, so parents come first. An edge that another
  // way implies is drawn faintly: of the shipped project those are 73 of 150.
  const above = new Map();
  for (const n of nodes) {
    const all = new Set(n.parents);
    for (const p of n.parents) for (const q of above.get(p) || []) all.add(q);
    above.set(n.name, all);
  }
  for (const n of nodes) {
    for (const p of n.parents) {
      const a = place.get(p);
      if (!a) continue;
      // An edge to another band runs across it, and so is faint, too.
      const implied = band(a) !== band(n) || n.parents.some((q) => q !== p && above.get(q)?.has(p));
      const x1 = px(a) + W, y1 = py(a) + H / 2, x2 = px(n), y2 = py(n) + H / 2, m = Math.max(40, (x2 - x1) / 2);
      const path = svg("path", { class: "edge" + (implied ? " implied" : ""), d: `M${x1},${y1}C${x1 + m},${y1} ${x2 - m},${y2} ${x2},${y2}` });
      edges.push({ path, from: p, to: n.name });
      drawing.append(path);
    }
  }
  for (const n of nodes) {
    const name = n.name.length > 22 ? n.name.slice(0, 21) + "\u2026" : n.name;
    const box = svg("a", { href: "#/model/" + encodeURIComponent(n.name), "aria-label": n.name + ", " + KINDS[n.kind] + ", " + (WORDS[n.status] || n.status) },
      svg("title", {}, n.name + (n.description ? "\n" + n.description.slice(0, 300) : "")),
      svg("rect", { class: "box", x: px(n), y: py(n), width: W, height: H, rx: 6 }),
      svg("rect", { class: "stripe", x: px(n), y: py(n), width: 7, height: H, rx: 3 }),
      svg("text", { x: px(n) + 14, y: py(n) + 15 }, name),
      svg("text", { class: "small", x: px(n) + 14, y: py(n) + 29 }));
    const near = (on) => {
      for (const e of edges) if (e.from === n.name || e.to === n.name) e.path.classList.toggle("near", on);
    };
    box.addEventListener("mouseenter", () => near(true));
    box.addEventListener("mouseleave", () => near(false));
    box.addEventListener("focus", () => near(true));
    box.addEventListener("blur", () => near(false));
    boxes.set(n.name, box);
    drawing.append(box);
  }
  const { frame, centre } = pannable(drawing, width, height, "Lineage of " + nodes.length + " nodes", true);
  const list = h("div");
  const legend = h("p", { class: "legend" });
  const said = h("p", { role: "status", class: "quiet" });
  // A part of a name; with + before it also what these read, with + behind it also what reads them.
  function named() {
    const m = /^(\+?)(.*?)(\+?)$/.exec(state.text.trim().toLowerCase());
    const found = new Set(nodes.filter((n) => (m[1] || m[3] ? n.name.toLowerCase() === m[2] : n.name.toLowerCase().includes(m[2]))).map((n) => n.name));
    if (!found.size && (m[1] || m[3])) for (const n of nodes) if (n.name.toLowerCase().includes(m[2])) found.add(n.name);
    const grow = (near) => {
      const reached = [...found];
      for (const name of reached) for (const other of near.get(name)) if (!reached.includes(other)) reached.push(other);
      return reached;
    };
    const down = new Map(nodes.map((n) => [n.name, []]));
    for (const n of nodes) for (const p of n.parents) down.get(p).push(n.name);
    const more = [...(m[1] ? grow(new Map(nodes.map((n) => [n.name, n.parents]))) : []), ...(m[3] ? grow(down) : [])];
    for (const name of more) found.add(name);
    return found;
  }
  function matches(n, those) {
    return those.has(n.name) && (!state.kind || n.kind === state.kind) &&
      (!state.tag || n.tags.includes(state.tag)) && (!state.status || tone(n.status) === state.status);
  }
  function draw(move) {
    const those = named();
    const found = nodes.filter((n) => matches(n, those));
    const names = new Set(found.map((n) => n.name));
    for (const n of nodes) {
      const box = boxes.get(n.name);
      box.setAttribute("class", "node " + (state.colour === "kind" ? "kind-" + n.kind : "tone-" + tone(n.status)) + (names.has(n.name) ? "" : " dim"));
      const tests = n.tests ? ", tests " + n.tests : "";
      box.lastChild.textContent = state.colour === "kind" ? KINDS[n.kind] + (n.rows === null ? "" : ", " + number(n.rows) + " rows")
        : SIGNS[tone(n.status)] + " " + (WORDS[n.status] || n.status) + tests;
    }
    for (const e of edges) e.path.classList.toggle("dim", !(names.has(e.from) && names.has(e.to)));
    if (move && found.length && found.length < nodes.length) {
      const word = state.text.trim().toLowerCase().replace(/^\+|\+$/g, "");
      const to = found.find((n) => n.name.toLowerCase() === word) || found[0];
      centre(px(to) + W / 2, py(to) + H / 2);
    }
    said.textContent = found.length === nodes.length ? nodes.length + " nodes" : found.length + " of " + nodes.length + " nodes";
    const keys = state.colour === "kind" ? [...new Set(nodes.map((n) => n.kind))].map((k) => ["kind-" + k, KINDS[k]])
      : [["tone-good", "\u2713 succeeded"], ["tone-bad", "\u2715 failed"], ["tone-middle", "! not finished, or a warning"], ["tone-none", "\u25cb no result"]];
    legend.replaceChildren(...keys.map(([c, text]) => h("span", { class: "key " + c }, text)),
      h("span", { class: "quiet" }, "faint lines: reached by another way, too, or in another row; a node under the pointer shows its own"));
    list.replaceChildren(table([
      { title: "Name", key: "name", show: (n) => link(["model", n.name], n.name) },
      { title: "Kind", key: "kind", show: (n) => KINDS[n.kind] },
      { title: "Rows", key: "rows", align: "right" },
      { title: "Last result", key: "status", show: (n) => badge(n.status) },
      { title: "Tests", key: "tests", show: (n) => (n.tests ? badge(n.tests) : "") },
      { title: "Tags", show: (n) => n.tags.join(", ") },
      { title: "Description", show: (n) => h("span", { class: "clip" }, n.description) },
    ], found, { page: 100, caption: "Nodes", empty: "No node matches." }));
  }
  const tags = [...new Set(nodes.flatMap((n) => n.tags))].sort();
  const search = h("input", { type: "search", autocomplete: "off", value: state.text, placeholder: "a part of it, or +name+", oninput: () => { state.text = search.value; draw(true); } });
  const set = (key) => (value) => { state[key] = value; draw(key !== "colour"); };
  draw(false);
  if (given) requestAnimationFrame(() => requestAnimationFrame(() => draw(true)));
  return [h("h1", {}, "Lineage"),
    h("div", { class: "fields" }, h("label", { class: "field" }, h("span", {}, "Name"), search),
      select("Kind", [["", "all"], ...[...new Set(nodes.map((n) => n.kind))].map((k) => [k, KINDS[k]])], "", set("kind")),
      tags.length > 0 && select("Tag", [["", "all"], ...tags], "", set("tag")),
      select("Last result", [["", "all"], ["good", "succeeded"], ["bad", "failed"], ["middle", "not finished"], ["none", "none"]], "", set("status")),
      select("Colour by", [["kind", "kind"], ["status", "last result"]], "kind", set("colour"))),
    legend, frame, said, list,
    unread.length > 0 && h("details", {}, h("summary", {}, "Left out: " + number(unread.length) + (unread.length === 1 ? " source or seed" : " sources and seeds") + " that nothing reads"),
      h("ul", {}, unread.map((n) => h("li", {}, link(["model", n.name], n.name)))))];
};
