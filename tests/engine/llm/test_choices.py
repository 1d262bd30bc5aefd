"""The distribution of a choice, read at the label."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.engine.llm.choices import distribution
from lupom.engine.llm.providers.base import TokenLogprobs

OPTIONS = ["Yes", "No", "Other"]


def token(text, **top):
    """A token and its alternatives with their probabilities; `_` stands for a quote in a name."""
    pairs = [(name.replace("_", '"'), math.log(p)) for name, p in top.items()]
    return TokenLogprobs(text, dict(pairs).get(text, math.log(0.5)), pairs)


def test_the_label_stands_alone():
    tokens = [token('{"'), token("answer"), token('": "'), token("B", A=0.2, B=0.6, x=0.1)]
    found, missing = distribution('{"answer": "B"}', [*tokens, token('"}')], "answer", ["A", "B"])
    assert found == pytest.approx({"A": 0.25, "B": 0.75})
    assert missing == pytest.approx(0.2)


def test_the_label_shares_its_token_with_a_quote():
    tokens = [token('{"answer":'), token(' "'), token('B"', **{"A_": 0.1, "B_": 0.3, "B": 0.4})]
    found, missing = distribution('{"answer": "B"}', [*tokens, token("}")], "answer", ["A", "B"])
    assert found == pytest.approx({"A": 0.125, "B": 0.875})
    assert missing == pytest.approx(0.2)
    glued = [token('{"answer":'), token('"A', **{"_A": 0.5, "_B": 0.25, "A": 0.25}), token('"}')]
    found, missing = distribution('{"answer":"A"}', glued, "answer", ["A", "B"])
    assert found == pytest.approx({"A": 2 / 3, "B": 1 / 3})
    assert missing == pytest.approx(0.25)


def test_a_property_named_like_a_label_is_not_the_label():
    tokens = [token('{"'), token("A", A=1.0), token('": "'), token("B", A=0.5, B=0.5), token('"}')]
    found, _ = distribution('{"A": "B"}', tokens, "A", ["A", "B"])
    assert found == pytest.approx({"A": 0.5, "B": 0.5})


def test_the_answered_token_counts_where_the_alternatives_leave_it_out():
    tokens = [token('{"answer":"'), TokenLogprobs("C", math.log(0.1), [("A", math.log(0.6))])]
    found, missing = distribution('{"answer":"C', tokens, "answer", ["A", "B", "C"])
    assert found == pytest.approx({"A": 6 / 7, "B": 0.0, "C": 1 / 7})
    assert missing == pytest.approx(0.3)


@pytest.mark.parametrize(("p", "known"), [(0.8, None), (0.995, {"A": 1.0, "B": 0.0})])
def test_without_alternatives_only_what_is_nearly_sure_is_a_distribution(p, known):
    tokens = [token('{"answer": "'), TokenLogprobs("A", math.log(p), []), token('"}')]
    read = distribution('{"answer": "A"}', tokens, "answer", ["A", "B"])
    assert (read and read[0]) == known


@pytest.mark.parametrize(
    "tokens",
    [None, [], [token("something"), token("else")], [token('{"answer": "'), token('"}')]],
)
def test_without_log_probabilities_at_the_label_there_is_no_distribution(tokens):
    assert distribution('{"answer": "B"}', tokens, "answer", ["A", "B"]) is None


@given(
    st.lists(st.floats(0.001, 1.0), min_size=2, max_size=10),
    st.floats(0.0, 0.5),
    st.sampled_from(["", '"', ' "', '": "']),
)
def test_probabilities_sum_to_one_and_keep_their_ratios(weights, elsewhere, before):
    labels = [chr(65 + i) for i in range(len(weights))]
    total = sum(weights) / (1 - elsewhere)
    top = [(before + la, math.log(w / total)) for la, w in zip(labels, weights, strict=True)]
    head = '{"answer": "'
    tokens = [
        TokenLogprobs(head.removesuffix(before), 0.0),
        TokenLogprobs(before + "A", top[0][1], top),
        TokenLogprobs('"}', 0.0),
    ]
    found, missing = distribution('{"answer": "A"}', tokens, "answer", labels)
    assert sum(found.values()) == pytest.approx(1.0)
    assert missing == pytest.approx(elsewhere, abs=1e-9)
    for label, weight in zip(labels, weights, strict=True):
        assert found[label] == pytest.approx(weight / sum(weights))


# Through a server


@pytest.mark.parametrize("glue", [False, True])
def test_one_request_carries_schema_and_log_probabilities(ask, choice, server, state, glue):
    server.distribution = lambda labels: dict(zip(labels, [0.2, 0.6, 0.1], strict=True))
    server.glue = glue
    (answer,) = ask(choice, ["Question"], values={"options": OPTIONS})
    assert server.requests == 1
    assert server.bodies[0]["response_format"]["json_schema"]["strict"] is True
    assert server.bodies[0]["logprobs"] is True
    assert answer.value == {"answer": "No"}
    assert answer.probabilities == pytest.approx({"Yes": 2 / 9, "No": 6 / 9, "Other": 1 / 9})
    assert answer.missing_mass == pytest.approx(0.1)
    (again,) = ask(choice, ["Question"], values={"options": OPTIONS})
    assert again.cached
    assert (again.value, again.probabilities) == (answer.value, answer.probabilities)
    assert again.missing_mass == answer.missing_mass


def test_a_provider_without_log_probabilities_gives_the_label_alone(ask, choice, server):
    server.logprobs = "ignore"
    (answer,) = ask(choice, ["Question"], values={"options": OPTIONS})
    assert answer.status == "ok"
    assert answer.value["answer"] in OPTIONS
    assert (answer.probabilities, answer.missing_mass) == (None, None)
    assert server.requests == 1


def test_log_probabilities_are_asked_of_choices_only_and_if_wanted(ask, choice, note, server):
    ask(note, ["Question"])
    ask(choice, ["Question"], values={"options": OPTIONS}, logprobs=False)
    assert not any("logprobs" in body for body in server.bodies)
