"""Metrics for each group of respondents, and the gaps between groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.blas import one_thread
from lupom.science.evaluation.bootstrap import Draws, Floats, Ints, intervals, rounded
from lupom.science.evaluation.measures import measures
from lupom.science.evaluation.sample import Bools, samples
from lupom.science.inputs import arrow, require
from lupom.science.names import check_attributes

GROUP_METRICS = pa.schema(
    [
        ("survey", pa.string()),
        ("scenario", pa.string()),
        ("pairs", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("attribute", pa.string()),
        ("group", pa.string()),
        ("measure", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("n", pa.int64()),
        ("respondents", pa.int64()),
    ]
)
# A group with fewer respondents says nothing that would hold up.
SMALLEST = 20
MISSING = "(not given)"


@one_thread()
def group_metrics(
    scores: Any,
    respondents: Any,
    *,
    attributes: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = 200,
    level: float = 0.95,
    smallest: int = SMALLEST,
) -> pa.Table:
    """Return every metric for each value of each attribute, and the gaps between them.

    Parameters
    ----------
    scores : a table as `scores.score` returns it.
    respondents : survey, respondent_id, attributes (map of text).
    attributes : those to look at; None is all.
    smallest : groups of fewer respondents are left out.

    Returns
    -------
    Rows with measure 'value', the metric in a group, and with measure 'gap', the difference between
    the groups with most and with least of it (group is null). A gap is positive even where groups
    are alike: read it by its interval's lower end, and by the size of the groups.

    Raises ValueError for a missing column.
    """
    known = attributes_of(respondents, attributes)
    rows: list[dict[str, Any]] = []
    for sample in samples(scores):
        words = (sample.survey, sample.scenario, sample.pairs)
        draws = Draws(len(sample.people), resamples, seed, words)
        traits = Traits(known.get(sample.survey, {}), sample.people)
        for attribute in traits.names if attributes is None else attributes:
            members = list(groups(traits, attribute, smallest))
            if len(members) < 2:
                continue
            own = [(group, mask, draws.of(mask)) for group, mask in members]
            for judged in sample.judged:
                head = {**sample.named(judged), "attribute": attribute}
                by_metric: dict[str, list[Floats]] = {}
                found: list[tuple[dict[str, Any], Floats]] = []
                for group, mask, some in own:
                    for name, (values, n) in measures(judged.of(mask), some).items():
                        by_metric.setdefault(name, []).append(values)
                        of = {"group": group, "measure": "value", "metric": name, "n": n}
                        found.append(({**of, "respondents": int(mask.sum())}, values))
                for name, of_groups in by_metric.items():
                    if len(of_groups) > 1:
                        gap = np.fmax.reduce(of_groups) - np.fmin.reduce(of_groups)
                        of = {"measure": "gap", "metric": name, "n": len(judged.person)}
                        found.append((of, gap))
                ends = intervals(np.array([values for _, values in found]), level)
                for (of, values), (low, high) in zip(found, ends, strict=True):
                    rows.append(
                        {**head, **of, "value": rounded(values[0]), "low": low, "high": high}
                    )
    return pa.Table.from_pylist(rows, schema=GROUP_METRICS)


class Traits:
    """The attributes of some people, each as codes that are made once, however often it is read."""

    def __init__(
        self, known: Mapping[str, Mapping[str, str | None]], people: Sequence[str]
    ) -> None:
        """Take what is known of a survey's respondents, and whom to tell of, in this order."""
        self.names = sorted({name for of in known.values() for name in of})
        self._of: list[Mapping[str, str | None]] = [known.get(person, {}) for person in people]
        self._made: dict[str, tuple[list[str], Ints]] = {}

    def codes(self, attribute: str) -> tuple[list[str], Ints]:
        """Return the values in their order, `MISSING` for what is not known, and each one's."""
        if attribute not in self._made:
            told = [of.get(attribute) for of in self._of]
            said = [MISSING if value is None else str(value) for value in told]
            values = sorted(set(said))
            place = {value: i for i, value in enumerate(values)}
            self._made[attribute] = values, np.array([place[v] for v in said], dtype=np.int64)
        return self._made[attribute]


def groups(traits: Traits, attribute: str, smallest: int) -> Iterator[tuple[str, Bools]]:
    """Yield each value of an attribute that enough people have, and who they are."""
    values, codes = traits.codes(attribute)
    for i, count in enumerate(np.bincount(codes, minlength=len(values))):
        if count >= smallest:
            yield values[i], codes == i


def attributes_of(
    respondents: Any, wanted: Sequence[str] | None = None
) -> dict[str, dict[str, dict[str, str]]]:
    """Return attributes by survey and respondent.

    Raises ValueError where one of those wanted is nobody's.
    """
    table = arrow(respondents)
    require(table, ("survey", "respondent_id", "attributes"), "respondents")
    if wanted is not None:
        check_attributes(table, wanted, "group_attributes")
    out: dict[str, dict[str, dict[str, str]]] = {}
    for survey, person, attributes in zip(
        table["survey"].to_pylist(),
        table["respondent_id"].to_pylist(),
        table["attributes"].to_pylist(),
        strict=True,
    ):
        out.setdefault(survey, {})[person] = dict(attributes or {})
    return out
