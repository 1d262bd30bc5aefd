"""Exports of built models, to a folder or to S3."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import StoreError, UsageError, did_you_mean
from lupom.engine.project.sources import split_url
from lupom.engine.run.context import not_built
from lupom.engine.run.reading import table
from lupom.engine.store import labelled
from lupom.engine.store.export import FORMATS, write
from lupom.engine.store.labelled import Meaning
from lupom.engine.store.unsaid import COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from lupom.engine.run.context import Context


@dataclass(frozen=True, slots=True)
class Written:
    """A model written to a file or an S3 object: its `address`, and how many rows."""

    model: str
    address: str
    rows: int


def export(
    context: Context,
    models: Sequence[str],
    form: str,
    to: str | Path,
    *,
    endpoint_url: str | None = None,
    spreadsheet_safe: bool = False,
) -> Iterator[Written]:
    """Write models to `to`, a folder or s3://bucket/prefix, each as soon as the one before it is.

    Raises
    ------
    UsageError : for a model there is not, one without a table, a format there is not, and a format
        other than csv that is to be safe for spreadsheets.
    StoreError : where a model is not built, or the file or object cannot be written.
    """
    if form not in FORMATS:
        raise UsageError(
            f"no format '{form}'", hint=did_you_mean(form, FORMATS) or ", ".join(FORMATS)
        )
    if spreadsheet_safe and form != "csv":
        raise UsageError("only CSV is made safe for spreadsheets", hint="--format csv")
    for name in models:
        if context.node(name).materialization.inlined:
            raise UsageError(f"'{name}' is ephemeral: it has no table")
    with context.store.reading() as cursor:
        standing = context.store.relations(cursor)
    missing = [name for name in models if name not in standing]
    if missing:
        raise not_built(missing[0])
    for name in dict.fromkeys(models):
        file = f"{name}.{form}"
        if str(to).startswith("s3://"):
            bucket, prefix = split_url(str(to))
            key = "/".join(filter(None, (prefix.strip("/"), file)))
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / file
                rows = _write(context, name, path, form, spreadsheet_safe)
                _upload(path, bucket, key, endpoint_url)
            yield Written(name, f"s3://{bucket}/{key}", rows)
        else:
            path = Path(to) / file
            yield Written(name, str(path), _write(context, name, path, form, spreadsheet_safe))


def _write(context: Context, name: str, path: Path, form: str, safe: bool) -> int:
    node = context.nodes[name]
    meanings = {column.name: Meaning(column.description) for column in node.columns}
    if form in labelled.FORMATS and node.config.get("labels"):
        meanings |= _labels(context, name, str(node.config["labels"]))
    gaps = None
    if form in labelled.FORMATS and node.config.get("gaps"):
        gaps = _gaps(context, name, str(node.config["gaps"]))
    with context.store.reading() as cursor:
        return write(
            cursor,
            name,
            path,
            form,
            meanings=meanings,
            title=node.name,
            gaps=gaps,
            spreadsheet_safe=safe,
        )


def _beside(context: Context, name: str, config: str, of: str, columns: set[str]) -> pa.Table:
    """Return the table of the model that a model's config names, with these columns at least."""
    if of not in context.nodes:
        hint = did_you_mean(of, context.nodes)
        raise UsageError(f"'{name}' has '{config}: {of}', and there is no such model", hint=hint)
    found = table(context, of)
    if not columns <= set(found.columns):
        lacking = ", ".join(sorted(columns - set(found.columns)))
        raise UsageError(f"'{of}' has {config} of '{name}', and no column {lacking}")
    return found.arrow


def _gaps(context: Context, name: str, of: str) -> pd.DataFrame:
    """Return what the model that `gaps` names says of empty cells."""
    gaps = _beside(context, name, "gaps", of, set(COLUMNS))
    keys, there = set(gaps.column_names) - set(COLUMNS), set(table(context, name).columns)
    if strange := sorted(keys - there):
        raise UsageError(f"'{of}' has gaps of '{name}', which has no column {strange[0]!r}")
    if not keys:
        raise UsageError(f"'{of}' has gaps of '{name}', and no column that says of which rows")
    frame = gaps.to_pandas()
    return frame[frame["column"].isin(there)]


def _labels(context: Context, name: str, of: str) -> dict[str, Meaning]:
    """Return what the model that `labels` names says of columns."""
    out = {}
    for row in _beside(
        context, name, "labels", of, {"column", "label", "options", "measure"}
    ).to_pylist():
        values, codes = tuple(row["options"] or ()), tuple(map(float, row.get("codes") or ()))
        if codes and (len(codes) != len(values) or len(set(codes)) < len(codes)):
            raise UsageError(
                f"'{of}' has {len(set(codes))} codes of {len(values)} options of the column"
                f" '{row['column']}'",
                hint="each option has a code of its own, or none has",
            )
        out[row["column"]] = Meaning(row["label"] or "", values, row["measure"] or "", codes)
    return out


def _upload(path: Path, bucket: str, key: str, endpoint_url: str | None) -> None:
    try:
        import boto3  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError as error:
        raise StoreError("writing to S3 needs boto3", hint="pip install boto3") from error
    from boto3.exceptions import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
        Boto3Error,
    )
    from botocore.exceptions import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
        BotoCoreError,
        ClientError,
    )

    try:
        client: Any = boto3.client("s3", endpoint_url=endpoint_url)
        client.upload_file(str(path), bucket, key)
    except (Boto3Error, BotoCoreError, ClientError) as error:
        raise StoreError(f"cannot write s3://{bucket}/{key}: {error}") from error
