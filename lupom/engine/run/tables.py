"""Rows read from the store, for Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Table:
    """Rows read from the store. They are in memory: the store is closed again."""

    arrow: pa.Table

    def df(self) -> pd.DataFrame:
        """Return a pandas data frame."""
        return self.arrow.to_pandas()

    @property
    def columns(self) -> list[str]:
        return list(self.arrow.column_names)

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows as tuples of Python values."""
        if not self.arrow.num_rows:
            return []
        columns = [column.to_pylist(maps_as_pydicts="lossy") for column in self.arrow.columns]
        return list(zip(*columns, strict=True))

    def _repr_html_(self) -> str:
        from lupom.engine.run.html_tables import table_html

        head = Table(self.arrow.slice(0, 20)).rows()
        return table_html(self.columns, head, total=self.arrow.num_rows)
