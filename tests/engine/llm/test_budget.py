"""Budgets: asked before each request, never gone over, the same end for everybody."""

from __future__ import annotations

import threading

import pytest

from lupom.engine.errors import BudgetError, LLMError
from lupom.engine.llm.budget import Budget, Pot
from lupom.engine.llm.gateway import Call
from lupom.engine.project.providers import embedding_settings
from tests.support.gateways import make_gateway, user
from tests.support.llm_server import Fault, fail_every

PRICE = {"input": 1000.0, "output": 1000.0}
TEXTS = [f"Question {i:03d} with some words to it" for i in range(60)]


@pytest.fixture
def opened(server, state):
    """Return a function that makes a gateway with a budget."""
    gateways = []

    def make(*pots, **settings):
        gateway = make_gateway(server.base_url, state, **{"max_tokens": 20, **settings})
        gateway.budget = Budget(*pots)
        gateways.append(gateway)
        return gateway

    yield make
    for gateway in gateways:
        gateway.close()


def ask(gateway, spec, texts, **options):
    calls = [Call(user(text), spec.for_row({})) for text in texts]
    return gateway.ask("default", calls, node="notes", run_id="r", **options)


@pytest.mark.parametrize("concurrency", [1, 16])
def test_tokens_are_never_gone_over_and_little_is_left(opened, note, state, server, concurrency):
    server.latency = 0.01
    gateway = opened(Pot("the run's budget", tokens=600), concurrency=concurrency)
    with pytest.raises(BudgetError, match=r"the run's budget of 600 tokens is reached: \d+ are"):
        ask(gateway, note, TEXTS)
    tokens, _ = state.ledger.spent()
    # What one request may take: a third of its bytes, 16 tokens around it, 20 tokens of answer.
    assert 600 - 130 < tokens <= 600
    assert len(state.calls_since(0)) == server.requests


def test_money_is_counted_at_the_alias_s_price(opened, note, state):
    gateway = opened(Pot("the run's budget", money=0.5), price=PRICE)
    with pytest.raises(BudgetError, match=r"the run's budget of \$0\.5000 is reached"):
        ask(gateway, note, TEXTS)
    _, money = state.ledger.spent()
    assert 0.37 < money <= 0.5


def test_a_budget_too_small_for_one_request_says_what_counts(opened, note, server):
    gateway = opened(Pot("the run's budget", tokens=600), max_tokens=2000)
    with pytest.raises(BudgetError, match=r"may take 2,0\d\d alone: .* max_tokens"):
        ask(gateway, note, TEXTS)
    assert server.requests == 0


def test_of_two_budgets_the_smaller_ends_it(opened, note):
    gateway = opened(Pot("the run's budget", tokens=10_000), Pot("the project's budget", tokens=50))
    with pytest.raises(BudgetError, match="the project's budget of 50 tokens"):
        ask(gateway, note, TEXTS)


def test_what_was_spent_before_counts(opened, note, server):
    gateway = opened(Pot("the project's budget", money=10, spent_money=9.999), price=PRICE)
    with pytest.raises(BudgetError, match=r"\$10\.00 is reached: \$10\.00 are spent"):
        ask(gateway, note, TEXTS)
    assert server.requests == 0


def test_answers_from_the_ledger_cost_nothing(opened, note, server):
    ask(opened(Pot("b", tokens=100_000)), note, TEXTS[:5])
    answers = ask(opened(Pot("b", tokens=0)), note, TEXTS[:5])
    assert all(answer.cached for answer in answers)
    assert server.requests == 5


def test_a_budget_that_is_reached_stays_reached(opened, note, server):
    gateway = opened(Pot("b", tokens=0))
    with pytest.raises(BudgetError):
        ask(gateway, note, TEXTS[:1])
    with pytest.raises(BudgetError):
        ask(gateway, note, TEXTS[1:2])
    assert server.requests == 0


def test_two_nodes_share_one_budget(opened, note, state, server):
    server.latency = 0.01
    gateway = opened(Pot("b", tokens=500), concurrency=4)
    errors = []

    def work(texts):
        try:
            ask(gateway, note, texts)
        except BudgetError as error:
            errors.append(error.message)

    threads = [threading.Thread(target=work, args=(TEXTS[i::2],)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 2
    assert errors[0] == errors[1]
    assert state.ledger.spent()[0] <= 500


def test_failed_requests_give_their_promise_back(opened, note, server):
    server.faults = fail_every(2, Fault(status=500))
    gateway = opened(Pot("b", tokens=1500), concurrency=1)
    answers = ask(gateway, note, TEXTS[:15])
    assert {answer.status for answer in answers} == {"ok"}


def test_corrective_attempts_are_paid_out_of_it_too(opened, note, server, state):
    server.answers = lambda _body: {"text": ["no", "text"]}
    gateway = opened(Pot("b", tokens=200), concurrency=1, attempts=9)
    with pytest.raises(BudgetError):
        ask(gateway, note, TEXTS[:1])
    (row,) = state.calls_since(0)
    assert row["status"] == "pending"
    assert 1 <= row["attempts"] < 9


def test_money_without_a_price_is_refused(opened, note, server):
    with pytest.raises(LLMError, match="llm 'default' has no price"):
        ask(opened(Pot("b", money=1)), note, TEXTS)
    assert server.requests == 0


def test_an_endpoint_that_names_no_usage_is_counted_by_length(opened, note, server):
    complete = server._completion

    def without_usage(*given):
        return {**complete(*given), "usage": None}

    server._completion = without_usage
    with pytest.raises(BudgetError):
        ask(opened(Pot("b", tokens=300), concurrency=1), note, TEXTS)
    assert server.requests < len(TEXTS)


def test_embeddings_are_paid_out_of_it_too(opened, server, state):
    settings = embedding_settings(
        provider="openai", base_url=server.base_url, model="e", dimensions=8
    )
    with pytest.raises(LLMError, match="they have no price"):
        opened(Pot("b", money=1)).embed(settings, TEXTS)
    with pytest.raises(BudgetError):
        opened(Pot("b", tokens=100)).embed(settings, TEXTS)
    assert server.requests == 0
    assert opened(Pot("b", tokens=5000)).embed(settings, TEXTS).shape == (60, 8)
