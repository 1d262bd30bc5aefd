"""An answer read and validated: as strictly as it can be, and then by what was meant.

In which order a text is tried is here; `reading` finds the JSON in it, `lenient` bends the limits
that providers do not enforce, `choices` knows how an option may be written, `in_words` what a reply
without JSON says, `reasoned` what to do where a thought is missing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lupom.engine.errors import LupomError, ModelError
from lupom.engine.llm import choices, in_words, latex, tabled
from lupom.engine.llm.lenient import key_of
from lupom.engine.llm.markers import LENIENT, OneOfEach
from lupom.engine.llm.numerals import one_number
from lupom.engine.llm.reading import Found, after_thoughts, found_in, repaired_in, shapes
from lupom.engine.llm.reasoned import reasoned
from lupom.engine.llm.stated import Distribution

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import SchemaValidator

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


class Spec(Protocol):
    """What is known of a response class."""

    name: str

    @property
    def cls(self) -> type[BaseModel]: ...

    @property
    def lenient(self) -> SchemaValidator: ...


class Reader:
    """Reads the answers of one row."""

    def __init__(
        self,
        spec: Spec,
        context: Mapping[str, Any],
        choice: str | None,
        labels: Mapping[str, str],
    ) -> None:
        """`context` are the row's own values by column; `choice` is the one field of a choice and
        `labels` the option of each label."""
        self._spec = spec
        self._context = context
        self._choice = choice
        self._labels = labels

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
        if (joined := self._in_parts(found, text)) is not None:
            return joined
        # The braces of \\boxed{...} are no object's.
        framed = not found and latex.BOX.search(text) is not None
        repaired = [] if framed else repaired_in(text, finished=finished)
        for one in repaired:
            reading, _ = self._of(one)
            if reading is not None:
                return reading
        if self._choice is not None and finished:
            # An object without the field, in which the option stands under another name; else a
            # text that is not JSON.
            field = self._choice
            options = [choices.meant(one.value, self._labels, field) for one in (*found, *repaired)]
            if not found:
                options.append(in_words.said_in(after_thoughts(text) or "", self._labels, field))
            for option in options:
                if (chosen := self._of_option(option)) is not None:
                    return chosen
        elif finished and not found and (alone := self._without_object(text)) is not None:
            return alone
        elif finished and (partly := self._reasoned([*found, *repaired], text)) is not None:
            return partly
        raise why or _nothing_in(body)

    def _in_parts(self, found: Sequence[Found], text: str) -> Reading | None:
        """Return the answer that objects have a part of each (a thought, then what it came to), or
        that is a table's one row."""
        fields = self._spec.cls.model_fields
        value: Any = None
        if not found:
            value = tabled.row_in(after_thoughts(text) or "", fields)
        elif 1 < len(found) <= len(fields) and all(isinstance(one.value, dict) for one in found):
            names = [name for one in reversed(found) for name in one.value]
            if len(names) == len(set(names)):
                value = {name: part for one in found for name, part in one.value.items()}
        if value is None:
            return None
        reading, _ = self._of(Found(value, repaired=True))
        if reading is None and self._choice is None:
            return self._reasoned([Found(value, repaired=True)], text)
        if self._choice is not None:
            if reading is None:
                option = choices.meant(value, self._labels, self._choice)
                reading = self._of_option(option)
            words = in_words.said_in(after_thoughts(text) or "", self._labels, self._choice)
            if reading is not None and words not in (None, reading.value[self._choice]):
                # Beside its table a text answers otherwise.
                return None
        return reading

    def _of_option(self, option: str | None) -> Reading | None:
        if option is None:
            return None
        # By its label: an option may be called like the label of another.
        label = next(one for one, text in self._labels.items() if text == option)
        return Reading(self._bent(json.dumps({self._choice: label})), True)

    def _without_object(self, text: str) -> Reading | None:
        """Return the answer of a class with one field: a number that is all the text says,
        a text that is marked as one, or probabilities or values that it lists."""
        fields = self._spec.cls.model_fields
        if len(fields) != 1:
            return None
        ((name, field),) = fields.items()
        said = after_thoughts(text) or ""
        if field.annotation in (int, float):
            said = one_number(in_words.boxed(said) or said) or in_words.bare(said, name)
        elif field.annotation is str:
            # A text alone may be a refusal as well as the text: there has to be a sign that it is.
            # An object that has no end is none, whatever its text is marked with.
            bare = in_words.bare(said, name)
            said = bare if bare != said.strip() and "{" not in said else ""
        elif not any(isinstance(mark, Distribution | OneOfEach) for mark in field.metadata):
            return None
        try:
            return Reading(self._bent(json.dumps({name: said})), True) if said else None
        except InvalidAnswer:
            return None

    def _reasoned(self, found: Sequence[Found], text: str) -> Reading | None:
        """Return the answer of a class of one answer with texts beside it, where a text is missing
        or there is no object; see `reasoned`."""
        fields = reasoned(self._spec.cls)
        if fields is None:
            return None
        for one in found:
            for shape in shapes(one.value, self._spec.cls.model_fields):
                completed = fields.completed(shape)
                if completed is not None:
                    with suppress(InvalidAnswer):
                        return Reading(self._bent(_spelled(completed)), True, one.start, one.end)
        if not found and fields.column is not None:
            said = fields.said(after_thoughts(text) or "", self._context[fields.column])
            if said is not None:
                with suppress(InvalidAnswer):
                    return Reading(self._bent(_spelled(said)), True)
        return None

    def _of(self, found: Found) -> tuple[Reading | None, InvalidAnswer | None]:
        """Return what was found as an answer; else what is wrong with it."""
        why: InvalidAnswer | None = None
        place = found.start, found.end
        for shape in shapes(found.value, self._spec.cls.model_fields):
            if self._choice is not None and found.value in shape.values():
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
        return self._validated(body, lenient=False)

    def _bent(self, body: str) -> dict[str, Any]:
        """Validate the text of an object without the limits that providers do not enforce."""
        return self._validated(body, lenient=True)

    def _validated(self, body: str, *, lenient: bool) -> dict[str, Any]:
        from pydantic import ValidationError

        try:
            if self._choice is not None:
                return self._chosen(body, lenient=lenient)
            if lenient:
                context = {**self._context, LENIENT: True}
                value = self._spec.lenient.validate_json(body, context=context)
            else:
                value = self._spec.cls.model_validate_json(body, context=self._context)
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
            raise InvalidAnswer(f"it has no field of {', '.join(self._spec.cls.model_fields)}")
        answer = value.model_dump(mode="json")
        _check_numbers(answer)
        return answer

    def _broken(self, error: Exception) -> ModelError:
        said = f"a validator failed with {type(error).__name__}: {error}"
        return ModelError(
            f"response class {self._spec.name}: {said}",
            hint="a validator says no with ValueError",
        )

    def _chosen(self, body: str, *, lenient: bool = False) -> dict[str, Any]:
        field = self._choice or ""
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
        value = self._spec.cls.model_validate({field: option}, context=self._context)
        return value.model_dump(mode="json")


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
