"use strict";
LUPOM.pages.model = async (name) => {
  const node = LUPOM.start.nodes.find((n) => n.name === name);
  if (!node) return [h("h1", {}, name), h("p", {}, "There is no such model in this site. ", link(["lineage"], "All models"))];
  const page = await LUPOM.load("node/" + name);
  const children = LUPOM.start.nodes.filter((n) => n.parents.includes(name));
  const names = (list) => (list.length ? list.map((n, i) => [i ? ", " : "", link(["model", n], n)]) : "none");
  const facts = [["Kind", KINDS[node.kind] + (node.kind === "llm" || node.kind === "source" || node.kind === "seed" ? "" : ", " + node.materialized)],
    ["File", node.file || "none"], ["Rows", node.built ? number(node.rows) : "not built"], ["Last result", badge(node.status)],
    node.tags.length && ["Tags", node.tags.join(", ")], ["Reads", names(node.parents)], ["Read by", names(children.map((n) => n.name))], ["Lineage", link(["lineage", "+" + name + "+"], "show in the graph")]];
  const parts = [h("h1", {}, name), node.description && h("p", {}, node.description), definitions(facts)];
  if (page.columns.length) parts.push(section("Columns", table([
    { title: "Name", key: "name", show: (c) => h("code", {}, c.name) },
    { title: "Type", key: "type", show: (c) => (c.missing ? "not in the table" : h("code", {}, c.type || "")) },
    { title: "Description", key: "description" },
  ], page.columns, { caption: "Columns", page: 100 })));
  if (page.prompts.length) parts.push(section("Prompt", page.prompts.map(version)));
  if (page.code.length) parts.push(section("Code", page.code.map((c, i) => h("details", { open: i === 0 }, h("summary", {}, c.title), code(c.text)))));
  if (page.sample.columns) parts.push(section("Sample rows", table(page.sample.columns.map((title, i) => ({
    title, key: i, align: page.sample.rows.some((r) => typeof r[i] === "number") ? "right" : "", show: (row) => cell(row[i]),
  })), page.sample.rows, { caption: "Sample rows of " + name })));
  parts.push(section("Tests", table([
    { title: "Test", key: "name", show: (t) => h("span", { title: t.description }, t.name) },
    { title: "Last result", key: "status", show: (t) => badge(t.status) },
    { title: "Failing rows", key: "rows", align: "right" },
    { title: "Message", key: "message" },
  ], page.tests, { caption: "Tests", empty: "It has no data tests." })));
  if (node.kind !== "source") {
    const asks = page.runs.some((r) => r.calls !== null);
    parts.push(section("Runs", asks && charts([...page.runs].reverse(), [["asked", "Calls", number], ["cost", "Money", money], ["seconds", "Seconds", seconds]]), table([
      { title: "Started (UTC)", key: "started", show: (r) => link(["run", r.run_id], when(r.started) || r.run_id) },
      { title: "Result", key: "status", show: (r) => badge(r.status) },
      { title: "Why", key: "reason" },
      { title: "Rows", key: "rows", align: "right" },
      { title: "Time", key: "seconds", align: "right", show: (r) => seconds(r.seconds) },
      ...(asks ? [
        { title: "Calls asked", key: "asked", align: "right" }, { title: "from the ledger", key: "cached", align: "right" },
        { title: "Invalid", key: "invalid", align: "right" }, { title: "Tokens in", key: "tokens_in", align: "right" },
        { title: "of these cached", key: "tokens_cached", align: "right" },
        { title: "out", key: "tokens_out", align: "right" }, { title: "Money", key: "cost", align: "right", show: (r) => (r.asked ? money(r.cost) : r.calls === null ? "" : "$0") },
      ] : []),
      { title: "Message", key: "message" },
    ], page.runs, { caption: "Runs of " + name, empty: "It was in no run yet." })));
  }
  const set = Object.entries(page.config);
  parts.push(section("Config", definitions(set.map(([k, v]) => [k, h("code", {}, typeof v === "string" ? v : JSON.stringify(v))]))));
  return parts;

  function version(v, i) {
    const begun = v.run_id ? ["In use since the run of ", link(["run", v.run_id], when(v.started) || v.run_id)] : "As in the files now; no run on record has asked with it.";
    return h("details", { open: i === 0 }, h("summary", {}, v.name + ", version " + v.hash.slice(0, 8) + (i ? "" : " (now)")),
      h("p", { class: "quiet" }, begun),
      v.changes.length > 0 && [h("h3", {}, "Changes to the version before"), h("pre", { tabindex: "0" }, v.changes.map((line) =>
        h("span", { class: line.startsWith("+") ? "added" : line.startsWith("-") ? "gone" : "" }, line + "\n")))],
      Object.entries(v.texts).map(([file, text]) => [h("h3", {}, file), code(text)]));
  }
};

const definitions = (facts) => h("dl", {}, facts.filter(Boolean).map(([term, what]) => h("div", {}, h("dt", {}, term), h("dd", {}, what))));
const code = (text) => h("pre", { tabindex: "0" }, h("code", {}, text));
const cell = (value) => (value === null || value === undefined ? h("span", { class: "quiet" }, "null") : h("span", { class: "clip" }, typeof value === "boolean" ? String(value) : number(value)));

// Small bar charts over runs, the oldest left; the same numbers stand in a table nearby.
function charts(runs, measures) {
  const some = runs.slice(-60);
  return h("div", { class: "charts" }, measures.map(([key, title, format]) => {
    const most = Math.max(...some.map((r) => r[key] || 0));
    if (!most) return null;
    const w = Math.min(24, 300 / some.length);
    return h("figure", {}, h("figcaption", {}, title + ", at most " + format(most)),
      svg("svg", { viewBox: "0 0 300 70", role: "img", "aria-label": title + " over " + some.length + " runs, at most " + format(most), class: "columns" },
        svg("line", { x1: 0, y1: 69, x2: 300, y2: 69 }),
        some.map((r, i) => svg("rect", { class: BAD.includes(r.status) ? "bad" : "", x: i * w + w * 0.1, width: w * 0.8, y: 69 - (66 * (r[key] || 0)) / most, height: (66 * (r[key] || 0)) / most },
          svg("title", {}, when(r.started) + ": " + format(r[key]))))));
  }));
}
