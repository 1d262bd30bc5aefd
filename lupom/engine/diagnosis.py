"""Checks of what a run needs: versions, project, store, LLMs."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lupom.engine.errors import LupomError
from lupom.engine.run.identities import asked_of
from lupom.version import __version__

if TYPE_CHECKING:
    from lupom.engine.run.context import Context

_PACKAGES = ("duckdb", "sqlmodel", "openai", "scikit-learn", "xllamacpp", "wordllama")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, what was found, and whether a run can work with it."""

    what: str
    ok: bool
    found: str


def diagnose(context: Context) -> Iterator[Check]:
    """Yield checks one by one; those of LLMs may take as long as an LLM takes to answer."""
    yield Check("lupom", True, __version__)
    yield Check("python", True, platform.python_version())
    for package in _PACKAGES:
        try:
            yield Check(package, True, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            yield Check(package, False, "not installed")
    models = [n for n in context.nodes.values() if n.resource == "model"]
    seeds = [n for n in context.nodes.values() if n.resource == "seed"]
    yield Check(
        "project",
        True,
        f"{context.name}: {len(models)} models, {len(seeds)} seeds at {context.files.root}",
    )
    yield _store(context)
    yield _ledger(context)
    for alias in _aliases(context):
        try:
            yield Check(f"llm {alias}", True, context.gateway.check(alias))
        except LupomError as error:
            yield Check(f"llm {alias}", False, str(error))


def _aliases(context: Context) -> list[str]:
    """Return the LLMs to check, in the order of the settings.

    Those of the project file, and of the ready ones those that models name, that vars name, that
    the rows of a table were asked of, and that any of these falls back on.
    """
    known = context.files.settings.llms
    wanted = {n.config["llm"] for n in context.nodes.values() if n.materialization.needs_llm}
    wanted |= context.files.declared_llms
    for value in context.files.vars.values():
        wanted |= {v for v in (value if isinstance(value, list) else [value]) if isinstance(v, str)}
    with suppress(LupomError):
        for record in context.store.records().values() if context.store.exists else ():
            wanted |= set(asked_of(record))
    wanted &= set(known)
    pending = list(wanted)
    while pending:
        stronger = known[pending.pop()].fallback
        if stronger is not None and stronger not in wanted:
            wanted.add(stronger)
            pending.append(stronger)
    return [alias for alias in known if alias in wanted]


def _ledger(context: Context) -> Check:
    where = context.state_location
    if not context.has_state:
        return Check("ledger", True, f"{where} (not yet made)")
    if context.shared_state is None:
        return Check("ledger", True, str(where))
    try:
        tokens, money = context.state.ledger.spent()
    except LupomError as error:
        return Check("ledger", False, str(error))
    return Check("ledger", True, f"{where}: {tokens:,} tokens and ${money:.2f} spent")


def _store(context: Context) -> Check:
    path = context.store.place
    try:
        if not context.store.exists:
            return Check("store", True, f"{path} (not yet made)")
        records = context.store.records()
    except LupomError as error:
        return Check("store", False, str(error))
    return Check("store", True, f"{path}: {len(records)} relations")
