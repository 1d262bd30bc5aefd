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


# Pieces of text that stand in each other, each pair once; [] where all can be read. What is cut
# off, or moved by the reader, is left out.
OVERLAPS = """() => {
  const boxes = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const out = "option, script, style, noscript, title, .hidden, .skip, .clip, .graph, .scroll, pre";
  while (texts.nextNode()) {
    const node = texts.currentNode, parent = node.parentElement;
    if (!node.textContent.trim() || parent.closest(out)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects())
      if (box.width > 1 && box.height > 1) boxes.push([box, node.textContent.trim().slice(0, 40)]);
  }
  const found = [];
  boxes.forEach(([a, one], i) => boxes.slice(0, i).forEach(([b, other]) => {
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (across > 1.5 && down > 4) found.push([one, other]);
  }));
  return found;
}"""


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
