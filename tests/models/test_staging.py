"""The staging models over the shipped survey."""

from __future__ import annotations

import duckdb
import pytest

from tests.support.fake_project import FakeProject
from tests.support.staged import staged

UNTAGGED = (
    *("questions", "respondents", "known_responses", "histories", "llm_respondents", "llm_pairs"),
)


@pytest.fixture(scope="module")
def project() -> FakeProject:
    return staged(seed=1)


@pytest.fixture(scope="module")
def other(project: FakeProject) -> FakeProject:
    """The same with other held-out answers."""
    return staged(rotated(project), seed=1)


@pytest.fixture(scope="module")
def small() -> FakeProject:
    """The answers of forty people."""
    return staged('delete from gss_2018_responses where "index" >= 40', seed=1)


def test_every_respondent_question_and_cell_is_there(project: FakeProject) -> None:
    assert project.value("select count(*) from questions") == 25
    assert project.value("select count(*) from respondents") == 2348
    assert project.value("select count(*) from responses") == 2348 * 25
    assert project.value("select count(*) from known_responses") == 2348 * 25


def test_batteries_leave_the_item(project: FakeProject) -> None:
    rows = dict(project.rows("select question_id, item from questions"))
    assert rows["natspac"] == "Space exploration program."
    assert rows["abany"] == "If the woman wants it for any reason?"
    assert project.value("select count(distinct battery) from questions") == 2
    assert (
        project.value("select count(*) from questions where battery || ' ' || item <> question")
        == 0
    )


def test_answers_are_texts_of_options(project: FakeProject) -> None:
    counts = project.rows("select status, count(*) from responses group by all order by 2")
    assert counts == [("not_asked", 8033), ("answered", 50667)]
    assert not project.rows(
        "select * from responses join questions using (survey, question_id) "
        "where answer is not null and not list_contains(options, answer)"
    )


def test_a_thousand_test_pairs_and_tuning_pairs_of_others(project: FakeProject) -> None:
    counts = dict(project.rows("select role, count(*) from holdout group by all"))
    assert counts == {"test": 1000, "tuning": 1000}
    assert not project.rows(
        "select respondent_id from holdout where role = 'test' "
        "intersect select respondent_id from holdout where role = 'tuning'"
    )


def test_more_pairs_than_there_are_is_a_fifth_of_them() -> None:
    # A heap of DuckDB's has fewer than a million.
    counts = []
    for pairs in (999_999, 1_000_000):
        project = staged(seed=1, test_pairs=pairs, tuning_pairs=pairs)
        counts.append(project.rows("select role, count(*) from holdout group by all order by all"))
    assert counts[0] == counts[1]
    assert counts[0][0] == ("test", 10133)


def test_known_responses_hold_no_held_out_answer(project: FakeProject) -> None:
    roles = "select role, status, count(answer) from known_responses group by all order by all"
    assert project.rows(roles) == [
        ("known", "answered", 48667),
        ("known", "not_asked", 0),
        ("test", "held_out", 0),
        ("tuning", "held_out", 0),
    ]


def test_histories_follow_the_questionnaire_without_held_out_answers(project: FakeProject) -> None:
    assert project.value("select count(*) from histories") == 2348
    assert project.value("select sum(n_answers) from histories") == 48667
    assert not project.rows(
        "select 1 from (select survey, respondent_id, unnest(history).question_id as question_id "
        "from histories) join holdout using (survey, respondent_id, question_id)"
    )
    [(given, order)] = project.rows(
        "select list_transform(history, lambda h: h.question_id), "
        "(select list(question_id order by position) from questions) from histories "
        "order by n_answers desc, respondent_id limit 1"
    )
    assert given == [question for question in order if question in given]


def test_the_llm_sees_a_sample_and_predicts_held_out_pairs_of_it(project: FakeProject) -> None:
    sizes = dict(project.rows("select role, count(*) from llm_respondents group by all"))
    assert sizes == {"test": 20, "reference": 24}
    sizes = dict(project.rows("select role, count(*) from llm_pairs group by all"))
    assert sizes == {"test": 50, "tuning": 40}
    assert not project.rows(
        "select survey, respondent_id, question_id, role, scenario from llm_pairs "
        "except select survey, respondent_id, question_id, role, scenario from holdout"
    )


def test_a_compact_sample_has_the_same_pairs_of_fewer_people(project: FakeProject) -> None:
    spread = staged(seed=1, llm_sample="spread", llm_test_respondents=60)
    people = "select count(*), count(distinct respondent_id) from llm_pairs where role = 'test'"
    assert project.rows(people) == [(50, 16)]
    [(pairs, many)] = spread.rows(people)
    assert pairs == 50
    assert many > 40


def test_a_sample_that_is_not_known_is_told_before_anybody_is_asked() -> None:
    with pytest.raises(duckdb.Error, match="llm_sample is compact or spread, not compat"):
        staged(seed=1, llm_sample="compat")


def test_who_is_in_the_sample_depends_on_no_answer(
    project: FakeProject, other: FakeProject
) -> None:
    most = (
        "select min(n) from (select count(*) as n from holdout join llm_respondents using"
        " (survey, respondent_id) where llm_respondents.role = 'test' group by respondent_id)"
    )
    assert project.value(most) == 3
    sample = "from llm_respondents order by all"
    assert other.rows(sample) == project.rows(sample)


def test_only_the_filters_and_the_tagged_read_answers(project: FakeProject) -> None:
    assert project.configs["responses"]["tags"] == ["holdout"]
    assert project.configs["holdout"]["tags"] == ["holdout"]
    assert project.configs["known_responses"]["filters_holdout"] is True
    assert project.configs["respondents"]["filters_holdout"] is True


def test_another_seed_draws_other_pairs(project: FakeProject) -> None:
    other = staged(seed=2)
    pairs = "select respondent_id, question_id from holdout where role = 'test'"
    assert len(set(project.rows(pairs)) & set(other.rows(pairs))) < 100


def test_permuted_held_out_answers_change_no_untagged_table(
    project: FakeProject, other: FakeProject
) -> None:
    assert set(other.rows("from holdout")) != set(project.rows("from holdout"))
    for name in UNTAGGED:
        mine, theirs = (p.rows(f"from {name} order by all") for p in (project, other))
        assert mine == theirs, name


def rotated(project: FakeProject) -> str:
    """Return SQL that hands each held-out answer on to the next respondent held out."""
    changes = []
    for (question,) in project.rows("select question_id from questions order by position"):
        held = project.rows(
            "select respondent_id, list_position(options, answer) from holdout "
            "join questions using (survey, question_id) "
            f"where question_id = '{question}' order by respondent_id"
        )
        cases = " ".join(
            f"when {person} then {held[i - 1][1]}" for i, (person, _) in enumerate(held)
        )
        changes.append(
            f'update gss_2018_responses set "{question}" = case "index" {cases} end '
            f'where "index" in ({", ".join(person for person, _ in held)})'
        )
    return ";\n".join(changes)


def test_a_small_survey_keeps_most_answers(small: FakeProject) -> None:
    answered = small.value("select count(*) from responses where status = 'answered'")
    counts = dict(small.rows("select role, count(*) from holdout group by all"))
    assert counts["test"] == answered // 5
    assert small.value("select count(answer) from known_responses") > answered / 2


def test_a_small_survey_keeps_half_of_its_people_to_learn_from(
    project: FakeProject, small: FakeProject
) -> None:
    people = dict(
        small.rows("select role, count(distinct respondent_id) from holdout group by all")
    )
    everybody = small.value("select count(*) from respondents")
    assert people["test"] == everybody // 2
    assert people["tuning"] <= everybody - people["test"]
    # A draw that takes fewer people is as it was: these pairs have the first hashes of all.
    assert project.value(
        "select count(distinct respondent_id) from holdout where role = 'test'"
    ) < 0.5 * project.value("select count(*) from respondents")
    hashed = "md5(concat_ws('|', '1', survey, respondent_id, question_id))"
    assert not project.rows(
        "from (select respondent_id, question_id from responses where status = 'answered' "
        f"order by {hashed} limit 1000) "
        "except select respondent_id, question_id from holdout where role = 'test'"
    )


SCENARIOS = {
    "new_respondents": 60,
    "new_respondents_tuning": 40,
    "new_questions": ["abany", "natspac"],
    "new_questions_tuning": 1,
    "new_respondent_pairs": 300,
    "new_question_pairs": 200,
}


@pytest.fixture(scope="module")
def scenarios() -> FakeProject:
    return staged(seed=1, **SCENARIOS)


def test_new_respondents_and_questions_have_pairs_of_their_own(scenarios: FakeProject) -> None:
    counts = scenarios.rows(
        "select scenario, role, count(*) from holdout where role <> 'hidden' "
        "group by all order by all"
    )
    assert counts == [
        ("known", "test", 1000),
        ("known", "tuning", 1000),
        ("new_question", "test", 200),
        ("new_question", "tuning", 200),
        ("new_respondent", "test", 300),
        ("new_respondent", "tuning", 300),
    ]
    asked = "select distinct question_id from holdout where scenario = 'new_question' and role = "
    assert set(scenarios.rows(asked + "'test'")) == {("abany",), ("natspac",)}
    assert len(scenarios.rows(asked + "'tuning'")) == 1


def test_nothing_is_known_of_what_is_new(scenarios: FakeProject) -> None:
    for scenario, key in (("new_respondent", "respondent_id"), ("new_question", "question_id")):
        new = f"(select {key} from holdout where scenario = '{scenario}' and role <> 'hidden')"
        known = f"from known_responses where {key} in {new}"
        assert scenarios.value(f"select count(*) {known}") > 1000
        assert scenarios.value(f"select count(answer) {known}") == 0
    assert scenarios.rows("select count(*), sum(n_answers) from histories where role = 'new'") == [
        (100, 0)
    ]
    assert not scenarios.rows(
        "select 1 from (select survey, respondent_id, unnest(history).question_id as question_id "
        "from histories) join holdout using (survey, respondent_id, question_id)"
    )


def test_roles_of_people_stay_apart_in_every_scenario(scenarios: FakeProject) -> None:
    of = "select respondent_id from holdout where role = "
    assert not scenarios.rows(f"{of} 'test' intersect {of} 'tuning'")
    assert not scenarios.rows(
        "select 1 from llm_respondents join histories using (survey, respondent_id) "
        "where histories.role = 'new'"
    )


def test_the_llm_predicts_pairs_of_every_scenario(scenarios: FakeProject) -> None:
    counts = scenarios.rows("select distinct scenario, role from llm_pairs order by all")
    assert counts == [
        (scenario, role)
        for scenario in ("known", "new_question", "new_respondent")
        for role in ("test", "tuning")
    ]


def test_scenarios_hide_the_answers_and_not_only_the_drawn_ones(scenarios: FakeProject) -> None:
    other = staged(rotated(scenarios), seed=1, **SCENARIOS)
    assert set(other.rows("from holdout")) != set(scenarios.rows("from holdout"))
    for name in UNTAGGED:
        mine, theirs = (p.rows(f"from {name} order by all") for p in (scenarios, other))
        assert mine == theirs, name


def test_running_numbers_that_are_ids_are_told() -> None:
    assert staged(seed=1).notes == []
    told = staged('alter table gss_2018_responses rename "index" to "Unnamed: 0"').notes
    assert told == [
        "gss_2018: responses has no column 'index', 'respondent_id' or 'QKEY': "
        "the running numbers in 'Unnamed: 0' are the respondents' ids"
    ]
