"""The first rule of honesty: held-out answers reach nothing before scoring."""

from __future__ import annotations

import random

import pytest

from lupom import Project
from tests.support.answers import personas
from tests.support.few_rows import all_cores
from tests.support.llm_server import LLMServer
from tests.support.shipped import FEW_DRAWS, INFO, RESPONSES, copy_project, read_csv, write_csv

VARS = {
    **FEW_DRAWS,
    # Of each predictor that ships tests/science/predictors/test_baselines.py shows the same.
    "predictors": ["majority", "logistic_answers", "network_answers", "boosted_answers"],
    "test_pairs": 150,
    "tuning_pairs": 150,
    "llm_test_respondents": 12,
    "llm_reference_respondents": 25,
    "llm_pairs": 12,
    "llm_tuning_pairs": 24,
    "new_respondents": 10,
    "new_respondents_tuning": 10,
    "new_questions": 2,
    "new_questions_tuning": 2,
    "new_respondent_pairs": 60,
    "new_question_pairs": 60,
}


def run(folder, *, vars=VARS, **options):
    with Project(folder, vars=vars) as project:
        result = project.run(**options)
        assert [node.message for node in result.nodes if node.status == "error"] == []
        hashes = {
            name: record.content_hash
            for name, record in project.store.records().items()
            if record.content_hash is not None
        }
        tagged = {name for name in project.nodes if "holdout" in project.nodes[name].tags}
        pairs = project.query("select respondent_id, question_id, role from holdout").rows()
        options = dict(project.query("select question_id, options from questions").rows())
    return hashes, tagged, pairs, options


def permuted(folder, pairs, *roles):
    """Exchange the answers of some roles within each question, in the file they are read from."""
    rows = read_csv(folder / RESPONSES)
    header = rows[0]
    line = {row[header.index("index")]: i for i, row in enumerate(rows)}
    cells: dict[str, list[tuple[int, int]]] = {}
    for respondent, question in (pair[:2] for pair in pairs if pair[2] in roles):
        cells.setdefault(question, []).append((line[respondent], header.index(question)))
    changed = 0
    draw = random.Random(7)
    for places in cells.values():
        values = [rows[i][j] for i, j in places]
        shuffled = draw.sample(values, len(values))
        for (i, j), value in zip(places, shuffled, strict=True):
            changed += rows[i][j] != value
            rows[i][j] = value
    write_csv(folder / RESPONSES, rows)
    return changed


# What is chosen or combined on tuning pairs, and what is made of that.
TUNED = {
    "tuning_answers",
    "similar_respondents_search",
    "stacked",
    "stack_weights",
    "fitted_stack",
    "predictors_cost",
    "router",
    "prediction_sets",
}


@pytest.fixture(scope="module")
def server():
    with LLMServer(answers=personas) as running:
        yield running


@pytest.fixture(scope="module")
def first(tmp_path_factory, server):
    """What a run of 600 people gives, and how many requests it took."""
    folder = tmp_path_factory.mktemp("honesty") / "one"
    copy_project(folder, respondents=600, base_url=server.base_url)
    before = server.requests
    # On all cores, while those that are compared with it have one.
    with all_cores():
        ran = run(folder)
    return *ran, server.requests - before


def test_permuted_held_out_answers_change_no_table_before_scoring_and_put_back_none(
    tmp_path, server, first
):
    before, tagged, pairs, _, asked = first
    other = copy_project(tmp_path / "other", respondents=600, base_url=server.base_url)
    as_it_was = (other / RESPONSES).read_bytes()
    assert permuted(other, pairs, "test", "hidden") > 150
    begun = server.requests
    after, *_ = run(other)
    assert server.requests == begun + asked
    assert before.keys() == after.keys()
    different = {name for name in before if before[name] != after[name]}
    # What is tagged did change, or this test would show nothing.
    assert {"responses", "holdout", "scores", "metrics"} <= different
    assert different <= tagged
    # And there was something that could have changed: personas, and neighbours found by them.
    with Project(other, vars=VARS) as project:
        assert project.query("select * from refined_persona_values").rows()
        found = project.query("select distinct compared_by from similar_respondents").rows()
    assert found == [("persona_demographics",)]
    # The answers to tuning pairs reach what is tuned on them, and nothing else.
    assert permuted(other, pairs, "tuning") > 50
    tuned, *_ = run(other)
    different = {name for name in after if after[name] != tuned[name]}
    assert different >= TUNED
    assert different <= tagged | TUNED
    # With every answer back in its place each table is the one of the first run, which was in
    # another folder: whatever was built again was built the same.
    (other / RESPONSES).write_bytes(as_it_was)
    again, *_ = run(other)
    assert {name for name in again if before[name] != again[name]} == set()
    assert again.keys() == before.keys()


def test_a_tuned_retrieval_setting_depends_on_no_test_answer(tmp_path):
    # Neighbours by known answers, a setting chosen on tuning pairs; no LLM has a part in it.
    vars = VARS | {"retrieval": "tuned", "retrieval_search": {"k": [3, 10, 40]}}
    part = {
        "vars": vars,
        "no_llm": True,
        "select": ["+neighbour_answers", "+similar_respondents_tuned_on_test"],
    }
    folder = copy_project(tmp_path / "one", respondents=300)
    before, tagged, pairs, _ = run(folder, **part)
    assert permuted(folder, pairs, "test", "hidden") > 100
    after, *_ = run(folder, **part)
    different = {name for name in before if before[name] != after[name]}
    assert {"holdout", "similar_respondents_tuned_on_test"} <= different
    assert different <= tagged
    assert permuted(folder, pairs, "tuning") > 50
    tuned, *_ = run(folder, **part)
    different = {name for name in after if after[name] != tuned[name]}
    # Through the choice they may reach neighbours and what neighbours answered.
    assert {"tuning_answers", "similar_respondents_search"} <= different
    chosen = {"tuning_answers", "similar_respondents_search", "similar_respondents"}
    assert different <= tagged | chosen | {"neighbour_answers"}


def test_who_learns_from_tested_people_learns_none_of_their_held_out_answers(tmp_path):
    part = {
        "vars": VARS | {"learn_from_tested": True, "predictors": ["majority", "logistic_answers"]},
        "no_llm": True,
        "select": ["+baselines"],
    }
    folder = copy_project(tmp_path / "one", respondents=300)
    before, tagged, pairs, _ = run(folder, **part)
    with Project(folder, vars=part["vars"]) as project:
        tested = "select distinct respondent_id from holdout where role = 'test'"
        learns = f"select count(*) from ({tested}) join learning_respondents using (respondent_id)"
        assert project.query(learns).rows()[0][0] > 20
    assert permuted(folder, pairs, "test", "hidden", "tuning") > 200
    after, *_ = run(folder, **part)
    different = {name for name in before if before[name] != after[name]}
    assert "responses" in different
    assert different <= tagged
    assert {"learning_answers", "fitted_predictors", "baselines"} <= before.keys()


def test_a_duplicate_of_a_held_out_question_is_reported(tmp_path):
    folder = copy_project(tmp_path / "project", respondents=300)
    info, answers = folder / INFO, folder / RESPONSES
    rows = read_csv(info)
    twin = [*rows[1]]
    key = rows[0].index("key")
    copied, twin[key] = twin[key], "TWIN"
    twin[rows[0].index("question")] = "Something else altogether"
    write_csv(info, [*rows, twin])
    rows = read_csv(answers)
    place = rows[0].index(copied)
    write_csv(answers, [[*rows[0], "TWIN"], *([*row, row[place]] for row in rows[1:])])
    with Project(folder, vars=VARS) as project:
        result = project.run(["+question_twins"], no_llm=True, tests=True)
        assert [n.message for n in result.nodes if n.status in ("error", "fail")] == []
        twins = project.query("select question_id, twin_id, association from question_twins").rows()
    assert twins == [(*sorted([copied, "TWIN"]), 1.0)]
    [test] = [node for node in result.nodes if node.node == "no_question_twins"]
    assert (test.status, test.rows) == ("warn", 1)
