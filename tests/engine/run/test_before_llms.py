"""What is wrong with a project's own settings is found before an LLM is paid for."""

from __future__ import annotations

import pytest

from lupom import LupomError, Project
from tests.support.commands import lupom
from tests.support.notes_project import FILES, people

CHECK = (
    "select if(count(*) > 2, error('three people at most'), true) as fine from {{ ref('people') }}"
)


@pytest.fixture
def make(make_project, server):
    def make(count, gates="[a_check]"):
        return make_project(
            {
                "lupom_project.yml": f"""
                    name: demo
                    models: {{+materialized: table}}
                    before_llms: {gates}
                    llms:
                      default: {{provider: openai, base_url: '{server.base_url}', model: m}}
                    """,
                **FILES,
                "models/z_check.sql": CHECK,
                "models/a_check.sql": "select * from {{ ref('z_check') }}",
                "seeds/people.csv": people(count),
            }
        )

    return make


def run(folder, **options):
    with Project(folder) as project:
        result = project.run(**options)
    return result.status, {node.node: node for node in result.nodes}


def test_nothing_is_asked_where_a_check_fails(make, server):
    status, nodes = run(make(3))
    assert status == "error"
    assert server.requests == 0
    assert nodes["notes"].status == "skipped"
    assert nodes["notes"].message == "a_check was skipped"
    assert nodes["people"].status == "success"


def test_where_it_passes_or_is_not_asked_for_llms_are(make, server):
    folder = make(2)
    assert run(folder)[0] == "success"
    asked = server.requests
    assert asked >= 2
    # A check whose input has not changed is not run again, and nothing waits for it.
    assert run(folder, select=["notes"], full_refresh=True)[0] == "success"
    assert server.requests == asked


def test_one_above_which_an_llm_is_does_not_wait_for_itself(make, server):
    assert run(make(2, gates="[notes]"))[0] == "success"


def test_a_name_that_is_not_a_model_s_is_an_error(make, server):
    with pytest.raises(LupomError, match="before_llms: there is no model 'a_chek'") as caught:
        run(make(2, gates="[a_chek]"))
    assert "a_check" in caught.value.hint
    assert server.requests == 0


def test_a_plan_says_that_nothing_would_be_asked(make, server, capsys):
    assert lupom("plan", "--project-dir", str(make(3))) == 0
    said = capsys.readouterr()
    assert "No LLM would be asked anything: models/z_check.sql: " in said.err
    assert "three people at most" in said.err
    with Project(make(3)) as project:
        (notes,) = [s.estimate for s in project.plan().steps if s.estimate]
    assert (notes.low, notes.high) == (0, 0)
