"""An environment in which boto3 speaks to a Bedrock server on loopback and to nothing else."""

from __future__ import annotations

import os

import pytest

from tests.support.bedrock_server import BedrockServer

SECRET = "wJalrXUtnFEMIsecretsecretsecret"
KEY_ID = "AKIAIOSFODNN7EXAMPLE"


@pytest.fixture
def aws(monkeypatch, tmp_path):
    """An environment with nobody's configuration in it, and no credentials."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


@pytest.fixture
def server(aws):
    with BedrockServer() as running:
        aws.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", running.url)
        aws.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
        aws.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        yield running


def points(body):
    """The text up to the cache point of each request, and its time to live."""
    blocks = [*body.get("system", []), *(b for m in body["messages"] for b in m["content"])]
    places = [i for i, block in enumerate(blocks) if "cachePoint" in block]
    return [
        ("".join(b.get("text", "") for b in blocks[:i]), blocks[i]["cachePoint"]) for i in places
    ]
