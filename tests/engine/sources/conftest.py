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
    s3_servers.keyed(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.address)
    yield proxy
    proxy.close()
