"""Serves the site's folder on this machine."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lupom.engine.errors import UsageError

# Whoever else is on the network shall not read respondents' answers.
HOST = "127.0.0.1"


class Handler(SimpleHTTPRequestHandler):
    """Files of one folder; quiet, and never from a browser's cache."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: stderr is for what the user has to know."""

    def send_head(self) -> Any:
        # Another site's page may have its name lead here (DNS rebinding) to read what is shown.
        host = (self.headers.get("Host") or "").rsplit(":", 1)[0]
        if host not in (HOST, "localhost"):
            self.send_error(403)
            return None
        return super().send_head()

    def list_directory(self, path: Any) -> None:
        self.send_error(404)


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Return a server of a folder on 127.0.0.1; port 0 takes a free one.

    Raises UsageError when the site is not generated, or the port is taken.
    """
    if not (folder / "index.html").is_file():
        raise UsageError(f"there is no site in {folder}", hint="lupom docs generate")
    try:
        return ThreadingHTTPServer((HOST, port), partial(Handler, directory=str(folder)))
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"port {port} cannot be used: {error}", hint="another one: --port 8081"
        ) from None
