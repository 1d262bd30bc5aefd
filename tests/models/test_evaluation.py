"""Baselines, scores and metrics over the shipped survey, against figures measured beforehand."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from lupom import Project
from lupom.science.predictors import baselines
from tests.support.fake_project import ROOT, FakeProject
from tests.support.scored_people import respondents, right, scored

SHIPPED = baselines.shipped()
# Accuracy on 1,000 held-out pairs, each with an interval of about .03 to either side.
FIGURES = {
    "majority": 0.569,
    "logistic_demographics": 0.603,
    "neighbours_answers": 0.653,
    "logistic_answers": 0.681,
    "boosted_answers": 0.690,
    "autoencoder_answers": 0.697,
}

NO_PREDICTIONS = (
    "create table predictions as select survey, respondent_id, question_id, predictor, llm, "
    "answer, probabilities, missing_mass, status, call_id, null::double as value "
    "from baselines limit 0"
)
# An LLM that always gives the first option, and once nothing usable.
FIRST_OPTION = (
    "insert into predictions select survey, respondent_id, question_id, 'history', 'default', "
    "options[1], null, null, if(row_number() over () = 1, 'invalid', 'valid'), 'call', null "
    "from llm_pairs join questions using (survey, question_id) where role = 'test'"
)
# It shows the history and nothing else, whatever network and retrieval there are for others.
SETTINGS = (
    "create table prediction_settings as select 'history' as setting, 'default' as llm, "
    "'none' as persona, 'none' as neighbours",
    "create table setting_variants as select distinct survey, 'history' as setting, "
    "'bds' as network, 'tuned' as retrieval from questions",
)


# What is not built here comes from a run of the shipped project without an LLM.
LEARNED = (
    *("questions", "closed_questions", "respondents", "responses", "drawn_pairs", "holdout"),
    *("unscored_responses", "follow_ups", "known_responses", "histories"),
    *("learning_respondents", "learning_answers", "learning_questions", "baselines"),
)


@pytest.fixture(scope="module")
def project(without_llm: Path) -> FakeProject:
    project = FakeProject(surveys=["gss_2018"], seed=1)
    store = without_llm / "lupom.duckdb"
    project.connection.execute(f"attach '{store}' as shipped (read_only)")
    for name in LEARNED:
        project.connection.execute(f"create table {name} as from shipped.{name}")
    project.connection.execute("detach shipped")
    for name in ("llm_respondents.sql", "llm_pairs.sql"):
        project.build(f"staging/{name}")
    project.connection.execute(NO_PREDICTIONS)
    project.build("prediction/number_baselines.sql")
    project.connection.execute("create table stacked as select * from predictions")
    project.connection.execute("create table persona_predictions as select * from predictions")
    project.connection.execute(FIRST_OPTION)
    for table in SETTINGS:
        project.connection.execute(table)
    for name in ("scores.py", "metrics.py", "comparisons.py", "calibration.py"):
        project.build(f"evaluation/{name}")
    for name in ("group_metrics.py", "distribution_metrics.py", "leaderboard.sql"):
        project.build(f"evaluation/{name}")
    return project


def test_every_test_pair_is_predicted_by_every_baseline(
    project: FakeProject, without_llm: Path
) -> None:
    counts = project.rows("select predictor, role, count(*) from baselines group by all")
    assert {n for *_, n in counts} == {1000}
    assert {(name, role) for name, role, _ in counts} == {
        (name, role) for name in SHIPPED for role in ("test", "tuning")
    }
    with Project(without_llm) as shipped:
        assert "holdout" not in shipped.nodes["baselines"].tags


def test_baselines_land_within_noise_of_the_figures(project: FakeProject) -> None:
    rows = project.rows(
        "select predictor, value, low, high from metrics "
        "where metric = 'accuracy' and pairs = 'all' order by value"
    )
    assert {name for name, *_ in rows} == set(SHIPPED)
    for name, value, low, high in rows:
        if name in FIGURES:
            assert value == pytest.approx(FIGURES[name], abs=0.035), name
        assert low < value < high < low + 0.08, name
    [(nll,)] = project.rows(
        "select value from metrics where metric = 'nll' and pairs = 'all' "
        "and predictor = 'logistic_answers'"
    )
    assert nll == pytest.approx(0.693, abs=0.05)


def test_a_weighted_metric_of_few_people_is_warned_of() -> None:
    """A survey weight that makes one of forty people nearly everyone."""
    project = FakeProject()
    given = {(f"p{i:04}", "q0"): "never" for i in range(40)}
    for name, heavy in (("one", 1000.0), ("all", 1.2)):
        people = respondents(40, {0: heavy})
        project.add("scores", scored(given, {(name, None): right(1.0)}, count=1, people=people))
        project.build("evaluation/metrics.py")
        test = (ROOT / "tests" / "data" / "weighted_metrics_have_people.sql").read_text()
        sql = jinja2.Template(test).render(ref=lambda name: name, config=lambda **_: "")
        found = project.rows(f"select distinct weighting from ({sql})")
        assert found == ([("survey",)] if name == "one" else [])


TABLES = ("metrics", "comparisons", "calibration", "group_metrics", "distribution_metrics")


@pytest.mark.parametrize("name", ["scores", *TABLES, "leaderboard"])
def test_what_has_seen_held_out_answers_is_tagged(project: FakeProject, name: str) -> None:
    assert project.configs[name]["tags"] == ["holdout"]


def test_the_leaderboard_has_everyone_once(project: FakeProject) -> None:
    rows = project.rows("select predictor, vs_best is null from leaderboard where pairs = 'all'")
    assert sorted(name for name, _ in rows) == sorted(SHIPPED)
    ranks = (
        "select predictor from leaderboard where pairs = 'all' order by expected_rank_error desc"
    )
    assert project.rows(ranks)[0] == ("majority",)
    # Only the best one is not compared with the best one.
    assert sum(best for _, best in rows) == 1
    found = "select llm, network, retrieval from leaderboard where predictor = 'history'"
    assert project.rows(found) == [("default", None, None)]


def test_the_majority_is_worse_than_the_best_and_predicts_less_variance(
    project: FakeProject,
) -> None:
    [(difference, low, p)] = project.rows(
        "select difference, low, p_holm from comparisons where pairs = 'all' "
        "and best_baseline and metric = 'accuracy' and against = 'majority'"
    )
    assert 0 < low < difference
    assert p < 0.1
    ratios = dict(
        project.rows(
            "select predictor, value from distribution_metrics where metric = 'variance_ratio' "
            "and pairs = 'all' and question_id is null and attribute is null"
        )
    )
    assert ratios["majority"] == pytest.approx(0)
    assert 0.2 < ratios["logistic_answers"] < 1.1


def test_groups_add_up(project: FakeProject) -> None:
    whole = dict(
        project.rows(
            "select predictor, round(value * n) from metrics "
            "where metric = 'accuracy' and pairs = 'all'"
        )
    )
    parts = dict(
        project.rows(
            "select predictor, round(sum(value * n)) from group_metrics where attribute = 'SEX' "
            "and measure = 'value' and metric = 'accuracy' and pairs = 'all' group by 1"
        )
    )
    assert parts == whole


def test_everyone_is_judged_on_the_pairs_of_the_llm(project: FakeProject) -> None:
    pairs = project.value("select count(*) from llm_pairs where role = 'test'")
    rows = project.rows(
        "select predictor, llm, n from metrics where metric = 'accuracy' and pairs = 'llm'"
    )
    assert {(name, llm, n) for name, llm, n in rows} == {
        *((name, None, pairs) for name in SHIPPED),
        ("history", "default", pairs),
    }
    assert not project.rows("select * from metrics where llm is not null and pairs = 'all'")


def test_an_invalid_prediction_is_a_wrong_one(project: FakeProject) -> None:
    pairs = project.value("select count(*) from llm_pairs where role = 'test'")
    [(share,)] = project.rows(
        "select value from metrics where predictor = 'history' and metric = 'share_invalid'"
    )
    assert share == pytest.approx(1 / pairs)
    assert project.rows(
        "select distinct correct, ordinal_error from scores where status = 'invalid'"
    ) == [(False, None)]


def test_metrics_come_without_an_llm(project: FakeProject) -> None:
    project.connection.execute("delete from predictions")
    try:
        project.build("evaluation/scores.py")
        project.build("evaluation/metrics.py")
        assert project.value("select count(distinct predictor) from metrics") == len(SHIPPED)
    finally:
        project.connection.execute(FIRST_OPTION)
        project.build("evaluation/scores.py")
        project.build("evaluation/metrics.py")
