import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lupom.science.bayes import (
    PersonaNetwork,
    Score,
    decode_refinement,
    encode_personas,
    network_edges,
    network_of,
    network_parameters,
    networks,
    refine,
    refine_personas,
    refine_personas_in_parts,
)

DIMENSIONS = pa.table(
    {
        "survey": ["w"] * 3,
        "dimension_id": ["trust", "faith", "risk"],
        "level": ["high", "mid", "low"],
        "candidate_values": [["low", "high"], ["none", "some", "deep"], ["averse", "seeking"]],
    }
)


def persona_values(n=60, survey="w"):
    """Respondents whose three values go together, but for one unknown each seventh."""
    rows = []
    for i in range(n):
        for name, words in zip(
            DIMENSIONS["dimension_id"].to_pylist(),
            DIMENSIONS["candidate_values"].to_pylist(),
            strict=True,
        ):
            value = None if i % 7 == 0 and name == "faith" else words[i % 2]
            rows.append(
                {
                    "survey": survey,
                    "respondent_id": f"r{i:03}",
                    "dimension_id": name,
                    "value": value,
                }
            )
    return pa.Table.from_pylist(rows)


EMPTY = persona_values().schema.empty_table()


def test_long_values_become_codes_sorted_by_id():
    values = pa.table(
        {
            "respondent_id": ["b", "a", "a"],
            "dimension_id": ["risk", "risk", "faith"],
            "value": ["seeking", None, "deep"],
        }
    )
    personas = encode_personas(values, DIMENSIONS, respondents=["c", "a"])
    assert personas.respondents == ("a", "b", "c")
    assert personas.dimensions == ("faith", "risk", "trust")
    assert personas.levels == ("mid", "low", "high")
    assert personas.cardinalities == (3, 2, 2)
    assert personas.codes.tolist() == [[2, -1, -1], [-1, 1, -1], [-1, -1, -1]]


def test_pandas_tables_are_welcome():
    frame = persona_values().to_pandas()
    ours = encode_personas(frame, DIMENSIONS.to_pandas())
    assert isinstance(frame, pd.DataFrame)
    assert (ours.codes == encode_personas(persona_values(), DIMENSIONS).codes).all()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a", "risk", "bold"), "'bold' is not a candidate value of dimension 'risk'"),
        (("a", "humour", "dry"), "dimension 'humour', which is not among"),
        (("r000", "risk", "averse"), "'r000' has two values on dimension 'risk'"),
        ((None, "risk", "averse"), "must not be null"),
    ],
)
def test_values_that_do_not_fit_the_dimensions_are_refused(row, message):
    names = ("respondent_id", "dimension_id", "value")
    more = pa.table(
        {name: pa.array([cell], pa.string()) for name, cell in zip(names, row, strict=True)}
    )
    values = pa.concat_tables([persona_values().select(names), more])
    with pytest.raises(ValueError, match=message):
        encode_personas(values, DIMENSIONS)


def test_dimensions_that_cannot_be_used_are_refused():
    with pytest.raises(ValueError, match="'trust' appears twice"):
        encode_personas(EMPTY, pa.concat_tables([DIMENSIONS, DIMENSIONS.slice(0, 1)]))
    bare = DIMENSIONS.slice(0, 1).set_column(
        3, "candidate_values", pa.array([[]], pa.list_(pa.string()))
    )
    with pytest.raises(ValueError, match="no candidate values"):
        encode_personas(EMPTY, bare)
    with pytest.raises(ValueError, match="the table has no column 'level'"):
        encode_personas(EMPTY, DIMENSIONS.drop_columns(["level"]))


def test_refined_values_stand_beside_the_raw_ones():
    values = persona_values()
    personas = encode_personas(values, DIMENSIONS)
    network = PersonaNetwork.fit(
        personas.codes, personas.cardinalities, personas.dimensions, personas.levels
    )
    table = decode_refinement(personas, refine(network, personas.codes))
    rows = {(r["respondent_id"], r["dimension_id"]): r for r in table.to_pylist()}
    assert len(rows) == 60 * 3
    filled = rows["r007", "faith"]
    assert (filled["value"], filled["refined_value"], filled["changed"]) == (None, "some", True)
    assert filled["probability"] > 0.8
    kept = rows["r001", "trust"]
    assert (kept["value"], kept["refined_value"], kept["changed"]) == ("high", "high", False)


def test_each_survey_has_its_own_network():
    other = DIMENSIONS.set_column(0, "survey", pa.array(["x"] * 3))
    dimensions = pa.concat_tables([other, DIMENSIONS])
    values = pa.concat_tables([persona_values(), persona_values(40, "x")])
    edges = network_edges(values, dimensions, seed=1)
    assert set(edges["survey"].to_pylist()) == {"w", "x"}
    assert set(edges.filter(edges["survey"].to_numpy() == "x")["n"].to_pylist()) <= {34, 40}
    parameters = network_parameters(values, dimensions, edges)
    assert parameters.column_names == [
        "survey", "network", "dimension_id", "parents", "value", "probability", "n",
    ]  # fmt: skip
    refined = refine_personas(values, dimensions, parameters)
    assert len(refined) == (60 + 40) * 3
    again = refine_personas(values.take(list(range(len(values)))[::-1]), dimensions, parameters)
    assert again.equals(refined)


def test_refined_personas_come_in_parts(monkeypatch):
    dimensions = pa.concat_tables([DIMENSIONS, DIMENSIONS.set_column(0, "survey", [["x"] * 3])])
    values = pa.concat_tables([persona_values(), persona_values(40, "x")])
    parameters = network_parameters(values, dimensions, network_edges(values, dimensions))
    whole = refine_personas(values, dimensions, parameters)
    monkeypatch.setattr(sys.modules["lupom.science.bayes.networks"], "_ROWS", 25 * 3)
    parts = list(refine_personas_in_parts(values, dimensions, parameters))
    assert [len(part) for part in parts] == [75, 75, 30, 75, 45]
    assert pa.Table.from_batches(parts) == whole


def test_each_survey_may_have_its_own_score():
    other = DIMENSIONS.set_column(0, "survey", pa.array(["x"] * 3))
    dimensions = pa.concat_tables([other, DIMENSIONS])
    values = pa.concat_tables([persona_values(), persona_values(40, "x")])
    mixed = network_edges(values, dimensions, score={"x": "bic", "default": "bdeu"})
    for survey, score in (("x", "bic"), ("w", "bdeu")):
        alone = network_edges(values, dimensions, score=score)
        mine = pc.equal(alone["survey"], survey)
        assert mixed.filter(pc.equal(mixed["survey"], survey)).equals(alone.filter(mine))
    with pytest.raises(ValueError, match="no score is set for survey 'w', only for 'x'"):
        network_edges(values, dimensions, score={"x": "bic"})


def test_edges_are_required_and_forbidden_where_a_survey_has_them():
    values = persona_values()
    edges = network_edges(
        values, DIMENSIONS, required=[["trust", "risk"]], forbidden=[["trust", "faith"]]
    )
    pairs = set(zip(edges["parent"].to_pylist(), edges["child"].to_pylist(), strict=True))
    assert ("trust", "risk") in pairs
    assert ("trust", "faith") not in pairs
    with pytest.raises(ValueError, match="no survey has both"):
        network_edges(values, DIMENSIONS, required=[["trust", "humour"]])


@pytest.mark.parametrize("missing", ["em", "available", "value"])
def test_a_network_comes_back_from_its_table_of_parameters(missing):
    values = persona_values()
    personas = encode_personas(values, DIMENSIONS)
    fitted = PersonaNetwork.fit(
        personas.codes,
        personas.cardinalities,
        personas.dimensions,
        personas.levels,
        missing=missing,
    )
    edges = network_edges(values, DIMENSIONS, missing=missing)
    table = network_parameters(values, DIMENSIONS, edges, missing=missing)
    back = network_of(personas, table, Score("bds"))
    assert back.unknown == fitted.unknown
    for name in personas.dimensions:
        assert back.posterior(personas.codes, name) == pytest.approx(
            fitted.posterior(personas.codes, name), abs=1e-9
        )
    with pytest.raises(ValueError, match="not among the dimensions"):
        network_of(encode_personas(EMPTY, DIMENSIONS.slice(0, 1)), table, Score("bds"))


def test_without_personas_the_tables_are_empty_and_typed():
    edges = network_edges(EMPTY, DIMENSIONS)
    parameters = network_parameters(EMPTY, DIMENSIONS, edges)
    refined = refine_personas(EMPTY, DIMENSIONS, parameters)
    nothing = refine_personas(EMPTY, DIMENSIONS.slice(0, 0), parameters)
    assert len(edges) == len(refined) == len(parameters) == len(nothing) == 0
    assert refined.schema == nothing.schema
    assert str(refined.schema.field("probability").type) == "double"
    assert str(edges.schema.field("p_value").type) == "double"


def test_of_many_respondents_so_many_are_learned_from_and_all_are_refined(monkeypatch):
    codes = np.random.default_rng(3).integers(0, 2, 400)
    rows = [
        {"survey": "s", "respondent_id": f"r{i:03}", "dimension_id": name, "value": "ab"[code]}
        for i, code in enumerate(codes)
        for name in ("x", "y")
    ]
    values = pa.Table.from_pylist(rows)
    dimensions = pa.Table.from_pylist(
        [
            {"survey": "s", "dimension_id": n, "level": "mid", "candidate_values": ["a", "b"]}
            for n in ("x", "y")
        ]
    )
    monkeypatch.setattr(networks, "LEARN_FROM", 150)
    edges = network_edges(values, dimensions)
    assert edges["n"].to_pylist() == [150]
    parameters = network_parameters(values, dimensions, edges)
    assert sum(parameters["n"].to_pylist()) == pytest.approx(2 * 150)
    assert len(refine_personas(values, dimensions, parameters)) == 800
