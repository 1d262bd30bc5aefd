"""A run leaves the notebook it is called from with its BLAS threads."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from lupom import Project

MODEL = """
from threadpoolctl import threadpool_limits


def model(lupom):
    threadpool_limits(limits=1, user_api="blas")
    return lupom.ref("people")
"""


def blas_threads():
    return {p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"}


def test_a_model_that_limits_them_limits_nothing_afterwards(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "lupom_project.yml").write_text("name: demo\nmodels:\n  +materialized: table\n")
    (tmp_path / "models" / "people.sql").write_text("select 1 as id")
    (tmp_path / "models" / "limited.py").write_text(MODEL)
    assert np.ones((2, 2)) @ np.ones((2, 2)) is not None
    with threadpool_limits(limits=2, user_api="blas"), Project(tmp_path) as project:
        assert project.run().status == "success"
        assert blas_threads() == {2}
