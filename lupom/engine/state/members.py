"""Processes that ask from one ledger: who is alive, who asks what, who may spend how much.

A call is leased before it is asked, in the transaction that looks it up once more. A lease is worth
what its owner is: each process says every few seconds that it is alive, and what one held that says
so no longer is free. Whatever is reserved of budgets and rates goes the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lupom.engine.state.ledger import PENDING, Entry, now
from lupom.engine.state.process import is_dead

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lupom.engine.state.access import Access
    from lupom.engine.state.ledger import Ledger
    from lupom.engine.state.writer import Writer

RUN, WORKER = "run", "worker"
# Of a lease's time: after this part of it a process says again that it is alive.
_RENEWED = 1 / 4


@dataclass(slots=True)
class Taken:
    """What came of taking leases.

    Attributes
    ----------
    held : keys that are this process's to ask.
    known : what the ledger says now, of those held that have attempts, and of those that ended.
    ended : keys whose calls have their end meanwhile.
    busy : keys that another process has in flight.
    paused : for how many seconds the endpoint takes nothing, by what another process was told.
    """

    held: set[str] = field(default_factory=set)
    known: dict[str, Entry] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)
    paused: float = 0.0


@dataclass(frozen=True, slots=True)
class Granted:
    """What came of asking for a part of a budget.

    Attributes
    ----------
    tokens, money : what may be spent beyond what is promised already; None where it does not fit.
    spent_tokens, spent_money : of the pot so far, batches that are out included.
    others : whether other processes hold a part of it, and may give some back.
    """

    tokens: int | None
    money: float
    spent_tokens: int
    spent_money: float
    others: bool


class Members:
    """The part that this process has in the asking from its ledger.

    Attributes
    ----------
    kind : 'run', or 'worker'.
    lease : seconds after which what a process held that says nothing more is free.
    """

    def __init__(
        self,
        access: Access,
        writer: Writer,
        ledger: Ledger,
        owner: str,
        place: Callable[[], str],
        lease: float,
    ) -> None:
        self._access = access
        self._writer = writer
        self._ledger = ledger
        self._dialect = access.dialect
        self._owner = owner
        self._place = place
        self._joined = False
        self.kind = RUN
        self.lease = lease
        d = self._dialect
        alive = f"select owner from members where until > {d.clock}"
        self._beat = d.driver(
            "insert into members (owner, kind, place, until, started_at)"
            f" values (:owner, :kind, :place, {d.clock} + :lease, :now)"
            " on conflict (owner) do update set until = excluded.until"
        )
        # In the order of keys, so that two who want the same ones do not wait for each other.
        self._lease = d.driver(
            f"insert into leases (key, owner) select value, :owner from {d.table('keys')}"
            " where true order by value on conflict (key) do update set owner = excluded.owner"
            f" where leases.owner = excluded.owner or leases.owner not in ({alive})"
        )
        self._mine = d.driver(
            f"select key from leases where owner = :owner and {d.among('key', 'keys')}"
        )
        self._free = d.driver(
            f"delete from leases where owner = :owner and {d.among('key', 'keys')}"
        )
        self._taken = d.driver(
            f"select key, owner from leases where {d.among('key', 'keys')} and owner in ({alive})"
        )
        self._alive = alive

    @property
    def owner(self) -> str:
        """What this process is known by."""
        return self._owner

    async def take(
        self, keys: Collection[str], known: Mapping[str, int], endpoint: str = ""
    ) -> Taken:
        """Lease calls, and look them up in the same transaction.

        `known` has, for those that are to be asked again though they ended, how many attempts they
        had then: only with more have they ended anew. Of an `endpoint` is told whether it pauses.
        """
        await self.joined()

        def work(connection: Connection) -> Taken:
            taken = self.take_within(connection, keys, known)
            if endpoint:
                taken.paused = self._paused(connection, endpoint)
            return taken

        taken: Taken = await self._writer.do_async(work)
        return taken

    def take_within(
        self, connection: Connection, keys: Collection[str], known: Mapping[str, int]
    ) -> Taken:
        """Lease calls within a transaction; see `take`."""
        self.say_alive(connection)
        bound = {"owner": self._owner, "keys": self._dialect.keys(keys)}
        connection.exec_driver_sql(self._lease, bound)
        mine = set(connection.exec_driver_sql(self._mine, bound).scalars())
        entries = self._ledger.entries(connection, mine) if mine else {}
        ended = {
            key
            for key, entry in entries.items()
            if entry.status != PENDING and entry.attempts != known.get(key, -1)
        }
        if ended:
            connection.exec_driver_sql(
                self._free, {"owner": self._owner, "keys": self._dialect.keys(ended)}
            )
        return Taken(mine - ended, entries, ended, set(keys) - mine)

    async def release(self, keys: Collection[str]) -> None:
        """Give back leases of calls that will not be asked now."""
        bound = {"owner": self._owner, "keys": self._dialect.keys(keys)}
        await self._writer.do_async(lambda c: c.exec_driver_sql(self._free, bound))

    def still_busy(self, keys: Iterable[str]) -> set[str]:
        """Return those of some calls that other processes still have in flight."""
        bound = {"keys": self._dialect.keys(keys)}
        found = self._access.read(
            lambda connection: connection.exec_driver_sql(self._taken, bound).all()
        )
        dead = {owner for owner in {row[1] for row in found} if is_dead(owner)}
        if dead:
            self._writer.do(lambda connection: self._bury(connection, dead))
        return {key for key, owner in found if owner not in dead}

    def _begin(self, connection: Connection) -> None:
        """Say for the first time that this process is alive, and who is so no more."""
        alive = set(connection.exec_driver_sql(self._alive).scalars())
        self._bury(connection, {owner for owner in alive if is_dead(owner)})
        self.say_alive(connection)

    def _bury(self, connection: Connection, dead: Collection[str]) -> None:
        """Free at once what processes of this machine held that are known to be dead."""
        if dead:
            statement = self._dialect.driver(
                f"update members set until = 0 where {self._dialect.among('owner', 'owners')}"
            )
            connection.exec_driver_sql(statement, {"owners": self._dialect.keys(dead)})

    def say_alive(self, connection: Connection) -> None:
        """Renew all that this process holds, within a transaction."""
        connection.exec_driver_sql(
            self._beat,
            {
                **{"owner": self._owner, "kind": self.kind, "place": self._place()},
                **{"lease": self.lease, "now": now()},
            },
        )

    def join(self, kind: str = RUN) -> None:
        """Be known as alive from now on, until `leave`."""
        self.kind = kind
        if not self._joined:
            self._writer.do(self._begin)
            self._joined = True
            self._writer.every(self.lease * _RENEWED, self.say_alive)

    async def joined(self) -> None:
        """Be known as alive from now on, if this process is not yet."""
        # Committed before anything is leased: whoever waits for the end of a transaction that
        # leases looks with the eyes of before, and must see then that its owner is alive.
        if not self._joined:
            await self._writer.do_async(self._begin)
            if not self._joined:
                self._joined = True
                self._writer.every(self.lease * _RENEWED, self.say_alive)

    def leave(self) -> None:
        """Give back all that this process holds; safe to call where it never joined."""
        if not self._joined:
            return
        self._joined = False

        def work(connection: Connection) -> None:
            bound = {"owner": self._owner}
            for table in ("leases", "grants", "members"):
                connection.exec_driver_sql(
                    self._dialect.driver(f"delete from {table} where owner = :owner"), bound
                )
            # What the dead left behind is nobody's.
            for table in ("grants", "leases"):
                connection.exec_driver_sql(
                    f"delete from {table} where owner not in ({self._alive})"
                )
            connection.exec_driver_sql(
                f"delete from members where until < {self._dialect.clock} - 86400"
            )
            connection.exec_driver_sql(
                "delete from queue where owner not in (select owner from members)"
            )

        self._writer.do(work)

    # Budgets

    async def grant(
        self,
        pot: str,
        limits: tuple[int | None, float | None],
        promised: tuple[int, float],
        more: tuple[int, float],
        ahead: int,
    ) -> Granted:
        """Reserve a part of a pot: what is `promised` to requests in flight, and `more`.

        Where that fits, some of what is left is reserved with it, `ahead` times as much at most and
        an eighth of the rest, so that not every request has to ask; else nothing but what is
        promised. `limits` are tokens and USD; None is none.
        """
        await self.joined()
        granted: Granted = await self._writer.do_async(
            lambda c: self._grant(c, pot, limits, promised, more, ahead)
        )
        return granted

    def _grant(
        self,
        connection: Connection,
        pot: str,
        limits: tuple[int | None, float | None],
        promised: tuple[int, float],
        more: tuple[int, float],
        ahead: int,
    ) -> Granted:
        self.say_alive(connection)
        self._ledger.lock(connection)
        driver = self._dialect.driver
        bound = {"pot": pot, "owner": self._owner}
        spent = connection.exec_driver_sql(
            driver("select tokens, money from pots where name = :pot"), bound
        ).one_or_none()
        tokens, money = (int(spent[0]), float(spent[1])) if spent else (0, 0.0)
        if pot == "project":
            out = connection.exec_driver_sql(PROMISED).one()
            tokens, money = tokens + int(out[0]), money + float(out[1])
        held = connection.exec_driver_sql(
            driver(
                "select coalesce(sum(tokens), 0), coalesce(sum(money), 0) from grants"
                f" where pot = :pot and owner <> :owner and owner in ({self._alive})"
            ),
            bound,
        ).one()
        others = int(held[0]), float(held[1])
        extra: list[float] | None = []
        for limit, taken, own, wanted in (
            (limits[0], tokens + others[0], promised[0], more[0]),
            (limits[1], money + others[1], promised[1], more[1]),
        ):
            room = float("inf") if limit is None else limit - taken - own - wanted
            # Sums of binary fractions: a billionth of a dollar is no money.
            if room < -1e-9:
                extra = None
                break
            assert extra is not None
            extra.append(wanted + max(0.0, min(ahead * wanted, room / 8)))
        give = (0, 0.0) if extra is None else (int(extra[0]), extra[1])
        connection.exec_driver_sql(
            driver(
                "insert into grants (pot, owner, tokens, money)"
                " values (:pot, :owner, :tokens, :money) on conflict (pot, owner)"
                " do update set tokens = excluded.tokens, money = excluded.money"
            ),
            {**bound, "tokens": promised[0] + give[0], "money": promised[1] + give[1]},
        )
        return Granted(
            None if extra is None else give[0], give[1], tokens, money, any(n > 0 for n in others)
        )

    async def give_back(self, pot: str, promised: tuple[int, float]) -> None:
        """Keep of a pot no more than what is promised to requests in flight."""
        statement = self._dialect.driver(
            "update grants set tokens = :tokens, money = :money where pot = :pot and owner = :owner"
        )
        bound = {"pot": pot, "owner": self._owner, "tokens": promised[0], "money": promised[1]}
        await self._writer.do_async(lambda c: c.exec_driver_sql(statement, bound))

    # Rates

    async def reserve(
        self, endpoint: str, requests: float, tokens: float, returned: float
    ) -> tuple[float, float]:
        """Reserve a part of an endpoint's limits a minute; returns in how many seconds it is due.

        `requests` and `tokens` are the seconds that it takes to work them off, `returned` those
        that were not needed after all. Two times: by either limit.
        """
        due: tuple[float, float] = await self._writer.do_async(
            lambda c: self._reserve(c, endpoint, requests, tokens, returned)
        )
        return due

    def _reserve(
        self,
        connection: Connection,
        endpoint: str,
        requests: float,
        tokens: float,
        returned: float,
    ) -> tuple[float, float]:
        driver, clock = self._dialect.driver, self._dialect.clock
        bound = {"endpoint": endpoint}
        connection.exec_driver_sql(
            driver(
                "insert into rates (endpoint, requests_at, tokens_at) values (:endpoint, 0, 0)"
                " on conflict (endpoint) do nothing"
            ),
            bound,
        )
        lock = " for update" if self._dialect.shared else ""
        query = f"select requests_at, tokens_at, {clock} from rates where endpoint = :endpoint"
        row = connection.exec_driver_sql(driver(query + lock), bound).one()
        at = float(row[2])
        begin = max(float(row[0]), at), max(float(row[1]) - returned, at)
        connection.exec_driver_sql(
            driver("update rates set requests_at = :r, tokens_at = :t where endpoint = :endpoint"),
            {**bound, "r": begin[0] + requests, "t": begin[1] + tokens},
        )
        return begin[0] - at, begin[1] - at

    async def pause(self, endpoint: str, seconds: float) -> None:
        """Have nobody send to an endpoint for some seconds: it has refused a request (429)."""
        statement = self._dialect.driver(
            "insert into rates (endpoint, requests_at, tokens_at)"
            f" values (:endpoint, {self._dialect.clock} + :seconds, 0) on conflict (endpoint)"
            " do update set requests_at = excluded.requests_at"
            " where rates.requests_at < excluded.requests_at"
        )
        bound = {"endpoint": endpoint, "seconds": seconds}
        await self._writer.do_async(lambda c: c.exec_driver_sql(statement, bound))

    def _paused(self, connection: Connection, endpoint: str) -> float:
        query = self._dialect.driver(
            f"select requests_at - {self._dialect.clock} from rates where endpoint = :endpoint"
        )
        found = connection.exec_driver_sql(query, {"endpoint": endpoint}).scalar()
        return max(0.0, float(found or 0.0))

    # Others

    def alive(self, kind: str) -> list[dict[str, Any]]:
        """Return the other members of a kind that are alive, the longest first."""
        query = self._dialect.driver(
            f"select * from members where kind = :kind and owner <> :owner"
            f" and until > {self._dialect.clock} order by started_at"
        )
        bound = {"kind": kind, "owner": self._owner}
        rows = self._access.read(lambda c: c.exec_driver_sql(query, bound).mappings().all())
        return [dict(row) for row in rows]


# Tokens and USD that the batches still out may take.
PROMISED = (
    "select coalesce(sum(tokens), 0), coalesce(sum(money), 0) from batches"
    " where status in ('submitting', 'out')"
)
