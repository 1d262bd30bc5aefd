"""Asks a sample of an LLM model's rows with another prompt, under the project's lock and budget."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LupomError, UsageError
from lupom.engine.llm.forecast import Forecast, Range
from lupom.engine.llm.prices import whole
from lupom.engine.project.nodes import Node
from lupom.engine.run.diff import checked, groups, stale_built, value_of
from lupom.engine.run.lock import run_lock
from lupom.engine.run.materializations.rows import Part, Prepared, prepare
from lupom.engine.run.publish import publish
from lupom.engine.run.spending import make_budget, taking
from lupom.version import __version__

if TYPE_CHECKING:
    from lupom.engine.run.context import Context

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """An answer that stands and what another prompt gives in its place; None is invalid."""

    key: Key
    before: Any
    after: Any

    @property
    def same(self) -> bool:
        return bool(self.before == self.after)


@dataclass(slots=True)
class Trial:
    """Another prompt on a sample of a model's rows.

    Attributes
    ----------
    asked, tokens, cost : calls made for the sample now (those in the ledger are not made again),
        their tokens and USD; None is "price unknown".
    rest : rows that are not asked with the new prompt yet; rest_tokens and rest_cost what they
        would take, calibrated on the sample.
    """

    model: str
    keys: list[str]
    pairs: list[Pair] = field(default_factory=list)
    asked: int = 0
    tokens: int | None = 0
    cost: float | None = 0.0
    rest: int = 0
    rest_tokens: Range = field(default_factory=Range)
    rest_cost: Range | None = None


def try_prompt(
    context: Context, name: str, prompt: Path, *, sample: int = 20, budget: str | None = None
) -> Trial:
    """Ask a sample of an LLM model's rows with another prompt.

    The sample is drawn by the hash of each row's key among the rows that have an answer, so that it
    is the same in each trial. Answers go to the ledger: when the prompt is adopted they are there.

    Raises UsageError for a model that asks no LLM or a prompt that is not there, BudgetError at the
    budget, LLMError when the LLM cannot be reached.
    """
    node = checked(context, name)
    if not node.materialization.needs_llm:
        raise UsageError(f"'{name}' asks no LLM: it has no prompt")
    if not prompt.is_file():
        raise UsageError(f"there is no prompt at {prompt}")
    with stale_built(context, node) as memory, memory.context.store.hold() as cursor:
        prepared = prepare(memory.context, node, cursor)
    standing = groups(context, node, list(prepared.keys))
    with _in_a_folder(prompt) as (folder, word):
        return _run_trial(context, node, prepared, standing, folder, word, sample, budget)


def _run_trial(
    context: Context,
    node: Node,
    prepared: Prepared,
    standing: Mapping[Key, Any],
    folder: Path,
    prompt: str,
    size: int,
    budget: str | None,
) -> Trial:
    """Ask the sample, and count what the other rows would take; see `try_prompt`."""
    from lupom.engine.llm.profiles import folders
    from lupom.engine.llm.prompts import Prompt

    if not standing:
        raise UsageError(f"'{node.name}' has no answers to compare with")
    files = context.files
    wordings = {
        # The project's own templates may be included, as the alias's profile has them.
        alias: replace(
            wording,
            prompt=Prompt(
                [folder, *folders(files.prompts, files.settings.llms[alias].profile)], prompt
            ),
        )
        for alias, wording in prepared.wordings.items()
    }
    prepared = replace(prepared, wordings=wordings)
    chosen = set(_drawn(list(standing), size))
    trial = Trial(node.name, list(prepared.keys))
    state = context.state
    with run_lock(context.files.state_folder) as claim:
        run_id = state.start_run(
            "diff",
            target=context.files.target_name,
            version=__version__,
            arguments={"select": [node.name], "prompt": prompt, "sample": size},
        )
        claim(run_id)
        context.gateway.budget = make_budget(context.files.settings.budget, budget, context)
        status = "error"
        try:
            for part in prepared.parts():
                _ask(context, node, prepared, part, chosen, standing, trial, run_id)
            status = "success"
        finally:
            context.gateway.budget = None
            state.finish_run(run_id, status)
            publish(context)
    _add_rest(context, node, prepared, trial)
    return trial


def _ask(
    context: Context,
    node: Node,
    prepared: Prepared,
    part: Part,
    chosen: set[Key],
    standing: Mapping[Key, Any],
    trial: Trial,
    run_id: str,
) -> None:
    for alias, places in part.by_alias().items():
        keys = {i: tuple(part.rows[i][k] for k in prepared.keys) for i in places}
        asked = [i for i in places if keys[i] in chosen]
        if not asked:
            continue
        answers = context.gateway.ask(
            alias, [part.calls[i] for i in asked], node=node.name, run_id=run_id
        )
        counted: set[str] = set()
        for i, answer in zip(asked, answers, strict=True):
            if answer is None:
                raise LupomError("the trial was stopped")
            after = value_of(prepared, part.responses[i], answer)
            trial.pairs.append(Pair(keys[i], standing[keys[i]], after))
            if not answer.cached and answer.key not in counted:
                counted.add(answer.key)
                trial.asked += 1
                taken = whole(answer.tokens_in, answer.tokens_out)
                trial.tokens = whole(trial.tokens, taken)
                known = trial.cost is not None and answer.cost is not None
                trial.cost = (trial.cost or 0.0) + (answer.cost or 0.0) if known else None


def _add_rest(context: Context, node: Node, prepared: Prepared, trial: Trial) -> None:
    rest = Forecast.none()
    for part in prepared.parts():
        for alias, places in part.by_alias().items():
            waiting = context.gateway.unanswered(alias, _calls(part, places))
            trial.rest += waiting.rows
            rest = rest + taking(context, node.name, waiting.calls)
    trial.rest_tokens, trial.rest_cost = rest.tokens, rest.cost


def _calls(part: Part, places: Sequence[int]) -> list[Any]:
    return [part.calls[i] for i in places]


def _drawn(keys: Sequence[Key], size: int) -> list[Key]:
    """Return a sample of keys that depends on the keys alone."""
    return sorted(keys, key=lambda key: hashlib.md5(repr(key).encode()).hexdigest())[:size]


@contextmanager
def _in_a_folder(prompt: Path) -> Iterator[tuple[Path, str]]:
    """Give a prompt a folder of its own, whatever its file is called and stands beside."""
    from lupom.engine.llm.prompts import SUFFIX

    with tempfile.TemporaryDirectory() as folder:
        name = prompt.name.removesuffix(SUFFIX)
        shutil.copy(prompt, Path(folder) / f"{name}{SUFFIX}")
        yield Path(folder), name
