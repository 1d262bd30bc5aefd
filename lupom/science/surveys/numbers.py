"""Questions that are answered in numbers, predicted as such and not as ranges or options."""

from __future__ import annotations

from lupom.science.surveys.codebook import Codebook
from lupom.science.surveys.columns import File


def as_numbers(book: Codebook, file: File) -> list[str]:
    """Make the questions of a guessed codebook numeric that have nothing but unlabelled numbers.

    Returns the names of their columns. Codes that were guessed to be no answers stay such.
    """
    columns = {column.name: column for column in file.columns}
    found = []
    for question in book.questions:
        column = columns[question.column]
        said = {*question.refused, *question.dont_know, *question.not_asked, *column.missing}
        values = {v for v in column.values if v} - said
        if not column.group and not values & column.labels.keys() and all(map(_number, values)):
            question.kind = "numeric"
            question.options, question.positions, question.bins = {}, [], []
            found.append(column.name)
    return found


def _number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
