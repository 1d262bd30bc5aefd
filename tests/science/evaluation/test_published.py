"""Lists of test pairs as they were published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lupom.science.evaluation import published

PAIRS = [{"author_id": 7, "conversation_id": "abany", "label": 2}]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(PAIRS),
        json.dumps(PAIRS[0]) + "\n",
        "author_id,conversation_id,label\n7,abany,2\n",
    ],
)
def test_json_json_lines_and_csv_are_the_same(tmp_path: Path, text: str) -> None:
    (tmp_path / "pairs").write_text(text)
    assert published.read(tmp_path / "pairs", "w") == [
        {"survey": "w", "author_id": "7", "conversation_id": "abany", "label": "2"}
    ]


def test_a_pair_twice_or_without_a_key(tmp_path: Path) -> None:
    (tmp_path / "twice.json").write_text(json.dumps(PAIRS * 2))
    with pytest.raises(ValueError, match="author 7 and conversation abany appear twice"):
        published.read(tmp_path / "twice.json", "w")
    (tmp_path / "other.csv").write_text("author,label\n7,2\n")
    with pytest.raises(ValueError, match="pair 1 has no author_id"):
        published.read(tmp_path / "other.csv", "w")
