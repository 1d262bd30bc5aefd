"""Cache points: what begins alike, how long, and for how many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.engine.llm.prefixes import MOST_POINTS, common, starts
from lupom.engine.llm.providers.prefix import cached_from

TASK = "What is the same for all.\n" * 200
PEOPLE = {name: f"{name} said this.\n" * 300 for name in ("Ann", "Bob", "Cid")}


def user(text):
    return [{"role": "user", "content": text}]


def test_a_point_stands_where_all_requests_share_and_one_where_a_person_s_do():
    texts = [TASK + PEOPLE[name] + f"Question {i}?" for name in PEOPLE for i in range(3)]
    found = starts([user(text) for text in texts], 4096)
    for start, text in zip(found, texts, strict=True):
        task, person = start.points
        assert text[:task] == TASK
        assert text[task:person] in PEOPLE.values()
    assert len({start.group for start in found}) == 3


def test_a_beginning_that_nobody_else_has_has_no_point():
    texts = [TASK + PEOPLE["Ann"] + "Question 1?", TASK + PEOPLE["Bob"] + "Question 1?"]
    found = starts([user(text) for text in sorted(texts)], 4096)
    assert [start.points for start in found] == [(len(TASK),)] * 2
    assert starts([user(texts[0])], 4096)[0].points == ()


def test_what_two_questions_share_by_accident_is_no_beginning():
    texts = [TASK + text for text in ("How much?\nA\n", "How much?\nB\n", "Who?")]
    assert {start.points for start in starts([user(t) for t in texts], 4096)} == {(len(TASK),)}


def test_a_beginning_may_go_over_several_messages():
    def request(name, i):
        return [{"role": "system", "content": TASK}, *user(PEOPLE[name] + f"Question {i}?")]

    found = starts([request(name, i) for name in ("Ann", "Bob") for i in range(2)], 4096)
    assert found[0].points == (len(TASK), len(TASK) + len(PEOPLE["Ann"]))


def test_equal_requests_share_all_of_them():
    assert starts([user(TASK)] * 3, 4096) == starts([user(TASK)] * 3, 4096)
    assert starts([user(TASK)] * 3, 4096)[0].points == (len(TASK),)


@given(st.lists(st.text("ab\n", max_size=40), min_size=2, max_size=12), st.integers(1, 10))
def test_each_point_ends_what_another_request_begins_with(texts, least):
    requests = [user(text * 300) for text in sorted(texts)]
    requests.sort(key=lambda messages: messages[0]["content"])
    found = starts(requests, least)
    for i, (request, start) in enumerate(zip(requests, found, strict=True)):
        assert list(start.points) == sorted(set(start.points))
        assert len(start.points) <= MOST_POINTS
        others = [common(request, other) for j, other in enumerate(requests) if j != i]
        text = request[0]["content"]
        for point in start.points:
            assert point >= least
            assert point <= max(others)
            assert point == len(text) or text[point - 1] == "\n"
        # Those of a group have their points at the same places.
        mine = [other.points for other in found if other.group == start.group is not None]
        assert len(set(mine)) <= 1


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 1024),
        ("claude-sonnet-4-20250514", 1024),
        ("claude-sonnet-4-6", 2048),
        ("claude-haiku-4-5", 4096),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", 2048),
        ("claude-opus-4-1-20250805", 1024),
        ("claude-opus-4-5", 4096),
        ("claude-opus-5", 4096),
        ("amazon.nova-pro-v1:0", 1024),
    ],
)
def test_the_shortest_beginning_is_the_model_s(model, tokens):
    assert cached_from(model) == 4 * tokens
