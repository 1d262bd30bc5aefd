"use strict";
(async () => {
  const main = document.getElementById("main");
  const PAGES = { overview: "overview", lineage: "lineage", model: "model", runs: "runs", run: "runs", people: "people", person: "people", dimensions: "dimensions", evaluation: "evaluation" };
  let turn = 0;

  async function show() {
    const mine = ++turn;
    const words = location.hash.replace(/^#\/?/, "").split("/").map((w) => { try { return decodeURIComponent(w); } catch { return w; } });
    const name = words[0] || "overview";
    const page = LUPOM.pages[name];
    let parts;
    try {
      parts = page ? await page(...words.slice(1)) : [h("h1", {}, "There is no such page"), link([], "To the overview")];
    } catch (error) {
      parts = [h("h1", {}, "This page cannot be shown"), h("p", {}, String(error.message || error)), h("p", {}, "Run lupom docs generate again and reload.")];
    }
    if (mine !== turn) return;
    main.replaceChildren(...[parts].flat(Infinity).filter(Boolean));
    for (const a of document.querySelectorAll("#nav a")) {
      if (a.dataset.page === PAGES[name]) a.setAttribute("aria-current", "page");
      else a.removeAttribute("aria-current");
    }
    const title = main.querySelector("h1");
    document.title = (title ? title.textContent + " - " : "") + LUPOM.start.project;
    if (mine > 1) {
      window.scrollTo(0, 0);
      main.focus({ preventScroll: true });
    }
    main.dataset.ready = location.hash;
  }

  document.getElementById("skip").addEventListener("click", (e) => { e.preventDefault(); main.focus(); });
  try {
    LUPOM.start = await LUPOM.load("start");
  } catch (error) {
    main.replaceChildren(h("h1", {}, "The data are missing"), h("p", {}, "Beside this page there should be a folder data. Run lupom docs generate."));
    return;
  }
  const { start } = LUPOM;
  document.getElementById("brand").textContent = start.project;
  const nav = [["", "Overview"]];
  if (start.surveys.length && LUPOM.pages.people) {
    nav.push(["people", "Respondents"]);
    if (start.surveys.some((s) => s.dimensions)) nav.push(["dimensions", "Dimensions"]);
  }
  if (Object.keys(start.evaluation).length && LUPOM.pages.evaluation) nav.push(["evaluation", "Evaluation"]);
  nav.push(["lineage", "Lineage"], ["runs", "Runs"]);
  document.getElementById("nav").append(...nav.map(([page, title]) => h("a", { href: "#/" + page, "data-page": page || "overview" }, title)));
  document.getElementById("footer").textContent = "Made " + when(start.generated) + " UTC by LUPoM " + start.version + ", target " + start.target;
  window.addEventListener("hashchange", show);
  await show();
})();
