"""Prompt and response class of an LLM model, by the profile of the alias that is asked.

`prompts/` is written for a capable instruction-following LLM. What another profile needs otherwise
stands in a folder of its name, `prompts/small/`: a template or a class of the same name takes the
place of the one above it there, one by one, and whatever is not there is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lupom.engine.errors import ModelError
from lupom.engine.hashes import digest
from lupom.engine.llm.classes import Imports, defines_class
from lupom.engine.llm.prompts import Prompt
from lupom.engine.llm.responses import ResponseSpec, load_response

# The profile that `prompts/` itself is written for.
CAPABLE = "capable"
PROFILES = (CAPABLE, "small")
RESPONSES = "responses.py"


@dataclass(frozen=True, slots=True)
class Wording:
    """What one LLM model says in one profile, and the class of what comes back, with its file."""

    prompt: Prompt
    response: ResponseSpec
    file: Path


def folders(root: Path, profile: str) -> list[Path]:
    """Return the folders a profile's templates and classes are looked for in, in this order."""
    own = Path(root) / profile
    return [own, Path(root)] if profile != CAPABLE and own.is_dir() else [Path(root)]


def load_prompt(root: Path, name: str, profile: str) -> Prompt:
    """Return the template `name` of a prompts folder for a profile.

    Raises CompileError with file and line for one that is not there or is not a template.
    """
    return Prompt(folders(root, profile), name)


def load_wording(
    root: Path,
    prompt: str,
    response: str,
    profile: str,
    imports: Callable[[Path], Imports] | None = None,
) -> Wording:
    """Return the template and the response class of a prompts folder for a profile.

    `imports` gives how a file of classes imports the project's modules; it imports none without.
    Raises CompileError with file and line for what is not there, or is not right.
    """
    loaded = load_prompt(root, prompt, profile)
    files = [folder / RESPONSES for folder in folders(root, profile)]
    file = next((file for file in files[:-1] if defines_class(file, response)), files[-1])
    own = imports(file) if imports else None
    return Wording(loaded, load_response(file, response, own), file)


def load_wordings(
    root: Path, prompt: str, response: str, imports: Callable[[Path], Imports] | None = None
) -> dict[str, Wording]:
    """Return the wording of every profile, by profile; equal ones are one object."""
    found: dict[str, Wording] = {}
    for profile in PROFILES:
        if found and len(folders(root, profile)) == 1:
            found[profile] = found[CAPABLE]
            continue
        one = load_wording(root, prompt, response, profile, imports)
        same = (w for w in found.values() if _source(w) == _source(one))
        found[profile] = next(same, one)
    return found


def columns_of(wordings: Iterable[Wording]) -> dict[str, str]:
    """Return the columns of answers in any of the wordings with their DuckDB types.

    So a table has the same columns whichever alias is asked; a column that a profile's class does
    not have is NULL in its rows. Raises ModelError for a column of two types.
    """
    columns: dict[str, str] = {}
    for wording in wordings:
        for name, kind in wording.response.columns().items():
            if columns.setdefault(name, kind) != kind:
                raise ModelError(
                    f"response class {wording.response.name}: field '{name}' is {columns[name]} in"
                    f" one profile and {kind} in another",
                    hint="give it one type in prompts/responses.py and prompts/small/responses.py",
                )
    return columns


def parts_of(wordings: Mapping[str, Wording], profiles: Iterable[str]) -> dict[str, str]:
    """Return the parts of a node's identity for the profiles it may be asked in.

    The first is the node's own; of the others only what differs is a part.
    """
    first, *others = dict.fromkeys(profiles)
    own = wordings[first]
    parts = {"prompt": own.prompt.source_hash, "response class": own.response.source_hash}
    for profile in others:
        other = wordings[profile]
        if other.prompt.source_hash != own.prompt.source_hash:
            parts[f"prompt ({profile})"] = other.prompt.source_hash
        if other.response.source_hash != own.response.source_hash:
            parts[f"response class ({profile})"] = other.response.source_hash
    columns = columns_of(wordings.values())
    if columns != own.response.columns():
        parts["response columns"] = digest(columns)
    return parts


def _source(wording: Wording) -> tuple[str, str]:
    return wording.prompt.source_hash, wording.response.source_hash
