"""Python models that hand batches to `lupom.map`, wherever the target says they are worked."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest

from lupom import Project

SETTINGS = """
name: demo
models:
  +materialized: table
target: local
targets:
  local: {}
  processes: {executor: {type: processes, workers: 1, start_after: 0}}
"""
MODEL = """
import pyarrow as pa

from helpers.numbers import checked


def squares(batch, most):
    values = batch["x"].to_pylist()
    if max(values) > most:
        raise ValueError(f"{max(values)} is too large")
    return pa.table({"x": values, "square": [checked(v) * v for v in values]})


def model(lupom):
    numbers = lupom.ref("numbers").order("x")
    return lupom.map(squares, numbers, shared={"most": lupom.var("most", 99)}, batch_rows=3)
"""
HELPER = """
def checked(value):
    if value < 0:
        raise ValueError("no negative numbers")
    return value
"""


@pytest.fixture
def folder(make_project):
    return make_project(
        {
            "lupom_project.yml": SETTINGS,
            "models/numbers.sql": "select unnest(range({{ var('first', 0) }}, 10)) as x",
            "models/squares.py": MODEL,
            "helpers/numbers.py": HELPER,
        }
    )


def test_tables_are_the_same_and_nothing_is_built_again(folder):
    with Project(folder) as project:
        assert project.run().status == "success"
        here = project.records()["squares"].content_hash
        assert project.table("squares", 1).rows() == [(0, 0)]
    with Project(folder, target="processes") as project:
        assert project.run().run_id is None
        assert project.run(full_refresh=True).status == "success"
        assert project.records()["squares"].content_hash == here


@pytest.mark.parametrize("target", ["local", "processes"])
def test_what_a_function_raises_is_told_with_file_and_line(folder, target):
    with Project(folder, target=target, vars={"most": 5}) as project:
        result = project.run()
    assert result.nodes[-1].message == "models/squares.py:10: ValueError: 8 is too large"
    with Project(folder, target=target, vars={"first": -1}) as project:
        result = project.run()
    assert result.nodes[-1].message == (
        "models/squares.py:11: ValueError: no negative numbers (raised in helpers/numbers.py:4)"
    )


WAITING = """
import os
import time
from pathlib import Path


def waits(batch, file):
    Path(file).write_text(str(os.getpid()))
    time.sleep(600)


def model(lupom):
    return lupom.map(waits, lupom.ref("numbers"), shared={"file": lupom.var("file", "")})
"""


def wait_for(what) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("ends", ["interrupt", "kill"])
def test_a_run_that_ends_in_the_middle_leaves_no_process(folder, tmp_path, ends):
    (folder / "models" / "squares.py").write_text(dedent(WAITING))
    begun = tmp_path / "begun"
    command = [sys.executable, "-m", "lupom", "run", "--project-dir", str(folder)]
    command += ["--target", "processes", "--vars", f"file: {begun}"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: begun.is_file() and begun.read_text())
    worker = Path("/proc") / begun.read_text()
    assert worker.is_dir()
    if ends == "interrupt":
        process.send_signal(2)
        assert "Stopped in" in process.communicate(timeout=60)[1]
        assert process.returncode == 130
    else:
        process.kill()
        process.communicate(timeout=60)
    wait_for(lambda: not worker.is_dir())
