"""What workers outside of this process offer, whichever kind they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from lupom.engine.errors import ModelError

Note = Callable[[str], None]


class Backend(Protocol):
    """Workers that are not this process, started when they are made."""

    def work(self, job: bytes, parts: Sequence[Any], done: Callable[[], None]) -> list[Any]:
        """Return the result of each batch, both as bytes of Arrow's IPC format.

        Parameters
        ----------
        job : as `wire.pack` makes it.
        parts : the batches.
        done : called now and then; what it raises ends the work.

        Raises
        ------
        WorkError : what the function raised.
        ModelError : where workers were lost too often or cannot be started.
        """

    def everywhere(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Have each node do something until `close`; see `Executor.everywhere`."""

    def close(self) -> None:
        """End all workers; nothing of them is left."""


def too_often(times: int, where: str, how: str) -> ModelError:
    """Return the error of a batch whose workers were lost each time."""
    many = "" if times == 1 else f" {times} times"
    return ModelError(
        f"the worker of {where} was lost{many} ({how})",
        hint="too little memory? fewer workers in the target's executor, or smaller batches",
    )
