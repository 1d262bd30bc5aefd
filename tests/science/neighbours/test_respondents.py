import pyarrow as pa
import pytest

from lupom.science.neighbours import neighbour_answers, similar_respondents

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


def neighbours_of(table, respondent):
    rows = [r for r in table.to_pylist() if r["respondent_id"] == respondent]
    return [r["neighbour_id"] for r in sorted(rows, key=lambda r: r["rank"])]


def test_similar_respondents_are_reference_respondents_in_order():
    table = similar_respondents(values(), DIMENSIONS, ROLES, k=3)
    assert neighbours_of(table, "a") == ["b", "c", "d"]
    assert neighbours_of(table, "t") == ["a", "b", "c"]
    assert "t" not in table["neighbour_id"].to_pylist()
    assert table["rank"].to_pylist()[:3] == [1, 2, 3]


def test_in_order_encoding_a_near_value_is_nearer_than_a_far_one():
    table = similar_respondents(values(), DIMENSIONS, ROLES, k=4, encoding="ordinal")
    similarity = {r["neighbour_id"]: r["similarity"] for r in table.to_pylist()
                  if r["respondent_id"] == "t"}  # fmt: skip
    assert similarity["a"] > similarity["c"] > similarity["d"] == 0


def test_demographics_count_when_asked_for():
    table = similar_respondents(
        values(), DIMENSIONS, ROLES, ATTRIBUTES, k=2, demographics=["sex"], demographic_weight=3
    )
    assert neighbours_of(table, "t") == ["b", "c"]
    with pytest.raises(ValueError, match="no respondent has the attribute 'age'; known are sex"):
        similar_respondents(values(), DIMENSIONS, ROLES, ATTRIBUTES, demographics=["age"])
    with pytest.raises(ValueError, match="need the table of attributes"):
        similar_respondents(values(), DIMENSIONS, ROLES, demographics=["sex"])


def test_the_order_of_the_rows_does_not_matter():
    table = values()
    turned = table.take(list(range(len(table)))[::-1])
    assert similar_respondents(turned, DIMENSIONS, ROLES, k=3).equals(
        similar_respondents(table, DIMENSIONS, ROLES, k=3)
    )


def test_answers_of_neighbours_are_counted():
    similar = similar_respondents(values(), DIMENSIONS, ROLES, k=3)
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
    similar = similar_respondents(values().slice(0, 0), DIMENSIONS, ROLES)
    none = similar_respondents(values().slice(0, 0), DIMENSIONS.slice(0, 0), ROLES.slice(0, 0))
    answers = neighbour_answers(
        similar,
        pa.table({n: ["w"] for n in ("survey", "respondent_id", "question_id", "answer")}),
    )
    assert len(similar) == len(none) == len(answers) == 0
    assert similar.schema == none.schema
    assert str(answers.schema.field("probabilities").type) == "map<string, double>"


def test_an_unknown_encoding_is_refused():
    with pytest.raises(ValueError, match="known are onehot, ordinal"):
        similar_respondents(values(), DIMENSIONS, ROLES, encoding="binary")
