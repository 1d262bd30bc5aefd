"""Variants of the persona network: named ways to fit it and to refine personas with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from lupom.science.bayes.completion import METHODS
from lupom.science.bayes.pruning import PRUNING, TESTS
from lupom.science.bayes.refinement import LEVELS, Settings, Threshold
from lupom.science.bayes.scores import Score
from lupom.science.inputs import arrow, columns_of
from lupom.science.names import DEFAULT, did_you_mean, names_of, of_survey

if TYPE_CHECKING:
    import pyarrow as pa

PerSurvey = str | Mapping[str, str]
# No variant: personas as the LLM inferred them.
NO_NETWORK = "none"
SEARCHES = ("hc", "tabu")


@dataclass(frozen=True)
class Variant:
    """One way to fit a persona network and to refine personas with it.

    Attributes
    ----------
    score, iss, parameter_iss, max_parents, level_order, required, forbidden, missing, tabu_length,
    restarts : of `PersonaNetwork.fit`; `search` is its `method`.
    prune, prune_alpha, prune_test, prune_correction : of the same.
    levels, reports, min_probability, min_fill, evidence_levels, iterations, sweeps : of
        `refinement.Settings`.
    relearn : whether each further iteration learns the structure anew, as in the published system.
    """

    score: str = "bds"
    iss: float = 10.0
    parameter_iss: float | None = None
    search: str = "tabu"
    tabu_length: int = 100
    restarts: int = 0
    max_parents: int | None = None
    level_order: bool = False
    required: Sequence[Sequence[str]] = ()
    forbidden: Sequence[Sequence[str]] = ()
    missing: str = "em"
    prune: str = "conditional"
    prune_alpha: float | None = 0.05
    prune_test: str = "chi2"
    prune_correction: str = "none"
    levels: Sequence[str] = ("mid", "high")
    reports: str = "noisy"
    min_probability: Threshold = None
    min_fill: Threshold = None
    evidence_levels: Sequence[str] | None = None
    iterations: int = 1
    relearn: bool = False
    sweeps: int = 40

    def __post_init__(self) -> None:
        Score(self.score, self.iss)
        _ = self.prior
        for name, known in _WORDS.items():
            word = getattr(self, name)
            if word not in known:
                raise ValueError(
                    f"unknown {name} {word!r}; known are {', '.join(known)}"
                    f"{did_you_mean(word, known)}"
                )
        for name in ("required", "forbidden"):
            edges = tuple((str(parent), str(child)) for parent, child in getattr(self, name))
            object.__setattr__(self, name, edges)
        if self.relearn and self.reports == "noisy":
            raise ValueError("relearn goes with reports='facts', not with 'noisy'")
        Settings(**self.refining())

    @property
    def prior(self) -> Score:
        """Return the score whose prior the tables have."""
        if self.parameter_iss is None:
            return Score(self.score, self.iss)
        return Score("bdeu", self.parameter_iss)

    def fitting(self) -> dict[str, Any]:
        """Return the settings of `PersonaNetwork.fit`, constraints left out."""
        return {
            "method": self.search,
            **{name: getattr(self, name) for name in _FITTING},
        }

    def refining(self) -> dict[str, Any]:
        """Return the settings of `PersonaNetwork.refine`."""
        return {name: getattr(self, name) for name in _REFINING}


_FITTING = (
    *("score", "iss", "parameter_iss", "tabu_length", "restarts", "max_parents", "level_order"),
    *("missing", "prune", "prune_alpha", "prune_test", "prune_correction"),
)
_REFINING = (
    *("levels", "reports", "min_probability", "min_fill", "evidence_levels"),
    *("iterations", "sweeps"),
)
_WORDS = {
    "search": SEARCHES,
    "missing": METHODS,
    "prune": PRUNING,
    "prune_test": TESTS,
    "prune_correction": ("none", "bonferroni"),
}
_FIELDS = tuple(field.name for field in fields(Variant))


def score_of(setting: PerSurvey, survey: str) -> str:
    """Return the score of a survey.

    Parameters
    ----------
    setting : one name for all, or names by survey (see `names.names_of`); 'default' stands for the
        surveys not named.

    Raises
    ------
    ValueError : when the survey is not named and there is no default.
    """
    if not isinstance(setting, str | Mapping):
        raise ValueError(
            f"a network has one score, got {setting!r}; for several networks name rows of "
            "seeds/networks.csv in the var networks"
        )
    found = of_survey(setting, survey)
    if found is None:
        raise ValueError(
            f"no score is set for survey {survey!r}, only for "
            f"{', '.join(map(repr, sorted(setting)))}; add it, or 'default' for all others"
        )
    return str(found)


def persona_networks(
    rows: Sequence[Mapping[str, Any]],
    surveys: Iterable[str],
    asked: Any = None,
    *,
    chosen: PerSurvey = DEFAULT,
    more: Iterable[str] = (),
    score: PerSurvey = "bds",
    base: Variant | None = None,
) -> pa.Table:
    """Return the variants that are fitted in this run.

    Of every survey that is the chosen one, those named besides, and those that prediction settings
    ask for.

    Parameters
    ----------
    rows : survey (see `names.names_of`), network (the variant's name) and fields of Variant; a
        field that is null or blank is the base's. A row of survey 'default' holds where a survey
        has none of its own.
    surveys : names.
    asked : table of prediction settings: network where there is such a column, null or blank for
        the chosen one and 'none' for none; what shows neither persona (`persona` 'none') nor
        neighbours ('none') needs none.
    chosen : the variant that is used where nothing else is said, or that of each survey.
    more : variants to fit besides.
    score : of the base, or of each survey.

    Returns
    -------
    Table: survey, network, is_default, and the fields of Variant.

    Raises
    ------
    ValueError : for a row that cannot be meant, two rows of one name, and a name without a row.
    """
    import pyarrow as pa

    names = [str(name) for name in ([more] if isinstance(more, str) else more)]
    for row in [] if asked is None else arrow(asked).to_pylist():
        name = _text(row.get("network"))
        shows = {_text(row.get("persona")) or "none", _text(row.get("neighbours")) or "none"}
        if name and name.lower() != NO_NETWORK and shows != {"none"}:
            names.append(name)
    out = []
    for survey in sorted(surveys):
        first = str(of_survey(chosen, survey) or DEFAULT)
        usual = replace(base or Variant(), score=score_of(score, survey))
        for place, name in enumerate(dict.fromkeys([first, *names])):
            variant = _pick(rows, survey, name, usual)
            cells = {field: getattr(variant, field) for field in _FIELDS}
            for field in ("min_probability", "min_fill"):
                cells[field] = _by_level(cells[field])
            out.append({"survey": survey, "network": name, "is_default": not place, **cells})
    return pa.Table.from_pylist(out, schema=_schema())


def variants_of(networks: Any) -> dict[str, dict[str, Variant]]:
    """Return the variants of `persona_networks` by survey and name, the default first."""
    table = columns_of(networks, tuple(_schema().names))
    out: dict[str, dict[str, Variant]] = {}
    rows = table.to_pylist(maps_as_pydicts="strict")
    for row in sorted(rows, key=lambda row: (row["survey"], not row["is_default"])):
        given = {name: row[name] for name in _FIELDS}
        out.setdefault(row["survey"], {})[row["network"]] = Variant(**given)
    return out


def _pick(rows: Sequence[Mapping[str, Any]], survey: str, name: str, usual: Variant) -> Variant:
    if name == NO_NETWORK:
        raise ValueError(
            "the persona network 'none' cannot be fitted: it stands for personas as the LLM "
            "inferred them, in a row of seeds/settings.csv"
        )
    names = names_of(survey)
    mine = [(_text(row.get("survey")) or DEFAULT, row) for row in rows]
    mine = [(of, row) for of, row in mine if of in names]
    for of in names:
        found = [row for its, row in mine if its == of and _text(row.get("network")) == name]
        if len(found) > 1:
            raise ValueError(f"network {name!r} of survey {of!r} has two rows")
        if found:
            try:
                return replace(usual, **_given(found[0]))
            except ValueError as error:
                raise ValueError(f"network {name!r} of survey {of!r}: {error}") from None
    known = sorted({_text(row.get("network")) for _, row in mine})
    raise ValueError(
        f"there is no network {name!r} for survey {survey!r}; "
        f"known are {', '.join(known) or 'none'}{did_you_mean(name, known)}"
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _given(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a row that are not blank, read from text."""
    out: dict[str, Any] = {}
    for name, read in _READERS.items():
        text = _text(row.get(name))
        if text and text.lower() != "nan":
            try:
                out[name] = read(text)
            except ValueError:
                raise ValueError(f"{name} cannot be {text!r}; {_MEANT[read]}") from None
    return out


def _whole(text: str) -> int:
    number = float(text)
    if number != int(number):
        raise ValueError(text)
    return int(number)


def _or_none(text: str) -> float | None:
    return None if text.lower() == "none" else float(text)


def _whole_or_none(text: str) -> int | None:
    return None if text.lower() == "none" else _whole(text)


def _yes(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _levels(text: str) -> tuple[str, ...]:
    return tuple(re.split(r"[\s,]+", text))


def _levels_or_all(text: str) -> tuple[str, ...] | None:
    return None if text.lower() == "all" else _levels(text)


def _threshold(text: str) -> Threshold:
    if "=" not in text:
        return float(text)
    pairs = (part.partition("=") for part in re.split(r"[\s,]+", text))
    return {level: float(number) for level, _, number in pairs}


_READERS: dict[str, Any] = {
    "score": str,
    "iss": float,
    "parameter_iss": _or_none,
    "search": str,
    "max_parents": _whole_or_none,
    "missing": str,
    "prune": str,
    "prune_alpha": _or_none,
    "prune_test": str,
    "levels": _levels,
    "reports": str,
    "min_probability": _threshold,
    "min_fill": _threshold,
    "evidence_levels": _levels_or_all,
    "iterations": _whole,
    "relearn": _yes,
}
_MEANT: dict[Any, str] = {
    float: "it is a number",
    _or_none: "it is a number or none",
    _whole: "it is a whole number",
    _whole_or_none: "it is a whole number or none",
    _yes: "it is true or false",
    _threshold: "it is a number, or one by level such as mid=0.6 high=0.9",
}


def _by_level(threshold: Threshold) -> dict[str, float] | None:
    if threshold is None:
        return None
    if isinstance(threshold, Mapping):
        return {str(level): float(value) for level, value in threshold.items()}
    return dict.fromkeys(LEVELS, float(threshold))


def _schema() -> pa.Schema:
    import pyarrow as pa

    text, number, whole, words = pa.string(), pa.float64(), pa.int64(), pa.list_(pa.string())
    by_level = pa.map_(text, number)
    types = {
        "iss": number,
        "parameter_iss": number,
        "tabu_length": whole,
        "restarts": whole,
        "max_parents": whole,
        "level_order": pa.bool_(),
        "required": pa.list_(words),
        "forbidden": pa.list_(words),
        "prune_alpha": number,
        "levels": words,
        "min_probability": by_level,
        "min_fill": by_level,
        "evidence_levels": words,
        "iterations": whole,
        "relearn": pa.bool_(),
        "sweeps": whole,
    }
    key = [("survey", text), ("network", text), ("is_default", pa.bool_())]
    return pa.schema([*key, *((name, types.get(name, text)) for name in _FIELDS)])
