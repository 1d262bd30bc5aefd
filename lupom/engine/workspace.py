"""A project opened: what the command line and a notebook work with."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lupom.engine.compiler.load import compile_project, identity_part
from lupom.engine.errors import StoreError, UsageError, did_you_mean
from lupom.engine.graph import Graph, check_guarded, select
from lupom.engine.hashes import FileHashes
from lupom.engine.project.discovery import read_project
from lupom.engine.project.nodes import Node
from lupom.engine.reading import Names, Reading, words
from lupom.engine.run.context import Context
from lupom.engine.run.deferral import deferrable, other_store
from lupom.engine.run.identities import Identities, asked_of, set_llms
from lupom.engine.run.plan import Plan, make_plan
from lupom.engine.run.results import Reporter, RunResult
from lupom.engine.run.spending import read_limit
from lupom.engine.sources.resolve import Sources
from lupom.engine.store.attached import check_path
from lupom.engine.store.contents import content_hash
from lupom.engine.store.duck import Store, TableRecord, relation_kinds

if TYPE_CHECKING:
    from lupom.engine.run.explanation import Explanation
    from lupom.engine.run.export import Written


class Project(Reading):
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
    ) -> None:
        start = None if folder is None else Path(folder)
        self.files = read_project(start, target=target, vars=vars)
        self._hashes = FileHashes(self.files.target_folder / "hashes.json")
        self.given_vars = dict(vars or {})
        self._state_folder = None if state is None else Path(state)
        self.nodes: dict[str, Node] = {}
        self.store = Store(self.files.store_path, self.files.target.store_wait)
        sources = Sources(self.files.sources, self.files.state_folder, self._hashes)
        self.store.attached = sources.attached
        self.context = Context(self.files, self.nodes, self.store, sources)
        self._defers_to = None if defer is None else other_store(self.files, self.store, defer)
        compiled = compile_project(
            self.files,
            self._hashes,
            lambda alias: self.context.llm_identity(alias),
            lambda alias: self.context.embedding_identity(alias),
            science=Path(__file__).parent.parent / "science",
        )
        self.warnings = compiled.warnings
        self._check_vars(vars or {}, compiled.used_vars | self.files.asked_vars)
        self.graph: Graph[Node] = Graph(compiled.nodes)
        check_guarded(self.graph, self.files.settings.guarded_tags)
        # Checked with everything else: a test of what does not exist is an error of any command.
        self._with_tests: Graph[Node] = (
            Graph([*compiled.nodes, *compiled.tests]) if compiled.tests else self.graph
        )
        self.tests: dict[str, Node] = {test.name: test for test in compiled.tests}
        self.nodes.update({node.name: node for node in compiled.nodes})
        self._hashes.save()

    @property
    def name(self) -> str:
        return self.files.settings.name

    def select(self, select_: Names = None, exclude: Names = None) -> tuple[str, ...]:
        """Return names of nodes in topological order; sources are never among them."""
        names = self._select(self.graph, select_, exclude)
        return tuple(name for name in names if self.nodes[name].resource != "source")

    def _select(self, graph: Graph[Node], select_: Names, exclude: Names = None) -> tuple[str, ...]:
        from lupom.engine.run.methods import default_selector, methods

        chosen = words(select_)
        if chosen is None and (default := default_selector(self.files.root)):
            chosen = [default]
        return select(graph, chosen, words(exclude), methods(self, self._state_folder))

    def select_tests(self, select_: Names = None, exclude: Names = None) -> tuple[str, ...]:
        """Return names of data tests: those selected by name, and those of any selected node.

        Excluded are those excluded by name, and those of any excluded node, as in dbt.
        """
        chosen = set(self._select(self._with_tests, select_))
        left_out = set(self._select(self._with_tests, exclude)) if exclude else set()
        return tuple(
            name
            for name, test in self.tests.items()
            if (name in chosen or chosen & set(test.parents))
            and name not in left_out
            and not left_out & set(test.parents)
        )

    def plan(
        self,
        select: Names = None,
        exclude: Names = None,
        *,
        full_refresh: bool = False,
        no_llm: bool = False,
        retry_invalid: bool = False,
        estimate: bool = True,
        offline: bool = False,
    ) -> Plan:
        """Say what a run of the same options would do and why; no call is made.

        With `estimate`, LLM nodes say how many of their rows are answered and what the rest costs.
        S3 is asked whether sources changed, unless `offline`.
        """
        selected = self._with_seeds(self.select(select, exclude))
        read = self._read_sources(self.nodes[name] for name in selected)
        self.context.sources.check(read, offline=offline)
        known = self._identities(frozenset(selected))
        plan = make_plan(
            self.graph,
            self.nodes,
            selected,
            known,
            full_refresh=full_refresh,
            no_llm=no_llm,
            quarantined=self.quarantined() if retry_invalid else frozenset(),
        )
        if estimate and not no_llm:
            from lupom.engine.run.estimate import estimate_calls

            estimate_calls(self.context, self.graph, plan, known, retry_invalid=retry_invalid)
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
        threads : nodes at a time; the target's setting by default.
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
        from lupom.engine.run.runner import Options

        begun = time.monotonic()
        check_path(self.store.path)
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
        selected = self._with_seeds(
            self.chosen(select, exclude) if tests else self.select(select, exclude)
        )
        wanted = self._buildable(select, exclude, selected) if tests else []
        self._check_sources(selected, wanted, offline=offline)
        if not wanted and not self._stale(selected, options).doing():
            built = [n for n in selected if self.nodes[n].materialized != "ephemeral"]
            result = RunResult(None, "success", [], len(built), time.monotonic() - begun)
            write_artifacts(self, result, "build" if tests else "run", {})
            return result
        from lupom.engine.run.session import run_session

        flags = {"select": words(select), "exclude": words(exclude), "vars": self.given_vars}
        command = "build" if tests else "run"
        return run_session(self, selected, options, flags, command=command, tests=wanted)

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
        from lupom.engine.run.runner import Options
        from lupom.engine.run.session import run_session

        self._hear(reporter, stop)
        wanted = [self.tests[name] for name in self.select_tests(select, exclude)]
        if not wanted:
            return RunResult(None, "success")
        self._check_sources((), wanted)
        if not self.store.exists and any(t.config["test"] != "unit" for t in wanted):
            raise StoreError(f"there is no store yet at {self.store.path}", hint="lupom run")
        flags = {"select": words(select), "exclude": words(exclude), "vars": self.given_vars}
        options = Options(store_failures=store_failures, fail_fast=fail_fast)
        return run_session(self, (), options, flags, command="test", tests=wanted)

    def _buildable(self, select_: Names, exclude: Names, selected: tuple[str, ...]) -> list[Node]:
        """Return the tests of a selection whose tables it builds, or stand already."""
        known = set(selected) | {name for name, record in self.records().items() if record.exists}
        return [
            test
            for test in (self.tests[name] for name in self.select_tests(select_, exclude))
            if test.config["test"] == "unit"
            or all(
                parent in known
                or self.nodes[parent].resource == "source"
                or self.nodes[parent].materialized == "ephemeral"
                for parent in test.parents
            )
        ]

    def _hear(self, reporter: Reporter | None, stop: threading.Event | None) -> None:
        """Report to somebody from now on: in a notebook, without a reporter, below its cell."""
        if reporter is None:
            from lupom.engine.run.notebook import Notebook, in_notebook

            reporter = Notebook() if in_notebook() else None
        if reporter is not None:
            self.context.reporter = reporter
            self.store.on_wait = reporter.note
        if stop is not None:
            self.context.stop = stop

    def chosen(self, select_: Names = None, exclude: Names = None) -> tuple[str, ...]:
        """Return the nodes of a selection that may name data tests as well, as `select` does."""
        names = self._select(self._with_tests, select_, exclude)
        return tuple(n for n in names if n in self.nodes and self.nodes[n].resource != "source")

    def _stale(self, selected: tuple[str, ...], options: Any) -> Plan:
        return make_plan(
            self.graph,
            self.nodes,
            selected,
            self._identities(frozenset(selected)),
            full_refresh=options.full_refresh,
            no_llm=options.no_llm,
            quarantined=self.quarantined() if options.retry_invalid else frozenset(),
        )

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
        return explain(self, model, [str(value) for value in values], named, truth=truth)

    def export(
        self,
        models: Names,
        form: str = "parquet",
        to: str | Path = "export",
        *,
        endpoint_url: str | None = None,
    ) -> list[Written]:
        """Write built models to files MODEL.FORMAT in a folder or below s3://bucket/prefix.

        `form` is 'parquet', 'csv', 'jsonl' or 'sav'. Raises UsageError for an unknown model or
        format, StoreError for one that is not built or a place that cannot be written.
        """
        from lupom.engine.run.export import export

        return list(export(self, words(models) or [], form, to, endpoint_url=endpoint_url))

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

    def _check_vars(self, given: Mapping[str, Any], used: set[str]) -> None:
        for name in sorted(self.files.declared_vars - used):
            hint = did_you_mean(name, used - self.files.declared_vars)
            if hint is not None:
                line = self.files.document.line(("vars", name))
                self.warnings.append(
                    f"lupom_project.yml:{line}: no model reads the var '{name}' ({hint})"
                )
        known = set(self.files.declared_vars) | used
        for name in given:
            if name not in known:
                raise UsageError(
                    f"--vars: nothing in this project reads a var '{name}'",
                    hint=did_you_mean(name, known),
                )

    def _with_seeds(self, selected: tuple[str, ...]) -> tuple[str, ...]:
        """Add the seeds that selected nodes read, directly or through ephemeral models."""
        wanted = set(selected)
        pending = list(selected)
        while pending:
            for parent in self.nodes[pending.pop()].parents:
                node = self.nodes[parent]
                if parent in wanted:
                    continue
                if node.resource == "seed":
                    wanted.add(parent)
                elif node.materialized == "ephemeral":
                    wanted.add(parent)
                    pending.append(parent)
        return self.graph.sort(wanted)

    def _check_sources(
        self, selected: tuple[str, ...], tests: Sequence[Node], *, offline: bool = False
    ) -> None:
        """Find out what the sources hold that nodes and tests read, and fetch what is new."""
        read = self._read_sources([*(self.nodes[name] for name in selected), *tests])
        note = self.context.reporter.note
        self.context.sources.check(read, offline=offline, fetch=True, note=note)

    def _read_sources(self, readers: Iterable[Node]) -> tuple[str, ...]:
        """Return the sources that nodes read, directly or through what keeps no rows."""
        found: dict[str, None] = {}
        pending = list(readers)
        seen = {node.name for node in pending}
        while pending:
            for parent in pending.pop().parents:
                node = self.nodes[parent]
                if node.resource == "source":
                    found[parent] = None
                elif node.materialized in ("view", "ephemeral") and parent not in seen:
                    seen.add(parent)
                    pending.append(node)
        return tuple(found)

    def _identities(self, current: frozenset[str]) -> Identities:
        with suppress(OSError):
            self._hashes.save()
        records = self.records()
        deferred: dict[str, str] = {}
        if self._defers_to is not None:
            deferred = deferrable(self.nodes, records, self._defers_to.records(), current)
            self.context.deferred = frozenset(deferred)
        return Identities(self.nodes, records, current, self._source_hash, deferred)

    def records(self) -> dict[str, TableRecord]:
        """Return what the store knows of its relations, by node.

        Models whose rows name the LLM take on the identity of those they were built with: a changed
        setting of one of them makes the model stale, and that of any other alias does not.
        """
        records = self.store.records()
        for name, record in records.items():
            node = self.nodes.get(name)
            if node is not None and node.config.get("llm_column"):
                known = self.files.settings.llms
                asked = [alias for alias in asked_of(record) if alias in known]
                identity = self.context.llm_identity
                set_llms(node, {alias: identity_part(identity, alias) for alias in asked})
        return records

    def _source_hash(self, name: str) -> str | None:
        """Return a source's identity; None when it is not there, or was never asked for."""
        if not self.context.sources.of_store(name):
            return self.context.sources.identity(name)
        if not self.store.exists:
            return None
        source, _ = self.files.sources[name]
        with self.store.hold(read_only=self.store.idle) as cursor:
            if source.identifier not in relation_kinds(cursor, source.schema):
                return None
            return content_hash(cursor, source.identifier, source.schema)[0]

    def quarantined(self) -> frozenset[str]:
        """Return the LLM models that have rows without a valid answer."""
        if not self.store.exists:
            return frozenset()
        with self.store.hold(read_only=self.store.idle) as cursor:
            rows = cursor.execute("select distinct node from lupom_meta.quarantine").fetchall()
        return frozenset(row[0] for row in rows)
