"""What models import while others do, and from where it comes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import lupom
from lupom import Project
from lupom.engine.run.results import Silent

MEETING = """\
import threading
from contextlib import suppress

both = threading.Barrier(2)

def wait():
    with suppress(threading.BrokenBarrierError):
        both.wait(timeout=0.1)
"""
# Two modules that need each other, which goes well from either end and where one import is made at
# a time. Where both are begun at once, Python hands out one that is not made yet.
HALF = """\
from meeting import wait
wait()
import pair.{other}
wait()
def {own}_half():
    return '{own}'
def {own}_of():
    return pair.{other}.{other}_half()
"""


def test_models_that_begin_a_package_from_two_ends_at_once_have_all_of_it(make_project):
    model = "import pyarrow as pa\nfrom pair.{own} import {own}_of\n"
    model += "def model(lupom):\n    return pa.table({{'half': [{own}_of()]}})\n"
    folder = make_project(
        {
            "meeting.py": MEETING,
            "pair/left.py": HALF.format(own="left", other="right"),
            "pair/right.py": HALF.format(own="right", other="left"),
            "models/a.py": model.format(own="left"),
            "models/b.py": model.format(own="right"),
        }
    )
    result = Project(folder).run(threads=2, reporter=Silent())
    assert [node.status for node in result.nodes] == ["success", "success"]


def test_lupom_installed_in_the_project_s_folder_is_imported_once(make_project):
    """`python -m venv .venv` in the project's folder and `pip install lupom` make such a one."""
    model = (
        "import pyarrow as pa\nfrom lupom.science import tables\n"
        "def model(lupom):\n    {ref}return pa.table({{'id': [str(id(tables))]}})\n"
    )
    folder = make_project(
        {
            "models/first.py": model.format(ref=""),
            "models/second.py": model.format(ref="lupom.ref('first')\n    "),
        }
    )
    installed = folder / ".venv" / "lib" / "site-packages"
    shutil.copytree(
        Path(lupom.__file__).parent,
        installed / "lupom",
        ignore=shutil.ignore_patterns("__pycache__", "*.gguf", "static"),
    )
    script = (
        "import lupom\n"
        "project = lupom.Project('.')\n"
        "project.run()\n"
        "print(lupom.__file__)\n"
        "print(project.query('select (from first) = (from second)').rows()[0][0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    place, same = done.stdout.split()
    assert Path(place).is_relative_to(installed)
    assert same == "True"
