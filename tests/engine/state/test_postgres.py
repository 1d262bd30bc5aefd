"""The state database in PostgreSQL: what the SQLite file does, for many."""

from __future__ import annotations

import psycopg
import pytest

from tests.support import postgres as support


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


def test_a_server_that_crashes_keeps_what_was_committed(postgres):
    url = plain(postgres.database())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table kept as select 1 as n")
        postgres.stop()
    postgres.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("select n from kept").fetchone() == (1,)


def test_in_ci_a_missing_server_is_no_reason_to_skip(monkeypatch):
    monkeypatch.setattr(support, "binaries", lambda: None)
    monkeypatch.setenv("LUPOM_REQUIRE_POSTGRES", "1")
    with (
        pytest.raises(pytest.fail.Exception, match="apt-get install postgresql"),
        support.cluster(),
    ):
        pass


def test_elsewhere_it_is(monkeypatch):
    monkeypatch.setattr(support, "binaries", lambda: None)
    monkeypatch.delenv("LUPOM_REQUIRE_POSTGRES", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no PostgreSQL"), support.cluster():
        pass
