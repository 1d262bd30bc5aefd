"""What a Python model takes of entry points, as parts of its fingerprint: whose it is, its code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lupom import entry_points
from lupom.engine.compiler import python
from lupom.engine.errors import CompileError
from lupom.engine.hashes import digest


def parts(
    call: python.Family,
    selected: Any,
    file: str,
    roots: Mapping[str, Path],
    hash_of: Callable[[Path], str],
    imports_in: Callable[[Path], Iterable[str]],
    resolved: python.Resolved,
) -> dict[str, str]:
    """Return a part for each offer that a call of `entry_points` takes.

    Parameters
    ----------
    call : its group and var.
    selected : the var's value, None where it has none.
    file : the model's, for messages.
    roots : folder by dotted prefix of what is part of the LUPoM that runs ('lupom.science').
    hash_of, imports_in : give the hash of a file, and what it imports.
    resolved : where names of LUPoM's own led so far, filled in, see `python.imported_files`.

    Raises
    ------
    CompileError : for a name that no installed package offers.
    """
    try:
        taken = entry_points.chosen(call.pattern, selected, call.var)
    except ValueError as error:
        raise CompileError(str(error), file=file, line=call.line) from error
    out = {}
    for name, offer in taken.items():
        code = [
            [path.name, hash_of(path)]
            for path in _code_of(offer.module, roots, imports_in, resolved)
        ]
        # Of LUPoM's own the code says all; another's version also stands for what is not Python.
        version = "" if offer.distribution == entry_points.OWN else offer.version
        part = f"{entry_points.kind(call.pattern)} '{name}'"
        out[part] = digest(offer.value, offer.distribution, version, code)
    return out


def _code_of(
    module: str,
    roots: Mapping[str, Path],
    imports_in: Callable[[Path], Iterable[str]],
    resolved: python.Resolved,
) -> list[Path]:
    """Return the files of a module's package that it imports, and its own, by path."""
    within, names = dict(roots), [module]
    top = module.split(".")[0]
    # Nothing is imported to find a name without a dot.
    spec = None if top == "lupom" else find_spec(top)
    origin = Path((spec.origin if spec is not None and spec.has_location else None) or "")
    found = set()
    if spec is not None and spec.submodule_search_locations:
        within[top] = Path(spec.submodule_search_locations[0])
    elif origin.suffix == ".py":
        found.add(origin)
        names = list(imports_in(origin))
    # Where a name of LUPoM's own leads is the same for all that it offers.
    known = resolved if top == "lupom" else python.Resolved()
    found.update(python.imported_files(names, origin, within, imports_in, known))
    return sorted(found)
