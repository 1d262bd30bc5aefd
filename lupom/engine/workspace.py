"""A project opened: what the command line and a notebook work with."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lupom.engine.errors import StoreError, UsageError
from lupom.engine.graph import Graph
from lupom.engine.project.discovery import ProjectFiles
from lupom.engine.project.nodes import Node
from lupom.engine.run import reading, selection, staleness
from lupom.engine.run.context import Context
from lupom.engine.run.opening import open_context
from lupom.engine.run.plan import Plan
from lupom.engine.run.results import Reporter, RunResult
from lupom.engine.run.selection import Names, words
from lupom.engine.run.spending import read_limit
from lupom.engine.run.tables import Table
from lupom.engine.store.base import Store
from lupom.engine.store.records import TableRecord

if TYPE_CHECKING:
    from lupom.engine.run.explanation import Explanation
    from lupom.engine.run.export import Written
    from lupom.engine.store.snapshots import Expired, Snapshot


class Project:
    """A LUPoM project.

    Parameters
    ----------
    folder : the project's folder; None looks for lupom_project.yml here and above.
    target : name of the target (the store) to use.
    vars : values laid over the project's vars.
    state : folder of earlier artifacts that the selectors `state:` and `result:` compare with;
        None compares with the store and with the last run.
    defer : name of another target: what is neither selected nor built in this one is read from its
        store.
    compiled : False leaves the models as they are until something asks for them, which opens the
        project in a tenth of the time; for reading tables, `predict` and `ask`.

    Raises
    ------
    ProjectError : with file and line, when the project does not compile.
    UsageError : when there is no project, target or var of that name.

    Examples
    --------
    >>> from lupom import Project                                 # doctest: +SKIP
    >>> Project(".").run(select="persona_values+").status         # doctest: +SKIP
    'success'
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        target: str | None = None,
        vars: Mapping[str, Any] | None = None,
        state: str | Path | None = None,
        defer: str | None = None,
        compiled: bool = True,
    ) -> None:
        self.given_vars = dict(vars or {})
        self.context: Context = open_context(
            None if folder is None else Path(folder),
            target=target,
            vars=vars,
            state=None if state is None else Path(state),
            defer=defer,
            compiled=compiled,
        )

    @property
    def name(self) -> str:
        return self.context.name

    @property
    def files(self) -> ProjectFiles:
        """The project as its files say it."""
        return self.context.files

    @property
    def nodes(self) -> Mapping[str, Node]:
        """Models, seeds and sources by name."""
        return self.context.nodes

    @property
    def tests(self) -> Mapping[str, Node]:
        """Data tests by name."""
        return self.context.tests

    @property
    def graph(self) -> Graph[Node]:
        return self.context.graph

    @property
    def store(self) -> Store:
        return self.context.store

    @property
    def warnings(self) -> list[str]:
        """What the project's files say that is likely not meant."""
        return list(self.context.warnings)

    def select(self, select_: Names = None, exclude: Names = None) -> tuple[str, ...]:
        """Return names of nodes in topological order; sources are never among them."""
        return selection.select_nodes(self.context, select_, exclude)

    def select_tests(self, select_: Names = None, exclude: Names = None) -> tuple[str, ...]:
        """Return names of data tests: those selected by name, and those of any selected node.

        Excluded are those excluded by name, and those of any excluded node, as in dbt.
        """
        return selection.select_tests(self.context, select_, exclude)

    def chosen(self, select_: Names = None, exclude: Names = None) -> tuple[str, ...]:
        """Return the nodes of a selection that may name data tests as well, as `select` does."""
        return selection.select_beside_tests(self.context, select_, exclude)

    def records(self) -> dict[str, TableRecord]:
        """Return what the store knows of its relations, by node."""
        return staleness.records(self.context)

    def quarantined(self) -> frozenset[str]:
        """Return the LLM models that have rows without a valid answer."""
        return staleness.quarantined(self.context)

    def query(
        self, sql: str, parameters: Sequence[Any] | None = None, *, at: str | None = None
    ) -> Table:
        """Run SQL on the store, read-only; raises StoreError with DuckDB's message.

        `at` is a run's id, a snapshot's number or a time: the rows are those of then. Raises
        UsageError where the store has none, as a plain DuckDB file has.
        """
        models = self.context.files.names
        if at is None:
            return reading.query(self.store, sql, parameters, models)
        with closing(self.store.at(at)) as store:
            return reading.query(store, sql, parameters, models)

    def snapshots(self) -> list[Snapshot]:
        """Return the states of the store that are kept, the oldest first, as `lupom store
        snapshots`; raises UsageError where none are."""
        return self.store.snapshots()

    def expire_snapshots(self, older_than: str | timedelta, *, dry_run: bool = False) -> Expired:
        """Give up snapshots that are older than '30d', '12h' or '90m', as `lupom store expire`.

        The newest stays. Raises UsageError where none are kept.
        """
        from lupom.engine.run.stores import age_of

        before = datetime.now(UTC) - age_of(older_than)
        return self.store.expire(before, dry_run=dry_run)

    def copy_store(self, to: str, *, replace: bool = False) -> int:
        """Copy all tables, views and notes to the store of another target, as `lupom store copy`.

        Returns how many tables and views. `replace` drops what stands there. Raises UsageError
        where something does, or for a target there is not.
        """
        from lupom.engine.run.stores import copy_to

        return copy_to(self.context, to, replace=replace)

    def table(self, name: str, limit: int | None = None) -> Table:
        """Return a model's rows; raises UsageError if it is unknown, StoreError if not built."""
        return reading.table(self.context, name, limit)

    def quarantine(self, name: str) -> Table:
        """Return the rows of an LLM model that have no valid answer: key, error, what came back."""
        return reading.quarantine(self.context, name)

    def rendered_prompt(self, name: str) -> list[dict[str, str]]:
        """Return the messages of an LLM model's first row.

        Raises StoreError when the tables it reads are not built yet.
        """
        return reading.rendered_prompt(self.context, name)

    def plan(
        self,
        select: Names = None,
        exclude: Names = None,
        *,
        full_refresh: bool = False,
        no_llm: bool = False,
        retry_invalid: bool = False,
        estimate: bool = True,
        rehearse: bool = False,
        offline: bool = False,
    ) -> Plan:
        """Say what a run of the same options would do and why; no call is made.

        With `estimate`, LLM nodes say how many of their rows are answered and what the rest costs.
        With `rehearse`, those whose rows depend on answers still to come say it, too: answers are
        made up, and what is between is built in memory. S3 is asked whether sources changed, unless
        `offline`.
        """
        context = self.context
        selected = selection.with_seeds(context, self.select(select, exclude))
        read = selection.read_by(context, (self.nodes[name] for name in selected))
        context.sources.check(read, offline=offline)
        with self.store.kept_open():
            known = staleness.identities(context, selected)
            plan = staleness.plan_of(
                context,
                selected,
                known,
                full_refresh=full_refresh,
                no_llm=no_llm,
                retry_invalid=retry_invalid,
            )
            if estimate and not no_llm:
                from lupom.engine.run.estimate import estimate_calls

                estimate_calls(
                    context, self.graph, plan, known, retry_invalid=retry_invalid, rehearse=rehearse
                )
        return plan

    def run(
        self,
        select: Names = None,
        exclude: Names = None,
        *,
        threads: int | None = None,
        full_refresh: bool = False,
        fail_fast: bool = False,
        no_llm: bool = False,
        retry_invalid: bool = False,
        budget: str | float | None = None,
        offline: bool = False,
        reporter: Reporter | None = None,
        stop: threading.Event | None = None,
        tests: bool = False,
        store_failures: bool = False,
    ) -> RunResult:
        """Build what is stale among the selected nodes, and the seeds they need.

        Parameters
        ----------
        select, exclude : selectors, as one string or several.
        threads : nodes at a time; by default the target's setting, and without one four, of those
            that compute one, and of long ones as many as there are cores.
        full_refresh : build everything selected; LLM answers still come from the ledger.
        no_llm : make LLM models empty tables, or leave what stands.
        retry_invalid : ask quarantined rows again.
        budget : what this run may spend, instead of `budget.run` in the settings: USD, '$2.50',
            '500k tokens'.
        offline : take the copies of S3 objects that are here, and ask nobody whether they changed.
        stop : set it to end the run after what is in flight.
        tests : run the data tests of the selected nodes, too, each after the last node it reads;
            what follows from a node whose test fails is skipped.
        store_failures : keep the failing rows of tests in the schema lupom_failures.

        Raises
        ------
        SourceError : when a source that the selection reads is not there or cannot be fetched.
        StateError : when another run holds the project.
        UsageError : for a budget of money where the price of an LLM to be asked is unknown.
        """
        from lupom.engine.run.artifacts import write_artifacts
        from lupom.engine.run.builder import Options
        from lupom.engine.run.session import run_session, stale

        begun = time.monotonic()
        self.store.check()
        self._hear(reporter, stop)
        options = Options(
            threads=threads or self.files.target.threads,
            full_refresh=full_refresh,
            fail_fast=fail_fast,
            no_llm=no_llm,
            retry_invalid=retry_invalid,
            budget=None if budget is None else str(budget),
            store_failures=store_failures,
        )
        if options.budget is not None:
            read_limit(options.budget)
        context = self.context
        selected = selection.with_seeds(
            context, self.chosen(select, exclude) if tests else self.select(select, exclude)
        )
        wanted: list[Node] = []
        if tests:
            wanted = selection.buildable_tests(context, select, exclude, selected)
        readers = [*(self.nodes[name] for name in selected), *wanted]
        selection.check_sources(context, readers, offline=offline)
        if not wanted and not stale(context, selected, options).doing():
            built = [n for n in selected if not self.nodes[n].materialization.inlined]
            result = RunResult(None, "success", [], len(built), time.monotonic() - begun)
            write_artifacts(context, result, "build" if tests else "run", {})
            return result
        flags = {"select": words(select), "exclude": words(exclude), "vars": self.given_vars}
        command = "build" if tests else "run"
        return run_session(context, selected, options, flags, command=command, tests=wanted)

    def test(
        self,
        select: Names = None,
        exclude: Names = None,
        *,
        store_failures: bool = False,
        fail_fast: bool = False,
        reporter: Reporter | None = None,
        stop: threading.Event | None = None,
    ) -> RunResult:
        """Run data tests against what stands in the store; nothing is built.

        The result's nodes are the tests, with status 'pass', 'warn', 'fail' or 'error'; its own
        status is 'error' when one of them failed. `store_failures` keeps failing rows in the schema
        lupom_failures.

        Raises StateError when a run holds the project.
        """
        from lupom.engine.run.builder import Options
        from lupom.engine.run.session import run_session

        self._hear(reporter, stop)
        wanted = [self.tests[name] for name in self.select_tests(select, exclude)]
        if not wanted:
            return RunResult(None, "success")
        selection.check_sources(self.context, wanted)
        if not self.store.exists and any(t.config["test"] != "unit" for t in wanted):
            raise StoreError(f"there is no store yet at {self.store.place}", hint="lupom run")
        flags = {"select": words(select), "exclude": words(exclude), "vars": self.given_vars}
        options = Options(store_failures=store_failures, fail_fast=fail_fast)
        return run_session(self.context, (), options, flags, command="test", tests=wanted)

    def _hear(self, reporter: Reporter | None, stop: threading.Event | None) -> None:
        """Report to somebody from now on: in a notebook, without a reporter, below its cell."""
        if reporter is None:
            from lupom.engine.run.notebook import Notebook, in_notebook

            reporter = Notebook() if in_notebook() else None
        if reporter is not None:
            self.context.reporter = reporter
            self.store.on_wait = reporter.note
        # What ended one run, an interrupt among it, ends no other.
        self.context.stop = threading.Event() if stop is None else stop

    def compile(self, select: Names = None, exclude: Names = None) -> dict[str, str]:
        """Return the SQL of the selected SQL and LLM models by name, as DuckDB gets it."""
        names = self.select(select, exclude)
        return {
            name: self.context.sql(self.nodes[name], shown=True)
            for name in names
            if self.nodes[name].language == "sql"
        }

    def explain(
        self, model: str, /, *values: object, truth: bool = False, **key: object
    ) -> Explanation:
        """Return where one answer of an LLM model comes from; nothing is asked.

        The row is named by values of key columns in any order, or by `column=value`. `truth` shows
        held-out tables, too. Printed, it is text. Raises UsageError where not one row fits.
        """
        from lupom.engine.run.explain import explain

        named = {name: str(value) for name, value in key.items()}
        return explain(self.context, model, [str(value) for value in values], named, truth=truth)

    def export(
        self,
        models: Names,
        form: str = "parquet",
        to: str | Path = "export",
        *,
        endpoint_url: str | None = None,
        spreadsheet_safe: bool = False,
    ) -> list[Written]:
        """Write built models to files MODEL.FORMAT in a folder or below s3://bucket/prefix.

        `form` is 'parquet', 'csv', 'jsonl', 'sav' or 'dta'; with `spreadsheet_safe` no text of a
        csv is taken for a formula by a spreadsheet. Raises UsageError for an unknown model or
        format, StoreError for one that is not built or a place that cannot be written.
        """
        from lupom.engine.run.export import export

        return list(
            export(
                self.context,
                words(models) or [],
                form,
                to,
                endpoint_url=endpoint_url,
                spreadsheet_safe=spreadsheet_safe,
            )
        )

    def clean(self) -> list[Path]:
        """Delete target/ (artifacts, caches); never the store or the ledger. Returns what went."""
        folder = self.files.target_folder
        if folder.resolve() in (self.files.root, *self.files.root.parents):
            raise UsageError(f"target_path is the project's own folder: {folder}")
        if not folder.is_dir():
            return []
        shutil.rmtree(folder)
        return [folder]

    def close(self) -> None:
        """Close the store and the ledger."""
        self.context.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
