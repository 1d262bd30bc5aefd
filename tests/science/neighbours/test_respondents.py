import sys

import duckdb
import pyarrow as pa
import pytest

from lupom.science.neighbours import (
    Inputs,
    Setting,
    neighbour_answers,
    neighbour_answers_in_parts,
    similar_respondents,
    similar_respondents_in_parts,
)

DIMENSIONS = pa.table(
    {
        "survey": ["w"] * 2,
        "dimension_id": ["trust", "risk"],
        "level": ["high", "low"],
        "candidate_values": [["low", "mid", "high"], ["averse", "seeking"]],
    }
)
# b and c are like a, d is not; t is a test respondent and like all of them.
PERSONAS = {
    "a": ("low", "averse"),
    "b": ("low", "averse"),
    "c": ("mid", "averse"),
    "d": ("high", "seeking"),
    "t": ("low", None),
}
ROLES = pa.table(
    {
        "survey": ["w"] * 5,
        "respondent_id": list("tdcba"),
        "role": ["test", *["reference"] * 4],
    }
)
ATTRIBUTES = pa.table(
    {
        "survey": ["w"] * 5,
        "respondent_id": list("abcdt"),
        "attributes": pa.array(
            [[("sex", "f")], [("sex", "m")], [("sex", "m")], [("sex", "m")], [("sex", "m")]],
            pa.map_(pa.string(), pa.string()),
        ),
    }
)


def values():
    return pa.Table.from_pylist(
        [
            {
                "survey": "w",
                "respondent_id": r,
                "dimension_id": d,
                "refined_value": v,
            }
            for r, pair in PERSONAS.items()
            for d, v in zip(("trust", "risk"), pair, strict=True)
        ]
    )


PERSONA = Setting("persona", k=3)


def found(setting=PERSONA, personas=None, **tables):
    personas = values() if personas is None else personas
    return similar_respondents(Inputs(personas, DIMENSIONS, ROLES, **tables), setting)


def neighbours_of(table, respondent):
    rows = [r for r in table.to_pylist() if r["respondent_id"] == respondent]
    return [r["neighbour_id"] for r in sorted(rows, key=lambda r: r["rank"])]


def test_similar_respondents_are_reference_respondents_in_order():
    table = found()
    assert neighbours_of(table, "a") == ["b", "c", "d"]
    assert neighbours_of(table, "t") == ["a", "b", "c"]
    assert "t" not in table["neighbour_id"].to_pylist()
    assert table["rank"].to_pylist()[:3] == [1, 2, 3]
    assert set(table["compared_by"].to_pylist()) == {"persona"}


def test_in_order_encoding_a_near_value_is_nearer_than_a_far_one():
    table = found(Setting("persona", encoding="ordinal", k=4))
    similarity = {r["neighbour_id"]: r["similarity"] for r in table.to_pylist()
                  if r["respondent_id"] == "t"}  # fmt: skip
    assert similarity["a"] > similarity["c"] > similarity["d"] == 0


def test_kinds_have_no_order_even_where_values_are_compared_in_order():
    kinds = DIMENSIONS.append_column("ordered", pa.array([False, None]))
    inputs = Inputs(values(), kinds, ROLES)
    table = similar_respondents(inputs, Setting("persona", encoding="ordinal", k=4))
    similarity = {r["neighbour_id"]: r["similarity"] for r in table.to_pylist()
                  if r["respondent_id"] == "t"}  # fmt: skip
    assert similarity["a"] > similarity["c"] == similarity["d"] == 0


def test_demographics_count_when_asked_for():
    by_sex = Setting(demographics=("sex",), demographic_weight=3, k=2)
    assert neighbours_of(found(by_sex, attributes=ATTRIBUTES), "t") == ["b", "c"]
    assert neighbours_of(found(Setting("demographics", demographics="all"), attributes=ATTRIBUTES),
                         "t") == ["b", "c", "d", "a"]  # fmt: skip
    with pytest.raises(ValueError, match="no respondent has the attribute 'age'; known are sex"):
        found(Setting(demographics=("age",)), attributes=ATTRIBUTES)
    with pytest.raises(ValueError, match="need the table of attributes"):
        found(by_sex)
    with pytest.raises(ValueError, match="'w': similarity 'demographics' needs attributes"):
        found(Setting("demographics"), attributes=ATTRIBUTES)


def test_an_attribute_that_only_another_survey_has_is_left_out():
    other = pa.table(
        {
            "survey": ["z"],
            "respondent_id": ["z1"],
            "attributes": pa.array([[("age", "50")]], ATTRIBUTES["attributes"].type),
        }
    )
    both = pa.concat_tables([ATTRIBUTES, other])
    setting = Setting(demographics=("sex", "age"), demographic_weight=3, k=2)
    assert neighbours_of(found(setting, attributes=both), "t") == ["b", "c"]
    with pytest.raises(ValueError, match="no respondent has the attribute 'age'"):
        found(Setting("demographics", demographics=("age",)), attributes=both)


def test_a_doubtful_value_counts_less():
    # That a is averse is a guess; that a trusts little is certain.
    sure = pa.array([0.2 if r["respondent_id"] == "a" and r["dimension_id"] == "risk" else 1.0
                     for r in values().to_pylist()])  # fmt: skip
    personas = values().append_column("probability", sure)
    plain = found(personas=personas)
    weighed = found(Setting("persona", certainty=True, k=3), personas)

    def similarity(table, neighbour):
        return next(r["similarity"] for r in table.to_pylist()
                    if (r["respondent_id"], r["neighbour_id"]) == ("a", neighbour))  # fmt: skip

    assert similarity(plain, "c") == pytest.approx(0.5)
    assert similarity(weighed, "c") == pytest.approx(0.2 / (1.04 * 2) ** 0.5)
    assert similarity(weighed, "b") == pytest.approx(1.2 / (1.04 * 2) ** 0.5)


def test_personas_are_compared_as_texts_by_embedding():
    seen = []

    def embed(texts):
        seen.extend(texts)
        return [[text.count("low"), text.count("averse"), 1.0] for text in texts]

    table = found(Setting("persona", "embedding", k=2), embed=embed)
    assert neighbours_of(table, "a") == ["b", "c"]
    assert sorted(seen) == [
        "risk: averse\ntrust: low",
        "risk: averse\ntrust: mid",
        "risk: seeking\ntrust: high",
        "trust: low",
    ]
    with pytest.raises(ValueError, match="needs a function that embeds"):
        found(Setting("persona", "embedding"))


def known(**given):
    rows = [("w", r, q, a) for r, said in given.items() for q, a in said.items()]
    names = ("survey", "respondent_id", "question_id", "answer")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


ANSWERS = known(
    a={"q1": "yes", "q2": "no"},
    b={"q1": "no", "q2": "no"},
    c={"q1": "no", "q2": "yes"},
    d={"q1": "yes"},
    t={"q1": "no", "q2": "yes"},
)


@pytest.mark.parametrize("personas", ["none", "unknown"])
def test_without_personas_demographics_serve_and_then_answers(personas):
    table = values()
    if personas == "none":
        table = table.slice(0, 0)
    else:
        table = table.set_column(3, "refined_value", pa.nulls(len(table), pa.string()))
    setting = Setting(demographics=("sex",), k=3)
    by_sex = found(setting, table, attributes=ATTRIBUTES, known=ANSWERS)
    assert neighbours_of(by_sex, "t") == ["b", "c", "d"]
    assert set(by_sex["compared_by"].to_pylist()) == {"demographics"}
    by_answers = found(PERSONA, table, known=ANSWERS)
    assert neighbours_of(by_answers, "t")[:2] == ["c", "b"]
    assert set(by_answers["compared_by"].to_pylist()) == {"answers"}
    assert len(found(PERSONA, table)) == 0


def test_of_whom_nothing_is_known_there_are_no_neighbours():
    personas = values().append_column("value", values()["refined_value"])
    mask = pa.array([r["respondent_id"] != "t" for r in personas.to_pylist()])
    table = found(PERSONA, personas.filter(mask))
    assert neighbours_of(table, "t") == []
    assert neighbours_of(table, "a") == ["b", "c", "d"]


def test_a_new_respondent_is_found_neighbours_by_demographics():
    roles = pa.table(
        {
            "survey": ["w"] * 5,
            "respondent_id": list("tdcba"),
            "role": ["new", *["reference"] * 4],
            "has_persona": [False, False, True, True, True],
            "asked": [True] * 5,
        }
    )
    mask = pa.array([r["respondent_id"] != "t" for r in values().to_pylist()])
    inputs = Inputs(values().filter(mask), DIMENSIONS, roles, ATTRIBUTES)
    table = similar_respondents(inputs, Setting(demographics=("sex",), k=4))
    # d has no persona, so where personas are compared d is nobody's neighbour, nor asked about.
    assert neighbours_of(table, "t")[:2] == ["b", "c"]
    assert "d" not in [*table["neighbour_id"].to_pylist(), *table["respondent_id"].to_pylist()]
    everyone = similar_respondents(inputs, Setting("demographics", demographics=("sex",), k=4))
    assert neighbours_of(everyone, "t") == ["b", "c", "d", "a"]


def test_one_respondent_has_nobody_to_be_like():
    roles = ROLES.slice(4, 1)
    assert len(similar_respondents(Inputs(values(), DIMENSIONS, roles), PERSONA)) == 0


def test_the_order_of_the_rows_does_not_matter():
    table = values()
    turned = table.take(list(range(len(table)))[::-1])
    assert found(personas=turned).equals(found(personas=table))
    answers = ANSWERS.take(list(range(len(ANSWERS)))[::-1])
    setting = Setting("answers", k=3)
    assert found(setting, known=answers).equals(found(setting, known=ANSWERS))


def test_answers_of_neighbours_are_counted():
    similar = found()
    responses = pa.table(
        {
            "survey": ["w"] * 6,
            "respondent_id": ["a", "b", "c", "t", "a", "x"],
            "question_id": ["q1", "q1", "q1", "q1", "q2", "q1"],
            "answer": ["no", "yes", "yes", "no", None, "no"],
        }
    )
    rows = neighbour_answers(similar, responses).to_pylist()
    assert {r["question_id"] for r in rows} == {"q1"}
    (mine,) = (r for r in rows if r["respondent_id"] == "t")
    assert (mine["answer"], mine["n"]) == ("yes", 3)
    assert mine["share"] == pytest.approx(2 / 3)
    assert dict(mine["probabilities"]) == pytest.approx({"no": 1 / 3, "yes": 2 / 3})


def test_without_personas_the_tables_are_empty_and_typed():
    nothing = values().slice(0, 0)
    similar = similar_respondents(Inputs(nothing, DIMENSIONS, ROLES), PERSONA)
    none = similar_respondents(Inputs(nothing, DIMENSIONS.slice(0, 0), ROLES.slice(0, 0)), PERSONA)
    answers = neighbour_answers(
        similar,
        pa.table({n: ["w"] for n in ("survey", "respondent_id", "question_id", "answer")}),
    )
    assert len(similar) == len(none) == len(answers) == 0
    assert similar.schema == none.schema
    assert str(answers.schema.field("probabilities").type) == "map<string, double>"


def test_a_survey_without_a_setting_is_named():
    with pytest.raises(ValueError, match="survey 'w' has no retrieval setting"):
        similar_respondents(Inputs(values(), DIMENSIONS, ROLES), {"v": PERSONA})


def test_of_many_reference_respondents_so_many_may_be_neighbours():
    ids = [f"r{i}" for i in range(40)]
    personas = pa.Table.from_pylist(
        [
            {"survey": "w", "respondent_id": i, "dimension_id": "d", "refined_value": "ab"[n % 2]}
            for n, i in enumerate(ids)
        ]
    )
    described = [
        {"survey": "w", "dimension_id": "d", "level": "mid", "candidate_values": ["a", "b"]}
    ]
    roles = [{"survey": "w", "respondent_id": i, "role": "reference"} for i in ids]
    tables = (personas, pa.Table.from_pylist(described), pa.Table.from_pylist(roles))
    setting = Setting("persona", k=3)
    few = similar_respondents(Inputs(*tables, candidates=8), setting)
    assert len(set(few["neighbour_id"].to_pylist())) <= 8
    assert set(few["respondent_id"].to_pylist()) == set(ids)
    assert similar_respondents(Inputs(*tables, candidates=8, seed=1), setting) != few
    assert similar_respondents(Inputs(*tables, candidates=40), setting) == similar_respondents(
        Inputs(*tables), setting
    )


def test_tables_of_duckdb_are_read_in_parts_and_made_in_parts(monkeypatch):
    connection = duckdb.connect()
    tables = {"personas": values(), "dimensions": DIMENSIONS, "roles": ROLES, "known": ANSWERS}
    of = {name: connection.from_arrow(table) for name, table in tables.items()}
    inputs = Inputs(of["personas"], of["dimensions"], of["roles"], known=of["known"])
    setting = Setting("persona", k=4)
    whole = found(setting)
    assert similar_respondents(inputs, setting) == whole
    monkeypatch.setattr(sys.modules["lupom.science.neighbours.respondents"], "_PART", 8)
    parts = list(similar_respondents_in_parts(inputs, setting))
    assert len(parts) > 1
    assert pa.Table.from_batches(parts) == whole
    votes = neighbour_answers(whole, ANSWERS)
    monkeypatch.setattr(sys.modules["lupom.science.neighbours.respondents"], "_ROWS", 1)
    monkeypatch.setattr(sys.modules["lupom.science.neighbours.respondents"], "_BATCHES", 2)
    parts = list(neighbour_answers_in_parts(connection.from_arrow(whole), of["known"]))
    assert len(votes) > 8
    assert pa.Table.from_batches(parts) == votes
    assert similar_respondents(inputs, Setting("answers", k=3)) == found(
        Setting("answers", k=3), known=ANSWERS
    )
