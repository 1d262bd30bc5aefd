"""LUPoM predicts how a person will answer a survey question.

The public face: `Project` and what its methods give, `Interview`, `init`, `import_survey`,
`import_predictions` and `setup`, `OneOf` and its kin for response classes, and the errors.
Everything is imported when it is first asked for, so that `import lupom` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lupom.asking import Interview
    from lupom.elsewhere import import_predictions
    from lupom.engine.errors import LupomError
    from lupom.engine.llm.responses import AsArray, Distribution, OneOf, OneOfEach, Usable
    from lupom.engine.llm.weights import setup
    from lupom.engine.run.plan import Plan
    from lupom.engine.run.results import Reporter, RunResult
    from lupom.engine.run.tables import Table
    from lupom.new import init
    from lupom.project import Project
    from lupom.surveys import import_survey
    from lupom.version import __version__

__all__ = [
    "AsArray",
    "Distribution",
    "Interview",
    "LupomError",
    "OneOf",
    "OneOfEach",
    "Plan",
    "Project",
    "Reporter",
    "RunResult",
    "Table",
    "Usable",
    "__version__",
    "import_predictions",
    "import_survey",
    "init",
    "setup",
]

_HOMES = {
    "Interview": "lupom.asking",
    "Project": "lupom.project",
    "AsArray": "lupom.engine.llm.responses",
    "Distribution": "lupom.engine.llm.responses",
    "OneOf": "lupom.engine.llm.responses",
    "OneOfEach": "lupom.engine.llm.responses",
    "Usable": "lupom.engine.llm.responses",
    "LupomError": "lupom.engine.errors",
    "Plan": "lupom.engine.run.plan",
    "Reporter": "lupom.engine.run.results",
    "RunResult": "lupom.engine.run.results",
    "Table": "lupom.engine.run.tables",
    "import_predictions": "lupom.elsewhere",
    "import_survey": "lupom.surveys",
    "init": "lupom.new",
    "setup": "lupom.engine.llm.weights",
    "__version__": "lupom.version",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lupom' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
