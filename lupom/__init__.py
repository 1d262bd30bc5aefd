"""LUPoM predicts how a person will answer a survey question.

The public face: `Project`, `OneOf` and its kin for response classes, and the errors. Everything is
imported when it is first asked for, so that `import lupom` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lupom.engine.errors import LupomError
    from lupom.engine.llm.responses import AsArray, Distribution, OneOf, OneOfEach, Usable
    from lupom.project import Project

__version__ = "0.1.0"
__all__ = [
    "AsArray",
    "Distribution",
    "LupomError",
    "OneOf",
    "OneOfEach",
    "Project",
    "Usable",
    "__version__",
]

_HOMES = {
    "Project": "lupom.project",
    "AsArray": "lupom.engine.llm.responses",
    "Distribution": "lupom.engine.llm.responses",
    "OneOf": "lupom.engine.llm.responses",
    "OneOfEach": "lupom.engine.llm.responses",
    "Usable": "lupom.engine.llm.responses",
    "LupomError": "lupom.engine.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lupom' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
