"""Three waves in OpinionQA's layout, from a folder and from S3, through the shipped models."""

from __future__ import annotations

import io
import shutil

import duckdb
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from lupom import Project
from lupom.cli.group import lupom
from tests.support import opinionqa, s3_servers
from tests.support.shipped import SMALL_EVALUATION, copy_project

SURVEYS = [f"opinionqa.W{wave}" for wave in opinionqa.WAVES]
TABLES = ("questions", "respondents", "responses")


def settings(place, surveys=SURVEYS):
    return {
        "surveys": surveys,
        "topic_mappings": ["opinionqa.topic_mapping"],
        "opinionqa": str(place),
    }


@pytest.fixture(scope="module")
def waves(tmp_path_factory):
    return opinionqa.write(tmp_path_factory.mktemp("waves"))


@pytest.fixture(scope="module")
def project(tmp_path_factory, waves):
    """The shipped project after a run over the waves' folder."""
    folder = copy_project(tmp_path_factory.mktemp("project") / "project", respondents=30)
    command = ["run", "--no-llm", "--project-dir", str(folder)]
    given = yaml.safe_dump(settings(waves) | SMALL_EVALUATION, default_flow_style=True)
    result = CliRunner().invoke(lupom, [*command, "--vars", given], standalone_mode=False)
    assert result.return_value == 0, result.output
    return folder


def query(folder, sql):
    with duckdb.connect(str(folder / "lupom.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def tables(folder):
    return {name: query(folder, f"select * from {name} order by all") for name in TABLES}


def test_a_whole_run_scores_every_wave(project):
    surveys = query(project, "select distinct survey from metrics order by 1")
    assert surveys == [(name,) for name in SURVEYS]


def test_positions_go_with_their_options(project):
    rows = query(
        project,
        "select question_id, options, ordinal from questions where survey = 'opinionqa.W34'",
    )
    found = {key: dict(zip(options, places, strict=True)) for key, options, places in rows}
    assert found["BETTER_W34"] == {"Better": 1, "Worse": 2, "Neither better nor worse": 1.5}
    assert found["HARM_W34"]["Not too much"] == 2.5
    assert found["HARM_W34"]["Not sure"] is None
    assert list(found["EAT_1_W34"]) == ["Selected", "Not selected"]
    # One position for all of them is no scale.
    assert set(found["PAYS_W34"].values()) == {None}
    assert found["VIEW_W34"]["Other view"] is None


def test_codes_and_texts_become_the_same_statuses(project):
    statuses = query(
        project,
        "select survey, list(distinct status order by status) from responses group by 1 order by 1",
    )
    assert statuses == [(name, ["answered", "not_asked", "refused"]) for name in SURVEYS]
    refused = (
        "select count(*) from responses where question_id = 'EAT_1_W41' and status = 'refused'"
    )
    assert query(project, refused) == [(1,)]


def test_values_that_metadata_does_not_list_are_kept(project):
    values = query(
        project,
        "select distinct attributes['RACE'] as race from respondents where race is not null"
        " union all select distinct attributes['MARITAL'] from respondents order by 1",
    )
    assert ("Mixed Race",) in values
    assert ("Living with a partner",) in values
    assert ("nan",) not in values
    assert query(project, "select count(*) from respondents") == [(180,)]
    assert query(project, "select min(weight) > 0.1 from respondents") == [(True,)]


def test_topics_come_from_the_mapping(project):
    sql = "select distinct topic from questions where question_id like 'EAT%'"
    assert query(project, sql) == [("health; food",)]


@pytest.fixture(scope="module")
def server(waves):
    with s3_servers.moto() as address:
        s3 = s3_servers.client(address)
        s3.create_bucket(Bucket="opinionqa")
        for path in waves.rglob("*.*"):
            key = path.relative_to(waves.parent).as_posix()
            s3.put_object(Bucket="opinionqa", Key=key, Body=path.read_bytes())
        yield address


class TestS3:
    @pytest.fixture
    def proxy(self, server, monkeypatch):
        proxy = s3_servers.Proxy(server)
        s3_servers.keyed(monkeypatch)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.address)
        yield proxy
        proxy.close()

    def test_the_same_tables_come_from_a_bucket_and_each_object_once(
        self, proxy, tmp_path, project, waves
    ):
        folder = copy_project(tmp_path / "project", respondents=30)
        place = "s3://opinionqa/human_resp"
        with Project(folder, vars=settings(place)) as made:
            assert made.run(TABLES, no_llm=True).status == "success"
            assert len(proxy.objects()) == len(set(proxy.objects())) == 10
            proxy.reset()
            assert made.run(TABLES, no_llm=True).nodes == []
        assert {method for method, _ in proxy.requests} == {"HEAD"}
        assert tables(folder) == tables(project)

    def test_only_the_waves_that_are_surveys_are_asked_for(self, proxy, tmp_path):
        folder = copy_project(tmp_path / "project", respondents=30)
        place = "s3://opinionqa/human_resp"
        with Project(folder, vars=settings(place, ["opinionqa.W82"])) as made:
            made.run("questions")
        with Project(folder) as made:
            made.run("responses")
        paths = {path for _, path in proxy.requests}
        root = "/opinionqa/human_resp"
        assert paths == {
            f"{root}/American_Trends_Panel_W82/info.csv",
            f"{root}/topic_mapping.npy",
        }


@pytest.fixture(scope="module")
def built(tmp_path_factory, waves):
    root = tmp_path_factory.mktemp("hostile")
    shutil.copytree(waves, root / "waves")
    folder = copy_project(root / "project", respondents=30)
    with Project(folder, vars=settings(root / "waves", SURVEYS[:1])) as made:
        made.run(TABLES)
        yield made, root / "waves"


class TestHostile:
    """A wave that is damaged is an error, and the tables built before it stand."""

    @pytest.fixture
    def spoil(self, built):
        made, place = built
        kept = {}

        def spoil(name, change):
            path = place / name
            kept[path] = path.read_bytes()
            path.write_bytes(change(kept[path]))
            before = tables(made.files.root)
            said = "\n".join(node.message for node in made.run(TABLES).nodes)
            assert tables(made.files.root) == before
            return said

        yield spoil
        for path, data in kept.items():
            path.write_bytes(data)

    W34 = "American_Trends_Panel_W34"

    @pytest.mark.parametrize(
        ("name", "old", "new", "message"),
        [
            (
                "responses.csv",
                b"\n1,1,1,1,",
                b"\n1,1,1,0,",
                "row 2: the id '0' is also that of row 1",
            ),
            ("responses.csv", b"Very safe", b"Very save", "did you mean 'Very safe'"),
            ("responses.csv", b"SAFE_W34", b"SAVE_W34", "has no column 'SAFE_W34'"),
            ("responses.csv", b"\n5,", b"\n5,,", "fields where the header has"),
            ("responses.csv", b"Not too safe", b"Not t\xf6\xf6 safe", "is not utf-8 text"),
            ("info.csv", b"['Very safe'", b"[__import__('os')", "expected a list such as"),
            ("info.csv", b"[1.0, 2.0]", b"[1.0, low]", "expected a list such as"),
            ("metadata.csv", b"AGE", b"SAFE_W34", "'SAFE_W34' is a question in info"),
        ],
    )
    def test_a_spoilt_cell(self, spoil, name, old, new, message):
        said = spoil(f"{self.W34}/{name}", lambda data: data.replace(old, new, 1))
        assert message in said

    def test_an_empty_file(self, spoil):
        assert "info.csv is empty" in spoil(f"{self.W34}/info.csv", lambda data: b"")

    def test_a_pickle_that_would_run_code(self, spoil, tmp_path):
        class Runs:
            def __reduce__(self):
                return (open, (str(tmp_path / "written"), "w"))

        def change(data):
            file = io.BytesIO()
            np.save(file, np.array({"x": Runs()}, dtype=object), allow_pickle=True)
            return file.getvalue()

        said = spoil("topic_mapping.npy", change)
        assert "topic_mapping.npy: the pickle is not plain data: it names" in said
        assert not (tmp_path / "written").exists()
