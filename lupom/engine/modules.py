"""Imports of a project's own modules, from the bytes that its models are fingerprinted by.

A module read again when a model runs could be another than the one that was hashed, and one that
this process imported earlier is as old as that import. So modules are made of what was read when
the project was opened, and those of another reading are forgotten before a model runs.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

_lock = threading.Lock()


class BytesLoader(SourceFileLoader):
    """Makes a module of bytes that are given, not of what its file holds by then."""

    def __init__(self, name: str, path: str, content: bytes) -> None:
        super().__init__(name, path)
        self.content = content

    def get_data(self, path: str) -> bytes:
        return self.content

    def path_stats(self, path: str) -> Mapping[str, float]:
        # Without a time no compiled file is taken from, or left in, __pycache__.
        raise OSError("made of bytes in memory")


class _Loader(BytesLoader):
    """Makes a module that other modules import."""


class _Folder(Loader):
    """Makes the module of a folder without an __init__.py, which holds nothing but others."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def exec_module(self, module: ModuleType) -> None:
        pass


class _Finder:
    """Finds modules below a project's folder among the files that were read."""

    def __init__(self) -> None:
        self.root = Path()
        self.code: Mapping[Path, bytes] = {}
        self._names: frozenset[str] = frozenset()
        self._folders: frozenset[Path] = frozenset()
        self._files = 0

    def reads_from(self, root: Path, code: Mapping[Path, bytes]) -> bool:
        """Tell whether modules are found among just these files; of what is read, none changes."""
        return self.code is code and self._files == len(code) and self.root == root

    def read_from(self, root: Path, code: Mapping[Path, bytes]) -> None:
        """Find modules among these files from now on."""
        self.root, self.code, self._files = root, code, len(code)
        # By name: 2,800 modules of other people are compared with them before each model.
        self._names = frozenset(map(str, code))
        self._folders = frozenset(
            folder for file in code for folder in file.parents if root in folder.parents
        )

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        place = self.root.joinpath(*name.split("."))
        for file, is_package in ((place / "__init__.py", True), (place.with_suffix(".py"), False)):
            content = self.code.get(file)
            if content is not None and (path is None or str(file.parents[is_package]) in path):
                loader = _Loader(name, str(file), content)
                folders = [str(place)] if is_package else None
                return spec_from_file_location(
                    name, file, loader=loader, submodule_search_locations=folders
                )
        if place in self._folders and (path is None or str(place.parent) in path):
            # Python would take a module of this name from elsewhere on sys.path first, and there
            # the folders of other projects of this process are.
            spec = ModuleSpec(name, _Folder(place), is_package=True)
            spec.submodule_search_locations = [str(place)]
            return spec
        return None

    def is_stale(self, module: ModuleType) -> bool:
        """Tell whether a module is a project's, and not of just the bytes that count now."""
        loader = getattr(getattr(module, "__spec__", None), "loader", None)
        if isinstance(loader, _Loader):
            return self.code.get(Path(loader.path)) != loader.content
        if isinstance(loader, _Folder):
            return loader.place not in self._folders
        file = getattr(module, "__file__", None)
        return isinstance(file, str) and file in self._names

    def is_own(self, module: ModuleType) -> bool:
        loader = getattr(getattr(module, "__spec__", None), "loader", None)
        return isinstance(loader, (_Loader, _Folder))


_finder = _Finder()


def use(root: Path, code: Mapping[Path, bytes]) -> None:
    """Import a project's modules from these files from now on, and forget those of other bytes.

    Where one of them is other than it was, all are forgotten: what imported it holds the old one.
    """
    with _lock:
        if str(root) not in sys.path:
            sys.path.insert(0, str(root))
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
        # What was imported since the last look is of these files. A look at 330 files and 2,800
        # modules before each of 53 models took .2 s of CPU of a run.
        elif _finder.reads_from(root, code):
            return
        _finder.read_from(root, code)
        # Other threads import meanwhile, and a list of items may meet that; a copy is made at once.
        loaded = list(sys.modules.copy().items())
        if any(_finder.is_stale(module) for _, module in loaded):
            for name, module in loaded:
                if _finder.is_own(module) or _finder.is_stale(module):
                    _forget(name, module)
            importlib.invalidate_caches()


def _forget(name: str, module: ModuleType) -> None:
    sys.modules.pop(name, None)
    parent, _, last = name.rpartition(".")
    if parent and getattr(sys.modules.get(parent), last, None) is module:
        delattr(sys.modules[parent], last)
