"""Rows that name the LLM they are asked of: several backbones in one run and one table."""

from __future__ import annotations

import pytest

from lupom import Project
from lupom.engine.errors import ProjectError
from tests.support.commands import lupom
from tests.support.llm_server import Fault, LLMServer
from tests.support.notes_project import FILES

MODEL = """
    {{ config(materialized='llm', prompt='note', response='Note', key=['id', 'llm'],
              llm='one', llm_column='llm') }}
    select id, name, town, llm from {{ ref('people') }}
    """


def people(*aliases, count=3):
    lines = [f"{i},Person {i},Town {i},{alias}" for alias in aliases for i in range(1, count + 1)]
    return "id,name,town,llm\n" + "\n".join(lines) + "\n"


@pytest.fixture
def one():
    with LLMServer() as running:
        yield running


@pytest.fixture
def two():
    with LLMServer() as running:
        yield running


@pytest.fixture
def make(make_project, one, two):
    def make(seed, *, first="", second="", budget=""):
        return make_project(
            {
                "lupom_project.yml": f"""
                    name: demo
                    models: {{+materialized: table}}
                    {budget}
                    llms:
                      one:
                        provider: openai
                        base_url: {one.base_url}
                        model: small
                        {first}
                      two:
                        provider: openai
                        base_url: {two.base_url}
                        model: large
                        {second}
                      twin: {{provider: openai, base_url: '{one.base_url}', model: small}}
                      three: {{provider: openai, base_url: '{two.base_url}', model: unrelated}}
                    """,
                **FILES,
                "models/notes.sql": MODEL,
                "models/long_notes.sql": "select id, llm from {{ ref('notes') }}",
                "seeds/people.csv": seed,
                "seeds/_seeds.yml": """
                    seeds:
                      - {name: people, config: {column_types: {llm: varchar}}}
                    """,
            }
        )

    return make


def run(folder, **options):
    with Project(folder) as project:
        return project.run(**options)


def notes(result):
    return next(node for node in result.nodes if node.node == "notes")


def rows(folder, sql):
    with Project(folder) as project:
        return project.query(sql).rows()


def step(folder, **options):
    with Project(folder) as project:
        return next(s for s in project.plan(**options).steps if s.node == "notes")


def edit(folder, name, old, new):
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_each_row_is_asked_of_the_alias_it_names(make, one, two):
    folder = make(people("", "two"))
    result = notes(run(folder))
    assert (one.requests, two.requests) == (3, 3)
    assert (result.calls.total, result.calls.asked, result.calls.cached) == (6, 6, 0)
    sql = "select n.llm, c.alias, count(*) from notes n join lupom.calls c using (call_id)"
    # A row that names none is of the model's own alias, in the key, too.
    found = rows(folder, f"{sql} group by all order by all")
    assert found == [("one", "one", 3), ("two", "two", 3)]
    assert run(folder).run_id is None
    run(folder, full_refresh=True)
    assert (one.requests, two.requests) == (3, 3)


def test_two_names_of_one_backbone_pay_once(make, one):
    one.latency = 0.02
    folder = make(people("one", "twin", count=20))
    result = notes(run(folder))
    assert one.requests == 20
    assert (result.calls.asked, result.calls.cached) == (20, 0)


def test_another_backbone_asks_only_its_own_rows(make, one, two):
    folder = make(people("one"))
    run(folder)
    (folder / "seeds" / "people.csv").write_text(people("one", "two"))
    assert notes(run(folder)).calls.cached == 3
    assert (one.requests, two.requests) == (3, 3)


def test_a_row_that_names_no_alias_there_is_stops_before_anything_is_asked(make, one, two, capsys):
    folder = make(people("one", "tow"))
    result = run(folder)
    assert result.exit_code == 1
    assert "3 rows are to be asked of llm 'tow'" in notes(result).message
    assert "did you mean 'two'" in notes(result).message
    assert (one.requests, two.requests) == (0, 0)
    assert "'tow'" in step(folder).estimate.note
    # Too long for a cell of the table, and nothing that would be known after another answer.
    assert lupom("plan", "--project-dir", str(folder)) == 0
    said = capsys.readouterr().err
    assert "What notes takes is unknown: models/notes.sql: 3 rows are to be asked of" in said
    assert "did you mean 'two'" in said
    assert "wait for answers" not in said


def test_only_settings_of_aliases_that_rows_name_make_the_model_stale(make, one, two):
    folder = make(people("one", "two"))
    run(folder)
    edit(folder, "lupom_project.yml", "model: unrelated", "model: another")
    assert step(folder).action == "up to date"
    edit(folder, "lupom_project.yml", "model: large", "model: larger")
    assert (step(folder).action, step(folder).reason) == ("run", "llm 'two' changed")
    with Project(folder) as project:
        assert project.select("state:modified") == ("notes",)
    run(folder)
    assert (one.requests, two.requests) == (3, 6)
    with Project(folder) as project:
        assert project.plan().doing() == []


def test_a_backbone_that_is_taken_out_of_the_rows_is_of_no_more_concern(make, one, two):
    folder = make(people("one", "two"))
    run(folder)
    (folder / "seeds" / "people.csv").write_text(people("one"))
    run(folder)
    edit(folder, "lupom_project.yml", "model: large", "model: larger")
    assert step(folder).action == "up to date"
    assert (one.requests, two.requests) == (3, 3)


def test_an_alias_that_is_gone_is_told(make):
    folder = make(people("one", "two"))
    run(folder)
    edit(folder, "lupom_project.yml", "two:\n", "second:\n")
    assert step(folder).reason == "llm 'two' is gone"
    assert "llm 'two'" in notes(run(folder)).message


def test_a_plan_counts_each_alias_and_says_whose_price_is_unknown(make, one, two):
    folder = make(people("one", "two", count=10), first="price: {input: 1, output: 2}")
    run(folder, select="people")
    estimate = step(folder).estimate
    assert (estimate.rows, estimate.low, estimate.high) == (20, 20, 20)
    assert estimate.unpriced == ["two"]
    assert estimate.cost.high > estimate.cost.low > 0
    assert "one: 10 calls" in estimate.note
    assert "two: 10 calls" in estimate.note
    assert estimate.note.endswith("price unknown")
    assert (one.requests, two.requests) == (0, 0)


def test_a_budget_of_money_is_refused_where_one_of_them_has_no_price(make, one, two):
    folder = make(people("one", "two"), first="price: {input: 1, output: 2}")
    result = run(folder, budget="$1")
    assert result.exit_code == 1
    assert "asks llm 'two', whose price is unknown" in notes(result).message
    assert (one.requests, two.requests) == (0, 0)


def test_a_budget_is_one_pot_and_says_what_is_left_of_all(make, one, two):
    folder = make(
        people("one", "two", count=40),
        first="concurrency: 1\n                        max_tokens: 20",
        second="concurrency: 1\n                        max_tokens: 20",
    )
    result = run(folder, budget="600 tokens")
    assert result.exit_code == 3
    asked = one.requests + two.requests
    assert 0 < asked < 80
    assert f"{80 - asked} of 80 rows" in notes(result).message
    assert notes(run(folder)).status == "success"
    assert one.requests + two.requests == 80


def test_places_are_of_each_alias(make, one, two):
    one.latency = two.latency = 0.05
    one.gathers, two.gathers = 2, 5
    folder = make(people("one", "two", count=30), first="concurrency: 2", second="concurrency: 5")
    run(folder)
    assert (one.max_in_flight, two.max_in_flight) == (2, 5)


def test_what_one_cannot_answer_is_quarantined_and_retried_alone(make, one, two):
    two.answers = lambda body: "not JSON"
    folder = make(people("one", "two", count=2), second="attempts: 1")
    path = folder / "models" / "notes.sql"
    path.write_text(path.read_text().replace("config(", "config(max_invalid_share=1, "))
    assert notes(run(folder)).message == "2 of 4 answers invalid"
    with Project(folder) as project:
        keys = [key for key, *_ in project.quarantine("notes").rows()]
    assert keys == ['{"id": 1, "llm": "two"}', '{"id": 2, "llm": "two"}']
    two.answers = None
    assert notes(run(folder, retry_invalid=True)).status == "success"
    assert (one.requests, two.requests) == (2, 4)


def test_each_falls_back_on_its_own_stronger_alias(make, one, two):
    one.answers = lambda body: "not JSON"
    folder = make(
        people("one", count=2), first="attempts: 1\n                        fallback: two"
    )
    assert notes(run(folder)).status == "success"
    assert (one.requests, two.requests) == (2, 2)
    sql = "select n.llm, c.alias from notes n join lupom.calls c using (call_id)"
    assert set(rows(folder, sql)) == {("one", "two")}


def test_where_one_refuses_the_answers_of_the_other_are_kept(make, one, two):
    two.faults = lambda _n, _b: Fault(status=401)
    folder = make(people("one", "two"))
    result = run(folder)
    assert result.exit_code == 1
    assert "llm 'two'" in notes(result).message
    two.faults = None
    before = two.requests
    assert run(folder).status == "success"
    assert (one.requests, two.requests - before) == (3, 3)


def test_a_batch_beside_one_that_answers_at_once(make, one, two):
    folder = make(people("one", "two"), second="batch: true")
    assert run(folder).exit_code == 4
    assert one.requests == 3
    result = run(folder)
    assert notes(result).status == "success"
    assert one.requests == 3


def test_the_column_must_be_in_the_select_and_be_text(make, one):
    folder = make(people("one"))
    edit(folder, "models/notes.sql", "llm_column='llm'", "llm_column='lm'")
    message = notes(run(folder)).message
    assert "llm_column: the select has no column 'lm'" in message
    assert "did you mean 'llm'" in message
    edit(folder, "models/notes.sql", "llm_column='lm'", "llm_column='id'")
    assert "the alias of an LLM is text" in notes(run(folder)).message
    assert one.requests == 0


def test_no_row_is_no_alias_and_an_empty_table(make, one, two):
    folder = make(people("one", "two"))
    edit(
        folder,
        "models/notes.sql",
        "from {{ ref('people') }}",
        "from {{ ref('people') }} where id > 9",
    )
    result = run(folder)
    assert (notes(result).status, notes(result).rows) == ("success", 0)
    with Project(folder) as project:
        assert project.table("long_notes").rows() == []
    assert (one.requests, two.requests) == (0, 0)


@pytest.mark.parametrize(
    ("model", "wrong"),
    [
        ("gemini-2.5-flash", "model 'gemini-2.5-flash' does not say whose it is (provider/model, "),
        ("googel/gemini-2.5-flash", "does not speak to 'googel' (did you mean 'google'?)"),
    ],
)
def test_a_model_that_instructor_cannot_have_is_an_error_of_the_plan(make_project, model, wrong):
    settings = f"name: demo\nllms:\n  one:\n    provider: instructor\n    model: {model}\n"
    folder = make_project({"lupom_project.yml": settings, **FILES, "models/notes.sql": MODEL})
    with pytest.raises(ProjectError) as caught, Project(folder) as project:
        project.plan()
    assert str(caught.value).startswith("lupom_project.yml:5: 'llms.one.model': ")
    assert wrong in str(caught.value)
