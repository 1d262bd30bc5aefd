"""Batches worked by a Ray cluster of two nodes: the same tables, and what falls."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lupom import Project
from lupom.batches import in_batches
from lupom.engine.errors import ModelError
from lupom.engine.executors import Executor, Stopped, WorkError
from lupom.engine.executors.cluster import refusal
from lupom.engine.project.executors import ExecutorSettings
from tests.support import batch_work, split_science
from tests.support.short_notes import FILES

NUMBERS = pa.table({"x": range(7)})
MATRIX = {"matrix": np.cos(np.arange(64 * 64, dtype=np.float64)).reshape(64, 64)}


class Nodes:
    """A cluster of two nodes of a worker each, and an executor that knows its address."""

    def __init__(self) -> None:
        os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0")
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
        )
        self.second = self.cluster.add_node(num_cpus=1)
        self.notes: list[str] = []
        self.stop = threading.Event()
        self.made: list[Executor] = []

    def executor(self, **how: Any) -> Executor:
        given = {"address": self.cluster.address, "retries": 1, "start_after": 0, **how}
        made = Executor(ExecutorSettings(type="ray", **given), self.notes.append, self.stop)
        self.made.append(made)
        return made


def alive(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    made = Nodes()
    yield made
    # Whichever came first has connected this process, and a cluster does not end before.
    for executor in made.made:
        executor.close()
    made.cluster.shutdown()


@pytest.fixture(scope="module")
def shared_executor(nodes: Nodes) -> Iterator[Executor]:
    made = nodes.executor()
    yield made
    made.close()


@pytest.fixture
def executor(nodes: Nodes, shared_executor: Executor) -> Executor:
    nodes.notes.clear()
    nodes.stop.clear()
    return shared_executor


def test_both_nodes_work_and_results_are_the_same_to_the_last_bit(executor):
    here = in_batches(batch_work.Products, NUMBERS, shared=MATRIX, batch_rows=2)
    there = executor.map(batch_work.Products, NUMBERS, shared=MATRIX, batch_rows=2)
    assert there["sum"].to_numpy().tobytes() == here["sum"].to_numpy().tobytes()
    found = executor.map(batch_work.node, NUMBERS, batch_rows=1)
    assert len(set(found["node"].to_pylist())) == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_what_science_hands_out_is_the_same_too(nodes, executor, workers):
    there = split_science.tables(nodes.executor(workers=workers).map)
    here = split_science.tables(in_batches)
    assert all(split_science.same(there[name], here[name]) for name in here)


def test_a_worker_that_is_killed_costs_a_line_and_its_batch_again(nodes, executor, tmp_path):
    shared = {"folder": str(tmp_path), "times": 1}
    found = executor.map(batch_work.falls, NUMBERS, shared=shared, batch_rows=1)
    assert found["x"].to_pylist() == NUMBERS["x"].to_pylist()
    (line,) = nodes.notes
    assert line.startswith("A worker was lost (")
    assert line.endswith("; batch 4 of 7 goes to another.")


def test_a_batch_that_kills_its_workers_is_given_up(executor, tmp_path):
    shared = {"folder": str(tmp_path), "times": 9}
    with pytest.raises(ModelError, match="worker of batch 4 of 7 was lost 2 times"):
        executor.map(batch_work.falls, NUMBERS, shared=shared, batch_rows=1)


def test_what_the_function_raises_is_told_once_with_where(nodes, executor, tmp_path):
    shared = {"folder": str(tmp_path)}
    with pytest.raises(WorkError, match="ValueError: 3 is no number to work with") as raised:
        executor.map(batch_work.raises, NUMBERS, shared=shared, batch_rows=1)
    assert raised.value.frames[-1][0] == batch_work.__file__
    assert len(list(tmp_path.iterdir())) == 1
    assert not nodes.notes


def test_a_run_that_is_stopped_leaves_no_batch_at_work(nodes, executor, tmp_path):
    file = tmp_path / "begun"

    def stop() -> None:
        while not (file.is_file() and file.read_text()):
            pass
        nodes.stop.set()

    threading.Thread(target=stop).start()
    with pytest.raises(Stopped, match="the run was stopped"):
        executor.map(batch_work.waits, NUMBERS, shared={"file": str(file)})
    nodes.stop.clear()
    while alive(file.read_text()):
        pass


MODELS = {
    **FILES,
    "models/notes.sql": FILES["models/notes.sql"].replace(
        "id from {{ ref('people') }}", "unnest(range(12)) as id"
    ),
}
PROJECT = """
name: demo
targets:
  dev:
    state: "sqlite:///{state}"
    executor: {{type: ray, address: "{address}", calls: workers}}
llms:
  default: {{provider: openai, base_url: "{url}", model: m, max_tokens: 20}}
"""


def test_the_nodes_ask_an_llm_model_s_calls_and_stop_with_the_run(
    nodes, executor, make_project, server, tmp_path
):
    settings = PROJECT.format(
        state=tmp_path / "team.db", address=nodes.cluster.address, url=server.base_url
    )
    folder = make_project({"lupom_project.yml": settings, **MODELS})
    with Project(folder) as project:
        result = project.run()
        assert result.status == "success"
        assert len(project.table("notes").rows()) == 12
    assert server.requests == 12


def test_a_node_that_falls_costs_a_line_and_its_batches_again(nodes, executor, tmp_path):
    """The second node is killed by the batch that is worked on it.

    Until Ray notices it may give a batch to that node again, on a busy machine more than once.
    """
    executor = nodes.executor(retries=20)
    raylet = nodes.second.all_processes["raylet"][0].process.pid
    shared = {"folder": str(tmp_path), "node": nodes.second.node_id, "raylet": raylet}
    found = executor.map(batch_work.fells_node, NUMBERS, shared=shared, batch_rows=1)
    assert found["x"].to_pylist() == NUMBERS["x"].to_pylist()
    assert (tmp_path / "felled").is_file()
    assert nodes.notes
    assert all(note.startswith("A worker was lost (") for note in nodes.notes)


def test_an_address_where_nobody_answers_is_told(nodes):
    with pytest.raises(ModelError, match=r"no Ray cluster answers at 127\.0\.0\.1:9: "):
        nodes.executor(address="127.0.0.1:9")._workers()


def test_an_address_where_another_program_answers_is_told(nodes, server):
    address = server.base_url.split("/")[2]
    with pytest.raises(ModelError, match=f"no Ray cluster answers at {address}: another program"):
        nodes.executor(address=address)._workers()


def test_a_cluster_of_another_python_is_told_with_both():
    from ray._private.utils import check_version_info

    theirs = {"ray_version": "2.1.0", "python_version": "3.9.1"}
    with pytest.raises(RuntimeError) as caught:
        check_version_info(theirs, "node 10.0.0.3")
    said = str(refusal("reached at 10.0.0.7:6379", caught.value))
    assert "the cluster runs Ray 2.1.0 on Python 3.9.1, this machine Ray" in said
    assert said.endswith(
        "(all nodes need the same Ray, Python and LUPoM as the machine of the run)"
    )


def test_without_ray_the_line_to_install_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    executor = Executor(ExecutorSettings(type="ray", start_after=0))
    with pytest.raises(ModelError, match=r"pip install 'lupom\[ray\]'"):
        executor.map(batch_work.process, NUMBERS)
