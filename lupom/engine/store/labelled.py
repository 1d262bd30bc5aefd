"""Writes SPSS (.sav) and Stata (.dta) files: names they allow, labels of columns and of values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import StoreError
from lupom.engine.store.unsaid import unsaid

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("sav", "dta")


@dataclass(frozen=True)
class Meaning:
    """What a column says, its values in their order where it is one of texts, and its measure.

    `codes` are the numbers that stand for the values, of each its own; from 1 where there are none.
    """

    label: str = ""
    values: tuple[str, ...] = ()
    measure: str = ""
    codes: tuple[float, ...] = ()


@dataclass(frozen=True)
class Limits:
    """What a program takes: characters of a name, and bytes of texts and labels."""

    program: str
    name: int
    text: int
    label: int
    value: int
    title: int


_LIMITS = {
    # SPSS's own limits; a text of it is a string variable.
    "sav": Limits("SPSS", 64, 32_767, 256, 120, 64),
    # Stata 14 and later: names of 32 and labels of 80 characters, strL of 2 GB.
    "dta": Limits("Stata", 32, 2_000_000, 80, 32_000, 80),
}
_MEASURES = frozenset({"nominal", "ordinal", "scale"})


def write(
    frame: pd.DataFrame,
    file: Path,
    form: str,
    model: str,
    *,
    meanings: Mapping[str, Meaning],
    title: str = "",
    gaps: pd.DataFrame | None = None,
) -> None:
    """Write a frame.

    A column of texts that are all among its values becomes their codes, or numbers from 1 in their
    order, with the texts as labels; other texts stay texts. Stata labels whole numbers alone, so
    that there codes of which one is none are not kept.

    Parameters
    ----------
    form : 'sav' or 'dta'. model : the table's name, for messages.
    meanings : by column; what is not there has no label.
    gaps : why cells are empty, as `unsaid.unsaid` takes it: missing values of the user's.

    Raises
    ------
    StoreError : where the program cannot hold the table, or pyreadstat is not installed.
    """
    try:
        import pyreadstat
    except ImportError as error:
        raise StoreError(
            f"writing .{form} files needs pyreadstat", hint="pip install 'lupom[files]'"
        ) from error

    limits = _LIMITS[form]
    names = _names(list(frame.columns), limits.name)
    columns: dict[str, Any] = {}
    labels: list[str | None] = []
    values: dict[str, dict[Any, str]] = {}
    measures: dict[str, str] = {}
    missing: dict[str, list[Any]] = {}
    why = (
        {}
        if gaps is None or not len(gaps)
        else unsaid(frame, gaps, form, _taken(frame, meanings, form))
    )
    for column in frame.columns:
        name, meaning = names[column], meanings.get(column, Meaning())
        said, numbers = frame[column], _numbers(meaning, form)
        codes = _codes(said, dict(zip(meaning.values, numbers, strict=True)))
        if codes is not None:
            said = codes
            values[name] = {
                code: _cut(text, limits.value)
                for code, text in zip(numbers, meaning.values, strict=True)
            }
        elif said.dtype == bool:
            said = said.astype(int)
        elif said.dtype == object:
            said = [_text(value, limits.text) for value in said]
        if column in why and getattr(said, "dtype", None) is not None and said.dtype.kind == "f":
            own = why[column]
            values[name] = values.get(name, {}) | {
                code: _cut(text, limits.value) for code, text in own.labels.items()
            }
            missing[name] = list(own.labels)
            said = own.values.where(own.values.notna(), said)
            said = said.astype(float) if form == "sav" else said
        columns[name] = said
        label = meaning.label or (column if name != column else "")
        labels.append(_cut(label, limits.label) or None)
        if meaning.measure in _MEASURES:
            measures[name] = meaning.measure
    import pandas as pd

    told: dict[str, Any] = {"missing_user_values": missing}
    if form == "sav":
        told = {"variable_measure": measures, "missing_ranges": missing}
    writer = pyreadstat.write_sav if form == "sav" else pyreadstat.write_dta
    try:
        writer(
            pd.DataFrame(columns),
            str(file),
            file_label=_cut(title, limits.title),
            column_labels=labels,
            variable_value_labels=values,
            **told,
        )
    except (pyreadstat.PyreadstatError, pyreadstat.ReadstatError, ValueError) as error:
        raise StoreError(f"{limits.program} cannot hold '{model}': {error}") from error


def _taken(
    frame: pd.DataFrame, meanings: Mapping[str, Meaning], form: str
) -> dict[str, set[float]]:
    """Return the numbers that are answers in each column."""
    return {
        column: set(frame[column].dropna().unique())
        if frame[column].dtype.kind in "iuf"
        else set(_numbers(meanings.get(column, Meaning()), form))
        for column in frame.columns
    }


def _numbers(meaning: Meaning, form: str) -> tuple[float, ...]:
    """Return the numbers that stand for a column's values."""
    kept = form == "sav" or all(code == int(code) and abs(code) < 2**31 for code in meaning.codes)
    return meaning.codes if meaning.codes and kept else tuple(range(1, len(meaning.values) + 1))


def _codes(column: pd.Series[Any], codes_of: Mapping[str, float]) -> pd.Series[Any] | None:
    """Return texts as their codes; None where one has none."""
    if not codes_of or column.dtype.kind in "biufM":
        return None
    codes = column.map(dict(codes_of)).astype(float)
    return codes if bool((codes.notna() | column.isna()).all()) else None


def _names(columns: list[str], longest: int) -> dict[str, str]:
    """Return a name that is allowed for each column, each once: letters, digits, '_'."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for column in columns:
        kept = "".join(c if c.isalnum() or c == "_" else "_" for c in column)
        kept = kept if kept[:1].isalpha() else f"V{kept}"
        name, number = kept[:longest], 1
        while name.lower() in taken:
            number += 1
            name = f"{kept[: longest - 4]}_{number}"
        taken.add(name.lower())
        names[column] = name
    return names


def _text(value: Any, longest: int) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    return _cut(value if isinstance(value, str) else json.dumps(value, default=str), longest)


def _cut(text: str, longest: int) -> str:
    """Return a text cut to so many bytes, at a letter."""
    return text.encode("utf-8")[:longest].decode("utf-8", "ignore")
