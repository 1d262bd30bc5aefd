"use strict";
LUPOM.pages.runs = async () => {
  const runs = (await LUPOM.load("runs")).map((r) => ({ ...r, tokens: r.tokens_in === null || r.tokens_out === null ? null : r.tokens_in + r.tokens_out }));
  if (!runs.length) return [h("h1", {}, "Runs"), h("p", {}, "Nothing was run yet.")];
  return [h("h1", {}, "Runs"),
    charts(runs, [["seconds", "Time", seconds], ["asked", "Calls asked", number], ["tokens", "Tokens", number], ["cost", "Money", money]]),
    table([
      { title: "Started (UTC)", key: "started", show: (r) => link(["run", r.run_id], when(r.started)) },
      { title: "Command", key: "command" }, { title: "Target", key: "target" },
      { title: "Result", key: "status", show: (r) => badge(r.status) },
      { title: "Nodes", key: "nodes", align: "right" }, { title: "Failed", key: "failed", align: "right" },
      { title: "Time", key: "seconds", align: "right", show: (r) => seconds(r.seconds) },
      { title: "Calls asked", key: "asked", align: "right" }, { title: "from the ledger", key: "cached", align: "right" },
      { title: "Invalid", key: "invalid", align: "right" }, { title: "Tokens", key: "tokens", align: "right", show: (r) => known(r.tokens) },
      { title: "Money", key: "cost", align: "right", show: (r) => money(r.cost) },
    ], [...runs].reverse(), { caption: "Runs" })];
};
LUPOM.pages.run = async (id) => {
  const run = (await LUPOM.load("runs")).find((r) => r.run_id === id);
  if (!run) return [h("h1", {}, "Run " + id), h("p", {}, "This run is not among those of the site. ", link(["runs"], "All runs"))];
  const nodes = await LUPOM.load("run/" + id);
  const names = new Set(LUPOM.start.nodes.map((n) => n.name));
  return [h("h1", {}, "Run of " + when(run.started) + " UTC"),
    definitions([["Id", run.run_id], ["Command", run.command], ["Target", run.target || ""], ["Result", badge(run.status)], run.message && ["Message", run.message],
      ["Time", seconds(run.seconds)], ["Calls", number(run.asked) + " asked, " + number(run.cached) + " from the ledger, " + number(run.invalid) + " invalid"],
      ["Tokens", known(run.tokens_in) + " in, " + known(run.tokens_out) + " out"], ["Money", money(run.cost)]]),
    table([
      { title: "Node", key: "node", show: (n) => (names.has(n.node) ? link(["model", n.node], n.node) : n.node) },
      { title: "Kind", key: "kind" }, { title: "Result", key: "status", show: (n) => badge(n.status) }, { title: "Why", key: "reason" },
      { title: "Rows", key: "rows", align: "right" }, { title: "Time", key: "seconds", align: "right", show: (n) => seconds(n.seconds) },
      { title: "Calls asked", key: "asked", align: "right" }, { title: "Invalid", key: "invalid", align: "right" },
      { title: "Money", key: "cost", align: "right", show: (n) => (n.asked ? money(n.cost) : "") }, { title: "Message", key: "message" },
    ], nodes, { page: 200, caption: "Nodes of the run" })];
};
