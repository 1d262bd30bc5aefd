"""Search for the structure of a network: hill climbing and tabu list."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lupom.science.bayes.counting import check_codes
from lupom.science.bayes.families import FamilyScores
from lupom.science.bayes.scores import Score

Edge = tuple[int, int]
Matrix = NDArray[np.bool_]

# Gains below this are rounding: scores of 1e5 to 1e6 carry errors of about 1e-9.
_GAIN = 1e-6
_ADD, _REMOVE, _REVERSE = range(3)


@dataclass(frozen=True)
class Structure:
    """A found structure.

    Attributes
    ----------
    edges : (parent, child) pairs, sorted.
    score : sum of the family scores.
    moves : changes made until the search ended.
    """

    edges: tuple[Edge, ...]
    score: float
    moves: int


def allowed_edges(
    d: int,
    *,
    forbidden: Iterable[Edge] = (),
    ranks: Sequence[int] | None = None,
) -> Matrix:
    """Return the (d, d) matrix of edges a search may use.

    Parameters
    ----------
    d : number of dimensions.
    forbidden : (parent, child) pairs that may not be used.
    ranks : one rank per dimension; an edge may only go to an equal or higher rank
        (high 0, mid 1, low 2: high may cause mid and low, never the reverse).
    """
    allowed = ~np.eye(d, dtype=bool)
    for parent, child in forbidden:
        allowed[parent, child] = False
    if ranks is not None:
        order = np.asarray(ranks)
        if order.shape != (d,):
            raise ValueError(f"ranks must hold one number per dimension ({d}), got {order.shape}")
        allowed &= order[:, None] <= order[None, :]
    return allowed


def search(
    codes: NDArray[np.integer],
    cardinalities: Sequence[int],
    score: Score,
    *,
    method: str = "tabu",
    tabu_length: int = 100,
    max_parents: int | None = None,
    allowed: Matrix | None = None,
    required: Iterable[Edge] = (),
    restarts: int = 0,
    seed: int = 0,
    max_moves: int | None = None,
    start: Iterable[Edge] = (),
    copies: int = 1,
    node_average: bool = False,
) -> Structure:
    """Find a structure of high score by changing one edge at a time.

    Each step adds, removes or reverses the edge with the largest gain. Equal gains (within 1e-6)
    are broken by the kind of change in that order, then by parent, then by child, so the result
    depends on nothing but the arguments. 'hc' stops where no change gains (hill climbing). 'tabu'
    goes on from there with the least bad change that leads to none of the last `tabu_length`
    structures, and returns the best structure seen once `tabu_length` changes in a row brought
    none (Glover 1989, as in R bnlearn's tabu). Families are scored on available cases, as
    `FamilyScores` says.

    Parameters
    ----------
    codes : (n, d) codes, -1 where missing.
    cardinalities : number of values of each dimension.
    score : which score.
    method : 'hc' or 'tabu'.
    tabu_length : structures remembered, and patience; 0 is hill climbing.
    max_parents : largest number of parents of a dimension.
    allowed : (d, d) matrix of usable edges; all when left out.
    required : edges that are there from the start and stay.
    restarts : how often to start again from the best structure, changed at random.
    seed : of the restarts, and of the numbers by which structures are recognised.
    max_moves : a bound on the changes of each climb.
    start : edges to start from; the search may take them away again.
    copies, node_average : see `FamilyScores`.

    Raises
    ------
    ValueError : for required edges that are forbidden, form a cycle or exceed max_parents.
    """
    if method not in ("hc", "tabu"):
        raise ValueError(f"unknown search {method!r}; known are hc, tabu")
    if tabu_length < 0 or restarts < 0:
        raise ValueError("tabu_length and restarts must not be negative")
    checked = check_codes(codes, cardinalities)
    climber = _Climber(
        FamilyScores(checked, cardinalities, score, copies=copies, node_average=node_average),
        allowed=allowed_edges(checked.shape[1]) if allowed is None else allowed.copy(),
        required=sorted(set(required)),
        max_parents=checked.shape[1] if max_parents is None else max_parents,
        seed=seed,
    )
    patience = tabu_length if method == "tabu" else 0
    begin = sorted(set(start))
    if begin:
        climber.begin(begin)
    best = climber.climb(patience, max_moves)
    rng = np.random.default_rng(seed)
    for _ in range(restarts):
        climber.perturb(best.edges, rng)
        found = climber.climb(patience, max_moves)
        if found.score > best.score + _GAIN:
            best = found
    return best


class _Climber:
    """A structure, the gains of every change to it, and the way from one to the next."""

    def __init__(
        self,
        families: FamilyScores,
        *,
        allowed: Matrix,
        required: Sequence[Edge],
        max_parents: int,
        seed: int,
    ) -> None:
        d = families.d
        if allowed.shape != (d, d):
            raise ValueError(f"allowed must be a ({d}, {d}) matrix, got {allowed.shape}")
        if max_parents < 0:
            raise ValueError(f"max_parents must not be negative, got {max_parents}")
        self.families = families
        self.d = d
        self.allowed = allowed & ~np.eye(d, dtype=bool)
        self.max_parents = max_parents
        self.required = np.zeros((d, d), dtype=bool)
        for parent, child in required:
            if not (0 <= parent < d and 0 <= child < d) or not self.allowed[parent, child]:
                raise ValueError(f"required edge {(parent, child)} is not an allowed edge")
            self.required[parent, child] = True
        if d and int(self.required.sum(axis=0).max()) > max_parents:
            raise ValueError(f"the required edges exceed max_parents ({max_parents})")
        if reachability(self.required) is None:
            raise ValueError("the required edges form a cycle")
        # Zobrist keys: a structure is known by the exclusive or of the keys of its edges.
        self._keys = np.random.default_rng([seed, 1]).integers(
            1, np.iinfo(np.int64).max, size=(d, d), dtype=np.int64
        )
        self._restart(self.required.copy())

    def _restart(self, edges: Matrix) -> None:
        self.edges = edges
        self.local = np.zeros(self.d)
        self.add = np.full((self.d, self.d), np.nan)
        self.remove = np.full((self.d, self.d), np.nan)
        reach = reachability(edges)
        assert reach is not None
        self.reach = reach
        for child in range(self.d):
            self._refresh(child)

    def begin(self, edges: Iterable[Edge]) -> None:
        """Start from some edges besides the required ones."""
        matrix = self.required.copy()
        for parent, child in edges:
            matrix[parent, child] = True
        if reachability(matrix) is None:
            raise ValueError("the edges to start from form a cycle")
        self._restart(matrix)

    def _refresh(self, child: int) -> None:
        parents = [int(p) for p in np.flatnonzero(self.edges[:, child])]
        changes = self.families.changes(child, parents, additions=len(parents) < self.max_parents)
        self.local[child] = changes.score
        self.add[:, child] = changes.added - changes.score
        self.remove[:, child] = np.nan
        for parent, score in changes.removed.items():
            self.remove[parent, child] = score - changes.score

    def _gains(self) -> NDArray[np.float64]:
        """Return the gain of each legal change as (3, d, d), -inf where it is not legal."""
        gains = np.full((3, self.d, self.d), -np.inf)
        room = self.edges.sum(axis=0) < self.max_parents
        addable = self.allowed & ~self.edges & ~self.reach.T & room
        gains[_ADD][addable] = self.add[addable]
        removable = self.edges & ~self.required
        gains[_REMOVE][removable] = self.remove[removable]
        # An edge can turn round only when it is the one path from its parent to its child.
        paths = self.edges.astype(np.float32) @ self.reach.astype(np.float32)
        turnable = removable & self.allowed.T & (paths == 1) & room[:, None]
        gains[_REVERSE][turnable] = self.remove[turnable] + self.add.T[turnable]
        return gains

    def _apply(self, kind: int, parent: int, child: int) -> None:
        self.edges[parent, child] = kind == _ADD
        if kind == _REVERSE:
            self.edges[child, parent] = True
        if kind == _ADD:
            self.reach |= np.outer(self.reach[:, parent], self.reach[child])
        else:
            reach = reachability(self.edges)
            assert reach is not None
            self.reach = reach
        self._refresh(child)
        if kind == _REVERSE:
            self._refresh(parent)

    def _forbid(self, gains: NDArray[np.float64], changes: NDArray[np.int64]) -> None:
        """Make changes of these keys illegal, in place.

        The few keys are looked up among all changes': comparing each of 150 columns' changes with
        twenty structures was a quarter of the search.
        """
        sorted_keys, places = self._changes
        first, last = (np.searchsorted(sorted_keys, changes, side) for side in ("left", "right"))
        flat = gains.reshape(3, -1)
        for one in np.flatnonzero(last > first):
            turns, place = np.divmod(places[first[one] : last[one]], self.d**2)
            flat[_REVERSE, place[turns == 1]] = -np.inf
            # An edge is either added or removed, by the same key.
            flat[:_REVERSE, place[turns == 0]] = -np.inf

    @cached_property
    def _changes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the keys of adding or removing each edge and of turning it round, sorted, and
        where they are among both, (2, d, d).
        """
        keys = np.concatenate([self._keys.ravel(), (self._keys ^ self._keys.T).ravel()])
        places = np.argsort(keys, kind="stable")
        return keys[places], places

    def climb(self, patience: int, max_moves: int | None) -> Structure:
        score = float(self.local.sum())
        best_score, best_edges = score, self.edges.copy()
        keys = self._keys
        now = np.bitwise_xor.reduce(keys[self.edges], initial=np.int64(0))
        visited: deque[np.int64] = deque([now], maxlen=max(patience, 1))
        idle, moves = 0, 0
        while max_moves is None or moves < max_moves:
            gains = self._gains()
            if patience:
                self._forbid(gains, now ^ np.array(visited))
            top = gains.max(initial=-np.inf)
            if not np.isfinite(top) or (top <= _GAIN and not patience):
                break
            place = int(np.argmax(gains >= top - _GAIN))
            kind, parent, child = (int(i) for i in np.unravel_index(place, gains.shape))
            self._apply(kind, parent, child)
            now ^= keys[parent, child] ^ (keys[child, parent] if kind == _REVERSE else 0)
            visited.append(now)
            moves += 1
            score = float(self.local.sum())
            if score > best_score + _GAIN:
                best_score, best_edges, idle = score, self.edges.copy(), 0
            else:
                idle += 1
                if idle > patience:
                    break
        return Structure(
            edges=tuple((int(p), int(c)) for p, c in np.argwhere(best_edges)),
            score=best_score,
            moves=moves,
        )

    def perturb(self, edges: Iterable[Edge], rng: np.random.Generator) -> None:
        """Set the structure to some edges and make random legal changes, one for every eight."""
        start = np.zeros((self.d, self.d), dtype=bool)
        for parent, child in edges:
            start[parent, child] = True
        self._restart(start)
        for _ in range(max(3, int(start.sum()) // 8)):
            places = np.flatnonzero(np.isfinite(self._gains()))
            if not len(places):
                return
            place = int(rng.choice(places))
            kind, parent, child = (int(i) for i in np.unravel_index(place, (3, self.d, self.d)))
            self._apply(kind, parent, child)


def reachability(edges: Matrix) -> Matrix | None:
    """Return which dimension reaches which (itself included), None where there is a cycle."""
    d = len(edges)
    reach = np.eye(d, dtype=bool)
    order = topological_order(edges)
    if order is None:
        return None
    for node in reversed(order):
        children = np.flatnonzero(edges[node])
        if len(children):
            reach[node] |= reach[children].any(axis=0)
    return reach


def topological_order(edges: Matrix) -> list[int] | None:
    """Return the dimensions with parents before children, None where there is a cycle."""
    waiting = edges.sum(axis=0).astype(int)
    ready = [int(i) for i in np.flatnonzero(waiting == 0)]
    order: list[int] = []
    while ready:
        node = ready.pop(0)
        order.append(node)
        for child in np.flatnonzero(edges[node]):
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(int(child))
    return order if len(order) == len(edges) else None
