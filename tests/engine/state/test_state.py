"""The state database: runs, nodes, and the ledger."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from lupom.engine.errors import StateError
from lupom.engine.state import Location, State, location_of

CALL = {
    "provider": "openai",
    "model": "m",
    "alias": "default",
    "node": "notes",
    "run_id": "r",
    "messages_hash": "h",
    "schema_hash": "h",
    "parameters": "{}",
    "draw": 0,
    "status": "ok",
    "answer": '{"text": "fine"}',
    "probabilities": None,
    "missing_mass": None,
    "history": "[]",
    "tokens_in": 3,
    "tokens_out": 2,
    "cost": None,
    "latency": 0.1,
    "attempts": 1,
    "error": None,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".lupom" / "state.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request, tmp_path: Path) -> Path | Location:
    """A database that is not made yet, of each kind."""
    if request.param == "sqlite":
        return tmp_path / ".lupom" / "state.db"
    return location_of(request.getfixturevalue("postgres").database(), tmp_path)


def record(state: State, *keys: str, **changes) -> None:
    """Record calls with these keys, all at once."""

    async def work():
        await asyncio.gather(*(state.record({**CALL, **changes, "key": key}) for key in keys))

    asyncio.run(work())


def test_a_run_and_its_nodes_are_remembered(where):
    with State(where) as state:
        run_id = state.start_run("run", target="dev", version="0.1.0", arguments={"threads": 2})
        assert state.runs()[0]["status"] == "running"
        state.record_node(run_id, "questions", "table", "success", rows=25, seconds=0.5)
        state.record_node(run_id, "notes", "llm", "warn", calls=10, invalid=1, cost=0.25)
        state.finish_run(run_id, "success")
    with State(where) as state:
        (run,) = state.runs()
        assert (run["run_id"], run["status"], run["target"]) == (run_id, "success", "dev")
        assert run["arguments"] == {"threads": 2}
        assert run["seconds"] >= 0
        first, second = state.nodes(run_id)
        assert (first["node"], first["rows"], first["calls"]) == ("questions", 25, None)
        assert (second["status"], second["invalid"], second["cost"]) == ("warn", 1, 0.25)
        assert state.nodes("another") == []


def test_runs_come_latest_first(where):
    with State(where) as state:
        ids = [state.start_run("run") for _ in range(3)]
        assert {run["run_id"] for run in state.runs()} == set(ids)
        assert len(state.runs(limit=2)) == 2


def test_a_field_a_node_does_not_have_is_an_error(where):
    with State(where) as state, pytest.raises(TypeError, match="'rowss'"):
        state.record_node("r", "n", "table", "success", rowss=3)


def test_a_call_is_found_by_its_key(where):
    with State(where) as state:
        record(state, "a", "b", status="ok", probabilities='{"Yes": 1.0}')
        record(state, "c", status="pending", history='[{"text": "x", "error": "y"}]')
        found = state.lookup(["a", "c", "gone"])
        assert set(found) == {"a", "c"}
        assert found["a"].answer == CALL["answer"]
        assert found["a"].probabilities == {"Yes": 1.0}
        assert found["c"].history == [{"text": "x", "error": "y"}]
        assert state.statuses(["a", "b", "c"]) == {"a": "ok", "b": "ok", "c": "pending"}
        assert state.lookup([]) == {}


def test_many_keys_are_one_question(where):
    with State(where) as state:
        record(state, *(f"k{i}" for i in range(2000)))
        assert len(state.statuses(f"k{i}" for i in range(5000))) == 2000


def test_what_was_written_since_can_be_read_an_update_included(where):
    with State(where) as state:
        record(state, "a", status="pending")
        record(state, "b")
        seen = state.calls_since(0)
        assert [row["key"] for row in seen] == ["a", "b"]
        latest = seen[-1]["seq"]
        assert state.calls_since(latest) == []
        record(state, "a", status="ok")
        (again,) = state.calls_since(latest)
        assert (again["key"], again["status"]) == ("a", "ok")
        assert again["created_at"] == seen[0]["created_at"]
        assert len(state.calls_since(0)) == 2


def test_what_the_latest_calls_took_by_node_alias_and_model(where):
    with State(where) as state:
        assert state.ledger.taken(node="notes") == []
        record(state, "a", tokens_in=30, tokens_out=2, characters=120)
        record(state, "b", tokens_in=40, tokens_out=4, characters=160, status="invalid")
        record(state, "c", tokens_in=50, characters=200, alias="other", node="else")
        record(state, "d", tokens_in=50, characters=200, status="pending")
        found = state.ledger.taken(node="notes", alias="default", model="m")
        assert [(t.characters, t.tokens_in, t.tokens_out, t.ok) for t in found] == [
            (160, 40, 4, False),
            (120, 30, 2, True),
        ]
        assert [t.tokens_in for t in state.ledger.taken(model="m")] == [50, 40, 30]
        assert [t.tokens_in for t in state.ledger.taken(node="notes", limit=1)] == [40]


def test_all_that_was_ever_spent(where):
    with State(where) as state:
        assert state.ledger.spent() == (0, 0.0)
        record(state, "a", tokens_in=30, tokens_out=2, cost=0.5)
        record(state, "b", tokens_in=40, tokens_out=4)
        row = {"key": "e", "provider": "openai", "model": "e", "vector": b"", "tokens": 5}
        asyncio.run(state.record_embeddings([{**row, "cost": 0.25}]))
        assert state.ledger.spent() == (81, 0.75)


def test_a_record_is_durable_when_it_returns(path):
    with State(path) as state:
        record(state, "a")
        with sqlite3.connect(path) as other:
            assert other.execute("select key from calls").fetchall() == [("a",)]


def test_answers_that_come_together_are_committed_together(where):
    with State(where) as state:
        record(state, *(f"k{i}" for i in range(300)))
        rows = state.calls_since(0)
    assert [row["seq"] for row in rows] == list(range(1, 301))
    # 300 file syncs take a second or more; grouped, they share a few.
    assert len({row["key"] for row in rows}) == 300


def test_threads_write_at_once(where):
    with State(where) as state:
        threads = [
            threading.Thread(target=record, args=(state, *(f"{t}-{i}" for i in range(50))))
            for t in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [row["seq"] for row in state.calls_since(0)] == list(range(1, 201))


def test_two_processes_worth_of_states_write_to_one_file(where):
    with State(where) as one, State(where) as two:
        record(one, "a", "b")
        record(two, "b", "c")
        assert set(one.statuses("abc")) == {"a", "b", "c"}


def test_one_bad_record_takes_no_other_with_it(where):
    with State(where) as state:

        async def work():
            good = [state.record({**CALL, "key": f"k{i}"}) for i in range(5)]
            bad = state.record({**CALL, "key": "bad", "node": None})
            return await asyncio.gather(*good, bad, return_exceptions=True)

        results = asyncio.run(work())
        assert [r for r in results if r is not None] == [results[-1]]
        assert isinstance(results[-1], StateError)
        assert len(state.calls_since(0)) == 5


def test_closing_commits_what_waits(where):
    state = State(where)
    run_id = state.start_run("run")
    state.close()
    state.close()
    with pytest.raises(StateError, match="closed"):
        state.start_run("run")
    with State(where) as again:
        assert again.runs()[0]["run_id"] == run_id


def test_a_newer_database_is_left_alone(path):
    State(path).close()
    with sqlite3.connect(path) as other:
        other.execute("pragma user_version = 99")
    with pytest.raises(StateError, match="newer LUPoM"):
        State(path)


def test_a_file_that_is_no_database_is_one_error(path):
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database at all, but long enough to be read as one" * 50)
    with pytest.raises(StateError, match=r"state\.db.*cannot be opened"):
        State(path)


OLD = """
create table runs (run_id varchar primary key, command varchar not null, target varchar,
    version varchar, arguments json, status varchar not null, message varchar not null,
    started_at varchar not null, finished_at varchar, seconds float);
create table nodes (id integer primary key, run_id varchar not null, node varchar not null,
    kind varchar not null, status varchar not null, message varchar not null,
    reason varchar not null, rows integer, seconds float not null, fingerprint varchar,
    content_hash varchar, calls integer, cached integer, asked integer, invalid integer,
    tokens_in integer, tokens_out integer, cost float, finished_at varchar not null);
create table calls (key varchar primary key, seq integer not null, provider varchar not null,
    model varchar not null, alias varchar not null, node varchar not null,
    run_id varchar not null, messages_hash varchar not null, schema_hash varchar not null,
    parameters varchar not null, draw integer not null, status varchar not null, answer varchar,
    probabilities varchar, missing_mass float, history varchar not null,
    tokens_in integer not null, tokens_out integer not null, cost float, latency float not null,
    attempts integer not null, error varchar, created_at varchar not null,
    updated_at varchar not null);
insert into calls values ('a', 1, 'openai', 'm', 'default', 'notes', 'r', 'h', 'h', '{}', 0, 'ok',
    '{"text": "fine"}', null, null, '[]', 3, 2, null, 0.1, 1, null, 't', 't');
pragma user_version = 1;
"""


def test_batches_are_open_until_they_are_collected_or_lost(where):
    fields = {"endpoint": "e", "alias": "a", "node": "n", "run_id": "r", "tokens": 5, "money": 0.5}
    with State(where) as state:
        for token in ("one", "two"):
            asyncio.run(state.begin_batch(token, calls=[{"key": token}], **fields))
        assert state.promised() == (10, 1.0)
        asyncio.run(state.update_batch("one", batch_id="b", status="out"))
        found = {batch["token"]: batch for batch in state.open_batches("e")}
        assert (found["one"]["batch_id"], found["two"]["batch_id"]) == ("b", None)
        assert found["one"]["calls"] == [{"key": "one"}]
        assert state.open_batches("another") == []
    with State(where) as state:
        asyncio.run(state.update_batch("one", status="done"))
        asyncio.run(state.update_batch("two", status="lost"))
        assert state.open_batches("e") == []
        assert state.promised() == (0, 0.0)


def test_a_database_of_the_first_version_is_completed_and_keeps_its_answers(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as old:
        old.executescript(OLD)
    with State(path) as state:
        found = state.lookup(["a"])["a"]
        assert (found.status, found.answer, found.tokens_cached) == ("ok", '{"text": "fine"}', 0)
        record(state, "b", characters=12, tokens_cached=2)
        assert [row["characters"] for row in state.calls_since(0)] == [0, 12]
        run_id = state.start_run("run")
        state.record_node(run_id, "notes", "llm", "success", tokens_low=10, cost_high=0.5)
        (node,) = state.nodes(run_id)
        assert (node["tokens_low"], node["cost_high"]) == (10, 0.5)
    with State(path) as state:
        assert state.statuses(["a", "b"]) == {"a": "ok", "b": "ok"}


OLDER = (
    OLD.replace("pragma user_version = 1", "pragma user_version = 3")
    + """
insert into calls values ('b', 2, 'openai', 'm', 'default', 'notes', 'r', 'h', 'h', '{}', 0, 'ok',
    '{"text": "a text of thirty bytes"}', null, null, '[]', 0, 0, 0.0, 0.1, 1, null, 't', 't');
insert into calls values ('c', 3, 'openai', 'm', 'default', 'notes', 'r', 'h', 'h', '{}', 0,
    'invalid', null, null, null, '[]', 0, 0, null, 0.1, 0, 'refused: no', 't', 't');
insert into calls values ('d', 4, 'embedded', 'm', 'default', 'notes', 'r', 'h', 'h', '{}', 0, 'ok',
    '{}', null, null, '[]', 0, 0, 0.0, 0.1, 1, null, 't', 't');
"""
)


def test_what_an_earlier_ledger_booked_as_nothing_becomes_unknown_and_is_counted(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as old:
        old.executescript(OLDER)
    with State(path) as state:
        found = state.lookup("abcd")
        assert {key: entry.tokens_in for key, entry in found.items()} == {
            **{"a": 3, "b": None, "c": 0, "d": 0}
        }
        assert (found["b"].tokens_out, found["b"].cost, found["b"].counted_tokens) == (
            None,
            None,
            11,
        )
        assert found["b"].answer == '{"text": "a text of thirty bytes"}'
        assert not found["a"].repaired
        assert [row["key"] for row in state.calls_since(0)] == ["a", "b", "c", "d"]
        assert state.ledger.spent() == (3 + 2 + 11, 0.0)
        record(state, "e", tokens_in=None, tokens_out=None, counted_tokens=40, repaired=1)
        assert state.ledger.spent()[0] == 3 + 2 + 11 + 40
    with State(path) as state:
        assert state.lookup(["e"])["e"].repaired
        with sqlite3.connect(path) as looked:
            names = {row[0] for row in looked.execute("select name from sqlite_master")}
        assert {"ix_calls_seq", "ix_calls_node", "calls"} <= names
        assert "calls_before" not in names


def test_a_copy_is_another_database_and_a_moved_one_the_same(path, tmp_path):
    """Two checkouts of which one was copied from the other count calls each on its own."""
    with State(path) as state:
        known = state.id
    copy, elsewhere = tmp_path / "copy" / path.name, tmp_path / "moved" / path.name
    for folder in (copy.parent, elsewhere.parent):
        folder.mkdir()
    shutil.copy(path, copy)
    path.rename(elsewhere)
    with State(copy) as copied, State(elsewhere) as moved:
        assert moved.id == known != copied.id
