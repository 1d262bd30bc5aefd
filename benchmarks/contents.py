"""Seconds that the digest of a table's contents takes, beside DuckDB's own hash of its rows.

    python benchmarks/contents.py                  1,000,000 rows, the median of 9
    python benchmarks/contents.py --rows 100000

DuckDB's `hash(row(...))` is the floor, and no digest: [0, 1] and [1] are one to it. Each table is
hashed both ways in turn, so that the ratio comes from one state of the machine. Prints JSON:
milliseconds of each and the median of the ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import duckdb

from lupom.engine.store.contents import content_hash
from lupom.engine.store.names import quoted

TABLES = {
    "answers": "'survey_' || i % 3 as survey, 'r' || i % 5000 as respondent_id, 'q' || i % 100"
    " as question_id, ['Very likely', 'Not at all', 'Somewhat likely'][i % 3 + 1] as answer,"
    " i as seq, random() as weight, i % 2 = 0 as holdout",
    "integers": "i as a, i * 2 as b, i % 7 as c",
    "doubles": "random() as a, random() as b, random() as c",
    "128 bits": "i::hugeint as a, i::decimal(38, 3) as b",
    "uuids": "i as a, uuid() as b",
    "lists": "i as a, [i, i + 1, i + 2] as b, ['option ' || i, 'b'] as c",
    "lists of doubles": "i as a, [random(), random(), random()] as b",
    "lists of lists": "i as a, [[i, 1], [i]] as b",
    "structs and maps": "{'k': 'name' || i, 'v': i / 2} as a, map {'x' || i % 10: random()} as b",
    "lists of structs": "i as a, [{'k': 'name' || i, 'v': i / 2}, {'k': 'b', 'v': 2}] as b",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=9)
    given = parser.parse_args()
    connection = duckdb.connect(config={"threads": 2})
    found = {}
    for name, columns in TABLES.items():
        connection.execute(
            f"create or replace table t as select {columns} from range({given.rows}) r(i)"
        )
        pairs = [
            (
                _seconds(lambda: _row_hashes(connection)),
                _seconds(lambda: content_hash(connection, "t")),
            )
            for _ in range(given.repeats)
        ]
        found[name] = {
            "hash_ms": round(1000 * min(floor for floor, _ in pairs), 1),
            "digest_ms": round(1000 * min(taken for _, taken in pairs), 1),
            "ratio": round(statistics.median(taken / floor for floor, taken in pairs), 2),
        }
    print(json.dumps({"duckdb": duckdb.__version__, "rows": given.rows, "tables": found}, indent=1))


def _row_hashes(connection: duckdb.DuckDBPyConnection) -> None:
    names = ", ".join(quoted(c[0]) for c in connection.execute("describe t").fetchall())
    connection.execute(f"select sum(hash(row({names}))::hugeint), count(*) from t").fetchall()


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
