"""What all settings are: blocks in which an unknown key is an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

# The type of a fault that says in full what is wrong with a name that stands for a class.
UNREGISTERED = "unregistered"


class Strict(BaseModel):
    """A settings block in which an unknown key is an error."""

    model_config = ConfigDict(
        extra="forbid", protected_namespaces=(), use_attribute_docstrings=True
    )

    not_here: ClassVar[Mapping[str, str]] = {}
    """Keys that are often tried here, and what to do instead, as a hint."""

    @classmethod
    def read_as(cls, value: Any) -> type[BaseModel]:
        """Return the class that reads a value: itself, or one of those it stands for."""
        return cls

    @classmethod
    def belongs_to(cls, key: str) -> str | None:
        """Return where a key belongs that is none of this block's, as a hint; None if nowhere."""
        return cls.not_here.get(key)
