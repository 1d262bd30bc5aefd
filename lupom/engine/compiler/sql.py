"""Jinja in SQL models: what a template may call, and what it left behind when it was rendered."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from lupom.engine.errors import CompileError, LupomError, did_you_mean
from lupom.engine.project.nodes import Ref

# A ref is rendered as a placeholder, since what it stands for (a table, a view, an ephemeral
# model's select) is known only when every file has been read. SQL text never holds \x01 or \x02.
PLACEHOLDER = re.compile("\x01([^\x01]+)\x01")
THIS = "\x02"

_ENVIRONMENT = SandboxedEnvironment(
    undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
)


@dataclass(slots=True)
class Rendered:
    """A template's text with placeholders, and what it asked for while it was rendered."""

    text: str
    refs: list[Ref] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    config_line: int | None = None
    asked_incremental: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """What every template of a project may read: vars, the environment, the target, and what is
    known of its LLMs (`project.traits.Traits` by alias)."""

    vars: Mapping[str, Any]
    target: Mapping[str, Any]
    llms: Mapping[str, Any] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def var(
        self, name: str, default: Any = ..., *, where: Callable[[], tuple[str, int | None]]
    ) -> Any:
        if name in self.vars:
            return self.vars[name]
        if default is not ...:
            return default
        file, line = where()
        raise CompileError(
            f"the var '{name}' has no value",
            file=file,
            line=line,
            hint=did_you_mean(name, self.vars) or "give it under 'vars:' or with --vars",
        )

    def env_var(
        self, name: str, default: Any = ..., *, where: Callable[[], tuple[str, int | None]]
    ) -> Any:
        if name in self.environ:
            return self.environ[name]
        if default is not ...:
            return default
        file, line = where()
        raise CompileError(
            f"the environment variable {name} is not set",
            file=file,
            line=line,
            hint=f"export {name}=..., or give a default: env_var('{name}', '...')",
        )


# What every template may use.
NAMES = ("ref", "source", "config", "var", "env_var", "is_incremental", "this", "target", "llms")


def render(
    text: str,
    file: str,
    context: Context,
    *,
    incremental: bool = False,
    extra: Mapping[str, Any] | None = None,
) -> Rendered:
    """Render a SQL model's Jinja.

    Parameters
    ----------
    text : the template.
    file : its path relative to the project, for errors.
    incremental : what `is_incremental()` answers.
    extra : further names the template sees.

    Raises
    ------
    CompileError : with file and line, for a syntax error, an unknown name, a missing var.
    """
    out = Rendered("")
    if "{" not in text:
        out.text = text
        return out
    try:
        template = jinja2.Template.from_code(
            _ENVIRONMENT, _compiled(text), _ENVIRONMENT.make_globals(None)
        )
        template.filename = file
        code = template.root_render_func.__code__

        def line() -> int | None:
            frame: Any = sys._getframe(1)  # noqa: SLF001
            while frame is not None:
                if frame.f_code.co_filename == code.co_filename:
                    return int(template.get_corresponding_lineno(frame.f_lineno))
                frame = frame.f_back
            return None

        def here() -> tuple[str, int | None]:
            return file, line()

        def ref(*names: str) -> str:
            if len(names) != 1 or not isinstance(names[0], str):
                raise CompileError(
                    "ref() takes one model name", file=file, line=line(), hint="ref('questions')"
                )
            out.refs.append(Ref(names[0], file, line()))
            return f"\x01{names[0]}\x01"

        def source(*names: str) -> str:
            if len(names) != 2:
                raise CompileError(
                    "source() takes a source and a table",
                    file=file,
                    line=line(),
                    hint="source('panel', 'wave_34')",
                )
            name = ".".join(names)
            out.refs.append(Ref(name, file, line()))
            return f"\x01{name}\x01"

        def config(**settings: Any) -> str:
            out.config.update(settings)
            out.config_line = out.config_line or line()
            return ""

        def is_incremental() -> bool:
            out.asked_incremental = True
            return incremental

        out.text = template.render(
            ref=ref,
            source=source,
            config=config,
            is_incremental=is_incremental,
            this=THIS,
            var=lambda name, default=...: context.var(name, default, where=here),
            env_var=lambda name, default=...: context.env_var(name, default, where=here),
            target=dict(context.target),
            llms=dict(context.llms),
            **(extra or {}),
        )
    except LupomError:
        raise
    except jinja2.TemplateSyntaxError as error:
        raise CompileError(
            f"Jinja does not parse: {error.message}",
            file=file,
            line=error.lineno,
            hint="each {{ needs its }}, and each {% its %}",
        ) from error
    except jinja2.UndefinedError as error:
        name = re.match(r"'(\w+)' is undefined", str(error))
        known = [*NAMES, *(extra or {})]
        raise CompileError(
            f"Jinja: {error}",
            file=file,
            line=_template_line(error, file),
            hint=(did_you_mean(name[1], known) if name else None)
            or "known here: " + ", ".join(known),
        ) from error
    except Exception as error:
        raise CompileError(
            f"Jinja: {error}", file=file, line=_template_line(error, file)
        ) from error
    return out


@lru_cache(maxsize=1024)
def _compiled(text: str) -> CodeType:
    """Compile a template once, however often its project is opened: 5 ms of CPU each."""
    code: CodeType = _ENVIRONMENT.compile(text)
    return code


def _template_line(error: BaseException, file: str) -> int | None:
    """Find the template's line in a traceback: Jinja rewrites the frames of its templates."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in (file, "<template>"):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def fill(text: str, this: str, relation: Callable[[str], str]) -> str:
    """Put relations in the place of placeholders; `relation` gives the SQL for a node's name."""
    return PLACEHOLDER.sub(lambda match: relation(match[1]), text.replace(THIS, this))
