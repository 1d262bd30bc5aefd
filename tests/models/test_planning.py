"""Plans made of the shipped survey."""

from __future__ import annotations

import pytest

from tests.support.fake_project import FakeProject
from tests.support.staged import staged


@pytest.fixture(scope="module")
def project() -> FakeProject:
    project = staged(
        "delete from gss_2018_responses where index >= 500",
        seed=1,
        tuning_pairs=50,
        test_pairs=50,
        plan_questions=3,
        group_attributes=["SEX"],
    )
    project.build("planning/question_plan.py")
    return project


def test_three_questions_of_the_survey_beat_three_drawn_by_lot(project: FakeProject) -> None:
    rows = project.rows(
        "select questions, question_id, nll from question_plan "
        "where strategy = 'chosen' and attribute is null order by questions"
    )
    assert [questions for questions, *_ in rows] == [0, 1, 2, 3]
    losses = [nll for *_, nll in rows]
    assert losses == sorted(losses, reverse=True)
    assert len({question for _, question, _ in rows}) == 4
    assert (
        project.value(
            "select difference_low from question_plan where strategy = 'random' and questions = 3"
        )
        > 0
    )


def test_held_out_answers_are_known_to_a_plan(project: FakeProject) -> None:
    # Planning is of people to come: its model may read what others may not.
    assert project.configs["question_plan"]["tags"] == ["holdout"]
    [(people,)] = project.rows(
        "select distinct n from question_plan where strategy = 'chosen' and attribute is null"
    )
    assert people == 500
    assert {g for (g,) in project.rows('select distinct "group" from question_plan')} == {
        None,
        "Female",
        "Male",
    }


def test_a_split_questionnaire_of_the_survey(project: FakeProject) -> None:
    for name in ("design_blocks", "design_associations", "design_assignments"):
        project.build(f"planning/{name}.py")
    assert project.rows("select distinct block from design_blocks order by 1") == [
        ("A",),
        ("B",),
        ("C",),
        ("D",),
    ]
    # Two of four: a pair of one block is asked of half of the people, another of a sixth.
    shares = project.rows("select distinct round(asked_together, 3) from design_associations")
    assert {share for (share,) in shares} == {0.5, 0.167}
    strong, weak = (
        project.value(f"select avg(asked_together) from design_associations where {where}")
        for where in ("abs(association) > 0.3", "abs(association) < 0.1")
    )
    assert strong > weak
    assert project.value("select count(*) from design_assignments") == 500
    uneven = (
        "select max(n) - min(n) from (select count(*) as n from design_assignments group by form)"
    )
    assert project.value(uneven) <= 1


WIDE = ("imputations.py", "imputed_columns.py", "imputed_gaps.py", "imputed_wide.py")


def test_imputed_sets_are_one_sheet(project: FakeProject) -> None:
    project.build("staging/survey_designs.py")
    project.build("staging/attribute_labels.py")
    for name in (*WIDE, "imputation_estimates.py"):
        project.build(f"planning/{name}")
    assert project.value("select count(*) from imputations") == 0
    assert project.value("select count(*) from imputed_wide") == 0
    project.vars["imputation_sets"] = 2
    for name in (*WIDE, "imputation_estimates.py"):
        project.build(f"planning/{name}")
    sheets = 'select "Imputation_", count(*) from imputed_wide group by 1 order by 1'
    assert project.rows(sheets) == [(0, 500), (1, 500), (2, 500)]
    # A third was not asked about abortion; who refused or did not know has no answer in any set.
    blank = 'select count(*) from imputed_wide where abany is null and "Imputation_" = {}'
    left = project.value(
        "select count(*) from responses where question_id = 'abany' "
        "and status in ('refused', 'dont_know')"
    )
    assert project.value(blank.format(0)) > 100
    assert project.value(blank.format(2)) == left
    [(low, estimate, high, missing)] = project.rows(
        "select low, estimate, high, missing from imputation_estimates "
        "where question_id = 'abany' and option = 'Yes' and attribute is null"
    )
    assert 0 < low < estimate < high < 1
    assert 0 < missing < 1


def test_which_questions_an_llm_may_answer_is_known_by_those_who_answered(
    project: FakeProject,
) -> None:
    # An LLM that is right of two in three, asked of people who answered and of nobody else.
    project.connection.execute(
        "create table predictions as select survey, respondent_id, question_id, "
        "'history' as predictor, 'default' as llm, null::double as value, 'valid' as status, "
        "if(hash(respondent_id) % 3 > 0, answer, options[1]) as answer, "
        "null::map(varchar, double) as probabilities "
        "from responses join questions using (survey, question_id) "
        "where question_id = 'natheal' and status = 'answered'"
    )
    project.vars["plan_prices"] = {"interview": 10, "llm_call": 0.001}
    for name in (
        *("prediction/predictions_elsewhere", "evaluation/everyones_predictions"),
        *("staging/survey_designs", "evaluation/estimates"),
        *("planning/question_reach", "planning/design_blocks", "planning/prediction_worth"),
        "planning/survey_plan",
    ):
        project.build(f"{name}.py")
    [(low, r2, high, n)] = project.rows("select low, r2, high, n from prediction_worth")
    assert 0.2 < low < r2 < high < 0.9
    assert 400 < n <= 500
    rows = project.rows(
        "select question_id, people, r2 from survey_plan where plan = 'humans_and_llm' "
        "and question_id is not null and attribute is null and reason is null"
    )
    [(humans,)] = project.rows(
        "select people from survey_plan where plan = 'humans' and question_id = 'natheal' "
        "and attribute is null"
    )
    [(question, people, explained)] = rows
    assert (question, explained) == ("natheal", r2)
    assert people < 0.8 * humans
