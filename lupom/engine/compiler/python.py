"""Python models read without running them: refs, vars, config and the modules they import."""

from __future__ import annotations

import ast
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from lupom.engine.errors import CompileError
from lupom.engine.project.nodes import Ref

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Family:
    """A call of `refs`, `meta` or `entry_points`: a name for each entry of the var, a list.

    `pattern` is what the first two are given, or the group of entry points.
    """

    pattern: str
    var: str
    line: int


@dataclass(slots=True)
class Scanned:
    """What a Python model says of itself: all of it literal, so that the graph needs no run."""

    refs: list[Ref] = field(default_factory=list)
    families: list[Family] = field(default_factory=list)
    metas: list[Family] = field(default_factory=list)
    vars: dict[str, Any] = field(default_factory=dict)
    required_vars: dict[str, int] = field(default_factory=dict)
    offers: list[Family] = field(default_factory=list)
    embeddings: set[str] = field(default_factory=set)
    config: dict[str, Any] = field(default_factory=dict)
    config_line: int | None = None
    modules: list[str] = field(default_factory=list)


@lru_cache(maxsize=1024)
def scan(text: str, file: str) -> Scanned:
    """Read a Python model's source, once, however often its project is opened.

    Raises
    ------
    CompileError : for a syntax error, a missing `def model(lupom)`, or a ref, var or config that
        is not a literal; with file and line.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise CompileError(
            f"Python does not parse: {error.msg}", file=file, line=error.lineno
        ) from error
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "model"]
    if not functions or not functions[-1].args.args:
        raise CompileError(
            "a Python model needs a function 'model' with one parameter",
            file=file,
            line=functions[-1].lineno if functions else None,
            hint="def model(lupom): return lupom.ref('...')",
        )
    handle = functions[-1].args.args[0].arg
    out = Scanned(modules=sorted(set(imports(tree))))
    called: set[ast.expr] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            # A call is walked before what it calls.
            called.add(node.func)
            method = _of_handle(node.func, handle)
            if method is not None:
                _note(node, method, out, file, handle)
        elif node not in called and _of_handle(node, handle) == "embed":
            # Handed on to be called elsewhere: with the default alias, as far as can be seen.
            out.embeddings.add("default")
    out.refs.sort(key=lambda ref: ref.line or 0)
    return out


def _of_handle(node: ast.AST, handle: str) -> str | None:
    """Return what of the handle an expression names: 'ref' for lupom.ref."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr if node.value.id == handle else None
    return None


def _note(call: ast.Call, method: str, out: Scanned, file: str, handle: str) -> None:
    if method == "ref":
        (name,) = _words(call, 1, f"{handle}.ref('questions')", file)
        out.refs.append(Ref(name, file, call.lineno))
    elif method in ("refs", "meta"):
        pattern, var = _words(call, 2, f"{handle}.{method}('{{}}_items', 'waves')", file)
        if pattern.count("{}") != 1:
            raise CompileError(
                f"the pattern '{pattern}' must hold {{}} once, where an entry of '{var}' goes",
                file=file,
                line=call.lineno,
            )
        families = out.families if method == "refs" else out.metas
        families.append(Family(pattern, var, call.lineno))
        given = next((k.value for k in call.keywords if k.arg == "default"), None)
        default = _MISSING if given is None else _literal(given, file)
        if default is _MISSING:
            out.required_vars.setdefault(var, call.lineno)
            out.vars.setdefault(var, None)
        else:
            out.vars[var] = default
    elif method == "entry_points":
        group, var = _words(call, 2, f"{handle}.entry_points('lupom.predictors', 'names')", file)
        out.offers.append(Family(group, var, call.lineno))
        out.vars.setdefault(var, None)
    elif method == "source":
        names = _words(call, 2, f"{handle}.source('panel', 'wave_34')", file)
        out.refs.append(Ref(".".join(names), file, call.lineno))
    elif method == "var":
        name = _words(call, 1, f"{handle}.var('seed')", file, extra=True)[0]
        default = _default(call, file)
        if default is _MISSING:
            out.required_vars.setdefault(name, call.lineno)
            out.vars.setdefault(name, None)
        else:
            out.vars[name] = default
    elif method == "embed":
        alias = next((k.value for k in call.keywords if k.arg == "alias"), None)
        out.embeddings.add("default" if alias is None else str(_literal(alias, file)))
    elif method == "config":
        if call.args:
            raise CompileError("config() takes names only", file=file, line=call.lineno)
        for keyword in call.keywords:
            if keyword.arg is None:
                raise CompileError("config() must be literal", file=file, line=call.lineno)
            out.config[keyword.arg] = _literal(keyword.value, file)
        out.config_line = out.config_line or call.lineno


def _words(
    call: ast.Call, count: int, example: str, file: str, *, extra: bool = False
) -> list[str]:
    given = call.args[:count] if extra else call.args
    words = [a.value for a in given if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if len(words) != count:
        raise CompileError(
            "the name must be a literal string, so that the graph is known without running it",
            file=file,
            line=call.lineno,
            hint=f"for instance {example}",
        )
    return words


def _default(call: ast.Call, file: str) -> Any:
    node = call.args[1] if len(call.args) > 1 else None
    node = next((k.value for k in call.keywords if k.arg == "default"), node)
    return _MISSING if node is None else _literal(node, file)


def _literal(node: ast.expr, file: str) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise CompileError(
            "the value must be a literal, so that it is known without running the model",
            file=file,
            line=node.lineno,
        ) from error


def expand(pattern: str, var: str, value: Any) -> dict[str, str]:
    """Return the ref for each entry of a var; one with a dot in it is a source's table.

    Raises CompileError when the value is not a list of different names.
    """
    if not isinstance(value, list) or not all(isinstance(v, str) and v.strip() for v in value):
        raise CompileError(
            f"the var '{var}' must be a list of names, not {value!r}",
            hint=f"{var}: [{value if isinstance(value, str) else 'NAME'}]",
        )
    twice = next((v for v in value if value.count(v) > 1), None)
    if twice is not None:
        raise CompileError(f"the var '{var}' names '{twice}' twice")
    return {entry: pattern.replace("{}", entry) for entry in value}


@lru_cache(maxsize=4096)
def imports(tree: ast.AST) -> tuple[str, ...]:
    """Return the dotted names a module imports, at its top or inside its functions.

    Looked for once in each tree or statement: every response class asks about its whole file.
    """
    found: list[str] = []
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            between = "" if base.endswith(".") else "."
            found += [base, *(f"{base}{between}{alias.name}" for alias in node.names)]
    return tuple(found)


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield a tree and all statements in it; what is within expressions is a tenth of the time."""
    pending = deque([tree])
    while pending:
        node = pending.popleft()
        yield node
        for part in ("cases", "body", "handlers", "orelse", "finalbody"):
            inner = getattr(node, part, None)
            if isinstance(inner, list):
                pending.extend(inner)


@dataclass(slots=True)
class Resolved:
    """Where imports led so far: models share most of what they import.

    Attributes
    ----------
    names : files by a name and, where it is relative, the folder it stands in.
    files : files by one that imports them.
    """

    names: dict[tuple[str, Path | None], tuple[Path, ...]] = field(default_factory=dict)
    files: dict[Path, tuple[Path, ...]] = field(default_factory=dict)


def imported_files(
    modules: Iterable[str],
    origin: Path,
    roots: dict[str, Path],
    imports_in: Callable[[Path], Iterable[str]],
    resolved: Resolved,
) -> list[Path]:
    """Return every source file reached from `modules` by imports, within the given roots.

    Parameters
    ----------
    modules : dotted names as `imports` yields them, relative ones seen from `origin`.
    origin : the file that imports them.
    roots : folder by dotted prefix; '' is the project's folder, 'lupom.science' the science half.
    imports_in : gives what a file imports, as `imports_of` its bytes does.
    resolved : filled in.
    """

    def led(names: Iterable[str], importer: Path) -> Iterator[Path]:
        for name in names:
            place = (name, importer.parent if name.startswith(".") else None)
            if place not in resolved.names:
                resolved.names[place] = tuple(_files(name, importer, roots))
            yield from resolved.names[place]

    found: set[Path] = set()
    pending = [*led(modules, origin)]
    while pending:
        file = pending.pop()
        if file in found or file == origin:
            continue
        found.add(file)
        if file not in resolved.files:
            inner = led(imports_in(file), file)
            resolved.files[file] = tuple(dict.fromkeys(inner))
        pending.extend(resolved.files[file])
    return sorted(found)


@lru_cache(maxsize=4096)
def imports_of(content: bytes) -> tuple[str, ...]:
    """Return the dotted names that a file imports, none where it is no Python.

    Models share most of what they import, so that it is parsed once.
    """
    try:
        return imports.__wrapped__(ast.parse(content))
    except (SyntaxError, ValueError):
        return ()


def _files(name: str, importer: Path, roots: dict[str, Path]) -> Iterator[Path]:
    if name.startswith("."):
        level = len(name) - len(name.lstrip("."))
        base = importer.parent
        for _ in range(level - 1):
            base = base.parent
        yield from _candidates(base, [p for p in name.lstrip(".").split(".") if p])
        return
    for prefix, root in roots.items():
        if prefix == "" and name.split(".")[0] != "lupom":
            yield from _candidates(root, name.split("."))
        elif prefix and (name == prefix or name.startswith(prefix + ".")):
            yield from _candidates(root, [p for p in name[len(prefix) :].split(".") if p])


def _candidates(base: Path, parts: list[str]) -> Iterator[Path]:
    """Yield the module's file and the __init__ of each package on the way to it."""
    # Of strings: a thousand names are looked for, and a Path for each would be most of the time.
    folder = str(base)
    for i, part in enumerate(parts):
        inner = os.path.join(folder, part)
        if i < len(parts) - 1 or os.path.isdir(inner):
            if i and os.path.isfile(init := os.path.join(folder, "__init__.py")):
                yield Path(init)
            folder = inner
        elif os.path.isfile(f"{inner}.py"):
            yield Path(f"{inner}.py")
    init = os.path.join(folder, "__init__.py")
    if (folder != str(base) or not parts) and os.path.isfile(init):
        yield Path(init)
