"""Libraries' log lines: they change nobody's logging, and none of them reaches our user's terminal.

LUPoM logs nothing itself: a run speaks through its reporter. In a notebook or a program the logging
is the user's, so handlers and levels of the root logger are as they were after anything of ours.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

# Who makes requests for us. Their failures are told by the run, with the row and the remedy; a
# program that set up no logging would get them on stderr besides (`logging.lastResort`).
CLIENTS = (
    *("aiohttp", "anthropic", "asyncio", "boto3", "botocore", "cohere", "google", "google_genai"),
    *("google_genai.types", "groq", "httpcore", "httpx", "httpx2", "instructor", "LiteLLM"),
    *("mistralai", "openai", "psycopg", "s3transfer", "urllib3", "wordllama"),
)


@contextmanager
def root_as_it_is() -> Iterator[None]:
    """Undo what an import does to the root logger: wordllama calls `logging.basicConfig(INFO)`."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    # `basicConfig` does nothing to a root logger that has a handler.
    placeholder = logging.NullHandler()
    root.addHandler(placeholder)
    try:
        yield
    finally:
        root.removeHandler(placeholder)
        for handler in [h for h in root.handlers if h not in handlers]:
            root.removeHandler(handler)
        if root.level != level:
            root.setLevel(level)


def quieten(*names: str) -> None:
    """Keep loggers that nobody has set up off stderr.

    A handler that does nothing is what libraries are advised to add themselves: records still go to
    the root logger's handlers, where a program has set some up.
    """
    for name in names:
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
