"""LLM calls: one request in, one validated answer out, and nothing paid for twice."""

from __future__ import annotations

from lupom.engine.llm.markers import AsArray, OneOf, OneOfEach, Usable

__all__ = ["AsArray", "OneOf", "OneOfEach", "Usable"]
