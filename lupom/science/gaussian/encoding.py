"""Answers and attributes as centred 0 and 1, with what is not known left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

HIDDEN = -1


@dataclass(frozen=True)
class Encoding:
    """What the columns are: an option of a question each, then the attributes.

    Attributes
    ----------
    sizes : (Q), how many options each question has.
    attributes : how many columns of attributes there are.
    """

    sizes: tuple[int, ...]
    attributes: int = 0

    @property
    def width(self) -> int:
        """Return the number of columns, D."""
        return sum(self.sizes) + self.attributes

    @property
    def offsets(self) -> Ints:
        """Return where each question's columns begin, (Q + 1); the last is where attributes do."""
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)

    @property
    def owner(self) -> Ints:
        """Return the question each column is of, (D), -1 for an attribute."""
        of = np.repeat(np.arange(len(self.sizes)), self.sizes)
        return np.concatenate([of, np.full(self.attributes, HIDDEN)]).astype(np.int64)

    def columns(self, question: int) -> slice:
        """Return a question's columns."""
        return slice(int(self.offsets[question]), int(self.offsets[question + 1]))

    def values(self, answers: Ints, attributes: Floats | None = None) -> Floats:
        """Return answers as 0 and 1, (n, D); all 0 for an answer that is not known.

        Parameters
        ----------
        answers : (n, Q), the option's index, -1 where it is not known.
        attributes : (n, attributes), as they are taken over.
        """
        out = np.zeros((len(answers), self.width))
        row, column = np.nonzero(answers != HIDDEN)
        out[row, self.offsets[column] + answers[row, column]] = 1.0
        if self.attributes:
            out[:, int(self.offsets[-1]) :] = attributes
        return out

    def there(self, answers: Ints) -> Bools:
        """Return which columns are known, (n, D); attributes always are."""
        known = np.ones((len(answers), self.width), dtype=bool)
        known[:, : int(self.offsets[-1])] = (answers != HIDDEN)[:, self.owner[self.owner >= 0]]
        return known


def encoding(options: Sequence[Sequence[str]], attributes: int = 0) -> Encoding:
    """Return the encoding of questions with these options, and so many columns of attributes."""
    return Encoding(tuple(len(o) for o in options), attributes)
