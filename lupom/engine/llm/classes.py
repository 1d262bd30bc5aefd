"""Response classes: loading them from a project's responses.py, and hashing what they are made of.

The file is the project's own code, trusted like its Python models.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from lupom.engine.errors import CompileError, did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel

_lock = threading.Lock()
_parsing = threading.Lock()
_TRIES = 3
_modules: dict[tuple[str, str], ModuleType] = {}


@dataclass(frozen=True, slots=True)
class Imports:
    """How a responses.py imports a project's own modules.

    Attributes
    ----------
    package : the dotted name of its folder, 'prompts': what its relative imports start from.
    ready : given statements, has the project's modules that they import found in the project's
        folder, and returns a hash of the modules' sources; '' where they import none.
    """

    package: str
    ready: Callable[[Iterable[ast.stmt]], str]


def load_class(
    file: Path, name: str, imports: Imports | None = None
) -> tuple[type[BaseModel], str]:
    """Return the class of a responses.py and the hash of the source it is made of.

    The hash covers the class and whatever of its file it mentions, directly or not, without
    comments and layout, and the project's modules that these import: a change to another class
    leaves it alone. Raises CompileError with file and line.
    """
    from pydantic import BaseModel, RootModel

    try:
        source = file.read_bytes()
    except FileNotFoundError:
        raise CompileError(
            f"there is no file of response classes, so no class '{name}'", file=file
        ) from None
    tree = _parsed(file, source)
    module = _module(file, source, tree, imports)
    found = getattr(module, name, None)
    line = _line_of(tree, name)
    if found is None:
        known = [n for n, v in vars(module).items() if _is_own(v, module, BaseModel)]
        raise CompileError(
            f"no response class '{name}' in {file.name}",
            hint=did_you_mean(name, known)
            or ("classes: " + ", ".join(sorted(known)) if known else "it has no classes yet"),
        )
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        raise CompileError(
            f"'{name}' is not a Pydantic class",
            file=file,
            line=line,
            hint=f"class {name}(BaseModel):",
        )
    if issubclass(found, RootModel):
        raise CompileError(
            f"'{name}' is a RootModel; an answer is an object with named fields",
            file=file,
            line=line,
            hint=f"class {name}(BaseModel):",
        )
    if found.model_config.get("table"):
        raise CompileError(
            f"'{name}' is an SQLModel table, and those skip validation",
            file=file,
            line=line,
            hint=f"class {name}(BaseModel):",
        )
    reached, text = _reached(tree, name)
    imported = imports.ready(reached) if imports else ""
    parts = [text, imported] if imported else [text]
    return found, hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def defines_class(file: Path, name: str) -> bool:
    """Tell whether a file of response classes is there and has a class `name` at its top level.

    Raises CompileError with file and line where it is not Python.
    """
    try:
        source = file.read_bytes()
    except FileNotFoundError:
        return False
    return any(name in _defines(node) for node in _parsed(file, source).body)


def _parsed(file: Path, source: bytes) -> ast.Module:
    try:
        return _tree(source)
    except SyntaxError as error:
        raise CompileError(str(error.msg), file=file, line=error.lineno) from None
    except ValueError as error:
        raise CompileError(str(error), file=file) from None


@lru_cache(maxsize=64)
def _tree(source: bytes) -> ast.Module:
    """Parse a file once for all its classes, 3 ms of CPU each; nobody changes the tree."""
    with _parsing:
        for _ in range(_TRIES):
            try:
                return ast.parse(source)
            except SystemError:
                # CPython 3.11 counts the depth of all threads' trees in one place, and stumbles
                # over it ("AST constructor recursion depth mismatch") where two parse at once.
                continue
        return ast.parse(source)


def _module(file: Path, source: bytes, tree: ast.Module, imports: Imports | None) -> ModuleType:
    """Import the file under a name of its own, once per content, that of its imports with it."""
    path = str(file.resolve())
    with _lock:
        imported = imports.ready(tree.body) if imports else ""
        version = hashlib.sha256(source + imported.encode()).hexdigest()[:16]
        known = _modules.get((path, version))
        if known is not None:
            return known
        unique = hashlib.sha256(path.encode()).hexdigest()[:8]
        name = f"lupom_responses_{unique}_{version}"
        if imports and imports.package and imported:
            name = f"{imports.package}.{name}"
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise CompileError("it cannot be imported", file=file)
        module = importlib.util.module_from_spec(spec)
        # Pydantic looks names up in the module, so it has to be known while it is executed.
        sys.modules[name] = module
        try:
            exec(compile(source, str(file), "exec"), module.__dict__)
        except Exception as error:
            del sys.modules[name]
            frames = [
                f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)
            ]
            raise CompileError(
                f"{type(error).__name__}: {_first_line(error)}",
                file=file,
                line=frames[-1].lineno if frames else None,
            ) from error
        _modules[(path, version)] = module
        return module


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else "no message"


def _is_own(value: object, module: ModuleType, base: type) -> bool:
    return (
        isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    )


def _line_of(tree: ast.Module, name: str) -> int | None:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node.lineno
    return None


@lru_cache(maxsize=1024)
def _reached(tree: ast.Module, name: str) -> tuple[tuple[ast.stmt, ...], str]:
    """Return the top-level definitions a class reaches by name, in the order of the file, and
    their text without comments and layout."""
    definitions: dict[str, list[ast.stmt]] = {}
    for node in tree.body:
        for defined in _defines(node):
            definitions.setdefault(defined, []).append(node)
    reached: set[str] = set()
    waiting = [name]
    statements: set[int] = set()
    while waiting:
        current = waiting.pop()
        if current in reached:
            continue
        reached.add(current)
        for node in definitions.get(current, []):
            statements.add(id(node))
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name):
                    waiting.append(inner.id)
                elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                    # A forward reference is a name in quotes.
                    waiting.append(inner.value)
    # A statement that defines no name (`Model.model_rebuild()`) may concern any class.
    found = tuple(n for n in tree.body if id(n) in statements or _concerns_all(n))
    return found, "\n".join(ast.unparse(node) for node in found)


def _defines(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [(alias.asname or alias.name).split(".")[0] for alias in node.names]
        return [name for name in names if name != "*"]
    assignments = (ast.Assign, ast.AnnAssign, ast.AugAssign, getattr(ast, "TypeAlias", ast.Assign))
    if isinstance(node, assignments):
        found = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
        return [n.id for n in found if isinstance(n.ctx, ast.Store)]
    return []


def _concerns_all(node: ast.stmt) -> bool:
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return not docstring and not _defines(node) and not isinstance(node, ast.Pass)
