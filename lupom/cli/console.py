"""The lines a run prints to stderr, in dbt's manner, and the bar of an LLM node."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
import time
from datetime import datetime
from typing import Any

import click

from lupom.engine.run import results as r

# Dots fill a line up to its outcome, which ends here; a line that would be longer is said shorter.
_WIDTH = 80
_WORDS = {
    r.SUCCESS: ("OK created", "green"),
    r.WARN: ("WARN created", "yellow"),
    r.ERROR: ("ERROR in", "red"),
    r.SKIPPED: ("SKIP", "yellow"),
    r.UNCHANGED: ("UNCHANGED", None),
    r.KEPT: ("KEPT", None),
    r.STOPPED: ("STOPPED", "yellow"),
}
_TEST_WORDS = {
    r.PASS: ("PASS", "green"),
    r.WARN: ("WARN", "yellow"),
    r.FAIL: ("FAIL", "red"),
    r.ERROR: ("ERROR in", "red"),
    r.SKIPPED: ("SKIP", "yellow"),
    r.STOPPED: ("STOPPED", "yellow"),
}


class Console:
    """Prints a run as it goes. Colour only on a terminal and without NO_COLOR (no-color.org)."""

    def __init__(self, started: float | None = None) -> None:
        self._lock = threading.Lock()
        self._live = sys.stderr.isatty()
        self._coloured = self._live and not os.environ.get("NO_COLOR")
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}
        self._begun: dict[str, float] = {}
        self._told: dict[str, float] = {}

    def started(self, index: int, total: int, node: str, kind: str) -> None:
        self._begun[node] = time.monotonic()
        self._line(f"{index} of {total} START {_kind(kind)} {node}", "RUN")

    def progressed(self, index: int, total: int, node: str, progress: r.NodeProgress) -> None:
        if self._live:
            self._draw(node, progress)
            return
        # A log gets a line every ten seconds instead of a bar.
        if self._due(node):
            elapsed = time.monotonic() - self._begun[node]
            self._line(f"{index} of {total} {node}: {_progress(progress, elapsed)}")

    def _due(self, node: str) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._told.get(node, self._begun.get(node, now)) < 10:
                return False
            self._told[node] = now
            return True

    def ended(self, index: int, total: int, result: r.NodeResult) -> None:
        self._undraw(result.node)
        word, colour = (_TEST_WORDS if result.kind == "test" else _WORDS)[result.status]
        head = f"{index} of {total} {word} {_kind(result.kind)} {result.node}"
        if result.status == r.ERROR:
            self._line(head, f"ERROR in {result.seconds:.2f}s", colour)
            self.say("  " + result.message.replace("\n", "\n  "))
        elif result.kind == "test":
            said = "" if result.status == r.PASS else result.message.partition(";")[0]
            self._line(head, said or f"PASS in {result.seconds:.2f}s", colour)
            if ";" in result.message and result.status != r.PASS:
                self.say("  " + result.message)
        elif result.status in (r.SUCCESS, r.WARN):
            self._line(head, f"{_outcome(result)} in {result.seconds:.2f}s", colour)
        else:
            self._line(head, result.message or "contents as before", colour)

    def finished(self, result: r.RunResult) -> None:
        """The run ended; what is said of it for people comes as notes."""

    def note(self, message: str) -> None:
        if not self._live:
            self._line(message)
            return
        first, *more = textwrap.wrap(message, _WIDTH - 10) or [""]
        self._line(first)
        for line in more:
            self.say(" " * 10 + line)

    def say(self, text: str) -> None:
        """Print text as it is, above the bar if there is one."""
        with self._lock:
            if self._bar is not None:
                self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
            else:
                click.echo(text, err=True)

    def close(self) -> None:
        """Take the bar away."""
        with self._lock:
            if self._bar is not None:
                self._bar.stop()
                self._bar = None

    def _line(self, text: str, outcome: str | None = None, colour: str | None = None) -> None:
        stamp = datetime.now().strftime("%H:%M:%S")
        dots = ""
        if outcome is not None:
            room = _WIDTH - len(stamp) - len(outcome) - 6
            if len(text) + 3 > room:
                text = text.replace(" created ", " ", 1).replace(" model ", " ", 1)
            dots = " " + "." * max(3, room - len(text)) + " "
        with self._lock:
            if self._bar is not None:
                from rich.text import Text

                line = Text(f"{stamp}  {text}{dots}")
                if outcome is not None:
                    line.append("[")
                    line.append(outcome, style=colour or "")
                    line.append("]")
                self._bar.console.print(line, soft_wrap=True)
                return
            styled = "" if outcome is None else f"[{self._styled(outcome, colour)}]"
            click.echo(f"{stamp}  {text}{dots}{styled}", err=True)

    def _styled(self, text: str, colour: str | None) -> str:
        return click.style(text, fg=colour) if colour and self._coloured else text

    def _draw(self, node: str, progress: r.NodeProgress) -> None:
        with self._lock:
            if self._bar is None:
                self._bar = _make_bar()
                self._bar.start()
            if node not in self._tasks:
                self._tasks[node] = self._bar.add_task(node, total=progress.total, words="")
            elapsed = time.monotonic() - self._begun.get(node, time.monotonic())
            self._bar.update(
                self._tasks[node],
                completed=progress.done,
                total=progress.total,
                words=_progress(progress, elapsed).replace(" rows", ""),
            )

    def _undraw(self, node: str) -> None:
        with self._lock:
            task = self._tasks.pop(node, None)
            if self._bar is None or task is None:
                return
            self._bar.remove_task(task)
            if not self._tasks:
                self._bar.stop()
                self._bar = None


def _make_bar() -> Any:
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    # The words say everything; the name, and then the bar, give way where the terminal is narrow.
    return Progress(
        TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=8),
        TextColumn("{task.fields[words]}", table_column=Column(no_wrap=True)),
        console=RichConsole(stderr=True),
        transient=True,
        refresh_per_second=5,
    )


def _progress(progress: r.NodeProgress, elapsed: float) -> str:
    """Say how far a node is: '40 of 100 rows, 3.1/s, 19 s left, $0.12, 12k tokens'."""
    words = f"{progress.done} of {progress.total} rows"
    fresh = progress.done - progress.cached
    if fresh > 0 and elapsed > 0:
        rate = fresh / elapsed
        words += f", {rate:.1f}/s, {_span((progress.total - progress.done) / rate)} left"
    if progress.usage.cost:
        words += f", ${progress.usage.cost:.2f}"
    if tokens := progress.usage.tokens:
        words += f", {_short(tokens)} tokens"
    if progress.invalid:
        words += f", {progress.invalid} invalid"
    return words


def _short(number: int) -> str:
    """Return a number in four characters or so: 950, 12k, 3.4M."""
    if number < 1_000:
        return str(number)
    return f"{number / 1e3:.0f}k" if number < 999_500 else f"{number / 1e6:.1f}M"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _kind(kind: str) -> str:
    return kind if kind in ("seed", "test") else f"{kind} model"


def _calls(calls: r.Calls) -> str:
    """Say how many calls were asked, and what of their prompts came from the prompt cache."""
    words, usage = f"{calls.asked} calls", calls.usage
    if 0 < usage.requests < calls.asked:
        words += f" in {usage.requests} requests"
    if usage.tokens_cached and usage.tokens_in:
        share = usage.tokens_cached / usage.tokens_in
        words += f", {share:.0%} of {usage.tokens_in:,} prompt tokens from the prompt cache"
    return words


def _outcome(result: r.NodeResult) -> str:
    words = [] if result.rows is None else [f"{result.rows} row{'s' if result.rows != 1 else ''}"]
    if result.calls is not None and result.calls.total:
        words.append(_calls(result.calls))
        if result.calls.cached:
            words.append(f"{result.calls.cached} from the ledger")
        if result.calls.usage.cost:
            words.append(f"${result.calls.usage.cost:.4f}")
    if result.message:
        words.append(result.message)
    return ", ".join(words) or "done"
