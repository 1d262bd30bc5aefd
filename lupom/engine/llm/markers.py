"""Marks on the fields of a response class: what a row limits, and what becomes rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lupom.engine.llm.lenient import alone, fitting, key_of
from lupom.engine.llm.listed import Each, begun_with, is_named, mapped

if TYPE_CHECKING:
    from pydantic import (
        GetCoreSchemaHandler,
        GetJsonSchemaHandler,
        ValidatorFunctionWrapHandler,
    )
    from pydantic_core import core_schema

# Keywords that carry a mark from pydantic's schema to the row's own; none reaches a provider.
ONE_OF = "x-one-of"
ONE_OF_EACH = "x-one-of-each"
# In a validation's context: allowed values are recognised in other letters, too.
LENIENT = " lenient"


@dataclass(frozen=True)
class OneOf:
    """Limits a string field to the values of a list column of the row: `Annotated[str,
    OneOf('options')]`.

    On a list of strings it limits each item; on an optional field None stays allowed. A class whose
    one field is such a string is a *choice*: it is asked by labels and has a distribution.
    """

    column: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        from pydantic_core import core_schema

        schema = handler(source)
        if source is str:
            schema = core_schema.with_info_before_validator_function(self._alone, schema)
        return core_schema.with_info_after_validator_function(self._check, schema)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), ONE_OF: self.column}

    @staticmethod
    def _alone(value: Any, info: core_schema.ValidationInfo) -> Any:
        return alone(value) if LENIENT in (info.context or {}) else value

    def _check(self, value: Any, info: core_schema.ValidationInfo) -> Any:
        context = info.context or {}
        allowed = context.get(self.column)
        if allowed is None:
            return value
        if LENIENT in context:
            value = _recognised(value, allowed)
        for item in value if isinstance(value, list) else [value]:
            if item is not None and item not in allowed:
                raise ValueError(f"not one of the allowed values: {short(list(allowed))}")
        return value


@dataclass(frozen=True)
class OneOfEach:
    """Makes one limited value per item of a list column: `Annotated[dict[str, str],
    OneOfEach('dimensions', ...)]`.

    The column holds structs, one per thing to decide (a persona dimension, say). The provider is
    given an object with one property per struct, each limited to that struct's own values; the
    answer becomes one row per struct.

    Parameters
    ----------
    column : the list-of-structs column of the row.
    key : the struct's field that identifies it; also the name of the output column.
    options : the struct's field with the list of its allowed values.
    value : the name of the output column with the chosen value.
    name : the struct's field whose text names the property in the schema; default: `key`.
    unknown : one more allowed value, in words ('unknown'), that becomes NULL.
    nullable : JSON null is allowed, too, and becomes NULL.
    partial : a struct whose value is missing or none of its own gets no row, as long as there is a
        value of another; null is `unknown`. The ledger says of such an answer that it was repaired.
    told : the prompt tells the allowed values and the provider's schema does not, so that rows of
        other values share their schema, and with it a provider's prompt cache.
    """

    column: str
    key: str
    options: str
    value: str = "value"
    name: str | None = None
    unknown: str | None = None
    nullable: bool = False
    partial: bool = False
    told: bool = False

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        from pydantic_core import core_schema

        handler(source)
        text: Any = core_schema.nullable_schema(core_schema.str_schema())
        text = core_schema.any_schema() if self.partial else text
        schema: Any = core_schema.dict_schema(core_schema.str_schema(), text)
        schema = core_schema.with_info_before_validator_function(self._mapped, schema)
        return core_schema.with_info_after_validator_function(self._check, schema)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "object", ONE_OF_EACH: self.column}

    def _mapped(self, value: Any, info: core_schema.ValidationInfo) -> Any:
        context = info.context or {}
        each: Each | None = context.get(self.column)
        return value if each is None or LENIENT not in context else mapped(value, each)

    def _check(self, value: dict[str, Any], info: core_schema.ValidationInfo) -> dict[str, Any]:
        """Check every property against its own values, and key the answer by the structs' keys."""
        context = info.context or {}
        each: Each | None = context.get(self.column)
        if each is None:
            return value
        if LENIENT in context:
            value = self._recognised(value, each)
        partial = self.partial and LENIENT in context
        out: dict[str, Any] = {}
        wrong = ""
        for name, (key, allowed) in each.items():
            try:
                out[key] = self._chosen(value, name, allowed)
            except ValueError as error:
                if not partial:
                    raise
                wrong = wrong or str(error)
        if not out:
            raise ValueError(wrong)
        return out

    def _recognised(self, value: dict[str, Any], each: Each) -> dict[str, Any]:
        """Return an answer with names and values of the structs in place of other spellings."""
        out = {}
        for name, (own, allowed) in each.items():
            key = name if name in value else key_of(name, value, each) or key_of(own, value, each)
            if key is None:
                longer = [k for k in value if k not in each and is_named(k, name, own)]
                key = longer[0] if len(longer) == 1 else None
            if key is not None:
                besides = [] if self.unknown is None else [self.unknown]
                said = _inner(value[key]) if self.partial else value[key]
                out[name] = _recognised(said, [*allowed, *besides])
                if out[name] not in (*allowed, *besides):
                    longer_one = begun_with(said, [*allowed, *besides], (name, own))
                    out[name] = out[name] if longer_one is None else longer_one
                if said is None and self.partial:
                    out[name] = self.unknown
        return out

    def _chosen(self, value: dict[str, Any], name: str, allowed: dict[str, None]) -> str | None:
        if name not in value:
            raise ValueError(f"'{name}' is missing")
        chosen = value[name]
        if chosen is None and not self.nullable:
            raise ValueError(f"'{name}' is null, not one of {short(list(allowed))}")
        if isinstance(chosen, dict | list):
            raise ValueError(f"'{name}' is not a text")
        if chosen is not None and chosen not in allowed and chosen != self.unknown:
            raise ValueError(f"'{name}': {chosen!r:.100} is not one of {short(list(allowed))}")
        # A candidate value in the words of `unknown` is that value: the survey's own meaning
        # comes first.
        return chosen if chosen in allowed else None


def _recognised(value: Any, allowed: Collection[str]) -> Any:
    if isinstance(value, list):
        return [_recognised(item, allowed) for item in value]
    if isinstance(value, dict) or value is None or value in allowed:
        return value
    found = fitting(value, allowed)
    return value if found is None else found


def _inner(value: Any) -> Any:
    """Return the value in an answer that says more than the value."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        value = value.get("value", next(iter(value.values())) if len(value) == 1 else value)
    return value


@dataclass(frozen=True)
class AsArray:
    """Keeps a list of scalars as one array column instead of rows: `Annotated[list[str],
    AsArray()]`."""


@dataclass(frozen=True)
class Usable:
    """Leaves out the items of a list that are not valid, as long as one is: `Annotated[list[Item],
    Usable()]`.

    What one item says wrong does not cost the others, which are paid for. An item that stands there
    without a list is a list of one. The ledger says of such an answer that it was repaired.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        from pydantic_core import core_schema

        return core_schema.with_info_wrap_validator_function(self._kept, handler(source))

    def _kept(
        self, value: Any, inner: ValidatorFunctionWrapHandler, info: core_schema.ValidationInfo
    ) -> Any:
        from pydantic import ValidationError

        if LENIENT not in (info.context or {}):
            return inner(value)
        value = [value] if isinstance(value, dict) else value
        try:
            return inner(value)
        except ValidationError as error:
            wrong = {problem["loc"][0] for problem in error.errors() if problem["loc"]}
            kept = (
                [item for i, item in enumerate(value) if i not in wrong]
                if isinstance(value, list)
                else []
            )
            if not kept:
                raise
        return inner(kept)


def short(values: list[str], most: int = 8) -> str:
    """Return values for a message, cut after the first few."""
    shown = ", ".join(repr(value[:60]) for value in values[:most])
    return shown + (f" and {len(values) - most} more" if len(values) > most else "")
