"""Ledgers united: merged, exported and imported, between files and servers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import struct
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lupom.engine.errors import StateError, UsageError
from lupom.engine.state import State, location_of
from lupom.engine.state.transfer import copied, export, import_file, merge_from

CALL = {
    **dict.fromkeys(("provider", "model", "alias", "node", "run_id"), "x"),
    **dict.fromkeys(("messages_hash", "schema_hash"), "h"),
    **{"parameters": "{}", "draw": 0, "status": "ok", "answer": "{}", "probabilities": None},
    **{"missing_mass": None, "history": "[]", "tokens_in": 3, "tokens_out": 2, "cost": 0.5},
    **{"latency": 0.1, "attempts": 1, "error": None},
}


def key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def record(state: State, *names: str, **changes) -> None:
    async def work():
        await asyncio.gather(*(state.record({**CALL, **changes, "key": key(n)}) for n in names))

    asyncio.run(work())


def embed(state: State, name: str) -> None:
    row = {"key": key(name), "provider": "openai", "model": "e", "vector": struct.pack("<f", 0.5)}
    asyncio.run(state.record_embeddings([{**row, "tokens": 4, "cost": 0.25}]))


def counts(done) -> tuple[int, int, int, int]:
    return done.new, done.replaced, done.known, done.refused


@pytest.fixture
def make(tmp_path, postgres):
    """Return a function that makes a state of a kind."""
    opened = []

    def make(kind: str) -> State:
        if kind == "postgresql":
            where = location_of(postgres.database(), tmp_path)
        else:
            where = location_of(f"{kind}{len(opened)}.db", tmp_path)
        opened.append(State(where))
        return opened[-1]

    yield make
    for state in opened:
        state.close()


BOTH_WAYS = pytest.mark.parametrize(
    ("mine", "theirs"), [("sqlite", "postgresql"), ("postgresql", "sqlite"), ("sqlite", "sqlite")]
)


@BOTH_WAYS
def test_a_ledger_takes_in_another_and_doing_it_again_changes_nothing(make, mine, theirs):
    ours, other = make(mine), make(theirs)
    record(ours, "both", answer='{"x": 1}')
    record(ours, "open", status="pending", answer=None)
    record(other, "both", answer='{"x": 2}')
    record(other, "open", "theirs", answer='{"x": 3}')
    embed(other, "text")
    fields = {"endpoint": "e", "alias": "a", "node": "n", "run_id": "r", "tokens": 5, "money": 0.5}
    asyncio.run(other.begin_batch("token", calls=[], **fields))
    assert counts(merge_from(ours, other.location)) == (2, 1, 1, 0)
    found = ours.lookup(map(key, ("both", "open", "theirs")))
    assert [found[key(name)].answer for name in ("both", "open", "theirs")] == [
        *('{"x": 1}', '{"x": 3}', '{"x": 3}'),
    ]
    assert ours.embeddings([key("text")]) == {key("text"): struct.pack("<f", 0.5)}
    assert [batch["token"] for batch in ours.open_batches("e")] == ["token"]
    tokens, money = ours.ledger.spent()
    assert (tokens, money) == (3 * 5 + 4, 3 * 0.5 + 0.25)
    assert counts(merge_from(ours, other.location)) == (0, 0, 4, 0)
    assert ours.ledger.spent() == (tokens, money)


def test_of_two_without_an_answer_the_later_stands(make):
    ours, other = make("sqlite"), make("sqlite")
    record(ours, "a", status="invalid", error="first")
    record(other, "a", status="invalid", error="second")
    assert counts(merge_from(ours, other.location)) == (0, 1, 0, 0)
    assert ours.lookup([key("a")])[key("a")].error == "second"
    record(ours, "a", status="invalid", error="third")
    assert counts(merge_from(ours, other.location)) == (0, 0, 1, 0)


def test_its_own_ledger_is_told_from_another(make):
    ours = make("sqlite")
    with pytest.raises(UsageError, match="this project's own ledger"):
        merge_from(ours, ours.location)


def test_a_copy_that_went_another_way_since_is_another(make, tmp_path):
    """A project's folder was copied to a second machine, and both went on."""
    ours = make("sqlite")
    record(ours, "a")
    with State(copied(ours.location, tmp_path)) as copy:
        record(copy, "b")
        where = copy.location
    assert counts(merge_from(ours, where)) == (1, 0, 1, 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no ledger"),
        (b"hello " * 1000, "cannot be read: file is not a database"),
        ("cut", "cannot be read: .*malformed"),
        ("garbled", "cannot be read: "),
    ],
)
def test_what_is_no_ledger_or_is_damaged_is_named(make, tmp_path, content, said):
    ours, other = make("sqlite"), make("sqlite")
    record(other, *map(str, range(100)), answer='"' + "x" * 300 + '"')
    if isinstance(content, str):
        folder = tmp_path / "copy"
        folder.mkdir()
        whole = copied(other.location, folder).path.read_bytes()
        half = len(whole) // 2
        content = whole[:half] if content == "cut" else whole[:half] + bytes(len(whole) - half)
    file = tmp_path / "theirs.db"
    file.write_bytes(content)
    with pytest.raises(StateError, match=rf"{re.escape(str(file))} {said}"):
        merge_from(ours, location_of(str(file), tmp_path))
    assert ours.calls_since(0) == []


def test_a_database_without_a_ledger_is_told_and_left_as_it_is(make, postgres, tmp_path):
    where = location_of(postgres.database(), tmp_path)
    for _ in range(2):
        with pytest.raises(StateError, match=r"there is no ledger at postgresql://lupom:\*\*\*@"):
            merge_from(make("sqlite"), where)


def test_another_s_file_is_not_changed(make, tmp_path):
    import sqlite3

    old = tmp_path / "old.db"
    with sqlite3.connect(old) as database:
        database.executescript(Path(__file__).with_name("version_0_1_0.sql").read_text())
    before = old.read_bytes()
    assert merge_from(make("postgresql"), location_of("old.db", tmp_path)).new == 2
    assert old.read_bytes() == before


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
@BOTH_WAYS
def test_what_is_exported_can_be_imported_elsewhere(make, mine, theirs, ending, tmp_path):
    ours, other = make(mine), make(theirs)
    record(other, "a", "b", probabilities='{"Yes": 1.0}', counted_tokens=7, repaired=True)
    record(other, "c", status="invalid", answer=None, tokens_in=None, error="no", cost=None)
    embed(other, "text")
    path = tmp_path / "out" / f"ledger.{ending}"
    assert export(other, path).new == 4
    assert counts(import_file(ours, path)) == (4, 0, 0, 0)
    assert counts(import_file(ours, path)) == (0, 0, 4, 0)
    names = [key(name) for name in "abc"]
    assert ours.lookup(names) == other.lookup(names)
    assert ours.embeddings([key("text")]) == other.embeddings([key("text")])
    assert ours.ledger.spent() == other.ledger.spent()
    theirs_, mine_ = other.calls_since(0), ours.calls_since(0)
    assert [(c["created_at"], c["key"]) for c in theirs_] == [
        (c["created_at"], c["key"]) for c in mine_
    ]


def test_a_parquet_file_is_a_table_for_others(make, tmp_path):
    state = make("sqlite")
    record(state, "a")
    export(state, tmp_path / "ledger.parquet")
    table = pq.read_table(tmp_path / "ledger.parquet")
    assert table.column("kind").to_pylist() == ["call"]
    assert str(table.schema.field("tokens_in").type) == "int64"


def test_rows_that_are_not_right_are_left_out_and_told(make, tmp_path):
    state = make("sqlite")
    record(state, "good")
    path = tmp_path / "ledger.jsonl"
    export(state, path)
    (line,) = path.read_text().splitlines()
    good = json.loads(line)
    bad = [
        {**good, "key": "no hash"},
        {**good, "status": "fine"},
        {**good, "tokens_in": -1},
        {**good, "tokens_in": "3"},
        {**good, "tokens_in": 1 << 63},
        {**good, "answer": "half a character: \ud800"},
        {**good, "answer": None},
        {**good, "history": "{}"},
        {**good, "more": 1},
        {k: v for k, v in good.items() if k != "alias"},
        {**good, "cost": float("nan")},
        {**good, "updated_at": "yesterday"},
        {"kind": "embedding", "key": good["key"], "vector": "###"},
        {"kind": "drop table"},
        [1],
    ]
    fresh = json.dumps({**good, "key": key("new")})
    text = "\n".join([*map(json.dumps, bad), "{half", fresh])
    path.write_text(text, encoding="utf-8")
    done = import_file(state, path)
    assert counts(done) == (1, 0, 0, len(bad) + 1)
    assert done.reasons[0].startswith("row 1: key: ")
    assert done.reasons[1].startswith("row 2: status: ")


def test_other_endings_and_missing_files_are_refused(make, tmp_path):
    state = make("sqlite")
    with pytest.raises(UsageError, match=r"ends in neither .parquet nor .jsonl"):
        export(state, tmp_path / "ledger.csv")
    with pytest.raises(UsageError, match="there is no file"):
        import_file(state, tmp_path / "ledger.jsonl")
    (tmp_path / "ledger.parquet").write_bytes(b"no parquet")
    with pytest.raises(UsageError, match="cannot be read as Parquet"):
        import_file(state, tmp_path / "ledger.parquet")
    others = pa.table({"name": ["Ann"]})
    pq.write_table(others, tmp_path / "people.parquet")
    with pytest.raises(UsageError, match=r"no columns 'kind' and 'key' \(it has name\)"):
        import_file(state, tmp_path / "people.parquet")
    pq.write_table(others, tmp_path / "named.jsonl")
    with pytest.raises(UsageError, match=r"is a Parquet file \(call it named\.parquet\)"):
        import_file(state, tmp_path / "named.jsonl")
    (tmp_path / "named.parquet").write_text('{"kind": "call"}', encoding="utf-8")
    with pytest.raises(UsageError, match=r"JSON lines \(call it named\.jsonl\)"):
        import_file(state, tmp_path / "named.parquet")
    (tmp_path / "empty.parquet").touch()
    with pytest.raises(UsageError, match="is empty"):
        import_file(state, tmp_path / "empty.parquet")
    (tmp_path / "people.jsonl").write_text('{"name": "Ann"}', encoding="utf-8")
    assert import_file(state, tmp_path / "people.jsonl").reasons == [
        "row 1: it has no 'kind': lupom ledger export has not written it"
    ]
    with pytest.raises(UsageError, match="there is no ledger at"):
        merge_from(state, location_of("gone.db", tmp_path))
