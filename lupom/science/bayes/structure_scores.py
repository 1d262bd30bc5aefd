"""Our scores as pgmpy's structure scores, for its HillClimbSearch and whatever else takes them.

pgmpy's own BDs and K2 depart from their formulas where a configuration of parents does not occur
(docs/network.md); these do not. What is missing is left out family by family, and counts as
`FamilyScores` says, where pgmpy's own refuse it or drop the row. Importing this imports pgmpy.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lupom.science.bayes.families import FamilyScores
from lupom.science.bayes.scores import Score

with warnings.catch_warnings():
    # It warns of its own old names while it is imported.
    warnings.simplefilter("ignore", FutureWarning)
    from pgmpy.structure_score import BaseStructureScore

if TYPE_CHECKING:
    import pandas as pd


class _StructureScore(BaseStructureScore):  # type: ignore[misc]
    """A score of `scores.Score` on a frame of a column per dimension, NaN where missing.

    Parameters
    ----------
    data : pandas DataFrame; its columns are the variables.
    iss : imaginary sample size, for the scores that have one.
    state_names : values by variable; those that occur when left out.
    """

    _score: ClassVar[str]
    _tags: ClassVar[dict[str, Any]] = {"supported_datatype": "discrete"}

    def __init__(
        self,
        data: pd.DataFrame,
        iss: float = 10.0,
        state_names: dict[str, list[Any]] | None = None,
    ) -> None:
        self.iss = iss
        super().__init__(data, state_names=state_names)
        columns = []
        for name in self.variables:
            code = {value: i for i, value in enumerate(self.state_names[name])}
            given = self.data[name]
            columns.append(
                [-1 if gap else code[value] for value, gap in zip(given, given.isna(), strict=True)]
            )
        codes = np.array(columns, dtype=np.int32).reshape(len(columns), len(self.data)).T
        self._place = {name: i for i, name in enumerate(self.variables)}
        cardinalities = [len(self.state_names[name]) for name in self.variables]
        self._families = FamilyScores(codes, cardinalities, Score(self._score, iss))

    def _local_score(self, variable: str, parents: tuple[str, ...]) -> float:
        return self._families.family(
            self._place[variable], [self._place[parent] for parent in parents]
        )


class BDs(_StructureScore):
    """Bayesian Dirichlet sparse (Scutari 2017), without a prior over structures."""

    _score = "bds"
    _tags: ClassVar[dict[str, Any]] = {"name": "lupom-bds"}


class BDeu(_StructureScore):
    """Bayesian Dirichlet equivalent uniform (Heckerman, Geiger and Chickering 1995)."""

    _score = "bdeu"
    _tags: ClassVar[dict[str, Any]] = {"name": "lupom-bdeu"}


class BIC(_StructureScore):
    """Bayesian information criterion (Schwarz 1978)."""

    _score = "bic"
    _tags: ClassVar[dict[str, Any]] = {"name": "lupom-bic"}


class K2(_StructureScore):
    """K2 (Cooper and Herskovits 1992)."""

    _score = "k2"
    _tags: ClassVar[dict[str, Any]] = {"name": "lupom-k2"}
