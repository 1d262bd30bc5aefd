"""Which of the nodes that compute have the cores, and when the next one may begin."""

from __future__ import annotations

import time
from collections.abc import Callable

from lupom.engine.cores import cores

# Seconds after which a node that still computes is a long one. Small nodes hand the interpreter to
# and fro: two at a time took 22.4 CPU seconds for 17.9 one after the other, and no less time (GSS,
# two cores, 16.6 and 16.8 s; 220,000 switches for 5,400). With 2 s it is 19.4, with 3 s 18.0, with
# 4 s 18.8. Long ones are in BLAS and DuckDB and do gain: 150 questions and 5,000 people take 84 s
# so, 77 with two from the start, 116 with one.
LONG = 3.0


class Turns:
    """The turns of nodes that compute.

    Unless it is said how many go on at a time, the next may begin when those before it have ended
    or have gone on for `LONG` seconds, and there is a core for it.

    Parameters
    ----------
    most : how many nodes compute at a time; None leaves it to the cores and to how long they take.
    clock : seconds on a clock that never goes back.
    """

    def __init__(self, most: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most or cores()
        self._patience = LONG if most is None else 0.0
        self._clock = clock
        self._began: dict[str, float] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._began

    def begin(self, name: str) -> None:
        """Note that a node begins to compute."""
        self._began[name] = self._clock()

    def end(self, name: str) -> None:
        """Note that a node has ended."""
        del self._began[name]

    def wait(self) -> float | None:
        """Return the seconds until the next may begin if none ends; None where one has to end."""
        if len(self._began) >= self._most:
            return None
        newest = max(self._began.values(), default=None)
        return 0.0 if newest is None else max(0.0, newest + self._patience - self._clock())
