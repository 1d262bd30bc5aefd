"""Topics of questions."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pytest

from lupom.science.surveys import opinionqa
from lupom.science.surveys.topics import Topics, read


def table(value, name="topic_mapping.npy"):
    file = io.BytesIO()
    np.save(file, value, allow_pickle=True)
    return pa.table({"name": [name], "content": pa.array([file.getvalue()], pa.binary())})


def test_coarse_topics_by_the_questions_text():
    topics = read([table({"How  safe?": {"cg": ["crime", "place"], "fg": ["fear"]}, "Why?": "x"})])
    assert topics.of("how safe?") == "crime; place"
    assert topics.of("Why?") == "x"
    assert topics.of("Who?") == ""


def test_a_key_may_go_on_with_the_options():
    topics = Topics({"How safe? [Very, Not]": {"cg": ["crime"]}})
    assert topics.of("How safe?") == "crime"
    assert topics.of("") == ""


def test_questions_take_them_where_info_gives_none():
    info = pa.table(
        {
            "key": ["A", "B"],
            "question": ["How safe?", "How old?"],
            "references": ["['Very', 'Not']"] * 2,
            "topic": [None, "age"],
        }
    )
    mapping = table({"How safe?": {"cg": ["crime"]}, "How old?": {"cg": ["other"]}})
    rows = opinionqa.questions({"w": info}, topics={"any": mapping}).to_pylist()
    assert [row["topic"] for row in rows] == ["crime", "age"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"How safe?": {"fg": ["x"]}}, r"topics of 'How safe\?' are"),
        ({"How safe?": 3}, r"topics of 'How safe\?' are 3"),
        (np.array(["x"], dtype=object), "topic_mapping.npy: a dict of topics by question, not"),
        ({"How safe?": print}, "topic_mapping.npy: the pickle is not plain data: it names"),
    ],
)
def test_a_mapping_that_is_none(value, message):
    with pytest.raises(ValueError, match=message):
        read([table(value)])
