"""Lakes whose data are in S3: moto's, and rclone's, which checks signatures."""

from __future__ import annotations

import itertools

import pytest

from lupom import Project
from lupom.engine.errors import LupomError
from tests.support import lakes, s3_servers

_BUCKETS = itertools.count(1)


@pytest.fixture
def make_lake(make_project):
    lakes.require()

    def make(data, address, more="", wait=60):
        return make_project(
            {
                "lupom_project.yml": f"""
                    name: demo
                    models: {{+materialized: table}}
                    targets:
                      dev:
                        type: ducklake
                        catalog: lake.sqlite
                        data: {data}
                        store_wait: {wait}
                        s3: {{endpoint_url: '{address}'{more}}}
                    """,
                "models/a.sql": "select range as n from range(100)",
                "models/b.sql": "select sum(n) as n from {{ ref('a') }}",
            }
        )

    return make


def test_the_data_are_objects_of_the_bucket(make_lake, moto_server, monkeypatch):
    s3_servers.keyed(monkeypatch)
    s3, bucket = s3_servers.client(moto_server), f"lake-{next(_BUCKETS)}"
    s3.create_bucket(Bucket=bucket)
    folder = make_lake(f"s3://{bucket}/team/panel", moto_server)
    with Project(folder) as project:
        result = project.run()
        assert [node.status for node in result.nodes] == ["success", "success"]
        assert project.run().nodes == []
        assert project.query("from b").rows() == [(4950,)]
        assert project.query("select count(*) from a", at=result.run_id).rows() == [(100,)]
    found = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert any(key.startswith("team/panel/main/a/") for key in found)
    assert not list(folder.rglob("*.parquet"))


def test_requests_are_signed(make_lake, rclone_server, monkeypatch):
    s3_servers.keyed(monkeypatch)
    address, files = rclone_server
    (files / "lake").mkdir()
    folder = make_lake("s3://lake/signed", address)
    with Project(folder) as project:
        assert project.run().status == "success"
        assert project.query("from b").rows() == [(4950,)]
    assert list((files / "lake" / "signed").rglob("*.parquet"))


def said(folder):
    with Project(folder) as project:
        try:
            result = project.run()
        except LupomError as error:
            return str(error)
    return result.nodes[0].message


def test_a_bucket_that_is_not_there(make_lake, moto_server, monkeypatch):
    s3_servers.keyed(monkeypatch)
    message = said(make_lake("s3://nowhere-at-all/x", moto_server))
    assert "data: there is no bucket 'nowhere-at-all'" in message
    assert moto_server in message


def test_credentials_that_s3_refuses(make_lake, rclone_server, monkeypatch):
    s3_servers.keyed(monkeypatch, secret="wrong")
    message = said(make_lake("s3://waves/lake", rclone_server[0], ", retries: 0"))
    assert "S3 refuses the credentials" in message
    assert "wrong" not in message


def test_no_credentials(make_lake, rclone_server, monkeypatch):
    s3_servers.keyed(monkeypatch, key=None)
    message = said(make_lake("s3://waves/lake", rclone_server[0]))
    assert "no credentials for S3" in message


def test_a_server_that_is_not_there(make_lake, monkeypatch):
    s3_servers.keyed(monkeypatch)
    message = said(make_lake("s3://waves/lake", "http://127.0.0.1:9", ", retries: 0"))
    assert "S3 at http://127.0.0.1:9 cannot be read" in message


def gone(proxy, method, part, number):
    """Have the proxy break off so many requests from the first of a method for a path."""
    broken = []

    def before(asked, path):
        if len(broken) < number and (broken or (asked == method and part in path)):
            broken.append(path)
            raise ConnectionResetError

    proxy.before = before
    return broken


@pytest.fixture
def ready(make_lake, proxy):
    """Return a function that makes a project whose lake is behind the proxy."""

    def make(**options):
        bucket = f"lake-{next(_BUCKETS)}"
        s3_servers.client(proxy.address).create_bucket(Bucket=bucket)
        return make_lake(f"s3://{bucket}/my team", proxy.address, ", retries: 0", **options)

    return make


@pytest.mark.parametrize(
    ("method", "part"), [("PUT", "/main/a/"), ("GET", "/main/a/"), ("PUT", "/main/b/")]
)
def test_a_server_that_goes_away_in_a_run_is_waited_for(ready, proxy, method, part):
    folder = ready()
    # DuckDB tries four times itself.
    broken = gone(proxy, method, part, 6)
    with Project(folder) as project:
        result = project.run()
        assert [node.status for node in result.nodes] == ["success", "success"]
        assert project.query("from b").rows() == [(4950,)]
        assert project.run().nodes == []
    assert len(broken) == 6


def test_a_server_that_stays_away_fails_the_node_and_nothing_else(ready, proxy):
    folder = ready(wait=0)
    gone(proxy, "PUT", "/main/b/", 10_000)
    with Project(folder) as project:
        result = project.run()
    assert [node.status for node in result.nodes] == ["success", "error"]
    assert "IO Error" in result.nodes[1].message
    proxy.before = None
    with Project(folder) as project:
        assert [node.node for node in project.run().nodes] == ["b"]
        assert project.query("from b").rows() == [(4950,)]


def test_credentials_that_end_in_a_run_are_one_message_and_the_next_run_goes_on(ready, proxy):
    folder = ready()
    ended = []

    def before(method, path):
        if method == "PUT" and "/main/b/" in path:
            ended.append(path)

    def fault(handler, *_answer):
        if not ended:
            return False
        body = b"<Error><Code>ExpiredToken</Code><Message>The token has expired</Message></Error>"
        headers = {"Content-Type": "application/xml", "Content-Length": str(len(body))}
        s3_servers.send(handler, 403, headers, body)
        return True

    proxy.before, proxy.fault = before, fault
    with Project(folder) as project:
        a, b = project.run().nodes
        assert (a.status, b.status) == ("success", "error")
        assert "S3 refuses the credentials (ExpiredToken) (they have ended: get new" in b.message
        proxy.reset()
        assert [node.node for node in project.run().nodes] == ["b"]
        assert project.query("from b").rows() == [(4950,)]
