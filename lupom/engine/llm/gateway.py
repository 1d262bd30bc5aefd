"""The gateway: calls in, validated answers out; whatever was answered once is not asked again."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LLMError, did_you_mean
from lupom.engine.llm.answers import (
    Answer,
    Call,
    Progress,
    Tally,
    Unanswered,
    answer_of,
    counts,
    from_ledger,
    in_order,
)
from lupom.engine.llm.batch import Batches
from lupom.engine.llm.client import Client
from lupom.engine.llm.dispatcher import Dispatcher, failure_of
from lupom.engine.llm.embeddings import Embeddings, Paid
from lupom.engine.llm.event_loop import EventLoop
from lupom.engine.llm.keys import parameters
from lupom.engine.llm.pending import AskOptions, AskState, PendingCall
from lupom.engine.llm.queueing import Queueing
from lupom.engine.llm.together import requests
from lupom.engine.llm.worker import Maker, Served, Worker
from lupom.engine.state.ledger import OK, PENDING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lupom.engine.llm.budget import Budget
    from lupom.engine.llm.forecast import Asked
    from lupom.engine.llm.verdict import Verdict
    from lupom.engine.project.providers import EmbeddingSettings, LLMSettings
    from lupom.engine.state import State

__all__ = ["Answer", "Call", "Gateway", "Progress", "Unanswered"]


class Gateway:
    """All LLM traffic of a project.

    `ask`, `embed` and `check` block and may be called from several threads; one event loop in a
    thread of its own does the work, and an alias's limits are shared by all who ask it.
    """

    def __init__(
        self,
        state: State,
        llms: Mapping[str, LLMSettings],
        *,
        cache_dir: Path | None = None,
        backoff: float = 0.5,
        workers: bool = False,
        note: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Open nothing yet.

        Parameters
        ----------
        workers : whether calls are left to workers; else they are asked here.
        note : told of what goes otherwise than it should, a line each.
        cache_dir : where embedded providers keep converted weights.
        backoff : seconds before the first retry of a failed request; doubles with each.
        """
        self._state = state
        self._llms = llms
        self._cache_dir = cache_dir
        self._backoff = backoff
        self._lock = threading.RLock()
        self._loop = EventLoop()
        self._clients: dict[str, Client] = {}
        self._embeddings = Embeddings(state, backoff)
        self._dispatcher = Dispatcher(state)
        self._batches = Batches(state, self._dispatcher)
        self._queueing = Queueing(state, note) if workers else None
        self._active = 0
        # Whoever drops it, or ends the program, without closing it leaves no connection open.
        self._end = weakref.finalize(self, _ended, self._loop, self._clients, self._embeddings)

    def __enter__(self) -> Gateway:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def identity(self, alias: str) -> dict[str, Any]:
        """Return what decides an alias's answers, JSON-ready; no network.

        Provider, base_url or the weights' hash, model, parameters. Raises LLMError.
        """
        client = self._client(alias)
        return {**client.identity, "parameters": parameters(client.settings)}

    @property
    def budget(self) -> Budget | None:
        """What may be spent from now on; None is no limit."""
        return self._dispatcher.budget

    @budget.setter
    def budget(self, budget: Budget | None) -> None:
        self._dispatcher.budget = budget
        if self._queueing is not None:
            self._queueing.budget = budget

    def key(self, alias: str, call: Call) -> str:
        """Return the key of a call, SHA-256 in hex; no network."""
        return self._client(alias).keys.key(call.messages, call.form, call.draw)[0]

    def hash_of(self, alias: str, call: Call) -> str:
        """Return the hash of a call's messages, as the ledger has it."""
        return self._client(alias).keys.key(call.messages, call.form, call.draw)[1]

    def lookup(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the status ('ok' or 'invalid') of those keys whose calls are ended."""
        found = self._state.statuses(keys)
        return {key: status for key, status in found.items() if status != PENDING}

    def chain(self, alias: str) -> list[str]:
        """Return an alias and those it falls back on, in the order they are asked."""
        chain = [alias]
        while (stronger := self._client(chain[-1]).settings.fallback) is not None:
            chain.append(stronger)
        return chain

    def unanswered(
        self, alias: str, calls: Sequence[Call], *, retry_invalid: bool = False
    ) -> Unanswered:
        """Return which of the calls `ask` would make, as far as the ledger tells; no network.

        Answers are not read, so one that its class has got too strict for counts as an end.
        """
        out = Unanswered()
        waiting = list(calls)
        for name in self.chain(alias):
            rows = [(self.key(name, call), call) for call in waiting]
            ends = self.lookup(key for key, _ in rows)
            missing = {k: c for k, c in rows if k not in ends or (retry_invalid and ends[k] != OK)}
            if missing:
                out.rows += sum(key in missing for key, _ in rows)
                batched = self._state.batched(self._client(name).endpoint)
                out.out += sum(key in missing and key in batched for key, _ in rows)
                calls_ = [call for key, call in missing.items() if key not in batched]
                out.calls |= {name: requests(calls_)} if calls_ else {}
            waiting = [call for key, call in rows if key not in missing and ends[key] != OK]
        out.invalid = len(waiting)
        return out

    def recall(self, alias: str, calls: Sequence[Call]) -> list[Answer | None]:
        """Return the answers the ledger has, in the calls' order; None where `ask` would make one.

        No network, and nothing is written.
        """
        found: list[Answer | None] = [None] * len(calls)
        waiting = list(range(len(calls)))
        for name in self.chain(alias):
            keys = {i: self.key(name, calls[i]) for i in waiting}
            entries = self._state.lookup(set(keys.values()))
            for i, key in keys.items():
                entry = entries.get(key)
                known = entry is not None and entry.status != PENDING
                found[i] = from_ledger(entry, calls[i].response) if entry and known else None
            invalid = [i for i in waiting if (a := found[i]) is not None and a.status != OK]
            waiting = invalid
        return found

    def ask(
        self,
        alias: str,
        calls: Sequence[Call],
        *,
        node: str,
        run_id: str,
        progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
        retry_invalid: bool = False,
        before: Callable[[str, Sequence[Asked]], None] | None = None,
        verdict: Verdict | None = None,
    ) -> list[Answer | None]:
        """Return the answers to calls, in their order; None where `stop` was set before one.

        Answers come from the ledger first. The others are asked in the order of their messages'
        text, so that equal beginnings follow each other; equal calls are asked once. Each answer
        is committed to the ledger before its place is given to another request. What has no valid
        answer is asked of the alias's fallback, as a call of its own.

        Parameters
        ----------
        progress : called from this thread, about ten times a second and at the end.
        stop : when set, nothing further is sent; what is in flight is awaited and recorded.
        retry_invalid : ask quarantined calls again, with a new round of attempts.
        before : told an alias and the calls it is about to be asked, but for those that another
            alias failed to answer a moment ago.
        verdict : on the first answers, those of the ledger among them: before it is known no more
            calls are sent than it takes, and where it is bad, none after. One object may go
            through several asks. Of an alias with a fallback the fallback's answers count.

        Raises
        ------
        TooManyInvalid : the verdict is bad.
        BudgetError : the budget does not allow the next request.
        WaitingError : calls are out in a batch; a later ask collects their answers.
        LLMError : the LLM cannot be reached or refuses. What had come back is in the ledger, as it
            is after a BudgetError.
        """
        tally = Tally(len(calls), progress)
        options = AskOptions(node, run_id, tally, stop, retry_invalid, before, verdict)
        if verdict is None or len(self.chain(alias)) == 1:
            return self._through(alias, calls, options)
        return self._in_two(alias, calls, options, verdict)

    def _in_two(
        self, alias: str, calls: Sequence[Call], options: AskOptions, verdict: Verdict
    ) -> list[Answer | None]:
        """Return the answers of an alias and its fallbacks; the rest after those that the verdict
        takes."""
        options = replace(options, verdict=None)
        if self._client(alias).settings.by_batch or verdict.decided:
            return self._through(alias, calls, options)
        found = [
            None if a is None or (options.retry_invalid and a.status != OK) else a
            for a in self.recall(alias, calls)
        ]
        ends = [answer for answer in found if answer is not None]
        bad = [answer for answer in ends if answer.status != OK]
        verdict.first = verdict.first or next(iter(bad), None)
        verdict.known(len(ends), len(bad))
        unknown = [i for i, answer in enumerate(found) if answer is None]
        now = unknown[: verdict.missing()]
        answers: list[Answer | None] = [None] * len(calls)
        if now:
            made = self._through(alias, [calls[i] for i in now], options)
            for i, answer in zip(now, made, strict=True):
                answers[i] = answer
                if answer is None:
                    return answers
                if answer.status != OK:
                    verdict.first = verdict.first or answer
                verdict.note(invalid=answer.status != OK)
            options.tally.settle()
        if verdict.failed:
            known = len(ends)
            options.tally.report(Progress(known, len(calls), known, len(bad)))
            raise verdict.error()
        later = [i for i in range(len(calls)) if i not in set(now)]
        rest = self._through(alias, [calls[i] for i in later], options) if later else []
        for i, answer in zip(later, rest, strict=True):
            answers[i] = answer
        return answers

    def _through(
        self, alias: str, calls: Sequence[Call], options: AskOptions
    ) -> list[Answer | None]:
        """Return an alias's answers, and those of its fallbacks to what it has none to."""
        first, *stronger = self.chain(alias)
        tally = options.tally
        answers = self._asked(first, calls, options)
        for name in stronger:
            bad = {i: a for i, a in enumerate(answers) if a is not None and a.status != OK}
            if not bad or None in answers:
                break
            tally.reopen(len(bad), sum(answer.cached for answer in bad.values()))
            again = self._asked(name, [calls[i] for i in bad], options)
            for (i, before_it), answer in zip(bad.items(), again, strict=True):
                if answer is not None:
                    answer.cached = answer.cached and before_it.cached
                answers[i] = answer
        return answers

    def serve(
        self,
        aliases: Iterable[str],
        make: Maker,
        *,
        stop: threading.Event | None = None,
        look: Callable[[Served], None] = lambda _served: None,
        **options: Any,
    ) -> Served:
        """Ask calls of the queue, as a worker of these aliases; see `Worker` for the options.

        `look` is called about ten times a second. Once `stop` is set nothing further is leased,
        and what is in flight is awaited and recorded.
        """
        clients = {alias: self._client(alias) for alias in aliases}
        worker = Worker(self._state, self._dispatcher, clients, make, **options)

        def watch() -> bool:
            look(worker.served)
            return stop is not None and stop.is_set()

        return self._open().watch(worker.serve(), watch, worker.halt)

    def check(self, alias: str) -> str:
        """Return one line on whether an alias can be reached; costs no tokens. Raises LLMError."""
        client = self._client(alias)
        try:
            return self._open().run(client.provider.check())
        except LLMError as error:
            raise LLMError(f"{client.where}: {error.message}", hint=error.hint) from None

    def embed(
        self,
        settings: EmbeddingSettings,
        texts: Sequence[str],
        *,
        stop: threading.Event | None = None,
        paid: Paid | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return the vectors of texts, (n, dimensions) float32, in their order.

        Those of an endpoint are in the ledger by text and paid for once; `paid` is told of each
        request how many texts it had and what it took. Raises LLMError, and
        Halted where `stop` was set before all were there: what was in flight is awaited and kept.
        """
        return self._embeddings.vectors(self._open(), settings, texts, self.budget, stop, paid)

    def close(self) -> None:
        """Close connections and end the loop; safe to call twice. Nobody may be asking."""
        self._end()

    # The two halves of an ask

    def _asked(self, alias: str, calls: Sequence[Call], options: AskOptions) -> list[Answer | None]:
        """Return one alias's answers to calls, in their order."""
        client = self._client(alias)
        keyed = [client.keys.key(call.messages, call.form, call.draw) for call in calls]
        with self._lock:
            self._active += 1
            self._dispatcher.keep_recent = self._active > 1
        try:
            asking = AskState(options.node, options.run_id, counts(key for key, _ in keyed))
            return self._answers(client, calls, keyed, asking, options)
        finally:
            with self._lock:
                self._active -= 1
                self._dispatcher.keep_recent = self._active > 1
                if self._active == 0:
                    self._dispatcher.recent.clear()

    def _answers(
        self,
        client: Client,
        calls: Sequence[Call],
        keyed: Sequence[tuple[str, str]],
        asking: AskState,
        options: AskOptions,
    ) -> list[Answer | None]:
        entries = self._state.lookup(asking.weights)
        answers: dict[str, Answer] = {}
        pending_calls: dict[str, PendingCall] = {}
        for call, (key, messages_hash) in zip(calls, keyed, strict=True):
            if key in answers or key in pending_calls:
                continue
            entry = entries.get(key)
            fresh = False
            if entry is not None and entry.status != PENDING:
                answer = from_ledger(entry, call.response)
                if answer.status == OK or not options.retry_invalid:
                    answers[key] = answer
                    asking.count(key, answer.status, cached=True)
                    continue
                fresh = True
            pending_calls[key] = PendingCall(key, messages_hash, call, entry, fresh)

        def report() -> None:
            priced = client.settings.paid is not None
            options.tally.report(asking.progress(len(keyed), priced=priced))

        if options.verdict is not None:
            bad = [answer for answer in answers.values() if answer.status != OK]
            options.verdict.first = options.verdict.first or next(iter(bad), None)
            options.verdict.known(len(answers), len(bad))
            if options.verdict.failed:
                report()
                raise options.verdict.error()
            asking.verdict = options.verdict
        if pending_calls:
            self._check_price(client)
            if options.before is not None and not options.tally.reopened:
                options.before(client.alias, requests(list(pending_calls.values())))
        if pending_calls:
            self._ask(client, asking, list(pending_calls.values()), report, options.stop)
        for key, outcome in asking.own.items():
            answers[key] = answer_of(outcome.entry, outcome.value, cached=False)
        for key, entry in asking.borrowed.items():
            answers[key] = from_ledger(entry, pending_calls[key].response)
        report()
        if options.verdict is not None and options.verdict.first is None:
            ended = (answers[key] for key, _ in keyed if key in answers)
            options.verdict.first = next((a for a in ended if a.status != OK), None)
        if isinstance(asking.failure, LLMError):
            raise failure_of(client, asking.failure, len(answers), len(asking.weights))
        if asking.failure is not None:
            raise asking.failure
        return in_order([key for key, _ in keyed], answers)

    def _check_price(self, client: Client) -> None:
        if self.budget is not None and self.budget.of_money and client.settings.paid is None:
            raise LLMError(
                f"llm '{client.alias}' has no price, so a budget of money cannot be kept",
                hint=f"give llms.{client.alias} a price: {{input: ..., output: ...}} in USD per"
                " million tokens, 0 where it costs nothing; or set a budget of tokens",
            )

    def _ask(
        self,
        client: Client,
        asking: AskState,
        pending_calls: list[PendingCall],
        report: Callable[[], None],
        stop: threading.Event | None,
    ) -> None:
        pending_calls.sort(
            key=lambda pending: (*(m["content"] for m in pending.messages), str(pending.draw))
        )
        if stop is not None and stop.is_set():
            asking.halt.set()
        if client.settings.by_batch or self._state.open_batches(client.endpoint):
            work = self._batches.ask(client, asking, pending_calls)
        elif self._queueing is not None:
            work = self._queueing.ask(client, asking, pending_calls)
        else:
            work = self._dispatcher.ask(client, asking, pending_calls)

        def look() -> bool:
            report()
            return stop is not None and stop.is_set()

        self._open().watch(work, look, asking.halt)

    def _client(self, alias: str) -> Client:
        from lupom.engine.llm.providers import make_provider
        from lupom.engine.llm.providers.base import Surroundings

        with self._lock:
            if not self._end.alive:
                raise LLMError("the gateway is closed")
            if alias not in self._clients:
                if alias not in self._llms:
                    known = ", ".join(sorted(self._llms)) or "none yet"
                    raise LLMError(
                        f"there is no llm '{alias}'",
                        hint=did_you_mean(alias, self._llms) or f"aliases under llms: {known}",
                    )
                settings = self._llms[alias]
                around = Surroundings(memory=self._state, cache_dir=self._cache_dir)
                provider = make_provider(alias, settings, around)
                # A ledger that others have, too: then its limits are theirs as well.
                several = self._queueing is not None or self._state.place is not None
                members = self._state.members if several else None
                client = Client(alias, settings, provider, self._backoff, members)
                self._clients[alias] = client
            return self._clients[alias]

    def _open(self) -> EventLoop:
        with self._lock:
            if not self._end.alive:
                raise LLMError("the gateway is closed")
            return self._loop


def _ended(loop: EventLoop, clients: Mapping[str, Client], embeddings: Embeddings) -> None:
    """Close the connections of a gateway, and end its loop."""
    loop.close(
        lambda: [
            *(client.provider.close() for client in clients.values()),
            *embeddings.closing(),
        ]
    )
