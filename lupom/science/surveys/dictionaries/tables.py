"""Data dictionaries that are tables: REDCap's, those of statistics offices, a sheet of labels.

A row is a variable, or one of its codes. Which column has the variables' names is told by the
names of the data's columns, which are there; what the others are, by their headings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lupom.science.surveys import cells, languages
from lupom.science.surveys.columns import slug
from lupom.science.surveys.dictionaries import lists
from lupom.science.surveys.dictionaries.dictionary import Dictionary, Variable, plain

TITLE = "a table of variables"
REDCAP = "a REDCap data dictionary"
# Headings, without accents and signs, of what a table may say of a variable; the surest first.
_LABEL = (
    *("field_label", "question_text", "question_wording", "question", "wording", "variable_label"),
    *("item_text", "item_wording", "full_question", "label", "labels", "description", "desc"),
    *("variable_description", "code_description", "definition", "text", "meaning", "item"),
    *("libelle", "beschreibung", "frage", "fragetext", "descripcion", "pregunta", "etiqueta"),
    *("etiquette", "intitule", "variablenlabel", "bezeichnung", "descricao", "pergunta"),
    *("original", "original_name", "original_variable_name", "details", "explanation", "long_name"),
)
_LIKE_LABEL = r"label|descri|question|wording|libell|frage|pregunta|meaning|text"
_VALUES = (
    *("choices_calculations_or_slider", "choices_calculations_or_slider_labels"),
    *("select_choices_or_calculations", "value_labels", "values_labels", "values_codes"),
    *("codes", "coding", "code_labels", "choices", "response_options", "answer_options", "options"),
    *("responses", "response", "response_scale", "answer_choices", "answers", "levels"),
    *("categories", "permissible_values", "allowed_values", "possible_values", "valid_values"),
    *("value_encoding", "encoding", "codelist", "code_list", "values", "value", "valid_range"),
    *("scale", "range", "factor_levels", "modalites", "auspragungen", "wertelabels", "werte"),
    *("valores", "opciones", "codificacion"),
)
_CODE = (
    *("value", "code", "option_id", "code_value", "response_code", "answer_code", "values"),
    *("codes", "val", "wert", "valeur", "valor", "modalite", "codigo", "coded_value", "level"),
)
_CODE_TEXT = (
    *("value_label", "option_label", "value_labels", "value_description", "code_label", "answer"),
    *("code_description", "response_label", "code_text", "category", "label", "labels", "meaning"),
    *("answer_text", "response", "text", "description", "wertelabel", "libelle", "etiqueta"),
    *("value_text", "option", "option_text", "etiquette", "libelle_modalite"),
)
_TYPE = ("field_type", "type", "variable_type", "data_type", "format", "kind", "question_type")
_MISSING = (
    *("missing", "missing_values", "missing_codes", "missing_value", "is_missing", "na_values"),
    *("missing_value_codes", "fehlende_werte", "valores_perdidos"),
)
_ASKED = (
    *("branching_logic_show_field_only", "branching_logic_show_field_only_if", "branching_logic"),
    *("skip_logic", "filter", "asked_if", "universe", "condition", "relevant", "base", "routing"),
    *("display_logic", "show_if", "shown_if"),
)
_NAMES = {
    *("variable", "variable_name", "variables", "var", "var_name", "varname", "name", "column"),
    *("column_name", "field", "field_name", "variable_field_name", "item", "question_id", "nom"),
    *("code_name", "item_concept", "variablenname", "nombre", "nombre_variable"),
}
_MEASURE = ("measure", "measurement", "level_of_measurement", "measurement_level", "scale_type")
_PERSONAL = ("identifier", "pii")
# REDCap's own choices, and fields that are no questions.
_FIXED = {"yesno": {"1": "Yes", "0": "No"}, "truefalse": {"1": "True", "0": "False"}}
_NO_ANSWER = {
    "notes": "free text",
    "file": "a file",
    "calc": "made of other columns",
    "descriptive": "no question",
}
_SPECIAL = re.compile(r"-\d+|[789]+|9+[0-9]|\.[a-z]")
# So much of the names must be the data's, where nothing else tells which column has them.
_SHARE, _FEWEST = 0.2, 2
# A title may stand above the headings.
_ABOVE = 10


def read(
    rows: Sequence[Sequence[str]], name: str, columns: Sequence[str], lines: Sequence[int] = ()
) -> Dictionary | None:
    """Return what a table says of some columns, None where no column of it has their names.

    Parameters
    ----------
    rows : texts, with the headings in the first of them, or below a title.
    name : the file's. columns : of the data. lines : the line of the file each row begins in.

    Raises
    ------
    ValueError : naming file and line, for a code that has two texts.
    """
    at = _headings(rows, columns)
    if at is None:
        return None
    start, names = at
    head = [_slug(v) for v in rows[start]]
    roles = _roles(head, names)
    redcap = "field_type" in head and "field_label" in head
    out = Dictionary(name, REDCAP if redcap else TITLE)
    current: Variable | None = None
    for i, row in enumerate(rows[start + 1 :], start=start + 1):
        line = lines[i] if i < len(lines) else i + 1
        said = {role: _cell(row, c) for role, c in roles.items()}
        key = _cell(row, names)
        if key:
            current = out.variable(key, line)
        if current is None or not any(said.values()):
            continue
        if "code" in roles:
            _one_code(current, said, out, line)
        else:
            _variable(current, said)
    for variable in out.variables.values():
        variable.missing |= {c for c, t in variable.labels.items() if lists.is_absent(t)}
    return out


def _headings(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> tuple[int, int] | None:
    """Return the row of the headings and the column that has the variables' names."""
    known = {c.casefold() for c in columns}
    known |= {re.split(r"___|/", c.casefold())[0] for c in columns}
    width = max((len(row) for row in rows), default=0)
    best: tuple[int, int] | None = None
    most = 0
    for c in range(width):
        held = {v.casefold() for row in rows for v in (_cell(row, c),) if v}
        ours = held & known
        named = any(_slug(v) in _NAMES for v in held)
        fewest = 1 if named else _FEWEST
        if len(ours) > most and len(ours) >= max(fewest, _SHARE * min(len(held), len(known))):
            most, best = len(ours), (0, c)
    if best is None:
        return None
    c = best[1]
    # The headings stand above the first name, in the last row there that has several cells.
    first = next(i for i, row in enumerate(rows) if _cell(row, c).casefold() in known)
    for i in range(first - 1, max(-1, first - _ABOVE - 1), -1):
        if _cell(rows[i], c) and sum(bool(_cell(rows[i], k)) for k in range(width)) > 1:
            return i, c
    return None


def _roles(head: Sequence[str], names: int) -> dict[str, int]:
    """Return which column has what, by its headings."""
    free = {i: h for i, h in enumerate(head) if i != names and h}

    def take(wanted: Sequence[str]) -> int | None:
        for heading in wanted:
            for i, h in free.items():
                if h == heading:
                    del free[i]
                    return i
        return None

    def like(pattern: str) -> int | None:
        return next((i for i, h in free.items() if re.search(pattern, h)), None)

    out: dict[str, int | None] = {}
    for role, wanted in (
        ("type", _TYPE),
        ("missing", _MISSING),
        ("asked", _ASKED),
        ("measure", _MEASURE),
        ("personal", _PERSONAL),
    ):
        out[role] = take(wanted)
    held = set(free.values())
    code = next((h for h in _CODE if h in held), None)
    text = next((h for h in _CODE_TEXT if h in held and h != code), None)
    # 'variable, value, label' is a code a row; 'variable, label, values' a variable.
    own = text is not None and (text not in _LABEL or not (held - {text}) & set(_LABEL))
    if code is not None and text is not None and own and code not in _plural(head):
        out["code"], out["text"] = take([code]), take([text])
    else:
        out["values"] = take(_VALUES)
    out["label"] = take(_LABEL)
    if out["label"] is None:
        out["label"] = like(_LIKE_LABEL)
    return {role: i for role, i in out.items() if i is not None}


def _plural(head: Sequence[str]) -> set[str]:
    """Return headings that are of lists: 'values', beside 'label' or 'description'."""
    return {h for h in head if h in ("values", "codes", "levels", "valid_values")}


def _one_code(variable: Variable, said: dict[str, str], out: Dictionary, line: int) -> None:
    variable.label = variable.label or plain(said.get("label", ""))
    variable.asked_if = variable.asked_if or said.get("asked", "")
    given, text = said.get("code", ""), plain(said.get("text", ""))
    if not given:
        return
    code = lists.code(given)
    before = variable.labels.setdefault(code, text or code)
    if text and before != text:
        raise ValueError(
            f"{out.name}:{line}: {variable.name} has two texts for the code {code}: {before!r} and"
            f" {text!r}"
        )
    if said.get("missing", "").casefold() in ("true", "1", "yes", "y", "x", "t"):
        variable.missing |= {code}


def _variable(variable: Variable, said: dict[str, str]) -> None:
    """Read a row that is a variable; of two rows of one name the first counts."""
    if variable.label or variable.labels:
        return
    kind = said.get("type", "").casefold()
    label, values = said.get("label", ""), said.get("values", "")
    variable.labels = dict(_FIXED.get(kind, {}))
    if kind not in ("calc", "slider") and not variable.labels:
        variable.labels = lists.cell(values) or lists.steps(values)[1] or lists.span(values)
        inside = lists.prose(label)
        if not variable.labels and inside[1]:
            label, variable.labels = inside
        elif not variable.labels:
            label, variable.labels = lists.steps(label)
    variable.label = plain(label)
    variable.several = kind == "checkbox"
    variable.why = _NO_ANSWER.get(kind, "")
    if said.get("personal", "").casefold() in ("y", "yes", "x", "1", "true"):
        variable.why = "personal data"
    variable.asked_if = " ".join(said.get("asked", "").split())
    measure = said.get("measure", "").casefold()
    variable.measure = measure if measure in ("nominal", "ordinal", "scale") else ""
    _missing(variable, said.get("missing", ""))


def _missing(variable: Variable, said: str) -> None:
    """Read codes that are no answers: '-9, -8', '98 = Refused; 99 = DK', '97 thru 99'."""
    told = lists.prose(said)[1]
    variable.labels |= {c: t for c, t in told.items() if c not in variable.labels}
    for low, high in re.findall(r"(-?\d+)\s*(?:thru|to|through|bis)\s*(-?\d+)", said):
        variable.ranges.append((float(low), float(high)))
    rest = [p for p in re.split(r"[,;|\s]+", said) if re.fullmatch(r"-?\d+|\.[a-z]", p)]
    # How many are missing may stand there, too.
    rest = [p for p in rest if p in variable.labels or _SPECIAL.fullmatch(p)]
    variable.missing |= {*told, *map(lists.code, rest if not told else ())}


def _slug(value: str) -> str:
    return slug(languages.unaccented(re.sub(r"\([^)]*\)", " ", value)), longest=60)


def text(value: object) -> str:
    """Return a cell of a workbook as text."""
    return cells.text(value)


def _cell(row: Sequence[str], at: int) -> str:
    return cells.text(row[at]) if at < len(row) else ""
