"""The published lists of test pairs: {author_id, conversation_id, label}, as JSON or CSV."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any, TextIO

COLUMNS = ("survey", "author_id", "conversation_id", "label")


def read(path: str | Path, survey: str) -> list[dict[str, str]]:
    """Return the pairs of a file, each with its survey.

    Parameters
    ----------
    path : a JSON list of objects, JSON objects a line, or CSV with a header.
    survey : the survey's name in the project.

    Raises
    ------
    ValueError : when the file is none of these, a pair lacks a key, or appears twice.
    """
    text = Path(path).read_text(encoding="utf-8-sig")
    rows: list[Any]
    if text.lstrip().startswith("["):
        rows = json.loads(text)
    elif text.lstrip().startswith("{"):
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    else:
        rows = list(csv.DictReader(text.splitlines()))
    out, seen = [], set()
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not {"author_id", "conversation_id"} <= row.keys():
            raise ValueError(f"{path}: pair {number} has no author_id and conversation_id: {row!r}")
        pair = str(row["author_id"]), str(row["conversation_id"])
        if pair in seen:
            raise ValueError(f"{path}: author {pair[0]} and conversation {pair[1]} appear twice")
        seen.add(pair)
        label = row.get("label")
        values = (survey, *pair, "" if label is None else str(label))
        out.append(dict(zip(COLUMNS, values, strict=True)))
    return out


def write(rows: list[dict[str, str]], file: TextIO) -> None:
    """Write pairs as the CSV of a seed."""
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


if __name__ == "__main__":
    write(read(sys.argv[1], sys.argv[2]), sys.stdout)
