"use strict";
// Rows of a table that was written by column.
function rowsOf(packed) {
  const columns = packed.columns.map((name) => {
    const data = packed.data[name];
    return [name, Array.isArray(data) ? (i) => data[i] : (i) => data.words[data.codes[i]]];
  });
  return Array.from({ length: packed.n }, (_, i) => Object.fromEntries(columns.map(([name, at]) => [name, at(i)])));
}
const who = (row) => (row.llm ? row.predictor + " (" + row.llm + ")" : row.predictor);
// What it is, with its name in the tables in small.
const titled = (row) => {
  const title = (LUPOM.start.titles || {})[row.predictor];
  return title && title !== row.predictor ? [title, h("small", {}, who(row))] : who(row);
};
const LOWER_IS_BETTER = new Set(["nll", "brier", "calibration_error", "ordinal_error", "expected_rank_error", "rps", "share_invalid", "association_error"]);
const unique = (values) => [...new Set(values.filter((v) => v !== null && v !== undefined))];

// Values with their intervals on one scale: a row each, its numbers beside it.
function intervals(rows, label, title, { percent = false, unit = "", kind = () => "" } = {}) {
  const real = rows.filter((r) => r.value !== null);
  if (!real.length) return h("p", { class: "quiet" }, "Nothing to show for this choice.");
  const ends = real.flatMap((r) => [r.value, r.low ?? r.value, r.high ?? r.value]);
  let low = Math.min(...ends), high = Math.max(...ends);
  const room = (high - low || Math.abs(high) || 1) * 0.05;
  [low, high] = [low - room, high + room];
  const x = (v) => (100 * (v - low)) / (high - low);
  const marks = ticks(low, high);
  const said = (v) => (percent ? (100 * v).toFixed(1) : number(v, 3));
  const axis = h("span", { class: "ticks" }, marks.map((m) => {
    const tick = h("span", {}, String(+(percent ? 100 * m : m).toPrecision(6)));
    tick.style.left = x(m) + "%";
    return tick;
  }));
  return h("div", { class: "intervals", role: "list", "aria-label": title },
    real.map((r) => h("div", { class: "interval " + kind(r), role: "listitem" }, h("span", {}, label(r)),
      h("span", { class: "track" }, svg("svg", { viewBox: "0 0 100 20", preserveAspectRatio: "none", "aria-hidden": "true" },
        marks.map((m) => svg("line", { class: "rail", x1: x(m), x2: x(m), y1: 0, y2: 20 })),
        svg("line", { class: "range", x1: x(r.low ?? r.value), x2: x(r.high ?? r.value), y1: 10, y2: 10 }),
        svg("line", { class: "dot", x1: x(r.value), x2: x(r.value), y1: 6, y2: 14 }))),
      h("span", { class: "right" }, said(r.value) + (percent ? " %" : ""), h("span", { class: "quiet" }, r.low === null || r.low === undefined ? "" : " [" + said(r.low) + ", " + said(r.high) + "]")))),
    h("div", { class: "interval axis quiet", "aria-hidden": "true" }, h("span"), axis, h("span", { class: "right unit" }, unit)));
}

function curve(bins, title) {
  const y = (v) => 100 - 100 * v;
  const most = Math.max(...bins.map((b) => b.n || 0)) || 1;
  return h("figure", { class: "curve" }, h("figcaption", {}, title),
    svg("svg", { viewBox: "-6 -6 112 112", role: "img", "aria-label": title + ": " + bins.map((b) => number(b.confidence, 2) + " said, " + number(b.accuracy, 2) + " right").join("; ") },
      svg("rect", { class: "frame", width: 100, height: 100 }), svg("line", { class: "ideal", x1: 0, y1: 100, x2: 100, y2: 0 }),
      bins.filter((b) => b.confidence !== null && b.accuracy !== null).map((b) => [
        b.low !== null && b.low !== undefined && svg("line", { class: "range", x1: 100 * b.confidence, x2: 100 * b.confidence, y1: y(b.low), y2: y(b.high) }),
        svg("circle", { cx: 100 * b.confidence, cy: y(b.accuracy), r: 1.5 + 3.5 * Math.sqrt((b.n || 0) / most) }, svg("title", {}, number(b.n) + " predictions, " + percent(b.confidence) + " said, " + percent(b.accuracy) + " right"))])));
}

LUPOM.pages.evaluation = async (given) => {
  const known = Object.keys(LUPOM.start.evaluation);
  const survey = known.includes(given) ? given : known[0];
  const tables = {};
  for (const name of LUPOM.start.evaluation[survey] || []) tables[name] = rowsOf(await LUPOM.load(`evaluation/${name}/${survey}`));
  const all = Object.values(tables).flat();
  const scenarios = unique(all.map((r) => r.scenario));
  const pairs = unique(all.map((r) => r.pairs).filter((p) => typeof p === "string"));
  const state = { scenario: scenarios.includes("known") ? "known" : scenarios[0], pairs: pairs.includes("all") ? "all" : pairs[0], metric: "accuracy", groupMetric: "accuracy", attribute: null, predictor: null, comparison: "accuracy", best: "best" };
  const at = (name) => (tables[name] || []).filter((r) => (r.scenario === undefined || r.scenario === state.scenario) && (r.pairs === undefined || typeof r.pairs !== "string" || r.pairs === state.pairs));
  const body = h("div");
  const three = (key, title) => ({ title, key, align: "right", show: (r) => number(r[key], 3) });
  const range = (title, value, low, high) => ({ title, key: value, align: "right", show: (r) => (r[value] === null || r[value] === undefined ? "" : number(r[value], 3) + (r[low] === null || r[low] === undefined ? "" : " [" + number(r[low], 3) + ", " + number(r[high], 3) + "]")) });
  const set = (key) => (value) => { state[key] = value; draw(); };

  function draw() {
    const parts = [];
    const board = at("leaderboard");
    if (board.length) parts.push(section("Leaderboard", table([
      { title: "Predictor", key: "predictor", show: titled }, range("Accuracy", "accuracy", "low", "high"), three("nll", "Log loss"), three("calibration", "Calibration error"),
      { title: "Invalid", key: "invalid", align: "right", show: (r) => percent(r.invalid) }, { title: "n", key: "n", align: "right" }, range("Against the best without an LLM", "vs_best", "vs_low", "vs_high"),
    ], board, { caption: "Leaderboard", page: 100 })));
    const metrics = at("metrics").filter((r) => r.weighting === undefined || r.weighting === "none");
    if (metrics.length) {
      const names = unique(metrics.map((r) => r.metric));
      if (!names.includes(state.metric)) state.metric = names[0];
      const sign = LOWER_IS_BETTER.has(state.metric) ? 1 : -1;
      const rows = metrics.filter((r) => r.metric === state.metric).sort((a, b) => sign * (a.value - b.value));
      parts.push(section("Metrics", h("div", { class: "fields" }, select("Metric", names.map((m) => [m, m.replaceAll("_", " ")]), state.metric, set("metric"))),
        h("p", { class: "quiet" }, "With 95 % intervals, the best first" + (sign > 0 ? "; lower is better." : ".")), intervals(rows, titled, state.metric)));
    }
    const comparisons = at("comparisons");
    if (comparisons.length) {
      const names = unique(comparisons.map((r) => r.metric));
      if (!names.includes(state.comparison)) state.comparison = names[0];
      const rows = comparisons.filter((r) => r.metric === state.comparison && (state.best === "all" || r.best_baseline !== false));
      parts.push(section("Comparisons", h("div", { class: "fields" }, select("Metric", names, state.comparison, set("comparison")), select("Show", [["best", "with the best baseline"], ["all", "every two"]], state.best, set("best"))),
        table([{ title: "Better", key: "predictor", show: who }, { title: "than", key: "against", show: (r) => who({ predictor: r.against, llm: r.against_llm }) }, range("Difference", "difference", "low", "high"),
          { title: "p, Holm", key: "p_holm", align: "right", show: (r) => small(r.p_holm) }, { title: "p, McNemar", key: "p_mcnemar", align: "right", show: (r) => small(r.p_mcnemar) }, { title: "n", key: "n", align: "right" },
          { title: "Beyond chance", key: "favours", show: (r) => (r.favours ? "yes" : "no") }], rows, { caption: "Comparisons", page: 30, empty: "None for this choice." })));
    }
    const groups = at("group_metrics");
    if (groups.length) {
      const names = unique(groups.map((r) => r.metric)), attributes = unique(groups.map((r) => r.attribute)), predictors = unique(groups.map(who));
      if (!names.includes(state.groupMetric)) state.groupMetric = names[0];
      if (!attributes.includes(state.attribute)) state.attribute = attributes[0];
      if (!predictors.includes(state.predictor)) state.predictor = board.length && predictors.includes(who(board[0])) ? who(board[0]) : predictors[0];
      const mine = groups.filter((r) => r.metric === state.groupMetric && who(r) === state.predictor);
      parts.push(section("Groups", h("div", { class: "fields" }, select("Metric", names.map((m) => [m, m.replaceAll("_", " ")]), state.groupMetric, set("groupMetric")), select("Attribute", attributes, state.attribute, set("attribute")), select("Predictor", predictors, state.predictor, set("predictor"))),
        intervals(mine.filter((r) => r.attribute === state.attribute && r.measure !== "gap"), (r) => r.group + " (" + number(r.n) + ")", state.groupMetric + " by " + state.attribute),
        h("h3", {}, "Gaps between the groups with most and least"), table([{ title: "Attribute", key: "attribute" }, range("Gap", "value", "low", "high")], mine.filter((r) => r.measure === "gap"), { caption: "Gaps", empty: "No gaps for this choice." })));
    }
    const bins = at("calibration");
    if (bins.length) parts.push(section("Calibration", h("p", { class: "quiet" }, "Across: the probability a predictor gave its answer. Up: how often it was right. On the line it means what it says."),
      h("div", { class: "curves" }, unique(bins.map(who)).map((p) => curve(bins.filter((b) => who(b) === p), p)))));
    const others = { distribution_metrics: "Distributions", order_effects: "Order effects", refinement_summary: "Refinement", published_metrics: "Published pairs" };
    for (const [name, title] of Object.entries(others)) {
      const rows = at(name);
      if (!rows.length) continue;
      const hide = new Set(["survey", "scenario", "pairs", "weighting"]);
      const columns = Object.keys(rows[0]).filter((c) => (name === "published_metrics" || !hide.has(c)) && c !== "survey" && rows.some((r) => r[c] !== null));
      parts.push(section(title, h("details", {}, h("summary", {}, number(rows.length) + " rows of " + name),
        table(columns.map((c) => ({ title: c.replaceAll("_", " "), key: c, align: rows.some((r) => typeof r[c] === "number") ? "right" : "", show: (r) => (r[c] === null ? "" : typeof r[c] === "object" ? JSON.stringify(r[c]) : typeof r[c] === "boolean" ? String(r[c]) : number(r[c])) })), rows, { caption: title }))));
    }
    const chosen = [...body.querySelectorAll("select")].indexOf(document.activeElement);
    body.replaceChildren(...parts);
    // The choice was drawn anew with the rest: the keyboard stays where it was.
    if (chosen >= 0) body.querySelectorAll("select")[chosen]?.focus({ preventScroll: true });
  }
  draw();
  return [h("h1", {}, "Evaluation"), h("div", { class: "fields" },
    known.length > 1 && select("Survey", known, survey, (value) => { location.hash = "#/evaluation/" + encodeURIComponent(value); }),
    scenarios.length > 1 && select("Scenario", scenarios.map((s) => [s, s.replaceAll("_", " ")]), state.scenario, (v) => { state.scenario = v; draw(); }),
    pairs.length > 1 && select("Test pairs", pairs.map((p) => [p, { all: "all", llm: "those the LLM was asked for" }[p] || p]), state.pairs, (v) => { state.pairs = v; draw(); })), body];
};
const small = (p) => (p === null || p === undefined ? "" : p < 0.001 ? "< 0.001" : p.toFixed(3));
