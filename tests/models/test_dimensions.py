"""From candidates to dimensions: whose words and values are taken, and what is asked of whom."""

from __future__ import annotations

import duckdb
import pytest

from lupom import Project
from tests.support.fake_project import FakeProject
from tests.support.shipped import copy_project

CLUSTERS = """
    create table dimension_clusters as
    select 's' as survey, level, cluster, count(*) over (partition by cluster) as cluster_size,
        name, description, candidate_values::varchar[] as candidate_values,
        ordered::boolean as ordered, scale::varchar as scale
    from (values {rows})
        as t(level, cluster, name, description, candidate_values, ordered, scale)
"""
MERGED = """
    create table merged_dimensions as
    select 's' as survey, * replace (candidate_values::varchar[] as candidate_values)
    from (values {rows}) as t(level, cluster, name, description, candidate_values, ordered)
"""
NOTHING = "('low', 'none', 'x', 'x', ['x'], true)"


def drafts(clusters: str, merged: str = NOTHING) -> dict[str, tuple]:
    made = FakeProject()
    made.connection.execute(CLUSTERS.format(rows=clusters))
    made.connection.execute(MERGED.format(rows=merged))
    made.build("personas/dimension_drafts.sql")
    rows = made.rows(
        "select dimension_id, name, description, candidate_values, ordered from dimension_drafts"
    )
    return {row[0]: row[1:] for row in rows}


def test_a_merged_dimension_has_the_values_that_were_written_for_it():
    found = drafts(
        """('mid', 'mid_1', 'Trust', 'Trusts.', ['low', 'high'], true, null),
           ('mid', 'mid_1', 'Faith', 'Has faith.', ['no', 'yes'], true, null)""",
        "('mid', 'mid_1', 'Trust & Faith', 'Both.', ['a', 'b, c', 'd'], false)",
    )
    assert found == {"trust_faith": ("Trust & Faith", "Both.", ["a", "b, c", "d"], False)}


def test_candidates_of_one_name_have_the_values_given_most_often():
    found = drafts(
        """('mid', 'mid_1', 'Trust', 'Trusts.', ['low', 'high'], true, null),
           ('mid', 'mid_1', 'Trust', 'Trusts.', ['tv', 'radio'], false, null)"""
    )
    assert found == {"trust": ("Trust", "Trusts.", ["low", "high"], True)}


def test_a_cluster_whose_merging_failed_keeps_its_most_common_candidate():
    found = drafts(
        """('mid', 'mid_1', 'Trust', 'Trusts.', ['low', 'high'], true, null),
           ('mid', 'mid_1', 'Faith', 'Has faith.', ['no', 'yes'], true, null),
           ('mid', 'mid_1', 'Trust', 'Trusts.', ['low', 'high'], true, null)"""
    )
    assert found == {"trust": ("Trust", "Trusts.", ["low", "high"], True)}


def test_of_a_small_llm_the_ends_of_the_commonest_scale_are_taken():
    scale = "null, null, 'against / undecided / for'"
    found = drafts(
        f"""('low', 'low_1', 'Parks', 'For parks.', {scale}),
            ('low', 'low_2', 'Roads', 'For roads.', {scale}),
            ('low', 'low_2', 'Streets', 'For streets.', {scale}),
            ('low', 'low_2', 'Streets', 'For streets.', null, null, 'low / medium / high'),
            ('low', 'low_3', 'Dogs', 'For dogs.', {scale}),
            ('low', 'low_3', 'Cats', 'For cats.', {scale})""",
        "('low', 'low_2', 'Roads and streets', 'For both.', null, null)",
    )
    # Its cluster without a merged dimension has none.
    assert found == {
        "parks": ("Parks", "For parks.", ["against", "for"], True),
        "roads_and_streets": ("Roads and streets", "For both.", ["against", "for"], True),
    }


@pytest.mark.parametrize(
    ("name", "dimension_id"),
    [
        (
            "Trust in Science & Technology (Institutional)",
            "trust_in_science_technology_institutional",
        ),
        ("Доверие к науке", "доверие_к_науке"),
        ("विज्ञान पर भरोसा", "विज्ञान_पर_भरोसा"),
        ("对科学的信任", "对科学的信任"),
        ("Cafe\u0301 culture", "caf\u00e9_culture"),
    ],
)
def test_a_dimension_has_an_id_in_any_script(name, dimension_id):
    found = drafts(f"('mid', 'mid_1', '{name}', 'x', ['a', 'b'], true, null)")
    assert list(found) == [dimension_id]


def asked(**vars) -> FakeProject:
    made = FakeProject(**vars)
    made.connection.execute("""
        create table persona_dimensions as
        select 's' as survey, * from (values
            ('trust', 'Trust', 'x', 'mid', ['a', 'b'], true),
            ('доверие', 'Доверие', 'x', 'mid', ['a', 'b'], true),
            (repeat('long_', 13), 'Long', 'x', 'low', ['a', 'b'], false))
            as t(dimension_id, name, description, level, candidate_values, ordered);
        create table histories as
        select 's' as survey, unnest(['r1', 'r2']) as respondent_id, [] as history;
        create table llm_respondents as select survey, respondent_id from histories;
        create table surveys as select 's' as survey, 'S' as title, null as fielded,
            null as population, null as country, null as language;
    """)
    made.build("personas/persona_values.sql")
    return made


def test_dimensions_are_called_what_every_provider_takes():
    made = asked()
    [[dimensions]] = made.rows("select dimensions from persona_values limit 1")
    labels = [dimension["label"] for dimension in dimensions]
    assert labels == ["dimension__1", "trust", "dimension__3"]


@pytest.mark.parametrize(
    ("calls", "parts"),
    [
        ("all", ["all"]),
        ("level", ["low", "mid"]),
        ("dimension", ["long_" * 13, "trust", "доверие"]),
    ],
)
def test_what_one_call_decides_is_a_setting(calls, parts):
    made = asked(persona_calls=calls)
    assert made.rows("select respondent_id, part from persona_values order by all") == [
        (respondent, part) for respondent in ("r1", "r2") for part in parts
    ]
    response = made.configs["persona_values"]["response"]
    assert response == ("PersonaValue" if calls == "dimension" else "PersonaValues")
    if calls == "dimension":
        assert made.value("select distinct dimensions[1].label from persona_values") == "value"


def test_a_setting_of_calls_that_is_not_known_is_told():
    with pytest.raises(duckdb.Error, match="persona_calls is all, level or dimension, not di'ms"):
        asked(persona_calls="di'ms")


def test_how_many_parts_share_a_call_counts_where_there_are_several():
    for calls, count in (("all", 1), ("level", 5), ("dimension", 5)):
        made = asked(persona_calls=calls, persona_parts_per_call=5)
        assert made.configs["persona_values"]["rows_per_call"] == count


def test_how_many_parts_share_a_call_may_be_said_where_one_call_decides_all(tmp_path):
    # Vars that nothing reads are refused where they are given.
    folder = copy_project(tmp_path / "project", respondents=10)
    with Project(folder, vars={"persona_parts_per_call": 5}) as project:
        assert "persona_values" in project.nodes
