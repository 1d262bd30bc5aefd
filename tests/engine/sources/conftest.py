"""One moto server and one rclone server for all tests of this folder, and a proxy for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import s3_servers


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    with s3_servers.moto() as address:
        yield address


@pytest.fixture(scope="session")
def rclone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("rclone")
    (folder / "waves").mkdir()
    with s3_servers.rclone(folder) as address:
        yield address, folder


@pytest.fixture
def proxy(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[s3_servers.Proxy]:
    """A proxy before moto, which the environment names as S3."""
    proxy = s3_servers.Proxy(moto_server)
    keyed(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.address)
    yield proxy
    proxy.close()


def keyed(
    monkeypatch: pytest.MonkeyPatch,
    key: str | None = s3_servers.KEY,
    secret: str = s3_servers.SECRET,
) -> None:
    """Give the environment these credentials and nothing else of AWS."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    if key is None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    else:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
