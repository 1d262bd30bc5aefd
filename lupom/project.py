"""The public `Project`: the engine's, with what needs both the engine and science."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lupom.engine import workspace

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from lupom.engine.diagnosis import Check
    from lupom.engine.llm.worker import Served
    from lupom.engine.run.diff import Difference
    from lupom.engine.run.freshness import Measured
    from lupom.engine.run.results import Reporter, RunResult
    from lupom.engine.run.selection import Names
    from lupom.engine.run.tables import Table
    from lupom.engine.run.trial import Trial
    from lupom.engine.state.transfer import Transfer


class Project(workspace.Project):
    __doc__ = workspace.Project.__doc__

    def network(
        self,
        given: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        show: str | Sequence[str] = (),
        *,
        survey: str | None = None,
        network: str | None = None,
    ) -> Table:
        """Return how likely each value of persona dimensions is, given values of others.

        As `lupom network --given`. Parameters, columns and what is raised as for
        `lupom.networks.ask_network`.

        Examples
        --------
        >>> project.network({"Trust in science": "high"}, ["News"]).df()    # doctest: +SKIP
        """
        from lupom.networks import ask_network

        return ask_network(self.context, given, show, survey=survey, network=network)

    def write_network(
        self, form: str = "bif", *, survey: str | None = None, network: str | None = None
    ) -> str:
        """Return the persona network as BIF or XMLBIF text, as `lupom network --format bif`."""
        from lupom.networks import write_network

        return write_network(self.context, form, survey=survey, network=network)

    def estimate(
        self,
        question: str | None = None,
        *,
        by: str | None = None,
        survey: str | None = None,
        differences: bool = False,
        every: bool = False,
        note: Callable[[str], None] | None = None,
    ) -> Table:
        """Return estimated shares and means with their intervals, as `lupom estimate`.

        Parameters and what is raised as for `lupom.estimates.estimate`.

        Examples
        --------
        >>> project.estimate("natspac", by="SEX").df()    # doctest: +SKIP
        """
        from lupom.estimates import estimate

        return estimate(
            self.context,
            question,
            by=by,
            survey=survey,
            differences=differences,
            every=every,
            note=note,
        )

    def ask(
        self,
        *,
        survey: str | None = None,
        by: str | None = None,
        every: bool = False,
        note: Callable[[str], None] | None = None,
    ) -> Table:
        """Return which questions tell most of the others, as `lupom ask`.

        Parameters and what is raised as for `lupom.asking.ask`.

        Examples
        --------
        >>> project.ask().df()    # doctest: +SKIP
        """
        from lupom.asking import ask

        return ask(self.context, survey=survey, by=by, every=every, note=note)

    def predict(
        self,
        people: Any = None,
        *,
        attributes: Mapping[str, str] | None = None,
        answers: Mapping[str, str] | None = None,
        survey: str | None = None,
        questions: str | Collection[str] = (),
        every: bool = False,
        encoding: str | None = None,
        format: str | None = None,
        note: Callable[[str], None] | None = None,
    ) -> Table:
        """Return what the fitted predictors say of people who were not there, as `lupom predict`.

        Nothing is built. Parameters and what is raised as for `lupom.predicting.predict`.

        Examples
        --------
        >>> project.predict(attributes={"SEX": "Female"}, answers={"abany": "Yes"}).df()
        ...     # doctest: +SKIP
        """
        from lupom.predicting import predict

        return predict(
            self.context,
            people,
            attributes=attributes,
            answers=answers,
            survey=survey,
            questions=questions,
            every=every,
            encoding=encoding,
            format=format,
            note=note,
        )

    def next_questions(
        self,
        answers: Mapping[str, str],
        *,
        survey: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> Table:
        """Return the best questions to ask a person next, as `lupom ask --answer`.

        Parameters and what is raised as for `lupom.asking.next_questions`; `lupom.Interview` keeps
        a whole interview.

        Examples
        --------
        >>> project.next_questions({"abany": "Yes"}, attributes={"SEX": "Female"})  # doctest: +SKIP
        """
        from lupom.asking import next_questions

        return next_questions(self, answers, survey=survey, attributes=attributes)

    def diff(self, model: str, key: str | Sequence[str] | None = None) -> Difference:
        """Compare a model as it would be built now with what stands, as `lupom diff`.

        `key` names the columns that make a row the same row. Nothing is built and nothing asked.
        """
        from lupom.engine.run.diff import diff
        from lupom.names import several

        return diff(self.context, model, None if key is None else several(key, "key columns"))

    def try_prompt(
        self, model: str, prompt: str | Path, *, sample: int = 20, budget: str | None = None
    ) -> Trial:
        """Ask a sample of an LLM model's rows with another prompt, as `lupom diff --prompt`.

        `prompt` is a file. The answers are in the ledger afterwards: adopt the prompt, and they are
        not asked again.
        """
        from pathlib import Path

        from lupom.engine.run.trial import try_prompt

        return try_prompt(self.context, model, Path(prompt), sample=sample, budget=budget)

    def retry(
        self,
        *,
        budget: str | None = None,
        reporter: Reporter | None = None,
        stop: threading.Event | None = None,
    ) -> RunResult:
        """Do again what did not succeed in the last run, with its flags, as `lupom retry`.

        Quarantined rows are asked anew. Target and vars are those this project was opened with.
        Without anything to do again the result has no run_id. Raises UsageError when there has been
        no run yet.
        """
        from lupom.engine.run.results import RunResult
        from lupom.engine.run.retry import flags_of, last_run, to_retry

        last = last_run(self.files.root, self.files.target_name, self.given_vars)
        names = to_retry(self.context, last)
        if not names:
            return RunResult(None, "success")
        if last.command == "test":
            failures = bool(last.arguments.get("store_failures", False))
            return self.test(names, store_failures=failures, reporter=reporter, stop=stop)
        return self.run(names, reporter=reporter, stop=stop, **flags_of(last, budget))

    def report(self, path: str | Path | None = None) -> Path:
        """Write one page on how good the predictions are and return its path, as `lupom report`.

        Raises StoreError when the evaluation is not built yet.
        """
        from lupom.site.report import write_report

        with self.store.kept_open():
            return write_report(self, path)

    def validity_card(self, path: str | Path | None = None) -> Path:
        """Write the validity card, one page to print, and return it, as `lupom report --card`.

        Raises StoreError when the table `validity` is not built yet.
        """
        from lupom.site.card import write_card

        with self.store.kept_open():
            return write_card(self, path)

    def docs(self) -> Path:
        """Write the project's pages and return their index.html, as `lupom docs generate`."""
        from lupom.site import generate

        with self.store.kept_open():
            return generate(self)

    def work(
        self,
        *,
        concurrency: int | None = None,
        llms: str | Collection[str] = (),
        idle_exit: float | None = None,
        stop: threading.Event | None = None,
        note: Callable[[str], None] = lambda _text: None,
    ) -> Served:
        """Ask calls of runs that leave them to workers, as `lupom worker`.

        It returns when there was nothing to ask for `idle_exit` seconds (None: never), or after
        what is in flight once `stop` is set. Parameters and what is raised as for
        `lupom.engine.run.working.work`.
        """
        from lupom.engine.run.working import work
        from lupom.names import several

        return work(
            self.context,
            concurrency=concurrency,
            llms=several(llms, "llms"),
            idle_exit=idle_exit,
            stop=stop,
            note=note,
        )

    def merge_ledger(self, other: str | Path) -> Transfer:
        """Take in what another ledger has, as `lupom ledger merge`; the other stays as it is.

        `other` is a target of this project, another project's folder, a state.db or a URL. Raises
        UsageError where there is none, StateError where it cannot be opened.
        """
        from lupom.engine.run.ledgers import merge

        return merge(self.context, other)

    def export_ledger(self, path: str | Path) -> Transfer:
        """Write the ledger to a .parquet or .jsonl file, as `lupom ledger export`."""
        from pathlib import Path

        from lupom.engine.run.ledgers import export

        return export(self.context, Path(path))

    def import_ledger(self, path: str | Path) -> Transfer:
        """Take in what a file has that `export_ledger` wrote, as `lupom ledger import`.

        Rows that are not right are left out; the result says how many, and why the first were.
        """
        from pathlib import Path

        from lupom.engine.run.ledgers import import_

        return import_(self.context, Path(path))

    def freshness(self, select: Names = None, exclude: Names = None) -> list[Measured]:
        """Return how old the sources with a `freshness` are, as `lupom source freshness`."""
        from lupom.engine.run.freshness import measure
        from lupom.engine.run.selection import words

        return list(measure(self.context, words(select) or (), words(exclude) or ()))

    def diagnose(self) -> Iterator[Check]:
        """Yield checks of versions, project, store and LLMs, as `lupom debug`; LLMs are asked."""
        from lupom.engine.diagnosis import diagnose

        return diagnose(self.context)
