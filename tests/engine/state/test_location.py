"""Where a state database is: URLs read, passwords never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from lupom.engine.errors import StateError
from lupom.engine.place import has_password, masked
from lupom.engine.state import State
from lupom.engine.state.location import location_of

ROOT = Path("/project")
WORD = "s3cret"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("state.db", "/project/state.db"),
        ("/shared/state.db", "/shared/state.db"),
        ("sqlite:///shared/state.db", "/project/shared/state.db"),
        ("sqlite:////shared/state%20of%20us.db", "/shared/state of us.db"),
    ],
)
def test_a_file_is_a_path_or_a_url(text, path):
    found = location_of(text, ROOT)
    assert (found.kind, found.path) == ("sqlite", Path(path))


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "postgresql", "postgres"])
def test_a_server_s_url_is_taken_apart(scheme):
    found = location_of(f"{scheme}://ann:p%40ss@db.lab:5433/team?sslmode=require", ROOT)
    assert (found.user, found.password, found.host, found.port) == ("ann", "p@ss", "db.lab", 5433)
    assert (found.database, found.options) == ("team", {"sslmode": "require"})
    assert str(found) == "postgresql://ann:***@db.lab:5433/team"
    assert "p@ss" not in repr(found)


def test_a_folder_of_sockets_and_an_address_of_ipv6_are_hosts():
    found = location_of("postgresql://ann@%2Fvar%2Frun:5433/team", ROOT)
    assert (found.host, str(found)) == ("/var/run", "postgresql://ann@%2Fvar%2Frun:5433/team")
    found = location_of("postgresql://ann@[::1]:5433/team", ROOT)
    assert (found.host, str(found)) == ("::1", "postgresql://ann@[::1]:5433/team")


def test_a_password_may_come_otherwise():
    assert location_of("postgresql://ann@db/team", ROOT).password is None
    assert location_of(f"postgresql://ann@db/team?password={WORD}", ROOT).password == WORD


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"postgresq://ann:{WORD}@db/team", r"no database 'postgresq://' \(did you mean 'postgres"),
        (f"mysql://ann:{WORD}@db/team", r"no database 'mysql://' \(spell it postgresql\+psycopg"),
        (f"postgresql://ann:{WORD}@db", "names no database"),
        (f"postgresql://ann:{WORD}@db:port/team", "port is no number"),
        (f"postgresql://ann:{WORD}/x@db/team", "password"),
        (f"postgresql:ann:{WORD}@db/team", "'://' after its scheme"),
        ("sqlite://state.db", "three slashes"),
        ("", "it is empty"),
    ],
)
def test_what_cannot_be_read_says_why_without_the_password(text, message):
    with pytest.raises(StateError, match=message) as caught:
        location_of(text, ROOT)
    assert WORD not in str(caught.value)


def test_a_password_that_is_spelled_out_is_told_from_one_of_the_environment():
    assert has_password(f"postgresql://ann:{WORD}@db/team")
    assert has_password(f"postgresql://ann@db/team?password={WORD}")
    assert not has_password("postgresql://ann:{{ env_var('WORD') }}@db/team")
    assert not has_password("{{ env_var('URL') }}")
    assert not has_password("postgresql://ann@db:5432/team")


def test_a_text_with_a_url_in_it_is_masked():
    said = f'could not connect to "postgresql://ann:{WORD}@db/team?password={WORD}": no'
    assert WORD not in masked(said)
    assert "ann:***@db" in masked(said)


def test_a_file_in_a_folder_that_is_not_there_is_refused(tmp_path):
    """A share that is not mounted is no reason to begin a ledger anew and pay again."""
    named = location_of(str(tmp_path / "share" / "state.db"), ROOT)
    with pytest.raises(StateError, match=r"there is no folder .*share.*mount it"):
        State(named)
    assert not (tmp_path / "share").exists()
    (tmp_path / "share").mkdir()
    State(named).close()
