"""lupom compile."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.options import (
    SelectingCommand,
    open_project,
    project_options,
    selection_options,
)


@click.command("compile", cls=SelectingCommand)
@selection_options
@project_options
def compile(
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> None:
    """Write the SQL and prompts of the selected models to target/compiled, and print one of them.

    The prompt of an LLM model is rendered for its first row, where the tables it reads are built.

    \b
    Example:
      lupom compile --select persona_values
    """
    from lupom.engine.errors import LupomError

    with open_project(project_dir, target, vars_) as project:
        compiled = project.compile(select, exclude)
        texts: dict[str, str] = {}
        for name, sql in compiled.items():
            node = project.nodes[name]
            texts[node.file] = sql + "\n"
            if node.materialization.needs_llm:
                prompt = node.file.removesuffix(".sql") + ".prompt.txt"
                try:
                    messages = project.rendered_prompt(name)
                except LupomError as error:
                    click.echo(f"{name}: no prompt yet: {error}", err=True)
                    continue
                texts[prompt] = "".join(f"[{m['role']}]\n{m['content']}\n\n" for m in messages)
        folder = project.files.target_folder / "compiled"
        for file, text in texts.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if len(compiled) == 1:
        click.echo("\n".join(texts.values()).rstrip())
    click.echo(f"{len(texts)} files in {folder}", err=True)
