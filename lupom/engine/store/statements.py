"""SQL that somebody wrote, held to be one select before it is run, by DuckDB's own parser."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from lupom.engine.errors import ModelError
from lupom.engine.store.instances import instance

if TYPE_CHECKING:
    import duckdb

# Nodes of a syntax tree that write: DuckDB runs an insert in a WITH clause and calls it a select.
_WRITES = re.compile(r'"type":"(INSERT|UPDATE|DELETE|MERGE)\w*_NODE"')
_GAP = r"(?:\s|/\*.*?\*/|--[^\n]*\n)+"
_CLAUSE = re.compile(
    rf"(insert(?={_GAP}(?:into|or)\b)|delete(?={_GAP}from\b)|merge(?={_GAP}into\b)"
    rf"|update(?={_GAP}(?!from\b)[\w\"]))",
    re.IGNORECASE | re.DOTALL,
)
_WORDS = re.compile(r"\b(insert|update|delete|merge)\b", re.IGNORECASE)


def one_select(text: str) -> str:
    """Return SQL without the semicolon at its end.

    Raises ModelError when it is not one statement or not a select, duckdb.ParserException when it
    does not parse.
    """
    with instance() as parser:
        statements = _statements(parser, text)
        if not statements:
            raise ModelError("there is no statement in the SQL", hint="write a select")
        if len(statements) > 1:
            raise ModelError(
                f"{len(statements)} statements, and a select must be alone; the second is"
                f" '{_begin(statements[1].query)}'",
                hint="what one model makes is one select; the others are models of their own",
            )
        kind = statements[0].type.name
        # A pivot whose columns are not listed is several to DuckDB: it looks them up first.
        if kind == "SELECT" and not statements[0].query:
            kind = "MULTI"
        if kind not in ("SELECT", "MULTI"):
            raise ModelError(f"'{_begin(text)}' is not a select but {kind}", hint="write a select")
        written = _written(parser, text, kind) if _WORDS.search(text) else None
        if written:
            raise ModelError(
                f"the select holds {written}: a select only reads", hint="write a select"
            )
    return _without_end(text)


def _statements(parser: duckdb.DuckDBPyConnection, text: str) -> list[duckdb.Statement]:
    """Return the statements of SQL, a pivot as one."""
    found = parser.extract_statements(text)
    # Before DuckDB 2 it is the making of a type and a select, which have no text.
    return [one for one in found if one.query or one.type.name == "SELECT"]


def _written(parser: duckdb.DuckDBPyConnection, text: str, kind: str) -> str | None:
    """Return the word of what a select writes with, such as INSERT; None where it only reads."""
    import duckdb

    if kind == "SELECT":
        ((tree,),) = parser.execute("select json_serialize_sql($1)", [text]).fetchall()
        found = _WRITES.search(str(tree))
        return found[1] if found else None
    # DuckDB writes no tree of a pivot. A clause that writes begins behind a bracket, its own or one
    # of a WITH: 'as (insert into ...'. A column named so is not followed by these words.
    whole = text.encode()
    starts = [at for at, token in duckdb.tokenize(text) if token.name != "comment"]
    for before, start in itertools.pairwise(starts):
        if whole[before : before + 1] in (b"(", b")"):
            found = _CLAUSE.match(whole[start:].decode())
            if found:
                return found[1].upper()
    return None


def one_statement(text: str) -> bool:
    """Tell whether SQL only reads, and changes no setting of DuckDB either.

    Raises ModelError when it is several statements. What does not parse changes nothing.
    """
    import duckdb

    try:
        with instance() as parser:
            statements = _statements(parser, text)
    except duckdb.Error:
        return True
    if len(statements) > 1:
        raise ModelError(
            f"{len(statements)} statements, and one is run at a time; the second is"
            f" '{_begin(statements[1].query)}'"
        )
    return all(one.type.name in ("SELECT", "EXPLAIN") for one in statements)


def _without_end(text: str) -> str:
    """Cut off the semicolon at the end, with comments behind it: the text goes between brackets."""
    import duckdb

    if ";" not in text:
        return text
    # Offsets are of bytes.
    whole = text.encode()
    for offset, kind in reversed(duckdb.tokenize(text)):
        if kind.name == "comment":
            continue
        if whole[offset : offset + 1] != b";" or kind.name != "operator":
            break
        whole = whole[:offset]
    return whole.decode()


def _begin(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 60 else f"{words[:57]}..."
