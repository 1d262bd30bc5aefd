"""How similar respondents are found, a setting for each survey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from lupom.science.names import did_you_mean, names_of, of_survey

SIMILARITIES = ("persona", "demographics", "persona_demographics", "answers")
ENCODINGS = ("onehot", "ordinal", "embedding")
PERSONAS = ("raw", "refined")
TUNED = "tuned"
# The network of a setting that compares no value that a network refined.
NO_NETWORK = "none"


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
    network : the persona network whose refined values are compared, 'none' where none are; None
        where the values are of one network only.
    """

    similarity: str = "persona_demographics"
    encoding: str = "onehot"
    personas: str = "refined"
    certainty: bool = False
    k: int = 20
    max_skew: float | None = 10.0
    demographics: Sequence[str] | str = ()
    demographic_weight: float = 1.0
    network: str | None = None

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

    def under(self, network: str) -> Setting:
        """Return the setting for personas refined by a network, 'none' for raw ones.

        Its `network` is 'none' where it compares nothing that a network has a part in.
        """
        if network == NO_NETWORK:
            return replace(self, network=network, personas="raw", certainty=False)
        refined = self.has_persona and (self.personas == "refined" or self.certainty)
        return replace(self, network=network if refined or self.similarity == TUNED else NO_NETWORK)

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
        guess = did_you_mean(value, known)
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
    surveys : names; see `names.names_of` for what they go by.
    chosen : the retrieval that is used, or that of each survey, 'default' standing for the others.
    default : what a blank field says.

    Raises
    ------
    ValueError : for an unknown field's value, a survey without a row, and two rows of one name.
    """
    known = Rows(rows, default or Setting())
    return {survey: known.pick(survey, chosen_of(chosen, survey)) for survey in surveys}


def chosen_of(chosen: str | Mapping[str, str], survey: str) -> str:
    """Return the name of a survey's retrieval; see `settings_of`."""
    return str(of_survey(chosen, survey) or "default")


class Rows:
    """The rows of a table of settings, by survey and name."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], base: Setting) -> None:
        self._known: dict[tuple[str, str], Setting] = {}
        for row in rows:
            survey, name = text_of(row.get("survey")) or "default", text_of(row.get("retrieval"))
            if (survey, name) in self._known:
                raise ValueError(f"retrieval {name!r} of survey {survey!r} has two rows")
            try:
                self._known[survey, name] = _setting(row, base)
            except ValueError as error:
                raise ValueError(f"retrieval {name!r} of survey {survey!r}: {error}") from None

    def pick(self, survey: str, name: str) -> Setting:
        """Return the setting of a name that a survey has, or that all have."""
        names = names_of(survey)
        for of in names:
            if (of, name) in self._known:
                return self._known[of, name]
        known = sorted({name for of, name in self._known if of in names})
        raise ValueError(
            f"there is no retrieval {name!r} for survey {survey!r}; "
            f"known are {', '.join(known) or 'none'}{did_you_mean(name, known)}"
        )


def text_of(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _setting(row: Mapping[str, Any], base: Setting) -> Setting:
    given: dict[str, Any] = {}
    for field in fields(Setting):
        if field.name == "network":
            # That is not part of a row: the setting of a prediction says it.
            continue
        text = text_of(row.get(field.name))
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
