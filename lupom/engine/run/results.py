"""What a run reports while it goes and when it ends."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from signal import SIGINT
from typing import Any, Protocol

from lupom.engine.llm import prices
from lupom.engine.llm.usage import Usage

# Ways a node can end. 'unchanged': its inputs came out as they were, so it was not built. A data
# test ends in 'pass', 'warn' or 'fail', and in 'error' where it could not be run.
PASS, FAIL = "pass", "fail"
SUCCESS, WARN, ERROR, SKIPPED, UNCHANGED, KEPT, STOPPED = (
    "success",
    "warn",
    "error",
    "skipped",
    "unchanged",
    "kept",
    "stopped",
)


class StopEvent(threading.Event):
    """Ends a run once it is set; `signal` is the number of what asked for it."""

    signal: int = SIGINT


@dataclass(slots=True)
class Calls:
    """LLM calls of a node: answered before, asked now, invalid, and what they took.

    `tokens_low` to `tokens_high` and `cost_low` to `cost_high` are what they were estimated at just
    before they were made; None where none was to be made, or the price is unknown. The cost of
    `usage` is None where none was made, too.
    """

    total: int = 0
    cached: int = 0
    asked: int = 0
    invalid: int = 0
    usage: Usage = field(default_factory=lambda: Usage(cost=None))
    tokens_low: int | None = None
    tokens_high: int | None = None
    cost_low: float | None = None
    cost_high: float | None = None

    def flat(self) -> dict[str, Any]:
        """Return the numbers by their names in tables and artifacts, those of `usage` among
        them."""
        numbers = asdict(self)
        usage: dict[str, Any] = numbers.pop("usage")
        return numbers | usage


@dataclass(slots=True)
class Embedded:
    """Texts that a node had embedded by endpoints in this run, and what they took."""

    texts: int = 0
    usage: Usage = field(default_factory=Usage)

    def add(self, texts: int, usage: Usage) -> None:
        self.texts += texts
        self.usage += usage

    def flat(self) -> dict[str, Any]:
        """Return the numbers by the names they have in `lupom.nodes`."""
        return {
            "embedded_texts": self.texts,
            "embedding_requests": self.usage.requests,
            "embedding_tokens": self.usage.tokens,
            "embedding_cost": self.usage.cost,
        }

    def said(self) -> str:
        """Spell it: '33 texts embedded, 480 tokens, $0.0001'."""
        cost = self.usage.cost
        money = "price unknown" if cost is None else f"${cost:.4f}"
        many = f"{self.texts:,} text{'' if self.texts == 1 else 's'} embedded"
        return f"{many}, {prices.tokens(self.usage.tokens)}, {money}"


@dataclass(slots=True)
class NodeResult:
    """How one node of a run ended. `seconds` is wall time."""

    node: str
    kind: str
    status: str
    message: str = ""
    rows: int | None = None
    seconds: float = 0.0
    reason: str = ""
    calls: Calls | None = None
    embedded: Embedded | None = None


@dataclass(slots=True)
class RunResult:
    """How a run ended.

    Attributes
    ----------
    run_id : None when there was nothing to do.
    status : 'success', 'error', 'stopped' (by Ctrl-C), 'budget' (stopped at the budget) or
        'waiting' (calls are out in a batch).
    up_to_date : number of selected nodes that needed no work from the start.
    message : why it was stopped at the budget.
    signal : the number of the one that stopped it.
    """

    run_id: str | None
    status: str
    nodes: list[NodeResult] = field(default_factory=list)
    up_to_date: int = 0
    seconds: float = 0.0
    message: str = ""
    signal: int = SIGINT

    @property
    def exit_code(self) -> int:
        """0 for success (warnings included), 1 for an error, 3 at the budget, 4 while calls are out
        in a batch, 130 if stopped, by SIGTERM 143."""
        if self.status == "stopped":
            return 128 + self.signal
        return {"success": 0, "error": 1, "budget": 3, "waiting": 4}[self.status]

    def _repr_html_(self) -> str:
        from lupom.engine.run.html_tables import table_html

        rows = [[n.node, n.kind, n.status, n.rows, n.seconds, n.message] for n in self.nodes]
        head = f"<p>{self.status}, {self.seconds:.1f} s, {self.up_to_date} up to date before</p>"
        columns = ["node", "kind", "status", "rows", "seconds", "message"]
        return head + (table_html(columns, rows, limit=None) if rows else "")

    def count(self, status: str) -> int:
        return sum(1 for node in self.nodes if node.status == status)


@dataclass(slots=True)
class NodeProgress:
    """How far an LLM node is: rows done of total, answers from the ledger, what they took."""

    done: int
    total: int
    cached: int = 0
    invalid: int = 0
    usage: Usage = field(default_factory=lambda: Usage(cost=None))


class Reporter(Protocol):
    """Hears of a run as it goes; called from several threads."""

    def started(self, index: int, total: int, node: str, kind: str) -> None:
        """A node starts: number `index` of `total`."""

    def progressed(self, index: int, total: int, node: str, progress: NodeProgress) -> None:
        """An LLM node has got further."""

    def ended(self, index: int, total: int, result: NodeResult) -> None:
        """A node ended."""

    def note(self, message: str) -> None:
        """Something a user should know: a wait for the store, a warning."""


class Silent:
    """A reporter that says nothing."""

    def started(self, index: int, total: int, node: str, kind: str) -> None:
        pass

    def progressed(self, index: int, total: int, node: str, progress: NodeProgress) -> None:
        pass

    def ended(self, index: int, total: int, result: NodeResult) -> None:
        pass

    def note(self, message: str) -> None:
        pass
