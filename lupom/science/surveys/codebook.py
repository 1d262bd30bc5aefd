"""A codebook: what each column of a file is. LUPoM guesses it, its user reviews it, as YAML."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lupom.science.surveys import cells
from lupom.science.surveys.context import CONTEXT

KINDS = ("single", "ordinal", "multiple", "numeric")

_HEAD = """\
# yaml-language-server: $schema=../schemas/codebook.json
# What LUPoM makes of {file}: its guess, for you to review.
# Edit it, then run the same import again: what stands here is what is done.
#
# title ...   what prompts say of the survey: its title, when it was fielded, whom it is about
#             (population), country, language; empty where there is nothing to say
# id          the column that names the respondent; empty: rows are numbered from 1
# weight      the column of survey weights; empty: everyone counts the same
# design      columns of sampling units, strata and replicate weights, kept as they are; the var
#             survey_design says which is what
# questions   what can be predicted. options: code: text, in order. kind: single, ordinal (with
#             positions, one an option, empty for one with no place), multiple (one of "select all
#             that apply") or numeric (cut at the bins; without bins the number is what is
#             predicted, and range: [0, 100] says which can be). refused, dont_know, not_asked:
#             codes that are not answers. Blank is not asked.
# attributes  what is known of people: shown to models, never predicted. blank: codes that say
#             nothing; label: what it is called in words
# ignored     columns that are left out, and why; move a line up to make use of it
"""


@dataclass
class Question:
    """A column that is a question; codes are texts.

    One of the kind 'numeric' has bins, or is predicted as a number; `range` is its least and
    largest then, if there are such.
    """

    column: str
    key: str
    question: str
    kind: str
    options: dict[str, str] = field(default_factory=dict)
    positions: list[float | None] = field(default_factory=list)
    bins: list[float] = field(default_factory=list)
    range: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    dont_know: list[str] = field(default_factory=list)
    not_asked: list[str] = field(default_factory=list)
    topic: str = ""

    @property
    def is_number(self) -> bool:
        """Return whether the number itself is what is predicted."""
        return self.kind == "numeric" and not self.options and not self.bins


@dataclass
class Attribute:
    """A column that says something of the respondent."""

    column: str
    name: str
    options: dict[str, str] = field(default_factory=dict)
    bins: list[float] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)
    label: str = ""


@dataclass
class Codebook:
    """What is made of every column of a file; `context` is of the survey, by key of CONTEXT."""

    survey: str
    file: str
    id: str | None = None
    weight: str | None = None
    design: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)
    ignored: dict[str, str] = field(default_factory=dict)
    context: dict[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """Return every column the codebook speaks of, in its order."""
        ends = [c for c in (self.id, self.weight) if c is not None]
        used = [*(q.column for q in self.questions), *(a.column for a in self.attributes)]
        return [*ends, *self.design, *used, *self.ignored]


def dump(codebook: Codebook) -> str:
    """Return a codebook as YAML, with what is to be known for its review."""
    import yaml

    body = {
        "survey": codebook.survey,
        "file": codebook.file,
        **{name: codebook.context.get(name) for name in CONTEXT},
        "id": codebook.id,
        "weight": codebook.weight,
        "design": _Flow(codebook.design),
        "questions": [_question(q) for q in codebook.questions],
        "attributes": [_attribute(a) for a in codebook.attributes],
        "ignored": dict(codebook.ignored),
    }
    text: str = yaml.dump(body, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=110)
    return _HEAD.format(file=codebook.file) + text


def _question(q: Question) -> dict[str, Any]:
    out: dict[str, Any] = {"column": q.column}
    if q.key != q.column:
        out["key"] = q.key
    out |= {"question": q.question, "kind": q.kind}
    if q.topic:
        out["topic"] = q.topic
    if q.is_number:
        out |= {"range": _Flow(q.range)} if q.range else {}
    else:
        out |= {"bins": _Flow(q.bins)} if q.bins else {"options": _options(q.options)}
    if any(p is not None for p in q.positions):
        out["positions"] = _Flow(q.positions)
    for name in ("refused", "dont_know", "not_asked"):
        if getattr(q, name):
            out[name] = _Flow(getattr(q, name))
    return out


def _attribute(a: Attribute) -> dict[str, Any]:
    out: dict[str, Any] = {"column": a.column}
    if a.name != a.column:
        out["name"] = a.name
    if a.label:
        out["label"] = a.label
    out |= {"bins": _Flow(a.bins)} if a.bins else {"options": _options(a.options)}
    if a.blank:
        out["blank"] = _Flow(a.blank)
    return out


def _options(options: dict[str, str]) -> Any:
    if all(code == label for code, label in options.items()):
        return _Flow(options)
    return options


class _Flow(list):  # type: ignore[type-arg]
    """A list that is written on one line."""


def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:
        # Codes are texts here, and look better as the numbers they are; the reader takes both.
        if value.removeprefix("-").isdigit() and cells.code(value) == value:
            return dumper.represent_scalar("tag:yaml.org,2002:int", value)
        return dumper.represent_scalar("tag:yaml.org,2002:str", value)

    Dumper.add_representer(str, text)
    Dumper.add_representer(
        _Flow,
        lambda dumper, value: dumper.represent_sequence(
            "tag:yaml.org,2002:seq", [_short(v) for v in value], flow_style=True
        ),
    )
    return Dumper


def _short(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def load(text: str, name: str) -> Codebook:
    """Read a codebook.

    Parameters
    ----------
    text : the YAML. Every scalar is a text here: a bare Yes is 'Yes', a bare 1 the code '1'.
    name : the file's name, for messages.

    Raises
    ------
    ValueError : with file and line for YAML that does not parse, else with the entry at fault.
    """
    import yaml

    class Loader(yaml.BaseLoader):
        """Builds nothing but texts, lists and dicts, of keys that are there once.

        YAML itself takes the last of two values: an option of a code that is there twice is gone.
        """

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen: dict[Any, int] = {}
            for key, _ in node.value:
                name, line = self.construct_object(key, deep=True), key.start_mark.line + 1
                if isinstance(name, str) and name in seen:
                    where = f"{seen[name]} and {line}"
                    raise ValueError(f"{source}: {name!r} stands twice in one place, lines {where}")
                seen[name if isinstance(name, str) else line] = line
            return super().construct_mapping(node, deep)

    source = name
    try:
        data = yaml.load(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise ValueError(f"{where}: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{name}: not YAML: {error}") from error
    data = _mapping(data, name, ("survey", "file", *CONTEXT, "id", "weight", *_LISTS))
    out = Codebook(
        _text(data.get("survey")), _text(data.get("file")), _none(data.get("id")),
        _none(data.get("weight")), [_text(c) for c in _list(data.get("design"), f"{name}: design")],
    )  # fmt: skip
    told = {name: _none(data.get(name)) for name in CONTEXT}
    out.context = {name: said for name, said in told.items() if said is not None}
    for i, entry in enumerate(_list(data.get("questions"), f"{name}: questions"), 1):
        out.questions.append(_read_question(entry, f"{name}: questions, entry {i}"))
    for i, entry in enumerate(_list(data.get("attributes"), f"{name}: attributes"), 1):
        out.attributes.append(_read_attribute(entry, f"{name}: attributes, entry {i}"))
    ignored = data.get("ignored") or {}
    if isinstance(ignored, list):
        ignored = dict.fromkeys(map(_text, ignored), "")
    if not isinstance(ignored, dict):
        raise ValueError(f"{name}: ignored: expected columns and why, got {ignored}")
    out.ignored = {_text(k): _text(v) for k, v in ignored.items()}
    twice = [c for c in out.columns if out.columns.count(c) > 1]
    if twice:
        raise ValueError(f"{name}: the column {twice[0]!r} appears twice")
    return out


_LISTS = ("design", "questions", "attributes", "ignored")
_QUESTION_KEYS = (
    *("column", "key", "question", "kind", "options", "positions", "bins", "range"),
    *("refused", "dont_know", "not_asked", "topic"),
)


def _read_question(entry: Any, where: str) -> Question:
    data = _mapping(entry, where, _QUESTION_KEYS)
    column = _text(data.get("column"))
    where = f"{where} (column {column!r})"
    kind = _text(data.get("kind")) or "single"
    if kind not in KINDS:
        raise ValueError(
            f"{where}: the kind {kind!r} is none of {', '.join(KINDS)}{_close(kind, KINDS)}"
            + ("; put a column of free text under 'ignored'" if kind == "text" else "")
        )
    out = Question(
        column,
        _text(data.get("key")) or column,
        _text(data.get("question")) or column,
        kind,
        _read_options(data.get("options"), where),
        _numbers(data.get("positions"), f"{where}: positions"),
        bins=[b for b in _numbers(data.get("bins"), f"{where}: bins") if b is not None],
        range=[r for r in _numbers(data.get("range"), f"{where}: range") if r is not None],
        refused=_codes(data, "refused", where),
        dont_know=_codes(data, "dont_know", where),
        not_asked=_codes(data, "not_asked", where),
        topic=_text(data.get("topic")),
    )
    if not out.is_number:
        _check(out, out.options, out.bins, where)
    if out.range and (not out.is_number or len(out.range) != 2 or out.range[0] >= out.range[1]):
        raise ValueError(
            f"{where}: a range is [least, largest] of a numeric question without options and bins"
        )
    if out.positions and len(out.positions) != len(out.options):
        raise ValueError(
            f"{where}: {len(out.positions)} positions for {len(out.options)} options; one each, "
            f"empty for an option with no place"
        )
    return out


def _read_attribute(entry: Any, where: str) -> Attribute:
    data = _mapping(entry, where, ("column", "name", "options", "bins", "blank", "label"))
    column = _text(data.get("column"))
    where = f"{where} (column {column!r})"
    out = Attribute(
        column,
        _text(data.get("name")) or column,
        _read_options(data.get("options"), where),
        [b for b in _numbers(data.get("bins"), f"{where}: bins") if b is not None],
        _codes(data, "blank", where),
        _text(data.get("label")),
    )
    _check(out, out.options, out.bins, where)
    return out


def _check(
    entry: Question | Attribute, options: dict[str, str], bins: list[float], where: str
) -> None:
    if not entry.column:
        raise ValueError(f"{where}: 'column' is missing")
    if bool(options) == bool(bins):
        raise ValueError(f"{where}: give options or bins{', not both' if bins else ''}")
    if bins != sorted(set(bins)):
        raise ValueError(f"{where}: the bins {bins} do not ascend")


def _read_options(given: Any, where: str) -> dict[str, str]:
    if given is None or given == "":
        return {}
    if isinstance(given, list):
        given = {v: v for v in _list(given, f"{where}: options")}
    if not isinstance(given, dict):
        raise ValueError(f"{where}: options: expected code: text, got {_short_form(given)}")
    out = {_text(k): _text(v) for k, v in given.items()}
    if len(out) < len(given):
        raise ValueError(f"{where}: options: two entries have the same code")
    return out


def _codes(data: Mapping[str, Any], name: str, where: str) -> list[str]:
    return [_text(v) for v in _list(data.get(name), f"{where}: {name}")]


def _numbers(given: Any, where: str) -> list[float | None]:
    try:
        return [None if _none(v) is None else float(v) for v in _list(given, where)]
    except ValueError as error:
        raise ValueError(f"{where}: expected numbers, got {_short_form(given)}") from error


def _mapping(given: Any, where: str, known: Iterable[str]) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise ValueError(
            f"{where}: expected entries such as 'column: Q1', got {_short_form(given)}"
        )
    names = list(known)
    for key in given:
        if key not in names:
            raise ValueError(f"{where}: unknown entry {key!r}{_close(str(key), names)}")
    return given


def _list(given: Any, where: str) -> list[str]:
    if given is None or given == "":
        return []
    if not isinstance(given, list):
        raise ValueError(f"{where}: expected a list, got {_short_form(given)}")
    return given


def _text(value: Any) -> str:
    if isinstance(value, list | dict):
        # Written out, a list of lists by reference could fill the memory.
        raise ValueError(f"the codebook has a {type(value).__name__} where a text is expected")
    return "" if value is None else " ".join(str(value).split())


def _short_form(value: Any) -> str:
    if isinstance(value, list | dict):
        kind = "a list" if isinstance(value, list) else "entries"
        return f"{kind} of {len(value)}" if any(map(_nested, value)) else repr(value)[:200]
    return repr(value)[:200]


def _nested(value: Any) -> bool:
    return isinstance(value, list | dict)


def _none(value: Any) -> str | None:
    text = _text(value)
    return None if text in ("", "~", "null", "Null", "NULL", "none") else text


def _close(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
