"""The one family of exceptions LUPoM raises for what a user can fix.

Every error says what is wrong, where, and what was probably meant. Programming errors are left
as they are: a traceback is the right report for those.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class LupomError(Exception):
    """An error that a user can act on.

    Parameters
    ----------
    message : what is wrong, in one sentence.
    file : the file it is in, if it is in one.
    line : the line of that file, counted from 1.
    hint : the likely intention, as a sentence or a question.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = None if file is None else str(file)
        self.line = line
        self.hint = hint

    def within(self, root: Path) -> None:
        """Name the file as seen from a project's folder, where it is inside of it."""
        if self.file is not None and Path(self.file).is_relative_to(root):
            self.file = Path(self.file).relative_to(root).as_posix()

    def __str__(self) -> str:
        where = ""
        if self.file is not None:
            where = self.file if self.line is None else f"{self.file}:{self.line}"
            where += ": "
        tail = "" if self.hint is None else f" ({self.hint})"
        return f"{where}{self.message}{tail}"


class ProjectError(LupomError):
    """A project file that cannot be read, or says something LUPoM does not know."""

    exit_code = 2


class CompileError(ProjectError):
    """A model, prompt or response class that does not compile."""


class GraphError(ProjectError):
    """Models that do not form a graph: a missing ref, a cycle, two of one name."""


class SelectionError(LupomError):
    """A selector that is malformed or matches nothing."""

    exit_code = 2


class UsageError(LupomError):
    """A command or a call used in a way it does not allow."""

    exit_code = 2


class StoreError(LupomError):
    """The DuckDB store cannot be opened, read or written."""


class StateError(LupomError):
    """The state database cannot be opened, read or written."""


class ModelError(LupomError):
    """A model failed while it was built."""


class SourceError(LupomError):
    """A source is not there, cannot be fetched, or is not what it is said to be."""


class LLMError(LupomError):
    """An LLM cannot be reached, refuses, or is not set up."""


class WaitingError(LLMError):
    """Calls are out in a batch; a later run collects their answers."""

    exit_code = 4


class BudgetError(LLMError):
    """The budget does not allow the next request; what was answered before is kept."""

    exit_code = 3


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return "did you mean 'x'?" for the closest of the known words, or None when none is close."""
    choices = sorted(set(known))
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if not close:
        lowered = {choice.lower(): choice for choice in choices}
        near = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
        close = [lowered[near[0]]] if near else []
    return f"did you mean '{close[0]}'?" if close else None
