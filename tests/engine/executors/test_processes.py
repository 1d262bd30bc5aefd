"""Batches worked by other processes of this machine: the same tables, and what goes wrong."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lupom.batches import in_batches
from lupom.engine.errors import ModelError
from lupom.engine.executors import Executor, Stopped, WorkError
from lupom.engine.project.executors import ExecutorSettings
from tests.support import batch_work, split_science

NUMBERS = pa.table({"x": range(7)})
MATRIX = {"matrix": np.cos(np.arange(64 * 64, dtype=np.float64)).reshape(64, 64)}


class Workers:
    """An executor of two processes that begin at once, and what it told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.stop = threading.Event()
        settings = ExecutorSettings(type="processes", workers=2, retries=1, start_after=0)
        self.executor = Executor(settings, self.notes.append, self.stop)

    def map(self, function: Any, **how: Any) -> pa.Table:
        return self.executor.map(function, NUMBERS, **{"batch_rows": 1, **how})


@pytest.fixture(scope="module")
def shared_workers() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.executor.close()


@pytest.fixture
def workers(shared_workers: Workers) -> Workers:
    shared_workers.notes.clear()
    shared_workers.stop.clear()
    return shared_workers


def test_other_processes_do_the_work(workers):
    found = workers.map(batch_work.process)
    assert found["x"].to_pylist() == NUMBERS["x"].to_pylist()
    assert 1 <= len(set(found["process"].to_pylist()) - {os.getpid()}) <= 2


@pytest.mark.parametrize("batch_rows", [1, 3, 100])
def test_results_are_the_same_to_the_last_bit(workers, batch_rows):
    here = in_batches(batch_work.Products, NUMBERS, shared=MATRIX, batch_rows=batch_rows)
    there = workers.map(batch_work.Products, shared=MATRIX, batch_rows=batch_rows)
    assert there["sum"].to_numpy().tobytes() == here["sum"].to_numpy().tobytes()


def test_what_science_hands_out_is_the_same_too(workers):
    there, here = split_science.tables(workers.executor.map), split_science.tables(in_batches)
    assert all(split_science.same(there[name], here[name]) for name in here)
    assert all(map(len, here.values()))


def test_shared_values_come_over_as_they_are(workers):
    shared = {
        "factor": 0.1,
        "words": pa.table({"word": pa.array(["even", None])}),
        "shift": np.array([1, 2], dtype=np.int16),
    }
    assert workers.map(batch_work.scaled, shared=shared).equals(
        in_batches(batch_work.scaled, NUMBERS, shared=shared, batch_rows=1)
    )


def test_the_fields_of_a_shared_array_come_over(workers):
    pairs = np.array([(1, [2.0, 3.0])], dtype=[("a", "i4"), ("b", "f8", (2,))])
    assert set(workers.map(batch_work.fields, shared={"pairs": pairs})["sum"].to_pylist()) == {6.0}


def test_a_worker_that_is_killed_costs_a_line_and_its_batch_again(workers, tmp_path):
    found = workers.map(batch_work.falls, shared={"folder": str(tmp_path), "times": 1})
    assert found["x"].to_pylist() == NUMBERS["x"].to_pylist()
    assert workers.notes == ["A worker was lost (signal 9); batch 4 of 7 goes to another."]


def test_a_batch_that_kills_its_workers_is_given_up(workers, tmp_path):
    with pytest.raises(ModelError, match=r"worker of batch 4 of 7 was lost 2 times \(signal 9\)"):
        workers.map(batch_work.falls, shared={"folder": str(tmp_path), "times": 9})
    assert len(list(tmp_path.iterdir())) == 2
    # And others stand ready.
    assert len(workers.map(batch_work.process)) == 7


def test_what_the_function_raises_is_told_once_with_where(workers, tmp_path):
    with pytest.raises(WorkError, match="ValueError: 3 is no number to work with") as raised:
        workers.map(batch_work.raises, shared={"folder": str(tmp_path)})
    file, line = raised.value.frames[-1]
    assert file == batch_work.__file__
    assert "raise ValueError" in Path(file).read_text().splitlines()[line - 1]
    assert len(list(tmp_path.iterdir())) == 1
    assert not workers.notes


def test_what_is_no_exception_is_told_once_too(workers):
    with pytest.raises(WorkError, match=r"Panic: \(its message cannot be made: ValueError\)"):
        workers.map(batch_work.panics)
    assert not workers.notes


def test_a_worker_that_ends_by_itself_is_told_with_its_code(workers):
    with pytest.raises(ModelError, match=r"was lost 2 times \(exit code 5\)"):
        workers.map(batch_work.exits)


def test_what_a_function_prints_is_not_taken_for_its_result(workers, capfd):
    assert workers.map(batch_work.prints).equals(NUMBERS)
    assert not capfd.readouterr().out


def test_a_function_that_workers_would_not_find_is_an_error(workers):
    here = type("Here", (), {"__module__": batch_work.__name__, "__qualname__": "process"})
    with pytest.raises(ValueError, match=r"function that tests\.support\.batch_work:process"):
        workers.map(here)


def test_small_work_starts_nobody(workers):
    settings = ExecutorSettings(type="processes", workers=2)
    found = Executor(settings).map(batch_work.process, NUMBERS, batch_rows=1)
    assert set(found["process"].to_pylist()) == {os.getpid()}


def test_a_run_that_is_stopped_leaves_no_process(tmp_path):
    workers = Workers()
    file = tmp_path / "begun"

    def stop() -> None:
        while not (file.is_file() and file.read_text()):
            pass
        workers.stop.set()

    threading.Thread(target=stop).start()
    with pytest.raises(Stopped, match="the run was stopped"):
        workers.map(batch_work.waits, shared={"file": str(file)})
    workers.executor.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)
