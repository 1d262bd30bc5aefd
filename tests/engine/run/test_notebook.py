"""Projects in a notebook: progress below the cell, and results as HTML tables."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from lupom import Project
from lupom.engine.run.html_tables import table_html

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(make_project):
    return make_project(
        {
            "seeds/people.csv": "id,name\n1,<b>Ann</b>\n2,Bob\n",
            "models/names.sql": "select name from {{ ref('people') }}",
        }
    )


def test_a_run_in_a_notebook_shows_its_nodes_and_its_result(folder, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    cells = [
        f"from lupom import Project; project = Project({str(folder)!r})",
        "project.plan()",
        "project.run()",
        "project.table('people')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    shown = [
        "".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)
        for cell in notebook.cells
    ]
    assert "first build" in shown[1]
    assert "<td>names</td>" in shown[2]
    assert "success" in shown[2]
    assert "&lt;b&gt;Ann&lt;/b&gt;" in shown[3]


def test_outside_of_a_notebook_nothing_is_shown(folder, capsys):
    with Project(folder) as project:
        result = project.run()
        table = project.table("people")
    assert capsys.readouterr() == ("", "")
    assert "2 rows" not in table._repr_html_()
    assert "<td>people</td>" in result._repr_html_()


def test_a_long_table_says_how_long_it_is():
    page = table_html(["n"], [[i] for i in range(50)])
    assert page.count("<tr>") == 21
    assert "20 of 50 rows" in page
