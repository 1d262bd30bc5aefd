"""Debian's Chromium, headless, for tests of pages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = "/usr/bin/chromium"
# Without these Chromium looks for its maker's hosts, which a test machine does not reach.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


@contextmanager
def browser() -> Iterator[Any]:
    """Open a browser, or skip the test where there is none.

    With LUPOM_REQUIRE_BROWSER=1, as CI sets it, a missing browser is a failure.
    """
    if not Path(CHROMIUM).exists() and os.environ.get("LUPOM_REQUIRE_BROWSER") != "1":
        pytest.skip(f"no browser at {CHROMIUM}")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield chromium
        finally:
            chromium.close()
