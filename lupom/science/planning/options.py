"""Sums over the options of each question, of arrays that have all options of all questions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lupom.science.predictors.task import Ints

# What is searched through for each person and question is in single precision, which is twice as
# fast; what is fitted and solved is in double.
Singles = npt.NDArray[np.float32]
# Options that are summed by one product with a matrix of 0 and 1. Of 16 to 64 an option takes .5 ns
# (of 1,000 people and 70 options, and of 2,000 and 582), with `np.add.reduceat` 2 ns and more.
AT_ONCE = 32


class Options:
    """Questions, each with options that follow each other.

    Attributes
    ----------
    sizes : (Q), numbers of options.
    """

    def __init__(self, offsets: Ints) -> None:
        self.sizes = np.diff(offsets)
        self._parts: list[tuple[slice, slice, Singles]] = []
        first, count = 0, len(self.sizes)
        while first < count:
            last = first + 1
            while last < count and offsets[last + 1] - offsets[first] <= AT_ONCE:
                last += 1
            of = np.repeat(np.arange(last - first), self.sizes[first:last])
            which = np.eye(last - first, dtype=np.float32)[of]
            options = slice(int(offsets[first]), int(offsets[last]))
            self._parts.append((slice(first, last), options, which))
            first = last

    def total(self, values: Singles) -> Singles:
        """Return sums over each question's options, (..., Q), of values, (..., options)."""
        flat = values.reshape(-1, values.shape[-1])
        out = np.empty((len(flat), len(self.sizes)), dtype=np.float32)
        for questions, options, which in self._parts:
            np.matmul(flat[:, options], which, out=out[:, questions])
        return out.reshape(*values.shape[:-1], len(self.sizes))

    def each(self, totals: Singles) -> Singles:
        """Return what there is of each question, (..., Q), for each of its options."""
        return np.repeat(totals, self.sizes, axis=-1)
