"""Where nodes are drawn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lupom.site.layout import layers


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=40))
def test_parents_stand_left_and_no_two_nodes_stand_in_one_place(pairs):
    parents = {str(i): [] for i in range(16)}
    for a, b in pairs:
        if a < b:
            parents[str(b)].append(str(a))
    places = layers(parents)
    assert len(set(places.values())) == len(parents)
    for node, above in parents.items():
        assert all(places[parent][0] < places[node][0] for parent in above)


def test_a_node_that_nothing_feeds_stands_next_to_its_first_reader():
    places = layers({"a": [], "b": ["a"], "c": ["b"], "d": ["c", "late"], "late": []})
    assert [places[n][0] for n in ("a", "b", "c", "late", "d")] == [0, 1, 2, 2, 3]


def test_chains_run_straight():
    chains = {f"{c}{i}": [f"{c}{i - 1}"] if i else [] for c in "abc" for i in range(4)}
    places = layers(chains)
    assert all(places[f"{c}{i}"][1] == places[f"{c}0"][1] for c in "abc" for i in range(4))
