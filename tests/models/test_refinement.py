"""The models of refinement over the tables of a small project."""

import pytest

from tests.support.fake_project import FakeProject

CHAIN = [
    "refinement/persona_networks.py",
    "refinement/persona_network_edges.py",
    "refinement/persona_network_parameters.py",
    "refinement/refined_persona_values.py",
    "refinement/refinement_summary.sql",
]


def project(**settings):
    made = FakeProject(**settings)
    made.seed("networks.csv")
    made.connection.execute("""
        create table questions as select unnest(['W34', 'W41']) as survey;
        create table prediction_settings as select 'history' as setting, 'none' as persona;
        create table persona_dimensions as
        select survey, dimension_id, '' as name, '' as description, level,
            ['no', 'yes', 'both'] as candidate_values
        from (values ('trust', 'high'), ('faith', 'mid'), ('risk', 'mid'), ('age', 'low'))
            as d(dimension_id, level), (values ('W34'), ('W41')) as s(survey);
        -- Everything follows the respondent's number; faith is often unknown, one value is wrong.
        create table persona_values as
        select survey, format('r{:03}', i) as respondent_id, dimension_id,
            case
                when dimension_id = 'faith' and i % 3 = 0 then null
                when dimension_id = 'trust' and i = 7 then 'both'
                when i % 2 = 0 then 'yes' else 'no'
            end as value,
            'c' as call_id
        from persona_dimensions, range(90) t(i);
    """)
    return made


def test_the_summary_says_what_became_of_each_dimension():
    made = project(seed=1)
    for path in CHAIN:
        made.build(path)
    rows = made.rows("""
        select dimension_id, level, respondents, missing, much_missing, kept, replaced, filled,
            left_unknown, parents + children > 0
        from refinement_summary where survey = 'W34' order by dimension_id
    """)
    assert rows == [
        ("age", "low", 90, 0, False, 90, 0, 0, 0, True),
        ("faith", "mid", 90, 30, True, 60, 0, 30, 0, True),
        ("risk", "mid", 90, 0, False, 90, 0, 0, 0, True),
        ("trust", "high", 90, 0, False, 89, 1, 0, 0, True),
    ]
    assert made.rows("""
        select value, refined_value, probability > 0.5, raw_probability < 0.5
        from refined_persona_values
        where changed and dimension_id = 'trust' and survey = 'W41'
    """) == [("both", "no", True, True)]
    shares = made.rows("select distinct missing_share from refinement_summary order by 1")
    assert shares == [(0.0,), (pytest.approx(1 / 3),)]


def test_the_share_at_which_a_dimension_is_flagged_is_a_setting():
    made = project(refine_much_missing=0.5)
    for path in CHAIN:
        made.build(path)
    assert made.value("select count(*) from refinement_summary where much_missing") == 0


# Values as LLMs write them: with commas, slashes, quotes and equals signs, in any script, alike but
# for case, and up to seven.
ODD = [
    ["Never", "Only if life, rape or incest", 'In "most" cases', "It's always / ever"],
    ["=1", "-", "null", "None", "NaN", "{}", "a; b | c"],
    ["Доверяет", "Сомневается", "不信任", "信任", "يثق", "trusts", "Trusts"],
]


@pytest.mark.parametrize("score", ["bds", "bic"])
def test_values_may_be_any_words(score):
    made = project(network_score=score)
    made.connection.execute("""
        create or replace table persona_dimensions as
        select 'W34' as survey, unnest($1) as dimension_id, unnest($2) as name, 'x' as description,
            unnest(['high', 'mid', 'low']) as level, unnest($3) as candidate_values,
            unnest([true, false, true]) as ordered;
    """, [
        ["position_on_legal_abortion", "dimension_2", "доверие_к_науке"],
        ["Legal Abortion (Circumstances)", 'A "dimension", so/to say', "Доверие: к науке"],
        ODD,
    ])  # fmt: skip
    made.connection.execute("""
        create or replace table persona_values as
        select survey, format('r{:03}', i) as respondent_id, dimension_id,
            if(i % 5 = 0, null, candidate_values[1 + i % len(candidate_values)]) as value,
            'c' as call_id
        from persona_dimensions, range(140) t(i);
    """)
    for path in [*CHAIN, "refinement/personas.sql", "refinement/personas_wide.sql"]:
        made.build(path)
    known = "value is not null and not list_contains(candidate_values, value)"
    assert (
        made.rows(f"""
        select dimension_id, value from persona_network_parameters
        join persona_dimensions using (survey, dimension_id) where {known}
    """)
        == []
    )
    assert (
        made.rows(f"""
        select dimension_id, value from refined_persona_values
        join persona_dimensions using (survey, dimension_id) where {known}
    """)
        == []
    )
    kept = made.rows("select distinct value from refined_persona_values where value is not null")
    assert {value for (value,) in kept} == {value for values in ODD for value in values}
    wide = made.connection.sql("select * from personas_wide")
    assert 'A "dimension", so/to say' in wide.columns
    assert len(wide.columns) == 6


@pytest.mark.parametrize(
    "settings",
    [
        {"network_score": {"W34": "bds", "W41": "bic", "default": "bdeu"}},
        {"network_missing": "available", "refine_reports": "facts", "refine_iterations": 2},
        {"network_missing": "value", "refine_reports": "facts"},
        {"network_score": "bic", "network_missing": "nal"},
        {
            "refine_reports": "facts",
            "refine_evidence_levels": ["low"],
            "refine_min_probability": {"high": 0.0, "mid": 0.8},
            "refine_min_fill": 0,
        },
        {"network_required_edges": [["age", "trust"]], "network_level_order": False},
    ],
)
def test_every_setting_builds(settings):
    made = project(**settings)
    for path in CHAIN:
        made.build(path)
    assert made.value("select count(*) from refined_persona_values") == 2 * 90 * 4
    assert made.value("select count(*) from refinement_summary") == 2 * 4


def test_the_score_of_each_survey_is_a_setting():
    def gains(survey, setting):
        made = project(network_score=setting)
        for path in CHAIN[:2]:
            made.build(path)
        return made.rows(
            f"select parent, child, gain from persona_network_edges where survey = '{survey}'"
        )

    mixed = {"W41": "bic", "default": "bds"}
    assert gains("W41", mixed) == gains("W41", "bic")
    assert gains("W34", mixed) == gains("W34", "bds")
    assert gains("W41", mixed) != gains("W41", "bds")


def test_the_sheet_has_a_row_per_network_and_no_column_twice():
    made = FakeProject()
    made.connection.execute("""
        create table persona_dimensions as
        select 's' as survey, * from (values
            ('d1', 'Trust'), ('d2', 'trust'), ('d3', 'Network'), ('d4', 'News')
        ) as d(dimension_id, name), (select 'mid' as level, '' as description);
        create table refined_persona_values as
        select survey, network, respondent_id, dimension_id, 'raw' as value,
            concat_ws(' ', network, respondent_id, dimension_id) as refined_value,
            0.5 as probability
        from persona_dimensions, (values ('bds'), ('bic')) as n(network),
            (values ('a'), ('b')) as r(respondent_id);
    """)
    made.build("refinement/personas.sql")
    made.build("refinement/personas_wide.sql")
    sheet = made.connection.sql("select * from personas_wide")
    columns = ["survey", "network", "respondent_id", "Network (d3)", "News", "Trust (d1)"]
    assert sheet.columns == [*columns, "trust (d2)"]
    assert made.rows('select network, respondent_id, "Network (d3)", news from personas_wide') == [
        (n, r, f"{n} {r} d3", f"{n} {r} d4") for n in ("bds", "bic") for r in ("a", "b")
    ]
