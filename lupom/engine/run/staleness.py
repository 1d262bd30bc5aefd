"""What stands in the store, what it was built from, and so what is stale."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from lupom.engine.compiler.load import identity_part
from lupom.engine.run.context import Context
from lupom.engine.run.deferral import deferrable
from lupom.engine.run.identities import Identities, asked_of, set_llms
from lupom.engine.run.plan import Plan, make_plan
from lupom.engine.store.contents import content_hash
from lupom.engine.store.records import TableRecord


def records(context: Context) -> dict[str, TableRecord]:
    """Return what the store knows of its relations, by node.

    Models whose rows name the LLM take on the identity of those they were built with: a changed
    setting of one of them makes the model stale, and that of any other alias does not.
    """
    found = context.store.records()
    for name, record in found.items():
        node = context.nodes.get(name)
        if node is not None and node.config.get("llm_column"):
            known = context.files.settings.llms
            asked = [alias for alias in asked_of(record) if alias in known]
            set_llms(node, {alias: identity_part(context.llm_identity, alias) for alias in asked})
    return found


def identities(context: Context, current: Sequence[str]) -> Identities:
    """Return the identities of all nodes, where the present code of `current` ones counts."""
    with suppress(OSError):
        context.hashes.save()
    built = records(context)
    selected = frozenset(current)
    deferred: dict[str, str] = {}
    if context.defers_to is not None:
        deferred = deferrable(context.nodes, built, context.defers_to.records(), selected)
        context.deferred = frozenset(deferred)
    return Identities(
        context.nodes, built, selected, lambda name: _source_hash(context, name), deferred
    )


def quarantined(context: Context) -> frozenset[str]:
    """Return the LLM models that have rows without a valid answer."""
    if not context.store.exists:
        return frozenset()
    with context.store.reading() as cursor:
        rows = cursor.execute("select distinct node from lupom_meta.quarantine").fetchall()
    return frozenset(row[0] for row in rows)


def plan_of(
    context: Context,
    selected: tuple[str, ...],
    known: Identities | None = None,
    *,
    full_refresh: bool = False,
    no_llm: bool = False,
    retry_invalid: bool = False,
) -> Plan:
    """Say which of the selected nodes would run, and why; nothing is estimated.

    `known` are their identities where the caller has them. Parameters are those of `Project.plan`.
    """
    return make_plan(
        context.graph,
        context.nodes,
        selected,
        identities(context, selected) if known is None else known,
        full_refresh=full_refresh,
        no_llm=no_llm,
        quarantined=quarantined(context) if retry_invalid else frozenset(),
    )


def _source_hash(context: Context, name: str) -> str | None:
    """Return a source's identity; None when it is not there, or was never asked for."""
    if not context.sources.of_store(name):
        return context.sources.identity(name)
    if not context.store.exists:
        return None
    source, _ = context.files.sources[name]
    with context.store.reading() as cursor:
        if source.identifier not in context.store.relations(cursor, source.schema):
            return None
        return content_hash(cursor, source.identifier, source.schema)[0]
