"""Nodes of a graph without files behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Ref:
    name: str
    file: str = ""
    line: int | None = None


@dataclass(frozen=True)
class Node:
    name: str
    resource: str
    file: str
    tags: frozenset[str] = frozenset()
    config: Mapping[str, object] = field(default_factory=dict)
    refs: Sequence[Ref] = ()
