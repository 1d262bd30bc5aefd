"""How many cores a run takes, and what it leaves to the notebook it is called from."""

from __future__ import annotations

import sys
import threading
import types

import numpy as np
import pyarrow as pa
import pytest
from threadpoolctl import threadpool_info

from lupom import Project
from lupom.blas import one_thread, set_threads
from lupom.engine.run.turns import LONG, Turns
from lupom.engine.store.instances import instance

MODEL = """
from threadpoolctl import threadpool_limits


def model(lupom):
    threadpool_limits(limits=1, user_api="blas")
    return lupom.ref("people")
"""


def blas_threads():
    pools = [p for p in threadpool_info() if p["user_api"] == "blas"]
    # Others have a number for each thread.
    return {p["num_threads"] for p in pools if p["threading_layer"] == "pthreads"}


def test_a_model_that_limits_them_limits_nothing_afterwards(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "lupom_project.yml").write_text("name: demo\nmodels:\n  +materialized: table\n")
    (tmp_path / "models" / "people.sql").write_text("select 1 as id")
    (tmp_path / "models" / "limited.py").write_text(MODEL)
    assert np.ones((2, 2)) @ np.ones((2, 2)) is not None
    before = {p["filepath"]: p["num_threads"] for p in threadpool_info()}
    set_threads(dict.fromkeys(before, 2))
    with Project(tmp_path) as project:
        assert project.run().status == "success"
        assert blas_threads() == {2}
    # Nor does the run hold anybody off who sets them afterwards.
    with one_thread():
        assert blas_threads() == {1}
    set_threads(before)


MEETS = """
import sys


def model(lupom):
    return sys.modules["meeting"].meet()
"""


@pytest.fixture
def meeting(monkeypatch):
    """Return a way for two models to meet: a table that says whether both were at work at once."""
    barrier = threading.Barrier(2)
    module = types.ModuleType("meeting")

    def meet():
        try:
            barrier.wait(module.patience)
        except threading.BrokenBarrierError:
            return pa.table({"met": [False]})
        return pa.table({"met": [True]})

    module.meet = meet
    monkeypatch.setitem(sys.modules, "meeting", module)
    return module


@pytest.mark.parametrize(
    ("cores", "long", "threads", "together"),
    [(1, 0, None, False), (2, 0, None, True), (2, 600, None, False), (1, 600, 2, True)],
    ids=["one core", "two cores", "short ones", "two asked for"],
)
def test_long_models_compute_at_a_time_as_many_as_there_are_cores(
    make_project, meeting, monkeypatch, cores, long, threads, together
):
    monkeypatch.setattr("lupom.engine.run.turns.cores", lambda: cores)
    monkeypatch.setattr("lupom.engine.run.turns.LONG", long)
    # Whoever is alone waits for nobody.
    meeting.patience = 30 if together else 0.05
    folder = make_project({"models/a.py": MEETS, "models/b.py": MEETS})
    with Project(folder) as project:
        assert project.run(threads=threads).status == "success"
        met = project.query("select met from a union all select met from b").arrow["met"]
    assert met.to_pylist() == [together, together]


def test_the_next_begins_once_the_one_before_it_turns_out_to_be_long(monkeypatch):
    monkeypatch.setattr("lupom.engine.run.turns.cores", lambda: 3)
    now = 0.0
    turns = Turns(None, lambda: now)
    assert turns.wait() == 0
    turns.begin("fits")
    assert turns.wait() == LONG
    now = LONG - 1
    assert turns.wait() == 1
    now = LONG
    assert turns.wait() == 0
    # A short one beside the long one holds up the next, until it has ended.
    turns.begin("counts")
    assert turns.wait() == LONG
    turns.end("counts")
    assert turns.wait() == 0
    for name in ("counts", "judges"):
        turns.begin(name)
    now = 1000.0
    assert "judges" in turns
    assert turns.wait() is None


def test_whoever_says_how_many_gets_as_many_at_once():
    turns = Turns(2, lambda: 0.0)
    turns.begin("a")
    assert turns.wait() == 0
    turns.begin("b")
    assert turns.wait() is None


@pytest.fixture
def three_threads():
    """Instances of DuckDB that are free have three threads."""
    with instance() as one, instance() as two:
        [(before,)] = one.execute("select current_setting('threads')").fetchall()
        for each in (one, two):
            each.execute("set threads = 3")
    yield
    with instance() as one, instance() as two:
        for each in (one, two):
            each.execute(f"set threads = {before}")


@pytest.mark.parametrize(
    ("files", "number"),
    [
        ({}, 1),
        # Of what is read from elsewhere nobody knows how many rows it has.
        ({"models/raw.sql": "from {{ source('raw', 'visits') }}"}, 3),
        ({"seeds/many.csv": "id\n" + "1234567\n" * 2_100_000}, 3),
    ],
    ids=["seeds of few rows", "a source", "a large seed"],
)
def test_duckdb_has_one_thread_where_all_have_few_rows(
    tmp_path, three_threads, files, number
) -> None:
    files = {
        "lupom_project.yml": "name: demo\nmodels:\n  +materialized: table\n",
        "seeds/few.csv": "id\n1\n",
        "data/visits.csv": "n\n1\n",
        "models/threads.sql": "select current_setting('threads') as n",
        "models/sources.yml": (
            "sources:\n  - name: raw\n    tables: [{name: visits, file: data/visits.csv}]\n"
        ),
        **files,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    with Project(tmp_path) as project:
        project.run(select=["threads"])
        assert project.query("from threads").rows() == [(number,)]
