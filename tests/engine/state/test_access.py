"""A server of the ledger that is there, and does not do what it is asked."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from lupom.engine.errors import StateError
from lupom.engine.state.access import Access
from lupom.engine.state.location import location_of
from lupom.engine.state.opening import open_engine

NOTE = "insert into facts (name, value) values ('note', 'x') on conflict do nothing"


@pytest.fixture
def opened(postgres):
    """Return a function that opens a new database: what is told, and an access to it."""
    made = []

    def opened(on_told, **patience):
        url = postgres.database()
        location = location_of(url, Path("/"))
        said: list[str] = []

        def say(text):
            said.append(text)
            on_told(text)

        engine, dialect = open_engine(location)
        made.append(Access(engine, dialect, location, say=say, **patience))
        admin = psycopg.connect(url.replace("+psycopg", ""))
        made.append(admin)
        return said, made[-2], admin

    yield opened
    for one in made:
        one.end() if isinstance(one, Access) else one.close()


def write(access):
    access.write(lambda connection: connection.exec_driver_sql(NOTE))


def test_a_server_that_stands_still_is_told_and_waited_for(opened):
    noted = []
    said, access, admin = opened(lambda _: admin.rollback(), wait=60.0, silent=0.1)
    access.on_outage = lambda: noted.append(len(said))
    admin.execute("lock table facts in access exclusive mode")
    write(access)
    assert ["has not answered for" in text for text in said] == [True, False]
    assert said[1].startswith("The ledger is back")
    # What came meanwhile is written down once, when it is told.
    assert noted == [1]


def test_one_that_never_answers_is_given_up(opened):
    said, access, admin = opened(lambda _: None, wait=0.2, silent=0.1)
    admin.execute("lock table facts in access exclusive mode")
    with pytest.raises(StateError, match=r"the ledger at .*:\*\*\*@.* was gone for"):
        write(access)
    assert len(said) == 1


def test_whoever_wants_to_be_done_does_not_wait_long(opened, monkeypatch):
    monkeypatch.setattr("lupom.engine.state.access._CLOSING", 0.2)
    _, access, admin = opened(lambda _: access.closing.set(), wait=600.0, silent=0.1)
    admin.execute("lock table facts in access exclusive mode")
    with pytest.raises(StateError, match="was gone for"):
        write(access)


def test_a_server_that_takes_no_writes_for_a_while_is_waited_for(opened):
    """As a standby does that is to take over."""

    def set_reading(value: str) -> None:
        (name,) = admin.execute("select current_database()").fetchone()
        admin.execute(f"alter database {name} set default_transaction_read_only = {value}")

    said, access, admin = opened(lambda _: set_reading("off"), wait=60.0)
    admin.autocommit = True
    write(access)
    set_reading("on")
    access.engine.dispose()
    write(access)
    assert ["read-only transaction" in text for text in said] == [True, False]
