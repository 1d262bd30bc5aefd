"""The store of a target, by its type."""

from __future__ import annotations

from pathlib import Path

from lupom.engine.project.settings import Target
from lupom.engine.store.base import Store
from lupom.engine.store.duck import DuckFile


def store_of(root: Path, target: Target) -> Store:
    """Return the store of a target of a project in a folder; nothing is opened."""
    return DuckFile((root / target.path).resolve(), target.store_wait)
