"""The snapshots of a lake: one for each commit, and which of them somebody means."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lupom.engine.errors import StoreError, UsageError, did_you_mean
from lupom.engine.store.names import literal
from lupom.engine.store.relations import RESERVED, relation_kinds

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state of a lake: its number, when it was committed, in which run (None: outside of one),
    what was committed, and by whom (user@host)."""

    id: int
    at: datetime
    run: str | None
    what: str
    author: str


@dataclass(frozen=True, slots=True)
class Expired:
    """What was given up, or would be: snapshots, and files that nothing else needs."""

    snapshots: list[Snapshot]
    files: int


def read(cursor: duckdb.DuckDBPyConnection, catalog: str) -> list[Snapshot]:
    """Return a lake's snapshots, the oldest first."""
    # As numbers: DuckDB 1 wants pytz for a time with a zone.
    rows = cursor.execute(
        "select snapshot_id, epoch_us(snapshot_time), author, commit_message, commit_extra_info"
        f" from {catalog}.snapshots() order by snapshot_id"
    ).fetchall()
    found = []
    for number, at, author, message, extra in rows:
        noted = {}
        with suppress(ValueError, TypeError):
            noted = json.loads(extra)
        if not isinstance(noted, dict):
            noted = {}
        found.append(
            Snapshot(
                int(number),
                datetime.fromtimestamp(at / 1e6, UTC),
                noted.get("run"),
                noted.get("what") or message or "",
                author or "",
            )
        )
    return found


def wanted(text: str, snapshots: Sequence[Snapshot]) -> Snapshot:
    """Return the snapshot somebody means by a run's id, a snapshot's number or a time.

    That of a run is its last one. A time without a zone is this machine's. Raises UsageError where
    there is none.
    """
    text = text.strip()
    if not text:
        # Every run begins with nothing.
        raise UsageError("--at: no run, number or time is given", hint="lupom store snapshots")
    number = int(text) if re.fullmatch(r"\d{1,9}", text) else None
    numbered = [snapshot for snapshot in snapshots if snapshot.id == number]
    if numbered:
        return numbered[0]
    runs = list(dict.fromkeys(s.run for s in snapshots if s.run))
    meant = [run for run in runs if run == text] or [run for run in runs if run.startswith(text)]
    if len(meant) > 1:
        raise UsageError(f"--at: {len(meant)} runs begin with '{text}'", hint=", ".join(meant[-5:]))
    if meant:
        return [s for s in snapshots if s.run == meant[0]][-1]
    if number is not None:
        raise UsageError(
            f"--at: there is no snapshot {text}",
            hint=f"there are {snapshots[0].id} to {snapshots[-1].id}; lupom store snapshots",
        )
    try:
        time = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise UsageError(
            f"--at: no run '{text}' committed anything that is still there",
            hint=did_you_mean(text, runs)
            or "a run's id, a snapshot's number or a time such as '2026-03-01 12:00';"
            " lupom store snapshots lists them",
        ) from None
    before = [s for s in snapshots if s.at <= time]
    if not before:
        raise UsageError(
            f"--at: there is no snapshot as old as {text}",
            hint=f"the oldest is of {snapshots[0].at.astimezone():%Y-%m-%d %H:%M:%S}",
        )
    return before[-1]


def old(snapshots: Sequence[Snapshot], before: datetime) -> list[Snapshot]:
    """Return those from before a time; the newest is never among them."""
    return [snapshot for snapshot in snapshots[:-1] if snapshot.at < before]


def expire(cursor: duckdb.DuckDBPyConnection, catalog: str, before: datetime) -> Expired:
    """Give up snapshots from before a time, and delete the files that only they need.

    Raises StoreError, with no file deleted, where DuckLake would delete one that a table has now.
    """
    standing = relation_kinds(cursor)
    for name in RESERVED:
        # A few rows are added to these in each run.
        if standing.get(name) == "table":
            cursor.execute(f"call ducklake_merge_adjacent_files('{catalog}', '{name}')").fetchall()
    gone = old(read(cursor, catalog), before)
    if gone:
        numbers = ", ".join(str(snapshot.id) for snapshot in gone)
        cursor.execute(
            f"select count(*) from ducklake_expire_snapshots('{catalog}', versions => [{numbers}])"
        ).fetchall()
    cleanup = f"ducklake_cleanup_old_files('{catalog}', cleanup_all => true"
    # Expiry has deleted files of live tables before (DuckLake 0.3, of tables that were renamed).
    doomed = {
        path
        for (path,) in cursor.execute(f"select path from {cleanup}, dry_run => true)").fetchall()
    }
    live = _live(cursor, catalog)
    if doomed & live:
        raise StoreError(
            f"DuckLake would delete {min(doomed & live)}, which a table has: no file was deleted"
        )
    deleted = cursor.execute(f"select count(*) from {cleanup})").fetchall()
    return Expired(gone, int(deleted[0][0]))


def _live(cursor: duckdb.DuckDBPyConnection, catalog: str) -> set[str]:
    """Return the files of all tables as they are now."""
    tables = cursor.execute(
        "select schema_name, table_name from duckdb_tables()"
        " where database_name = current_database()"
    ).fetchall()
    found: set[str] = set()
    for schema, table in tables:
        rows = cursor.execute(
            "select data_file, delete_file from"
            f" ducklake_list_files('{catalog}', {literal(table)}, schema => {literal(schema)})"
        ).fetchall()
        found |= {path for row in rows for path in row if path}
    return found
