"""The project that ships with LUPoM, copied to a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.shipped import copy_project

Copy = Callable[..., Path]


@pytest.fixture(scope="session")
def without_llm(tmp_path_factory) -> Path:
    """The whole survey, run without an LLM: baselines and their metrics, and few groups."""
    from lupom import Project

    folder = copy_project(tmp_path_factory.mktemp("shipped") / "project")
    few = {"group_attributes": ["AGE", "SEX"], "group_resamples": 50, "value_curve_sizes": [100]}
    with Project(folder, vars=few) as project:
        result = project.run(no_llm=True)
    assert [node for node in result.nodes if node.status == "error"] == []
    return folder
