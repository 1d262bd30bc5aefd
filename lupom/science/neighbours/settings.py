"""How similar respondents are found, a setting for each survey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

SIMILARITIES = ("persona", "demographics", "persona_demographics", "answers")
ENCODINGS = ("onehot", "ordinal", "embedding")
PERSONAS = ("raw", "refined")
TUNED = "tuned"


@dataclass(frozen=True)
class Setting:
    """One way to find similar respondents.

    Attributes
    ----------
    similarity : what is compared: 'persona' values, 'demographics' (attributes), both, or known
        'answers'; 'tuned' stands for what the search found.
    encoding : 'onehot', 'ordinal' where values are in order (persona values and answers; attributes
        stay one-hot), or 'embedding' of the values as text, as published.
    personas : 'refined' by the network, or 'raw' as the LLM inferred them.
    certainty : whether a persona value counts by its probability.
    k : neighbours of each respondent.
    max_skew : the largest ratio of the most common to the second most common value a dimension may
        have; None drops none but those of a single value.
    demographics : attributes to compare, or 'all' of them.
    demographic_weight : of an attribute, that of a persona dimension being 1.
    """

    similarity: str = "persona_demographics"
    encoding: str = "onehot"
    personas: str = "refined"
    certainty: bool = False
    k: int = 20
    max_skew: float | None = 10.0
    demographics: Sequence[str] | str = ()
    demographic_weight: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.demographics, str):
            object.__setattr__(self, "demographics", tuple(self.demographics))
        elif self.demographics != "all":
            raise ValueError(f"demographics must be a list or 'all', got {self.demographics!r}")
        _one_of("similarity", self.similarity, (*SIMILARITIES, TUNED))
        _one_of("encoding", self.encoding, ENCODINGS)
        _one_of("personas", self.personas, PERSONAS)
        if self.k < 1:
            raise ValueError(f"k must be at least 1, got {self.k}")
        if self.max_skew is not None and not self.max_skew >= 1:
            raise ValueError(f"max_skew must be at least 1, got {self.max_skew}")
        if self.certainty and self.encoding == "embedding":
            raise ValueError("certainty weighs values; it cannot weigh the embedding of a text")

    @property
    def has_persona(self) -> bool:
        """Return whether persona values are compared."""
        return self.similarity.startswith("persona")

    @property
    def has_demographics(self) -> bool:
        """Return whether attributes are compared."""
        return self.similarity.endswith("demographics")


def _one_of(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        near = get_close_matches(str(value), known, 1)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown {name} {value!r}; known are {', '.join(known)}{guess}")


def settings_of(
    rows: Sequence[Mapping[str, Any]],
    surveys: Sequence[str],
    chosen: str | Mapping[str, str] = "default",
    default: Setting | None = None,
) -> dict[str, Setting]:
    """Return the setting of every survey.

    Parameters
    ----------
    rows : survey, retrieval (the row's name) and the fields of Setting; a field that is null or
        blank is the default's. A row of survey 'default' holds where a survey has none of its own.
    surveys : names; one with a dot, 'opinionqa.W34', also goes by what follows the dot.
    chosen : the retrieval that is used, or that of each survey, 'default' standing for the others.
    default : what a blank field says.

    Raises
    ------
    ValueError : for an unknown field's value, a survey without a row, and two rows of one name.
    """
    base = default or Setting()
    by_name: dict[tuple[str, str], Setting] = {}
    for row in rows:
        survey, name = _text(row.get("survey")) or "default", _text(row.get("retrieval"))
        if (survey, name) in by_name:
            raise ValueError(f"retrieval {name!r} of survey {survey!r} has two rows")
        try:
            by_name[survey, name] = _setting(row, base)
        except ValueError as error:
            raise ValueError(f"retrieval {name!r} of survey {survey!r}: {error}") from None
    out = {}
    for survey in surveys:
        names = (survey, survey.rpartition(".")[2], "default")
        if isinstance(chosen, str):
            wanted = chosen
        else:
            wanted = next((chosen[n] for n in names if n in chosen), "default")
        found = next((by_name[n, wanted] for n in names if (n, wanted) in by_name), None)
        if found is None:
            known = sorted({name for of, name in by_name if of in names})
            raise ValueError(
                f"there is no retrieval {wanted!r} for survey {survey!r}; "
                f"known are {', '.join(known) or 'none'}"
            )
        out[survey] = found
    return out


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _setting(row: Mapping[str, Any], base: Setting) -> Setting:
    given: dict[str, Any] = {}
    for field in fields(Setting):
        text = _text(row.get(field.name))
        if not text:
            given[field.name] = getattr(base, field.name)
        elif field.name == "certainty":
            _one_of("certainty", text.lower(), ("true", "false"))
            given[field.name] = text.lower() == "true"
        elif field.name == "k":
            given[field.name] = int(_number(text, "k"))
        elif field.name == "max_skew":
            given[field.name] = None if text.lower() == "none" else _number(text, "max_skew")
        elif field.name == "demographic_weight":
            given[field.name] = _number(text, field.name)
        elif field.name == "demographics":
            names = tuple(part.strip() for part in text.split("/") if part.strip())
            given[field.name] = "all" if text == "all" else names
        else:
            given[field.name] = text
    return Setting(**given)


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, got {text!r}") from None
