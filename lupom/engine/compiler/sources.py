"""What the Python of a project imports: which files, and of which bytes."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cached_property
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
        found = python.imported_files(modules, origin, self._roots, self._imports, self._resolved)
        return digest([[path.name, self._hash(path)] for path in found])

    def imports(self, file: Path) -> Imports:
        """Return how a file of response classes imports the project's modules."""
        from lupom.engine.llm.classes import Imports

        def ready(statements: Iterable[ast.stmt]) -> str:
            names = sorted({name for node in statements for name in python.imports(node)})
            found = python.imported_files(names, file, self._roots, self._imports, self._resolved)
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
        return offers.parts(call, selected, file, roots, self._hash, self._noted, self._offered)

    def _imports(self, path: Path) -> Iterable[str]:
        """Return what a file imports; a project's own is read, to be run from these bytes."""
        apart = self._apart is not None and path.is_relative_to(self._apart)
        if path.is_relative_to(self._roots[""]) and not apart and path not in self.code:
            self.code[path] = path.read_bytes()
        return self._noted(path)

    def _noted(self, path: Path) -> Iterable[str]:
        """Return what a file imports, parsed once for a content: that was a quarter of a run
        which finds nothing to do.
        """
        noted = self._hashes.noted(self._note_of(self._hash(path)))
        if isinstance(noted, list) and all(isinstance(name, str) for name in noted):
            return noted
        content = self.code.get(path) or path.read_bytes()
        found = python.imports_of(content)
        self._hashes.note(self._note_of(of_bytes(content)), list(found))
        return found

    def _note_of(self, hashed: str) -> str:
        # Another version of LUPoM may find other names in the same file.
        return f"imports {self._version} {hashed}"

    @cached_property
    def _version(self) -> str:
        return self._hashes.of(Path(python.__file__))

    def _hash(self, path: Path) -> str:
        return of_bytes(self.code[path]) if path in self.code else self._hashes.of(path)
