"""The graph: its walks, its order, and the errors of models that do not form one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.engine.errors import GraphError
from lupom.engine.graph import Graph, check_guarded


@dataclass(frozen=True)
class Ref:
    name: str
    file: str
    line: int | None


@dataclass(frozen=True)
class Node:
    name: str
    resource: str = "model"
    file: str = ""
    tags: frozenset[str] = frozenset()
    config: Mapping[str, object] = field(default_factory=dict)
    refs: Sequence[Ref] = ()


def model(name: str, *refs: str, folder: str = "models", tags: str = "", **config: object) -> Node:
    """A model whose first reference is on line 2 of its file, the next on line 3, and so on."""
    file = f"{folder}/{name}.sql"
    places = [Ref(ref, file, line) for line, ref in enumerate(refs, start=2)]
    return Node(name, "model", file, frozenset(tags.split()), config, places)


def graph(**refs: str) -> Graph[Node]:
    """The graph of `graph(a="", b="a", c="a b")`: c reads a and b, b reads a."""
    return Graph([model(name, *names.split()) for name, names in refs.items()])


def fails(*nodes: Node) -> GraphError:
    with pytest.raises(GraphError) as caught:
        Graph(nodes)
    return caught.value


@st.composite
def dags(draw: st.DrawFn, most: int = 12) -> list[Node]:
    """Nodes in any order, each reading some of those before it in a hidden order."""
    names = draw(st.permutations([f"m{i}" for i in range(draw(st.integers(0, most)))]))
    nodes = [
        model(name, *(draw(st.lists(st.sampled_from(names[:i]), max_size=4)) if i else ()))
        for i, name in enumerate(names)
    ]
    return draw(st.permutations(nodes))


# -- walks ----------------------------------------------------------------------------------------


def test_parents_and_children_are_one_step_and_sorted() -> None:
    found = graph(b="", a="", c="b a b", d="c")
    assert found.parents("c") == ("a", "b")
    assert found.children("a") == ("c",)
    assert found.children("d") == ()


def test_ancestors_and_descendants_go_as_far_as_asked() -> None:
    chain = graph(a="", b="a", c="b", d="c")
    assert chain.ancestors("d") == {"a", "b", "c"}
    assert chain.ancestors("d", 2) == {"b", "c"}
    assert chain.ancestors("d", 0) == set()
    assert chain.descendants("a", 1) == {"b"}
    assert chain.descendants(["b", "c"]) == {"c", "d"}


def test_order_is_by_name_where_the_references_leave_it_open() -> None:
    assert graph(z="", b="z", a="z", c="").order == ("c", "z", "a", "b")


def test_levels_are_the_longest_way_down() -> None:
    assert graph(a="", b="a", c="a b", d="").levels == (("a", "d"), ("b",), ("c",))
    assert Graph([]).levels == ()


def test_sort_puts_names_in_build_order() -> None:
    assert graph(c="", b="c", a="b").sort(["a", "c", "a"]) == ("c", "a")


def test_within_waits_through_nodes_left_out() -> None:
    chain = graph(a="", b="a", c="b", d="c a")
    assert chain.within(["d", "a"]) == {"a": (), "d": ("a",)}
    assert chain.within(["b", "d"]) == {"b": (), "d": ("b",)}
    assert chain.within(chain) == {"a": (), "b": ("a",), "c": ("b",), "d": ("a", "c")}


def test_an_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        graph(a="").parents("b")


@given(dags())
def test_every_node_stands_behind_what_it_reads(nodes: list[Node]) -> None:
    found = Graph(nodes)
    assert sorted(found.order) == sorted(node.name for node in nodes)
    place = {name: i for i, name in enumerate(found)}
    level = {name: i for i, names in enumerate(found.levels) for name in names}
    for node in nodes:
        for ref in node.refs:
            assert place[ref.name] < place[node.name]
            assert level[ref.name] < level[node.name]


@given(dags(), st.data())
def test_the_order_nodes_are_given_in_does_not_matter(
    nodes: list[Node], data: st.DataObject
) -> None:
    assert Graph(nodes).order == Graph(data.draw(st.permutations(nodes))).order


@given(dags(), st.integers(0, 4))
def test_walks_agree_with_one_step_at_a_time(nodes: list[Node], depth: int) -> None:
    found = Graph(nodes)
    for name in found:
        above: set[str] = set()
        step = {name}
        for _ in range(depth):
            step = {parent for one in step for parent in found.parents(one)}
            above |= step
        assert found.ancestors(name, depth) == above
        assert found.ancestors(name) == {n for n in found if name in found.descendants(n)}


@given(dags(), st.data())
def test_several_starts_reach_what_each_reaches(nodes: list[Node], data: st.DataObject) -> None:
    found = Graph(nodes)
    starts = data.draw(st.sets(st.sampled_from(found.order))) if nodes else set()
    for depth in (None, 1, 2):
        each = [found.descendants(start, depth) for start in starts]
        assert found.descendants(starts, depth) == frozenset().union(*each)


@given(dags(), st.data())
def test_within_keeps_who_is_above_whom(nodes: list[Node], data: st.DataObject) -> None:
    found = Graph(nodes)
    kept = data.draw(st.sets(st.sampled_from(found.order))) if nodes else set()
    waits = found.within(kept)
    assert tuple(waits) == found.sort(kept)
    smaller = Graph([model(name, *parents) for name, parents in waits.items()])
    for name in kept:
        assert smaller.ancestors(name) == found.ancestors(name) & kept


def test_ten_thousand_models_in_one_chain() -> None:
    nodes = [model(f"m{i:05}", *([f"m{i - 1:05}"] if i else [])) for i in range(10_000)]
    chain = Graph(nodes)
    assert len(chain.ancestors("m09999")) == 9_999
    assert len(chain.levels) == 10_000
    assert chain.within(["m00000", "m09999"])["m09999"] == ("m00000",)
    with pytest.raises(GraphError, match=r"m00000 -> m09999 -> m09998 -> "):
        Graph([*nodes[1:], model("m00000", "m09999")])


# -- references to nothing ------------------------------------------------------------------------


def test_a_missing_ref_is_named_with_its_place_and_the_nearest_name() -> None:
    error = fails(model("questions"), model("histories", "questions", "qestions"))
    assert (error.file, error.line) == ("models/histories.sql", 3)
    assert error.message == (
        "model 'histories' refers to 'qestions', but there is no such model, seed or source"
    )
    assert error.hint == "did you mean 'questions'?"


def test_further_missing_refs_are_listed_behind_the_first() -> None:
    error = fails(model("b", "nowhere"), model("a", "elsewhere"))
    assert "'elsewhere'" in error.message
    assert error.hint is not None
    assert "also missing: 'nowhere' at models/b.sql:2" in error.hint


def test_a_missing_source_is_called_one() -> None:
    error = fails(Node("raw.people", "source"), model("a", "raw.peple"))
    assert error.message == "model 'a' refers to 'raw.peple', but there is no such source"
    assert error.hint == "did you mean 'raw.people'?"


# -- cycles ---------------------------------------------------------------------------------------


def test_a_cycle_is_printed_from_its_smallest_name() -> None:
    error = fails(model("c", "a"), model("b", "c"), model("a", "b"), model("z", "a"), model("0"))
    assert error.message == "a cycle, each refers to the next: a -> b -> c -> a"
    assert (error.file, error.line) == ("models/a.sql", 2)
    assert error.hint is not None
    assert "'c' at models/b.sql:2" in error.hint


def test_of_two_cycles_a_short_one_is_printed() -> None:
    long = [model("b", "c", "x"), model("c", "d"), model("d", "e"), model("e", "b")]
    error = fails(*long, model("x", "a"), model("a", "b"))
    assert error.message.endswith(": a -> b -> x -> a")


def test_a_model_that_refers_to_itself() -> None:
    error = fails(model("counts", "counts"))
    assert error.message == "model 'counts' refers to itself: counts -> counts"
    assert error.hint is not None
    assert "{{ this }}" in error.hint


@given(dags(), st.data())
def test_a_printed_cycle_is_one(nodes: list[Node], data: st.DataObject) -> None:
    reads = {node.name: {ref.name for ref in node.refs} for node in nodes}
    if not reads:
        return
    low, high = data.draw(st.sampled_from(sorted(reads))), data.draw(st.sampled_from(sorted(reads)))
    reads[low] |= {high}
    try:
        Graph([model(name, *sorted(refs)) for name, refs in reads.items()])
    except GraphError as error:
        cycle = error.message.rpartition(": ")[2].split(" -> ")
        assert cycle[0] == cycle[-1] == min(cycle)
        assert len(set(cycle)) == len(cycle) - 1
        assert all(after in reads[name] for name, after in pairwise(cycle))
        assert low in cycle
    else:
        assert low not in Graph(nodes).ancestors(high) | {high}


# -- two of one name ------------------------------------------------------------------------------


def test_two_of_one_name_are_shown_with_both_files() -> None:
    error = fails(model("topics"), Node("topics", "seed", "seeds/topics.csv"))
    assert error.message == (
        "2 nodes are named 'topics': model models/topics.sql and seed seeds/topics.csv"
    )


def test_names_that_differ_only_in_case_are_one_table_to_duckdb() -> None:
    error = fails(model("Topics"), model("topics"))
    assert "differ only in case" in error.message
    assert "models/Topics.sql and model models/topics.sql" in error.message


# -- guarded tags ---------------------------------------------------------------------------------

RAW = Node("raw_answers", "seed", "seeds/raw_answers.csv", frozenset({"holdout"}))
FILTER = model("known", "raw_answers", filters_holdout=True)


def test_guarded_nodes_are_read_by_the_tagged_and_by_the_filter() -> None:
    check_guarded(
        Graph([RAW, FILTER, model("scores", "raw_answers", tags="holdout"), model("p", "known")]),
        ["holdout"],
    )


def test_an_untagged_reader_of_a_guarded_node_is_an_error_at_the_reference() -> None:
    leak = model("personas", "known", "raw_answers")
    with pytest.raises(GraphError) as caught:
        check_guarded(Graph([RAW, FILTER, leak]), ["holdout"])
    error = caught.value
    assert (error.file, error.line) == ("models/personas.sql", 3)
    assert "'personas' refers to 'raw_answers', which is guarded by the tag 'holdout'" in str(error)
    assert error.hint is not None
    assert error.hint.startswith("did you mean 'known', which reads 'raw_answers'")


def test_the_filter_must_say_true() -> None:
    with pytest.raises(GraphError, match="sets filters_holdout to 'no'; it must be true"):
        check_guarded(
            Graph([RAW, model("known", "raw_answers", filters_holdout="no")]), ["holdout"]
        )


def test_a_guard_that_is_misspelt_guards_nothing_and_says_so() -> None:
    with pytest.raises(GraphError, match="did you mean 'holdout'"):
        check_guarded(Graph([RAW]), ["hold_out"])
    check_guarded(Graph([model("a")]), ["holdout"])


@given(dags(), st.data())
def test_the_guard_finds_exactly_the_untagged_readers(
    nodes: list[Node], data: st.DataObject
) -> None:
    tagged = data.draw(st.sets(st.sampled_from([node.name for node in nodes]))) if nodes else set()
    marked = Graph(
        [
            model(n.name, *(r.name for r in n.refs), tags="secret" if n.name in tagged else "")
            for n in nodes
        ]
    )
    leaks = any(set(marked.parents(name)) & tagged for name in marked if name not in tagged)
    try:
        check_guarded(marked, ["secret"])
    except GraphError:
        assert leaks
    else:
        assert not leaks
