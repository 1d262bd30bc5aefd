"""Prompts: sandboxed Jinja templates that a row's columns fill.

A value is text and stays text: what a respondent wrote is never read as a template, and each
message is a JSON string of its own, so it cannot leave its place.
"""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import CompileError, LupomError, ModelError, did_you_mean
from lupom.engine.llm.together import ROWS, labelled

if TYPE_CHECKING:
    from types import CodeType

    from jinja2 import BytecodeCache, Environment, Template
    from jinja2.bccache import Bucket
    from jinja2.runtime import Context

    from lupom.engine.llm.responses import RowResponse

SUFFIX = ".jinja"
ROLES = ("system", "user")
_MOST_COMPILED = 1024


@dataclass(frozen=True, slots=True)
class _Look:
    """What a template's text alone says: undeclared names, templates it refers to (None for a
    computed name), its blocks, those it extends, and whether something stands outside of blocks."""

    variables: frozenset[str]
    refers: tuple[str | None, ...]
    blocks: frozenset[str]
    extends: frozenset[str]
    needs_root: bool


@lru_cache(maxsize=256)
def _looked(text: str) -> _Look:
    """Read a template's text once: many prompts include the same ones, at 10 ms of CPU each."""
    from jinja2 import meta, nodes

    outside = (nodes.Assign, nodes.AssignBlock, nodes.Macro, nodes.Import, nodes.FromImport)
    tree = _environment(lambda _name: None).parse(text)
    extended = [node.template for node in tree.find_all(nodes.Extends)]
    return _Look(
        frozenset(meta.find_undeclared_variables(tree)),
        tuple(meta.find_referenced_templates(tree)),
        frozenset(block.name for block in tree.find_all(nodes.Block)),
        frozenset(node.value for node in extended if isinstance(node, nodes.Const)),
        bool(extended) or any(isinstance(node, outside) for node in tree.body),
    )


class Prompt:
    """One prompt: `NAME.jinja` in the first of some folders that has it, with what it includes.

    Its text is the user message; with `{% block user %}`, and `{% block system %}` where wanted,
    the blocks are the messages. NULL renders as nothing, and a column the select does not give is
    an error. For a choice the template has `choices`, a list of (label, option) pairs.

    Attributes
    ----------
    source_hash : changes with the template and with each one it includes.
    variables : the columns it uses.
    sources : text by file name, of the template and of each one it refers to.
    """

    def __init__(self, folders: Sequence[Path], name: str) -> None:
        """Read and compile it; raises CompileError with file and line."""
        self.name = name
        self._folders = [Path(folder) for folder in folders]
        self.file = self._path(f"{name}{SUFFIX}")
        if not self.file.is_file():
            files = [file for folder in self._folders for file in folder.glob(f"*{SUFFIX}")]
            known = {file.name.removesuffix(SUFFIX) for file in files}
            raise CompileError(
                # The mistake is where the prompt is named, not in a file that is not there.
                f"there is no prompt '{name}'",
                hint=did_you_mean(name, known) or f"prompts: {', '.join(sorted(known)) or 'none'}",
            )
        self._environment = _environment(self._read_before)
        # Blocks of the template and of those it extends; whether something stands outside of them.
        self._defined: set[str] = set()
        self._needs_root = False
        self.sources: dict[str, str] = {}
        self.variables, self.source_hash = self._read()
        self._template: Template = self._environment.get_template(self.file.name)
        self._blocks = [role for role in ROLES if role in self._defined]
        if self._blocks == ["system"]:
            raise CompileError(
                "a prompt with {% block system %} needs a {% block user %} too", file=self.file
            )

    def _read_before(self, name: str) -> tuple[str, str, None] | None:
        """Return a template as it was read and hashed, whatever its file holds by now."""
        source = self.sources.get(name)
        # Named as it is referred to: the same text is compiled once, wherever its folder is.
        return None if source is None else (source, name, None)

    def _path(self, name: str) -> Path:
        """Return where a template is, or would be."""
        paths = [folder / name for folder in self._folders]
        return next((path for path in paths if path.is_file()), paths[-1])

    def _read(self) -> tuple[frozenset[str], str]:
        """Return variables and hash of the template and all it refers to."""
        from jinja2 import TemplateSyntaxError

        known = set(self._environment.globals)
        variables: set[str] = set()
        sources = self.sources
        waiting = [self.file.name]
        bases = {self.file.name}
        while waiting:
            name = waiting.pop()
            if name in sources:
                continue
            if ".." in Path(name).parts or Path(name).is_absolute():
                raise CompileError(
                    f"prompt '{self.name}' refers to '{name}', outside of the prompts' folder",
                    file=self.file,
                )
            path = self._path(name)
            try:
                sources[name] = path.read_text(encoding="utf-8")
                look = _looked(sources[name])
            except FileNotFoundError:
                raise CompileError(
                    f"prompt '{self.name}' refers to '{name}', which is not there", file=path
                ) from None
            except UnicodeDecodeError as error:
                raise CompileError(f"it is not UTF-8: {error}", file=path) from None
            except TemplateSyntaxError as error:
                text = error.message or "syntax error"
                raise CompileError(text, file=path, line=error.lineno) from None
            variables |= look.variables - known
            for other in look.refers:
                if other is None:
                    raise CompileError(
                        "a template is included by a name that is computed, so a change to it"
                        " could not be seen",
                        file=path,
                        hint="include it by its name in quotes",
                    )
                waiting.append(other)
            if name in bases:
                self._defined |= look.blocks
                bases |= look.extends
                self._needs_root |= look.needs_root
        text = "\0".join(f"{name}\0{source}" for name, source in sorted(sources.items()))
        digest = hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]
        return frozenset(variables), digest

    def messages(
        self, values: Mapping[str, Any], response: RowResponse | None = None
    ) -> list[dict[str, str]]:
        """Return the chat messages of one row.

        `response` gives a choice its `choices`. Raises ModelError with the template's file and
        line, the missing variable's name and the columns there are.
        """
        given = dict(values)
        if response is not None and response.choices is not None:
            given["choices"] = response.choices
        return self._messages(given)

    def together(
        self, rows: Sequence[tuple[Mapping[str, Any], RowResponse]]
    ) -> list[dict[str, str]]:
        """Return the chat messages of a request that asks rows together.

        The template has the columns that all rows are equal in, and the list `rows`: of each row
        its columns, its `label`, and the `choices` of a choice. Raises ModelError as `messages`
        does, so where it says of the request what differs among rows.
        """
        first, *others = (row for row, _ in rows)
        same = {
            column: value
            for column, value in first.items()
            if column not in self.variables or all(row[column] == value for row in others)
        }
        return self._messages({**same, ROWS: labelled(rows)})

    def _messages(self, given: dict[str, Any]) -> list[dict[str, str]]:
        from jinja2 import UndefinedError
        from jinja2.exceptions import SecurityError

        try:
            texts = self._render(given)
        except UndefinedError as error:
            message = error.message or "something is undefined"
            missing = re.fullmatch(r"'(\w+)' is undefined", message)
            columns = "the select gives: " + ", ".join(given)
            hint = did_you_mean(missing[1], given) if missing else None
            if missing and missing[1] == ROWS:
                hint = "'rows' is there where rows_per_call is more than 1."
            raise ModelError(
                f"no column for {message.split()[0]}" if missing else message,
                file=self._file_of(error),
                line=self._line_of(error),
                hint=f"{hint} {columns}" if hint else columns,
            ) from None
        except LupomError:
            raise
        except Exception as error:
            what = "not allowed in a prompt: " if isinstance(error, SecurityError) else ""
            kind = "" if what else f"{type(error).__name__}: "
            raise ModelError(
                f"{what}{kind}{error}", file=self._file_of(error), line=self._line_of(error)
            ) from None
        if not texts.get("user", "x"):
            raise ModelError("the prompt is empty for a row", file=self.file)
        return [{"role": role, "content": text} for role, text in texts.items() if text]

    def _render(self, values: dict[str, Any]) -> dict[str, str]:
        if not self._blocks:
            return {"user": self._template.render(values).strip()}
        context: Context = self._template.new_context(values)
        if self._needs_root:
            # What is set, defined or extended outside of the blocks is known after this only.
            for _ in self._template.root_render_func(context):
                pass
        return {role: "".join(context.blocks[role][0](context)).strip() for role in self._blocks}

    def _frame(self, error: BaseException) -> traceback.FrameSummary | None:
        inside = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename in self.sources
        ]
        return inside[-1] if inside else None

    def _file_of(self, error: BaseException) -> str:
        frame = self._frame(error)
        return str(self.file if frame is None else self._path(frame.filename))

    def _line_of(self, error: BaseException) -> int | None:
        frame = self._frame(error)
        return None if frame is None else frame.lineno


def _environment(load: Callable[[str], tuple[str, str, None] | None]) -> Environment:
    from jinja2 import FunctionLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        loader=FunctionLoader(load),
        undefined=StrictUndefined,
        finalize=lambda value: "" if value is None else value,
        trim_blocks=True,
        lstrip_blocks=True,
        # A prompt is text for a model: nothing in it is HTML.
        autoescape=False,
        auto_reload=False,
        bytecode_cache=_compiled(),
    )


@lru_cache(maxsize=1)
def _compiled() -> BytecodeCache:
    """Return what this process has compiled, 5 ms of CPU a template, by name and text."""
    from jinja2 import BytecodeCache

    class Compiled(BytecodeCache):
        def __init__(self) -> None:
            self._codes: dict[tuple[str, str], CodeType] = {}

        def load_bytecode(self, bucket: Bucket) -> None:
            bucket.code = self._codes.get((bucket.key, bucket.checksum))

        def dump_bytecode(self, bucket: Bucket) -> None:
            if bucket.code is not None and len(self._codes) < _MOST_COMPILED:
                self._codes[bucket.key, bucket.checksum] = bucket.code

    return Compiled()
