"""How CSV is read: as it is written, or not at all."""

from __future__ import annotations

from collections.abc import Mapping

from lupom.engine.store.names import literal

_TYPES = "['BOOLEAN', 'BIGINT', 'DOUBLE', 'DATE', 'TIMESTAMP', 'VARCHAR']"


def csv_options(
    delimiter: str = ",", types: Mapping[str, str] | None = None, *, all_varchar: bool = False
) -> list[str]:
    """Return the options of DuckDB's read_csv beside the files.

    The dialect is given whole: a sniffer that finds a way to read a torn file loses rows. Types are
    found in all rows, but for the columns that `types` names; with `all_varchar` all are text.
    """
    options = [
        "header = true",
        "skip = 0",
        "comment = ''",
        "null_padding = false",
        "ignore_errors = false",
        "strict_mode = true",
        f"delim = {literal(delimiter)}",
        "quote = '\"'",
        "escape = '\"'",
    ]
    if all_varchar:
        options.append("all_varchar = true")
    else:
        options += ["sample_size = -1", f"auto_type_candidates = {_TYPES}"]
    if types:
        pairs = ", ".join(f"{literal(k)}: {literal(v)}" for k, v in types.items())
        options.append(f"types = {{{pairs}}}")
    return options
