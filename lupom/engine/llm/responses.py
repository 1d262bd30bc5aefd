"""Response classes made ready: a row's schema out, a validated answer in, rows for the table."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LupomError, ModelError, did_you_mean
from lupom.engine.llm import choices
from lupom.engine.llm.classes import Imports, load_class
from lupom.engine.llm.columns import POSITION, Layout, layout_of
from lupom.engine.llm.lenient import key_of, lenient_validator
from lupom.engine.llm.markers import LENIENT, AsArray, Each, OneOf, OneOfEach, Usable
from lupom.engine.llm.providers.base import TokenLogprobs
from lupom.engine.llm.reading import Found, after_thoughts, found_in, repaired_in, shapes
from lupom.engine.llm.schemas import canonical, closed, columns_of, filled, schema_of
from lupom.engine.llm.stated import OFF, Distribution, labelled, normalised
from lupom.engine.llm.together import RowsResponse

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import SchemaValidator

__all__ = [
    "AsArray",
    "Distribution",
    "InvalidAnswer",
    "OneOf",
    "OneOfEach",
    "ResponseSpec",
    "RowResponse",
    "Usable",
    "load_response",
]

_MOST_RESPONSES = 4096
_INT64 = range(-(2**63), 2**63)


class InvalidAnswer(LupomError):
    """An answer that is not what was asked for; the message is fit to be sent back to the model."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer read: its value, and how it was read.

    Attributes
    ----------
    repaired : the text had to be changed to be the answer: broken JSON fixed, a text cut to its
        limit, an option in other letters taken for what it is.
    start, end : where its object is in the text; -1 where it is not there as it stands.
    """

    value: dict[str, Any]
    repaired: bool = False
    start: int = -1
    end: int = -1


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
                raise ModelError(f"{where}: '{key if key in keys else name}' is there twice")
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
        self._spec = spec
        self._cls = spec.cls
        self._layout = layout
        self._context: dict[str, Any] = {c: dict.fromkeys(v) for c, v in allowed.items()}
        self._context.update(each)
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
        fields = list(self.schema["properties"])
        self.only_field = fields[0] if len(fields) == 1 else None

    @cached_property
    def labelled(self) -> RowsResponse:
        """The response to a request that may ask several rows and asks this one alone."""
        return RowsResponse([self])

    def parse(self, text: str) -> dict[str, Any]:
        """Return the validated answer; a choice's label becomes its option. Raises as `read`."""
        return self.read(text).value

    def read(self, text: str, *, finished: bool = True) -> Reading:
        """Return the answer in a text, read as strictly as it can be.

        In this order: the text is the object; an object in it is, the last one that validates;
        either with unenforced limits bent; what a repair of broken JSON gives; of a choice, the
        text alone is an option. `finished` is False where the text was cut off: then nothing is
        completed. Raises InvalidAnswer with a message that can be sent back to the model,
        ModelError when the class itself fails.
        """
        body = text.strip()
        why: InvalidAnswer | None = None
        if body.startswith("{") and body.endswith("}"):
            try:
                value = self._strict(body)
            except InvalidAnswer as error:
                why = error
            else:
                start = text.find("{")
                return Reading(value, False, start, start + len(body))
        found = found_in(text)
        for one in found:
            reading, complaint = self._of(one)
            if reading is not None:
                return reading
            # Of several it is the last that is told what is wrong with it.
            why = complaint if complaint is not None and (why is None or len(found) > 1) else why
        repaired = repaired_in(text, finished=finished)
        for one in repaired:
            reading, _ = self._of(one)
            if reading is not None:
                return reading
        if self._layout.choice is not None and finished:
            # An object without the field, in which the option stands under another name; else a
            # text that is no JSON.
            field = self._layout.choice[0]
            said: list[Any] = [one.value for one in (*found, *repaired)]
            if not found:
                said.append(choices.bare(after_thoughts(text) or "", field))
            for value in said:
                option = choices.meant(value, self._labels, field)
                if option is not None:
                    return Reading(self._bent(json.dumps({field: option})), True)
        raise why or _nothing_in(body)

    def _of(self, found: Found) -> tuple[Reading | None, InvalidAnswer | None]:
        """Return what was found as an answer; else what is wrong with it."""
        why: InvalidAnswer | None = None
        place = found.start, found.end
        for shape in shapes(found.value, self._cls.model_fields):
            if self._layout.choice is not None and found.value in shape.values():
                # An object without the field counts where no other has it; see `read`.
                continue
            body = _spelled(shape)
            try:
                return Reading(self._strict(body), found.repaired, *place), None
            except InvalidAnswer as error:
                why = why or error
            try:
                # Before NaN is spelled out as a text. What is too large may be of a part that is
                # left out; what is kept is looked at once more.
                _check_finite(shape)
                return Reading(self._bent(body), True, *place), None
            except InvalidAnswer:
                continue
        return None, why

    def _strict(self, body: str) -> dict[str, Any]:
        """Validate the text of an object as it is."""
        from pydantic import ValidationError

        try:
            if self._layout.choice is not None:
                return self._chosen(body)
            value = self._cls.model_validate_json(body, context=self._context)
        except ValidationError as error:
            raise InvalidAnswer(_explained(error)) from None
        except InvalidAnswer:
            raise
        except Exception as error:
            raise self._broken(error) from error
        return self._dumped(value)

    def _bent(self, body: str) -> dict[str, Any]:
        """Validate the text of an object without the limits that providers do not enforce."""
        from pydantic import ValidationError

        try:
            if self._layout.choice is not None:
                return self._chosen(body, lenient=True)
            context = {**self._context, LENIENT: True}
            value = self._spec.lenient.validate_json(body, context=context)
        except ValidationError as error:
            raise InvalidAnswer(_explained(error)) from None
        except InvalidAnswer:
            raise
        except Exception as error:
            raise self._broken(error) from error
        return self._dumped(value)

    def _dumped(self, value: BaseModel) -> dict[str, Any]:
        if not value.model_fields_set:
            # With defaults for all of them, anything would be an answer.
            raise InvalidAnswer(f"it has no field of {', '.join(self._cls.model_fields)}")
        answer = value.model_dump(mode="json")
        _check_numbers(answer)
        return answer

    def _broken(self, error: Exception) -> ModelError:
        return ModelError(
            f"response class {self.name}: a validator failed with {type(error).__name__}: {error}",
            hint="a validator says no with ValueError",
        )

    def _chosen(self, body: str, *, lenient: bool = False) -> dict[str, Any]:
        field = self._layout.choice[0] if self._layout.choice else ""
        try:
            answered = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise InvalidAnswer(f"not valid JSON: {error}") from None
        if lenient and field not in answered:
            key = key_of(field, answered, ())
            answered = answered if key is None else {field: answered[key]}
        if field not in answered:
            raise InvalidAnswer(f"'{field}' is missing")
        label = answered[field]
        option = self._labels.get(label) if isinstance(label, str) else None
        if option is None and label in self._labels.values():
            # Where a provider does not hold the model to labels, an option in full is an answer.
            option = label
        if option is None and lenient:
            option = choices.meant(label, self._labels, field)
        if option is None:
            shown = json.dumps(label, ensure_ascii=False)
            labels = ", ".join(self._labels)
            raise InvalidAnswer(f"'{field}': {shown:.100} is not one of the labels {labels}")
        # Through the class, so that its own validators have their say.
        value = self._cls.model_validate({field: option}, context=self._context)
        return value.model_dump(mode="json")

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


def _spelled(value: Mapping[str, Any]) -> str:
    """Return a value as JSON that UTF-8 can hold: halves of surrogate pairs are question marks."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _nothing_in(body: str) -> InvalidAnswer:
    if not body:
        return InvalidAnswer("it is empty")
    start, end = body.find("{"), body.rfind("}")
    if start < 0:
        return InvalidAnswer("there is no JSON object in it")
    if end < start:
        return InvalidAnswer("the JSON object has no end")
    return InvalidAnswer("there is no valid JSON object in it")


def _explained(error: ValidationError) -> str:
    """Say what is wrong in words for a model: field, complaint, the value seen."""
    out = []
    problems = error.errors(include_url=False, include_context=False)
    for problem in problems[:5]:
        place = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] in ("missing", "json_invalid"):
            seen = ""
        else:
            seen = f" (got {json.dumps(problem['input'], ensure_ascii=False, default=str):.100})"
        out.append((f"'{place}': " if place else "") + message + seen)
    if len(problems) > 5:
        out.append(f"and {len(problems) - 5} more")
    return "; ".join(out)


def _check_numbers(value: Any) -> None:
    """Refuse numbers no column holds; a model may write one of any length, and NaN."""
    for number in _numbers(value):
        if isinstance(number, int) and number not in _INT64:
            raise InvalidAnswer(f"the number {str(number)[:30]} is too large")
    _check_finite(value)


def _check_finite(value: Any) -> None:
    """Refuse NaN and infinity."""
    for number in _numbers(value):
        if isinstance(number, float) and not math.isfinite(number):
            raise InvalidAnswer(f"{number} is not a number that JSON has")


def _numbers(value: Any) -> Iterator[int | float]:
    """Yield the numbers in a value of JSON."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float):
        yield value
