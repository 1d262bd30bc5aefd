"""Columns that were made of a question's answers or of an attribute, after the survey."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import numpy as np

from lupom.science import recoding
from lupom.science.surveys import missing_codes
from lupom.science.surveys.codebook import Codebook
from lupom.science.surveys.columns import Column

# People that are looked at: more say nothing else, and take as much longer.
PEOPLE = 5_000
_NUMBERED = re.compile(r"_\d+$")
# Values of one column, and of all together: tables of all pairs of 8,000 are 512 MB.
MOST, IN_ALL = 200, 8_000


def drop(book: Codebook, columns: Mapping[str, Column]) -> None:
    """Move questions without a wording that are made of another column to `ignored`.

    `educ3` of the question on education, `race2` of race: whoever knows the source knows them, so
    that what is held out of them is read off it. What has a wording was asked, and stays.
    """
    known = [a.column for a in book.attributes]
    numbered = Counter(_NUMBERED.sub("", q.column) for q in book.questions)
    names = known + [
        q.column
        for q in book.questions
        # Choices of one question are asked together, whatever they go with.
        if not columns[q.column].group and numbered[_NUMBERED.sub("", q.column)] == 1
    ]
    coded = {name: _coded(columns[name]) for name in names}
    names = [name for name in names if 2 <= coded[name].max(initial=-1) + 1 <= MOST]
    sizes = np.array([coded[name].max() + 1 for name in names], dtype=np.int64)
    if not len(names) or sizes.sum() > IN_ALL:
        return
    asked = np.array([name not in known for name in names])
    rows = len(coded[names[0]])
    some = np.sort(np.random.default_rng(0).permutation(rows)[:PEOPLE])
    codes = np.stack([coded[name][some] for name in names], axis=1)
    found = recoding.sources(codes, sizes, asked, names)
    made = {
        name: names[source]
        for name, source in zip(names, found, strict=True)
        if source is not None and not columns[name].label
    }
    book.questions = [q for q in book.questions if q.column not in made]
    for name, source in made.items():
        book.ignored[name] = f"made of {source}: whoever gave one answer there has one here"


def _coded(column: Column) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return values as numbers from 0, -1 for none."""
    missing = missing_codes.missing(column)
    places: dict[str, int] = {}
    coded = [
        -1 if not value or value in missing else places.setdefault(value, len(places))
        for value in column.values
    ]
    return np.array(coded, dtype=np.int64)
