"""Functions that workers in other processes find by their names."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def scaled(
    batch: pa.Table, factor: float, words: pa.Table, shift: np.ndarray[Any, Any]
) -> pa.Table:
    """Use a number, a table and an array that all batches share."""
    value = batch["x"].to_numpy() * factor + shift[batch["x"].to_numpy() % len(shift)]
    word = words["word"].take(pc.bit_wise_and(batch["x"], 1))
    return pa.table({"x": batch["x"], "value": value, "word": word})


class Products:
    """Makes a matrix once and multiplies each batch with it: the last bits depend on the shape."""

    def __init__(self, matrix: np.ndarray[Any, Any]) -> None:
        self.matrix = matrix
        self.begun = os.getpid()

    def __call__(self, batch: pa.Table) -> pa.Table:
        assert os.getpid() == self.begun
        left = np.sin(np.add.outer(batch["x"].to_numpy(), np.arange(len(self.matrix))))
        return pa.table({"x": batch["x"], "sum": (left @ self.matrix).sum(axis=1)})


def process(batch: pa.Table) -> pa.Table:
    """Say which process works each batch."""
    return pa.table({"x": batch["x"], "process": [os.getpid()] * len(batch)})


def prints(batch: pa.Table) -> pa.Table:
    print("printed by a function")
    return batch


def falls(batch: pa.Table, folder: str, times: int) -> pa.Table:
    """Kill the worker the first times that the batch with an x of 3 is worked."""
    first = batch["x"][0].as_py()
    if first == 3:
        fallen = len(list(Path(folder).iterdir()))
        if fallen < times:
            (Path(folder) / str(fallen)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return pa.table({"x": batch["x"]})


def raises(batch: pa.Table, folder: str) -> pa.Table:
    """Raise at an x of 3, and leave a trace of each time."""
    if 3 in batch["x"].to_pylist():
        (Path(folder) / f"{os.getpid()}-{time.time_ns()}").touch()
        raise ValueError("3 is no number to work with")
    return batch


class Panic(BaseException):
    """What extensions in Rust raise: no Exception."""

    def __str__(self) -> str:
        raise ValueError("no text")


def panics(batch: pa.Table) -> pa.Table:
    raise Panic


def exits(batch: pa.Table) -> pa.Table:
    os._exit(5)


def fields(batch: pa.Table, pairs: np.ndarray[Any, Any]) -> pa.Table:
    """Use the fields of an array that has some."""
    return pa.table({"sum": [float(pairs["a"].sum() + pairs["b"].sum())]})


def waits(batch: pa.Table, file: str) -> pa.Table:
    """Say that it has begun, and wait for longer than any test does."""
    Path(file).write_text(str(os.getpid()))
    time.sleep(600)
    return batch


def node(batch: pa.Table) -> pa.Table:
    """Say which node of a Ray cluster works each batch."""
    import ray

    time.sleep(0.2)  # So that every node gets one.
    return pa.table({"node": [ray.get_runtime_context().get_node_id()] * len(batch)})


def fells_node(batch: pa.Table, folder: str, node: str, raylet: int) -> pa.Table:
    """Kill a node, its raylet and its worker, from a batch that is worked on it, once."""
    import ray

    time.sleep(0.2)
    if node == ray.get_runtime_context().get_node_id() and not (Path(folder) / "felled").is_file():
        (Path(folder) / "felled").touch()
        for process in (raylet, os.getpid()):
            os.kill(process, signal.SIGKILL)
    return batch
