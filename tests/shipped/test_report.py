"""The report and the notebook over the shipped survey, and the page in a real browser."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from lupom import Project
from lupom.site.charts import Dot, Point, dots, reliability
from lupom.site.report import gather, render, write_report
from tests.support.browser import OVERLAPS, browser
from tests.support.llm_server import LLMServer
from tests.support.shipped import SMALL_EVALUATION, copy_project

ROOT = Path(__file__).parents[2]

# Marks whose middle is outside the chart they belong to: placed wrongly, or moved by a style.
MARKS_OUTSIDE = """Array.from(document.querySelectorAll('figure .mark')).filter(mark => {
  const m = mark.getBoundingClientRect();
  const c = mark.closest('.track, svg').getBoundingClientRect();
  const x = m.x + m.width / 2, y = m.y + m.height / 2;
  return !m.width || x < c.left || x > c.right || y < c.top || y > c.bottom;
}).map(mark => mark.outerHTML)"""


@pytest.fixture(scope="module")
def page(without_llm, tmp_path_factory) -> Path:
    with Project(without_llm) as project:
        return write_report(project, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="module")
def page_with_llm(tmp_path_factory) -> Path:
    """The report of a few respondents, of whom an LLM was asked; its answers are made up."""
    few = {"test_pairs": 200, "tuning_pairs": 200, "llm_pairs": 30, "llm_tuning_pairs": 30}
    folder = tmp_path_factory.mktemp("asked") / "project"
    with LLMServer() as server:
        copy_project(folder, respondents=80, base_url=server.base_url)
        settings = folder / "lupom_project.yml"
        text = settings.read_text(encoding="utf-8")
        priced = "model: test-model, price: {input: 0.5, output: 1.5}}"
        settings.write_text(text.replace("model: test-model}", priced), encoding="utf-8")
        with Project(folder, vars=few | SMALL_EVALUATION) as project:
            result = project.run()
            assert [node.message for node in result.nodes if node.status == "error"] == []
            return write_report(project, folder / "report.html")


def test_with_an_llm_the_page_says_what_it_is_worth_and_costs(page_with_llm):
    text = page_with_llm.read_text(encoding="utf-8")
    assert "Of the LLM&#39;s own settings the best is" in text or "default) is best." in text
    assert "the most accurate without an LLM is" in text
    assert "The calls that predict cost 0.000" in text
    assert "it is worth asking for" in text
    assert "pairs are too few to be sure" in text
    assert "<td>prediction_answers</td><td>default: test-model</td>" in text


def test_the_page_answers_five_questions(page):
    text = page.read_text(encoding="utf-8")
    for question in (
        "How good?",
        "Compared with what?",
        "For whom?",
        "At what cost?",
        "Should I use the LLM here?",
    ):
        assert f"<dt>{question}</dt><dd>" in text
    assert (
        "the most accurate without an LLM is the denoising autoencoder over answers and attributes"
        " (autoencoder_answers). Against it, the combination of all predictors that need no LLM"
        " (stack_plain): "
    ) in text
    for title in ("How many people it takes", "Sets instead of", "Estimates of the population"):
        assert title in text
    assert "No LLM has predicted anything yet." in text
    assert "Nothing: no LLM was asked." in text
    assert "<script" not in text
    assert "http:" not in text
    assert "https:" not in text


def test_figures_and_the_tables_beneath_them_agree(without_llm):
    with Project(without_llm) as project:
        report = gather(project)
        [(value,)] = project.query(
            "select accuracy from leaderboard where pairs = 'all' and predictor = 'majority'"
        ).rows()
    [figure] = [f for f in report.parts[0].figures if f.caption.startswith("Accuracy, with")]
    [row] = [row for row in figure.table.rows if row[0] == "majority"]
    assert row[1] == f"{100 * value:.1f} %"
    assert row[1] in figure.charts[0][1]


def test_what_people_wrote_cannot_become_markup(without_llm):
    hostile = '<img src=x onerror=alert(1)>"'
    with Project(without_llm) as project:
        report = gather(project)
    report.project = hostile
    report.parts[0].title = hostile
    report.answers.append((hostile, [hostile]))
    report.parts[0].figures[0].charts[0] = (hostile, dots([Dot(hostile, 1.0)], hostile))
    report.parts[0].figures[1].charts[0] = (
        "",
        reliability([Point(0.5, 0.5, None, None, 3)], hostile),
    )
    text = render(report)
    assert "<img" not in text
    assert "&lt;img" in text


@pytest.mark.parametrize("chart", [lambda: dots([], "x"), lambda: reliability([], "x")])
def test_an_empty_chart_is_an_error(chart):
    with pytest.raises(ValueError, match="nothing to draw in 'x'"):
        chart()


@pytest.fixture(scope="class")
def chromium(page, page_with_llm):
    # Both pages are made before: what runs an event loop cannot within Playwright's.
    with browser() as started:
        yield started


class TestInABrowser:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [390, 1280])
    @pytest.mark.parametrize("which", ["page", "page_with_llm"])
    def test_the_page(self, request, chromium, which, width, scheme):
        page = request.getfixturevalue(which)
        view = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        said = []
        view.on("console", lambda message: said.append(message.text))
        view.on("pageerror", lambda error: said.append(str(error)))
        view.goto(page.as_uri())
        assert said == []
        # Nothing is wider than the window, and every figure has marks that are seen.
        assert view.evaluate("document.documentElement.scrollWidth") <= width
        figures = view.locator("figure")
        assert figures.count() >= 5
        for i in range(figures.count()):
            marks = figures.nth(i).locator(".mark")
            assert marks.count() > 0
            assert marks.first.is_visible()
        assert view.evaluate(MARKS_OUTSIDE) == []
        assert view.evaluate(OVERLAPS) == []
        background = view.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(255, 255, 255)") == (scheme == "light")
        # The numbers are a key press away.
        view.locator("summary").first.focus()
        view.keyboard.press("Enter")
        assert view.locator("details table").first.is_visible()
        view.close()


def test_the_notebook_shows_the_same(without_llm, monkeypatch):
    folder = without_llm / "analyses"
    shutil.copytree(ROOT / "analyses", folder, dirs_exist_ok=True)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(folder / "evaluation.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    shown = "".join(
        output.get("data", {}).get("text/html", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    assert "stack_plain" in shown
    assert "<svg" in shown
