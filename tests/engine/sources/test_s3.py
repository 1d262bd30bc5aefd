"""Sources on S3, read over HTTP from servers on loopback."""

from __future__ import annotations

import itertools
import time

import pytest

from lupom import Project
from lupom.engine.errors import LupomError
from tests.support.s3_servers import KEY, client, keyed, send
from tests.support.sources import built, rows, run

_BUCKETS = (f"waves-{i}" for i in itertools.count())
SOURCES = """
    sources:
      - name: panel
        s3: {{timeout: {timeout}, retries: {retries}, {more}}}
        tables:
          - {{name: wave, file: "s3://{bucket}/{key}"}}
    """


@pytest.fixture
def bucket(moto_server):
    """A new bucket in moto, as a boto3 client of its own and the bucket's name."""
    s3, name = client(moto_server), next(_BUCKETS)
    s3.create_bucket(Bucket=name)
    return s3, name


@pytest.fixture
def panel(make_project):
    """A project of one model that reads one source on S3."""

    def make(name, key="w34/wave.csv", *, more="", timeout=5, retries=0):
        return make_project(
            {
                "models/sources.yml": SOURCES.format(
                    bucket=name, key=key, more=more, timeout=timeout, retries=retries
                ),
                "models/a.sql": "select * from {{ source('panel', 'wave') }}",
                "models/b.sql": "select count(*) as n from {{ ref('a') }}",
                "models/apart.sql": "select 1 as x",
            }
        )

    return make


def put(bucket, text, key="w34/wave.csv"):
    s3, name = bucket
    s3.put_object(Bucket=name, Key=key, Body=text.encode())


def test_an_object_is_a_table(proxy, bucket, panel):
    put(bucket, "id,answer\n1,Often\n2,Never\n")
    folder = panel(bucket[1])
    assert run(folder).status == "success"
    assert rows(folder) == [(1, "Often"), (2, "Never")]


def test_an_unchanged_object_is_not_fetched_again(proxy, bucket, panel):
    put(bucket, "id\n1\n")
    folder = panel(bucket[1])
    run(folder)
    assert (proxy.count("HEAD"), len(proxy.objects())) == (1, 1)
    proxy.reset()
    assert run(folder).nodes == []
    assert proxy.requests == [("HEAD", f"/{bucket[1]}/w34/wave.csv")]


def test_a_changed_object_rebuilds_what_reads_it(proxy, bucket, panel):
    put(bucket, "id\n1\n")
    folder = panel(bucket[1])
    run(folder)
    put(bucket, "id\n1\n2\n")
    with Project(folder) as project:
        steps = {s.node: s.reason for s in project.plan().doing()}
    assert steps == {"a": "input panel.wave changed", "b": "would run if a changes"}
    assert built(run(folder)) == {"a": "success", "b": "success"}
    assert rows(folder, "select n from b") == [(2,)]


def test_equal_contents_under_another_etag_rebuild_nothing(proxy, bucket, panel):
    put(bucket, "id\n1\n")
    folder = panel(bucket[1])
    run(folder)
    s3, name = bucket
    upload = s3.create_multipart_upload(Bucket=name, Key="w34/wave.csv")["UploadId"]
    place = {"Bucket": name, "Key": "w34/wave.csv", "UploadId": upload}
    part = s3.upload_part(**place, PartNumber=1, Body=b"id\n1\n")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    proxy.reset()
    assert run(folder).nodes == []
    assert len(proxy.objects()) == 1


def test_a_source_that_no_selected_model_reads_is_not_asked_for(proxy, panel):
    assert run(panel("no-such-bucket"), select="apart").status == "success"
    assert proxy.requests == []


def test_wildcards_take_what_they_match_beyond_a_thousand_keys(rclone_server, panel, monkeypatch):
    keyed(monkeypatch)
    address, files = rclone_server
    (files / "many" / "w34" / "deeper").mkdir(parents=True)
    for i in range(1002):
        (files / "many" / "w34" / f"{i:04d}.txt").touch()
    for name in ("y.csv", "z.csv", "deeper/z.csv"):
        (files / "many" / "w34" / name).write_text(f"id\n{name}\n")
    assert client(address).list_objects_v2(Bucket="many")["IsTruncated"]
    folder = panel("many", "w34/*.csv", more=f"endpoint_url: '{address}'")
    assert run(folder).status == "success"
    assert rows(folder) == [("y.csv",), ("z.csv",)]


def test_a_file_added_below_a_wildcard_is_read_too_and_alone_fetched(proxy, bucket, panel):
    put(bucket, "id\n1\n", "w34/one.csv")
    folder = panel(bucket[1], "**/*.csv")
    run(folder)
    put(bucket, "id\n2\n", "w34/more/two.csv")
    proxy.reset()
    run(folder)
    assert rows(folder) == [(1,), (2,)]
    assert proxy.objects() == [f"/{bucket[1]}/w34/more/two.csv"]


def test_downloads_go_in_parallel(proxy, bucket, panel):
    for i in range(4):
        put(bucket, f"id\n{i}\n", f"w34/{i}.csv")
    import threading

    together = threading.Barrier(4, timeout=10)

    def wait_for_the_others(method, path):
        if path.endswith(".csv"):
            together.wait()

    proxy.before = wait_for_the_others
    folder = panel(bucket[1], "w34/*.csv")
    assert run(folder).status == "success"
    assert len(rows(folder)) == 4


class TestFaults:
    """Whatever goes wrong is said, and the tables that stood before still stand."""

    @pytest.fixture
    def make(self, proxy, bucket, panel):
        def make(**settings):
            put(bucket, "id\n1\n")
            folder = panel(bucket[1], retries=0, **settings)
            run(folder)
            proxy.reset()
            put(bucket, "id\n" + "\n".join(map(str, range(500))) + "\n")
            return folder

        return make

    @pytest.fixture
    def folder(self, make):
        return make()

    @pytest.fixture
    def hasty(self, make):
        """Waits for so short a time that what is sound may be too slow for it on a busy machine."""
        return make(timeout=0.3)

    def fails(self, folder, message):
        with pytest.raises(LupomError, match=message) as caught:
            run(folder)
        assert rows(folder) == [(1,)]
        assert rows(folder, "select n from b") == [(1,)]
        assert caught.value.file == "models/sources.yml"
        assert caught.value.line == 6
        return caught.value

    def test_cut_off(self, proxy, folder):
        def cut(handler, status, headers, body):
            if handler.command != "GET":
                return False
            handler.close_connection = True
            send(handler, status, headers, body[:-5])
            return True

        proxy.fault = cut
        self.fails(folder, "wave.csv")

    def test_cut_off_by_a_server_that_says_so(self, proxy, folder):
        def cut(handler, status, headers, body):
            if handler.command != "GET":
                return False
            send(handler, status, {**headers, "Content-Length": "5"}, body[:5])
            return True

        proxy.fault = cut
        self.fails(folder, "changed while it was being read")

    def test_damaged_on_the_way(self, proxy, folder):
        turns = itertools.count()

        def flip(handler, status, headers, body):
            if handler.command != "GET":
                return False
            send(handler, status, headers, body[:-2] + str(next(turns)).encode() + b"\n")
            return True

        proxy.fault = flip
        self.fails(folder, "arrives damaged: two reads of it differ")

    def test_changed_between_the_question_and_the_answer(self, proxy, folder, bucket):
        def change(method, path):
            if method == "GET":
                put(bucket, "id\n7\n")

        proxy.before = change
        self.fails(folder, "changed while it was being read")

    def test_changed_and_the_server_does_not_honour_if_match(self, proxy, folder):
        def other(handler, status, headers, body):
            if handler.command != "GET":
                return False
            send(handler, status, {**headers, "ETag": '"0123456789abcdef0123456789abcdef"'}, body)
            return True

        proxy.fault = other
        self.fails(folder, "changed while it was being read")

    def test_silent(self, proxy, hasty):
        proxy.fault = lambda *_: proxy.done.wait(30)
        error = self.fails(hasty, "cannot be read: .*[Tt]imeout")
        assert "--offline takes the copy of" in error.hint

    def test_a_trickle(self, proxy, hasty):
        def trickle(handler, status, headers, body):
            if handler.command != "GET":
                return False
            send(handler, status, headers, b"")
            for byte in body:
                if proxy.done.wait(0.05):
                    break
                handler.wfile.write(bytes([byte]))
            return True

        proxy.fault = trickle
        begun = time.monotonic()
        self.fails(hasty, "comes too slowly")
        assert time.monotonic() - begun < 20

    def test_refused_connections(self, proxy, folder, monkeypatch):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        with pytest.raises(LupomError, match=r"S3 at http://127.0.0.1:9 cannot be read"):
            run(folder)

    def test_a_server_that_fails_for_good(self, proxy, folder):
        proxy.fault = fail_with(503, "SlowDown", times=99)
        self.fails(folder, "S3 answers 503")

    def test_a_missing_key_has_a_likely_one(self, proxy, bucket, panel):
        put(bucket, "id\n1\n")
        with pytest.raises(LupomError, match=r"no object s3://.*wav.csv.*mean 'w34/wave.csv'"):
            run(panel(bucket[1], "w34/wav.csv"))

    def test_nothing_matches(self, proxy, bucket, panel):
        with pytest.raises(LupomError, match=r"no object matches s3://.*nothing stands below"):
            run(panel(bucket[1], "w35/*.csv"))

    def test_a_missing_bucket(self, proxy, panel):
        with pytest.raises(LupomError, match="there is no bucket 'no-such-bucket'"):
            run(panel("no-such-bucket"))
        with pytest.raises(LupomError, match="there is no bucket 'no-such-bucket'"):
            run(panel("no-such-bucket", "*.csv"))

    def test_an_empty_object(self, proxy, folder, bucket):
        put(bucket, "")
        result = run(folder)
        assert "wave.csv is empty" in result.nodes[0].message
        assert rows(folder) == [(1,)]

    def test_a_torn_object(self, proxy, folder, bucket):
        put(bucket, "id,answer\n1,Yes\n2\n")
        result = run(folder)
        assert "row 3: 1 fields where the header has 2" in result.nodes[0].message
        assert rows(folder) == [(1,)]


def fail_with(status, code, times):
    left = itertools.count(times, -1)

    def fault(handler, *_):
        if next(left) <= 0:
            return False
        body = f"<Error><Code>{code}</Code><Message>Not now.</Message></Error>".encode()
        send(handler, status, {"Content-Length": str(len(body))}, body)
        return True

    return fault


def test_a_server_that_fails_in_passing_is_asked_again(proxy, bucket, panel):
    put(bucket, "id\n1\n")
    proxy.fault = fail_with(503, "SlowDown", times=1)
    assert run(panel(bucket[1], retries=2)).status == "success"


def test_offline_takes_what_is_here_and_asks_nobody(proxy, bucket, panel):
    put(bucket, "id\n1\n")
    folder = panel(bucket[1])
    run(folder)
    put(bucket, "id\n2\n")
    proxy.reset()
    assert run(folder, offline=True).nodes == []
    assert run(folder, offline=True, full_refresh=True).status == "success"
    assert proxy.requests == []
    assert rows(folder) == [(1,)]


def test_offline_without_a_copy(proxy, bucket, panel):
    put(bucket, "id\n1\n")
    with pytest.raises(LupomError, match=r"was never fetched \(run without --offline\)"):
        run(panel(bucket[1]), offline=True)
    assert proxy.requests == []


def test_a_blob_is_its_bytes(proxy, bucket, make_project):
    put(bucket, "\x00abc", "topics.npy")
    folder = make_project(
        {
            "models/sources.yml": f"""
                sources:
                  - name: panel
                    tables:
                      - {{name: topics, file: "s3://{bucket[1]}/topics.npy", format: blob}}
                """,
            "models/a.py": """
                def model(lupom):
                    return lupom.source("panel", "topics")
                """,
        }
    )
    assert run(folder).status == "success"
    assert rows(folder) == [("topics.npy", b"\x00abc")]


class TestSignatures:
    """rclone's server checks them."""

    @pytest.fixture
    def folder(self, rclone_server, panel):
        address, files = rclone_server
        (files / "waves" / "wave.csv").write_text("id\n5\n")
        return panel("waves", "wave.csv", more=f"endpoint_url: '{address}'")

    def test_right(self, folder, monkeypatch):
        keyed(monkeypatch)
        assert run(folder).status == "success"
        assert rows(folder) == [(5,)]
        assert run(folder).nodes == []

    def test_a_wrong_secret(self, folder, monkeypatch):
        keyed(monkeypatch, secret="another")
        with pytest.raises(LupomError, match=r"refuses the credentials \(SignatureDoesNotMatch\)"):
            run(folder)

    def test_an_unknown_key(self, folder, monkeypatch):
        keyed(monkeypatch, key="nobody")
        with pytest.raises(LupomError, match=r"s3://waves/wave.csv.*(refuses|may not be read)"):
            run(folder)

    def test_no_credentials(self, folder, monkeypatch):
        keyed(monkeypatch, key=None)
        with pytest.raises(LupomError, match=r"no credentials for S3.*AWS_ACCESS_KEY_ID"):
            run(folder)

    def test_anonymous_where_it_is_not_allowed(self, rclone_server, panel, monkeypatch):
        keyed(monkeypatch, key=None)
        more = f"endpoint_url: '{rclone_server[0]}', anonymous: true"
        with pytest.raises(LupomError, match="may not be read without credentials"):
            run(panel("waves", "wave.csv", more=more))

    def test_an_unknown_profile(self, rclone_server, panel, monkeypatch):
        keyed(monkeypatch)
        more = f"endpoint_url: '{rclone_server[0]}', profile: nobody"
        with pytest.raises(LupomError, match="no AWS profile 'nobody'"):
            run(panel("waves", "wave.csv", more=more))

    def test_secrets_are_not_told(self, folder, monkeypatch):
        keyed(monkeypatch, secret="hidden-word")
        with pytest.raises(LupomError) as caught:
            run(folder)
        assert "hidden-word" not in str(caught.value)
        assert KEY not in str(caught.value)


def test_an_anonymous_reader_signs_nothing(proxy, bucket, panel, monkeypatch):
    keyed(monkeypatch, key=None)
    put(bucket, "id\n1\n")
    bucket[0].put_object_acl(Bucket=bucket[1], Key="w34/wave.csv", ACL="public-read")
    more = f"anonymous: true, endpoint_url: '{proxy.address}'"
    assert run(panel(bucket[1], more=more)).status == "success"
