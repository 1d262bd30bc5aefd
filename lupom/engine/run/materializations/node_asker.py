"""Asks an LLM model's rows: a part at a time, each alias of a part beside the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lupom.engine.errors import BudgetError, LLMError, LupomError, WaitingError
from lupom.engine.llm.forecast import Asked, Forecast
from lupom.engine.llm.prices import plus
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context
from lupom.engine.run.materializations.rows import Part, Prepared
from lupom.engine.run.results import Calls, NodeProgress
from lupom.engine.run.spending import said, taking

if TYPE_CHECKING:
    from lupom.engine.llm.answers import Answer, Progress
    from lupom.engine.llm.verdict import Verdict


class Stopped(LupomError):
    """The run was stopped before the node was done."""


@dataclass(slots=True)
class NodeAsker:
    """Asks the calls of one node, part after part; what came of them is added to `counts`.

    `done` counts rows that have ended, `out` rows whose calls are out in a batch; `verdicts` are on
    each alias's first answers.
    """

    context: Context
    node: Node
    prepared: Prepared
    run_id: str
    progress: Callable[[NodeProgress], None]
    counts: Calls
    retry_invalid: bool
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    estimate: Forecast = field(default_factory=Forecast.none)
    done: int = 0
    out: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, part: Part) -> list[Answer] | None:
        """Return the answer to each row; None while some are out in a batch.

        Where one alias cannot go on, the others still answer the rest of the part, which is in the
        ledger then. Raises Stopped, BudgetError, LLMError or TooManyInvalid where it cannot go on.
        """
        counts, so_far = self.counts, replace(self.counts)
        groups = part.by_alias()
        told = _Told(self, part, so_far)
        answers: list[Answer | None] = [None] * len(part.calls)
        errors: list[Exception] = []
        for indices, outcome in zip(groups.values(), self._each(part, groups, told), strict=True):
            if isinstance(outcome, Exception):
                errors.append(outcome)
                continue
            for i, answer in zip(indices, outcome, strict=True):
                answers[i] = answer
        waiting = [error for error in errors if isinstance(error, WaitingError)]
        broke = [error for error in errors if isinstance(error, BudgetError)]
        for error in errors:
            if error not in waiting and error not in broke:
                raise error
        if broke:
            raise BudgetError(f"{self._left(part)} still to ask", hint=_message(broke[0]))
        missing = sum(answer is None for answer in answers)
        if waiting:
            self.out += sum(
                self.context.gateway.unanswered(alias, [part.calls[i] for i in indices]).rows
                for alias, indices in groups.items()
            )
            return None
        done = [answer for answer in answers if answer is not None]
        if missing:
            left = counts.total - part.start - len(done)
            raise Stopped(f"{left} of {counts.total} rows are still to ask")
        # Rows that share a call cost once; they count as one from the ledger, not as several.
        unique = {answer.key for answer in done}
        asked = {answer.key for answer in done if not answer.cached}
        counts.cached = so_far.cached + len(unique - asked)
        return done

    def _each(
        self, part: Part, groups: dict[str, list[int]], told: _Told
    ) -> list[list[Answer | None] | Exception]:
        """Return what came of each alias, in the groups' order."""

        def one(alias: str) -> list[Answer | None] | Exception:
            try:
                return self.context.gateway.ask(
                    alias,
                    [part.calls[i] for i in groups[alias]],
                    node=self.node.name,
                    run_id=self.run_id,
                    progress=lambda now: told(alias, now),
                    stop=self.context.stop,
                    retry_invalid=self.retry_invalid,
                    before=self._before,
                    verdict=self.verdicts.get(alias),
                )
            except Exception as error:
                if type(error) is LLMError:
                    error.hint = self._with_place(alias, error.hint)
                return error

        if len(groups) == 1:
            return [one(alias) for alias in groups]
        with ThreadPoolExecutor(len(groups), thread_name_prefix="lupom-ask") as pool:
            return list(pool.map(one, groups))

    def _with_place(self, alias: str, hint: str | None) -> str | None:
        """Add to what is to be done where the alias's settings are, if the project says them."""
        document = self.context.files.document
        line = document.line(("llms", alias))
        if alias not in self.context.files.declared_llms or line is None:
            return hint
        place = f"llms.{alias} is at {document.file}:{line}"
        if not hint:
            return place
        return f"{hint}{' ' if hint.endswith('?') else '; '}{place}"

    def _before(self, alias: str, calls: Sequence[Asked]) -> None:
        taken = taking(self.context, self.node.name, {alias: calls})
        with self._lock:
            self.estimate = self.estimate + taken
            _foresee(self.counts, self.estimate)

    def _left(self, part: Part) -> str:
        """Say what is still to ask from a part on: '34 of 50 rows, ...'."""
        rows, rest = 0, Forecast.none()
        for later in self.prepared.parts(part.start):
            for alias, indices in later.by_alias().items():
                waiting = self.context.gateway.unanswered(
                    alias, [later.calls[i] for i in indices], retry_invalid=self.retry_invalid
                )
                rows += waiting.rows - waiting.out
                rest = rest + taking(self.context, self.node.name, waiting.calls)
        return f"{rows} of {self.counts.total} rows, {said(rest.tokens, rest.cost)}"


class _Told:
    """Adds up the progress of the aliases of one part; called from a thread for each."""

    def __init__(self, asker: NodeAsker, part: Part, so_far: Calls) -> None:
        self._asker, self._part, self._so_far = asker, part, so_far
        self._last: dict[str, Progress] = {}
        self._lock = threading.Lock()

    def __call__(self, alias: str, now: Progress) -> None:
        with self._lock:
            self._last[alias] = now
            self._add(list(self._last.values()))

    def _add(self, each: list[Progress]) -> None:
        counts, so_far = self._asker.counts, self._so_far
        counts.asked = so_far.asked + sum(now.asked for now in each)
        counts.cached = so_far.cached + sum(now.cached for now in each)
        counts.invalid = so_far.invalid + sum(now.invalid for now in each)
        # Where nothing was asked there is no cost, and an alias without a price takes it from none.
        costs = [now.usage.cost for now in each if now.asked]
        cost = so_far.usage.cost
        if costs:
            cost = plus(cost if so_far.asked else 0.0, *costs)
        counts.usage = replace(sum((now.usage for now in each), so_far.usage), cost=cost)
        done = self._asker.done = self._part.start + sum(now.done for now in each)
        self._asker.progress(
            NodeProgress(done, counts.total, counts.cached, counts.invalid, counts.usage)
        )


def _message(error: Exception) -> str:
    return error.message if isinstance(error, LupomError) else str(error)


def _foresee(counts: Calls, estimate: Forecast) -> None:
    tokens, cost = estimate.tokens, estimate.cost
    counts.tokens_low, counts.tokens_high = round(tokens.low), round(tokens.high)
    counts.cost_low = None if cost is None else cost.low
    counts.cost_high = None if cost is None else cost.high
