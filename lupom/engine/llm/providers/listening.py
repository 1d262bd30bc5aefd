"""The classes that instructor is given: they ask for a schema, and take down what was answered."""

from __future__ import annotations

import functools
import json
from typing import Any


@functools.lru_cache(maxsize=512)
def heard_as(name: str, schema: str) -> Any:
    """Return a class that asks for a schema and takes down what was answered.

    instructor wants a class. Whether an answer is valid is for the response class to say, with the
    row's own values, so this one takes anything.
    """
    return type(name, (_listener(),), {"__doc__": "Gives the answer.", "lupom_spelled": schema})


@functools.cache
def _listener() -> Any:
    from typing import ClassVar

    from instructor import ResponseSchema

    class Listener(ResponseSchema):  # type: ignore[misc,unused-ignore]
        lupom_spelled: ClassVar[str]
        heard: str = ""

        @classmethod
        def lupom_schema(cls) -> dict[str, Any]:
            found: dict[str, Any] = json.loads(cls.lupom_spelled)
            return found

        @classmethod
        def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
            # Made anew each time, as its takers write into it.
            return {"title": cls.__name__, **cls.lupom_schema()}

        @classmethod
        def model_validate_json(cls, json_data: Any, **_: Any) -> Any:
            text = json_data if isinstance(json_data, str) else bytes(json_data).decode("utf-8")
            return cls.model_construct(heard=text)

        @classmethod
        def model_validate(cls, obj: Any, **_: Any) -> Any:
            return cls.model_construct(heard=json.dumps(obj, ensure_ascii=False))

    return Listener
