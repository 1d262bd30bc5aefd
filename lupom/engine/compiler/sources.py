"""What the Python of a project imports: which files, and of which bytes."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.compiler import offers, python
from lupom.engine.hashes import FileHashes, digest, of_bytes
from lupom.engine.modules import use
from lupom.engine.project.discovery import ProjectFiles

if TYPE_CHECKING:
    from lupom.engine.llm.classes import Imports


class Sources:
    """What Python models and response classes import: hashes of all, bytes of the project's own.

    A project's file is read once, and run from these bytes. The science half is imported by this
    process as any package, and hashed as it stands, also where it is installed in an environment
    within the project's folder (`.venv`): as a module of the project it would be made anew for each
    model, since no import of the project leads to it.

    Parameters
    ----------
    files : the project's.
    hashes : gives the hash of a file.
    science : folder of the science half that runs.
    """

    def __init__(self, files: ProjectFiles, hashes: FileHashes, science: Path) -> None:
        self._roots = {"": files.root, "lupom.science": science}
        self._hashes = hashes
        # In a checkout of LUPoM it is what 'lupom.science' means from the project's folder.
        self._apart = None if science == files.root / "lupom" / "science" else science
        self.code: dict[Path, bytes] = {}
        self._resolved = python.Resolved()
        self._offered = python.Resolved()

    def hash(self, modules: list[str], origin: Path) -> str:
        found = python.imported_files(modules, origin, self._roots, self._read, self._resolved)
        return digest([[path.name, self._hash(path)] for path in found])

    def imports(self, file: Path) -> Imports:
        """Return how a file of response classes imports the project's modules."""
        from lupom.engine.llm.classes import Imports

        def ready(statements: Iterable[ast.stmt]) -> str:
            names = sorted({name for node in statements for name in python.imports(node)})
            found = python.imported_files(names, file, self._roots, self._read, self._resolved)
            if not any(path in self.code for path in found):
                return ""
            use(self._roots[""], self.code)
            return digest([[path.name, self._hash(path)] for path in found])

        root = self._roots[""]
        inside = file.is_relative_to(root)
        return Imports(".".join(file.parent.relative_to(root).parts) if inside else "", ready)

    def offered(self, call: python.Family, selected: Any, file: str) -> dict[str, str]:
        """Return the parts of what a model takes of entry points."""
        roots = {name: root for name, root in self._roots.items() if name}
        return offers.parts(call, selected, file, roots, self._hash, self._offered)

    def _read(self, path: Path) -> bytes:
        if not path.is_relative_to(self._roots[""]) or (
            self._apart is not None and path.is_relative_to(self._apart)
        ):
            return path.read_bytes()
        if path not in self.code:
            self.code[path] = path.read_bytes()
        return self.code[path]

    def _hash(self, path: Path) -> str:
        return of_bytes(self.code[path]) if path in self.code else self._hashes.of(path)
