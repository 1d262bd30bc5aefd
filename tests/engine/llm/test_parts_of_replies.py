"""A reply to several rows taken apart: whatever a model writes around, before or instead."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.engine.llm.providers.base import ProviderReply, TokenLogprobs
from lupom.engine.llm.together import RowsResponse, shared_out

OPTIONS = ["Yes", "No", "Perhaps"]
A, B = '{"answer": "A"}', '{"answer": "B"}'


@pytest.fixture
def row(choice):
    return choice.for_row({"options": OPTIONS})


def parts(row, text, rows=2, **reply):
    return [part.text for part in shared_out(ProviderReply(text, **reply), [row] * rows)]


@pytest.mark.parametrize(
    "text",
    [
        f'{{"r1": {A}, "r2": {B}}}',
        f'```json\n{{"r1": {A}, "r2": {B}}}\n```\nThat is all.',
        f'<think>{{"r1": {B}, "r2": {{}}}}</think>{{"r1": {A}, "r2": {B}}}',
        f'{{"r1": {B}, "r2": {B}}} No: {{"r1": {A}, "r2": {B}}}',
        f'{{"answers": {{"r1": {A}, "r2": {B}}}}}',
        f'{{"R1": {A}, "r2.": {B}}}',
        f'{{"1": {A}, "2": {B}}}',
        '{"r1": "A", "r2": "B"}',
        '[{"label": "r1", "answer": "A"}, {"label": "r2", "answer": "B"}]',
        '{"rows": [{"label": "r2", "answer": "B"}, {"label": "r1", "answer": "A"}]}',
        f'[{{"r1": {A}}}, {{"r2": {B}}}]',
        "{'r1': {'answer': 'A'}, 'r2': {'answer': 'B'},}",
        json.dumps(f'{{"r1": {A}, "r2": {B}}}'),
        "r1: A\nr2: B",
        "| r1 | A |\n| r2 | B |",
        "r1 = Yes, r2 = No",
        "1. Yes\n2. No",
        "<think>r1: B\nr2: A</think>**r1:** I would say Yes.\n**r2:** Answer: B",
        f"r1: {A}\nr2: {B}",
        f"{A}\n{B}",
        '["A", "B"]',
        f'{{"answers": [{A}, {B}]}}',
        '{"answers": {"r1": "A", "r2": "B"}, "alternatives": {"r1": "C", "r2": "C"}}',
        '{"id": 2, "answer": "B"}\n{"id": 1, "answer": "A"}',
        '[{"row": "Row 2", "answer": "B"}, {"row": "Row 1", "answer": "A"}]',
        # Lines that count rows in other words.
        "Person 1: A\nPerson 2: B",
        "**Respondent 1** - Yes\n**Respondent 2** - No",
        "Question 1: A; Question 2: B",
        "1) A 2) B",
        "Answers: 1. A, 2. B",
        "(1) A\n(2) B",
        "1 - A\n2 - B",
        "Here they are:\n\n1. **r1**: A\n2. **r2**: B",
        "r1: A because they are old\nr2: B - they are young",
        # Thoughts and answers in objects of their own, and tables with a reason.
        '{"thought": "Old."}\n{"answer": "A"}\n{"thought": "Young."}\n{"answer": "B"}',
        "| Row | Answer | Reason |\n|---|---|---|\n| r1 | A | Not B: old |\n| r2 | B | Young |",
        "| # | Reason | Answer |\n|--:|---|---|\n| 2 | Young | **B** |\n| 1 | Old | **A** |",
        "My answers:\n\nAnswer | Reason\n---|---\nA | Old\nB | Young\n\nThat is all.",
    ],
)
def test_each_row_s_part_is_found(row, text):
    assert [row.parse(part)["answer"] for part in parts(row, text)] == ["Yes", "No"]


def test_what_is_whole_before_a_cut_is_found_and_nothing_else(row):
    text = f'{{"r1": {A}, "r2": {{"answer": "B'
    assert parts(row, text, finish_reason="length") == [A, ""]
    assert parts(row, f'<think>{{"r1": {A}, "r2"', finish_reason="length")[0] != A


def test_a_reply_without_a_part_for_each_is_left_whole(row):
    for said in (
        "I would rather not say.",
        A,
        f"{A} {B} {A}",
        "r2: A\nr1: B",
        "r1: A",
        "1. A\n3. B",
        # Reasons, options, a draft, and rows in another order.
        "Two reasons:\n1. Yes is common\n2. No",
        'Options: ["A", "B"]',
        '{"options": ["Yes", "No"]}',
        f"Draft: {A}\nFinal: {B}",
        f"Row 2: {A}\nRow 1: {B}",
        f"r2 {A}\nr1 {B}",
        f"The format is {A}, {B}",
        "Their previous responses were:\n1. Yes\n2. No",
        "r1: Yes\nr2: No\nr1 (revised): No",
        "Person 1 said earlier: A\nPerson 1: B\nPerson 2: A",
        "Earlier, Person 1: B\nPerson 2: A",
        "Person 2: B\nPerson 1: A",
        "Person 1: B\nRow 2: A",
        "There are two: 1) Yes 2) No",
        "| Option | Probability |\n|---|---|\n| A | .7 |\n| B | .3 |",
        "| Row | Answer |\n|---|---|\n| 1 | A |\n| 3 | B |",
        "Previous answers:\n\n| Row | Answer |\n|---|---|\n| 1 | A |\n| 2 | B |",
    ):
        assert parts(row, said) == [said] * 2


def test_all_options_in_their_order_are_no_answers(row):
    for said in ("1. Yes\n2. No\n3. Perhaps", '["A", "B", "C"]', '["Yes", "No", "Perhaps"]'):
        assert parts(row, said, 3) == [said] * 3
    for said in ("1) A 2) B 3) C", "Answer 1: A\nAnswer 2: B\nAnswer 3: C"):
        assert parts(row, said, 3) == [said] * 3
    table = "| Option | Meaning |\n|---|---|\n| A | Yes |\n| B | No |\n| C | Perhaps |"
    assert parts(row, table, 3) == [table] * 3
    assert parts(row, "r1: Yes\nr2: No\nr3: Perhaps", 3) == ["Yes", "No", "Perhaps"]
    assert parts(row, "Person 1: A\nPerson 2: B\nPerson 3: C", 3) == ["A", "B", "C"]


def test_a_long_reply_without_labels_takes_no_time(row):
    for said in (" " * 50_000 + "B", "Person 1 " * 10_000, "{" * 10_000, "1) " * 10_000):
        assert parts(row, said) == [said] * 2


@given(
    st.integers(1, 12),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
)
def test_tokens_add_up_to_the_reply_s(rows, plain, out, read, written):
    reply = ProviderReply("", plain + read + written, out, "stop", None, read, written)
    shares = shared_out(reply, [None] * rows)
    assert sum(share.tokens_in or 0 for share in shares) == reply.tokens_in
    assert sum(share.tokens_out or 0 for share in shares) == out
    assert sum(share.tokens_cached for share in shares) == read
    assert sum(share.tokens_written for share in shares) == written
    for share in shares:
        assert (share.tokens_in or 0) >= share.tokens_cached + share.tokens_written


def test_unknown_tokens_stay_unknown(row):
    (share, _) = shared_out(ProviderReply(f'{{"r1": {A}, "r2": {B}}}'), [row] * 2)
    assert (share.tokens_in, share.tokens_out) == (None, None)


def test_equal_parts_have_each_their_own_probabilities(row):
    text = f'{{"r1": {A}, "r2": {A}}}'
    before, between, after = '{"r1": {"answer": "', '"}, "r2": {"answer": "', '"}}'
    tokens = [
        TokenLogprobs(before, 0.0),
        TokenLogprobs("A", -0.1, [("A", -0.1), ("B", -2.5)]),
        TokenLogprobs(between, 0.0),
        TokenLogprobs("A", -1.0, [("A", -1.0), ("C", -1.0)]),
        TokenLogprobs(after, 0.0),
    ]
    first, second = shared_out(ProviderReply(text, tokens=tokens), [row] * 2)
    one, other = (row.distribution(part.text, part.tokens)[0] for part in (first, second))
    assert one["Yes"] > 0.9
    assert other["Yes"] == pytest.approx(other["Perhaps"])


def test_a_request_s_schema_has_each_row_s_own(choice):
    spec = RowsResponse([choice.for_row({"options": o}) for o in (OPTIONS, OPTIONS[:2])])
    assert spec.schema["required"] == ["r1", "r2"]
    one, other = (spec.schema["properties"][label] for label in ("r1", "r2"))
    assert len(one["properties"]["answer"]["enum"]) == 3
    assert len(other["properties"]["answer"]["enum"]) == 2


# More than one object, read with a request's own rows.
FULL = f'{{"r1": {A}, "r2": {B}}}'


def answers(row, text, rows=2):
    return [
        None if part.unclear else row.parse(part.text)["answer"]
        for part in shared_out(ProviderReply(text), [row] * rows)
    ]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        # One says what the other does, or what it does not.
        (f'{FULL}\nSummary: {{"r1": {A}}}', ["Yes", "No"]),
        (f'{{"r1": {A}}}\n{{"r2": {B}}}', ["Yes", "No"]),
        (f'{FULL}\n{{"r1": "as they are old", "r2": "as they are young"}}', ["Yes", "No"]),
        (f'{{"r1": {A}, "r1": {A}, "r2": {B}}}', ["Yes", "No"]),
        # A correction, of one row or of all.
        (f'{FULL}\nCorrection: {{"r2": {A}}}', ["Yes", "Yes"]),
        (f'Draft: {FULL}\n{{"r1": {B}, "r2": {B}}}', ["No", "No"]),
        (f'{FULL} Wait, row 1 is younger. {{"r1": {B}}}', ["No", "No"]),
        (f'For example {{"r1": {B}}}.\nThe answers: {FULL}', ["Yes", "No"]),
        # Two things of one row, and nothing that says which is meant.
        (f'{FULL}\nSummary: {{"r1": {B}}}', [None, "No"]),
        (f'{FULL}\n{{"r1": {B}, "r2": {B}}}', [None, "No"]),
        (f'{FULL}\nAlternative answers: {{"r1": {B}}}', [None, "No"]),
        (f'{{"r1": {A}, "r2": {A}, "r2": {B}}}', ["Yes", None]),
        (f'{{"answers": {{"r1": {A}, "r2": {A}, "r2": {B}}}}}', ["Yes", None]),
        (
            '[{"label": "r1", "answer": "A"}, {"label": "r1", "answer": "B"}, {"r2": "B"}]',
            [None, "No"],
        ),
        (f'{{"r1": {B}}} is one.\n{{"r1": {A}, "r2": {B}, "r3', [None, "No"]),
    ],
)
def test_of_several_objects_counts_what_agrees_and_what_corrects(row, text, read):
    assert answers(row, text) == read


def test_a_thought_in_an_object_of_its_own_is_joined_with_its_answer(load):
    spec = load(
        """
        class Reasoned(BaseModel):
            thought: str
            answer: Annotated[str, OneOf("options")]
        """,
        "Reasoned",
    )
    row = spec.for_row({"options": OPTIONS})
    text = '{"r1": {"thought": "Old."}}\n{"r1": {"answer": "Yes"}}\n{"r2": {"answer": "No"}}'
    one, other = (row.parse(part) for part in parts(row, text))
    assert one == {"thought": "Old.", "answer": "Yes"}
    assert other == {"thought": "", "answer": "No"}
    # The same answer with another thought is the same answer, and the fuller one is kept.
    text = (
        '{"r1": {"thought": "Old.", "answer": "Yes"}, "r2": {"thought": "", "answer": "No"}}'
        'In short: {"r1": {"answer": "Yes"}, "r2": {"answer": "No"}}'
    )
    assert row.parse(parts(row, text)[0]) == {"thought": "Old.", "answer": "Yes"}
