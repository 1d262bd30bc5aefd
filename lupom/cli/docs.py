"""lupom docs generate, lupom docs serve."""

from __future__ import annotations

from pathlib import Path

import click

from lupom.cli.options import open_project, parse_vars, project_options


@click.group()
def docs() -> None:
    """Make pages of the project to show and to explore, and serve them.

    \b
    Example:
      lupom docs generate
      lupom docs serve --open
    """


@docs.command()
@project_options
def generate(project_dir: Path | None, target: str | None, vars_: str | None) -> None:
    """Write the site to target/site/ and the columns of what is built to target/catalog.json.

    The site says first what was asked of whom and what was found; it has the evaluation, the
    respondents with their personas, the lineage, a page per model and the runs. It is one folder of
    files; open its index.html, no server is needed. It contains respondents' answers, held-out ones
    too: hand it only to who may read those.

    \b
    Example:
      lupom docs generate
      xdg-open target/site/index.html
    """
    with open_project(project_dir, target, vars_) as project:
        page = project.docs()
    click.echo(page)


@docs.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8080, help="0 takes a free one.")
@click.option("--open", "open_", is_flag=True, help="Open the site in the browser.")
@project_options
def serve(
    port: int, open_: bool, project_dir: Path | None, target: str | None, vars_: str | None
) -> None:
    """Serve target/site/ on 127.0.0.1, for this machine alone, until Ctrl-C.

    \b
    Example:
      lupom docs serve --port 8081 --open
    """
    from lupom.engine.project.discovery import read_project
    from lupom.site.serve import server

    files = read_project(project_dir, target=target, vars=parse_vars(vars_))
    with server(files.target_folder / "site", port) as serving:
        url = f"http://127.0.0.1:{serving.server_address[1]}/"
        click.echo(f"Serving {url} (Ctrl-C ends it)", err=True)
        if open_:
            click.launch(url)
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
