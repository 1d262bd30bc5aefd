"""Topics of questions from OpinionQA's topic_mapping.npy, which many surveys share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lupom.science.inputs import arrow, require
from lupom.science.surveys import cells
from lupom.science.surveys.pickles import read_npy


class Topics:
    """Coarse topics by question text.

    Parameters
    ----------
    mapping : topics by question text: {'cg': [coarse topics], 'fg': [fine ones]}, or a list of
        topics, or one topic.

    Raises ValueError for a value that is none of these.
    """

    def __init__(self, mapping: Mapping[str, Any]) -> None:
        self._topics: dict[str, str] = {}
        for question, value in mapping.items():
            coarse = value.get("cg") if isinstance(value, dict) else value
            names = [coarse] if isinstance(coarse, str) else coarse
            if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
                raise ValueError(
                    f"topic mapping: the topics of {str(question)[:60]!r} are {value!r}, "
                    "not {'cg': [...], 'fg': [...]}"
                )
            self._topics[_folded(str(question))] = "; ".join(n.strip() for n in names if n.strip())

    def of(self, question: str) -> str:
        """Return a question's topics, '; ' between them; '' where it has none.

        A key of the mapping may go on where a question's text ends: there the options follow.
        """
        text = _folded(question)
        if text in self._topics:
            return self._topics[text]
        longer = [key for key in self._topics if key.startswith(text)]
        return self._topics[min(longer)] if longer and text else ""


def read(tables: Iterable[Any]) -> Topics:
    """Read topic mappings.

    Parameters
    ----------
    tables : tables of `name` and `content`, the bytes of a topic_mapping.npy in each row. What
        stands in a later one counts.

    Raises ValueError for a file that is not a NumPy file, or that holds more than plain data.
    """
    mapping: dict[str, Any] = {}
    for table in tables:
        rows = arrow(table)
        require(rows, ("name", "content"), "topic mapping")
        for row in rows.to_pylist():
            name = cells.text(row["name"])
            try:
                found = read_npy(row["content"] or b"")
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
            if not isinstance(found, dict):
                raise ValueError(f"{name}: a dict of topics by question, not {found!r:.60}")
            mapping |= found
    return Topics(mapping)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
