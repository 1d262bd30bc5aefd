"""What is known of a survey as a whole, and what its attributes are called in words.

Both are for prompts: who was asked, when and where, and "Religious attendance" in place of
RELIGATTEND. They come from `meta: {survey: ...}` in the properties of a survey's info table, and
from its metadata table.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from lupom.science.inputs import arrow, require
from lupom.science.surveys import cells

# What prompts may say of a survey, in the order of a codebook and of the table.
CONTEXT = ("title", "fielded", "population", "country", "language")

SURVEYS = pa.schema([("survey", pa.string()), *((name, pa.string()) for name in CONTEXT)])
ATTRIBUTE_LABELS = pa.schema(
    [
        ("survey", pa.string()),
        ("attribute", pa.string()),
        ("label", pa.string()),
        ("position", pa.int64()),
    ]
)
# Columns of a metadata table that say what an attribute is, the first that is there and not blank.
_LABEL_COLUMNS = ("label", "question", "description")

# Names that are not words, in OpinionQA's, the GSS's and other public surveys.
_WORDS = {
    "agecat": "Age group",
    "agegrp": "Age group",
    "attend": "Religious attendance",
    "born": "Born in the country",
    "childs": "Number of children",
    "children": "Number of children",
    "citizen": "Citizenship",
    "class": "Social class",
    "cregion": "Region",
    "degree": "Highest degree",
    "educ": "Education",
    "educcat": "Education",
    "educcat2": "Education",
    "employ": "Employment",
    "ethnic": "Ethnicity",
    "hhincome": "Household income",
    "hhsize": "Household size",
    "hisp": "Hispanic",
    "ideo": "Political ideology",
    "ideology": "Political ideology",
    "inc": "Income",
    "marital": "Marital status",
    "maritalstatus": "Marital status",
    "metro": "Metropolitan area",
    "party": "Political party",
    "partyid": "Party identification",
    "pid3": "Party identification",
    "pid7": "Party identification",
    "placesize": "Size of place",
    "polideology": "Political ideology",
    "polparty": "Political party",
    "polviews": "Political views",
    "racecmb": "Race",
    "racethn": "Race and ethnicity",
    "relig": "Religion",
    "religattend": "Religious attendance",
    "urban": "Urban or rural",
    "wrkstat": "Work status",
    "yob": "Year of birth",
}
_WAVE = re.compile(r"(?:pew_)?american_trends_panel_w(\d+)|atp_w(\d+)", re.IGNORECASE)


def surveys(metas: Mapping[str, Mapping[str, Any]]) -> pa.Table:
    """Return one row per survey: what is known of it as a whole.

    Parameters
    ----------
    metas : by survey name the `meta` of its info table, which may have `survey`: title, fielded
        (when), population (who could be asked), country, language, and attributes (labels by
        attribute, which `attribute_labels` reads).

    Returns
    -------
    Columns survey, title (made of the name where none is given), fielded, population, country and
    language, null where unknown.

    Raises
    ------
    ValueError : naming the survey and the key, for a key there is none of, or a value that is not
        a text.
    """
    rows = []
    for survey, meta in metas.items():
        given = _given(meta, survey)
        row = {name: _text(given.get(name), survey, name) for name in CONTEXT}
        row["title"] = row["title"] or title(survey)
        rows.append({"survey": survey, **row})
    return pa.Table.from_pylist(rows, schema=SURVEYS)


def attribute_labels(
    metadata: Mapping[str, Any], metas: Mapping[str, Mapping[str, Any]]
) -> pa.Table:
    """Return one row per survey and attribute: what it is called in words.

    Parameters
    ----------
    metadata : the metadata table by survey name; a column `label`, `question` or `description` of
        it says what an attribute is.
    metas : as of `surveys`; `attributes` there comes before the table.

    Returns
    -------
    Columns survey, attribute (its key), label (made of the key where nothing is said) and position
    (from 1, in the metadata's order).

    Raises
    ------
    ValueError : for a label of an attribute that there is none of.
    """
    rows = []
    for survey, table in metadata.items():
        found = arrow(table)
        require(found, ("key",), f"{survey}: metadata")
        given = _given(metas.get(survey, {}), survey).get("attributes") or {}
        if not isinstance(given, Mapping):
            raise ValueError(f"{survey}: meta.survey.attributes is not a mapping of key to label")
        entries = found.to_pylist()
        keys = [cells.text(entry["key"]) for entry in entries]
        for key in given:
            if str(key) not in keys:
                raise ValueError(
                    f"{survey}: meta.survey.attributes: there is no attribute "
                    f"{str(key)!r}{_close(str(key), keys)}"
                )
        said = {str(k): _text(v, survey, f"attributes.{k}") for k, v in given.items()}
        for position, (key, entry) in enumerate(zip(keys, entries, strict=True), start=1):
            told = (" ".join(cells.text(entry.get(c)).split()) for c in _LABEL_COLUMNS)
            label = said.get(key) or next(filter(None, told), "") or label_of(key)
            rows.append({"survey": survey, "attribute": key, "label": label, "position": position})
    return pa.Table.from_pylist(rows, schema=ATTRIBUTE_LABELS)


def label_of(key: str) -> str:
    """Return an attribute's key in words: 'RELIGATTEND' is 'Religious attendance'."""
    plain = key.strip().casefold()
    # Pew's F_PARTY_FINAL is a column of a respondent's profile.
    bare = re.sub(r"^F_|_(?:FINAL|RECODE)$", "", key.strip())
    if known := _WORDS.get(plain) or _WORDS.get(bare.casefold()):
        return known
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"[_.]+", " ", bare))
    words = " ".join(apart.split())
    # An abbreviation beside other words keeps its capitals; a key in capitals is a word in them.
    if words.isupper():
        words = words.lower()
    return words[:1].upper() + words[1:] if words else key


def title(survey: str) -> str:
    """Return a title made of a survey's name: 'gss_2018' is 'GSS 2018'."""
    known = guessed(survey).get("title")
    if known is not None:
        return known
    words = re.findall(r"[^\W_]+", survey.rsplit(".", 1)[-1])
    if len(survey.rsplit(".", 1)) > 1:
        words = [*re.findall(r"[^\W_]+", survey.rsplit(".", 1)[0]), *words]
    out = [
        w.upper()
        if any(c.isdigit() for c in w) or (len(w) <= 4 and not set(w) & set("aeiou"))
        else w
        for w in words
    ]
    text = " ".join(out)
    return text[:1].upper() + text[1:] if text else survey


def guessed(survey: str) -> dict[str, str]:
    """Return what a survey's name alone says of it: waves of Pew's American Trends Panel."""
    found = _WAVE.fullmatch(survey)
    if found is None:
        return {}
    return {
        "title": f"American Trends Panel, wave {found[1] or found[2]}",
        "population": "Adults of 18 and over in the United States",
        "country": "United States",
    }


def _given(meta: Mapping[str, Any], survey: str) -> Mapping[str, Any]:
    given = meta.get("survey") or {}
    if not isinstance(given, Mapping):
        raise ValueError(f"{survey}: meta.survey holds keys such as 'title', not {given!r:.60}")
    known = (*CONTEXT, "attributes")
    for key in given:
        if key not in known:
            raise ValueError(
                f"{survey}: meta.survey has no key {str(key)!r}{_close(str(key), known)}; "
                f"it has {', '.join(known)}"
            )
    return given


def _text(value: Any, survey: str, key: str) -> str | None:
    if isinstance(value, Mapping | list):
        raise ValueError(f"{survey}: meta.survey.{key} is a text, not {value!r:.60}")
    # YAML reads 2018-04-12 as a date and 2018 as a number.
    return (" ".join(str(value).split()) or None) if value is not None else None


def _close(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
