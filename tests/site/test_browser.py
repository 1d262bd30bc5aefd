"""The site in a real browser, opened as files: every page, both schemes, wide and narrow."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lupom import Project
from lupom.site import generate
from lupom.site.shards import file_name
from tests.support.browser import OVERLAPS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser():
    missing = None if Path(CHROMIUM).is_file() else "no Chromium here"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing = "no playwright here"
    if missing is not None:
        if os.environ.get("LUPOM_REQUIRE_BROWSER") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def tab(browser):
    """Return a function that opens the site; whatever goes wrong in the page fails the test."""
    contexts, wrong = [], []

    def open_(site, path="", width=1280, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.goto(f"file://{site}/index.html")
        page.wait_for_selector("main[data-ready]")
        if path:
            go(page, path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


def go(page, path):
    page.evaluate("path => { location.hash = path }", f"#/{path}")
    page.wait_for_selector(f'main[data-ready="#/{path}"]')


PAGES = {
    "": "test",
    "lineage": "Lineage",
    "model/respondents": "respondents",
    "model/scores": "scores",
    "people": "Respondents",
    "person/test/1": "Respondent 1",
    "dimensions": "Persona dimensions",
    "dimensions/test/trust": "Persona dimensions",
    "evaluation": "Evaluation",
    "runs": "Runs",
    "nonsense": "There is no such page",
    "model/nonsense": "nonsense",
}

# The contrast of every element with text of its own against what is painted behind it (WCAG 2.2,
# success criterion 1.4.3): 4.5, or 3 for large text.
CONTRAST = """() => {
  const numbers = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = (c) => {
    const [r, g, b] = numbers(c).map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const bad = [];
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    if (e.closest("svg, noscript, option") || !e.getClientRects().length) continue;
    let behind = e;
    while (behind && numbers(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
    const style = getComputedStyle(e);
    const [a, b] = [light(style.color), light(behind ? getComputedStyle(behind).backgroundColor : "rgb(255,255,255)")].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24;
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) bad.push([e.tagName, e.className, style.color, e.textContent.slice(0, 30)]);
  }
  return bad;
}"""  # noqa: E501


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_shows_without_errors(tab, site, scheme, width):
    page = tab(site, width=width, scheme=scheme)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    for path, title in PAGES.items():
        if path:
            go(page, path)
        assert page.inner_text("h1") == title
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(CONTRAST) == [], path
        assert page.evaluate(OVERLAPS) == [], path


def test_every_node_and_run_has_its_page(tab, site, project):
    page = tab(site)
    for name in project.nodes:
        go(page, f"model/{name}")
        assert page.inner_text("h1") == name
        assert page.locator("h2", has_text="Sample rows").count() == 1
    go(page, "runs")
    page.locator("tbody a").first.click()
    page.wait_for_selector("h1:has-text('Run of')")
    assert page.locator("tbody tr").count() > len(project.nodes)


def test_what_respondents_and_llms_wrote_is_text_and_nothing_else(tab, site):
    page = tab(site, "person/test/1")
    assert "</script><img src=x onerror=alert(1)>" in page.inner_text("main")
    for path in ("model/known_responses", "dimensions", "people", "model/respondents"):
        go(page, path)
        assert page.locator("img, main script").count() == 0


def test_the_first_page_says_what_was_found_and_leads_on(tab, site):
    page = tab(site)
    text = page.inner_text("main")
    for said in ("450", "What was found", "right in 60.0 % of 100 held-out answers [55.0, 65.0]"):
        assert said in text
    assert "No LLM has predicted yet." in text
    assert page.locator(".interval[role=listitem]").count() == 2
    ticks = page.locator(".ticks span").all_inner_texts()
    assert ticks == ["45", "50", "55", "60", "65"]
    # Where the number of a tick stands is where the grid has its line.
    line = page.locator(".interval line.rail").first.bounding_box()
    tick = page.locator(".ticks span").first.bounding_box()
    assert abs(line["x"] - tick["x"] - tick["width"] / 2) < 1.5
    page.locator("main").get_by_role("link", name="Lineage").click()
    page.wait_for_selector("h1:has-text('Lineage')")


@pytest.mark.parametrize("width", [400, 1400])
def test_the_lineage_fits_its_window_and_boxes_stand_apart(tab, site, width):
    page = tab(site, "lineage", width=width)
    frame = page.locator(".graph").bounding_box()
    boxes = [box.bounding_box() for box in page.locator("svg .node .box").all()]
    for box in boxes:
        assert frame["x"] <= box["x"] <= frame["x"] + frame["width"] - box["width"]
        assert frame["y"] <= box["y"] <= frame["y"] + frame["height"] - box["height"]
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            apart = abs(a["x"] - b["x"]) >= a["width"] or abs(a["y"] - b["y"]) >= a["height"]
            assert apart


def test_seeds_that_nothing_reads_are_listed_and_not_drawn(tab, site):
    page = tab(site, "lineage")
    assert page.locator("svg .node[aria-label^='spare,']").count() == 0
    page.get_by_text("Left out: 1 source or seed that nothing reads").click()
    page.get_by_role("link", name="spare").click()
    page.wait_for_selector("h1:has-text('spare')")


def test_the_lineage_is_filtered_moved_and_opened(tab, site):
    page = tab(site, "lineage")
    graph = page.locator(".graph > svg")
    before = graph.get_attribute("viewBox")
    page.locator(".graph").focus()
    page.keyboard.press("ArrowRight")
    moved = graph.get_attribute("viewBox")
    assert moved != before
    page.keyboard.press("+")
    assert float(graph.get_attribute("viewBox").split()[2]) < float(moved.split()[2])
    page.get_by_label("Name", exact=True).fill("persona_d")
    assert page.locator("svg .node:not(.dim)").count() == 1
    assert page.locator("tbody tr").count() == 1
    page.get_by_label("Name", exact=True).fill("+metrics+")
    assert page.locator("tbody tr").count() == 2  # leaderboard, which it reads, and itself
    page.get_by_label("Name", exact=True).fill("persona_values+")
    assert page.locator("tbody tr").count() == 2
    page.get_by_label("Name", exact=True).fill("")
    page.get_by_label("Tag").select_option("people")
    assert page.locator("tbody tr").count() == 1
    page.get_by_label("Colour by").select_option("status")
    assert page.locator("svg .tone-good").count() > 10
    page.locator("svg .node:not(.dim)").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('respondents')")


def test_dragging_moves_the_graph_and_a_click_after_it_opens_nothing(tab, site):
    page = tab(site, "lineage")
    graph = page.locator(".graph > svg")
    before = graph.get_attribute("viewBox")
    box = page.locator("svg .node").first.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 40, steps=4)
    page.mouse.up()
    assert graph.get_attribute("viewBox") != before
    assert page.inner_text("h1") == "Lineage"


def test_tables_sort_by_their_heads(tab, site, project):
    page = tab(site, "lineage")
    rows = {name: record.row_count or 0 for name, record in project.records().items()}
    largest = {name for name, count in rows.items() if count == max(rows.values())}
    page.get_by_role("button", name="Rows").click()
    assert page.locator("tbody a").first.inner_text() in largest
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    page.get_by_role("button", name="Rows").click()
    assert page.locator("tbody a").first.inner_text() not in largest


def test_the_page_names_files_of_data_as_the_shards_do(tab, site):
    page = tab(site)
    for key in ("start", "people/A b", "index/\u00e4\U0001f600/0", "x" * 200, "node/" + "Y" * 90):
        assert page.evaluate("key => LUPOM.fileName(key)", key) == file_name(key)


def test_the_keyboard_reaches_the_content_first(tab, site):
    page = tab(site)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_respondents_are_searched_by_id_and_attributes(tab, site):
    page = tab(site, "people")
    said = page.locator("main [role=status]")
    for query, found in {
        "": "450 respondents",
        "65+": "225 respondents",
        "age=18-29": "225 respondents",
        "AGE=29": "225 respondents",
        "449": "1 respondent",
        '65+ "44"': "5 respondents",
        "9+": "0 respondents",
        "nobody": "0 respondents",
    }.items():
        page.get_by_label("Search").fill(query)
        assert said.inner_text() == found, query
    page.get_by_label("Search").fill("7")
    assert page.locator("tbody a").first.inner_text() == "7"
    page.locator("tbody a").first.click()
    page.wait_for_selector("h1:has-text('Respondent 7')")
    persona = page.locator("section", has_text="Persona").first
    assert "high (changed)" in persona.inner_text()
    assert "75.0 %" in persona.inner_text()
    page.get_by_role("link", name="8", exact=True).first.click()
    page.wait_for_selector("h1:has-text('Respondent 8')")
    page.go_back()
    page.go_back()
    page.wait_for_selector("h1:has-text('Respondents')")
    assert page.get_by_label("Search").input_value() == "7"


def test_the_evaluation_redraws_for_a_choice(tab, site):
    page = tab(site, "evaluation")
    assert page.locator(".interval[role=listitem]").count() == 4
    predictor = page.get_by_label("Predictor")
    predictor.focus()
    predictor.select_option("majority")
    assert predictor.input_value() == "majority"
    assert page.evaluate("document.activeElement.tagName") == "SELECT"
    assert page.locator(".curve").count() == 2


def test_a_hundred_thousand_respondents_are_searched_and_shown_by_the_page(tab, tmp_path):
    folder = tmp_path / "many"
    (folder / "models").mkdir(parents=True)
    (folder / "lupom_project.yml").write_text("name: many\nmodels:\n  +materialized: table\n")
    (folder / "models" / "respondents.sql").write_text(
        "select 'many' as survey, i::varchar as respondent_id, map {"
        + ", ".join(f"'A{k}': 'value ' || ((i * {k + 3}) % {k + 7})" for k in range(10))
        + "} as attributes from range(100000) as t(i)"
    )
    with Project(folder) as project:
        assert project.run().status == "success"
        site = generate(project).parent
    page = tab(site, "people")
    said = page.locator("main [role=status]")
    page.get_by_label("Search").fill("99999")  # while the list is being read
    page.wait_for_selector("main [role=status]:text-is('1 respondent')")
    page.get_by_label("Search").fill('A0="value 3"')
    assert said.inner_text() == f"{len(range(1, 100000, 7)):,} respondents"
    assert page.locator("tbody tr").count() == 50
    page.get_by_role("button", name="Show more").click()
    assert page.locator("tbody tr").count() == 250
    go(page, "person/many/99999")
    assert page.inner_text("h1") == "Respondent 99999"
