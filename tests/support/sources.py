"""Projects over sources on disk and on S3: run, and read back without opening them."""

from __future__ import annotations

import duckdb

from lupom import Project


def run(folder, **options):
    with Project(folder) as project:
        return project.run(**options)


def rows(folder, sql="select * from a order by all"):
    with duckdb.connect(str(folder / "lupom.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def built(result):
    return {node.node: node.status for node in result.nodes}
