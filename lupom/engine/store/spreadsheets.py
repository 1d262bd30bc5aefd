"""Text that a spreadsheet would take for a formula, made safe to open in one.

A respondent may answer "=HYPERLINK(...)", and Excel, LibreOffice and Google Sheets run what begins
so when a CSV file is opened. The rule is OWASP's for CSV injection: an apostrophe before what
begins with = + - @, a tab, a line's end, or these in full width. A number written as text stays.
"""

from __future__ import annotations

import re

from lupom.engine.store.names import literal

# Both are read by Python's re and by DuckDB's RE2.
_FORMULA = r"[=+\-@\t\r\n＝＋－＠]"  # noqa: RUF001
_NUMBER = r"[+\-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+\-]?[0-9]+)?"


def safe(text: str) -> str:
    """Return a text as it is, or with an apostrophe before it where it could be a formula."""
    if re.match(_FORMULA, text) and not re.fullmatch(_NUMBER, text):
        return f"'{text}"
    return text


def safe_sql(expression: str) -> str:
    """Return the SQL of `safe` of an expression that is text."""
    formula, number = literal(f"^{_FORMULA}"), literal(_NUMBER)
    return (
        f"if(regexp_matches({expression}, {formula}) and not"
        f" regexp_full_match({expression}, {number}), '''' || {expression}, {expression})"
    )
