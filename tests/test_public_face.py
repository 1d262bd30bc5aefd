"""The public face: what a command does is a documented, typed call, and exported names stay."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lupom
from lupom import Project
from lupom.cli.group import COMMANDS
from tests.support.shipped import ROOT

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
EXPORTED = (
    *(
        "AsArray",
        "Distribution",
        "Interview",
        "LupomError",
        "OneOf",
        "OneOfEach",
        "Plan",
        "Project",
    ),
    *("Reporter", "RunResult", "Table", "Usable", "__version__", "import_predictions"),
    *("import_survey", "init", "setup"),
)
# What each command does, as a call; subcommands and options that do something else with a space.
CALLS = {
    "init": "init",
    "import": "import_survey",
    "import predictions": "import_predictions",
    "run": "Project.run",
    "build": "Project.run",
    "test": "Project.test",
    "plan": "Project.plan",
    "diff": "Project.diff",
    "diff --prompt": "Project.try_prompt",
    "retry": "Project.retry",
    "seed": "Project.run",
    "ls": "Project.select",
    "compile": "Project.compile",
    "show": "Project.table",
    "show --failed": "Project.quarantine",
    "explain": "Project.explain",
    "estimate": "Project.estimate",
    "ask": "Project.ask",
    "ask --answer": "Project.next_questions",
    "predict": "Project.predict",
    "network": "Project.network",
    "network --format bif": "Project.write_network",
    "report": "Project.report",
    "report --card": "Project.validity_card",
    "export": "Project.export",
    "query": "Project.query",
    "store snapshots": "Project.snapshots",
    "store expire": "Project.expire_snapshots",
    "store copy": "Project.copy_store",
    "docs generate": "Project.docs",
    "worker": "Project.work",
    "ledger merge": "Project.merge_ledger",
    "ledger export": "Project.export_ledger",
    "ledger import": "Project.import_ledger",
    "source freshness": "Project.freshness",
    "setup": "setup",
    "debug": "Project.diagnose",
    "clean": "Project.clean",
}
# A shell's script is a thing of a terminal, and so is what `docs serve` does until Ctrl-C.
WITHOUT = {"completion"}


def test_the_exported_names_are_these():
    assert sorted(lupom.__all__) == sorted(EXPORTED)
    assert dir(lupom) == sorted(EXPORTED)
    for name in EXPORTED:
        assert getattr(lupom, name) is not None


def test_exported_names_cost_nothing_before_they_are_used():
    code = "import sys, lupom; print(*[m for m in sys.modules if m.startswith('lupom.')])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == []


def test_each_command_has_its_call():
    assert {name.split()[0] for name in CALLS} | WITHOUT == set(COMMANDS)


@pytest.mark.parametrize("command", CALLS)
def test_a_call_is_typed_and_documented(command):
    call = lupom
    for part in CALLS[command].split("."):
        call = getattr(call, part)
    assert inspect.getdoc(call)
    signature = inspect.signature(call)
    assert signature.return_annotation is not inspect.Signature.empty
    for name, parameter in signature.parameters.items():
        assert name == "self" or parameter.annotation is not inspect.Parameter.empty, name
    word = CALLS[command].rpartition(".")[2]
    assert re.search(rf"\b{word}\(", PAGE), f"docs/python.md does not show {CALLS[command]}"


@pytest.fixture
def built(tmp_path: Path):
    """A project of a seed and a model, built."""
    files = {
        "lupom_project.yml": "name: demo\nmodels:\n  +materialized: table\n",
        "seeds/people.csv": "id,age\n1,20\n2,30\n",
        "models/ages.sql": "select id, age from {{ ref('people') }}",
        "models/sources.yml": """
sources:
  - name: raw
    freshness: {error_after: {count: 1000, period: day}}
    tables: [{name: people, file: seeds/people.csv}]
""",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with Project(tmp_path) as project:
        assert project.run().status == "success"
    return tmp_path


def test_a_difference_is_told_and_nothing_built(built):
    (built / "models" / "ages.sql").write_text("select id, age + 1 as age from {{ ref('people') }}")
    with Project(built) as project:
        found = project.diff("ages", ["id"])
        assert (found.changed, found.same) == (2, 0)
        assert project.table("ages").rows() == [(1, 20), (2, 30)]


def test_retry_does_what_failed_and_only_that(built):
    with Project(built) as project:
        assert project.retry().run_id is None
    (built / "models" / "ages.sql").write_text("select error('no') as x from {{ ref('people') }}")
    with Project(built) as project:
        assert project.run().status == "error"
    (built / "models" / "ages.sql").write_text("select id from {{ ref('people') }}")
    with Project(built) as project:
        result = project.retry()
    assert [(node.node, node.status) for node in result.nodes] == [("ages", "success")]


def test_pages_freshness_and_checks(built):
    with Project(built) as project:
        assert project.docs().name == "index.html"
        (measured,) = project.freshness("source:raw")
        assert (measured.source, measured.status) == ("raw.people", "pass")
        assert "lupom" in {check.what for check in project.diagnose()}


def test_a_project_is_made(tmp_path):
    made = lupom.init(tmp_path / "demo")
    assert (made.root, made.survey) == (tmp_path / "demo", None)
    with Project(made.root) as project:
        assert "predictions" in project.select()
    with pytest.raises(lupom.LupomError, match="not empty"):
        lupom.init(made.root)


def test_a_survey_is_imported(built, tmp_path_factory):
    file = tmp_path_factory.mktemp("given") / "pets.csv"
    rows = "".join(f"p{i},{('Cat', 'Dog')[i % 2]},{20 + i}\n" for i in range(20))
    file.write_text(f"respondent_id,Which pet do you like best?,age\n{rows}", encoding="utf-8")
    imported = lupom.import_survey(file, built)
    assert imported.survey.name == "pets"
    assert {path.relative_to(built).as_posix() for path in imported.written} >= {
        "seeds/pets/pets_info.csv",
        "codebooks/pets.codebook.yml",
    }
