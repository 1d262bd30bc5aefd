"""lupom_project.yml: what it may say, and what a typing error is told."""

from __future__ import annotations

import pytest

from lupom.engine.errors import LupomError, UsageError
from lupom.engine.project.discovery import read_project


def error_of(make_project, text, **options):
    folder = make_project({"lupom_project.yml": text})
    with pytest.raises(LupomError) as caught:
        read_project(folder, **options)
    return str(caught.value)


def test_only_a_name_is_required(make_project):
    files = read_project(make_project({"lupom_project.yml": "name: demo"}))
    assert files.settings.name == "demo"
    assert files.store_path.name == "lupom.duckdb"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: demo\nvrs:\n  seed: 1\n",
            "lupom_project.yml:2: unknown key 'vrs' (did you mean 'vars'?)",
        ),
        (
            "nmae: demo\n",
            "lupom_project.yml:1: unknown key 'nmae' (did you mean 'name'?)",
        ),
        ("vars: {}\n", "lupom_project.yml:1: the key 'name' is missing"),
        (
            "name: demo\nllms:\n  default:\n    provider: opnai\n",
            "lupom_project.yml:4: 'llms.default.provider': no provider 'opnai' gives LLMs; there"
            " are openai, embedded, bedrock, anthropic, instructor (did you mean 'openai'?)",
        ),
        (
            "name: demo\nembeddings:\n  default:\n    provider: embedded\n",
            "lupom_project.yml:4: 'embeddings.default.provider': no provider 'embedded' gives"
            " embeddings; there are openai, bedrock, wordllama (a package that adds one must be"
            " installed beside LUPoM)",
        ),
        (
            "name: demo\nllms:\n  d: {provider: openai, model: m, price: 0.6}\n",
            "lupom_project.yml:3: 'llms.d.price' is a block of keys, not 0.6 (price: {input: ...,"
            " output: ...})",
        ),
        (
            "name: demo\nllms:\n  d: {provider: openai, model: m, base_url: 'localhost:8000'}\n",
            "lupom_project.yml:3: 'llms.d.base_url': 'localhost:8000' is no web address: it begins"
            " with http:// or https:// and often ends in /v1",
        ),
        (
            "name: demo\nllms:\n  d:\n    provider: openai\n    model: m\n"
            "    base_url: https://x/v1/chat/completions\n",
            "lupom_project.yml:6: 'llms.d.base_url': leave out /chat/completions, which is added:"
            " 'https://x/v1'",
        ),
        (
            "name: demo\nllms:\n  default:\n    concurrency: 2\n",
            "lupom_project.yml:3: the key 'llms.default.provider' is missing",
        ),
        (
            "name: demo\nllms:\n  default: {provider: [openai]}\n",
            "lupom_project.yml:3: 'llms.default.provider': input should be a valid string",
        ),
        (
            "name: demo\nllms:\n  default:\n    provider: embedded\n    batch: true\n",
            "lupom_project.yml:5: unknown key 'batch' ('batch' belongs to an openai or a bedrock"
            " alias)",
        ),
        (
            "name: demo\nllms:\n  model:\n    provider: openai\n    model: m\n    threads: 2\n",
            "lupom_project.yml:6: unknown key 'threads' ('threads' belongs to an embedded alias)",
        ),
        (
            "name: demo\nllms:\n  sonnet:\n    api_key_env: KEY\n",
            "lupom_project.yml:4: unknown key 'api_key_env' (a bedrock alias finds its credentials"
            " by AWS's own rules)",
        ),
        (
            "name: demo\nllms:\n  a:\n    provider: openai\n    model: m\n    price: {inptu: 2}\n",
            "lupom_project.yml:6: unknown key 'inptu' (did you mean 'input'?)",
        ),
        (
            "name: demo\nembeddings:\n  default:\n    provider: wordllama\n    region: x\n",
            "lupom_project.yml:5: unknown key 'region' ('region' belongs to a bedrock alias)",
        ),
        (
            "name: demo\nllms:\n  default:\n    provider: embedded\n    concurency: 2\n",
            "lupom_project.yml:5: unknown key 'concurency' (did you mean 'concurrency'?)",
        ),
        (
            "name: demo\nllms:\n  fast:\n    provider: openai\n",
            "lupom_project.yml:3: 'llms.fast': an openai alias needs a 'model'",
        ),
        (
            "name: demo\nmodels:\n  +materialised: table\n",
            "lupom_project.yml:3: unknown config '+materialised' (did you mean '+materialized'?)",
        ),
        (
            "name: demo\nmodels:\n  +tags: x\n  demo:\n    +max_invalid_share: 2\n",
            "lupom_project.yml:5: 'models.demo.+max_invalid_share': input should be less than or"
            " equal to 1, not 2",
        ),
        (
            "name: demo\nseeds:\n  +materialized: tabel\n",
            "lupom_project.yml:3: 'seeds.+materialized': input should be 'view', 'table',"
            " 'incremental', 'ephemeral', 'seed', 'python' or 'llm', not 'tabel' (did you mean"
            " 'table'?)",
        ),
        (
            "name: demo\nmodels:\n  materialized: table\n",
            "lupom_project.yml:3: 'materialized' must be a folder's block, or config with a '+'"
            " (did you mean '+materialized'?)",
        ),
        ("name: demo\nname: two\n", "lupom_project.yml:2: the key 'name' appears twice here"),
        (
            "name: demo\ntargets:\n  dev:\n    executor: rya\n",
            "lupom_project.yml:4: 'targets.dev.executor': 'rya' is none of local, processes, ray,"
            " workers (did you mean 'ray'?)",
        ),
        (
            "name: demo\ntargets:\n  dev:\n    executor: worker\n",
            "lupom_project.yml:4: 'targets.dev.executor': 'worker' is none of local, processes,"
            " ray, workers (did you mean 'workers'?)",
        ),
        (
            "name: demo\ntargets:\n  dev:\n    executor: {type: ray, wrokers: 2}\n",
            "lupom_project.yml:4: unknown key 'wrokers' (did you mean 'workers'?)",
        ),
        (
            "name: demo\ntargets:\n  dev:\n    executor: {type: processes, address: auto}\n",
            "lupom_project.yml:4: 'targets.dev.executor': 'address' is for 'type: ray'; 'type:"
            " processes' has none",
        ),
        (
            "name: demo\nbudget:\n  run: 500k\n",
            "lupom_project.yml:3: 'budget.run': '500k' of what? '500k tokens', or '$500k'",
        ),
        (
            "name: demo\nbudget: {monthly: 3}\n",
            "lupom_project.yml:2: unknown key 'monthly' (known keys: project, run)",
        ),
        (
            "name: demo\nllms:\n  small:\n    provider: embedded\n    fallback: larg\n"
            "  large: {provider: openai, model: m}\n",
            "lupom_project.yml:5: no llm 'larg' to fall back on (did you mean 'large'?)",
        ),
        (
            "name: demo\nllms:\n  one: {provider: embedded, fallback: two}\n"
            "  two:\n    provider: embedded\n    fallback: one\n",
            "lupom_project.yml:6: fallbacks lead in a circle: one -> two -> one",
        ),
        (
            "name: [unclosed\n",
            "lupom_project.yml:2: not valid YAML: did not find expected ',' or ']'",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_the_likely_intention(make_project, text, message):
    assert error_of(make_project, text) == message


def test_folders_configure_what_is_below_them_and_tags_add_up(make_project):
    from lupom.engine.project.discovery import folder_config

    files = read_project(
        make_project(
            {
                "lupom_project.yml": """
                    name: demo
                    models:
                      +materialized: table
                      +tags: [all]
                      staging:
                        +materialized: view
                        +tags: [stage]
                    """,
                "models/staging/a.sql": "select 1 as x",
            }
        )
    )
    assert folder_config(files, "models", "models/b.sql") == {
        "materialized": "table",
        "tags": ["all"],
    }
    assert folder_config(files, "models", "models/staging/a.sql") == {
        "materialized": "view",
        "tags": ["all", "stage"],
    }


def test_the_projects_name_may_stand_above_the_folders_as_in_dbt(make_project):
    from lupom.engine.project.discovery import folder_config

    files = read_project(
        make_project(
            {
                "lupom_project.yml": "name: demo\nmodels:\n  demo:\n    +materialized: table\n",
                "models/a.sql": "select 1 as x",
            }
        )
    )
    assert folder_config(files, "models", "models/a.sql") == {"materialized": "table"}


def test_the_project_is_found_from_a_folder_inside_it(make_project, monkeypatch):
    folder = make_project({"models/staging/a.sql": "select 1 as x"})
    monkeypatch.chdir(folder / "models" / "staging")
    assert read_project().root == folder.resolve()


def test_outside_a_project_it_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"no lupom_project\.yml in .* or above it"):
        read_project()


def test_an_unknown_target_names_those_there_are(make_project):
    text = "name: demo\ntargets:\n  dev: {}\n  prod: {path: prod.duckdb}\n"
    message = error_of(make_project, text, target="prdo")
    assert message == "no target 'prdo' in lupom_project.yml (did you mean 'prod'?)"


def test_env_var_and_var_are_read_in_yaml(make_project):
    folder = make_project(
        {
            "lupom_project.yml": """
                name: demo
                vars: {folder: data}
                targets:
                  dev:
                    path: "{{ var('folder') }}/{{ env_var('DB', 'x') }}.duckdb"
                    threads: "{{ env_var('THREADS') }}"
                """
        }
    )
    files = read_project(folder, environ={"THREADS": "3"}, vars={"folder": "other"})
    assert files.target.path == "other/x.duckdb"
    assert files.target.threads == 3
    with pytest.raises(LupomError, match=r"lupom_project.yml:7: the environment variable THREADS"):
        read_project(folder, environ={})


def test_a_description_of_a_column_is_read(make_project):
    folder = make_project(
        {
            "models/a.sql": "select 1 as x",
            "models/a.yml": """
                models:
                  - name: a
                    description: One number.
                    columns:
                      - {name: x, description: The number.}
                """,
        }
    )
    described = read_project(folder).properties[("models", "a")]
    assert described.description == "One number."
    assert described.columns[0].description == "The number."


def test_a_mistake_in_properties_has_its_line(make_project):
    folder = make_project({"models/a.yml": "models:\n  - name: a\n    descripton: One number.\n"})
    with pytest.raises(LupomError) as caught:
        read_project(folder)
    assert (
        str(caught.value)
        == "models/a.yml:3: unknown key 'descripton' (did you mean 'description'?)"
    )


@pytest.mark.parametrize(
    ("given", "money", "tokens"),
    [
        ("2.50", 2.5, None),
        ("$2.50", 2.5, None),
        ("2 USD", 2.0, None),
        ("$1k", 1000.0, None),
        ("0", 0.0, None),
        ("1_000_000 tokens", None, 1_000_000),
        ("500k tokens", None, 500_000),
        ("'$2, 1.5M tokens'", 2.0, 1_500_000),
        ("{money: 2, tokens: 5}", 2.0, 5),
    ],
)
def test_a_budget_may_be_spelled_in_several_ways(make_project, given, money, tokens):
    text = f"name: demo\nbudget:\n  project: {given}\n"
    budget = read_project(make_project({"lupom_project.yml": text})).settings.budget
    assert budget.run is None
    assert (budget.project.money, budget.project.tokens) == (money, tokens)
