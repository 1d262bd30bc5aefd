"""Runs whose calls go by the batch: one submits, a later one collects and goes on."""

from __future__ import annotations

import pytest

from lupom import Project
from lupom.cli import main
from lupom.engine.run.materializations import rows as parts
from tests.support.notes_project import FILES, people


@pytest.fixture
def folder(make_project, server):
    return make_project(
        {
            "lupom_project.yml": f"""
                name: demo
                models: {{+materialized: table}}
                llms:
                  default: {{provider: openai, base_url: '{server.base_url}', model: m, batch: true,
                             concurrency: 1, price: {{input: 10, output: 10}}}}
                """,
            **FILES,
            "seeds/people.csv": people(15),
        }
    )


def lupom(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return caught.value.code, capsys.readouterr().err


def test_a_run_submits_and_the_next_collects_and_goes_on(folder, server, capsys):
    server.batches = "wait"
    for _ in range(2):
        code, err = lupom(capsys, "run", "--project-dir", str(folder))
        assert code == 4
        assert "Waiting in" in err
        assert "notes: 15 of 15 rows are out in a batch" in err
        assert "long_notes: notes is not done" in err
    assert [len(batch) for batch in server.batched] == [15]
    server.batches = "complete"
    code, err = lupom(capsys, "run", "--project-dir", str(folder))
    assert code == 0
    with Project(folder) as project:
        sql = "select count(*), sum(cost), sum(tokens_in + tokens_out) from notes join lupom.calls"
        ((rows, cost, tokens),) = project.query(f"{sql} using (call_id)").rows()
    assert rows == 15
    assert cost == pytest.approx(float(tokens) * 5 / 1e6)
    assert server.answered == 0


def test_every_part_of_a_large_model_is_submitted_by_one_run(folder, server, monkeypatch):
    monkeypatch.setattr(parts, "ROWS", 6)
    with Project(folder) as project:
        result = project.run()
    assert (result.status, result.exit_code) == ("waiting", 4)
    assert [len(batch) for batch in server.batched] == [6, 6, 3]
    with Project(folder) as project:
        assert project.run().status == "success"
    assert len(server.batched) == 3


def test_the_project_s_budget_counts_what_is_out(folder, server):
    path = folder / "lupom_project.yml"
    settings = path.read_text().replace("batch: true", "batch: true, max_tokens: 512")
    path.write_text(settings + "\nbudget: {project: 10k tokens}\n")
    server.batches = "wait"
    with Project(folder) as project:
        assert project.run().status == "waiting"
    (folder / "prompts" / "note.jinja").write_text("Another note on {{ name }} of {{ town }}.")
    with Project(folder) as project:
        result = project.run()
    assert result.status == "budget"
    assert len(server.batched) == 1


def test_the_plan_halves_the_price(folder):
    def cost():
        with Project(folder) as project:
            (step,) = [s for s in project.plan().steps if s.node == "notes"]
        return step.estimate.cost

    halved = cost()
    path = folder / "lupom_project.yml"
    path.write_text(path.read_text().replace("batch: true", "batch: false"))
    assert cost().low == pytest.approx(2 * halved.low)


def test_the_plan_counts_what_is_out_apart(folder, server):
    def notes():
        with Project(folder) as project:
            (step,) = [s for s in project.plan().steps if s.node == "notes"]
        return step.estimate

    server.batches = "wait"
    with Project(folder) as project:
        project.run()
    out = notes()
    assert (out.rows, out.cached, out.out, out.high) == (15, 0, 15, 0)
    assert (out.tokens.high, out.cost.high) == (0, 0)
    assert out.note == "15 rows are out in a batch"
    # Two more people are two more calls to make.
    (folder / "seeds" / "people.csv").write_text(people(17))
    more = notes()
    assert (more.rows, more.cached, more.out, more.high) == (17, 0, 15, 2)
    assert more.cost.high > 0
    server.batches = "complete"
    (folder / "seeds" / "people.csv").write_text(people(15))
    with Project(folder) as project:
        assert project.run().status == "success"
    assert notes() is None
    assert [len(batch) for batch in server.batched] == [15]


def test_the_plan_knows_which_calls_are_too_few_for_a_batch(folder):
    def cost(minimum):
        path = folder / "lupom_project.yml"
        given = path.read_text().replace("batch: true,", f"batch: true, batch_minimum: {minimum},")
        path.write_text(given)
        with Project(folder) as project:
            (step,) = [s for s in project.plan().steps if s.node == "notes"]
        path.write_text(given.replace(f" batch_minimum: {minimum},", ""))
        return step.estimate.cost

    assert cost(16).low == pytest.approx(2 * cost(15).low)


def test_on_bedrock_too_one_run_submits_and_the_next_collects(make_project, monkeypatch, capsys):
    pytest.importorskip("boto3")
    pytest.importorskip("moto")
    from tests.support import s3_servers
    from tests.support.bedrock_jobs import JobServer

    s3_servers.keyed(monkeypatch)
    with s3_servers.moto() as s3, JobServer(s3=s3_servers.client(s3)) as bedrock:
        bedrock.s3.create_bucket(Bucket="study")
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3)
        for service in ("BEDROCK", "BEDROCK_RUNTIME"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", bedrock.url)
        batch = "batch: true, batch_minimum: 10, batch_uri: 's3://study/calls'"
        role = "batch_role: 'arn:aws:iam::123456789012:role/batches'"
        folder = make_project(
            {
                "lupom_project.yml": f"""
                    name: demo
                    models: {{+materialized: table, +llm: haiku}}
                    llms: {{haiku: {{{batch}, {role}}}}}
                    """,
                **FILES,
                "seeds/people.csv": people(15),
            }
        )
        code, err = lupom(capsys, "run", "--project-dir", str(folder))
        assert code == 4
        assert "notes: 15 of 15 rows are out in a batch" in err
        code, err = lupom(capsys, "run", "--project-dir", str(folder))
        assert code == 0
        assert [len(records) for records in bedrock.batched] == [15]
        assert bedrock.answered == 0
        with Project(folder) as project:
            price = project.files.settings.llms["haiku"].price
            sql = "select sum(cost), sum(tokens_in)::double, sum(tokens_out)::double"
            ((cost, tokens_in, tokens_out),) = project.query(f"{sql} from lupom.calls").rows()
        full = (tokens_in * price.input + tokens_out * price.output) / 1e6
        assert cost == pytest.approx(full / 2)
