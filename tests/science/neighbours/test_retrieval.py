"""Several retrieval settings in one run: what is looked for, and whose neighbours are used."""

import pyarrow as pa
import pytest

from lupom.science.neighbours import (
    Inputs,
    Setting,
    neighbour_answers,
    retrieval_settings,
    search_settings,
    setting_variants,
    similar_respondents,
)

ROWS = [
    {"survey": "default", "retrieval": "default"},
    {"survey": "default", "retrieval": "raw", "similarity": "persona", "personas": "raw"},
    {"survey": "default", "retrieval": "answers", "similarity": "answers", "k": "2"},
    {"survey": "default", "retrieval": "tuned", "similarity": "tuned"},
    {"survey": "W34", "retrieval": "published", "similarity": "persona", "k": "80"},
]
NETWORKS = pa.table(
    {
        "survey": ["w", "w", "w"],
        "network": ["bds", "bic", "k2"],
        "is_default": [True, False, False],
    }
)


def asked(*rows):
    names = ("setting", "persona", "neighbours", "retrieval", "network")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


def keys(table):
    return [(r["retrieval"], r["network"], r["is_default"]) for r in table.to_pylist()]


def test_only_what_a_setting_tells_of_is_looked_for():
    wanted = asked(
        ("a", "refined", "none", None, "k2"),
        ("b", "none", "common", None, None),
        ("c", "refined", "answers", None, "bic"),
        ("d", "refined", "common", "", "none"),
        ("e", "none", "distribution", "answers", "bic"),
        ("f", "none", "common", "answers", "bds"),
        ("g", "none", "common", "raw", "bic"),
        ("h", "none", "common", "tuned", "bic"),
    )
    table = retrieval_settings(ROWS, NETWORKS, wanted)
    assert keys(table) == [
        ("default", "bds", True),
        ("default", "bic", False),
        ("default", "none", False),
        # Answers and raw values are the same under every network.
        ("answers", "none", False),
        ("raw", "none", False),
        ("tuned", "bic", False),
    ]
    assert [r["personas"] for r in table.to_pylist()][:3] == ["refined", "refined", "raw"]
    assert keys(retrieval_settings(ROWS, NETWORKS)) == [("default", "bds", True)]
    used = setting_variants(wanted, NETWORKS, table).to_pylist()
    assert [(r["setting"], r["network"], r["retrieval"], r["neighbour_network"]) for r in used] == [
        ("a", "k2", "default", "none"),
        ("b", "bds", "default", "bds"),
        ("c", "bic", "default", "bic"),
        ("d", "none", "default", "none"),
        ("e", "bic", "answers", "none"),
        ("f", "bds", "answers", "none"),
        ("g", "bic", "raw", "none"),
        ("h", "bic", "tuned", "bic"),
    ]


def test_the_published_row_is_found_by_the_wave_in_a_name():
    networks = pa.table(
        {"survey": ["american_trends_panel_w34"], "network": ["default"], "is_default": [True]}
    )
    (row,) = retrieval_settings(ROWS, networks, chosen="published").to_pylist()
    assert (row["retrieval"], row["similarity"], row["k"]) == ("published", "persona", 80)
    with pytest.raises(ValueError, match=r"no retrieval 'publishd'.*did you mean 'published'"):
        retrieval_settings(ROWS, networks, chosen="publishd")


def world():
    """Four references and one to find neighbours of; the networks disagree on who is alike."""
    ids = ["a", "b", "c", "d", "t"]
    refined = {"bds": "xxyyx", "bic": "xyxyx", "k2": "xyyyx"}
    values = [
        {"survey": "w", "network": network, "respondent_id": i, "dimension_id": "lean",
         "value": raw, "refined_value": value, "probability": 0.9, "raw_probability": 0.4}
        for network, words in refined.items()
        for i, value, raw in zip(ids, words, "yxxyx", strict=True)
    ]  # fmt: skip
    dimensions = pa.table(
        {"survey": ["w"], "dimension_id": ["lean"], "level": ["high"],
         "candidate_values": [["x", "y"]]}
    )  # fmt: skip
    roles = pa.table(
        {"survey": ["w"] * 5, "respondent_id": ids, "role": ["reference"] * 4 + ["test"]}
    )
    answers = {"a": "no", "b": "no", "c": "yes", "d": "yes"}
    known = pa.Table.from_pylist(
        [
            {"survey": "w", "respondent_id": i, "question_id": "q", "answer": answer}
            for i, answer in answers.items()
        ]
    )
    return Inputs(pa.Table.from_pylist(values), dimensions, roles, known=known), known


def test_each_setting_finds_its_own_neighbours_in_one_table():
    inputs, known = world()
    wanted = asked(
        ("a", "none", "common", None, "bic"),
        ("b", "none", "common", None, "none"),
        ("c", "none", "common", None, "k2"),
    )
    base = Setting("persona", k=2)
    settings = retrieval_settings(ROWS, NETWORKS, wanted, default=base)
    found = similar_respondents(inputs, settings)
    near = {}
    for row in found.to_pylist():
        if row["respondent_id"] == "t" and row["similarity"] > 0.5:
            near.setdefault(row["network"], []).append(row["neighbour_id"])
    assert near == {"bds": ["a", "b"], "bic": ["a", "c"], "none": ["b", "c"], "k2": ["a"]}
    for row in settings.to_pylist():
        alone = similar_respondents(inputs, {"w": base.under(row["network"])})
        mine = pa.array([n == row["network"] for n in found["network"].to_pylist()])
        assert found.filter(mine).equals(alone)
    votes = {
        r["network"]: (r["answer"], r["share"])
        for r in neighbour_answers(found, known).to_pylist()
        if r["respondent_id"] == "t"
    }
    assert votes["bds"] == ("no", 1.0)
    assert votes["bic"] == ("no", 0.5)
    assert votes["none"] == ("no", 0.5)


def test_a_tuned_setting_is_searched_for_with_the_network_that_asks_for_it():
    inputs, known = world()
    hidden = pa.Table.from_pylist(
        [{"survey": "w", "respondent_id": i, "question_id": "p", "answer": "no"} for i in "ab"]
    )
    more = pa.Table.from_pylist(
        [
            {"survey": "w", "respondent_id": i, "question_id": "p", "answer": answer}
            for i, answer in (("c", "no"), ("d", "yes"))
        ]
    )
    inputs = Inputs(
        inputs.values, inputs.dimensions, inputs.roles, known=pa.concat_tables([known, more])
    )
    wanted = asked(("a", "none", "common", "tuned", "bic"), ("b", "none", "common", "raw", "bds"))
    settings = retrieval_settings(ROWS, NETWORKS, wanted)
    grid = {"similarity": ["persona", "answers"], "encoding": ["onehot"], "k": [1, 2]}
    search = search_settings(inputs, hidden, settings, networks=NETWORKS, grid=grid)
    chosen = [(r["retrieval"], r["network"]) for r in search.to_pylist() if r["chosen"]]
    # The default in use, which says what the search would have chosen, and the tuned one.
    assert chosen == [("default", "bds"), ("tuned", "bic")]
    found = similar_respondents(inputs, settings, search)
    assert {(r["retrieval"], r["network"]) for r in found.to_pylist()} == {
        ("default", "bds"),
        ("tuned", "bic"),
        ("raw", "none"),
    }
