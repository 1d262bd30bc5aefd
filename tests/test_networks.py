"""What a project's persona network says of a person of whom some things are known."""

from __future__ import annotations

import itertools

import pytest

from lupom import LupomError, Project
from lupom.networks import write_network
from lupom.science.bayes import from_bif, from_xmlbif
from tests.support.personas_project import make


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    with Project(make(tmp_path_factory.mktemp("network") / "project")) as made:
        result = made.run()
        assert [n.message for n in result.nodes if n.status == "error"] == []
        yield made


def by_enumeration(project, given, network="default", survey="panel"):
    """P(value) of every dimension, by summing over every persona there can be."""
    rows = project.query(
        "select dimension_id, parents, value, probability from persona_network_parameters"
        " where survey = ? and network = ?",
        [survey, network],
    ).rows()
    values = dict(
        project.query(
            "select dimension_id, candidate_values from persona_dimensions where survey = ?",
            [survey],
        ).rows()
    )
    table = {(d, frozenset((p or {}).items()), v): number for d, p, v, number in rows}
    parents = {d: set(p or {}) for d, p, _, _ in rows}
    sums = {(d, v): 0.0 for d in values for v in values[d]}
    total = 0.0
    for combination in itertools.product(*values.values()):
        persona = dict(zip(values, combination, strict=True))
        if any(persona[d] != v for d, v in given.items()):
            continue
        joint = 1.0
        for d, v in persona.items():
            key = (d, frozenset((p, persona[p]) for p in parents[d]), v)
            joint *= table.get(key, 1 / len(values[d]))
        total += joint
        for cell in persona.items():
            sums[cell] += joint
    return {cell: number / total for cell, number in sums.items()}


def test_what_is_known_changes_what_is_likely(project):
    given = {"news": "Daily = often", "trust_1": "no"}
    table = project.network({"News": "daily = often", "trust_1": "no"}, survey="panel")
    assert table.columns == [
        *("survey", "network", "dimension_id", "dimension", "value", "probability", "prior"),
    ]
    rows = table.rows()
    assert [(r[2], r[4]) for r in rows] == [
        *[("trust_2", "no"), ("trust_2", "yes")],
        *[("trust_in_science", "low"), ("trust_in_science", "high")],
    ]
    after, before = by_enumeration(project, given), by_enumeration(project, {})
    for survey, network, name, _, value, probability, prior in rows:
        assert (survey, network) == ("panel", "default")
        assert probability == pytest.approx(after[name, value], abs=1e-9)
        assert prior == pytest.approx(before[name, value], abs=1e-9)
    assert any(abs(row[5] - row[6]) > 0.05 for row in rows)


def test_one_dimension_of_another_network_is_shown(project):
    rows = project.network(
        [("trust_1", "yes")], "Trust in science", survey="panel", network="bic"
    ).rows()
    expected = by_enumeration(project, {"trust_1": "yes"}, network="bic")
    assert {(r[1], r[2]) for r in rows} == {("bic", "trust_in_science")}
    for row in rows:
        assert row[5] == pytest.approx(expected[row[2], row[4]], abs=1e-9)
    (shown,) = {
        tuple(r[5] for r in project.network({"trust_1": "yes"}, ["trust_1"], survey=s).rows())
        for s in ["panel"]
    }
    assert shown == (0.0, 1.0)


@pytest.mark.parametrize(
    ("given", "options", "message", "hint"),
    [
        ({}, {}, "has 2 surveys; say which", "--survey other or panel"),
        ({}, {"survey": "panl"}, "no survey 'panl'", "did you mean 'panel'"),
        ({}, {"survey": "panel", "network": "bix"}, "no network 'bix'", "did you mean 'bic'"),
        ({"Newz": "x"}, {"survey": "panel"}, "no persona dimension 'Newz'", "mean 'News'"),
        ({"news": "nevr"}, {"survey": "panel"}, "'nevr' is not a value", "did you mean 'never'"),
        ({"news": "x"}, {"survey": "panel"}, "'x' is not a value of 'News'", "it has never"),
        ({"Trust": "yes"}, {"survey": "panel"}, "several dimensions", "trust_1, trust_2"),
        (
            [("news", "never"), ("News", "always")],
            {"survey": "panel"},
            "'News' is given twice: never and always",
            None,
        ),
    ],
)
def test_a_slip_is_said_in_words(project, given, options, message, hint):
    with pytest.raises(LupomError, match=message) as caught:
        project.network(given, **options)
    if hint is not None:
        assert hint in str(caught.value.hint)


def test_a_network_is_written_for_other_programs(project):
    for form, read in (("bif", from_bif), ("xmlbif", from_xmlbif)):
        back, values = read(write_network(project.context, form, survey="panel"))
        assert back.names == ("news", "trust_1", "trust_2", "trust_in_science")
        assert values[0] == ("never", "Daily = often", "always")
        assert back.levels == ("mid", "mid", "low", "high")


def test_before_there_is_a_network_it_says_so(tmp_path):
    with Project(make(tmp_path / "project"), vars={"both": False}) as project:
        with pytest.raises(LupomError, match="no store yet"):
            project.network()
        project.run("persona_dimensions")
        with pytest.raises(LupomError, match="'persona_networks' is not built yet") as caught:
            project.network()
        assert "lupom run --select +persona_networks" in str(caught.value.hint)
        project.run()
        with pytest.raises(LupomError, match="there is no persona to fit it to"):
            project.network(survey="other")
