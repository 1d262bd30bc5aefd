"use strict";
// The index of one survey: ids and attributes of all respondents, as numbers into lists of words.
class People {
  constructor(about, survey) {
    this.about = about;
    this.survey = survey;
    this.blocks = [];
    this.count = 0;
    // Lower case once: a search goes over words and not over respondents.
    this.words = survey.attributes.map((a) => a.values.map((v) => v.toLowerCase()));
  }

  // Adds a block as it arrives. Small numbers take less memory than what JSON made of them.
  add(i, block) {
    this.blocks[i] = {
      ids: block.ids,
      lower: block.ids.map((id) => id.toLowerCase()),
      codes: block.codes.map((codes) => Uint32Array.from(codes)),
      has: Uint8Array.from(block.has),
    };
    this.count += block.ids.length;
  }

  async block(i) {
    if (!this.blocks[i]) {
      const key = `index/${this.about.survey}/${i}`;
      const block = await LUPOM.load(key);
      if (!this.blocks[i]) this.add(i, block);
    }
    return this.blocks[i];
  }

  get size() { return Math.ceil(this.about.respondents / this.about.index); }

  // Loads what is left, one block at a time, so that the page can be used meanwhile.
  async all(progress) {
    for (let i = 0; i < this.size; i++) {
      if (this.blocks[i]) continue;
      await this.block(i);
      progress();
      await new Promise((resolve) => setTimeout(resolve));
    }
  }

  // What there is of a respondent: 1 a persona, 2 predictions, 3 both.
  has(n) { return this.blocks[Math.floor(n / this.about.index)].has[n % this.about.index]; }

  id(n) { return this.blocks[Math.floor(n / this.about.index)].ids[n % this.about.index]; }

  attributes(n) {
    const block = this.blocks[Math.floor(n / this.about.index)];
    return this.survey.attributes.map((a, j) => {
      const code = block.codes[j] ? block.codes[j][n % this.about.index] : 0;
      return code ? a.values[code - 1] : null;
    });
  }

  // Respondents that have all words of a query, by number; those of that very id first.
  // A word is part of an id or begins a word of an attribute's value; NAME=value is of one attribute.
  search(query, wanted = 0) {
    const tests = terms(query).map((term) => this.test(term));
    const exact = query.trim().toLowerCase();
    const first = [], found = [];
    for (let b = 0; b < this.blocks.length; b++) {
      const block = this.blocks[b];
      if (!block) continue;
      const base = b * this.about.index;
      next: for (let i = 0; i < block.lower.length; i++) {
        if ((block.has[i] & wanted) !== wanted) continue;
        for (const test of tests) {
          let hit = test.word !== null && block.lower[i].includes(test.word);
          for (let j = 0; !hit && j < test.masks.length; j++) {
            const [attribute, mask] = test.masks[j];
            const codes = block.codes[attribute];
            hit = codes !== undefined && mask[codes[i]] === 1;
          }
          if (!hit) continue next;
        }
        if (block.lower[i] === exact) first.push(base + i);
        else found.push(base + i);
      }
    }
    return first.concat(found);
  }

  test({ name, word }) {
    const masks = [];
    this.survey.attributes.forEach((a, j) => {
      if (name !== null && a.name.toLowerCase() !== name) return;
      const equal = name !== null && this.words[j].includes(word);
      const mask = new Uint8Array(this.words[j].length + 1);
      let any = false;
      this.words[j].forEach((text, k) => {
        if (equal ? text === word : begins(text, word)) { mask[k + 1] = 1; any = true; }
      });
      if (any) masks.push([j, mask]);
    });
    return { word: name === null ? word : null, masks };
  }
}

// The words of a query; "two words" in quotes are one.
function terms(query) {
  const found = [];
  for (const m of query.toLowerCase().matchAll(/(?:([^\s"=]+)=)?(?:"([^"]*)"?|([^\s"]+))/g)) {
    const word = m[2] !== undefined ? m[2] : m[3];
    if (word) found.push({ name: m[1] === undefined ? null : m[1], word });
  }
  return found;
}

// Whether a word of the text begins so: 'male' is not in 'female'.
function begins(text, word) {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    if (at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1])) return true;
  }
  return false;
}

LUPOM.people = (() => {
  const open = new Map();
  return async (name) => {
    const about = LUPOM.start.surveys.find((s) => s.survey === name) || LUPOM.start.surveys[0];
    if (!open.has(about.survey)) {
      const survey = await LUPOM.load("people/" + about.survey);
      if (!open.has(about.survey)) open.set(about.survey, new People(about, survey));
    }
    return open.get(about.survey);
  };
})();

const surveys = (page, survey) => LUPOM.start.surveys.length > 1 &&
  select("Survey", LUPOM.start.surveys.map((s) => s.survey), survey, (value) => { location.hash = "#/" + page + "/" + encodeURIComponent(value); });

LUPOM.pages.people = async (survey) => {
  const people = await LUPOM.people(survey);
  const { attributes } = people.survey;
  const name = people.about.survey;
  let found = [], shown = 50;
  const HAS = ["", "persona", "predictions", "persona, predictions"];
  const search = h("input", { type: "search", autocomplete: "off", value: LUPOM.query || "", id: "search", placeholder: attributes.length ? "an id, or words such as " + (attributes[0].values[0] || "") : "an id", oninput: () => { shown = 50; find(); } });
  const said = h("p", { role: "status", class: "quiet" });
  const body = h("tbody");
  const more = h("button", { type: "button", onclick: () => { shown += 200; draw(); } });
  const some = attributes.slice(0, 7);
  function find() {
    LUPOM.query = search.value;
    const begun = performance.now();
    found = people.search(search.value, Number(LUPOM.wanted || 0));
    LUPOM.searched = performance.now() - begun;
    draw();
  }
  function draw() {
    const all = people.count === people.about.respondents;
    said.textContent = number(found.length) + (found.length === 1 ? " respondent" : " respondents") + (all ? "" : "; reading the list, " + number(people.count) + " of " + number(people.about.respondents) + " so far");
    body.replaceChildren(...found.slice(0, shown).map((n) => h("tr", {}, h("td", {}, link(["person", name, String(n)], people.id(n))), h("td", {}, HAS[people.has(n)]), people.attributes(n).slice(0, 7).map((v) => h("td", {}, v || "")))));
    more.hidden = found.length <= shown;
    more.textContent = "Show more (" + number(found.length - shown) + " left)";
  }
  const values = h("span");
  const choose = (attribute) => {
    const a = attributes.find((x) => x.name === attribute);
    values.replaceChildren(...(a ? [select("is", [["", "choose"], ...[...a.values].sort().slice(0, 500)], "", (value) => {
      if (value) search.value = (search.value.trim() + " " + a.name + '="' + value.replaceAll('"', "") + '"').trim();
      shown = 50;
      find();
    })] : []));
  };
  await people.block(0);
  find();
  people.all(find).catch((error) => { said.textContent = String(error.message); });
  return [h("h1", {}, "Respondents"), h("div", { class: "fields" }, surveys("people", name),
    h("label", { class: "field wide" }, h("span", {}, "Search"), search),
    select("Show", [["0", "everyone"], ["1", "with a persona"], ["2", "with predictions"], ["3", "with both"]], LUPOM.wanted || "0", (value) => { LUPOM.wanted = value; shown = 50; find(); }),
    attributes.length > 0 && select("Attribute", [["", "any"], ...attributes.map((a) => a.name)], "", choose), values),
    said, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Respondents found" },
      h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Respondent"), h("th", { scope: "col" }, "Has"), some.map((a) => h("th", { scope: "col" }, a.name)))), body)), more];
};

LUPOM.pages.person = async (survey, text) => {
  const people = await LUPOM.people(survey);
  const { about } = people;
  const n = Number(text);
  if (!Number.isInteger(n) || n < 0 || n >= about.respondents) return [h("h1", {}, "There is no such respondent"), link(["people"], "All respondents")];
  const details = (await LUPOM.load(`details/${about.survey}/${Math.floor(n / about.page)}`))[n % about.page];
  await people.block(Math.floor(n / about.index));
  for (const [other] of details.s || []) await people.block(Math.floor(other / about.index));
  const { questions, dimensions } = people.survey;
  const question = (q) => (typeof q === "number" ? questions[q].text : q);
  const said = (q, a) => (typeof a === "number" && typeof q === "number" ? questions[q].options[a] : a);
  const value = (d, v) => (v === null ? h("span", { class: "quiet" }, "unknown") : typeof v === "number" ? dimensions[d].values[v] : v);
  const battery = (q) => (typeof q === "number" && questions[q].battery) || "";
  const numeric = (q) => typeof q === "number" && !(questions[q].options || []).length;
  const given = people.attributes(n);
  const step = (to, title) => (to >= 0 && to < about.respondents ? link(["person", about.survey, String(to)], title) : null);
  const parts = [h("h1", {}, "Respondent " + people.id(n)),
    h("p", {}, link(["people", about.survey], "All respondents"), " of ", about.survey, ". ", step(n - 1, "Previous"), " ", step(n + 1, "Next")),
    definitions(people.survey.attributes.map((a, j) => given[j] !== null && [a.name, given[j]]))];
  const raw = new Map((details.p || []).map(([d, v]) => [d, v]));
  const refined = new Map((details.r || []).map(([d, ...rest]) => [d, rest]));
  const both = [...new Set([...raw.keys(), ...refined.keys()])].sort((a, b) => a - b).map((d) => {
    const [after, p, before] = refined.get(d) || [];
    return { d, raw: raw.has(d) ? raw.get(d) : null, refined: after, p, before, changed: refined.has(d) && raw.get(d) !== after };
  });
  parts.push(section("Persona", table([
    { title: "Dimension", show: (r) => link(["dimensions", about.survey, dimensions[r.d].id], dimensions[r.d].name) },
    { title: "Level", show: (r) => dimensions[r.d].level },
    { title: "As the LLM inferred", show: (r) => value(r.d, r.raw) },
    { title: "Its probability", show: (r) => chance(r.before, "second") },
    { title: "After the network", show: (r) => (r.refined === undefined ? "" : r.changed ? h("strong", {}, value(r.d, r.refined), " (changed)") : value(r.d, r.refined)) },
    { title: "Probability", show: (r) => chance(r.p) },
  ], both, { caption: "Persona", empty: "No persona was inferred: this respondent is not in the LLM's sample." })));
  const byQuestion = new Map();
  for (const [q, predictor, answer, truth, probabilities] of details.t || []) {
    if (!byQuestion.has(q)) byQuestion.set(q, { truth, rows: [] });
    byQuestion.get(q).rows.push({ predictor, answer, probabilities: new Map(probabilities) });
  }
  parts.push(section("Predictions", byQuestion.size ? [...byQuestion].map(([q, { truth, rows }]) => {
    const options = [...new Set(rows.flatMap((r) => [...r.probabilities.keys()]))].sort((a, b) => (a > b) - (a < b));
    return [battery(q) && h("p", { class: "quiet battery" }, battery(q)), h("h3", {}, (battery(q) && questions[q].item) || question(q)), h("p", {}, truth === null ? "Not scored." : ["Answered: ", h("strong", {}, said(q, truth))]),
      table([
        { title: "Predictor", key: "predictor" },
        { title: "Prediction", show: (r) => (r.answer === null ? "invalid" : [truth === null || numeric(q) ? "" : h("span", { class: "badge " + (r.answer === truth ? "good" : "bad") }, r.answer === truth ? "\u2713 " : "\u2715 ", h("span", { class: "hidden" }, r.answer === truth ? "right: " : "wrong: ")), said(q, r.answer)]) },
        ...options.map((o) => ({ title: said(q, o) + (o === truth ? " (given)" : ""), show: (r) => chance(r.probabilities.get(o), o === truth ? "" : "second") })),
      ], rows, { caption: "Predictions of " + question(q) })];
  }) : h("p", { class: "quiet" }, "No answer of this respondent is predicted.")));
  // A battery's preface stands once, above the first of its items.
  const answers = [...(details.h || [])].sort(([a], [b]) => (typeof a === "number" && typeof b === "number" ? a - b : 0));
  const first = new Set(answers.filter(([q], i) => battery(q) && (i === 0 || battery(answers[i - 1][0]) !== battery(q))).map(([q]) => q));
  const item = (q) => (battery(q) ? [first.has(q) && h("div", { class: "quiet" }, battery(q)), h("div", { class: "item" }, questions[q].item || questions[q].text)] : question(q));
  parts.push(section("Known answers", table([
    { title: "Question", show: ([q]) => item(q) },
    { title: "Answer", show: ([q, a, status]) => (a === null ? h("span", { class: "quiet" }, (status || "none").replaceAll("_", " ")) : said(q, a)) },
  ], answers, { caption: "Known answers", page: 200, empty: "No answer is known." })));
  parts.push(section("Similar respondents", table([
    { title: "Respondent", show: ([other]) => link(["person", about.survey, String(other)], people.id(other)) },
    { title: "Similarity", show: ([, x]) => chance(x) },
    ...people.survey.attributes.slice(0, 6).map((a, j) => ({ title: a.name, show: ([other]) => { const v = people.attributes(other)[j]; return v === given[j] ? h("strong", {}, v || "") : v || ""; } })),
  ], details.s || [], { caption: "Similar respondents", empty: "No neighbours were searched for." })));
  return parts;
};

const chance = (p, kind) => (p === null || p === undefined ? "" : h("span", { class: "chance" }, h("span", {}, percent(p)), bar(p, kind)));

LUPOM.pages.dimensions = async (survey, chosen) => {
  const people = await LUPOM.people(survey);
  const { dimensions, edges } = people.survey;
  const name = people.about.survey;
  const parts = [h("h1", {}, "Persona dimensions"), h("div", { class: "fields" }, surveys("dimensions", name))];
  if (!dimensions.length) return [...parts, h("p", {}, "There are none for this survey yet.")];
  const places = new Map(dimensions.map((d) => [d.id, d]));
  if (edges.length) {
    const W = 210, H = 36, DX = 290, DY = 58;
    const linked = dimensions.filter((d) => edges.some((e) => e.parent === d.id || e.child === d.id));
    const left = Math.min(...linked.map((d) => d.x));
    // Rows of dimensions without edges are taken out.
    const columns = new Map();
    for (const d of [...linked].sort((a, b) => a.y - b.y)) columns.set(d.x, [...(columns.get(d.x) || []), d.id]);
    const tallest = Math.max(...[...columns.values()].map((c) => c.length));
    const px = (d) => (d.x - left) * DX + 20;
    const py = (d) => (columns.get(d.x).indexOf(d.id) + (tallest - columns.get(d.x).length) / 2) * DY + 20;
    const most = Math.max(...edges.map((e) => Math.abs(e.gain || 0))) || 1;
    const drawing = svg("svg", {}, svg("defs", {}, svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto" }, svg("path", { class: "tip", d: "M0,0L8,4L0,8z" }))));
    for (const e of edges) {
      const a = places.get(e.parent), b = places.get(e.child);
      if (!a || !b) continue;
      const x1 = px(a) + W, y1 = py(a) + H / 2, x2 = px(b) - 2, y2 = py(b) + H / 2, m = Math.max(40, (x2 - x1) / 2);
      drawing.append(svg("path", { class: "edge strong", "marker-end": "url(#tip)", "stroke-width": 1 + (3 * Math.abs(e.gain || 0)) / most, d: `M${x1},${y1}C${x1 + m},${y1} ${x2 - m},${y2} ${x2},${y2}` }, svg("title", {}, a.name + " \u2192 " + b.name + (e.gain === undefined ? "" : ", gain " + number(e.gain)))));
    }
    for (const d of linked) drawing.append(svg("a", { class: "node kind-" + ({ low: "sql", mid: "python", high: "llm" }[d.level] || "source"), href: "#/dimensions/" + encodeURIComponent(name) + "/" + encodeURIComponent(d.id), "aria-label": d.name + ", " + d.level },
      svg("title", {}, d.description || ""), svg("rect", { class: "box", x: px(d), y: py(d), width: W, height: H, rx: 6 }), svg("rect", { class: "stripe", x: px(d), y: py(d), width: 7, height: H, rx: 3 }),
      svg("text", { x: px(d) + 14, y: py(d) + 15 }, d.name.length > 25 ? d.name.slice(0, 24) + "\u2026" : d.name), svg("text", { class: "small", x: px(d) + 14, y: py(d) + 29 }, d.level)));
    const width = (Math.max(...linked.map((d) => d.x)) - left) * DX + W + 40;
    parts.push(section("Network", h("p", { class: "legend" }, [["sql", "low"], ["python", "mid"], ["llm", "high"]].map(([c, text]) => h("span", { class: "key kind-" + c }, text + " level"))),
      pannable(drawing, width, tallest * DY + 40, "Network of " + linked.length + " dimensions").frame,
      h("details", {}, h("summary", {}, "The " + edges.length + " edges as a table"), table([
        { title: "Parent", key: "parent", show: (e) => (places.has(e.parent) ? places.get(e.parent).name : e.parent) },
        { title: "Child", key: "child", show: (e) => (places.has(e.child) ? places.get(e.child).name : e.child) },
        { title: "Gain", key: "gain", align: "right" }, { title: "p", key: "p_value", align: "right" }, { title: "n", key: "n", align: "right" },
      ], edges, { caption: "Edges of the network" }))));
  } else parts.push(h("p", { class: "quiet" }, "The network has no edges."));
  let target = null;
  parts.push(section("Distributions", h("p", { class: "legend" }, h("span", { class: "key raw" }, "as the LLM inferred"), h("span", { class: "key refined" }, "after the network")),
    h("div", { class: "cards" }, dimensions.map((d) => {
      const total = (counts) => counts.reduce((a, b) => a + b, 0) || 1;
      const [r, f] = [total(d.raw), total(d.refined)];
      const edgesOf = [...edges.filter((e) => e.child === d.id).map((e) => e.parent), ...edges.filter((e) => e.parent === d.id).map((e) => e.child)];
      const card = h("article", { class: "card" + (d.id === chosen ? " chosen" : ""), tabindex: d.id === chosen ? "-1" : null }, h("h3", {}, d.name), h("p", { class: "quiet" }, d.level + " level. ", d.description || ""),
        [...(d.values || []), null].map((v, i) => (v === null && !d.raw[i] && !d.refined[i] ? null : h("div", { class: "value" },
          h("span", {}, v === null ? h("em", {}, "unknown") : v), h("span", { class: "right" }, number(d.raw[i]) + " / " + number(d.refined[i])),
          h("span", { class: "twice" }, bar(d.raw[i] / r, "second"), bar(d.refined[i] / f))))),
        edgesOf.length > 0 && h("p", { class: "quiet" }, "Linked with ", edgesOf.map((id, i) => [i ? ", " : "", link(["dimensions", name, id], places.has(id) ? places.get(id).name : id)])));
      if (d.id === chosen) target = card;
      return card;
    }))));
  if (target) setTimeout(() => { target.scrollIntoView({ block: "center" }); target.focus({ preventScroll: true }); }, 50);
  return parts;
};
