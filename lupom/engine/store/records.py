"""What a store knows of a relation that LUPoM built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Settle = Callable[["TableRecord", Any], None]


@dataclass(slots=True)
class TableRecord:
    """What the store knows of a relation LUPoM built.

    Attributes
    ----------
    kind : 'table' or 'view'.
    fingerprint : of its code and the contents of its inputs.
    code : hash of its code alone.
    parts : hash by part, inputs under 'inputs', so that a plan can say what changed.
    content_hash : of its rows, whatever their order, and its schema; None for a view. A file's rows
        have one: that of a questionnaire's questions.
    measured : columns whose values are no part of that; not kept.
    ordered : whether the order of rows is; not kept.
    exists : whether the relation stands in the store now.
    settle : called with the record and the transaction's cursor when the rows are there and nothing
        is noted yet, to put right in the record what its inputs turned out to be; not kept.
    """

    node: str
    kind: str
    fingerprint: str
    code: str
    parts: dict[str, Any] = field(default_factory=dict)
    content_hash: str | None = None
    row_count: int | None = None
    run_id: str | None = None
    exists: bool = True
    measured: tuple[str, ...] = field(default=(), compare=False)
    ordered: bool = field(default=False, compare=False)
    settle: Settle | None = field(default=None, repr=False, compare=False)
