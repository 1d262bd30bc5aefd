"""Estimates of the shipped survey: what is asked of some is estimated of all."""

from __future__ import annotations

import pytest

from tests.support.fake_project import FakeProject
from tests.support.staged import staged

NOBODY = (
    "create table predictions as select ''::varchar as survey, '' as respondent_id, "
    "'' as question_id, '' as predictor, '' as llm, '' as answer, 1.0 as value, "
    "null::map(varchar, double) as probabilities, 'valid' as status limit 0"
)


def built(*, llm: str = "", **vars: object) -> FakeProject:
    project = staged(seed=1, tuning_pairs=0, test_pairs=0, **vars)
    project.connection.execute(NOBODY)
    if llm:
        project.connection.execute(llm)
    project.build("prediction/predictions_elsewhere.py")
    project.build("staging/survey_designs.py")
    project.build("evaluation/everyones_predictions.py")
    project.build("evaluation/estimates.py")
    return project


@pytest.fixture(scope="module")
def project() -> FakeProject:
    # An LLM that says what people say in two of three cases, and then the first option.
    return built(
        group_attributes=["SEX", "RACE"],
        llm="insert into predictions select survey, respondent_id, question_id, 'history', "
        "'default', if(hash(respondent_id) % 3 > 0 and answer is not null, answer, options[1]), "
        "null, null, 'valid' from responses join questions using (survey, question_id) "
        "where question_id = 'abany'",
    )


def test_the_classical_share_is_the_share(project: FakeProject) -> None:
    shares = dict(
        project.rows(
            "select option, estimate from estimates where question_id = 'natspac' "
            "and statistic = 'share' and method = 'classical' and attribute is null"
        )
    )
    counted = dict(
        project.rows(
            "select answer, count(*) / sum(count(*)) over () from responses "
            "where question_id = 'natspac' and status = 'answered' group by answer"
        )
    )
    assert shares == pytest.approx(counted)


def test_shares_sum_to_one_by_every_method(project: FakeProject) -> None:
    sums = project.rows(
        "select method, predictor, sum(estimate) from estimates "
        "where statistic = 'share' and against is null "
        'group by question_id, attribute, "group", method, predictor'
    )
    assert {method for method, *_ in sums} == {"classical", "powered", "naive"}
    assert [total for *_, total in sums] == pytest.approx([1.0] * len(sums))


def test_each_question_has_one_recommended_estimate_and_it_is_no_wider(
    project: FakeProject,
) -> None:
    rows = project.rows(
        "select question_id, option, any_value(std_error) filter (recommended), "
        "any_value(std_error) filter (method = 'classical'), count(*) filter (recommended), "
        "bool_and(valid) filter (recommended) from estimates "
        "where statistic = 'share' and attribute is null group by all"
    )
    assert len(rows) == 68
    for question, option, ours, classical, recommended, valid in rows:
        assert (recommended, valid) == (1, True), question
        assert ours <= 1.01 * classical, (question, option)


def test_predictions_alone_are_marked_as_not_valid(project: FakeProject) -> None:
    rows = project.rows(
        "select predictor, llm, n_humans, n_effective, valid, recommended from estimates "
        "where method = 'naive' and attribute is null and statistic = 'share' limit 1"
    )
    assert rows == [("history", "default", 0, None, False, False)]


def test_an_llm_that_was_told_nothing_of_it_enters_with_the_rest(project: FakeProject) -> None:
    effective = dict(
        project.rows(
            "select predictor, any_value(n_effective) from estimates where question_id = 'abany' "
            "and statistic = 'share' and attribute is null and method = 'powered' "
            "group by predictor"
        )
    )
    assert set(effective) == {"ridge_answers", "history", "all"}
    assert effective["all"] > effective["ridge_answers"]


def test_what_only_those_who_answered_were_asked_besides_helps_nobody(project: FakeProject) -> None:
    # A third was not asked about abortion at all: that others were asked seven such questions says
    # nothing of them.
    [(n, effective, imbalance)] = project.rows(
        "select n_humans, n_effective, imbalance from estimates where question_id = 'abany' "
        "and predictor = 'ridge_answers' and statistic = 'mean' and attribute is null"
    )
    assert n < effective < 1.2 * n
    assert imbalance < 4


def test_the_difference_of_two_groups_is_that_of_their_shares(project: FakeProject) -> None:
    rows = {
        (group, against): (estimate, low, high)
        for group, against, estimate, low, high in project.rows(
            'select "group", against, estimate, low, high from estimates where recommended '
            "and question_id = 'natarms' and option = 'Too much' and attribute = 'SEX'"
        )
    }
    assert set(rows) == {("Female", None), ("Male", None), ("Male", "Female")}
    difference, low, high = rows["Male", "Female"]
    assert difference == pytest.approx(rows["Male", None][0] - rows["Female", None][0])
    assert low < difference < high


def test_clusters_widen_intervals() -> None:
    # People of one place answer alike here: each cluster is one of AGE, a nonsense that shows.
    plain = built(group_attributes=[])
    clustered = built(group_attributes=[], survey_design={"cluster": "gss_id", "stratum": "SEX"})
    query = (
        "select std_error from estimates where question_id = 'natspac' and method = 'classical' "
        "and statistic = 'mean'"
    )
    assert clustered.value(query) == pytest.approx(plain.value(query), rel=0.02)
    rows = clustered.rows(
        "select count(distinct cluster), count(distinct stratum) from survey_designs"
    )
    assert rows == [(2348, 2)]


@pytest.mark.parametrize(
    ("design", "said"),
    [
        ({"cluster": "gss_idd"}, "no column 'gss_idd'.*did you mean 'gss_id'"),
        ({"cluster": "natspac"}, "'natspac' is a question"),
        ({"kluster": "gss_id"}, "unknown key 'kluster'; did you mean 'cluster'"),
        ({"gss_2019": {"cluster": "gss_id"}}, "no survey 'gss_2019'; did you mean 'gss_2018'"),
        ({"replicates": "AG*"}, "no method is told"),
        ({"replicates": "REP*", "method": "brr"}, "no column of responses is 'REP"),
        ({"replicates": ["gss_id"], "method": "brr"}, "one column of replicate weights"),
        (
            {"replicates": ["gss_id", "SEX"], "method": "brr"},
            "row 1: a replicate weight is a number",
        ),
        ({"replicates": "g*", "method": "fay"}, "Fay's coefficient"),
        ({"replicates": "g*", "cluster": "gss_id", "method": "brr"}, "one or the other"),
        ({"cluster": "INCOME"}, "row 1: a respondent's cluster is blank"),
        ("gss_id", "expected a mapping"),
        ({"method": "brr"}, "method without columns of replicate weights"),
        ({"cluster": "gss_id", "fay": 0.5}, "fay without columns"),
        ({"replicates": [], "method": "brr"}, "replicates without columns"),
        ({"cluster": None}, "neither a cluster, a stratum nor replicates"),
    ],
)
def test_a_design_that_does_not_fit_is_told(
    design: object, said: str, project: FakeProject
) -> None:
    project.vars["survey_design"] = design
    try:
        with pytest.raises(ValueError, match=said):
            project.build("staging/survey_designs.py")
    finally:
        del project.vars["survey_design"]


def test_predictions_made_elsewhere_of_everyone_count(project: FakeProject) -> None:
    """Somebody's model has a good guess for all 2,348 people, whether they were asked or not."""
    there = staged(
        seed=1,
        tuning_pairs=50,
        test_pairs=50,
        group_attributes=[],
        predictions_elsewhere=["theirs"],
    )
    there.connection.execute(
        "create table theirs as select respondent_id, question_id, "
        "coalesce(answer, 'Yes') as answer from responses where question_id = 'abany'"
    )
    there.connection.execute(NOBODY)
    there.build("prediction/predictions_elsewhere.py")
    assert there.value("select count(*) from predictions_elsewhere") < 20
    there.build("staging/survey_designs.py")
    there.build("evaluation/everyones_predictions.py")
    there.build("evaluation/estimates.py")
    [(power, effective, n, predicted)] = there.rows(
        "select power, n_effective, n_humans, n_predicted from estimates "
        "where predictor = 'elsewhere' and llm = 'theirs' and method = 'powered' "
        "and statistic = 'mean'"
    )
    assert predicted == 2348
    assert power > 0.5
    assert effective > 1.2 * n
