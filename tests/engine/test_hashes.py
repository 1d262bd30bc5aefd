"""Hashes of values and files."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from lupom.engine.hashes import FileHashes, digest

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda s: st.lists(s) | st.dictionaries(st.text(), s),
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


def old(path):
    os.utime(path, ns=(10**18, 10**18))


def test_an_unchanged_file_is_recognised_by_size_and_time(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("x\n1\n")
    old(file)
    hashes = FileHashes(tmp_path / "cache.json")
    before = hashes.of(file)
    hashes.save()
    file.write_text("x\n2\n")  # same size; the same time is put back: only then is it missed
    old(file)
    assert FileHashes(tmp_path / "cache.json").of(file) == before
    file.write_text("x\n3\n")
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


def test_a_broken_cache_is_done_without(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("x\n")
    (tmp_path / "cache.json").write_text("{broken")
    assert FileHashes(tmp_path / "cache.json").of(file)
