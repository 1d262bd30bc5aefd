"""`lupom worker`: calls that runs have put into the ledger's queue, asked with this checkout."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LupomError, UsageError, did_you_mean

if TYPE_CHECKING:
    from lupom.engine.llm.pending import PendingCall
    from lupom.engine.llm.together import Together
    from lupom.engine.llm.worker import Served
    from lupom.engine.run.context import Context


def work(
    context: Context,
    *,
    concurrency: int | None = None,
    llms: Collection[str] = (),
    idle_exit: float | None = None,
    stop: threading.Event | None = None,
    note: Callable[[str], None] = lambda _text: None,
    look: Callable[[Served], None] = lambda _served: None,
) -> Served:
    """Ask queued calls until there are none for `idle_exit` seconds, or `stop` is set.

    Parameters
    ----------
    concurrency : calls in flight at once; by default those that the aliases allow.
    llms : aliases whose calls are asked; without any all that the project has.
    note : told of what goes otherwise than it should, a line each.

    Raises UsageError for an alias there is none of, StateError where the ledger is gone for good.
    """
    known = context.files.settings.llms
    for alias in llms:
        if alias not in known:
            raise UsageError(
                f"there is no llm '{alias}'",
                hint=did_you_mean(alias, known) or "aliases: " + ", ".join(sorted(known)),
            )
    aliases = list(llms) or _of_models(context)
    if concurrency is not None:
        for alias in aliases:
            known[alias] = known[alias].model_copy(update={"concurrency": concurrency})
    # Said last, so that a ledger that cannot be opened is not said to be waited at.
    where = f"target '{context.files.target_name}' in {context.state.location}"
    note(f"Waiting for calls of {where}.")
    places = concurrency or max((known[alias].concurrency for alias in aliases), default=1)
    project = context.files.settings.budget.project
    return context.gateway.serve(
        aliases,
        _Maker(context).make,
        stop=stop,
        look=look,
        concurrency=places,
        note=note,
        idle_exit=idle_exit,
        project_limits=None if project is None else (project.tokens, project.money),
    )


def serve(root: str, target: str, vars: Mapping[str, Any]) -> None:
    """Ask queued calls with the checkout in a folder of this machine, for as long as it may.

    What a run on a Ray cluster has each node do (`executor: {type: ray, calls: workers}`).
    """
    from lupom.engine.run.opening import open_context

    context = open_context(Path(root), target=target, vars=vars)
    try:
        work(context)
    finally:
        context.close()


def _of_models(context: Context) -> list[str]:
    """Return the aliases that the project file has, and those that its models name."""
    known = context.files.settings.llms
    wanted = set(context.files.declared_llms)
    wanted |= {n.config["llm"] for n in context.nodes.values() if n.materialization.needs_llm}
    return [alias for alias in known if alias in wanted]


class _Maker:
    """Makes calls of what the queue says of them, by the classes of this checkout."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._groups: dict[str, Together] = {}

    def make(self, row: Mapping[str, Any]) -> PendingCall:
        """Return a call as the run would ask it; raises Refused where it would be another."""
        from lupom.engine.llm.answers import Call
        from lupom.engine.llm.pending import PendingCall
        from lupom.engine.llm.worker import Refused

        name, alias = row["node"], row["alias"]
        content = json.loads(row["content"])
        node = self._context.nodes.get(name)
        wordings = {} if node is None else node.wordings
        wording = wordings.get(self._context.files.settings.llms[alias].profile)
        if wording is None:
            raise Refused(f"calls of '{name}' are not for this checkout, which has no such model")
        spec = wording.response
        if (spec.name, spec.source_hash) != (content["class"], content["class_hash"]):
            raise Refused(
                f"calls of '{name}' are not for this checkout: its class {spec.name} is another"
                f" than the run's {content['class']}",
                hint="check out what the run has, and start the worker again",
            )
        gateway = self._context.gateway
        try:
            response = spec.for_row(content["limits"])
            together = None
            if "most" in content:
                # What it says together with others is the template's affair: it must be the run's.
                alone = wording.prompt.together([(content["row"], response)])
                same = alone == content["messages"]
                together = self._together(content, wording.prompt.together if same else None)
            call = Call(
                content["messages"],
                response,
                content["draw"],
                together,
                content.get("row", {}),
            )
            key = gateway.key(alias, call)
        except LupomError as error:
            raise Refused(f"calls of '{name}' are not for this checkout: {error}") from None
        if key != row["key"]:
            raise Refused(
                f"calls of '{name}' are not for this checkout: its llm '{alias}' or its class"
                f" {spec.name} is another than the run's",
                hint="check out what the run has, and start the worker again",
            )
        hashed = gateway.hash_of(alias, call)
        return PendingCall(key, hashed, call, row["entry"], bool(row["fresh"]))

    def _together(self, content: Mapping[str, Any], write: Callable[..., Any] | None) -> Together:
        from lupom.engine.llm.together import Together

        if write is None:
            return Together(1, partial(_never))
        group = content["group"]
        if group not in self._groups:
            if len(self._groups) > 10_000:
                self._groups.clear()
            self._groups[group] = Together(content["most"], write)
        return self._groups[group]


def _never(_rows: Any) -> list[dict[str, str]]:
    raise AssertionError("a call that is asked alone is not written with others")
