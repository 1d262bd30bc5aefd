"""The validity card over a project of a few SQL models: what it shows, escapes and discloses."""

from __future__ import annotations

import re

import pytest

from lupom import Project
from lupom.engine.errors import StoreError
from tests.support.browser import browser
from tests.support.commands import lupom

HOSTILE = "<img src=x onerror=alert(1)>"
MODELS = {
    "leaderboard": """
select 's' as survey, 'known' as scenario, pairs, predictor, llm, accuracy, nll, 400 as n
from (values
    ('all', 'majority', null, 0.5, 1.0),
    ('all', 'forest_answers', null, 0.6, 0.8),
    ('llm', 'forest_answers', null, 0.6, 0.8),
    ('llm', 'history', 'HOSTILE', 0.55, 0.9),
    ('llm', 'stack', 'HOSTILE', 0.65, 0.7)
) as t(pairs, predictor, llm, accuracy, nll)
""",
    "validity": """
select 's' as survey, 'known' as scenario, pairs, predictor, llm, "check", value,
    value - 0.05 as low, value + 0.05 as high, reference, verdict, detail, 400 as n
from (values
    ('all', 'majority', null, 'beats_chance', 0.5, 0.25, 'good', null),
    ('all', 'forest_answers', null, 'beats_chance', 0.6, 0.25, 'good', null),
    ('all', 'forest_answers', null, 'fair_to_groups', 0.3, 0.1, 'poor', 'SEX: HOSTILE above man'),
    ('llm', 'forest_answers', null, 'beats_majority', 0.1, 0.0, 'good', null),
    ('llm', 'history', 'HOSTILE', 'beats_majority', 0.01, 0.0, 'open', null),
    ('llm', 'history', 'HOSTILE', 'steady', 0.5, 0.9, 'poor', 'everything'),
    ('llm', 'stack', 'HOSTILE', 'beats_majority', 0.15, 0.0, 'good', null)
) as t(pairs, predictor, llm, "check", value, reference, verdict, detail)
""",
    "surveys": """
select 's' as survey, 'HOSTILE' as title, '2018' as fielded, 'Adults' as population,
    null::varchar as country, null::varchar as language
""",
    "responses": """
select 's' as survey, 'p' || i as respondent_id, 'q' as question_id,
    if(i = 0, 'refused', 'answered') as status, 'Yes' as answer from range(30) as t(i)
""",
    "holdout": "select 's' as survey, 'test' as role from range(7)",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("card")
    (path / "models").mkdir()
    told = "vars:\n  disclosure: {sponsor: The Foundation}\n"
    (path / "lupom_project.yml").write_text(f"name: demo\n{told}models:\n  +materialized: table\n")
    for name, sql in MODELS.items():
        (path / "models" / f"{name}.sql").write_text(sql.replace("HOSTILE", HOSTILE))
    with Project(path) as project:
        assert project.run().status == "success"
    return path


@pytest.fixture(scope="module")
def page(folder):
    with Project(folder) as project:
        return project.validity_card().read_text(encoding="utf-8")


def rows(page):
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.replace("</tr>", "\n")))
    return text


def test_each_check_has_value_interval_verdict_and_what_to_read_it_beside(page):
    text = rows(page)
    assert "How often is it right? share of right answers guessing: 25.0 %" in text
    assert "60.0 % [55.0, 65.0] ✓ good" in text
    assert "30.0 % [25.0, 35.0] ✗ poor" in text
    # An LLM alone is asked whether it stays when the prompt changes.
    assert "50.0 % [45.0, 55.0] ✗ poor everything" in text
    assert "does not apply" in text


def test_of_all_predictors_the_best_are_shown_by_names_a_reader_knows(page):
    assert "Random forest" in page
    assert "<small>forest_answers</small>" in page
    # The floor is what others are read beside.
    assert "majority</small>" not in page


def test_what_is_to_be_disclosed_is_there_and_what_is_not_known_says_so(page):
    text = rows(page)
    assert "s: 30 respondents, 1 questions, 29 answers, 1 refused or not known" in text
    assert "s: 7 test pairs" in text
    assert "LLMs none was asked" in text
    assert "Sponsor The Foundation" in text
    assert "Contact not known to the project" in text


def test_texts_of_a_survey_are_text(page):
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_it_prints_on_one_page(folder, tmp_path):
    with Project(folder) as project:
        path = project.validity_card(tmp_path / "card.html")
    with browser() as chromium:
        tab = chromium.new_page(viewport={"width": 400, "height": 800})
        tab.goto(path.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= 400
        printed = tab.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page[^s]", printed)) == 1


def test_the_command_says_where_it_is(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert lupom("report", "--card", "--output", str(tmp_path / "mine.html")) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "mine.html")
    assert (tmp_path / "mine.html").exists()


def test_before_it_is_built(tmp_path):
    (tmp_path / "lupom_project.yml").write_text("name: empty\nmodels:\n  +materialized: table\n")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "one.sql").write_text("select 1 as x")
    with Project(tmp_path) as project:
        project.run()
        with pytest.raises(StoreError, match="validity is not built yet"):
            project.validity_card()
