"""Which retrieval setting predicts best, found on answers that were hidden for the purpose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lupom.science.inputs import columns_of
from lupom.science.neighbours.people import Inputs, People
from lupom.science.neighbours.retrieval import Key, keyed, row_of, setting_fields, setting_of
from lupom.science.neighbours.settings import (
    ENCODINGS,
    NO_NETWORK,
    SIMILARITIES,
    TUNED,
    Setting,
)
from lupom.science.tables import stack, surveys

if TYPE_CHECKING:
    import pyarrow as pa

GRID: Mapping[str, Sequence[Any]] = {
    "similarity": SIMILARITIES,
    "encoding": ("onehot", "ordinal"),
    "certainty": (False, True),
    "k": (5, 10, 20, 40, 80, 150),
    "max_skew": (3, 10, None),
}
CRITERIA = ("accuracy", "nll")


def candidates(grid: Mapping[str, Sequence[Any]], base: Setting) -> list[Setting]:
    """Return the settings of a grid, the simplest first.

    Parameters
    ----------
    grid : values of some fields of Setting; what it leaves out is that of GRID, and a field of
        neither is the base's.
    base : the setting that the others differ from.

    A combination that says nothing new (ordinal or certain demographics, certain answers) or that
    is not possible is left out. Simpler is: demographics, persona, both, answers; one-hot;
    certainty left out; fewer neighbours; fewer dimensions.
    """
    unknown = sorted(set(grid) - (set(Setting.__dataclass_fields__) - {"demographics", "network"}))
    if unknown:
        raise ValueError(
            f"retrieval_search has no {unknown[0]!r}; it may have {', '.join(GRID)}, personas and "
            "demographic_weight"
        )
    whole = {**GRID, **grid}
    empty = [name for name, values in whole.items() if not values]
    if empty:
        raise ValueError(f"retrieval_search: {empty[0]!r} has no values to try")
    if TUNED in whole["similarity"]:
        raise ValueError("retrieval_search cannot try the similarity 'tuned'")
    found = []
    for values in product(*whole.values()):
        given = dict(zip(whole, values, strict=True))
        if base.network == NO_NETWORK:
            # Nothing is refined, and no value has a probability.
            if given["certainty"] or given.get("personas") == "refined":
                continue
            given["personas"] = "raw"
        if given["similarity"] == "demographics" and given["encoding"] == "ordinal":
            continue
        doubtful = given["similarity"].startswith("persona") and given["encoding"] != "embedding"
        if given["certainty"] and not doubtful:
            continue
        setting = replace(base, **given)
        if setting.has_demographics and not setting.demographics:
            continue
        found.append(setting)
    return sorted(found, key=_simplicity)


def _simplicity(setting: Setting) -> tuple[Any, ...]:
    order = ("demographics", "persona", "persona_demographics", "answers")
    return (
        order.index(setting.similarity),
        ENCODINGS.index(setting.encoding),
        setting.certainty,
        setting.k,
        np.inf if setting.max_skew is None else setting.max_skew,
        setting.personas,
        setting.demographic_weight,
    )


def search_settings(
    inputs: Inputs,
    pairs: Any,
    settings: Any,
    *,
    networks: Any = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    criterion: str = "accuracy",
) -> pa.Table:
    """Score every setting of a grid by how well neighbours predict hidden answers.

    A prediction is the neighbours' most common known answer, of equals the nearest's, and the
    reference respondents' most common where no neighbour answered. Its probabilities are the
    neighbours' shares with one answer added at the reference respondents' shares. Where persona
    values are among the candidates and there are any, only respondents whose persona was to be
    inferred are scored, so that all candidates stand on the same pairs. New respondents and new
    questions have no part in it.

    Parameters
    ----------
    inputs : the tables; the answers to the pairs must not be among `known`.
    pairs : survey, respondent_id, question_id, answer: tuning pairs of reference respondents.
    settings : those in use, which candidates differ from: the table of `retrieval_settings`, or
        one for each survey. Of the table the default of each survey and those that are 'tuned'.
    networks : table: survey, network, is_default. Where the default setting compares nothing that a
        network refined, candidates that do compare it by the survey's default network.
    grid : see `candidates`.
    criterion : 'accuracy' (largest) or 'nll' (smallest) decides; of equals the simplest.

    Returns
    -------
    Table of `search_schema` after survey: a row per setting in use and candidate; `chosen` marks
    one of each setting in use. A survey without a pair to score has no rows.

    Raises
    ------
    ValueError : when the answer to a pair is known: scoring it would be reading it.
    """
    if criterion not in CRITERIA:
        raise ValueError(f"unknown criterion {criterion!r}; known are {', '.join(CRITERIA)}")
    parts = {}
    answers = _by_survey(pairs)
    searched = _searched(settings, networks)
    for survey, people in inputs.people():
        rows = []
        for key, setting in searched.get(survey, {}).items():
            options = candidates(grid or {}, _plain(setting))
            scored = _scored(survey, people, answers.get(survey), options)
            sign = -1.0 if criterion == "accuracy" else 1.0
            order = sorted(range(len(scored)), key=lambda i: (sign * scored[i][criterion], i))
            for i, row in enumerate(scored):
                rows.append({**row, **key._asdict(), "chosen": i == order[0]})
        if rows:
            parts[survey] = _table(rows, search_schema())
    return stack(parts, search_schema())


def _searched(settings: Any, networks: Any) -> dict[str, dict[Key, Setting]]:
    """Return what is searched for: each survey's default setting, and the tuned ones."""
    usual: dict[str, str] = {}
    if networks is not None:
        rows = columns_of(networks, ("survey", "network", "is_default")).to_pylist()
        usual = {row["survey"]: row["network"] for row in rows if row["is_default"]}
    out: dict[str, dict[Key, Setting]] = {}
    for survey, of in keyed(settings).items():
        for place, (key, setting) in enumerate(of.items()):
            if not place and setting.network == NO_NETWORK:
                setting = replace(setting, network=usual.get(survey, NO_NETWORK))
            if not place or setting.similarity == TUNED:
                out.setdefault(survey, {})[key] = setting
    return out


def tuned_settings(
    settings: Mapping[str, Setting], search: Any, default: Setting | None = None
) -> dict[str, Setting]:
    """Return the settings with those that are 'tuned' replaced by what the search chose.

    Parameters
    ----------
    settings : of each survey.
    search : table of `search_settings`.
    default : in place of a tuned one where the search had nothing to choose on; an error if None.
    """
    found = tuned(settings, search, default)
    return {survey: next(iter(of.values())) for survey, of in found.items()}


def tuned(
    settings: Any, search: Any, default: Setting | None = None
) -> dict[str, dict[Key, Setting]]:
    """Return what `retrieval.keyed` does, tuned settings replaced; see `tuned_settings`."""
    chosen = _chosen(search)
    out: dict[str, dict[Key, Setting]] = {}
    for survey, of in keyed(settings).items():
        for key, setting in of.items():
            found = setting
            if setting.similarity == TUNED:
                found = chosen.get((survey, key), default or setting)
            if found.similarity == TUNED:
                raise ValueError(
                    f"survey {survey!r} has no tuning pair to choose a retrieval setting on; raise "
                    "the var tuning_pairs or llm_reference_respondents, or choose another retrieval"
                )
            out.setdefault(survey, {})[key] = found
    return out


def _chosen(search: Any) -> dict[tuple[str, Key], Setting]:
    """Return what a search chose, by survey and the setting in use."""
    table = columns_of(search, ("survey", "retrieval", "chosen", *Setting.__dataclass_fields__))
    return {
        (row["survey"], Key(row["retrieval"], row["network"])): setting_of(row)
        for row in table.to_pylist()
        if row["chosen"]
    }


def tuned_on_test(
    inputs: Inputs,
    pairs: Any,
    settings: Any,
    search: Any,
    *,
    networks: Any = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    criterion: str = "accuracy",
) -> pa.Table:
    """Return how well settings do on test pairs, by what they were chosen on.

    'test' is the best setting of the grid on the very pairs it is scored on, as in the published
    system: its figure is too good, since the best of many noisy figures is. 'tuning' is what the
    search chose without them, 'fixed' the setting in use where that is not tuned.

    Parameters
    ----------
    inputs, settings, networks, grid, criterion : as for `search_settings`.
    pairs : test pairs with their answers.
    search : what `search_settings` found on tuning pairs.

    Returns
    -------
    Table of `search_schema` with chosen_on and optimistic in place of chosen.
    """
    best = search_settings(
        inputs, pairs, settings, networks=networks, grid=grid, criterion=criterion
    )
    found = _chosen(search)
    tried: dict[tuple[str, Key], list[dict[str, Any]]] = {}
    for row in best.to_pylist():
        tried.setdefault((row["survey"], Key(row["retrieval"], row["network"])), []).append(row)
    answers = _by_survey(pairs)
    searched = _searched(settings, networks)
    parts = {}
    for survey, people in inputs.people():
        rows = []
        for key, own in searched.get(survey, {}).items():
            grid_rows = tried.get((survey, key), [])
            top = next((row for row in grid_rows if row["chosen"]), None)
            if top is None:
                continue
            rows.append({**top, "chosen_on": "test", "optimistic": True})
            known = {setting_of(row): row for row in grid_rows}
            others = {"tuning": found.get((survey, key)), "fixed": own}
            whole = candidates(grid or {}, _plain(own))
            for name, setting in others.items():
                if setting is not None and setting.similarity != TUNED:
                    setting = replace(setting, similarity=people.compared_by(setting))
                    # The same pairs as for the grid, whatever this one compares.
                    scored = (
                        [known[setting]]
                        if setting in known
                        else _scored(
                            survey, people, answers.get(survey), [setting], alongside=whole
                        )
                    )
                    more = {"chosen_on": name, "optimistic": False, **key._asdict()}
                    rows += [{**row, **more} for row in scored]
        if rows:
            parts[survey] = _table(rows, tested_schema())
    return stack(parts, tested_schema())


def _plain(setting: Setting) -> Setting:
    return setting if setting.similarity != TUNED else replace(setting, similarity="persona")


def _by_survey(pairs: Any) -> dict[str, pa.Table]:
    table = columns_of(pairs, ("survey", "respondent_id", "question_id", "answer"))
    return {survey: rows for survey, (rows,) in surveys(table)}


def _scored(
    survey: str,
    people: People,
    pairs: pa.Table | None,
    options: Sequence[Setting],
    alongside: Iterable[Setting] = (),
) -> list[dict[str, Any]]:
    """Return the score of each setting that can be used, as rows of the search."""
    if pairs is None:
        return []
    usable = [s for s in options if _possible(s, people)]
    by_persona = any(s.has_persona and _possible(s, people) for s in (*options, *alongside))
    truth = _truth(survey, people, pairs, people.with_persona if by_persona else ~people.new)
    if truth is None:
        return []
    rows, columns, gold, prior = truth
    asked, of = np.unique(rows, return_inverse=True)
    near_of: dict[Setting, NDArray[np.int64]] = {}
    most = max((s.k for s in usable), default=1)
    out = []
    for setting in usable:
        widest = replace(setting, k=most)
        if widest not in near_of:
            # Settings come by k before skew; all of one similarity are held, and no more.
            if near_of and next(iter(near_of)).similarity != setting.similarity:
                near_of.clear()
            near_of[widest] = people.nearest(widest, asked)[0]
        near = near_of[widest][of, : setting.k]
        row = _score(near, people.answers.codes, columns, gold, prior)
        out.append({**row_of(setting), **row, "respondents": len(asked)})
    return out


def _possible(setting: Setting, people: People) -> bool:
    """Return whether a setting compares what it says in this survey, and not what serves."""
    if setting.has_persona and not people.has_personas(setting):
        return False
    return not setting.has_demographics or bool(setting.demographics)


def _truth(
    survey: str, people: People, pairs: pa.Table, mask: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]] | None:
    """Return row, column and answer code of each pair, and the reference shares of its question."""
    known = people.answers
    column_of = {q: j for j, q in enumerate(known.ids)}
    table = pairs.sort_by([("respondent_id", "ascending"), ("question_id", "ascending")])
    rows, columns, gold = [], [], []
    for pair in table.to_pylist():
        row = people.row_of.get(str(pair["respondent_id"]))
        column = column_of.get(pair["question_id"])
        if row is None or column is None or not mask[row]:
            continue
        if known.codes[row, column] >= 0:
            raise ValueError(
                f"{survey}: the answer of respondent {pair['respondent_id']} to "
                f"{pair['question_id']} is to be predicted and is among the known ones; hide it"
            )
        words = known.words[column]
        rows.append(row)
        columns.append(column)
        # An answer that nobody else gave is none the neighbours can give.
        gold.append(words.index(pair["answer"]) if pair["answer"] in words else -1)
    if not rows:
        return None
    width = max(map(len, known.words))
    shares = np.zeros((len(known.words), width))
    for j in np.unique(columns).tolist():
        given = known.codes[people.reference, j]
        counts = np.bincount(given[given >= 0], minlength=len(known.words[j])) + 1.0
        shares[j, : len(counts)] = counts / counts.sum()
    return np.array(rows), np.array(columns), np.array(gold), shares[np.array(columns)]


def _score(
    near: NDArray[np.int64],
    answers: NDArray[Any],
    columns: NDArray[Any],
    gold: NDArray[Any],
    prior: NDArray[Any],
) -> dict[str, Any]:
    """Return accuracy, nll and the share of pairs with a vote, of pairs with (P, k) neighbours."""
    n, k = near.shape
    width = prior.shape[1]
    given = np.where(near >= 0, answers[near, columns[:, None]], -1)
    at, rank = np.nonzero(given >= 0)
    cell = at * width + given[at, rank]
    counts = np.bincount(cell, minlength=n * width).reshape(n, width)
    first = np.full(n * width, k, dtype=np.int64)
    np.minimum.at(first, cell, rank)
    order = counts * (k + 1) + (k - first.reshape(n, width))
    total = counts.sum(axis=1)
    best = np.where(total > 0, order.argmax(axis=1), prior.argmax(axis=1))
    probability = (counts + prior) / (total[:, None] + 1.0)
    of_gold = np.where(gold >= 0, probability[np.arange(n), np.maximum(gold, 0)], 0.0)
    accuracy = float((best == gold).mean())
    return {
        "pairs": n,
        "voted": float((total > 0).mean()),
        "accuracy": accuracy,
        "standard_error": float(np.sqrt(accuracy * (1 - accuracy) / n)),
        # Rounded, so that the last digits of a sum do not decide between equals.
        "nll": round(float(-np.log(np.maximum(of_gold, 1e-12)).mean()), 12),
    }


def _table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pylist([{n: r[n] for n in schema.names} for r in rows], schema=schema)


def search_schema() -> pa.Schema:
    """Return the columns of the search's table beside survey."""
    import pyarrow as pa

    return pa.schema([*_key_fields(), *_scored_fields(), ("chosen", pa.bool_())])


def tested_schema() -> pa.Schema:
    """Return the columns of `tuned_on_test` beside survey."""
    import pyarrow as pa

    fields = [("chosen_on", pa.string()), ("optimistic", pa.bool_())]
    return pa.schema([*_key_fields(), *fields, *_scored_fields()])


def _key_fields() -> list[tuple[str, Any]]:
    import pyarrow as pa

    return [(name, pa.string()) for name in Key._fields]


def _scored_fields() -> list[tuple[str, Any]]:
    import pyarrow as pa

    return [
        *setting_fields(),
        ("pairs", pa.int64()),
        ("respondents", pa.int64()),
        ("voted", pa.float64()),
        ("accuracy", pa.float64()),
        ("standard_error", pa.float64()),
        ("nll", pa.float64()),
    ]
