"""Enough of a project to build single models: tables in memory, vars, SQL and Python models."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import duckdb
import jinja2

from lupom import batches, entry_points

ROOT = Path(__file__).resolve().parents[2]


class FakeProject:
    """Tables in an in-memory DuckDB, and models built into it one at a time.

    project = FakeProject(seed=1)
    project.add("questions", table)
    project.build("staging/drawn_pairs.sql")
    project.rows("select * from drawn_pairs")

    The object itself is what a Python model gets as its parameter.
    """

    def __init__(self, embed: Any = None, **vars: Any) -> None:
        self.vars = vars
        # What is known of LLMs by alias: `lupom.engine.project.traits.Traits`.
        self.llms: dict[str, Any] = {}
        self.connection = duckdb.connect()
        self.configs: dict[str, dict[str, Any]] = {}
        self.metas: dict[str, dict[str, Any]] = {}  # by entry of the var that names surveys
        self.notes: list[str] = []
        self._embed = embed
        self._building = ""

    def add(self, name: str, table: Any) -> None:
        """Make a table of an Arrow or pandas table, or of what a model returned."""
        if hasattr(table, "to_arrow_table"):
            table = table.to_arrow_table()
        self.connection.register("_incoming", table)
        self.connection.execute(f'create or replace table "{name}" as select * from _incoming')
        self.connection.unregister("_incoming")

    def seed(self, path: str, **types: str) -> None:
        """Make a table of a CSV file under seeds/, named after it."""
        options = ", ".join(f"'{k}': '{v}'" for k, v in types.items())
        extra = f", types = {{{options}}}" if types else ""
        file = ROOT / "seeds" / path
        name = file.stem
        self.connection.execute(
            f"create or replace table \"{name}\" as from read_csv('{file}', header = true{extra})"
        )

    def build(self, path: str) -> None:
        """Build a model by its path under models/ into a table named after its file."""
        file = ROOT / "models" / path
        self._building = file.stem
        self.configs[file.stem] = {}
        if file.suffix == ".sql":
            text = jinja2.Template(file.read_text(), undefined=jinja2.StrictUndefined).render(
                ref=lambda name: f'"{name}"',
                var=self.var,
                config=self._configured,
                llms=self.llms,
            )
            self.connection.execute(f'create or replace table "{file.stem}" as {text}')
            return
        spec = importlib.util.spec_from_file_location(f"model_{file.stem}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.add(file.stem, module.model(self))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query gives."""
        return list(self.connection.execute(query).fetchall())

    def value(self, query: str) -> Any:
        """Return the first value a query gives."""
        return self.rows(query)[0][0]

    def note(self, message: str) -> None:
        self.notes.append(message)

    def this(self) -> None:
        """Nothing is built yet."""

    def ref(self, name: str) -> Any:
        return self.connection.sql(f'select * from "{name}"')

    def refs(self, pattern: str, var: str, *, default: Any = None) -> dict[str, Any]:
        names = self.vars.get(var, default)
        return {name: self.ref(pattern.replace("{}", name)) for name in names}

    def meta(self, pattern: str, var: str, *, default: Any = None) -> dict[str, dict[str, Any]]:
        return {name: self.metas.get(name, {}) for name in self.vars.get(var, default)}

    def var(self, name: str, default: Any = None) -> Any:
        return self.vars.get(name, default)

    def entry_points(self, group: str, var: str) -> dict[str, Any]:
        taken = entry_points.chosen(group, self.vars.get(var), var)
        return {name: offer.load() for name, offer in taken.items()}

    def map(self, function: Any, table: Any, **how: Any) -> Any:
        return batches.in_batches(function, table, **how)

    def config(self, **settings: Any) -> None:
        self.configs[self._building].update(settings)

    def _configured(self, **settings: Any) -> str:
        self.config(**settings)
        return ""

    def embed(self, texts: list[str]) -> Any:
        return self._embed(texts)
