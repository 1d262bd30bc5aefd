"""The selector grammar, read as a user would type it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.engine.errors import SelectionError
from lupom.engine.graph import Graph, select
from tests.support.nodes import Node, Ref


def model(
    file: str, refs: str = "", tags: str = "", materialized: str = "table", **config: Any
) -> Node:
    name = file.rpartition("/")[2].partition(".")[0]
    config = {"materialized": materialized, **config}
    places = [Ref(ref) for ref in refs.split()]
    return Node(name, "model", f"models/{file}", frozenset(tags.split()), config, places)


# seeds.answers -> stg_answers -> histories -> personas -> scores
# raw.people ----> stg_people --------------------^          ^
#                                              truth --------+
PROJECT: Graph[Node] = Graph(
    [
        Node("answers", "seed", "seeds/gss/answers.csv", config={"materialized": "seed"}),
        Node("raw.people", "source", "models/sources.yml", config={"materialized": "source"}),
        model("staging/stg_answers.sql", "answers", tags="staging nightly"),
        model("staging/stg_people.sql", "raw.people", tags="staging", materialized="view"),
        model("histories.sql", "stg_answers", meta={"owner": "ada", "steps": ["one", "two"]}),
        model("personas/personas.sql", "histories stg_people", materialized="llm", tags="paid"),
        model("evaluation/truth.py", "", materialized="python", enabled=True),
        model("evaluation/scores.sql", "personas truth", tags="nightly"),
    ]
)


def chosen(*values: str, exclude: Sequence[str] = (), **kwargs: Any) -> str:
    return " ".join(select(PROJECT, values, exclude, **kwargs))


def refused(*values: str, exclude: Sequence[str] = (), **kwargs: Any) -> SelectionError:
    with pytest.raises(SelectionError) as caught:
        select(PROJECT, values, exclude, **kwargs)
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        # names
        ("histories", "histories"),
        ("raw.people", "raw.people"),
        ("stg_*", "stg_answers stg_people"),
        ("stg_?eople", "stg_people"),
        ("*s", "answers histories personas scores stg_answers"),
        ("*people", "stg_people"),
        ("raw.*", "raw.people"),
        # ancestors and descendants
        ("+histories", "answers histories stg_answers"),
        ("1+histories", "histories stg_answers"),
        ("2+personas", "histories personas raw.people stg_answers stg_people"),
        ("personas+", "personas scores"),
        ("stg_answers+1", "histories stg_answers"),
        ("stg_people+2", "personas scores stg_people"),
        ("1+personas+1", "histories personas scores stg_people"),
        ("0+personas+0", "personas"),
        ("+stg_*", "answers raw.people stg_answers stg_people"),
        ("@stg_people", " ".join(sorted(PROJECT))),
        ("@truth", " ".join(sorted(PROJECT))),
        # methods
        ("tag:staging", "stg_answers stg_people"),
        ("tag:night*", "scores stg_answers"),
        ("tag:paid+", "personas scores"),
        ("config.materialized:llm", "personas"),
        ("config.meta.owner:ada", "histories"),
        ("config.meta.steps:two", "histories"),
        ("config.enabled:true", "truth"),
        ("resource_type:seed", "answers"),
        ("source:raw", "raw.people"),
        ("source:raw.people", "raw.people"),
        ("source:*.p*+1", "raw.people stg_people"),
        # paths
        ("path:models/staging", "stg_answers stg_people"),
        ("path:models/staging/", "stg_answers stg_people"),
        ("path:./models/staging/stg_people.sql", "stg_people"),
        ("path:models/*.sql", "histories"),
        ("path:models/*/s*.sql", "scores stg_answers stg_people"),
        ("path:models/**/s*.sql", "scores stg_answers stg_people"),
        ("path:models/**/h*.sql", "histories"),
        ("path:models/*on", "scores truth"),
        ("path:seeds", "answers"),
        ("path:.", " ".join(sorted(PROJECT))),
        ("models/evaluation", "scores truth"),
        ("models\\evaluation", "scores truth"),
        ("models/personas+", "personas scores"),
        ("stg_people.sql", "stg_people"),
        ("file:*.py", "truth"),
        # union, intersection
        ("truth histories", "histories truth"),
        ("  truth   truth ", "truth"),
        ("tag:staging,tag:nightly", "stg_answers"),
        ("+personas,config.materialized:view", "stg_people"),
        ("tag:staging,tag:nightly truth", "stg_answers truth"),
    ],
)
def test_the_grammar(selector: str, names: str) -> None:
    assert sorted(chosen(selector).split()) == names.split()


def test_the_answer_is_in_build_order() -> None:
    assert chosen("scores +histories") == "answers stg_answers histories scores"


def test_several_values_are_a_union() -> None:
    assert chosen("truth", "histories", "tag:paid") == "histories personas truth"


def test_nothing_selected_is_everything() -> None:
    assert select(PROJECT) == PROJECT.order
    assert chosen(exclude=["tag:staging", "answers+ raw.people"]) == "truth"


def test_exclude_takes_away() -> None:
    assert chosen("+scores", exclude=["+personas"]) == "truth scores"


# -- nothing matched ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "meant"),
    [
        ("historys", "histories"),
        ("2+historys+", "2+histories+"),
        ("@Personas", "@personas"),
        ("sgt_*+", "stg_*+"),
        ("*_peple", "stg_people"),
        ("staging", "tag:staging"),
        ("evaluation", "path:models/evaluation"),
        ("raw", "source:raw"),
        ("tag:nightley", "tag:nightly"),
        ("tag:truth", "truth"),
        ("source:row", "source:raw"),
        ("source:raw.peple", "source:raw.people"),
        ("resource_type:models", "resource_type:model"),
        ("path:model/staging", "path:models/staging"),
        ("path:staging/stg_people.sql", "path:models/staging/stg_people.sql"),
        ("+models/stagin", "+path:models/staging"),
        ("stg_peeple.sql", "stg_people.sql"),
        ("config.materialised:llm", "config.materialized:llm"),
        ("config.materialized:lllm", "config.materialized:llm"),
        ("config.meta.owners:ada", "config.meta.owner:ada"),
        ("truth,+tag:stagging", "+tag:staging"),
        # unknown methods
        ("tga:staging", "tag:staging"),
        ("1+pth:models/staging", "1+path:models/staging"),
        ("config:llm", "config.materialized:llm"),
    ],
)
def test_what_matches_nothing_comes_with_what_was_meant(selector: str, meant: str) -> None:
    assert refused(selector).hint == f"did you mean '{meant}'?"


@pytest.mark.parametrize(
    ("selector", "hint"),
    [
        ("tag:unheard-of", "the project's tags are 'nightly', 'paid', 'staging'"),
        ("config.materialized:xyz", "its values are 'llm', 'python', 'seed'"),
        ("config.colour:red", "no node sets 'config.colour'"),
        ("path:/home/me/models", "paths are relative to the project's folder"),
        ("path:qqq", "the project's folders are 'models', 'seeds'"),
        ("qqq:x", "methods are 'name:', 'path:'"),
        ("qqqqq", "`lupom ls` lists every name"),
    ],
)
def test_where_nothing_is_near_the_choice_is_shown(selector: str, hint: str) -> None:
    assert hint in (refused(selector).hint or "")


def test_a_misspelt_exclusion_is_an_error_too() -> None:
    error = refused(exclude=["tag:payd"])
    assert error.message == "--exclude 'tag:payd' matches nothing"
    assert error.hint == "did you mean 'tag:paid'?"


def test_an_intersection_with_nothing_in_common_says_what_each_part_has() -> None:
    error = refused("tag:staging,tag:paid")
    assert "no node in common" in error.message
    assert "'tag:staging' 2, 'tag:paid' 1" in (error.hint or "")


def test_excluding_all_that_is_selected_is_an_error() -> None:
    assert "takes out all 2 selected" in refused("tag:staging", exclude=["stg_*"]).message


@pytest.mark.parametrize(
    "selector", ["", " ", "+", "@", "tag:", "@a+", "@+a", "++a", "a++", "a,", ",a", "a,,b", "a, b"]
)
def test_a_malformed_selector_is_an_error(selector: str) -> None:
    assert refused(selector).hint


# -- methods of the caller ------------------------------------------------------------------------


def modified(*names: str) -> dict[str, Any]:
    return {"state": lambda graph, value: names if value == "modified" else ()}


def test_a_caller_adds_methods() -> None:
    assert chosen("state:modified+", methods=modified("personas")) == "personas scores"
    assert chosen("state:modified", methods=modified("truth", "gone_since")) == "truth"


def test_a_method_of_the_caller_may_find_nothing() -> None:
    assert chosen("state:modified+", methods=modified()) == ""
    assert chosen("state:modified,tag:paid", methods=modified("truth")) == ""
    assert chosen("state:modified", exclude=["truth"], methods=modified("truth")) == ""


def test_methods_of_the_caller_are_suggested() -> None:
    assert refused("stat:modified", methods=modified()).hint == "did you mean 'state:modified'?"
    assert "unknown method 'state:'" in refused("state:modified").message


# -- laws -----------------------------------------------------------------------------------------

NAMES = sorted(PROJECT)
BODIES = st.sampled_from([*NAMES, "stg_*", "tag:nightly", "path:models", "resource_type:seed", "*"])
DEPTHS = st.sampled_from(["", "0", "1", "2"])
TERMS = st.one_of(
    BODIES,
    st.builds("@{}".format, BODIES),
    st.builds("{}+{}".format, DEPTHS, BODIES),
    st.builds("{}+{}".format, BODIES, DEPTHS),
    st.builds("{}+{}+{}".format, DEPTHS, BODIES, DEPTHS),
)


def names(*values: str, exclude: Sequence[str] = ()) -> set[str]:
    try:
        return set(select(PROJECT, values, exclude))
    except SelectionError as error:
        if "in common" in error.message or "takes out all" in error.message:
            return set()
        raise


@given(TERMS, TERMS, TERMS)
def test_spaces_commas_and_exclude_are_set_operations(a: str, b: str, c: str) -> None:
    assert names(f"{a} {b}") == names(a, b) == names(a) | names(b)
    assert names(f"{a},{b},{c}") == names(a) & names(b) & names(c)
    assert names(a, exclude=[b]) == names(a) - names(b)
    if names(f"{b},{c}"):
        assert names(f"{a} {b},{c}") == names(a) | (names(b) & names(c))


@given(BODIES)
def test_operators_are_walks_of_the_graph(body: str) -> None:
    start = names(body)
    assert names(f"+{body}") == start | PROJECT.ancestors(start)
    assert names(f"{body}+") == start | PROJECT.descendants(start)
    assert names(f"+{body}+") == names(f"+{body}", f"{body}+")
    below = names(f"{body}+")
    assert names(f"@{body}") == below | PROJECT.ancestors(below)
    assert names(f"9+{body}+9") == names(f"+{body}+")


@given(TERMS)
def test_an_answer_is_in_the_order_of_the_graph(term: str) -> None:
    found = select(PROJECT, [term])
    assert found == PROJECT.sort(found)


@given(st.text(max_size=12))
def test_any_text_is_an_answer_or_a_clear_error(text: str) -> None:
    hint: str | None = "none needed"
    try:
        select(PROJECT, [text])
    except SelectionError as error:
        hint = error.hint
    assert hint
