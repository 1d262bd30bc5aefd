"""Selectors of names, paths and tags that have spaces, commas or operators in them."""

from __future__ import annotations

import pytest

from lupom.engine.errors import SelectionError
from lupom.engine.graph import Graph, select
from tests.support.nodes import Node, Ref


def model(name: str, file: str, refs: tuple[str, ...] = (), tag: str = "") -> Node:
    tags = frozenset({tag} - {""})
    config = {"materialized": "table", "meta": {"owner": "Ada King"}}
    return Node(name, "model", f"models/{file}", tags, config, [Ref(ref) for ref in refs])


PROJECT: Graph[Node] = Graph(
    [
        Node("s e", "seed", "seeds/sub dir/s e.csv", config={"materialized": "seed"}),
        Node("raw data.the people", "source", "models/s.yml", config={"materialized": "source"}),
        model("m", "m.sql", ("s e",), tag="to do"),
        model("n", "my models/n.sql", ("m", "raw data.the people")),
        model("it's", "it's.sql", tag="it's"),
        model("a+b", "a+b.sql"),
        model("c, d", "c, d.sql", tag="x:y"),
        model("größe", "größe 1/größe.sql", tag="50%"),
        model("e", "e.sql"),
    ]
)
ALL = set(PROJECT.nodes)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("s e", {"s e"}),
        ("s e+", {"s e", "m", "n"}),
        ("+s e", {"s e"}),
        ("1+n", {"m", "n", "raw data.the people"}),
        ("@s e", {"s e", "m", "n", "raw data.the people"}),
        ("s *", {"s e"}),
        ("path:seeds/sub dir", {"s e"}),
        ("path:seeds/sub dir+", {"s e", "m", "n"}),
        ("seeds/sub dir", {"s e"}),
        ("seeds/sub dir/s e.csv", {"s e"}),
        ("path:models/my models", {"n"}),
        ("s e.csv", {"s e"}),
        ("file:s e.csv", {"s e"}),
        ("tag:to do", {"m"}),
        ("tag:to do+", {"m", "n"}),
        ("config.meta.owner:Ada King", ALL - {"s e", "raw data.the people"}),
        ("source:raw data+", {"raw data.the people", "n"}),
        ("source:raw data.the people", {"raw data.the people"}),
        # Unions and intersections of them.
        ("s e m", {"s e", "m"}),
        ("e s e", {"s e", "e"}),
        ("m s e n", {"s e", "m", "n"}),
        ("m  path:seeds/sub dir tag:to do", {"s e", "m"}),
        ("tag:to do,m", {"m"}),
        ("s e+,tag:to do", {"m"}),
        ("tag:to do,s e+ e", {"m", "e"}),
        # Quotes.
        ('"s e"', {"s e"}),
        ("'s e'+", {"s e", "m", "n"}),
        ('path:"seeds/sub dir"', {"s e"}),
        ('"path:seeds/sub dir"', {"s e"}),
        ("2+'n'", {"s e", "m", "n", "raw data.the people"}),
        ('"s e" m', {"s e", "m"}),
        ('"s e"+,"m"', {"m"}),
        ('"c, d"', {"c, d"}),
        ('"a+b"', {"a+b"}),
        ('tag:"x:y"', {"c, d"}),
        ("it's", {"it's"}),
        ("tag:it's", {"it's"}),
        ("it's+ e", {"it's", "e"}),
        ("größe", {"größe"}),
        ("path:models/größe 1", {"größe"}),
        ("tag:50%", {"größe"}),
    ],
)
def test_a_selector_reaches_what_has_a_space_in_it(selector, expected):
    assert set(select(PROJECT, [selector])) == expected
    assert set(select(PROJECT, None, [selector])) == ALL - expected


@pytest.mark.parametrize(
    "selector", ["s f", "path:seeds/sub dri", "tag:to don", '"s e m"', "s e x"]
)
def test_what_matches_nothing_is_an_error_with_a_hint_that_works(selector):
    with pytest.raises(SelectionError, match="matches nothing") as caught:
        select(PROJECT, [selector])
    assert caught.value.hint


@pytest.mark.parametrize("slip", ["x,y", "path:models/a,b", "models/a,b+", "@at", "y+z"])
def test_what_a_hint_says_was_meant_can_be_typed(slip):
    project = Graph([model("x,y", "a,b/x,y.sql"), model("@at", "@at.sql"), model("y+z+", "y.sql")])
    with pytest.raises(SelectionError) as caught:
        select(project, [slip])
    meant = str(caught.value.hint).removeprefix("did you mean '").removesuffix("'?")
    assert select(project, [meant])
