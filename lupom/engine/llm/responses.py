"""Response classes made ready: a row's schema out, a validated answer in, rows for the table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LupomError, ModelError, did_you_mean
from lupom.engine.llm import choices
from lupom.engine.llm.classes import Imports, load_class
from lupom.engine.llm.columns import POSITION, Layout, layout_of
from lupom.engine.llm.lenient import lenient_validator
from lupom.engine.llm.listed import Each
from lupom.engine.llm.markers import AsArray, OneOf, OneOfEach, Usable
from lupom.engine.llm.providers.base import TokenLogprobs
from lupom.engine.llm.reasoned import reasoned
from lupom.engine.llm.rows_response import RowsResponse
from lupom.engine.llm.schemas import canonical, closed, columns_of, filled, schema_of
from lupom.engine.llm.stated import OFF, Distribution, labelled, normalised
from lupom.engine.llm.validation import InvalidAnswer, Reader, Reading

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import SchemaValidator

__all__ = [
    "AsArray",
    "Distribution",
    "InvalidAnswer",
    "OneOf",
    "OneOfEach",
    "Reading",
    "ResponseSpec",
    "RowResponse",
    "Usable",
    "load_response",
]

_MOST_RESPONSES = 4096


def load_response(file: Path, name: str, imports: Imports | None = None) -> ResponseSpec:
    """Return the response class `name` of a responses.py, made ready.

    With `imports` the file may import the project's own modules.
    Raises CompileError with file and line for a file that does not import, a class that is not
    there, and a class whose answers would not fit a table.
    """
    cls, source_hash = load_class(Path(file), name, imports)
    try:
        return ResponseSpec(cls, source_hash)
    except LupomError as error:
        if error.file is None:
            error.file = str(file)
        raise


class ResponseSpec:
    """A response class made ready.

    Attributes
    ----------
    name : the class's name.
    source_hash : changes with the class and what it is made of.
    choice_field : the one field of a *choice*, None for any other class.
    limits : the columns of the row that limit the answer.
    """

    def __init__(self, cls: type[BaseModel], source_hash: str) -> None:
        self.name = cls.__name__
        self.source_hash = source_hash
        self._cls = cls
        self._layout = layout_of(cls)
        self._schema = closed(schema_of(cls), cls.__name__)
        self._one, self._each = columns_of(self._schema)
        self._marks = _marks(cls)
        self.limits: tuple[str, ...] = (*self._one, *self._each)
        self.choice_field = self._layout.choice[0] if self._layout.choice else None
        self._known: dict[Any, RowResponse] = {}
        self._lenient: SchemaValidator | None = None

    @property
    def cls(self) -> type[BaseModel]:
        """The class itself."""
        return self._cls

    @property
    def lenient(self) -> SchemaValidator:
        """The class without the limits that providers do not enforce; made when first needed."""
        if self._lenient is None:
            self._lenient = lenient_validator(self._cls)
        return self._lenient

    def columns(self) -> dict[str, str]:
        """Return output columns and their DuckDB types.

        Scalars first; then those of the one list that becomes rows, with `position` (from 1); a
        choice adds `probabilities` MAP(VARCHAR, DOUBLE) and `missing_mass` DOUBLE.
        """
        return self._layout.columns()

    def for_row(self, values: Mapping[str, Any]) -> RowResponse:
        """Return the response of one row, limited to the row's own values.

        Rows with equal limits share one object. Raises ModelError when a limiting column is not
        among the values, is empty, or holds no list of strings.
        """
        allowed = {column: self._options(values, column) for column in self._one}
        each = {column: self._structs(values, column) for column in self._each}
        key = json.dumps([list(allowed.values()), list(each.values())])
        known = self._known.get(key)
        if known is None:
            known = RowResponse(self, self._layout, self._schema, allowed, each, self._marks)
            known.limits = {column: self._column(values, column) for column in self.limits}
            if len(self._known) >= _MOST_RESPONSES:
                self._known.clear()
            self._known[key] = known
        return known

    def _column(self, values: Mapping[str, Any], column: str) -> list[Any]:
        if column not in values:
            raise ModelError(
                f"response class {self.name} is limited by column '{column}', which the select"
                " does not give",
                hint=did_you_mean(column, values) or "columns: " + ", ".join(values),
            )
        value = values[column]
        if hasattr(value, "tolist"):
            value = value.tolist()
        if value is None or (isinstance(value, Sequence) and len(value) == 0):
            raise ModelError(
                f"response class {self.name} is limited by column '{column}', which is"
                f" {'NULL' if value is None else 'empty'} in a row",
                hint="leave such rows out of the select",
            )
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise ModelError(f"column '{column}' limits {self.name}: {value!r:.80} is not a list")
        return list(value)

    def _options(self, values: Mapping[str, Any], column: str) -> list[str]:
        return _texts(self._column(values, column), f"column '{column}' limits {self.name}")

    def _structs(self, values: Mapping[str, Any], column: str) -> Each:
        mark = self._marks[column]
        out: Each = {}
        keys: set[str] = set()
        where = f"column '{column}' limits {self.name}"
        for struct in self._column(values, column):
            if not isinstance(struct, Mapping):
                raise ModelError(f"{where}: {struct!r:.80} is not a struct")
            for needed in (mark.key, mark.options, mark.name or mark.key):
                if needed not in struct:
                    raise ModelError(
                        f"{where}: its structs have no field '{needed}'",
                        hint=did_you_mean(needed, struct) or "fields: " + ", ".join(struct),
                    )
            key, name = str(struct[mark.key]), str(struct[mark.name or mark.key])
            options = struct[mark.options]
            options = options.tolist() if hasattr(options, "tolist") else options
            if not options:
                raise ModelError(f"{where}: '{key}' has no {mark.options}")
            if key in keys or name in out:
                raise ModelError(f"{where}: '{key if key in keys else name}' appears twice")
            keys.add(key)
            out[name] = (key, dict.fromkeys(_texts(options, f"{where}: '{key}'")))
        return out


class RowResponse:
    """The response of one row.

    Attributes
    ----------
    name : the class's name.
    schema : the JSON schema sent to the provider; a choice's options are labels in it.
    schema_text : the schema in one spelling, for keys.
    choices : pairs of label and option for the prompt of a choice, and of a class with a
        Distribution; None otherwise.
    top_logprobs : how many alternatives a choice wants at each token; 0 otherwise.
    only_field : the name of the answer's one field; None where it has several.
    source_hash : as of the class.
    limits : the row's values that limit the answer, by column.
    """

    def __init__(
        self,
        spec: ResponseSpec,
        layout: Layout,
        schema: Mapping[str, Any],
        allowed: Mapping[str, list[str]],
        each: Mapping[str, Each],
        marks: Mapping[str, OneOfEach],
    ) -> None:
        self.name = spec.name
        self.source_hash = spec.source_hash
        self.limits: Mapping[str, Any] = {}
        self._layout = layout
        context: dict[str, Any] = {c: dict.fromkeys(v) for c, v in allowed.items()}
        context.update(each)
        self.choices: list[dict[str, str]] | None = None
        self.top_logprobs = 0
        self._labels: dict[str, str] = {}
        self.schema: dict[str, Any]
        if layout.choice is None:
            limits = {
                column: (structs, _besides(marks[column])) for column, structs in each.items()
            }
            self.schema = filled(schema, allowed, limits)
            for column in layout.stated.values():
                named = labelled(allowed[column])
                self.choices = [{"label": n, "option": text} for n, text in named.items()]
        else:
            column = layout.choice[1]
            self._labels = choices.labelled(allowed[column])
            self.schema = filled(schema, {column: list(self._labels)}, {})
            self.choices = [{"label": n, "option": text} for n, text in self._labels.items()]
            self.top_logprobs = choices.alternatives(len(self._labels))
        self.schema_text = canonical(self.schema)
        self.schema_hash = hashlib.sha256(self.schema_text.encode("utf-8")).hexdigest()
        choice = None if layout.choice is None else layout.choice[0]
        self._reader = Reader(spec, context, choice, self._labels)
        fields = list(self.schema["properties"])
        self.only_field = fields[0] if len(fields) == 1 else None
        self._spec = spec

    @cached_property
    def texts(self) -> frozenset[str]:
        """The texts beside the one field that counts, if it is such a class; see `reasoned`."""
        beside = reasoned(self._spec.cls)
        return frozenset() if beside is None else frozenset(beside.texts)

    @cached_property
    def labelled(self) -> RowsResponse:
        """The response to a request that may ask several rows and asks this one alone."""
        return RowsResponse([self])

    def parse(self, text: str) -> dict[str, Any]:
        """Return the validated answer; a choice's label becomes its option. Raises as `read`."""
        return self.read(text).value

    def read(self, text: str, *, finished: bool = True) -> Reading:
        """Return the answer in a text; see `Reader.read`."""
        return self._reader.read(text, finished=finished)

    def distribution(
        self,
        text: str,
        tokens: Sequence[TokenLogprobs] | None,
        reading: Reading | None = None,
    ) -> tuple[dict[str, float], float | None] | None:
        """Return (probability per option, missing mass) of a choice's reply, where it has them.

        They are read where the answer is: `reading` says where, if the text was read before. Those
        of a Distribution are what it says, and no mass is missing.
        """
        stated = next(iter(self._layout.stated), None)
        if stated is None and (self._layout.choice is None or not tokens):
            return None
        if reading is None:
            try:
                reading = self.read(text)
            except InvalidAnswer:
                return None
        if stated is not None:
            return normalised(reading.value[stated])[0], None
        if reading.start < 0 or self._layout.choice is None:
            return None
        field = self._layout.choice[0]
        chosen = reading.value[field]
        label = next((label for label, o in self._labels.items() if o == chosen), "")
        read = choices.distribution(
            text[reading.start : reading.end], tokens, field, list(self._labels), label
        )
        if read is None:
            return None
        probabilities, missing = read
        return {self._labels[label]: p for label, p in probabilities.items()}, missing

    def rows(self, value: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what goes to the table: one row, or one per item of the field that becomes
        rows."""
        layout = self._layout
        scalars = {name: value[name] for name in layout.scalars}
        for name in layout.stated:
            scalars[name], scalars[name + OFF] = normalised(value[name])
        if layout.rows is None:
            return [scalars]
        content = value[layout.rows]
        if layout.each is not None:
            mark = layout.each
            return [{**scalars, mark.key: key, mark.value: v} for key, v in content.items()]
        out = []
        for position, item in enumerate(content or [], 1):
            fields = item if layout.objects else {layout.rows: item}
            out.append({**scalars, **fields, POSITION: position})
        return out


def _besides(mark: OneOfEach) -> list[str | None] | None:
    """Return what a OneOfEach allows besides each struct's own values; None where the schema does
    not say."""
    if mark.told:
        return None
    words: list[str | None] = [] if mark.unknown is None else [mark.unknown]
    return [*words, None] if mark.nullable else words


def _marks(cls: type[BaseModel]) -> dict[str, OneOfEach]:
    found: dict[str, OneOfEach] = {}
    for info in cls.model_fields.values():
        for mark in info.metadata:
            if isinstance(mark, OneOfEach):
                found[mark.column] = mark
    return found


def _texts(values: Sequence[Any], where: str) -> list[str]:
    for value in values:
        if not isinstance(value, str):
            raise ModelError(f"{where}: {value!r:.80} is not a string")
    return list(dict.fromkeys(values))
