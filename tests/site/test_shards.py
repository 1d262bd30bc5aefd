"""Shards: what a value may hold, and that nothing in it gets out."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.site.shards import Shards, file_name, literal, plain, short
from tests.support.nasty_project import NASTY, evaluated

TEXT = st.text(max_size=50)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


@given(JSON)
def test_a_value_comes_back_as_it_was(value):
    assert evaluated(literal(value)) == value


@given(JSON)
def test_nothing_in_a_value_can_end_the_script_the_literal_or_the_line(value):
    inner = literal(value).removeprefix("JSON.parse('").removesuffix("')")
    assert not set("'<>&\n\r\u2028\u2029") & set(inner)


def test_what_a_respondent_wrote_stays_text():
    text = literal({"answer": NASTY})
    assert "</script" not in text
    assert "<!--" not in text
    assert evaluated(text) == {"answer": NASTY}


def test_half_a_character_can_be_written_to_a_file(tmp_path):
    Shards(tmp_path / "data").write("key", "\ud800")
    assert "ud800" in (tmp_path / "data" / "key.js").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None),
        (math.inf, None),
        (Decimal("1.5"), 1.5),
        (2**60, str(2**60)),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
        (b"\x00\x01", "2 bytes"),
        ({1: (True, None)}, {"1": [True, None]}),
    ],
)
def test_values_of_the_store_become_json(value, expected):
    assert plain(value) == expected


def test_samples_are_short():
    assert short("x" * 1000, 10) == "x" * 10 + " ..."
    assert short({"a": [1]}) == '{"a": [1]}'
    assert short(1.5) == 1.5


def test_file_names_are_safe_and_differ():
    assert file_name("runs") == "runs"
    assert file_name("people/A") == "people.2f..41."
    names = ["people/A", "people/a", "../x", "x" * 500, "x" * 499 + "y", "ä", "a.b"]
    made = [file_name(name) for name in names]
    assert len({name.lower() for name in made}) == len(names)
    assert all("/" not in name and ".." not in name[:2] and len(name) < 150 for name in made)


def test_a_folder_is_made_anew(tmp_path):
    Shards(tmp_path / "data").write("old", 1)
    Shards(tmp_path / "data").write("new", 1)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["new.js"]
