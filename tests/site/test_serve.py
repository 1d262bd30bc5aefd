"""`lupom docs serve`: this machine alone, and the site's files alone."""

from __future__ import annotations

import http.client
import threading

import pytest

from lupom.engine.errors import UsageError
from lupom.site.serve import server


@pytest.fixture
def port(site):
    with server(site, 0) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield serving.server_address[1]
        serving.shutdown()
        thread.join()


def status(port, path, host="127.0.0.1"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers={"Host": f"{host}:{port}"})
    return connection.getresponse().status


def test_it_serves_the_pages_and_nothing_else(port):
    assert status(port, "/") == 200
    assert status(port, "/data/start.js") == 200
    assert status(port, "/data/") == 404
    assert status(port, "/../manifest.json") == 404
    assert status(port, "/%2e%2e/manifest.json") == 404


def test_a_foreign_name_for_this_machine_gets_nothing(port):
    assert status(port, "/", host="evil.example") == 403
    assert status(port, "/", host="localhost") == 200


def test_it_listens_on_this_machine_alone(site):
    with server(site, 0) as serving:
        assert serving.server_address[0] == "127.0.0.1"


def test_without_a_site_it_says_what_makes_one(tmp_path):
    with pytest.raises(UsageError, match="lupom docs generate"):
        server(tmp_path, 0)
