"""The published study, whole: three waves from S3, four backbones by its settings, in one run.

Backbones are the published models on a Converse that answers as a capable LLM does, each with what
Bedrock offers of it; people and test pairs are few.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from lupom import Project
from tests.support import opinionqa, s3_servers
from tests.support.bedrock_server import BedrockServer, Model
from tests.support.capable import Capable
from tests.support.commands import lupom
from tests.support.published_waves import BUCKET, SURVEYS, project_of, settings
from tests.support.shipped import SMALL_EVALUATION, read_csv, write_csv

MODELS = {
    "haiku": "anthropic.claude-3-haiku-20240307-v1:0",
    "sonnet": "anthropic.claude-3-sonnet-20240229-v1:0",
    "mistrallarge": "mistral.mistral-large-2402-v1:0",
    "llama70b3": "meta.llama3-70b-instruct-v1:0",
}
OFFERS = {
    "claude-3": Model(json_schema=False, cache=False),
    "mistral": Model(json_schema=False, cache=False, choices=("auto", "any")),
    "llama3": Model(json_schema=False, cache=False, choices=()),
}
# What is published of one network, and rows of one's own: each network and none by two retrievals.
PUBLISHED = ["published_history", "published_demographics", "published_persona"]
PUBLISHED += ["published_persona_network", "published_everything", "published_everything_network"]
NETWORKS = ["none", "published_bds", "published_bdeu", "published_bic"]
RETRIEVALS = ["published_network", "answers"]
VARIANTS = {f"{network}_{by}": (network, by) for network in NETWORKS for by in RETRIEVALS}
# Besides one of ours, whose probabilities are stated.
SETTINGS = [*PUBLISHED, *VARIANTS, "everything"]
QUESTIONS = 6  # of each wave
PAIRS = {"test": 3, "tuning": 2}
VARS = {
    **SMALL_EVALUATION,
    **{"network": "published", "retrieval": "published_network", "persona_calls": "dimension"},
    **{"dimension_text": "description", "dimension_clusters": {"low": 2, "mid": 2, "high": 2}},
    **{"llm_test_respondents": 3, "llm_reference_respondents": 5, "tuning_pairs": 30},
    **{"llm_pairs": PAIRS["test"], "llm_tuning_pairs": PAIRS["tuning"]},
    **{"predictor": list(MODELS), "prediction_settings": SETTINGS},
}


@dataclass
class Ran:
    """A run that has ended: its exit code, its project, and what the models were asked."""

    code: int
    waves: Path
    project: Project
    server: BedrockServer

    def rows(self, sql: str) -> list[tuple]:
        return self.project.query(sql).rows()


def variant_rows(path: Path) -> None:
    """Add the rows of VARIANTS to a file of settings."""
    table = read_csv(path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        (base,) = (row for row in rows if row["setting"] == "published_everything_network")
    for name, (network, retrieval) in VARIANTS.items():
        row = base | {"setting": name, "network": network, "retrieval": retrieval}
        table.append([row[column] for column in table[0]])
    write_csv(path, table)


def bedrock(folder: Path) -> None:
    """Ask Claude 3 Sonnet on Bedrock for all but predictions, and name the published Claude."""
    path = folder / "lupom_project.yml"
    head, tail = path.read_text(encoding="utf-8").split("  default:\n    provider: embedded\n")
    aliases = {"default": "sonnet", "haiku": "haiku", "sonnet": "sonnet"}
    text = "".join(
        f"  {alias}: {{provider: bedrock, model: {MODELS[name]}}}\n"
        for alias, name in aliases.items()
    )
    path.write_text(f"{head}{text}{tail[tail.index(chr(10) + 'embeddings:') :]}", encoding="utf-8")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    waves = opinionqa.write(tmp_path_factory.mktemp("waves"), 20, QUESTIONS)
    folder = project_of(tmp_path_factory.mktemp("project") / "project", waves, 16)
    variant_rows(folder / "seeds" / "settings.csv")
    bedrock(folder)
    with (
        pytest.MonkeyPatch.context() as patch,
        s3_servers.moto() as address,
        BedrockServer(answers=Capable(), of=OFFERS) as server,
    ):
        s3 = s3_servers.client(address)
        s3.create_bucket(Bucket="opinionqa")
        for path in waves.rglob("*.*"):
            key = path.relative_to(waves.parent).as_posix()
            s3.put_object(Bucket="opinionqa", Key=key, Body=path.read_bytes())
        s3_servers.keyed(patch)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_CONFIG_FILE", str(waves / "none"))
        patch.setenv("AWS_ENDPOINT_URL_S3", address)
        patch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
        patch.setenv("AWS_REGION", "us-east-1")
        vars = settings(BUCKET, **VARS)
        code = lupom("build", "--project-dir", str(folder), "--vars", str(vars))
        with Project(folder, vars=vars) as project:
            yield Ran(code, waves, project, server)


def test_the_run_succeeds_and_no_answer_is_rejected(ran):
    assert ran.code == 0
    wrong = "select node, error from lupom.calls where status <> 'ok' or attempts <> 1"
    assert ran.rows(wrong) == []
    assert ran.rows("select count(*) from predictions where status <> 'valid'") == [(0,)]
    # Each model is asked as it can be: nothing was refused.
    assert ran.server.answered == ran.server.requests


def test_requests_are_as_many_as_the_settings_say(ran):
    pairs = len(SURVEYS) * sum(PAIRS.values())
    rows = ran.rows("select llm, predictor, role, count(*) from predictions group by all")
    assert sorted(rows) == sorted(
        (llm, name, role, len(SURVEYS) * PAIRS[role])
        for llm in MODELS
        for name in SETTINGS
        for role in PAIRS
    )
    # A question, a person, what is shown of them: settings that come to the same share a request.
    ((shown,),) = ran.rows(
        "select count(distinct (survey, respondent_id, question_id, history, attributes, persona,"
        " neighbours_answer, neighbours_share, distribution)) from prediction_requests"
    )
    # The persona makes the difference of all but two settings, and not every one is another.
    assert 4 * pairs < shown < len(SETTINGS) * pairs

    def count(sql):
        return ran.rows(f"select count(*) from {sql}")[0][0]

    people = VARS["llm_test_respondents"] + VARS["llm_reference_respondents"]
    several = "(select count(distinct name) as n from dimension_clusters group by survey, level,"
    per_node = {
        "dimension_candidates": count("questions"),
        "merged_dimensions": count(f"{several} cluster) where n > 1"),
        "demographic_checks": count("dimension_drafts"),
        "duplicate_checks": count("dimension_pairs"),
        "persona_values": people * count("persona_dimensions"),
        "prediction_answers": len(MODELS) * (shown - pairs),
        "prediction_distributions": len(MODELS) * pairs,  # of the setting that states them
    }
    assert per_node["dimension_candidates"] == len(SURVEYS) * QUESTIONS
    asked = dict(ran.rows("select node, count(*) from lupom.calls group by node"))
    assert asked == {node: n for node, n in per_node.items() if n}
    # The published models, each as often as the others, and Sonnet for what comes before, too.
    before = sum(n for node, n in per_node.items() if not node.startswith("prediction_"))
    assert Counter(ran.server.models) == {
        model: shown + (before if name == "sonnet" else 0) for name, model in MODELS.items()
    }


def test_backbone_setting_network_and_retrieval_are_columns_of_one_leaderboard(ran):
    rows = ran.rows(
        "select survey, llm, predictor, network, retrieval from leaderboard"
        f" where pairs = 'llm' and predictor in ({', '.join(map(repr, SETTINGS))})"
    )
    shown = {
        "published_history": (None, None),
        "published_demographics": (None, None),
        "published_persona": ("none", None),
        "published_persona_network": ("published", None),
        "published_everything": ("none", "published"),
        "published_everything_network": ("published", "published_network"),
        "everything": ("published", "published_network"),
        **VARIANTS,
    }
    assert shown.keys() == {*SETTINGS}
    assert sorted(rows, key=str) == sorted(
        (
            (survey, llm, name, *shown[name])
            for survey in SURVEYS
            for llm in MODELS
            for name in SETTINGS
        ),
        key=str,
    )
    # What predicts without a prompt shows nothing to anybody.
    others = "select distinct network, retrieval from leaderboard where llm is null"
    assert ran.rows(others) == [(None, None)]


def test_every_wave_has_the_tables_and_the_published_figures(ran):
    for table, sql in {
        "persona_dimensions": "len(candidate_values) > 1",
        "persona_values": "value is not null",
        "refined_persona_values": "changed",
        "published_metrics": "pairs = 16 and not_found = 0",
        "metrics": "pairs = 'llm'",
    }.items():
        found = ran.rows(f"select distinct survey from {table} where {sql} order by 1")
        assert found == [(name,) for name in SURVEYS], table
    # As published an answer is an answer; ours states probabilities besides.
    stated = "select distinct predictor from predictions where probabilities is not null"
    assert ran.rows(stated) == [("everything",)]
    sure = (
        "select count(*) from prediction_requests, unnest(persona) as u(p)"
        " where setting <> 'everything' and p.certainty is not null"
    )
    assert ran.rows(sure) == [(0,)]


def test_each_setting_shows_the_persona_of_its_network_and_finds_people_by_it(ran):
    fitted = {"published", *NETWORKS} - {"none"}
    found = ran.rows("select survey, network from persona_networks order by all")
    assert found == sorted((survey, name) for survey in SURVEYS for name in fitted)
    # Each is looked for once: known answers are the same under every network, raw personas too.
    found = ran.rows("select survey, retrieval, network from retrieval_settings order by all")
    own = {("published_network", name) for name in {*fitted, "none"}}
    expected = {*own, ("published", "none"), ("answers", "none")}
    assert found == sorted((survey, *pair) for survey in SURVEYS for pair in expected)
    wrong = ran.rows("""
        select r.setting, r.respondent_id
        from prediction_requests as r
        join setting_variants as x using (survey, setting)
        join prediction_settings as s using (setting, llm)
        join persona_networks as w using (survey)
        join refined_persona_values as v
            on v.survey = r.survey and v.respondent_id = r.respondent_id and v.network = w.network
        join persona_dimensions as d
            on d.survey = r.survey and d.dimension_id = v.dimension_id
        where s.persona <> 'none'
            and if(x.network = 'none', w.is_default, w.network = x.network)
            and if(x.network = 'none', v.value, v.refined_value)
                is distinct from list_filter(r.persona, lambda p: p.name = d.name)[1].value
    """)
    assert wrong == []


def test_the_same_waves_from_a_folder_are_nothing_new(ran):
    before = ran.server.requests
    with Project(ran.project.files.root, vars=settings(ran.waves, **VARS)) as project:
        result = project.run()
    # The files are read again, and what they say is the same: nothing below is built.
    built = {node.node for node in result.nodes if node.status == "success"}
    first = {"attribute_labels", "imputed_columns", "questions", "respondents", "responses"}
    first |= {"imputed_gaps", "survey_designs"}
    assert built == first
    assert {node.status for node in result.nodes} == {"success", "unchanged"}
    assert ran.server.requests == before
