"""What YAML says under `sources:`: where tables that LUPoM only reads are, and how to read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field

from lupom.engine.project.documents import Document, Path_
from lupom.engine.project.s3 import S3Settings
from lupom.engine.project.strict import Strict

# What a file's name says of its format; any other needs `format: blob`.
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}")


class Tested(Strict):
    """A block that may have data tests."""

    data_tests: list[str | dict[str, Any]] = Field(default_factory=list)
    """Data tests of it: names, or names with arguments."""
    tests: list[str | dict[str, Any]] = Field(default_factory=list)
    """The same, under its older name."""


class ColumnBlock(Tested):
    """A column as the properties describe it."""

    name: str
    """The column's name."""
    description: str = ""
    """What stands in it."""
    data_type: str | None = None
    """Its type, for people."""
    measured: bool = False
    """It was measured, as seconds are: other values in it make nobody who reads it stale."""


class Age(Strict):
    """So old and no older: {count: 12, period: hour}."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: float = Field(gt=0)
    """How many of them."""
    period: Literal["second", "minute", "hour", "day"]
    """The unit."""

    @property
    def seconds(self) -> float:
        return self.count * _SECONDS[self.period]

    def __str__(self) -> str:
        return f"{self.count:g} {self.period}{'' if self.count == 1 else 's'}"


class Freshness(Strict):
    """How old a source may be before it is warned about, and before it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    warn_after: Age | None = None
    """Older than this is a warning."""
    error_after: Age | None = None
    """Older than this is an error."""
    filter: str | None = None
    """SQL that says which rows count."""


class _Table(Tested):
    name: str
    """The table's name in `source()`."""
    description: str = ""
    """What it is."""
    columns: list[ColumnBlock] = Field(default_factory=list)
    """Its columns."""
    file: str | None = None
    """File or object below `folder`; a pattern reads several."""
    format: Literal["csv", "parquet", "json", "blob"] | None = None
    """By default by the file's ending."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=4)
    """csv: what stands between cells."""
    encoding: Literal["utf-8", "utf-16", "latin-1"] | None = None
    """csv: by default UTF-8."""
    column_types: dict[str, str] = Field(default_factory=dict)
    """csv: types by column."""
    all_varchar: bool = False
    """csv: read every column as text."""
    identifier: str | None = None
    """Its name in the database, where that differs."""
    loaded_at_field: str | None = None
    """Column with the time a row came."""
    freshness: Freshness | None = None
    """How old it may be; instead of the source's."""
    meta: dict[str, Any] = Field(default_factory=dict)
    """Anything; Python models read it with `lupom.meta()`."""


class SourceBlock(Strict):
    """One entry under `sources:`."""

    name: str
    """The source's name in `source()`."""
    description: str = ""
    """What it is."""
    folder: str | None = None
    """Folder, or s3://bucket/prefix, of its files."""
    schema_name: str = Field(default="main", alias="schema")
    """Schema of its tables."""
    database: str | None = None
    """Another DuckDB file with its tables."""
    s3: S3Settings = Field(default_factory=S3Settings)
    """How S3 is reached."""
    loaded_at_field: str | None = None
    """Column with the time a row came."""
    freshness: Freshness | None = None
    """How old its tables may be."""
    tables: list[_Table]
    """Its tables."""


@dataclass(frozen=True, slots=True)
class Source:
    """A table LUPoM reads and never writes.

    Attributes
    ----------
    file, pattern, url : where its file is: a path, a path with wildcards, an s3:// URL (which may
        have wildcards); none of them for a table of a DuckDB file.
    folder : the part of a pattern that is a path as it stands.
    format : of the file: 'csv', 'parquet', 'json' or 'blob'.
    reading : how a CSV file is to be read: delimiter, encoding, column_types, all_varchar.
    s3 : how S3 is reached.
    database : the DuckDB file of a table; None is the project's store.
    schema, identifier : the table's name there.
    loaded_at_field : SQL that says when a row was loaded.
    """

    name: str
    file: Path | None = None
    pattern: str | None = None
    folder: Path | None = None
    url: str | None = None
    format: str = ""
    reading: Mapping[str, Any] = field(default_factory=dict)
    s3: S3Settings | None = None
    database: Path | None = None
    schema: str = "main"
    identifier: str = ""
    loaded_at_field: str | None = None
    freshness: Freshness | None = None

    def with_(self, **changes: Any) -> Source:
        """Return the source with some attributes changed."""
        return replace(self, **changes)

    @property
    def place(self) -> str:
        """Where the source is, for people."""
        if self.database is not None:
            return f"{self.schema}.{self.identifier} in {self.database}"
        return str(self.file or self.pattern or self.url or f"{self.schema}.{self.identifier}")


def read_source(
    document: Document, block: SourceBlock, table: _Table, where: Path_, root: Path, store: Path
) -> Source:
    """Make a source of its block in a YAML file.

    Parameters
    ----------
    where : path of the table's block in the document, for errors.
    root : the project's folder, which relative files are below of.
    store : the project's own store, which needs no `database`.

    Raises ProjectError with file and line.
    """
    name = f"{block.name}.{table.name}"
    for part, at in ((block.name, where[:2]), (table.name, where)):
        if "." in part:
            raise document.error(f"a source's name has no dot in it: '{part}'", (*at, "name"))
    # `freshness: null` of a table takes away its source's.
    freshness = table.freshness if "freshness" in table.model_fields_set else block.freshness
    source = Source(
        name,
        schema=block.schema_name,
        identifier=table.identifier or table.name,
        freshness=freshness,
        loaded_at_field=table.loaded_at_field or block.loaded_at_field,
    )
    reading = {
        key: getattr(table, key)
        for key in ("delimiter", "encoding", "column_types", "all_varchar")
        if key in table.model_fields_set
    }
    if table.file is None:
        unfit = [key for key in ("format", *reading) if key in table.model_fields_set]
        if unfit:
            raise document.error(f"'{unfit[0]}' belongs to a source with a 'file'", where)
        return source.with_(database=_database(document, block, where, root, store))
    file = table.file
    if block.folder is not None and not re.match(r"/|\w+:", file):
        file = f"{block.folder.rstrip('/')}/{file}"
    if table.identifier is not None:
        raise document.error("a source is a 'file' or a table with an 'identifier'", where)
    if file.startswith("s3:"):
        _check_url(document, file, (*where, "file"))
    elif "://" in file:
        raise document.error(
            f"a source file is a path or an s3:// URL, not '{file}'", (*where, "file")
        )
    form = table.format or FORMATS.get(Path(file).suffix.lower())
    if form is None:
        raise document.error(
            f"a source file is CSV, Parquet or JSON, not '{file}'",
            (*where, "file"),
            "format: blob gives its bytes to a Python model",
        )
    if reading and form != "csv":
        raise document.error(f"'{next(iter(reading))}' is for CSV files", where)
    if form == "csv" and Path(file).suffix.lower() == ".tsv":
        reading.setdefault("delimiter", "\t")
    source = source.with_(format=form, reading=reading)
    if file.startswith("s3:"):
        return source.with_(url=file, s3=block.s3)
    path = (root / file).resolve()
    if has_wildcard(file):
        # What is not a pattern: the project's own folder may be called 'quest?ion'.
        begin = re.split(r"[*?]", file, maxsplit=1)[0].rpartition("/")
        folder = (root / f"{begin[0]}{begin[1]}").resolve()
        inner = file[len(begin[0]) + len(begin[1]) :]
        return source.with_(pattern=str(folder / inner), folder=folder)
    return source.with_(file=path)


def has_wildcard(text: str) -> bool:
    """Tell whether a path or key is a pattern: `*` and `?` within a folder, `**` across folders."""
    return "*" in text or "?" in text


def split_url(url: str) -> tuple[str, str]:
    """Return bucket and key of an s3:// URL."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def _check_url(document: Document, url: str, where: Path_) -> None:
    bucket, key = split_url(url)
    if not url.startswith("s3://") or not _BUCKET.fullmatch(bucket):
        raise document.error(f"'{url}' names no bucket", where, "s3://bucket/folder/wave.csv")
    if not key or key.endswith("/"):
        raise document.error(
            f"'{url}' names no object", where, f"{url.rstrip('/')}/*.csv takes all CSV files there"
        )


def _database(
    document: Document, block: SourceBlock, where: Path_, root: Path, store: Path
) -> Path | None:
    if block.database is None:
        return None
    path = (root / block.database).resolve()
    if path == store:
        raise document.error(
            "'database' is the project's own store",
            (*where[:2], "database"),
            "leave it out: without it, the tables are the store's",
        )
    if path.suffix.lower() in FORMATS:
        raise document.error(
            f"'database' is a DuckDB file, not '{block.database}'",
            (*where[:2], "database"),
            "a file stands under 'tables:' as 'file'",
        )
    return path
