"""A small survey project whose texts try to break out of every page they are shown on."""

from __future__ import annotations

import re

import pytest

from lupom import Project
from tests.support.nasty_project import evaluated, write_project


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """A built project; read it, and change nothing."""
    with Project(write_project(tmp_path_factory.mktemp("site") / "project")) as opened:
        result = opened.run(tests=True)
        assert result.status == "success"
        yield opened


@pytest.fixture(scope="session")
def site(project):
    from lupom.site import generate

    return generate(project).parent


@pytest.fixture(scope="session")
def read(site):
    """Return a function that gives the value of a shard, as a browser would get it."""
    from lupom.site.shards import file_name

    def read(key: str):
        text = (site / "data" / f"{file_name(key)}.js").read_text(encoding="utf-8")
        found = re.fullmatch(r"LUPOM\.push\((JSON.*?'\)),(JSON.*'\))\);\n", text, re.S)
        assert found is not None
        assert evaluated(found[1]) == key
        return evaluated(found[2])

    return read
