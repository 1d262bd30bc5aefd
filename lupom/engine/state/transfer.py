"""What one ledger takes from another: by a database's place, or by a file.

Keys are content hashes, so it is a union, and doing it again changes nothing. A file may come from
anybody: each row is checked, and one that is not right is left out and told.
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from lupom.engine.errors import StateError, UsageError
from lupom.engine.files import replacing
from lupom.engine.place import SQLITE
from lupom.engine.state.ledger import UNSAID, WRITTEN, now
from lupom.engine.state.location import Location
from lupom.engine.state.spool import left_over

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lupom.engine.state import State

# Rows in memory, and in one transaction.
_AT_ONCE = 1000
PARQUET, LINES = ".parquet", ".jsonl"
CALL, EMBEDDING = "call", "embedding"
# What every Parquet file begins with.
_MAGIC = b"PAR1"
_TOLD = 5


@dataclass(slots=True)
class Transfer:
    """What came of it: rows that were new, that took the place of what was known, that were known
    already, and that were refused, the first of them with the reason."""

    new: int = 0
    replaced: int = 0
    known: int = 0
    refused: int = 0
    reasons: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.new + self.replaced + self.known + self.refused

    def refuse(self, reason: str) -> None:
        self.refused += 1
        if len(self.reasons) < _TOLD:
            self.reasons.append(reason)


def _json(kind: type) -> Callable[[str | None], str | None]:
    def check(text: str | None) -> str | None:
        if text is not None and not isinstance(json.loads(text), kind):
            raise ValueError(f"is JSON, but no {kind.__name__}")
        return text

    return check


def _time(text: str) -> str:
    from datetime import datetime

    datetime.fromisoformat(text)
    return text


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("has half a character (a lone surrogate)") from None
    return text


_Text = Annotated[str, AfterValidator(_text)]
_Time = Annotated[str, AfterValidator(_time)]
# What a column of a database holds.
_Count = Annotated[int, Field(ge=0, lt=1 << 63)]
_Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    key: str = Field(pattern=r"^[0-9a-f]{64}$")
    provider: _Text
    model: _Text
    cost: _Money | None = None
    counted_tokens: _Count | None = None
    counted_cost: _Money | None = None
    created_at: _Time


class _Call(_Row):
    alias: _Text
    node: _Text
    run_id: _Text
    messages_hash: _Text
    schema_hash: _Text
    parameters: Annotated[_Text, AfterValidator(_json(dict))]
    draw: _Count
    status: Literal["ok", "invalid", "pending"]
    answer: _Text | None
    probabilities: Annotated[_Text | None, AfterValidator(_json(dict))]
    missing_mass: Annotated[float, Field(allow_inf_nan=False)] | None
    history: Annotated[_Text, AfterValidator(_json(list))]
    tokens_in: _Count | None
    tokens_out: _Count | None
    tokens_cached: _Count
    tokens_written: _Count
    characters: _Count
    latency: _Money
    attempts: _Count
    error: _Text | None
    repaired: bool
    updated_at: _Time

    @model_validator(mode="after")
    def _answered(self) -> _Call:
        if self.status == "ok" and self.answer is None:
            raise ValueError("status: 'ok', and there is no answer")
        return self


class _Embedding(_Row):
    vector: bytes = Field(min_length=4)
    tokens: _Count | None


def merge(state: State, other: State) -> Transfer:
    """Take in what another database has: calls, embeddings, and batches that are still out."""
    done = Transfer()
    for rows in _in_parts(_all_of(other)):
        _take(state, rows, done)
    from lupom.engine.state.tables import BATCHES

    still = BATCHES.c.status.in_(("submitting", "out"))
    batches = other.read(
        lambda c: [dict(row) for row in c.execute(BATCHES.select().where(still)).mappings()]
    )
    if batches:
        statement = state.dialect.insert(BATCHES).on_conflict_do_nothing()
        state.write(lambda connection: connection.execute(statement, batches))
    return done


def copied(location: Location, folder: Path) -> Location:
    """Return the location of a copy of a SQLite file in a folder; a server's is its own.

    Another's file is read, and not renewed. Raises StateError where it is no ledger.
    """
    if location.kind != SQLITE:
        return location
    assert location.path is not None
    if not location.path.is_file():
        raise UsageError(f"there is no ledger at {location.path}")
    to = folder / "other.db"
    try:
        with (
            closing(sqlite3.connect(f"{location.path.as_uri()}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(to)) as new,
        ):
            old.backup(new)
            (version,) = new.execute("pragma user_version").fetchone()
            (found,) = new.execute("pragma quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise _damaged(location.path, str(error)) from None
    if found != "ok":
        raise _damaged(location.path, found.splitlines()[-1])
    if not version:
        raise StateError(f"{location.path} is no ledger: no LUPoM has made tables in it")
    return Location(SQLITE, path=to)


def _damaged(path: Path, said: str) -> StateError:
    return StateError(
        f"{path} cannot be read: {said}",
        hint="of a file that is damaged, sqlite3's '.recover' saves what can be saved",
    )


def merge_from(state: State, location: Location) -> Transfer:
    """Take in what the database at another place has, which stays as it is; raises StateError."""
    from lupom.engine.state import State

    if _same(state.location, location):
        raise UsageError(f"{location} is this project's own ledger")
    with (
        tempfile.TemporaryDirectory(prefix="lupom-") as name,
        State(copied(location, Path(name)), say=lambda _: None, make=False) as other,
    ):
        return merge(state, other)


def _same(one: Location, other: Location) -> bool:
    # By the place: what a ledger is known by is in its copies, too, which may have gone other ways.
    if one.path is None or other.path is None:
        return one == other
    return other.path.exists() and other.path.samefile(one.path)


def export(state: State, path: Path) -> Transfer:
    """Write all calls and embeddings to a file, Parquet or JSON lines by its ending.

    Raises UsageError for another ending.
    """
    ending = _ending(path)
    done = Transfer()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        if ending == LINES:
            with part.open("w", encoding="utf-8") as file:
                for row in _all_of(state):
                    file.write(json.dumps(_plain(row), ensure_ascii=False) + "\n")
                    done.new += 1
        else:
            import pyarrow.parquet as pq

            schema = _schema()
            with pq.ParquetWriter(part, schema, compression="zstd") as writer:
                for rows in _in_parts(_all_of(state)):
                    writer.write_table(_table(rows, schema))
                    done.new += len(rows)
    return done


def import_file(state: State, path: Path) -> Transfer:
    """Take in what a file has that `export` wrote; rows that are not right are left out and told.

    Raises UsageError for a file that is not there or of another kind.
    """
    ending = _ending(path)
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    _fits(path, ending)
    done = Transfer()
    rows = _lines(path) if ending == LINES else _parquet(path)
    for part in _in_parts(rows):
        good = []
        for number, raw in part:
            try:
                good.append(_checked(raw))
            except ValidationError as error:
                fault = error.errors(include_input=False, include_url=False)[0]
                column = ".".join(map(str, fault["loc"])) or "row"
                done.refuse(f"row {number}: {column}: {fault['msg']}")
            except ValueError as error:
                done.refuse(f"row {number}: {error}")
        _take(state, good, done)
    return done


def take_back(state: State, folder: Path) -> int:
    """Write what earlier processes of a checkout could not; returns how many calls that are."""
    return sum(_import_unwritten(state, path) for path in left_over(folder))


def _import_unwritten(state: State, path: Path) -> int:
    """Write the calls of a file that a process left; the file is gone then.

    What is half a line, as of a process that was killed, is left out.
    """
    # Another process may look for such files at the same moment.
    mine = path.with_suffix(f".{state.owner}.taken")
    try:
        path.rename(mine)
    except FileNotFoundError:
        return 0
    stamp = now()
    times = {"created_at": stamp, "updated_at": stamp}
    latest: dict[str, dict[str, Any]] = {}
    for _, raw in _lines(mine):
        if isinstance(raw, dict):
            row = {**UNSAID, **times, **raw}
            latest[str(row.get("key"))] = {name: row.get(name) for name in (*WRITTEN, *times)}
    try:
        for part in _in_parts(latest.values()):
            state.write(partial(_unite, state, part))
    except BaseException:
        mine.rename(path)
        raise
    mine.unlink()
    return len(latest)


def _take(state: State, rows: Sequence[Mapping[str, Any]], done: Transfer) -> None:
    calls = [_without_kind(row) for row in rows if row["kind"] == CALL]
    vectors = [_without_kind(row) for row in rows if row["kind"] == EMBEDDING]

    def work(connection: Connection) -> tuple[int, int]:
        added = state.embed(connection, vectors) if vectors else 0
        new, replaced = state.ledger.unite(connection, calls) if calls else (0, 0)
        return added + new, replaced

    if rows:
        new, replaced = state.write(work)
        done.new += new
        done.replaced += replaced
        done.known += len(rows) - new - replaced


def _without_kind(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "kind"}


def _all_of(state: State) -> Iterator[dict[str, Any]]:
    """Yield every call and embedding of a ledger, as rows of a file."""
    seq = 0
    while calls := state.calls_since(seq, _AT_ONCE):
        seq = calls[-1]["seq"]
        for call in calls:
            call.pop("seq")
            yield {"kind": CALL, **call, "repaired": bool(call["repaired"])}
    after = ""
    query = state.dialect.driver(
        "select * from embeddings where key > :after order by key limit :limit"
    )
    while True:
        rows = state.read(partial(_mapped, query, {"after": after, "limit": _AT_ONCE}))
        if not rows:
            return
        after = rows[-1]["key"]
        for row in rows:
            yield {"kind": EMBEDDING, **row, "vector": bytes(row["vector"])}


def _mapped(query: str, bound: dict[str, Any], connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.exec_driver_sql(query, bound).mappings()]


def _unite(state: State, rows: Sequence[Mapping[str, Any]], connection: Connection) -> Any:
    return state.ledger.unite(connection, rows)


def _in_parts(rows: Iterable[Any]) -> Iterator[list[Any]]:
    waiting = iter(rows)
    while part := list(islice(waiting, _AT_ONCE)):
        yield part


def _checked(raw: Any) -> dict[str, Any]:
    """Return a row of a file that anybody may have written, checked; raises ValueError."""
    if isinstance(raw, ValueError):
        raise raw
    if not isinstance(raw, dict):
        raise ValueError("it is no object")
    given = dict(raw)
    kind = given.pop("kind", None)
    if kind == CALL:
        # A Parquet file has every column in every row.
        wanted = {k: v for k, v in given.items() if k in _Call.model_fields or v is not None}
        return {"kind": CALL, **_Call.model_validate(wanted).model_dump()}
    if kind == EMBEDDING:
        wanted = {k: v for k, v in given.items() if k in _Embedding.model_fields or v is not None}
        if isinstance(wanted.get("vector"), str):
            wanted["vector"] = base64.b64decode(wanted["vector"], validate=True)
        row = _Embedding.model_validate(wanted).model_dump()
        if len(row["vector"]) % 4:
            raise ValueError("vector: it is no float32")
        return {"kind": EMBEDDING, **row}
    if kind is None:
        raise ValueError("it has no 'kind': lupom ledger export has not written it")
    raise ValueError(f"kind: {kind!r:.40} is neither 'call' nor 'embedding'")


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    if "vector" in row:
        return {**row, "vector": base64.b64encode(row["vector"]).decode("ascii")}
    return dict(row)


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield each line with its number; a ValueError in the place of one that is not JSON."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, ValueError("it is not JSON")


def _parquet(path: Path) -> Iterator[tuple[int, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        file = pq.ParquetFile(path)
        if not {"kind", "key"} <= set(file.schema_arrow.names):
            raise UsageError(
                f"{path} is no file that lupom ledger export wrote: it has no columns 'kind' and"
                f" 'key' (it has {', '.join(file.schema_arrow.names[:5]) or 'none'})"
            )
        for batch in file.iter_batches(_AT_ONCE):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (pa.ArrowException, OSError) as error:
        said = re.sub(r"\s+", " ", str(error))[:200]
        raise UsageError(f"{path} cannot be read as Parquet: {said}") from None


def _schema() -> Any:
    import pyarrow as pa

    kinds = {
        **dict.fromkeys(("draw", "tokens", "attempts", "characters"), pa.int64()),
        **dict.fromkeys(("tokens_in", "tokens_out", "tokens_cached", "tokens_written"), pa.int64()),
        "counted_tokens": pa.int64(),
        **dict.fromkeys(("missing_mass", "cost", "latency", "counted_cost"), pa.float64()),
        "repaired": pa.bool_(),
        "vector": pa.binary(),
    }
    names = dict.fromkeys(("kind", *_Call.model_fields, *_Embedding.model_fields))
    return pa.schema([(name, kinds.get(name, pa.string())) for name in names])


def _table(rows: Sequence[Mapping[str, Any]], schema: Any) -> Any:
    import pyarrow as pa

    columns = {name: [row.get(name) for row in rows] for name in schema.names}
    return pa.table(columns, schema=schema)


def _fits(path: Path, ending: str) -> None:
    """Raise UsageError where a file is not what its name says."""
    with path.open("rb") as file:
        begins = file.read(4)
    if ending == LINES and begins == _MAGIC:
        raise UsageError(f"{path} is a Parquet file", hint=f"call it {path.stem}{PARQUET}")
    if ending == PARQUET and not begins:
        raise UsageError(f"{path} is empty", hint="was the export finished?")
    if ending == PARQUET and begins.lstrip().startswith(b"{"):
        raise UsageError(f"{path} is a file of JSON lines", hint=f"call it {path.stem}{LINES}")


def _ending(path: Path) -> str:
    ending = path.suffix.lower()
    if ending not in (PARQUET, LINES):
        raise UsageError(
            f"{path.name} ends in neither {PARQUET} nor {LINES}",
            hint="Parquet is small and typed, JSON lines can be read by eye",
        )
    return ending
