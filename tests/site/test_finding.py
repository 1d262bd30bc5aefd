"""What was found, in plain words, of surveys where an LLM helps, does not, or was not asked."""

from __future__ import annotations

import pytest

from lupom import Project
from lupom.site.finding import findings, line
from lupom.site.findings import Findings
from lupom.site.titles import of_setting, titles

# Of each survey: the gain in accuracy of the combination with the LLM over the one without.
LEADERBOARD = """
with gains(survey, gain) as (values
    ('none', null), ('helps', 0.04), ('harms', -0.05), ('nothing', 0.0), ('few', 0.0),
    ('chance', 0.01), ('untold', 0.05), ('small', 0.0)
)
select survey, 'known' as scenario, pairs, predictor,
    if(predictor = 'stack', if(survey = 'small', 'tiny', 'default'), null) as llm,
    accuracy + if(predictor = 'stack', gain, 0) as accuracy, accuracy - 0.03 as low,
    accuracy + 0.03 as high, nll, 900 as n
from gains, (values
    ('all', 'majority', 0.5, 1.0), ('all', 'stack_plain', 0.6, 0.8),
    ('llm', 'stack_plain', 0.6, 0.8), ('llm', 'stack', 0.6, 0.8)
) as t(pairs, predictor, accuracy, nll)
where pairs = 'all' or gain is not null
"""
COMPARISONS = """
with gains(survey, gain, low, high) as (values
    ('helps', 0.04, 0.02, 0.06), ('harms', -0.05, -0.07, -0.02), ('nothing', 0.0, 0.0, 0.0),
    ('few', 0.0, 0.0, 0.0), ('chance', 0.01, -0.01, 0.03), ('untold', 0.05, -0.03, 0.13)
)
-- The other way round, as the table has the better of two first.
select survey, 'known' as scenario, 'llm' as pairs, 'accuracy' as metric,
    'stack_plain' as predictor, null::varchar as llm, 'stack' as against,
    'default' as against_llm, -gain as difference,
    -high as low, -low as high
from gains
union all
select survey, 'known', 'all', 'accuracy', 'stack_plain', null, 'majority', null, 0.1, 0.07, 0.13
from (values ('none'), ('helps')) as t(survey)
union all
select 'chance', 'known', 'all', 'accuracy', 'stack_plain', null, 'majority', null, 0.1, -0.01, 0.21
union all
select 'untold', 'known', 'all', 'accuracy', 'stack_plain', null, 'majority', null, 0.0, -0.1, 0.1
"""
ROUTER = """
select survey, 'default' as llm, 'known' as scenario, null::varchar as question_id, n
from (values ('nothing', 500), ('few', 16)) as t(survey, n)
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finding")
    (folder / "models").mkdir()
    (folder / "lupom_project.yml").write_text(
        "name: demo\nmodels: {+materialized: table}\nllms: {tiny: {provider: embedded}}\n"
    )
    models = {"leaderboard": LEADERBOARD, "comparisons": COMPARISONS, "router": ROUTER}
    for name, sql in models.items():
        (folder / "models" / f"{name}.sql").write_text(sql)
    with Project(folder) as project:
        assert project.run().status == "success"
        yield Findings(project)


@pytest.fixture(scope="module")
def found(tables):
    return {one.survey: one for one in findings(tables)}


def test_the_best_is_named_with_its_interval_and_what_it_gains(found):
    assert found["none"].good == (
        "The combination of all predictors that need no LLM (stack_plain) predicts best: right in"
        " 60.0 % of 900 held-out answers [57.0, 63.0]."
    )
    assert found["none"].against == (
        "Giving everyone the most common answer is right in 50.0 %; the best gains 10.0 points"
        " [7.0, 13.0], more than chance would."
    )
    assert "+10.0 points [-1.0, +21.0] may be chance" in found["chance"].against
    assert "so that nothing is right more often" in found["untold"].against


@pytest.mark.parametrize(
    ("survey", "llm", "next_"),
    [
        ("none", "No LLM has predicted yet.", "name an LLM under llms"),
        (
            "helps",
            "The LLM helps: on the 900 answers it was asked for it adds 4.0 points [2.0, 6.0]",
            "for which questions",
        ),
        ("harms", "The LLM does harm here: ", "do without it"),
        ("nothing", "The LLM adds nothing here: ", "do without it"),
        ("few", "16 tuning pairs are too few to tell", "raise llm_pairs"),
        ("small", "The LLM (tiny) adds nothing here: ", "name a capable LLM"),
        ("chance", "The LLM adds nothing that can be told from chance: ", "do without it"),
        ("untold", "Whether the LLM adds anything cannot be told yet: ", "raise llm_pairs"),
    ],
)
def test_what_the_llm_adds_and_what_to_do_next(found, survey, llm, next_):
    assert llm in found[survey].llm
    assert next_ in found[survey].next


def test_several_surveys_are_a_paragraph_each(tables):
    lines = line(tables).splitlines()
    assert len(lines) == 8
    assert lines[0].startswith("chance: The combination")


def test_predictors_and_settings_have_titles():
    setting = {
        **{"setting": "everything", "history": True, "demographics": True, "persona": "refined"},
        **{
            "neighbours": "common",
            "thought": True,
            "option_order": "given",
            "distribution": "stated",
        },
    }
    found = titles(["majority", "stack", "everything", "unknown"], [setting])
    assert found == {
        "majority": "Most common answer, people counted by survey weight",
        "stack": "Combination of all predictors with the LLM",
        "everything": (
            "LLM told the person's other answers, demographics, persona and what most similar"
            " people answered, thinking first, stating probabilities"
        ),
    }
    assert of_setting({"persona": "none"}) == "LLM told nothing of the person"
