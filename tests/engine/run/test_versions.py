"""The texts of prompts over time: a run keeps those it was the first to use."""

from __future__ import annotations

from lupom import Project
from lupom.engine.run.versions import versions
from tests.support.llm_server import LLMServer
from tests.support.notes_project import FILES, people


def run(folder, **options):
    with Project(folder) as project:
        return project.run(**options)


def test_a_run_keeps_the_text_of_its_prompts_and_only_when_it_is_another(make_project):
    with LLMServer() as server:
        settings = f"{{provider: openai, base_url: {server.base_url}, model: test-model}}"
        folder = make_project(
            {
                "lupom_project.yml": f"""
                    name: demo
                    models: {{+materialized: table}}
                    llms: {{default: {settings}}}
                    """,
                "seeds/people.csv": people(2),
                **FILES,
            }
        )
        first = run(folder)
        run(folder, full_refresh=True)
        (folder / "prompts/note.jinja").write_text("A short note on {{ name }} of {{ town }}.")
        last = run(folder)
    with Project(folder) as project:
        kept = [
            (v["node"], v["run_id"], v["texts"]["note.jinja"][:8])
            for v in versions(project.context)
        ]
    assert kept == [("notes", first.run_id, "Write a "), ("notes", last.run_id, "A short ")]
