"use strict";
// Round numbers between two: multiples of 1, 2 or 5 of a power of ten. The same as ticks in charts.py.
function ticks(least, most, about = 5) {
  const rough = (most - least) / about;
  if (!(rough > 0)) return [least];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((s) => s * power).find((s) => s >= rough * 0.999);
  const first = Math.ceil(least / step - 1e-9), last = Math.floor(most / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => +((first + i) * step).toFixed(10));
}

LUPOM.pages.overview = () => {
  const { overview, nodes, surveys, evaluation } = LUPOM.start;
  const titles = new Map(overview.surveys.map((s) => [s.survey, s.title || s.survey]));
  const several = overview.surveys.length > 1;
  const parts = [h("h1", {}, several || !overview.surveys.length ? "Overview" : titles.get(overview.surveys[0].survey))];
  if (!overview.surveys.length && !overview.findings.length) parts.push(h("p", {}, "Nothing of a survey is built yet. lupom run builds it."));
  for (const s of overview.surveys) {
    const facts = [
      ["Fielded", s.fielded], ["Asked", s.population], ["Country", s.country], ["Language", s.language],
      ["Respondents", s.respondents === undefined ? null : number(s.respondents)], ["Questions", number(s.questions)],
      ["Answers", s.responses === undefined ? null : number(s.responses)],
    ].filter(([, value]) => value !== null && value !== undefined && value !== "");
    parts.push(several ? section(titles.get(s.survey), definitions(facts)) : definitions(facts));
  }
  for (const f of overview.findings) {
    parts.push(section("What was found" + (several ? ": " + (titles.get(f.survey) || f.survey) : ""),
      h("div", { class: "found" }, f.sentences.map((s) => h("p", {}, s)), h("p", { class: "next" }, f.next))));
  }
  if (overview.boards.length) {
    parts.push(section("Who is right how often",
      h("p", { class: "legend" }, [["board-plain", "needs no LLM"], ["board-llm", "an LLM's setting"], ["board-combined", "a combination"]].map(([c, text]) => h("span", { class: "key " + c }, text)),
        h("span", { class: "quiet" }, "bars are 95 % intervals")),
      overview.boards.map((b) => [
        h("h3", {}, (several ? (titles.get(b.survey) || b.survey) + ": " + b.title : b.title[0].toUpperCase() + b.title.slice(1)) + " (" + number(b.n) + " held-out answers)"),
        intervals(b.rows, (r) => [r.title, r.title !== r.name && h("small", {}, r.name)], "Share of right answers, " + b.title,
          { percent: true, unit: "right answers, %", kind: (r) => "board-" + r.kind }),
        b.left > 0 && h("p", { class: "quiet" }, link(["evaluation"], number(b.left) + " more")),
      ])));
  }
  parts.push(section("What it cost", h("p", {}, overview.cost || "Nothing: no LLM was asked."), h("p", {}, link(["runs"], "Runs, with time, calls, tokens and money"))));
  const stale = overview.stale;
  const names = new Set(nodes.map((n) => n.name));
  parts.push(section("What is stale", stale === null ? h("p", {}, "That cannot be told here: lupom plan says why.")
    : !stale.length ? h("p", {}, "Nothing: everything is up to date.")
    : [h("p", {}, number(stale.length) + (stale.length === 1 ? " node is" : " nodes are") + " built anew by the next lupom run."),
      h("details", {}, h("summary", {}, "Which, and why"), table([
        { title: "Node", key: "node", show: (s) => (names.has(s.node) ? link(["model", s.node], s.node) : s.node) },
        { title: "Why", key: "reason" }], stale, { caption: "What is stale", page: 100 }))]));
  parts.push(section("Where to go next", h("ul", { class: "where" },
    Object.keys(evaluation).length > 0 && h("li", {}, link(["evaluation"], "Evaluation"), ": every metric, comparison and group"),
    surveys.length > 0 && h("li", {}, link(["people"], "Respondents"), ": what each answered, and what was predicted"),
    surveys.some((s) => s.dimensions) && h("li", {}, link(["dimensions"], "Dimensions"), ": what personas are made of, and the network"),
    h("li", {}, link(["lineage"], "Lineage"), ": how " + number(nodes.length) + " tables are made of one another"),
    h("li", {}, link(["runs"], "Runs"), ": what was built when, and how it went"),
    overview.boards.length > 0 && h("li", {}, h("code", {}, "lupom report"), ": one page to print or send, with all charts"))));
  return parts;
};
