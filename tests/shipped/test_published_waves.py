"""The published protocol on three waves of the published size, from a folder and from S3.

From a folder up to what the LLM is asked, from S3 what is read there, of which all the rest is
made; `test_published_settings.py` runs the whole from S3, on few people of each wave.

Questions, respondents, attributes and columns are as many as the published waves have, and so are
the 1,000 test pairs of each; answers are made up.
"""

from __future__ import annotations

import duckdb
import pytest

from lupom import Project
from tests.support import opinionqa, s3_servers
from tests.support.published_waves import BUCKET, SURVEYS, project_of, settings

TABLES = ("questions", "respondents", "responses", "published_pairs", "attribute_labels", "surveys")
SELECTED = ("+llm_pairs", "+respondents", "+attribute_labels", "surveys")
PAIRS = 1000


@pytest.fixture(scope="module")
def waves(tmp_path_factory):
    """The waves in their published size."""
    return opinionqa.write(tmp_path_factory.mktemp("waves"), None)


def query(folder, sql):
    with duckdb.connect(str(folder / "lupom.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def project(tmp_path_factory, waves):
    folder = project_of(tmp_path_factory.mktemp("project") / "project", waves, PAIRS)
    with Project(folder, vars=settings(waves)) as made:
        result = made.run(SELECTED, no_llm=True)
    assert [node.message for node in result.nodes if node.status == "error"] == []
    return folder


def test_every_question_respondent_and_attribute_is_read(project):
    sizes = "select survey, count(*) from {} group by 1 order by 1"
    wanted = [(f"opinionqa.W{w}", *opinionqa.SIZES[w]) for w in opinionqa.WAVES]
    assert query(project, sizes.format("questions")) == [(name, n) for name, n, _ in wanted]
    assert query(project, sizes.format("respondents")) == [(name, n) for name, _, n in wanted]
    assert query(project, sizes.format("responses")) == [(s, q * n) for s, q, n in wanted]
    assert query(project, sizes.format("attribute_labels")) == [(s, 12) for s in SURVEYS]
    assert query(project, "select count(*) from responses where status = 'refused'") > [(10_000,)]
    labels = dict(query(project, "select distinct attribute, label from attribute_labels"))
    assert labels["RELIGATTEND"] == "Religious attendance"
    given = query(project, "select distinct cardinality(attributes) from respondents")
    assert set(given) <= {(11,), (12,)}  # the race of some is blank


def test_the_published_pairs_with_an_answer_are_the_test_pairs(project):
    found = query(
        project,
        "select p.survey, count(*), count(h.answer), count(*) filter (r.status = 'refused')"
        " from published_pairs as p"
        " join responses as r on r.survey = p.survey and r.question_id = p.conversation_id"
        "  and r.respondent_id = p.author_id::varchar"
        " left join holdout as h on h.survey = p.survey and h.question_id = p.conversation_id"
        "  and h.respondent_id = p.author_id::varchar and h.role = 'test'"
        " group by 1 order by 1",
    )
    assert [row[:2] for row in found] == [(name, PAIRS) for name in SURVEYS]
    assert all(tested + refused == PAIRS for _, _, tested, refused in found)
    tests = query(project, "select count(*) from holdout where role = 'test'")
    assert tests == [(sum(row[2] for row in found),)]


def test_the_waves_are_told_by_their_titles(project):
    rows = query(project, "select survey, title, fielded, country from surveys order by 1")
    assert rows[0] == (
        "opinionqa.W34",
        "Pew Research Center, American Trends Panel, wave 34: biomedical and food issues",
        "April 23 to May 6, 2018",
        "United States",
    )


@pytest.fixture
def bucket(waves, monkeypatch):
    """An S3 server with the folder's files."""

    def fill(root):
        for path in root.rglob("*.*"):
            key = path.relative_to(root.parent).as_posix()
            s3.put_object(Bucket="opinionqa", Key=key, Body=path.read_bytes())

    with s3_servers.moto() as address:
        s3 = s3_servers.client(address)
        s3.create_bucket(Bucket="opinionqa")
        s3_servers.keyed(monkeypatch)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        yield fill


def test_the_same_tables_come_from_s3(tmp_path, waves, project, bucket):
    bucket(waves)
    folder = project_of(tmp_path / "project", waves, PAIRS)
    with Project(folder, vars=settings(BUCKET)) as made:
        assert made.run(["+" + name for name in TABLES], no_llm=True).status == "success"
    with duckdb.connect() as connection:
        for name, place in (("here", project), ("there", folder)):
            connection.execute(f"attach '{place / 'lupom.duckdb'}' as {name} (read_only)")
        for table in TABLES:
            ((differing,),) = connection.execute(
                f"select count(*) from ((from here.{table} except all from there.{table})"
                f" union all (from there.{table} except all from here.{table}))"
            ).fetchall()
            assert differing == 0, table
