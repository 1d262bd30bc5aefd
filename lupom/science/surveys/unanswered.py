"""Why there is no answer in the words and codes of the survey's own file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow
from lupom.science.surveys import cells, labels, questions
from lupom.science.surveys.answers import decode
from lupom.science.surveys.opinionqa import respondent_ids

UNANSWERED = pa.schema(
    [
        ("survey", pa.string()),
        ("respondent_id", pa.string()),
        ("question_id", pa.string()),
        ("status", pa.string()),
        ("label", pa.string()),
        ("code", pa.string()),
    ]
)


def unanswered(surveys: Mapping[str, tuple[Any, Any]], *, refusals: str = "exclude") -> pa.Table:
    """Return who was asked a question and gave no answer, and what the file has in its place.

    Parameters
    ----------
    surveys, refusals : as `opinionqa.responses` takes them, which raises the same.

    Returns
    -------
    A row for each respondent and question of the status 'refused' or 'dont_know', label (as the
    survey words it) and code (in its file, null where it has none or several).
    """
    parts = []
    gone = pa.array([labels.REFUSED, labels.DONT_KNOW])
    for survey, (info, table) in surveys.items():
        table = arrow(table)
        ids = respondent_ids(table, survey)
        for q in questions.read(arrow(info), survey, refusals=refusals):
            status, _ = decode(table[q.key], q, f"{survey}: responses")
            here = pc.is_in(status, value_set=gone)
            if not pc.any(here).as_py():
                continue
            said = table[q.key].combine_chunks().filter(here).dictionary_encode()
            if isinstance(said, pa.ChunkedArray):
                said = said.combine_chunks()
            found = [_found(value, q) for value in said.dictionary.to_pylist()]
            columns = [
                pa.repeat(survey, len(said)),
                ids.filter(here),
                pa.repeat(q.key, len(said)),
                status.filter(here),
                *(
                    pa.array(part, pa.string()).take(said.indices)
                    for part in zip(*found, strict=True)
                ),
            ]
            parts.append(pa.table(columns, schema=UNANSWERED))
    return pa.concat_tables(parts) if parts else UNANSWERED.empty_table()


def _found(value: Any, question: questions.Question) -> tuple[str, str | None]:
    """Return label and code of a cell that is no answer."""
    code, text = cells.code(value), " ".join(cells.text(value).split())
    label = question.codes.get(code)
    if label is not None and label not in question.options:
        return label, code
    own = [c for c, label in question.codes.items() if label.casefold() == text.casefold()]
    return text, own[0] if len(own) == 1 else None
