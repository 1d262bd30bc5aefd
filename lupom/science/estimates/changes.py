"""Two waves, or two surveys, side by side: the questions they share and how answers differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.estimates import intervals
from lupom.science.inputs import arrow, require
from lupom.science.significance import benjamini_hochberg, student

MATCHES = pa.schema(
    [
        ("survey", pa.string()),
        ("question_id", pa.string()),
        ("other_survey", pa.string()),
        ("other_question_id", pa.string()),
        ("match", pa.string()),
        ("similarity", pa.float64()),
        ("comparable", pa.bool_()),
        ("why_not", pa.string()),
        ("same_scale", pa.bool_()),
    ]
)
CHANGES = pa.schema(
    [
        ("survey", pa.string()),
        ("question_id", pa.string()),
        ("other_survey", pa.string()),
        ("other_question_id", pa.string()),
        ("match", pa.string()),
        ("statistic", pa.string()),
        ("option", pa.string()),
        ("attribute", pa.string()),
        ("group", pa.string()),
        ("estimate", pa.float64()),
        ("other_estimate", pa.float64()),
        ("change", pa.float64()),
        ("std_error", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("p", pa.float64()),
        ("p_bh", pa.float64()),
        ("same_people", pa.int64()),
    ]
)
# Cosine of two wordings' counts of three to five letters in a row, above which they are close: the
# same question in American and British spelling has .93, two items of one battery .85 to .88.
CLOSE = 0.92


def question_matches(questions: Any, surveys: Sequence[str]) -> pa.Table:
    """Return which questions of one survey are in another, by wording and options.

    Parameters
    ----------
    questions : survey, question_id, question (the full wording), options, kind, and ordinal
        (positions on a scale, or null).
    surveys : in order; each is compared with those after it.

    Returns
    -------
    A row for each question that another survey has, at most one of each: match is 'wording' where
    the words are the same (letters and digits, whatever the case), 'close' where they nearly are
    (similarity, from 0 to 1). comparable : whether options are the same, too; else why_not. A close
    one is not compared: look at it, and give both the same wording if they are the same.
    same_scale : whether options have the same positions; where not, means are not compared.

    Raises ValueError for a missing column.
    """
    table = arrow(questions)
    require(table, ("survey", "question_id", "question", "options", "kind"), "questions")
    by_survey: dict[str, list[dict[str, Any]]] = {name: [] for name in surveys}
    for row in table.sort_by("question_id").to_pylist():
        by_survey.setdefault(row["survey"], []).append(row)
    rows: list[dict[str, Any]] = []
    for first, second in combinations(surveys, 2):
        rows += _matches(first, by_survey[first], second, by_survey[second])
    return pa.Table.from_pylist(rows, schema=MATCHES)


def _matches(
    first: str, one: list[dict[str, Any]], second: str, other: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    words: dict[str, dict[str, Any]] = {}
    for row in other:
        words.setdefault(_words(row["question"]), row)
    left: list[dict[str, Any]] = []
    used: set[str] = set()
    for row in one:
        found = words.get(_words(row["question"]))
        if found is None or found["question_id"] in used:
            left.append(row)
            continue
        used.add(found["question_id"])
        yield _match(first, row, second, found, "wording", 1.0)
    rest = [row for row in other if row["question_id"] not in used]
    near = _cosines([r["question"] for r in left], [r["question"] for r in rest])
    # The nearest pairs first, each question once.
    order = np.dstack(np.unravel_index(np.argsort(-near, axis=None, kind="stable"), near.shape))
    taken: tuple[set[int], set[int]] = (set(), set())
    for i, j in order.reshape(-1, 2).tolist():
        if near[i, j] < CLOSE:
            break
        if i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
            yield _match(first, left[i], second, rest[j], "close", float(near[i, j]))


def _match(
    first: str, row: dict[str, Any], second: str, other: dict[str, Any], match: str, near: float
) -> dict[str, Any]:
    why = _differs(row, other)
    if why is None and match == "close":
        why = "the wordings differ"
    return {
        "survey": first,
        "question_id": row["question_id"],
        "other_survey": second,
        "other_question_id": other["question_id"],
        "match": match,
        "similarity": near,
        "comparable": why is None,
        "why_not": why,
        "same_scale": _scale(row) == _scale(other),
    }


def _scale(row: dict[str, Any]) -> dict[str, Any]:
    """Return each option's position, by its words: one wave may list them the other way around."""
    options = row["options"] or ()
    return dict(zip(map(_words, options), row.get("ordinal") or (), strict=False))


def _differs(row: dict[str, Any], other: dict[str, Any]) -> str | None:
    numeric = [q["kind"] == "numeric" for q in (row, other)]
    if any(numeric):
        return None if all(numeric) else "one is answered by a number"
    options = [{_words(o) for o in q["options"] or ()} for q in (row, other)]
    if options[0] == options[1]:
        return None if options[0] else "answered in words"
    only = [sorted(a - b) for a, b in (options, options[::-1])]
    names = ("the first", "the other")
    told = [f"only {n}: {', '.join(o[:3])}" for n, o in zip(names, only, strict=True) if o]
    return f"options differ ({'; '.join(told)})"


def _words(text: str | None) -> str:
    return " ".join(re.findall(r"\w+", (text or "").casefold()))


def _cosines(one: list[str], other: list[str]) -> Any:
    if not one or not other:
        return np.zeros((len(one), len(other)))
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.preprocessing import normalize

    counter = CountVectorizer(analyzer="char_wb", ngram_range=(3, 5), preprocessor=_words)
    counts = normalize(counter.fit_transform([*one, *other]))
    return np.asarray((counts[: len(one)] @ counts[len(one) :].T).toarray())


def changes(
    estimates: Any,
    matches: Any,
    respondents: Any = None,
    *,
    level: float = 0.95,
) -> pa.Table:
    """Return how the recommended estimates of a question differ between two surveys.

    Parameters
    ----------
    estimates : as `estimates.estimates` returns them.
    matches : as `question_matches` returns them; those that are comparable count.
    respondents : survey, respondent_id, to see whether the same people answered both.

    Returns
    -------
    A row for each share and mean of everybody and of each group that both surveys have: change is
    the other survey's estimate less this one's, with its interval; p is two-sided, p_bh corrected
    for all comparisons of the two surveys (Benjamini and Hochberg 1995). Interval and p are null
    where no variance is known. The samples are taken as
    independent. In a panel they are not: same_people says how many answered both surveys, and the
    interval is then wider than it need be, since what stays the same in people cancels out.

    Raises ValueError for a missing column.
    """
    table, pairs = arrow(estimates), arrow(matches)
    require(
        table,
        ("survey", "question_id", "statistic", "recommended", "std_error", "degrees"),
        "estimates",
    )
    known: dict[tuple[Any, ...], dict[tuple[Any, ...], dict[str, Any]]] = {}
    for row in table.to_pylist():
        if row["recommended"] and row["against"] is None:
            key = (row["statistic"], _words(row["option"]), row["attribute"], row["group"])
            known.setdefault((row["survey"], row["question_id"]), {})[key] = row
    people: dict[str, set[str]] = {}
    if respondents is not None:
        held = arrow(respondents)
        for survey, person in zip(
            held["survey"].to_pylist(), held["respondent_id"].to_pylist(), strict=True
        ):
            people.setdefault(survey, set()).add(person)
    rows: list[dict[str, Any]] = []
    by_surveys: dict[tuple[str, str], list[int]] = {}
    for match in pairs.to_pylist():
        if not match["comparable"]:
            continue
        surveys = match["survey"], match["other_survey"]
        one = known.get((match["survey"], match["question_id"]), {})
        other = known.get((match["other_survey"], match["other_question_id"]), {})
        both = len(people.get(surveys[0], set()) & people.get(surveys[1], set()))
        for key in one:
            if key in other and (key[0] != "mean" or match["same_scale"]):
                by_surveys.setdefault(surveys, []).append(len(rows))
                rows.append(_change(match, one[key], other[key], level, both))
    for places in by_surveys.values():
        told = [i for i in places if rows[i]["p"] is not None]
        if told:
            corrected = benjamini_hochberg(np.array([rows[i]["p"] for i in told]))
            for i, p in zip(told, corrected, strict=True):
                rows[i]["p_bh"] = float(p)
    return pa.Table.from_pylist(rows, schema=CHANGES)


def _change(
    match: dict[str, Any], one: dict[str, Any], other: dict[str, Any], level: float, both: int
) -> dict[str, Any]:
    before, after = one["estimate"], other["estimate"]
    change = None if before is None or after is None else float(after - before)
    errors = one["std_error"], other["std_error"]
    error = None if None in errors else float(np.hypot(*errors))
    low = high = p = None
    # Of one sampling unit, or where all answered alike both times, no variance is known.
    if change is not None and error:
        degrees = _welch(errors, (one["degrees"], other["degrees"]))
        half = intervals.quantile(degrees, level) * error
        low, high = change - half, change + half
        p = student(change / error, degrees)
    names = ("survey", "question_id", "other_survey", "other_question_id", "match")
    return {
        **{name: match[name] for name in names},
        **{name: one[name] for name in ("statistic", "option", "attribute", "group")},
        "estimate": one["estimate"],
        "other_estimate": other["estimate"],
        "change": change,
        "std_error": error,
        "low": low,
        "high": high,
        "p": p,
        "p_bh": None,
        "same_people": both,
    }


def _welch(errors: tuple[float, float], degrees: tuple[float, float]) -> float:
    """Return the degrees of freedom of a difference (Welch 1947, Satterthwaite 1946).

    Eight sampling units know less of their variance than 1,000 people.
    """
    squares = [e**2 for e in errors]
    below = sum(s**2 / d for s, d in zip(squares, degrees, strict=True))
    return float(sum(squares) ** 2 / below) if below > 0 else float(min(degrees))
