"""Jinja in SQL models."""

from __future__ import annotations

import pytest

from lupom.engine.compiler.sql import Context, fill, render
from lupom.engine.errors import CompileError
from lupom.engine.project.providers import llm_settings
from lupom.engine.project.traits import traits_of
from lupom.engine.store.names import quoted

CONTEXT = Context(vars={"n": 3}, target={"name": "dev"}, environ={"HOME": "/home/x"})


def test_refs_are_found_with_their_lines_and_filled_in_later():
    out = render("select *\nfrom {{ ref('a') }}\njoin {{ ref('b') }} using (id)", "m.sql", CONTEXT)
    assert [(ref.name, ref.line) for ref in out.refs] == [("a", 2), ("b", 3)]
    text = fill(out.text, "this", lambda name: quoted("main", name))
    assert text == 'select *\nfrom "main"."a"\njoin "main"."b" using (id)'


def test_two_placeholders_side_by_side_are_two():
    out = render("{{ ref('a') }}{{ ref('b') }}{{ this }}{{ this }}", "m.sql", CONTEXT)
    assert fill(out.text, "T", lambda name: f"<{name}>") == "<a><b>TT"


def test_config_and_vars_and_is_incremental():
    text = "{{ config(materialized='incremental') }} select {{ var('n') }}, {{ var('k', 5) }}"
    out = render(text + "{% if is_incremental() %} where new{% endif %}", "m.sql", CONTEXT)
    assert out.config == {"materialized": "incremental"}
    assert out.text.strip() == "select 3, 5"
    assert out.asked_incremental
    assert (
        render("{% if is_incremental() %}x{% endif %}", "m.sql", CONTEXT, incremental=True).text
        == "x"
    )


def test_what_is_known_of_llms_can_be_read():
    known = {"one": traits_of(llm_settings(provider="embedded"))}
    context = Context(vars={}, target={}, llms=known)
    text = "{% for name, llm in llms.items() if llm.logprobs %}{{ name }} {{ llm.profile }}"
    assert render(text + "{% endfor %}", "m.sql", context).text == "one small"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "select 1\nfrom {{ rfe('a') }}",
            "m.sql:2: Jinja: 'rfe' is undefined (did you mean 'ref'?)",
        ),
        ("select\n{{ var('m') }}", "m.sql:2: the var 'm' has no value"),
        ("select 1\n{% if x %}", "m.sql:2: Jinja does not parse: Unexpected end of template."),
        ("{{ env_var('NOPE') }}", "m.sql:1: the environment variable NOPE is not set"),
        ("\n{{ ref('p', 'm') }}", "m.sql:2: ref() takes one model name (ref('questions'))"),
    ],
)
def test_a_mistake_has_its_line(text, message):
    with pytest.raises(CompileError) as caught:
        render(text, "m.sql", CONTEXT)
    assert str(caught.value).startswith(message)


def test_a_template_cannot_reach_python():
    with pytest.raises(CompileError, match="unsafe"):
        render("{{ ref.__globals__ }}", "m.sql", CONTEXT)


def test_identifiers_are_quoted():
    assert quoted("main", 'a"b') == '"main"."a""b"'
