"""The queue: calls that runs want workers to ask.

A run puts calls in and looks what has become of them; a worker leases some, in the order they were
put in, and asks them. The row of a call goes in the transaction that writes its end.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lupom.engine.state.members import WORKER, Taken

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lupom.engine.state.access import Access
    from lupom.engine.state.members import Members
    from lupom.engine.state.writer import Writer

# What a call's error begins with where a budget is reached: it is nobody's to ask then.
BUDGET = "budget: "
_WHOSE = "(q.run_id || ' ' || q.node)"
_COLUMNS = "key, position, run_id, owner, alias, node, content, fresh, known, failures"


@dataclass(frozen=True, slots=True)
class QueuedCall:
    """A call as it is put into the queue; see `tables.QUEUE`."""

    key: str
    alias: str
    node: str
    content: str
    fresh: bool = False
    known: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that is still in the queue.

    Attributes
    ----------
    failures, error : how often it could not be asked, and why at last.
    leased : whether a worker has it in flight. workers : how many there are.
    """

    failures: int
    error: str | None
    leased: bool
    workers: int


class Queue:
    """The queue of a ledger, for runs and for workers."""

    def __init__(self, access: Access, writer: Writer, members: Members) -> None:
        self._access = access
        self._dialect = access.dialect
        self._writer = writer
        self._members = members
        d = self._dialect
        self._alive = f"select owner from members where until > {d.clock}"
        self._workers = (
            f"(select count(*) from members where kind = '{WORKER}' and until > {d.clock})"
        )
        self._put = d.driver(
            f"insert into queue ({_COLUMNS}) values (:key, :position, :run_id, :owner, :alias,"
            " :node, :content, :fresh, :known, 0) on conflict (key) do update set"
            " owner = excluded.owner, run_id = excluded.run_id, error = null, failures = 0"
            f" where queue.owner not in ({self._alive})"
        )

    # What runs do

    async def put(self, run_id: str, calls: Sequence[QueuedCall]) -> None:
        """Put calls in; one that another run has put in stays its, unless that run is dead."""
        first = time.time_ns() // 1000
        rows = [
            {
                **{"key": call.key, "position": first + i, "run_id": run_id},
                **{"owner": self._members.owner, "alias": call.alias, "node": call.node},
                **{"content": call.content, "fresh": call.fresh, "known": call.known},
            }
            for i, call in enumerate(calls)
        ]
        rows.sort(key=lambda row: str(row["key"]))

        def work(connection: Connection) -> None:
            self._members.say_alive(connection)
            connection.exec_driver_sql(self._put, rows)

        await self._members.joined()
        await self._writer.do_async(work)

    def waiting(self, keys: Iterable[str]) -> dict[str, Waiting]:
        """Return those of some calls that are still in the queue."""
        query = self._dialect.driver(
            f"select q.key, q.failures, q.error, l.key is not null, {self._workers}"
            " from queue q left join leases l"
            f" on l.key = q.key and l.owner in ({self._alive})"
            f" where {self._dialect.among('q.key', 'keys')}"
        )
        bound = {"keys": self._dialect.keys(keys)}
        rows = self._access.read(lambda c: c.exec_driver_sql(query, bound).all())
        return {row[0]: Waiting(row[1], row[2], bool(row[3]), row[4]) for row in rows}

    async def withdraw(self, keys: Collection[str]) -> None:
        """Take calls of this run out that no worker has in flight."""
        statement = self._dialect.driver(
            f"delete from queue where owner = :owner and {self._dialect.among('key', 'keys')}"
            f" and key not in (select key from leases where owner in ({self._alive}))"
        )
        bound = {"owner": self._members.owner, "keys": self._dialect.keys(keys)}
        await self._writer.do_async(lambda c: c.exec_driver_sql(statement, bound))

    async def limit(self, run_id: str, tokens: int | None, money: float | None) -> None:
        """Note what a run may spend, for the workers that ask its calls."""
        statement = self._dialect.driver(
            "insert into pots (name, tokens, money, most_tokens, most_money)"
            " values (:name, 0, 0, :tokens, :money) on conflict (name) do nothing"
        )
        bound = {"name": f"run {run_id}", "tokens": tokens, "money": money}
        await self._writer.do_async(lambda c: c.exec_driver_sql(statement, bound))

    def workers(self) -> list[dict[str, Any]]:
        """Return the workers that are alive."""
        return self._members.alive(WORKER)

    # What workers do

    async def lease(
        self,
        most: int,
        aliases: Collection[str],
        refused: Collection[str],
        failed: Collection[str] = (),
    ) -> tuple[list[dict[str, Any]], Taken]:
        """Lease calls of runs that are alive, the longest waiting first.

        `refused` are 'RUN NODE' whose calls are not for this worker, `failed` keys of calls that
        it could not ask: these are for others, unless as many have failed with them as there are
        workers, or nobody has a call of that run and alias in flight, since the others may refuse
        it. Returns the rows of those it has now, and what the ledger knows of them; those that
        ended meanwhile are gone.
        """
        leased: tuple[list[dict[str, Any]], Taken] = await self._writer.do_async(
            lambda c: self._leased(c, most, aliases, refused, failed)
        )
        return leased

    def _leased(
        self,
        connection: Connection,
        most: int,
        aliases: Collection[str],
        refused: Collection[str],
        failed: Collection[str],
    ) -> tuple[list[dict[str, Any]], Taken]:
        d = self._dialect
        query = (
            f"select q.{_COLUMNS.replace(', ', ', q.')} from queue q"
            f" where q.owner in ({self._alive})"
            f" and q.key not in (select key from leases where owner in ({self._alive}))"
            f" and (q.error is null or q.error not like '{BUDGET}%')"
            f" and {d.among('q.alias', 'aliases')}"
            f" and (not {d.among('q.key', 'failed')} or q.failures >= {self._workers}"
            f" or not exists (select 1 from leases l join queue o on o.key = l.key"
            f" where o.run_id = q.run_id and o.alias = q.alias and l.owner in ({self._alive})))"
            f" and not {d.among(_WHOSE, 'refused')} order by q.position limit :most"
            f"{d.skip_locked}"
        )
        bound = {
            "most": most,
            "aliases": d.keys(aliases),
            "refused": d.keys(refused),
            "failed": d.keys(failed),
        }
        rows = [dict(row) for row in connection.exec_driver_sql(d.driver(query), bound).mappings()]
        if not rows:
            return [], Taken()
        known = {row["key"]: int(row["known"]) for row in rows if row["fresh"]}
        taken = self._members.take_within(connection, [row["key"] for row in rows], known)
        if taken.ended:
            self.remove(connection, taken.ended)
        return [row for row in rows if row["key"] in taken.held], taken

    def remove(self, connection: Connection, keys: Collection[str]) -> None:
        """Take calls out that have their end, within a transaction."""
        statement = self._dialect.driver(
            f"delete from queue where {self._dialect.among('key', 'keys')}"
        )
        connection.exec_driver_sql(statement, {"keys": self._dialect.keys(keys)})

    async def ended(self, keys: Collection[str]) -> None:
        """Take calls out that have their end."""
        await self._writer.do_async(lambda connection: self.remove(connection, keys))

    async def failed(self, keys: Collection[str], error: str) -> None:
        """Note that calls could not be asked, and why; another worker may try."""
        statement = self._dialect.driver(
            "update queue set failures = failures + 1, error = :error"
            f" where {self._dialect.among('key', 'keys')}"
        )
        bound = {"error": error, "keys": self._dialect.keys(keys)}
        await self._writer.do_async(lambda c: c.exec_driver_sql(statement, bound))

    async def over_budget(self, run_id: str, message: str) -> None:
        """Note that the budget allows no more calls of a run."""
        statement = self._dialect.driver("update queue set error = :error where run_id = :run_id")
        bound = {"error": BUDGET + message, "run_id": run_id}
        await self._writer.do_async(lambda c: c.exec_driver_sql(statement, bound))

    def limits(self, run_id: str) -> tuple[int | None, float | None] | None:
        """Return what a run may spend, tokens and USD; None where it has no budget."""
        query = self._dialect.driver("select most_tokens, most_money from pots where name = :name")
        row = self._access.read(
            lambda c: c.exec_driver_sql(query, {"name": f"run {run_id}"}).one_or_none()
        )
        return None if row is None else (row[0], row[1])

    async def tell(self, message: str) -> None:
        """Let runs know something of this worker."""
        statement = self._dialect.driver(
            "update members set message = :message where owner = :owner"
        )
        bound: Mapping[str, Any] = {"message": message, "owner": self._members.owner}
        await self._writer.do_async(lambda c: c.exec_driver_sql(statement, bound))
