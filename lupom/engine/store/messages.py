"""What DuckDB says of an error, without what only its own users need."""

from __future__ import annotations

import re

# A guess at what was meant that nobody means: a table of the database's own.
_OF_THE_SYSTEM = re.compile(r'Did you mean "(information_schema\.|pg_|sqlite_|duckdb_)[^"]*"')


def lines(error: BaseException) -> str:
    """Return what DuckDB says without blank lines; its pointer into the SQL (LINE 3: ^) stays."""
    rows = [row for row in str(error).splitlines() if row.strip()]
    return "\n".join(row for row in rows if not _OF_THE_SYSTEM.match(row)) or "unknown error"


def first_line(error: BaseException) -> str:
    """Return what DuckDB says is wrong, in a line."""
    return lines(error).splitlines()[0].strip().removeprefix("Invalid Input Error: ")


def is_held(error: BaseException) -> bool:
    """Tell whether a file cannot be opened because another process has it."""
    # Not by "lock" alone: of a file that is broken it is said in which block.
    return bool(re.search(r"set lock|conflicting lock|used by another", str(error), re.IGNORECASE))


def holder(error: BaseException) -> str | None:
    """Return who holds a file: X and n of "lock is held in X (PID n)"; None if it is not said."""
    match = re.search(r"held in (.+?) \(PID (\d+)\)", str(error))
    return f"{match[1]} (PID {match[2]})" if match else None


def missing_table(error: BaseException) -> str | None:
    """Return which table a query reads that is not there; None where it is another error."""
    match = re.search(r'Catalog Error: Table with name "?([^\s"]+)"? does not exist', str(error))
    return match[1] if match else None
