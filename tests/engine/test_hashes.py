"""Hashes of values and files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.engine.hashes import FileHashes, digest

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda s: st.lists(s) | st.dictionaries(st.text(), s),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), values))
def test_the_order_of_keys_does_not_matter(value):
    assert digest(value) == digest(dict(reversed(list(value.items()))))


@given(values, values)
def test_different_values_have_different_hashes(one, other):
    import json

    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest(one) == digest(other)) == same


@given(st.text(), st.text())
def test_values_do_not_run_into_each_other(one, other):
    assert digest(one, other) != digest(one + other)


@pytest.fixture
def later(monkeypatch):
    """Let the files of this test have been written a minute ago."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 60_000_000_000)


def test_an_unchanged_file_is_not_read_again(tmp_path, later, monkeypatch):
    file = tmp_path / "a.csv"
    file.write_text("x\n1\n")
    hashes = FileHashes(tmp_path / "cache.json")
    before = hashes.of(file)
    hashes.save()
    again = FileHashes(tmp_path / "cache.json")
    monkeypatch.setattr(Path, "open", None)
    assert again.of(file) == before


def test_a_file_whose_time_of_modification_was_put_back_is_read_again(tmp_path, later):
    file = tmp_path / "a.csv"
    file.write_text("x\n1\n")
    os.utime(file, ns=(10**18, 10**18))
    hashes = FileHashes(tmp_path / "cache.json")
    before = hashes.of(file)
    hashes.save()
    file.write_text("x\n2\n")
    os.utime(file, ns=(10**18, 10**18))
    assert FileHashes(tmp_path / "cache.json").of(file) != before


def test_a_file_written_a_moment_ago_is_not_trusted_to_the_clock(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("x\n1\n")
    stat = file.stat()
    hashes = FileHashes(tmp_path / "cache.json")
    before = hashes.of(file)
    hashes.save()
    file.write_text("x\n2\n")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert FileHashes(tmp_path / "cache.json").of(file) != before


@pytest.mark.parametrize("old", [True, False])
def test_a_seal_tells_of_a_file_edited_and_edited_back(tmp_path, old, request):
    file = tmp_path / "a.csv"
    file.write_text("x\n1\n")
    if old:
        request.getfixturevalue("later")
    seal = FileHashes(None).sealed(file)
    assert seal.holds()
    other = tmp_path / "b.csv"
    other.write_text("x\n2\n")
    file.rename(tmp_path / "kept.csv")
    assert not seal.holds()
    other.rename(file)
    assert not seal.holds()
    file.unlink()
    (tmp_path / "kept.csv").rename(file)
    # Even the very file put back has been away.
    assert not seal.holds()


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        FileHashes(None).of(tmp_path / "none.csv")


def test_a_broken_cache_is_done_without(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("x\n")
    (tmp_path / "cache.json").write_text("{broken")
    assert FileHashes(tmp_path / "cache.json").of(file)
