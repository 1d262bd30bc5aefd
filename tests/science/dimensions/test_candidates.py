import numpy as np
import pyarrow as pa
import pytest

from lupom.science.dimensions import cluster_candidates, nearest_pairs

# A dimension a topic, and one that every text has: the phrase they share.
TOPICS = ("school", "teacher", "dog", "cat", "abortion")
KIN = {"school": 0, "teacher": 0, "dog": 1, "cat": 1, "abortion": 2}


def embed(texts):
    """Embed by topic; the phrase in common weighs ten times as much."""
    vectors = np.zeros((len(texts), 4))
    for i, text in enumerate(texts):
        vectors[i, 3] = 10
        for topic in TOPICS:
            if topic in text.lower():
                vectors[i, KIN[topic]] = 1 + 0.01 * TOPICS.index(topic)
    return vectors


def candidates(*rows):
    return pa.Table.from_pylist(
        [
            {"survey": "s", "question_id": f"q{i}", "level": level, "name": name,
             "description": f"How much the person cares about {name.lower()}"}
            for i, (level, name) in enumerate(rows)
        ]
    )  # fmt: skip


MIXED = [
    ("mid", "School"), ("mid", "Dog"), ("mid", "Teacher"), ("mid", "Cat"), ("mid", "Abortion"),
    ("mid", "Dog"), ("low", "School"), ("low", "Dog"),
]  # fmt: skip


def clusters_of(table):
    return {(row["level"], row["name"]): row["cluster"] for row in table.to_pylist()}


def test_candidates_that_mean_the_same_share_a_cluster_of_their_level():
    found = clusters_of(cluster_candidates(candidates(*MIXED), embed, k={"mid": 3, "low": 2}))
    assert found["mid", "Dog"] == found["mid", "Cat"]
    assert found["mid", "School"] == found["mid", "Teacher"]
    assert len({found["mid", n] for n in ("Dog", "School", "Abortion")}) == 3
    assert {found["low", "School"], found["low", "Dog"]} == {"low_1", "low_2"}


def test_candidates_are_compared_by_the_text_that_is_named():
    # Named by one topic, described by another.
    table = pa.Table.from_pylist(
        [
            {"survey": "s", "level": "mid", "name": name, "description": f"Of a {topic}"}
            for name, topic in [("School", "dog"), ("Teacher", "abortion"), ("Dog", "cat")]
        ]
    )
    named = clusters_of(cluster_candidates(table, embed, by="name", k=2))
    described = clusters_of(cluster_candidates(table, embed, by="description", k=2))
    assert named["mid", "School"] == named["mid", "Teacher"] != named["mid", "Dog"]
    assert described["mid", "School"] == described["mid", "Dog"] != described["mid", "Teacher"]
    with pytest.raises(ValueError, match="compared by 'text'; known: name and description, name"):
        cluster_candidates(table, embed, by="text")


def test_the_largest_cluster_is_the_first():
    table = cluster_candidates(candidates(*MIXED), embed, k=3).to_pylist()
    dogs = [row for row in table if row["level"] == "mid" and row["name"] in ("Dog", "Cat")]
    assert {(row["cluster"], row["cluster_size"]) for row in dogs} == {("mid_1", 3)}


def test_the_order_of_rows_changes_nothing():
    table = candidates(*MIXED)
    turned = table.take(pa.array(range(len(table)))[::-1])
    arguments = {"method": "gaussian_mixture", "k_max": 3, "seed": 5}
    assert cluster_candidates(table, embed, **arguments) == cluster_candidates(
        turned, embed, **arguments
    )


def test_surveys_are_clustered_apart():
    other = candidates(*MIXED).set_column(0, "survey", pa.array(["t"] * len(MIXED)))
    both = cluster_candidates(pa.concat_tables([candidates(*MIXED), other]), embed, k=2)
    alone = cluster_candidates(candidates(*MIXED), embed, k=2)
    assert both.slice(0, len(MIXED)) == alone


def test_no_candidates_are_an_empty_table_with_all_columns():
    table = cluster_candidates(candidates(*MIXED).slice(0, 0), embed)
    assert len(table) == 0
    assert {"cluster", "cluster_size", "question_id"} <= set(table.column_names)


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="no column 'level'"):
        cluster_candidates(candidates(*MIXED).drop_columns(["level"]), embed)


def dimensions(*names):
    return pa.Table.from_pylist(
        [
            {"survey": "s", "dimension_id": n.lower(), "name": n, "description": f"Feels for {n}"}
            for n in names
        ]
    )


def by_topic(texts):
    return embed(texts)[:, :3]


def test_a_dimension_is_paired_with_the_earlier_one_most_like_it():
    pairs = nearest_pairs(dimensions("School", "Dog", "Cat", "Teacher"), by_topic)
    found = {(row["dimension_id"], row["other_id"]) for row in pairs.to_pylist()}
    assert found == {("cat", "dog"), ("teacher", "school")}


def test_of_two_equally_alike_the_first_is_taken():
    pairs = nearest_pairs(dimensions("Dog", "Dog house", "Dog walk"), by_topic).to_pylist()
    assert [row["other_id"] for row in pairs] == ["dog", "dog"]


def test_what_is_not_alike_has_no_pair():
    assert len(nearest_pairs(dimensions("School", "Abortion"), by_topic)) == 0
    assert len(nearest_pairs(dimensions("School"), by_topic)) == 0
