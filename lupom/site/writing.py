"""Pages of one file: a template filled in, every text escaped, and written beside and renamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lupom.engine.errors import StoreError
from lupom.engine.files import replacing


def filled(template: str, **values: Any) -> str:
    """Return a template of this folder as HTML; every text in it is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def write_page(path: Path, text: str) -> Path:
    """Write a page, whole or not at all, and return its path.

    Raises StoreError when the file cannot be written.
    """
    try:
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    return path
