"""The state database in PostgreSQL: what the SQLite file does, for many."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import threading
from pathlib import Path

import psycopg
import pytest

from lupom.engine.errors import StateError
from lupom.engine.state import State, location_of
from lupom.engine.state.opening import failure
from tests.support import postgres as support
from tests.support.postgres import PASSWORD

ROOT = Path("/")
CALL = {
    **dict.fromkeys(("provider", "model", "alias", "node", "run_id"), "x"),
    **dict.fromkeys(("messages_hash", "schema_hash"), "h"),
    **{"parameters": "{}", "draw": 0, "status": "ok", "answer": "{}", "probabilities": None},
    **{"missing_mass": None, "history": "[]", "tokens_in": 3, "tokens_out": 2, "cost": None},
    **{"latency": 0.1, "attempts": 1, "error": None},
}


@pytest.fixture
def url(postgres) -> str:
    return postgres.database()


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


def opened(url: str, **options) -> State:
    return State(location_of(url, ROOT), **options)


def record(state: State, *keys: str, **changes) -> None:
    async def work():
        await asyncio.gather(*(state.record({**CALL, **changes, "key": key}) for key in keys))

    asyncio.run(work())


def test_a_server_that_crashes_keeps_what_was_committed(postgres, url):
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("create table kept as select 1 as n")
        postgres.stop()
    postgres.start()
    with psycopg.connect(plain(url)) as connection:
        assert connection.execute("select n from kept").fetchone() == (1,)


def test_in_ci_a_missing_server_is_no_reason_to_skip(monkeypatch):
    monkeypatch.setattr(support, "binaries", lambda: None)
    monkeypatch.setenv("LUPOM_REQUIRE_POSTGRES", "1")
    wanted = pytest.raises(pytest.fail.Exception, match="apt-get install postgresql")
    with wanted, support.cluster():
        pass


def test_elsewhere_it_is(monkeypatch):
    monkeypatch.setattr(support, "binaries", lambda: None)
    monkeypatch.delenv("LUPOM_REQUIRE_POSTGRES", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no PostgreSQL"), support.cluster():
        pass


def test_who_reads_what_came_after_a_number_misses_nothing(url):
    """Eight writers at once, and a reader who goes on from the last number it saw."""
    states = [opened(url) for _ in range(8)]
    seen: list[str] = []
    done = threading.Event()

    def read():
        latest = 0
        with opened(url) as state:
            while True:
                last = done.is_set()
                for call in state.calls_since(latest):
                    seen.append(call["key"])
                    latest = call["seq"]
                if last:
                    return

    def write(number: int):
        for i in range(25):
            record(states[number], *(f"{number}-{i}-{k}" for k in range(4)))

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    for state in states:
        state.close()
    assert len(seen) == len(set(seen)) == 8 * 25 * 4


def test_characters_it_cannot_hold_are_replaced(url):
    with opened(url) as state:
        record(state, "a", answer="a\0b", error="\0")
        assert state.lookup("a")["a"].answer == "a\ufffdb"


def test_an_answer_that_another_wrote_first_stands_and_both_are_counted(url):
    with opened(url) as one, opened(url) as two:
        record(one, "a", answer='{"x": 1}')
        standing = asyncio.run(two.record({**CALL, "key": "a", "answer": '{"x": 2}'}))
        assert standing is not None
        assert standing.answer == '{"x": 1}'
        entry = one.lookup("a")["a"]
        assert (entry.answer, entry.attempts, entry.tokens_in) == ('{"x": 1}', 2, 6)
        assert one.ledger.spent() == (10, 0.0)


# What goes wrong when it is opened


def test_without_psycopg_it_says_what_to_install(url, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "psycopg" else find(name)
    )
    with pytest.raises(StateError, match=r"pip install 'lupom\[postgres\]'"):
        opened(url)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda url: url.replace(PASSWORD, "other-word"), "the user or the password is wrong"),
        (lambda url: url.replace(":" + PASSWORD, ""), "it wants a password"),
        (lambda url: url + "x", "the database or the user does not exist"),
        (lambda url: url.replace("127.0.0.1:", "127.0.0.1:1"), "port|no server answers there"),
        (lambda url: url + "?sslmod=require", "an option after '\\?' is none of PostgreSQL's"),
        (lambda url: url + "?sslmode=on", "an option after '\\?' has no value of PostgreSQL's"),
        (lambda url: url + "?sslmode=require", "the server has no TLS"),
    ],
    ids=["password", "no password", "database", "down", "option", "value", "tls"],
)
def test_what_is_wrong_is_said_in_one_line_without_the_password(url, change, message, monkeypatch):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    with pytest.raises(StateError, match=message) as caught:
        opened(change(url))
    said = str(caught.value)
    assert "\n" not in said
    assert PASSWORD not in said
    assert "other-word" not in said
    assert "at postgresql://lupom" in said or "state: " in said


def test_a_missing_certificate_is_no_missing_database():
    said = 'root certificate file "/home/ann/.postgresql/root.crt" does not exist'
    error = failure(location_of("postgresql://ann@db.lab/team", ROOT), OSError(said))
    assert "no certificate to know the server by" in str(error)
    assert "sslrootcert" in str(error)


def test_another_program_at_the_port_is_told(url, server):
    (port,) = re.findall(r":(\d+)/", url)
    place = server.base_url.split("/")[2]
    with pytest.raises(StateError, match=r"another program than PostgreSQL answers there.*5432"):
        opened(url.replace(f"127.0.0.1:{port}", place))


def test_a_database_with_tables_of_another_program_is_not_taken_for_a_missing_one(url):
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("create table calls (x int)")
    with pytest.raises(StateError, match=r"its tables are not those of a ledger.*of its own"):
        opened(url)


def test_a_newer_schema_is_left_alone(url):
    opened(url).close()
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("update lupom_version set version = 99")
    with pytest.raises(StateError, match=r"is of a newer LUPoM \(version 99, this one knows"):
        opened(url)


@pytest.fixture
def colleague(url) -> str:
    """The URL of the same database for a user who has no rights there yet."""
    opened(url).close()
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("drop role if exists ben")
        connection.execute("create role ben login password 'word-of-ben'")
    return url.replace(f"lupom:{PASSWORD}", "ben:word-of-ben")


def test_a_colleague_without_rights_is_told_which_to_ask_for_and_needs_no_more(url, colleague):
    with pytest.raises(StateError, match=r"may not read and write its tables.*grant") as caught:
        opened(colleague)
    rights = re.findall(r"grant .*? to USER", str(caught.value))
    with psycopg.connect(plain(url), autocommit=True) as connection:
        for right in rights:
            connection.execute(right.replace("USER", "ben"))
    with opened(colleague) as state:
        state.record_node(state.start_run("run"), "notes", "llm", "success")
        record(state, "a")
        assert [row["key"] for row in state.calls_since(0)] == ["a"]
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("drop owned by ben")


def test_only_the_owner_renews_the_tables_and_others_are_told(url, colleague):
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("grant select on lupom_version to ben")
        connection.execute("update lupom_version set version = version - 1")
    with pytest.raises(StateError, match=r"may not keep a copy .* once as one who has it"):
        opened(colleague)
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("drop owned by ben")


def test_a_user_who_may_only_read_is_told_what_lacks_when_something_is_written(url, colleague):
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("grant select on all tables in schema public to ben")
    told = pytest.raises(StateError, match=r"at postgresql://ben.* cannot be written.*grant")
    with opened(colleague) as state, told:
        state.start_run("run")
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("drop owned by ben")
